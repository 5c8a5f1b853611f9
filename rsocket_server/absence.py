"""Shell: what this worker does while the bus is away: its rooms go on by themselves, and are healed when it is back.

A room is away from the first failure of the bus until all that it holds is published, in its order, each under the name
that it had from the beginning, and has come back with what others have said; nothing overtakes it. Those who watch here
see what is said at once, without a number. The bus is asked whether it is back by a write that changes nothing: a store
that can only be read is not back; and a line that is sent and not answered for may be published, and must not be sent
again much later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from db.bus import HISTORY_LINES_MAX
from db.errors import StoreError, StoreUnavailable, StoreUnknown
from rsocket_server import limits
from rsocket_server.doorway import cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence

    from db.bus import Bus
    from rsocket_server.hall import Hall
    from rsocket_server.held import Name, Word

    # When each of the lines that are alike was said, and its number.
    Past = Mapping[Hashable, Sequence[tuple[float, int]]]

# Between two looks whether the bus is back.
RETRY_SECONDS = 0.5
# Between two questions whether it is there, of each of its servers; who has not answered twice is away.
ASK_SECONDS = 1.0
# Rooms of which one look may hear that it is not: of a cluster some nodes may be back, of one server none is.
FAILURES_A_LOOK = 3
# Announcements that wait; more are dropped, and each worker reads by itself what they would have told (laws.py).
OWED_MAX = 1_000

_log = logging.getLogger("commeow.absence")


class Words(NamedTuple):
    """What is said of an absence.

    Attributes:
        away: the event that what follows is seen here only.
        back: the event that this is over.
        local: marks an event that has no number.
        lapsed: writes the event that names lines which will not come to the others.
        line: answers what one line has in common with itself, sent again, and when it was said, in seconds; None for
            what is no line.
    """

    away: bytes
    back: bytes
    local: Callable[[bytes], bytes]
    lapsed: Callable[[Sequence[Name]], bytes]
    line: Callable[[bytes], tuple[Hashable, float] | None]


NO_WORDS = Words(
    away=b"away",
    back=b"back",
    local=lambda event: b"local:" + event,
    lapsed=lambda names: b"lapsed %d" % len(names),
    line=lambda payload: (payload, 0.0) if payload else None,
)


class Absence:
    """See the module.

    Args:
        bus: that is away.
        words: what is said of that.
        read_again: begins to read a room's history.

    Attributes:
        ended_at: when a room's bus was last found to be back.
    """

    def __init__(self, bus: Bus, words: Words, read_again: Callable[[Hall], None]) -> None:
        self._bus = bus
        self._words = words
        self._read_again = read_again
        self.ended_at = float("-inf")
        self._away: deque[Hall] = deque()
        self._since: float | None = None  # Since when some room's bus is away.
        self._owed: dict[tuple[str, bytes], None] = {}
        self._bytes = 0
        self._woken = asyncio.Event()

    def begin(self, hall: Hall) -> None:
        """Take a room's bus to be away, until the next look."""
        if not hall.room.held.away:
            hall.room.held.away = True
            hall.aside(self._words.away)
            self._away.append(hall)
            self._since = _now() if self._since is None else self._since
            self._woken.set()
            _log.warning("bus_away room=%d", hall.fanout.room_id)

    def hold(self, hall: Hall, word: Word) -> None:
        """Show a word to those who watch here, and publish it when the bus is back.

        One that is held already, or was taken back, is not shown again. Raises StoreUnavailable, or StoreUnknown of
        what may be done already: as much is held as may be.
        """
        try:
            if not hall.room.held.hold(word, bytes_left=limits.HELD_TOTAL_BYTES_MAX - self._bytes):
                return
        except StoreUnavailable as error:
            if word.tried_at is None and word.name is not None:
                raise
            raise StoreUnknown(error.reason) from error  # What a moderator has done is done, but not shown.
        self._bytes += len(word.payload)
        word.place = hall.aside(self._words.local(word.payload))

    def take_back(self, hall: Hall, names: Container[Name], event: bytes, undo: Callable[[int], bytes]) -> set[Name]:
        """Take lines back that have no number yet, and answer which.

        Those who watch here are shown `event`; `undo` writes one for everyone, of a line that has a number by now.
        """
        before = hall.room.held.bytes
        taken = hall.room.held.take_back(names, undo)
        self._bytes -= before - hall.room.held.bytes
        local = self._words.local(event)
        hall.room.aside.replace({word.place: local for word in taken})
        if taken:
            hall.aside(local, kept=True)
        return {word.name for word in taken if word.name is not None}

    async def announce(self, topic: str, payload: bytes) -> None:
        """Announce now, or when the bus is back."""
        try:
            await self._bus.announce(topic, payload)
        except StoreError:
            if len(self._owed) < OWED_MAX:
                self._owed[topic, payload] = None
            self._woken.set()

    async def run(self) -> None:
        """Heal until cancelled."""
        while not cancelled():
            await self._woken.wait()
            await self.look()
            if self._away or self._owed:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._woken.clear()

    async def ask_on(self, halls: Mapping[int, Hall]) -> None:
        """See until cancelled whether the bus is there, also for rooms in which nobody speaks.

        A round is as long as its slowest question: a server that hangs is away after two of db/pool.py
        REDIS_CALL_SECONDS_MAX, and another that is gone meanwhile may be known no sooner.
        """
        silent: set[int] = set()
        while not cancelled():
            await asyncio.sleep(ASK_SECONDS)
            watched = (number for number, hall in halls.items() if hall.fanout.viewers and not hall.room.held.away)
            parted = self._bus.by_server(watched)
            answers = await asyncio.gather(*(self._is_there(rooms[0]) for rooms in parted))
            before, silent = silent, set()
            for rooms, is_there in zip(parted, answers, strict=True):
                silent.update([] if is_there else rooms)
            for number in silent & before & halls.keys():
                self.begin(halls[number])

    async def _is_there(self, room_id: int) -> bool:
        began = _now()
        try:
            await self._bus.touch(room_id)
        except Exception as error:  # noqa: BLE001 - of any kind: this task looks after every room.
            if not isinstance(error, StoreError):
                _log.exception("question_failed room=%d", room_id)
            return began <= self.ended_at  # What was asked before the bus was back says nothing of it now.
        return True

    async def look(self) -> None:
        """See which rooms' bus is back, and heal them."""
        failures = 0
        for _ in range(len(self._away)):
            hall = self._away.popleft()
            failures += not await self._heal(hall)
            if hall.room.held.away:
                self._away.append(hall)
            if failures >= FAILURES_A_LOOK:
                break
        if not self._away:
            self._since = None
        if failures < FAILURES_A_LOOK or not self._bus.is_one_server:
            await self._tell_owed()

    async def _tell_owed(self) -> None:
        failures = 0
        for told in list(self._owed):
            try:
                await self._bus.announce(*told)
                self._owed.pop(told, None)
            except Exception:  # noqa: BLE001 - of any kind: this task has every room to heal.
                _log.warning("announce_failed", exc_info=True)
                self._owed[told] = self._owed.pop(told, None)  # After the others: they may be of a node that is back.
                failures += 1
                if failures >= FAILURES_A_LOOK:
                    return

    async def _heal(self, hall: Hall) -> bool:
        """Publish what a room holds, and see whether all is well; answer whether the bus is back."""
        room_id, room, held = hall.fanout.room_id, hall.room, hall.room.held
        late = held.lapse(_now())
        self._bytes -= _size(late)
        try:
            await self._bus.touch(room_id)
            head, epoch = await self._bus.numbers(room_id, epoch=room.epoch, seen=room.seen)
            past = await self._past(room_id) if held.has_lines else {}
            while (word := held.first()) is not None:
                if word.is_overdue(_now()):
                    late += [word]
                else:
                    seq = await self._settle(room_id, word, past)
                    head = max(head, seq)
                    late += [] if seq else [word]  # Another worker's moderator has taken it back.
                held.drop(word)
                self._bytes -= _size([word])
        except Exception as error:  # noqa: BLE001 - of any kind: what is held must not be forgotten for it.
            if not isinstance(error, StoreError):
                _log.exception("heal_failed room=%d", room_id)
            self._let_go(hall, late)
            return False
        # Not what is said from now on, which always comes a little later; and a store may begin its numbers anew.
        held.behind = head if held.behind is None else min(held.behind, head)
        if not hall.subscribed or (room.epoch == epoch and room.log.head >= held.behind):
            self._end(hall, late)
        else:
            self._let_go(hall, late)
            if room.epoch != epoch and hall.loading is None:
                self._read_again(hall)
        return True

    def _end(self, hall: Hall, late: list[Word]) -> None:
        room = hall.room
        room.held.away, room.held.behind = False, None
        self.ended_at = _now()
        # Whoever has not seen the asides yet gets the lines with their numbers, and what takes lines away is kept.
        room.aside.restart(room.aside.head)
        self._let_go(hall, late)
        hall.aside(self._words.back)
        _log.warning("bus_back room=%d", hall.fanout.room_id)

    async def _past(self, room_id: int) -> Past:
        """Answer which lines a room's history has."""
        past: dict[Hashable, list[tuple[float, int]]] = {}
        for entry in await self._bus.history(room_id, after=0, limit=HISTORY_LINES_MAX):
            line = self._words.line(entry.payload)
            if line is not None:
                past.setdefault(line[0], []).append((line[1], entry.seq))
        return past

    def _number_of(self, word: Word, past: Past) -> int:
        """Answer the number that the same line has by now, sent again or by way of another worker; 0 if it has none.

        The store may have forgotten its name, also where it was never tried here. But a program may use an id again for
        the same words: what was said longer apart than the store knows names, and held it may have been meanwhile, is
        another line.
        """
        line = self._words.line(word.payload)
        if line is None or self._since is None:
            return 0
        apart = word.once_seconds + min(_now() - self._since, limits.HELD_SECONDS_MAX)
        return max((seq for at, seq in past.get(line[0], ()) if abs(at - line[1]) <= apart), default=0)

    async def _settle(self, room_id: int, word: Word, past: Past) -> int:
        """Publish a word, unless it was, or see that what was taken back is gone; answer the newest number given.

        0 of what is void.
        """
        seq = self._number_of(word, past)
        if word.undo is not None:
            # Also where a try of before is still on its way.
            seq = await self._bus.void(room_id, word.once, word.once_seconds) or seq
        elif not seq:
            seq = await self._publish(room_id, word)
        if seq and word.undo is not None:  # As it may be by now.
            seq = await self._bus.publish(
                room_id, word.undo(seq), once=f"undo:{word.once}", once_seconds=limits.SAID_ONCE_SECONDS
            )
        return seq

    async def _publish(self, room_id: int, word: Word) -> int:
        tried_at, word.tried_at = word.tried_at, _now() if word.tried_at is None else word.tried_at
        try:
            return await self._bus.publish(room_id, word.payload, once=word.once, once_seconds=word.once_seconds)
        except StoreUnavailable:
            word.tried_at = tried_at  # This try has surely done nothing.
            raise

    def _let_go(self, hall: Hall, late: list[Word]) -> None:
        """Say which lines will not come to the others."""
        names = [word.name for word in late if word.name is not None and word.undo is None]
        for event in self._lapsed(names):
            hall.aside(event, kept=True)

    def _lapsed(self, names: Sequence[Name]) -> list[bytes]:
        """Name lines that will not come, in as many events as these have room for them."""
        event = self._words.lapsed(names)
        if len(names) > 1 and len(event) > limits.BATCH_BYTES_MAX:
            half = len(names) // 2
            return self._lapsed(names[:half]) + self._lapsed(names[half:])
        return [event] if names else []


def _size(words: Iterable[Word]) -> int:
    return sum(len(word.payload) for word in words)


def _now() -> float:
    return asyncio.get_running_loop().time()
