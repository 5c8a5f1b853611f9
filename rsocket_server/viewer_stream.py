"""Shell: a room's events to its viewers: encoded once, written in rounds, each viewer at its own pace.

One `Fanout` a room walks its ready viewers; those at the same place with the same stream id get the same bytes, many
events joined in one write. Rounds clock themselves: the next begins no sooner than the last one took, so a quiet room
waits for nothing and a loud one batches just enough, without a timer to tune. A viewer without credit or with a full
socket is not walked at all. Who gets what is `outbox`'s to decide; here it is only done.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload

from rsocket_server import frames, limits
from rsocket_server.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rsocket_server.room import Room, Seat


class Carrier(Protocol):
    """What a stream needs of the connection it goes out on."""

    def attach(self, stream: Attached) -> Callable[[bytes], None]:
        """Tell the stream from now on when the socket is full; answer what writes WebSocket messages to it."""

    def detach(self, stream: Attached) -> None:
        """Forget the stream."""


class Attached(Protocol):
    """A stream that a connection tells of its socket, and that may be whispered to."""

    room_id: int | None

    def pause(self) -> None:
        """Write nothing: the socket is full."""

    def resume(self) -> None:
        """Go on."""

    def whisper(self, payload: bytes) -> None:
        """Deliver an event to this stream alone."""


def carrier_of(subscriber: Any) -> tuple[Carrier | None, int]:
    """Answer the connection and the stream id behind one of rsocket-py's subscribers; (None, 0) for any other.

    The library keeps both public on a stream's subscriber and private on a channel's (0.4.20, which is pinned).
    """
    socket = getattr(subscriber, "socket", None) or getattr(subscriber, "_socket", None)
    if not hasattr(socket, "attach"):
        return None, 0
    stream_id = getattr(subscriber, "stream_id", None) or getattr(subscriber, "_stream_id", None)
    assert isinstance(stream_id, int), subscriber
    return socket, stream_id


class Viewer(DefaultSubscription):  # type: ignore[misc]
    """One watch of a room: rsocket-py's Subscription. It holds a cursor and a credit, no queue and no task."""

    __slots__ = ("_carrier", "_fanout", "_subscriber", "dead", "outbox", "room_id", "seat", "stream_id", "write")

    def __init__(self, fanout: Fanout, subscriber: Any, seat: Seat, outbox: Outbox) -> None:
        self._fanout = fanout
        self._subscriber = subscriber
        self.seat = seat
        self.room_id = fanout.room_id
        self.outbox = outbox
        self.dead = False
        self._carrier, self.stream_id = carrier_of(subscriber)
        self.write = self._carrier.attach(self) if self._carrier else None

    @property
    def is_member(self) -> bool:
        """Whether a member watches."""
        return self.seat.voice is not None

    def request(self, n: int) -> None:
        """Take more credit from the viewer and send what waits for it."""
        if not self.dead:
            self.outbox.request(n)
            self.flush()

    def cancel(self) -> None:
        """End the watch: the viewer does not want it, or its connection has gone."""
        if not self.dead:
            self.dead = True
            if self._carrier:
                self._carrier.detach(self)
            self._fanout.remove(self)

    def complete(self) -> None:
        """End the watch: the house does not offer it any more."""
        if not self.dead:
            self.cancel()
            self._subscriber.on_complete()

    def pause(self) -> None:
        """Write nothing: the socket is full."""
        self.outbox.open = False
        self._fanout.rest(self)

    def resume(self) -> None:
        """Go on where the socket stopped us."""
        self.outbox.open = True
        self.flush()

    def whisper(self, payload: bytes) -> None:
        """Deliver an event to this viewer alone."""
        self.outbox.whisper(payload)
        self.flush()

    def note(self, payload: bytes) -> None:
        """Deliver a passing event, unless a later one overtakes it."""
        self.outbox.note(payload)
        self.flush()

    def flush(self) -> None:
        """Send all that this viewer can get now, a batch at a time, and rest if nothing more may follow."""
        outbox, fanout = self.outbox, self._fanout
        while outbox.ready(fanout.room.log.head) and (
            payloads := outbox.take(fanout.room.log, fanout.gap, self.seat.voice)
        ):
            self.emit(payloads)
        if outbox.open and outbox.credit:
            fanout.rouse(self)
        else:
            fanout.rest(self)

    def emit(self, payloads: list[bytes]) -> None:
        """Write payloads in one go, or hand them to a subscriber that is not a socket's."""
        if self.write:
            self.write(encode(self.stream_id, payloads))
        else:
            for payload in payloads:
                self._subscriber.on_next(Payload(payload))


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
    ) -> None:
        self._fanout = fanout
        self._seat = seat
        self._since = since
        self._history = history
        self._greeting = greeting
        self._behind = behind

    def subscribe(self, subscriber: Any) -> None:
        """Join the room. Nothing is sent before the subscriber requests."""
        cursor = self._fanout.room.join_cursor(self._since, self._history)
        viewer = Viewer(self._fanout, subscriber, self._seat, Outbox(cursor, self._behind))
        if self._greeting is not None:
            viewer.outbox.whisper(self._greeting)
        subscriber.on_subscribe(viewer)
        self._fanout.add(viewer)


