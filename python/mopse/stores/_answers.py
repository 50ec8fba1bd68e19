"""Answers: the records that tokens ask for, and what there is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checked import checked
from mopse._mopse.message import Part, Query, Token
from mopse.stores._base import Base
from mopse.stores._catalog import Group, Work
from mopse.stores._tables import (
    FEW,
    as_array,
    by_names,
    halves,
    packed_epochs,
    pair,
)

__all__ = ["Answers"]

_HIGHEST = 2**63 - 1
"""No ciphertext is higher."""


class Answers(Base):
    """What a store answers."""

    @checked()
    def search(self, query: Query) -> list[Part]:
        """See `Store.search`."""
        with self._reading(query.owner) as session:
            snapshot = session.changes
            parts = []
            for token in query.tokens:
                parts += self._answer(session, query.owner, token, snapshot)
        return parts

    @checked()
    def count(self, query: Query) -> int:
        """See `Store.count`."""
        count = 0
        with self._reading() as session:
            for token in query.tokens:
                group = session.group_at(query.owner, *token.place)
                where = None if group is None else self._where(session, query.owner, group, token)
                if group is None or where is None:
                    continue
                sql = f"SELECT count(*) FROM {group.table} r WHERE {where[0]}"
                count += session.rows(sql, *where[1])[0][0]
        return count

    def _where(
        self, session: Work, owner: bytes, group: Group, token: Token
    ) -> tuple[str, list[Any]] | None:
        """Return the condition of the rows that a token asks for; None if there can be none."""
        terms: list[str] = []
        values: list[Any] = []
        if token.provider is not None:
            place = session.place(owner, _path(token), token.place[1])
            if place is None:
                return None
            terms.append("r.place = ?")
            values.append(place[0])
        for field, low, high in token.predicates:
            if field not in group.fields:
                return None
            column = group.fields[field]
            if low <= 0 and high == _HIGHEST:
                terms.append(f"r.{column} IS NOT NULL")
            else:
                terms.append(f"r.{column} BETWEEN ? AND ?")
                values += [low, high]
        if token.asks == "records" and len(token.handles) <= FEW:
            pairs = [pair(handle) for handle in token.handles]
            marks = " OR ".join(["(r.high = ? AND r.low = ?)"] * len(pairs))
            terms.append(f"({marks or 'FALSE'})")
            values += [half for pair in pairs for half in pair]
        elif token.asks == "records":
            of_all = halves(as_array(token.handles))
            staged = session.stage(dict(zip(("high", "low"), of_all, strict=True)))
            terms.append(f"(r.high, r.low) IN (SELECT s.high, s.low FROM {staged} s)")
        return " AND ".join(terms) or "TRUE", values

    def _answer(self, session: Work, owner: bytes, token: Token, snapshot: int) -> list[Part]:
        group = session.group_at(owner, *token.place)
        pages: list[tuple[Any, ...]] = []
        newest = None
        if group is not None:
            where = self._where(session, owner, group, token)
            pages = [] if where is None else self._pages(session, group, *where)
            if not pages:
                newest = self._newest(session, owner, group, token)
        removed = self._removed(session, owner, token) if token.asks == "records" else []
        if not pages and newest is not None:
            nothing = np.empty(0, np.int64)
            empty = np.empty(0, np.uint64), np.empty(0, np.uint8)
            portions = [(name, layout, *empty) for name, layout in newest[1].layouts]
            pages = [(newest[0], np.empty(0, np.uint32), [nothing, nothing], portions)]
        if not pages and not removed:
            return [Part.nothing(owner, token.id, snapshot)]
        last = len(pages) + len(removed) - 1
        parts: list[Part] = []
        for seq, *columns in pages:
            upload = self._upload(session, seq)
            session.seen.add(seq)
            _, provider, of = session.place_of(upload.place)
            at = token.id, snapshot, len(parts), len(parts) == last
            told = provider, of, upload.number, upload.readers
            parts.append(_mopse.message.gathered(owner, *at, *told, *columns))
        none = np.empty((0, 2), np.uint64)
        for place, stones in removed:
            _, provider, of = session.place_of(place)
            at = token.id, snapshot, len(parts), len(parts) == last
            parts.append(Part(owner, *at, provider, of, 0, (0, b""), none, [], stones))
        return parts

    def _newest(self, session: Work, owner: bytes, group: Group, token: Token) -> Any:
        """Return the newest upload that a token reaches, without records."""
        sql = (
            "SELECT max(u.seq) FROM uploads u JOIN places p ON p.id = u.place WHERE p.of_group = ?"
        )
        values: list[Any] = [group.number]
        if token.provider is not None:
            sql += " AND p.provider = ?"
            values.append(_path(token))
        [(seq,)] = session.rows(sql, *values)
        return None if seq is None else (seq, self._upload(session, seq))

    def _pages(
        self, session: Work, group: Group, where: str, values: list[Any]
    ) -> list[tuple[Any, ...]]:
        """Return upload, rows, halves of handles, and portions, by upload."""
        kinds: dict[str, type] = dict.fromkeys(("seq", "row_no", "high", "low"), int)
        kinds |= dict.fromkeys(group.portions.values(), bytes)
        columns = ", ".join(f"r.{name}" for name in kinds)
        sql = f"SELECT {columns} FROM {group.table} r WHERE {where}"
        found = session.fetch(sql, values, kinds)
        order, starts = _mopse.cloud.by_upload(found["seq"], found["row_no"])
        halves = [found["high"], found["low"]]
        ends = [*(start for _, start in starts), len(order)][1:]
        pages = []
        for (seq, start), end in zip(starts, ends, strict=True):
            portions = [
                (name, layout, *found[group.portions[name]])
                for name, layout in self._upload(session, seq).layouts
            ]
            pages.append((seq, order[start:end], halves, portions))
        return pages

    def _removed(
        self, session: Work, owner: bytes, token: Token
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        """Return the tombstones that a token asks for, by place."""
        authority, epochs = token.place
        packed = packed_epochs(epochs)
        sql = "SELECT id, provider FROM places WHERE owner = ? AND epochs = ?"
        places = []
        for place, provider in session.rows(sql, owner, packed):
            above, _, name = provider.rpartition("/")
            if above == authority and token.provider in (None, name):
                places.append((provider, place))
        handles = as_array(token.handles)
        found = []
        for _, place in sorted(places, key=lambda of: by_names((of[0], epochs))):
            stones = self._stones(session, place, handles)
            if stones:
                of_place = [(token.handles[at], stones[at]) for at in sorted(stones)]
                found.append((place, of_place))
        return found

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """See `Store.contents`."""
        lines = []
        with self._reading() as session:
            sql = "SELECT u.seq, g.owner, g.label, g.id, p.provider, u.live FROM uploads u JOIN "
            sql += "places p ON p.id = u.place JOIN record_groups g ON g.id = p.of_group "
            sql += "ORDER BY u.seq"
            uploads = session.rows(sql)
            sizes: dict[int, int] = {}
            for number in {of for _, _, _, of, _, _ in uploads}:
                group = session.group(number)
                size = " + ".join(
                    f"coalesce(octet_length({name}), 0)" for name in group.portions.values()
                )
                sql = f"SELECT seq, sum({size or 0}) FROM {group.table} GROUP BY seq"
                sizes |= {seq: int(size) for seq, size in session.rows(sql)}
        for seq, owner, label, _, provider, live in uploads:
            lines.append((bytes(owner), label, provider, live, sizes.get(seq, 0)))
        return sorted(lines, key=lambda line: line[:2])

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """See `Store.totals`."""
        entries = 0
        with self._reading() as session:
            for group in session.catalog.groups.values():
                if group.fields:
                    counts = " + ".join(f"count({name})" for name in group.fields.values())
                    entries += session.rows(f"SELECT {counts} FROM {group.table}")[0][0]
            sql = (
                "SELECT count(description), coalesce(sum(octet_length(description)), 0) FROM files"
            )
            [(files, size)] = session.rows(sql)
            [(more,)] = session.rows("SELECT coalesce(sum(octet_length(body)), 0) FROM bodies")
            [(large,)] = session.rows("SELECT coalesce(sum(size), 0) FROM large")
            [(labels,)] = session.rows("SELECT count(masked) FROM labels")
        return int(entries), int(files), int(size) + int(more) + int(large), int(labels)

    @checked()
    def merged(
        self, owner: bytes, group: str, field: str
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """See `Store.merged`."""
        with self._reading() as session:
            sql = "SELECT id FROM record_groups WHERE owner = ? AND label = ?"
            found = session.rows(sql, owner, group)
            if not found:
                return np.empty(0, np.int64), np.empty(0, np.uint32)
            known = session.group(found[0][0])
            kinds: dict[str, type] = {"seq": int, "row_no": int}
            columns = "r.seq, r.row_no"
            all_rows = session.fetch(f"SELECT {columns} FROM {known.table} r", [], kinds)
            if field not in known.fields:
                return np.empty(0, np.int64), np.empty(0, np.uint32)
            column = known.fields[field]
            sql = f"SELECT {columns}, r.{column} FROM {known.table} r WHERE r.{column} IS NOT NULL"
            entries = session.fetch(sql, [], kinds | {column: int})
        every = np.sort(all_rows["seq"] << 32 | all_rows["row_no"])
        numbers = np.searchsorted(every, entries["seq"] << 32 | entries["row_no"])
        order = np.lexsort((numbers, entries[column]))
        return entries[column][order], numbers[order].astype(np.uint32)


def _path(token: Token) -> str:
    """Return the path of the one provider that a token reaches."""
    authority = token.place[0]
    return f"{authority}/{token.provider}" if authority else str(token.provider)
