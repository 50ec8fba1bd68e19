"""A store as simple as can be, of dictionaries and lists that are searched from end to end.

Everything it keeps is bytes, numbers and texts, so that it can be written down and read again.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse.errors import InvalidInputError, ReplayError
from mopse.stores import (
    SPENT,
    Announcement,
    Attachment,
    Part,
    StoredFile,
    StoredUpload,
    Token,
)

__all__ = ["DictStore"]


class DictStore:
    """A store that keeps plain values in `kept`, and goes on from those of another."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        empty = {"announcements": {}, "uploads": [], "sequences": {}, "files": {}, "labels": {}}
        empty |= {"arrived": {}, "notes": {}}
        self.kept: dict[str, Any] = empty if kept is None else kept

    def owners(self) -> list[bytes]:
        """See `mopse.stores.Store.owners`."""
        return list(self.kept["announcements"])

    def announcement(self, owner: bytes) -> bytes | None:
        """See `mopse.stores.Store.announcement`."""
        _, message = self.kept["announcements"].get(owner, (0, None))
        return message

    def enroll(self, announcement: Announcement) -> None:
        """See `mopse.stores.Store.enroll`."""
        last, _ = self.kept["announcements"].get(announcement.owner, (0, b""))
        if announcement.number < last:
            raise ReplayError("a newer announcement is known")
        known = announcement.number, announcement.message
        self.kept["announcements"][announcement.owner] = known

    def add(self, upload: StoredUpload, message: bytes) -> None:
        """See `mopse.stores.Store.add`."""
        sender = upload.owner, upload.provider
        if upload.sequence <= self.kept["sequences"].get(sender, -1):
            raise ReplayError("the upload is not newer than the last one")
        place = (*sender, tuple(upload.epochs))
        handles = [_joined(halves) for halves in upload.handles]
        for other in self.kept["uploads"]:
            if other["place"] == place and not set(handles).isdisjoint(other["handles"]):
                raise InvalidInputError("a record is stored already")
        self.kept["sequences"][sender] = upload.sequence
        self.kept["uploads"].append(
            {
                "place": place,
                "group": upload.group,
                "handles": handles,
                "layout": upload.layout,
                "records": _unpacked(*upload.records),
                "runs": {
                    field: list(zip(ciphertexts.tolist(), records.tolist(), strict=True))
                    for field, ciphertexts, records in upload.runs
                },
            }
        )

    def add_file(self, attachment: Attachment, missing: Sequence[int], message: bytes) -> None:
        """See `mopse.stores.Store.add_file`."""
        file = attachment.file
        if (file.owner, file.number) in self.kept["files"]:
            raise ReplayError("the file was received before")
        place = file.owner, file.provider, tuple(file.epochs)
        labels = self.kept["labels"].setdefault(place, {})
        if any(label in labels for label, _ in attachment.entries):
            raise InvalidInputError("a keyword entry is stored already")
        labels.update(attachment.entries)
        self.kept["arrived"][place, file.number] = list(missing)
        self.kept["notes"].setdefault(place, []).append((file.number, attachment.note))
        kept = place, file.handle, file.description, file.body
        self.kept["files"][file.owner, file.number] = kept

    def arrived(
        self, owner: bytes, provider: str, epochs: Sequence[int], numbers: Sequence[int]
    ) -> list[Sequence[int] | None]:
        """See `mopse.stores.Store.arrived`."""
        place = owner, provider, tuple(epochs)
        return [self.kept["arrived"].get((place, number)) for number in numbers]

    def notes(self, owner: bytes, provider: str, epochs: Sequence[int]) -> list[tuple[int, bytes]]:
        """See `mopse.stores.Store.notes`."""
        return list(self.kept["notes"].get((owner, provider, tuple(epochs)), []))

    def add_base(self, owner: bytes, provider: str, epochs: Sequence[int], base: int) -> None:
        """See `mopse.stores.Store.add_base`."""
        self.kept["arrived"].setdefault(((owner, provider, tuple(epochs)), base), [])

    def label_count(self, owner: bytes, provider: str, epochs: Sequence[int]) -> int:
        """See `mopse.stores.Store.label_count`."""
        return len(self.kept["labels"].get((owner, provider, tuple(epochs)), {}))

    def search(self, tokens: Sequence[Token]) -> list[Part]:
        """See `mopse.stores.Store.search`."""
        return [part for token in tokens for part in self._answer(token)]

    def _answer(self, token: Token) -> list[Part]:
        reached = [upload for upload in self.kept["uploads"] if _reaches(token, upload)]
        found = [(upload, _matches(token, upload)) for upload in reached]
        parts = [_part(token, upload, records) for upload, records in found if records]
        return parts or [_part(token, upload, []) for upload in reached[-1:]]

    def count(self, tokens: Sequence[Token]) -> int:
        """See `mopse.stores.Store.count`."""
        return sum(map(len, self.search(tokens)))

    def labels(
        self, owner: bytes, provider: str, epochs: Sequence[int], labels: Sequence[int]
    ) -> list[int | None]:
        """See `mopse.stores.Store.labels`."""
        held = self.kept["labels"].get((owner, provider, tuple(epochs)), {})
        return [held.get(label) for label in labels]

    def _files(self, owner: bytes) -> Iterator[tuple[Any, StoredFile]]:
        for (of, number), kept in self.kept["files"].items():
            if of == owner and kept is not None:  # None stands for a file that was removed
                place, handle, description, body = kept
                file = StoredFile(*place, handle, number, description, body)
                yield place, file

    def files(
        self, owner: bytes, provider: str, epochs: Sequence[int], numbers: Sequence[int]
    ) -> list[StoredFile]:
        """See `mopse.stores.Store.files`."""
        wanted = owner, provider, tuple(epochs)
        held = {file.number: file for place, file in self._files(owner) if place == wanted}
        return [held[number].described() for number in numbers if number in held]

    def files_of(
        self, owner: bytes, provider: str, epochs: Sequence[int], handles: Sequence[int]
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

    def remove(self, owner: bytes, provider: str) -> tuple[int, int]:
        """See `mopse.stores.Store.remove`."""
        uploads = self.kept["uploads"]
        gone = [upload for upload in uploads if upload["place"][:2] == (owner, provider)]
        left = [upload for upload in uploads if upload["place"][:2] != (owner, provider)]
        self.kept["uploads"] = left
        files = [file for place, file in self._files(owner) if place[1] == provider]
        for file in files:
            self.kept["files"][owner, file.number] = None
        for place, labels in self.kept["labels"].items():
            if place[:2] == (owner, provider):
                labels.update(dict.fromkeys(labels, SPENT))
        return sum(len(upload["handles"]) for upload in gone), len(files)

    @property
    def contents(self) -> list[tuple[bytes, str, str, int, int]]:
        """See `mopse.stores.Store.contents`."""
        lines = []
        for upload in self.kept["uploads"]:
            owner, provider, _ = upload["place"]
            size = sum(map(len, upload["records"]))
            lines.append((owner, upload["group"], provider, len(upload["handles"]), size))
        return sorted(lines, key=lambda line: line[:2])

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """See `mopse.stores.Store.totals`."""
        entries = sum(len(run) for u in self.kept["uploads"] for run in u["runs"].values())
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
        for upload in self.kept["uploads"]:
            if (upload["place"][0], upload["group"]) == (owner, group):
                run = upload["runs"].get(field, [])
                entries += [(ciphertext, first + record) for ciphertext, record in run]
                first += len(upload["handles"])
        entries.sort(key=lambda entry: entry[0])
        ciphertexts = np.array([ciphertext for ciphertext, _ in entries], np.int64)
        return ciphertexts, np.array([record for _, record in entries], np.uint32)


def _joined(halves: NDArray[np.uint64]) -> int:
    high, low = halves.tolist()
    return high << 64 | low


def _halves(handles: Sequence[int]) -> NDArray[np.uint64]:
    halves = [[handle >> 64, handle & (1 << 64) - 1] for handle in handles]
    return np.array(halves, np.uint64).reshape(-1, 2)


def _unpacked(ends: NDArray[np.uint64], blob: bytes) -> list[bytes]:
    bounds = [0, *ends.tolist()]
    return [blob[start:end] for start, end in itertools.pairwise(bounds)]


def _reaches(token: Token, upload: dict[str, Any]) -> bool:
    owner, provider, epochs = upload["place"]
    authority, _, _ = provider.rpartition("/")
    if (owner, authority, list(epochs)) != (token.owner, *token.place):
        return False
    return token.scope == "group" or token.issuer == provider


def _matches(token: Token, upload: dict[str, Any]) -> list[int]:
    """Return the records that have an entry in every range, in order."""
    records = set(range(len(upload["handles"])))
    for field, low, high in token.predicates:
        run = upload["runs"].get(field, [])
        records &= {record for ciphertext, record in run if low <= ciphertext <= high}
    return sorted(records)


def _part(token: Token, upload: dict[str, Any], records: list[int]) -> Part:
    sealed = [upload["records"][record] for record in records]
    ends = np.cumsum([len(record) for record in sealed], dtype=np.uint64)
    handles = _halves([upload["handles"][record] for record in records])
    packed = ends, b"".join(sealed)
    return Part(*upload["place"], token.query, handles, upload["layout"], packed)
