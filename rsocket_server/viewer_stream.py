"""Shell: a room's events to its viewers: encoded once, written in rounds, each viewer at its own pace.

One `Fanout` a room walks its ready viewers: in groups of those at the same place with the same stream id, who get the
same bytes, many events joined in one write; and one by one whose socket has something waiting. Rounds clock themselves:
the next begins after a pause of three quarters of what the last one took, so a quiet room waits for nothing and a loud
one batches just enough, without a timer to tune. A viewer without credit or with a full socket is not walked at all.
Who gets what is `outbox`'s to decide; here it is only done.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING, Any, cast

from rsocket.helpers import DefaultSubscription
from rsocket.payload import Payload

from rsocket_server import frames, limits
from rsocket_server.carrier import carrier_of
from rsocket_server.group import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rsocket_server.group import Member
    from rsocket_server.outbox import Outbox
    from rsocket_server.room import Room, Seat
    from rsocket_server.send_ring import SendRing


_log = logging.getLogger("commeow.rooms")
# After a round, of the time that it took: rounds may take four sevenths of a core. With a pause as long as the round it
# is half of one, and lines of a loud room come a seventh later.
_PAUSE = 0.75


class Viewer(DefaultSubscription):  # type: ignore[misc]
    """One watch of a room: rsocket-py's Subscription. It holds a cursor and a credit, no queue and no task."""

    __slots__ = (
        *("_carrier", "_fanout", "_subscriber", "dead", "group", "hears_epoch", "outbox"),
        *("room_id", "seat", "stream_id", "writer"),
    )

    def __init__(
        self, fanout: Fanout, subscriber: Any, seat: Seat, outbox: Outbox, *, hears_epoch: bool = False
    ) -> None:
        self._fanout = fanout
        self._subscriber = subscriber
        self.seat = seat
        self.room_id = fanout.room_id
        self.outbox = outbox
        self.hears_epoch = hears_epoch  # Whether it is told of which numbers the events are.
        self.dead = False
        self._carrier, self.stream_id = carrier_of(subscriber)
        self.group: Group | None = None
        self.writer = self._carrier.attach(self) if self._carrier else None

    @property
    def is_member(self) -> bool:
        """Whether a member watches."""
        return self.seat.voice is not None

    def request(self, n: int) -> None:
        """Take more credit from the viewer and send what waits for it."""
        if self.dead:
            return
        if self.group is None:
            self.outbox.request(n)
            self.flush()
        else:  # What waits for it comes with the round.
            self.outbox.keep_up(self.group.cursor)
            self.outbox.request(n)

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

    def clog(self) -> None:
        """Go on alone: something waits in the socket, and nothing may overtake it."""
        if self.group is not None:
            self._fanout.single_out(self)

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
        outbox, fanout, room = self.outbox, self._fanout, self._fanout.room
        fanout.rest(self)
        while outbox.ready(room.log.head, room.aside.head) and (
            payloads := outbox.take(room.log, fanout.gap, self.seat.voice, room.aside)
        ):
            self.emit(payloads)
        if outbox.open and outbox.credit and not self.dead:
            fanout.rouse(self)

    def emit(self, payloads: list[bytes]) -> None:
        """Write payloads in one go, or hand them to a subscriber that is not a socket's."""
        if self.writer:
            self.writer.write(self._fanout.encode(self.stream_id, payloads))
        else:
            for payload in payloads:
                self._subscriber.on_next(Payload(payload))


