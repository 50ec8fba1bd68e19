"""Ctrl-C while a store in a file works is Ctrl-C, and no fault of the store."""

import os
import signal
import threading

import pytest

from mopse.stores import DuckDBStore

LONG = "SELECT sum(hash(a.range)) FROM range(10000000) a, range(300) b"


@pytest.mark.parametrize("way", ["run", "rows"])
def test_an_interrupt_within_duckdb_is_one(tmp_path, way):
    with DuckDBStore(tmp_path / "phr.duckdb") as store:
        timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt), store._engine.read() as session:
                getattr(session, way)(LONG)
        finally:
            timer.cancel()
        assert store.check() == []


@pytest.mark.parametrize("error", [RuntimeError("another"), RecursionError("Query interrupted?")])
def test_another_error_stays_what_it_is(tmp_path, error):
    with (
        DuckDBStore(tmp_path / "phr.duckdb") as store,
        pytest.raises(type(error), match=str(error).strip("?")),
        store._engine.read(),
    ):
        raise error
