"""Attachments that are handed on as they come and go, so that none is in memory as a whole."""

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mopse._mopse.message import Incoming
from mopse.messages import Receipt

if TYPE_CHECKING:
    from mopse.cloud import Cloud

__all__ = ["AT_ONCE", "Incomings", "Outgoing", "outgoing", "takes_streams"]

AT_ONCE = 1 << 20
"""Bytes that are handed on at once: few enough to hold, enough that a thread is worth it."""


def takes_streams(cloud: "Cloud") -> bool:
    """Say whether the store of a cloud keeps large bodies elsewhere than in memory."""
    return hasattr(cloud._store, "spool")


class Incomings:
    """An attachment on its way to a store that spools it."""

    def __init__(
        self,
        cloud: "Cloud",
        in_thread: Callable[..., Awaitable[Any]],
        ended: Callable[[], None],
    ) -> None:
        self._gate: Any = cloud._gate
        self._store: Any = cloud._store
        self._in_thread, self._ended = in_thread, ended
        self._incoming = Incoming()
        self._exits = contextlib.ExitStack()
        self._spool: Any = None
        self._under_way: asyncio.Future[Any] | None = None
        self._held: list[bytes] = []
        self._size = 0
        self._is_expected = False

    async def take(self, piece: bytes) -> int:
        """Take bytes, and return how many have been let go of meanwhile."""
        self._held.append(piece)
        self._size += len(piece)
        return 0 if self._size < AT_ONCE else await self._hand_on()

    async def _hand_on(self) -> int:
        """Have a thread work on what is held, once it is done with what was before."""
        batch, size = self._held, self._size
        self._held, self._size = [], 0
        await self._settled()
        self._under_way = asyncio.ensure_future(self._in_thread(self._work, batch, is_long=True))
        return size

    async def _settled(self) -> None:
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            await under_way

    def _work(self, batch: list[bytes]) -> None:
        body = self._incoming.feed(b"".join(batch))
        if not self._is_expected and (file := self._incoming.file) is not None:
            self._gate.expect(file)
            self._is_expected = True
        if self._spool is None and body:
            self._spool = self._exits.enter_context(self._store.spool())
        if body:
            self._spool.write(body)

    async def end(self) -> bytes:
        """Have the cloud take it whole, and return what the service answers."""
        await self._hand_on()
        await self._settled()
        ended: bytes = await self._in_thread(self._end, is_long=True)
        return ended

    def _end(self) -> bytes:
        came = self._incoming.end()
        if self._spool is None:
            self._spool = self._exits.enter_context(self._store.spool())
        self._spool.write(came.body)
        receipt = Receipt(*self._gate.receive_spooled(came, self._spool))
        return json.dumps(dataclasses.asdict(receipt)).encode()

    async def close(self) -> None:
        """Let go of it: nothing is left of what was not taken."""
        with contextlib.suppress(Exception):  # which was told to whoever waited for it
            await self._settled()
        try:
            await self._in_thread(self._exits.close, is_long=True)
        finally:
            self._ended()


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


def outgoing(cloud: "Cloud", message: bytes, options: Mapping[str, Any]) -> Outgoing | None:
    """Return the answer to a request for a file, if its store reads that piece by piece."""
    gate: Any = cloud._gate
    found = gate.fetch_spooled(message, int(time.time()), options.get("proof", False))
    return None if found is None else Outgoing(*found)
