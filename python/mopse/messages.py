"""What travels between a querier and the cloud: uploads, queries and answers."""

import datetime
import html
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mopse import _mopse
from mopse.errors import DamagedFileError, WrongTypeError

__all__ = ["Answer", "Query", "Upload", "as_message"]

_QUERY = b"MOPSEQRY\x01"
_ANSWER = b"MOPSEALL\x01"

_LAST_SECOND = int(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC).timestamp())


def as_message(message: Any, what: str) -> bytes:
    """Return a message as bytes, and refuse anything that is none rather than convert it.

    Parameters
    ----------
    message : Upload, Query, Answer or bytes
        The message.
    what : str
        What it should be, for the error.

    Returns
    -------
    bytes
        The message as it travels.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is none of these.
    """
    if isinstance(message, Answer | Query | Upload | bytes | bytearray | memoryview):
        return bytes(message)
    raise WrongTypeError(f"{what} must be bytes, not {type(message).__name__}")


def _pack(head: bytes, items: Iterable[bytes]) -> bytes:
    items = list(items)
    sized = (struct.pack("<Q", len(item)) + item for item in items)
    return head + struct.pack("<Q", len(items)) + b"".join(sized)


def _unpack(head: bytes, message: bytes, what: str) -> list[bytes]:
    if message[: len(head)] != head:
        raise DamagedFileError(f"{what} is cut short or malformed at byte 0")
    items: list[bytes] = []
    at = len(head) + 8
    count = int.from_bytes(message[len(head) : at], "little")
    while at < len(message) and len(items) < count:
        start = at + 8
        end = start + int.from_bytes(message[at:start], "little")
        if not start <= end <= len(message):
            break
        items.append(message[start:end])
        at = end
    if at != len(message) or len(items) != count:
        raise DamagedFileError(f"{what} is cut short or malformed at byte {min(at, len(message))}")
    return items


class Upload:
    """A provider's signed batch of sealed records and the encrypted index over them.

    Made by `mopse.Provider.encrypt`; ``bytes(upload)`` is what travels. The cloud checks it whole
    before it keeps any of it.

    Parameters
    ----------
    message : bytes
        An upload as it travels.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is cut short or malformed.
    mopse.errors.SignatureError
        If the provider it names did not sign it.
    mopse.errors.InvalidInputError
        If a run in it is unsorted or holds a number that is no ciphertext.

    Notes
    -----
    **Leakage.** How many records and entries there are, which records lack a value, the size of
    each record, the order of all entries to the cell, and which entries belong to one record.
    """

    def __init__(self, message: bytes) -> None:
        self._message = as_message(message, "an upload")
        self._decoded: _mopse.Upload | None = _mopse.Upload.decode(self._message)

    @classmethod
    def _signed(cls, message: bytes) -> "Upload":
        """Return an upload that was signed just now, without checking that again."""
        upload = cls.__new__(cls)
        upload._message, upload._decoded = message, None
        return upload

    @property
    def _upload(self) -> _mopse.Upload:
        if self._decoded is None:
            self._decoded = _mopse.Upload.decode(self._message)
        return self._decoded

    @property
    def provider(self) -> str:
        """Path of the provider."""
        return self._upload.provider

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(self._message)

    @property
    def entries(self) -> dict[str, int]:
        """How many index entries each field has."""
        return dict(self._upload.entries)

    def __bytes__(self) -> bytes:
        return self._message

    def __len__(self) -> int:
        return self._upload.records

    def __repr__(self) -> str:
        return (
            f"Upload(provider={self.provider!r}, records={len(self)}, "
            f"entries={sum(self.entries.values())}, nbytes={self.nbytes})"
        )


class Query:
    """A question to the cloud: one signed token per group.

    Made by `mopse.Owner.query` or `mopse.Provider.query`. ``bytes(query)`` is what travels: the
    tokens, and not the bounds in the clear, which stay with whoever asks.

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
        if isinstance(tokens, bytes | str) or not isinstance(tokens, Iterable):
            raise WrongTypeError(f"tokens must be a list of bytes, not {type(tokens).__name__}")
        self.tokens = tuple(as_message(token, "a token") for token in tokens)
        self._ranges = None if ranges is None else dict(ranges)
        self._checked: list[_mopse.Token] | None = _mopse.Token.decode_all(self.tokens)

    @classmethod
    def _signed(cls, tokens: Iterable[bytes], ranges: Mapping[str, tuple[int, int]]) -> "Query":
        """Return a query that was signed just now, without checking that again."""
        query = cls.__new__(cls)
        query.tokens, query._ranges, query._checked = tuple(tokens), dict(ranges), None
        return query

    @property
    def _decoded(self) -> list[_mopse.Token]:
        if self._checked is None:
            self._checked = _mopse.Token.decode_all(self.tokens)
        return self._checked

    @classmethod
    def from_bytes(cls, message: bytes) -> "Query":
        """Return the query that travelled as these bytes, as the cloud sees it.

        Parameters
        ----------
        message : bytes
            What ``bytes(query)`` gave.

        Returns
        -------
        Query
            The tokens, without the bounds in the clear.

        Raises
        ------
        mopse.errors.DamagedFileError
            If the bytes are cut short or malformed.
        mopse.errors.SignatureError
            If a token is forged.
        """
        return cls(_unpack(_QUERY, as_message(message, "a query"), "the query"))

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

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
        return _pack(_QUERY, self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        fields = sorted({name for token in self._decoded for name, _, _ in token.predicates})
        return f"Query(fields={fields}, tokens={len(self)}, nbytes={self.nbytes})"


class Answer:
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

    def __init__(self, parts: Iterable[_mopse.Part]) -> None:
        self._parts = list(parts) if isinstance(parts, Iterable) else [parts]
        for part in self._parts:
            if not isinstance(part, _mopse.Part):
                raise WrongTypeError(f"an answer is made of parts, not {type(part).__name__}")
        self.excess: int | None = None

    @classmethod
    def from_bytes(cls, message: bytes) -> "Answer":
        """Return the answer that travelled as these bytes.

        Parameters
        ----------
        message : bytes
            What ``bytes(answer)`` gave.

        Returns
        -------
        Answer
            The same sealed records.

        Raises
        ------
        mopse.errors.DamagedFileError
            If the bytes are cut short or malformed.
        """
        parts = _unpack(_ANSWER, as_message(message, "an answer"), "the answer")
        return cls(_mopse.Part.decode(part) for part in parts)

    @property
    def providers(self) -> dict[str, int]:
        """How many records came from each provider."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            counts[part.provider] += part.records
        return {provider: count for provider, count in sorted(counts.items()) if count}

    @property
    def nbytes(self) -> int:
        """Size of handles, layouts and sealed records, in bytes."""
        return sum(part.size for part in self._parts)

    def __bytes__(self) -> bytes:
        return _pack(_ANSWER, (part.encode() for part in self._parts))

    def __len__(self) -> int:
        return sum(part.records for part in self._parts)

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
