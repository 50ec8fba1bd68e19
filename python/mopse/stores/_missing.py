"""Rows that are missing: tables held against what others say of them.

A row that is gone leaves no digest. What tells is what was written beside it: numbers that follow
each other, counts in receipts, in notes and in signed seals, and rows that name it.
"""

import re
from collections.abc import Iterator
from typing import Any

from mopse._mopse.message import Removal, Seal
from mopse.stores._catalog import Group
from mopse.stores._tables import TABLES, Session

__all__ = ["missing_of_group", "missing_rows"]


def _without(table: str, condition: str, other: str) -> str:
    """Return how many rows of a table have no counterpart in another one."""
    return (
        f"SELECT count(*) FROM {table} o WHERE NOT EXISTS "
        f"(SELECT 1 FROM {other} t WHERE {condition})"
    )


def _numbered(table: str, number: str, by: str = "") -> str:
    """Return how many numbers from 0 to the last one a table has not, in all or by a column."""
    grouped = f" GROUP BY {by}" if by else ""
    return (
        "SELECT coalesce(sum(last - n), 0) FROM "
        f"(SELECT max({number}) + 1 AS last, count(*) AS n FROM {table}{grouped}) AS numbers"
    )


_OF_PLACE = "JOIN places p ON p.id = o.place"

_LIVE = (
    "SELECT coalesce(sum(abs(n)), 0) FROM (SELECT sum(n) AS n FROM ("
    "SELECT owner, provider, added - removed AS n FROM taken WHERE provider <> '' AND gone = 0 "
    "UNION ALL SELECT p.owner, p.provider, -o.live FROM uploads o "
    f"{_OF_PLACE}) AS counts GROUP BY owner, provider) AS differences"
)
"""How many records receipts and uploads differ by, of each provider."""

_MISSING = (
    ("record_groups", _numbered("record_groups", "id")),
    ("record_groups", _without("places", "t.id = o.of_group", "record_groups")),
    ("record_groups", _without("group_columns", "t.id = o.of_group", "record_groups")),
    ("places", _numbered("places", "id")),
    ("places", _without("record_groups", "t.of_group = o.id", "places")),
    (
        "places",
        _without("taken", "t.owner = o.owner AND t.provider = o.provider", "places")
        + " AND o.provider <> ''",
    ),
    *(
        ("places", _without(table, "t.id = o.place", "places"))
        for table in ("uploads", "tombstones", "files", "labels", "arrived", "notes", "seals")
    ),
    ("announcements", _without("places", "t.owner = o.owner AND t.path = ''", "announcements")),
    (
        "announcements",
        _without("announcements", "t.owner = o.owner AND t.path = ''", "announcements"),
    ),
    ("taken", _without("uploads", "t.number = o.number", "taken")),
    ("taken", _without("tombstones", "t.number = o.number", "taken")),
    ("taken", _without("gone", "t.number = o.upload", "taken")),
    (
        "taken",
        f"SELECT count(*) FROM seals o {_OF_PLACE} WHERE NOT EXISTS "
        "(SELECT 1 FROM taken t WHERE t.owner = p.owner AND t.change = o.change)",
    ),
    (
        "taken",
        "SELECT coalesce(sum(last - n), 0) FROM (SELECT max(change) AS last, count(*) AS n "
        "FROM taken GROUP BY owner) AS changes",
    ),
    ("uploads", _LIVE),
    ("files", _without("notes", "t.number = o.number", "files")),
    ("files", _without("bodies", "t.number = o.number", "files")),
    ("notes", _without("files", "t.number = o.number", "notes")),
    ("notes", _numbered("notes", "arrival", "place")),
    ("arrived", _without("files", "t.number = o.number", "arrived")),
    (
        "bodies",
        _without("files", "t.number = o.number", "bodies") + " AND o.description IS NOT NULL",
    ),
    ("bodies", _without("large", "t.owner = o.owner AND t.number = o.number", "bodies")),
    (
        "large",
        _without("bodies", "t.owner = o.owner AND t.number = o.number", "large")
        + " AND o.body IS NULL",
    ),
    ("large", _without("slices", "t.name = o.name", "large")),
    (
        "slices",
        "SELECT count(*) FROM large o WHERE o.size <> "
        "(SELECT coalesce(sum(octet_length(slice)), 0) FROM slices t WHERE t.name = o.name)",
    ),
    ("labels", "SELECT coalesce(sum(entries), 0) - (SELECT count(*) FROM labels) FROM notes"),
    ("seals", _without("gone", "t.place = o.place", "seals")),
    ("evidence", _without("gone", "t.number = o.evidence", "evidence")),
    ("gone", _without("evidence", "t.evidence = o.number", "gone")),
    ("begun", _without("chunks", "t.owner = o.owner AND t.mark = o.mark", "begun")),
    ("chunks", _without("begun", "t.owner = o.owner AND t.mark = o.mark", "chunks")),
)
"""Tables, and how many rows each has not that another one speaks of."""


