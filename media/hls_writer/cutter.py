"""Core: frames in, parts out: when a part is whole and where a segment begins.

A frame is emitted when the next one arrives, so its duration is known and never guessed. Audio is counted, not stamped:
FLV's milliseconds jitter, samples do not. A part holds the pictures and the audio that begin in a slice of time. Slices
end with a picture where they can; one that would be too short goes on into the next picture's time, and a picture that
lasts longer than a part (dropped frames, slides) is followed by parts without pictures, so that no part exceeds the
target.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from media.hls_writer.fmp4 import VIDEO_CLOCK, AudioRun, Picture, VideoRun, fragment
from media.hls_writer.timeline import Fragment

if TYPE_CHECKING:
    from media.hls_writer.timeline import Segment, Timeline
    from media.hls_writer.tracks import AudioTrack

TICKS_A_MS: Final = VIDEO_CLOCK // 1000

# Ten frames at 30 a second are 333 or 334 ms in FLV's milliseconds, and no part may exceed the target.
PART_SECONDS: Final = 0.334
# What FLV's milliseconds may add to a part that is meant to have a round length: six frames at 30 a second are 201 ms
# now and then, and the one that is left over would be a part of its own before a keyframe.
PART_ROUNDING_SECONDS: Final = 0.001
# rfc8216bis 4.4.4.9: no part but the last of its segment may be shorter than 85 % of the target.
PART_SHARE_MIN: Final = 0.85
# Shorter segments cost a playlist line and a request each and bring no latency: parts do.
SEGMENT_SECONDS_MIN: Final = 1.0
# Audio alone has no keyframes to wait for.
AUDIO_SEGMENT_SECONDS: Final = 2.0
# A target duration holds for good, and the first interval says little about the longest: encoders write keyframes at
# scene cuts too. Up to here intervals share one target, with room for what is missing to a segment's least length; a
# smaller one would gain players without low latency a few seconds, and the first cut would cost everybody keyframes.
INTERVAL_SECONDS_MAX: Final = 4.0
TARGET_SECONDS: Final = 5
# The target for longer intervals: OBS writes a keyframe every 8.3 s by default. Whatever is longer is cut inside.
LONG_TARGET_SECONDS: Final = 10
# Encoders are set to whole seconds, which frame rates like 59.94 miss by a frame or two. Any other interval is a scene
# cut until it comes twice.
INTERVAL_TICKS_OFF_MAX: Final = 50 * TICKS_A_MS
# EXTINF is rounded before it is compared with the target duration.
ROUNDING_SECONDS: Final = 0.49
# A counted sample that is further from its timestamp than this has lost packets before it.
AUDIO_DRIFT_SECONDS_MAX: Final = 0.1
# Audio that waits for pictures: twenty seconds of AAC at 48 kHz.
AUDIO_PACKETS_HELD_MAX: Final = 1024

assert SEGMENT_SECONDS_MIN > 2 * PART_SECONDS
assert AUDIO_SEGMENT_SECONDS + PART_SECONDS < TARGET_SECONDS
assert LONG_TARGET_SECONDS > TARGET_SECONDS >= INTERVAL_SECONDS_MAX + SEGMENT_SECONDS_MIN


@dataclass(frozen=True, slots=True)
class Cut:
    """A segment begins with the frame shown at `start` ticks; `leader` is the source's, for a follower."""

    start: int
    independent: bool
    leader: Segment | None = None


@dataclass(slots=True)
class Targets:
    """The constants of a broadcast: the part target, and the target duration once it is known."""

    part_seconds: float = PART_SECONDS
    duration: int | None = None

    @property
    def part_ticks(self) -> int:
        """The part target in ticks."""
        return round(self.part_seconds * VIDEO_CLOCK)

    @property
    def part_ticks_min(self) -> int:
        """What a part must have before another one of its segment may follow."""
        return math.ceil(PART_SHARE_MIN * self.part_ticks)

    @property
    def segment_ticks_max(self) -> int:
        """What a segment may last so that its rounded duration does not exceed the target duration."""
        return round(((self.duration or LONG_TARGET_SECONDS) + ROUNDING_SECONDS) * VIDEO_CLOCK)


