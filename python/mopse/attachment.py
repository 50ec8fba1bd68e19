"""What travels of files: uploads, requests, listings and sealed files."""

import dataclasses
import unicodedata
from collections.abc import Iterable
from typing import Any

from mopse import _mopse
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.query import _pack, _unpack

__all__ = [
    "File",
    "FileListing",
    "FileRequest",
    "FileUpload",
    "SealedFile",
    "file_number",
    "file_text",
    "keyword_bytes",
]

_LISTING = b"MOPSELSG\x01"


def keyword_bytes(keyword: Any) -> bytes:
    """Return what stands for a keyword: the same for what reads the same.

    Parameters
    ----------
    keyword : str
        A word, a phrase or a number.

    Returns
    -------
    bytes
        UTF-8 in Unicode's form NFKC, with case folded and each run of white space one space; in
        NFKC once more after folding, which takes some letters apart.

    Raises
    ------
    mopse.errors.InvalidInputError
        If nothing is left of it.
    mopse.errors.WrongTypeError
        If it is not a string.

    Examples
    --------
    >>> keyword_bytes("  Chest   X-RAY ")
    b'chest x-ray'
    """
    if not isinstance(keyword, str):
        raise WrongTypeError(f"a keyword must be a string, not {type(keyword).__name__}")
    try:
        folded = unicodedata.normalize("NFKC", keyword).casefold()
        word = " ".join(unicodedata.normalize("NFKC", folded).split()).encode()
    except UnicodeEncodeError:
        raise InvalidInputError("a keyword holds half of a surrogate pair") from None
    if not word:
        raise InvalidInputError("a keyword is empty")
    return word


def file_text(file: int) -> str:
    """Return a file's number as text.

    Parameters
    ----------
    file : int
        The number, below 2^128.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return f"{file:032x}"


def file_number(file: Any) -> int:
    """Return the number of a file from its text.

    Parameters
    ----------
    file : str
        32 hexadecimal digits.

    Returns
    -------
    int
        The number.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the text is no number of a file.
    mopse.errors.WrongTypeError
        If it is not a string.
    """
    if not isinstance(file, str):
        raise WrongTypeError(f"a file is named by a string, not {type(file).__name__}")
    if len(file) != 32 or not set(file) <= set("0123456789abcdef"):
        raise InvalidInputError("a file is named by 32 hexadecimal digits, as a listing shows them")
    return int(file, 16)


def _as_bytes(message: Any, what: str) -> bytes:
    if isinstance(message, FileUpload | FileRequest | FileListing | SealedFile):
        return bytes(message)
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    raise WrongTypeError(f"{what} must be bytes, not {type(message).__name__}")


@dataclasses.dataclass(frozen=True)
class File:
    """A file that was opened.

    Attributes
    ----------
    name, media_type : str
        What it is called.
    provider : str
        Path of the provider that attached it.
    content : bytes
        What it holds.
    """

    name: str
    media_type: str
    provider: str
    content: bytes = dataclasses.field(repr=False)


class FileUpload:
    """A provider's signed file, sealed, with the keyword entries it is found by.

    Made by `mopse.Provider.attach`; ``bytes(upload)`` is what travels.

    Parameters
    ----------
    message : bytes
        A file as it travels.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is cut short or malformed.
    mopse.errors.SignatureError
        If the provider it names did not sign it.

    Notes
    -----
    **Leakage.** Provider and record, the size of the file, the length of its name and type, and how
    many keywords it has.
    """

    def __init__(self, message: bytes) -> None:
        self._message = _as_bytes(message, "a file")
        self._decoded: _mopse.FileUpload | None = _mopse.FileUpload.decode(self._message)

    @classmethod
    def _signed(cls, message: bytes) -> "FileUpload":
        """Return a file that was signed just now, without checking that again."""
        upload = cls.__new__(cls)
        upload._message, upload._decoded = message, None
        return upload

    @property
    def _upload(self) -> _mopse.FileUpload:
        if self._decoded is None:
            self._decoded = _mopse.FileUpload.decode(self._message)
        return self._decoded

    @property
    def provider(self) -> str:
        """The provider that attached it."""
        return self._upload.provider

    @property
    def file(self) -> str:
        """The file's number, as listings show it."""
        return file_text(self._upload.file)

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(self._message)

    def __bytes__(self) -> bytes:
        return self._message

    def __repr__(self) -> str:
        return (
            f"FileUpload(provider={self.provider!r}, keywords={self._upload.entries}, "
            f"nbytes={self.nbytes})"
        )


