"""Roof: three Valkeys that are one cluster; a test may kill, stop and start each, and move a slot between them.

One may have a replica. By TLS the servers stand behind terminators of our own, for the wheel's program has none, and
tell clients of those.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import redis.asyncio
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from console.binaries import find_valkey
from tests.ports import reserve_port

if TYPE_CHECKING:
    import signal
    from collections.abc import Awaitable, Callable

NODES = 3
TLS = Path(__file__).resolve().parents[1] / "vectors" / "tls"
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
    """One server, of a cluster or by itself: its ports stay the same when it is started again."""

    def __init__(self, folder: Path, *, cluster: bool = True, tls: bool = False) -> None:
        self.folder, self.cluster = folder, cluster
        folder.mkdir()
        self.socket_path = folder / "socket"
        self.process: asyncio.subprocess.Process | None = None
        self.port, self.bus_port = reserve_port(), reserve_port()
        self.tls_port = reserve_port() if tls else None
        self.front: asyncio.Server | None = None
        self.admin = redis.asyncio.Redis(port=self.port, socket_timeout=WITHIN_SECONDS / 2)
        self.id = ""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(find_valkey(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
            *(self._as_one_of_many if self.cluster else ("--unixsocket", self.socket_path)),
            *("--appendonly", "yes", "--save", "", "--logfile", self.folder / "log"),
            *("--repl-diskless-sync-delay", "0"),
        )
        if self.tls_port is not None and self.front is None:
            certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            certificate.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
            self.front = await asyncio.start_server(self._pass_on, "127.0.0.1", self.tls_port, ssl=certificate)
        await eventually(self._answers, f"an answer of {self.folder}")
        if self.tls_port is not None:  # On the command line it is not told to all.
            await self.admin.config_set("cluster-announce-client-port", self.tls_port)

    @property
    def _as_one_of_many(self) -> tuple[str, ...]:
        return (
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-require-full-coverage", "no"),
        )

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "log").read_text()
        if self.cluster:
            self.id = (await self.admin.execute_command("CLUSTER MYID")).decode()
        return bool(await self.admin.ping())

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the TLS off one connection. It ends with the server's, or with the client's."""
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            ways = [asyncio.create_task(_copy(reader, far_writer)), asyncio.create_task(_copy(far_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            far_writer.close()
        writer.close()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self.admin.connection_pool.disconnect()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


class Cluster:
    """The three, with the slots divided among them."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.folder, self.tls = folder, tls
        self.nodes = [Node(folder / str(number), tls=tls) for number in range(NODES)]
        self.replicas: list[Node] = []

    @property
    def url(self) -> str:
        if self.tls:
            hosts = ",".join(f"127.0.0.1:{node.tls_port}" for node in self.nodes)
            return f"rediss+cluster://{hosts}?ssl_ca_certs={TLS / 'certificate.pem'}"
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(node.start() for node in self.nodes))
        share = REDIS_CLUSTER_HASH_SLOTS // NODES
        for number, node in enumerate(self.nodes):
            last = REDIS_CLUSTER_HASH_SLOTS - 1 if number == NODES - 1 else (number + 1) * share - 1
            await node.admin.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            await node.admin.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:  # Who meets itself forgets what it tells clients.
                first = self.nodes[0]
                await node.admin.execute_command("CLUSTER MEET", "127.0.0.1", first.port, first.bus_port)
        await self.well()
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in (*self.replicas, *self.nodes):
            await node.kill()
            await node.admin.aclose()
            if node.front is not None:
                node.front.close()

    async def add_replica(self, primary: Node) -> Node:
        """Start one more server, which has all that `primary` has, a moment later."""
        replica = Node(self.folder / f"replica {len(self.replicas)}", tls=self.tls)
        self.replicas.append(replica)
        await replica.start()
        for node in self.nodes:
            await replica.admin.execute_command("CLUSTER MEET", "127.0.0.1", node.port, node.bus_port)

        async def is_known() -> bool:
            told = [await node.admin.execute_command("CLUSTER NODES") for node in (replica, *self.nodes)]
            return all(len(nodes) == NODES + len(self.replicas) for nodes in told)

        await eventually(is_known, "a replica that all know")
        await replica.admin.execute_command("CLUSTER REPLICATE", primary.id)
        await self.in_step(replica)
        return replica

    async def in_step(self, replica: Node) -> None:
        """Wait until a replica has heard all that was said up to now."""

        async def is_in_step() -> bool:
            told = await replica.admin.info("replication")
            if told["role"] != "slave" or told["master_link_status"] != "up":
                return False
            primary = next(node for node in (*self.nodes, *self.replicas) if node.port == int(told["master_port"]))
            return told["slave_repl_offset"] >= (await primary.admin.info("replication"))["master_repl_offset"]

        await eventually(is_in_step, "a replica in step")

    async def well(self) -> None:
        """Wait until all nodes know all and where clients find them, and each serves its slots."""
        told_to_clients = {node.tls_port or node.port for node in self.nodes}

        async def is_well() -> bool:
            for node in self.nodes:
                slots = await node.admin.execute_command("CLUSTER SLOTS")
                if {primary[1] for _, _, primary, *_ in slots} != told_to_clients:
                    return False
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
                return next(node for node in self.nodes if node.id.encode() == primary[2])
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
