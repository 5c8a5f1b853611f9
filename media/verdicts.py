"""Core: what a streamer should know of the numbers: stable codes with their values; the words are the browser's.

Each rule stands in its own line with the limit it judges by. Good news is said where a setting is so often wrong that
silence would leave one in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from media.flv import Codec

if TYPE_CHECKING:
    from media.stream_health import Picture, Report, Sound

# OBS's own choice for a custom server is 8.3 s. Beyond four, players wait to begin, and switch quality late.
KEYFRAME_SECONDS_MAX: Final = 4.0
# A keyframe costs as much as ten other pictures.
KEYFRAME_SECONDS_MIN: Final = 0.5
# Below it more is made than the line carries.
SPEED_MIN: Final = 0.9
# Silence that is not the interleaving of two tracks.
SILENCE_SECONDS_MAX: Final = 2.0
# More than most homes and phones can take; a ladder helps those who cannot.
BITS_A_SECOND_MAX: Final = 10_000_000
# Three pictures at thirty a second: what B-frames may add to the delay before anybody minds.
REORDER_MS_MAX: Final = 100
# ITU-R BT.1359: sound is felt to be apart from 125 ms on.
DRIFT_MS_MAX: Final = 125

assert KEYFRAME_SECONDS_MIN < KEYFRAME_SECONDS_MAX


class Level(StrEnum):
    """How much it matters."""

    GOOD = "good"
    HINT = "hint"
    BAD = "bad"


class Code(StrEnum):
    """What can be said. Codes are never renamed: catalogues and programs of others know them."""

    KEYFRAMES_GOOD = "keyframes.good"
    KEYFRAMES_LONG = "keyframes.long"
    KEYFRAMES_SHORT = "keyframes.short"
    PICTURE_NONE = "picture.none"
    PICTURE_GAPS = "picture.gaps"
    PICTURE_B_FRAMES = "picture.b_frames"
    PICTURE_CODEC = "picture.codec"
    SOUND_NONE = "sound.none"
    SOUND_GAPS = "sound.gaps"
    SOUND_DRIFT = "sound.drift"
    LINE_SILENT = "line.silent"
    LINE_SLOW = "line.slow"
    LINE_STALLS = "line.stalls"
    TRACKS_EXTRA = "tracks.extra"
    BITRATE_HIGH = "bitrate.high"
    LADDER_REFUSED = "ladder.refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence's code and the values that stand in it."""

    code: Code
    level: Level
    values: dict[str, float] = field(default_factory=dict)


def judge(report: Report, *, encoded: bool, refused: bool) -> list[Verdict]:
    """Everything to be said, the worst first.

    `encoded`: there is a rendition of ours, which every browser plays. `refused`: there is no room for all of them.
    """
    found = _line(report)
    if report.picture:
        found += _picture(report.picture, report)
        if report.picture.track.codec is not Codec.AVC and not encoded:
            found.append(Verdict(Code.PICTURE_CODEC, Level.BAD))
    else:
        found.append(Verdict(Code.PICTURE_NONE, Level.HINT))
    if report.sound:
        found += _sound(report.sound, report)
    else:
        found.append(Verdict(Code.SOUND_NONE, Level.HINT))
    bits = sum(each.bits_a_second for each in (report.picture, report.sound) if each)
    if bits > BITS_A_SECOND_MAX:
        found.append(Verdict(Code.BITRATE_HIGH, Level.HINT, {"megabits": round(bits / 1_000_000, 1)}))
    if report.extra_tracks:
        found.append(Verdict(Code.TRACKS_EXTRA, Level.HINT))
    if refused:
        found.append(Verdict(Code.LADDER_REFUSED, Level.HINT))
    order = list(Level)
    return sorted(found, key=lambda verdict: -order.index(verdict.level))


def _line(report: Report) -> list[Verdict]:
    found = []
    if report.silence_seconds >= SILENCE_SECONDS_MAX:
        found.append(Verdict(Code.LINE_SILENT, Level.BAD, {"seconds": round(report.silence_seconds, 1)}))
    elif report.speed is not None and report.speed < SPEED_MIN:
        found.append(Verdict(Code.LINE_SLOW, Level.BAD, {"percent": round(report.speed * 100)}))
    if report.stalls:
        found.append(Verdict(Code.LINE_STALLS, Level.BAD, {"count": report.stalls}))
    return found


def _picture(picture: Picture, report: Report) -> list[Verdict]:
    found = []
    if picture.keyframe_seconds is not None:
        seconds = {"seconds": round(picture.keyframe_seconds, 1)}
        if picture.keyframe_seconds > KEYFRAME_SECONDS_MAX:
            found.append(Verdict(Code.KEYFRAMES_LONG, Level.BAD, seconds))
        elif picture.keyframe_seconds < KEYFRAME_SECONDS_MIN:
            found.append(Verdict(Code.KEYFRAMES_SHORT, Level.HINT, seconds))
        else:
            found.append(Verdict(Code.KEYFRAMES_GOOD, Level.GOOD, seconds))
    if report.picture_gaps:
        found.append(Verdict(Code.PICTURE_GAPS, Level.BAD, {"count": report.picture_gaps}))
    if picture.b_frames and picture.reorder_ms > REORDER_MS_MAX:
        found.append(Verdict(Code.PICTURE_B_FRAMES, Level.HINT, {"milliseconds": picture.reorder_ms}))
    return found


def _sound(sound: Sound, report: Report) -> list[Verdict]:
    found = []
    if report.sound_gaps:
        found.append(Verdict(Code.SOUND_GAPS, Level.BAD, {"count": report.sound_gaps}))
    if sound.drift_ms is not None and abs(sound.drift_ms) >= DRIFT_MS_MAX:
        found.append(Verdict(Code.SOUND_DRIFT, Level.BAD, {"milliseconds": round(sound.drift_ms)}))
    return found
