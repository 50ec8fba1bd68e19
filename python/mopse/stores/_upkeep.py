"""Looking after a store: digests of rows, what is damaged, and records as Parquet."""

import errno
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._files import SHARED, Target, made_folder, replacing, telling
from mopse._mopse.message import Incoming
from mopse.errors import DamagedFileError, FileAccessError, SignatureError
from mopse.stores._catalog import Catalog, Group, Work
from mopse.stores._filing import kept_file
from mopse.stores._missing import missing_of_group, missing_rows
from mopse.stores._tables import TABLES, Columns, Engine, Session, digest_of, names_of, number_of

__all__ = ["damage", "exported", "row_digests"]

_CATALOG = {"record_groups", "group_columns", "places"}
"""Tables without which no record can be looked at."""

_LARGE = {
    "bodies": ("owner", "number"),
    "chunks": ("owner", "mark", "number"),
    "slices": ("name", "position"),
    "evidence": ("number",),
    "seals": ("place",),
}
"""Tables of rows that may be large, and what they are found by."""

_ROW_GROUP = 122_880
"""Records of a row group of Parquet, of which a range of the first field reads few."""


def row_digests(group: Group, columns: Columns, count: int) -> NDArray[np.int64]:
    """Return the digest of each row of a table of records.

    A field or portion that a row has not adds nothing, so that a table can get more columns.
    """
    numbers = [columns[name] for name in ("seq", "row_no", "place", "high", "low")]
    fields = [columns.get(name) for name in group.fields.values()]
    blobs = [columns.get(name) for name in group.portions.values()]
    return _mopse.cloud.row_digests(count, numbers, fields, blobs)


def _selected(group: Group, names: tuple[str, ...]) -> tuple[str, dict[str, type]]:
    """Return what is selected of records, and its kinds; of a field also whether it is there."""
    kinds: dict[str, type] = dict.fromkeys(names, int)
    kinds |= dict.fromkeys(group.portions.values(), bytes)
    selected = [f"r.{name}" for name in kinds]
    for name in group.fields.values():
        kinds |= {name: int, f"has_{name}": int}
        is_there = f"CASE WHEN r.{name} IS NULL THEN 0 ELSE 1 END AS has_{name}"
        selected += [f"coalesce(r.{name}, 0) AS {name}", is_there]
    return ", ".join(selected), kinds


class _Stream(io.RawIOBase):
    """A file as Polars writes one, of which nothing is left if it does not come to its end."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        return self._target.write(part)


def exported(session: Work, folder: Path, *, is_replacing: bool) -> dict[str, Path]:
    """Write the records of each group, and return the file of each."""
    written = {}
    where = made_folder(folder)
    sql = "SELECT id, owner, label FROM record_groups ORDER BY id"
    groups = [(number, bytes(owner).hex(), label) for number, owner, label in session.rows(sql)]
    paths = {number: where / f"{whose[:16]}-{number}.parquet" for number, whose, _ in groups}
    there = next((path for path in paths.values() if os.path.lexists(path)), None)
    if there is not None and not is_replacing:
        why = "there is a file already, and replace=True writes in its place"
        raise FileAccessError(errno.EEXIST, why, str(there))
    for number, whose, label in groups:
        group = session.group(number)
        selected, kinds = _selected(group, ("seq", "row_no", "high", "low"))
        found = session.fetch(f"SELECT {selected} FROM {group.table} r", [], kinds)
        path, about = paths[number], {"mopse.owner": whose, "mopse.group": label}
        with replacing(path, SHARED) as target, telling(path):
            frame = _frame(group, found)
            frame.write_parquet(_Stream(target), row_group_size=_ROW_GROUP, metadata=about)
        written[f"{whose[:16]}, {label}"] = path
    return written


def _frame(group: Group, columns: Mapping[str, Any]) -> Any:
    """Return records as a table, by their first field."""
    import polars as pl  # no other use of a store needs it

    made: dict[str, pl.Series] = {
        name: pl.Series(columns[name].view(np.uint64)) for name in ("high", "low")
    }
    made |= {"upload": pl.Series(columns["seq"]), "record": pl.Series(columns["row_no"])}
    for name, column in group.portions.items():
        ends, whole = columns[column]
        bounds, blob = [0, *ends.tolist()], whole.tobytes()
        sealed = [blob[start:end] for start, end in itertools.pairwise(bounds)]
        made[f"portion {name}"] = pl.Series(sealed, dtype=pl.Binary)
    for name, column in group.fields.items():
        is_there = pl.Series(columns[f"has_{column}"]).cast(pl.Boolean)
        values = pl.Series(columns[column])
        made[f"field {name}"] = values.set(~is_there, None)
    frame = pl.DataFrame(made)
    fields = [f"field {name}" for name in group.fields]
    return frame.sort([*fields[:1], "upload", "record"])


def damage(engine: Engine) -> list[str]:
    """Return what is damaged of a store, a line each.

    Each table is looked at by itself, so that those that can be read are, whatever befell others.
    """
    looks = _Looks(engine)
    absent = {*engine.absent}
    for table in TABLES:
        if table not in absent:
            looks.at({table}, partial(_damaged_rows, table=table))
    if looks.unread.isdisjoint(_CATALOG | {"bodies", "files", "large", "slices"}):
        looks.at(set(), partial(_damaged_bodies, engine=engine))
    looks.at(set(), partial(missing_rows, damaged=looks.damaged | absent))
    if looks.damaged.isdisjoint(_CATALOG):
        groups: dict[int, Group] = {}
        looks.at(_CATALOG, partial(_note_groups, groups=groups))
        for group in groups.values():
            is_counted = "uploads" not in looks.unread
            look = partial(_damaged_records, group=group, is_counted=is_counted)
            looks.at({group.table}, look)
            if looks.damaged.isdisjoint({"gone", "tombstones", group.table}):
                looks.at(set(), partial(missing_of_group, group=group))
    else:  # what is in them is not known then
        for table in _records(engine):
            looks.at({table}, partial(_read, table=table))
    return looks.found


class _Looks:
    """Looks at tables of a store, each on a snapshot of its own, and what they found."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.found: list[str] = []
        self.damaged: set[str] = set()
        """Tables of which a row is not what was written, or that cannot be read."""
        self.unread: set[str] = set()

    def at(self, tables: set[str], look: Callable[[Session], Iterable[str]]) -> None:
        """Note what a look at tables finds, or that they cannot be read."""
        try:
            with self._engine.read() as session:
                for line in look(session):
                    self.found.append(line)
                    self.damaged |= tables
        except DamagedFileError as error:
            self.damaged |= tables
            self.unread |= tables
            which = "table" if len(tables) == 1 else "tables"
            named = ", ".join(sorted(tables)) or "that are held against each other"
            self.found.append(f"{which} {named}: cannot be read: {error}")


