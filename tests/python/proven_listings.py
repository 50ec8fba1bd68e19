"""Listings with what proves them as they travel, read and written from their formats, to lie in."""

import dataclasses
from collections.abc import Callable
from typing import Any

import reference_messages as second
from dishonest import Reader

from mopse import Cloud, FileListing, FileRequest

__all__ = ["DishonestLister", "Find", "ListedFile", "Neighbours", "PlaceProof", "ToldListing"]


@dataclasses.dataclass
class ListedFile:
    """A stored file without its body."""

    head: bytes
    """Owner, provider and readers' epoch."""
    provider: str
    handle: int
    number: int
    description: bytes

    @classmethod
    def read(cls, reader: Reader) -> "ListedFile":
        """Return what stands next."""
        owner, names = reader.raw(32), []

        def level() -> bytes:
            names.append(reader.counted())
            return second.counted(names[-1]) + epoch(reader)

        levels = second.listed(reader.several(level))
        head = owner + levels + epoch(reader)
        file = cls(
            head,
            b"/".join(names).decode(),
            reader.number(16),
            reader.number(16),
            reader.counted(),
        )
        assert reader.raw(1) == b"\0", "no body travels in a listing"
        return file

    def __bytes__(self) -> bytes:
        named = second.u128(self.handle) + second.u128(self.number)
        return self.head + named + second.counted(self.description) + b"\0"


def epoch(reader: Reader) -> bytes:
    """Return an epoch as it travels."""
    number = reader.raw(4)
    salted = reader.raw(1)
    return number + salted + (reader.raw(16) if salted == b"\1" else b"")


@dataclasses.dataclass
class Neighbours:
    """Where pieces stand, and what is beside them: of files 64 bytes, of lines 48."""

    start: int
    left: bytes | None
    right: bytes | None
    path: list[bytes]


@dataclasses.dataclass
class Find:
    """What shows the files of a record (0), of a keyword (1), or that there is no such one (2)."""

    kind: int
    between: Neighbours | None = None
    at: int = 0
    files: list[bytes] = dataclasses.field(default_factory=list)
    """Number and digest of each."""
    path: list[bytes] = dataclasses.field(default_factory=list)

    @classmethod
    def read(cls, reader: Reader) -> "Find":
        """Return what stands next."""
        kind = reader.number(1)
        if kind == 1:
            at = reader.number()
            files = reader.several(lambda: reader.raw(48))
            return cls(kind, None, at, files, reader.several(lambda: reader.raw(32)))
        size = 64 if kind == 0 else 48
        start = reader.number()
        left = reader.raw(size) if reader.number(1) else None
        right = reader.raw(size) if reader.number(1) else None
        return cls(kind, Neighbours(start, left, right, reader.several(lambda: reader.raw(32))))

    def __bytes__(self) -> bytes:
        if self.between is None:
            shown = second.u64(self.at) + second.listed(self.files) + second.listed(self.path)
            return b"\1" + shown
        beside = [
            b"\0" if of is None else b"\1" + of for of in (self.between.left, self.between.right)
        ]
        return (
            bytes([self.kind])
            + second.u64(self.between.start)
            + b"".join(beside)
            + second.listed(self.between.path)
        )


@dataclasses.dataclass
class PlaceProof:
    """What shows the files of one provider."""

    unsealed: list[int]
    finds: list[Find]
    notes: list[bytes]

    @classmethod
    def read(cls, reader: Reader) -> "PlaceProof":
        """Return what stands next."""
        unsealed = reader.several(lambda: reader.number(16))
        finds = reader.several(lambda: Find.read(reader))
        return cls(unsealed, finds, reader.several(reader.counted))

    def __bytes__(self) -> bytes:
        return (
            second.listed([second.u128(number) for number in self.unsealed])
            + second.listed([bytes(find) for find in self.finds])
            + second.listed([second.counted(note) for note in self.notes])
        )


@dataclasses.dataclass
class ToldListing:
    """A listing that is about to be told."""

    request: int
    files: list[ListedFile]
    heads: list[bytes] | None = None
    removals: list[bytes] = dataclasses.field(default_factory=list)
    announcements: list[bytes] = dataclasses.field(default_factory=list)
    places: list[PlaceProof] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, message: bytes) -> "ToldListing":
        """Return the listing that travelled as these bytes."""
        reader = Reader(message)
        assert reader.raw(9) == second.head("LSG", 2)
        request = reader.number(16)
        found = cls(request, reader.several(lambda: ListedFile.read(reader)))
        if not reader.is_at_end():
            found.heads = reader.several(reader.counted)
            found.removals = reader.several(reader.counted)
            found.announcements = reader.several(reader.counted)
            found.places = reader.several(lambda: PlaceProof.read(reader))
        assert reader.is_at_end()
        return found

    def __bytes__(self) -> bytes:
        message = second.head("LSG", 2) + second.u128(self.request)
        message += second.listed([bytes(file) for file in self.files])
        if self.heads is None:
            return message
        for blobs in (self.heads, self.removals, self.announcements):
            message += second.listed([second.counted(blob) for blob in blobs])
        return message + second.listed([bytes(place) for place in self.places])


def honest(listing: ToldListing) -> None:
    """Tell no lie."""


class DishonestLister(Cloud):
    """A cloud that lies in what it lists, as long as it has a lie."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lie: Callable[[ToldListing], None] = honest

    def find(self, request: FileRequest | bytes, *, proof: bool = False) -> FileListing:
        """Return what the lie makes of a listing."""
        listing = ToldListing.of(bytes(super().find(request, proof=proof)))
        self.lie(listing)
        return FileListing.from_bytes(bytes(listing))
