"""Attachments that are sealed and opened by batches, so that none is in memory as a whole."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._checks import byte_array, instance, truth
from mopse._files import PRIVATE, Source, as_file, creating, reading
from mopse._kept import PIECE, Kept
from mopse.files import content
from mopse.messages import FileRequest, FileUpload, SealedFile, WrittenFile

__all__ = ["attached", "opened_by", "opened_to"]

_SEGMENT = _mopse.cipher.StreamSealer.SEGMENT
_BATCH = 64 * _SEGMENT
"""Bytes that are sealed at once, 4 MiB: all cores have their part, and the memory is small."""

_Begun = tuple[tuple[str, str, int], _mopse.party.Opening]
Begin = Callable[[_mopse.message.Fetched, _mopse.message.Request], _Begun]
"""What begins to open a file."""


class _InMemory:
    """Contents that are in memory."""

    def __init__(self, contents: NDArray[np.uint8]) -> None:
        self.size = len(contents)
        self._left = contents

    def take(self, count: int) -> NDArray[np.uint8]:
        """Return the next bytes."""
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def check_end(self) -> None:
        """Accept it: who leaves it unchanged during the call has it so."""


class _InFile:
    """Contents of a file, whose batches share one memory."""

    def __init__(self, source: Source, size: int, batch: NDArray[np.uint8]) -> None:
        self.size, self.check_end = size, source.check_end
        self._source, self._batch = source, batch

    def take(self, count: int) -> NDArray[np.uint8]:
        """Return the next bytes."""
        taken = self._batch[:count]
        self._source.fill(taken)
        return taken


@contextlib.contextmanager
def _contents(source: Any) -> Iterator[_InMemory | _InFile]:
    """Lend what is attached: a large file by batches, anything else whole."""
    if not isinstance(source, str | os.PathLike):
        yield _InMemory(byte_array(content(source), "the file"))
        return
    path = as_file(source)
    with reading(path) as file:
        if file.size is not None and file.size > _BATCH:
            with _wiped(_BATCH) as batch:
                yield _InFile(file, file.size, batch)
        else:  # also what has no length, as a pipe, or says another one than it has
            yield _InMemory(byte_array(content(file), "the file"))


@contextlib.contextmanager
def _wiped(size: int) -> Iterator[NDArray[np.uint8]]:
    """Lend memory for plaintext, in which nothing is left of it."""
    memory = np.zeros(size, np.uint8)
    try:
        yield memory
    finally:
        memory.fill(0)


def attached(
    keyring: _mopse.party.Keyring,
    source: Any,
    to: Any,
    record_id: Any,
    cipher: str,
    called: tuple[str, str],
    words: list[bytes],
) -> FileUpload:
    """Return an attachment, in memory or in a new file; see `Provider.attach`."""
    path = None if to is None else as_file(to)
    with contextlib.ExitStack() as exits:
        contents = exits.enter_context(_contents(source))
        begun = _mopse.party.begin_attachment(
            keyring, record_id, cipher, *called, contents.size, words
        )
        memory = io.BytesIO()
        target: Any = memory if path is None else exits.enter_context(creating(path, PRIVATE))
        size = target.write(begun.head)
        sealed = np.empty(begun.sealed_len(min(contents.size, _BATCH)), np.uint8)
        left = contents.size
        while True:
            batch = contents.take(min(left, _BATCH))
            part = sealed[: begun.sealed_len(len(batch))]
            begun.seal(batch, part)
            size += target.write(part)
            left -= len(batch)
            if not left:
                break
        contents.check_end()
        end, attachment = _mopse.party.end_attachment(keyring, begun)
        size += target.write(end)
    message = memory.getvalue() if path is None else Kept(path, size)
    return FileUpload._made(message, attachment)


def opened_to(
    sealed: SealedFile, request: FileRequest, begin: Begin, proof: bool, to: Any
) -> WrittenFile:
    """Return an attachment that was opened to a new file; see `Party.open_file`."""
    asked = instance(request, FileRequest, "a request")
    path = as_file(to)
    with creating(path, PRIVATE) as target:
        head, (name, media_type, _), size = opened_by(sealed, asked, begin, proof, target.write)
    return WrittenFile(name, media_type, head.provider, asked._record(head), path, size)


def opened_by(
    sealed: SealedFile,
    request: FileRequest,
    begin: Begin,
    proof: bool,
    write: Callable[[Any], Any],
) -> tuple[_mopse.message.StoredFile, tuple[str, str, int], int]:
    """Return a file without its body, what it is called, and how many bytes of it were written.

    What is written before it returns is genuine where no proof is asked for, and may not be all.
    """
    instance(sealed, SealedFile, "a file")
    arriving = _mopse.message.Arriving(truth(proof, "proof"))
    begun: _Begun | None = None
    size = 0
    with contextlib.ExitStack() as exits:
        plaintext = exits.enter_context(_wiped(0))
        for piece in sealed._pieces():
            body = arriving.feed(piece)
            if begun is None:
                head = arriving.head
                if head is None:
                    continue
                begun = begin(head, request._decoded)
                plaintext = exits.enter_context(_wiped(PIECE + 2 * _SEGMENT))
            count = begun[1].feed(body, plaintext)
            write(plaintext[:count])
            size += count
        head, rest = arriving.end()
        if begun is None:
            begun = begin(head, request._decoded)
            plaintext = exits.enter_context(_wiped(2 * _SEGMENT))
        called, opening = begun
        opening.feed(rest, plaintext)  # which is less than a segment
        count = opening.end(plaintext)
        write(plaintext[:count])
        size += count
    return head.file, called, size
