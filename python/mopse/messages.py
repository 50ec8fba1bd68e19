"""What travels between whoever holds keys and the cloud: every message, and no key in any.

Records travel as an `Upload`, a `Query` and an `Answer` or a `Count`, and end with a `Removal`; a
`Seal` states all that a provider has, so that answers can be proven. Attachments of records travel
as a `FileUpload`, a `FileRequest`, a `FileListing` and a `SealedFile`; what an outdated keyring has
missed of them as `FileNotes`. What the cloud keeps of an attachment is called a stored file.
"""

import abc
import dataclasses
import datetime
import html
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from mopse import _mopse
from mopse._checks import instance, integer, items, mapping, text
from mopse._files import as_file
from mopse._kept import PIECE, Kept
from mopse._mopse.message import Token
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "Answer",
    "Count",
    "File",
    "FileListing",
    "FileNotes",
    "FileRequest",
    "FileUpload",
    "Message",
    "Opened",
    "Permission",
    "Query",
    "Receipt",
    "Removal",
    "Renewed",
    "Seal",
    "SealedFile",
    "Statement",
    "Upload",
    "WrittenFile",
    "as_message",
    "stored_number",
    "stored_text",
]

_LAST_SECOND = int(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp())

_Core = TypeVar("_Core")
_Records = TypeVar("_Records")


class Message(abc.ABC):
    """Anything that travels: ``bytes(message)`` is what does, also when it is pickled or copied.

    Messages of one kind are equal if what travels of them is.

    Bytes that are cut short or malformed are refused with `mopse.errors.DamagedFileError`, forged
    ones with `mopse.errors.SignatureError`.
    """

    @abc.abstractmethod
    def __bytes__(self) -> bytes: ...

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return getattr(type(self), "from_bytes", type(self)), (bytes(self),)


def as_message(message: Any, what: str, kind: type[Message] | None = None) -> bytes:
    """Return a message as bytes, and refuse anything that is none rather than convert it.

    Bytes-like objects are taken, and objects of `kind`; `what` says in an error what was wanted.
    """
    if kind is not None and not isinstance(kind, type):
        raise WrongTypeError(f"the kind of {what} must be a class, not {type(kind).__name__}")
    is_kind = kind is not None and isinstance(message, kind)
    if is_kind or isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    if isinstance(message, Message):
        raise WrongTypeError(f"{what} is wanted, not {type(message).__name__}")
    raise WrongTypeError(f"{what} must be bytes, not {type(message).__name__}")


class _Signed(Message, Generic[_Core]):
    """A message under one signature: checked when it comes from elsewhere, once."""

    _what: ClassVar[str]

    def __init__(self, message: bytes) -> None:
        self._message = as_message(message, self._what, type(self))
        self._checked: _Core | None = self._decode(self._message)

    @classmethod
    def _signed(cls, message: bytes) -> Self:
        """Return a message that was signed just now, without checking that again."""
        signed = cls.__new__(cls)
        signed._message, signed._checked = message, None
        return signed

    @staticmethod
    @abc.abstractmethod
    def _decode(message: bytes) -> _Core: ...

    @property
    def _decoded(self) -> _Core:
        if self._checked is None:
            self._checked = self._decode(self._message)
        return self._checked

    def __bytes__(self) -> bytes:
        return self._message


