"""The harness: clocks, counters, turns, tables that resume, and what is made of them."""

import itertools
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mopse
from mopse import evaluate
from mopse.errors import DamagedFileError, InvalidInputError, MissingFileError
from mopse.evaluate import Block, Watch


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
    with pytest.raises(InvalidInputError, match="repeats is 0, expected 1 to"):
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
