"""Shell: one small picture of each broadcast: its newest keyframe through a short ffmpeg, one at a time.

A broadcast offers its keyframes (a reference, nothing is copied) and has the picture as bytes that are exchanged as a
whole, so nobody sees half of one. A busy machine gets fewer of them by itself: after each run there is a pause of
PAUSE_RUNS times as long as the run took, and the programs give way to all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.children import launched, reap
from media.ffmpeg_args import still_arguments
from media.flv import TagKind, write_header, write_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

# Between two pictures of one broadcast.
REFRESH_SECONDS: Final = 20.0
# How long who has no picture yet waits for the next look.
LOOK_SECONDS: Final = 1.0
# A fifth of the time at most is spent on pictures, however many broadcasts there are.
PAUSE_RUNS: Final = 4
# A run takes 0.1 to 0.2 s of a core; ten times as long is no load but a fault.
RUN_SECONDS_MAX: Final = 5.0
CPU_SECONDS_MAX: Final = 5
NICENESS: Final = 19
# 640x360 of noise at this quality are 150 KB.
JPEG_BYTES_MAX: Final = 512 * 1024
JPEG_START: Final = b"\xff\xd8"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG; `version` is another for other bytes."""

    data: bytes
    version: str


class Still:
    """One broadcast's newest keyframe, and the picture made of an earlier one."""

    def __init__(self) -> None:
        self.thumbnail: Thumbnail | None = None
        self._keyframe: tuple[bytes, bytes] | None = None
        self._tried_at: float | None = None

    def offer(self, config: bytes, payload: bytes) -> None:
        """A keyframe, as the payloads of two video tags: the configuration's and its own."""
        self._keyframe = config, payload

    def is_due(self, now: float) -> bool:
        """Whether there is a keyframe, and no picture was tried for REFRESH_SECONDS."""
        return self._keyframe is not None and (self._tried_at is None or now - self._tried_at >= REFRESH_SECONDS)

    def take(self, now: float) -> bytes:
        """The keyframe as an FLV stream; it is used up."""
        assert self._keyframe is not None
        (config, payload), self._keyframe, self._tried_at = self._keyframe, None, now
        tags = write_tag(TagKind.VIDEO, 0, config) + write_tag(TagKind.VIDEO, 0, payload)
        return write_header(video=True, audio=False) + tags

    def waits_since(self) -> float:
        """For the order: who never had a try comes first, then the oldest picture."""
        return float("-inf") if self._tried_at is None else self._tried_at


class Thumbnails:
    """Makes them all, while it runs."""

    def __init__(self, ffmpeg: str, folder: Path, stills: Callable[[], Iterable[Still]]) -> None:
        self._ffmpeg = ffmpeg
        self._folder = folder
        self._stills = stills

    async def run(self) -> None:
        """Make pictures where they are due, until cancelled."""
        now = asyncio.get_running_loop().time
        while True:
            started = now()
            due = [still for still in self._stills() if still.is_due(started)]
            if due:
                await self.make(min(due, key=Still.waits_since))
            await asyncio.sleep((now() - started) * PAUSE_RUNS if due else LOOK_SECONDS)

    async def make(self, still: Still) -> None:
        """One picture; if it cannot be made the one before stays."""
        film = still.take(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(RUN_SECONDS_MAX):
                data = await self._run(film)
        except (OSError, TimeoutError) as error:
            log.warning("no_thumbnail words=%s", error or "it took too long")
            return
        if not data.startswith(JPEG_START) or len(data) > JPEG_BYTES_MAX:
            log.warning("no_thumbnail words=ffmpeg made no picture bytes=%d", len(data))
            return
        still.thumbnail = Thumbnail(data, hashlib.sha256(data).hexdigest()[:16])

    async def _run(self, film: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *launched(still_arguments(self._ffmpeg), niceness=NICENESS, cpu_seconds=CPU_SECONDS_MAX),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder,
        )
        try:
            feeding = asyncio.ensure_future(_feed(process, film))
            try:
                return await _read(process)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
        finally:
            await reap(process)


async def _feed(process: asyncio.subprocess.Process, film: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # It has seen enough.
        process.stdin.write(film)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """All it writes, and little more than JPEG_BYTES_MAX of what is too much."""
    assert process.stdout is not None
    data = b""
    while len(data) <= JPEG_BYTES_MAX and (more := await process.stdout.read(JPEG_BYTES_MAX)):
        data += more
    return data
