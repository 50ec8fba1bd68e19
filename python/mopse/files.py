"""Encrypted streams: files of any length under authenticated encryption, in constant memory."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, overload

import numpy as np

from mopse import _mopse
from mopse._checks import associated, byte_array, key_bytes, text
from mopse._files import PRIVATE, SHARED, access_error, as_file, is_one_pipe, reading, replacing
from mopse._progress import counter
from mopse.errors import DamagedFileError, FileAccessError, InvalidInputError, WrongTypeError

__all__ = ["content", "decrypt", "encrypt"]

_SEGMENTS = 64
"""Segments of a batch: 4 MiB keep all cores busy and the memory small."""

_BATCH = _SEGMENTS * _mopse.cipher.StreamSealer.SEGMENT
_TAG = 16
_SEALED_BATCH = _BATCH + _SEGMENTS * _TAG


@overload
def encrypt(
    source: Any,
    target: None = None,
    *,
    key: bytes,
    cipher: str = ...,
    aad: Any = ...,
    progress: bool = ...,
) -> bytes: ...
@overload
def encrypt(
    source: Any,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    key: bytes,
    cipher: str = ...,
    aad: Any = ...,
    progress: bool = ...,
) -> int: ...
def encrypt(
    source: Any,
    target: str | os.PathLike[str] | BinaryIO | None = None,
    *,
    key: bytes,
    cipher: str = "aes-256-gcm",
    aad: Any = b"",
    progress: bool | None = None,
) -> bytes | int:
    """Encrypt a file in segments that can be neither changed, cut off, moved nor mixed.

    Parameters
    ----------
    source : bytes-like, path or binary file
        What is encrypted; a file is read from where it stands to its end.
    target : path or binary file, optional
        Where it goes. A path is replaced in one step, when all was written: whatever goes wrong,
        nothing half-written is left under that name, and what was there before is. A file that is
        there keeps its owner and mode, a link stays a link. A pipe or device gets the bytes as
        they come.
    key : bytes
        32 uniformly random bytes. Secret. Every stream gets a key of its own from it, so that one
        is good for any number of them.
    cipher : str
        One of `mopse.ciphers.names` that is authenticated.
    aad : bytes-like
        Associated data: not in the stream, not secret, and needed unchanged to decrypt.
    progress : bool, optional
        Whether to show a progress bar; by default where it takes long, on a terminal.

    Returns
    -------
    bytes or int
        The encrypted stream, or how many bytes were written to the target.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the key has another length, or there is no such cipher or it is not authenticated.
    mopse.errors.WrongTypeError
        If something is of another type, as a file in text mode is.
    mopse.errors.FileAccessError
        If a file cannot be read or written, or is changed while it is read;
        `mopse.errors.MissingFileError` if there is none. Both are an OSError.

    Notes
    -----
    The STREAM construction [1]_ over segments of 64 KiB, 16 bytes longer each, and a head of 69
    bytes. Batches of 4 MiB go through all cores with the GIL released; memory does not grow with
    the file. The stream shows the length of the file.

    References
    ----------
    .. [1] V. T. Hoang, R. Reyhanitabar, P. Rogaway and D. Vizar, "Online Authenticated-Encryption
       and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015, section 7.

    Examples
    --------
    >>> import secrets
    >>> key = secrets.token_bytes(32)
    >>> sealed = encrypt(b"chest X-ray", key=key, aad=b"record 17")
    >>> decrypt(sealed, key=key, aad=b"record 17")
    b'chest X-ray'
    """
    sealer = _mopse.cipher.StreamSealer(text(cipher, "a cipher"), key_bytes(key), associated(aad))

    def parts(read: _Read) -> Iterator[bytes]:
        yield sealer.head
        for batch, is_last in _batches(read, _BATCH):
            yield sealer.push(byte_array(batch, "the file"), is_last)

    return _transfer(source, target, parts, progress, SHARED)


@overload
def decrypt(
    source: Any, target: None = None, *, key: bytes, aad: Any = ..., progress: bool = ...
) -> bytes: ...
@overload
def decrypt(
    source: Any,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    key: bytes,
    aad: Any = ...,
    progress: bool = ...,
) -> int: ...
def decrypt(
    source: Any,
    target: str | os.PathLike[str] | BinaryIO | None = None,
    *,
    key: bytes,
    aad: Any = b"",
    progress: bool | None = None,
) -> bytes | int:
    """Decrypt what `encrypt` made; source, target, key and errors are as there.

    Parameters
    ----------
    source : bytes-like, path or binary file
        The encrypted stream.
    target : path or binary file, optional
        Where the file goes. A path is replaced in one step, after the last segment was checked; a
        new file is readable for its owner only. A pipe, a device or a
        binary file is written to batch by batch, so that it holds a genuine beginning of the file
        if a later segment turns out to be damaged. Without a target the file is returned, when all
        of it was checked.
    key, aad, progress : see `encrypt`
        As for `encrypt`.

    Raises
    ------
    mopse.errors.DecryptionError
        If a segment was changed, cut off, moved or added, or the key or aad are others.
    mopse.errors.DamagedFileError
        If it does not begin like an encrypted stream, or is of an unknown version.
    mopse.errors.InvalidInputError
        If the key has another length, or the cipher is unknown here.
    """
    secret, bound = key_bytes(key), associated(aad)

    def parts(read: _Read) -> Iterator[bytes]:
        head = bytes(read(_mopse.cipher.StreamOpener.HEAD))
        if len(head) < _mopse.cipher.StreamOpener.HEAD:
            raise DamagedFileError("the sealed file is cut short within its head")
        opener = _mopse.cipher.StreamOpener(head, secret, bound)
        for batch, is_last in _batches(read, _SEALED_BATCH):
            yield opener.push(byte_array(batch, "the sealed file"), is_last)

    return _transfer(source, target, parts, progress, PRIVATE)


def content(source: Any) -> Any:
    """Return all that a source holds: a buffer as it is, a path or file read to its end.

    Sources and errors are those of `encrypt`.
    """
    with _opened(source) as (read, total):
        if total is not None and not isinstance(source, str | os.PathLike):
            return read(total)
        parts = []
        while part := read(_BATCH):
            parts.append(part)
        return b"".join(parts)


_Read = Callable[[int], Any]
"""Returns so many bytes, fewer at the end only."""


def _batches(read: _Read, size: int) -> Iterator[tuple[Any, bool]]:
    """Yield batches and whether each is the last, which only a look at what follows can tell."""
    batch = read(size)
    while True:
        following = read(size) if len(batch) == size else b""
        yield batch, not len(following)
        if not len(following):
            return
        batch = following


def _transfer(
    source: Any,
    target: Any,
    parts: Callable[[_Read], Iterator[bytes]],
    progress: bool | None,
    mode: int,
) -> bytes | int:
    is_file = hasattr(target, "write")
    file = None if target is None or is_file else as_file(target)
    if file is not None and isinstance(source, str | os.PathLike):
        origin = as_file(source)
        if is_one_pipe(origin, file):
            raise InvalidInputError(f"{file} is a pipe: it cannot be source and target")
    if progress is not None and not isinstance(progress, bool | np.bool_):
        raise WrongTypeError(f"progress is a {type(progress).__name__}, expected a bool or None")
    with _opened(source) as (read, total), counter(total, progress) as bar:

        def counted(size: int) -> Any:
            batch = read(size)
            bar.update(len(batch))
            return batch

        made = parts(counted)
        if is_file:
            return sum(_write(target, part) for part in made)
        if file is not None:
            with replacing(file, mode) as fresh:
                return sum(fresh.write(part) for part in made)
        gathered = io.BytesIO()
        for part in made:
            gathered.write(part)
        return gathered.getvalue()


@contextlib.contextmanager
def _opened(source: Any) -> Iterator[tuple[_Read, int | None]]:
    """Lend what reads a source, and its length where that is known."""
    if hasattr(source, "read"):
        yield _reader(source), None
    elif isinstance(source, str | os.PathLike):
        with reading(as_file(source)) as file:
            yield _reader(file), file.size
    else:
        array = byte_array(source, "the source")
        at = 0

        def read(size: int) -> Any:
            nonlocal at
            at += size
            return array[at - size : at]

        yield read, len(array)


def _reader(file: Any) -> Callable[[int], bytes]:
    """Return what reads a file until there is enough or no more."""

    def read(size: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            with _lent(file, "source"):
                piece = file.read(size)
            if piece is None:
                raise InvalidInputError("the source does not wait for its bytes: let it block")
            if not isinstance(piece, bytes | bytearray | memoryview):
                kind = type(piece).__name__
                raise WrongTypeError(f"the source gives {kind}, not bytes: open it in binary mode")
            if not piece:
                break
            if len(piece) > size:
                raise InvalidInputError(f"the source gives {len(piece)} bytes, not {size} at most")
            pieces.append(bytes(piece))
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    return read


def _write(file: Any, part: bytes) -> int:
    left = memoryview(part)
    while left:
        try:
            with _lent(file, "target"):
                written = file.write(left)
        except TypeError:
            raise WrongTypeError("the target takes no bytes: open it in binary mode") from None
        if written is None or written <= 0:
            raise InvalidInputError("the target takes no more bytes")
        left = left[written:]
    return len(part)


@contextlib.contextmanager
def _lent(file: Any, what: str) -> Iterator[None]:
    """Turn what a file object raises of itself into errors of this package."""
    try:
        yield
    except FileAccessError:
        raise
    except OSError as error:
        raise access_error(error, getattr(file, "name", f"the {what}")) from None
    except ValueError:
        if getattr(file, "closed", False):
            raise InvalidInputError(f"the {what} is closed") from None
        raise
