"""Shell: what moderators put up in a room for everyone, and what they take down, also while the bus is away."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from db.bus import HISTORY_LINES_MAX
from db.errors import StoreError, StoreUnavailable, StoreUnknown
from rsocket_server import limits
from rsocket_server.held import Word

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from db.bus import Bus
    from rsocket_server.held import Name
    from rsocket_server.rooms import Rooms


class NoticeBoard:
    """See the module.

    Args:
        bus: by which everyone is told.
        rooms: of this worker, whose viewers are told meanwhile.
    """

    def __init__(self, bus: Bus, rooms: Rooms) -> None:
        self._bus = bus
        self._rooms = rooms

    async def publish(self, room: int, event: bytes) -> int:
        """Show everyone in a room an event, and answer its number.

        While the bus is away those who watch here see it at once, everyone when it is back, and the answer is 0. Raises
        StoreUnknown: more is held than may be.
        """
        hall = self._rooms.hall(room)
        once, began = f"act:{secrets.token_hex(8)}", _now()
        try:
            if hall.room.held.away:
                raise StoreUnavailable("away")
            return await self._bus.publish(room, event, once=once, once_seconds=limits.SAID_ONCE_SECONDS)
        except StoreError as error:
            self._rooms.absence.begin(hall)
            tried_at = began if isinstance(error, StoreUnknown) else None
            word = Word(event, once, limits.SAID_ONCE_SECONDS, _now(), tried_at=tried_at)
            self._rooms.absence.hold(hall, word)
            return 0

    async def announce(self, topic: str, payload: bytes) -> None:
        """Tell every follower of a topic; while the bus is away, when it is back."""
        await self._rooms.absence.announce(topic, payload)

    async def past(self, room: int) -> list[tuple[int, bytes]]:
        """List the recent events of a room with their numbers; while the bus is away, those that this worker knows.

        Raises StoreUnavailable.
        """
        hall = self._rooms.find(room)
        if hall is not None and hall.room.held.away:
            log = hall.room.log
            return list(enumerate(log.after(log.first - 1, log.head), log.first))
        entries = await self._bus.history(room, after=0, limit=HISTORY_LINES_MAX)
        return [(entry.seq, entry.payload) for entry in entries]

    def unnumbered(self, room: int) -> list[bytes]:
        """List the lines of a room that have no number yet."""
        hall = self._rooms.find(room)
        return [] if hall is None else [word.payload for word in hall.room.held.lines]

    def take_down(self, room: int, names: Container[Name], event: bytes, undo: Callable[[int], bytes]) -> set[Name]:
        """Take back those of the lines that have no number yet, and answer which (see `Absence.take_back`)."""
        return self._rooms.absence.take_back(self._rooms.hall(room), names, event, undo)


def _now() -> float:
    return asyncio.get_running_loop().time()
