"""Door: the bus: what a change of order in a channel means to every worker and to everyone in the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rsocket_server.laws import TOPIC, write_news

if TYPE_CHECKING:
    from db.bus import Bus


class Notices:
    """Tells of what PostgreSQL holds already. Each worker reads it there; a notice that is lost delays it only."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def changed(self, channel_id: int, member_id: int | None) -> None:
        """Tell every worker to read anew: a member's standing, or the channel's rules (None).

        Raises StoreUnavailable, StoreUnknown.
        """
        await self._bus.announce(TOPIC, write_news(channel_id, member_id))

    async def show(self, channel_id: int, event: bytes) -> int:
        """Show an event to everyone in the room. Raises StoreUnavailable, StoreUnknown."""
        return await self._bus.publish(channel_id, event)
