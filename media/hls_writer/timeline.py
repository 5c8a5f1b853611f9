"""Core: one rendition's line of parts and segments: what is listed, what may still be fetched, what is forgotten.

Numbers only rise: MEDIA-SEQUENCE from 1 (hls.js skipped blocking reload at 0), parts by one counter that nothing
resets, so that a hinted part always becomes real. Times are ticks of VIDEO_CLOCK. Ages are measured in media, not by a
clock: a rendition that stands still forgets nothing, and costs nothing more. Source: rfc8216bis 6.2.1, 6.2.2, B.1.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from media.hls_writer.fmp4 import VIDEO_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

# Back far enough for a player that lost its network for a while; longer looking back is for the disk (DVR).
WINDOW_SECONDS: Final = 30
# A delta may skip what is older than six target durations; a window without anything older would make none.
SKIP_TARGETS: Final = 6
WINDOW_TARGETS: Final = SKIP_TARGETS + 1
# rfc8216bis: parts beyond three target durations from the end are no longer worth listing …
PART_TARGETS: Final = 3
# … and stay fetchable for as long again.
PART_FETCH_TARGETS: Final = 2 * PART_TARGETS
# What one rendition may hold, window and what may still be fetched: 20 Mbit/s for a minute. Beyond it the oldest goes
# first, listed or not, so that an absurd bitrate costs its own viewers their past and nobody the process.
RENDITION_BYTES_MAX: Final = 160 * 1024 * 1024

assert PART_FETCH_TARGETS <= WINDOW_TARGETS


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a cutter made: `duration` in ticks, `data` moof and mdat; without data it is a gap."""

    duration: int
    independent: bool
    data: bytes


@dataclass(slots=True)
class Part:
    """A fragment with its number in the rendition; its bytes are its own until its segment has been joined."""

    number: int
    duration: int
    independent: bool
    size: int
    held: bytes
    at: int = 0

    @property
    def data(self) -> bytes:
        """Moof and mdat; the same object to all who ask, and behind the live edge a copy out of the segment."""
        return self.held if self.size == len(self.held) else self.held[self.at : self.at + self.size]


@dataclass(frozen=True, slots=True)
class Opening:
    """How a segment begins: `start` is the presentation time of its first frame, `date` that moment's wall clock."""

    start: int
    date: float
    epoch: int
    init: int
    independent: bool


@dataclass(slots=True)
class Segment:
    """One segment, open until `end` (the timeline's head when it closed) is known."""

    msn: int
    opening: Opening
    discontinuity: bool
    parts: list[Part] = field(default_factory=list)
    duration: int = 0
    size: int = 0
    end: int | None = None
    fetchable_until: int | None = None
    gap: bool = False
    _data: bytes | None = None

    @property
    def bits_a_second(self) -> int:
        """Its rate so far; 0 while it has no duration."""
        return self.size * 8 * VIDEO_CLOCK // self.duration if self.duration else 0

    def data(self) -> bytes:
        """The whole segment, joined once: whoever asks gets the same object. Its parts live on in it, not beside it."""
        if self._data is None:
            self._data = b"".join(part.held for part in self.parts)
            at = 0
            for part in self.parts:
                part.held, part.at = self._data, at
                at += part.size
        return self._data

    def keep(self, data: bytes) -> None:
        """It was joined before, by another process: this is the whole, and its parts lie in it."""
        self._data = data

    def forget_parts(self) -> list[Part]:
        """Keep the whole only; the parts that are gone."""
        self.data()
        parts, self.parts = self.parts, []
        return parts


