"""Shell: news on a real Valkey: numbers without gaps, a capped history, and every way to miss a message told."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress

import pytest

from console.embedded import Valkey
from db import ears
from db.bus import HISTORY_LINES_MAX, HISTORY_SECONDS_MAX, ONCE_SECONDS, RESYNC, VIEWERS_SECONDS, Bus, Entry, News
from db.errors import StoreUnavailable, StoreUnknown
from db.pool import open_redis

RESYNCED = News(room=None, seq=None, topic=RESYNC, payload=b"")


def said(room: int, seq: int, payload: bytes) -> News:
    return News(room=room, seq=seq, topic=None, payload=payload)


@asynccontextmanager
async def opened(url: str):
    redis = open_redis(url)
    try:
        yield Bus(redis)
    finally:
        await redis.aclose()


@pytest.fixture
async def bus(redis_url):
    async with opened(redis_url) as bus:
        yield bus


@asynccontextmanager
async def listening(bus: Bus):
    """Collect the news in a queue."""
    news: asyncio.Queue[News] = asyncio.Queue()

    async def listen() -> None:
        async for heard in bus.listen():
            news.put_nowait(heard)

    task = asyncio.create_task(listen())
    try:
        yield news
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def take(news: asyncio.Queue[News], count: int = 1) -> list[News]:
    async with asyncio.timeout(60):
        return [await news.get() for _ in range(count)]


async def test_events_are_numbered_from_one_in_each_room(bus):
    assert 0 == await bus.head(7)
    assert [1, 2, 3] == [await bus.publish(7, b"x") for _ in range(3)]
    assert 1 == await bus.publish(8, b"y")
    assert (3, 1, 0) == (await bus.head(7), await bus.head(8), await bus.head(9))


async def test_a_subscriber_hears_every_event_in_order_as_the_history_has_it(redis_url, bus):
    async with opened(redis_url) as listener:
        await listener.subscribe(7)
        async with listening(listener) as news:
            assert [RESYNCED] == await take(news)

            numbers = await asyncio.gather(*(bus.publish(7, b"line %d" % n) for n in range(100)))
            heard = await take(news, 100)

    assert list(range(1, 101)) == sorted(numbers)
    assert {number: b"line %d" % n for n, number in enumerate(numbers)} == {item.seq: item.payload for item in heard}
    assert [Entry(item.seq, item.payload) for item in heard] == await bus.history(7, after=0, limit=100)
    assert list(range(1, 101)) == [item.seq for item in heard]


async def test_any_bytes_arrive_as_they_were(bus):
    payloads = [b"", b":", b"1:2:3", b"\x00\xff\r\n", "냥".encode(), b"x" * 100_000]
    await bus.subscribe(7)
    async with listening(bus) as news:
        await take(news)
        for payload in payloads:
            await bus.publish(7, payload)

        assert [said(7, n, payload) for n, payload in enumerate(payloads, 1)] == await take(news, len(payloads))
    assert payloads == [entry.payload for entry in await bus.history(7, after=0, limit=10)]


async def test_all_rooms_are_at_one_server(bus):
    assert [[3, 1, 2]] == bus.by_server([3, 1, 2])
    assert [] == bus.by_server([])


async def test_what_is_void_is_published_no_more_and_what_was_is_told(redis, bus):
    assert 1 == await bus.publish(7, b"x", once="said")
    assert 1 == await bus.void(7, "said", 60)
    assert 0 == await bus.void(7, "unsaid", 60) == await bus.void(7, "unsaid", 60)
    assert 0 == await bus.publish(7, b"y", once="unsaid")
    assert 1 == await bus.publish(8, b"z", once="unsaid")

    assert [Entry(1, b"x")] == await bus.history(7, after=0, limit=10)
    assert 0 < await redis.ttl("commeow:{7}:once:o:unsaid") <= 60


async def test_a_store_that_can_only_be_read_says_so_when_it_is_touched(redis, bus):
    assert 1 == await bus.publish(7, b"x")
    for room in (7, 8):
        await bus.touch(room)
    await redis.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(StoreUnavailable):
            await bus.touch(7)
        assert 1 == await bus.head(7)
    finally:
        await redis.config_set("min-replicas-to-write", 0)

    assert (2, 1) == (await bus.publish(7, b"y"), await bus.publish(8, b"y"))


async def test_the_history_is_the_newest_lines_above_a_number(bus):
    for n in range(1, 11):
        await bus.publish(7, b"%d" % n)

    async def numbers(after: int, limit: int) -> list[int]:
        return [entry.seq for entry in await bus.history(7, after=after, limit=limit)]

    assert [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] == await numbers(0, 100)
    assert [8, 9, 10] == await numbers(7, 100)
    assert [9, 10] == await numbers(7, 2)
    assert [] == await numbers(10, 100)
    assert [] == await numbers(99, 100)
    assert [] == await bus.history(8, after=0, limit=100)


async def test_the_history_is_capped_and_the_numbers_go_on(redis, bus):
    await asyncio.gather(*(bus.publish(7, b"x") for _ in range(HISTORY_LINES_MAX)))
    assert list(range(1, 513)) == [entry.seq for entry in await bus.history(7, after=0, limit=10**6)]

    assert 513 == await bus.publish(7, b"x")

    assert list(range(2, 514)) == [entry.seq for entry in await bus.history(7, after=0, limit=10**6)]
    assert HISTORY_LINES_MAX == await redis.xlen("commeow:{7}:history")
    assert HISTORY_SECONDS_MAX - 60 < await redis.ttl("commeow:{7}:history") <= HISTORY_SECONDS_MAX
    assert -1 == await redis.ttl("commeow:{7}:head")


async def test_a_room_that_was_silent_for_long_forgets_its_lines_never_its_number(redis, bus):
    await bus.publish(7, b"old")
    await redis.delete("commeow:{7}:history")  # as its time to live does

    assert 2 == await bus.publish(7, b"new")
    assert [Entry(2, b"new")] == await bus.history(7, after=0, limit=10)


async def test_a_lost_counter_does_not_stop_a_room(redis, bus):
    await bus.publish(7, b"old")
    await bus.publish(7, b"old")
    await redis.delete("commeow:{7}:head")

    assert 1 == await bus.publish(7, b"new")
    assert [Entry(1, b"new")] == await bus.history(7, after=0, limit=10)


async def test_numbers_are_of_one_epoch_until_the_store_forgets_them(redis, redis_url, bus):
    head, epoch = await bus.numbers(7)
    assert 0 == head
    assert epoch
    await bus.publish(7, b"x")
    await bus.publish(7, b"x")
    async with opened(redis_url) as other:
        assert (2, epoch) == await other.numbers(7, epoch="of long ago", seen=9)
        assert epoch != (await other.numbers(8)).epoch
    assert (2, epoch) == await bus.numbers(7, epoch=epoch, seen=2)
    await redis.flushall()
    await bus.publish(7, b"new")

    again = await bus.numbers(7, epoch=epoch, seen=1)
    assert 1 == again.head
    assert again.epoch not in {"", epoch}
    assert again == await bus.numbers(7)


async def test_numbers_that_somebody_has_seen_and_the_store_forgot_are_of_an_old_epoch(bus):
    """A store that crashed between two writes of its file gives the last numbers a second time."""
    await bus.publish(7, b"x")
    epoch = (await bus.numbers(7)).epoch

    first = await bus.numbers(7, epoch=epoch, seen=3)
    assert 1 == first.head
    assert first.epoch != epoch
    assert first == await bus.numbers(7, epoch=epoch, seen=2)  # Another worker that saw it: once is enough.


async def test_a_counter_that_was_lost_alone_is_of_a_new_epoch(redis, bus):
    await bus.publish(7, b"old")
    epoch = (await bus.numbers(7)).epoch
    await redis.delete("commeow:{7}:head")
    await bus.publish(7, b"new")

    assert epoch != (await bus.numbers(7)).epoch


async def test_a_once_is_published_once(redis, bus):
    await bus.subscribe(7)
    async with listening(bus) as news:
        await take(news)
        await bus.publish(7, b"before")

        numbers = await asyncio.gather(*(bus.publish(7, b"donated", once="donation:1") for _ in range(20)))
        assert {2} == set(numbers)
        assert 3 == await bus.publish(7, b"donated", once="donation:2")
        assert 1 == await bus.publish(8, b"donated", once="donation:1")  # another room's is another

        assert [said(7, 1, b"before"), said(7, 2, b"donated"), said(7, 3, b"donated")] == await take(news, 3)
    assert 3 == await bus.head(7)
    assert ONCE_SECONDS - 60 < await redis.ttl("commeow:{7}:once:o:donation:1") <= ONCE_SECONDS


@asynccontextmanager
async def deaf_proxy(path: str, target: str, answers_lost: int):
    """A way to Valkey that breaks just before the answer of a published line, `answers_lost` times."""
    left = answers_lost

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        far_reader, far_writer = await asyncio.open_unix_connection(target)
        try:
            while request := await reader.read(65536):
                far_writer.write(request)
                answer = await far_reader.read(65536)
                if b"EVALSHA" in request and not answer.startswith(b"-NOSCRIPT") and left:
                    left -= 1
                    return
                writer.write(answer)
        finally:
            writer.close()
            far_writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield
    assert left == 0


async def test_a_line_whose_answer_was_lost_is_not_published_twice(bus, valkey, tmp_path):
    """The driver sends again when a connection breaks, and a script that ran has run."""
    async with (
        deaf_proxy(f"{tmp_path}/proxy", str(valkey.socket_path), 2),
        opened(f"unix://{tmp_path}/proxy") as through,
    ):
        assert 1 == await through.publish(7, b"line")
        assert 2 == await through.publish(7, b"line")

    assert [Entry(1, b"line"), Entry(2, b"line")] == await bus.history(7, after=0, limit=10)


async def test_who_has_left_hears_no_more(bus):
    await bus.subscribe(7)
    await bus.subscribe(8)
    async with listening(bus) as news:
        await take(news)
        await bus.unsubscribe(7)
        await bus.publish(7, b"not heard")
        await bus.publish(8, b"heard")
        assert [said(8, 1, b"heard")] == await take(news)

        await bus.subscribe(7)
        await bus.publish(7, b"heard again")
        assert [said(7, 2, b"heard again")] == await take(news)


async def test_what_is_published_after_subscribing_is_heard(bus, redis_url):
    async with listening(bus) as news, opened(redis_url) as other:
        await bus.subscribe(1)  # with or without a connection yet
        for room in range(2, 102):
            await bus.subscribe(room)
            await other.publish(room, b"x")
        heard = await take(news, 100)
        if heard[0] == RESYNCED:
            heard = heard[1:] + await take(news)

    assert [said(room, 1, b"x") for room in range(2, 102)] == heard


async def test_announcements_reach_who_follows_and_carry_no_number(bus):
    await bus.follow("channels")
    async with listening(bus) as news:
        assert [RESYNCED] == await take(news)
        await bus.announce("other", b"not heard")
        await bus.announce("channels", b"on air")

        assert [News(room=None, seq=None, topic="channels", payload=b"on air")] == await take(news)
        await bus.follow("other")
        await bus.announce("other", b"heard")
        assert [News(room=None, seq=None, topic="other", payload=b"heard")] == await take(news)


async def test_resync_is_the_buss_own_word(bus):
    with pytest.raises(ValueError, match="own word"):
        await bus.follow(RESYNC)


async def test_a_bus_has_one_listener(bus):
    await bus.subscribe(7)
    async with listening(bus) as news:
        await take(news)
        with pytest.raises(AssertionError, match="one listener"):
            await anext(bus.listen())


async def test_a_listener_that_is_cut_off_says_so_and_hears_on(redis, bus):
    """As the server does to a subscriber that is too slow."""
    await bus.subscribe(7)
    await bus.follow("channels")
    async with listening(bus) as news:
        assert [RESYNCED] == await take(news)

        assert 1 == await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        assert [RESYNCED] == await take(news)

        await bus.publish(7, b"after")
        await bus.announce("channels", b"after")
        assert [said(7, 1, b"after")] == await take(news)
        assert ["channels"] == [item.topic for item in await take(news)]


@pytest.fixture
async def own_valkey(tmp_path):
    """A Valkey that a test may stop, kill and start."""
    async with Valkey(tmp_path / "valkey") as server:
        yield server


async def server_pid(url: str) -> int:
    redis = open_redis(url)
    pid = (await redis.info("server"))["process_id"]
    await redis.aclose()
    return pid


async def test_a_listener_that_is_too_slow_hears_that_it_missed_something(own_valkey):
    """redis-py's own listener subscribes anew and says nothing: 199,126 of 201,000 lines were gone."""
    line, lines = b"x" * 1000, 3_000  # Ten times what both sockets and the server's buffer hold.
    async with opened(own_valkey.url) as bus, opened(own_valkey.url) as other:
        await other._redis.config_set("client-output-buffer-limit", "pubsub 65536 0 0")
        await bus.subscribe(7)
        news = bus.listen()
        assert (await anext(news)).topic == "resync"
        heard = [await bus.publish(7, line), *[await other.publish(7, line) for _ in range(lines - 1)]]
        assert heard == list(range(1, lines + 1))

        seqs = []
        while (item := await anext(news)).topic is None:
            seqs.append(item.seq)

        assert item.topic == "resync"
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) < lines
        assert [entry.seq for entry in await bus.history(7, after=len(seqs), limit=10)] == list(range(2_991, 3_001))
        await other.publish(7, b"on")
        assert (await anext(news)).seq == lines + 1
        await news.aclose()