class Upload(_Signed[_mopse.message.StoredUpload]):
    """A provider's signed changes of its records, sealed, and the encrypted index over what is new.

    Made by `mopse.Provider.encrypt`, `mopse.Provider.update` and `mopse.Provider.delete`, or of an
    upload as it travels. The cloud checks it whole before it does any of it, and does it once.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a run in it is unsorted or holds a number that is no ciphertext.

    Notes
    -----
    **Leakage.** How many records and entries there are, which records lack a value, the size of
    each record, the order of all entries to the cell, and which entries belong to one record. Of
    changes: which records were changed or deleted and when, their old and new places in the index,
    and that both belong to one record.
    """

    _what = "an upload"
    _ids: Any = None
    _rows: Any = None

    @classmethod
    def _of_table(cls, message: bytes, rows: Any, ids: Any) -> "Upload":
        """Return an upload that was made just now of a table, whose rows errors can name."""
        upload = cls._signed(message)
        upload._rows, upload._ids = rows, ids
        return upload

    def _named(self, error: MopseError) -> MopseError:
        """Return an error of a cloud, about the record that the table has instead of a position."""
        position = getattr(error, "position", None)
        if position is None or self._rows is None or position >= len(self._rows):
            return error
        row = int(self._rows[position])
        record = f"record {self._ids[row]!r} (row {row} of the table)"
        return type(error)(str(error).replace(f"record {position} of the upload", record, 1))

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.StoredUpload:
        return _mopse.message.StoredUpload.decode(message)

    @property
    def provider(self) -> str:
        """Path of the provider."""
        return self._decoded.provider

    @property
    def entries(self) -> dict[str, int]:
        """How many index entries each field has."""
        return dict(self._decoded.entries)

    @property
    def replaced(self) -> int:
        """How many of its records name a version that they take the place of."""
        return len(self._decoded.replaced)

    @property
    def removed(self) -> int:
        """How many records it removes."""
        return sum(len(rows) for _, rows in self._decoded.removed)

    def __len__(self) -> int:
        return len(self._decoded)

    def __repr__(self) -> str:
        changes = [
            f", {name}={count}"
            for name, count in (("replaced", self.replaced), ("removed", self.removed))
            if count
        ]
        return (
            f"Upload(provider={self.provider!r}, records={len(self)}{''.join(changes)}, "
            f"entries={sum(self.entries.values())}, nbytes={self.nbytes})"
        )


class Seal(_Signed[_mopse.message.Seal]):
    """A provider's signed statement of all records that it has at a cloud; see `Provider.seal`.

    Notes
    -----
    **Leakage.** When a provider seals, and how many records it has. Its tables are numbers that
    nobody without the provider's keys tells from random ones.
    """

    _what = "a seal"
    _keyring: _mopse.party.Keyring | None = None

    @classmethod
    def _by(cls, keyring: _mopse.party.Keyring, message: bytes) -> "Seal":
        """Return a seal that a keyring made just now, which is told when a cloud takes it."""
        seal = cls._signed(message)
        seal._keyring = keyring
        return seal

    def _came(self) -> None:
        """Tell who made it that a cloud has taken it."""
        if self._keyring is not None:
            self._keyring.seal_came(self._decoded)

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Seal:
        return _mopse.message.Seal.decode(message)

    @property
    def provider(self) -> str:
        """Path of the provider."""
        return self._decoded.provider

    @property
    def number(self) -> int:
        """Which seal of the provider it is, from 1 on."""
        return self._decoded.number

    @property
    def digest(self) -> bytes:
        """What stands for it, 32 bytes: two parties who were shown the same have the same."""
        return bytes(self._decoded.digest)

    @property
    def tables(self) -> dict[str, int]:
        """How many slots of 16 bytes the table of each proven field has."""
        return dict(self._decoded.tables)

    @property
    def head_nbytes(self) -> int:
        """Size of what whoever asks is sent of it, in bytes; the tables stay with the cloud."""
        return self._decoded.head_size

    def __len__(self) -> int:
        return len(self._decoded)

    def __repr__(self) -> str:
        return (
            f"Seal(provider={self.provider!r}, number={self.number}, records={len(self)}, "
            f"tables={self.tables}, nbytes={self.nbytes})"
        )


