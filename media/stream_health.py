"""Core: what one channel's encoder sends, in numbers: rates, keyframes, gaps, drift; out of the intake's events.

Give it each event with `now` (seconds of a clock that only rises) and ask for a `report`. It keeps one line of sums for
each of the last RECENT_SECONDS and a few last values, whatever comes in. A new epoch begins the measuring anew; what
the numbers mean for a streamer is verdicts.py's to say.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from media.intake import Audio, Began, Video

if TYPE_CHECKING:
    from collections.abc import Mapping

    from media.broadcast import State
    from media.hls_writer.tracks import AudioTrack, VideoTrack
    from media.intake import Event

# Rates are means of this time: long enough to stand still, short enough that a mended setting shows while one looks.
WINDOW_SECONDS: Final = 10
# Stutters are counted over this time: one of them is chance, and is forgotten.
RECENT_SECONDS: Final = 60
# From one picture to the next: at two pictures a second a viewer sees it stutter. (Slow shows may have five.)
PICTURE_GAP_MS: Final = 500
# Between the end of one packet of sound and the next: what the writer no longer evens out is heard.
SOUND_GAP_MS: Final = 100
# Nothing came over the line for so long although the encoder's own clock ran on.
STALL_SECONDS: Final = 1.0
# The longest of the last few counts: keyframes at cuts come in between and say nothing of the setting.
INTERVALS_KEPT: Final = 8
# Of the encoder's own name, shown to its streamer.
NAME_CHARACTERS_MAX: Final = 80

assert RECENT_SECONDS > WINDOW_SECONDS


@dataclass(slots=True)
class Second:
    """The sums of one second of `now`."""

    at: int
    pictures: int = 0
    steps: int = 0  # from one picture to the next: one less than pictures at the beginning of an epoch
    picture_bytes: int = 0
    sound_bytes: int = 0
    media_ms: int = 0  # how far the leading track's time went: the picture's if there is one
    picture_gaps: int = 0
    sound_gaps: int = 0
    stalls: int = 0
    offset_ms: int = 0  # sound before picture, summed over `pictures`
    composition_ms_min: int | None = None
    composition_ms_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is known of the picture; None is not known yet."""

    track: VideoTrack
    frames_a_second: float | None
    bits_a_second: float
    keyframe_seconds: float | None  # the longest of the last intervals, or the running one if that is longer already
    b_frames: bool
    reorder_ms: int  # how long a picture waits to be shown in its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What is known of the sound; None is not known yet."""

    track: AudioTrack
    bits_a_second: float
    offset_ms: float | None  # how far its timestamps run before the picture's, as the two arrive
    drift_ms: float | None  # how much that has changed since the epoch's first WINDOW_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One look at the stream; counts are of the last RECENT_SECONDS."""

    encoder: str | None
    seconds: float  # since the epoch began
    picture: Picture | None
    sound: Sound | None
    speed: float | None  # seconds of media a second: below 1 the line is too slow for it
    silence_seconds: float  # since anything came
    picture_gaps: int
    sound_gaps: int
    stalls: int
    connections: int  # epochs so far: how often the encoder began anew
    extra_tracks: bool  # the encoder sends more than one picture or sound: only the first one plays


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a whole broadcast does now: `report` is None before its first picture and while its publisher is away."""

    state: State
    renditions: tuple[str, ...]
    encoded: bool  # one of the renditions is of our own making: every browser plays it
    refused: bool  # there is no room on this machine for all renditions that were asked for
    report: Report | None


class StreamHealth:
    """One broadcast's numbers, over all its epochs."""

    def __init__(self) -> None:
        self.extra_tracks = False
        """Whether the publisher of this epoch sends tracks that nobody plays."""
        self._encoder: str | None = None
        self._epochs = 0
        self._seconds: deque[Second] = deque()
        self._heard_at: float | None = None
        self._begin(None, 0.0)

    def metadata(self, values: Mapping[str, Any]) -> None:
        """onMetaData: believed about nothing but the encoder's name."""
        name = values.get("encoder")
        if isinstance(name, str) and name.isprintable():
            self._encoder = name[:NAME_CHARACTERS_MAX] or None

    def take(self, event: Event, now: float) -> None:
        """One event of the intake."""
        if isinstance(event, Began):
            self._epochs += 1
            self.extra_tracks = False
            self._begin(event, now)
            return
        second = self._second(now)
        if self._heard_at is not None and now - self._heard_at >= STALL_SECONDS:
            second.stalls += 1
        self._heard_at = now
        if isinstance(event, Video):
            self._take_picture(event, second)
        else:
            self._take_sound(event, second)

    def report(self, now: float) -> Report | None:
        """What is known now; None before the first epoch."""
        if self._began is None:
            return None
        recent = [each for each in self._seconds if each.at > now - RECENT_SECONDS]
        window = [each for each in recent if each.at > now - WINDOW_SECONDS]
        since = max(self._began_at, window[0].at) if window else now
        span = now - since
        media_ms = sum(each.media_ms for each in window)
        return Report(
            encoder=self._encoder,
            seconds=now - self._began_at,
            picture=self._picture(self._began.video, window, span) if self._began.video else None,
            sound=self._sound(self._began.audio, window, span) if self._began.audio else None,
            speed=media_ms / 1000 / span if span >= WINDOW_SECONDS / 2 else None,
            silence_seconds=now - (self._began_at if self._heard_at is None else self._heard_at),
            picture_gaps=sum(each.picture_gaps for each in recent),
            sound_gaps=sum(each.sound_gaps for each in recent),
            stalls=sum(each.stalls for each in recent),
            connections=self._epochs,
            extra_tracks=self.extra_tracks,
        )

    # --- in ----------------------------------------------------------------------------------------------------------

    def _begin(self, began: Began | None, now: float) -> None:
        self._began = began
        self._began_at = now
        # Sums of the epoch before are of another picture; that it stuttered is still so.
        stutters = [
            Second(each.at, picture_gaps=each.picture_gaps, sound_gaps=each.sound_gaps, stalls=each.stalls)
            for each in self._seconds
        ]
        self._seconds = deque(stutters, maxlen=RECENT_SECONDS)
        self._heard_at = None
        self._picture_ms: int | None = None
        self._sound_ms: int | None = None
        self._key_ms: int | None = None
        self._intervals: deque[int] = deque(maxlen=INTERVALS_KEPT)
        self._base: tuple[int, int] | None = (0, 0)  # sum and count of offsets until the mean is known
        self._base_ms: float | None = None

    def _second(self, now: float) -> Second:
        at = int(now)
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(Second(at))
        return self._seconds[-1]

    def _take_picture(self, video: Video, second: Second) -> None:
        at_ms, frame = video.timestamp_ms, video.frame
        second.pictures += 1
        second.picture_bytes += len(video.payload)
        if self._picture_ms is not None:
            step_ms = max(0, at_ms - self._picture_ms)
            second.media_ms += step_ms
            second.steps += 1
            second.picture_gaps += step_ms >= PICTURE_GAP_MS
        self._picture_ms = at_ms
        if frame.key:
            if self._key_ms is not None:
                self._intervals.append(max(0, at_ms - self._key_ms))
            self._key_ms = at_ms
        least, most = second.composition_ms_min, second.composition_ms_max
        second.composition_ms_min = frame.composition_ms if least is None else min(least, frame.composition_ms)
        second.composition_ms_max = frame.composition_ms if most is None else max(most, frame.composition_ms)
        if self._sound_ms is not None:
            self._take_offset(self._sound_ms - at_ms, second)

    def _take_offset(self, offset_ms: int, second: Second) -> None:
        second.offset_ms += offset_ms
        if self._base is None:
            return
        total, count = self._base
        self._base = total + offset_ms, count + 1
        if second.at - self._began_at >= WINDOW_SECONDS:
            self._base_ms, self._base = self._base[0] / self._base[1], None

    def _take_sound(self, audio: Audio, second: Second) -> None:
        assert self._began is not None
        track, at_ms = self._began.audio, audio.timestamp_ms
        second.sound_bytes += len(audio.data)
        if self._sound_ms is not None and track:
            step_ms = max(0, at_ms - self._sound_ms)
            if self._began.video is None:
                second.media_ms += step_ms
            second.sound_gaps += step_ms - track.samples(audio.data) * 1000 // track.rate >= SOUND_GAP_MS
        self._sound_ms = at_ms

    # --- out ---------------------------------------------------------------------------------------------------------

    def _picture(self, track: VideoTrack, window: list[Second], span: float) -> Picture:
        steps = sum(each.steps for each in window)
        media_ms = sum(each.media_ms for each in window)
        least = [each.composition_ms_min for each in window if each.composition_ms_min is not None]
        most = [each.composition_ms_max for each in window if each.composition_ms_max is not None]
        return Picture(
            track=track,
            frames_a_second=steps * 1000 / media_ms if media_ms else None,
            bits_a_second=sum(each.picture_bytes for each in window) * 8 / span if span > 0 else 0.0,
            keyframe_seconds=self._keyframe_seconds(),
            b_frames=bool(most) and max(most) > min(least),
            reorder_ms=max(most, default=0),
        )

    def _keyframe_seconds(self) -> float | None:
        assert self._picture_ms is None or self._key_ms is not None  # an epoch begins at a keyframe
        running_ms = self._picture_ms - self._key_ms if self._picture_ms is not None and self._key_ms is not None else 0
        longest_ms = max(self._intervals, default=0)
        if longest_ms == 0 and running_ms < WINDOW_SECONDS * 1000:
            return None
        return max(longest_ms, running_ms) / 1000

    def _sound(self, track: AudioTrack, window: list[Second], span: float) -> Sound:
        pictures = sum(each.pictures for each in window)
        offset_ms = None
        if self._began and self._began.video and pictures and self._sound_ms is not None:
            offset_ms = sum(each.offset_ms for each in window) / pictures
        drift_ms = None if offset_ms is None or self._base_ms is None else offset_ms - self._base_ms
        return Sound(
            track=track,
            bits_a_second=sum(each.sound_bytes for each in window) * 8 / span if span > 0 else 0.0,
            offset_ms=offset_ms,
            drift_ms=drift_ms,
        )
