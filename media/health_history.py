"""Core: how one broadcast has done so far: a sample each SAMPLE_SECONDS, the newest SAMPLES_MAX of them.

Samples are numbered from the broadcast's first. A moment of which nothing is known (the encoder is away, the chat's
servers do not answer) is a sample without that figure: a gap in the line and not a nought.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from media.stream_health import Report

# Finer than this nothing is seen in two hours on a screen; what goes wrong for less is in the verdicts of the minute.
SAMPLE_SECONDS: Final = 5.0
# Two hours: 23 KB a broadcast.
SAMPLES_MAX: Final = 1_440

FIGURES: Final = ("viewers", "kilobits", "frames", "keyframe_seconds")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples of a broadcast, the oldest first; None is not known."""

    first: int  # the number of the oldest here
    viewers: tuple[float | None, ...]
    kilobits: tuple[float | None, ...]
    frames: tuple[float | None, ...]
    keyframe_seconds: tuple[float | None, ...]


class HealthHistory:
    """One broadcast's samples."""

    def __init__(self) -> None:
        self._first = 0
        self._figures = {name: array("f") for name in FIGURES}

    @property
    def next(self) -> int:
        """The number of the sample that comes next."""
        return self._first + len(self._figures["viewers"])

    def add(self, report: Report | None, viewers: int | None) -> None:
        """One more sample: what the encoder sends now, and how many watch."""
        picture = report.picture if report else None
        sound = report.sound if report else None
        bits = (picture.bits_a_second if picture else 0.0) + (sound.bits_a_second if sound else 0.0)
        sample = {
            "viewers": viewers,
            "kilobits": bits / 1000 if report else None,
            "frames": picture.frames_a_second if picture else None,
            "keyframe_seconds": picture.keyframe_seconds if picture else None,
        }
        for name, figure in self._figures.items():
            value = sample[name]
            figure.append(math.nan if value is None else value)
        if len(self._figures["viewers"]) > SAMPLES_MAX:
            self._first += 1
            for figure in self._figures.values():
                figure.pop(0)

    def since(self, number: int) -> Stretch:
        """Every sample that is kept, from `number` on."""
        skipped = min(max(0, number - self._first), self.next - self._first)

        def known(name: str) -> tuple[float | None, ...]:
            return tuple(None if math.isnan(value) else round(value, 1) for value in self._figures[name][skipped:])

        return Stretch(self._first + skipped, *map(known, FIGURES))