class Permission(_Signed[_mopse.message.Permission]):
    """The signed right to amend records of another provider, from `mopse.Owner.permit_amendments`.

    For `mopse.Provider.amend`. It holds no key, and no cloud takes it. Whoever sees it learns who
    may amend whose records, how many, and their pseudonyms.
    """

    _what = "a permission to amend"

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Permission:
        return _mopse.message.Permission.decode(message)

    @property
    def provider(self) -> str:
        """Path of the provider that may amend."""
        return self._decoded.provider

    @property
    def of(self) -> str:
        """Path of the provider whose records may be amended."""
        return self._decoded.of

    @property
    def ends(self) -> datetime.datetime | None:
        """When it ends; None for never, but with its readers' epoch."""
        end = self._decoded.end
        return None if end > _LAST_SECOND else datetime.datetime.fromtimestamp(end, datetime.UTC)

    def __len__(self) -> int:
        return len(self._decoded)

    def __repr__(self) -> str:
        return f"Permission({self.provider!r}, of={self.of!r}, records={len(self)})"


class Removal(_Signed[_mopse.message.Removal]):
    """A signed request to remove all that a provider sent, from `mopse.Owner.removal`.

    A cloud carries it out once: one that comes again removes nothing that was sent since.
    """

    _what = "a removal"

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Removal:
        return _mopse.message.Removal.decode(message)

    @property
    def provider(self) -> str:
        """Path of the provider."""
        return self._decoded.provider

    def __repr__(self) -> str:
        return f"Removal(provider={self.provider!r}, nbytes={self.nbytes})"


