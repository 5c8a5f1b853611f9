"""Shell: the bus, the logins and their news on a real cluster of three: each way in which one loses news is told."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from db import cluster_ears
from db.bus import HISTORY_LINES_MAX, Bus, Entry
from db.errors import StoreError
from db.pool import asking, open_redis, ping
from db.refresh_tokens import RefreshReused, RefreshTokens
from tests.db.cluster import Cluster
from tests.db.test_bus import RESYNCED, listening

ROOMS = range(1, 9)


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory):
    async with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@asynccontextmanager
async def opened(cluster):
    """A client of an emptied cluster."""
    for node in cluster.nodes:
        await node.admin.flushall()
    redis = open_redis(cluster.url)
    try:
        yield redis
    finally:
        await redis.aclose()


@asynccontextmanager
async def reading_all(bus):
    """Who reads every room, once each node is heard."""
    for room in ROOMS:
        await bus.subscribe(room)
    async with listening(bus) as news:
        reader = Reader(bus, news)
        reader.heard = {room: [] for room in ROOMS}
        await reader.until(lambda reader: reader.resyncs >= 3)
        yield reader


@pytest.fixture
async def redis(cluster):
    async with opened(cluster) as redis:
        yield redis


@pytest.fixture
async def bus(redis):
    return Bus(redis)


class Reader:
    """Follows rooms as a worker does: by number, and by the history where one may be missing."""

    def __init__(self, bus, news):
        self.bus = bus
        self.news = news
        self.heard = {}
        self.resyncs = 0

    async def until(self, enough):
        async with asyncio.timeout(60):
            while not enough(self):
                news = await self.news.get()
                if news == RESYNCED:
                    self.resyncs += 1
                    for room in list(self.heard):
                        await self._mend(room)
                elif news.room is not None:
                    seen = self.heard.setdefault(news.room, [])
                    if news.seq > len(seen) + 1:
                        await self._mend(news.room)
                    elif news.seq == len(seen) + 1:
                        seen.append(Entry(news.seq, news.payload))

    async def _mend(self, room):
        """Read the history until the node that has it answers."""
        seen = self.heard[room]
        while True:
            try:
                seen += await self.bus.history(room, after=len(seen), limit=HISTORY_LINES_MAX)
            except StoreError:
                await asyncio.sleep(0.05)
            else:
                return


async def published(bus, room, payload):
    """Publish as a client does that has lost the answer: again, with the same id."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await bus.publish(room, payload, once=payload.decode())
            except StoreError:
                await asyncio.sleep(0.05)


async def test_rooms_of_all_nodes_are_heard_in_order_and_kept(cluster, redis, bus):
    assert len({(await cluster.node_of(f"{{{room}}}")).port for room in ROOMS}) == 3
    other = Bus(redis)
    for room in ROOMS:
        await bus.subscribe(room)
    await bus.follow("orders")
    async with listening(bus) as news:
        reader = Reader(bus, news)
        reader.heard = {room: [] for room in ROOMS}
        await reader.until(lambda reader: reader.resyncs >= 3)  # one for each node
        await bus.subscribe(99)  # also while it listens
        reader.heard[99] = []

        lines = {room: [b"%d of %d" % (n, room) for n in range(20)] for room in (*ROOMS, 99)}
        numbers = await asyncio.gather(*(other.publish(room, line) for room, said in lines.items() for line in said))
        await reader.until(lambda reader: all(len(seen) == 20 for seen in reader.heard.values()))

        assert sorted(numbers) == sorted([*range(1, 21)] * len(lines))
        for room, expected in lines.items():
            assert {entry.payload for entry in reader.heard[room]} == set(expected)
            assert reader.heard[room] == await bus.history(room, after=0, limit=100)
            assert await bus.head(room) == 20
        assert await other.publish(1, b"again", once="a") == 21
        assert await other.publish(1, b"again", once="a") == 21

        await other.announce("orders", b"an id")
        await bus.unsubscribe(2)
        del reader.heard[2]
        await other.publish(2, b"not heard")
        await other.publish(1, b"heard")
        await reader.until(lambda reader: len(reader.heard[1]) == 22)
    assert 2 not in reader.heard


async def test_rooms_that_are_opened_while_others_are_asked_for_are_nobodys_trouble(bus, monkeypatch):
    monkeypatch.setattr(cluster_ears, "SILENCE_SECONDS_MAX", 60.0)  # However long this machine stands still.

    async def opened_after(turns, room):
        for _ in range(turns):
            await asyncio.sleep(0)
        await bus.subscribe(room)

    for room in ROOMS:
        await bus.subscribe(room)
    async with listening(bus) as news:
        reader = Reader(bus, news)
        await reader.until(lambda reader: reader.resyncs >= 3)
        await asyncio.gather(*(opened_after(turns, 100 + turns) for turns in range(40)))
        await asyncio.gather(*(bus.publish(room, b"heard") for room in range(100, 140)))
        await reader.until(lambda reader: len(reader.heard) == 40)

    assert reader.resyncs == 3


async def test_paces_and_viewers_are_counted(bus):
    assert [await bus.pace(room, 1, 60, "a") for room in ROOMS] == [0] * 8
    assert await bus.pace(1, 1, 60, "b") > 0
    await bus.report_viewers("one", dict.fromkeys(ROOMS, 2))
    await bus.report_viewers("other", {1: 3})

    assert await bus.viewers(ROOMS) == {**dict.fromkeys(ROOMS, 2), 1: 5}


