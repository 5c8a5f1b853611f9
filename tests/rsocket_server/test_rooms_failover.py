"""Rooms whose Valkey dies, and whose address its replica answers from then on.

Replication is asynchronous: the replica may lack the last lines that were answered. Everything else goes on, and that
they are gone is told by another epoch, also where others have had their numbers meanwhile. Of a cluster a node may die
that has no replica: its rooms hear so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from db.bus import Bus
from db.pool import open_redis
from tests.db.cluster import Cluster, Node, eventually
from tests.rsocket_server.test_rooms import ROOM, say, watch
from tests.rsocket_server.test_rooms_without_valkey import heard, rooms_at, say_until_said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Pair:
    """A server and its replica, at one address."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "valkey.sock"
        self.primary, self.replica = (Node(folder / name, cluster=False) for name in ("primary", "replica"))

    async def start(self) -> None:
        await self.primary.start()
        await self.replica.start()
        self.lead(self.primary)
        await self.replica.admin.replicaof("127.0.0.1", self.primary.port)
        await self.in_step()

    def lead(self, node: Node) -> None:
        """Let the address be a server's, for all connections from now on."""
        aside = self.address.with_suffix(".new")
        aside.symlink_to(node.socket_path)
        aside.replace(self.address)

    async def in_step(self) -> None:
        async def is_in_step() -> bool:
            told = await self.replica.admin.info("replication")
            theirs = await self.primary.admin.info("replication")
            return bool(
                told["master_link_status"] == "up" and told["slave_repl_offset"] == theirs["master_repl_offset"]
            )

        await eventually(is_in_step, "a replica in step")

    async def cut_off(self) -> None:
        """Let the replica stay as it is, whatever the primary is told."""
        await self.replica.admin.replicaof("127.0.0.1", 1)
        await eventually(self._is_alone, "a primary alone")

    async def _is_alone(self) -> bool:
        return bool((await self.primary.admin.info("replication"))["connected_slaves"] == 0)


@pytest.fixture
async def pair(tmp_path: Path, no_task_left: None) -> AsyncIterator[Pair]:
    pair = Pair(tmp_path)
    await pair.start()
    yield pair
    for node in (pair.primary, pair.replica):
        await node.kill()
        await node.admin.aclose()


@pytest.mark.parametrize("others", [0, 3], ids=["nobody spoke meanwhile", "more was said than lost"])
async def test_a_replica_that_lacks_the_last_lines_takes_over(pair: Pair, others: int) -> None:
    async with rooms_at(f"unix://{pair.address}") as rooms:
        reader = await watch(rooms, epoch="")
        await say(rooms, "one", "two")
        await pair.in_step()
        await pair.cut_off()
        assert await say(rooms, "lost", "lost too", now=100) == [3, 4]
        old = (await reader.heard(5))[0]
        await pair.primary.kill()
        await pair.replica.admin.replicaof("NO", "ONE")
        redis = open_redis(f"unix://{pair.replica.socket_path}")
        for number in range(others):  # In a worker that was quicker.
            await Bus(redis).publish(ROOM, b"other %d" % number)
        await redis.aclose()
        pair.lead(pair.replica)

        said = [b"%d:other %d" % (3 + number, number) for number in range(others)]
        await say_until_said(rooms, "three", reader)
        said.append(b"%d:three" % (3 + others))
        heard = (await reader.heard(9 + others))[5:]
        assert [b"1:one", b"2:two", *said] == heard[1:]
        assert heard[0] not in {old, b""}
        # Who has seen the lost ones hears that they are gone, and who comes later does not get them.
        again = await watch(rooms, since=4, epoch=old.decode())
        assert await again.heard(4 + others) == heard
        assert reader.completed == again.completed == 0


async def test_a_replica_that_has_all_takes_over_and_nothing_is_told(pair: Pair) -> None:
    async with rooms_at(f"unix://{pair.address}") as rooms:
        reader = await watch(rooms, epoch="")
        await say(rooms, "one", "two")
        await pair.in_step()
        await pair.primary.kill()
        await pair.replica.admin.replicaof("NO", "ONE")
        pair.lead(pair.replica)
        await say_until_said(rooms, "three", reader)

        assert [b"1:one", b"2:two", b"3:three"] == (await reader.heard(4))[1:]


async def test_of_a_cluster_the_rooms_of_a_node_that_dies_hear_so_though_nobody_speaks(
    tmp_path: Path, no_task_left: None
) -> None:
    async with Cluster(tmp_path) as cluster, rooms_at(cluster.url) as rooms:
        reader = await watch(rooms, local=True)
        places = [(await cluster.node_of(f"{{{room}}}")).id for room in range(20)]
        parted = rooms._bus.by_server(range(20))
        assert sorted(map(sorted, parted)) == sorted(
            [room for room in range(20) if places[room] == place] for place in set(places)
        )

        node = await cluster.node_of(f"{{{ROOM}}}")
        await node.kill()
        await heard(reader, b"away")
        await node.start()
        await heard(reader, b"back")