class Cuts(Protocol):
    """Where segments begin. Asked before each slice of time."""

    def due(self, start: int, segment_ticks: int, slice_ticks: int, *, key: bool) -> Cut | None:
        """The cut before a slice shown at `start`, or None; `segment_ticks` is what the open segment has."""


class OwnCuts:
    """The source's rule: at a keyframe once the segment is long enough, anywhere before it gets too long."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._begun = False
        self._first: int | None = None
        self._key = 0  # the last keyframe
        self._interval = math.inf  # that ended with it

    def due(self, start: int, segment_ticks: int, slice_ticks: int, *, key: bool) -> Cut | None:
        """See Cuts. Fixes the target duration as soon as the keyframe interval is known."""
        self._measure(start, key=key)
        if not self._begun:
            self._begun = True
            return Cut(start, key)
        long_enough = key and segment_ticks >= SEGMENT_SECONDS_MIN * VIDEO_CLOCK
        if long_enough or segment_ticks + slice_ticks > self._targets.segment_ticks_max:
            return Cut(start, key)
        return None

    def _measure(self, start: int, *, key: bool) -> None:
        if self._targets.duration is not None:
            return
        if self._first is None:
            self._first = self._key = start
        elif key:
            interval, self._key = start - self._key, start
            if interval <= INTERVAL_SECONDS_MAX * VIDEO_CLOCK and self._regular(interval):
                self._targets.duration = TARGET_SECONDS
            self._interval = interval
        if self._targets.duration is None and start - self._first >= INTERVAL_SECONDS_MAX * VIDEO_CLOCK:
            self._targets.duration = LONG_TARGET_SECONDS

    def _regular(self, interval: int) -> bool:
        """Whether it is an encoder's setting: whole seconds, or the same as the last one."""
        whole = max(1, round(interval / VIDEO_CLOCK)) * VIDEO_CLOCK
        return min(abs(interval - whole), abs(interval - self._interval)) <= INTERVAL_TICKS_OFF_MAX


class FollowedCuts:
    """A transcoded rendition's rule: where the source has them, so that numbers and times are the same."""

    TOLERANCE_TICKS: Final = 2 * TICKS_A_MS

    def __init__(self, leader: Timeline, epoch: int, after_msn: int) -> None:
        self._leader = leader
        self._epoch = epoch
        self._msn = after_msn
        self._begun = False

    def due(self, start: int, segment_ticks: int, slice_ticks: int, *, key: bool) -> Cut | None:
        """See Cuts. The source has been given every frame before it comes back from the encoder."""
        _ = segment_ticks, slice_ticks
        leader = self._leading(start)
        if leader is None or leader.msn <= self._msn:
            return None
        if not key and (leader.opening.independent or not self._begun):
            return None
        self._begun, self._msn = True, leader.msn
        return Cut(start, key, leader)

    def _leading(self, start: int) -> Segment | None:
        """The source's segment that holds `start`."""
        opened = self._leader.open
        for segment in (*([opened] if opened else []), *reversed(self._leader.listed)):
            if segment.opening.epoch != self._epoch or segment.msn < self._msn:
                return None
            if segment.opening.start <= start + self.TOLERANCE_TICKS:
                return segment
        return None


@dataclass(frozen=True, slots=True)
class _Frame:
    dts: int
    composition: int
    key: bool
    data: bytes

    @property
    def shown(self) -> int:
        return self.dts + self.composition


