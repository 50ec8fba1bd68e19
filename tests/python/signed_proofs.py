"""What proves an answer by signatures once more, for tests that lie with it.

The bytes as `src/message/sums.rs` and `src/message/neighbours.rs` say, and the trees over entries:
whatever a dishonest cloud can make of what it has.
"""

import copy
import dataclasses
import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from dishonest import packed, told, unpacked
from reference_messages import counted, head, listed, row_digest, u32, u64, u128

from mopse import Cloud, Query
from mopse._mopse import message
from mopse.messages import Answer
from mopse.stores import Part

__all__ = [
    "DROPPED",
    "GONE",
    "Dishonest",
    "Entry",
    "Lie",
    "Neighbour",
    "OfToken",
    "Proof",
    "Stretch",
    "entries_of",
    "handles_of",
    "packed",
    "pages",
    "told",
    "unpacked",
]

ANSWERED, DROPPED, GONE = 0, 1, 2


class Reader:
    """Reads what follows the head of a message."""

    def __init__(self, bytes_: bytes) -> None:
        self.bytes, self.at = bytes_, 0

    def raw(self, size: int) -> bytes:
        """Return the next bytes."""
        self.at += size
        assert self.at <= len(self.bytes)
        return self.bytes[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return the next number of so many bytes."""
        return int.from_bytes(self.raw(size), "little")

    def signed(self) -> int:
        """Return the next ciphertext."""
        return struct.unpack("<q", self.raw(8))[0]

    def counted(self) -> bytes:
        """Return the next bytes that come after their length."""
        return self.raw(self.number(8))

    def text(self) -> str:
        """Return the next text."""
        return self.counted().decode()

    def listed(self, one: Callable[[], Any]) -> list[Any]:
        """Return what comes after its number."""
        return [one() for _ in range(self.number(8))]


def _hashes(hashes: Sequence[bytes]) -> bytes:
    return listed(list(hashes))


@dataclasses.dataclass
class Neighbour:
    """An entry beyond a bound."""

    ciphertext: int
    handle: int
    upload: int
    digest: bytes

    def __bytes__(self) -> bytes:
        numbers = struct.pack("<q", self.ciphertext) + u128(self.handle) + u128(self.upload)
        return numbers + self.digest

    @classmethod
    def read(cls, reader: Reader) -> "Neighbour | None":
        """Read one, or that there is none."""
        if not reader.number(1):
            return None
        ciphertext, handle = reader.signed(), reader.number(16)
        return cls(ciphertext, handle, reader.number(16), reader.raw(32))


@dataclasses.dataclass
class Entry:
    """An entry of a range: of a row that the answer holds, or else of which row."""

    ciphertext: int
    handle: int
    kind: int = ANSWERED
    upload: int = 0
    digest: bytes = b""
    by: int = 0
    at: int = 0

    def __bytes__(self) -> bytes:
        written = struct.pack("<q", self.ciphertext) + u128(self.handle) + bytes([self.kind])
        if self.kind != ANSWERED:
            written += u128(self.upload) + self.digest
        return written + (u32(self.by) + u64(self.at) if self.kind == GONE else b"")

    @classmethod
    def read(cls, reader: Reader) -> "Entry":
        """Read one."""
        entry = cls(reader.signed(), reader.number(16), reader.number(1))
        if entry.kind != ANSWERED:
            entry.upload, entry.digest = reader.number(16), reader.raw(32)
        if entry.kind == GONE:
            entry.by, entry.at = reader.number(4), reader.number(8)
        return entry


@dataclasses.dataclass
class Stretch:
    """The entries of one provider in a range."""

    provider: str
    start: int
    left: Neighbour | None
    right: Neighbour | None
    entries: list[Entry]
    path: list[bytes]

    def __bytes__(self) -> bytes:
        written = counted(self.provider) + u64(self.start)
        for neighbour in (self.left, self.right):
            written += b"\0" if neighbour is None else b"\1" + bytes(neighbour)
        return written + listed([bytes(entry) for entry in self.entries]) + _hashes(self.path)

    @classmethod
    def read(cls, reader: Reader) -> "Stretch":
        """Read one."""
        provider, start = reader.text(), reader.number(8)
        left, right = Neighbour.read(reader), Neighbour.read(reader)
        entries = reader.listed(lambda: Entry.read(reader))
        return cls(provider, start, left, right, entries, reader.listed(lambda: reader.raw(32)))


@dataclasses.dataclass
class OfToken:
    """What proves what answers a token: uploads that are not sealed, stretches of each range."""

    unsealed: list[int]
    ranges: list[list[Stretch]]

    def __bytes__(self) -> bytes:
        # Hits; sums, dropped, gone and slots are those of proofs by sums.
        ranges = [u64(0) * 4 + listed([bytes(of) for of in range_]) for range_ in self.ranges]
        return listed([u128(upload) for upload in self.unsealed]) + u64(0) + listed(ranges)

    @classmethod
    def read(cls, reader: Reader) -> "OfToken":
        """Read one."""
        unsealed = reader.listed(lambda: reader.number(16))
        assert reader.number(8) == 0

        def range_() -> list[Stretch]:
            assert [reader.number(8) for _ in range(4)] == [0] * 4
            return reader.listed(lambda: Stretch.read(reader))

        return cls(unsealed, reader.listed(range_))


@dataclasses.dataclass
class Proof:
    """What proves an answer: heads of seals, removals, announcements, evidence, and by token."""

    snapshot: int
    heads: list[bytes]
    removals: list[bytes]
    announcements: list[bytes]
    evidence: list[tuple[bytes, int, bytes, list[bytes]]]
    tokens: list[OfToken]

    def __bytes__(self) -> bytes:
        lists = [self.heads, self.removals, self.announcements]
        evidence = [
            counted(of) + u64(first) + counted(chunks) + _hashes(path)
            for of, first, chunks, path in self.evidence
        ]
        return b"".join(
            [
                head("PRF", 1),
                u64(self.snapshot),
                *(listed([counted(part) for part in parts]) for parts in lists),
                listed(evidence),
                listed([bytes(token) for token in self.tokens]),
            ]
        )

    @classmethod
    def read(cls, written: bytes) -> "Proof":
        """Read a proof that was made by signatures."""
        reader = Reader(written)
        assert reader.raw(9) == head("PRF", 1)
        snapshot = reader.number(8)
        heads, removals, announcements = (reader.listed(reader.counted) for _ in range(3))

        def evidence() -> tuple[bytes, int, bytes, list[bytes]]:
            of, first, chunks = reader.counted(), reader.number(8), reader.counted()
            return of, first, chunks, reader.listed(lambda: reader.raw(32))

        shown = reader.listed(evidence)
        tokens = reader.listed(lambda: OfToken.read(reader))
        assert reader.at == len(written)
        return cls(snapshot, heads, removals, announcements, shown, tokens)

    @classmethod
    def of(cls, answer: Answer) -> "Proof":
        """Return the proof of an answer."""
        assert answer._proof is not None
        return cls.read(answer._proof.encode())

    def stretches(self, provider: str) -> Iterator[Stretch]:
        """Go through all that is shown of a provider, by its name in its group."""
        for token in self.tokens:
            for range_ in token.ranges:
                yield from (of for of in range_ if of.provider == provider)


# Trees


def _leaf(entry: Neighbour) -> bytes:
    return hashlib.sha256(b"\0" + bytes(entry)).digest()


def _levels(entries: Sequence[Neighbour]) -> list[list[bytes]]:
    levels = [[_leaf(entry) for entry in entries] or [hashlib.sha256(b"\0").digest()]]
    while len(levels[-1]) > 1:
        pairs = [levels[-1][at : at + 2] for at in range(0, len(levels[-1]), 2)]
        up = [hashlib.sha256(b"\1" + b"".join(p)).digest() if p[1:] else p[0] for p in pairs]
        levels.append(up)
    return levels


def path_of(entries: Sequence[Neighbour], start: int, end: int) -> list[bytes]:
    """Return the nodes beside some consecutive entries of a tree."""
    path = []
    for level in _levels(entries):
        if len(level) == 1 or start == end:
            break
        path += [level[start - 1]] if start % 2 else []
        path += [level[end]] if end % 2 and end < len(level) else []
        start, end = start // 2, (end + 1) // 2
    return path


def stretch_of(provider: str, entries: Sequence[Neighbour], start: int, end: int) -> Stretch:
    """Return the entries of a tree from one position up to another, with their neighbours."""
    left = entries[start - 1] if start else None
    right = entries[end] if end < len(entries) else None
    path = path_of(entries, start - (start > 0), end + (right is not None))
    shown = [Entry(entry.ciphertext, entry.handle) for entry in entries[start:end]]
    return Stretch(provider, start, left, right, shown, path)


def entries_of(answer: Answer, token: int = 0, range_: int = 0) -> dict[str, list[Neighbour]]:
    """Return all entries that an answer of a whole domain shows, by their provider's name."""
    rows = {
        (part.provider.rpartition("/")[2], handle): (part.upload, digest)
        for part in answer._parts
        for handle, digest in zip(handles_of(part), digests_of(part), strict=True)
    }
    found = {}
    for of in Proof.of(answer).tokens[token].ranges[range_]:
        assert of.left is None
        assert of.right is None
        found[of.provider] = [
            Neighbour(
                entry.ciphertext,
                entry.handle,
                *(
                    rows[of.provider, entry.handle]
                    if entry.kind == ANSWERED
                    else (entry.upload, entry.digest)
                ),
            )
            for entry in of.entries
        ]
    return found


# Parts


def handles_of(part: Part) -> list[int]:
    """Return the pseudonyms of a part's records."""
    return [high << 64 | low for high, low in np.asarray(part.handles).tolist()]


def as_handles(handles: Sequence[int]) -> Any:
    """Return pseudonyms as a part takes them."""
    halves = [(handle >> 64, handle & (2**64 - 1)) for handle in handles]
    return np.array(halves, np.uint64).reshape(-1, 2)


def digests_of(part: Part) -> list[bytes]:
    """Return what stands for each record of a part."""
    portions = [unpacked(sealed) for _, _, sealed in part.portions]
    return [row_digest(row) for row in zip(*portions, strict=True)]


def pages(parts: Sequence[Part]) -> list[Part]:
    """Return parts of one token, numbered anew."""
    last = len(parts) - 1
    return [told(part, page=at, is_last=at == last) for at, part in enumerate(parts)]


# A cloud that lies


Lie = Callable[[list[Part], Proof], Any]
"""Changes parts and proof; returns other parts, or nothing if these are changed in place."""


class Dishonest:
    """A cloud that tells what a lie makes of the answers of another one."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.lie: Lie | None = None
        self.instead: Query | None = None
        """A query that is answered in place of those that are asked."""

    def announcements(self, owner: bytes) -> bytes:
        """Return what is true."""
        return self.cloud.announcements(owner)

    def search(self, query: Query, **wanted: Any) -> Answer:
        """Return the lie."""
        answer = self.cloud.search(self.instead or query, **wanted)
        return answer if self.lie is None else lied(answer, query, self.lie)


def lied(answer: Answer, query: Query, lie: Lie) -> Answer:
    """Return what a lie makes of an answer, which names a query."""
    proof = None if answer._proof is None else Proof.of(answer)
    parts = list(answer._parts)
    asked = [*dict.fromkeys(part.token for part in parts)]
    # Without a proof there is nothing to change of it.
    told_proof = Proof(0, [], [], [], [], []) if proof is None else copy.deepcopy(proof)
    changed = lie(parts, told_proof)
    parts = parts if changed is None else list(changed)
    names = dict(zip(asked, (token.id for token in query.tokens), strict=True))
    by_token: dict[int, list[Part]] = {number: [] for number in names.values()}
    for part in parts:
        by_token[names.get(part.token, part.token)].append(part)
    nothing = answer._parts[0]
    renumbered = []
    for number, of in by_token.items():
        of = [part for part in of if len(part)] or of[:1]
        of = of or [Part.nothing(nothing.owner, number, nothing.snapshot)]
        renumbered += [told(part, token=number) for part in pages(of)]
    made = None if proof is None else message.Proof.decode(bytes(told_proof))
    return Answer(query._decoded.id, renumbered, made)
