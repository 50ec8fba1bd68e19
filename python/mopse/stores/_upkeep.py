"""Looking after a store: digests of rows, what is damaged, and records as Parquet."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._files import made_folder, telling
from mopse.stores._catalog import Catalog, Group, Work
from mopse.stores._tables import TABLES, Columns, Session, digest_of, names_of

__all__ = ["CATALOG", "damaged_records", "damaged_rows", "exported", "missing_rows", "row_digests"]

CATALOG = tuple(f"table {name}:" for name in ("record_groups", "group_columns", "places"))
"""How lines of damage begin after which no record can be looked at."""

_LARGE = {
    "bodies": ("owner", "number"),
    "chunks": ("owner", "mark", "number"),
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


def exported(session: Work, folder: Path) -> dict[str, Path]:
    """Write the records of each group, and return the file of each."""
    written = {}
    where = made_folder(folder)
    sql = "SELECT id, owner, label FROM record_groups ORDER BY id"
    for number, owner, label in session.rows(sql):
        group, whose = session.group(number), bytes(owner).hex()
        selected, kinds = _selected(group, ("seq", "row_no", "high", "low"))
        found = session.fetch(f"SELECT {selected} FROM {group.table} r", [], kinds)
        path = where / f"{whose[:16]}-{number}.parquet"
        about = {"mopse.owner": whose, "mopse.group": label}
        with telling(path):
            _frame(group, found).write_parquet(path, row_group_size=_ROW_GROUP, metadata=about)
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


def damaged_rows(session: Session) -> list[str]:
    """Return which rows of tables beside those of records are damaged."""
    found = []
    for table in TABLES:
        for number, (*row, digest) in enumerate(_rows_of(session, table)):
            if digest_of(row) != digest:
                found.append(f"table {table}: row {number} is not what was written")
    return found


def _rows_of(session: Session, table: str) -> Iterable[tuple[Any, ...]]:
    """Return the rows of a table with their digests; those that may be large, one by one."""
    sql = f"SELECT {', '.join(names_of(table))}, digest FROM {table}"
    if table not in _LARGE:
        return session.rows(sql)
    keys = session.rows(f"SELECT {', '.join(_LARGE[table])} FROM {table}")
    where = " WHERE " + " AND ".join(f"{name} = ?" for name in _LARGE[table])
    return (row for key in keys for row in session.rows(sql + where, *key))


def _without(table: str, condition: str, other: str) -> str:
    """Return how many rows of a table have no counterpart in another one."""
    return (
        f"SELECT count(*) FROM {table} o WHERE NOT EXISTS "
        f"(SELECT 1 FROM {other} t WHERE {condition})"
    )


_MISSING = (
    ("places", _without("uploads", "t.id = o.place", "places")),
    ("places", _without("tombstones", "t.id = o.place", "places")),
    ("record_groups", _without("places", "t.id = o.of_group", "record_groups")),
    ("announcements", _without("places", "t.owner = o.owner", "announcements")),
    ("taken", _without("uploads", "t.number = o.number", "taken")),
    (
        "taken",
        "SELECT coalesce(sum(last - n), 0) FROM (SELECT max(change) AS last, count(*) AS n "
        "FROM taken GROUP BY owner) AS changes",
    ),
    (
        "bodies",
        _without("files", "t.number = o.number", "bodies") + " AND o.description IS NOT NULL",
    ),
    ("places", _without("seals", "t.id = o.place", "places")),
    ("begun", _without("chunks", "t.owner = o.owner AND t.mark = o.mark", "begun")),
    ("seals", _without("gone", "t.place = o.place", "seals")),
    ("evidence", _without("gone", "t.number = o.evidence", "evidence")),
    ("gone", _without("evidence", "t.evidence = o.number", "gone")),
    ("files", _without("notes", "t.number = o.number", "files")),
    ("notes", _without("files", "t.number = o.number", "notes")),
    ("arrived", _without("files", "t.number = o.number", "arrived")),
    ("labels", "SELECT coalesce(sum(entries), 0) - (SELECT count(*) FROM labels) FROM notes"),
)
"""Tables, and how many rows each has not that another one speaks of."""


def missing_rows(session: Session) -> list[str]:
    """Return which tables have fewer rows than others speak of."""
    counts = [(table, int(session.rows(sql)[0][0])) for table, sql in _MISSING]
    return [
        f"table {table}: {count} rows are missing that others speak of"
        for table, count in counts
        if count
    ]


def damaged_records(session: Session, catalog: Catalog) -> list[str]:
    """Return which records are damaged, doubled or missing."""
    found: list[str] = []
    live: dict[int, int] = dict(session.rows("SELECT seq, live FROM uploads"))
    for group in catalog.groups.values():
        found += _damaged_records(session, group, live)
    missing = {seq: count for seq, count in live.items() if count}
    return found + [f"upload {seq}: {count} records are missing" for seq, count in missing.items()]


def _damaged_records(session: Session, group: Group, live: dict[int, int]) -> Iterator[str]:
    """Yield what is damaged of a group; `live` is left with what was not found."""
    names = "seq", "row_no", "place", "high", "low", "digest"
    selected, kinds = _selected(group, names)
    [(last,)] = session.rows(f"SELECT coalesce(max(seq), -1) FROM {group.table}")
    for seq in range(last + 1):
        sql = f"SELECT {selected} FROM {group.table} r WHERE r.seq = ?"
        found = session.fetch(sql, [seq], kinds)
        count = len(found["seq"])
        if not count:
            continue
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
        if seq not in live or live[seq] != count:
            yield (
                f"table {group.table}: upload {seq} has {count} records, and should have "
                f"{live.get(seq, 0)}"
            )
        live[seq] = 0
