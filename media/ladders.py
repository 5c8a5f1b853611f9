"""Shell: the ladders of all broadcasts: whether there is an encoder, and which rungs a broadcast gets from it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from media.ffmpeg_args import Rung, Version, can_read, rungs
from media.hls_writer.writer import SOURCE, Writer
from media.transcoder import Transcoder, detect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from media.flv import Codec
    from media.intake import Began

log = logging.getLogger(__name__)


class Ladders:
    """What `names` asks for ("source", "480p", …) of that ffmpeg; None has no ladder. Raises RungInvalid."""

    def __init__(self, names: tuple[str, ...], ffmpeg: str | None, folder: Path) -> None:
        rungs(names, 0, 0)  # A wrong name stops the start, not the first broadcast.
        self._names = names
        self._ffmpeg = ffmpeg
        self._folder = folder
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
        """The rungs for a source as it is now: never upscaled, and none of what ffmpeg cannot read."""
        if began.video is None or not self.reads(began.video.codec):
            return []
        return rungs(self._names, began.video.width, began.video.height)

    def renditions(self, ladder: Sequence[Rung]) -> tuple[str, ...]:
        """What players are shown of a broadcast with those rungs: the source too if it was asked for, or is all."""
        shown = (SOURCE,) if SOURCE in self._names or not ladder else ()
        return (*shown, *(rung.name for rung in ladder))

    def transcoder(self, ladder: Sequence[Rung], writer: Writer) -> Transcoder | None:
        """A broadcast's encoder; None where there is nothing to encode."""
        if not ladder or self._ffmpeg is None or self._version is None:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        return Transcoder(self._ffmpeg, self._version, self._folder, writer)

    def begin(self, transcoder: Transcoder, writer: Writer, began: Began) -> None:
        """Give the writer's new epoch to its encoder; a rung that would be upscaled now, or is gone, stays away."""
        there = [rung for rung in self.rungs(began) if rung.name in writer.renditions]
        for name in writer.renditions:
            if name != SOURCE and name not in {rung.name for rung in there}:
                writer.drop(name)
        transcoder.finish()
        if there:
            transcoder.begin(writer.epoch, began, there)