async def test_after_a_kill_of_the_server_everything_is_in_the_history_and_the_news_go_on(tmp_path):
    async with (
        opened(f"unix://{tmp_path}/valkey/valkey.sock") as bus,
        opened(f"unix://{tmp_path}/valkey/valkey.sock") as other,
    ):
        async with Valkey(tmp_path / "valkey") as server:
            await bus.subscribe(7)
            listener = listening(bus)
            news = await listener.__aenter__()
            assert [RESYNCED] == await take(news)
            await other.publish(7, b"one")
            assert [said(7, 1, b"one")] == await take(news)
            os.kill(await server_pid(server.url), signal.SIGKILL)

        with pytest.raises(StoreUnknown):
            await other.publish(7, b"nobody there")
        with pytest.raises(StoreUnavailable):
            await other.head(7)
        with pytest.raises(StoreUnavailable):
            await other.history(7, after=0, limit=1)
        with pytest.raises(StoreUnavailable):
            await other.viewers([7])
        with pytest.raises(StoreUnknown):
            await other.announce("channels", b"")
        await bus.subscribe(8)  # the wish is kept until there is somebody to ask
        await bus.unsubscribe(9)
        assert news.empty()

        async with Valkey(tmp_path / "valkey"):
            assert [RESYNCED] == await take(news)
            assert [Entry(1, b"one")] == await bus.history(7, after=0, limit=10)
            assert 2 == await other.publish(7, b"two")
            assert 1 == await other.publish(8, b"wished")
            assert [said(7, 2, b"two"), said(8, 1, b"wished")] == await take(news, 2)
            await listener.__aexit__(None, None, None)


