"""Core: one publishing session's tags on their way in: what is played, from where on, and when everything begins anew.

An epoch is a stretch of media with one set of tracks and one line of time. It begins at a keyframe, with all its tracks
known: a player that is told of audio later must start over. A new epoch follows a new configuration or a jump of the
timestamps; another publishing session has another intake and so a new epoch too. Raises the FlvError and MediaError
families: the publisher is then sent away with these words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.flv import AudioConfig, AudioFrame, TagKind, Unwrapper, VideoConfig, VideoFrame, read_audio, read_video
from media.hls_writer.errors import MediaError
from media.hls_writer.tracks import AudioTrack, VideoTrack, audio_track, video_track
from media.multitrack import first_track

if TYPE_CHECKING:
    from collections.abc import Mapping

# How long the first frames wait for the other track, in media: encoders send both configurations at once.
SETTLE_MS_MAX: Final = 1000
# Timestamps that step further than this in either direction are another line of time (rfc8216bis 6.2.1).
STEP_BACK_MS_MAX: Final = 1000
STEP_AHEAD_MS_MAX: Final = 10_000
# A second of 128 Mbit/s: what is held while the tracks settle.
HELD_BYTES_MAX: Final = 16 * 1024 * 1024
HELD_FRAMES_MAX: Final = 2048

assert SETTLE_MS_MAX <= STEP_AHEAD_MS_MAX


class TooMuchHeld(MediaError):
    """More than HELD_BYTES_MAX or HELD_FRAMES_MAX came before anything could be played."""

    def __str__(self) -> str:
        return "too much media before the first keyframe and its configuration"


@dataclass(frozen=True, slots=True)
class Began:
    """A new epoch; at least one track. `first_ms` is the first frame's time on the publisher's line."""

    video: VideoTrack | None
    audio: AudioTrack | None
    video_payload: bytes  # the configuration as the tag it came in, for an encoder; empty without video
    first_ms: int


@dataclass(frozen=True, slots=True)
class Video:
    """A picture of the epoch, on the publisher's line of time; `payload` is its whole tag."""

    timestamp_ms: int
    frame: VideoFrame
    payload: bytes


@dataclass(frozen=True, slots=True)
class Audio:
    """A packet of the epoch, on the publisher's line of time."""

    timestamp_ms: int
    data: bytes


Event = Began | Video | Audio


