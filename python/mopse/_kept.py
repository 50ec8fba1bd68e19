"""Messages that lie in files, of which a piece at a time is in memory."""

import os
from collections.abc import Generator
from pathlib import Path

from mopse._files import changed, reading
from mopse.errors import InvalidInputError

__all__ = ["PIECE", "Kept"]

PIECE = 1 << 22
"""Bytes that are read at once: enough for all cores, few enough to hold."""


class Kept:
    """A message that lies in a file."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = Path(os.path.abspath(path)), size

    @classmethod
    def found(cls, path: Path) -> "Kept":
        """Return what lies in a file."""
        with reading(path) as source:
            if source.size is None:
                raise InvalidInputError(f"{path} is a pipe or device, and no file with a message")
            return cls(path, source.size)

    def pieces(self) -> Generator[bytes]:
        """Yield it piece by piece, and refuse a file that is or becomes longer or shorter."""
        left = self.size
        with reading(self.path) as source:
            while left:
                piece = source.read(min(PIECE, left))
                if not piece:
                    raise changed(self.path)
                left -= len(piece)
                if not left:
                    source.check_end()  # before all of it is out
                yield piece

    def read(self) -> bytes:
        """Return all of it."""
        return b"".join(self.pieces())