async def test_a_server_that_hangs_holds_up_a_publisher_for_a_while_and_a_line_is_said_once(own_valkey, monkeypatch):
    monkeypatch.setattr("db.pool.REDIS_ANSWER_SECONDS_MAX", 600)
    monkeypatch.setattr("db.pool.REDIS_CONNECT_SECONDS_MAX", 600)
    pid = await server_pid(own_valkey.url)
    async with opened(own_valkey.url) as bus:
        assert 1 == await bus.publish(7, b"one")
        os.kill(pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as short:
                short.setattr("db.pool.REDIS_CALL_SECONDS_MAX", 0.2)
                with pytest.raises(StoreUnknown):
                    await bus.publish(7, b"two", once="two")
                with pytest.raises(StoreUnavailable):
                    await bus.pace(7, 1, 60, "two")
                with pytest.raises(StoreUnavailable):
                    await bus.numbers(7)
                with pytest.raises(StoreUnavailable):
                    await bus.head(7)
                with pytest.raises(StoreUnavailable):
                    await bus.history(7, after=0, limit=10)
                with pytest.raises(StoreUnavailable):
                    await bus.viewers([7])
        finally:
            os.kill(pid, signal.SIGCONT)

        # On whichever connection: no answer to the line that was given up is taken for another's.
        assert 2 == await bus.publish(7, b"two", once="two")
        assert 3 == await bus.publish(7, b"three")
        assert [b"one", b"two", b"three"] == [entry.payload for entry in await bus.history(7, after=0, limit=10)]


async def test_a_server_that_hangs_does_not_hang_a_subscriber(own_valkey, monkeypatch):
    pid = await server_pid(own_valkey.url)
    async with opened(own_valkey.url) as bus:
        await bus.subscribe(7)
        async with listening(bus) as news:
            assert [RESYNCED] == await take(news)
            monkeypatch.setattr(ears, "SUBSCRIBED_SECONDS_MAX", 0.1)
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(StoreUnavailable, match="no confirmation"):
                    await bus.subscribe(8)
                with pytest.raises(StoreUnavailable, match="no confirmation"):
                    await bus.follow("channels")
            finally:
                os.kill(pid, signal.SIGCONT)
            await bus.publish(8, b"not subscribed")
            await bus.publish(7, b"subscribed")
            assert [said(7, 1, b"subscribed")] == await take(news)


async def test_a_subscriber_whose_line_is_cut_meanwhile_need_not_wait(own_valkey):
    pid = await server_pid(own_valkey.url)
    async with opened(own_valkey.url) as bus:
        await bus.subscribe(7)
        async with listening(bus) as news:
            assert [RESYNCED] == await take(news)
            os.kill(pid, signal.SIGSTOP)
            asking = asyncio.create_task(bus.subscribe(8))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            await asyncio.wait_for(asking, 60)


async def test_a_listener_can_be_stopped_while_it_reconnects(bus, tmp_path):
    """The driver swallows a cancellation that comes while it connects; ours must end all the same."""
    async with opened(f"unix://{tmp_path}/nobody") as nowhere:
        await nowhere.subscribe(7)
        for turns in range(30):
            task = asyncio.create_task(anext(nowhere.listen()))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=60)
            assert done, turns
            assert task.cancelled()
    for turns in range(30):
        task = asyncio.create_task(anext(bus.listen()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=60)
        assert done, turns


async def test_viewers_are_summed_over_the_nodes(bus):
    assert {7: 0, 8: 0} == await bus.viewers([7, 8])

    await bus.report_viewers("one", {7: 10, 8: 1})
    await bus.report_viewers("other", {7: 5})
    assert {7: 15, 8: 1, 9: 0} == await bus.viewers([7, 8, 9])

    await bus.report_viewers("one", {9: 2})
    assert {7: 5, 8: 0, 9: 2} == await bus.viewers([7, 8, 9])
    await bus.report_viewers("one", {})
    assert {7: 5} == await bus.viewers([7])
    assert {} == await bus.viewers([])


async def test_a_node_that_reports_no_more_is_forgotten(redis, bus):
    await bus.report_viewers("dead", {7: 10})
    await bus.report_viewers("alive", {7: 1})
    assert VIEWERS_SECONDS - 5 < await redis.ttl("commeow:{viewers}:node:dead") <= VIEWERS_SECONDS
    await redis.delete("commeow:{viewers}:node:dead")  # as its time to live does
    await redis.zadd("commeow:{viewers}:nodes", {"dead": 1})

    assert {7: 1} == await bus.viewers([7])
    await bus.report_viewers("alive", {7: 1})
    assert [b"alive"] == await redis.zrange("commeow:{viewers}:nodes", 0, -1)


async def test_thousands_of_rooms_can_be_reported_and_asked(bus):
    await bus.report_viewers("one", {room: room for room in range(2500)})

    assert {room: room for room in range(2500)} == await bus.viewers(range(2500))


async def test_a_pace_lets_one_line_through_and_the_same_line_again(redis):
    bus, other = Bus(redis), Bus(redis)

    assert await bus.pace(7, 1, 60, "a") == 0
    assert await other.pace(7, 1, 60, "a") == 0
    assert 0 < await other.pace(7, 1, 60, "b") <= 60_000
    assert await other.pace(7, 2, 60, "b") == 0
    assert await other.pace(8, 1, 60, "b") == 0
