"""A cloud that tells lies: what it answers is taken apart, changed, and put together again.

It is made of the public API: a `mopse.Cloud`, the parts of its answers, and the bytes of a proof as
the header of `src/message/sums.rs` has them.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import reference_messages as second

from mopse import Cloud, Query
from mopse.messages import Answer, Count
from mopse.stores import Part

__all__ = [
    "Dishonest",
    "Evidence",
    "Gone",
    "Listed",
    "Proof",
    "Range",
    "Row",
    "Slots",
    "Token",
    "Told",
    "packed",
    "row_of",
    "told",
    "unpacked",
]

Row: TypeAlias = tuple[int, bytes]
"""Handle and digest."""


def told(part: Part, rows: Sequence[int] | None = None, **changes: Any) -> Part:
    """Return a part with other facts, and of its records those of some rows."""
    names = "owner", "token", "snapshot", "page", "is_last", "provider", "epochs", "upload"
    facts = {name: getattr(part, name) for name in (*names, "readers", "handles", "portions")}
    facts |= {"removed": part.removed} | changes
    if rows is not None:
        facts["handles"] = facts["handles"][list(rows)]
        facts["portions"] = [
            (name, layout, packed([unpacked(sealed)[row] for row in rows]))
            for name, layout, sealed in facts["portions"]
        ]
    return Part(*facts.values())


def unpacked(sealed: tuple[Any, bytes]) -> list[bytes]:
    """Return each of some sealed records."""
    ends, blob = sealed
    bounds = [0, *ends.tolist()]
    return [blob[start:end] for start, end in itertools.pairwise(bounds)]


def packed(records: Sequence[bytes]) -> tuple[Any, bytes]:
    """Return sealed records as a part takes them."""
    return np.cumsum([len(record) for record in records], dtype=np.uint64), b"".join(records)


def row_of(part: Part, row: int) -> Row:
    """Return handle and digest of a record of a part."""
    high, low = part.handles[row].tolist()
    sealed = [unpacked(records)[row] for _, _, records in part.portions]
    return high << 64 | low, second.row_digest(sealed)


class Reader:
    """Reads a message from its first byte on."""

    def __init__(self, message: bytes) -> None:
        self._left = message

    def raw(self, size: int) -> bytes:
        """Return so many bytes."""
        assert size <= len(self._left)
        found, self._left = self._left[:size], self._left[size:]
        return found

    def number(self, size: int = 8) -> int:
        """Return a number of so many bytes."""
        return int.from_bytes(self.raw(size), "little")

    def counted(self) -> bytes:
        """Return what stands after its length."""
        return self.raw(self.number())

    def several(self, one: Callable[[], Any]) -> list[Any]:
        """Return what stands after its number."""
        return [one() for _ in range(self.number())]

    def is_at_end(self) -> bool:
        """Say whether nothing is left."""
        return not self._left


@dataclasses.dataclass
class Listed:
    """Rows of one provider that one upload brought."""

    provider: str
    upload: int
    rows: list[Row]

    @classmethod
    def read(cls, reader: Reader) -> "Listed":
        """Return what stands next."""
        provider, upload = reader.counted().decode(), reader.number(16)
        return cls(provider, upload, reader.several(lambda: (reader.number(16), reader.raw(32))))

    def __bytes__(self) -> bytes:
        rows = [second.u128(handle) + digest for handle, digest in self.rows]
        return second.counted(self.provider) + second.u128(self.upload) + second.listed(rows)


@dataclasses.dataclass
class Gone:
    """A sealed row that was removed since, and where that stands."""

    provider: str
    upload: int
    row: Row
    by: int
    at: int

    @classmethod
    def read(cls, reader: Reader) -> "Gone":
        """Return what stands next."""
        provider, upload = reader.counted().decode(), reader.number(16)
        row = reader.number(16), reader.raw(32)
        return cls(provider, upload, row, reader.number(4), reader.number())

    def __bytes__(self) -> bytes:
        row = second.u128(self.upload) + second.u128(self.row[0]) + self.row[1]
        return second.counted(self.provider) + row + second.u32(self.by) + second.u64(self.at)


@dataclasses.dataclass
class Slots:
    """Two slots of a provider's table, with their paths."""

    provider: str
    values: list[int]
    paths: list[list[bytes]]

    @classmethod
    def read(cls, reader: Reader) -> "Slots":
        """Return what stands next."""
        provider, values = reader.counted().decode(), [reader.number(16), reader.number(16)]
        return cls(provider, values, [reader.several(lambda: reader.raw(32)) for _ in values])

    def __bytes__(self) -> bytes:
        values = b"".join(map(second.u128, self.values))
        return second.counted(self.provider) + values + b"".join(map(second.listed, self.paths))


@dataclasses.dataclass
class Range:
    """What proves a range: sums by the length of their tables, and lists."""

    sums: list[tuple[int, int]]
    dropped: list[Listed]
    gone: list[Gone]
    slots: list[Slots]

    @classmethod
    def read(cls, reader: Reader) -> "Range":
        """Return what stands next."""
        sums = reader.several(lambda: (reader.number(4), reader.number(16)))
        kinds = (Listed, Gone, Slots)
        read = cls(sums, *(reader.several(lambda kind=kind: kind.read(reader)) for kind in kinds))
        assert reader.number() == 0, "entries are for signatures"
        return read

    def __bytes__(self) -> bytes:
        sums = second.listed([second.u32(slots) + second.u128(sum_) for slots, sum_ in self.sums])
        lists = self.dropped, self.gone, self.slots
        listed = b"".join(second.listed([bytes(one) for one in of]) for of in lists)
        return sums + listed + second.listed([])