class Statement(_Signed[_mopse.message.Statement]):
    """A party's signed statement for a cloud's audit log, from `mopse.sharing.statement`.

    It says that something happened which a cloud does not see, and what it is about by a digest.
    """

    _what = "a statement"

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Statement:
        return _mopse.message.Statement.decode(message)

    @property
    def what(self) -> str:
        """What happened, one of `mopse.sharing.STATEMENTS`."""
        return self._decoded.what

    @property
    def who(self) -> str:
        """Path of who states it; empty for the owner."""
        return self._decoded.who

    @property
    def digest(self) -> bytes:
        """SHA-256 of what it is about."""
        return bytes(self._decoded.digest)

    def __repr__(self) -> str:
        return f"Statement({self.what!r}, who={self.who!r}, digest={self.digest[:8].hex()})"


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What a cloud did with a message, from `mopse.Cloud.receive`.

    Attributes
    ----------
    provider : str
        Path of the provider whose records or files they are.
    added, replaced, removed : int
        How many records are new, took the place of an older version, and were removed: of a
        repeated message, when it first came.
    files : int
        How many files were added, or removed with their provider; so too.
    repeated : bool
        Whether the same message was carried out before. **Nothing was done now**, then, and the
        other numbers say what was done the first time.
    """

    provider: str
    added: int
    replaced: int
    removed: int
    files: int
    repeated: bool

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("provider", "added", "replaced", "removed", "files")
        )
        if self.repeated:
            return f"Receipt(repeated=True: nothing was done now; the first time {counts})"
        return f"Receipt({counts}, repeated=False)"


class Renewed(int):
    """How many records `mopse.Provider.renew` encrypted anew, as a number.

    Attributes
    ----------
    superseded : int
        How many rows of earlier epochs were removed and no more: their records were added again,
        or deleted, in a newer one by somebody who did not look.
    """

    superseded: int

    def __new__(cls, renewed: int, superseded: int) -> Self:
        """Return the number with what it does not say."""
        number = super().__new__(cls, integer(renewed, "the number of records", 0))
        number.superseded = integer(superseded, "the number of older rows", 0)
        return number

    def __reduce__(self) -> tuple[Any, tuple[int, int]]:
        return type(self), (int(self), self.superseded)

    def __repr__(self) -> str:
        return f"Renewed({int(self)}, superseded={self.superseded})"


def _check_proof(proof: object) -> None:
    if not isinstance(proof, _mopse.message.Proof):
        raise WrongTypeError(f"a proof is made by a cloud, not {type(proof).__name__}")


class Count(int):
    """How many records a query reaches, with what proves it: from `mopse.Cloud.count`.

    Attributes
    ----------
    proven : polars.DataFrame or None
        What was found of each provider, as of an `Answer`; None before it was proven.

    Notes
    -----
    Nothing is proven until `mopse.Owner.prove` has looked at it. It names every record that was
    counted by its pseudonym and digest, 48 bytes each.
    """

    _proof: _mopse.message.Proof
    proven: "pl.DataFrame | None"

    def __new__(cls, proof: _mopse.message.Proof) -> Self:
        """Return the count that a proof is of."""
        _check_proof(proof)
        number = super().__new__(cls, proof.count)
        number._proof, number.proven = proof, None
        return number

    @classmethod
    def from_bytes(cls, message: bytes) -> Self:  # type: ignore[override]
        """Return the count that travelled as these bytes."""
        return cls(_mopse.message.Proof.decode(as_message(message, "a count")))

    def __bytes__(self) -> bytes:
        return self._proof.encode()

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return type(self).from_bytes, (bytes(self),)

    def __repr__(self) -> str:
        return f"Count({int(self)}, nbytes={self.nbytes})"


class Query(_Signed[_mopse.message.Query]):
    """A question to the cloud: signed tokens, one per group.

    Made by `mopse.Owner.query`, `mopse.Owner.lookup` and those of a provider. What travels are the
    tokens, and not the bounds in the clear, which stay with whoever asks.

    Parameters
    ----------
    message : bytes
        The query as it travels.
    ranges : mapping from str to (int, int), optional
        Lowest and highest plaintext of each field; without, nobody decrypts with it.

    Notes
    -----
    It is a bearer query: whoever has it can repeat it until it expires. A cloud takes all of its
    tokens or none.

    **Leakage.** The cloud learns the bounds to the cell, which queries have equal bounds, and which
    tokens belong to one query; of a `mopse.Owner.lookup`, which records are asked for.
    """

    _what = "a query"
    _ranges: dict[str, tuple[int, int]] | None = None

    def __init__(self, message: bytes, ranges: Mapping[str, tuple[int, int]] | None = None) -> None:
        super().__init__(message)
        self._ranges = None if ranges is None else _bounds_of(ranges)

    @classmethod
    def _with_ranges(cls, message: bytes, ranges: Mapping[str, tuple[int, int]]) -> "Query":
        """Return a query that was signed just now, without checking that again."""
        query = cls._signed(message)
        query._ranges = dict(ranges)
        return query

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Query:
        return _mopse.message.Query.decode(message)

    @classmethod
    def from_bytes(cls, message: bytes) -> "Query":
        """Return the query that travelled as these bytes, as the cloud sees it: without bounds."""
        return cls(as_message(message, "a query", Query))

    @property
    def tokens(self) -> tuple[Token, ...]:
        """What is asked of each group."""
        return tuple(self._decoded.tokens)

    @property
    def groups(self) -> list[str]:
        """The groups it asks, one per token."""
        return [token.group for token in self.tokens]

    @property
    def bounds(self) -> list[dict[str, tuple[int, int]]]:
        """Lowest and highest ciphertext of each field, per token: what the cloud sees."""
        return [
            {field: (low, high) for field, low, high in token.predicates} for token in self.tokens
        ]

    @property
    def expires(self) -> datetime.datetime:
        """When it ends, in 9999 at the latest."""
        return datetime.datetime.fromtimestamp(
            min(self._decoded.expiry, _LAST_SECOND), datetime.UTC
        )

    def __len__(self) -> int:
        return len(self._decoded)

    def __repr__(self) -> str:
        fields = sorted({name for token in self.tokens for name, _, _ in token.predicates})
        return f"Query(fields={fields}, tokens={len(self)}, nbytes={self.nbytes})"


class Answer(Message):
    """What the cloud found: sealed records, which only a key holder opens.

    Parameters
    ----------
    query : int
        The number of the query that it answers.
    parts : iterable
        Parts as a store gives them.

    Attributes
    ----------
    excess : int or None
        How many records were dropped after decryption because they share a cell with the bounds
        and do not match; None before.
    unchecked : tuple of str or None
        Fields of the query whose column lies in a portion that was not granted, or not of all
        records: those of the cells are there, whether they match or not. None before decryption.
    left : dict from str to int or None
        How many records came from providers in an epoch that their group has left, by path: old
        records that were not renewed, or new ones of somebody who was revoked. None before.
    closed : dict from str to int or None
        How many records were found and not opened, by path, because nothing that was granted opens
        them: other records than were named, or sealed for later readers than those of the grant,
        which `mopse.User.accept` of a new one mends. None before.
    proven : polars.DataFrame or None
        One row for every provider that the query reaches: its ``provider`` and ``group``; number,
        time and rows of its ``seal``, when it was ``sealed_at``, and how many ``rows`` that has;
        how many of its records in the answer are ``unsealed``, because they came later; whether
        its part ``is_proven``, and the ``cause`` if not. None before it was proven.
    provenance : polars.DataFrame or None
        One row for every record, once signatures proved it: the ``provider`` that wrote it, in
        which ``epochs`` of the authorities above, owner first, the ``record``'s pseudonym, the
        ``upload`` that brought it, and the number of the ``seal`` that holds it; null if it came
        later, so that nothing shows who wrote it.
    """

    def __init__(
        self,
        query: int,
        parts: Iterable[_mopse.message.Part],
        proof: _mopse.message.Proof | None = None,
    ) -> None:
        if proof is not None:
            _check_proof(proof)
        self._proof = proof
        self.proven: pl.DataFrame | None = None
        self.provenance: pl.DataFrame | None = None
        self._judged: Any = None
        self._query = integer(query, "the query's number", 0, 2**128 - 1)
        self._parts = items(parts, "the parts of an answer", "list of parts")
        for part in self._parts:
            if not isinstance(part, _mopse.message.Part):
                raise WrongTypeError(f"an answer is made of parts, not {type(part).__name__}")
        self.excess: int | None = None
        self.unchecked: tuple[str, ...] | None = None
        self.left: dict[str, int] | None = None
        self.closed: dict[str, int] | None = None

    @classmethod
    def from_bytes(cls, message: bytes) -> "Answer":
        """Return the answer that travelled as these bytes."""
        return cls(*_mopse.message.split_answer(as_message(message, "an answer", Answer)))

    def goes_on(self, query: Query) -> bool:
        """Return whether there is more of the answer to a query: see `mopse.Cloud.search`."""
        decoded = instance(query, Query, "a query")._decoded
        return _mopse.message.goes_on(self._parts, decoded)

    def __add__(self, page: "Answer") -> "Answer":
        """Return this answer and a page that comes after it, as one."""
        if not isinstance(page, Answer):
            return NotImplemented
        if page._query != self._query:
            raise InvalidInputError("the page is of an answer to another query")
        return Answer(self._query, [*self._parts, *page._parts], page._proof)

    def _check(self, query: Query) -> None:
        """Refuse it if it is not the whole answer to the query, and nothing else."""
        _mopse.message.check_answer(self._query, self._parts, query._decoded)

    @property
    def providers(self) -> dict[str, int]:
        """How many records came from each provider."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            counts[part.provider] += len(part)
        return {provider: count for provider, count in sorted(counts.items()) if count}

    @property
    def state(self) -> int | None:
        """Which state of the owner's records it is of, as the cloud counts them."""
        return self._parts[0].snapshot if self._parts else None

    @property
    def proof_nbytes(self) -> int:
        """Size of what proves it, in bytes; 0 if nothing does."""
        return 0 if self._proof is None else len(self._proof.encode())

    @property
    def nbytes(self) -> int:
        """Size of handles, layouts and sealed records, in bytes."""
        return sum(part.size for part in self._parts)

    def __bytes__(self) -> bytes:
        return _mopse.message.join_answer(self._query, self._parts, self._proof)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __repr__(self) -> str:
        return f"Answer(records={len(self)}, providers={len(self.providers)}, nbytes={self.nbytes})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(provider)}</td><td>{count:,}</td></tr>"
            for provider, count in self.providers.items()
        )
        return (
            f"<table><caption>{len(self):,} sealed records, {self.nbytes:,} bytes</caption>"
            f"<tr><th>provider</th><th>records</th></tr>{rows}</table>"
        )


