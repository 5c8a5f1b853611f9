"""10,000 chat lines a second offered by 500 bots: the honest are heard, donations arrive.

    python tests/bench/bench_flood.py [--bots 500] [--lines 10000] [--seconds 20] [--pelters 0]

A whole house with one worker. Bots of a member each say lines by fire-and-forget, whether they are taken or not; one
who may speak says a line every other second and waits for its number; four times a second somebody gives; twenty watch.
Told are how many lines were offered, taken by the bots' sockets and let into the room, how long the honest lines and
the donations took (from the request to the last watcher), and what the worker used. With `--pelters` so many guests
more send the smallest frames there are, by turns pings, keepalives, credit and cancels, as fast as their sockets take
them, and come back when they are cut off; with `--lines 0` they are alone. Exit code 1 if a donation or an honest line
was lost or refused, or donations took longer than 500 ms (p99).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import time
import uuid

from bots import Bot, Gone, Refused, open_house, percentile, rsocket_processes

from tests.rsocket_server import script

WATCHERS = 20
HONEST_SECONDS = 2.0
GIFT_SECONDS = 0.25
DONORS = 10  # Nobody gives faster than one may.
GIFT_MS_MAX = 500.0
TICK_SECONDS = 0.02
PELT_BYTES = 16 * 1024


class Seen:
    """What the watchers were told, and when the last of them was."""

    def __init__(self) -> None:
        self.said = 0
        self.last: dict[str, float] = {}
        self.times: dict[str, int] = {}
        self.skipped = 0

    def event(self, payload: bytes) -> None:
        """Take one event of one watcher."""
        event = json.loads(payload)
        if event["kind"] == "gap":
            self.skipped += event["skipped"]
        if event["kind"] not in {"said", "donated"}:
            return
        self.said += event["kind"] == "said"
        if event["kind"] == "donated" or event["id"].startswith("honest"):
            self.last[event["id"]] = time.monotonic()
            self.times[event["id"]] = self.times.get(event["id"], 0) + 1


async def flood(bots: list[Bot], channel: str, rate: int, until: float) -> tuple[int, int]:
    """Say `rate` lines a second, all bots together; answer how many were offered and how many sockets took."""
    offered = taken = number = 0
    began = time.monotonic()
    while (now := time.monotonic()) < until:
        due = int((now - began) * rate) - offered
        for _ in range(due):
            number += 1
            bot = bots[number % len(bots)]
            offered += 1
            if not bot.is_full:  # A flooder's own socket is full: it would wait.
                taken += 1
                bot.fire("chat.say", {"channel": channel, "id": f"f{number}", "text": f"flood {number}"})
        await asyncio.sleep(TICK_SECONDS)
    return offered, taken


def masked(first: int, message: bytes = b"") -> bytes:
    """A client's short frame, with a mask of zeros."""
    return bytes([first, 0x80 | len(message)]) + bytes(4) + message


SMALLEST = (
    masked(0x89),
    masked(0x82, script.keepalive()),
    masked(0x82, script.request_n(99, 1)),
    masked(0x82, script.cancel(99)),
)


