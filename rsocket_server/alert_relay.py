"""Shell: donations that are in the ledger but not yet in their room: publishes them, then marks them published.

The alert was committed with the money, so it cannot be lost; it carries the donation's id as the bus's idempotency key,
so it is not shown twice, however many workers relay and wherever one of them dies.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from rsocket_server.doorway import cancelled

if TYPE_CHECKING:
    from db.alerts import Alerts
    from db.bus import Bus

# Enough for a burst to go out in one pass, few enough to be marked within a breath.
BATCH_ALERTS = 64
# Leftovers of a worker that died between the two steps wait at most this long.
POLL_SECONDS = 1.0

_log = logging.getLogger("commeow.alerts")


class AlertRelay:
    """See the module.

    Args:
        alerts: committed with each donation.
        bus: where rooms hear of them.
    """

    def __init__(self, alerts: Alerts, bus: Bus) -> None:
        self._alerts = alerts
        self._bus = bus
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: a batch of donations has been committed."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled; a store that is away is tried again."""
        while not cancelled():
            self._woken.clear()
            try:
                more = await self.relay()
            except Exception:  # noqa: BLE001 - the rows are still there; the next pass takes them.
                _log.warning("relay_failed", exc_info=True)
                more = False
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._woken.wait()

    async def relay(self) -> bool:
        """Publish what waits, oldest first; True if there may be more."""
        batch = await self._alerts.pending(BATCH_ALERTS)
        done = []
        try:
            for alert in batch:
                await self._bus.publish(alert.room, alert.payload, once=f"donation:{alert.donation_id}")
                done.append(alert.donation_id)
        finally:
            if done:
                await self._alerts.published(done)
        return len(batch) == BATCH_ALERTS
