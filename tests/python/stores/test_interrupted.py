"""Ctrl-C while a store in a file works is Ctrl-C, and no fault of the store."""

import duckdb
import pytest

from mopse.stores import DuckDBStore


class Interrupted:
    """A cursor whose query is interrupted, as DuckDB says it."""

    def __init__(self, error) -> None:
        self._error = error

    def execute(self, *_):
        """See duckdb's own."""
        raise self._error


# What DuckDB 2.0 raises in place of KeyboardInterrupt, and what it has a class for.
SAID = [RuntimeError("Query interrupted"), duckdb.InterruptException("INTERRUPT Error: x")]


@pytest.mark.parametrize("said", SAID, ids=["by words", "by class"])
@pytest.mark.parametrize("way", ["run", "rows"])
def test_an_interrupt_within_duckdb_is_one(tmp_path, way, said):
    def ask(store):
        with store._engine.read() as session:
            session._cursor = Interrupted(said)
            getattr(session, way)("SELECT 1")

    with DuckDBStore(tmp_path / "phr.duckdb") as store:
        with pytest.raises(KeyboardInterrupt):
            ask(store)
        assert store.check() == []


@pytest.mark.parametrize("error", [RuntimeError("another"), RecursionError("too deep")])
def test_another_error_stays_what_it_is(tmp_path, error):
    with (
        DuckDBStore(tmp_path / "phr.duckdb") as store,
        pytest.raises(type(error), match=str(error)),
        store._engine.read(),
    ):
        raise error
