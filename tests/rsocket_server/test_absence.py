"""A bus that goes and comes back at a word, so that every moment of it can be looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from db.bus import HISTORY_LINES_MAX, Entry, Numbers
from db.conduct import Case, Rules, Standing
from db.errors import StoreUnavailable, StoreUnknown
from rsocket_server import absence as module
from rsocket_server import limits
from rsocket_server.absence import NO_WORDS
from rsocket_server.held import Name
from rsocket_server.room import Seat, SlowMode, TakenBack
from rsocket_server.rooms import Rooms
from rsocket_server.watch import Watch, Wishes
from tests.rsocket_server.script import MIMI, NABI, UNBOUNDED
from tests.rsocket_server.test_rooms import ROOM, Reader
from tests.rsocket_server.test_watch import settle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

UNSAID = StoreUnavailable("away")
UNKNOWN = StoreUnknown("no answer")


class Switch:
    """What Valkey knows, and the switch that turns it off."""

    is_one_server = True

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.fails_after = False  # It is done, and the answer is lost.
        self.said: list[tuple[str, bytes]] = []
        self.told: list[tuple[str, bytes]] = []
        self.voided: list[str] = []
        self.reads_only = self.answers_questions = False
        self.epoch = ""
        self.asked = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure

    async def publish(self, _room: int, payload: bytes, *, once: str, once_seconds: int) -> int:
        assert once_seconds >= limits.SAID_ONCE_SECONDS
        if not self.fails_after:
            self._ask()
        if once in self.voided:
            return 0
        if once not in [known for known, _ in self.said]:
            self.said.append((once, payload))
        if self.fails_after:
            self._ask()
        return 1 + [known for known, _ in self.said].index(once)

    async def history(self, _room: int, *, after: int, limit: int) -> list[Entry]:
        if not self.answers_questions:
            self._ask()
        assert (after, limit) == (0, HISTORY_LINES_MAX)
        return [Entry(seq, payload) for seq, (_, payload) in enumerate(self.said, 1)]

    async def void(self, _room: int, once: str, once_seconds: int) -> int:
        assert once_seconds >= limits.SAID_ONCE_SECONDS
        self._ask()
        names = [known for known, _ in self.said]
        if once in names:
            return 1 + names.index(once)
        self.voided.append(once)
        return 0

    def forget_names(self) -> None:
        """Let a minute go by for the store, but not for its history."""
        self.said = [("", payload) for _, payload in self.said]

    async def announce(self, topic: str, payload: bytes) -> None:
        self._ask()
        self.told.append((topic, payload))

    async def touch(self, _room: int) -> None:
        if not self.answers_questions:
            self._ask()
        if self.reads_only:
            raise UNSAID

    async def numbers(self, _room: int, **_seen: Any) -> Numbers:
        if not self.answers_questions:
            self._ask()
        return Numbers(len(self.said), self.epoch)

    async def pace(self, *_: Any) -> int:
        self._ask()
        return 0


@pytest.fixture
async def switch(no_task_left: None) -> Switch:
    return Switch()


@pytest.fixture
async def rooms(switch: Switch) -> Rooms:
    return Rooms(
        switch,  # type: ignore[arg-type]
        stamp=lambda seq, payload: b"%d:%s" % (seq, payload),
        keep=lambda _payload: False,
        gap=lambda skipped, first, last: b"gap %d %d-%d" % (skipped, first, last),
        count=lambda viewers: b"viewers %d" % viewers,
        node="node",
    )


def watch(rooms: Rooms, *, local: bool = True) -> Reader:
    reader = Reader()
    Watch(rooms.hall(ROOM).fanout, Seat(object()), Wishes(local=local)).subscribe(reader)
    reader.subscription.request(UNBOUNDED)
    return reader


async def say(rooms: Rooms, text: str, *, member: Any = NABI, now: float = 0.0, case: Case | None = None) -> int:
    return await rooms.say(ROOM, member, text, text.encode(), now, once=f"{member.id} {text}", local_id=text, case=case)


async def test_lines_are_seen_here_at_once_and_by_everyone_in_their_order_when_the_bus_is_back(
    rooms: Rooms, switch: Switch
) -> None:
    reader, old = watch(rooms), watch(rooms, local=False)
    switch.failure = UNSAID
    assert [await say(rooms, text) for text in ("one", "two", "one")] == [0, 0, 0]
    await settle(rooms.hall(ROOM).fanout)
    late = watch(rooms)

    assert reader.items == late.items == [b"away", b"local:one", b"local:two"]
    assert old.items == []
    await rooms.absence.look()
    assert rooms.is_away(ROOM)
    switch.failure = None
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)

    assert switch.said == [(f"{NABI.id} one", b"one"), (f"{NABI.id} two", b"two")]
    assert reader.items[3:] == late.items[3:] == [b"back"]
    assert not rooms.is_away(ROOM)
    assert await say(rooms, "three", now=100.0) == 3
    assert watch(rooms).items == []


async def test_while_it_is_away_the_bus_is_not_asked_by_those_who_speak(rooms: Rooms, switch: Switch) -> None:
    switch.failure = UNSAID
    await say(rooms, "one")
    asked = switch.asked
    await say(rooms, "two")

    assert switch.asked == asked


async def test_a_line_of_which_nobody_knows_is_said_once(rooms: Rooms, switch: Switch) -> None:
    switch.failure, switch.fails_after = UNKNOWN, True
    assert await say(rooms, "one") == 0
    switch.failure = None
    await say(rooms, "two")
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one", b"two"]


async def test_a_line_whose_name_may_be_forgotten_is_let_go_and_named(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = watch(rooms)
    switch.failure = UNKNOWN
    await say(rooms, "one")
    monkeypatch.setattr(limits, "HELD_MARGIN_SECONDS", limits.SAID_ONCE_SECONDS + 1)
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)

    assert switch.said == []
    assert reader.items == [b"away", b"local:one", b"lapsed 1", b"back"]
    assert rooms.absence._bytes == 0


async def test_a_line_that_fails_while_rooms_heal_keeps_its_place(rooms: Rooms, switch: Switch) -> None:
    switch.failure = UNSAID
    await say(rooms, "one")
    await say(rooms, "two")
    switch.failure, switch.fails_after, switch.answers_questions = UNKNOWN, True, True
    await rooms.absence.look()
    assert rooms.is_away(ROOM)
    await say(rooms, "three")
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one", b"two", b"three"]
    assert rooms.absence._bytes == 0


async def test_who_knows_of_numbers_only_is_refused_and_nothing_is_held(rooms: Rooms, switch: Switch) -> None:
    switch.failure = UNSAID
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await rooms.say(ROOM, NABI, "one", b"one", 0.0, once="one")

    assert len(rooms.hall(ROOM).room.held) == 0
    switch.failure = None
    await rooms.absence.look()
    assert switch.said == []


async def test_more_than_may_be_held_is_refused(rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELD_TOTAL_BYTES_MAX", 5)
    reader = watch(rooms)
    switch.failure = UNSAID
    await say(rooms, "one")
    with pytest.raises(StoreUnavailable):
        await say(rooms, "two")
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    await rooms.absence.look()
    assert await say(rooms, "two") == 2
    await settle(rooms.hall(ROOM).fanout)

    assert reader.items == [b"away", b"local:one", b"back"]


async def test_more_than_may_be_held_of_which_nobody_knows_is_unknown(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELD_TOTAL_BYTES_MAX", 1)
    switch.failure = UNKNOWN
    with pytest.raises(StoreUnknown):
        await say(rooms, "one")


async def test_slow_mode_holds_while_the_bus_is_away_and_after(rooms: Rooms, switch: Switch) -> None:
    at: datetime = None  # type: ignore[assignment]
    case = Case(at=at, rules=Rules(slow_seconds=30), standing=Standing())
    assert await say(rooms, "one", now=100.0, case=case) == 1
    switch.failure = UNSAID
    with pytest.raises(SlowMode) as refused:
        await say(rooms, "two", now=110.0, case=case)
    assert refused.value.retry_after_ms == 20_000
    assert await say(rooms, "two", now=130.0, case=case) == 0
    assert await say(rooms, "two", now=131.0, case=case) == 0
    assert await say(rooms, "mimi", member=MIMI, now=131.0, case=case) == 0
    with pytest.raises(SlowMode):
        await say(rooms, "three", now=140.0, case=case)
    switch.failure = None
    await rooms.absence.look()
    with pytest.raises(SlowMode):
        await say(rooms, "three", now=150.0, case=case)
    assert await say(rooms, "three", now=160.0, case=case) == 4


async def test_a_line_taken_back_is_never_published_nor_shown_again(rooms: Rooms, switch: Switch) -> None:
    reader = watch(rooms)
    switch.failure = UNSAID
    await say(rooms, "one")
    await say(rooms, "two")
    await settle(rooms.hall(ROOM).fanout)
    names = {Name(NABI.nickname, "one")}
    taken = rooms.absence.take_back(rooms.hall(ROOM), names, b"gone", lambda seq: b"undo %d" % seq)
    await settle(rooms.hall(ROOM).fanout)
    late = watch(rooms)

    assert taken == names
    assert reader.items == [b"away", b"local:one", b"local:two", b"local:gone"]
    assert late.items == [b"away", b"local:gone", b"local:two", b"local:gone"]
    switch.failure = None
    await rooms.absence.look()
    assert [payload for _, payload in switch.said] == [b"two"]
    assert rooms.absence._bytes == 0


async def test_a_line_taken_back_that_may_be_published_is_removed_by_its_number(rooms: Rooms, switch: Switch) -> None:
    switch.failure, switch.fails_after = UNKNOWN, True
    await say(rooms, "one")
    rooms.absence.take_back(rooms.hall(ROOM), {Name(NABI.nickname, "one")}, b"gone", lambda seq: b"undo %d" % seq)
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one", b"undo 1"]
    assert rooms.absence._bytes == 0


async def test_a_line_taken_back_is_not_shown_again_when_it_is_sent_again(rooms: Rooms, switch: Switch) -> None:
    reader = watch(rooms)
    switch.failure = UNSAID
    await say(rooms, "one")
    rooms.absence.take_back(rooms.hall(ROOM), {Name(NABI.nickname, "one")}, b"gone", lambda seq: b"undo %d" % seq)
    assert await say(rooms, "one") == 0
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)

    assert reader.items == [b"away", b"local:gone", b"local:gone", b"back"]
    assert rooms.absence._bytes == 0
    # Nor now that it could be published.
    with pytest.raises(TakenBack):
        await say(rooms, "one")
    with pytest.raises(TakenBack):
        await rooms.say(ROOM, NABI, "one", b"one", 0.0, once=f"{NABI.id} one")
    assert switch.said == []


async def test_a_line_that_was_taken_back_at_another_worker_comes_to_nobody(rooms: Rooms, switch: Switch) -> None:
    reader = watch(rooms)
    switch.failure = UNSAID
    await say(rooms, "one")
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    switch.voided.append(f"{NABI.id} one")
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)

    assert switch.said == []
    assert reader.items == [b"away", b"local:one", b"lapsed 1", b"back"]
    assert rooms.absence._bytes == 0


async def test_who_is_behind_still_hears_what_takes_lines_away(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, hall = Reader(), rooms.hall(ROOM)
    Watch(hall.fanout, Seat(object()), Wishes(local=True)).subscribe(reader)
    reader.subscription.request(2)
    switch.failure = UNSAID
    await say(rooms, "one")
    await settle(hall.fanout)
    assert reader.items == [b"away", b"local:one"]
    rooms.absence.take_back(hall, {Name(NABI.nickname, "one")}, b"gone", lambda seq: b"undo %d" % seq)
    await say(rooms, "two")
    monkeypatch.setattr(limits, "HELD_SECONDS_MAX", -1)
    await rooms.absence.look()
    switch.failure = None
    await rooms.absence.look()
    reader.subscription.request(UNBOUNDED)
    await settle(hall.fanout)

    assert reader.items[2:] == [b"local:gone", b"lapsed 1", b"back"]


class Hung:
    """A line on its way to a store that does not answer."""

    def __init__(self, switch: Switch, rooms: Rooms, text: str = "one") -> None:
        self.begun, self._answer = asyncio.Event(), asyncio.get_running_loop().create_future()
        self._switch, self._publish = switch, switch.publish
        switch.publish = self._hang  # type: ignore[method-assign]
        self.task = asyncio.create_task(say(rooms, text))

    async def _hang(self, *said: Any, **named: Any) -> int:
        self._switch.publish = self._publish  # type: ignore[method-assign]
        self.begun.set()
        await self._answer
        return await self._publish(*said, **named)

    def answer(self) -> None:
        self._answer.set_result(None)


async def sent_again(rooms: Rooms, switch: Switch) -> Hung:
    """A line under way, and the room is away by another's, and the same line again."""
    hung = Hung(switch, rooms)
    await hung.begun.wait()
    switch.failure = UNSAID
    await say(rooms, "other", member=MIMI)
    assert await say(rooms, "one") == 0
    return hung


