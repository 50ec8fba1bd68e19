"""Bodies as they come and go: within their size, within their time, and counted while held."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from mopse._remote import BYTES
from mopse.errors import DamagedFileError, InvalidInputError, MopseError, UnreachableError

if TYPE_CHECKING:
    from mopse.service._application import Service

__all__ = ["Gone", "Refusal", "Work", "send_whole", "taken"]

_PIECE = 1 << 18
_ROOM = 6
"""More pieces than a server keeps for a connection: granian keeps four."""
_TOLD = 0.05
"""Seconds in which it tells that nobody is there."""
_HEAD = 41


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

    def release(self) -> None:
        """Count what was held as let go."""
        self._service.held -= self._held
        self._held = 0

    @property
    def limits(self) -> Any:
        """What a request may cost."""
        return self._service.limits


async def taken(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    work: Work,
    most: int,
    admit: Callable[[bytes], Awaitable[None]],
) -> bytes:
    """Return the body of a request, whole: a signature is over all of it.

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
    too_large = Refusal(413, InvalidInputError(f"the message has more than {most:,} bytes"))
    if not said.isdigit() or int(said[:20]) > most:
        raise too_large
    limits = work.limits
    loop = asyncio.get_running_loop()
    begun = loop.time()
    memory: BytesIO | None = None
    try:
        async with asyncio.timeout(limits.body_seconds) as deadline:
            while True:
                event = await receive()
                if event["type"] != "http.request":
                    # Its sender may have ended its half of the connection and listen still.
                    raise Refusal(400, DamagedFileError("the message was cut short on its way"))
                piece: bytes = event.get("body", b"")
                work.received += len(piece)
                if work.received > most:
                    raise too_large
                if not work.hold(len(piece)):
                    raise Refusal(503, UnreachableError("the service is busy"), retry=True)
                if not event.get("more_body", False):
                    break
                if memory is None:
                    memory = BytesIO()
                is_first = memory.tell() < _HEAD <= work.received
                memory.write(piece)
                if is_first:
                    await admit(memory.getvalue())
                deadline.reschedule(begun + limits.body_seconds + work.received / limits.least_rate)
    except TimeoutError:
        why = UnreachableError("the message did not come in time")
        raise Refusal(408, why) from None
    if memory is None:
        return piece
    memory.write(piece)
    return memory.getvalue()


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
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if len(body) <= _PIECE:
        await send({"type": "http.response.body", "body": body})
        work.sent += len(body)
        return
    work.hold(len(body))
    limits = work.limits
    loop = asyncio.get_running_loop()
    begun = loop.time()
    ended = None if receive is None else asyncio.ensure_future(receive())
    try:
        async with asyncio.timeout(limits.answer_seconds) as deadline:
            at_once = 0
            for at in range(0, len(body), _PIECE):
                if ended is not None and at_once > _ROOM:
                    # A server drops what nobody takes at once, and tells of it a little later.
                    at_once = 0
                    await asyncio.wait([ended], timeout=_TOLD)
                if ended is not None and ended.done():
                    raise Gone
                piece = body[at : at + _PIECE]
                more = at + _PIECE < len(body)
                others: list[bool] = []
                loop.call_soon(others.append, True)
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                at_once = 0 if others else at_once + 1
                work.sent += len(piece)
                deadline.reschedule(begun + limits.answer_seconds + work.sent / limits.least_rate)
    except (TimeoutError, OSError):
        raise Gone from None
    finally:
        if ended is not None:
            ended.cancel()
