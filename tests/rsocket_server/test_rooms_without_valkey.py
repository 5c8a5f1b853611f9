"""Rooms whose Valkey is killed, comes back with its data or without, or hangs, while people watch.

What was said stays on the screen and can be read by who comes. What is said meanwhile is seen by those at the same
worker who know of lines without a number; of others it is refused, with what to do about it. When Valkey is back
everything goes on by itself, in one order everywhere, and no line is lost or comes twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from console.embedded import Valkey
from db import ears, pool
from db.bus import Bus
from db.conduct import Case, Rules
from db.errors import StoreError, StoreUnavailable, StoreUnknown
from db.pool import open_redis
from rsocket_server.room import Seat
from rsocket_server.rooms import Rooms
from rsocket_server.watch import Wishes
from tests.rsocket_server.script import MIMI, NABI
from tests.rsocket_server.test_rooms import ROOM, Reader, say, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def rooms_at(url: str) -> AsyncIterator[Rooms]:
    """The rooms of one worker, whatever its Valkey does."""
    redis = open_redis(url)
    rooms = Rooms(
        Bus(redis),
        stamp=lambda seq, payload: b"%d:%s" % (seq, payload),
        keep=lambda payload: payload.startswith(b"kept"),
        gap=lambda skipped, first, last: b"gap %d %d-%d" % (skipped, first, last),
        count=lambda viewers: b"viewers %d" % viewers,
        node="node",
    )
    running = asyncio.create_task(rooms.run())
    try:
        yield rooms
    finally:
        rooms.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await redis.aclose()


moments = itertools.count(100, 10)  # So far apart that nobody speaks too fast, however often he tries.


async def pid_of(server: Valkey) -> int:
    redis = open_redis(server.url)
    pid = (await redis.info("server"))["process_id"]
    await redis.aclose()
    return int(pid)


async def say_until_said(rooms: Rooms, text: str, reader: Reader) -> None:
    """Say a line as a client does: again with the same id until it is answered; then see it once."""
    async with asyncio.timeout(60):
        while True:
            try:
                (seq,) = await say(rooms, text, member=MIMI, now=next(moments))
                break
            except StoreError:
                await asyncio.sleep(0.02)
        while b"%d:%s" % (seq, text.encode()) not in reader.lines:
            await asyncio.sleep(0.01)


async def enter(rooms: Rooms) -> Reader:
    """Watch as a client does: again while it is told to come back."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await watch(rooms)
            except StoreUnavailable:
                await asyncio.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path, no_task_left: None) -> Path:
    return tmp_path / "valkey"


@pytest.mark.parametrize("with_data", [True, False], ids=["with its data", "empty"])
async def test_a_valkey_that_dies_and_comes_back(folder: Path, with_data: bool) -> None:
    async with rooms_at(f"unix://{folder}/valkey.sock") as rooms:
        async with Valkey(folder) as server:
            reader = await watch(rooms)
            await say(rooms, "one", "two")
            assert await reader.heard(2) == [b"1:one", b"2:two"]
            os.kill(await pid_of(server), signal.SIGKILL)

        with pytest.raises(StoreError):
            await say(rooms, "lost")
        late = await watch(rooms)
        assert await late.heard(2) == [b"1:one", b"2:two"]

        if not with_data:
            shutil.rmtree(folder)
        async with Valkey(folder):
            await say_until_said(rooms, "three", reader)
            await say(rooms, "four")
            heard = [await each.heard(4) for each in (reader, late)]
            again = await watch(rooms, since=2 if with_data else 0)

            numbers = (3, 4) if with_data else (1, 2)
            after = [b"%d:three" % numbers[0], b"%d:four" % numbers[1]]
            assert heard == [[b"1:one", b"2:two", *after]] * 2
            assert await again.heard(2) == after
            assert reader.completed == late.completed == 0


async def test_a_valkey_that_hangs_holds_up_its_speakers_and_nobody_else(folder: Path, monkeypatch: Any) -> None:
    async with Valkey(folder) as server:
        pid = await pid_of(server)
        monkeypatch.setattr(pool, "REDIS_ANSWER_SECONDS_MAX", 1.0)
        monkeypatch.setattr(pool, "REDIS_RETRIES", 0)
        async with rooms_at(server.url) as rooms:
            reader = await enter(rooms)
            await say_until_said(rooms, "one", reader)
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(StoreError):
                    await say(rooms, "two", member=MIMI)
                late = await watch(rooms)
                assert await late.heard(1) == [b"1:one"]
            finally:
                os.kill(pid, signal.SIGCONT)
            # The line that was held up has been said by now, or is said now: once.
            for text in ("three", "two", "four"):
                await say_until_said(rooms, text, reader)

            said = [line.partition(b":") for line in reader.lines]
            assert [number for number, _, _ in said] == [b"1", b"2", b"3", b"4"]
            assert sorted(text for _, _, text in said) == [b"four", b"one", b"three", b"two"]


