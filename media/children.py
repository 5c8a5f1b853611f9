"""Shell: what all programs that we start have in common: they die with us, give way to us, and are waited for."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

# Encoders before everything else of ours would make the source late, which needs no encoder.
NICENESS: Final = 10

# Run as a file: it becomes the program, after what must be done in the child itself.
LAUNCHER: Final = Path(__file__).parent.parent / "console" / "exec_launcher.py"


def launched(program: Sequence[str], *, niceness: int = NICENESS, cpu_seconds: int | None = None) -> list[str]:
    """The command that runs `program` so that it dies with us, gives way, writes no file and leaves no core.

    The parent is the thread that starts it: start programs from the main thread. It has a session of its own. With
    `cpu_seconds` a program that has used so much is killed. One that cannot be run says why and exits with 1.
    """
    options = [f"--parent={os.getpid()}", f"--signal={signal.SIGKILL.value}", f"--nice={niceness}", "--no-files"]
    if cpu_seconds is not None:
        options.append(f"--cpu-seconds={cpu_seconds}")
    return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *program]


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that may have ended by itself a moment ago."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def reap(process: asyncio.subprocess.Process) -> None:
    """End it, if it has not ended by itself, and wait for it."""
    if process.returncode is None:
        kill(process)
        await process.wait()
