"""A store in one file of DuckDB."""

import contextlib
import errno
import itertools
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mopse._checks import truth
from mopse._files import as_file, finished, removed, swapped, telling
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    MopseError,
)
from mopse.stores._sql import SqlStore
from mopse.stores._tables import Columns, Session, as_rows, check_process

__all__ = ["DuckDBStore"]

_WANTED = "a store in a DuckDB file needs the extra: pip install 'mopse[duckdb]'"

_DAMAGED = "not a valid duckdb", "checksum", "corrupt", "could not read enough bytes"
_IN_USE = "could not set lock", "used by another process"
_FAILED = "could not write", "no space", "file too large", "has been invalidated"

_OPENING = threading.RLock()
_STORES: weakref.WeakValueDictionary[Any, "DuckDBStore"] = weakref.WeakValueDictionary()
"""The stores that this process has open, by file."""

_INTERRUPTED = "Query interrupted"
"""What DuckDB says of Ctrl-C while it works, in place of the interrupt itself."""

_PATIENCE = 60.0
"""Seconds that a file which was written anew waits for searches to end before it is given up."""

_FEW = 4
"""Rows that are inserted one by one: fewer calls than as a table of Arrow."""


class DuckDBStore(SqlStore):
    """A store in one file, which DuckDB holds: for one process at a time, on one machine.

    Parameters
    ----------
    path : path
        The file. It is made if it is not there; beside it, while it is open, lies its log.
    must_exist : bool
        Whether it is an error instead if it is not there.

    Raises
    ------
    mopse.errors.FileAccessError
        If it cannot be opened, or, with the number ``errno.EBUSY``, another process has it open.
    mopse.errors.DamagedFileError
        If it is no store, or damaged; it is not changed then.
    mopse.errors.InvalidInputError
        If it is of a later version, or DuckDB is not installed.

    Notes
    -----
    Every change is on the disk when `mopse.Cloud.receive` returns, whole or not at all, also after
    the process was killed. Searches go on beside changes, each on one state. Records are kept in
    the order of the first field of their table, which `compact` restores; it is called by itself
    where many are out of it. Who opens in one process a file that is open there shares the store,
    and closes it for all. Of each provider that sends, eight bytes a record are kept in memory, by
    which new records are told from known ones.

    **Leakage.** The file is what the cloud has: who copies it is the *snapshot* adversary of
    `mopse.attacks`. What was removed stays in freed blocks of the file until they are used again,
    or `purge` writes it anew.

    Examples
    --------
    >>> import mopse
    >>> path = getfixture("tmp_path") / "phr.duckdb"
    >>> with mopse.stores.DuckDBStore(path) as store:
    ...     cloud = mopse.Cloud(store)
    """

    __slots__ = ("_first",)

    _first: "DuckDBStore | None"

    def __init__(self, path: str | os.PathLike[str], *, must_exist: bool = False) -> None:
        where, must_exist = as_file(path), truth(must_exist, "must_exist")
        with _OPENING, telling(where):
            known = _STORES.get(_key(where))
            if known is not None and not known._is_closed:
                # DuckDB would open it twice, and neither would see what the other learns.
                self._first, self.__dict__ = known, known.__dict__
                return
            if must_exist and not where.exists():
                raise MissingFileError(f"there is no store {os.fspath(path)!r}")
            self._first, self._path = None, where
            super().__init__(_Engine(where), must_exist=must_exist)
            _STORES[_key(where)] = self

    def __repr__(self) -> str:
        return f"DuckDBStore({str(self._path)!r})"


def _key(path: Path) -> Any:
    """Return what a file is known by, however its path is spelt."""
    if not path.exists():
        return None  # nobody has it open, and it is made
    status = path.stat()
    return status.st_dev, status.st_ino


def _libraries() -> tuple[Any, Any]:
    try:
        import duckdb
        import pyarrow
    except ImportError:
        raise InvalidInputError(_WANTED) from None
    # Arrow loads it at its first array, and takes Ctrl-C meanwhile for a sign that it is not there.
    with contextlib.suppress(ImportError):
        import pandas  # noqa: F401
    return duckdb, pyarrow


