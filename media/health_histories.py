"""Shell: keeps how every broadcast on air has done, while it is.

They are in this process's memory: a process that begins anew goes on with a broadcast, and begins its history anew.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from db.errors import StoreError
from media.health_history import SAMPLE_SECONDS, HealthHistory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from media.broadcasts import Broadcasts

VIEWERS_SECONDS_MAX: Final = 2.0
"""Seconds to count the viewers in: a store that hangs must not stretch the time between two samples."""

assert VIEWERS_SECONDS_MAX < SAMPLE_SECONDS

log = logging.getLogger(__name__)


class HealthHistories:
    """One history a broadcast."""

    def __init__(
        self,
        broadcasts: Broadcasts,
        viewers: Callable[[Iterable[int]], Awaitable[Mapping[int, int]]],
        tell: Callable[[Mapping[int, int | None]], None] = lambda _viewers: None,
    ) -> None:
        """Look at `broadcasts`; `viewers` counts who watches, by the channels' ids.

        `tell` hears of each count, by the broadcasts' numbers; None: nobody knows.
        """
        self._broadcasts = broadcasts
        self._viewers = viewers
        self._tell = tell
        self._histories: dict[int, tuple[int, HealthHistory]] = {}  # by channel: its broadcast, and that one's

    def of(self, channel_id: int) -> HealthHistory | None:
        """How a channel's broadcast has done; None when there is none (yet)."""
        kept = self._histories.get(channel_id)
        return kept[1] if kept else None

    async def run(self) -> None:
        """Take samples until cancelled."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            due += SAMPLE_SECONDS
            await asyncio.sleep(due - now())
            await self.sample()

    async def sample(self) -> None:
        """One sample of each broadcast; what has ended is forgotten."""
        on_air = self._broadcasts.on_air()
        try:
            async with asyncio.timeout(VIEWERS_SECONDS_MAX):
                viewers = await self._viewers(on_air) if on_air else {}
        except (StoreError, TimeoutError) as error:
            log.warning("viewers_unknown words=%s", error or "too late")
            viewers = None
        self._tell(
            {
                broadcast_id: None if viewers is None else viewers.get(channel_id, 0)
                for channel_id, broadcast_id in on_air.items()
            }
        )
        before, self._histories = self._histories, {}
        for channel_id, broadcast_id in on_air.items():
            kept = before.get(channel_id)
            history = kept[1] if kept and kept[0] == broadcast_id else HealthHistory()
            self._histories[channel_id] = broadcast_id, history
            look = self._broadcasts.look(channel_id)
            history.add(look.report if look else None, None if viewers is None else viewers.get(channel_id, 0))
