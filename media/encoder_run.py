"""Shell: one epoch's encoder: its ffmpeg processes, one after another, what goes in and what comes out.

A process that dies, or gives nothing, is started again (restarts.py). If it was well, its successor is given everything
since the last keyframe and goes on with the picture after the last one that came out: nothing is missing. Otherwise it
may be the pictures that it died of, and the successor begins at the next keyframe, behind a hole. When that is given
up, or when it is overwhelmed, or when there is no room for it, rungs go, the largest first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from media.backlog import Backlog
from media.children import kill, launched, reap
from media.encoder_watch import EncoderWatch
from media.flv import (
    FlvError,
    TagKind,
    TagReader,
    Unwrapper,
    VideoConfig,
    VideoFrame,
    read_video,
    write_header,
    write_tag,
)
from media.hls_writer.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from media.ffmpeg_args import Rung
    from media.intake import Video
    from media.restarts import Restarts

log = logging.getLogger(__name__)

READ_BYTES: Final = 64 * 1024
# In the transport; what waits beyond it waits in the backlog, where it can be dropped.
STDIN_BYTES_MAX: Final = 256 * 1024
# After the last picture: to finish what is inside (some 10 ms), or be killed.
DRAIN_SECONDS_MAX: Final = 2.0
# Between two looks at what comes out.
WATCH_SECONDS: Final = 0.5
# ffmpeg's last words, for the log.
STDERR_LINES_MAX: Final = 20
STDERR_LINE_CHARACTERS_MAX: Final = 300


class RungSink(Protocol):
    """Where the rungs go; every method returns at once."""

    def rung_config(self, name: str, epoch: int, config: VideoConfig) -> None:
        """A rung begins, or another process goes on with it."""

    def rung_video(self, name: str, epoch: int, timestamp_ms: int, frame: VideoFrame) -> None:
        """One picture, on the source's line of time."""

    def rung_hole(self, name: str, epoch: int) -> None:
        """Pictures are missing up to the next one."""

    def drop(self, name: str) -> None:
        """The rung goes for good."""


