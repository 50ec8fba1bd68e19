"""A store in a database of PostgreSQL."""

import contextlib
import itertools
import os
import re
import secrets
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from mopse._checked import checked
from mopse.errors import DamagedFileError, FileAccessError, InvalidInputError, MopseError
from mopse.stores._sql import SqlStore
from mopse.stores._tables import (
    Body,
    Columns,
    Session,
    Spool,
    as_rows,
    check_process,
    digest_of,
)

__all__ = ["PostgresStore"]

_WANTED = "a store in PostgreSQL needs the extra: pip install 'mopse[postgres]'"

_LOCK = 0x6D6F707365
"""The advisory lock of whoever writes; the letters of mopse."""

_SPOOLS = _LOCK + 1
"""The advisory lock that whoever writes a large body shares, and takes before the other."""

_SLICE = 1 << 20
"""Bytes of a row of a large body."""

_IDLE = 8
"""Connections that are kept for whoever comes next."""


class PostgresStore(SqlStore):
    """A store in a database of PostgreSQL, for many processes on many machines.

    Parameters
    ----------
    address : str
        Where it is, as in ``postgresql://user@host/database``, or what libpq takes otherwise. The
        database is there already, and empty, or holds a store.
    must_exist : bool
        Whether it is an error if it is empty.

    Raises
    ------
    mopse.errors.FileAccessError
        If it cannot be reached.
    mopse.errors.InvalidInputError
        If it is of a later version, or psycopg is not installed.

    Notes
    -----
    Every change is committed when `mopse.Cloud.receive` returns, whole or not at all; whoever
    writes holds a lock, so that changes come one after the other. Searches go on beside them, each
    on one state. Every field has a B-tree. What a server keeps beside the tables, logs and copies,
    is its operator's; of what was removed, also after `purge`. A large attachment comes in a
    transaction of its own, with a connection that it holds meanwhile; `purge` waits for those. A
    record with more than some 900 fields does not fit a page of PostgreSQL.

    **Leakage.** The database is what the cloud has: who copies it is the *snapshot* adversary of
    `mopse.attacks`; who watches the server sees searches too. Messages and errors name no password.
    """

    @checked()
    def __init__(self, address: str, *, must_exist: bool = False) -> None:
        engine = _Engine(address)
        weakref.finalize(self, engine.close)
        super().__init__(engine, must_exist=must_exist)

    def __repr__(self) -> str:
        return "PostgresStore()"


