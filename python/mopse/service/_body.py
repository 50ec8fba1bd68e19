"""Bodies as they come and go: within their size, within their time, and counted while held."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from mopse._passing import Outgoing
from mopse._remote import BYTES
from mopse.errors import DamagedFileError, InvalidInputError, MopseError, UnreachableError
from mopse.service._streams import Incomings
from mopse.stores import LARGE

if TYPE_CHECKING:
    from mopse.service._application import Service

__all__ = ["Gone", "Read", "Refusal", "Work", "send_pieces", "send_whole", "taken"]

_PIECE = 1 << 18
_ROOM = 6
"""More pieces than a server keeps for a connection: granian keeps four."""
_TOLD = 0.05
"""Seconds in which it tells that nobody is there."""
_HEAD = 41
_ATTACHED = b"MOPSEATT"


class Gone(Exception):  # noqa: N818
    """Whoever asked is there no more, or does not take the answer."""


class Refusal(Exception):  # noqa: N818
    """A request that is refused before the cloud sees it."""

    def __init__(self, status: int, error: MopseError, *, retry: bool = False) -> None:
        self.status, self.error = status, error
        # What has not been read of a body is not the next request.
        self.headers = [(b"connection", b"close")]
        if retry:
            self.headers.append((b"retry-after", b"1"))


class Work:
    """What a request holds and has moved."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._held = self.received = self.sent = 0

    def hold(self, size: int) -> bool:
        """Count bytes as held; return whether there was room for them."""
        self._held += size
        self._service.held += size
        return self._service.held <= self._service.limits.held_bytes

    def release(self, size: int | None = None) -> None:
        """Count so many bytes, or all that were held, as let go."""
        let_go = self._held if size is None else size
        self._service.held -= let_go
        self._held -= let_go

    @property
    def limits(self) -> Any:
        """What a request may cost."""
        return self._service.limits


async def taken(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    work: Work,
    most: Callable[[bytes], int],
    admit: Callable[[bytes], Awaitable[None]],
    begin: Callable[[bytes], Incomings | None],
) -> bytes | Incomings:
    """Return the body of a request, whole: a signature is over all of it; or what was begun of it.

    `most` tells how many bytes there may be by the first of them, `begin` what the others are
    handed on to as they come: of what is not longer than `LARGE`, or has none, all are held.

    Raises
    ------
    Refusal
        If it is of another type, too large, too slow, does not come to its end, or there is no
        room for it.
    """
    headers = dict(scope["headers"])
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != BYTES.encode():
        raise Refusal(415, InvalidInputError(f"a message comes as {BYTES}"))
    if b"content-encoding" in headers:
        raise Refusal(415, InvalidInputError("a message comes as it was signed, not compressed"))
    said = headers.get(b"content-length", b"0")
    if not said.isdigit():
        raise Refusal(413, InvalidInputError("how long the message is is no number"))
    limits = work.limits
    loop = asyncio.get_running_loop()
    begun = loop.time()
    first, memory = b"", BytesIO()
    incoming: Incomings | None = None

    def check(size: int) -> None:
        if size > (at_most := most(first)):
            raise Refusal(413, InvalidInputError(f"the message has more than {at_most:,} bytes"))

    check(length := int(said[:20]))
    try:
        async with asyncio.timeout(limits.body_seconds) as deadline:
            while True:
                event = await receive()
                if event["type"] != "http.request":
                    # Its sender may have ended its half of the connection and listen still.
                    raise Refusal(400, DamagedFileError("the message was cut short on its way"))
                piece: bytes = event.get("body", b"")
                is_last = not event.get("more_body", False)
                work.received += len(piece)
                if is_head := len(first) < _HEAD:
                    first = (first + piece)[:_HEAD]
                check(work.received)
                if not work.hold(len(piece)):
                    raise Refusal(503, UnreachableError("the service is busy"), retry=True)
                if is_last and work.received == len(piece):
                    return piece
                if incoming is not None:
                    work.release(await incoming.take(piece))
                else:
                    memory.write(piece)
                if is_last:
                    break
                if is_head and len(first) == _HEAD:
                    check(length)  # which is known better now
                    await admit(first)
                if incoming is None and len(first) == _HEAD and max(length, work.received) > LARGE:
                    incoming = begin(first)
                    if incoming is not None:
                        work.release(await incoming.take(memory.getvalue()))
                        memory.close()
                deadline.reschedule(begun + limits.body_seconds + work.received / limits.least_rate)
    except BaseException as error:
        if incoming is not None:
            await incoming.close()
        if isinstance(error, TimeoutError):
            why = UnreachableError("the message did not come in time")
            raise Refusal(408, why) from None
        raise
    return memory.getvalue() if incoming is None else incoming


async def send_whole(
    work: Work,
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]] | None = None,
) -> None:
    """Send an answer, a piece at a time, to whoever takes it fast enough.

    Raises
    ------
    Gone
        If whoever asked does not take it, or is there no more, as `receive` tells.
    """
    if len(body) <= _PIECE:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        work.sent += len(body)
        return
    work.hold(len(body))
    await send_pieces(work, send, status, headers, _Slices(body), receive)


class _Slices:
    """What is in memory, as it is sent."""

    def __init__(self, body: bytes) -> None:
        self.size = len(body)
        self._body = body

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield it piece by piece."""
        for at in range(0, self.size, _PIECE):
            yield self._body[at : at + _PIECE]

    def close(self) -> None:
        """Let go of nothing: it is in memory."""


class Read:
    """What a thread reads while it is sent."""

    def __init__(self, answer: Outgoing, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self.size = answer.size
        self._answer, self._in_thread = answer, in_thread

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield it piece by piece, of which one is read ahead."""
        iterator = iter(self._answer)
        ahead = asyncio.ensure_future(self._in_thread(next, iterator, None))
        try:
            while (read := await ahead) is not None:
                ahead = asyncio.ensure_future(self._in_thread(next, iterator, None))
                for at in range(0, len(read), _PIECE):
                    yield read[at : at + _PIECE]
        finally:
            with contextlib.suppress(Exception):
                await ahead

    def close(self) -> None:
        """Let go of what is read."""
        self._answer.close()


async def send_pieces(
    work: Work,
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    status: int,
    headers: list[tuple[bytes, bytes]],
    answer: _Slices | Read,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]] | None = None,
) -> None:
    """Send an answer that is made a piece at a time; as `send_whole`."""
    limits = work.limits
    loop = asyncio.get_running_loop()
    begun = loop.time()
    ended = None if receive is None else asyncio.ensure_future(receive())
    pieces = answer.pieces()
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async with asyncio.timeout(limits.answer_seconds) as deadline:
            at_once, room = 0, _ROOM
            sent = 0
            async for piece in pieces:
                if ended is not None and at_once > room:
                    # A server drops what nobody takes at once, and tells of it a little later. One
                    # that takes all is not held up for long: no more is lost than it has taken.
                    at_once, room = 0, 4 * room
                    await asyncio.wait([ended], timeout=_TOLD)
                if ended is not None and ended.done():
                    raise Gone
                sent += len(piece)
                others: list[bool] = []
                loop.call_soon(others.append, True)
                more = sent < answer.size
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                at_once = 0 if others else at_once + 1
                work.sent += len(piece)
                deadline.reschedule(begun + limits.answer_seconds + work.sent / limits.least_rate)
    except (TimeoutError, OSError):
        raise Gone from None
    finally:
        if ended is not None:
            ended.cancel()
        await pieces.aclose()
        answer.close()