class Run:
    """The processes of one epoch, one after another."""

    def __init__(
        self,
        epoch: int,
        *,
        config: bytes,
        rungs: list[Rung],
        command: Callable[[list[Rung], list[int], Mapping[str, int]], list[str]],
        folder: Path,
        sink: RungSink,
        restarts: Restarts,
    ) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self._epoch = epoch
        self._config = config
        self._rungs = list(rungs)
        self._command = command
        self._folder = folder
        self._sink = sink
        self._backlog = Backlog()
        self._restarts = restarts
        self._more = asyncio.Event()
        self._finished = asyncio.Event()
        self._words: deque[str] = deque(maxlen=STDERR_LINES_MAX)
        self._holes: dict[str, deque[int]] = {}
        self._watch = EncoderWatch(())
        self._too_dear = False
        self._last_ms: dict[str, int] = {}  # the picture of each rung that came out last
        self._begins_ms: int | None = None  # the picture that the next process is given first; None: whichever comes
        self._seen_ms: dict[str, int] = {}  # … and how far behind it each rung already goes

    def offer(self, video: Video) -> None:
        """Let a picture wait for the encoder."""
        self._backlog.offer(video.timestamp_ms, video.payload, key=video.frame.key)
        while self._backlog.holes:
            hole = self._backlog.holes.popleft()
            for holes in self._holes.values():
                holes.append(hole)
        if self._backlog.overwhelmed and self.process and self.process.returncode is None:
            kill(self.process)
        self._more.set()

    @property
    def late(self) -> bool:
        """Whether the encoder gets less of the machine than it needs."""
        return self._backlog.late

    def shed(self) -> None:
        """There is no room for the largest rung any more: go on without it."""
        self._too_dear = True
        if self.process and self.process.returncode is None:
            kill(self.process)

    def finish(self) -> None:
        """Nothing more is offered."""
        self._finished.set()
        self._more.set()

    async def work(self) -> None:
        """Run processes until the epoch is finished or the ladder given up.

        After a failure of ours nobody writes the rungs any more: they go, so that their viewers go elsewhere.
        """
        try:
            await self._work()
        except Exception:
            self._give_up_all()
            raise

    async def _work(self) -> None:
        now = asyncio.get_running_loop().time
        while self._rungs:
            await self._something_waits()
            if not self._backlog.bytes_held:
                return
            self._restarts.started()
            try:
                await self._one_process()
            except OSError as error:
                self._words.append(str(error))
            if self._finished.is_set():
                return
            log.warning("encoder_ended epoch=%d words=%s", self._epoch, " | ".join(self._words))
            self._words.clear()
            self._backlog.clear()
            if self._backlog.overwhelmed or self._too_dear:
                self._backlog.forgive()
                self._too_dear = False
                self._give_up(max(self._rungs, key=lambda rung: rung.height))
                self._bridge(None)
                continue
            seconds = self._restarts.failed(now())
            if seconds is None:
                self._give_up_all()
                return
            if seconds:
                self._bridge(None)
                await asyncio.sleep(seconds)
                # Nobody was slow: there was nobody. The next process begins with nothing to catch up with.
                self._backlog.clear()
            else:
                self._bridge(self._backlog.replay())
            self._backlog.forgive()

    def _bridge(self, begins_ms: int | None) -> None:
        """Let the next process begin with that picture; a rung that does not reach it has a hole."""
        self._begins_ms = begins_ms
        self._seen_ms.clear()
        for rung in self._rungs:
            last_ms = self._last_ms.get(rung.name)
            if begins_ms is not None and last_ms is not None and last_ms >= begins_ms:
                self._seen_ms[rung.name] = last_ms - begins_ms
            else:
                self._sink.rung_hole(rung.name, self._epoch)

    def _give_up_all(self) -> None:
        for rung in list(self._rungs):
            self._give_up(rung)

    def _give_up(self, rung: Rung) -> None:
        log.warning("rung_given_up epoch=%d rung=%s", self._epoch, rung.name)
        self._rungs.remove(rung)
        self._sink.drop(rung.name)

    async def _something_waits(self) -> None:
        while not (self._backlog.bytes_held or self._finished.is_set()):
            self._more.clear()
            await self._more.wait()

    async def _one_process(self) -> None:
        """From start to exit. The pipes and the process are gone when it returns, however it does."""
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            writing: list[int] = []
            readers: list[asyncio.StreamReader] = []
            stack.callback(_close_all, writing)
            for _ in self._rungs:
                reading_end, writing_end = os.pipe()
                writing.append(writing_end)
                reader = asyncio.StreamReader(limit=READ_BYTES, loop=loop)
                pipe = os.fdopen(reading_end, "rb", buffering=0)
                transport, _ = await loop.connect_read_pipe(_protocol_of(reader), pipe)
                stack.callback(transport.close)
                readers.append(reader)
            process = await asyncio.create_subprocess_exec(
                *launched(self._command(self._rungs, writing, self._seen_ms)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=writing,
                cwd=self._folder,
            )
            self.process = process
            stack.push_async_callback(reap, process)
            _close_all(writing)  # ffmpeg has them now; a pipe ends when its last writer does.
            self._holes = {rung.name: deque() for rung in self._rungs}
            self._watch = EncoderWatch(self._holes)
            base = Base(self._begins_ms)
            async with asyncio.TaskGroup() as tasks:
                whole_life = (self._feed(process, base), self._hurry(process), self._watch_over(process))
                until_exit = [tasks.create_task(work) for work in whole_life]
                tasks.create_task(self._listen(process))
                for rung, reader in zip(self._rungs, readers, strict=True):
                    tasks.create_task(self._read(rung.name, reader, base))
                await process.wait()
                for task in until_exit:
                    task.cancel()

    async def _feed(self, process: asyncio.subprocess.Process, base: Base) -> None:
        stdin, now = process.stdin, asyncio.get_running_loop().time
        assert stdin is not None
        begun = False
        with contextlib.suppress(ConnectionError):  # It died; whoever waits for it knows.
            while True:
                await self._something_waits()
                if stdin.transport.is_closing():  # It died meanwhile; to write now would be an error of uvloop's own.
                    return
                was_given_before = self._backlog.replaying
                waiting = self._backlog.take()
                if waiting is None:
                    break
                if not begun:
                    begun = True
                    stdin.transport.set_write_buffer_limits(high=STDIN_BYTES_MAX)
                    stdin.write(write_header(video=True, audio=False) + write_tag(TagKind.VIDEO, 0, self._config))
                timestamp_ms, payload = waiting
                if base.ms is None:
                    base.ms = timestamp_ms
                stdin.write(write_tag(TagKind.VIDEO, timestamp_ms - base.ms, payload))
                if not was_given_before:  # Of those most come out of nothing.
                    self._watch.given(now())
                await stdin.drain()
        stdin.close()

    async def _hurry(self, process: asyncio.subprocess.Process) -> None:
        """At the end of the epoch the process has DRAIN_SECONDS_MAX to end by itself, however stuck it is."""
        await self._finished.wait()
        await asyncio.sleep(DRAIN_SECONDS_MAX)
        kill(process)

    async def _watch_over(self, process: asyncio.subprocess.Process) -> None:
        """End a process that takes pictures and gives none."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            rung = self._watch.stalled(now())
            if rung is not None:
                self._words.append(f"{rung}: nothing came out")
                kill(process)
                return

    async def _read(self, name: str, reader: asyncio.StreamReader, base: Base) -> None:
        """Hand on one rung's pictures until the process closes its pipe."""
        tags, line, holes = TagReader(), Unwrapper(bits=31, near_ms=0), self._holes[name]
        now = asyncio.get_running_loop().time
        while data := await reader.read(READ_BYTES):
            try:
                for tag in tags.receive_data(data):
                    read = read_video(tag.payload) if tag.kind == TagKind.VIDEO else None
                    if isinstance(read, VideoConfig):
                        self._sink.rung_config(name, self._epoch, read)
                    elif read:
                        timestamp_ms = line.unwrap(tag.timestamp_ms) + (base.ms or 0)
                        if holes and timestamp_ms >= holes[0]:
                            holes.popleft()
                            self._sink.rung_hole(name, self._epoch)
                        self._watch.got(name)
                        self._restarts.gave(now())
                        self._last_ms[name] = timestamp_ms
                        self._sink.rung_video(name, self._epoch, timestamp_ms, read)
            except (FlvError, MediaError) as error:
                self._words.append(f"{name}: {error}")
                assert self.process is not None
                kill(self.process)
                return

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep ffmpeg's last words, and never let it wait for them to be read."""
        assert process.stderr is not None
        rest = ""
        while data := await process.stderr.read(READ_BYTES):
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            self._words.extend(line[:STDERR_LINE_CHARACTERS_MAX] for line in lines if line.strip())
            rest = rest[:STDERR_LINE_CHARACTERS_MAX]


@dataclass(slots=True)
class Base:
    """The source's time at which a process's own time begins: the first picture that it is to be given."""

    ms: int | None = None


def _protocol_of(reader: asyncio.StreamReader) -> Callable[[], asyncio.StreamReaderProtocol]:
    return lambda: asyncio.StreamReaderProtocol(reader)


def _close_all(descriptors: list[int]) -> None:
    """Close each once: its number may be somebody else's a moment later."""
    while descriptors:
        os.close(descriptors.pop())
