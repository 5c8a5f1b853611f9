"""Door: the bus: which order has just changed, told to whoever watches it in any process of the house."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

from db.bus import RESYNC
from db.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.bus import Bus

TOPIC: Final = "orders"
"""The bus's topic of orders that have changed; the news is the id only, what the order is the books say."""

TELL_SECONDS_MAX: Final = 1.0
"""Seconds for telling: a payment stands still meanwhile, and a Redis that hangs would hold it for longer than
order.LEASE. Redis answers within a millisecond, and whoever is not told looks by himself."""


class OrderNews:
    """Tells of orders, and hears of them. News may be lost: whoever watches looks by himself now and then."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watched: dict[UUID, set[asyncio.Event]] = {}

    async def tell(self, order_id: UUID) -> None:
        """Say that an order has changed; without Redis the watchers find out by themselves."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(TELL_SECONDS_MAX):
                await self._bus.announce(TOPIC, order_id.bytes)

    @contextlib.contextmanager
    def watching(self, order_id: UUID) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the order may have changed."""
        changed = asyncio.Event()
        watchers = self._watched.setdefault(order_id, set())
        watchers.add(changed)
        try:
            yield changed
        finally:
            watchers.discard(changed)
            if not watchers:
                self._watched.pop(order_id, None)

    async def run(self) -> None:
        """Hear of orders until cancelled."""
        await self._bus.follow(TOPIC)
        async for news in self._bus.listen():
            if news.topic == RESYNC:
                for order_id in list(self._watched):
                    self._wake(order_id)
            elif news.topic == TOPIC and len(news.payload) == len(UUID(int=0).bytes):
                self._wake(UUID(bytes=news.payload))

    def _wake(self, order_id: UUID) -> None:
        for changed in self._watched.get(order_id, ()):
            changed.set()
