"""Door: HTTP: /api/points/orders/{id}/events: an order as it changes, pushed to the page that waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from db.errors import StoreError
from db.order import UNDER_WAY, State
from routes import wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, REQUEST_ID
from routes.order_shapes import OrderView, view
from routes.orders import order_id_of
from routes.rate_limit import Busy
from routes.top_ups import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from db.order import Order
    from routes.order_news import OrderNews
    from routes.top_ups import TopUps

LOOK_SECONDS: Final = 10.0
"""Seconds between looks when no news comes, for news may be lost; by this beat a page knows that the line stands."""

STREAM_SECONDS_MAX: Final = 600.0
"""Seconds of one watch, and not longer than the token that opened it; the page comes again with a fresh one."""

WATCHES_MAX: Final = 4
"""Watches of one member at once: some windows, on two devices."""

WATCH_AGAIN_MS: Final = 5_000
"""Milliseconds after which a member with too many watches may try again; until then the page asks."""

GOES_ON: Final = UNDER_WAY | {State.CREATED, State.READY}
"""States in which something may still come."""


class OrderWatch:
    """The door through which a page hears of an order."""

    def __init__(self, top_ups: TopUps, news: OrderNews, *, now: Callable[[], datetime] = utc_now) -> None:
        self._top_ups = top_ups
        self._news = news
        self._now = now
        self._open: Counter[int] = Counter()

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/api/points/orders/{id}/events",
                who=Who.MEMBER,
                handle=self._watch,
                words="One of the bearer's orders each time it changes, as server-sent events, until it rests.",
                answer=OrderView,
            )
        ]

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        member_id, order_id = request[BEARER].member_id, order_id_of(request)
        await self._top_ups.of_member(member_id, order_id)  # or refused while an answer can still say so
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream",
                hdrs.CACHE_CONTROL: "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
                "X-Request-Id": request[REQUEST_ID],
            }
        )
        if request.method == hdrs.METH_HEAD:
            return response
        if self._open[member_id] >= WATCHES_MAX:
            raise Busy(WATCH_AGAIN_MS)
        self._open[member_id] += 1
        try:
            await response.prepare(request)
            # A customer who has gone, a store that is away, and time: the page asks by itself then, or comes again.
            with contextlib.suppress(ConnectionResetError, StoreError, TimeoutError):
                async with asyncio.timeout(min(STREAM_SECONDS_MAX, request[BEARER].expires_at - time.time())):
                    await self._follow(response, member_id, order_id)
        finally:
            self._open[member_id] -= 1
            if not self._open[member_id]:
                del self._open[member_id]
        return response

    async def _follow(self, response: web.StreamResponse, member_id: int, order_id: UUID) -> None:
        shown: Order | None = None
        with self._news.watching(order_id) as changed:
            while True:
                changed.clear()  # Before the look: what comes during it is looked at again.
                order = await self._top_ups.of_member(member_id, order_id)
                if shown is None or order.state is not shown.state:
                    await response.write(b"data: " + wire.write(view(order, self._now())) + b"\n\n")
                else:
                    await response.write(b": here\n\n")
                shown = order
                if order.state not in GOES_ON:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await changed.wait()
