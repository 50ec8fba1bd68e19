"""Experiments over every engine: the same is found, nothing is left, no clock is judged."""

import sys

import polars as pl
import pytest
from stores.server import postgres

from mopse import evaluate
from mopse.errors import FileAccessError, InvalidInputError
from mopse.evaluate import performance

TIMES = ["time_s", "median_s", "p999_s", "worst_s", "repeat", "store", "comparisons", "intervals"]


@pytest.fixture(params=["DuckDB", "PostgreSQL"])
def place(request, tmp_path):
    """Return the name of an engine and a store of it, of which nothing may be left."""
    if request.param == "DuckDB":
        yield "DuckDB", tmp_path / "phr.duckdb"
        assert list(tmp_path.iterdir()) == []
    else:
        address = postgres().database()
        yield "PostgreSQL", address
        assert schemas(address) == 0


def schemas(address: str) -> int:
    """Return how many schemas of ours a database has."""
    import psycopg

    with psycopg.connect(address) as connection:
        sql = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'mopse%'"
        return connection.execute(sql).fetchall()[0][0]


CASES = {
    "user_query": {"providers": (1, 10), "shares": (0.01,), "repeats": 1},
    "provider_query": {"below": (0, 9), "repeats": 1},
    "cell_width": {"widths": (1, 5), "fields": ("age",), "queries": 10},
    "storage": {"providers": 10},
}


@pytest.mark.parametrize("name", CASES)
def test_an_experiment_finds_the_same_over_any_store(name, place):
    engine, store = place
    measure = evaluate.EXPERIMENTS[name].measure
    memory, other = measure(**CASES[name]), measure(store=store, **CASES[name])
    for table, where in ((memory, "memory"), (other, engine)):
        if "store" in table.columns:
            assert set(table["store"]) == {where}
    assert memory.drop(TIMES, strict=False).equals(other.drop(TIMES, strict=False))


def test_growing_counts_what_the_values_say_over_any_store(place):
    engine, store = place
    table = performance.growing(
        (800,), uploads=16, arriving=100, reads=10, repeats=2, store=store
    ).filter(pl.col("scheme") == "MOPSE")
    calls = {row["step"]: row["calls"] for row in table.iter_rows(named=True)}
    assert calls.pop("read meanwhile") >= 1
    assert calls.pop("read beside") >= 1
    assert calls == {"read": 10, "add": 16, "correct": 16}
    assert set(table["store"]) == {engine}


def test_growing_takes_the_engines_in_turns(place):
    engine, store = place
    sizes = {"uploads": 8, "arriving": 50, "reads": 5, "repeats": 1}
    engines = ("memory", engine)
    table = performance.growing_by_engine((800, 1600), engines=engines, store=store, **sizes)
    steps = table.group_by("scheme").agg(pl.col("step").n_unique()).sort("scheme")
    assert dict(steps.iter_rows()) == {"memory": 5, engine: 5, "merged anew": 2}
    assert set(table["engines"]) == {f"memory, {engine}"}


CONTROLS = {
    "memory": {"load": set(), "answer": set(), "add": set()},
    "DuckDB": {
        "load": {"INSERT"},
        "open": {"connection"},
        "answer": {"Arrow", "fetchall"},
        "add": {"INSERT"},
    },
    "PostgreSQL": {
        "load": {"COPY"},
        "open": {"connection"},
        "answer": {"fetchall"},
        "add": {"INSERT"},
    },
}


def test_each_engine_answers_as_memory_does_beside_its_own_control(place):
    engine, store = place
    engines = ("memory", engine)
    table = performance.stores(
        (800, 1600), (0.005, 0.1), engines=engines, uploads=8, asks=2, repeats=2, store=store
    )
    for name in engines:
        of_engine = table.filter(pl.col("scheme") == name)
        clients = {
            step: set(part["client"].drop_nulls()) for (step,), part in of_engine.group_by(["step"])
        }
        assert clients == CONTROLS[name]
    answers = table.filter(pl.col("step") == "answer")
    found = answers.group_by("records", "share").agg(pl.col("found").unique())
    assert found["found"].list.len().to_list() == [1] * 4, "of every engine and client"
    assert (answers["found"] > 0).all()
    assert set(table.filter(pl.col("step") == "add")["calls"]) == {8}
    assert (table["median_s"] > 0).all()


