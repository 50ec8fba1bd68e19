"""What travels between whoever holds keys and the cloud: every message, and no key in any.

Records travel as an `Upload`, a `Query` and an `Answer`; attachments of records as a `FileUpload`,
a `FileRequest`, a `FileListing` and a `SealedFile`; what an outdated keyring has missed as
`FileNotes`. What the cloud keeps of an attachment is called a stored file.
"""

import abc
import dataclasses
import datetime
import html
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from mopse import _mopse
from mopse._checks import items
from mopse._mopse.message import Token
from mopse.errors import InvalidInputError, WrongTypeError

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "Answer",
    "File",
    "FileListing",
    "FileNotes",
    "FileRequest",
    "FileUpload",
    "Message",
    "Opened",
    "Query",
    "SealedFile",
    "Upload",
    "as_message",
    "stored_number",
    "stored_text",
]

_LAST_SECOND = int(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp())

_Core = TypeVar("_Core")
_Records = TypeVar("_Records")


class Message(abc.ABC):
    """Anything that travels: ``bytes(message)`` is what does, also when it is pickled or copied.

    Bytes that are cut short or malformed are refused with `mopse.errors.DamagedFileError`, forged
    ones with `mopse.errors.SignatureError`.
    """

    @abc.abstractmethod
    def __bytes__(self) -> bytes: ...

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return getattr(type(self), "from_bytes", type(self)), (bytes(self),)


def as_message(message: Any, what: str, kind: type[Message] | None = None) -> bytes:
    """Return a message as bytes, and refuse anything that is none rather than convert it.

    Bytes-like objects are taken, and objects of `kind`; `what` says in an error what was wanted.
    """
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
    """A provider's signed batch of sealed records and the encrypted index over them.

    Made by `mopse.Provider.encrypt`, or of an upload as it travels. The cloud checks it whole
    before it keeps any of it.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a run in it is unsorted or holds a number that is no ciphertext.

    Notes
    -----
    **Leakage.** How many records and entries there are, which records lack a value, the size of
    each record, the order of all entries to the cell, and which entries belong to one record.
    """

    _what = "an upload"

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

    def __len__(self) -> int:
        return len(self._decoded)

    def __repr__(self) -> str:
        return (
            f"Upload(provider={self.provider!r}, records={len(self)}, "
            f"entries={sum(self.entries.values())}, nbytes={self.nbytes})"
        )


