"""Clouds of experiments, each over an empty store of its own that is removed afterwards."""

import itertools
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self

from mopse._files import as_folder, telling
from mopse.cloud import Cloud
from mopse.errors import FileAccessError, InvalidInputError
from mopse.evaluate._measure import Case, Watch
from mopse.evaluate._resume import PATH
from mopse.stores import DuckDBStore, MemoryStore, PostgresStore

__all__ = [
    "DUCKDB",
    "ENGINES",
    "LEFT_OUT",
    "MEMORY",
    "POSTGRES",
    "EmptyStores",
    "Kept",
    "engine_of",
    "left_out",
    "opened",
]

EngineName = Literal["memory", "DuckDB", "PostgreSQL"]
MEMORY: EngineName = "memory"
DUCKDB: EngineName = "DuckDB"
POSTGRES: EngineName = "PostgreSQL"
ENGINES: tuple[EngineName, ...] = (MEMORY, DUCKDB, POSTGRES)

_NEEDED: dict[EngineName, dict[str, str]] = {
    MEMORY: {},
    DUCKDB: {"duckdb": "duckdb", "pyarrow": "duckdb"},
    POSTGRES: {"psycopg": "postgres"},
}
"""Modules, and the extra that brings each."""

_BY_ITSELF = {DUCKDB: Path(tempfile.gettempdir()) / "mopse.duckdb"}
"""Where an engine keeps things if nothing is said; in memory what is not here."""

LEFT_OUT = "left out"
"""The step of an engine that is not there."""

Address = Path | str | None