class Opened(NamedTuple, Generic[_Records]):
    """What opened, and what did not: from `decrypt` and `files` with ``faults="report"``.

    Attributes
    ----------
    records : polars.DataFrame, or dict from str to polars.DataFrame
        What is without fault, as `decrypt` or `files` return it without a report.
    faults : polars.DataFrame
        One row per record or file that was left out: its ``provider``; ``record``, the record's
        handle as 32 hexadecimal digits, which `mopse.Provider.handles` gives as two numbers; for
        records the ``column`` that the fault is in, or null, for files the number ``file``; and the
        ``cause``, which holds no value.

    Notes
    -----
    It is a tuple: ``records, faults = owner.decrypt(answer, query, faults="report")``.
    """

    records: _Records
    faults: "pl.DataFrame"


_BEYOND = "{what} is not within 0 and 2^128 - 1"


def _bounds_of(ranges: Any) -> dict[str, tuple[int, int]]:
    """Return the lowest and the highest plaintext of each field, or say what is none."""
    bounds = {}
    for name, pair in mapping(ranges, "ranges").items():
        given = items(pair, "a range", "pair of integers")
        if len(given) != 2:
            raise InvalidInputError(f"a range has a lowest and a highest value, not {len(given)}")
        low, high = (integer(bound, "a bound of a range") for bound in given)
        bounds[text(name, "the name of a field of the ranges")] = low, high
    return bounds