class _Engine:
    """A file of DuckDB."""

    is_exclusive = True

    def __init__(self, path: Path) -> None:
        self._duckdb, self._arrow = _libraries()
        self._path, self._process = path, os.getpid()
        self._sessions = 0
        self._is_closed = False
        self._condition = threading.Condition()
        if not path.parent.is_dir():
            raise MissingFileError(f"there is no folder {str(path.parent)!r}")
        self._connection = self._connected(path)

    def _connected(self, path: Path) -> Any:
        with self._told():
            connection = self._duckdb.connect(str(path))
            connection.execute("SET preserve_insertion_order = false")
        return connection

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what the engine raises as an error of ours."""
        duckdb, name = self._duckdb, str(self._path)
        try:
            yield
        except MopseError:
            raise
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            said = str(error).splitlines()[0]
            if any(word in said.lower() for word in _DAMAGED):
                raise DamagedFileError(f"{name!r} is no store, or damaged: {said}") from None
            if any(word in said.lower() for word in _IN_USE):
                why = "it is open in another process"
                raise FileAccessError(errno.EBUSY, why, name) from None
            raise FileAccessError(f"{name!r}: {said}") from None
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            if any(word in said.lower() for word in _FAILED):
                raise FileAccessError(f"{name!r}: {said}") from None
            raise DamagedFileError(f"the store {name!r} failed: {said}") from None
        except (LookupError, ValueError) as error:
            raise DamagedFileError(f"the store {name!r} is damaged: check it") from error
        except RuntimeError as error:
            if str(error) == _INTERRUPTED:
                raise KeyboardInterrupt from None
            raise

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        """Have whoever closes the file wait until this is done."""
        check_process(self._process)
        with self._condition:
            if self._is_closed:
                raise FileAccessError(f"the store {str(self._path)!r} is closed")
            self._sessions += 1
        try:
            with self._told():
                yield
        finally:
            with self._condition:
                self._sessions -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def read(self) -> Iterator["_Session"]:
        """See `Engine.read`."""
        with self._used():
            cursor = self._connection.cursor()
            cursor.begin()
            try:
                yield _Session(cursor, self._arrow)
            finally:
                with contextlib.suppress(self._duckdb.Error):
                    cursor.rollback()
                cursor.close()

    @contextlib.contextmanager
    def write(self) -> Iterator["_Session"]:
        """See `Engine.write`."""
        with self._used():
            cursor = self._connection.cursor()
            cursor.begin()
            try:
                yield _Session(cursor, self._arrow)
                cursor.commit()
            except BaseException:
                with contextlib.suppress(self._duckdb.Error):
                    cursor.rollback()
                raise
            finally:
                cursor.close()

    def index(self, session: Session, table: str, columns: str) -> None:
        """See `Engine.index`: its indexes serve no range, and few rows are found by a scan."""

    def reorder(self, session: Session, table: str, by: str | None) -> None:
        """See `Engine.reorder`."""
        order = "seq, row_no" if by is None else f"{by}, seq, row_no"
        session.run(f"CREATE TABLE {table}_ordered AS SELECT * FROM {table} ORDER BY {order}")
        session.run(f"DROP TABLE {table}")
        session.run(f"ALTER TABLE {table}_ordered RENAME TO {table}")

    def purge(self) -> None:
        """See `Engine.purge`: into a file beside it, which takes its place in one step.

        Until then the file is as it was, from then on whole without what was removed.
        """
        place = Path(os.path.realpath(self._path))  # where links lead: they stay
        beside = place.with_name(f".{place.name}.purged")
        try:
            with self._used():
                _clear(beside)  # what a purge left that was killed
                self._copy(beside)
                finished(beside, place)
            self._await_swap(beside, place)
        finally:
            _clear(beside)

    def _copy(self, beside: Path) -> None:
        """Write what is there to another file."""
        cursor = self._connection.cursor()
        try:
            [(name,)] = cursor.execute("SELECT current_database()").fetchall()
            # Records lie in the order of their first field, and are to lie in it.
            cursor.execute("SET preserve_insertion_order = true")
            path = str(beside).replace("'", "''")
            cursor.execute(f"ATTACH '{path}' AS purged")
            try:
                quoted = name.replace('"', '""')
                cursor.execute(f'COPY FROM DATABASE "{quoted}" TO purged')
                cursor.execute("CHECKPOINT purged")
            finally:
                cursor.execute("DETACH purged")
        finally:
            with contextlib.suppress(self._duckdb.Error):
                cursor.execute("SET preserve_insertion_order = false")
            cursor.close()

    def _await_swap(self, beside: Path, place: Path) -> None:
        """Put a file in place of the other once nobody reads that; who comes waits."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            with _OPENING, self._condition:
                if self._is_closed:
                    raise FileAccessError(f"the store {str(self._path)!r} is closed")
                if not self._sessions:
                    with self._told():
                        self._swap(beside, place)
                    return
            if time.monotonic() > deadline:
                raise FileAccessError(
                    f"{str(self._path)!r} is searched all the time: purge it when it is not"
                )
            time.sleep(0.01)

    def _swap(self, beside: Path, place: Path) -> None:
        self._connection.execute("FORCE CHECKPOINT")
        for log in {_log(self._path), _log(place)}:
            if log.exists():  # which would be taken for that of the new file
                raise FileAccessError(
                    f"{str(self._path)!r} has a log that does not go: {str(log)!r}"
                )
        # Its lock keeps others away until the old one is closed, which removes a log by its name.
        held = self._connected(beside)
        try:
            if _content(held) != _content(self._connection):
                raise DamagedFileError(f"{str(self._path)!r} was not copied as it is: check it")
            known = _STORES.pop(_key(self._path), None)
            swapped(beside, place)
            self._connection.close()
        finally:
            held.close()
        try:
            self._connection = self._connected(self._path)
        except BaseException:
            self._is_closed = True
            raise
        if known is not None:
            _STORES[_key(self._path)] = known

    def close(self) -> None:
        """See `Engine.close`: what goes on comes to its end first."""
        with self._condition:
            if self._is_closed:
                return
            self._is_closed = True
            self._condition.wait_for(lambda: not self._sessions)
        with self._told():
            self._connection.close()