async def test_a_line_sent_again_while_its_first_try_is_under_way_may_be_published(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = watch(rooms)
    hung = await sent_again(rooms, switch)
    switch.failure, switch.fails_after = UNKNOWN, True
    hung.answer()
    assert await hung.task == 0
    switch.forget_names()
    monkeypatch.setattr(limits, "HELD_MARGIN_SECONDS", limits.SAID_ONCE_SECONDS + 1)
    switch.failure = None
    await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)

    assert [payload for _, payload in switch.said] == [b"one", b"other"]
    assert reader.items == [b"away", b"local:other", b"local:one", b"lapsed 1", b"back"]
    assert rooms.absence._bytes == 0


async def test_a_try_that_nobody_waits_for_any_more_may_have_published_its_line(rooms: Rooms, switch: Switch) -> None:
    hung = await sent_again(rooms, switch)
    hung.task.cancel()
    await asyncio.gather(hung.task, return_exceptions=True)
    (_, again) = rooms.hall(ROOM).room.held.lines

    assert again.tried_at is not None


@pytest.mark.parametrize("answer", [None, UNSAID, UNKNOWN], ids=["published", "not published", "unknown"])
async def test_a_line_taken_back_stays_so_whatever_becomes_of_its_first_try(
    rooms: Rooms, switch: Switch, answer: Exception | None
) -> None:
    reader = watch(rooms)
    hung = await sent_again(rooms, switch)
    rooms.absence.take_back(rooms.hall(ROOM), {Name(NABI.nickname, "one")}, b"gone", lambda seq: b"undo %d" % seq)
    switch.failure, switch.fails_after = answer, answer is UNKNOWN
    hung.answer()
    assert await hung.task == (1 if answer is None else 0)
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    await rooms.absence.look()

    assert reader.items[:4] == [b"away", b"local:other", b"local:gone", b"local:gone"]
    said = [payload for _, payload in switch.said]
    assert said == ([b"other"] if answer is UNSAID else [b"one", b"other", b"undo 1"])
    assert rooms.absence._bytes == 0


