"""All reading and writing of files: whole or not at all, and whatever a path can name.

A file that is written takes the place of the one before in one step, with its owner, group and
mode, when all went well; it is written through symbolic links, which stay. Where that cannot be
(a file with several names, a folder that cannot be written, a file that is mounted) it is made
beside or without a name first, and then copied over the one that is there. A pipe, a terminal, a
device and what this process has open, as ``/dev/stdout``, take the bytes as they come.

What the system says against any of this is a `mopse.errors.FileAccessError` with the path.
"""

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mopse.errors import (
    DamagedFileError,
    FileAccessError,
    InvalidInputError,
    MissingFileError,
    WrongTypeError,
)

__all__ = [
    "PRIVATE",
    "SHARED",
    "Source",
    "Target",
    "access_error",
    "as_file",
    "as_folder",
    "changed",
    "creating",
    "finished",
    "is_one_pipe",
    "is_plain",
    "made_folder",
    "read_whole",
    "reading",
    "removed",
    "replacing",
    "settle_folder",
    "swapped",
    "telling",
    "write_whole",
]

PRIVATE = 0o600
"""The mode of a new file that holds a secret or a plaintext."""

SHARED = 0o666
"""That of any other, of which the umask takes its part."""

_PIECE = 1 << 24
_MOST = 1 << 30
_CLOSED_ON_EXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

# Where a file cannot be made beside another, or not be put in its place, which may yet be written.
_NOT_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG}
_NOT_REPLACED = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV}
_NOT_RESERVED = {errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP}


def as_file(path: Any) -> Path:
    """Return the path of a file, or say why it names none."""
    file = as_folder(path)
    if not file.name or os.fsencode(path).endswith((b"/", os.sep.encode())):
        raise InvalidInputError("the path names no file")
    return file


def as_folder(path: Any) -> Path:
    """Return the path of a folder, or say why it names none."""
    try:
        file, given = Path(path), os.fsencode(path)
    except UnicodeEncodeError:
        raise InvalidInputError("the path holds half of a surrogate pair") from None
    except Exception:  # TypeError, or what the object's own method raises
        raise WrongTypeError(f"a path must be a string, not {type(path).__name__}") from None
    if not given or b"\0" in given:
        raise InvalidInputError("the path names no file")
    return file


def access_error(error: OSError, file: object) -> FileAccessError:
    """Return an error of the system as one of this package."""
    kind = MissingFileError if isinstance(error, FileNotFoundError) else FileAccessError
    number = errno.EIO if error.errno is None else error.errno
    return kind(number, error.strerror or str(error), str(file))


def changed(path: object) -> FileAccessError:
    """Return what is said of a file that is not what it was when it was opened."""
    return FileAccessError(errno.EBUSY, "the file was changed while it was read", str(path))


@contextlib.contextmanager
def telling(path: object) -> Iterator[None]:
    """Turn what the system says against what is done within into an error that names a path."""
    try:
        yield
    except FileAccessError:
        raise
    except OSError as error:
        raise access_error(error, path) from None


