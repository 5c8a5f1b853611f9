"""Shell: one room as a worker holds it: its core, its viewers, and how far the bus has fed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reactivex.subject import Subject

from rsocket_server import limits
from rsocket_server.room import Place

if TYPE_CHECKING:
    import asyncio

    from rsocket_server.viewer_stream import Fanout


class Hall:
    """One room as this worker holds it.

    Attributes:
        room: its core.
        fanout: its viewers.
        totals: its viewer counts as told, newest last; an Rx subject.
        loading: reads the history; None when the log is complete.
        pending: what came meanwhile.
        stale: whether the line broke meanwhile.
        subscribed: whether the bus feeds it.
        touched_at: when someone last wanted it.
    """

    def __init__(self, fanout: Fanout, now: float) -> None:
        self.room = fanout.room
        self.fanout = fanout
        self.totals: Subject[int] = Subject()
        self.loading: asyncio.Task[None] | None = None
        self.pending: list[tuple[int, bytes, bool]] = []
        self.stale = False
        self.subscribed = False
        self.touched_at = now

    def deliver(self, seq: int, payload: bytes, kept: bool) -> bool:  # noqa: FBT001 - a field of the event.
        """Put an event in its place; False if the history must be read."""
        if self.loading is not None:
            self.pending.append((seq, payload, kept))
            # More than the log holds: the oldest will be in the history or nowhere.
            del self.pending[: -limits.LOG_EVENTS_MAX]
            return True
        place = self.room.add(seq, payload, kept=kept)
        if place is Place.NEXT:
            self.fanout.wake()
        return place is not Place.ASTRAY

    def aside(self, payload: bytes, *, kept: bool = False) -> int:
        """Show an event without a number to those who watch here and know of such; answer its place among them.

        What is `kept` is also shown to whoever is too slow for the others.
        """
        self.room.aside.append(payload, kept=kept)
        self.fanout.wake()
        return self.room.aside.head