class FileRequest:
    """A signed request for files: by keywords, by records, or for one file.

    Made by `mopse.Owner.find`, `mopse.Owner.files_of` and `mopse.Owner.fetch`; ``bytes(request)``
    is what travels.

    Parameters
    ----------
    message : bytes
        A request as it travels.

    Raises
    ------
    mopse.errors.DamagedFileError
        If it is cut short or malformed.
    mopse.errors.SignatureError
        If it is forged.

    Notes
    -----
    **Leakage.** The cloud learns which files match each keyword, also those that are added later,
    and that two requests ask for one keyword; not the keyword.
    """

    def __init__(self, message: bytes) -> None:
        self._message = _as_bytes(message, "a request")
        self._decoded = _mopse.FileRequest.decode(self._message)

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(self._message)

    def __bytes__(self) -> bytes:
        return self._message

    def __repr__(self) -> str:
        return f"FileRequest(nbytes={self.nbytes})"


class SealedFile:
    """One file as the cloud keeps it, which only a key holder opens.

    Parameters
    ----------
    stored : StoredFile
        The file as a store gives it.
    """

    def __init__(self, stored: _mopse.StoredFile) -> None:
        if not isinstance(stored, _mopse.StoredFile):
            raise WrongTypeError(f"a stored file is wanted, not {type(stored).__name__}")
        self._stored = stored

    @classmethod
    def from_bytes(cls, message: bytes) -> "SealedFile":
        """Return the file that travelled as these bytes.

        Parameters
        ----------
        message : bytes
            What ``bytes(sealed)`` gave.

        Returns
        -------
        SealedFile
            The same file.

        Raises
        ------
        mopse.errors.DamagedFileError
            If the bytes are cut short or malformed.
        """
        return cls(_mopse.StoredFile.decode(_as_bytes(message, "a file")))

    @property
    def provider(self) -> str:
        """The provider that attached it."""
        return self._stored.provider

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

    def __bytes__(self) -> bytes:
        return self._stored.encode()

    def __repr__(self) -> str:
        return f"SealedFile(provider={self.provider!r}, nbytes={self.nbytes})"


class FileListing:
    """What the cloud found: sealed descriptions of files, without what they hold.

    Parameters
    ----------
    stored : iterable of StoredFile
        Files as a store gives them.
    """

    def __init__(self, stored: Iterable[_mopse.StoredFile]) -> None:
        self._stored = list(stored)

    @classmethod
    def from_bytes(cls, message: bytes) -> "FileListing":
        """Return the listing that travelled as these bytes.

        Parameters
        ----------
        message : bytes
            What ``bytes(listing)`` gave.

        Returns
        -------
        FileListing
            The same files.

        Raises
        ------
        mopse.errors.DamagedFileError
            If the bytes are cut short or malformed.
        """
        parts = _unpack(_LISTING, _as_bytes(message, "a listing"), "the listing")
        return cls(_mopse.StoredFile.decode(part) for part in parts)

    @property
    def nbytes(self) -> int:
        """Size as it travels, in bytes."""
        return len(bytes(self))

    def __bytes__(self) -> bytes:
        return _pack(_LISTING, (stored.encode() for stored in self._stored))

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        return f"FileListing(files={len(self)}, nbytes={self.nbytes})"
