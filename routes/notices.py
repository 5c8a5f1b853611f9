"""Door: the bus: what a change of order in a channel means to every worker and to everyone in the room."""

from __future__ import annotations

from typing import Protocol

from rsocket_server.laws import TOPIC, write_news


class Board(Protocol):
    """Where notices go: the bus itself, or a worker's board, which keeps them while the bus is away."""

    async def publish(self, room: int, payload: bytes, /) -> int:
        """Show everyone in a room an event, and answer its number."""

    async def announce(self, topic: str, payload: bytes, /) -> None:
        """Tell every follower of a topic."""


class Notices:
    """Tells of what PostgreSQL holds already. Each worker reads it there; a notice that is lost delays it only."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def changed(self, channel_id: int, member_id: int | None) -> None:
        """Tell every worker to read anew: a member's standing, or the channel's rules (None).

        Raises StoreUnavailable, StoreUnknown.
        """
        await self._board.announce(TOPIC, write_news(channel_id, member_id))

    async def show(self, channel_id: int, event: bytes) -> int:
        """Show an event to everyone in the room. Raises StoreUnavailable, StoreUnknown."""
        return await self._board.publish(channel_id, event)