class Timeline:
    """Give it openings and fragments in order; afterwards `next_part` and `last` say what there is.

    `target_duration` (seconds) is set once, before anything is listed, and never changes (rfc8216bis 6.2.1).
    """

    def __init__(self) -> None:
        self.listed: deque[Segment] = deque()
        self.open: Segment | None = None
        self.target_duration: int | None = None
        self.next_msn = 1
        self.next_part = 1
        self.discontinuity_sequence = 0
        self.independent = True  # every segment so far began with a keyframe
        self.ended = False
        self.head = 0  # ticks of media so far
        self.bytes_held = 0
        self.bits_a_second_max = 0
        self.version = 0  # rises with every change of what a playlist says
        self._removed: deque[Segment] = deque()
        self._parts: dict[int, Part] = {}
        self._discontinuity = False

    def resume(
        self,
        segments: Iterable[Segment],
        *,
        next_msn: int,
        next_part: int,
        discontinuity_sequence: int,
        independent: bool,
        bits_a_second_max: int,
    ) -> None:
        """Go on where another process was: `segments` are listed, what comes next is a discontinuity."""
        self.discontinuity_sequence = discontinuity_sequence
        self.independent, self.bits_a_second_max = independent, bits_a_second_max
        for segment in segments:
            self.head += segment.duration
            self.bytes_held += segment.size
            self._parts.update((part.number, part) for part in segment.parts)
            self._list(segment)
        self.next_msn, self.next_part = next_msn, next_part
        self._discontinuity = next_msn > 1

    def open_segment(self, opening: Opening) -> Segment:
        """Close what is open and begin the next segment; it is listed with its first part."""
        self.close_segment()
        self.open = Segment(self.next_msn, opening, self._discontinuity)
        self._discontinuity = False
        self.next_msn += 1
        return self.open

    def follow(self, leader: Timeline, segment: Segment, opening: Opening) -> Segment:
        """Begin the segment that has the number of the leader's; the leader's that were missed are listed as gaps.

        A rendition that lost frames keeps the numbers and discontinuities of the source, so players may switch.
        """
        assert segment.msn >= self.next_msn
        self.close_segment()
        earlier = [each for each in leader.listed if each.msn < segment.msn]
        for each in earlier:
            if self.listed and each.msn == self.next_msn:
                self.next_msn += 1
                self._list_gap(each)
        if self.next_msn != segment.msn:
            # Nothing yet, or away for longer than the leader remembers: begin at its number.
            self._forget_all()
            self.discontinuity_sequence = leader.discontinuity_sequence + sum(each.discontinuity for each in earlier)
        self.open = Segment(segment.msn, opening, segment.discontinuity)
        self.next_msn = segment.msn + 1
        return self.open

    def add(self, fragment: Fragment) -> Part:
        """List one more part in the open segment."""
        assert self.open is not None
        segment = self.open
        part = Part(self.next_part, fragment.duration, fragment.independent, len(fragment.data), fragment.data)
        if not segment.parts:
            self.independent = self.independent and segment.opening.independent
        self.next_part += 1
        self._parts[part.number] = part
        segment.parts.append(part)
        segment.duration += part.duration
        segment.size += part.size
        self.bytes_held += part.size
        self.head += part.duration
        self.version += 1
        self._bound_bytes()
        return part

    def close_segment(self) -> Segment | None:
        """Close the open segment; one without parts never was."""
        segment, self.open = self.open, None
        if segment is None:
            return None
        if not segment.parts:
            self.next_msn = segment.msn
            self._discontinuity = self._discontinuity or segment.discontinuity
            return None
        segment.gap = not segment.size
        self.bits_a_second_max = max(self.bits_a_second_max, segment.bits_a_second)
        self._list(segment)
        return segment

    def discontinue(self) -> None:
        """Close the open segment; the next one begins with EXT-X-DISCONTINUITY, if there was anything before it."""
        self.close_segment()
        self._discontinuity = self._discontinuity or bool(self.listed)

    def end(self) -> None:
        """Close the open segment and the playlist (EXT-X-ENDLIST)."""
        self.close_segment()
        self.ended = True
        self.version += 1

    def forget(self) -> None:
        """Give up all media; what has ended long enough ago is for the disk."""
        self._forget_all()
        self.open = None
        self.version += 1

    @property
    def ready(self) -> bool:
        """Whether a playlist can be written: the constants are known and something is there."""
        return self.target_duration is not None and bool(self.listed or (self.open and self.open.parts))

    @property
    def last(self) -> tuple[int, int]:
        """(msn, parts) of the newest segment that has parts; (msn, -1) when it is closed; (0, -1) before the first."""
        if self.open and self.open.parts:
            return self.open.msn, len(self.open.parts)
        return (self.open.msn if self.open else self.next_msn) - 1, -1

    def segment(self, msn: int) -> Segment | None:
        """The closed segment of that number while it may be fetched."""
        for segments in (self.listed, self._removed):
            if segments and segments[0].msn <= msn <= segments[-1].msn:
                return segments[msn - segments[0].msn]
        return None

    def part(self, number: int) -> Part | None:
        """The part of that number while it may be fetched."""
        return self._parts.get(number)

    def lists_parts(self, segment: Segment) -> bool:
        """Whether a closed segment is near enough to the end for its parts to be listed."""
        assert segment.end is not None
        return self.head - segment.end <= PART_TARGETS * self._target

    @property
    def skip_boundary(self) -> int:
        """Head ticks: segments that ended before it may be skipped in a delta."""
        return self.head - SKIP_TARGETS * self._target

    @property
    def _target(self) -> int:
        """Ticks of a target duration; ten seconds, the longest there is, while it is not known."""
        return (self.target_duration or 10) * VIDEO_CLOCK

    def _list(self, segment: Segment) -> None:
        segment.end = self.head
        self.listed.append(segment)
        self.version += 1
        self._slide()

    def _list_gap(self, leader: Segment) -> None:
        self.head += leader.duration
        gap = Segment(leader.msn, leader.opening, leader.discontinuity, duration=leader.duration, gap=True)
        self._list(gap)

    def _slide(self) -> None:
        """Remove what the window has left, forget what has been removed for long enough (6.2.2)."""
        window = max(WINDOW_SECONDS * VIDEO_CLOCK, WINDOW_TARGETS * self._target)
        duration = sum(segment.duration for segment in self.listed)
        while self.listed and duration - self.listed[0].duration >= window:
            segment = self._remove()
            # Fetchable for its own duration and that of the longest playlist it was in, from its removal on.
            segment.fetchable_until = self.head + segment.duration + duration
            duration -= segment.duration
            self._removed.append(segment)
        while self._removed and (self._removed[0].fetchable_until or 0) <= self.head:
            self._forget(self._removed.popleft())
        for segments in (self._removed, self.listed):
            for segment in segments:
                if self.head - (segment.end or 0) <= PART_FETCH_TARGETS * self._target:
                    break
                for part in segment.forget_parts():
                    del self._parts[part.number]

    def _bound_bytes(self) -> None:
        while self.bytes_held > RENDITION_BYTES_MAX and (self._removed or self.listed):
            self._forget(self._removed.popleft() if self._removed else self._remove())

    def _remove(self) -> Segment:
        segment = self.listed.popleft()
        self.discontinuity_sequence += segment.discontinuity
        self.version += 1
        return segment

    def _forget(self, segment: Segment) -> None:
        self.bytes_held -= segment.size
        for part in segment.parts:
            del self._parts[part.number]

    def _forget_all(self) -> None:
        for segment in self._removed:
            self._forget(segment)
        self._removed.clear()
        while self.listed:
            self._forget(self._remove())
