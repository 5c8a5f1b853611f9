"""What tests ask of real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def until(condition, seconds=60.0):
    """A real process is waited for: there is no event of ours to await."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # where nobody reaps orphans
