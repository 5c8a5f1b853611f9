"""Roof: the house's own processes as children of the console: started, heard, restarted with back-off, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING

from console.embedded_server import LAUNCHER, end
from console.say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

READY = "ready "  # A process of ours says this once, when it listens.
READY_SECONDS_MAX = 60.0  # Both import in a second; on a busy machine in ten.
# Viewers and encoders wait for the first one. The last one again and again: a cause outside us may take hours.
BACK_OFF_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
WELL_SECONDS = 10.0  # Who lived so long begins the back-off anew: a start costs a tenth of it.
STOP_SECONDS_MAX = 2.0  # Both stop gracefully in this; then it is too late for grace.
LINE_BYTES_MAX = 8_000  # A longer line of a child is cut: nobody reads it.
LAST_LINES_MAX = 20
LAST_WORDS_SECONDS_MAX = 0.5  # For what it said just before it ended.


class ChildFailed(Exception):
    """A process of ours ended before it was ready; the text is its own last line."""

    def __init__(self, name: str, last_line: str) -> None:
        super().__init__(name, last_line)
        self.name = name
        self.last_line = last_line

    def __str__(self) -> str:
        return self.last_line or f"{self.name} ended before it was ready"


def launched(command: Sequence[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return `command` as a child that gets `number` when we die, in a process group of its own."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), f"--parent={os.getpid()}", f"--signal={number.value}"]
    return [*launcher, "--", *command]


async def lines_of(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
    """Hand every line of `stream` to `take` until it ends, cut to LINE_BYTES_MAX."""
    rest = b""
    while data := await stream.read(65_536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            take(line[:LINE_BYTES_MAX].decode(errors="replace").rstrip())
        rest = rest[:LINE_BYTES_MAX]
    if rest:
        take(rest.decode(errors="replace").rstrip())


class Child:
    """One process that is to run for as long as `run()` does.

    Args:
        name: stands before each of its lines.
        command: what to run; called anew for each start.
        environment: its whole environment.
        says_ready: whether it tells when it listens; else it is ready when it runs.
        is_loud: whether its lines are shown; else the last one is, should it end by itself.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        environment: Mapping[str, str],
        *,
        says_ready: bool = True,
        is_loud: bool = True,
    ) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES_MAX)
        self._command = command
        self._environment = environment
        self._says_ready = says_ready
        self._is_loud = is_loud

    async def run(self) -> None:
        """Run it until cancelled; then it has ended. Raises ChildFailed if it ends before it was ever ready."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._live()
            if not self.ready.is_set():
                raise ChildFailed(self.name, self.last_lines[-1] if self.last_lines else "")
            failures = 0 if loop.time() - began >= WELL_SECONDS else failures
            pause = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
            failures += 1
            why = f", {self.last_lines[-1]!r}" if self.last_lines and not self._is_loud else ""
            say(f"{self.name} ended ({_words(code)}{why}): starting it again in {pause:g} s")
            await asyncio.sleep(pause)

    async def _live(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *launched(self._command()),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        if not self._says_ready:
            self.ready.set()
        hearing = asyncio.gather(lines_of(process.stdout, self._hear), lines_of(process.stderr, self._hear_trouble))
        try:
            return await process.wait()
        finally:
            await end(process, STOP_SECONDS_MAX, polite=signal.SIGTERM)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # What it started and did not end.
            self.process = None
            with contextlib.suppress(TimeoutError):  # Someone who left the group may hold the pipe.
                async with asyncio.timeout(LAST_WORDS_SECONDS_MAX):
                    await hearing

    def _hear(self, line: str) -> None:
        if line.startswith(READY):
            self.ready.set()
        elif self._is_loud:
            say(line, of=self.name)

    def _hear_trouble(self, line: str) -> None:
        self.last_lines.append(line)
        if self._is_loud:
            say(line, of=self.name)


def _words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
