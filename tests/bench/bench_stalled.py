"""One viewer that reads nothing and one on 200 kbit/s among 500: what the others notice, and what the two cost.

    python tests/bench/bench_stalled.py [--watchers 500] [--lines 10000] [--rate 250]

The real server twice, without the two and with them: 10,000 lines of 1 KB over the bus. Told is how long a line needs
to the last of the 500, the server's memory before and after, and that of all TCP queues of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import allow_files, compiled, cpu_seconds, crowd, kernel_kb, memory_kb, publish, real_server, watching

LINE_BYTES = 1024
SLOW_BYTES = 200_000 // 8


async def measure(program: Path, options: argparse.Namespace, *, disturbed: bool) -> None:
    seconds = options.lines / options.rate
    async with real_server() as server, contextlib.AsyncExitStack() as stack:
        watchers = await stack.enter_async_context(crowd(program, server.port, options.watchers, watching()))
        hearing = [watchers.hear("hear", seconds + 4)]
        if disturbed:
            for bytes_ in (0, SLOW_BYTES):
                one = await stack.enter_async_context(crowd(program, server.port, 1, watching()))
                await one.obey("idle", 1, bytes_)
                hearing.append(one.hear("hear", seconds + 4))
        heard = asyncio.gather(*hearing)
        await publish(server, options.rate, 2.0, LINE_BYTES)  # Warm.
        memory, kernel, cpu = memory_kb(server.pid), kernel_kb(), cpu_seconds(server.pid)
        await publish(server, options.rate, seconds, LINE_BYTES, first=1_000)
        core = (cpu_seconds(server.pid) - cpu) / seconds
        after, kernel = memory_kb(server.pid), kernel_kb() - kernel
        others = (await heard)[0]
        print(
            f"{'with' if disturbed else 'without':>8} {core:>6.0%} {others.last_p50_us / 1e3:>9.1f}"
            f" {others.last_p99_us / 1e3:>7.1f} {others.all_p99_us / 1e3:>8.1f}"
            f" {memory / 1024:>8.1f} {after / 1024:>8.1f} {kernel:>10}"
        )


async def main(options: argparse.Namespace) -> None:
    allow_files()
    print(f"{options.lines} lines of {LINE_BYTES} bytes, {options.rate} a second, to {options.watchers}")
    titles = f"{'last p50':>9} {'p99 ms':>7} {'any p99':>8} {'RSS MB':>8} {'after':>8} {'kernel KB':>10}"
    print(f"{'the two':>8} {'core':>6} {titles}")
    with compiled() as program:
        for disturbed in (False, True):
            await measure(program, options, disturbed=disturbed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=250.0)
    asyncio.run(main(parser.parse_args()))
