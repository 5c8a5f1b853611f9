"""A hundred lines a second to 2,000 watchers of the real server: 200,000 deliveries a second, no timer to tune.

    python tests/bench/bench_crowd.py [--watchers 2000] [--lines 100] [--seconds 8] [--runs 3]

Lines of 150 bytes are published over the bus as another worker would; the watchers are crowd.c's. Told is the share of
a core that the server takes, Valkey and the crowd not counted, and how long a line needs, from before it is published
until its last watcher has read it, and until any has.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import allow_files, compiled, cpu_seconds, crowd, publish, real_server, watching


async def main(options: argparse.Namespace) -> None:
    allow_files()
    rows = []
    print(f"{options.lines} lines a second to {options.watchers} watchers for {options.seconds:.0f} s")
    print(f"{'core':>6} {'µs each':>8} {'deliveries/s':>13} {'last p50':>9} {'p99':>7} {'any p50':>8} {'p99':>7}  ms")
    with compiled() as program:
        async with real_server() as server, crowd(program, server.port, options.watchers, watching()) as watchers:
            for run in range(options.runs + 1):
                hearing = asyncio.create_task(watchers.hear("hear", options.seconds + 1))
                cpu, began = cpu_seconds(server.pid), time.monotonic()
                await publish(server, options.lines, options.seconds, first=1 + run * 100_000)
                core = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
                heard = await hearing
                if run:  # The first warms.
                    rows.append((core, heard))
    for core, heard in rows:
        print(
            f"{core:>6.0%} {core * options.seconds / heard.deliveries * 1e6:>8.2f}"
            f" {heard.deliveries / options.seconds:>13,.0f}"
            f" {heard.last_p50_us / 1e3:>9.1f} {heard.last_p99_us / 1e3:>7.1f}"
            f" {heard.all_p50_us / 1e3:>8.1f} {heard.all_p99_us / 1e3:>7.1f}"
            + (f"  {heard.wrong} out of order or missing" if heard.wrong > options.watchers else "")
        )
    print(f"{statistics.median(core for core, _ in rows):>6.0%} median")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=2_000)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--runs", type=int, default=3)
    asyncio.run(main(parser.parse_args()))