class Cutter:
    """One epoch of one rendition (see intake): unwrapped milliseconds in, cuts and fragments out, in order."""

    def __init__(
        self, targets: Targets, cuts: Cuts, *, video: bool, audio: AudioTrack | None, sequence: int = 0
    ) -> None:
        self._targets = targets
        self._cuts = cuts
        self._has_video = video
        self._audio_track = audio
        self._frame: _Frame | None = None
        self._frame_ticks = 0
        self._delay = 0  # first composition offset: how far presentation runs behind decoding
        self._pictures: list[Picture] = []
        self._video_start = 0
        self._slice_start = 0
        self._slice_ticks = 0
        self._independent = False
        self._segment_ticks = 0
        self._packets: deque[tuple[int, int, bytes]] = deque()
        self._next_sample: int | None = None
        self._sound_end: int | None = None  # of audio alone, in ticks: where its next packet follows
        self.sequence = sequence  # of the last fragment (mfhd); rises through all epochs of a rendition
        self._begun = False
        self.pictures = 0
        self.picture_ticks = 0

    def video(self, timestamp_ms: int, composition_ms: int, data: bytes, *, key: bool) -> list[Cut | Fragment]:
        """Take one picture; what the one before it completes. Everything before the first keyframe is dropped."""
        frame = _Frame(timestamp_ms * TICKS_A_MS, composition_ms * TICKS_A_MS, key, data)
        held = self._frame
        if held is None:
            if key:
                self._begin(frame)
            return []
        if frame.dts <= held.dts:
            # Decoding order is the order of arrival; it is still shown when it said.
            dts = held.dts + TICKS_A_MS
            frame = _Frame(dts, frame.shown - dts, key, data)
        self._frame = frame
        return self._complete(held, frame.dts - held.dts)

    def audio(self, timestamp_ms: int, data: bytes) -> list[Cut | Fragment]:
        """Take one packet; only audio alone makes parts of its own."""
        track = self._audio_track
        if track is None:
            return []
        start = timestamp_ms * track.rate // 1000
        if self._next_sample is not None and abs(start - self._next_sample) <= AUDIO_DRIFT_SECONDS_MAX * track.rate:
            start = self._next_sample
        samples = track.samples(data)
        self._next_sample = start + samples
        if start < 0:  # The clock has walked back, step by small step, behind the beginning of the line.
            return []
        out = [] if self._has_video else self._before_packet(start, samples)
        self._packets.append((start, samples, data))
        if len(self._packets) > AUDIO_PACKETS_HELD_MAX:
            self._packets.popleft()
        if not self._has_video and self._slice_ticks > self._targets.part_ticks:
            out.append(self._flush_full())
        return out

    def finish(self) -> list[Cut | Fragment]:
        """The end, or a hole: everything held comes out. The next picture must be a keyframe again."""
        out: list[Cut | Fragment] = []
        held, self._frame = self._frame, None
        if held is not None:
            # Nothing follows that could tell: the last frame is taken to last as long as the one before it.
            out += self._complete(held, self._frame_ticks or self._targets.part_ticks // 10)
        if self._packets if not self._has_video else self._slice_ticks:
            out.append(self._flush())
        return out

    def _begin(self, frame: _Frame) -> None:
        self._frame, self._delay = frame, frame.composition
        self._begin_slice(frame.dts)

    def _begin_slice(self, start: int) -> None:
        """Time goes on from `start`; audio that was over before it belongs to nothing."""
        self._slice_start = start
        if self._audio_track:
            shown = (start + self._delay) * self._audio_track.rate // VIDEO_CLOCK
            while self._packets and self._packets[0][0] + self._packets[0][1] <= shown:
                self._packets.popleft()

    def _complete(self, frame: _Frame, duration: int) -> list[Cut | Fragment]:
        """Place a picture whose duration is known, and the slices without pictures that it may need."""
        out: list[Cut | Fragment] = []
        target = self._targets.part_ticks
        self._frame_ticks = duration
        self.pictures += 1
        self.picture_ticks += duration
        first = self._make_room(out, frame.shown, min(duration, target), key=frame.key)
        if not self._begun:
            self._begin_slice(frame.dts + duration)  # A follower waits for the source's next segment.
            return out
        early = 0
        if first < duration <= target and self._pictures and self._audio_track is None:
            # It would go on into a slice that may be the last of its segment: without sound, a part of nothing. So the
            # open slice takes of its time what it lacks, in whole milliseconds, and the picture itself is in the next.
            early = math.ceil((self._targets.part_ticks_min - self._slice_ticks) / TICKS_A_MS) * TICKS_A_MS
            self._slice_ticks += early
            out.append(self._flush())
            first = duration - early
        if not self._slice_ticks:
            self._independent = frame.key
        if not self._pictures:
            self._video_start = frame.dts
        self._pictures.append(Picture(duration, frame.composition, frame.key, frame.data))
        self._grow(out, first, duration)
        left = duration - early - first
        while left > 0:
            piece = self._make_room(out, frame.shown + duration - left, min(left, target), key=False)
            self._grow(out, piece, duration)
            left -= piece
        return out

    def _make_room(self, out: list[Cut | Fragment], shown: int, ticks: int, *, key: bool) -> int:
        """Begin a segment or a slice before these ticks if it is time; how many of them the open slice takes."""
        cut = self._cuts.due(shown, self._segment_ticks + self._slice_ticks, ticks, key=key)
        full = (
            self._slice_ticks + ticks > self._targets.part_ticks and self._slice_ticks >= self._targets.part_ticks_min
        )
        if self._slice_ticks and (cut or full):
            out.append(self._flush())
        if cut:
            out.append(cut)
            self._segment_ticks = 0
            self._begun = True
        return min(ticks, self._targets.part_ticks - self._slice_ticks)

    def _grow(self, out: list[Cut | Fragment], ticks: int, duration: int) -> None:
        self._slice_ticks += ticks
        # No room for another picture like this one: do not wait for it.
        no_room = self._slice_ticks + duration // 2 > self._targets.part_ticks
        if no_room and self._slice_ticks >= self._targets.part_ticks_min:
            out.append(self._flush())

    def _flush(self) -> Fragment:
        end = self._slice_start + self._slice_ticks + self._delay
        video = VideoRun(self._video_start, self._pictures) if self._pictures else None
        audio = self._take_audio(end)
        self.sequence += 1
        data = fragment(self.sequence, video, audio) if video or audio else b""
        part = Fragment(self._slice_ticks, self._independent, data)
        self._slice_start += self._slice_ticks
        self._segment_ticks += self._slice_ticks
        self._pictures, self._slice_ticks, self._independent = [], 0, False
        return part

    def _take_audio(self, end: int) -> AudioRun | None:
        """The packets that begin before `end` (presentation ticks), as far as they follow one another."""
        if self._audio_track is None or not self._packets:
            return None
        limit = end * self._audio_track.rate // VIDEO_CLOCK
        start = following = self._packets[0][0]
        packets: list[bytes] = []
        durations: list[int] = []
        # A slice with neither is a gap, which players stumble over: where no picture is, a packet may come early.
        while self._packets and self._packets[0][0] == following:
            if self._packets[0][0] >= limit and (packets or self._pictures):
                break
            _, samples, data = self._packets.popleft()
            packets.append(data)
            durations.append(samples)
            following += samples
        return AudioRun(start, packets, durations) if packets else None

    def _before_packet(self, start: int, samples: int) -> list[Cut | Fragment]:
        """Audio alone: flush before a packet that would make the part too long, or does not follow.

        Where packets are so long that the part would be too short without this one, it begins in the part and ends in
        the next; the last part of a segment may be short, so segments begin with a packet.
        """
        assert self._audio_track is not None
        rate = self._audio_track.rate
        begins, ends = start * VIDEO_CLOCK // rate, (start + samples) * VIDEO_CLOCK // rate
        out: list[Cut | Fragment] = []
        segment_ticks = round(AUDIO_SEGMENT_SECONDS * VIDEO_CLOCK)
        follows, due = begins == self._sound_end, not self._begun
        if self._packets and (not follows or ends - self._slice_start > self._targets.part_ticks):
            short = self._slice_ticks < self._targets.part_ticks_min
            if not (follows and short) or self._segment_ticks + self._targets.part_ticks >= segment_ticks:
                out.append(self._flush())
                due = due or short or self._segment_ticks >= segment_ticks
        if not follows:
            self._slice_start = begins
        if due:
            # As for pictures, which may still come: their keyframes then have room.
            self._targets.duration = self._targets.duration or TARGET_SECONDS
            out.append(Cut(self._slice_start, independent=True))
            self._begun, self._segment_ticks = True, 0
        self._independent = True
        self._sound_end = ends
        self._slice_ticks = ends - self._slice_start
        return out

    def _flush_full(self) -> Fragment:
        """A part of audio alone that is as long as one may be; its last packet goes on in the next."""
        left = self._slice_ticks - self._targets.part_ticks
        self._slice_ticks = self._targets.part_ticks
        part = self._flush()
        self._slice_ticks = left
        return part
