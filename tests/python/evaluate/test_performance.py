"""The experiments count and find what they say: small runs, no clock is judged."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mopse import evaluate
from mopse.errors import InvalidInputError
from mopse.evaluate import performance

PER_PROVIDER = "OPSE, one key per provider"
ONE_MESSAGE = f"{PER_PROVIDER}, one message"


def first(table: pl.DataFrame, **where) -> dict:
    """Return the only row of the first repeat."""
    table = table.filter(pl.col("repeat") == 0, *(pl.col(k) == v for k, v in where.items()))
    return table.row(0, named=True) if table.height == 1 else pytest.fail(f"{table.height} rows")


def test_index_encryption_takes_one_block_per_entry_and_handle():
    table = performance.index_encryption((4000,), (121,), providers=4, repeats=1)
    for scheme, handles in (("Plain", None), (PER_PROVIDER, None), ("MOPSE", 4000)):
        entries = first(table, scheme=scheme, step="entries")
        assert entries["aes_blocks"] == (0 if scheme == "Plain" else 4000)
        if handles:
            assert first(table, scheme=scheme, step="handles")["aes_blocks"] == handles
    # Every provider draws its own codebook or ruler; with a common key there is one.
    splits = {
        s: first(table, scheme=s, step="set-up")["splits"]
        for s in table["scheme"].unique()
        if s != "Plain"
    }
    assert splits[PER_PROVIDER] == pytest.approx(4 * splits["OPSE, one common key"], rel=0.2)
    assert splits["MOPSE"] == splits["MOPSE+"] == pytest.approx(4 * 120 / math.log(2), rel=0.2)
    assert first(table, scheme="MOPSE", step="seal")["bytes"] > 4000 * 50


def test_a_user_query_asks_as_often_as_the_scheme_needs():
    table = performance.user_query((1, 9, 30), (0.01,), repeats=1)
    for n in (1, 9, 30):
        leaves = sum(not any(under == path for _, under in evaluate.tree(n)) for path in paths(n))
        wanted = {
            "Plain": (1, 1, 1),
            "OPSE, one common key": (1, 1, 1),
            PER_PROVIDER: (n, n, n),
            ONE_MESSAGE: (1, n, 1),
            "MOPSE": (1, 1, 1),
            "MOPSE+": (1, n - leaves + 1, 1),
        }
        for scheme, (messages, intervals, signatures) in wanted.items():
            asked = first(table, providers=n, scheme=scheme, step="ask")
            searched = first(table, providers=n, scheme=scheme, step="search")
            assert asked["messages"] == messages
            assert searched["intervals"] == intervals
            assert asked["signatures"] == searched["verifications"] == signatures
    found = table.filter(pl.col("step").is_in(["search", "open"]))["found"].unique()
    assert len(found) == 1


def paths(n: int) -> list[str]:
    return [name if under is None else f"{under}/{name}" for name, under in evaluate.tree(n)]


def test_the_gain_is_that_of_the_medians():
    table = performance.user_query((1, 4), (0.001, 0.1), repeats=2)
    ratios = performance.gain(table)
    assert ratios.filter(pl.col("scheme") == "MOPSE")["ratio"].to_list() == [1.0] * 8
    n, share = 4, table["share"].max()
    took = evaluate.medians(
        table.filter(pl.col("step").is_in(["ask", "search"])), ["providers", "share", "scheme"]
    ).filter(pl.col("providers") == n, pl.col("share") == share)
    times = dict(zip(took["scheme"], took["time_s"], strict=True))
    row = ratios.filter(
        pl.col("providers") == n, pl.col("share") == share, pl.col("scheme") == PER_PROVIDER
    )
    without, with_answer = row.sort("answer")["ratio"]
    assert without == pytest.approx(times[PER_PROVIDER] / times["MOPSE"])
    assert min(1, without) <= with_answer <= max(1, without)


def test_a_provider_asks_for_its_own_and_every_group_below():
    table = performance.provider_query((0, 8, 20), repeats=1)
    for below, groups in ((0, 0), (8, 1), (20, 3)):
        for scheme, tokens in ((PER_PROVIDER, 1), ("MOPSE", 1), ("MOPSE+", 1 + groups)):
            assert first(table, below=below, scheme=scheme, step="ask")["signatures"] == 1
            assert first(table, below=below, scheme=scheme, step="search")["intervals"] == tokens
        own = first(table, below=below, scheme="MOPSE", step="search")["found"]
        assert own == first(table, below=below, scheme="Plain", step="search")["found"]
        everything = first(table, below=below, scheme="MOPSE+", step="search")["found"]
        assert (everything > own) == (below > 0)


def test_merging_compares_n_log_k_times():
    table = performance.merging((50_000,), (4, 16), repeats=1)
    for runs in (4, 16):
        merged = first(table, runs=runs, scheme="MOPSE", step="merge")["comparisons"]
        assert merged == pytest.approx(50_000 * (math.log2(runs) + 1), rel=0.15)
    assert set(table.filter(pl.col("scheme") == "numpy")["comparisons"]) == {0}
    assert first(table, runs=4, scheme="MOPSE", step="add")["comparisons"] < 2.3 * 50_000


def test_growing_counts_what_the_values_say_and_passes_over_nothing():
    table = performance.growing((800, 8000), uploads=64, arriving=500, reads=50, repeats=1)
    fewest, most = (
        {
            (row["scheme"], row["step"]): row
            for row in table.filter(pl.col("records") == count).iter_rows(named=True)
        }
        for count in (800, 8000)
    )
    for count, steps in ((800, fewest), (8000, most)):
        calls = {key: row["calls"] for key, row in steps.items()}
        assert calls.pop(("MOPSE", "read beside")) >= 1
        assert calls.pop(("MOPSE", "read meanwhile")) >= 1
        assert calls == {
            ("MOPSE", "read"): 50,
            ("MOPSE", "add"): 64,
            ("MOPSE", "correct"): 64,
            ("merged anew", "add"): 2,
            ("merged anew", "upload"): 8,
        }
        anew = steps["merged anew", "add"]["comparisons"] / 2
        assert anew > 2 * count, "every entry of two fields is looked at"
        assert steps["MOPSE", "add"]["comparisons"] / 64 < anew / 10
    added = most["MOPSE", "add"]["comparisons"] / fewest["MOPSE", "add"]["comparisons"]
    assert added < 2, "ten times as many are stored"
    times = table.select("median_s", "p999_s", "worst_s").rows()
    assert all(0 < median <= high <= worst for median, high, worst in times)


def test_proofs_take_the_bytes_that_the_values_say_and_change_no_answer():
    table = performance.proofs((1, 20), (500,), (10, 100), (1, 100), asks=1, repeats=1)
    sizes = table.filter(pl.col("expected_bytes").is_not_null())
    searches = {f"search {how}" for how in ("cold", "warm", "both", "signed")}
    assert set(sizes["step"]) == {"seal", "sort", "count"} | searches
    assert (sizes["bytes"] == sizes["expected_bytes"]).all()
    warm = set(table.filter(pl.col("step") == "search warm")["bytes"])
    assert len(warm) == 1, "whatever the providers, records, cells and hits"
    for count in (1, 20):
        where = {"against": "providers", "providers": count}
        checks = (first(table, **where, step=f"check {how}") for how in ("cold", "warm"))
        cold, warm = (check["verifications"] for check in checks)
        assert cold >= count
        assert warm == 0, "signatures are checked once a seal"
        for step in ("search cold", "search warm", "search both", "count"):
            plain = first(table, **where, step="search without")
            searched = first(table, **where, step=step)
            assert searched["verifications"] == plain["verifications"] == 1
    found = table.filter(pl.col("step").is_in(["search", "search without", "search warm", "count"]))
    per_case = found.group_by("against", "providers", "cells", "asked")
    assert (per_case.agg(pl.col("hits").n_unique())["hits"] == 1).all()


def test_storage_measures_real_messages():
    table = performance.storage(10)
    sizes = {(row["scheme"], row["party"], row["step"]): row for row in table.iter_rows(named=True)}
    assert sizes[PER_PROVIDER, "owner", "keys"]["bytes"] == 320
    assert sizes[PER_PROVIDER, "owner", "query"]["items"] == 10
    assert sizes[ONE_MESSAGE, "owner", "query"]["items"] == 1
    assert sizes["MOPSE", "owner", "query"]["items"] == 1
    assert sizes["MOPSE+", "owner", "query"]["items"] == 2
    entries = sizes["Plain", "cloud", "index entries"]
    assert entries["bytes"] == 8 * entries["items"]
    uploads = sizes["MOPSE", "provider", "uploads"]["bytes"]
    stored = sizes["MOPSE", "cloud", "sealed records"]["bytes"]
    assert uploads > stored + 12 * entries["items"], "a ciphertext and a record number per entry"
    assert (table["bytes"] > 0).all()


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=12), cell=st.integers(1, 5))
def test_the_expected_excess_is_the_mean_over_all_ranges(counts, cell):
    m = len(counts)
    extra = []
    for low, high in itertools.combinations_with_replacement(range(m), 2):
        first_cell, last_cell = low // cell * cell, high // cell * cell + cell
        extra.append(sum(counts[first_cell:last_cell]) - sum(counts[low : high + 1]))
    assert performance.excess(np.array(counts), cell) == pytest.approx(np.mean(extra))


def test_wider_cells_find_too_many_and_never_too_few():
    table = performance.cell_width((1, 5), ("age",), queries=150)
    excess = table.with_columns((pl.col("found") - pl.col("matching")).alias("excess"))
    assert (excess["excess"] >= 0).all()
    assert set(excess.filter(pl.col("cell") == 1)["excess"]) == {0}
    wide = excess.filter(pl.col("cell") == 5)
    # The mean of 150 draws is within 4.5 standard errors, but for one seed in 10^5.
    error = wide["excess"].std() / math.sqrt(150)
    assert abs(wide["excess"].mean() - wide["expected_excess"][0]) < 4.5 * error


def test_removing_a_provider_reaches_as_far_as_its_keys():
    table = performance.authorization((20,), repeats=1)
    again = {
        scheme: first(table, scheme=scheme, step="authorize again")["providers_again"]
        for scheme in table["scheme"].unique()
    }
    assert again["OPSE, one common key"] == again["MOPSE"] == 19
    assert again[PER_PROVIDER] == 0
    # p7 has nobody below it: p8 to p19 are below p0 and p1, its siblings.
    assert again["MOPSE+"] == 19
    records = first(table, scheme="MOPSE", step="encrypt again")["records_again"]
    assert 0.9 * 8366 < records < 8366


def test_a_large_index_is_made_in_a_process_of_its_own():
    table = performance.large((20_000,), (1,), runs=4, queries=10, repeats=1)
    assert table["step"].to_list() == ["handles", "entries", "sort", "merge", "query"]
    assert set(table["data_bytes"]) == {20 * 20_000}
    assert table["peak_bytes"].is_sorted()
    assert first(table, step="entries")["aes_blocks"] >= 20_000
    assert first(table, step="query")["found"] > 0


def test_rust_crates_are_measured_by_a_command_once(tmp_path):
    script = tmp_path / "crates"
    lines = [f"ope\tencrypt\t65534\t10\t4\t{i}\t{i + 1}e-3" for i in range(3)]
    script.write_text("\n".join(lines))
    command = f"cat {script}"
    path = tmp_path / "peers.parquet"
    asked = {"values": 3, "distinct": 2, "repeats": 2, "path": path, "rust": command}
    table = performance.peers((121,), **asked)
    crate = table.filter(pl.col("scheme") == "ope")
    assert crate["time_s"].to_list() == [0.002, 0.003], "the first repeat warms up"
    assert crate["ciphertext_bytes"].to_list() == [4, 4]
    assert performance.peers((121,), **asked).equals(table), "resuming adds nothing"
    schemes = {"OPSE", "CLWW", "Lewi-Wu, 8 bits", "pyope 0.2.2", "ope"}
    assert set(table["scheme"]) == schemes
    for command, message in (
        ("false", "failed"),
        ("no-such-command", "failed"),
        ("echo a", "other"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            performance.peers((121,), values=2, repeats=1, rust=command)


SMALL = {
    "index_encryption": [{"records": (3,)}, {"domains": (1,)}, {"providers": 0}],
    "user_query": [{"providers": (0,)}, {"providers": ()}, {"shares": (0.0,)}, {"shares": (2,)}],
    "provider_query": [{"below": (-1,)}],
    "merging": [{"runs": (1,)}, {"entries": (3,)}],
    "growing": [{"records": (9,)}, {"uploads": 0}, {"arriving": 0}, {"reads": 0}],
    "growing_by_engine": [{"records": (9,)}, {"engines": ()}, {"engines": ("memory", "memory")}],
    "stores": [
        {"records": (9,)},
        {"shares": (0.0,)},
        {"uploads": 0},
        {"asks": 0},
        {"engines": ()},
        {"engines": ("SQLite",)},
    ],
    "proofs": [
        {"providers": (0,)},
        {"records": ()},
        {"cells": (1,)},
        {"asks": 0},
        {"cells": (9,), "asked": (10,)},
    ],
    "storage": [{"providers": 0}],
    "cell_width": [{"widths": (0,)}, {"fields": ("shoe",)}, {"queries": 0}],
    "authorization": [{"providers": (0,)}],
    "large": [{"entries": (3,)}, {"cores": (0,)}, {"runs": 0}, {"queries": 0}],
    "peers": [{"domains": (1,)}, {"values": 0}, {"distinct": 0}],
}


@pytest.mark.parametrize("name", SMALL)
def test_sizes_that_make_no_experiment_are_refused(name):
    for arguments in SMALL[name]:
        with pytest.raises(InvalidInputError):
            evaluate.EXPERIMENTS[name].measure(**arguments)
