"""Shell: what all programs that we start have in common: they die with us, give way to us, and are waited for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# Encoders before everything else of ours would make the source late, which needs no encoder.
NICENESS: Final = 10

_PR_SET_PDEATHSIG: Final = 1
# Looked up before any fork: a child of a process with threads may not load anything.
_PRCTL: Any = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def in_child(*, niceness: int = NICENESS, cpu_seconds: int | None = None) -> Callable[[], None]:
    """What to do between fork and exec: die with the parent, give way, write no file, leave no core.

    The parent is the thread that forks: start programs from the main thread. With `cpu_seconds` a program that has used
    so much is killed.
    """

    def prepare() -> None:
        if _PRCTL is not None:
            _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.nice(niceness)
        for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            resource.setrlimit(limit, (0, 0))
        if cpu_seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))

    return prepare


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that may have ended by itself a moment ago."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def reap(process: asyncio.subprocess.Process) -> None:
    """End it, if it has not ended by itself, and wait for it."""
    if process.returncode is None:
        kill(process)
        await process.wait()
