"""Attachments on their way to and from a cloud's store, of which a piece at a time is in memory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mopse import _mopse
from mopse._files import PRIVATE, Target, creating
from mopse._kept import Kept
from mopse._remote import RemoteGate
from mopse.messages import SealedFile
from mopse.stores import LARGE

__all__ = ["Outgoing", "Taking", "fetched_to", "outgoing", "received", "takes_streams"]


def takes_streams(store: Any) -> bool:
    """Say whether a store keeps large bodies elsewhere than in memory."""
    return hasattr(store, "spool")


class Taking:
    """An attachment on its way to a store that spools it."""

    def __init__(self, gate: Any, store: Any) -> None:
        self._gate, self._store = gate, store
        self._incoming = _mopse.message.Incoming()
        self._exits = contextlib.ExitStack()
        self._spool: Any = None
        self._is_expected = False

    def take(self, piece: bytes) -> None:
        """Take the next bytes."""
        body = self._incoming.feed(piece)
        if not self._is_expected and (file := self._incoming.file) is not None:
            self._gate.expect(file)
            self._is_expected = True
        if self._spool is None and body:
            self._spool = self._exits.enter_context(self._store.spool())
        if body:
            self._spool.write(body)

    def end(self) -> Any:
        """Have the cloud take it whole, and return what it says of that."""
        came = self._incoming.end()
        if self._spool is None:
            self._spool = self._exits.enter_context(self._store.spool())
        self._spool.write(came.body)
        return self._gate.receive_spooled(came, self._spool)

    def close(self) -> None:
        """Let go of it: nothing is left of what was not taken."""
        self._exits.close()


def received(gate: Any, store: Any, kept: Kept, now: int) -> Any:
    """Have a cloud take an attachment that lies in a file, and return what it says of that."""
    if isinstance(gate, RemoteGate):
        return gate.receive(kept, now)
    if kept.size <= LARGE or not takes_streams(store):
        return gate.receive(kept.read(), now)
    with contextlib.closing(Taking(gate, store)) as taking:
        for piece in kept.pieces():
            taking.take(piece)
        return taking.end()


class Outgoing:
    """An answer whose middle is read piece by piece."""

    def __init__(self, before: bytes, size: int, body: Any, after: bytes) -> None:
        self.size = len(before) + size + len(after)
        self._before, self._body, self._after = before, body, after

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        yield from self._body
        yield self._after

    def close(self) -> None:
        """Let go of the body."""
        self._body.close()


def outgoing(gate: Any, message: bytes, now: int, is_proven: bool) -> Outgoing | None:
    """Return the answer to a request for a file, if its store reads that piece by piece."""
    found = gate.fetch_spooled(message, now, is_proven)
    return None if found is None else Outgoing(*found)


class _Written:
    """A fetched file that is written as it comes."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        self._target.restart()
        self._arriving, self._size = _mopse.message.Arriving(False), 0

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._arriving.skip(piece)
        self._size += self._target.write(piece)

    def end(self, path: Path) -> SealedFile:
        """Return the file that has come."""
        head, _ = self._arriving.end()
        return SealedFile._in_file(head, Kept(path, self._size))


def fetched_to(
    gate: Any, store: Any, request: bytes, now: int, is_proven: bool, path: Path
) -> SealedFile:
    """Return the file that a request asks for, which is written to a new file."""
    with creating(path, PRIVATE) as target:
        written = _Written(target)
        if isinstance(gate, RemoteGate):
            gate.fetch_to(request, is_proven, written)
            return written.end(path)
        answer = outgoing(gate, request, now, is_proven) if takes_streams(store) else None
        if answer is None:
            written.write(gate.fetch(request, now, is_proven).encode())
            return written.end(path)
        with contextlib.closing(answer):
            for piece in answer:
                written.write(piece)
        return written.end(path)