async def test_each_who_asks_a_valkey_that_hangs_hears_so_in_time(folder: Path, monkeypatch: Any) -> None:
    """Whatever is asked, and with the driver's own limits as they are: ours is the shorter."""
    async with Valkey(folder) as server, rooms_at(server.url) as rooms:
        pid = await pid_of(server)
        reader = await enter(rooms)
        await say_until_said(rooms, "one", reader)
        os.kill(pid, signal.SIGSTOP)
        try:
            monkeypatch.setattr(pool, "REDIS_CALL_SECONDS_MAX", 0.2)
            monkeypatch.setattr(ears, "SUBSCRIBED_SECONDS_MAX", 0.2)
            slow = Case(datetime.now(UTC), Rules(slow_seconds=60))
            asked = [
                say(rooms, "two", member=MIMI, now=next(moments)),
                rooms.say(ROOM, NABI, "three", b"three", next(moments), once="three", case=slow),
                rooms.watch(2, Seat("somebody"), Wishes()),
                rooms.follow("a topic"),
                rooms.tick(asyncio.get_running_loop().time()),
            ]
            async with asyncio.timeout(60):
                answers = await asyncio.gather(*asked, return_exceptions=True)
        finally:
            os.kill(pid, signal.SIGCONT)

        assert [type(answer) for answer in answers] == [StoreUnknown, *[StoreUnavailable] * 4]


async def test_a_room_is_not_entered_while_nobody_knows_its_past(folder: Path) -> None:
    """A worker that has started, and a room that nobody watches here yet: the viewer is told to come back."""
    async with rooms_at(f"unix://{folder}/valkey.sock") as rooms:
        with pytest.raises(StoreUnavailable):
            await watch(rooms)
        async with Valkey(folder):
            reader = await enter(rooms)
            await say_until_said(rooms, "one", reader)

            assert reader.lines == [b"1:one"]


async def say_here(rooms: Rooms, text: str, *, member: Any = NABI) -> int:
    """Say a line as a client does that knows of lines without a number."""
    return await rooms.say(ROOM, member, text, text.encode(), next(moments), once=f"{member.id} {text}", local_id=text)


async def heard(reader: Reader, line: bytes) -> None:
    async with asyncio.timeout(60):
        while line not in reader.lines:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("with_data", [True, False], ids=["with its data", "empty"])
async def test_two_workers_talk_on_by_themselves_and_come_together(folder: Path, with_data: bool) -> None:
    url = f"unix://{folder}/valkey.sock"
    async with rooms_at(url) as here, rooms_at(url) as there:
        async with Valkey(folder) as server:
            pid = await pid_of(server)
            old = await watch(here)
            readers = [await watch(rooms, local=True) for rooms in (here, there)]
            assert await say_here(here, "before") == 1
            for reader in (*readers, old):
                await heard(reader, b"1:before")
            os.kill(pid, signal.SIGKILL)

        assert [await say_here(here, f"here {number}") for number in range(3)] == [0, 0, 0]
        assert [await say_here(there, f"there {number}", member=MIMI) for number in range(3)] == [0, 0, 0]
        await heard(readers[0], b"local:here 2")
        await heard(readers[1], b"local:there 2")
        assert [reader.lines[1:] for reader in readers] == [
            [b"away", *(b"local:%s %d" % (name, number) for number in range(3))] for name in (b"here", b"there")
        ]
        assert old.lines == [b"1:before"]

        if not with_data:
            shutil.rmtree(folder)
        async with Valkey(folder):
            for reader in readers:
                await heard(reader, b"back")
            seq = await say_here(here, "after")
            assert seq == (8 if with_data else 7)
            for reader in (*readers, old):
                await heard(reader, b"%d:after" % seq)

            numbered = [[line for line in reader.lines if line[:1].isdigit()][1:] for reader in (*readers, old)]
            assert numbered[0] == numbered[1] == numbered[2]
            said = [line.partition(b":")[2].decode() for line in numbered[0]]
            assert sorted(said) == sorted(
                ["after", *(f"{name} {number}" for name in ("here", "there") for number in range(3))]
            )
            for name in ("here", "there"):
                assert [text for text in said if text.startswith(name)] == [f"{name} {number}" for number in range(3)]
            # Whoever comes now reads the same.
            again = await watch(there, since=1 if with_data else 0, local=True)
            assert await again.heard(7) == numbered[0]


async def test_a_room_in_which_nobody_speaks_is_told_too(folder: Path) -> None:
    async with rooms_at(f"unix://{folder}/valkey.sock") as rooms:
        async with Valkey(folder) as server:
            pid = await pid_of(server)
            reader = await watch(rooms, local=True)
            os.kill(pid, signal.SIGKILL)
        await heard(reader, b"away")
        async with Valkey(folder):
            await heard(reader, b"back")

            assert reader.lines == [b"away", b"back"]