@dataclasses.dataclass
class Token:
    """What proves what answers a token."""

    unsealed: list[int]
    hits: list[Listed]
    ranges: list[Range]

    @classmethod
    def read(cls, reader: Reader) -> "Token":
        """Return what stands next."""
        unsealed = reader.several(lambda: reader.number(16))
        hits = reader.several(lambda: Listed.read(reader))
        return cls(unsealed, hits, reader.several(lambda: Range.read(reader)))

    def __bytes__(self) -> bytes:
        unsealed = second.listed([second.u128(upload) for upload in self.unsealed])
        hits = second.listed([bytes(listed) for listed in self.hits])
        return unsealed + hits + second.listed([bytes(range_) for range_ in self.ranges])


@dataclasses.dataclass
class Evidence:
    """Chunks of an upload that removed rows."""

    head: bytes
    first: int
    chunks: bytes
    path: list[bytes]

    @classmethod
    def read(cls, reader: Reader) -> "Evidence":
        """Return what stands next."""
        head, first = reader.counted(), reader.number()
        return cls(head, first, reader.counted(), reader.several(lambda: reader.raw(32)))

    def __bytes__(self) -> bytes:
        head = second.counted(self.head) + second.u64(self.first)
        return head + second.counted(self.chunks) + second.listed(self.path)


@dataclasses.dataclass
class Proof:
    """What goes with an answer so that it proves itself."""

    snapshot: int
    heads: list[bytes]
    removals: list[bytes]
    evidence: list[Evidence]
    tokens: list[Token]

    @classmethod
    def of(cls, message: bytes) -> "Proof":
        """Return the proof that travelled as these bytes."""
        reader = Reader(message)
        assert reader.raw(9) == second.head("PRF", 1)
        snapshot = reader.number()
        heads, removals = reader.several(reader.counted), reader.several(reader.counted)
        assert reader.number() == 0, "announcements are for signatures"
        evidence = reader.several(lambda: Evidence.read(reader))
        proof = cls(snapshot, heads, removals, evidence, reader.several(lambda: Token.read(reader)))
        assert reader.is_at_end()
        return proof

    def __bytes__(self) -> bytes:
        lists = [[second.counted(one) for one in of] for of in (self.heads, self.removals, [])]
        lists += [[bytes(one) for one in of] for of in (self.evidence, self.tokens)]
        head = second.head("PRF", 1) + second.u64(self.snapshot)
        return head + b"".join(map(second.listed, lists))

    @property
    def ranges(self) -> list[Range]:
        """The ranges of all tokens."""
        return [range_ for token in self.tokens for range_ in token.ranges]


@dataclasses.dataclass
class Told:
    """An answer, or a count without parts, that is about to be told."""

    parts: list[Part]
    proof: Proof | None

    def index(self, provider: str) -> int:
        """Return which part is the first of a provider that has records."""
        return next(at for at, of in enumerate(self.parts) if of.provider == provider and len(of))

    def part(self, provider: str) -> Part:
        """Return the first part of a provider that has records."""
        return self.parts[self.index(provider)]

    def omit(self, provider: str, row: int = 0) -> tuple[int, Row]:
        """Leave a record of a provider out; return its upload, handle and digest."""
        at = self.index(provider)
        part = self.parts[at]
        kept = [number for number in range(len(part)) if number != row]
        self.parts[at] = told(part, kept)
        return part.upload, row_of(part, row)

    @classmethod
    def of_answer(cls, message: bytes) -> tuple[int, "Told"]:
        """Return the number of the query, and what answers it."""
        reader = Reader(message)
        assert reader.raw(9) == second.head("ALL", 2)
        query = reader.number(16)
        parts = reader.several(lambda: Part.decode(reader.counted()))
        return query, cls(parts, None if reader.is_at_end() else Proof.of(reader.counted()))

    def answer(self, query: int) -> bytes:
        """Return the answer as it travels."""
        message = second.answer(query, [part.encode() for part in self.parts])
        return message + (second.counted(bytes(self.proof)) if self.proof is not None else b"")


def honest(answer: Told) -> None:
    """Tell no lie."""


class Dishonest(Cloud):
    """A cloud that lies in what it answers, as long as it has a lie."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lie: Callable[[Told], None] = honest
        self.asked: list[tuple[Query | bytes, dict[str, Any]]] = []
        """Every search, and how it was asked."""

    def search(self, query: Query | bytes, **how: Any) -> Answer:
        """Return what the lie makes of an answer."""
        self.asked.append((query, how))
        number, answer = Told.of_answer(bytes(super().search(query, **how)))
        self.lie(answer)
        return Answer.from_bytes(answer.answer(number))

    def count(self, query: Query | bytes, **how: Any) -> int:
        """Return what the lie makes of a proven count; one without a proof is wrong by one."""
        count = super().count(query, **how)
        if not isinstance(count, Count):
            return count if self.lie is honest else count - 1
        answer = Told([], Proof.of(bytes(count)))
        self.lie(answer)
        return Count.from_bytes(bytes(answer.proof))
