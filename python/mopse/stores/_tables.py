"""The tables of a store, what an engine must do with them, and how values stand in them."""

import hashlib
import itertools
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mopse.errors import DamagedFileError, ForkedError, InvalidInputError, MissingFileError

__all__ = [
    "FEW",
    "FURTHER",
    "INDEXES",
    "NUMBERS",
    "TABLES",
    "VERSION",
    "Body",
    "Columns",
    "Engine",
    "Epochs",
    "Packed",
    "Session",
    "Spool",
    "among",
    "as_array",
    "as_handles",
    "as_rows",
    "by_names",
    "by_provider",
    "by_upload",
    "check_process",
    "digest_of",
    "epochs_of",
    "halves",
    "joined",
    "names_of",
    "number_of",
    "numbers_of",
    "packed_epochs",
    "pair",
    "prepare",
    "u128",
    "upload_of",
]

VERSION = 3
"""Of the tables. A store of a later one is refused; one of an earlier gets what it lacks."""

NUMBERS = 0, 2**128 - 1
"""What numbers of messages, labels and handles are between."""

FEW = 256
"""Rows that are looked up by parameters; more are staged in a table of their own."""

Packed = tuple[NDArray[np.uint64], NDArray[np.uint8]]
"""Where each of some byte strings ends, and all their bytes."""

Columns = Mapping[str, Any]
"""Columns by name: int64 arrays, pairs of those and of what is valid, or `Packed`."""

Epochs = Sequence[tuple[int, bytes]]

TABLES = {
    "announcements": "owner BLOB, path TEXT, epochs BLOB, message BLOB",
    "record_groups": "id BIGINT, owner BLOB, authority TEXT, epochs BLOB, label TEXT, "
    "ordered BIGINT",
    "places": "id BIGINT, of_group BIGINT, owner BLOB, provider TEXT, epochs BLOB",
    "group_columns": "of_group BIGINT, kind TEXT, position BIGINT, name TEXT",
    "uploads": "seq BIGINT, place BIGINT, number BLOB, readers BLOB, layouts BLOB, live BIGINT",
    "taken": "owner BLOB, number BLOB, hash BLOB, provider TEXT, added BIGINT, replaced BIGINT, "
    "removed BIGINT, gone BIGINT, change BIGINT",
    "tombstones": "place BIGINT, high BIGINT, low BIGINT, number BLOB",
    "files": "owner BLOB, number BLOB, place BIGINT, readers BLOB, high BIGINT, low BIGINT, "
    "arrival BIGINT, description BLOB",
    "bodies": "owner BLOB, number BLOB, body BLOB, deed BLOB",
    "large": "owner BLOB, number BLOB, name TEXT, size BIGINT",
    "slices": "name TEXT, position BIGINT, slice BLOB",
    "labels": "place BIGINT, label BLOB, masked BLOB",
    "arrived": "place BIGINT, number BLOB, missing BLOB",
    "notes": "place BIGINT, arrival BIGINT, number BLOB, note BLOB, entries BIGINT",
    "seals": "place BIGINT, mark BLOB, message BLOB, until BIGINT, files BIGINT, change BIGINT, "
    "is_removed BIGINT",
    "gone": "place BIGINT, upload BLOB, high BIGINT, low BIGINT, content BLOB, entries BLOB, "
    "evidence BIGINT, position BIGINT",
    "evidence": "number BIGINT, shown BLOB",
    "removals": "owner BLOB, provider TEXT, message BLOB",
    "begun": "owner BLOB, mark BLOB, provider TEXT, epochs BLOB, until BIGINT",
    "chunks": "owner BLOB, mark BLOB, number BIGINT, chunk BLOB",
}
"""The tables beside those of records, without the digest that each row ends with.

A body that is large is in no row of `bodies`: `large` names it, and an engine keeps it, in `slices`
or in files of its own.
"""

INDEXES = {
    "taken": "owner, number",
    "files": "owner, number",
    "bodies": "owner, number",
    "large": "owner, number",
    "labels": "place, label",
}


FURTHER = (
    ("taken", "owner, change"),
    ("taken", "owner, provider"),
    ("uploads", "seq"),
    ("uploads", "place"),
    ("tombstones", "place, high"),
    ("files", "place"),
    ("slices", "name, position"),
    ("arrived", "place, number"),
    ("notes", "place, arrival"),
    ("seals", "place"),
    ("gone", "place"),
    ("gone", "evidence"),
    ("evidence", "number"),
    ("removals", "owner, provider"),
    ("begun", "owner, mark"),
    ("chunks", "owner, mark, number"),
)
"""Tables and columns that an engine which finds rows by its indexes needs too."""


