"""One viewer that reads nothing and one on 200 kbit/s among 500: what the others notice, and what the two cost.

    python tests/bench/bench_stalled.py [--watchers 500] [--rate 100] [--seconds 1.5] [--pairs 20] [--lines 10000]

The real server and lines of 1 KB over the bus. The two come and go: each pair is a block without them and a block with
them, in turn first the one and first the other, because on a shared machine only neighbouring seconds can be compared.
Before each block so many lines are said at once that the two are stuck when it begins. Told is how long a line needs to
the last of the 500, over all blocks of a kind, and the ratio of with to without, with the interval in which it lies in
19 of 20 draws of as many pairs out of these. Then come 10,000 lines without the two, and 10,000 for which they stay:
what the server's memory has grown by in the latter, and that of all TCP queues of the machine. Exit code 1 if the ratio
of the p99 is surely off by more than a tenth, or a stalled viewer costs 2 MB; 2 if the interval does not lie within
that tenth, so that nothing is shown, or lines came too late to be counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import (
    Served,
    allow_files,
    compiled,
    crowd,
    kernel_kb,
    memory_kb,
    publish,
    real_server,
    watching,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crowd import Crowd

LINE_BYTES = 1024
SLOW_BYTES = 200_000 // 8
LONG_RATE = 500
# What the two are filled with: more than a stuck viewer's queues hold here, in the server and in both halves of the
# kernel (some 300 KB).
FILL_LINES = 400
FILL_RATE = 500
SETTLE_SECONDS = 0.3
HOLE = 12_000
DRAWS = 1_000
MARKS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
RATIO_MAX = 1.1
STALLED_KB_MAX = 2 * 1024


@contextlib.asynccontextmanager
async def the_two(program: Path, server: Served, seconds: float) -> AsyncIterator[None]:
    """Let the two watch for so long."""
    async with contextlib.AsyncExitStack() as stack:
        hearing = []
        for bytes_ in (0, SLOW_BYTES):
            one = await stack.enter_async_context(crowd(program, server.port, 1, watching()))
            await one.obey("idle", 1, bytes_)
            hearing.append(asyncio.create_task(one.hear("hear", seconds)))
        yield
        for task in hearing:
            task.cancel()


Blocks = list[list[int]]


class Bench:
    """The server, its 500, and the number of the next line."""

    def __init__(self, program: Path, server: Served, watchers: Crowd) -> None:
        self._program = program
        self._server = server
        self._watchers = watchers
        self._numbers = itertools.count(1_000, HOLE)  # A hole in the numbers lets crowd.c begin a new count.

    async def block(self, rate: float, seconds: float, *, disturbed: bool) -> list[int]:
        """Publish for so long; answer how many microseconds each line needed to the last of the 500."""
        async with contextlib.AsyncExitStack() as stack:
            if disturbed:
                await stack.enter_async_context(the_two(self._program, self._server, seconds + 10))
            first = next(self._numbers)
            filling = FILL_LINES / FILL_RATE
            # The 500 read only while they are told to; of what they read, the lines after the filling count.
            listening = asyncio.create_task(
                self._watchers.each(filling + seconds + 3 * SETTLE_SECONDS, first=first + FILL_LINES)
            )
            await publish(self._server, FILL_RATE, filling, LINE_BYTES, first=first)
            await asyncio.sleep(SETTLE_SECONDS)
            await publish(self._server, rate, seconds, LINE_BYTES, first=first + FILL_LINES)
            return await listening

    async def stay(self, lines: int, *, disturbed: bool) -> None:
        """Publish so many lines, while the two watch or without them, and let the 500 read all of them."""
        seconds = lines / LONG_RATE
        async with contextlib.AsyncExitStack() as stack:
            if disturbed:
                await stack.enter_async_context(the_two(self._program, self._server, 2 * seconds))
            first = next(self._numbers)
            publishing = asyncio.create_task(publish(self._server, LONG_RATE, seconds, LINE_BYTES, first=first))
            while not publishing.done():
                await self._watchers.hear("hear", 1)
            await publishing
            await self._watchers.hear("hear", 1)


def mark(blocks: Blocks, share: float) -> int:
    """Give a percentile of all that was measured in some blocks."""
    times = sorted(itertools.chain.from_iterable(blocks))
    return times[int((len(times) - 1) * share)]


def ratio_of(pairs: list[tuple[list[int], list[int]]], share: float) -> tuple[float, float, float]:
    """Give the ratio of the percentiles with and without, and the bounds of 95 % of what other draws would give."""

    def ratio(drawn: list[tuple[list[int], list[int]]]) -> float:
        return mark([with_ for _, with_ in drawn], share) / mark([without for without, _ in drawn], share)

    draw = random.Random(1)  # The same interval of the same measurements.
    ratios = sorted(ratio(draw.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    return ratio(pairs), ratios[DRAWS // 40], ratios[-DRAWS // 40]


def tell(pairs: list[tuple[list[int], list[int]]]) -> tuple[float, float, float]:
    """Print the percentiles and their ratios; answer that of the p99."""
    print(f"{'':>4} {'without':>8} {'with':>8} {'ratio':>6}  19 of 20 draws")
    for name, share in MARKS:
        without, with_ = (mark([pair[kind] for pair in pairs], share) / 1e3 for kind in (0, 1))
        told = ratio_of(pairs, share)
        print(f"{name:>4} {without:>8.1f} {with_:>8.1f} {told[0]:>6.2f}  {told[1]:.2f} to {told[2]:.2f}")
    return told


async def main(options: argparse.Namespace) -> int:
    allow_files()
    print(f"lines of {LINE_BYTES} bytes, {options.rate:.0f} a second, to {options.watchers}; to the last of them, ms")
    pairs = []
    with compiled() as program:
        async with real_server() as server, crowd(program, server.port, options.watchers, watching()) as watchers:
            bench = Bench(program, server, watchers)
            await bench.block(options.rate, options.seconds, disturbed=True)  # Warm.
            for number in range(options.pairs):
                order = (False, True) if number % 2 else (True, False)
                times = {each: await bench.block(options.rate, options.seconds, disturbed=each) for each in order}
                pairs.append((times[False], times[True]))
            said = int(options.rate * options.seconds)
            lost = sum(said - len(block) for pair in pairs for block in pair)
            print(f"{options.pairs} pairs of blocks of {said} lines; {lost} lines not heard in time by all")
            if lost:
                return 2
            _, low, high = tell(pairs)
            await bench.stay(options.lines, disturbed=False)  # What such a load costs by itself is no cost of theirs.
            memory, kernel = memory_kb(server.pid), kernel_kb()
            await bench.stay(options.lines, disturbed=True)
            grown, kernel = memory_kb(server.pid) - memory, kernel_kb() - kernel
    print(f"after {options.lines} lines with the two: server {memory / 1024:.1f} MB and {grown} KB, kernel {kernel} KB")
    if low > RATIO_MAX or high < 1 / RATIO_MAX or grown >= STALLED_KB_MAX:
        return 1
    return 0 if low >= 1 / RATIO_MAX and high <= RATIO_MAX else 2


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--lines", type=int, default=10_000)
    sys.exit(asyncio.run(main(parser.parse_args())))