class Fanout:
    """Everyone who watches one room on this worker.

    Args:
        room_id: the room's number.
        room: its log, and who is counted.
        gap: writes the event that stands for events no longer in the log.
        epoch: writes the event that says of which numbers the following events are.
        ring: sends to many at once, where there is one.
    """

    def __init__(
        self,
        room_id: int,
        room: Room,
        gap: Callable[[int, int, int], bytes],
        epoch: Callable[[str], bytes] = str.encode,
        ring: SendRing | None = None,
    ) -> None:
        self.room_id = room_id
        self.room = room
        self.gap = gap
        self.epoch = epoch
        self._ring = ring
        self.viewers: dict[Viewer, None] = {}
        # Who is ready is in a group, all of whose members are level, or goes alone.
        self._groups: dict[Group, None] = {}
        self._newest: dict[int, Group] = {}  # Of each stream id, for whoever becomes ready now.
        self._single: dict[Viewer, None] = {}
        self._encoded: dict[tuple[int, tuple[bytes, ...]], bytes] = {}  # In this round.
        self._note: bytes | None = None
        self._aside = room.aside.head  # All have been looked at since it came so far.
        self._round: Iterator[None] | None = None
        self._timer: asyncio.Handle | None = None
        self._began_at = 0.0
        self._next_at = 0.0

    def add(self, viewer: Viewer) -> None:
        """Take in a viewer, unless it has left already."""
        if viewer.dead:
            return
        self.viewers[viewer] = None
        self.room.join(viewer.seat)
        if self._note is not None:
            viewer.note(self._note)

    def remove(self, viewer: Viewer) -> None:
        """Let a viewer go."""
        self.rest(viewer)
        if viewer in self.viewers:
            del self.viewers[viewer]
            self.room.leave(viewer.seat)

    def rouse(self, viewer: Viewer) -> None:
        """Walk this viewer, who is level with the log, in rounds."""
        sender = viewer.writer.direct() if viewer.writer else None
        if sender is None:
            self._single[viewer] = None
            return
        stream_id, cursor = viewer.stream_id, viewer.outbox.cursor
        group = self._newest.get(stream_id)
        if group is None or group.cursor != cursor or len(group) >= limits.ROUND_WATCHERS:
            group = self._newest[stream_id] = Group(stream_id, cursor, self._ring)
            self._groups[group] = None
        group.join(viewer, sender)

    def rest(self, viewer: Viewer) -> None:
        """Do not walk this viewer until it asks again or its socket drains."""
        group = viewer.group
        if group is None:
            self._single.pop(viewer, None)
        else:
            group.leave(viewer)
            self._forget_if_empty(group)

    def single_out(self, viewer: Viewer) -> None:
        """Walk this viewer by itself, with what is its own to get."""
        self.rest(viewer)
        self._single[viewer] = None

    def _forget_if_empty(self, group: Group) -> None:
        if group:
            return
        self._groups.pop(group, None)
        if self._newest.get(group.stream_id) is group:
            del self._newest[group.stream_id]

    @property
    def ready(self) -> int:
        """How many viewers rounds walk."""
        return len(self._single) + sum(map(len, self._groups))

    def encode(self, stream_id: int, payloads: list[bytes]) -> bytes:
        """Write payloads as WebSocket messages, once in a round."""
        key = stream_id, tuple(payloads)
        data = self._encoded.get(key)
        if data is None:
            data = frames.items(stream_id, payloads)
            if self._round is not None:
                if len(self._encoded) >= limits.ENCODINGS_MAX:
                    self._encoded.clear()
                self._encoded[key] = data
        return data

    def note(self, payload: bytes) -> None:
        """Give everyone, and whoever joins, a passing event; only the latest counts."""
        self._note = payload
        for group in list(self._groups):
            self._serve(group)  # It goes after what is in the log.
        head = self.room.log.head
        alone = [viewer for viewer in self.viewers if viewer.group is None or viewer.group.cursor < head]
        for group in list(self._groups):
            if group.cursor == head:
                alone += cast("list[Viewer]", group.dismiss(head + 1))
                if group:
                    data = frames.items(group.stream_id, [payload])
                    self._send_on(data, group.send_aside(data))
                self._forget_if_empty(group)
        for viewer in alone:
            self._guard(viewer, functools.partial(viewer.note, payload))

    def restart(self) -> None:
        """Put everyone before the log's first event: it began anew, and no cursor means anything in it."""
        epoch = self.epoch(self.room.epoch)
        for viewer in list(self.viewers):
            self.rest(viewer)
            viewer.outbox.begin_anew(self.room.log, viewer.seat.voice)
            if viewer.hears_epoch:
                viewer.outbox.whisper(epoch)
            viewer.flush()
        self.room.log.let_go()

    def complete(self) -> None:
        """End every watch."""
        for viewer in list(self.viewers):
            viewer.complete()

    # --- rounds --------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Begin a round soon: there are new events in the log."""
        if self._timer is None and self._round is None and (self._groups or self._single):
            loop = asyncio.get_running_loop()
            wait = self._next_at - loop.time()
            self._timer = loop.call_later(wait, self._begin) if wait > 0 else loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._began_at = asyncio.get_running_loop().time()
        self._round = self._walk()
        self._step()

    def _walk(self) -> Iterator[None]:
        """Serve everyone who was ready at the beginning, and let the loop turn after each ROUND_WATCHERS of them.

        Whoever comes later in the round also gets what was said meanwhile.
        """
        served = 0
        for group in list(self._groups):
            served += len(group)
            self._serve(group)
            if served >= limits.ROUND_WATCHERS:
                yield
                served = 0
        for viewer in list(self._single):
            if viewer in self._single:
                self._guard(viewer, viewer.flush)
                served += 1
            if served >= limits.ROUND_WATCHERS:
                yield
                served = 0

        aside = self.room.aside.head
        if self._aside < aside:
            self._aside = aside
            for viewer in [viewer for viewer in self.viewers if viewer.outbox.aside < aside]:
                if not viewer.dead:
                    self._guard(viewer, viewer.flush)
                    served += 1
                if served >= limits.ROUND_WATCHERS:
                    yield
                    served = 0

    def _serve(self, group: Group) -> None:
        """Give a group what is next for it; who cannot go along with the others goes alone."""
        log = self.room.log
        if not group or group.cursor >= log.head:
            return
        left: list[Member] = []
        if group.cursor < log.first - 1:
            left += group.disband()
        else:
            target = log.reach(group.cursor, limits.BATCH_BYTES_MAX)
            left += group.dismiss(target)
            if group:
                data = self.encode(group.stream_id, log.after(group.cursor, target))
                self._send_on(data, group.send(data, target))
        self._forget_if_empty(group)
        for viewer in cast("list[Viewer]", left):
            self._guard(viewer, viewer.flush)

    def _send_on(self, data: bytes, stuck: list[tuple[Member, int]]) -> None:
        """Go on with viewers whose sockets did not take all."""
        for member, sent in stuck:
            viewer = cast("Viewer", member)
            assert viewer.writer is not None
            self._single[viewer] = None
            if sent < 0:
                self._guard(viewer, viewer.writer.abort)
            else:
                self._guard(viewer, functools.partial(viewer.writer.hold, data[sent:]))

    def _guard(self, viewer: Viewer, act: Callable[[], None]) -> None:
        """Do something for one viewer; one that fails is let go, and the others have their turn all the same."""
        try:
            act()
        except Exception:  # noqa: BLE001 - logged.
            _log.exception("viewer_failed room=%d", self.room_id)
            viewer.cancel()
            if viewer.writer:
                viewer.writer.abort()  # Some of an event may be with the kernel: nothing more can follow that.

    def _step(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._round is not None
        try:
            for _ in self._round:
                loop.call_soon(self._step)
                return
        except BaseException:
            self._round = None  # Or no later one would ever begin.
            raise
        self._round = None
        self._encoded.clear()
        self._merge()
        ended_at = loop.time()
        self._next_at = ended_at + _PAUSE * (ended_at - self._began_at)
        head = self.room.log.head
        late = any(group.cursor < head for group in self._groups) or any(v.outbox.cursor < head for v in self._single)
        if late or self._aside < self.room.aside.head:
            self.wake()

    def _merge(self) -> None:
        """Make one of groups that have come to the same place."""
        places: dict[tuple[int, int], Group] = {}
        for group in list(self._groups):
            place = group.stream_id, group.cursor
            other = places.setdefault(place, group)
            if other is group:
                continue
            if len(other) + len(group) <= limits.ROUND_WATCHERS:
                other.absorb(group)
                self._forget_if_empty(group)
            elif len(group) < len(other):
                places[place] = group  # A full one must not keep the small ones apart.
