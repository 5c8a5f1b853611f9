"""Shell: the ear of a plain server: what it is told of channels, also by a server that is older than they are.

That it says when news may be missing is `test_bus`.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from console.embedded import Valkey
from db import ears
from db.bus import Bus
from db.ears import Ear, Waiting
from db.errors import StoreUnavailable
from db.pool import open_redis
from tests.db.test_bus import RESYNCED, listening, said, take


class OldValkey(Valkey):
    """As Redis 6 is: it has no channels of a shard."""

    def _command(self):
        renamed = [("--rename-command", name, "") for name in ("SSUBSCRIBE", "SUNSUBSCRIBE", "SPUBLISH")]
        return [*super()._command(), *(word for words in renamed for word in words)]


async def test_a_server_that_is_older_than_shards_is_heard_by_its_own_channels(tmp_path):
    async with OldValkey(tmp_path / "valkey") as server:
        redis = open_redis(server.url)
        bus, other = Bus(redis), Bus(redis)
        await bus.subscribe(7)
        await bus.follow("orders")
        async with listening(bus) as news:
            assert await take(news) == [RESYNCED]
            await bus.subscribe(8)
            await other.publish(7, b"seven")
            await other.publish(8, b"eight")
            await other.announce("orders", b"an id")
            assert [item.payload for item in await take(news, 3)] == [b"seven", b"eight", b"an id"]
            await bus.unsubscribe(7)
            await other.publish(7, b"not heard")
            await other.publish(8, b"heard")
            assert await take(news) == [said(8, 2, b"heard")]
            await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            assert await take(news) == [RESYNCED]
        await redis.aclose()


async def test_a_server_of_today_is_heard_by_the_channels_of_a_shard(redis):
    bus = Bus(redis)
    await bus.subscribe(7)
    async with listening(bus) as news:
        await take(news)

        assert await redis.execute_command("PUBSUB", "SHARDCHANNELS") == [b"commeow:room:{7}"]
        assert await redis.execute_command("PUBSUB", "CHANNELS") == []


class Line:
    """A server by script: replies as they are to come; exceptions are raised, calls awaited, the last is waited for."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.sent = []

    async def connect(self):
        pass

    async def disconnect(self, *, nowait):
        pass

    def pack_commands(self, commands):
        return commands

    async def send_packed_command(self, commands, *, check_health):
        self.sent += commands

    async def send_command(self, *words, check_health):
        self.sent.append(words)

    async def read_response(self, *, timeout, disconnect_on_error):  # noqa: ASYNC109 (redis-py's own form)
        if not self.replies:
            await asyncio.Event().wait()
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return await reply() if callable(reply) else reply


async def heard(ear, count):
    async with asyncio.timeout(60), contextlib.aclosing(ear.hear()) as news:
        return [await anext(news) for _ in range(count)]


async def test_a_channel_that_a_server_gives_up_by_itself_is_asked_for_again():
    line = Line(
        (b"ssubscribe", b"a", 1), (b"sunsubscribe", b"a", 0), (b"ssubscribe", b"a", 1), (b"smessage", b"a", b"on")
    )
    ear = Ear(lambda: line, lambda _: None)
    await ear.take([b"a"])

    assert await heard(ear, 3) == [None, None, (b"a", b"on")]
    assert line.sent == [("SSUBSCRIBE", b"a"), ("SSUBSCRIBE", b"a")]


async def test_a_channel_that_was_left_is_not_asked_for_again():
    line = Line((b"ssubscribe", b"a", 1), (b"ssubscribe", b"b", 2))
    ear = Ear(lambda: line, lambda _: None)
    await ear.take([b"a", b"b"])
    async with asyncio.timeout(60), contextlib.aclosing(ear.hear()) as news:
        assert await anext(news) is None
        await ear.drop(b"a")
        line.replies += [(b"smessage", b"a", b"late"), (b"sunsubscribe", b"a", 1), (b"smessage", b"b", b"on")]
        assert await anext(news) == (b"b", b"on")

    assert sorted(line.sent[:2]) == [("SSUBSCRIBE", b"a"), ("SSUBSCRIBE", b"b")]
    assert line.sent[2:] == [("SUNSUBSCRIBE", b"a")]


async def test_a_channel_that_is_left_before_it_is_heard_again_hides_nothing_that_was_missed_of_others():
    async def left_meanwhile():
        await ear.drop(b"b")
        return b"ssubscribe", b"b", 2

    replies = (b"ssubscribe", b"a", 1), left_meanwhile, (b"sunsubscribe", b"b", 1), (b"smessage", b"a", b"on")
    line = Line(*replies)
    ear = Ear(lambda: line, lambda _: None)
    await ear.take([b"a", b"b"])

    assert await heard(ear, 2) == [None, (b"a", b"on")]


async def test_nothing_is_kept_of_channels_that_were_left():
    line = Line((b"ssubscribe", b"a", 1))
    ear = Ear(lambda: line, lambda _: None)
    await ear.take([b"a"])
    async with asyncio.timeout(60), contextlib.aclosing(ear.hear()) as news:
        assert await anext(news) is None
        for channel in (b"b", b"c"):
            await ear.take([channel])
            await ear.drop(channel)
            line.replies += [(b"ssubscribe", channel, 2), (b"sunsubscribe", channel, 1)]
        line.replies.append((b"smessage", b"a", b"on"))
        assert await anext(news) == (b"a", b"on")

    assert not ear._leaving


async def test_who_waits_for_a_confirmation_waits_no_longer_than_a_round_trip(monkeypatch):
    monkeypatch.setattr(ears, "SUBSCRIBED_SECONDS_MAX", 0.01)
    waiting = Waiting()
    confirmed, late = waiting.begin(b"a"), waiting.begin(b"b")
    waiting.confirm(b"a")
    await waiting.end(b"a", confirmed)
    with pytest.raises(StoreUnavailable):
        await waiting.end(b"b", late)
    assert waiting._futures == {}  # It may never be confirmed.
    waiting.confirm(b"b")
    waiting.confirm(b"c")


async def test_who_gives_up_leaves_those_who_still_wait():
    waiting = Waiting()
    first, second = (asyncio.create_task(waiting.end(b"a", waiting.begin(b"a"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert not second.done()
    waiting.confirm(b"a")
    async with asyncio.timeout(60):
        await second

    assert first.cancelled()


async def test_a_server_that_says_nothing_is_asked_and_then_given_up(monkeypatch):
    monkeypatch.setattr(ears, "RECONNECT_SECONDS_MIN", 0.0)
    silent = Line(None, b"PONG", None, None)
    lines = [silent, Line((b"ssubscribe", b"a", 1))]
    ear = Ear(lambda: lines.pop(0), lambda _: None, silence_seconds=1.0)
    await ear.take([b"a"])

    assert await heard(ear, 1) == [None]
    assert silent.sent == [("SSUBSCRIBE", b"a"), ("PING",), ("PING",)]