def test_the_overhead_is_that_over_memory_and_over_the_fastest_client(place):
    engine, store = place
    table = performance.stores(
        (800,), (0.1,), engines=("memory", engine), uploads=4, asks=2, repeats=3, store=store
    )
    by = ["scheme", "client"]
    answers = table.filter(pl.col("step") == "answer")
    times = {row[:2]: row[2] for row in evaluate.medians(answers, by, "median_s").iter_rows()}
    raw = min(time for (name, client), time in times.items() if client is not None)
    ratios = performance.overhead(table)
    row = ratios.row(by_predicate=pl.col("step").eq("answer") & pl.col("scheme").eq(engine))
    shown = dict(zip(ratios.columns, row, strict=True))
    assert shown["median_s"] == times[engine, None]
    assert shown["to_memory"] == pytest.approx(times[engine, None] / times["memory", None])
    assert shown["to_raw"] == pytest.approx(times[engine, None] / raw)
    assert times[engine, shown["client"]] == shown["raw_s"] == raw
    memory = ratios.filter(pl.col("scheme") == "memory")
    assert set(memory["to_memory"]) == {1.0}
    assert memory["to_raw"].null_count() == memory.height
    opened = ratios.filter(pl.col("step") == "open")
    assert opened["scheme"].to_list() == [engine], "nothing is opened in memory"
    assert opened["to_memory"].to_list() == [None]


SMALL = {"uploads": 2, "repeats": 1}


def test_an_engine_that_is_not_there_is_left_out_and_says_why():
    for table in (
        performance.stores((16,), (0.5,), asks=1, **SMALL),
        performance.growing_by_engine((16,), arriving=1, reads=1, **SMALL),
    ):
        left_out = table.filter(pl.col("step") == "left out")
        assert left_out["scheme"].to_list() == ["PostgreSQL"]
        assert "no database is named" in left_out["reason"].item()
        assert left_out["time_s"].to_list() == [None]
    with pytest.raises(InvalidInputError, match="PostgreSQL: no database"):
        performance.stores((16,), engines=("PostgreSQL",), asks=1, **SMALL)


@pytest.mark.parametrize("module", ["duckdb", "pyarrow"])
def test_without_its_library_an_engine_is_left_out_and_says_why(module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    table = performance.stores((16,), (0.5,), asks=1, **SMALL)
    reasons = dict(table.drop_nulls("reason").select("scheme", "reason").iter_rows())
    assert "mopse[duckdb]" in reasons["DuckDB"]
    performance.draw_stores(table).png()
    with pytest.raises(InvalidInputError, match=r"mopse\[duckdb\]"):
        performance.stores((16,), engines=("DuckDB",), asks=1, **SMALL)
    with pytest.raises(InvalidInputError, match=r"mopse\[duckdb\]"):
        performance.provider_query((0,), repeats=1, store=tmp_path / "phr.duckdb")


def test_a_table_of_other_engines_is_refused(tmp_path):
    path = tmp_path / "stores.parquet"
    sizes = {"asks": 1, "path": path, **SMALL}
    performance.stores((16,), (0.5,), engines=("memory",), **sizes)
    with pytest.raises(InvalidInputError, match="another run"):
        performance.stores((16,), (0.5,), engines=("memory", "DuckDB"), **sizes)


def test_a_store_that_is_there_is_not_touched(tmp_path):
    path = tmp_path / "phr.duckdb"
    path.write_bytes(b"somebody's")
    performance.provider_query((0,), repeats=1, store=path)
    assert path.read_bytes() == b"somebody's"
    assert [file.name for file in tmp_path.iterdir()] == ["phr.duckdb"]


def test_what_is_no_store_is_refused_before_anything_is_made(tmp_path):
    for store in ("phr.sqlite", "memory"):
        with pytest.raises(InvalidInputError, match=r"\.duckdb, or postgresql"):
            evaluate.run(tmp_path / "never", only=["provider_query"], store=store)
    assert not (tmp_path / "never").exists()
    with pytest.raises(FileAccessError, match=r"no such folder|No such file"):
        performance.provider_query((0,), repeats=1, store=tmp_path / "nowhere" / "phr.duckdb")


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path):
    pytest.importorskip("psycopg")
    address = f"postgresql://user:opensesame@/phr?host={tmp_path}"
    with pytest.raises(FileAccessError, match="cannot be reached") as caught:
        performance.provider_query((0,), repeats=1, store=address)
    assert "opensesame" not in str(caught.value)
    with pytest.raises(InvalidInputError, match="libpq"):
        performance.provider_query((0,), repeats=1, store="postgresql://user@/phr?nothing=1")


def test_a_run_says_where_clouds_keep_things(tmp_path):
    only, store = ["provider_query"], tmp_path / "phr.duckdb"
    path = evaluate.run(tmp_path / "out", only=only, fast=True, store=store)["provider_query"]
    assert set(pl.read_parquet(path)["store"]) == {"DuckDB"}
    with pytest.raises(InvalidInputError, match="another run"):
        evaluate.run(tmp_path / "out", only=only, fast=True)
