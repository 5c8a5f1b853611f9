"""Shell: the news between processes: numbered room events with a short history, and passing announcements.

Valkey's fan-out loses messages without a word (a subscriber that was away or too slow), so every room event carries a
number that rises by one and stays in a capped history: who sees a gap, or hears "resync", reads the history.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from db.errors import StoreUnavailable
from db.pool import REDIS_FAILURES, asking, telling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    import redis.asyncio

# What a returning viewer can be given. Lines are some 300 bytes: 150 kB a room at most.
HISTORY_LINES_MAX = 512
# A room that has been silent for so long forgets its lines, never its number.
HISTORY_SECONDS_MAX = 7 * 24 * 3600
# A caller's idempotency key: longer than any outbox waits for its relay.
ONCE_SECONDS = 24 * 3600
# A key of our own for each other line, because the driver sends again when a connection breaks: longer than its tries.
RESEND_SECONDS = 30
# A node that has not reported for so long is gone, and its viewers with it.
VIEWERS_SECONDS = 15

RECONNECT_SECONDS_MIN = 0.05
RECONNECT_SECONDS_MAX = 1.0
# Until the server confirms a subscription; it is the time of one round trip.
SUBSCRIBED_SECONDS_MAX = 5.0

# The topic of the news that news may be missing.
RESYNC = "resync"

# {room} in braces: keys of one room live on one node of a cluster.
_ROOM_CHANNEL = b"commeow:room:{%d}"
_ROOM_PREFIX = b"commeow:room:{"
_TOPIC_PREFIX = b"commeow:topic:"
# Always the first channel of a connection: its confirmation says that all of them are heard from now on.
_FIRST_CHANNEL = b"commeow:listeners"

_PUBLISH = """
local first = redis.call('GET', KEYS[3])
if first then return tonumber(first) end
local seq = redis.call('INCR', KEYS[1])
-- A counter that began anew must not meet the lines of an old one.
if seq == 1 then redis.call('DEL', KEYS[2]) end
local number = string.format('%.0f', seq)
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[2], number .. '-0', 'p', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], number, 'EX', ARGV[4])
redis.call('PUBLISH', ARGV[5], number .. ':' .. ARGV[1])
return seq
"""

# The first line in so many milliseconds goes through, also when it is sent again; the next is told how long to wait.
_PACE = """
local first = redis.call('GET', KEYS[1])
if not first then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
    return 0
end
if first == ARGV[2] then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)
"""

_REPORT = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('DEL', KEYS[2])
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""

_VIEWERS = """
local totals = {}
for i = 1, #ARGV do totals[i] = 0 end
for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    for i, count in ipairs(redis.call('HMGET', KEYS[2] .. node, unpack(ARGV))) do
        if count then totals[i] = totals[i] + tonumber(count) end
    end
end
return totals
"""
_NODES_KEY = "commeow:{viewers}:nodes"
_NODE_KEY_PREFIX = "commeow:{viewers}:node:"
# Lua's unpack() takes no more arguments than its stack holds.
_ROOMS_A_CALL = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a room's history. `seq` rises by one."""

    seq: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class News:
    """One thing heard: a room's event (`room`, `seq`), an announcement (`topic`), or `topic` "resync"."""

    room: int | None
    seq: int | None
    topic: str | None
    payload: bytes