async def test_logins_live_where_their_keys_are(redis):
    tokens = RefreshTokens(redis, b"p" * 32)
    issued = [await tokens.issue(7, "a phone") for _ in range(8)]  # of so many slots, and one list

    member, successor = await tokens.rotate(issued[0])
    assert member == 7
    assert await tokens.rotate(successor) != successor
    assert len(await tokens.logins(7)) == 8
    await tokens.revoke(issued[1])
    await tokens.end(7, tokens.login_of(issued[2]))
    assert await tokens.lives(7, tokens.login_of(issued[3]))
    assert len(await tokens.revoke_all(7, keep=tokens.login_of(issued[3]))) == 5
    assert [login.name for login in await tokens.logins(7)] == [tokens.login_of(issued[3])]
    _, second = await tokens.rotate(issued[3])
    await tokens.rotate(second)
    with pytest.raises(RefreshReused):
        await tokens.rotate(issued[3])


async def test_an_ear_that_is_cut_off_says_so_and_hears_on(cluster, bus):
    """As a node does to a subscriber that is too slow."""
    async with reading_all(bus) as reader:
        before = reader.resyncs
        for node in cluster.nodes:
            await node.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        for room in ROOMS:
            await bus.publish(room, b"meanwhile")
        await reader.until(lambda reader: reader.resyncs >= before + 3 and all(reader.heard.values()))
        await asyncio.gather(*(bus.publish(room, b"after") for room in ROOMS))
        await reader.until(lambda reader: all(len(seen) == 2 for seen in reader.heard.values()))

    assert all(seen == [Entry(1, b"meanwhile"), Entry(2, b"after")] for seen in reader.heard.values())


async def test_a_slot_that_moves_takes_its_rooms_along(cluster, bus):
    """Back and forth, while lines come."""
    await bus.subscribe(1)
    home = await cluster.node_of("{1}")
    other = next(node for node in cluster.nodes if node is not home)
    async with listening(bus) as news:
        reader = Reader(bus, news)
        reader.heard = {1: []}
        await reader.until(lambda reader: reader.resyncs)
        saying = asyncio.create_task(_say(bus, 1, 40))
        await cluster.move("{1}", other)
        await cluster.move("{1}", home)
        lines = await saying
        await reader.until(lambda reader: len(reader.heard[1]) == 40)

    assert [entry.seq for entry in reader.heard[1]] == list(range(1, 41))
    assert [entry.payload for entry in reader.heard[1]] == lines


async def _say(bus, room, count):
    lines = [b"line %d" % number for number in range(count)]
    for line in lines:
        await published(bus, room, line)
        await asyncio.sleep(0.01)
    return lines


async def test_a_node_that_is_killed_comes_back_with_its_rooms_and_the_others_go_on(cluster, redis, bus, monkeypatch):
    # However long this machine stands still: who hears a living node anew reads all rooms, the dead one's too.
    monkeypatch.setattr(cluster_ears, "SILENCE_SECONDS_MAX", 60.0)
    dead = await cluster.node_of("{1}")
    living = [room for room in ROOMS if await cluster.node_of(f"{{{room}}}") is not dead]
    async with reading_all(bus) as reader:
        await bus.publish(1, b"before")
        await reader.until(lambda reader: reader.heard[1])
        await ping(redis)
        await dead.kill()
        with pytest.raises(StoreError):
            await bus.publish(1, b"nobody there", once="lost")
        with pytest.raises(StoreError):
            async with asking():
                await ping(redis)
        for room in living:
            await published(bus, room, b"meanwhile")
        await reader.until(lambda reader: all(reader.heard[room] for room in living))
        await bus.subscribe(1)  # the wish is kept until somebody can be asked

        await dead.start()
        assert await published(bus, 1, b"after") == 2
        await reader.until(lambda reader: len(reader.heard[1]) == 2)
        await cluster.well()

    assert [entry.payload for entry in reader.heard[1]] == [b"before", b"after"]


async def test_a_node_that_hangs_does_not_silence_the_others_and_is_heard_again(cluster, bus, monkeypatch):
    monkeypatch.setattr(cluster_ears, "SILENCE_SECONDS_MAX", 0.2)
    hung = await cluster.node_of("{1}")
    living = [room for room in ROOMS if await cluster.node_of(f"{{{room}}}") is not hung].pop()
    for room in (1, living):
        await bus.subscribe(room)
    async with listening(bus) as news:
        reader = Reader(bus, news)
        reader.heard = {living: []}  # A history of the hung node would be waited for.
        await reader.until(lambda reader: reader.resyncs >= 2)
        hung.signal(signal.SIGSTOP)
        try:
            await bus.publish(living, b"meanwhile")
            await reader.until(lambda reader: reader.heard[living])
        finally:
            hung.signal(signal.SIGCONT)
        reader.heard.setdefault(1, [])
        await published(bus, 1, b"after")
        await reader.until(lambda reader: reader.heard[1])

    assert reader.heard == {1: [Entry(1, b"after")], living: [Entry(1, b"meanwhile")]}


async def test_a_cluster_of_which_nobody_answers_is_waited_for():
    """The wish is kept; who listens can be stopped."""
    redis = open_redis("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    bus = Bus(redis)
    with pytest.raises(StoreError):
        await bus.head(1)
    await bus.subscribe(1)
    async with listening(bus) as news:
        await bus.subscribe(2)
        assert news.empty()
    await redis.aclose()


async def test_our_own_mistake_is_not_taken_for_silence(bus, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(cluster_ears, "key_slot", broken)
    await bus.subscribe(1)
    with pytest.raises(ZeroDivisionError):
        await anext(bus.listen())
