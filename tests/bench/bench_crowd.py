"""A hundred lines a second to 2,000 watchers of the real server: 200,000 deliveries a second, no timer to tune.

    python tests/bench/bench_crowd.py [--watchers 2000] [--lines 100] [--seconds 8] [--runs 3]

Lines of 150 bytes are published over the bus as another worker would; the watchers are crowd.c's. Told is the share of
a core that the server takes, Valkey and the crowd not counted, and how long a line needs, from before it is published
until its last watcher has read it, and until any has. The server has a core of its own; the crowd, Valkey and this
bench share what else there is, and how much of it they take is told too.

Then where the time went, by the server's own clock: from the line's stamp until the last watcher's socket has it, which
is the server's whole part of what is told above. In it are: from the stamp to the room (Valkey, and reading it), from
there to the beginning of the next round (the pause that lets lines come together, or the round before), and the round,
how much of it was its own processor time, and how much it waited for a core that somebody else had. What is above it is
the crowd's: one process reads 2,000 sockets one after another, which 2,000 viewers need not. And on the loopback each
send also does what the watcher's own kernel does to receive it. The garbage collector's pauses fall into any of them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import allow_files, compiled, cpu_seconds, crowd, pin, publish, real_server, watching

STEPS = ("to the last", "to the room", "to the round", "the round", "its CPU", "its wait", "garbage")


# --- in the server's process ------------------------------------------------------------------------------------------


class Times:
    """Seconds of each step; lines that wait for a round."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {step: [] for step in STEPS}
        self.waiting: list[tuple[float, float]] = []  # When they were stamped, and when they came.
        self.carried: list[float] = []
        self.began = 0.0
        self.cpu = 0.0
        self.waited = 0.0

    def tell(self) -> None:
        """Print them as one line, and begin anew."""
        print(json.dumps(self.took), flush=True)
        self.took = {step: [] for step in STEPS}


def waited() -> float:
    """Seconds that this process could have run and did not: somebody else had the core."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


def watch_over(times: Times) -> None:
    """Take the time of what a room and its rounds do, from outside."""
    from rsocket_server.rooms import Hall  # noqa: PLC0415
    from rsocket_server.viewer_stream import Fanout  # noqa: PLC0415

    deliver, begin, step = Hall.deliver, Fanout._begin, Fanout._step

    def on_deliver(hall: Any, seq: int, payload: bytes, kept: bool) -> bool:
        now = time.monotonic()
        stamp = payload.find(b"~") + 1
        if stamp:
            said = int(payload[stamp : stamp + 16], 16) / 1e9
            times.took["to the room"].append(now - said)
            times.waiting.append((said, now))
        return deliver(hall, seq, payload, kept)

    def on_begin(fanout: Any) -> None:
        times.began = time.monotonic()
        times.took["to the round"] += [times.began - came for _, came in times.waiting]
        times.carried = [said for said, _ in times.waiting]
        times.waiting.clear()
        times.cpu = 0.0
        times.waited = waited()
        begin(fanout)

    def on_step(fanout: Any) -> None:
        cpu = time.thread_time()
        step(fanout)
        times.cpu += time.thread_time() - cpu
        if fanout._round is None:
            now = time.monotonic()
            times.took["to the last"] += [now - said for said in times.carried]
            times.took["the round"].append(now - times.began)
            times.took["its CPU"].append(times.cpu)
            times.took["its wait"].append(waited() - times.waited)

    def on_garbage(phase: str, _info: object, since: list[float] = [0.0]) -> None:  # noqa: B006 - kept on purpose.
        if phase == "start":
            since[0] = time.monotonic()
        else:
            times.took["garbage"].append(time.monotonic() - since[0])

    Hall.deliver, Fanout._begin, Fanout._step = on_deliver, on_begin, on_step  # type: ignore[method-assign]
    gc.callbacks.append(on_garbage)


async def serve(settings: Any, stop: asyncio.Event) -> None:
    """Be the server, and tell the times when asked."""
    from rsocket_server.__main__ import work  # noqa: PLC0415

    times = Times()
    watch_over(times)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, times.tell)
    await work(settings, stop)


# --- the bench --------------------------------------------------------------------------------------------------------


def spread(seconds: list[float]) -> str:
    """Say how long something took, in milliseconds."""
    if not seconds:
        return f"{0:>7}"
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1e3 for share in (0.5, 0.99))
    return f"{len(ordered):>7} {p50:>8.2f} {p99:>8.2f} {ordered[-1] * 1e3:>8.2f}"


async def main(options: argparse.Namespace) -> None:
    allow_files()
    pin(os.getpid(), server=False)
    rows, took = [], {step: [] for step in STEPS}
    print(f"{options.lines} lines a second to {options.watchers} watchers for {options.seconds:.0f} s")
    print(
        f"{'core':>6} {'µs each':>8} {'deliveries/s':>13} {'last p50':>9} {'p99':>7} {'any p50':>8} {'p99':>7}  ms",
        end="",
    )
    print("   crowd, Valkey, bench: cores")
    own = [] if options.plain else [__file__, "--serve"]
    with compiled() as program:
        async with real_server(*own) as server, crowd(program, server.port, options.watchers, watching()) as watchers:
            pids = (server.pid, watchers.pid, server.valkey_pid, os.getpid())
            for run in range(options.runs + 1):
                hearing = asyncio.create_task(watchers.hear("hear", options.seconds + 1))
                before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
                await publish(server, options.lines, options.seconds, first=1 + run * 100_000)
                cores = [
                    (cpu_seconds(pid) - cpu) / (time.monotonic() - began) for pid, cpu in zip(pids, before, strict=True)
                ]
                heard = await hearing
                times = {} if options.plain else json.loads(await server.told(signal.SIGUSR1))
                if run:  # The first warms.
                    rows.append((cores, heard))
                    for step, seconds in times.items():
                        took[step] += seconds
    for (core, *others), heard in rows:
        print(
            f"{core:>6.0%} {core * options.seconds / heard.deliveries * 1e6:>8.2f}"
            f" {heard.deliveries / options.seconds:>13,.0f}"
            f" {heard.last_p50_us / 1e3:>9.1f} {heard.last_p99_us / 1e3:>7.1f}"
            f" {heard.all_p50_us / 1e3:>8.1f} {heard.all_p99_us / 1e3:>7.1f}      "
            + ", ".join(f"{other:.0%}" for other in others)
            + (f"  {heard.wrong} out of order or missing" if heard.wrong > options.watchers else "")
        )
    print(
        f"{statistics.median(core for (core, *_), _ in rows):>6.0%} median {'':>15}"
        f" {statistics.median(heard.last_p50_us for _, heard in rows) / 1e3:>9.1f}"
        f" {statistics.median(heard.last_p99_us for _, heard in rows) / 1e3:>7.1f}"
    )
    if not options.plain:
        print(f"{'':>14} {'times':>7} {'p50 ms':>8} {'p99':>8} {'max':>8}")
        for step, seconds in took.items():
            print(f"{step:>14} {spread(seconds)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=2_000)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="without the server's own clock")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        from routes import process

        os._exit(process.run(serve))
    asyncio.run(main(given))
