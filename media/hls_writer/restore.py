"""Core: what a journal says of a broadcast whose process is gone, and the timeline that goes on from there.

A journal tells what was done, the files what is left of it. The segment that was open is closed with the parts that
reached the disk, or is a gap if none has: players have seen it, so its number is used up. No number is used again, also
where every file is gone. Those of parts leave some out: what was listed in the last moment may not have reached the
journal, and whoever has it cached keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from media.hls_writer import journal
from media.hls_writer.archive import Entry
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.timeline import (
    RENDITION_BYTES_MAX,
    WINDOW_SECONDS,
    WINDOW_TARGETS,
    Opening,
    Part,
    Segment,
    Timeline,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Parts that may have been listed and not been written down: minutes of a disk that hung.
PART_NUMBERS_LEFT_OUT: Final = 1000
# From the last frame that was written down to the first of the new process, on the broadcast's line of time: more than
# what may have been shown and not been written down.
LINE_STEP_MS: Final = 2000


@dataclass(slots=True)
class Told:
    """One segment, as far as the journal tells."""

    opened: journal.Opened
    parts: list[journal.Part] = field(default_factory=list)
    closed: journal.Closed | None = None

    def entry(self, size: int | None) -> Entry | None:
        """What it is with a file of `size` bytes (None: no file): whole, a gap, or nothing if it was never anything.

        An open one is what of its parts is there, and a gap if nothing of them is.
        """
        opened = self.opened
        opening = Opening(opened.start, opened.date, opened.epoch, opened.init, opened.independent)
        if self.closed is None:
            there = self.there(size or 0)
            gap = not any(part.size for part in there)
            self.parts = self.parts if gap else there
            duration, size_there = sum(part.duration for part in self.parts), sum(part.size for part in self.parts)
        else:
            duration, size_there = self.closed.duration, self.closed.size
            gap = self.closed.gap or size != size_there
            self.parts = self.there(size_there)
        if not duration:
            return None
        return Entry(
            opened.msn, opening, opened.discontinuity, opened.discontinuities, duration, 0 if gap else size_there, gap
        )

    def there(self, size: int) -> list[journal.Part]:
        """The parts that lie wholly within the first `size` bytes."""
        parts, end = [], 0
        for part in self.parts:
            end += part.size
            if end > size:
                break
            parts.append(part)
        return parts


@dataclass(slots=True)
class TrackTold:
    """One rendition, as far as the journal tells."""

    segments: dict[int, Told] = field(default_factory=dict)
    newest: Told | None = None  # the segment that was opened last
    target: int = 0
    all_independent: bool = True
    bits_a_second_max: int = 0
    last_part: int = 0

    @property
    def last(self) -> Told | None:
        """The last segment that there ever was."""
        return self.segments[max(self.segments)] if self.segments else None

    @property
    def next_msn(self) -> int:
        """The number after the last that was used."""
        return self.last.opened.msn + 1 if self.last else 1

    @property
    def discontinuities(self) -> int:
        """How many there were up to the last segment, its own too."""
        return self.last.opened.discontinuities + self.last.opened.discontinuity if self.last else 0

    @property
    def init(self) -> int:
        """The number of the last init segment that was used."""
        return max((told.opened.init for told in self.segments.values()), default=0)

    @property
    def end(self) -> int:
        """Where the last segment ended, in ticks."""
        if self.last is None:
            return 0
        closed, parts = self.last.closed, self.last.parts
        return self.last.opened.start + (closed.duration if closed else sum(part.duration for part in parts))

    def close(self, rendition: str, entry: Entry) -> journal.Closed:
        """The end of the segment that was open, as its own process would have written it down."""
        return journal.Closed(
            rendition,
            entry.msn,
            entry.duration,
            entry.size,
            entry.gap,
            self.target,
            self.all_independent,
            self.bits_a_second_max,
        )


@dataclass(slots=True)
class Story:
    """One broadcast, as far as the journal tells."""

    began: journal.Began
    tracks: dict[str, TrackTold]
    epoch: int = 0
    ended: bool = False


def replay(records: Iterable[journal.Record]) -> Story | None:
    """What the records tell; None if they tell nothing, or are another version's."""
    story: Story | None = None
    for record in records:
        if isinstance(record, journal.Began):
            if record.version != journal.VERSION:
                return None
            story = story or Story(record, {})
            story.began = record  # A later one may know of more renditions.
            for name in record.renditions:
                story.tracks.setdefault(name, TrackTold())
        elif story is None:
            return None
        elif isinstance(record, journal.Ended):
            story.ended = True
        else:
            _replay(story, record)
    return story


def _replay(story: Story, record: journal.Opened | journal.Part | journal.Closed) -> None:
    track = story.tracks.get(record.rendition)
    if track is None:
        return
    if isinstance(record, journal.Opened):
        story.epoch = max(story.epoch, record.epoch)
        # Written down anew by a process that was killed before it had done so with all: the first telling is whole.
        told = track.segments.get(record.msn)
        track.newest = Told(record)
        if told is None or not told.parts:
            track.segments[record.msn] = track.newest
    elif isinstance(record, journal.Part):
        track.last_part = max(track.last_part, record.number)
        if track.newest:
            track.newest.parts.append(record)
    else:
        told = track.segments.get(record.msn)
        if told:
            told.closed = record
        track.target, track.all_independent = record.target, record.all_independent
        track.bits_a_second_max = record.bits_a_second_max


def edge(track: TrackTold, entries: list[Entry]) -> list[Entry]:
    """The newest of them, as many as the window of a timeline holds, and no more bytes than one may hold."""
    found: list[Entry] = []
    duration = size = 0
    for entry in reversed(entries):
        size += entry.size
        window = max(WINDOW_SECONDS, WINDOW_TARGETS * track.target) * VIDEO_CLOCK
        if duration >= window or size > RENDITION_BYTES_MAX:
            break
        found.insert(0, entry)
        duration += entry.duration
    return found


def timeline(track: TrackTold, listed: list[Entry], data: Mapping[int, bytes], next_msn: int) -> Timeline:
    """A timeline that goes on with `next_msn` after what is `listed`; `data` has the segments of those."""
    resumed = Timeline()
    resumed.target_duration = track.target or None
    resumed.resume(
        (_segment(track.segments[entry.msn], entry, data.get(entry.msn, b"")) for entry in listed),
        next_msn=next_msn,
        next_part=track.last_part + PART_NUMBERS_LEFT_OUT,
        discontinuity_sequence=listed[0].discontinuities if listed else track.discontinuities,
        independent=track.all_independent,
        bits_a_second_max=track.bits_a_second_max,
    )
    return resumed


def line_ms(tracks: Iterable[TrackTold]) -> int:
    """Where the broadcast's line of time goes on."""
    return max((track.end for track in tracks), default=0) * 1000 // VIDEO_CLOCK + LINE_STEP_MS


def _segment(told: Told, entry: Entry, data: bytes) -> Segment:
    segment = Segment(
        entry.msn, entry.opening, entry.discontinuity, duration=entry.duration, size=entry.size, gap=entry.gap
    )
    at = 0
    for part in () if entry.gap else told.parts:
        segment.parts.append(Part(part.number, part.duration, part.independent, part.size, data, at))
        at += part.size
    segment.keep(data)
    return segment
