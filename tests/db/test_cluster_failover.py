"""Shell: the bus on a real cluster by TLS, one of whose shards changes to its replica: in order, and by a crash.

Replication is asynchronous: a line that was answered may not have reached the replica. Then its number is given again,
of another epoch, and so everybody can tell.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from db import cluster_ears
from db.bus import RESYNC, Bus
from db.errors import StoreError
from db.pool import open_redis
from tests.db.cluster import WITHIN_SECONDS, Cluster, eventually
from tests.db.test_bus import listening
from tests.db.test_cluster_ears import Reader, published

ROOM = 1


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory):
    async with Cluster(tmp_path_factory.mktemp("cluster"), tls=True) as cluster:
        yield cluster


async def test_a_shard_that_changes_to_its_replica_loses_nothing_in_order_and_says_so_by_a_crash(cluster, monkeypatch):
    monkeypatch.setattr(cluster_ears, "SILENCE_SECONDS_MAX", 1.0)
    primary = await cluster.node_of(f"{{{ROOM}}}")
    replica = await cluster.add_replica(primary)
    redis = open_redis(cluster.url)
    bus = Bus(redis)
    await bus.subscribe(ROOM)
    async with listening(bus) as news:
        reader = Reader(bus, news)
        reader.heard = {ROOM: []}
        await reader.until(lambda reader: reader.resyncs)
        epoch = (await bus.numbers(ROOM)).epoch

        # In order: lines come all the while.
        saying = asyncio.create_task(say(bus, b"before", 40))
        await change_to(replica)
        await saying
        await say(bus, b"after", 10)
        await reader.until(lambda reader: len(reader.heard[ROOM]) == 50)

        assert [entry.seq for entry in reader.heard[ROOM]] == list(range(1, 51))
        assert await bus.numbers(ROOM, epoch=epoch, seen=50) == (50, epoch)

        # By a crash: two lines are answered that the other one never had.
        await cluster.in_step(primary)
        await cut_off(primary, replica)
        assert [await bus.publish(ROOM, line) for line in (b"lost", b"lost too")] == [51, 52]
        await reader.until(lambda reader: len(reader.heard[ROOM]) == 52)
        await replica.kill()
        await primary.admin.execute_command("CLUSTER FAILOVER", "TAKEOVER")
        assert await published(bus, ROOM, b"on") == 51

        async with asyncio.timeout(60):
            while (await news.get()).topic != RESYNC:
                pass
        head, now = await numbers(bus, epoch, 52)
        assert head == 51
        assert now != epoch
        assert await published(bus, ROOM, b"and on") == 52
        async with asyncio.timeout(60):
            while (heard := await news.get()).seq != 52:
                pass
        assert heard.payload == b"and on"
        last = await bus.history(ROOM, after=49, limit=10)
        assert [(entry.seq, entry.payload) for entry in last] == [(50, b"after 9"), (51, b"on"), (52, b"and on")]
    await redis.aclose()


async def test_a_cluster_whose_certificate_nobody_vouches_for_is_not_spoken_to(cluster):
    redis = open_redis(cluster.url.partition("?")[0])
    with pytest.raises(StoreError):
        await Bus(redis).head(ROOM)
    await redis.aclose()


async def say(bus, text, count):
    for number in range(count):
        await published(bus, ROOM, b"%s %d" % (text, number))
        await asyncio.sleep(0.005)


async def change_to(replica):
    """Let a replica take over in order; the servers give it up when it takes them more than five seconds."""

    async def leads():
        return (await replica.admin.info("replication"))["role"] == "master"

    async with asyncio.timeout(WITHIN_SECONDS):
        while not await leads():
            await replica.admin.execute_command("CLUSTER FAILOVER")
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await eventually(leads, "a replica that leads")


async def cut_off(replica, primary):
    """Let a replica stay as it is, whatever its primary is told."""
    for name, value in (("masteruser", "nobody"), ("masterauth", "nothing")):
        await replica.admin.config_set(name, value)
    await primary.admin.execute_command("CLIENT", "KILL", "TYPE", "replica")

    async def is_alone():
        return (await replica.admin.info("replication"))["master_link_status"] == "down"

    await eventually(is_alone, "a replica that hears nothing")


async def numbers(bus, epoch, seen):
    async with asyncio.timeout(60):
        while True:
            try:
                return await bus.numbers(ROOM, epoch=epoch, seen=seen)
            except StoreError:
                await asyncio.sleep(0.05)