def stored_text(number: int) -> str:
    """Return the number of a stored file, below 2^128, as text: 32 hexadecimal digits."""
    return f"{integer(number, 'the number of a file', 0, 2**128 - 1, fault=_BEYOND):032x}"


def stored_number(written: Any) -> int:
    """Return the number of a stored file from its text."""
    if not isinstance(written, str):
        raise WrongTypeError(f"a file is named by a string, not {type(written).__name__}")
    if len(written) != 32 or not set(written) <= set("0123456789abcdef"):
        raise InvalidInputError("a file is named by 32 hexadecimal digits, as a listing shows them")
    return int(written, 16)


@dataclasses.dataclass(frozen=True)
class File:
    """An attachment that was opened.

    Attributes
    ----------
    name, media_type : str
        What it is called.
    provider : str
        Path of the provider that attached it.
    record : str
        The handle of the record it belongs to, as 32 hexadecimal digits; see `mopse.Owner.fetch`
        for one that was renewed since.
    content : bytes
        What it holds.
    """

    name: str
    media_type: str
    provider: str
    record: str
    content: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class WrittenFile:
    """An attachment that was opened to a file.

    Attributes
    ----------
    name, media_type : str
        What it is called.
    provider : str
        Path of the provider that attached it.
    record : str
        The handle of the record it belongs to; see `File`.
    path : pathlib.Path
        Where it lies.
    nbytes : int
        How many bytes it has.
    """

    name: str
    media_type: str
    provider: str
    record: str
    path: Path
    nbytes: int


