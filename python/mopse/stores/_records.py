"""Uploads: which records they add, replace and remove, and the order that records lie in."""

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse._checked import checked
from mopse._mopse.message import StoredUpload, tombstone
from mopse.errors import ChangedError, InvalidInputError, MopseError
from mopse.stores._catalog import Group, Work
from mopse.stores._gone import GoneRows, Removing
from mopse.stores._tables import (
    FEW,
    among,
    as_array,
    by_upload,
    halves,
    packed_epochs,
    pair,
    u128,
    upload_of,
)
from mopse.stores._upkeep import row_digests

__all__ = ["Records"]

_QUIET, _PATIENCE = 0.5, 10.0
"""Seconds without a write before records are ordered, and how long that is waited for at most."""

_TAIL = 1 << 17
"""Records that may be out of order, or as many as are in it, before a thread orders them."""


def _at(position: int, error: MopseError) -> MopseError:
    """Return an error about a row of an upload."""
    error.position = position  # type: ignore[attr-defined]
    return error


def _stored(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {upload_of(upload.provider)}"
    return _at(position, InvalidInputError(f"{where} is stored already"))


def _not_stored(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {upload_of(upload.provider)}"
    return _at(position, InvalidInputError(f"{where} is not stored"))


def _changed(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {upload_of(upload.provider)}"
    return _at(position, ChangedError(f"{where} was changed since: look its version up again"))


class Records(GoneRows):
    """What a store does with uploads."""

    @checked()
    def add(self, upload: StoredUpload, message: bytes) -> tuple[int, int, int, bool]:
        """See `Store.add`."""
        with self._changing() as session:
            receipt = self._add(session, upload, message)
        if len(upload) > FEW:
            self._tidy()
        return receipt

    def _tidy(self) -> None:
        """Have a thread order records, if many are out of their order and none does it."""
        if not self._engine.is_exclusive or self._tidier is not None:
            return
        with self._reading() as session:
            overdue = self._overdue(session)
        if overdue:
            self._tidier = threading.Thread(target=self._tidied, name="mopse-compact", daemon=True)
            self._tidier.start()

    def _tidied(self) -> None:
        try:
            # An engine that fails says so to whoever comes next.
            with contextlib.suppress(MopseError):
                self._await_quiet()
                while self._tidied_one():
                    pass
        finally:
            self._tidier = None

    def _tidied_one(self) -> bool:
        """Order the records of a group, if those of one are overdue; say whether they were."""
        with self._changing() as session:
            overdue = self._overdue(session)
            if not overdue or self._is_closed:
                return False
            self._reorder(session, overdue[0])
        return True

    def _await_quiet(self) -> None:
        """Wait until nothing was written for a while, but not for long."""
        deadline = time.monotonic() + _PATIENCE
        while (now := time.monotonic()) < min(self._written_at + _QUIET, deadline):
            time.sleep(min(self._written_at + _QUIET, deadline) - now)

    def _overdue(self, session: Work) -> list[int]:
        """Return the groups of which more records are out of order than are in it."""
        sql = "SELECT g.id, g.ordered, sum(u.live) FROM record_groups g JOIN places p ON "
        sql += "p.of_group = g.id JOIN uploads u ON u.place = p.id GROUP BY g.id, g.ordered"
        found = session.rows(sql)
        return [of for of, ordered, live in found if live - ordered > max(ordered, _TAIL)]

    def _reorder(self, session: Work, number: int) -> None:
        group = session.group(number)
        by = next(iter(group.fields.values()), None)
        self._engine.reorder(session.session, group.table, by)
        [(count,)] = session.rows(f"SELECT count(*) FROM {group.table}")
        session.update("record_groups", "id = ?", (number,), ordered=count)

    def _add(
        self, session: Work, upload: StoredUpload, message: bytes
    ) -> tuple[int, int, int, bool]:
        owner = upload.owner
        upload.check_epochs(self._known_announcements(session, owner))
        repeated = self._repeated(session, owner, upload.provider, upload.id, upload.digest)
        if repeated is not None:
            return *repeated, True
        count = len(upload)
        is_new = session.place(owner, upload.provider, upload.epochs) is None
        place, of = self._made_place(session, owner, upload.provider, upload.epochs)
        found = {} if is_new else self._found(session, of, place, upload.handles)
        stones = {} if is_new else self._stones(session, place, upload.handles)
        added = self._check_new(session, of, upload, found, stones)
        gone = self._check_removed(session, upload)
        by = Removing(upload, message)
        if found:
            self._drop(session, of, list(found.values()), by)
        if stones:
            self._lift(session, place, upload.handles, stones)
        for at, in_group, rows in gone:
            self._has_stones[at] = True
            self._drop(session, in_group, [of_row for _, of_row in rows], by)
            stone = u128(upload.id)
            session.insert("tombstones", *((at, *pair(handle), stone) for handle, _ in rows))
        if count:
            self._keep(session, of, place, upload)
        removed = sum(len(rows) for _, _, rows in gone)
        receipt = added, count - added, removed
        self._take(session, owner, upload.id, upload.digest, upload.provider, receipt)
        return *receipt, False

    def _widen(self, session: Work, number: int, upload: StoredUpload) -> Group:
        """Return a group that has a column for each portion and field of an upload."""
        wanted = [("portion", name, "BLOB") for name, _, _ in upload.portions]
        wanted += [("field", name, "BIGINT") for name, _, _ in upload.runs]
        for kind, name, type_ in wanted:
            group = session.group(number)
            if name in (group.portions if kind == "portion" else group.fields):
                continue
            group = session.change().groups[number]
            position = group.positions
            column = group.add(kind, position, name)
            session.insert("group_columns", (number, kind, position, name))
            session.run(f"ALTER TABLE {group.table} ADD COLUMN {column} {type_}")
            if kind == "field":
                self._engine.index(session.session, group.table, column)
        return session.group(number)

    def _versions(
        self, session: Work, of: int, rows: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], int]:
        """Return the version of each of some records, by upload and row."""
        versions: dict[tuple[int, int], int] = {}
        for seq, numbers in by_upload(rows).items():
            of_upload = self._as_uploads(session, of, 0, only=(seq, numbers), field="")
            for upload in of_upload:
                pairs = zip(sorted(numbers), upload.versions(), strict=True)
                versions |= {(seq, row): version for row, version in pairs}
        return versions

    def _check_new(
        self,
        session: Work,
        of: int,
        upload: StoredUpload,
        found: Mapping[int, tuple[int, int]],
        stones: Mapping[int, int],
    ) -> int:
        """Check which version each record takes the place of; return how many take none."""
        named = dict(upload.replaced)
        versions = self._versions(session, of, [at for p, at in found.items() if p in named])
        for position in sorted({*named, *found, *stones}):
            version, at = named.get(position), found.get(position)
            if at is not None and version is None:
                raise _stored(upload, position)
            known = None
            if at is not None:
                known = versions[at]
            elif position in stones:
                high, low = upload.handles[position].tolist()
                known = tombstone(stones[position], high << 64 | low)
            if known is None and version is not None:
                raise _not_stored(upload, position)
            if version != known:
                raise _changed(upload, position)
        return len(upload) - len(found)

    def _check_removed(self, session: Work, upload: StoredUpload) -> list[Any]:
        """Check the version of each record that is removed; return place, group and rows."""
        gone: list[Any] = []
        position = len(upload)
        brought = None
        for epochs, rows in upload.removed:
            place = session.place(upload.owner, upload.provider, epochs)
            handles = as_array([handle for handle, _ in rows])
            found = {} if place is None else self._found(session, place[1], place[0], handles)
            versions = {} if place is None else self._versions(session, place[1], found.values())
            of_place = []
            for at, (handle, version) in enumerate(rows):
                if epochs == upload.epochs:
                    if brought is None:
                        brought = {high << 64 | low for high, low in upload.handles.tolist()}
                    if handle in brought:
                        raise _changed(upload, position)
                if at not in found:
                    raise _not_stored(upload, position)
                if versions[found[at]] != version:
                    raise _changed(upload, position)
                of_place.append((handle, found[at]))
                position += 1
            if place is not None and of_place:
                gone.append((*place, of_place))
        return gone

    def _drop(self, session: Work, of: int, rows: list[tuple[int, int]], by: Removing) -> None:
        """Delete records, and the uploads that have none left."""
        self._note_gone(session, of, rows, by)
        for seq, numbers in by_upload(rows).items():
            where, values = among(session, f"records_{of}", seq, numbers)
            session.run(f"DELETE FROM records_{of} WHERE {where}", *values)
            [(live,)] = session.rows("SELECT live FROM uploads WHERE seq = ?", seq)
            if live == len(numbers):
                session.run("DELETE FROM uploads WHERE seq = ?", seq)
                self._uploads.pop(seq, None)
            else:
                session.update("uploads", "seq = ?", (seq,), live=live - len(numbers))

    def _lift(
        self,
        session: Work,
        place: int,
        handles: NDArray[np.uint64],
        stones: Mapping[int, int],
    ) -> None:
        """Take the tombstones of records away that are there again."""
        high, low = halves(handles[sorted(stones)])
        staged = session.stage({"high": high, "low": low})
        among = f"(high, low) IN (SELECT s.high, s.low FROM {staged} s)"
        session.run(f"DELETE FROM tombstones WHERE place = ? AND {among}", place)

    def _keep(self, session: Work, of: int, place: int, upload: StoredUpload) -> None:
        group = self._widen(session, of, upload)
        seq = self._sequence(session)
        count = len(upload)
        layouts = json.dumps([(name, layout.hex()) for name, layout, _ in upload.portions])
        readers = packed_epochs([upload.readers])
        session.insert(
            "uploads",
            (seq, place, u128(upload.id), readers, layouts.encode(), count),
        )
        high, low = halves(upload.handles)
        self._note_highs(place, high)
        columns: dict[str, Any] = {
            "seq": np.full(count, seq, np.int64),
            "row_no": np.arange(count, dtype=np.int64),
            "place": np.full(count, place, np.int64),
            "high": high,
            "low": low,
        }
        for name, _, (ends, whole) in upload.portions:
            columns[group.portions[name]] = ends, np.frombuffer(whole, np.uint8)
        for name, ciphertexts, rows in upload.runs:
            values, valid = np.zeros(count, np.int64), np.zeros(count, np.bool_)
            values[rows], valid[rows] = ciphertexts, True
            columns[group.fields[name]] = values, valid
        columns["digest"] = row_digests(group, columns, count)
        session.load(group.table, columns)
