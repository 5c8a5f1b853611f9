"""Shell: what a bus listens with at a cluster: an ear at each node that has a channel of its own.

The node that has a room's keys tells its news (channels of a shard), and no other node hears of them. redis-py's client
knows where each slot is and sends the commands; its subscribers are no more talkative than at a plain server.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING

from redis.crc import key_slot

from db.ears import (
    RECONNECT_SECONDS_MAX,
    RECONNECT_SECONDS_MIN,
    Ear,
    Waiting,
    heed_cancellation,
    new_line,
)
from db.errors import StoreUnavailable
from db.pool import REDIS_FAILURES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    import redis.asyncio
    from redis.asyncio.cluster import ClusterNode
    from redis.exceptions import MovedError

    from db.ears import Heard

# A node that says nothing for so long is asked whether it lives, and has as long to answer: one that hangs may have a
# successor by then, of whom only the other nodes know.
SILENCE_SECONDS_MAX = 2.0
# News of all nodes that wait for the one consumer; past it nothing is read, and a node cuts off who is too slow.
HEARD_MAX = 1024


class ClusterEars:
    """The ears of a bus at a cluster: one at each node that has a channel of ours."""

    def __init__(self, cluster: redis.asyncio.RedisCluster) -> None:
        self._cluster = cluster
        self._waiting = Waiting()
        self._at: dict[bytes, str] = {}  # the name of the node where a channel is asked for
        self._homeless: dict[bytes, bool] = {}  # those that no node was asked for; whether they may have missed news
        self._ears: dict[str, Ear] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._said: asyncio.Queue[Heard | Exception] = asyncio.Queue(HEARD_MAX)
        self._astray = asyncio.Event()  # somebody is to be asked something
        self._stale = True  # whether the map of the cluster is to be read again
        self._listening = False

    async def subscribe(self, channel: bytes) -> None:
        """Listen to a channel. Raises StoreUnavailable when nobody confirms it; it is then not listened to."""
        if channel not in self._at:
            self._homeless.setdefault(channel, False)
        if not self._listening:
            return
        confirmed = self._waiting.begin(channel)
        if channel in self._at:
            await self._ears[self._at[channel]].take([channel])
        self._astray.set()
        try:
            await self._waiting.end(channel, confirmed)
        except StoreUnavailable:
            await self.unsubscribe(channel)
            raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Listen to a channel no more."""
        self._homeless.pop(channel, None)
        ear = self._ears.get(self._at.pop(channel, ""))
        if ear is not None:
            await ear.drop(channel)

    async def hear(self) -> AsyncGenerator[Heard, None]:
        """Yield what is told by all nodes, for ever; None: some news may be missing."""
        self._listening = True
        self._astray.set()
        tending = asyncio.create_task(self._tend())
        try:
            while True:
                said = await self._said.get()
                if isinstance(said, Exception):
                    raise said
                yield said
        finally:
            self._listening = False
            tasks = [tending, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._forget_places()

    def _forget_places(self) -> None:
        self._homeless.update(dict.fromkeys(self._at, True))
        self._at.clear()
        self._ears.clear()
        self._tasks.clear()
        self._said = asyncio.Queue(HEARD_MAX)
        for channel in self._homeless:
            self._waiting.confirm(channel)

    async def _tend(self) -> None:
        """Have each channel asked for at its node, whenever one is new, turned away, or its node does not answer."""
        pause = RECONNECT_SECONDS_MIN
        with self._troubles_told():
            while True:
                await self._astray.wait()
                self._astray.clear()
                try:
                    if self._stale:
                        with contextlib.suppress(StoreUnavailable):
                            await self._settle()  # A node that hangs may hold the map up, and the others need not wait.
                        await self._read_map()
                    await self._settle()
                    pause = RECONNECT_SECONDS_MIN
                except (StoreUnavailable, *REDIS_FAILURES):
                    heed_cancellation()
                    for channel in self._homeless:
                        self._homeless[channel] = True  # The wish is kept: who is heard at last says what is missing.
                        self._waiting.confirm(channel)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RECONNECT_SECONDS_MAX)
                    self._look_again()

    async def _read_map(self) -> None:
        self._stale = False
        await self._cluster.initialize()
        await self._cluster.nodes_manager.initialize()
        heed_cancellation()

    async def _settle(self) -> None:
        """Ask for each channel at its node, and let ears without one go. Raises StoreUnavailable: a slot has none."""
        asked: dict[tuple[str, bool], list[bytes]] = {}
        nowhere = False
        # Nothing is awaited in this loop: whoever is in `_at` has an ear there, also when the map changes meanwhile.
        for channel in [*self._homeless, *self._at]:
            node, before = self._node(channel), self._at.get(channel)
            if node is None or node.name == before:
                nowhere = nowhere or before is None
                continue
            if before is not None:
                self._ears[before].lose(channel)
            missed = self._homeless.pop(channel, True)
            self._at[channel] = node.name
            self._begin_at(node)
            asked.setdefault((node.name, missed), []).append(channel)
        for (name, missed), channels in asked.items():
            wanted = [channel for channel in channels if self._at.get(channel) == name]
            if not await self._ears[name].take(wanted, missed=missed):
                for channel in wanted:
                    self._waiting.confirm(channel)  # its connection, when it is made, says that something is missing
        for name in [name for name, ear in self._ears.items() if not ear.channels]:
            del self._ears[name]
            self._tasks.pop(name).cancel()
        if nowhere:  # Whoever has become homeless meanwhile has us look again.
            raise StoreUnavailable("slots without a node")

    def _node(self, channel: bytes) -> ClusterNode | None:
        """Answer the node that has a channel's slot, as far as is known."""
        try:
            return self._cluster.nodes_manager.get_node_from_slot(key_slot(channel))
        except (KeyError, *REDIS_FAILURES):
            return None

    def _begin_at(self, node: ClusterNode) -> None:
        name = str(node.name)
        if name not in self._ears:
            ear = self._ears[name] = Ear(
                lambda: new_line(node.connection_class, node.connection_kwargs),
                self._waiting.confirm,
                moved=functools.partial(self._move, name),
                broken=self._look_again,
                silence_seconds=SILENCE_SECONDS_MAX,
            )
            self._tasks[name] = asyncio.create_task(self._listen(ear))

    async def _listen(self, ear: Ear) -> None:
        with self._troubles_told():
            async with contextlib.aclosing(ear.hear()) as heard:
                async for each in heard:
                    await self._said.put(each)

    @contextlib.contextmanager
    def _troubles_told(self) -> Iterator[None]:
        """Let whoever listens raise what a task of ours did not expect."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - of any kind: a deaf ear must not look like a silent house.
            with contextlib.suppress(asyncio.QueueEmpty):
                while self._said.full():
                    self._said.get_nowait()
            self._said.put_nowait(error)

    async def _move(self, name: str, error: MovedError) -> None:
        """Look for the channels of a slot, which a node has not, where it says that they are."""
        for channel in [channel for channel, at in self._at.items() if at == name]:
            if key_slot(channel) == error.slot_id:
                del self._at[channel]
                self._homeless[channel] = True
                self._ears[name].lose(channel)
        try:
            await self._cluster.nodes_manager.move_slot(error)
        except (KeyError, *REDIS_FAILURES):
            self._stale = True
        # Not at once: two nodes that have not heard of each other's news yet would send us to and fro.
        asyncio.get_running_loop().call_later(RECONNECT_SECONDS_MIN, self._astray.set)

    def _look_again(self) -> None:
        self._stale = True
        self._astray.set()