class Bus:
    """The news of the house, over one Valkey. One object a process; payloads are opaque bytes."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis
        self._publish = redis.register_script(_PUBLISH)
        self._pace = redis.register_script(_PACE)
        self._report = redis.register_script(_REPORT)
        self._viewers = redis.register_script(_VIEWERS)
        self._rooms: set[int] = set()
        self._topics: set[str] = set()
        self._line: Any = None  # the listening connection while it stands
        self._awaited: dict[bytes, list[asyncio.Future[None]]] = {}

    async def publish(
        self, room: int, payload: bytes, *, once: str | None = None, once_seconds: int = ONCE_SECONDS
    ) -> int:
        """Number an event, keep it in the history and tell every subscriber, in one step; return the number.

        Numbers begin at 1. With `once`, the same key again within `once_seconds` returns the first number and tells
        nobody. Raises StoreUnavailable (surely not published) or StoreUnknown (retry with the same `once`).
        """
        key, seconds = (f"r:{secrets.token_hex(8)}", RESEND_SECONDS) if once is None else (f"o:{once}", once_seconds)
        with telling():
            return int(
                await self._publish(
                    keys=[_head_key(room), _history_key(room), f"commeow:{{{room}}}:once:{key}"],
                    args=[payload, HISTORY_LINES_MAX, HISTORY_SECONDS_MAX, seconds, _ROOM_CHANNEL % room],
                )
            )

    async def pace(self, room: int, member_id: int, seconds: int, once: str) -> int:
        """Let one line a member through in `seconds`, whatever worker it comes to; answer 0, or the ms to wait.

        `once` names the line: the same again is let through again. Raises StoreUnavailable.
        """
        with asking():
            return int(await self._pace(keys=[f"commeow:{{{room}}}:pace:{member_id}"], args=[seconds * 1000, once]))

    async def head(self, room: int) -> int:
        """Return the number of a room's latest event, 0 before the first. Raises StoreUnavailable."""
        with asking():
            return int(await self._redis.get(_head_key(room)) or 0)

    async def history(self, room: int, *, after: int, limit: int) -> list[Entry]:
        """Return the newest `limit` events with a number above `after`, the oldest of them first.

        If the first is not `after + 1`, the events between are gone or beyond the limit. Raises StoreUnavailable.
        """
        with asking():
            newest_first: Any = await self._redis.xrevrange(
                _history_key(room), "+", f"{after + 1}-0", count=min(limit, HISTORY_LINES_MAX)
            )
        return [Entry(int(entry_id.partition(b"-")[0]), fields[b"p"]) for entry_id, fields in reversed(newest_first)]

    async def subscribe(self, room: int) -> None:
        """Hear a room's events: each one published after this returns is heard, or a "resync" is.

        Must not be awaited by the loop that consumes `listen()`: the confirmation comes the same way as the news.
        Raises StoreUnavailable (the server does not answer; the room is not subscribed).
        """
        self._rooms.add(room)
        try:
            await self._ask_for(_ROOM_CHANNEL % room)
        except StoreUnavailable:
            self._rooms.discard(room)
            raise

    async def unsubscribe(self, room: int) -> None:
        """Hear a room no more."""
        self._rooms.discard(room)
        line = self._line
        if line is not None:
            with contextlib.suppress(*REDIS_FAILURES):  # a broken line forgets by itself
                await line.send_command("UNSUBSCRIBE", _ROOM_CHANNEL % room, check_health=False)

    async def announce(self, topic: str, payload: bytes) -> None:
        """Tell every follower of `topic`; who is away never hears it. Raises StoreUnavailable, StoreUnknown."""
        with telling():
            await self._redis.publish(_TOPIC_PREFIX + topic.encode(), payload)

    async def follow(self, topic: str) -> None:
        """Hear a topic's announcements. As `subscribe`, with the same warning."""
        if topic == RESYNC:
            raise ValueError("resync is the bus's own word")
        self._topics.add(topic)
        try:
            await self._ask_for(_TOPIC_PREFIX + topic.encode())
        except StoreUnavailable:
            self._topics.discard(topic)
            raise

    async def listen(self) -> AsyncIterator[News]:
        """Yield the news of every subscribed room and followed topic, for ever; one consumer a bus.

        A broken connection is made anew with back-off. Whenever one is made and something was already subscribed or
        followed, News with topic "resync" comes first: read the history of every room, something may be missing.
        """
        assert self._line is None, "a bus has one listener"
        pause = RECONNECT_SECONDS_MIN
        while True:
            line = self._new_line()
            try:
                await line.connect()
                _heed_cancellation()
                self._line = line  # from here on subscribe() asks by itself
                missed = bool(self._rooms or self._topics)
                await line.send_command("SUBSCRIBE", _FIRST_CHANNEL, *self._channels(), check_health=False)
                while True:
                    reply = await line.read_response(timeout=math.inf, disconnect_on_error=False)
                    _heed_cancellation()
                    pause = RECONNECT_SECONDS_MIN
                    news = self._read(reply, missed=missed)
                    if news is not None:
                        yield news
            except REDIS_FAILURES:
                _heed_cancellation()
                await asyncio.sleep(pause)
                pause = min(2 * pause, RECONNECT_SECONDS_MAX)
            finally:
                self._line = None
                # Whoever waits for a confirmation may go on: the next line says "resync".
                for channel in list(self._awaited):
                    self._confirm(channel)
                with contextlib.suppress(*REDIS_FAILURES):
                    await line.disconnect(nowait=True)

    async def report_viewers(self, node: str, counts: Mapping[int, int]) -> None:
        """Say how many watch each room at this node; forgotten after VIEWERS_SECONDS. Raises StoreUnavailable."""
        flat = [number for room, count in counts.items() for number in (room, count)]
        with asking():
            await self._report(keys=[_NODES_KEY, _NODE_KEY_PREFIX + node], args=[node, VIEWERS_SECONDS, *flat])

    async def viewers(self, rooms: Iterable[int]) -> dict[int, int]:
        """Sum what all nodes have reported of each of `rooms`. Raises StoreUnavailable."""
        asked = list(rooms)
        totals: dict[int, int] = {}
        with asking():
            for start in range(0, len(asked), _ROOMS_A_CALL):
                some = asked[start : start + _ROOMS_A_CALL]
                counts = await self._viewers(keys=[_NODES_KEY, _NODE_KEY_PREFIX], args=some)
                totals.update(zip(some, counts, strict=True))
        return totals

    def _new_line(self) -> Any:
        """Make a connection of our own beside the client's.

        redis-py's PubSub reconnects behind our back and says nothing of what was missed; a bare connection raises. And
        the older protocol takes 8 µs a message where the newer takes 14.
        """
        pool = self._redis.connection_pool
        return pool.connection_class(**{**pool.connection_kwargs, "protocol": 2, "retry": Retry(NoBackoff(), 0)})

    def _channels(self) -> list[bytes]:
        rooms = [_ROOM_CHANNEL % room for room in self._rooms]
        return rooms + [_TOPIC_PREFIX + topic.encode() for topic in self._topics]

    async def _ask_for(self, channel: bytes) -> None:
        """Subscribe on the standing line and wait for the confirmation; without a line the next one asks."""
        line = self._line
        if line is None:
            return
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(channel, []).append(confirmed)
        with contextlib.suppress(*REDIS_FAILURES):
            # If sending fails the line is broken: the listener makes the next one, which asks and says "resync".
            await line.send_command("SUBSCRIBE", channel, check_health=False)
        done, _ = await asyncio.wait([confirmed], timeout=SUBSCRIBED_SECONDS_MAX)
        if not done:
            confirmed.cancel()
            raise StoreUnavailable(f"no confirmation in {SUBSCRIBED_SECONDS_MAX:.0f} s")

    def _confirm(self, channel: bytes) -> None:
        for confirmed in self._awaited.pop(channel, ()):
            if not confirmed.done():
                confirmed.set_result(None)

    def _read(self, reply: Any, *, missed: bool) -> News | None:
        kind, channel, payload = reply
        if kind == b"subscribe":
            self._confirm(channel)
            if channel == _FIRST_CHANNEL and missed:
                return News(room=None, seq=None, topic=RESYNC, payload=b"")
        elif kind == b"message" and channel.startswith(_ROOM_PREFIX):
            room = int(channel[len(_ROOM_PREFIX) : -1])
            if room in self._rooms:  # or it was on its way while the room was left
                seq, _, event = payload.partition(b":")
                return News(room=room, seq=int(seq), topic=None, payload=event)
        elif kind == b"message" and channel.startswith(_TOPIC_PREFIX):
            return News(room=None, seq=None, topic=channel[len(_TOPIC_PREFIX) :].decode(), payload=payload)
        return None


def _heed_cancellation() -> None:
    """Raise what the driver swallowed: a cancellation that comes while it connects may end in a connection."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _head_key(room: int) -> str:
    return f"commeow:{{{room}}}:head"


def _history_key(room: int) -> str:
    return f"commeow:{{{room}}}:history"
