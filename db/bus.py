"""Shell: the news between processes: numbered room events with a short history, and passing announcements.

Valkey's fan-out loses messages without a word (a subscriber that was away or too slow), so every room event carries a
number that rises by one and stays in a capped history: who sees a gap, or hears "resync", reads the history.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.asyncio import RedisCluster
from redis.crc import key_slot

from db.cluster_ears import ClusterEars
from db.ears import Ears
from db.pool import REDIS_FAILURES, Script, asking, telling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from db.ears import Heard
    from db.pool import Client

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

# The topic of the news that news may be missing.
RESYNC = "resync"

# {room} in braces: a room's keys and its channel are of one slot of a cluster, so that one script has them all.
_ROOM_CHANNEL = b"commeow:room:{%d}"
_ROOM_PREFIX = b"commeow:room:{"
_TOPIC_PREFIX = b"commeow:topic:"

_PUBLISH = """
local first = redis.call('GET', KEYS[3])
if first then return tonumber(first) end
local seq = redis.call('INCR', KEYS[1])
-- A counter that began anew must not meet the lines of an old one, nor pass for it.
if seq == 1 and redis.call('DEL', KEYS[2]) == 1 then redis.call('DEL', KEYS[4]) end
local number = string.format('%.0f', seq)
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[2], number .. '-0', 'p', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], number, 'EX', ARGV[4])
local told = redis.pcall('SPUBLISH', ARGV[5], number .. ':' .. ARGV[1])
-- A server older than Redis 7 has no channels of a shard.
if type(told) == 'table' then redis.call('PUBLISH', ARGV[5], number .. ':' .. ARGV[1]) end
return seq
"""

_VOID = """
local first = redis.call('GET', KEYS[1])
if first then return tonumber(first) end
redis.call('SET', KEYS[1], '0', 'EX', ARGV[1])
return 0
"""

# Numbers are of a new epoch where the store has forgotten the old one, or numbers that somebody has seen.
_NUMBERS = """
local head = redis.call('GET', KEYS[1]) or '0'
local epoch = redis.call('GET', KEYS[2])
if not epoch or (epoch == ARGV[1] and tonumber(head) < tonumber(ARGV[2])) then
    epoch = ARGV[3]
    redis.call('SET', KEYS[2], epoch)
end
return {head, epoch}
"""

_ANNOUNCE = """
local told = redis.pcall('SPUBLISH', KEYS[1], ARGV[1])
if type(told) == 'table' then told = redis.call('PUBLISH', KEYS[1], ARGV[1]) end
return told
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


class Numbers(NamedTuple):
    """How far a room's numbers have come, and which numbers: another epoch counts anew from 1."""

    head: int
    epoch: str


@dataclass(frozen=True, slots=True)
class News:
    """One thing heard: a room's event (`room`, `seq`), an announcement (`topic`), or `topic` "resync"."""

    room: int | None
    seq: int | None
    topic: str | None
    payload: bytes


