"""Shell: a door's answer to who wants to watch a room: nothing is sent, nobody counted, before it is subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rsocket.helpers import DefaultPublisher

from rsocket_server.outbox import Outbox
from rsocket_server.viewer_stream import Viewer

if TYPE_CHECKING:
    from rsocket_server.room import Seat
    from rsocket_server.viewer_stream import Fanout


class Watch(DefaultPublisher):  # type: ignore[misc]
    """A door's answer: rsocket-py's Publisher of one watch, begun when it is subscribed to."""

    def __init__(
        self,
        fanout: Fanout,
        seat: Seat,
        since: int | None,
        history: int | None,
        greeting: bytes | None = None,
        *,
        behind: int | None = None,
        epoch: str | None = None,
        local: bool = False,
    ) -> None:
        self._fanout = fanout
        self._seat = seat
        self._since = since
        self._epoch = epoch
        self._history = history
        self._greeting = greeting
        self._behind = behind
        self._local = local

    def subscribe(self, subscriber: Any) -> None:
        """Join the room. Nothing is sent before the subscriber requests."""
        cursor = self._fanout.room.join_cursor(self._since, self._history, self._epoch)
        outbox = Outbox(cursor, self._behind, self._fanout.room.aside_cursor() if self._local else None)
        viewer = Viewer(self._fanout, subscriber, self._seat, outbox, hears_epoch=self._epoch is not None)
        if viewer.hears_epoch:
            outbox.whisper(self._fanout.epoch(self._fanout.room.epoch))
        if self._greeting is not None:
            viewer.outbox.whisper(self._greeting)
        subscriber.on_subscribe(viewer)
        self._fanout.add(viewer)