class Session(Protocol):
    """A transaction of an engine."""

    def run(self, sql: str, *values: Any) -> None:
        """Do something; parameters are written ``?``."""

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""

    def fetch(self, sql: str, values: Sequence[Any], kinds: Mapping[str, type]) -> dict[str, Any]:
        """Return columns of a query: int64 arrays where `int` is wanted, `Packed` for `bytes`."""

    def load(self, table: str, columns: Columns) -> None:
        """Append many rows to a table."""

    def stage(self, columns: Columns) -> str:
        """Return the name of a table of these rows, which is gone with the transaction."""


@runtime_checkable
class Spool(Protocol):
    """A body that comes in pieces, and is gone again unless it is kept."""

    name: str
    """What it is found by, once it is kept."""

    size: int
    """How many bytes were written."""

    def write(self, piece: bytes) -> None:
        """Add bytes."""

    def settle(self) -> None:
        """Have all that was written outlast a loss of power, if a transaction says so that ends."""

    def keep(self) -> None:
        """Take note that the transaction which names it has ended well."""

    def leave(self) -> None:
        """Leave it to whoever opens the store next, as nobody knows how that transaction ended."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None:
        """Let go of what is not kept."""


class Body(Protocol):
    """A large body that is there, in pieces of a MiB at most."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Let go of it."""


class Engine(Protocol):
    """What a store needs of a database."""

    is_exclusive: bool
    """Whether nobody else can write while it is open."""

    absent: Collection[str]
    """Tables that it does without."""

    def read(self) -> AbstractContextManager[Session]:
        """Return a snapshot."""

    def write(self, spool: Any = None) -> AbstractContextManager[Session]:
        """Return a serialisable transaction, which is durable once it is left; with a `Spool`."""

    def spool(self) -> Spool:
        """Return what a large body is written to."""

    def body(self, name: str, size: int) -> Body:
        """Return a large body by its name.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is not there, or of another size.
        """

    def doubt(self, session: Session, names: Sequence[str]) -> None:
        """Have large bodies go with a transaction."""

    def drop(self, names: Sequence[str]) -> None:
        """Remove large bodies after the transaction that had them go."""

    def settle(self, session: Session) -> None:
        """Remove what a process left that was killed: bodies that no transaction names."""

    def strangers(self, session: Session) -> Iterable[str]:
        """Yield a line for each large body that nothing names."""

    def index(self, session: Session, table: str, columns: str) -> None:
        """Have rows of a table of records found by some columns, if it helps."""

    def reorder(self, session: Session, table: str, by: str | None) -> None:
        """Have the rows of a table of records lie in the order of a column, as far as it can."""

    def purge(self, alone: AbstractContextManager[Any]) -> None:
        """Write all tables anew, so that nothing is left of rows that were removed.

        Within `alone` nobody else of this process begins to change anything.
        """

    def close(self) -> None:
        """Let go of the database."""


def u128(number: int) -> bytes:
    """Return a number as 16 bytes."""
    return number.to_bytes(16, "big")


def number_of(stored: Any) -> int:
    """Return the number of 16 bytes."""
    return int.from_bytes(bytes(stored), "big")


def packed_epochs(epochs: Epochs) -> bytes:
    """Return epochs as bytes."""
    return b"".join(
        number.to_bytes(4, "big") + bytes([len(salt)]) + bytes(salt) for number, salt in epochs
    )


def epochs_of(stored: Any) -> list[tuple[int, bytes]]:
    """Return the epochs of bytes."""
    left, found = bytes(stored), []
    while left:
        size = 5 + left[4]
        found.append((int.from_bytes(left[:4], "big"), left[5:size]))
        left = left[size:]
    return found


