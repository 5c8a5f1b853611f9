"""Rooms on a real Valkey: what one worker says, another hears, in one order, also after Valkey was away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from db.bus import Bus, News, Numbers
from db.errors import StoreUnavailable, StoreUnknown
from rsocket_server import limits
from rsocket_server.held import Name
from rsocket_server.room import Empty, Seat, TooFast
from rsocket_server.rooms import Rooms
from rsocket_server.watch import Wishes
from tests.rsocket_server.script import MIMI, NABI, UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOM = 7


class Reader:
    """Watches a room without a socket."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.completed = 0
        self.subscription: Any = None

    def on_subscribe(self, subscription: Any) -> None:
        self.subscription = subscription

    def on_next(self, value: Any, is_complete: bool = False) -> None:
        self.items.append(value.data)

    def on_complete(self) -> None:
        self.completed += 1

    @property
    def lines(self) -> list[bytes]:
        return [item for item in self.items if not item.startswith(b"viewers")]

    async def heard(self, count: int) -> list[bytes]:
        async with asyncio.timeout(60):
            while len(self.lines) < count:
                await asyncio.sleep(0.001)
        return self.lines


@pytest.fixture
async def worker(redis: Any, no_task_left: None) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts the rooms of one more worker."""
    running: list[asyncio.Task[None]] = []
    started: list[Rooms] = []

    async def start(bus: Any = None, *, run: bool = True) -> Rooms:
        rooms = Rooms(
            bus or Bus(redis),
            stamp=lambda seq, payload: b"%d:%s" % (seq, payload),
            keep=lambda payload: payload.startswith(b"kept"),
            gap=lambda skipped, first, last: b"gap %d %d-%d" % (skipped, first, last),
            count=lambda viewers: b"viewers %d" % viewers,
            node=f"node-{len(started)}",
        )
        started.append(rooms)
        if run:
            running.append(asyncio.create_task(rooms.run()))
            await asyncio.sleep(0)
        return rooms

    yield start
    for rooms in started:
        rooms.close()
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def watch(
    rooms: Rooms,
    *,
    since: int | None = None,
    history: int | None = None,
    member: Any = None,
    n: int = UNBOUNDED,
    epoch: str | None = None,
    local: bool = False,
) -> Reader:
    reader = Reader()
    seat = Seat(member.id, voice=member.nickname) if member else Seat(object())
    wishes = Wishes(since=since, history=history, epoch=epoch, local=local)
    (await rooms.watch(ROOM, seat, wishes)).subscribe(reader)
    reader.subscription.request(n)
    return reader


async def say(rooms: Rooms, *texts: str, member: Any = NABI, now: float = 0.0) -> list[int]:
    return [
        await rooms.say(ROOM, member, text, text.encode(), now + 10 * number, once=f"{member.id} {text}")
        for number, text in enumerate(texts)
    ]


async def test_a_line_comes_back_to_everyone_in_every_worker_in_one_order(worker: Any) -> None:
    one, two = await worker(), await worker()
    readers = [await watch(rooms) for rooms in (one, two, one)]
    seqs = await say(one, *[f"nabi {number}" for number in range(20)])
    seqs += await say(two, *[f"mimi {number}" for number in range(20)], member=MIMI)
    heard = [await reader.heard(40) for reader in readers]

    assert seqs == list(range(1, 41))
    assert heard[0] == heard[1] == heard[2]
    assert [b"%d:" % seq for seq in seqs] == [line[: line.index(b":") + 1] for line in heard[0]]


async def test_who_joins_gets_the_history_it_asks_for(worker: Any, redis: Any) -> None:
    bus = Bus(redis)
    for number in range(1, 121):
        await bus.publish(ROOM, b"%d" % number)
    rooms = await worker()

    for asked, count in ((None, limits.JOIN_EVENTS_DEFAULT), (0, 0), (3, 3), (1000, limits.JOIN_EVENTS_MAX)):
        reader = await watch(rooms, history=asked)
        assert [b"%d:%d" % (seq, seq) for seq in range(121 - count, 121)] == reader.lines


async def test_since_resumes_without_loss_or_repetition(worker: Any, redis: Any) -> None:
    bus = Bus(redis)
    for number in range(1, 11):
        await bus.publish(ROOM, b"%d" % number)
    reader = await watch(await worker(), since=7, history=2)

    assert [b"8:8", b"9:9", b"10:10"] == reader.lines


async def test_since_of_long_ago_begins_with_a_gap(worker: Any, redis: Any) -> None:
    bus = Bus(redis)
    for number in range(1, limits.LOG_EVENTS_MAX + 11):
        await bus.publish(ROOM, b"%d" % number)
    reader = await watch(await worker(), since=4, n=2)

    assert [b"gap 6 5-10", b"11:11"] == reader.lines


async def test_since_of_a_time_that_never_was_is_as_none(worker: Any, redis: Any) -> None:
    await Bus(redis).publish(ROOM, b"1")

    assert [b"1:1"] == (await watch(await worker(), since=5000)).lines


async def test_what_is_said_while_the_history_is_read_is_neither_lost_nor_doubled(worker: Any, redis: Any) -> None:
    class Slow(Bus):
        async def history(self, room: int, *, after: int, limit: int) -> Any:
            entries = await super().history(room, after=after, limit=limit)
            reading.set()
            await go_on.wait()
            return entries

    reading, go_on = asyncio.Event(), asyncio.Event()
    rooms = await worker(Slow(redis))
    bus = Bus(redis)
    await bus.publish(ROOM, b"before")
    joining = [asyncio.create_task(watch(rooms)) for _ in range(3)]
    async with asyncio.timeout(60):
        await reading.wait()
        for number in range(3):
            await bus.publish(ROOM, b"during %d" % number)
        while len(rooms._halls[ROOM].pending) < 3:
            await asyncio.sleep(0.001)
    go_on.set()
    for reader in [await task for task in joining]:
        assert [b"1:before", b"2:during 0", b"3:during 1", b"4:during 2"] == await reader.heard(4)


async def test_an_event_that_valkey_dropped_is_mended_from_the_history(worker: Any, redis: Any) -> None:
    rooms = await worker()
    reader = await watch(rooms)
    await say(rooms, "one")
    await reader.heard(1)
    # Published for everyone but this worker, as when its connection was too slow.
    dropped = Bus(redis)
    hall = rooms._halls[ROOM]
    hall.subscribed = False
    await dropped.publish(ROOM, b"two")
    await dropped.publish(ROOM, b"three")
    async with asyncio.timeout(60):
        while await dropped.head(ROOM) < 3:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    hall.subscribed = True
    assert [b"1:one"] == reader.lines
    await dropped.publish(ROOM, b"four")

    assert [b"1:one", b"2:two", b"3:three", b"4:four"] == await reader.heard(4)


async def test_who_was_away_while_the_store_lost_its_history_gets_the_new_numbers_from_the_first(
    worker: Any, redis: Any
) -> None:
    bus = Bus(redis)
    rooms = await worker()
    before = await watch(rooms, epoch="")
    await say(rooms, "one", "two")
    old, *_ = await before.heard(3)
    await redis.flushall()
    for number in range(1, 5):
        await bus.publish(ROOM, b"new %d" % number)
    new = (await bus.numbers(ROOM)).epoch.encode()
    lines = [b"%d:new %d" % (number, number) for number in range(1, 5)]

    # The numbers have come further than it had seen: by them alone nobody could tell.
    other = await worker()
    assert [new, *lines] == await (await watch(other, since=2, epoch=old.decode())).heard(5)
    assert [new, *lines[2:]] == await (await watch(other, since=2, epoch=new.decode())).heard(3)
    assert lines[2:] == await (await watch(other, since=2)).heard(2)
    # Nor could a worker that was away.
    rooms._deliver(News(room=None, seq=None, topic="resync", payload=b""))
    assert [old, b"1:one", b"2:two", new, *lines] == await before.heard(8)


async def test_a_number_that_is_given_twice_begins_an_epoch(worker: Any, redis: Any) -> None:
    """A replica that takes over may lack the last numbers, and have given them anew before anyone asks."""
    rooms = await worker()
    reader = await watch(rooms, epoch="")
    await say(rooms, "one", "two")
    old, *_ = await reader.heard(3)
    await redis.delete(f"commeow:{{{ROOM}}}:history")
    await redis.set(f"commeow:{{{ROOM}}}:head", 1)
    await Bus(redis).publish(ROOM, b"other")
    heard = await reader.heard(5)
    new = (await Bus(redis).numbers(ROOM)).epoch.encode()

    assert new != old
    assert [old, b"1:one", b"2:two", new, b"2:other"] == heard


async def test_an_epoch_begins_also_where_more_numbers_were_given_than_lost_before_anyone_asked(
    worker: Any, redis: Any
) -> None:
    """The last line that this worker has heard of is another one in the store."""
    rooms = await worker()
    reader = await watch(rooms, epoch="")
    await say(rooms, "one", "two", "three")
    old, *_ = await reader.heard(4)
    # As a replica has it that lacked the last two, and whose clients said three while nobody here heard.
    await redis.delete(f"commeow:{{{ROOM}}}:history")
    await redis.set(f"commeow:{{{ROOM}}}:head", 4)
    for number, line in enumerate([b"one", b"other two", b"other three", b"four"], 1):
        await redis.xadd(f"commeow:{{{ROOM}}}:history", {"p": line}, id=f"{number}-0")
    rooms._deliver(News(room=None, seq=None, topic="resync", payload=b""))
    heard = await reader.heard(9)
    new = (await Bus(redis).numbers(ROOM)).epoch.encode()

    assert new != old
    assert [new, b"1:one", b"2:other two", b"3:other three", b"4:four"] == heard[4:]
    # And where it is the same one nothing begins.
    rooms._deliver(News(room=None, seq=None, topic="resync", payload=b""))
    await say(rooms, "five")
    assert [b"5:five"] == (await reader.heard(10))[9:]
    assert new == (await Bus(redis).numbers(ROOM)).epoch.encode()


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_line_removed_while_nobody_knew_of_it_is_removed_for_everyone(
    worker: Any, redis: Any, remembered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Bus):
        async def publish(self, room: int, payload: bytes, **named: Any) -> int:
            seq = await super().publish(room, payload, **named)
            if payload == b"rude":
                raise StoreUnknown("no answer")
            return seq

    here, there = await worker(Deaf(redis), run=False), await worker()
    reader = await watch(there)
    assert await here.say(ROOM, NABI, "rude", b"rude", 0.0, once="rude", local_id="1") == 0
    here.absence.take_back(here.hall(ROOM), {Name(NABI.nickname, "1")}, b"gone", lambda seq: b"removed %d" % seq)
    if not remembered:
        await redis.delete(f"commeow:{{{ROOM}}}:once:o:rude")
        monkeypatch.setattr(limits, "HELD_MARGIN_SECONDS", limits.SAID_ONCE_SECONDS + 1)
    await here.absence.look()

    assert await reader.heard(2) == [b"1:rude", b"2:removed 1"]
    assert not here.is_away(ROOM)


async def test_nothing_asks_the_bus_when_the_rooms_have_ended(redis: Any, no_task_left: None) -> None:
    class Deaf(Bus):
        """Swallows a cancellation, as the driver does that comes with an answer."""

        async def history(self, room: int, *, after: int, limit: int) -> Any:
            if not begun.is_set():
                begun.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.get_running_loop().create_future()
            entries = await super().history(room, after=after, limit=limit)
            assert not running.done()
            return entries

    begun = asyncio.Event()
    rooms = Rooms(
        Deaf(redis), stamp=lambda _seq, event: event, keep=bool, gap=lambda *_: b"", count=lambda _: b"", node="node"
    )
    running = asyncio.create_task(rooms.run())
    joining = asyncio.create_task(watch(rooms))
    async with asyncio.timeout(60):
        await begun.wait()
        running.cancel()
        await asyncio.gather(running, joining, return_exceptions=True)

    assert not joining.cancelled()
    assert joining.exception() is None


async def test_a_line_that_breaks_again_while_the_history_is_read_is_mended(worker: Any, redis: Any) -> None:
    class Slow(Bus):
        async def history(self, room: int, *, after: int, limit: int) -> Any:
            entries = await super().history(room, after=after, limit=limit)
            if reading.is_set():
                return entries
            reading.set()
            await go_on.wait()
            return entries

    reading, go_on = asyncio.Event(), asyncio.Event()
    rooms, bus = await worker(Slow(redis)), Bus(redis)
    await bus.publish(ROOM, b"before")
    joining = asyncio.create_task(watch(rooms))
    await reading.wait()
    # Published while nobody listens: the answer under way does not have it, and no later event will show the hole.
    hall = rooms._halls[ROOM]
    hall.subscribed = False
    await bus.publish(ROOM, b"off air")
    hall.subscribed = True
    rooms._deliver(News(room=None, seq=None, topic="resync", payload=b""))
    go_on.set()

    assert [b"1:before", b"2:off air"] == await (await joining).heard(2)


async def test_a_connection_that_valkey_cut_is_mended(worker: Any, redis: Any) -> None:
    rooms = await worker()
    reader = await watch(rooms)
    await say(rooms, "one")
    await reader.heard(1)
    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    for number in range(5):
        await Bus(redis).publish(ROOM, b"lost %d" % number)

    assert [b"1:one", *[b"%d:lost %d" % (number + 2, number) for number in range(5)]] == await reader.heard(6)


async def test_a_valkey_that_came_back_empty_begins_anew(worker: Any, redis: Any) -> None:
    rooms = await worker()
    reader = await watch(rooms)
    await say(rooms, "one", "two", "three")
    await reader.heard(3)
    await redis.flushall()
    await Bus(redis).publish(ROOM, b"new world")

    assert [b"1:one", b"2:two", b"3:three", b"1:new world"] == await reader.heard(4)
    await Bus(redis).publish(ROOM, b"goes on")
    assert b"2:goes on" == (await reader.heard(5))[-1]


async def test_speech_is_judged_before_it_is_published(worker: Any, redis: Any) -> None:
    rooms = await worker()
    with pytest.raises(Empty):
        await rooms.say(ROOM, NABI, " ", b"event", 0.0, once="0")
    for number in range(limits.SPEECH_LINES_MAX):
        await rooms.say(ROOM, NABI, "hi", b"event", 0.0, once=f"{number}")
    with pytest.raises(TooFast):
        await rooms.say(ROOM, NABI, "hi", b"event", 0.0, once="last")

    assert await Bus(redis).head(ROOM) == limits.SPEECH_LINES_MAX


async def test_a_line_that_is_sent_again_is_said_once(worker: Any, redis: Any) -> None:
    one, two = await worker(), await worker()
    seqs = [await rooms.say(ROOM, NABI, "hi", b"event", 0.0, once="the same") for rooms in (one, one, two)]

    assert seqs == [1, 1, 1]
    assert await Bus(redis).head(ROOM) == 1
    [key] = [key async for key in redis.scan_iter("*once:o:the same")]
    assert 0 < await redis.ttl(key) <= limits.SAID_ONCE_SECONDS


# --- counts -----------------------------------------------------------------------------------------------------------


async def test_counts_are_of_all_workers_and_told_when_they_change(worker: Any) -> None:
    one, two = await worker(run=False), await worker(run=False)
    first, second = await watch(one), await watch(two)
    await watch(two, member=NABI)
    await watch(two, member=NABI)
    told: list[tuple[int, int]] = []
    one.counts.subscribe(told.append)
    await two.tick(100.0)
    await one.tick(100.0)
    assert (first.items, second.items) == ([b"viewers 3"], [b"viewers 2"])
    await two.tick(101.0)
    assert second.items == [b"viewers 2", b"viewers 3"]
    await one.tick(102.0)
    assert told == [(ROOM, 3)]
    late = await watch(one)
    assert late.items == [b"viewers 3"]
    first.subscription.cancel()
    second.subscription.cancel()
    await one.tick(103.0)
    await two.tick(103.0)
    await one.tick(104.0)
    assert told == [(ROOM, 3), (ROOM, 2)]


async def test_counts_go_on_from_this_workers_own_while_the_bus_is_away(worker: Any, redis: Any) -> None:
    class Away(Bus):
        async def report_viewers(self, node: str, counts: Any) -> None:
            raise StoreUnavailable("away")

    rooms = await worker(Away(redis), run=False)
    reader = await watch(rooms)
    with pytest.raises(StoreUnavailable):
        await rooms.tick(100.0)

    assert reader.items == [b"viewers 1"]


async def test_ticks_come_by_themselves_and_outlive_a_failure(worker: Any, redis: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "COUNT_SECONDS", 0.005)
    fails = [True, True]

    class Flaky(Bus):
        async def report_viewers(self, node: str, counts: Any) -> None:
            if fails and fails.pop():
                raise StoreUnavailable("away")
            await super().report_viewers(node, counts)

    rooms = await worker(Flaky(redis))
    await watch(rooms)
    async with asyncio.timeout(60):
        while fails or (await Bus(redis).viewers([ROOM]))[ROOM] != 1:
            await asyncio.sleep(0.001)

    assert fails == []


async def test_a_cancellation_that_the_driver_swallowed_is_heeded(worker: Any, redis: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "COUNT_SECONDS", 0.005)

    class Swallowing(Bus):
        async def report_viewers(self, node: str, counts: Any) -> None:
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    asked = asyncio.Event()
    rooms = await worker(Swallowing(redis), run=False)
    running = asyncio.create_task(rooms.run())
    await asked.wait()
    running.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait([running])


# --- coming and going -------------------------------------------------------------------------------------------------


async def test_a_room_is_left_when_nobody_has_wanted_it_for_a_while(worker: Any) -> None:
    rooms = await worker(run=False)
    now = asyncio.get_running_loop().time()
    reader = await watch(rooms)
    await rooms.tick(now + 5)
    await rooms.tick(now + 50)
    assert rooms.open == 1
    reader.subscription.cancel()
    await rooms.tick(now + 50 + limits.ROOM_IDLE_SECONDS)
    assert rooms.open == 1
    await rooms.tick(now + 50.001 + limits.ROOM_IDLE_SECONDS)
    assert rooms.open == 0
    again = await watch(rooms)
    await say(rooms, "hello")
    await rooms._read_history(rooms._halls[ROOM])
    assert [b"1:hello"] == await again.heard(1)


async def test_a_room_where_someone_only_speaks_is_left_too(worker: Any) -> None:
    rooms = await worker(run=False)
    await say(rooms, "hello")
    assert rooms.open == 1
    await rooms.tick(asyncio.get_running_loop().time() + limits.ROOM_IDLE_SECONDS + 1)
    assert rooms.open == 0


async def test_a_bus_that_is_away_is_the_watchers_to_know_and_tried_again(worker: Any, redis: Any) -> None:
    class Away(Bus):
        async def numbers(self, room: int, **known: Any) -> Any:
            if away:
                raise StoreUnavailable("away")
            return await super().numbers(room, **known)

    away = True
    rooms = await worker(Away(redis))
    for attempt in await asyncio.gather(*[watch(rooms) for _ in range(3)], return_exceptions=True):
        assert isinstance(attempt, StoreUnavailable)
    away = False
    reader = await watch(rooms)
    await say(rooms, "hello")
    assert [b"1:hello"] == await reader.heard(1)


async def test_a_history_that_cannot_be_read_again_is_tried_until_it_can(
    worker: Any, redis: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("rsocket_server.rooms.RETRY_SECONDS", 0.001)

    class Away(Bus):
        async def numbers(self, room: int, **known: Any) -> Any:
            nonlocal failures
            if away:
                failures += 1
                raise StoreUnavailable("away")
            return await super().numbers(room, **known)

    away, failures = False, 0
    rooms = await worker(Away(redis))
    reader = await watch(rooms)
    away = True
    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await Bus(redis).publish(ROOM, b"meanwhile")
    async with asyncio.timeout(60):
        while failures < 3:
            await asyncio.sleep(0.001)
    away = False

    assert [b"1:meanwhile"] == await reader.heard(1)


async def test_a_room_that_watches_anew_does_not_wait_for_a_repair(worker: Any, redis: Any) -> None:
    rooms = await worker()
    await watch(rooms)
    hall = rooms._halls[ROOM]
    never = asyncio.get_running_loop().create_future()
    hall.loading = never
    async with asyncio.timeout(60):
        await watch(rooms)
    hall.loading = None

    assert len(hall.fanout.viewers) == 2
    assert not never.done()


async def test_closing_completes_every_watch(worker: Any) -> None:
    rooms = await worker()
    readers = [await watch(rooms) for _ in range(3)]
    rooms.close()

    assert [1, 1, 1] == [reader.completed for reader in readers]


async def test_a_stop_cancels_what_is_being_read(worker: Any, redis: Any) -> None:
    class Stuck(Bus):
        async def history(self, room: int, *, after: int, limit: int) -> Any:
            reading.set()
            await asyncio.Event().wait()

    reading = asyncio.Event()
    rooms = await worker(Stuck(redis), run=False)
    running = asyncio.create_task(rooms.run())
    watching = asyncio.create_task(watch(rooms))
    await reading.wait()
    running.cancel()
    for task in (running, watching):
        with pytest.raises(asyncio.CancelledError):
            await task


# --- topics -----------------------------------------------------------------------------------------------------------


async def test_topics_are_heard_and_a_resync_says_look_again(worker: Any, redis: Any) -> None:
    rooms = await worker()
    heard: list[bytes] = []
    (await rooms.follow("channels")).subscribe(heard.append)
    assert await rooms.follow("channels") is await rooms.follow("channels")
    async with asyncio.timeout(60):
        while b"on air" not in heard:  # What was announced before the worker's connection stood is not heard.
            await Bus(redis).announce("channels", b"on air")
            await asyncio.sleep(0.001)
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        while heard[-1] != b"":
            await asyncio.sleep(0.001)


async def test_a_topic_that_could_not_be_followed_is_tried_again(worker: Any, redis: Any) -> None:
    class Away(Bus):
        async def follow(self, topic: str) -> None:
            if away:
                raise StoreUnavailable("away")
            await super().follow(topic)

    away = True
    rooms = await worker(Away(redis), run=False)
    with pytest.raises(StoreUnavailable):
        await rooms.follow("channels")
    away = False
    assert await rooms.follow("channels") is not None


async def test_news_of_nobodys_and_news_that_breaks_a_stamp_silence_nobody(worker: Any) -> None:
    class Scripted:
        """Says what a bus may say, among it what no room wants."""

        async def subscribe(self, room: int) -> None: ...

        async def numbers(self, room: int, **known: Any) -> Numbers:
            return Numbers(0, "first")

        async def history(self, room: int, *, after: int, limit: int) -> list[Any]:
            return []

        async def report_viewers(self, node: str, counts: Any) -> None: ...

        async def viewers(self, rooms: Any) -> dict[int, int]:
            return {999: 5}

        async def listen(self) -> Any:
            await watched.wait()
            yield News(99, 1, None, b"a room that is not open")
            yield News(None, None, "a topic", b"that nobody follows")
            yield News(ROOM, 1, None, "not bytes")
            yield News(ROOM, 1, None, b"fine")

    watched = asyncio.Event()
    rooms = await worker(Scripted())
    reader = await watch(rooms)
    watched.set()
    assert [b"1:fine"] == await reader.heard(1)
    await rooms.tick(1.0)


async def test_more_pending_than_a_log_holds_is_read_from_the_history(worker: Any, redis: Any) -> None:
    rooms = await worker()
    reader = await watch(rooms)
    hall = rooms._halls[ROOM]
    while hall.loading is not None:  # The line came up, and that was a resync.
        await hall.loading
    hall.loading = asyncio.get_running_loop().create_future()
    bus = Bus(redis)
    count = limits.LOG_EVENTS_MAX + 20
    for number in range(count):
        await bus.publish(ROOM, b"%d" % number)
    async with asyncio.timeout(60):
        while not hall.pending or hall.pending[-1][0] < count:
            await asyncio.sleep(0.001)
    assert len(hall.pending) == limits.LOG_EVENTS_MAX
    hall.loading = None
    rooms._load(hall)
    lines = await reader.heard(limits.LOG_EVENTS_MAX + 1)

    assert lines[0] == b"gap 20 1-20"
    assert lines[-1] == b"%d:%d" % (count, count - 1)


async def test_what_is_kept_is_kept_of_the_news_and_of_the_history(worker: Any, redis: Any) -> None:
    bus = Bus(redis)
    await bus.publish(ROOM, b"kept of the history")
    rooms = await worker()
    slow, fast = await watch(rooms, since=0, n=0), await watch(rooms, since=0)
    await bus.publish(ROOM, b"kept of the news")
    for number in range(limits.LOG_EVENTS_MAX):
        await bus.publish(ROOM, b"%d" % number)
    await fast.heard(limits.LOG_EVENTS_MAX + 2)
    slow.subscription.request(3)

    assert [b"1:kept of the history", b"2:kept of the news", b"3:0"] == await slow.heard(3)


async def test_at_the_end_everyone_is_told_when_to_come_back(worker: Any) -> None:
    rooms = await worker()
    reader, poor = await watch(rooms), await watch(rooms, n=0)
    goodbyes = iter((b"come back in 1", b"come back in 2"))

    rooms.close(lambda: next(goodbyes))

    assert reader.lines == [b"come back in 1"]
    # Who has no credit is told nothing, and is let go all the same.
    assert poor.lines == []
    assert (reader.completed, poor.completed) == (1, 1)
