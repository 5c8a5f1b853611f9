"""20 kill -9 of a worker of two with 200 bots in one room: nothing acked is lost, nothing comes twice, all are back.

    python tests/bench/check_kills_chat.py [--bots 200] [--kills 20] [--forget]

Each bot watches, says a line every few seconds with an id of its own until it has its number, and comes back by itself
when its line was cut: with `since`, after a moment of chance, as PROTOCOL.md tells clients to. At the end everyone must
have had every acked line once and in one order. Before that, the hop: how much later a line is seen by a watcher on the
other worker than by one on its speaker's own. Exit code 1 if anything was lost, came twice or in another order, or
somebody's watch took longer than 5 s to go on. That it can fail is seen with `--forget`: bots that come back without
`since`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import psutil
from bots import Bot, Gone, People, Refused, open_house, percentile, rsocket_processes
from house import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

SAY_SECONDS = (3.0, 7.0)
KILL_SECONDS = 2.0
CALL_SECONDS_MAX = 15.0
HOP_SECONDS_MAX = 10.0
HOPS_EACH = 5  # As many lines as one may say at once.
HOP_GUESTS = 12  # All on one worker once in two thousand runs.
BACK_SECONDS_MAX = 5.0
COME_BACK_SECONDS = 0.5


class Member:
    """One who stays in the room, whatever happens to the workers."""

    def __init__(self, token: str, channel: str, port: int, *, forget: bool) -> None:
        self._token = token
        self._channel = channel
        self._port = port
        self._forget = forget
        self._bot: Bot | None = None
        self._gone_at: float | None = None
        self.seqs: list[int] = []
        self.gaps: list[tuple[int, int]] = []
        self.acked: list[int] = []
        self.away: list[float] = []
        self.texts: dict[int, str] = {}

    def _event(self, payload: bytes) -> None:
        if self._gone_at is not None:
            self.away.append(time.monotonic() - self._gone_at)
            self._gone_at = None
        event = json.loads(payload)
        if event["kind"] == "gap":
            self.gaps.append((event["from_seq"], event["to_seq"]))
        if "seq" in event:
            self.seqs.append(event["seq"])
            self.texts[event["seq"]] = event.get("text", "")

    def _place(self) -> dict[str, int]:
        if not self.seqs:
            return {"since": 0}
        return {} if self._forget else {"since": self.seqs[-1]}

    async def stay(self, until: asyncio.Event) -> None:
        """Be connected, and count how long one heard nothing."""
        while not until.is_set():
            bot = Bot(self._token)
            try:
                await bot.open(self._port)
            except (OSError, TimeoutError, Gone):
                bot.transport and bot.transport.abort()
                await asyncio.sleep(COME_BACK_SECONDS * random.random())
                continue
            bot.watch({"channel": self._channel, **self._place()}, self._event)
            self._bot = bot
            await bot.lost
            self._bot = None
            if self._gone_at is None:
                self._gone_at = time.monotonic()
            await asyncio.sleep(COME_BACK_SECONDS * random.random())

    async def talk(self, until: asyncio.Event) -> None:
        """Say a line now and then, each until it is acked."""
        await asyncio.sleep(random.random() * SAY_SECONDS[1])
        while not until.is_set():
            line_id = uuid.uuid4().hex
            while not await self._say(line_id):
                await asyncio.sleep(0.2)
            await asyncio.sleep(random.uniform(*SAY_SECONDS))

    async def _say(self, line_id: str) -> bool:
        if self._bot is None:
            return False
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                said = await self._bot.call("chat.say", {"channel": self._channel, "id": line_id, "text": line_id})
        except (Gone, Refused, TimeoutError):
            return False
        self.acked.append(said["seq"])
        return True


# --- the hop ----------------------------------------------------------------------------------------------------------


def lines_of(workers: list[psutil.Process]) -> dict[int, int]:
    """Which worker has which client, by the client's port."""
    return {
        line.raddr.port: worker.pid
        for worker in workers
        for line in worker.net_connections("tcp")
        if line.status == psutil.CONN_ESTABLISHED and line.raddr
    }


async def hop(people: People, channel: str, tokens: list[str]) -> tuple[list[float], list[float]]:
    """Answer how long a line is on its way to a watcher on its speaker's worker, and how much longer to the other."""
    port = people.house.rsocket_port
    talkers = [await Bot(token).open(port) for token in tokens]
    guests = [await Bot().open(port) for _ in range(HOP_GUESTS)]
    workers = lines_of(rsocket_processes(people.house))
    watching = {workers[guest.local_port]: guest for guest in guests}
    assert len(watching) == 2, "all guests came to one worker: run again"
    heard: dict[int, dict[str, float]] = {worker: {} for worker in watching}
    both = asyncio.Event()

    def hear(worker: int) -> Callable[[bytes], None]:
        def event(payload: bytes) -> None:
            said = json.loads(payload)
            if said["kind"] == "said":
                heard[worker][said["id"]] = time.monotonic()
                if all(said["id"] in at for at in heard.values()):
                    both.set()

        return event

    for worker, guest in watching.items():
        guest.watch({"channel": channel, "history": 0}, hear(worker))
    await asyncio.sleep(0.5)
    own, extra = [], []
    for number in range(HOPS_EACH * len(talkers)):
        talker, line_id = talkers[number % len(talkers)], f"h{number}"
        both.clear()
        began = time.monotonic()
        async with asyncio.timeout(HOP_SECONDS_MAX):
            await talker.call("chat.say", {"channel": channel, "id": line_id, "text": line_id})
            await both.wait()
        here = workers[talker.local_port]
        (there,) = heard.keys() - {here}
        own.append(heard[here][line_id] - began)
        extra.append(heard[there][line_id] - heard[here][line_id])
    for bot in (*guests, *talkers):
        bot.abort()
    return own, extra


