"""Shell: what a bus listens with: a connection that is made anew when it breaks, and then says that news are missing.

The driver's own subscribers connect anew behind our back and say nothing of it. Channels are those of a shard (Redis 7,
Valkey), so that a cluster can have them (`cluster_ears`); a server that is older has the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, ResponseError

from db.errors import StoreUnavailable
from db.pool import REDIS_FAILURES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    import redis.asyncio

    Heard = tuple[bytes, bytes] | None  # A channel and its news; None: some may be missing.

RECONNECT_SECONDS_MIN = 0.05
RECONNECT_SECONDS_MAX = 1.0
# Until the server confirms a subscription; it is the time of one round trip.
SUBSCRIBED_SECONDS_MAX = 5.0

_CONFIRMED = (b"ssubscribe", b"subscribe")
_LEFT = (b"sunsubscribe", b"unsubscribe")
_TOLD = (b"smessage", b"message")


class Ear:
    """One listening connection to one server, made anew when it breaks.

    Args:
        connect: makes a connection that does not stand yet.
        confirm: is told each channel that is heard from now on, or that the next connection will see to.
        moved: is awaited with the error that names the node which has a channel's slot.
        broken: is told that a connection has ended.
        silence_seconds: how long the server may say nothing before it is asked; for ever by itself.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        confirm: Callable[[bytes], None],
        *,
        moved: Callable[[MovedError], Awaitable[None]] | None = None,
        broken: Callable[[], None] = lambda: None,
        silence_seconds: float = math.inf,
    ) -> None:
        self.channels: set[bytes] = set()
        self._connect = connect
        self._confirm = confirm
        self._moved = moved
        self._broken = broken
        self._silence_seconds = silence_seconds
        self._line: Any = None  # while it stands
        self._sharded = True
        self._missed = False  # news may be missing, and nobody was told of that yet
        self._owed: set[bytes] = set()  # when the last of them is heard, or left, what was missed can be read
        self._leaving: Counter[bytes] = Counter()

    async def take(self, channels: Iterable[bytes], *, missed: bool = False) -> bool:
        """Listen to channels too; answer whether the server was asked, or the next connection will do that.

        With `missed` it is said, as soon as they are heard, that some of their news may be missing.
        """
        asked = set(channels)
        self.channels |= asked
        line = self._line
        if line is None:
            return False
        if missed:
            self._missed = True
            self._owed |= asked
        with contextlib.suppress(*REDIS_FAILURES):
            # If sending fails the line is broken: the listener makes the next one, which asks.
            await self._send(line, "SUBSCRIBE", asked)
        return True

    def lose(self, channel: bytes) -> None:
        """Listen to a channel no more: another ear does."""
        self.channels.discard(channel)
        self._owed.discard(channel)

    async def drop(self, channel: bytes) -> None:
        """Listen to a channel no more, and say so."""
        self.lose(channel)
        line = self._line
        if line is not None:
            self._leaving[channel] += 1
            with contextlib.suppress(*REDIS_FAILURES):  # a broken line forgets by itself
                await self._send(line, "UNSUBSCRIBE", [channel])

    async def hear(self) -> AsyncGenerator[Heard, None]:
        """Yield what is told, for ever; None whenever a connection was made and something was listened to before."""
        pause = RECONNECT_SECONDS_MIN
        while True:
            line = self._connect()
            try:
                await line.connect()
                heed_cancellation()
                self._line = line  # from here on take() asks by itself
                self._missed = bool(self.channels)
                self._owed = set(self.channels)
                self._leaving.clear()
                await self._send(line, "SUBSCRIBE", self.channels)
                while True:
                    kind, channel, *payload = await self._reply(line)
                    heed_cancellation()
                    pause = RECONNECT_SECONDS_MIN
                    if kind in _TOLD:
                        if channel in self.channels:  # or it was on its way while the channel was left
                            yield channel, payload[0]
                        continue
                    await self._heed(line, kind, channel)
                    if self._missed and not self._owed:
                        self._missed = False
                        yield None
            except REDIS_FAILURES as error:
                heed_cancellation()
                self._sharded = not (self._sharded and _is_old(error))
                if self._sharded:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RECONNECT_SECONDS_MAX)
            finally:
                self._line = None
                # Whoever waits for a confirmation may go on: the next line says that something may be missing.
                for channel in self.channels:
                    self._confirm(channel)
                with contextlib.suppress(*REDIS_FAILURES):
                    await line.disconnect(nowait=True)
                self._broken()

    async def _reply(self, line: Any) -> Any:
        """Wait for the next that is told of a channel. Raises what the driver raises, and TimeoutError of a silence."""
        asked = False
        while True:
            try:
                reply = await line.read_response(timeout=self._silence_seconds, disconnect_on_error=False)
            except MovedError as error:
                if self._moved is None:
                    raise
                await self._moved(error)
                continue
            if isinstance(reply, (list, tuple)):
                return reply
            if reply is not None:  # PONG, as one without channels is answered
                asked = False
            elif asked:
                raise TimeoutError
            else:
                asked = True
                await line.send_command("PING", check_health=False)

    async def _heed(self, line: Any, kind: bytes, channel: bytes) -> None:
        """Take what the server says of a channel itself."""
        if kind in _CONFIRMED:
            self._confirm(channel)
            self._owed.discard(channel)
        elif kind in _LEFT:
            if channel in self._leaving:
                self._leaving -= Counter([channel])  # and forgets whom it was the last of
            elif channel in self.channels:
                # Turned away: its slot has moved. Asked again, the server says to which node.
                self._missed = True
                self._owed.add(channel)
                await self._send(line, "SUBSCRIBE", [channel])

    async def _send(self, line: Any, command: str, channels: Iterable[bytes]) -> None:
        # One command a channel: in a cluster those of one command must be of one slot.
        name = f"S{command}" if self._sharded else command
        packed = line.pack_commands([(name, channel) for channel in channels])
        if packed:
            await line.send_packed_command(packed, check_health=False)