def _line(table: str, count: int) -> str:
    if count < 0:
        return f"table {table}: {-count} rows are too many for what others say"
    return f"table {table}: {count} rows are missing that others speak of"


def missing_rows(session: Session, damaged: set[str]) -> Iterator[str]:
    """Yield which tables have fewer rows than others speak of; damaged ones are not asked."""
    for table, sql in _MISSING:
        if damaged.isdisjoint(set(re.findall(r"\w+", sql)) & {*TABLES}):
            [(count,)] = session.rows(sql)
            if count:
                yield _line(table, int(count))
    for tables, look in _LOOKS:
        if damaged.isdisjoint(tables):
            yield from look(session)


def _missing_columns(session: Session) -> Iterator[str]:
    """Hold what is known of groups against the columns that there are."""
    sql = "SELECT table_name, column_name FROM information_schema.columns WHERE "
    sql += "table_schema = current_schema() AND table_name LIKE 'records_%'"
    found: dict[int, set[str]] = {}
    for table, column in session.rows(sql):
        if (of := table.removeprefix("records_")).isdecimal():
            found.setdefault(int(of), set()).add(column)
    known: dict[int, set[str]] = {
        of: set() for (of,) in session.rows("SELECT id FROM record_groups")
    }
    for of, kind, position in session.rows("SELECT of_group, kind, position FROM group_columns"):
        known.setdefault(of, set()).add(f"{kind}_{position}")
    if groups := found.keys() - known.keys():
        yield _line("record_groups", len(groups))
    columns = {
        of: {name for name in names if re.match("(portion|field)_", name)}
        for of, names in found.items()
    }
    if missing := sum(len(columns[of] - names) for of, names in known.items() if of in columns):
        yield _line("group_columns", missing)


class _Changes:
    """The changes of an owner's records, by what they were."""

    def __init__(self) -> None:
        self.seals: set[int] = set()
        self.by_operator: set[int] = set()
        self.signed: dict[bytes, int] = {}

    @classmethod
    def of(cls, session: Session) -> dict[bytes, "_Changes"]:
        """Return the changes of each owner that came from no upload."""
        found: dict[bytes, _Changes] = {}
        sql = "SELECT owner, number, added + replaced, change FROM taken WHERE provider = ''"
        for owner, number, count, change in session.rows(sql):
            changes = found.setdefault(bytes(owner), cls())
            if number := bytes(number):
                changes.signed[number] = change
            else:  # an operator's removal is noted only if there was something to remove
                (changes.by_operator if count else changes.seals).add(change)
        return found


def _missing_seals(session: Session) -> Iterator[str]:
    """Hold seals against the changes that they were, and their rows against what they say."""
    sql = "SELECT o.place, o.message, o.until, o.change, o.is_removed FROM seals o "
    numbers: dict[bytes, int] = {}
    newest: dict[bytes, int] = {}
    for place, message, until, change, is_removed in session.rows(sql + _OF_PLACE):
        seal = Seal.decode(bytes(message))
        # The seals of a place are counted by its provider, and it may have sealed elsewhere first.
        numbers[seal.owner] = numbers.get(seal.owner, 0) + seal.number
        newest[seal.owner] = max(newest.get(seal.owner, 0), change)
        if is_removed:
            continue
        sql_ = "SELECT coalesce(sum(live), 0) FROM uploads WHERE place = ? AND seq < ?"
        [(live,)] = session.rows(sql_, place, until)
        [(gone,)] = session.rows("SELECT count(*) FROM gone WHERE place = ?", place)
        if missing := len(seal) - int(live) - gone:
            yield _line("gone", missing)
    for owner, changes in _Changes.of(session).items():
        # An operator's removal forgets seals, and nobody knows how many.
        last = max(changes.seals, default=0)
        is_last_lost = max(changes.by_operator, default=newest.get(owner, 0)) < last
        is_last_lost = is_last_lost and newest.get(owner, 0) < last
        are_few = not changes.by_operator and len(changes.seals) > numbers.get(owner, 0)
        if is_last_lost or are_few:
            yield _line("seals", 1)


