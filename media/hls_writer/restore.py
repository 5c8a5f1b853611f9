"""Core: what a journal says of a broadcast whose process is gone, and the timeline that goes on from there.

A journal tells what was done, the files what is left of it. The segment that was open is closed with the parts that
reached the disk: players have seen them, so its number is used up. Numbers of parts are not used again either: what was
listed in the last moment may not have reached the journal, and whoever has it cached keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from media.hls_writer import journal
from media.hls_writer.archive import Entry
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.timeline import WINDOW_SECONDS, WINDOW_TARGETS, Opening, Part, Segment, Timeline

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

        An open one is what of its parts is there.
        """
        opened = self.opened
        opening = Opening(opened.start, opened.date, opened.epoch, opened.init, opened.independent)
        if self.closed is None:
            self.parts = self.there(size or 0)
            duration, size_there = sum(part.duration for part in self.parts), sum(part.size for part in self.parts)
            gap = not size_there
        else:
            duration, size_there = self.closed.duration, self.closed.size
            gap = self.closed.gap or size != size_there
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
            story = story or Story(record, {name: TrackTold() for name in record.renditions})
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
        track.newest = track.segments[record.msn] = Told(record)
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
    """The newest of them, as many as the window of a timeline holds."""
    found: list[Entry] = []
    duration = 0
    for entry in reversed(entries):
        if duration >= max(WINDOW_SECONDS, WINDOW_TARGETS * track.target) * VIDEO_CLOCK:
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
        discontinuity_sequence=listed[0].discontinuities if listed else 0,
        independent=track.all_independent,
        bits_a_second_max=track.bits_a_second_max,
    )
    return resumed


def line_ms(entries: Iterable[Entry]) -> int:
    """Where the broadcast's line of time goes on."""
    ends = (entry.opening.start + entry.duration for entry in entries)
    return max(ends, default=0) * 1000 // VIDEO_CLOCK + LINE_STEP_MS


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
