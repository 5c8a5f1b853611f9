"""Roof: three Valkeys that are one cluster; a test may kill, stop and start each, and move a slot between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any, Self

import redis.asyncio
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from console.binaries import find_valkey
from tests.ports import reserve_port

if TYPE_CHECKING:
    import signal
    from collections.abc import Awaitable, Callable
    from pathlib import Path

NODES = 3
WITHIN_SECONDS = 60.0
# A node of which the others have heard nothing for so long is taken for dead: longer than a busy machine stands still.
NODE_TIMEOUT_MS = 10_000


async def eventually(look: Callable[[], Awaitable[Any]], what: str) -> None:
    """Ask until it is so; a server that does not answer yet is asked again."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            with contextlib.suppress(RedisError, OSError):
                if await look():
                    return
            await asyncio.sleep(0.02)
    raise AssertionError(what)


class Node:
    """One server of the cluster: its ports stay the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.process: asyncio.subprocess.Process | None = None
        self.port, self.bus_port = reserve_port(), reserve_port()
        self.admin = redis.asyncio.Redis(port=self.port, socket_timeout=WITHIN_SECONDS / 2)
        self.id = ""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(find_valkey(), "--port", str(self.port), "--cluster-port", str(self.bus_port), "--bind", "127.0.0.1"),
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            *("--cluster-require-full-coverage", "no", "--dir", self.folder),
            *("--appendonly", "yes", "--save", "", "--logfile", self.folder / "log"),
        )
        await eventually(self._answers, f"an answer of {self.folder}")

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "log").read_text()
        self.id = (await self.admin.execute_command("CLUSTER MYID")).decode()
        return True

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self.admin.connection_pool.disconnect()


class Cluster:
    """The three, with the slots divided among them."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / str(number)) for number in range(NODES)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(node.start() for node in self.nodes))
        share = REDIS_CLUSTER_HASH_SLOTS // NODES
        for number, node in enumerate(self.nodes):
            last = REDIS_CLUSTER_HASH_SLOTS - 1 if number == NODES - 1 else (number + 1) * share - 1
            await node.admin.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            await node.admin.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            await node.admin.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].bus_port)
        await self.well()
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            await node.kill()
            await node.admin.aclose()

    async def well(self) -> None:
        """Wait until all nodes know all, and each serves its slots."""

        async def is_well() -> bool:
            for node in self.nodes:
                told = await node.admin.execute_command("CLUSTER INFO")
                if (told["cluster_state"], told["cluster_known_nodes"]) != ("ok", str(NODES)):
                    return False
                if told["cluster_slots_ok"] != str(REDIS_CLUSTER_HASH_SLOTS):
                    return False
            return True

        await eventually(is_well, "a cluster that is well")

    async def node_of(self, key: str) -> Node:
        """The node that has a key, as the first node knows it."""
        slot = key_slot(key.encode())
        for first, last, primary, *_ in await self.nodes[0].admin.execute_command("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == primary[1])
        raise AssertionError(key)

    async def move(self, key: str, target: Node) -> None:
        """Move the slot of a key, with all that is in it, as `valkey-cli --cluster reshard` does."""
        slot, source = key_slot(key.encode()), await self.node_of(key)
        await target.admin.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        await source.admin.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target.id)
        while keys := await source.admin.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            await source.admin.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            await node.admin.execute_command("CLUSTER SETSLOT", slot, "NODE", target.id)
