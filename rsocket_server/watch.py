"""Shell: a door's answer to who wants to watch a room: nothing is sent, nobody counted, before it is subscribed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rsocket.helpers import DefaultPublisher

from rsocket_server.outbox import Outbox
from rsocket_server.viewer_stream import Viewer

if TYPE_CHECKING:
    from rsocket_server.room import Seat
    from rsocket_server.viewer_stream import Fanout


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What somebody who watches asks for.

    Attributes:
        since: the last event seen; what came after is replayed, after a gap event if some of it is gone.
        history: how many past events to begin with where there is no `since` (default 50, at most 100).
        greeting: an event for this watcher alone, before all others.
        behind: by how many events this watch may be late before it is brought forward.
        epoch: of which numbers `since` is, "" if that is not known: this watch is told of which they are now. None:
            it does not ask.
        local: whether this watch knows of events without a number: those of this worker, while the bus is away.
    """

    since: int | None = None
    history: int | None = None
    greeting: bytes | None = None
    behind: int | None = None
    epoch: str | None = None
    local: bool = False


class Watch(DefaultPublisher):  # type: ignore[misc]
    """A door's answer: rsocket-py's Publisher of one watch, begun when it is subscribed to."""

    def __init__(self, fanout: Fanout, seat: Seat, wishes: Wishes) -> None:
        self._fanout = fanout
        self._seat = seat
        self._wishes = wishes

    def subscribe(self, subscriber: Any) -> None:
        """Join the room. Nothing is sent before the subscriber requests."""
        fanout, room, wishes = self._fanout, self._fanout.room, self._wishes
        cursor = room.join_cursor(wishes.since, wishes.history, wishes.epoch)
        outbox = Outbox(cursor, wishes.behind, room.aside_cursor() if wishes.local else None)
        viewer = Viewer(fanout, subscriber, self._seat, outbox, hears_epoch=wishes.epoch is not None)
        if viewer.hears_epoch:
            outbox.whisper(fanout.epoch(room.epoch))
        if wishes.greeting is not None:
            outbox.whisper(wishes.greeting)
        subscriber.on_subscribe(viewer)
        fanout.add(viewer)