class Intake:
    """Payloads in, in order of arrival; after each, take the events that came of it."""

    def __init__(self) -> None:
        self._line = Unwrapper()  # of frames alone: encoders send a configuration at 0, whatever their clock says
        self._expected: tuple[bool, bool] | None = None  # what the metadata promises: video, audio
        self._video: VideoTrack | None = None
        self._video_payload = b""
        self._audio: AudioTrack | None = None
        self._current: Began | None = None
        self._stale = False  # a new epoch is due at the next keyframe
        self._last_ms: int | None = None
        self._held: list[Video | Audio] = []
        self._held_bytes = 0
        self.extra_tracks = False
        """Whether the publisher has sent tracks that nobody plays."""

    def metadata(self, values: Mapping[str, object]) -> None:
        """onMetaData: believed only about which tracks there are, and only to wait less long."""
        self._expected = ("videocodecid" in values, "audiocodecid" in values)

    def video(self, timestamp_ms: int, payload: bytes) -> list[Event]:
        """One video payload."""
        plain = self._first_track(TagKind.VIDEO, payload)
        if plain is None:
            return []
        payload = plain
        read = read_video(payload)
        if isinstance(read, VideoFrame):
            line_ms = self._line.unwrap(timestamp_ms)
            return self._on_picture(Video(line_ms, read, payload)) if self._video else []
        if isinstance(read, VideoConfig):
            track = video_track(read)
            if track != self._video:
                self._video, self._video_payload = track, payload
                self._stale = self._current is not None
                # What was held is not of this configuration.
                self._drop([held for held in self._held if isinstance(held, Audio)])
        return []

    def audio(self, timestamp_ms: int, payload: bytes) -> list[Event]:
        """One audio payload."""
        plain = self._first_track(TagKind.AUDIO, payload)
        if plain is None:
            return []
        read = read_audio(plain)
        if isinstance(read, AudioFrame):
            line_ms = self._line.unwrap(timestamp_ms)
            return self._on_packet(Audio(line_ms, read.data)) if self._audio else []
        if isinstance(read, AudioConfig):
            track = audio_track(read)
            if track != self._audio:
                self._audio = track
                self._stale = self._current is not None
                self._drop([held for held in self._held if isinstance(held, Video)])
        return []

    def _first_track(self, kind: TagKind, payload: bytes) -> bytes | None:
        plain = first_track(kind, payload)
        self.extra_tracks = self.extra_tracks or plain is None
        return plain

    def _on_picture(self, video: Video) -> list[Event]:
        if self._current is None:
            return self._hold(video) if self._held_picture or video.frame.key else []
        if self._jumped(video.timestamp_ms):
            self._stale = True
        if self._stale:
            if video.frame.key:
                return self._begin([video])
            if self._current.video != self._video or self._jumped(video.timestamp_ms):
                return []  # It belongs to an epoch that begins at the next keyframe.
        self._last_ms = video.timestamp_ms
        return [video]

    def _on_packet(self, audio: Audio) -> list[Event]:
        if self._current is None:
            return self._hold(audio)
        if self._current.video is None:
            if self._stale or self._jumped(audio.timestamp_ms):
                # Pictures that come later begin an epoch of their own, at their keyframe.
                if self._video is None:
                    return self._begin([audio])
                if self._current.audio != self._audio:
                    return []
            self._last_ms = audio.timestamp_ms
            return [audio]
        if self._current.audio != self._audio or self._jumped(audio.timestamp_ms):
            return []
        return [audio]

    @property
    def _held_picture(self) -> bool:
        return any(isinstance(held, Video) for held in self._held)

    def _hold(self, frame: Video | Audio) -> list[Event]:
        """Nothing has begun: keep the frame, and begin when the tracks have settled."""
        if self._held and not 0 <= frame.timestamp_ms - self._held[0].timestamp_ms <= STEP_AHEAD_MS_MAX:
            self._drop([])
            if isinstance(frame, Video) and not frame.frame.key:
                return []
        self._held.append(frame)
        self._held_bytes += _size(frame)
        if self._held_bytes > HELD_BYTES_MAX or len(self._held) > HELD_FRAMES_MAX:
            raise TooMuchHeld
        if not self._settled(frame.timestamp_ms):
            return []
        held = self._held
        self._drop([])
        return self._begin(held)

    def _drop(self, keep: list[Video | Audio]) -> None:
        self._held, self._held_bytes = keep, sum(map(_size, keep))

    def _settled(self, now_ms: int) -> bool:
        """Whether the set of tracks is known: both are here, or the other has had its time."""
        picture = self._held_picture
        waited = now_ms - self._held[0].timestamp_ms
        if picture and self._audio:
            return True
        if picture:
            return waited >= SETTLE_MS_MAX or self._expected == (True, False)
        # Once there is a configuration a keyframe will come; audio alone would begin something that ends with it.
        return not self._video and (waited >= SETTLE_MS_MAX or self._expected == (False, True))

    def _begin(self, frames: list[Video | Audio]) -> list[Event]:
        first = next((frame for frame in frames if isinstance(frame, Video)), frames[0])
        payload = self._video_payload if self._video else b""
        self._current = Began(self._video, self._audio, payload, first.timestamp_ms)
        self._stale, self._last_ms = False, frames[-1].timestamp_ms
        return [self._current, *frames]

    def _jumped(self, timestamp_ms: int) -> bool:
        """Whether a time is on another line than the last picture's (or packet's, without pictures)."""
        assert self._last_ms is not None
        return not -STEP_BACK_MS_MAX <= timestamp_ms - self._last_ms <= STEP_AHEAD_MS_MAX


def _size(frame: Video | Audio) -> int:
    return len(frame.payload if isinstance(frame, Video) else frame.data)