class Source:
    """A file that is read from its beginning to its end."""

    def __init__(self, handle: int, path: Path) -> None:
        self._handle, self._path, self._status = handle, path, os.fstat(handle)

    @property
    def size(self) -> int | None:
        """How many bytes there are; None for a pipe or device."""
        return self._status.st_size if stat.S_ISREG(self._status.st_mode) else None

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer; none at the end of what did not change meanwhile."""
        with telling(self._path):
            piece = os.read(self._handle, min(size, _PIECE))
            if not piece and size and self.size is not None:
                now, before = os.fstat(self._handle), self._status
                if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                    raise changed(self._path)
        return piece

    def fill(self, batch: Any) -> None:
        """Read as many bytes as a writable buffer has, in place."""
        left = memoryview(batch)
        while left:
            if hasattr(os, "readv"):
                with telling(self._path):
                    count = os.readv(self._handle, [left[:_PIECE]])
            else:
                piece = self.read(len(left))
                count = len(piece)
                left[:count] = piece
            if not count:
                self.check_end()
                raise changed(self._path)
            left = left[count:]

    def check_end(self) -> None:
        """Refuse what goes on here, or was changed since it was opened."""
        if self.read(1):
            raise changed(self._path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Source]:
    """Lend a file to read."""
    with telling(path):
        handle = os.open(path, os.O_RDONLY | _CLOSED_ON_EXEC)
    try:
        with telling(path):
            source = Source(handle, path)
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield source
    finally:
        os.close(handle)


def read_whole(path: Path, most: int = _MOST) -> bytes:
    """Return what a file holds, of which nothing that is read here has more than `most` bytes."""
    pieces, size = [], 0
    with reading(path) as source:
        while piece := source.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise DamagedFileError(f"{path} is longer than any such file: over {most:,} bytes")
    return b"".join(pieces)


class Target:
    """A file that is written from its beginning to its end."""

    def __init__(self, handle: int, path: Path) -> None:
        self._handle, self._path = handle, path

    def write(self, part: Any) -> int:
        """Write all of some bytes, and return how many there are."""
        whole = memoryview(part).cast("B")
        left = whole
        with telling(self._path):
            while left:
                left = left[os.write(self._handle, left[:_PIECE]) :]
        return len(whole)

    def restart(self) -> None:
        """Forget what was written."""
        with telling(self._path):
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.ftruncate(self._handle, 0)


@contextlib.contextmanager
def creating(path: Path, mode: int) -> Iterator[Target]:
    """Lend a new file to write, of which nothing is left if anything goes wrong.

    It has its name from when it is whole and on the disk. What is there is not written over.
    """
    with telling(path):
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "there is a file already")
        handle, beside = _begun(path, mode)
    try:
        try:
            yield Target(handle, path)
            with telling(path):
                os.fsync(handle)
                _name(handle, beside, path)
                settle_folder(path.parent)
        finally:
            os.close(handle)
    finally:
        if beside is not None:
            with contextlib.suppress(OSError):  # as it is where it has its name
                beside.unlink()


def _begun(path: Path, mode: int) -> tuple[int, Path | None]:
    """Return a new file without a name, so that a process that is killed leaves nothing.

    Where the system has none, it has one beside its place.
    """
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # said again below, where it is not about this
            handle = os.open(path.parent, os.O_TMPFILE | os.O_RDWR | _CLOSED_ON_EXEC, mode)
            if os.path.exists(f"/proc/self/fd/{handle}"):
                return handle, None
            os.close(handle)
    beside = path.with_name(f".mopse.{secrets.token_hex(8)}")
    return os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOSED_ON_EXEC, mode), beside


def _name(handle: int, beside: Path | None, place: Path) -> None:
    """Give a file its name, which nothing has."""
    if beside is None:
        os.link(f"/proc/self/fd/{handle}", place, src_dir_fd=handle, follow_symlinks=True)
        return
    try:
        os.link(beside, place)
    except OSError as error:
        if isinstance(error, FileExistsError) or os.path.lexists(place):
            raise
        os.rename(beside, place)  # on what knows no links


@contextlib.contextmanager
def replacing(path: Path, mode: int) -> Iterator[Target]:
    """Lend what is written in place of a file, of which nothing is left if anything goes wrong.

    A file that is there keeps its mode, a new one gets this.
    """
    with telling(path):
        own = _own_descriptor(path)
        before = _status(path)
        place = Path(os.path.realpath(path)) if path.is_symlink() else path
    if own is not None or not (before is None or stat.S_ISREG(before.st_mode)):
        with telling(path):
            flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | _CLOSED_ON_EXEC
            handle = os.open(path, flags) if own is None else os.dup(own)
        try:
            yield Target(handle, path)
        finally:
            os.close(handle)
        return
    beside = place.with_name(f".mopse.{secrets.token_hex(8)}")
    try:
        with telling(path):
            handle, has_name = _made(beside, place, before, mode)
        try:
            yield Target(handle, path)
            with telling(path):
                _put(handle, beside if has_name else None, place, before)
        finally:
            os.close(handle)
    finally:
        with contextlib.suppress(OSError):  # as it is when all went well
            beside.unlink()


def _status(path: Path) -> os.stat_result | None:
    """Return what a path names, through links; None if that is not there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return status


def _own_descriptor(path: Path) -> int | None:
    """Return which of the files that this process has open a path names, as ``/dev/stdout``."""
    own = {f"/proc/{os.getpid()}/fd", f"/proc/{os.getpid()}/task/{os.getpid()}/fd", "/dev/fd"}
    at = os.path.abspath(path)
    for _ in range(40):  # as many links as the system follows
        folder, name = os.path.split(at)
        if name.isascii() and name.isdigit() and os.path.realpath(folder) in own:
            return int(name)
        if not os.path.islink(at):
            return None
        at = os.path.join(folder, os.readlink(at))
    return None


