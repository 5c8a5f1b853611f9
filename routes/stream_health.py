"""Core: a broadcast's health on the wire: numbers as they are, verdicts as codes that the reader has words for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from media.health_history import SAMPLE_SECONDS, HealthHistory
from media.verdicts import judge

if TYPE_CHECKING:
    from media.stream_health import Look, Picture, Report, Sound

OFF_AIR = "off_air"


class PictureView(Struct, frozen=True):
    """What the encoder's picture is. Null is not known yet."""

    codec: str
    width: int
    height: int
    frames_a_second: float | None
    kilobits_a_second: int
    keyframe_seconds: float | None
    b_frames: bool


class SoundView(Struct, frozen=True):
    """What the encoder's sound is; `drift_ms` is how far it has moved against the picture. Null is not known yet."""

    codec: str
    rate: int
    channels: int
    kilobits_a_second: int
    drift_ms: int | None


class GapsView(Struct, frozen=True):
    """Stutters of the last minute: in the picture, in the sound, and of the line itself."""

    picture: int
    sound: int
    line: int


class VerdictView(Struct, frozen=True):
    """One thing to know: a stable code, `good`, `hint` or `bad`, and the values of its sentence."""

    code: str
    level: str
    values: dict[str, float]


class StreamHealthView(Struct, frozen=True):
    """GET /api/channels/{nickname}/health. Only `state` says something while nothing comes in."""

    state: str
    seconds: int | None = None
    encoder: str | None = None
    connections: int | None = None
    speed: float | None = None
    picture: PictureView | None = None
    sound: SoundView | None = None
    gaps: GapsView | None = None
    renditions: list[str] = []
    verdicts: list[VerdictView] = []


class HealthHistoryView(Struct, frozen=True):
    """GET /api/channels/{nickname}/health/history: a sample each `every_seconds`, the oldest first; null is not known.

    `first` is the number of the first one here: as `cursor`, the number after the last asks for what is new.
    """

    every_seconds: float
    first: int
    viewers: list[float | None]
    kilobits: list[float | None]
    frames: list[float | None]
    keyframe_seconds: list[float | None]


def history_view(history: HealthHistory | None, number: int) -> HealthHistoryView:
    """Show how a channel's broadcast has done from the sample `number` on; None is off air."""
    stretch = (history or HealthHistory()).since(number)
    return HealthHistoryView(
        every_seconds=SAMPLE_SECONDS,
        first=stretch.first,
        viewers=list(stretch.viewers),
        kilobits=list(stretch.kilobits),
        frames=list(stretch.frames),
        keyframe_seconds=list(stretch.keyframe_seconds),
    )


def view(look: Look | None) -> StreamHealthView:
    """Show how a channel's broadcast does; None is off air."""
    if look is None:
        return StreamHealthView(state=OFF_AIR)
    renditions = list(look.renditions)
    if look.report is None:
        return StreamHealthView(state=look.state.value, renditions=renditions)
    report = look.report
    return StreamHealthView(
        state=look.state.value,
        seconds=int(report.seconds),
        encoder=report.encoder,
        connections=report.connections,
        speed=None if report.speed is None else round(report.speed, 2),
        picture=_picture(report.picture),
        sound=_sound(report.sound),
        gaps=_gaps(report),
        renditions=renditions,
        verdicts=[
            VerdictView(code=each.code.value, level=each.level.value, values=each.values)
            for each in judge(report, encoded=look.encoded, refused=look.refused)
        ],
    )


def _picture(picture: Picture | None) -> PictureView | None:
    if picture is None:
        return None
    return PictureView(
        codec=picture.track.codecs,
        width=picture.track.width,
        height=picture.track.height,
        frames_a_second=None if picture.frames_a_second is None else round(picture.frames_a_second, 1),
        kilobits_a_second=round(picture.bits_a_second / 1000),
        keyframe_seconds=None if picture.keyframe_seconds is None else round(picture.keyframe_seconds, 1),
        b_frames=picture.b_frames,
    )


def _sound(sound: Sound | None) -> SoundView | None:
    if sound is None:
        return None
    return SoundView(
        codec=sound.track.codecs,
        rate=sound.track.rate,
        channels=sound.track.channels,
        kilobits_a_second=round(sound.bits_a_second / 1000),
        drift_ms=None if sound.drift_ms is None else round(sound.drift_ms),
    )


def _gaps(report: Report) -> GapsView:
    return GapsView(picture=report.picture_gaps, sound=report.sound_gaps, line=report.stalls)