async def pelt(port: int, small: bytes, until: float) -> tuple[int, int]:
    """Send the same frame as fast as it is taken; answer how many bytes went, and how often one was cut off."""
    sent = cuts = 0
    volley = small * (PELT_BYTES // len(small))
    while time.monotonic() < until:
        try:
            bot = await Bot().open(port)
        except (Gone, OSError, TimeoutError):
            await asyncio.sleep(TICK_SECONDS)
            continue
        while not bot.lost.done() and time.monotonic() < until:
            if bot.is_full:
                await asyncio.sleep(TICK_SECONDS)
            else:
                bot.transport.write(volley)
                sent += len(volley)
                await asyncio.sleep(0)
        cuts += bot.lost.done()
        bot.abort()
    return sent, cuts


class Speakers:
    """One who speaks as one should, and some who give by turns."""

    def __init__(self, channel: str, honest: Bot, *donors: Bot) -> None:
        self._channel = channel
        self._honest = honest
        self._donors = itertools.cycle(donors)
        self.sent: dict[str, float] = {}
        self.acks: list[float] = []
        self.failures: list[str] = []

    async def speak(self, until: float) -> None:
        while time.monotonic() < until:
            line_id = f"honest-{uuid.uuid4().hex}"
            began = time.monotonic()
            if await self._ask(self._honest, "chat.say", line_id, text=line_id):
                self.acks.append(time.monotonic() - began)
            await asyncio.sleep(HONEST_SECONDS)

    async def give(self, until: float) -> None:
        while time.monotonic() < until:
            await self._ask(next(self._donors), "donation.give", str(uuid.uuid4()), points=1, text="gift")
            await asyncio.sleep(GIFT_SECONDS)

    async def _ask(self, bot: Bot, route: str, ask_id: str, **more: object) -> bool:
        self.sent[ask_id] = time.monotonic()
        try:
            await bot.call(route, {"id": ask_id, "channel": self._channel, **more})
        except (Gone, Refused) as error:
            self.failures.append(f"{route}: {error!r}")
            return False
        return True


def tell(name: str, values: list[float]) -> None:
    """Print how long something took."""
    if not values:
        print(f"{name}: none")
        return
    marks = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    print(f"{name}: {len(values)}, ms: {', '.join(f'{word} {percentile(values, share):.0f}' for word, share in marks)}")


async def main(options: argparse.Namespace) -> int:
    async with open_house() as people:
        port = people.house.rsocket_port
        ((streamer, _),) = await people.make(1, live=True)
        bots = [await Bot(token).open(port) for _, token in await people.make(options.bots)]
        speaking = Speakers(
            streamer.nickname,
            *[await Bot(token).open(port) for _, token in await people.make(1 + DONORS, points=100_000)],
        )
        seen = Seen()
        for _ in range(WATCHERS):
            (await Bot().open(port)).watch({"channel": streamer.nickname, "history": 0}, seen.event)
        (worker,) = rsocket_processes(people.house)
        before = worker.cpu_times()
        until = time.monotonic() + options.seconds
        (offered, taken), _, _, *pelted = await asyncio.gather(
            flood(bots, streamer.nickname, options.lines, until),
            speaking.speak(until),
            speaking.give(until),
            *(pelt(port, SMALLEST[number % len(SMALLEST)], until) for number in range(options.pelters)),
        )
        after = worker.cpu_times()
        rss = worker.memory_info().rss // 2**20
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(15):
                while any(seen.times.get(name, 0) < WATCHERS for name in speaking.sent):
                    await asyncio.sleep(0.1)
        cut = sum(bot.lost.done() for bot in bots)
    heard = {name: at - speaking.sent[name] for name, at in seen.last.items() if seen.times[name] == WATCHERS}
    gifts = [seconds for name, seconds in heard.items() if not name.startswith("honest")]
    cpu = after.user + after.system - before.user - before.system
    rates = [count / options.seconds for count in (offered, taken, seen.said / WATCHERS)]
    print("lines/s: offered {:,.0f}, taken by the bots' sockets {:,.0f}, let into the room {:,.0f}".format(*rates))
    print(
        f"worker: {100 * cpu / options.seconds:.0f} % of a core, {rss} MB; bots cut off: {cut}, skipped: {seen.skipped}"
    )
    if pelted:
        sent, cuts = (sum(each) for each in zip(*pelted, strict=True))
        print(f"pelters: {sent / options.seconds / 1e6:.1f} MB/s, cut off {cuts} times")
    tell("honest lines, to their number", speaking.acks)
    tell("honest lines, to the last watcher", [seconds for name, seconds in heard.items() if name.startswith("honest")])
    tell("donations, to the last watcher", gifts)
    lost = len(speaking.sent) - len(heard)
    print(f"lost {lost}, failed {len(speaking.failures)}", *speaking.failures[:3])
    return int(lost > 0 or bool(speaking.failures) or not gifts or percentile(gifts, 0.99) > GIFT_MS_MAX)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bots", type=int, default=500)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--pelters", type=int, default=0)
    sys.exit(asyncio.run(main(parser.parse_args())))
