"""Shell: one broadcast's ladder: pictures of the source in, pictures of each rung out, by one ffmpeg.

The source never waits: `video` puts a picture into a bounded backlog and returns (backlog.py has the rule). A process
belongs to one epoch (encoder_run.py); the next epoch has its own, and the old one drains meanwhile. A process dies with
us, also by kill -9. Without ffmpeg there is no ladder, and nothing else is missing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from media.children import launched, reap
from media.encoder_run import DRAIN_SECONDS_MAX, Run, RungSink
from media.ffmpeg_args import Rung, Version, arguments, read_version
from media.restarts import Restarts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from media.intake import Began, Video

log = logging.getLogger(__name__)

VERSION_SECONDS_MAX: Final = 10.0


async def detect(ffmpeg: str) -> Version | None:
    """The version of that ffmpeg; None when it cannot be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            *launched([ffmpeg, "-version"], niceness=0),  # A publisher waits for the answer.
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(VERSION_SECONDS_MAX):
            out, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        await reap(process)
    return read_version(out.decode(errors="replace"))


class Transcoder:
    """The ladder of one broadcast. `begin` an epoch, give it `video`, `finish` it; `close` at the end.

    Failures count across epochs: an encoder that reconnects does not buy a broken ffmpeg five more tries.
    """

    def __init__(self, ffmpeg: str, version: Version, folder: Path, sink: RungSink) -> None:
        self._ffmpeg = ffmpeg
        self._version = version
        self._folder = folder
        self._sink = sink
        self._restarts = Restarts()
        self._run: Run | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, epoch: int, began: Began, rungs: list[Rung]) -> None:
        """A new epoch: the old process drains, a new one starts."""
        self.finish()
        assert began.video is not None

        def command(ladder: list[Rung], pipes: list[int], seen_ms: Mapping[str, int]) -> list[str]:
            assert began.video is not None
            size = {"width": began.video.width, "height": began.video.height}
            return arguments(self._ffmpeg, self._version, ladder, pipes, **size, seen_ms=seen_ms)

        self._run = Run(
            epoch,
            config=began.video_payload,
            rungs=rungs,
            command=command,
            folder=self._folder,
            sink=self._sink,
            restarts=self._restarts,
        )
        task = asyncio.get_running_loop().create_task(self._run.work())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def video(self, video: Video) -> None:
        """One picture of the source's epoch."""
        if self._run:
            self._run.offer(video)

    def finish(self) -> None:
        """No more pictures come in this epoch: what is inside still comes out."""
        if self._run:
            self._run.finish()
            self._run = None

    def shed(self) -> None:
        """The largest rung goes now: there is no room for it."""
        if self._run:
            self._run.shed()

    async def drained(self) -> None:
        """Wait until everything is out, DRAIN_SECONDS_MAX at most."""
        self.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS_MAX + 1)

    async def close(self) -> None:
        """End every process now."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("transcoder_failed", exc_info=task.exception())

    @property
    def late(self) -> bool:
        """Whether the encoder gets less of the machine than it needs."""
        return self._run is not None and self._run.late

    @property
    def pids(self) -> list[int]:
        """The process of the epoch, if it runs."""
        process = self._run.process if self._run else None
        return [process.pid] if process and process.returncode is None else []