class Query(Message):
    """A question to the cloud: one signed token per group.

    Made by `mopse.Owner.query` or `mopse.Provider.query`. What travels are the tokens, and not the
    bounds in the clear, which stay with whoever asks.

    Parameters
    ----------
    tokens : iterable of bytes
        The tokens.
    ranges : mapping from str to (int, int), optional
        Lowest and highest plaintext of each field.

    Notes
    -----
    A token is a bearer token: whoever has it can repeat the query until it expires.

    **Leakage.** The cloud learns the bounds to the cell, which queries have equal bounds, and which
    tokens belong to one query.
    """

    def __init__(
        self, tokens: Iterable[bytes], ranges: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        given = items(tokens, "tokens", "list of bytes")
        self.tokens = tuple(as_message(token, "a token") for token in given)
        self._ranges = None if ranges is None else dict(ranges)
        self._checked: list[Token] | None = Token.decode_all(self.tokens)

    @classmethod
    def _signed(cls, tokens: Iterable[bytes], ranges: Mapping[str, tuple[int, int]]) -> "Query":
        """Return a query that was signed just now, without checking that again."""
        query = cls.__new__(cls)
        query.tokens, query._ranges, query._checked = tuple(tokens), dict(ranges), None
        return query

    @property
    def _decoded(self) -> list[Token]:
        if self._checked is None:
            self._checked = Token.decode_all(self.tokens)
        return self._checked

    @classmethod
    def from_bytes(cls, message: bytes) -> "Query":
        """Return the query that travelled as these bytes, as the cloud sees it: without bounds."""
        return cls(_mopse.message.split("query", as_message(message, "a query", Query)))

    @property
    def groups(self) -> list[str]:
        """The groups it asks, one per token."""
        return [token.group for token in self._decoded]

    @property
    def bounds(self) -> list[dict[str, tuple[int, int]]]:
        """Lowest and highest ciphertext of each field, per token: what the cloud sees."""
        return [
            {field: (low, high) for field, low, high in token.predicates} for token in self._decoded
        ]

    @property
    def expires(self) -> datetime.datetime | None:
        """When its tokens end, in 9999 at the latest; None if there is none: nothing can match."""
        ends = [token.expiry for token in self._decoded]
        if not ends:
            return None
        return datetime.datetime.fromtimestamp(min(*ends, _LAST_SECOND), datetime.UTC)

    def __bytes__(self) -> bytes:
        return _mopse.message.join("query", self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        fields = sorted({name for token in self._decoded for name, _, _ in token.predicates})
        return f"Query(fields={fields}, tokens={len(self)}, nbytes={self.nbytes})"


class Answer(Message):
    """What the cloud found: sealed records, which only a key holder opens.

    Parameters
    ----------
    parts : iterable
        Parts as a store gives them, one per upload with a hit.

    Attributes
    ----------
    excess : int or None
        How many records were dropped after decryption because they share a cell with the bounds
        and do not match; None before.
    """

    def __init__(self, parts: Iterable[_mopse.message.Part]) -> None:
        self._parts = list(parts) if isinstance(parts, Iterable) else [parts]
        for part in self._parts:
            if not isinstance(part, _mopse.message.Part):
                raise WrongTypeError(f"an answer is made of parts, not {type(part).__name__}")
        self.excess: int | None = None

    @classmethod
    def from_bytes(cls, message: bytes) -> "Answer":
        """Return the answer that travelled as these bytes."""
        parts = _mopse.message.split("answer", as_message(message, "an answer", Answer))
        return cls(_mopse.message.Part.decode(part) for part in parts)

    @property
    def providers(self) -> dict[str, int]:
        """How many records came from each provider."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            counts[part.provider] += len(part)
        return {provider: count for provider, count in sorted(counts.items()) if count}

    @property
    def nbytes(self) -> int:
        """Size of handles, layouts and sealed records, in bytes."""
        return sum(part.size for part in self._parts)

    def __bytes__(self) -> bytes:
        return _mopse.message.join("answer", [part.encode() for part in self._parts])

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
    It is a tuple: ``records, faults = owner.decrypt(answer, faults="report")``.
    """

    records: _Records
    faults: "pl.DataFrame"


def stored_text(number: int) -> str:
    """Return the number of a stored file, below 2^128, as text: 32 hexadecimal digits."""
    return f"{number:032x}"


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
        The handle of the record it belongs to, as 32 hexadecimal digits.
    content : bytes
        What it holds.
    """

    name: str
    media_type: str
    provider: str
    record: str
    content: bytes = dataclasses.field(repr=False)


class FileUpload(_Signed[_mopse.message.Attachment]):
    """A provider's signed attachment, sealed, with the keyword entries it is found by.

    Made by `mopse.Provider.attach`, or of an attachment as it travels.

    Notes
    -----
    **Leakage.** Provider and record, the size of the file, the length of its name and type, how
    many keywords it has, and which attachments its keyring made right before it.
    """

    _what = "a file"

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Attachment:
        return _mopse.message.Attachment.decode(message)

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
    it.

    Notes
    -----
    **Leakage.** The cloud learns which files match each keyword, also those that are added later,
    and that two requests ask for one keyword; not the keyword.
    """

    _what = "a request"

    @staticmethod
    def _decode(message: bytes) -> _mopse.message.Request:
        return _mopse.message.Request.decode(message)

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
        self._fetched = fetched

    @classmethod
    def from_bytes(cls, message: bytes) -> "SealedFile":
        """Return the stored file that travelled as these bytes."""
        return cls(_mopse.message.Fetched.decode(as_message(message, "a file", SealedFile)))

    @property
    def provider(self) -> str:
        """The provider that attached it."""
        return self._fetched.file.provider

    def __bytes__(self) -> bytes:
        return self._fetched.encode()

    def __repr__(self) -> str:
        return f"SealedFile(provider={self.provider!r}, nbytes={self.nbytes})"


class FileListing(Message):
    """What the cloud found: sealed descriptions of stored files, without what they hold.

    Parameters
    ----------
    listing : Listing
        Files as a cloud gives them, with the number of the request that they answer.
    """

    def __init__(self, listing: _mopse.message.Listing) -> None:
        if not isinstance(listing, _mopse.message.Listing):
            raise WrongTypeError(f"a listing is wanted, not {type(listing).__name__}")
        self._listing = listing

    @classmethod
    def from_bytes(cls, message: bytes) -> "FileListing":
        """Return the listing that travelled as these bytes."""
        return cls(_mopse.message.Listing.decode(as_message(message, "a listing", FileListing)))

    def __bytes__(self) -> bytes:
        return self._listing.encode()

    def __len__(self) -> int:
        return len(self._listing)

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