def _made(beside: Path, place: Path, before: os.stat_result | None, mode: int) -> tuple[int, bool]:
    """Return a new file to write, and whether it has a name beside its place."""
    if before is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOSED_ON_EXEC
    try:
        return os.open(beside, flags, mode if before is None else PRIVATE), True
    except OSError as error:
        if before is None or error.errno not in _NOT_BESIDE:
            raise
    with tempfile.TemporaryFile() as nameless:
        return os.dup(nameless.fileno()), False


def _put(handle: int, beside: Path | None, place: Path, before: os.stat_result | None) -> None:
    """Put what was written in its place."""
    os.fsync(handle)
    is_alone = before is None or (before.st_nlink == 1 and _is_made_alike(handle, place, before))
    if beside is not None and is_alone:
        try:
            os.replace(beside, place)
        except OSError as error:
            if before is None or error.errno not in _NOT_REPLACED:
                raise
        else:
            settle_folder(place.parent)
            return
    _copy(handle, place)


def _is_made_alike(handle: int, place: Path, before: os.stat_result) -> bool:
    """Give a new file what another has besides its bytes; say whether it has that."""
    try:
        now = os.fstat(handle)
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.fchown(handle, before.st_uid, before.st_gid)
        if hasattr(os, "listxattr"):
            for name in os.listxattr(place):
                os.setxattr(handle, name, os.getxattr(place, name))
        os.chmod(handle if os.chmod in os.supports_fd else place, stat.S_IMODE(before.st_mode))
        return not hasattr(os, "fchown") or os.fstat(handle).st_mode == before.st_mode
    except OSError:
        return False


def settle_folder(folder: Path) -> None:
    """Have the names in a folder outlast a loss of power, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | _CLOSED_ON_EXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _copy(handle: int, place: Path) -> None:
    """Copy a file over another, in the other's place.

    The room is reserved first; after that it is done to its end also when it is interrupted.
    """
    size, stopped = os.fstat(handle).st_size, None
    over = os.open(place, os.O_WRONLY | _CLOSED_ON_EXEC)
    try:
        _reserve(over, size)
        at = 0
        while at < size:
            try:
                os.lseek(handle, at, os.SEEK_SET)
                part = os.read(handle, _PIECE)
                os.lseek(over, at, os.SEEK_SET)
                at += os.write(over, part)
            except KeyboardInterrupt as interrupt:
                stopped = interrupt
        os.ftruncate(over, size)
        os.fsync(over)
    finally:
        os.close(over)
    if stopped is not None:
        raise stopped


def _reserve(handle: int, size: int) -> None:
    """Make sure that a file has room for so many bytes, or leave it as it is."""
    before = os.fstat(handle).st_size
    if size <= before or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in _NOT_RESERVED:
            os.ftruncate(handle, before)
            raise


def write_whole(path: Path, content: Any, mode: int) -> None:
    """Write a file in place of what is there, or say why it cannot be."""
    with replacing(path, mode) as target:
        target.write(content)


def finished(beside: Path, place: Path) -> None:
    """Have a file that somebody wrote be on the disk, with owner, group and mode of another.

    Nobody may have locked it: the lock of a process goes with the first handle that it closes.
    """
    with telling(place):
        before, handle = os.stat(place), os.open(beside, os.O_RDWR | _CLOSED_ON_EXEC)
        try:
            if before.st_nlink != 1:
                raise OSError(errno.EMLINK, "it has another name, under which it would stay")
            if not _is_made_alike(handle, place, before):
                raise PermissionError(errno.EPERM, "no other can get its owner, group and mode")
            os.fsync(handle)
        finally:
            os.close(handle)


def swapped(beside: Path, place: Path) -> None:
    """Put a file that is `finished` in place of another, in one step."""
    with telling(place):
        os.replace(beside, place)
        settle_folder(place.parent)


def is_plain(path: Path) -> bool:
    """Say whether what is there is a file like most, and no pipe, device or folder."""
    with telling(path):
        return stat.S_ISREG(os.stat(path).st_mode)


def made_folder(folder: Path) -> Path:
    """Return a folder that is made, with those above it, if it is not there."""
    with telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def removed(path: Path) -> None:
    """Remove a file, if there is one."""
    with telling(path):
        path.unlink(missing_ok=True)


def is_one_pipe(source: Path, target: Path) -> bool:
    """Say whether two paths name one pipe, of which nobody could read what is written."""
    try:
        return stat.S_ISFIFO(os.stat(source).st_mode) and os.path.samefile(source, target)
    except OSError:
        return False
