"""Sealed rows that are gone: what they were, and what shows that their provider did it."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mopse._mopse.message import StoredUpload
from mopse.stores._base import Base
from mopse.stores._catalog import Facts, Group, Work
from mopse.stores._proving import Gone
from mopse.stores._tables import among, as_handles, by_upload, joined, number_of, pair, u128

__all__ = ["GoneRows", "Removing", "evidence_of", "first_late", "gone_rows"]


class GoneRows(Base):
    """What a store keeps of rows that a seal is of."""

    def _forget_gone(self, session: Work, place: int) -> None:
        session.run("DELETE FROM gone WHERE place = ?", place)
        unused = "NOT EXISTS (SELECT 1 FROM gone g WHERE g.evidence = evidence.number)"
        session.run(f"DELETE FROM evidence WHERE {unused}")

    def _unseal(self, session: Work, place: int, *, is_signed: bool) -> None:
        """Have the seal of a place count no more, as all that was sent there is removed."""
        self._forget_gone(session, place)
        where = "place = ? AND is_removed = 0"
        if is_signed:
            session.update("seals", where, (place,), is_removed=1)
        else:
            session.run(f"DELETE FROM seals WHERE {where}", place)
        self._sealed.pop(place, None)

    def _until(self, session: Work, place: int) -> int:
        """Return what `first_late` does, to whoever changes something: nobody else does then."""
        if not self._engine.is_exclusive:
            return first_late(session, place)
        if place not in self._sealed:
            self._sealed[place] = first_late(session, place)
        return self._sealed[place]

    def _note_gone(
        self,
        session: Work,
        of: int,
        rows: Collection[tuple[int, int]],
        by: "Removing",
    ) -> None:
        """Keep of sealed rows which are about to go what they were, and what shows that."""
        for facts, numbers in self._sealed_uploads(session, rows):
            number, positions = by.shown(session)
            for upload in self._as_uploads(session, of, facts.place, only=(facts.seq, numbers)):
                entries: list[list[Any]] = [[] for _ in range(len(upload))]
                for field, ciphertexts, records in upload.runs:
                    for at, record in zip(ciphertexts.tolist(), records.tolist(), strict=True):
                        entries[record].append((field, at))
                kept = zip(
                    upload.handles.tolist(),
                    upload.digests(),
                    upload.versions(),
                    entries,
                    strict=True,
                )
                session.insert(
                    "gone",
                    *(
                        (
                            facts.place,
                            u128(facts.number),
                            *pair(high << 64 | low),
                            digest,
                            json.dumps(of_row).encode(),
                            number,
                            positions[version],
                        )
                        for (high, low), digest, version, of_row in kept
                    ),
                )

    def _sealed_uploads(
        self, session: Work, rows: Collection[tuple[int, int]]
    ) -> list[tuple[Facts, list[int]]]:
        """Return those uploads of rows that are sealed, and the numbers of their rows."""
        found = []
        for seq, numbers in by_upload(rows).items():
            facts = self._upload(session, seq)
            if seq < self._until(session, facts.place):
                found.append((facts, numbers))
        return found

    def _as_uploads(
        self,
        session: Work,
        of: int,
        place: int,
        *,
        since: int = 0,
        until: int | None = None,
        only: tuple[int, Sequence[int]] | None = None,
        field: str | None = None,
    ) -> Iterator[StoredUpload]:
        """Yield rows of a place that are there, by upload; with the entries of one field or all."""
        group = session.group(of)
        fields = group.fields if field is None else {field: group.fields.get(field)}
        if only is not None:
            yield self._as_upload(session, group, *among(session, "r", *only), only[0], fields)
            return
        sql = "SELECT seq FROM uploads WHERE place = ? AND seq >= ? ORDER BY seq"
        for (seq,) in session.rows(sql, place, since):
            if until is None or seq < until:
                yield self._as_upload(session, group, "r.seq = ?", [seq], seq, fields)

    def _as_upload(
        self,
        session: Work,
        group: Group,
        where: str,
        values: Sequence[Any],
        seq: int,
        fields: Mapping[str, str | None],
    ) -> StoredUpload:
        """Return rows of one upload."""
        upload = self._upload(session, seq)
        owner, provider, epochs = session.place_of(upload.place)
        kinds: dict[str, type] = dict.fromkeys(("row_no", "high", "low"), int)
        kinds |= dict.fromkeys((group.portions[name] for name, _ in upload.layouts), bytes)
        columns = [f"r.{name}" for name in kinds]
        for column in filter(None, fields.values()):
            kinds |= {column: int, f"has_{column}": int}
            is_there = f"CASE WHEN r.{column} IS NULL THEN 0 ELSE 1 END AS has_{column}"
            columns += [f"coalesce(r.{column}, 0) AS {column}", is_there]
        sql = f"SELECT {', '.join(columns)} FROM {group.table} r WHERE {where} ORDER BY r.row_no"
        found = session.fetch(sql, values, kinds)
        runs = []
        for name, held_in in fields.items():
            column = held_in or ""
            rows = np.flatnonzero(found[f"has_{column}"]) if column else np.empty(0, np.int64)
            if len(rows):
                ciphertexts = found[column][rows]
                order = np.argsort(ciphertexts, kind="stable")
                runs.append((name, ciphertexts[order], rows[order].astype(np.uint32)))
        portions = []
        for name, layout in upload.layouts:
            ends, whole = found[group.portions[name]]
            portions.append((name, layout, (ends, whole.tobytes())))
        told = owner, provider, epochs, upload.number, bytes(32), upload.readers
        return StoredUpload(*told, as_handles(found["high"], found["low"]), portions, runs)


class Removing:
    """An upload that removes rows, and what shows that it does, once somebody needs that."""

    def __init__(self, upload: StoredUpload, message: bytes) -> None:
        self._upload, self._message = upload, message
        self._shown: tuple[int, dict[int, int]] | None = None

    def shown(self, session: Work) -> tuple[int, dict[int, int]]:
        """Keep the evidence, and return its number and where versions stand."""
        if self._shown is None:
            sql = "SELECT coalesce(max(number) + 1, 0) FROM evidence"
            [(number,)] = session.rows(sql)
            shown, positions = self._upload.evidence(self._message)
            session.insert("evidence", (number, shown))
            self._shown = number, positions
        return self._shown


def first_late(session: Work, place: int) -> int:
    """Return the first upload that came after the seal of a place; 0 if there is none."""
    found = session.rows("SELECT until FROM seals WHERE place = ? AND is_removed = 0", place)
    return int(found[0][0]) if found else 0


def gone_rows(session: Work, where: str, *values: Any) -> dict[int, list[Gone]]:
    """Return the sealed rows that are gone of the places that a condition names."""
    sql = "SELECT place, upload, high, low, content, entries, evidence, position FROM gone "
    found: dict[int, list[Gone]] = {}
    for place, upload, high, low, content, entries, *by in session.rows(sql + where, *values):
        fields = [(field, ciphertext) for field, ciphertext in json.loads(bytes(entries))]
        row = number_of(upload), joined(high, low), bytes(content)
        found.setdefault(place, []).append(Gone(*row, fields, *by))
    return found


def evidence_of(session: Work, where: str, *values: Any) -> dict[int, bytes]:
    """Return what shows that rows are gone, by its number."""
    sql = "SELECT number, shown FROM evidence WHERE number IN (SELECT g.evidence FROM gone g "
    return {number: bytes(shown) for number, shown in session.rows(f"{sql}{where})", *values)}
