"""Shell: the ladders of all broadcasts: whether there is an encoder at all, and which rungs a broadcast gets from it.

What the encoders cost is read from the system while they run; encoder_budget.py decides what that means.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from media.encoder_budget import EncoderBudget
from media.ffmpeg_args import Rung, Version, can_read, fallback_rung, rungs
from media.flv import Codec
from media.hls_writer.writer import SOURCE, Writer
from media.machine import usable_cores
from media.transcoder import Transcoder, detect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from media.intake import Began

log = logging.getLogger(__name__)

# Between two readings: the clock of the system ticks a hundred times a second.
MEASURE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Running:
    """One broadcast's encoder, and the processor time it had used at the last reading."""

    writer: Writer
    transcoder: Transcoder
    pid: int | None = None
    cpu_seconds: float = 0.0


class Ladders:
    """What `names` asks for ("source", "480p", …) of that ffmpeg; None has no ladder. Raises RungInvalid. `run` it."""

    def __init__(self, names: tuple[str, ...], ffmpeg: str | None, folder: Path, cores: float | None = None) -> None:
        rungs(names, 0, 0)  # A wrong name stops the start, not the first broadcast.
        self._names = names
        self._ffmpeg = ffmpeg
        self._folder = folder
        self._budget = EncoderBudget(cores or usable_cores())
        self._running: dict[int, Running] = {}
        self._version: Version | None = None
        self._detected = asyncio.Lock()

    async def detect(self) -> None:
        """Look once whether ffmpeg can be run, and what it can do."""
        async with self._detected:
            if self._version is None and self._ffmpeg:
                self._version = await detect(self._ffmpeg)
                if self._version is None:
                    log.warning("no_ladder words=ffmpeg cannot be run")
                    self._ffmpeg = None

    @property
    def ffmpeg(self) -> str | None:
        """The encoder, once it was detected; None where there is none."""
        return self._ffmpeg if self._version else None

    def reads(self, codec: Codec) -> bool:
        """Whether there is an encoder that reads that codec."""
        return self._version is not None and can_read(self._version, codec)

    def rungs(self, began: Began) -> list[Rung]:
        """The rungs for a source as it is now: never upscaled, and none of what ffmpeg cannot read.

        A source in another codec than H.264 gets one rung also where no ladder was asked for: without it many a browser
        shows nothing at all, and half a core is a small price for a picture.
        """
        source = began.video
        if source is None or not self.reads(source.codec):
            return []
        named = rungs(self._names, source.width, source.height)
        return named if named or source.codec is Codec.AVC else [fallback_rung(source.width, source.height)]

    def admit(self, broadcast_id: int, began: Began) -> list[Rung]:
        """As many of the rungs as there is room for on this machine."""
        wanted = self.rungs(began)
        if not wanted or began.video is None:
            return []
        # Where one is late already the machine is full, whoever filled it: what the late one uses is not what it needs.
        late = any(running.transcoder.late for running in self._running.values())
        ladder = [] if late else self._budget.admit(broadcast_id, began.video, wanted)
        if len(ladder) < len(wanted):
            log.warning("ladder_refused broadcast=%d rungs=%d of=%d", broadcast_id, len(ladder), len(wanted))
        return ladder

    def renditions(self, ladder: Sequence[Rung]) -> tuple[str, ...]:
        """What players are shown of a broadcast with those rungs: the source too if it was asked for, or is all."""
        shown = (SOURCE,) if SOURCE in self._names or not ladder else ()
        return (*shown, *(rung.name for rung in ladder))

    def open(self, writer: Writer, ladder: Sequence[Rung]) -> Transcoder | None:
        """A broadcast's encoder, for what was admitted; None where there is nothing to encode."""
        if not ladder or self._ffmpeg is None or self._version is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        transcoder = Transcoder(self._ffmpeg, self._version, self._folder, writer)
        self._running[writer.broadcast_id] = Running(writer, transcoder)
        return transcoder

    def catch_up(self, writer: Writer, began: Began) -> Transcoder | None:
        """Pictures come to what began with sound, or was begun by another process: its ladder is due now.

        A rung of the other process for which there is no encoder here, or no room, ends.
        """
        ladder = self.admit(writer.broadcast_id, began)
        for name in set(writer.renditions) - {SOURCE, *(rung.name for rung in ladder)}:
            writer.drop(name)
        for rung in ladder:
            if rung.name not in writer.renditions:
                writer.add(rung.name, rung.bits_a_second)
        return self.open(writer, ladder)

    def lacks(self, writer: Writer, began: Began) -> bool:
        """Whether there was no room for all of the ladder."""
        return len(writer.renditions) - 1 < len(self.rungs(began))

    def begin(self, transcoder: Transcoder, writer: Writer, began: Began) -> None:
        """Give the writer's new epoch to its encoder; a rung that would be upscaled now, or is gone, stays away."""
        there = [rung for rung in self.rungs(began) if rung.name in writer.renditions]
        for name in writer.renditions:
            if name != SOURCE and name not in {rung.name for rung in there}:
                writer.drop(name)
        transcoder.finish()
        if there:
            transcoder.begin(writer.epoch, began, there)

    def close(self, broadcast_id: int) -> None:
        """The broadcast has ended: others may have its room."""
        self._running.pop(broadcast_id, None)
        self._budget.release(broadcast_id)

    async def run(self) -> None:
        """Measure and keep the budget, until cancelled."""
        now = asyncio.get_running_loop().time
        measured_at = now()
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            seconds, measured_at = now() - measured_at, now()
            self.measure(seconds)

    def measure(self, seconds: float) -> None:
        """Read what each encoder has used in the `seconds` since the last time, and shed where it is too much."""
        for broadcast_id, running in list(self._running.items()):
            if running.writer.renditions == (SOURCE,):
                self.close(broadcast_id)  # Its rungs were given up, one after another.
                continue
            pid = next(iter(running.transcoder.pids), None)
            cpu_seconds = None if pid is None else cpu_seconds_of(pid)
            if pid == running.pid and cpu_seconds is not None and not running.transcoder.late:
                self._budget.measured(broadcast_id, (cpu_seconds - running.cpu_seconds) / seconds)
            # Another process counts from the next time on; meanwhile the last figure stands.
            running.pid, running.cpu_seconds = pid, cpu_seconds or 0.0
        dear = self._budget.too_much()
        if dear is not None:
            log.warning("ladder_shed broadcast=%d used=%.2f cores=%.2f", dear, self._budget.used, self._budget.cores)
            self._running[dear].transcoder.shed()


def cpu_seconds_of(pid: int) -> float | None:
    """The processor time that a process has used; None when it is gone, or on a system that does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)