class Bus:
    """The news of the house, over one Valkey or a cluster. One object a process listens; payloads are opaque bytes."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._publish = Script(redis, _PUBLISH)
        self._void = Script(redis, _VOID)
        self._numbers = Script(redis, _NUMBERS)
        self._announce = Script(redis, _ANNOUNCE)
        self._pace = Script(redis, _PACE)
        self._report = Script(redis, _REPORT)
        self._viewers = Script(redis, _VIEWERS)
        self._ears: Ears | ClusterEars = ClusterEars(redis) if isinstance(redis, RedisCluster) else Ears(redis)
        self._listening = False

    @property
    def is_one_server(self) -> bool:
        """Whether all rooms are at one server, which is there for all of them or for none."""
        return not isinstance(self._redis, RedisCluster)

    def by_server(self, rooms: Iterable[int]) -> list[list[int]]:
        """Part rooms by the server that has them, as far as is known."""
        parted: dict[str | None, list[int]] = {}
        for room in rooms:
            parted.setdefault(self._server_of(room), []).append(room)
        return list(parted.values())

    def _server_of(self, room: int) -> str | None:
        if not isinstance(self._redis, RedisCluster):
            return None
        with contextlib.suppress(KeyError, *REDIS_FAILURES):  # A slot without a node.
            return str(self._redis.nodes_manager.get_node_from_slot(key_slot(_head_key(room).encode())).name)
        return None

    async def publish(
        self, room: int, payload: bytes, *, once: str | None = None, once_seconds: int = ONCE_SECONDS
    ) -> int:
        """Number an event, keep it in the history and tell every subscriber, in one step; return the number.

        Numbers begin at 1. With `once`, the same key again within `once_seconds` returns the first number and tells
        nobody; 0 of one that is void. Raises StoreUnavailable (surely not published) or StoreUnknown (retry with the
        same `once`).
        """
        key, seconds = (f"r:{secrets.token_hex(8)}", RESEND_SECONDS) if once is None else (f"o:{once}", once_seconds)
        keys = [_head_key(room), _history_key(room), _once_key(room, key), _epoch_key(room)]
        args = [payload, HISTORY_LINES_MAX, HISTORY_SECONDS_MAX, seconds, _ROOM_CHANNEL % room]
        async with telling():
            return int(await self._publish(keys=keys, args=args))

    async def void(self, room: int, once: str, once_seconds: int) -> int:
        """Let nothing be published under a key any more, within `once_seconds`; return the number of what was, else 0.

        A try that is still on its way comes too late. Raises StoreUnavailable.
        """
        async with asking():
            return int(await self._void(keys=[_once_key(room, f"o:{once}")], args=[once_seconds]))

    async def pace(self, room: int, member_id: int, seconds: int, once: str) -> int:
        """Let one line a member through in `seconds`, whatever worker it comes to; answer 0, or the ms to wait.

        `once` names the line: the same again is let through again. Raises StoreUnavailable.
        """
        async with asking():
            return int(await self._pace(keys=[f"commeow:{{{room}}}:pace:{member_id}"], args=[seconds * 1000, once]))

    async def head(self, room: int) -> int:
        """Return the number of a room's latest event, 0 before the first. Raises StoreUnavailable."""
        async with asking():
            return int(await self._redis.get(_head_key(room)) or 0)

    async def touch(self, room: int) -> None:
        """See that the store takes what is written in a room, by a write that changes no number.

        It goes to the store's file and its replicas as any write does, and gives a room without a number the number 0,
        which is as none. A store that can only be read (a replica, a full memory or disk) refuses. Raises
        StoreUnavailable.
        """
        async with asking():
            await self._redis.incrby(_head_key(room), 0)

    async def numbers(self, room: int, *, epoch: str = "", seen: int = 0) -> Numbers:
        """Return the number of a room's latest event, and its epoch: another one than `epoch` counts anew.

        `seen` is the highest number of `epoch` that the caller knows: a store that has not come so far has lost its end
        (a crash between two writes of its file), and what it gives next is of a new epoch. Raises StoreUnavailable.
        """
        async with asking():
            head, now = await self._numbers(
                keys=[_head_key(room), _epoch_key(room)], args=[epoch, seen, secrets.token_hex(8)]
            )
        return Numbers(int(head), now.decode())

    async def history(self, room: int, *, after: int, limit: int) -> list[Entry]:
        """Return the newest `limit` events with a number above `after`, the oldest of them first.

        If the first is not `after + 1`, the events between are gone or beyond the limit. Raises StoreUnavailable.
        """
        async with asking():
            newest_first: Any = await self._redis.xrevrange(
                _history_key(room), "+", f"{after + 1}-0", count=min(limit, HISTORY_LINES_MAX)
            )
        return [Entry(int(entry_id.partition(b"-")[0]), fields[b"p"]) for entry_id, fields in reversed(newest_first)]

    async def subscribe(self, room: int) -> None:
        """Hear a room's events: each one published after this returns is heard, or a "resync" is.

        Must not be awaited by the loop that consumes `listen()`: the confirmation comes the same way as the news.
        Raises StoreUnavailable (the server does not answer; the room is not subscribed).
        """
        await self._ears.subscribe(_ROOM_CHANNEL % room)

    async def unsubscribe(self, room: int) -> None:
        """Hear a room no more."""
        await self._ears.unsubscribe(_ROOM_CHANNEL % room)

    async def announce(self, topic: str, payload: bytes) -> None:
        """Tell every follower of `topic`; who is away never hears it. Raises StoreUnavailable, StoreUnknown."""
        async with telling():
            await self._announce(keys=[_TOPIC_PREFIX + topic.encode()], args=[payload])

    async def follow(self, topic: str) -> None:
        """Hear a topic's announcements. As `subscribe`, with the same warning."""
        if topic == RESYNC:
            raise ValueError("resync is the bus's own word")
        await self._ears.subscribe(_TOPIC_PREFIX + topic.encode())

    async def listen(self) -> AsyncIterator[News]:
        """Yield the news of every subscribed room and followed topic, for ever; one consumer a bus.

        A broken connection is made anew with back-off. Whenever one is made and something was already subscribed or
        followed, News with topic "resync" comes first: read the history of every room, something may be missing.
        """
        assert not self._listening, "a bus has one listener"
        self._listening = True
        try:
            async with contextlib.aclosing(self._ears.hear()) as heard:
                async for each in heard:
                    yield _news(each)
        finally:
            self._listening = False

    async def report_viewers(self, node: str, counts: Mapping[int, int]) -> None:
        """Say how many watch each room at this node; forgotten after VIEWERS_SECONDS. Raises StoreUnavailable."""
        flat = [number for room, count in counts.items() for number in (room, count)]
        async with asking():
            await self._report(keys=[_NODES_KEY, _NODE_KEY_PREFIX + node], args=[node, VIEWERS_SECONDS, *flat])

    async def viewers(self, rooms: Iterable[int]) -> dict[int, int]:
        """Sum what all nodes have reported of each of `rooms`. Raises StoreUnavailable."""
        asked = list(rooms)
        totals: dict[int, int] = {}
        async with asking():
            for start in range(0, len(asked), _ROOMS_A_CALL):
                some = asked[start : start + _ROOMS_A_CALL]
                counts = await self._viewers(keys=[_NODES_KEY, _NODE_KEY_PREFIX], args=some)
                totals.update(zip(some, counts, strict=True))
        return totals


def _news(heard: Heard) -> News:
    if heard is None:
        return News(room=None, seq=None, topic=RESYNC, payload=b"")
    channel, payload = heard
    if channel.startswith(_TOPIC_PREFIX):
        return News(room=None, seq=None, topic=channel[len(_TOPIC_PREFIX) :].decode(), payload=payload)
    seq, _, event = payload.partition(b":")
    return News(room=int(channel[len(_ROOM_PREFIX) : -1]), seq=int(seq), topic=None, payload=event)


def _head_key(room: int) -> str:
    return f"commeow:{{{room}}}:head"


def _history_key(room: int) -> str:
    return f"commeow:{{{room}}}:history"


def _once_key(room: int, key: str) -> str:
    return f"commeow:{{{room}}}:once:{key}"


def _epoch_key(room: int) -> str:
    return f"commeow:{{{room}}}:epoch"
