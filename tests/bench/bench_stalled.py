"""One viewer that reads nothing and one on 200 kbit/s among 500: what the others notice, and what the two cost.

    python tests/bench/bench_stalled.py [--watchers 500] [--rate 100] [--seconds 6] [--pairs 8] [--lines 10000]

The real server and lines of 1 KB over the bus. The two come and go: each pair is a while without them and a while with
them, in turn first the one and first the other, because on a shared machine only neighbouring minutes can be compared.
Told is how long a line needs to the last of the 500, and the ratio of the p99 in each pair. Then the two stay for
10,000 lines: the server's memory before and after, and that of all TCP queues of the machine. Exit code 1 if the median
ratio is off by more than a tenth, or a stalled viewer costs 2 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import (
    Served,
    allow_files,
    compiled,
    cpu_seconds,
    crowd,
    kernel_kb,
    memory_kb,
    publish,
    real_server,
    watching,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crowd import Crowd, Heard

LINE_BYTES = 1024
SLOW_BYTES = 200_000 // 8
LONG_RATE = 500
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


class Bench:
    """The server, its 500, and the number of the next line."""

    def __init__(self, program: Path, server: Served, watchers: Crowd) -> None:
        self._program = program
        self._server = server
        self._watchers = watchers
        self._numbers = itertools.count(1_000, 20_000)  # A hole in the numbers lets crowd.c begin a new count.

    async def hear(self, rate: float, seconds: float, *, disturbed: bool) -> tuple[Heard, float]:
        """Publish for so long; answer what the 500 heard, and what share of a core that was."""
        async with contextlib.AsyncExitStack() as stack:
            if disturbed:
                await stack.enter_async_context(the_two(self._program, self._server, seconds + 2))
                await asyncio.sleep(0.5)
            hearing = asyncio.create_task(self._watchers.hear("hear", seconds + 1))
            cpu, began = cpu_seconds(self._server.pid), time.monotonic()
            await publish(self._server, rate, seconds, LINE_BYTES, first=next(self._numbers))
            core = (cpu_seconds(self._server.pid) - cpu) / (time.monotonic() - began)
            return await hearing, core


async def main(options: argparse.Namespace) -> int:
    allow_files()
    print(f"lines of {LINE_BYTES} bytes, {options.rate:.0f} a second, to {options.watchers}; to the last of them, ms")
    print(f"{'without p50':>12} {'p99':>8} {'core':>5} {'with p50':>12} {'p99':>8} {'core':>5} {'ratio of p99':>13}")
    ratios = []
    with compiled() as program:
        async with real_server() as server, crowd(program, server.port, options.watchers, watching()) as watchers:
            bench = Bench(program, server, watchers)
            await bench.hear(options.rate, options.seconds / 2, disturbed=True)  # Warm.
            for pair in range(options.pairs):
                order = (False, True) if pair % 2 else (True, False)
                heard = {each: await bench.hear(options.rate, options.seconds, disturbed=each) for each in order}
                (without, core), (with_, core_with) = heard[False], heard[True]
                ratios.append(with_.last_p99_us / without.last_p99_us)
                print(
                    f"{without.last_p50_us / 1e3:>12.1f} {without.last_p99_us / 1e3:>8.1f} {core:>5.0%}"
                    f" {with_.last_p50_us / 1e3:>12.1f} {with_.last_p99_us / 1e3:>8.1f} {core_with:>5.0%}"
                    f" {ratios[-1]:>13.2f}"
                )
            memory, kernel = memory_kb(server.pid), kernel_kb()
            await bench.hear(LONG_RATE, options.lines / LONG_RATE, disturbed=True)
            grown, kernel = memory_kb(server.pid) - memory, kernel_kb() - kernel
    ratio = statistics.median(ratios)
    print(f"median ratio {ratio:.3f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"after {options.lines} lines with the two: server {memory / 1024:.1f} MB and {grown} KB, kernel {kernel} KB")
    return int(not 1 / RATIO_MAX <= ratio <= RATIO_MAX or grown >= STALLED_KB_MAX)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--lines", type=int, default=10_000)
    sys.exit(asyncio.run(main(parser.parse_args())))
