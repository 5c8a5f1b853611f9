"""Shell: the rooms of this worker: open while someone watches, fed by the bus, counted once a second.

A room follows the bus's numbers. Whatever was missed (a reconnect, a message that Redis dropped, a Redis that came back
empty) shows as a number that does not fit, and is mended from the bus's history before anything later is shown.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from reactivex import operators
from reactivex.subject import Subject

from db.errors import StoreError, StoreUnknown
from rsocket_server import limits
from rsocket_server.absence import NO_WORDS, Absence
from rsocket_server.doorway import cancelled
from rsocket_server.hall import Hall
from rsocket_server.held import Name, Word
from rsocket_server.room import Room, SlowMode, TakenBack
from rsocket_server.viewer_stream import Fanout
from rsocket_server.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reactivex import Observable

    from db.bus import Bus, News
    from db.conduct import Case
    from db.member import Member
    from rsocket_server.absence import Words
    from rsocket_server.room import Seat
    from rsocket_server.send_ring import SendRing
    from rsocket_server.watch import Wishes

_log = logging.getLogger("commeow.rooms")
_RESYNC = "resync"  # The topic by which the bus says that it was away.
RETRY_SECONDS = 1.0  # Between two tries to read a history while viewers wait for what they missed.


class Rooms:
    """Every room of this worker.

    Args:
        bus: carries events between workers.
        stamp: puts a sequence number into an event.
        keep: whether an event is one that no viewer may miss.
        gap: writes the event that stands for skipped ones.
        count: writes the event that tells how many watch.
        node: this worker's name in the count, unlike any other's.
        takes_back: what an event with its number puts in the places of earlier ones.
        voice: who has said an event with its number, whose own watches never miss it.
        epoch: writes the event that says of which numbers the following events are.
        ring: sends to many at once, where there is one.
        words: what is said while the bus is away.

    Attributes:
        absence: of the bus.
        counts: (room, viewers) whenever a count is told; an Rx observable for lists of channels.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        stamp: Callable[[int, bytes], bytes],
        keep: Callable[[bytes], bool],
        gap: Callable[[int, int, int], bytes],
        count: Callable[[int], bytes],
        node: str,
        takes_back: Callable[[bytes], Mapping[int, bytes]] = lambda _payload: {},
        voice: Callable[[bytes], str | None] = lambda _payload: None,
        epoch: Callable[[str], bytes] = str.encode,
        ring: SendRing | None = None,
        words: Words = NO_WORDS,
    ) -> None:
        self._bus = bus
        self.absence = Absence(bus, words, self._load)
        self._stamp = stamp
        self._keep = keep
        self._gap = gap
        self._count = count
        self._node = node
        self._takes_back = takes_back
        self._voice = voice
        self._epoch = epoch
        self._ring = ring
        self._halls: dict[int, Hall] = {}
        self._topics: dict[str, Subject[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: Subject[tuple[int, int]] = Subject()

    # --- what doors call --------------------------------------------------------------------------------------------

    async def watch(self, room: int, seat: Seat, wishes: Wishes) -> Watch:
        """Answer a Publisher of a room's events.

        Args:
            room: its number.
            seat: who watches; however many watches, counted once.
            wishes: from where on, and what else is asked for.

        Raises:
            db.errors.StoreError: the bus is away and the room is not open here yet.
        """
        hall = self.hall(room)
        if not hall.subscribed:
            self._load(hall)
        if hall.loading is not None and not hall.fanout.viewers:
            await asyncio.shield(hall.loading)
        hall.touched_at = _now()
        return Watch(hall.fanout, seat, wishes)

    async def say(
        self,
        room: int,
        member: Member,
        text: str,
        event: bytes,
        now: float,
        *,
        once: str,
        case: Case | None = None,
        local_id: str | None = None,
    ) -> int:
        """Publish a member's line if the room lets it through; answer its sequence number.

        While the bus is away it is shown to those who watch here, and 0 answered; it has a number when the bus is back.

        Args:
            room: its number.
            member: who speaks.
            text: what is judged; `room.clean` it before it goes into the event.
            event: as everyone will get it, less its sequence number.
            now: seconds, of the same clock at each call.
            once: names the line; the same again within SAID_ONCE_SECONDS is not said twice.
            case: what the channel asks of its speakers, and how this one stands there.
            local_id: the speaker's own name for the line. None: they know of numbered lines only.

        Raises:
            room.RoomError, db.conduct.ConductError: not said.
            db.errors.StoreError: the bus is away, and the line is not held either.
        """
        hall = self.hall(room)
        hall.touched_at = began = _now()
        hall.room.judge(member.id, text, now, case)
        slow_seconds = case.slow_seconds if case is not None else 0
        # As long as the pace takes the same line for the same, or it could be said anew within one turn.
        once_seconds = max(limits.SAID_ONCE_SECONDS, slow_seconds)
        if slow_seconds:
            _wait(hall.room.pace.wait_ms(member.id, once, now))
        try:
            if slow_seconds and not hall.room.held.away:
                # Kept where all workers meet: two windows on two workers do not make anyone twice as fast.
                _wait(await self._bus.pace(room, member.id, slow_seconds, once))
            with hall.room.held.trying(once, began):
                seq = await self._bus.publish(room, event, once=once, once_seconds=once_seconds)
            if not seq:
                raise TakenBack
        except StoreError as error:
            self.absence.begin(hall)
            if local_id is None:
                raise
            tried_at = began if isinstance(error, StoreUnknown) else None
            name = Name(member.nickname, local_id)
            self.absence.hold(hall, Word(event, once, once_seconds, _now(), name=name, tried_at=tried_at))
            seq = 0
        if slow_seconds:
            hall.room.pace.spoke(member.id, once, now, slow_seconds)
        return seq

    def is_away(self, room: int) -> bool:
        """Whether the bus is away, as far as this room knows."""
        hall = self._halls.get(room)
        return hall is not None and hall.room.held.away

    def find(self, room: int) -> Hall | None:
        """Answer a room, if this worker holds it."""
        return self._halls.get(room)

    async def follow(self, topic: str) -> Observable[bytes]:
        """Answer the news of a topic as they come, and b"" whenever some may have been missed."""
        subject = self._topics.get(topic)
        if subject is None:
            subject = self._topics[topic] = Subject()
            try:
                await self._bus.follow(topic)
            except BaseException:
                self._topics.pop(topic, None)
                raise
        return subject

    def has_guests(self, room: int) -> bool:
        """Whether anyone watches a room here who is no member."""
        hall = self._halls.get(room)
        return hall is not None and any(not viewer.is_member for viewer in hall.fanout.viewers)

    def show_out_guests(self, room: int) -> None:
        """Complete the watches of guests: the room is for members now."""
        for viewer in [viewer for viewer in self._halls[room].fanout.viewers if not viewer.is_member]:
            viewer.complete()

    @property
    def open(self) -> int:
        """How many rooms this worker holds."""
        return len(self._halls)

    # --- what the roof calls ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Feed the rooms until cancelled; then nothing of this asks the bus any more."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._tick_on())
                group.create_task(self.absence.run())
                group.create_task(self.absence.ask_on(self._halls))
        finally:
            while self._tasks:  # They may have begun others; a driver that swallows it is waited for to its end.
                for task in self._tasks:
                    task.cancel()
                self._tasks -= (await asyncio.wait(self._tasks))[0]

    def close(self, goodbye: Callable[[], bytes] | None = None) -> None:
        """Complete every watch, after an event for it alone: this worker is about to end."""
        for hall in self._halls.values():
            for viewer in list(hall.fanout.viewers):
                if goodbye is not None:
                    viewer.whisper(goodbye())
                viewer.complete()

    # --- the bus ----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for news in self._bus.listen():
            try:
                self._deliver(news)
            except Exception:  # noqa: BLE001 - one event's trouble must not silence every room.
                _log.exception("deliver_failed room=%s seq=%s", news.room, news.seq)

    def _deliver(self, news: News) -> None:
        if news.topic == _RESYNC:
            for hall in self._halls.values():
                if hall.subscribed:
                    self._load(hall)
            for subject in self._topics.values():
                subject.on_next(b"")
        elif news.topic is not None:
            if news.topic in self._topics:
                self._topics[news.topic].on_next(news.payload)
        elif news.room in self._halls and news.seq is not None:
            hall = self._halls[news.room]
            event = self._event(news.seq, news.payload)
            if hall.subscribed and not hall.deliver(*event):
                self._load(hall)

    def _event(self, seq: int, payload: bytes) -> tuple[int, bytes, bool]:
        return seq, self._stamp(seq, payload), self._keep(payload)

    def hall(self, room_id: int) -> Hall:
        """Answer a room as this worker holds it; a new one is held from now on."""
        hall = self._halls.get(room_id)
        if hall is None:
            fanout = Fanout(room_id, Room(self._takes_back, self._voice), self._gap, self._epoch, self._ring)
            hall = self._halls[room_id] = Hall(fanout, _now())
            # A count is encoded once for everyone, and only when it differs from the one before.
            hall.totals.pipe(operators.distinct_until_changed(), operators.map(self._count)).subscribe(hall.fanout.note)
            hall.totals.pipe(operators.map(lambda total: (room_id, total))).subscribe(self.counts)
        return hall

    def _load(self, hall: Hall) -> None:
        """Begin to read the history; if that is going on, once more after it: what it reads may be too old already."""
        hall.stale = hall.loading is not None
        if hall.loading is None:
            hall.loading = asyncio.get_running_loop().create_task(self._read_history(hall))
            self._tasks.add(hall.loading)
            hall.loading.add_done_callback(self._tasks.discard)
            hall.loading.add_done_callback(_seen)

    async def _read_history(self, hall: Hall) -> None:
        room_id, room = hall.fanout.room_id, hall.room
        try:
            while True:
                try:
                    if not hall.subscribed:
                        # First the news, then the history: nothing can fall between.
                        await self._bus.subscribe(room_id)
                        hall.subscribed = True
                    head, epoch = await self._bus.numbers(room_id, epoch=room.epoch, seen=room.seen)
                    after = room.history_cursor(head, epoch)
                    # With the last one that is known: a store that lost it has given its number to another.
                    entries = await self._bus.history(room_id, after=max(after - 1, 0), limit=limits.LOG_EVENTS_MAX)
                    events = [self._event(entry.seq, entry.payload) for entry in entries]
                    if after == 0 or all(room.agrees(seq, payload) for seq, payload, _ in events[:1]):
                        break
                except Exception:
                    if cancelled() or not hall.fanout.viewers:
                        hall.subscribed = False
                        raise
                    _log.warning("history_unread room=%d", room_id, exc_info=True)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            hall.loading = None
        anew = room.refill(head, events, epoch)
        if anew:
            hall.fanout.restart()
        hall.fanout.wake()
        pending, hall.pending = hall.pending, []
        whole = all(hall.deliver(*event) for event in pending)
        if hall.stale or not whole:
            self._load(hall)

    # --- time -------------------------------------------------------------------------------------------------------

    async def _tick_on(self) -> None:
        while not cancelled():
            await asyncio.sleep(limits.COUNT_SECONDS)
            try:
                await self.tick(_now())
            except Exception:  # noqa: BLE001 - counts are stale while the bus is away; the rooms go on.
                _log.warning("count_failed", exc_info=True)

    async def tick(self, now: float) -> None:
        """Tell counts that are due, and leave the rooms that nobody wants."""
        await self._sweep(now)
        watched = {room_id: hall.room.viewers for room_id, hall in self._halls.items() if hall.fanout.viewers}
        try:
            await self._bus.report_viewers(self._node, watched)
            totals = await self._bus.viewers(list(watched)) if watched else {}
            for room_id, total in totals.items():
                if room_id in self._halls:
                    self._halls[room_id].room.total = total
        finally:
            for room_id in watched:
                hall = self._halls.get(room_id)
                due = hall.room.count_due(now) if hall else None
                if hall and due is not None:
                    hall.totals.on_next(due)

    async def _sweep(self, now: float) -> None:
        for room_id, hall in list(self._halls.items()):
            if hall.fanout.viewers:
                hall.touched_at = now
            elif now - hall.touched_at > limits.ROOM_IDLE_SECONDS and hall.loading is None and not hall.room.held.away:
                del self._halls[room_id]
                if hall.subscribed:
                    await self._bus.unsubscribe(room_id)


def _seen(task: asyncio.Task[None]) -> None:
    """Look at a task's error: whoever waited for it has got it."""
    if not task.cancelled():
        task.exception()


def _wait(wait_ms: int) -> None:
    if wait_ms:
        raise SlowMode(wait_ms)


def _now() -> float:
    return asyncio.get_running_loop().time()
