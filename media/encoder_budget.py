"""Core: how much of a machine the encoders may have: who gets how much of a ladder, and who gives some back.

In cores (seconds of processor time a second). A newcomer is judged by an estimate from sizes, corrected by what the
running ones turned out to cost; whoever runs counts as measured. One more broadcast never starves the others: what does
not fit is not begun, and if all together are too much all the same, the newest loses its largest rung.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from media.ffmpeg_args import rung_size
from media.flv import Codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from media.ffmpeg_args import Rung
    from media.hls_writer.tracks import VideoTrack

# The rest is for the source renditions, which need no encoder, and for everything else of the house.
SHARE_ADMITTED: Final = 0.75
# Measured use jumps with the picture: between the two shares nobody comes and nobody goes.
SHARE_MAX: Final = 0.9
# One jump is a change of scene.
OVERLOADS_MAX: Final = 2

# An epoch begins before its frame rate is known. What is twice as quick turns out twice as dear a moment later.
FRAMES_A_SECOND_ASSUMED: Final = 30
# Cores a million pixels a second, measured with real commands (superfast, fast_bilinear); the machine corrects it.
DECODE_CORES: Final = 0.003
ENCODE_CORES: Final = 0.01
# Decoding, by codec, in decodings of H.264.
DECODE_FACTOR: Final = {Codec.AVC: 1.0, Codec.HEVC: 2.0, Codec.AV1: 1.0}
# How far a machine may be from that one.
CORRECTION_MIN: Final = 0.25
CORRECTION_MAX: Final = 8.0

assert SHARE_ADMITTED < SHARE_MAX <= 1


@dataclass(slots=True)
class Share:
    """What one broadcast's encoder takes."""

    estimate: float  # by sizes alone
    measured: float | None = None
    rungs: list[str] = field(default_factory=list)


class EncoderBudget:
    """Ask `admit` before an encoder starts, tell what it costs with `measured`, ask `too_much` after, `release` it."""

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self._shares: dict[int, Share] = {}
        self._correction = 1.0
        self._overloads = 0

    @property
    def used(self) -> float:
        """Cores in use, or promised."""
        return sum(self._cost(share) for share in self._shares.values())

    def admit(self, key: int, source: VideoTrack, wanted: Sequence[Rung]) -> list[Rung]:
        """As much of the ladder as there is room for, the largest rungs first to go; perhaps nothing."""
        room = self.cores * SHARE_ADMITTED - self.used
        rungs = sorted(wanted, key=lambda rung: rung.height)
        while rungs and estimate(source, rungs) * self._correction > room:
            rungs.pop()
        if rungs:
            self._shares[key] = Share(estimate(source, rungs), rungs=[rung.name for rung in rungs])
        return [rung for rung in wanted if rung in rungs]

    def measured(self, key: int, cores: float) -> None:
        """What that broadcast's encoder has used since the last time."""
        if key in self._shares:
            self._shares[key].measured = cores
        known = [share for share in self._shares.values() if share.measured is not None]
        by_sizes = sum(share.estimate for share in known)
        if by_sizes:
            real = sum(share.measured or 0.0 for share in known)
            self._correction = min(CORRECTION_MAX, max(CORRECTION_MIN, real / by_sizes))

    def too_much(self) -> int | None:
        """Ask once after each round of measuring: the broadcast that has to give back its largest rung, if one has."""
        self._overloads = self._overloads + 1 if self.used > self.cores * SHARE_MAX else 0
        if self._overloads < OVERLOADS_MAX or not self._shares:
            return None
        self._overloads = 0
        return next(reversed(self._shares))

    def release(self, key: int) -> None:
        """That broadcast has no encoder any more."""
        self._shares.pop(key, None)

    def _cost(self, share: Share) -> float:
        return share.estimate * self._correction if share.measured is None else share.measured


def estimate(source: VideoTrack, rungs: Sequence[Rung]) -> float:
    """Cores for decoding a source once and encoding each rung, by their sizes."""
    decoded = source.width * source.height * DECODE_CORES * DECODE_FACTOR[source.codec]
    sizes = [rung_size(rung, source.width, source.height) for rung in rungs]
    encoded = sum(width * height for width, height in sizes) * ENCODE_CORES
    return (decoded + encoded) * FRAMES_A_SECOND_ASSUMED / 1_000_000