class FileUpload(_Signed[_mopse.message.Attachment]):
    """A provider's signed attachment, sealed, with the keyword entries it is found by.

    Made by `mopse.Provider.attach`, or of an attachment as it travels.

    Notes
    -----
    One that was made with ``to=`` lies in that file, is sent from there piece by piece, and needs
    it until then; ``bytes(message)`` reads it whole.

    **Leakage.** Provider and record, the size of the file, the length of its name and type, how
    many keywords it has, and which attachments its keyring made right before it.
    """

    _what = "a file"

    _kept: Kept | None = None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "FileUpload":
        """Return the attachment that lies in a file, checked a piece at a time, and leave it there.

        Parameters
        ----------
        path : path
            As `mopse.Provider.attach` took it as ``to``.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is cut short or malformed.
        mopse.errors.SignatureError
            If the provider it names did not sign it.
        mopse.errors.FileAccessError
            If it cannot be read.
        """
        kept, incoming = Kept.found(as_file(path)), _mopse.message.Incoming()
        for piece in kept.pieces():
            incoming.feed(piece)
        return cls._made(kept, incoming.end().attachment)

    @classmethod
    def _made(cls, message: "bytes | Kept", attachment: _mopse.message.Attachment) -> "FileUpload":
        """Return an attachment that is known to be genuine, and what it is without its body."""
        made = cls.__new__(cls)
        if isinstance(message, Kept):
            made._kept = message
        else:
            made._message = message
        made._checked = attachment
        return made

    def _moved(self, path: Path) -> "FileUpload":
        """Return it as it lies in a file that was given another name."""
        return self._made(Kept(path, self.nbytes), self._decoded)

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Attachment:
        return _mopse.message.Attachment.decode(message)

    def __bytes__(self) -> bytes:
        return self._message if self._kept is None else self._kept.read()

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(self._message) if self._kept is None else self._kept.size

    @property
    def path(self) -> Path | None:
        """The file that it lies in; none if it is in memory."""
        return None if self._kept is None else self._kept.path

    @property
    def provider(self) -> str:
        """The provider that attached it."""
        return self._decoded.provider

    @property
    def file(self) -> str:
        """The stored file's number, as listings show it."""
        return stored_text(self._decoded.number)

    def __repr__(self) -> str:
        return (
            f"FileUpload(provider={self.provider!r}, keywords={len(self._decoded.entries)}, "
            f"nbytes={self.nbytes})"
        )


class FileRequest(_Signed[_mopse.message.Request]):
    """A signed request for attachments: by keywords, by records, or for one stored file.

    Made by `mopse.Owner.find`, `mopse.Owner.files_of` and `mopse.Owner.fetch`, for notes by
    `mopse.Provider.request_notes`, or of a request as it travels. What answers it is opened with
    it. A request for the files of records keeps, beside what travels, under which other handles it
    asks for them.

    Notes
    -----
    **Leakage.** The cloud learns which files match each keyword, also those that are added later,
    and that two requests ask for one keyword; not the keyword. A user who is given the request
    learns which of the files that were granted match, also without a listing.
    """

    _what = "a request"
    _known_as: Mapping[tuple[str, int], int] = MappingProxyType({})
    """Handles of records by provider and the handle that they have in another epoch; never sent."""

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Request:
        return _mopse.message.Request.decode(message)

    @classmethod
    def _knowing(cls, message: bytes, known_as: Mapping[tuple[str, int], int]) -> "FileRequest":
        """Return a request that was signed just now, and what it knows of handles."""
        request = cls._signed(message)
        request._known_as = known_as
        return request

    def _record(self, file: _mopse.message.StoredFile) -> str:
        """Return the handle of a file's record, as the answer has it that was asked about."""
        return stored_text(self._known_as.get((file.provider, file.handle), file.handle))

    def __repr__(self) -> str:
        return f"FileRequest(nbytes={self.nbytes})"