class Fanout:
    """Everyone who watches one room on this worker.

    Args:
        room_id: the room's number.
        room: its log, and who is counted.
        gap: writes the event that stands for events no longer in the log.
    """

    def __init__(self, room_id: int, room: Room, gap: Callable[[int, int, int], bytes]) -> None:
        self.room_id = room_id
        self.room = room
        self.gap = gap
        self.viewers: dict[Viewer, None] = {}
        self._ready: dict[Viewer, None] = {}
        self._note: bytes | None = None
        self._base = room.log.head
        self._round: Iterator[None] | None = None
        self._timer: asyncio.Handle | None = None
        self._began_at = 0.0
        self._next_at = 0.0

    def add(self, viewer: Viewer) -> None:
        """Take in a viewer."""
        self.viewers[viewer] = None
        self.room.join(viewer.seat)
        if self._note is not None:
            viewer.note(self._note)

    def remove(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        if viewer in self.viewers:
            del self.viewers[viewer]
            self._ready.pop(viewer, None)
            self.room.leave(viewer.seat)

    def rouse(self, viewer: Viewer) -> None:
        """Walk this viewer in rounds."""
        self._ready[viewer] = None

    def rest(self, viewer: Viewer) -> None:
        """Do not walk this viewer until it asks again or its socket drains."""
        self._ready.pop(viewer, None)

    @property
    def ready(self) -> int:
        """How many viewers rounds walk."""
        return len(self._ready)

    def note(self, payload: bytes) -> None:
        """Give everyone, and whoever joins, a passing event; only the latest counts."""
        self._note = payload
        for viewer in list(self.viewers):
            viewer.note(payload)

    def restart(self) -> None:
        """Put everyone before the log's first event: it began anew, and no cursor means anything in it."""
        self._round = None
        self._base = self.room.log.first - 1
        for viewer in list(self.viewers):
            viewer.outbox.rewind(self._base)
            viewer.flush()

    def complete(self) -> None:
        """End every watch."""
        for viewer in list(self.viewers):
            viewer.complete()

    # --- rounds --------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Begin a round soon: there are new events in the log."""
        if self._timer is None and self._round is None:
            if not self._ready:
                self._base = self.room.log.head  # Whoever asks next goes there by itself.
                return
            loop = asyncio.get_running_loop()
            wait = self._next_at - loop.time()
            self._timer = loop.call_later(wait, self._begin) if wait > 0 else loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._timer = None
        log = self.room.log
        # Nobody is level with a base that has left the log: whoever is behind it gets a gap by itself.
        base = max(self._base, log.first - 1)
        if base >= log.head:
            return
        self._began_at = asyncio.get_running_loop().time()
        self._round = self._walk(base, log.reach(base, limits.BATCH_BYTES_MAX))
        self._step()

    def _walk(self, base: int, target: int) -> Iterator[None]:
        payloads = self.room.log.after(base, target)
        encoded: dict[int, bytes] = {}  # Ids 1, 3, 5 … make few groups.
        ready = list(self._ready)
        for start in range(0, len(ready), limits.ROUND_WATCHERS):
            for viewer in ready[start : start + limits.ROUND_WATCHERS]:
                if viewer.dead:
                    continue
                if not viewer.outbox.step(base, target):
                    viewer.flush()
                elif viewer.write:
                    data = encoded.get(viewer.stream_id)
                    if data is None:
                        data = encoded[viewer.stream_id] = encode(viewer.stream_id, payloads)
                    viewer.write(data)
                    if not viewer.outbox.credit:
                        self.rest(viewer)
                else:
                    viewer.emit(payloads)
                    if not viewer.outbox.credit:
                        self.rest(viewer)
            if start + limits.ROUND_WATCHERS < len(ready):
                yield
        self._base = target

    def _step(self) -> None:
        if self._round is None:  # The log began anew between two steps.
            return
        loop = asyncio.get_running_loop()
        for _ in self._round:
            loop.call_soon(self._step)
            return
        self._round = None
        ended_at = loop.time()
        self._next_at = ended_at + (ended_at - self._began_at)
        if self._base < self.room.log.head:
            self.wake()


def encode(stream_id: int, payloads: list[bytes]) -> bytes:
    """Write payloads as WebSocket messages, one PAYLOAD frame each, joined."""
    return b"".join([frames.message(frames.payload(stream_id, payload)) for payload in payloads])
