"""The experiments count and find what they say: small runs, no clock is judged."""

import itertools
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mopse
from mopse import evaluate
from mopse.cli import main
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError
from mopse.evaluate import Block, Watch

PER_PROVIDER = "OPSE, one key per provider"
ONE_MESSAGE = f"{PER_PROVIDER}, one message"


def first(table: pl.DataFrame, **where) -> dict:
    """Return the only row of the first repeat."""
    table = table.filter(pl.col("repeat") == 0, *(pl.col(k) == v for k, v in where.items()))
    return table.row(0, named=True) if table.height == 1 else pytest.fail(f"{table.height} rows")


# The harness


def test_a_step_counts_what_runs_inside_it():
    watch = Watch()
    opse = mopse.Opse(bytes(32), 1 << 16)
    opse.encrypt(1)
    with watch.step("encrypt", "provider") as more:
        opse.encrypt(2)
        more["bytes"] = 8
    opse.encrypt(3)
    (row,) = watch.rows
    assert 10 <= row["splits"] <= 40
    assert row["aes_blocks"] >= 2 * row["splits"]
    assert (row["step"], row["party"], row["bytes"]) == ("encrypt", "provider", 8)
    assert row["time_s"] > 0


def blocks(calls: list, sizes=(1, 2)) -> list[Block]:
    def prepare(size):
        def case(name):
            def run(watch):
                calls.append((size, name))
                with watch.step("work", "cloud"):
                    pass

            return run

        return {"a": case("a"), "b": case("b")}

    return [Block({"size": size}, lambda size=size: prepare(size)) for size in sizes]


def test_schemes_take_turns_and_the_first_turn_is_not_kept():
    calls: list = []
    table = evaluate.record(blocks(calls), seed=1, repeats=2)
    assert calls == [(size, name) for size in (1, 2) for _ in range(3) for name in "ab"]
    assert table.select("size", "scheme", "repeat", "seed", "step").rows() == [
        (size, name, repeat, 1, "work") for size in (1, 2) for repeat in (0, 1) for name in "ab"
    ]


def test_an_interrupted_run_resumes(tmp_path):
    path, calls = tmp_path / "table.parquet", []
    evaluate.record(blocks(calls, sizes=(1,)), seed=1, repeats=2, path=path)
    calls.clear()
    whole = evaluate.record(blocks(calls), seed=1, repeats=2, path=path)
    assert {size for size, _ in calls} == {2}
    assert whole["size"].to_list() == [1] * 4 + [2] * 4
    assert pl.read_parquet(path).equals(whole)
    calls.clear()
    assert evaluate.record(blocks(calls), seed=1, repeats=2, path=path).equals(whole)
    assert not calls


def test_what_takes_too_long_is_not_repeated():
    assert evaluate.record(blocks([]), seed=1, repeats=9, patience_s=0).height == 4


def test_no_repeat_and_equal_circumstances_are_refused():
    with pytest.raises(InvalidInputError, match="repeats is 0, expected at least 1"):
        evaluate.record(blocks([]), seed=1, repeats=0)
    with pytest.raises(InvalidInputError, match="equal circumstances"):
        evaluate.record(blocks([], sizes=(1, 1)), seed=1)


