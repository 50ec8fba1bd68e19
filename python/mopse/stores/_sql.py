"""A store over an engine that speaks SQL: tables, transactions, and what each operation does.

One wide table for each group holds its records: a row each, with the halves of its pseudonym, its
sealed portions, and one nullable ``BIGINT`` for each field. A ciphertext is a plain number there,
so that a range of it is a range of the engine. What an engine does in its own way is an `Engine`.

Every write is one transaction, and durable when it returns; every read is of one snapshot. A row of
every table carries a digest of its values, so that `SqlStore.check` finds what was damaged.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Self

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checked import checked
from mopse._files import as_folder
from mopse._mopse.message import (
    Announcement,
    Attachment,
    Part,
    Query,
    Removal,
    StoredFile,
    StoredUpload,
    Token,
    tombstone,
)
from mopse.errors import (
    ChangedError,
    DamagedFileError,
    InvalidInputError,
    MissingFileError,
    MopseError,
    ReplayError,
    WrongTypeError,
)
from mopse.stores._catalog import Catalog, Facts, Group, Work
from mopse.stores._tables import (
    FEW,
    FURTHER,
    INDEXES,
    TABLES,
    VERSION,
    Engine,
    Epochs,
    Session,
    among,
    as_array,
    as_handles,
    by_names,
    by_upload,
    digest_of,
    epochs_of,
    halves,
    joined,
    names_of,
    number_of,
    numbers_of,
    packed_epochs,
    pair,
    u128,
)
from mopse.stores._upkeep import (
    CATALOG,
    damaged_records,
    damaged_rows,
    exported,
    missing_rows,
    row_digests,
)

__all__ = ["SqlStore"]

_SPENT = -1

_NUMBERS = 0, 2**128 - 1
"""What numbers of messages, labels and handles are between."""

_QUIET, _PATIENCE = 0.5, 10.0
"""Seconds without a write before records are ordered, and how long that is waited for at most."""

_HIGHEST = 2**63 - 1
"""No ciphertext is higher."""

_TAIL = 1 << 17
"""Records that may be out of order, or as many as are in it, before a thread orders them."""


def _by(provider: str) -> str:
    """Return a provider as errors name it."""
    return f"provider {json.dumps(provider, ensure_ascii=False)}"


def _of(provider: str) -> str:
    return f"the upload of {_by(provider)}"


def _at(position: int, error: MopseError) -> MopseError:
    """Return an error about a row of an upload."""
    error.position = position  # type: ignore[attr-defined]
    return error


def _stored(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {_of(upload.provider)}"
    return _at(position, InvalidInputError(f"{where} is stored already"))


def _not_stored(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {_of(upload.provider)}"
    return _at(position, InvalidInputError(f"{where} is not stored"))


def _changed(upload: StoredUpload, position: int) -> MopseError:
    where = f"record {position} of {_of(upload.provider)}"
    return _at(position, ChangedError(f"{where} was changed since: look its version up again"))


class SqlStore:
    """A store whose tables an engine holds. Whoever opens an engine makes one.

    Parameters
    ----------
    engine : Engine
        The database.
    must_exist : bool
        Whether a store must be in it already.
    """

    def __init__(self, engine: Engine, *, must_exist: bool = False) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._catalog = Catalog()
        # What is announced, and how often that changed: whoever read before a change keeps none.
        self._announced: dict[bytes, list[bytes]] = {}
        self._enrolled = 0
        # What is under a number for ever, and what only whoever writes looks at.
        self._uploads: dict[int, Facts] = {}
        self._last: dict[bytes, int] = {}
        self._has_stones: dict[int, bool] = {}
        self._next: int | None = None
        self._tidier: threading.Thread | None = None
        self._is_closed = False
        self._written_at = time.monotonic()
        try:
            with self._engine.write() as session:
                _prepare(self._engine, session, must_exist)
        except BaseException:
            self._engine.close()
            raise

    @contextlib.contextmanager
    def _reading(self, owner: bytes = b"") -> Iterator[Work]:
        """Return a snapshot, which knows how many changes an owner's records have seen."""
        with self._engine.read() as session:
            changes = "(SELECT coalesce(max(change), 0) FROM taken WHERE owner = ?)"
            [(number, count)] = session.rows(f"SELECT catalog, {changes} FROM mopse_store", owner)
            yield Work(session, self._catalog_of(session, number), int(count))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Work]:
        """Return a transaction; what is known of groups and places is so once it is committed."""
        with self._writing:
            try:
                with self._engine.write() as session:
                    known = self._catalog
                    if not self._engine.is_exclusive or known.number < 0:
                        [(number,)] = session.rows("SELECT catalog FROM mopse_store")
                        known = self._catalog_of(session, number)
                    work = Work(session, known)
                    yield work
                self._catalog, self._written_at = work.catalog, time.monotonic()
            except BaseException:
                self._uploads.clear()
                self._last.clear()
                self._has_stones.clear()
                self._next = None
                raise

    def _catalog_of(self, session: Session, number: int) -> Catalog:
        """Return what is known of a state."""
        known = self._catalog
        if known.number == number:
            return known
        found = Catalog.of(session, number)
        if number > known.number:
            self._catalog = found
        return found

    def __reduce__(self) -> Never:
        raise WrongTypeError(
            "a store is a place, neither pickled nor copied: each process opens it, or a database"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was committed is there when it is opened again."""
        with self._writing:
            if not self._is_closed:
                self._is_closed = True
                self._engine.close()

    # Rows

    def _insert(self, session: Work, table: str, *rows: Sequence[Any]) -> None:
        """Add rows to a table, each with its digest."""
        rows = tuple((*row, digest_of(row)) for row in rows)
        names = [*names_of(table), "digest"]
        if len(rows) > FEW:
            columns = zip(*rows, strict=True)
            session.load(table, dict(zip(names, map(list, columns), strict=True)))
            return
        marks = ", ".join("?" * len(names))
        for row in rows:
            session.run(f"INSERT INTO {table} VALUES ({marks})", *row)

    def _set(self, session: Work, table: str, where: str, values: Any, **changes: Any) -> None:
        """Change some columns of the rows that a condition names, and their digests."""
        names = names_of(table)
        rows = session.rows(f"SELECT {', '.join(names)} FROM {table} WHERE {where}", *values)
        if not rows:
            return
        session.run(f"DELETE FROM {table} WHERE {where}", *values)
        changed = [
            tuple(changes.get(name, value) for name, value in zip(names, row, strict=True))
            for row in rows
        ]
        self._insert(session, table, *changed)

    # What is announced

    def owners(self) -> list[bytes]:
        """See `Store.owners`."""
        with self._reading() as session:
            found = session.rows("SELECT DISTINCT owner FROM announcements ORDER BY owner")
        return [bytes(owner) for (owner,) in found]

    @checked()
    def announcements(self, owner: bytes) -> list[bytes]:
        """See `Store.announcements`."""
        known = self._announced.get(owner)
        if known is not None and not self._is_closed:
            return known
        enrolled = self._enrolled
        with self._engine.read() as session:
            found = _announcements(session, owner)
        if self._engine.is_exclusive and enrolled == self._enrolled:
            self._announced[owner] = found
        return found

    def _known_announcements(self, session: Work, owner: bytes) -> list[bytes]:
        """Return what is announced, in a transaction that changes something."""
        known = self._announced.get(owner) if self._engine.is_exclusive else None
        return _announcements(session.session, owner) if known is None else known

    @checked()
    def enroll(self, announcements: Sequence[Announcement]) -> None:
        """See `Store.enroll`."""
        if not announcements:
            raise InvalidInputError("announcements must not be empty")
        owner = announcements[0].owner
        with self._changing() as session:
            for announcement in announcements:
                path, epochs = announcement.place
                place = owner, path, packed_epochs(epochs)
                where = "owner = ? AND path = ? AND epochs = ?"
                last = session.rows(f"SELECT message FROM announcements WHERE {where}", *place)
                if last and not announcement.follows(Announcement.decode(bytes(last[0][0]))):
                    continue
                session.run(f"DELETE FROM announcements WHERE {where}", *place)
                self._insert(session, "announcements", (*place, announcement.message))
        self._enrolled += 1
        self._announced.pop(owner, None)

    # Groups, places, uploads

    def _made_place(
        self, session: Work, owner: bytes, provider: str, epochs: Epochs
    ) -> tuple[int, int]:
        """Return the number of a place and of its group, which are there from now on."""
        found = session.place(owner, provider, epochs)
        if found is not None:
            return found
        authority, packed = provider.rpartition("/")[0], packed_epochs(epochs)
        known = session.change()
        group = session.group_at(owner, authority, epochs)
        if group is None:
            of = len(known.groups)
            nobody = np.empty((0, 2), np.uint64)
            label = Part(owner, 0, 0, 0, True, provider, epochs, 0, (0, b""), nobody, [], []).group
            self._insert(session, "record_groups", (of, owner, authority, packed, label, 0))
            session.run(
                f"CREATE TABLE records_{of} (seq BIGINT, row_no BIGINT, place BIGINT, "
                "high BIGINT, low BIGINT, digest BIGINT)"
            )
            self._engine.index(session.session, f"records_{of}", "place, high")
            self._engine.index(session.session, f"records_{of}", "seq, row_no")
            known.add_group(of, (owner, authority, packed))
        else:
            of = group.number
        number = len(known.places)
        self._insert(session, "places", (number, of, owner, provider, packed))
        known.add_place(number, of, (owner, provider, packed))
        return number, of

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
            self._insert(session, "group_columns", (number, kind, position, name))
            session.run(f"ALTER TABLE {group.table} ADD COLUMN {column} {type_}")
            if kind == "field":
                self._engine.index(session.session, group.table, column)
        return session.group(number)

    def _upload(self, session: Work, seq: int) -> Facts:
        if seq not in self._uploads:
            names = ", ".join(names_of("uploads"))
            [row] = session.rows(f"SELECT {names} FROM uploads WHERE seq = ?", seq)
            self._uploads[seq] = Facts(row)
        return self._uploads[seq]

    # Uploads

    @checked()
    def add(self, upload: StoredUpload, message: bytes) -> tuple[int, int, int, bool]:
        """See `Store.add`."""
        with self._changing() as session:
            receipt = self._add(session, upload)
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
        self._set(session, "record_groups", "id = ?", (number,), ordered=count)

    def _add(self, session: Work, upload: StoredUpload) -> tuple[int, int, int, bool]:
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
        if found:
            self._drop(session, of, list(found.values()))
        if stones:
            self._lift(session, place, upload.handles, stones)
        for at, in_group, rows in gone:
            self._has_stones[at] = True
            self._drop(session, in_group, [of_row for _, of_row in rows])
            stone = u128(upload.id)
            self._insert(session, "tombstones", *((at, *pair(handle), stone) for handle, _ in rows))
        if count:
            self._keep(session, of, place, upload)
        removed = sum(len(rows) for _, _, rows in gone)
        receipt = added, count - added, removed
        self._take(session, owner, upload.id, upload.digest, upload.provider, receipt)
        return *receipt, False

    def _repeated(
        self, session: Work, owner: bytes, provider: str, number: int, digest: bytes
    ) -> Any:
        """Return the receipt of a message that was carried out before."""
        sql = (
            "SELECT hash, added, replaced, removed, gone FROM taken WHERE owner = ? AND number = ?"
        )
        known = session.rows(sql, owner, u128(number))
        if not known:
            return None
        [(hash_, *receipt, is_gone)] = known
        if bytes(hash_) != digest or is_gone:
            if bytes(hash_) == digest:
                raise ReplayError(
                    f"{_of(provider)} was received before, and its records were removed since"
                )
            raise ReplayError(
                f"another upload or removal had the number of this one of {_by(provider)}"
            )
        return tuple(receipt)

    def _take(
        self,
        session: Work,
        owner: bytes,
        number: int | None,
        digest: bytes,
        provider: str,
        receipt: tuple[int, int, int],
    ) -> None:
        """Note a change; of a removal without a signature, which has no number, only that."""
        known = b"" if number is None else u128(number)
        change = self._changes(session, owner) + 1
        self._insert(session, "taken", (owner, known, digest, provider, *receipt, 0, change))
        self._last[owner] = change

    def _changes(self, session: Work, owner: bytes) -> int:
        """Return how many uploads and removals an owner's records have seen."""
        if self._engine.is_exclusive and owner in self._last:
            return self._last[owner]
        sql = "SELECT coalesce(max(change), 0) FROM taken WHERE owner = ?"
        return int(session.rows(sql, owner)[0][0])

    def _found(
        self, session: Work, of: int, place: int, handles: NDArray[np.uint64]
    ) -> dict[int, tuple[int, int]]:
        """Return upload and row of the records with these handles, by position."""
        table = f"records_{of}"
        sql = f"SELECT {{0}}, r.seq, r.row_no FROM {table} r"
        return {
            position: (seq, row)
            for position, seq, row in self._looked_up(session, sql, "r", place, handles)
        }

    def _stones(self, session: Work, place: int, handles: NDArray[np.uint64]) -> dict[int, int]:
        """Return the number of the upload that removed each of some records, by position."""
        if self._engine.is_exclusive:
            if place not in self._has_stones:
                sql = "SELECT 1 FROM tombstones WHERE place = ? LIMIT 1"
                self._has_stones[place] = bool(session.rows(sql, place))
            if not self._has_stones[place]:
                return {}
        sql = "SELECT {0}, t.number FROM tombstones t"
        rows = self._looked_up(session, sql, "t", place, handles)
        return {position: number_of(number) for position, number in rows}

    def _looked_up(
        self, session: Work, sql: str, of: str, place: int, handles: NDArray[np.uint64]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield position and columns of what a table has under handles at a place."""
        if not len(handles):
            return
        high, low = halves(handles)
        if len(handles) <= FEW:
            positions = {
                (h, w): at
                for at, (h, w) in enumerate(zip(high.tolist(), low.tolist(), strict=True))
            }
            marks = ", ".join("?" * len(handles))
            wanted = sql.format(f"{of}.high, {of}.low")
            where = f" WHERE {of}.place = ? AND {of}.high IN ({marks})"
            for h, w, *columns in session.rows(wanted + where, place, *high.tolist()):
                if (h, w) in positions:
                    yield positions[h, w], *columns
            return
        staged = session.stage({"high": high, "low": low, "item": np.arange(len(high))})
        join = f" JOIN {staged} s ON s.high = {of}.high AND s.low = {of}.low WHERE {of}.place = ?"
        yield from session.rows(sql.format("s.item") + join, place)

    def _versions(
        self, session: Work, of: int, rows: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], int]:
        """Return the version of each of some records, by upload and row."""
        group, versions = session.group(of), {}
        kinds: dict[str, type] = dict.fromkeys(("row_no", "high", "low"), int)
        for seq, numbers in by_upload(rows).items():
            upload = self._upload(session, seq)
            owner, provider, epochs = session.place_of(upload.place)
            names = {name: group.portions[name] for name, _ in upload.layouts}
            wanted = kinds | dict.fromkeys(names.values(), bytes)
            where, values = among(session, "r", seq, numbers)
            columns = ", ".join(f"r.{name}" for name in wanted)
            sql = f"SELECT {columns} FROM {group.table} r WHERE {where} ORDER BY r.row_no"
            found = session.fetch(sql, values, wanted)
            handles = as_handles(found["high"], found["low"])
            portions = [
                (name, layout, (found[names[name]][0], found[names[name]][1].tobytes()))
                for name, layout in upload.layouts
            ]
            told = owner, provider, epochs, upload.number, bytes(32), upload.readers
            of_upload = StoredUpload(*told, handles, portions, []).versions()
            for row, version in zip(found["row_no"].tolist(), of_upload, strict=True):
                versions[seq, row] = version
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

    def _drop(self, session: Work, of: int, rows: list[tuple[int, int]]) -> None:
        """Delete records, and the uploads that have none left."""
        for seq, numbers in by_upload(rows).items():
            where, values = among(session, f"records_{of}", seq, numbers)
            session.run(f"DELETE FROM records_{of} WHERE {where}", *values)
            [(live,)] = session.rows("SELECT live FROM uploads WHERE seq = ?", seq)
            if live == len(numbers):
                session.run("DELETE FROM uploads WHERE seq = ?", seq)
                self._uploads.pop(seq, None)
            else:
                self._set(session, "uploads", "seq = ?", (seq,), live=live - len(numbers))

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
        self._insert(
            session,
            "uploads",
            (seq, place, u128(upload.id), readers, layouts.encode(), count),
        )
        high, low = halves(upload.handles)
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

    def _sequence(self, session: Work) -> int:
        """Return the number of the next upload: no two have one, also when the last one is gone."""
        if not self._engine.is_exclusive:
            return int(session.rows("SELECT nextval('mopse_uploads')")[0][0])
        if self._next is None:
            [(self._next,)] = session.rows("SELECT count(*) FROM taken")
        self._next += 1
        return self._next - 1

    # Files

    @checked(missing=_NUMBERS)
    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """See `Store.add_file`."""
        with self._changing() as session:
            self._add_file(session, attachment, missing, attachment.deed(message))

    def _add_file(
        self, session: Work, attachment: Attachment, missing: Sequence[int], deed: bytes
    ) -> None:
        file = attachment.file
        attachment.check_epochs(self._known_announcements(session, file.owner))
        number = u128(file.number)
        if session.rows("SELECT 1 FROM files WHERE owner = ? AND number = ?", file.owner, number):
            raise ReplayError(f"a file of {_by(file.provider)} was received before")
        place, _ = self._made_place(session, file.owner, file.provider, file.epochs)
        for start in range(0, len(attachment.entries), FEW):
            some = [u128(label) for label, _ in attachment.entries[start : start + FEW]]
            marks = ", ".join("?" * len(some))
            if session.rows(
                f"SELECT 1 FROM labels WHERE place = ? AND label IN ({marks}) LIMIT 1", place, *some
            ):
                raise InvalidInputError(
                    f"a keyword entry of {_by(file.provider)} is stored already: its keyring is "
                    "older than its last file; catch up with the cloud, then attach the file again"
                )
        self._insert(
            session,
            "labels",
            *((place, u128(label), u128(masked)) for label, masked in attachment.entries),
        )
        self._insert(session, "arrived", (place, number, b"".join(map(u128, missing))))
        [(arrival,)] = session.rows("SELECT count(*) FROM notes WHERE place = ?", place)
        entries = len(attachment.entries)
        self._insert(session, "notes", (place, arrival, number, attachment.note, entries))
        readers = packed_epochs([file.readers])
        at = place, readers, *pair(file.handle), arrival
        self._insert(session, "files", (file.owner, number, *at, file.description))
        self._insert(session, "bodies", (file.owner, number, file.body or b"", deed))

    @checked(numbers=_NUMBERS)
    def arrived(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> list[Sequence[int] | None]:
        """See `Store.arrived`."""
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            found = {} if place is None else self._by_key(session, "arrived", place[0], numbers)
        known = {number: numbers_of(missing) for number, missing in found.items()}
        return [known.get(number) for number in numbers]

    def _by_key(
        self, session: Work, table: str, place: int, numbers: Sequence[int]
    ) -> dict[int, Any]:
        """Return the last column of the rows of a place with these numbers or labels."""
        _, key, value = names_of(table)[:3]
        found: dict[int, Any] = {}
        for start in range(0, len(numbers), FEW):
            some = [u128(number) for number in numbers[start : start + FEW]]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT {key}, {value} FROM {table} WHERE place = ? AND {key} IN ({marks})"
            found |= {number_of(of): kept for of, kept in session.rows(sql, place, *some)}
        return found

    @checked()
    def notes(self, owner: bytes, provider: str, epochs: Epochs) -> list[tuple[int, bytes]]:
        """See `Store.notes`."""
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return []
            sql = "SELECT number, note FROM notes WHERE place = ? ORDER BY arrival"
            return [(number_of(of), bytes(note)) for of, note in session.rows(sql, place[0])]

    @checked(base=_NUMBERS)
    def add_base(self, owner: bytes, provider: str, epochs: Epochs, base: int) -> None:
        """See `Store.add_base`."""
        with self._changing() as session:
            place, _ = self._made_place(session, owner, provider, epochs)
            if not self._by_key(session, "arrived", place, [base]):
                self._insert(session, "arrived", (place, u128(base), b""))

    @checked()
    def label_count(self, owner: bytes, provider: str, epochs: Epochs) -> int:
        """See `Store.label_count`."""
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return 0
            sql = "SELECT count(*) FROM labels WHERE place = ?"
            return int(session.rows(sql, place[0])[0][0])

    @checked(labels=_NUMBERS)
    def labels(
        self, owner: bytes, provider: str, epochs: Epochs, labels: Sequence[int]
    ) -> list[int | None]:
        """See `Store.labels`."""
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            found = {} if place is None else self._by_key(session, "labels", place[0], labels)
        known = {
            label: _SPENT if masked is None else number_of(masked)
            for label, masked in found.items()
        }
        return [known.get(label) for label in labels]

    def _described(
        self, session: Work, place: int, where: str, values: Sequence[Any]
    ) -> list[StoredFile]:
        owner, provider, epochs = session.place_of(place)
        sql = "SELECT number, readers, high, low, description FROM files WHERE place = ? AND "
        sql += f"description IS NOT NULL AND {where} ORDER BY arrival"
        found = []
        for number, readers, high, low, description in session.rows(sql, place, *values):
            [of] = epochs_of(readers)
            at = joined(high, low), number_of(number)
            found.append(StoredFile(owner, provider, epochs, of, *at, bytes(description), None))
        return found

    @checked(numbers=_NUMBERS)
    def files(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> list[StoredFile]:
        """See `Store.files`."""
        found: dict[int, StoredFile] = {}
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return []
            for start in range(0, len(numbers), FEW):
                some = [u128(number) for number in numbers[start : start + FEW]]
                marks = ", ".join("?" * len(some))
                for file in self._described(session, place[0], f"number IN ({marks})", some):
                    found[file.number] = file
        return [found[number] for number in numbers if number in found]

    @checked(handles=_NUMBERS)
    def files_of(
        self, owner: bytes, provider: str, epochs: Epochs, handles: Sequence[int]
    ) -> list[StoredFile]:
        """See `Store.files_of`."""
        found: dict[int, list[StoredFile]] = {}
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return []
            for start in range(0, len(handles), FEW):
                some = [pair(handle)[0] for handle in handles[start : start + FEW]]
                marks = ", ".join("?" * len(some))
                for file in self._described(session, place[0], f"high IN ({marks})", some):
                    found.setdefault(file.handle, []).append(file)
        return [file for handle in handles for file in found.get(handle, [])]

    @checked(number=_NUMBERS)
    def file(self, owner: bytes, number: int) -> StoredFile | None:
        """See `Store.file`."""
        sql = "SELECT f.place, f.readers, f.high, f.low, f.description, b.body FROM files f JOIN "
        sql += "bodies b ON b.owner = f.owner AND b.number = f.number WHERE f.owner = ? AND "
        sql += "f.number = ?"
        with self._reading() as session:
            rows = session.rows(sql, owner, u128(number))
            if not rows:
                return None
            [(place, readers, high, low, description, body)] = rows
            _, provider, epochs = session.place_of(place)
        [of] = epochs_of(readers)
        at = joined(high, low), number
        return StoredFile(owner, provider, epochs, of, *at, bytes(description), bytes(body))

    @checked(number=_NUMBERS)
    def deed(self, owner: bytes, number: int) -> bytes | None:
        """See `Store.deed`."""
        sql = "SELECT deed FROM bodies WHERE owner = ? AND number = ?"
        with self._engine.read() as session:
            found = session.rows(sql, owner, u128(number))
        return bytes(found[0][0]) if found else None

    # Answers

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

    # Removal

    @checked()
    def remove(self, owner: bytes, provider: str, removal: Removal | None) -> tuple[int, int, bool]:
        """See `Store.remove`."""
        with self._changing() as session:
            return self._remove(session, owner, provider, removal)

    def _remove(
        self, session: Work, owner: bytes, provider: str, removal: Removal | None
    ) -> tuple[int, int, bool]:
        if removal is not None:
            repeated = self._repeated(session, owner, provider, removal.id, removal.digest)
            if repeated is not None:
                return repeated[0], repeated[1], True
        sql = "SELECT id, of_group FROM places WHERE owner = ? AND provider = ?"
        records = files = 0
        places = session.rows(sql, owner, provider)
        for place, _ in places:
            sql = "SELECT coalesce(sum(live), 0) FROM uploads WHERE place = ?"
            records += int(session.rows(sql, place)[0][0])
            sql = "SELECT count(*) FROM files WHERE place = ? AND description IS NOT NULL"
            files += session.rows(sql, place)[0][0]
        if removal is None and (records, files) == (0, 0):
            return 0, 0, False
        for place, of in places:
            session.run(f"DELETE FROM records_{of} WHERE place = ?", place)
            session.run("DELETE FROM uploads WHERE place = ?", place)
            session.run("DELETE FROM tombstones WHERE place = ?", place)
            where = "place = ? AND description IS NOT NULL"
            in_place = f"SELECT f.number FROM files f WHERE {where}"
            session.run(
                f"DELETE FROM bodies WHERE owner = ? AND number IN ({in_place})", owner, place
            )
            self._set(session, "files", where, (place,), description=None)
            self._set(session, "labels", "place = ? AND masked IS NOT NULL", (place,), masked=None)
        where = "owner = ? AND provider = ? AND gone = 0"
        self._set(session, "taken", where, (owner, provider), gone=1)
        number, digest = (None, b"") if removal is None else (removal.id, removal.digest)
        self._take(session, owner, number, digest, "", (records, files, 0))
        return records, files, False

    # What there is

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
            [(labels,)] = session.rows("SELECT count(masked) FROM labels")
        return int(entries), int(files), int(size) + int(more), int(labels)

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

    # Maintenance

    def compact(self) -> None:
        """Have records lie in the order of their first field, so that ranges of it read less.

        No answer changes. What was removed is purged from the tables.
        """
        with self._changing() as session:
            for number in session.catalog.groups:
                self._reorder(session, number)

    @checked()
    def export(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the records of each group as Parquet, in the order of the first field.

        Parameters
        ----------
        folder : path
            Where the files go; it is made.

        Returns
        -------
        dict of str to Path
            The file of each group, by owner and group: ``high`` and ``low``, the halves of the
            pseudonyms, the sealed portions, and the ciphertexts of each field. The metadata say
            whose it is.

        Raises
        ------
        mopse.errors.FileAccessError
            If a file cannot be written.

        Notes
        -----
        The records of one group are in memory at a time. **Leakage.** That of the store.
        """
        with self._reading() as session:
            return exported(session, as_folder(folder))

    def check(self) -> list[str]:
        """Return what is damaged, a line each; nothing of a store that is whole.

        Every row of every table is held against its digest, uploads against their records, and
        tables against what others say of them. Tombstones that are missing are not noticed: no
        other table tells how many there were.
        """
        with self._engine.read() as session:
            found = damaged_rows(session) + missing_rows(session)
            if any(line.startswith(CATALOG) for line in found):
                return found  # without these tables no other one can be read
            [(number,)] = session.rows("SELECT catalog FROM mopse_store")
            return found + damaged_records(session, Catalog.of(session, number))


def _prepare(engine: Engine, session: Session, must_exist: bool) -> None:
    """Make the tables of a new store; refuse those of another version, and tables of others."""
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    tables = {name for (name,) in session.rows(sql)}
    if "mopse_store" in tables:
        versions = session.rows("SELECT version FROM mopse_store")
        if versions == [(VERSION,)]:
            return
        if versions:
            raise InvalidInputError(
                f"the store is of version {versions[0][0]}, and this package knows version "
                f"{VERSION}: open it with a newer one"
            )
    elif tables:
        raise DamagedFileError("it is no store: there are tables of somebody else in it")
    if must_exist:
        raise MissingFileError("there is no store in it")
    session.run("CREATE TABLE IF NOT EXISTS mopse_store (version BIGINT, catalog BIGINT)")
    for name, columns in TABLES.items():
        session.run(f"CREATE TABLE {name} ({columns}, digest BIGINT)")
    for name, columns in INDEXES.items():
        session.run(f"CREATE INDEX {name}_index ON {name} ({columns})")
    for name, columns in FURTHER:
        engine.index(session, name, columns)
    session.run("CREATE SEQUENCE mopse_uploads MINVALUE 0 START 0")
    session.run("INSERT INTO mopse_store VALUES (?, 0)", VERSION)


def _announcements(session: Session, owner: bytes) -> list[bytes]:
    sql = "SELECT path, epochs, message FROM announcements WHERE owner = ?"
    rows = [(path, epochs_of(of), bytes(message)) for path, of, message in session.rows(sql, owner)]
    return [message for *_, message in sorted(rows, key=lambda row: by_names(row[:2]))]


def _path(token: Token) -> str:
    """Return the path of the one provider that a token reaches."""
    authority = token.place[0]
    return f"{authority}/{token.provider}" if authority else str(token.provider)