class Kept:
    """A cloud over a store that was empty.

    Attributes
    ----------
    address : Path, str or None
        What opens the store again: a file, a connection string, and in memory nothing.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.store: Any = _store(address)
        self.cloud = Cloud(self.store)

    def settle(self) -> None:
        """Do what is otherwise done in the background: merge levels, or order records."""
        if isinstance(self.store, MemoryStore):
            self.store.settle()
        else:
            self.store.compact()

    def close(self) -> None:
        """Let go of the store, which lasts."""
        if self.address is not None:
            self.store.close()

    def open(self) -> Cloud:
        """Open the store again, and return its new cloud."""
        if self.address is not None:
            self.store = _store(self.address)
            self.cloud = Cloud(self.store)
        return self.cloud


class EmptyStores:
    """Empty stores of one kind: a context, which removes them all in the end.

    Parameters
    ----------
    store : path, optional
        As in `mopse.Cloud`: none for memory, the path of a DuckDB file, or the address of a
        database. Nothing that is there is touched: files are made in a folder of their own beside
        that path, and in a database each store has a schema of its own, ``mopse_`` and a number. A
        process that is killed leaves them.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it is the path of no store that is known, or its engine is not installed.
    """

    def __init__(self, store: PATH = None) -> None:
        self.engine = engine_of(store)
        reason = _missing(self.engine)
        if reason is not None:
            raise InvalidInputError(reason)
        self._store = store
        self._numbers = itertools.count()
        self._kept: list[Kept] = []
        self._drops: list[Callable[[], None]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self.engine == DUCKDB:
            path = Path(os.fspath(self._store or ""))
            folder = as_folder(path.parent)
            with telling(folder):
                made = tempfile.TemporaryDirectory(dir=folder, prefix=f"{path.stem}-")
            self._folder = Path(self._stack.enter_context(made))
        elif self.engine == POSTGRES:
            self._drop_schema(self._made_schema())  # so that a server that is not there is told now
        self._stack.callback(self.clear)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clear(self) -> None:
        """Remove all that was made."""
        while self._kept:
            self._kept.pop().close()
        while self._drops:
            self._drops.pop()()

    def cloud(self, public: bytes) -> Kept:
        """Return a cloud over an empty store, which serves an owner."""
        kept = Kept(self.place())
        self._kept.append(kept)
        kept.cloud.enroll(public)
        return kept

    def place(self) -> Address:
        """Return the address of what is empty, and is removed with all stores."""
        if self.engine == MEMORY:
            return None
        if self.engine == DUCKDB:
            path = self._folder / f"{next(self._numbers)}.duckdb"
            self._drops.append(partial(_unlink, path))
            return path
        name = self._made_schema()
        self._drops.append(partial(self._drop_schema, name))
        return self._address_of(name)

    def _address_of(self, schema: str) -> str:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        address = os.fspath(self._store or "")
        options = conninfo_to_dict(address).get("options") or ""
        return make_conninfo(address, options=f"{options} -c search_path={schema}".strip())

    def _made_schema(self) -> str:
        name = f"mopse_{uuid.uuid4().hex}"
        self._run(f"CREATE SCHEMA {name}")
        return name

    def _drop_schema(self, name: str) -> None:
        """Remove a schema with all that is in it."""
        self._run(f"DROP SCHEMA {name} CASCADE")

    def _run(self, sql: str) -> None:
        import psycopg

        try:
            with psycopg.connect(os.fspath(self._store or ""), autocommit=True) as connection:
                connection.execute(sql)
        except psycopg.ProgrammingError as error:
            if error.diag.message_primary is None:
                raise InvalidInputError("the address is none that libpq takes") from None
            raise FileAccessError(f"the database: {error.diag.message_primary}") from None
        except psycopg.Error:  # whose text may repeat the address
            raise FileAccessError("the database cannot be reached") from None


def _store(address: Address) -> Any:
    if isinstance(address, Path):
        return DuckDBStore(address)
    return MemoryStore() if address is None else PostgresStore(address)


def engine_of(store: PATH) -> EngineName:
    """Return the engine that a path or an address names.

    Raises
    ------
    mopse.errors.InvalidInputError
        If it is that of no store that is known.
    """
    if store is None:
        return MEMORY
    if isinstance(store, str) and store.startswith(("postgresql://", "postgres://")):
        return POSTGRES
    if as_folder(store).suffix != ".duckdb":
        raise InvalidInputError(
            "a store is the path of a DuckDB file that ends with .duckdb, or postgresql://..."
        )
    return DUCKDB


@contextmanager
def opened(
    engines: Sequence[EngineName] | None, store: PATH
) -> Iterator[tuple[dict[EngineName, EmptyStores], dict[EngineName, str]]]:
    """Yield empty stores of engines, and why others are left out.

    Parameters
    ----------
    engines : sequence of str or None
        Which; all if that is not said, and only then one may be left out.
    store : path or None
        A DuckDB file's path or a database's address, beside memory and a temporary folder.

    Raises
    ------
    mopse.errors.InvalidInputError
        If one that was asked for is not there, or they are not named once each.
    """
    of_store = engine_of(store)
    if engines is not None and (not engines or len({*engines}) < len(engines)):
        raise InvalidInputError("engines must be named once each, and one at least")
    missing: dict[EngineName, str] = {}
    with ExitStack() as stack:
        stores = {}
        for engine in ENGINES if engines is None else engines:
            reason = _missing(engine)
            if reason is None and engine == POSTGRES != of_store:
                reason = "no database is named, as in store='postgresql://user@host/database'"
            if reason is None:
                empty = EmptyStores(store if engine == of_store else _BY_ITSELF.get(engine))
                stores[engine] = stack.enter_context(empty)
            elif engines is None:
                missing[engine] = reason
            else:
                raise InvalidInputError(f"{engine}: {reason}")
        yield stores, missing


def left_out(missing: Mapping[EngineName, str]) -> dict[str, Case]:
    """Return what says in a table why an engine is not there."""

    def case(watch: Watch, reason: str) -> None:
        watch.rows.append({"step": LEFT_OUT, "party": "cloud", "time_s": None, "reason": reason})

    return {engine: partial(case, reason=reason) for engine, reason in missing.items()}


def _missing(engine: EngineName) -> str | None:
    """Return what has to be installed for an engine; None if nothing has."""
    for module, extra in _NEEDED[engine].items():
        if find_spec(module) is None:
            return f"a store in {engine} needs the extra: pip install 'mopse[{extra}]'"
    return None


def _unlink(path: Path) -> None:
    """Remove a file of DuckDB, and its log."""
    for one in (path, path.with_name(f"{path.name}.wal")):
        one.unlink(missing_ok=True)
