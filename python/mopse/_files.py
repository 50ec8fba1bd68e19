"""Files that are read, and files that are replaced whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mopse.errors import FileAccessError, InvalidInputError, MissingFileError, WrongTypeError

__all__ = ["access_error", "as_file", "read_whole", "replacing", "write_whole"]


def as_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file, or say why it names none."""
    try:
        file = Path(path)
    except Exception:  # TypeError, or what the object's own method raises
        raise WrongTypeError(f"a path must be a string, not {type(path).__name__}") from None
    try:
        named = os.fsencode(file)
    except UnicodeEncodeError:
        raise InvalidInputError("the path holds half of a surrogate pair") from None
    if not file.name or b"\0" in named:
        raise InvalidInputError("the path names no file")
    return file


def access_error(error: OSError, file: object) -> FileAccessError:
    """Return an error of the system as one of this package."""
    kind = MissingFileError if isinstance(error, FileNotFoundError) else FileAccessError
    return kind(error.errno, error.strerror, str(file))


@contextlib.contextmanager
def replacing(target: Path, mode: int) -> Iterator[BinaryIO]:
    """Lend a file that takes the place of another in one step when all went well.

    It is written beside it, and removed if anything goes wrong: what was there before is left.
    """
    fresh = target.with_name(f".mopse.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def read_whole(path: Path) -> bytes:
    """Return what a file holds; what the system says against it is an error of this package."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise access_error(error, path) from None


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Replace a file by another, or say why it cannot be."""
    try:
        with replacing(path, mode) as file:
            file.write(content)
    except OSError as error:
        raise access_error(error, path) from None