def _missing_removals(session: Session) -> Iterator[str]:
    """Hold signed removals against the changes that they were, and against what they removed."""
    kept: dict[bytes, set[bytes]] = {}
    providers = set()
    for owner, provider, message in session.rows("SELECT owner, provider, message FROM removals"):
        removal = Removal.decode(bytes(message))
        kept.setdefault(bytes(owner), set()).add(removal.id.to_bytes(16, "big"))
        providers.add((bytes(owner), provider))
    changes_of = _Changes.of(session)
    for owner, numbers in kept.items():
        known = changes_of.get(owner, _Changes()).signed.keys()
        if missing := len(numbers - known):
            yield _line("taken", missing)
    missing = 0
    sql = f"SELECT DISTINCT p.owner, p.provider FROM seals o {_OF_PLACE} WHERE o.is_removed = 1"
    removed = {(bytes(owner), provider) for owner, provider in session.rows(sql)}
    sql = "SELECT DISTINCT owner, provider FROM taken WHERE gone = 1"
    gone = {(bytes(owner), provider) for owner, provider in session.rows(sql)}
    for owner, changes in changes_of.items():
        of_owner = kept.get(owner, set())
        # A store of version 1 kept no removals; what came after a seal or one that is kept did.
        first = min(
            {*changes.seals, *(changes.signed.get(number, 1 << 63) for number in of_owner)},
            default=1 << 63,
        )
        signed = {number: at for number, at in changes.signed.items() if at >= first}
        if signed and max(signed, key=signed.__getitem__) not in of_owner:
            missing += 1
        elif len(signed) == len(changes.signed) and not changes.by_operator:
            removed |= {at for at in gone if at[0] == owner}
    missing = max(missing, len(removed - providers))
    if missing:
        yield _line("removals", missing)


def _missing_tombstones(session: Session) -> Iterator[str]:
    """Hold tombstones against receipts: each record that is removed leaves one until it is back."""
    sql = "SELECT p.owner, o.number, count(*) FROM tombstones o "
    rows = session.rows(f"{sql}{_OF_PLACE} GROUP BY p.owner, o.number")
    stones = {(bytes(owner), bytes(number)): count for owner, number, count in rows}
    later: dict[tuple[bytes, str], int] = {}
    without: dict[tuple[bytes, str], int] = {}
    missing: dict[tuple[bytes, str], int] = {}
    sql = "SELECT owner, provider, number, added, removed FROM taken WHERE provider <> '' AND "
    for owner, provider, number, added, removed in session.rows(
        f"{sql}gone = 0 ORDER BY change DESC"
    ):
        of = bytes(owner), provider
        without[of] = without.get(of, 0) + removed - stones.get((of[0], bytes(number)), 0)
        # Records that came later may be those that were removed: so many have no tombstone.
        missing[of] = max(missing.get(of, 0), without[of] - later.get(of, 0))
        later[of] = later.get(of, 0) + added
    if count := sum(missing.values()):
        yield _line("tombstones", count)


_LOOKS: tuple[tuple[set[str], Any], ...] = (
    ({"record_groups", "group_columns"}, _missing_columns),
    ({"taken", "seals", "places", "uploads", "gone"}, _missing_seals),
    ({"taken", "removals", "seals", "places"}, _missing_removals),
    ({"taken", "tombstones", "places"}, _missing_tombstones),
)
"""Tables that are held against each other, and how."""


def missing_of_group(session: Session, group: Group) -> Iterator[str]:
    """Hold sealed rows that are gone against what came of them: another record, or a tombstone."""
    condition = "t.place = o.place AND t.high = o.high AND t.low = o.low"
    sql = _without("gone", condition, "tombstones")
    sql += f" AND NOT EXISTS (SELECT 1 FROM {group.table} t WHERE {condition})"
    sql += " AND o.place IN (SELECT id FROM places WHERE of_group = ?)"
    [(count,)] = session.rows(sql, group.number)
    if count:
        yield _line("tombstones", count)