def halves(handles: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both halves of handles as an engine keeps them: the same bits, signed."""
    high, low = np.ascontiguousarray(handles.T)
    return high.view(np.int64), low.view(np.int64)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def pair(handle: int) -> tuple[int, int]:
    """Return both halves of a handle, signed."""
    return _signed(handle >> 64), _signed(handle & (1 << 64) - 1)


def joined(high: int, low: int) -> int:
    """Return the handle of both halves."""
    return (high & (1 << 64) - 1) << 64 | low & (1 << 64) - 1


def as_handles(high: NDArray[np.int64], low: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return handles as parts have them."""
    return np.stack([high.view(np.uint64), low.view(np.uint64)], axis=1)


def as_array(handles: Sequence[int]) -> NDArray[np.uint64]:
    """Return handles as an array of halves."""
    halves = [[handle >> 64, handle & (1 << 64) - 1] for handle in handles]
    return np.array(halves, np.uint64).reshape(-1, 2)


def digest_of(values: Iterable[Any]) -> int:
    """Return what stands for the values of a row, so that damage shows."""
    hashed = hashlib.sha256()
    for value in values:
        if value is None:
            hashed.update(b"\0")
        elif isinstance(value, int):
            hashed.update(b"\1" + value.to_bytes(9, "little", signed=True))
        else:
            raw = value.encode() if isinstance(value, str) else bytes(value)
            hashed.update(b"\2" + len(raw).to_bytes(8, "little") + raw)
    return int.from_bytes(hashed.digest()[:8], "little", signed=True)


def names_of(table: str) -> list[str]:
    """Return the columns of a table beside its digest."""
    return [column.split()[0] for column in TABLES[table].split(", ")]


def by_names(place: tuple[str, Any]) -> tuple[list[str], Any]:
    """Return what places are sorted by: their names, then their epochs."""
    path, epochs = place
    return path.split("/") if path else [], epochs


def by_upload(rows: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Return rows by upload."""
    by_upload: dict[int, list[int]] = {}
    for seq, row in rows:
        by_upload.setdefault(seq, []).append(row)
    return by_upload


def among(session: Session, table: str, seq: int, numbers: Sequence[int]) -> tuple[str, list[Any]]:
    """Return the condition of some rows of an upload."""
    if len(numbers) <= FEW:
        marks = ", ".join("?" * len(numbers))
        return f"{table}.seq = ? AND {table}.row_no IN ({marks})", [seq, *numbers]
    staged = session.stage({"row_no": np.array(numbers, np.int64)})
    return f"{table}.seq = ? AND {table}.row_no IN (SELECT s.row_no FROM {staged} s)", [seq]


def numbers_of(stored: Any) -> list[int]:
    """Return the numbers of bytes."""
    whole = bytes(stored)
    return [number_of(whole[at : at + 16]) for at in range(0, len(whole), 16)]


def as_rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of columns."""
    listed: list[Iterable[Any]] = []
    for column in columns.values():
        if isinstance(column, list):
            listed.append(column)
        elif not isinstance(column, tuple):
            listed.append(column.tolist())
        elif column[1].dtype == np.uint8:
            bounds, whole = [0, *column[0].tolist()], column[1].tobytes()
            listed.append([whole[start:end] for start, end in itertools.pairwise(bounds)])
        else:
            pairs = zip(column[0].tolist(), column[1].tolist(), strict=True)
            listed.append([value if valid else None for value, valid in pairs])
    return zip(*listed, strict=True)


def check_process(number: int) -> None:
    """Refuse what a process opened to those that were forked from it."""
    if os.getpid() != number:
        raise ForkedError(
            "the store was opened before the process was forked: open it where it is used"
        )


def by_provider(provider: str) -> str:
    """Return a provider as errors name it."""
    return f"provider {json.dumps(provider, ensure_ascii=False)}"


def upload_of(provider: str) -> str:
    """Return the upload of a provider as errors name it."""
    return f"the upload of {by_provider(provider)}"


_SINCE = dict.fromkeys(("seals", "gone", "evidence", "removals", "begun", "chunks"), 2)
_SINCE |= {"large": 3, "slices": 3}
"""Since which version there is a table, where that is not the first."""


def _make(engine: Engine, session: Session, since: int) -> None:
    """Make the tables that later versions than one have."""
    made = {name for name in TABLES if _SINCE.get(name, 1) > since and name not in engine.absent}
    for name in sorted(made):
        session.run(f"CREATE TABLE {name} ({TABLES[name]}, digest BIGINT)")
    for name, columns in INDEXES.items():
        if name in made:
            session.run(f"CREATE INDEX {name}_index ON {name} ({columns})")
    for name, columns in FURTHER:
        if name in made:
            engine.index(session, name, columns)


def prepare(engine: Engine, session: Session, must_exist: bool) -> None:
    """Make the tables of a new store, and those that an older one lacks; refuse others."""
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    tables = {name for (name,) in session.rows(sql)}
    if "mopse_store" in tables:
        versions = session.rows("SELECT version FROM mopse_store")
        if versions == [(VERSION,)]:
            return
        if versions and versions[0][0] > VERSION:
            raise InvalidInputError(
                f"the store is of version {versions[0][0]}, and this package knows version "
                f"{VERSION}: open it with a newer one"
            )
        if versions:
            _make(engine, session, versions[0][0])
            session.run("UPDATE mopse_store SET version = ?", VERSION)
            return
        if tables != {"mopse_store"}:
            raise DamagedFileError(
                "the table mopse_store has lost its row, which tells its version"
            )
    elif tables:
        raise DamagedFileError("it is no store: there are tables of somebody else in it")
    if must_exist:
        raise MissingFileError("there is no store in it")
    session.run("CREATE TABLE IF NOT EXISTS mopse_store (version BIGINT, catalog BIGINT)")
    _make(engine, session, 0)
    session.run("CREATE SEQUENCE mopse_uploads MINVALUE 0 START 0")
    session.run("INSERT INTO mopse_store VALUES (?, 0)", VERSION)