# --- the kills --------------------------------------------------------------------------------------------------------


def judge(members: list[Member]) -> list[str]:
    """Say what was lost, came twice or came in another order."""
    acked = {seq for member in members for seq in member.acked}
    wrong = []
    if len(acked) != sum(len(member.acked) for member in members):
        wrong.append("two lines were acked with one number")
    texts: dict[int, str] = {}
    for number, member in enumerate(members):
        if any(later <= earlier for earlier, later in zip(member.seqs, member.seqs[1:], strict=False)):
            wrong.append(f"bot {number} had something twice or in another order")
        skipped = {seq for first, last in member.gaps for seq in range(first, last + 1)}
        missing = acked - set(member.seqs)
        if missing:
            wrong.append(
                f"bot {number} misses {len(missing)} acked lines, {len(missing & skipped)} of them by a gap:"
                f" {sorted(missing)[:5]}"
            )
        for seq, text in member.texts.items():
            if texts.setdefault(seq, text) != text:
                wrong.append(f"number {seq} is two lines")
    said = [text for text in texts.values() if len(text) == len(uuid.uuid4().hex)]
    if len(set(said)) != len(said):
        wrong.append(f"{len(said) - len(set(said))} lines were said twice")
    return wrong


def listening(people: People) -> set[int]:
    """The workers that can be connected to."""
    found = set()
    for worker in rsocket_processes(people.house):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(line.status == psutil.CONN_LISTEN for line in worker.net_connections("tcp")):
                found.add(worker.pid)
    return found


async def kill_one(people: People) -> None:
    """Kill a worker and wait until there is another."""
    before = listening(people)
    victim = random.choice(sorted(before))
    psutil.Process(victim).send_signal(signal.SIGKILL)
    await asyncio.sleep(KILL_SECONDS)
    await eventually(lambda: len(listening(people) - {victim}) == len(before), what="a new worker")


async def stay_and_talk(people: People, channel: str, tokens: list[str], options: argparse.Namespace) -> list[Member]:
    """Let everyone be in the room while workers are killed; answer what each has had."""
    members = [Member(token, channel, people.house.rsocket_port, forget=options.forget) for token in tokens]
    ending, quiet = asyncio.Event(), asyncio.Event()
    staying = [asyncio.create_task(member.stay(ending)) for member in members]
    talking = [asyncio.create_task(member.talk(quiet)) for member in members]
    await asyncio.sleep(3 * KILL_SECONDS)
    for _ in range(options.kills):
        await kill_one(people)
    quiet.set()
    await asyncio.gather(*talking)
    last = max(seq for member in members for seq in member.acked)
    with contextlib.suppress(AssertionError):
        await eventually(lambda: all(member.seqs and member.seqs[-1] >= last for member in members), what="the rest")
    ending.set()
    for task in staying:
        task.cancel()
    await asyncio.gather(*staying, return_exceptions=True)
    return members


async def main(options: argparse.Namespace) -> int:
    began = time.monotonic()
    async with open_house(COMMEOW_RSOCKET_WORKERS="2") as people:
        ((streamer, _),) = await people.make(1)
        tokens = [token for _, token in await people.make(options.bots)]
        own, extra = await hop(people, streamer.nickname, tokens)
        members = await stay_and_talk(people, streamer.nickname, tokens, options)
    told: Any = [f"{percentile(ways, share):.2f}" for ways in (own, extra) for share in (0.5, 0.99)]
    print("speaker to a watcher on the same worker: p50 {} ms, p99 {}; the other: p50 {} more, p99 {}".format(*told))
    wrong = judge(members)
    away = [seconds for member in members for seconds in member.away]
    acked, had = (sum(len(each) for each in lists) for lists in zip(*((m.acked, m.seqs) for m in members), strict=True))
    seconds = time.monotonic() - began
    print(f"{options.kills} kills in {seconds:.0f} s, {options.bots} bots, {acked} lines acked, {had} had")
    print(
        "away {} times, until the watch went on s: p50 {:.2f}, p99 {:.2f}, max {:.2f}".format(
            len(away), *(percentile(away, share) / 1000 for share in (0.5, 0.99, 1.0))
        )
    )
    print("\n".join(wrong[:20]) or "nothing lost, nothing twice, one order")
    return int(bool(wrong) or max(away) > BACK_SECONDS_MAX)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bots", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--forget", action="store_true", help="plant a fault in the bots: the check must fail")
    sys.exit(asyncio.run(main(parser.parse_args())))