class Waiting:
    """Who waits until which channel is heard."""

    def __init__(self) -> None:
        self._futures: dict[bytes, list[asyncio.Future[None]]] = {}

    def confirm(self, channel: bytes) -> None:
        """Let go on who waits for a channel."""
        for confirmed in self._futures.pop(channel, ()):
            if not confirmed.done():
                confirmed.set_result(None)

    def begin(self, channel: bytes) -> asyncio.Future[None]:
        """Begin to wait for a channel, before it is asked for."""
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.setdefault(channel, []).append(confirmed)
        return confirmed

    async def end(self, channel: bytes, confirmed: asyncio.Future[None]) -> None:
        """Wait for the confirmation. Raises StoreUnavailable when none comes in time."""
        try:
            async with asyncio.timeout(SUBSCRIBED_SECONDS_MAX):
                await confirmed
        except TimeoutError:
            raise StoreUnavailable(f"no confirmation in {SUBSCRIBED_SECONDS_MAX:.0f} s") from None
        finally:
            self._forget(channel, confirmed)

    def _forget(self, channel: bytes, confirmed: asyncio.Future[None]) -> None:
        """Keep nobody who has given up: a channel may never be confirmed."""
        waiting = self._futures.get(channel, [])
        if confirmed in waiting:
            waiting.remove(confirmed)
            if not waiting:
                del self._futures[channel]


class Ears:
    """The ear of a bus at a plain server."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        pool = redis.connection_pool
        self._waiting = Waiting()
        self._ear = Ear(lambda: new_line(pool.connection_class, pool.connection_kwargs), self._waiting.confirm)

    async def subscribe(self, channel: bytes) -> None:
        """Listen to a channel. Raises StoreUnavailable when nobody confirms it; it is then not listened to."""
        confirmed = self._waiting.begin(channel)
        if await self._ear.take([channel]):
            try:
                await self._waiting.end(channel, confirmed)
            except StoreUnavailable:
                await self._ear.drop(channel)
                raise

    async def unsubscribe(self, channel: bytes) -> None:
        """Listen to a channel no more."""
        await self._ear.drop(channel)

    def hear(self) -> AsyncGenerator[Heard, None]:
        """Yield what is told, for ever; None: some news may be missing."""
        return self._ear.hear()


def new_line(connection_class: Any, options: dict[str, Any]) -> Any:
    """Make a connection beside the client's.

    redis-py's PubSub reconnects behind our back and says nothing of what was missed; a bare connection raises. And the
    older protocol takes 8 µs a message where the newer takes 14.
    """
    return connection_class(**{**options, "protocol": 2, "retry": Retry(NoBackoff(), 0)})


def _is_old(error: Exception) -> bool:
    """Tell whether a server is older than the channels of a shard."""
    return isinstance(error, ResponseError) and "unknown command" in str(error).lower()


def heed_cancellation() -> None:
    """Raise what the driver swallowed: a cancellation that comes while it connects may end in a connection."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