class SealedFile(Message):
    """One stored file with what it holds, which only a key holder opens.

    Parameters
    ----------
    fetched : Fetched
        The file as a cloud gives it, with the number of the request that it answers.
    """

    def __init__(self, fetched: _mopse.message.Fetched) -> None:
        if not isinstance(fetched, _mopse.message.Fetched):
            raise WrongTypeError(f"a fetched file is wanted, not {type(fetched).__name__}")
        self._head = fetched
        self._kept: Kept | None = None

    @classmethod
    def from_bytes(cls, message: bytes) -> "SealedFile":
        """Return the stored file that travelled as these bytes."""
        return cls(_mopse.message.Fetched.decode(as_message(message, "a file", SealedFile)))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "SealedFile":
        """Return the stored file that lies in a file, read a piece at a time, and leave it there.

        Parameters
        ----------
        path : path
            As `mopse.Cloud.fetch` took it as ``to``.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is cut short or malformed.
        mopse.errors.FileAccessError
            If it cannot be read.
        """
        kept, arriving = Kept.found(as_file(path)), _mopse.message.Arriving(False)
        for piece in kept.pieces():
            arriving.skip(piece)
        return cls._in_file(arriving.end()[0], kept)

    @classmethod
    def _in_file(cls, head: _mopse.message.Fetched, kept: Kept) -> "SealedFile":
        """Return one of which all but the body is known, and that lies in a file."""
        sealed = cls(head)
        sealed._kept = kept
        return sealed

    @property
    def _fetched(self) -> _mopse.message.Fetched:
        """All of it, in memory."""
        return self._head if self._kept is None else _mopse.message.Fetched.decode(bytes(self))

    def _pieces(self) -> Iterator[bytes]:
        """Yield it as it travels, a piece at a time."""
        if self._kept is not None:
            yield from self._kept.pieces()
            return
        message = bytes(self)
        for at in range(0, len(message), PIECE):
            yield message[at : at + PIECE]

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self)) if self._kept is None else self._kept.size

    @property
    def path(self) -> Path | None:
        """The file that it lies in; none if it is in memory."""
        return None if self._kept is None else self._kept.path

    @property
    def provider(self) -> str:
        """The provider that attached it."""
        return self._head.file.provider

    def __bytes__(self) -> bytes:
        return self._head.encode() if self._kept is None else self._kept.read()

    def __repr__(self) -> str:
        return f"SealedFile(provider={self.provider!r}, nbytes={self.nbytes})"


class FileListing(Message):
    """What the cloud found: sealed descriptions of stored files, without what they hold.

    Parameters
    ----------
    listing : Listing
        Files as a cloud gives them, with the number of the request that they answer.

    Attributes
    ----------
    proven : polars.DataFrame or None
        Once `mopse.Owner.files` was called with ``proof=True``, every provider that was asked, in
        each epoch: ``provider``, ``group``, ``seal`` and ``sealed_at``, of how many ``files`` that
        is, how many of the listing are ``unsealed``, ``is_proven``, and else the ``cause``.
    """

    def __init__(self, listing: _mopse.message.Listing) -> None:
        if not isinstance(listing, _mopse.message.Listing):
            raise WrongTypeError(f"a listing is wanted, not {type(listing).__name__}")
        self._listing = listing
        self.proven: pl.DataFrame | None = None

    @classmethod
    def from_bytes(cls, message: bytes) -> "FileListing":
        """Return the listing that travelled as these bytes."""
        return cls(_mopse.message.Listing.decode(as_message(message, "a listing", FileListing)))

    def __bytes__(self) -> bytes:
        return self._listing.encode()

    def __len__(self) -> int:
        return len(self._listing)

    @property
    def proof_nbytes(self) -> int:
        """Size of what proves that these are all files, in bytes; 0 without."""
        return self._listing.proof_size

    def __repr__(self) -> str:
        return f"FileListing(files={len(self)}, nbytes={self.nbytes})"


class FileNotes(Message):
    """Sealed notes of which keywords a provider used how often, one per attachment that came.

    Parameters
    ----------
    notes : Notes
        Notes as a cloud gives them, with the number of the request that they answer.
    """

    def __init__(self, notes: _mopse.message.Notes) -> None:
        if not isinstance(notes, _mopse.message.Notes):
            raise WrongTypeError(f"notes are wanted, not {type(notes).__name__}")
        self._notes = notes

    @classmethod
    def from_bytes(cls, message: bytes) -> "FileNotes":
        """Return the notes that travelled as these bytes."""
        return cls(_mopse.message.Notes.decode(as_message(message, "notes", FileNotes)))

    @property
    def provider(self) -> str:
        """The provider whose attachments they are of."""
        return self._notes.provider

    def __bytes__(self) -> bytes:
        return self._notes.encode()

    def __len__(self) -> int:
        return len(self._notes)

    def __repr__(self) -> str:
        return f"FileNotes(provider={self.provider!r}, notes={len(self)}, nbytes={self.nbytes})"