class _Engine:
    """A database of PostgreSQL."""

    is_exclusive = False
    absent: Collection[str] = ()

    def __init__(self, address: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise InvalidInputError(_WANTED) from None
        self._psycopg = psycopg
        self._address, self._process = address, os.getpid()
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._is_closed = False

    @contextlib.contextmanager
    def _connected(self, spool: "_Slices | None" = None) -> Iterator[Any]:
        """Return a connection that nobody else has; one that fails is given up.

        With a spool it is that one's, which holds on to it.
        """
        check_process(self._process)
        psycopg = self._psycopg
        connection = None if spool is None else spool.connection
        try:
            if connection is None:
                with self._lock:
                    if self._is_closed:
                        raise FileAccessError("the store is closed")
                    connection = self._idle.pop() if self._idle else None
                if connection is not None and not self._answers(connection):
                    connection.close()
                    connection = None
            if connection is None:
                connection = psycopg.connect(self._address)
            if spool is not None:
                spool.connection = connection
            yield connection
        except MopseError:
            raise
        except psycopg.errors.InsufficientPrivilege as error:
            raise FileAccessError(f"the database: {_said(error)}") from None
        except psycopg.ProgrammingError as error:
            if connection is None:
                raise InvalidInputError("the address is none that libpq takes") from None
            raise DamagedFileError(f"the database failed: {_said(error)}") from None
        except psycopg.errors.ProgramLimitExceeded as error:
            raise InvalidInputError(f"PostgreSQL takes no row this wide: {_said(error)}") from None
        except psycopg.OperationalError as error:
            raise FileAccessError(f"the database: {_said(error)}") from None
        except psycopg.Error as error:
            raise DamagedFileError(f"the database failed: {_said(error)}") from None
        except (LookupError, ValueError) as error:
            raise DamagedFileError("the store is damaged: check it") from error
        finally:
            if connection is not None and spool is None:
                self._give_back(connection)

    def _answers(self, connection: Any) -> bool:
        """Whether a connection that was idle is still there: a server may have been restarted."""
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except self._psycopg.OperationalError:
            return False
        return True

    def _give_back(self, connection: Any) -> None:
        """Keep a connection for whoever comes next, if it is good and they are not many."""
        with contextlib.suppress(self._psycopg.Error):
            connection.rollback()
        idle = self._psycopg.pq.TransactionStatus.IDLE
        is_good = not connection.broken and connection.info.transaction_status == idle
        with self._lock:
            if is_good and not self._is_closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        with contextlib.suppress(self._psycopg.Error):
            connection.close()

    @contextlib.contextmanager
    def read(self) -> Iterator["_Session"]:
        """See `Engine.read`."""
        with self._connected() as connection:
            connection.isolation_level = self._psycopg.IsolationLevel.REPEATABLE_READ
            with connection.cursor(binary=True) as cursor:
                yield _Session(cursor)

    @contextlib.contextmanager
    def write(self, spool: "_Slices | None" = None) -> Iterator["_Session"]:
        """See `Engine.write`: one at a time, so that each sees all that was committed."""
        with self._connected(spool) as connection:
            if spool is None:
                connection.isolation_level = self._psycopg.IsolationLevel.READ_COMMITTED
            with connection.cursor(binary=True) as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                yield _Session(cursor)
            connection.commit()

    def spool(self) -> Spool:
        """See `Engine.spool`: a transaction of its own, which goes on to what names the body."""
        return _Slices(self)

    def body(self, name: str, size: int) -> Body:
        """See `Engine.body`."""
        return _SlicedBody(self, name, size)

    def doubt(self, session: Session, names: Sequence[str]) -> None:
        """See `Engine.doubt`."""
        for name in names:
            session.run("DELETE FROM slices WHERE name = ?", name)

    def drop(self, names: Sequence[str]) -> None:
        """See `Engine.drop`: its rows are gone."""

    def settle(self, session: Session) -> None:
        """See `Engine.settle`: what was not committed is not there."""

    def strangers(self, session: Session) -> tuple[str, ...]:
        """See `Engine.strangers`: tables are held against each other."""
        return ()

    def index(self, session: Session, table: str, columns: str) -> None:
        """See `Engine.index`."""
        name = re.sub(r"\W+", "_", f"{table}_{columns}")
        session.run(f"CREATE INDEX {name} ON {table} ({columns})")

    def reorder(self, session: Session, table: str, by: str | None) -> None:
        """See `Engine.reorder`: its indexes do not profit from an order of the rows."""

    def purge(self, alone: contextlib.AbstractContextManager[Any]) -> None:
        """See `Engine.purge`; whoever writes waits, as for another who does."""
        with self._connected() as connection:
            connection.autocommit = True
            try:
                # Large bodies that are on their way end first, and each of them takes both others.
                connection.execute("SELECT pg_advisory_lock(%s)", [_SPOOLS])
                with alone:
                    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
                    before = self._tables(connection)
                    for name in before:
                        connection.execute(f"VACUUM (FULL, ANALYZE) {name}")
                    after = self._tables(connection)
            finally:
                # Which gives the locks back too.
                connection.close()
        if kept := [name for name, file in before.items() if after.get(name) == file]:
            raise FileAccessError(
                f"the database: only the owner of the tables can purge {', '.join(kept)}"
            )

    @staticmethod
    def _tables(connection: Any) -> dict[str, int]:
        """Return the tables of the store, and the file of each."""
        sql = "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = "
        sql += "current_schema()::regnamespace ORDER BY relname"
        return dict(connection.execute(sql).fetchall())

    def close(self) -> None:
        """See `Engine.close`; the connections of a process that was forked are its parent's."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _said(error: Exception) -> str:
    """Return the first line of an error, without an address that may hold a password."""
    lines = str(error).strip().splitlines() or ["it failed"]
    return re.sub(r"://[^@\s]*@", "://", lines[0])


def _spelt(sql: str) -> str:
    """Return a statement as PostgreSQL has it."""
    return re.sub(r"\bBLOB\b", "BYTEA", sql).replace("?", "%s")


class _Slices:
    """A large body that is written to rows, in a transaction that is still open."""

    def __init__(self, engine: _Engine) -> None:
        self.name, self.size = secrets.token_hex(16), 0
        self.connection: Any = None
        self._engine = engine
        self._position = 0
        self._left = bytearray()
        with engine._connected(self) as connection:
            try:
                connection.isolation_level = engine._psycopg.IsolationLevel.READ_COMMITTED
                connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_SPOOLS])
            except BaseException:
                self._give_back()
                raise

    def write(self, piece: bytes) -> None:
        """See `Spool.write`."""
        self._left += piece
        self.size += len(piece)
        while len(self._left) >= _SLICE:
            self._insert(bytes(self._left[:_SLICE]))
            del self._left[:_SLICE]

    def settle(self) -> None:
        """See `Spool.settle`."""
        if self._left:
            self._insert(bytes(self._left))
            self._left.clear()

    def _insert(self, slice_: bytes) -> None:
        row = self.name, self._position, slice_
        with self._engine._connected(self) as connection, connection.cursor(binary=True) as cursor:
            sql = "INSERT INTO slices VALUES (?, ?, ?, ?)"
            _Session(cursor).run(sql, *row, digest_of(row))
        self._position += 1

    def keep(self) -> None:
        """See `Spool.keep`."""

    def leave(self) -> None:
        """See `Spool.leave`: it goes with its transaction."""

    def _give_back(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self._engine._give_back(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def __del__(self) -> None:
        self._give_back()


class _SlicedBody:
    """A large body that is read from rows, which nobody changes."""

    def __init__(self, engine: _Engine, name: str, size: int) -> None:
        self._engine, self._name, self._left = engine, name, size
        self._position = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        sql = "SELECT slice FROM slices WHERE name = ? AND position = ?"
        with self._engine.read() as session:
            rows = session.rows(sql, self._name, self._position)
        if len(rows) != 1 or not 0 < len(rows[0][0]) <= self._left:
            where = f"slice {self._position} of the body {self._name}"
            raise DamagedFileError(f"the store is damaged: {where} is not there")
        piece = bytes(rows[0][0])
        self._left -= len(piece)
        self._position += 1
        return piece

    def close(self) -> None:
        """See `Body.close`."""


class _Session:
    """A transaction of PostgreSQL."""

    _numbers = itertools.count()

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def run(self, sql: str, *values: Any) -> None:
        """See `Session.run`."""
        self._cursor.execute(_spelt(sql), values or None)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `Session.rows`."""
        self._cursor.execute(_spelt(sql), values or None)
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def fetch(self, sql: str, values: Sequence[Any], kinds: Mapping[str, type]) -> dict[str, Any]:
        """See `Session.fetch`."""
        rows = self.rows(sql, *values)
        listed = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
        found: dict[str, Any] = {}
        for (name, kind), column in zip(kinds.items(), listed, strict=True):
            if kind is int:
                found[name] = np.array(column, np.int64)
            else:
                blobs = [blob or b"" for blob in column]
                ends = np.cumsum([len(blob) for blob in blobs], dtype=np.uint64)
                found[name] = ends, np.frombuffer(b"".join(blobs), np.uint8)
        return found

    def load(self, table: str, columns: Columns) -> None:
        """See `Session.load`."""
        self._copy(table, columns)

    def stage(self, columns: Columns) -> str:
        """See `Session.stage`."""
        name = f"staged_{next(self._numbers)}"
        typed = ", ".join(f"{column} BIGINT" for column in columns)
        self._cursor.execute(f"CREATE TEMP TABLE {name} ({typed}) ON COMMIT DROP")
        self._copy(name, columns)
        self._cursor.execute(f"ANALYZE {name}")
        return name

    def _copy(self, table: str, columns: Columns) -> None:
        rows = as_rows(columns)
        kinds = [_kind(column) for column in columns.values()]
        names = ", ".join(columns)
        with self._cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(kinds)
            for row in rows:
                copy.write_row(row)


def _kind(column: Any) -> str:
    """Return the type of a column of PostgreSQL."""
    if isinstance(column, tuple):
        return "bytea" if column[1].dtype == np.uint8 else "int8"
    if isinstance(column, list):
        first = next((value for value in column if value is not None), 0)
        return "bytea" if isinstance(first, bytes) else "text" if isinstance(first, str) else "int8"
    return "int8"
