"""What is known of groups, places and uploads, as far as one state of a store has them."""

import json
from collections.abc import Sequence
from typing import Any

from mopse.errors import DamagedFileError
from mopse.stores._tables import (
    FEW,
    Epochs,
    Session,
    digest_of,
    epochs_of,
    names_of,
    number_of,
    packed_epochs,
)

__all__ = ["Catalog", "Facts", "Group", "Work"]


class Group:
    """What is known of a group: its table, and which column each portion and field has."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.table = f"records_{number}"
        self.portions: dict[str, str] = {}
        self.fields: dict[str, str] = {}

    def add(self, kind: str, position: int, name: str) -> str:
        """Add a column of a portion or field, and return what it is called."""
        column = f"{kind}_{position}"
        (self.portions if kind == "portion" else self.fields)[name] = column
        return column

    def copied(self) -> "Group":
        """Return another one that can be changed."""
        other = Group(self.number)
        other.portions, other.fields = dict(self.portions), dict(self.fields)
        return other

    @property
    def positions(self) -> int:
        """How many columns there are."""
        return len(self.portions) + len(self.fields)


class Facts:
    """What is known of an upload: it does not change."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.seq, self.place, number, readers, layouts, _ = row
        self.number = number_of(number)
        [self.readers] = epochs_of(readers)
        self.layouts: list[tuple[str, bytes]] = [
            (name, bytes.fromhex(layout)) for name, layout in json.loads(bytes(layouts))
        ]


class Catalog:
    """The groups and places of one state, which is told by a number.

    It is looked at by whoever reads that state, and copied by whoever changes it.
    """

    def __init__(self, number: int = -1) -> None:
        self.number = number
        self.groups: dict[int, Group] = {}
        self.group_numbers: dict[tuple[bytes, str, bytes], int] = {}
        self.places: dict[int, tuple[int, bytes, str, bytes]] = {}
        self.place_numbers: dict[tuple[bytes, str, bytes], tuple[int, int]] = {}

    @classmethod
    def of(cls, session: Session, number: int) -> "Catalog":
        """Return what a store has."""
        known = cls(number)
        sql = "SELECT id, owner, authority, epochs FROM record_groups"
        for group, owner, authority, epochs in session.rows(sql):
            known.add_group(group, (bytes(owner), authority, bytes(epochs)))
        sql = "SELECT of_group, kind, position, name FROM group_columns ORDER BY position"
        for group, kind, position, name in session.rows(sql):
            if group not in known.groups:
                raise DamagedFileError("the store names a column of a group that there is not")
            known.groups[group].add(kind, position, name)
        sql = "SELECT id, of_group, owner, provider, epochs FROM places"
        for place, group, owner, provider, epochs in session.rows(sql):
            known.add_place(place, group, (bytes(owner), provider, bytes(epochs)))
        return known

    def add_group(self, number: int, key: tuple[bytes, str, bytes]) -> None:
        """Add a group of an owner, by its authority and epochs."""
        self.groups[number] = Group(number)
        self.group_numbers[key] = number

    def add_place(self, number: int, group: int, key: tuple[bytes, str, bytes]) -> None:
        """Add a provider's place in a group."""
        self.places[number] = group, *key
        self.place_numbers[key] = number, group

    def copied(self) -> "Catalog":
        """Return another one that can be changed, of the next state."""
        other = Catalog(self.number + 1)
        other.groups = {number: group.copied() for number, group in self.groups.items()}
        other.group_numbers = dict(self.group_numbers)
        other.places = dict(self.places)
        other.place_numbers = dict(self.place_numbers)
        return other


class Work:
    """A transaction, and what its state knows of groups and places."""

    def __init__(self, session: Session, catalog: Catalog, changes: int = 0) -> None:
        self.session, self.catalog, self.changes = session, catalog, changes
        self.run, self.rows, self.load = session.run, session.rows, session.load
        self.fetch, self.stage = session.fetch, session.stage
        self.is_changed = False
        self.last: dict[bytes, int] = {}
        """The number of the last change of owners whose records this changes."""
        self.seen: set[int] = set()
        """The uploads that brought what was answered."""

    def insert(self, table: str, *rows: Sequence[Any]) -> None:
        """Add rows to a table, each with its digest."""
        rows = tuple((*row, digest_of(row)) for row in rows)
        names = [*names_of(table), "digest"]
        if len(rows) > FEW:
            columns = zip(*rows, strict=True)
            self.load(table, dict(zip(names, map(list, columns), strict=True)))
            return
        marks = ", ".join("?" * len(names))
        for row in rows:
            self.run(f"INSERT INTO {table} VALUES ({marks})", *row)

    def update(self, table: str, where: str, values: Any, **changes: Any) -> None:
        """Change some columns of the rows that a condition names, and their digests."""
        names = names_of(table)
        rows = self.rows(f"SELECT {', '.join(names)} FROM {table} WHERE {where}", *values)
        if not rows:
            return
        self.run(f"DELETE FROM {table} WHERE {where}", *values)
        changed = [
            tuple(changes.get(name, value) for name, value in zip(names, row, strict=True))
            for row in rows
        ]
        self.insert(table, *changed)

    def change(self) -> Catalog:
        """Return a catalog of its own, and note that it changes."""
        if not self.is_changed:
            self.catalog, self.is_changed = self.catalog.copied(), True
            self.run("UPDATE mopse_store SET catalog = ?", self.catalog.number)
        return self.catalog

    def group_at(self, owner: bytes, authority: str, epochs: Epochs) -> Group | None:
        """Return the group of an authority in some epochs, if anything was ever there."""
        number = self.catalog.group_numbers.get((owner, authority, packed_epochs(epochs)))
        return None if number is None else self.catalog.groups[number]

    def group(self, number: int) -> Group:
        """Return a group by its number."""
        return self.catalog.groups[number]

    def place(self, owner: bytes, provider: str, epochs: Epochs) -> tuple[int, int] | None:
        """Return the number of a place, and of its group; None if nothing was ever there."""
        return self.catalog.place_numbers.get((owner, provider, packed_epochs(epochs)))

    def place_of(self, number: int) -> tuple[bytes, str, list[tuple[int, bytes]]]:
        """Return owner, provider and epochs of a place."""
        _, owner, provider, epochs = self.catalog.places[number]
        return owner, provider, epochs_of(epochs)
