"""A store as simple as can be, of dictionaries and lists that are searched from end to end.

Everything it keeps is bytes, numbers and texts, so that it can be written down and read again.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse.errors import ChangedError, InvalidInputError, MopseError, ReplayError
from mopse.stores import (
    BEGUN_FOR,
    MOST_BEGUN,
    SPENT,
    Announcement,
    Attachment,
    Epochs,
    Part,
    Piece,
    Query,
    Removal,
    StoredFile,
    StoredUpload,
    Token,
    tombstone,
)

__all__ = ["DictStore"]


class DictStore:
    """A store that keeps plain values in `kept`, and goes on from those of another."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        words = (
            "announcements",
            "begun",
            "tombstones",
            "taken",
            "changes",
            "files",
            "labels",
            "arrived",
        )
        empty: dict[str, Any] = {word: {} for word in (*words, "notes", "deeds")} | {"uploads": []}
        self.kept = empty if kept is None else kept

    def owners(self) -> list[bytes]:
        """See `mopse.stores.Store.owners`."""
        return list(self.kept["announcements"])

    def announcements(self, owner: bytes) -> list[bytes]:
        """See `mopse.stores.Store.announcements`."""
        kept = self.kept["announcements"].get(owner, {})
        return [kept[place] for place in sorted(kept, key=_by_names)]

    def enroll(self, announcements: Sequence[Announcement]) -> None:
        """See `mopse.stores.Store.enroll`."""
        owner = announcements[0].owner
        kept = dict(self.kept["announcements"].get(owner, {}))
        for announcement in announcements:
            path, epochs = announcement.place
            place = path, tuple(epochs)
            last = kept.get(place)
            if last is None or announcement.follows(Announcement.decode(last)):
                kept[place] = announcement.message
        self.kept["announcements"][owner] = kept

    def add(self, upload: StoredUpload, message: bytes) -> tuple[int, int, int, bool]:
        """See `mopse.stores.Store.add`."""
        upload.check_epochs(self.announcements(upload.owner))
        number = upload.owner, upload.id
        repeated = self._repeated(number, upload.digest)
        if repeated is not None:
            return *repeated, True
        place = upload.owner, upload.provider, tuple(upload.epochs)
        handles = [_joined(halves) for halves in upload.handles]
        added = self._check_new(place, handles, dict(upload.replaced))
        gone = self._check_removed(upload, handles)
        for at in handles:
            self._forget(place, at)
            self.kept["tombstones"].get(place, {}).pop(at, None)
        for removed_from, at in gone:
            self._forget(removed_from, at)
            self.kept["tombstones"].setdefault(removed_from, {})[at] = upload.id
        if handles:
            self._keep(upload, place, handles)
        self.kept["uploads"] = [kept for kept in self.kept["uploads"] if kept["records"]]
        receipt = added, len(handles) - added, len(gone)
        self._take(number, upload.digest, upload.provider, receipt)
        return *receipt, False

    def repeated(
        self, owner: bytes, provider: str, number: int, digest: bytes
    ) -> tuple[int, int, int] | None:
        """See `mopse.stores.Store.repeated`."""
        found: tuple[int, int, int] | None = self._repeated((owner, number), digest)
        return found

    def put(self, piece: Piece, now: int) -> None:
        """See `mopse.stores.Store.put`."""
        begun, key = self.kept["begun"], (piece.owner, piece.digest)
        for other in [of for of, (_, last, _) in begun.items() if now > last + BEGUN_FOR]:
            del begun[other]
        place = piece.owner, piece.provider, tuple(piece.epochs)
        others = [of for of, (whose, _, _) in begun.items() if whose == place and of != key]
        if len(others) == MOST_BEGUN:
            raise InvalidInputError("too many uploads were begun")
        _, _, chunks = begun.get(key, (place, now, {}))
        begun[key] = place, now, chunks | dict(piece.chunks())

    def chunks(self, owner: bytes, digest: bytes) -> list[int]:
        """See `mopse.stores.Store.chunks`."""
        return sorted(self.kept["begun"].get((owner, digest), (0, 0, {}))[2])

    def body(self, owner: bytes, digest: bytes) -> bytes:
        """See `mopse.stores.Store.body`."""
        chunks = self.kept["begun"].get((owner, digest), (0, 0, {}))[2]
        return b"".join(chunks[number] for number in sorted(chunks))

    def forget(self, owner: bytes, digest: bytes) -> None:
        """See `mopse.stores.Store.forget`."""
        self.kept["begun"].pop((owner, digest), None)

    def _repeated(self, number: tuple[bytes, int], digest: bytes) -> Any:
        """Return the receipt of a message that was carried out before."""
        known, _, receipt, is_gone = self.kept["taken"].get(number, (digest, "", None, False))
        if known != digest or is_gone:
            raise ReplayError("its number was used before")
        return receipt

    def _take(self, number: tuple[bytes, int], digest: bytes, provider: str, receipt: Any) -> None:
        self.kept["taken"][number] = digest, provider, receipt, False
        self._change(number[0])

    def _change(self, owner: bytes) -> None:
        self.kept["changes"][owner] = self.kept["changes"].get(owner, 0) + 1

    def _find(self, place: Any, handle: int) -> dict[str, Any] | None:
        """Return the upload that holds a record."""
        reached = (kept for kept in self.kept["uploads"] if kept["place"] == place)
        return next((kept for kept in reached if handle in kept["records"]), None)

    def _check_new(self, place: Any, handles: list[int], named: dict[int, int]) -> int:
        """Check which version each record takes the place of; return how many take none."""
        added = 0
        for position, handle in enumerate(handles):
            version, kept = named.get(position), self._find(place, handle)
            removed_by = self.kept["tombstones"].get(place, {}).get(handle)
            if kept is not None:
                known = kept["versions"][handle]
            else:
                known = None if removed_by is None else tombstone(removed_by, handle)
                added += 1
            if version is None and kept is not None:
                raise _at(position, InvalidInputError("a record is stored already"))
            if known is None and version is not None:
                raise _at(position, InvalidInputError("a record is not stored"))
            if version != known:
                raise _at(position, ChangedError("a record was changed"))
        return added

    def _check_removed(self, upload: StoredUpload, handles: list[int]) -> list[tuple[Any, int]]:
        """Check the version of each record that is removed; return their places and handles."""
        gone: list[tuple[Any, int]] = []
        for epochs, rows in upload.removed:
            place = upload.owner, upload.provider, tuple(epochs)
            for handle, version in rows:
                position, kept = len(handles) + len(gone), self._find(place, handle)
                if epochs == upload.epochs and handle in handles:
                    raise _at(position, ChangedError("a record is added and removed"))
                if kept is None:
                    raise _at(position, InvalidInputError("a record is not stored"))
                if kept["versions"][handle] != version:
                    raise _at(position, ChangedError("a record was changed"))
                gone.append((place, handle))
        return gone

    def _forget(self, place: Any, handle: int) -> None:
        kept = self._find(place, handle)
        if kept is not None:
            del kept["records"][handle], kept["versions"][handle]
            for field, run in kept["runs"].items():
                kept["runs"][field] = [entry for entry in run if entry[1] != handle]

    def _keep(self, upload: StoredUpload, place: Any, handles: list[int]) -> None:
        packed = [_unpacked(*sealed) for _, _, sealed in upload.portions]
        self.kept["uploads"].append(
            {
                "place": place,
                "group": upload.group,
                "number": upload.id,
                "readers": upload.readers,
                "portions": [(name, layout) for name, layout, _ in upload.portions],
                "records": dict(zip(handles, zip(*packed, strict=True), strict=True)),
                "versions": dict(zip(handles, upload.versions(), strict=True)),
                "runs": {
                    field: [(int(c), handles[row]) for c, row in zip(run, records, strict=True)]
                    for field, run, records in upload.runs
                },
            }
        )

    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """See `mopse.stores.Store.add_file`."""
        file = attachment.file
        attachment.check_epochs(self.announcements(file.owner))
        if (file.owner, file.number) in self.kept["files"]:
            raise ReplayError("the file was received before")
        place = file.owner, file.provider, tuple(file.epochs)
        labels = self.kept["labels"].setdefault(place, {})
        if any(label in labels for label, _ in attachment.entries):
            raise InvalidInputError("a keyword entry is stored already")
        labels.update(attachment.entries)
        self.kept["arrived"][place, file.number] = list(missing)
        self.kept["notes"].setdefault(place, []).append((file.number, attachment.note))
        kept = place, file.readers, file.handle, file.description, file.body
        self.kept["files"][file.owner, file.number] = kept
        self.kept["deeds"][file.owner, file.number] = attachment.deed(message)

    def arrived(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> list[Sequence[int] | None]:
        """See `mopse.stores.Store.arrived`."""
        place = owner, provider, tuple(epochs)
        return [self.kept["arrived"].get((place, number)) for number in numbers]

    def notes(self, owner: bytes, provider: str, epochs: Epochs) -> list[tuple[int, bytes]]:
        """See `mopse.stores.Store.notes`."""
        return list(self.kept["notes"].get((owner, provider, tuple(epochs)), []))

    def add_base(self, owner: bytes, provider: str, epochs: Epochs, base: int) -> None:
        """See `mopse.stores.Store.add_base`."""
        self.kept["arrived"].setdefault(((owner, provider, tuple(epochs)), base), [])

    def label_count(self, owner: bytes, provider: str, epochs: Epochs) -> int:
        """See `mopse.stores.Store.label_count`."""
        return len(self.kept["labels"].get((owner, provider, tuple(epochs)), {}))

    def search(self, query: Query) -> list[Part]:
        """See `mopse.stores.Store.search`."""
        return [part for token in query.tokens for part in self._answer(query.owner, token)]

    def _answer(self, owner: bytes, token: Token) -> list[Part]:
        uploads = [kept for kept in self.kept["uploads"] if _reaches(owner, token, kept["place"])]
        found = [(kept, _matches(token, kept)) for kept in uploads]
        found = [(kept, handles) for kept, handles in found if handles]
        removed = [
            (place, [(handle, by[handle]) for handle in token.handles if handle in by])
            for place, by in sorted(
                self.kept["tombstones"].items(), key=lambda i: _by_names(i[0][1:])
            )
            if _reaches(owner, token, place) and token.asks == "records"
        ]
        removed = [(place, stones) for place, stones in removed if stones]
        snapshot = self.kept["changes"].get(owner, 0)
        if not found and not uploads and not removed:
            return [Part.nothing(owner, token.id, snapshot)]
        if not found:
            found = [(kept, []) for kept in uploads[-1:]]
        pages: list[tuple[Any, ...]] = [_records(kept, handles) for kept, handles in found]
        pages += [(*place[1:], 0, (0, b""), _halves([]), [], stones) for place, stones in removed]
        last = len(pages) - 1
        return [
            Part(owner, token.id, snapshot, number, number == last, *page)
            for number, page in enumerate(pages)
        ]

    def count(self, query: Query) -> int:
        """See `mopse.stores.Store.count`."""
        return sum(map(len, self.search(query)))

    def labels(
        self, owner: bytes, provider: str, epochs: Epochs, labels: Sequence[int]
    ) -> list[int | None]:
        """See `mopse.stores.Store.labels`."""
        held = self.kept["labels"].get((owner, provider, tuple(epochs)), {})
        return [held.get(label) for label in labels]

    def _files(self, owner: bytes) -> Iterator[tuple[Any, StoredFile]]:
        for (of, number), kept in self.kept["files"].items():
            if of == owner and kept is not None:  # None stands for a file that was removed
                place, readers, handle, description, body = kept
                yield place, StoredFile(*place, readers, handle, number, description, body)

    def files(
        self, owner: bytes, provider: str, epochs: Epochs, numbers: Sequence[int]
    ) -> list[StoredFile]:
        """See `mopse.stores.Store.files`."""
        wanted = owner, provider, tuple(epochs)
        held = {file.number: file for place, file in self._files(owner) if place == wanted}
        return [held[number].described() for number in numbers if number in held]

    def files_of(
        self, owner: bytes, provider: str, epochs: Epochs, handles: Sequence[int]
    ) -> list[StoredFile]:
        """See `mopse.stores.Store.files_of`."""
        wanted = owner, provider, tuple(epochs)
        return [
            file.described()
            for handle in handles
            for place, file in self._files(owner)
            if place == wanted and file.handle == handle
        ]

    def file(self, owner: bytes, number: int) -> StoredFile | None:
        """See `mopse.stores.Store.file`."""
        return next((file for _, file in self._files(owner) if file.number == number), None)

    def deed(self, owner: bytes, number: int) -> bytes | None:
        """See `mopse.stores.Store.deed`."""
        is_there = self.file(owner, number) is not None
        return self.kept["deeds"][owner, number] if is_there else None

    def remove(self, owner: bytes, provider: str, removal: Removal | None) -> tuple[int, int, bool]:
        """See `mopse.stores.Store.remove`."""
        if removal is not None:
            repeated = self._repeated((owner, removal.id), removal.digest)
            if repeated is not None:
                return *repeated, True
        sender = owner, provider
        gone = [kept for kept in self.kept["uploads"] if kept["place"][:2] == sender]
        self.kept["uploads"] = [kept for kept in self.kept["uploads"] if kept not in gone]
        files = [file for place, file in self._files(owner) if place[1] == provider]
        there = sum(len(kept["records"]) for kept in gone), len(files)
        if removal is None and there == (0, 0):
            return *there, False
        for file in files:
            self.kept["files"][owner, file.number] = None
        for place, labels in self.kept["labels"].items():
            if place[:2] == sender:
                labels.update(dict.fromkeys(labels, SPENT))
        for place in [place for place in self.kept["tombstones"] if place[:2] == sender]:
            del self.kept["tombstones"][place]
        for number, (digest, path, receipt, _) in self.kept["taken"].items():
            if (number[0], path) == sender:
                self.kept["taken"][number] = digest, path, receipt, True
        if removal is None:
            self._change(owner)
        else:
            self._take((owner, removal.id), removal.digest, "", there)
        return *there, False

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """See `mopse.stores.Store.contents`."""
        lines = []
        for kept in self.kept["uploads"]:
            owner, provider, _ = kept["place"]
            records = kept["records"].values()
            size = sum(len(sealed) for portions in records for sealed in portions)
            lines.append((owner, kept["group"], provider, len(records), size))
        return sorted(lines, key=lambda line: line[:2])

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """See `mopse.stores.Store.totals`."""
        entries = sum(len(run) for kept in self.kept["uploads"] for run in kept["runs"].values())
        files = [kept for kept in self.kept["files"].values() if kept is not None]
        size = sum(len(description) + len(body) for *_, description, body in files)
        labels = [label for held in self.kept["labels"].values() for label in held.values()]
        return entries, len(files), size, sum(label != SPENT for label in labels)

    def merged(
        self, owner: bytes, group: str, field: str
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """See `mopse.stores.Store.merged`."""
        entries: list[tuple[int, int]] = []
        first = 0
        for kept in self.kept["uploads"]:
            if (kept["place"][0], kept["group"]) == (owner, group):
                number = {handle: first + at for at, handle in enumerate(kept["records"])}
                run = kept["runs"].get(field, [])
                entries += [(ciphertext, number[handle]) for ciphertext, handle in run]
                first += len(number)
        entries.sort(key=lambda entry: entry[0])
        ciphertexts = np.array([ciphertext for ciphertext, _ in entries], np.int64)
        return ciphertexts, np.array([record for _, record in entries], np.uint32)


def _at(position: int, error: MopseError) -> MopseError:
    """Return an error about a row of an upload."""
    error.position = position  # type: ignore[attr-defined]
    return error


def _by_names(place: tuple[str, Any]) -> tuple[list[str], Any]:
    path, epochs = place
    return path.split("/") if path else [], epochs


def _joined(halves: NDArray[np.uint64]) -> int:
    high, low = halves.tolist()
    return high << 64 | low


def _halves(handles: Sequence[int]) -> NDArray[np.uint64]:
    halves = [[handle >> 64, handle & (1 << 64) - 1] for handle in handles]
    return np.array(halves, np.uint64).reshape(-1, 2)


def _unpacked(ends: NDArray[np.uint64], blob: bytes) -> list[bytes]:
    bounds = [0, *ends.tolist()]
    return [blob[start:end] for start, end in itertools.pairwise(bounds)]


def _reaches(owner: bytes, token: Token, place: Any) -> bool:
    of, provider, epochs = place
    authority, _, name = provider.rpartition("/")
    path, above = token.place
    is_of_group = (of, authority, list(epochs)) == (owner, path, list(above))
    return is_of_group and token.provider in (None, name)


def _matches(token: Token, kept: dict[str, Any]) -> list[int]:
    """Return the records of an upload that a token asks for, in order."""
    asked = set(kept["records"])
    if token.asks == "records":
        asked &= set(token.handles)
    for field, low, high in token.predicates:
        run = kept["runs"].get(field, [])
        asked &= {handle for ciphertext, handle in run if low <= ciphertext <= high}
    return sorted(asked)


def _records(kept: dict[str, Any], handles: list[int]) -> tuple[Any, ...]:
    """Return what a part says of some records of an upload."""
    portions = []
    for at, (name, layout) in enumerate(kept["portions"]):
        sealed = [kept["records"][handle][at] for handle in handles]
        ends = np.cumsum([len(record) for record in sealed], dtype=np.uint64)
        portions.append((name, layout, (ends, b"".join(sealed))))
    _, provider, epochs = kept["place"]
    return provider, epochs, kept["number"], kept["readers"], _halves(handles), portions, []
