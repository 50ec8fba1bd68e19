"""Attachments that are handed on as they come and go, so that none is in memory as a whole."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mopse._passing import Taking
from mopse.messages import Receipt

if TYPE_CHECKING:
    from mopse.cloud import Cloud

__all__ = ["AT_ONCE", "Incomings"]

AT_ONCE = 1 << 20
"""Bytes that are handed on at once: few enough to hold, enough that a thread is worth it."""


class Incomings:
    """An attachment on its way to a store that spools it."""

    def __init__(
        self,
        cloud: "Cloud",
        in_thread: Callable[..., Awaitable[Any]],
        ended: Callable[[], None],
    ) -> None:
        self._in_thread, self._ended = in_thread, ended
        self._taking = Taking(cloud._gate, cloud._store)
        self._under_way: asyncio.Future[Any] | None = None
        self._held: list[bytes] = []
        self._size = 0

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
        self._taking.take(b"".join(batch))

    async def end(self) -> bytes:
        """Have the cloud take it whole, and return what the service answers."""
        await self._hand_on()
        await self._settled()
        ended: bytes = await self._in_thread(self._end, is_long=True)
        return ended

    def _end(self) -> bytes:
        return json.dumps(dataclasses.asdict(Receipt(*self._taking.end()))).encode()

    async def close(self) -> None:
        """Let go of it: nothing is left of what was not taken."""
        with contextlib.suppress(Exception):  # which was told to whoever waited for it
            await self._settled()
        try:
            await self._in_thread(self._taking.close, is_long=True)
        finally:
            self._ended()