def test_a_file_of_another_run_is_refused_and_kept(tmp_path):
    path = tmp_path / "table.parquet"
    evaluate.record(blocks([]), seed=1, repeats=2, path=path)
    before = path.read_bytes()
    others = [
        {"seed": 2, "repeats": 2},
        {"seed": 1, "repeats": 3},
        {"seed": 1, "repeats": 2, "sizes": (1,)},
    ]
    for other in others:
        sizes = other.pop("sizes", (1, 2))
        with pytest.raises(InvalidInputError, match="holds another run"):
            evaluate.record(blocks([], sizes), **other, path=path)
    pl.DataFrame({"name": ["a stranger"]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(InvalidInputError, match="holds another run"):
        evaluate.record(blocks([]), seed=1, path=tmp_path / "other.parquet")
    assert path.read_bytes() == before

    (tmp_path / "damaged.parquet").write_bytes(b"nonsense")
    with pytest.raises(DamagedFileError, match="no Parquet file"):
        evaluate.record(blocks([]), seed=1, path=tmp_path / "damaged.parquet")
    calls: list = []
    with pytest.raises(MissingFileError, match="no such folder"):
        evaluate.record(blocks(calls), seed=1, path=tmp_path / "none" / "table.parquet")
    assert not calls, "it is refused before anything is measured"


def test_cases_that_are_not_told_apart_are_refused():
    table = evaluate.record(blocks([]), seed=1, repeats=2)
    assert evaluate.medians(table, ["size", "scheme"]).height == 4
    for summarise in (
        lambda: evaluate.medians(table, ["scheme"]),
        lambda: evaluate.growth(table, x="size", by=[]),
    ):
        with pytest.raises(InvalidInputError, match="do not tell all cases apart"):
            summarise()
    with pytest.raises(InvalidInputError, match="no column 'colour'"):
        evaluate.medians(table, ["colour"])


def curve(exponent: float) -> pl.DataFrame:
    rows = itertools.product((10, 100, 1000), range(3), ("one", "two"))
    return pl.DataFrame(
        [
            {
                "n": n,
                "repeat": r,
                "step": s,
                "scheme": "a",
                "time_s": n**exponent * (1 + r / 10) / 2,
            }
            for n, r, s in rows
        ]
    )


@given(exponent=st.floats(-1, 3))
def test_the_exponent_of_a_power_is_found(exponent):
    (row,) = evaluate.growth(curve(exponent), x="n", resamples=50).iter_rows(named=True)
    assert row["exponent"] == pytest.approx(exponent, abs=1e-9)
    assert row["low"] - 1e-9 <= exponent <= row["high"] + 1e-9
    assert row["points"] == 3


def test_a_curve_that_cannot_be_fitted_is_refused():
    with pytest.raises(InvalidInputError, match="no two points on log axes"):
        evaluate.growth(curve(1).filter(pl.col("n") == 10), x="n")
    for bad in (0.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="no two points on log axes"):
            evaluate.growth(curve(1).with_columns(pl.lit(bad).alias("time_s")), x="n")


def test_medians_sum_the_steps_that_are_not_told_apart():
    (row,) = evaluate.medians(curve(1).filter(pl.col("n") == 10), ["n"]).iter_rows(named=True)
    assert row["time_s"] == pytest.approx(11.0)
    assert (row["low"], row["high"], row["repeats"]) == (10.5, 11.5, 3)


# The experiments


def test_index_encryption_takes_one_block_per_entry_and_handle():
    table = evaluate.index_encryption((4000,), (121,), providers=4, repeats=1)
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
    table = evaluate.user_query((1, 9, 30), (0.01,), repeats=1)
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
    table = evaluate.user_query((1, 4), (0.001, 0.1), repeats=2)
    ratios = evaluate.gain(table)
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
    table = evaluate.provider_query((0, 8, 20), repeats=1)
    for below, groups in ((0, 0), (8, 1), (20, 3)):
        for scheme, tokens in ((PER_PROVIDER, 1), ("MOPSE", 1), ("MOPSE+", 1 + groups)):
            assert first(table, below=below, scheme=scheme, step="ask")["signatures"] == 1
            assert first(table, below=below, scheme=scheme, step="search")["intervals"] == tokens
        own = first(table, below=below, scheme="MOPSE", step="search")["found"]
        assert own == first(table, below=below, scheme="Plain", step="search")["found"]
        everything = first(table, below=below, scheme="MOPSE+", step="search")["found"]
        assert (everything > own) == (below > 0)


def test_merging_compares_n_log_k_times():
    table = evaluate.merging((50_000,), (4, 16), repeats=1)
    for runs in (4, 16):
        merged = first(table, runs=runs, scheme="MOPSE", step="merge")["comparisons"]
        assert merged == pytest.approx(50_000 * (math.log2(runs) + 1), rel=0.15)
    assert set(table.filter(pl.col("scheme") == "numpy")["comparisons"]) == {0}
    assert first(table, runs=4, scheme="MOPSE", step="add")["comparisons"] < 2.3 * 50_000


def test_storage_measures_real_messages():
    table = evaluate.storage(10)
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
    assert evaluate.excess(np.array(counts), cell) == pytest.approx(np.mean(extra))


def test_wider_cells_find_too_many_and_never_too_few():
    table = evaluate.cell_width((1, 5), ("age",), queries=150)
    excess = table.with_columns((pl.col("found") - pl.col("matching")).alias("excess"))
    assert (excess["excess"] >= 0).all()
    assert set(excess.filter(pl.col("cell") == 1)["excess"]) == {0}
    wide = excess.filter(pl.col("cell") == 5)
    # The mean of 150 draws is within 4.5 standard errors, but for one seed in 10^5.
    error = wide["excess"].std() / math.sqrt(150)
    assert abs(wide["excess"].mean() - wide["expected_excess"][0]) < 4.5 * error


def test_removing_a_provider_reaches_as_far_as_its_keys():
    table = evaluate.authorization((20,), repeats=1)
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
    table = evaluate.large((20_000,), (1,), runs=4, queries=10, repeats=1)
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
    table = evaluate.peers((121,), **asked)
    crate = table.filter(pl.col("scheme") == "ope")
    assert crate["time_s"].to_list() == [0.002, 0.003], "the first repeat warms up"
    assert crate["ciphertext_bytes"].to_list() == [4, 4]
    assert evaluate.peers((121,), **asked).equals(table), "resuming adds nothing"
    schemes = {"OPSE", "CLWW", "Lewi-Wu, 8 bits", "pyope 0.2.2", "ope"}
    assert set(table["scheme"]) == schemes
    for command, message in (
        ("false", "failed"),
        ("no-such-command", "failed"),
        ("echo a", "other"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            evaluate.peers((121,), values=2, repeats=1, rust=command)


SMALL = {
    "index_encryption": [{"records": (3,)}, {"domains": (1,)}, {"providers": 0}],
    "user_query": [{"providers": (0,)}, {"providers": ()}, {"shares": (0.0,)}, {"shares": (2,)}],
    "provider_query": [{"below": (-1,)}],
    "merging": [{"runs": (1,)}, {"entries": (3,)}],
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


# The command


def test_the_command_writes_tables_and_figures_and_completes_them(tmp_path, capsys):
    arguments = [
        "evaluate",
        "--fast",
        "--out",
        str(tmp_path),
        "--only",
        "provider_query",
        "storage",
    ]
    main(arguments)
    names = ["machine.json", "provider_query", "storage"]
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [names[0]] + [f"{n}.{s}" for n in names[1:] for s in ("parquet", "png")]
    assert json.loads((tmp_path / "machine.json").read_text())["cores"] >= 1
    before = pl.read_parquet(tmp_path / "provider_query.parquet")
    main(arguments)
    assert pl.read_parquet(tmp_path / "provider_query.parquet").equals(before)
    assert "provider_query.png" in capsys.readouterr().out


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="no experiment 'nothing'"):
        evaluate.run(tmp_path / "never", only=["nothing"])
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("name", [n for n in evaluate.EXPERIMENTS if n != "peers"])
def test_every_experiment_draws_its_fast_run(name, tmp_path):
    path = evaluate.run(tmp_path, fast=True, only=[name])[name]
    assert path.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
