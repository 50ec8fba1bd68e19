"""Files of records: their entries, notes, descriptions and bodies."""

from collections.abc import Sequence
from typing import Any

from mopse._checked import checked
from mopse._mopse.message import Attachment, StoredFile
from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MopseError,
    ReplayError,
)
from mopse.stores._base import Base
from mopse.stores._catalog import Work
from mopse.stores._tables import (
    FEW,
    NUMBERS,
    Body,
    Epochs,
    Spool,
    by_provider,
    epochs_of,
    joined,
    names_of,
    number_of,
    numbers_of,
    packed_epochs,
    pair,
    u128,
)

__all__ = ["LARGE", "Filing", "kept_file"]

LARGE = 1 << 22
"""Bytes of a body above which it lies outside of the tables of files."""

_SPENT = -1


class Filing(Base):
    """What a store does with files."""

    @checked(missing=NUMBERS)
    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """See `Store.add_file`."""
        deed, body = attachment.deed(message), attachment.file.body or b""
        if len(body) > LARGE:
            with self.spool() as spool:
                spool.write(body)
                return self.add_spooled(attachment, missing, deed, spool)
        with self._changing() as session:
            self._add_file(session, attachment, missing, body, deed)

    def spool(self) -> Spool:
        """See `SpoolStore.spool`."""
        return self._engine.spool()

    @checked(missing=NUMBERS)
    def add_spooled(
        self,
        attachment: Attachment,
        missing: Sequence[int],
        deed: bytes,
        spool: Spool,
    ) -> None:
        """See `SpoolStore.add_spooled`."""
        spool.settle()
        file = attachment.file
        try:
            with self._changing(spool) as session:
                self._add_file(session, attachment, missing, None, deed)
                row = file.owner, u128(file.number), spool.name, spool.size
                session.insert("large", row)
        except BaseException as error:
            is_refused = isinstance(error, MopseError)
            if not is_refused or isinstance(error, FileAccessError | DamagedFileError):
                self._resolve(spool)
            raise
        spool.keep()

    def _resolve(self, spool: Spool) -> None:
        """Keep a body or let it go after a transaction that ended nobody knows how."""
        try:
            with self._engine.read() as session:
                if session.rows("SELECT 1 FROM large WHERE name = ?", spool.name):
                    spool.keep()
        except MopseError:
            spool.leave()

    @checked(number=NUMBERS)
    def spooled(self, owner: bytes, number: int) -> tuple[StoredFile, int, Body] | None:
        """See `SpoolStore.spooled`."""
        with self._reading() as session:
            found = kept_file(session, owner, number)
        if found is None or found[2] is None:
            return None
        try:
            return found[0], found[2][1], self._engine.body(*found[2])
        except DamagedFileError:
            with self._reading() as session:
                if kept_file(session, owner, number) is not None:
                    raise
            return None  # removed since it was looked for

    def _add_file(
        self,
        session: Work,
        attachment: Attachment,
        missing: Sequence[int],
        body: bytes | None,
        deed: bytes,
    ) -> None:
        file = attachment.file
        attachment.check_epochs(self._known_announcements(session, file.owner))
        number = u128(file.number)
        if session.rows("SELECT 1 FROM files WHERE owner = ? AND number = ?", file.owner, number):
            raise ReplayError(f"a file of {by_provider(file.provider)} was received before")
        place, _ = self._made_place(session, file.owner, file.provider, file.epochs)
        for start in range(0, len(attachment.entries), FEW):
            some = [u128(label) for label, _ in attachment.entries[start : start + FEW]]
            marks = ", ".join("?" * len(some))
            if session.rows(
                f"SELECT 1 FROM labels WHERE place = ? AND label IN ({marks}) LIMIT 1", place, *some
            ):
                whose = by_provider(file.provider)
                raise InvalidInputError(
                    f"a keyword entry of {whose} is stored already: its keyring is older than its "
                    "last file; catch up with the cloud, then attach the file again"
                )
        session.insert(
            "labels",
            *((place, u128(label), u128(masked)) for label, masked in attachment.entries),
        )
        session.insert("arrived", (place, number, b"".join(map(u128, missing))))
        [(arrival,)] = session.rows("SELECT count(*) FROM notes WHERE place = ?", place)
        entries = len(attachment.entries)
        session.insert("notes", (place, arrival, number, attachment.note, entries))
        readers = packed_epochs([file.readers])
        at = place, readers, *pair(file.handle), arrival
        session.insert("files", (file.owner, number, *at, file.description))
        session.insert("bodies", (file.owner, number, body, deed))

    @checked(numbers=NUMBERS)
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

    @checked(base=NUMBERS)
    def add_base(self, owner: bytes, provider: str, epochs: Epochs, base: int) -> None:
        """See `Store.add_base`."""
        with self._changing() as session:
            place, _ = self._made_place(session, owner, provider, epochs)
            if not self._by_key(session, "arrived", place, [base]):
                session.insert("arrived", (place, u128(base), b""))

    @checked()
    def label_count(self, owner: bytes, provider: str, epochs: Epochs) -> int:
        """See `Store.label_count`."""
        with self._reading() as session:
            place = session.place(owner, provider, epochs)
            if place is None:
                return 0
            sql = "SELECT count(*) FROM labels WHERE place = ?"
            return int(session.rows(sql, place[0])[0][0])

    @checked(labels=NUMBERS)
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

    @checked(numbers=NUMBERS)
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

    @checked(handles=NUMBERS)
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

    @checked(number=NUMBERS)
    def file(self, owner: bytes, number: int) -> StoredFile | None:
        """See `Store.file`."""
        with self._reading() as session:
            found = kept_file(session, owner, number)
        if found is None:
            return None
        file, body, large = found
        if large is not None:
            there = self.spooled(owner, number)
            if there is None:
                return None
            body = b"".join(there[2])
        return _with_body(file, body)

    @checked(number=NUMBERS)
    def deed(self, owner: bytes, number: int) -> bytes | None:
        """See `Store.deed`."""
        sql = "SELECT deed FROM bodies WHERE owner = ? AND number = ?"
        with self._engine.read() as session:
            found = session.rows(sql, owner, u128(number))
        return bytes(found[0][0]) if found else None


def _with_body(file: StoredFile, body: bytes) -> StoredFile:
    of_place = file.owner, file.provider, file.epochs, file.readers
    return StoredFile(*of_place, file.handle, file.number, file.description, body)


def kept_file(
    session: Work, owner: bytes, number: int
) -> tuple[StoredFile, bytes, tuple[str, int] | None] | None:
    """Return a file, and its body or the name and size of that."""
    sql = "SELECT f.place, f.readers, f.high, f.low, f.description, b.body, l.name, l.size "
    sql += "FROM files f JOIN bodies b ON b.owner = f.owner AND b.number = f.number LEFT JOIN "
    sql += "large l ON l.owner = f.owner AND l.number = f.number WHERE f.owner = ? AND "
    sql += "f.number = ?"
    rows = session.rows(sql, owner, u128(number))
    if not rows:
        return None
    [(place, readers, high, low, description, body, name, size)] = rows
    _, provider, epochs = session.place_of(place)
    [of] = epochs_of(readers)
    at = joined(high, low), number
    file = StoredFile(owner, provider, epochs, of, *at, bytes(description), None)
    if name is not None:
        return file, b"", (name, size)
    if body is None:
        raise DamagedFileError("the store has lost where a body is: check it")
    return file, bytes(body), None
