"""Large bodies beside a store that is one file: a file each, in a folder of theirs.

A body and the row that names it are on one disk and in two places, and a process may be killed
between them. So a body has a *mark* beside it while its row may be there or not: an empty file that
is made before, and removed after. Whoever opens the store next looks at what has a mark, and has
the row decide. What has no mark is never removed.
"""

import contextlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

from mopse._files import removed, settle_folder, telling
from mopse.errors import DamagedFileError

__all__ = ["PIECE", "Folder"]

PIECE = 1 << 20
"""Bytes of a body that are read at once."""

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_MARK = ".unsure"


class Folder:
    """The folder of a store's large bodies, which is made with the first."""

    def __init__(self, store: Path) -> None:
        place = Path(os.path.realpath(store))  # where links lead
        self._store, self.path = place, place.with_name(f"{place.name}.files")
        self._lock = threading.Lock()
        self._under_way: set[str] = set()

    def spool(self) -> "_FileSpool":
        """Return a new body to be written."""
        with telling(self.path):
            mode = stat.S_IMODE(os.stat(self._store).st_mode)
            if not self.path.is_dir():
                # Whoever may read the store may read them.
                self.path.mkdir(mode | (mode & 0o444) >> 2, exist_ok=True)
                settle_folder(self.path.parent)
        name = secrets.token_hex(16)
        with self._lock:
            self._under_way.add(name)
        try:
            self.mark([name])
            with telling(self.path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
                handle = os.open(self.path / name, flags, mode & 0o666)
        except BaseException:
            self.drop([name])
            raise
        return _FileSpool(self, name, handle)

    def body(self, name: str, size: int) -> "_FileBody":
        """Return a body that is there."""
        return _FileBody(self.path / name, size)

    def mark(self, names: Sequence[str]) -> None:
        """Have it be seen that rows of bodies may be there or not."""
        for name in names:
            with telling(self.path):
                os.close(os.open(self._mark_of(name), os.O_WRONLY | os.O_CREAT | _FLAGS, 0o600))
        if names:
            settle_folder(self.path)

    def unmark(self, name: str) -> None:
        """Take note that the row of a body is there."""
        removed(self._mark_of(name))
        self._end(name)

    def drop(self, names: Sequence[str]) -> None:
        """Remove bodies whose rows are not there."""
        for name in names:
            removed(self.path / name)
        if names:
            settle_folder(self.path)
        for name in names:
            removed(self._mark_of(name))
            self._end(name)

    def marked(self) -> list[str]:
        """Return the bodies that have a mark."""
        marked = [name.removesuffix(_MARK) for name in self._there() if name.endswith(_MARK)]
        return [name for name in marked if re.fullmatch("[0-9a-f]{32}", name)]

    def settle(self, marked: Sequence[str], named: Collection[str]) -> None:
        """Put right what has a mark and nobody is at work on, by what rows name."""
        self.drop([name for name in marked if name not in named])
        for name in named:
            if name in marked:
                self.unmark(name)

    def strangers(self, named: Collection[str]) -> list[str]:
        """Return what is in the folder, and neither named by a row nor under way."""
        with self._lock:
            under_way = {*self._under_way}
        there = self._there()
        known = {*named, *under_way, *self.marked()}
        return [name for name in there if name.removesuffix(_MARK) not in known]

    def _there(self) -> list[str]:
        with telling(self.path):
            return sorted(os.listdir(self.path)) if self.path.is_dir() else []

    def _mark_of(self, name: str) -> Path:
        return self.path / f"{name}{_MARK}"

    def _end(self, name: str) -> None:
        with self._lock:
            self._under_way.discard(name)


class _FileSpool:
    """A body that is written to a file."""

    def __init__(self, folder: Folder, name: str, handle: int) -> None:
        self.name, self.size = name, 0
        self._folder, self._handle = folder, handle
        self._is_left = False

    def write(self, piece: bytes) -> None:
        """See `Spool.write`."""
        left = memoryview(piece)
        with telling(self._folder.path):
            while left:
                left = left[os.write(self._handle, left) :]
        self.size += len(piece)

    def settle(self) -> None:
        """See `Spool.settle`."""
        with telling(self._folder.path):
            os.fsync(self._handle)
        settle_folder(self._folder.path)

    def keep(self) -> None:
        """See `Spool.keep`."""
        self._is_left = True
        self._folder.unmark(self.name)

    def leave(self) -> None:
        """See `Spool.leave`: it has its mark."""
        self._is_left = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
            if not self._is_left:
                self._folder.drop([self.name])

    def __del__(self) -> None:
        with contextlib.suppress(OSError):  # its mark says then what became of it
            self.__exit__()


class _FileBody:
    """A body that is read from a file."""

    def __init__(self, path: Path, size: int) -> None:
        try:
            with telling(path):
                self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        except OSError:
            raise _damaged(path, "cannot be read") from None
        if (found := os.fstat(self._file.fileno()).st_size) != size:
            self.close()
            raise _damaged(path, f"has {found:,} bytes, and had {size:,}")
        self._path, self._left = path, size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            self.close()
            raise StopIteration
        with telling(self._path):
            piece = self._file.read(min(PIECE, self._left))
        if not piece:
            raise _damaged(self._path, "was cut while it was read")
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """See `Body.close`."""
        self._file.close()


def _damaged(path: Path, how: str) -> DamagedFileError:
    return DamagedFileError(f"the store is damaged: the body {path.name} {how}")