def _log(path: Path) -> Path:
    """Return the log of what is not in a file yet."""
    return path.with_name(f"{path.name}.wal")


def _clear(path: Path) -> None:
    """Remove a file of DuckDB."""
    for each in (_log(path), path):
        removed(each)


def _content(connection: Any) -> list[Any]:
    """Return what stands for all that is in a file."""
    sql = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY table_name"
    names = [name for (name,) in connection.execute(sql).fetchall()]
    found: list[Any] = [names]
    for name in names:
        sql = f"SELECT count(*), bit_xor(hash(t)) FROM {name} t"
        found.append(connection.execute(sql).fetchall())
    sql = "SELECT index_name, sql FROM duckdb_indexes() ORDER BY index_name"
    return [*found, connection.execute(sql).fetchall()]


class _Session:
    """A transaction of DuckDB."""

    _numbers = itertools.count()

    def __init__(self, cursor: Any, arrow: Any) -> None:
        self._cursor, self._arrow = cursor, arrow

    def run(self, sql: str, *values: Any) -> None:
        """See `Session.run`."""
        self._cursor.execute(sql, values)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `Session.rows`."""
        found: list[tuple[Any, ...]] = self._cursor.execute(sql, values).fetchall()
        return found

    def fetch(self, sql: str, values: Sequence[Any], kinds: Mapping[str, type]) -> dict[str, Any]:
        """See `Session.fetch`."""
        table = self._cursor.sql(sql, params=list(values)).to_arrow_table()
        columns = {}
        for name, kind in kinds.items():
            column = table[name]
            if kind is int:
                columns[name] = column.to_numpy()
            else:
                columns[name] = self._packed(column)
        return columns

    def _packed(self, column: Any) -> Any:
        whole = column.cast(self._arrow.large_binary()).combine_chunks()
        if isinstance(whole, self._arrow.ChunkedArray):
            chunks = whole.chunks or [self._arrow.array([], self._arrow.large_binary())]
            whole = self._arrow.concat_arrays(chunks)
        _, offsets, data = whole.buffers()
        if not len(whole):
            return np.empty(0, np.uint64), np.empty(0, np.uint8)
        bounds = np.frombuffer(offsets, np.int64, len(whole) + 1, 8 * whole.offset)
        ends = (bounds[1:] - bounds[0]).astype(np.uint64)
        first, last = int(bounds[0]), int(bounds[-1])
        if data is None:
            return ends, np.empty(0, np.uint8)
        return ends, np.frombuffer(data, np.uint8)[first:last]

    def _as_arrow(self, columns: Columns) -> Any:
        arrow = self._arrow
        made = {}
        for name, column in columns.items():
            if isinstance(column, tuple) and column[1].dtype == np.uint8:
                ends, blob = column
                offsets = np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)])
                buffers = [None, arrow.py_buffer(offsets), arrow.py_buffer(blob)]
                made[name] = arrow.LargeBinaryArray.from_buffers(
                    arrow.large_binary(), len(ends), buffers
                )
            elif isinstance(column, tuple):
                made[name] = arrow.array(column[0], mask=~column[1])
            elif isinstance(column, list) and any(isinstance(value, bytes) for value in column):
                made[name] = arrow.array(column, arrow.binary())
            else:
                made[name] = arrow.array(column)
        return arrow.table(made)

    def load(self, table: str, columns: Columns) -> None:
        """See `Session.load`."""
        first = next(iter(columns.values()))
        if len(first[0] if isinstance(first, tuple) else first) <= _FEW:
            marks = ", ".join("?" * len(columns))
            for row in as_rows(columns):
                self.run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", *row)
            return
        staged = self.stage(columns)
        self._cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {staged}")
        self._cursor.unregister(staged)

    def stage(self, columns: Columns) -> str:
        """See `Session.stage`."""
        name = f"staged_{next(self._numbers)}"
        self._cursor.register(name, self._as_arrow(columns))
        return name