@pytest.mark.parametrize("published", [True, False])
async def test_a_line_taken_back_is_looked_for_when_the_store_has_forgotten_its_name(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    switch.failure, switch.fails_after = UNKNOWN, published
    await say(rooms, "one")
    rooms.absence.take_back(rooms.hall(ROOM), {Name(NABI.nickname, "one")}, b"gone", lambda seq: b"undo %d" % seq)
    switch.forget_names()
    monkeypatch.setattr(limits, "HELD_MARGIN_SECONDS", limits.SAID_ONCE_SECONDS + 1)
    await rooms.absence.look()
    assert len(rooms.hall(ROOM).room.held) == 1
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == ([b"one", b"undo 1"] if published else [])
    assert switch.voided == [f"{NABI.id} one"]  # What is on its way comes too late.
    assert not rooms.is_away(ROOM)
    assert rooms.absence._bytes == 0


async def test_a_line_that_came_to_the_store_by_another_worker_is_said_once(rooms: Rooms, switch: Switch) -> None:
    """However short it is held here: it may have been tried there long before."""
    switch.said.append(("", b"one"))
    switch.failure = UNSAID
    await say(rooms, "one")
    await say(rooms, "two")
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one", b"two"]
    assert not rooms.is_away(ROOM)


LONGEST = limits.SAID_ONCE_SECONDS + limits.HELD_SECONDS_MAX


@pytest.mark.parametrize(
    ("away", "apart", "same"),
    [
        (0, limits.SAID_ONCE_SECONDS, True),
        (0, -limits.SAID_ONCE_SECONDS, True),
        (0, LONGEST, False),
        (300, 300, True),
        (10_000, LONGEST, True),
        (10_000, LONGEST + 1, False),
        (10_000, -LONGEST - 1, False),
    ],
)
async def test_a_line_that_uses_an_id_again_is_another_one(
    rooms: Rooms, switch: Switch, away: int, apart: int, same: bool
) -> None:
    """A program says the same with the same id now and then; what was said long ago has nothing to do with it."""

    def line(payload: bytes) -> tuple[bytes, float]:
        text, _, at = payload.partition(b"@")
        return text, float(at)

    rooms.absence._words = NO_WORDS._replace(line=line)
    switch.said += [("", b"live@%d" % at) for at in (0, 20_000 - apart, 40_000)]
    switch.failure = UNSAID
    await say(rooms, "live@20000")
    assert rooms.absence._since is not None
    rooms.absence._since -= away
    switch.failure = None
    await rooms.absence.look()

    assert switch.said[3:] == ([] if same else [(f"{NABI.id} live@20000", b"live@20000")])
    assert not rooms.is_away(ROOM)
    assert rooms.absence._since is None


async def test_a_try_that_the_store_refused_leaves_a_line_all_its_time(rooms: Rooms, switch: Switch) -> None:
    """As one does whose memory is full since it was asked."""
    switch.failure = UNSAID
    await say(rooms, "one")
    switch.answers_questions = True
    await rooms.absence.look()
    (line,) = rooms.hall(ROOM).room.held.lines
    assert line.tried_at is None
    switch.failure = UNKNOWN
    await rooms.absence.look()
    tried_at = line.tried_at
    assert tried_at is not None
    switch.failure = UNSAID
    await rooms.absence.look()

    assert line.tried_at == tried_at
    switch.failure = None
    await rooms.absence.look()
    assert [payload for _, payload in switch.said] == [b"one"]


async def test_a_store_that_can_only_be_read_is_not_back(rooms: Rooms, switch: Switch) -> None:
    reader = watch(rooms)
    rooms.absence.begin(rooms.hall(ROOM))
    switch.reads_only = True
    for _ in range(3):
        await rooms.absence.look()
    await settle(rooms.hall(ROOM).fanout)
    assert reader.items == [b"away"]
    switch.reads_only = False
    await rooms.absence.look()

    assert not rooms.is_away(ROOM)


async def test_numbers_that_began_anew_are_no_further_for_being_lower(rooms: Rooms, switch: Switch) -> None:
    """A store that came back empty: what was held is number 1 there, and the room had come to 3 before."""
    hall, reader = rooms.hall(ROOM), watch(rooms)
    hall.room.refill(3, [(seq, b"%d:old" % seq, False) for seq in (1, 2, 3)], "old")
    hall.subscribed, switch.epoch = True, "new"
    switch.failure = UNSAID
    await say(rooms, "one")
    await settle(hall.fanout)
    switch.failure = None
    await rooms.absence.look()
    assert rooms.is_away(ROOM)
    assert hall.loading is not None
    await hall.loading
    await rooms.absence.look()
    await settle(hall.fanout)

    assert reader.items[-3:] == [b"local:one", b"1:one", b"back"]
    assert not rooms.is_away(ROOM)


class Asked:
    """A bus of two servers, for even and for odd rooms, each of whose answers is in the test's hand."""

    is_one_server = False

    def __init__(self) -> None:
        self.touched: asyncio.Queue[tuple[int, asyncio.Future[None]]] = asyncio.Queue()

    def by_server(self, rooms: Iterable[int]) -> list[list[int]]:
        every = sorted(rooms)
        return [part for part in ([room for room in every if room % 2 == odd] for odd in (0, 1)) if part]

    async def touch(self, room: int) -> None:
        answer = asyncio.get_running_loop().create_future()
        self.touched.put_nowait((room, answer))
        await answer

    async def round(self, *unanswered: int, failure: Exception = UNSAID) -> list[int]:
        """Let both servers' questions come, and answer them; answer of which rooms they were."""
        asked = [await self.touched.get() for _ in range(2)]
        for room, answer in asked:
            if room in unanswered:
                answer.set_exception(failure)
            else:
                answer.set_result(None)
        return [room for room, _ in asked]


async def test_rooms_in_which_nobody_speaks_hear_of_it_when_their_server_is_silent_twice(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.0)
    bus = Asked()
    absence = module.Absence(bus, NO_WORDS, pytest.fail)  # type: ignore[arg-type]
    halls = {number: rooms.hall(number) for number in range(1, 6)}
    for number in (1, 2, 3, 4):  # Nobody watches the fifth.
        Watch(halls[number].fanout, Seat(object()), Wishes()).subscribe(Reader())

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        asking = group.create_task(absence.ask_on(halls))
        for unanswered in (2, 1, 2):
            assert await bus.round(unanswered) == [2, 1]
        # One question for each server, and once is no silence; what a driver says of it is all one.
        assert await bus.round(1, failure=KeyError(7)) == [2, 1]
        assert not any(rooms.is_away(number) for number in halls)
        await bus.round(1)
        room, _ = await bus.touched.get()
        assert room == 2  # The others are looked after already.
        asking.cancel()

    assert [rooms.is_away(number) for number in halls] == [True, False, True, False, False]


async def test_a_question_from_before_the_bus_was_back_says_nothing_of_it(no_task_left: None) -> None:
    bus = Asked()
    absence = module.Absence(bus, NO_WORDS, pytest.fail)  # type: ignore[arg-type]
    asking = asyncio.create_task(absence._is_there(ROOM))
    _, answer = await bus.touched.get()
    absence.ended_at = asyncio.get_running_loop().time()
    answer.set_exception(UNSAID)
    assert await asking


@pytest.mark.parametrize("over", [0, 1])
async def test_lines_that_lapse_are_named_in_as_many_events_as_they_need(
    switch: Switch, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    words = NO_WORDS._replace(lapsed=lambda names: b"lapsed " + b" ".join(name.id.encode() for name in names))
    absence = module.Absence(switch, words, pytest.fail)  # type: ignore[arg-type]
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", len(b"lapsed 1 2 3 4") - over)
    names = [Name("nabi", str(number)) for number in range(1, 5)]

    assert absence._lapsed(names) == ([b"lapsed 1 2", b"lapsed 3 4"] if over else [b"lapsed 1 2 3 4"])
    assert absence._lapsed([]) == []
    assert absence._lapsed([Name("nabi", 99 * "x")]) == [b"lapsed " + 99 * b"x"]


async def test_who_cannot_be_told_keeps_nobody_from_being_told(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a cluster one node is away, or something is wrong with a topic: the others hear."""
    switch.failure = UNSAID
    topics = [f"{number}" for number in range(module.FAILURES_A_LOOK + 2)]
    for number, topic in enumerate(topics):
        rooms.absence.begin(rooms.hall(number))
        await rooms.absence.announce(topic, b"news")
    announce, switch.is_one_server = switch.announce, False

    async def partly(topic: str, payload: bytes) -> None:
        if topic in topics[:-1]:
            raise ValueError(topic) if topic == "0" else UNSAID
        switch.told.append((topic, payload))

    monkeypatch.setattr(switch, "announce", partly)
    await rooms.absence.look()
    await rooms.absence.look()
    assert switch.told == [(topics[-1], b"news")]
    monkeypatch.setattr(switch, "announce", announce)
    switch.failure = None
    await rooms.absence.look()

    assert sorted(switch.told) == sorted((topic, b"news") for topic in topics)
    assert not any(rooms.is_away(number) for number in range(len(topics)))


async def test_announcements_wait_within_their_limit(
    rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OWED_MAX", 2)
    switch.failure = UNKNOWN
    for payload in (b"a", b"a", b"b", b"c"):
        await rooms.absence.announce("topic", payload)
    await rooms.absence.look()
    assert switch.told == []
    switch.failure = None
    await rooms.absence.look()

    assert switch.told == [("topic", b"a"), ("topic", b"b")]


async def test_one_look_does_not_ask_for_every_room(rooms: Rooms, switch: Switch) -> None:
    for number in range(20):
        rooms.absence.begin(rooms.hall(number))
    switch.failure = UNSAID
    await rooms.absence.look()
    assert switch.asked == module.FAILURES_A_LOOK
    switch.failure = None
    await rooms.absence.look()

    assert not any(rooms.is_away(number) for number in range(20))


async def test_a_room_that_cannot_be_healed_for_another_reason_is_tried_again(rooms: Rooms, switch: Switch) -> None:
    switch.failure = UNSAID
    await say(rooms, "one")
    switch.failure = ValueError("a fault of ours")
    await rooms.absence.look()
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one"]


async def test_all_is_well_when_what_was_said_has_come_back(rooms: Rooms, switch: Switch) -> None:
    hall, reader = rooms.hall(ROOM), watch(rooms)
    hall.subscribed = True
    switch.failure = UNSAID
    await say(rooms, "one")
    await settle(hall.fanout)
    switch.failure = None
    await rooms.absence.look()
    assert [payload for _, payload in switch.said] == [b"one"]
    assert rooms.is_away(ROOM)
    await say(rooms, "two")
    hall.deliver(1, b"1:one", False)
    await rooms.absence.look()  # The second need not have come: the first shows that the news do.
    await settle(hall.fanout)

    assert [payload for _, payload in switch.said] == [b"one", b"two"]
    assert reader.items[:3] == [b"away", b"local:one", b"1:one"]
    assert reader.items[-1] == b"back"
    assert not rooms.is_away(ROOM)


async def test_it_heals_by_itself(rooms: Rooms, switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    running = asyncio.create_task(rooms.absence.run())
    switch.failure = UNSAID
    await say(rooms, "one")
    await settle(rooms.hall(ROOM).fanout)
    switch.failure = None
    async with asyncio.timeout(60):
        while rooms.is_away(ROOM):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert [payload for _, payload in switch.said] == [b"one"]