def _note_groups(session: Session, groups: dict[int, Group]) -> Iterator[str]:
    [(number,)] = session.rows("SELECT catalog FROM mopse_store")
    groups |= Catalog.of(session, number).groups
    yield from ()


def _records(engine: Engine) -> list[str]:
    """Return the tables of records."""
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() "
    with engine.read() as session:
        found = session.rows(sql + "AND table_name LIKE 'records_%' ORDER BY table_name")
    return [name for (name,) in found]


def _read(session: Session, table: str) -> Iterator[str]:
    """Read a table of records whole, and find nothing."""
    for (seq,) in session.rows(f"SELECT DISTINCT seq FROM {table}"):
        session.rows(f"SELECT * FROM {table} WHERE seq = ?", seq)
    yield from ()


def _damaged_rows(session: Session, table: str) -> Iterator[str]:
    for number, (*row, digest) in enumerate(_rows_of(session, table)):
        if digest_of(row) != digest:
            yield f"table {table}: row {number} is not what was written"


def _rows_of(session: Session, table: str) -> Iterable[tuple[Any, ...]]:
    """Return the rows of a table with their digests; those that may be large, one by one."""
    sql = f"SELECT {', '.join(names_of(table))}, digest FROM {table}"
    if table not in _LARGE:
        return session.rows(sql)
    keys = session.rows(f"SELECT {', '.join(_LARGE[table])} FROM {table}")
    where = " WHERE " + " AND ".join(f"{name} = ?" for name in _LARGE[table])
    return (row for key in keys for row in session.rows(sql + where, *key))


def _damaged_bodies(session: Session, engine: Engine) -> Iterator[str]:
    """Hold large bodies against what their providers signed, and those there are against rows."""
    [(number,)] = session.rows("SELECT catalog FROM mopse_store")
    work = Work(session, Catalog.of(session, number))
    rows = session.rows(
        "SELECT l.owner, l.number, l.name, l.size, b.deed FROM large l JOIN bodies b "
        "ON b.owner = l.owner AND b.number = l.number"
    )
    for owner, of, name, size, deed in rows:
        found = kept_file(work, bytes(owner), number_of(of))
        if found is None:
            continue
        incoming = Incoming.of(found[0], size)
        try:
            for piece in engine.body(name, size):
                incoming.feed(piece)
            incoming.feed(bytes(deed))
            incoming.end()
        except (DamagedFileError, SignatureError) as error:
            if isinstance(error, SignatureError):
                yield f"table large: the body {name} is not what its provider signed"
            else:
                yield f"table large: {error}"
    yield from engine.strangers(session)


def _damaged_records(session: Session, group: Group, is_counted: bool) -> Iterator[str]:
    """Yield which records of a group are damaged or doubled, and missing if they are counted."""
    sql = "SELECT u.seq, u.live FROM uploads u JOIN places p ON p.id = u.place WHERE p.of_group = ?"
    live: dict[int, int] = dict(session.rows(sql, group.number)) if is_counted else {}
    names = "seq", "row_no", "place", "high", "low", "digest"
    selected, kinds = _selected(group, names)
    for (seq,) in session.rows(f"SELECT DISTINCT seq FROM {group.table} ORDER BY seq"):
        sql = f"SELECT {selected} FROM {group.table} r WHERE r.seq = ?"
        found = session.fetch(sql, [seq], kinds)
        count = len(found["seq"])
        columns: dict[str, Any] = dict(found)
        for name in group.fields.values():
            columns[name] = found[name], found[f"has_{name}"].astype(np.bool_)
        wrong = np.flatnonzero(row_digests(group, columns, count) != found["digest"])
        for row in wrong.tolist():
            where = f"upload {seq}, record {found['row_no'][row]}"
            yield f"table {group.table}: {where} is not what was written"
        rows = found["row_no"]
        if len(np.unique(rows)) != count:
            yield f"table {group.table}: upload {seq} has a record twice"
        if is_counted and live.get(seq) != count:
            yield (
                f"table {group.table}: upload {seq} has {count} records, and should have "
                f"{live.get(seq, 0)}"
            )
        live[seq] = 0
    for seq, count in live.items():
        if count:
            yield f"table {group.table}: upload {seq}: {count} records are missing"
