"""What one more watcher costs the real server: memory, connecting, and being held while lines flow.

    python tests/bench/bench_watchers.py [--steps 1000 5000 10000] [--lines 5] [--seconds 8]

`python -m rsocket_server` on real stores; the watchers (crowd.c) say SETUP, ask for chat.watch with unbounded credit
and fall silent. Memory is the server's resident memory above that before the first watcher, kernel memory that of all
TCP queues of the machine, both ends. Connecting is the server's CPU until a second after the last has asked. Then lines
come, published as another worker would, so many a second; what is delivered beyond them are viewer counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import (
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

SOURCES = 50  # Addresses that the watchers come from.


async def main(options: argparse.Namespace) -> None:
    allow_files()
    print(f"{'watchers':>8} {'RSS MB':>8} {'KB each':>8} {'kernel KB each':>14} {'ms CPU to connect':>18}")
    with compiled() as program:
        async with real_server() as server, contextlib.AsyncExitStack() as stack:
            async with crowd(program, server.port, 50, watching()):
                await asyncio.sleep(1)  # Everything that is loaded at the first use is loaded.
            await asyncio.sleep(1)
            base, kernel, crowds, joined = memory_kb(server.pid), kernel_kb(), [], 0
            print(f"{0:>8} {base / 1024:>8.1f}")
            for step in options.steps:
                cpu = cpu_seconds(server.pid)
                crowds.append(
                    await stack.enter_async_context(
                        crowd(program, server.port, step - joined, watching(), sources=SOURCES)
                    )
                )
                await asyncio.sleep(1)
                used = cpu_seconds(server.pid) - cpu
                await asyncio.sleep(2)
                held = memory_kb(server.pid) - base
                print(
                    f"{step:>8} {(base + held) / 1024:>8.1f} {held / step:>8.1f} {(kernel_kb() - kernel) / step:>14.1f}"
                    f" {used * 1e3 / (step - joined):>18.3f}"
                )
                joined = step
            cpu, began = cpu_seconds(server.pid), time.monotonic()
            hearing = [asyncio.create_task(each.hear("hear", options.seconds + 2)) for each in crowds]
            await publish(server, options.lines, options.seconds)
            core = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
            heard = await asyncio.gather(*hearing)
            print(
                f"{options.lines} lines a second: {core:.0%} of a core,"
                f" {sum(each.deliveries for each in heard):,} deliveries of"
                f" {int(options.lines * options.seconds) * joined:,}, {sum(each.wrong for each in heard)} out of order,"
                f" last watcher p50 {max(each.last_p50_us for each in heard) / 1e3:.0f} ms"
                f" p99 {max(each.last_p99_us for each in heard) / 1e3:.0f} ms,"
                f" RSS {memory_kb(server.pid) / 1024:.1f} MB"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000, 5_000, 10_000])
    parser.add_argument("--lines", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    asyncio.run(main(parser.parse_args()))
