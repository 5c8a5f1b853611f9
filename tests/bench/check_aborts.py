"""2,000 connect, subscribe and abort against a real process: tasks, files and memory go back to where they were.

    python tests/bench/check_aborts.py [--times 2000]

The process is the RSocket roof itself, beside the one of a house, and tells its tasks on SIGUSR1. Bots abort in the
middle of the upgrade, right after a second SETUP, while they watch and right after they asked to, by turns. The first
tenth is the warm-up, after which is measured; exit code 1 if anything is left after the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import Any

import psutil
from bots import Bot, Gone, open_house
from house import eventually, reserve_port

from routes import process as roof
from rsocket_server.__main__ import work
from tests.rsocket_server import script

AT_ONCE = 50
# Of the allocator's own pages; a connection that leaked would be 15 KiB, 2,000 of them 30 MB.
GROWTH_KIB_MAX = 4 * 1024


async def serve(settings: Any, stop: asyncio.Event) -> None:
    """Be the process, and tell how many tasks there are when asked."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: print("tasks", len(asyncio.all_tasks()), flush=True))
    await work(settings, stop)


class Server:
    """The process under test."""

    def __init__(self, child: asyncio.subprocess.Process, port: int) -> None:
        self._child = child
        self._seen = psutil.Process(child.pid)
        self.port = port

    async def line(self, word: str) -> str:
        """Await the next line that begins with a word."""
        assert self._child.stdout is not None
        async with asyncio.timeout(30):
            while not (line := (await self._child.stdout.readline()).decode()).startswith(word):
                assert line, "the process has ended"
        return line

    async def look(self) -> tuple[int, int, int]:
        """Answer tasks, files and resident KiB."""
        self._child.send_signal(signal.SIGUSR1)
        tasks = int((await self.line("tasks")).split()[1])
        return tasks, self._seen.num_fds(), self._seen.memory_info().rss // 1024


async def come_and_go(port: int, channel: str, number: int) -> None:
    """One stranger who cuts the line at a moment of its own."""
    bot = Bot()
    heard = asyncio.Event()
    with contextlib.suppress(Gone):
        match number % 4:
            case 0:  # In the middle of the upgrade.
                bot.transport, _ = await asyncio.get_running_loop().create_connection(lambda: bot, "127.0.0.1", port)
                bot.transport.write(b"GET /rsocket HTTP/1.1\r\nUpgr")
            case 1:  # While SETUP is judged.
                await bot.open(port)
                bot.send(script.setup())
            case 2:  # While it watches.
                await bot.open(port)
                bot.watch({"channel": channel}, lambda _event: heard.set())
                async with asyncio.timeout(10):
                    await heard.wait()
            case _:  # In the middle of a subscription.
                await bot.open(port)
                bot.watch({"channel": channel}, lambda _event: None, n=1)
    bot.abort()
    await bot.lost


async def main(times: int) -> int:
    async with open_house() as people:
        ((streamer, _),) = await people.make(1)
        port = reserve_port()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--serve"),
            env={**people.environment, "COMMEOW_RSOCKET_PORT": str(port)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            server = Server(child, port)
            await server.line("ready")

            async def rounds(first: int, last: int) -> None:
                for start in range(first, last, AT_ONCE):
                    numbers = range(start, min(last, start + AT_ONCE))
                    await asyncio.gather(*(come_and_go(port, streamer.nickname, number) for number in numbers))

            async def settled(tasks: int, files: int) -> tuple[int, int, int]:
                found: tuple[int, int, int] = (0, 0, 0)

                async def look() -> bool:
                    nonlocal found
                    found = await server.look()
                    return found[0] <= tasks and found[1] <= files

                with contextlib.suppress(AssertionError):
                    await eventually(look, within=15, what="the baseline")
                return found

            fresh = await server.look()
            await rounds(0, times // 10)
            warm = await settled(fresh[0], fresh[1])
            began = time.monotonic()
            await rounds(times // 10, times)
            seconds = time.monotonic() - began
            after = await settled(warm[0], warm[1])
        finally:
            child.terminate()
            await child.wait()
    for name, (tasks, files, kib) in (("fresh", fresh), (f"after {times // 10}", warm), (f"after {times}", after)):
        print(f"{name:>12}: {tasks} tasks, {files} files, {kib} KiB")
    print(f"{times - times // 10} came and went in {seconds:.1f} s")
    return int(after[0] > warm[0] or after[1] > warm[1] or after[2] - warm[2] > GROWTH_KIB_MAX)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=2_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        os._exit(roof.run(serve))
    sys.exit(asyncio.run(main(options.times)))
