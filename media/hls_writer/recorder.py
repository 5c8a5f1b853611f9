"""Shell: one broadcast's past: its segments go to the store as they grow, the DVR playlist says what is there.

It looks at a rendition after each change and hands on what is new; it never waits and never holds media of its own. A
segment is listed when the store says that it is whole under its name; what the store could not take is listed as a gap.
What was done is written into a journal, so that another process can go on (restore.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from media.hls_writer.archive import Archive, Entry
from media.hls_writer.classic import Form, classic_playlist
from media.hls_writer.errors import NoSuchRendition, TimedOut
from media.hls_writer.journal import Began, Closed, Ended, Opened, Part, write_record
from media.hls_writer.playlist import ResourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from media.hls_writer.journal import Record
    from media.hls_writer.rendition import Rendition
    from media.hls_writer.restore import Told, TrackTold
    from media.hls_writer.timeline import Segment

JOURNAL: Final = "journal_"
# A file of the journal is given up when nothing that it tells of is left: ten minutes of one rendition.
JOURNAL_RECORDS_MAX: Final = 4096
# A first segment is whole after its keyframe interval, at most ten seconds.
FIRST_SECONDS_MAX: Final = 12.0


class Store(Protocol):
    """One broadcast's place on disk (media/spool.py). Nothing waits but `read`; all happens in order."""

    def write(self, name: str, data: bytes) -> None:
        """Keep a small file."""

    def append(self, name: str, data: bytes) -> None:
        """Let a file grow under another name than its own."""

    def finish(self, name: str, parts: Sequence[bytes], done: Callable[[bool], None]) -> None:
        """Give a file its name if all of it is there, else write it anew; `done` is told whether it is there.

        No parts, no file: `done` is told in its turn.
        """

    def log(self, name: str, data: bytes) -> None:
        """Append to a file under its own name."""

    def remove(self, names: Sequence[str]) -> None:
        """Forget files."""

    async def read(self, name: str) -> bytes | None:
        """A file, None when it is not there."""


@dataclass(slots=True)
class Track:
    """How far one rendition has been handed on."""

    archive: Archive
    init: int = 0  # the newest init segment
    inits: dict[int, int] = field(default_factory=dict)  # those that are kept, and their bytes
    msn: int = 1  # the segment that is open or comes next
    part: int = 0  # the newest part
    opened: bool = False
    target: int = 0  # seconds; 0 while it is not known
    independent: bool = True
    waiting: int = 0  # segments that the store has not answered for
    rendered: dict[bool, tuple[int, bytes]] = field(default_factory=dict)


class Recorder:
    """See the module. `began` says whose broadcast it is; `journal` is the number of the first file of the journal."""

    def __init__(self, store: Store, began: Began, *, window_seconds: float, journal: int = 1) -> None:
        self.began = began
        self._window_seconds = window_seconds
        self.tracks = {name: Track(Archive(window_seconds)) for name in began.renditions}
        self.ended = False
        self._store = store
        self._news = asyncio.Event()
        self._journals: deque[tuple[int, dict[str, int]]] = deque()
        self._journal = journal - 1
        self._records = JOURNAL_RECORDS_MAX

    def resume(
        self,
        name: str,
        told: TrackTold,
        entries: Sequence[Entry],
        *,
        edge: Collection[int],
        inits: Mapping[int, int],
        init: int,
        next_part: int,
    ) -> None:
        """Go on where another process was (restore.py).

        `entries` are on disk, with their parts those at the `edge`; `inits` are, with their bytes, and `init` was the
        last.
        """
        track = self.tracks[name]
        track.init, track.inits, track.part = init, dict(inits), next_part - 1
        track.target, track.independent = told.target, told.all_independent
        last = told.last
        for entry in entries:
            segment = told.segments[entry.msn]
            self._tell(name, segment, segment.closed or told.close(name, entry), parts=entry.msn in edge)
            track.msn = entry.msn + 1
            self._remove(name, track.archive.add(entry))
        if last and (not entries or last.opened.msn > entries[-1].msn):
            # Nothing is left of it but its numbers, and they were used.
            self._tell(name, last, last.closed, parts=True)
            track.msn = track.msn if entries else last.opened.msn + 1

    def _tell(self, name: str, segment: Told, closed: Closed | None, *, parts: bool) -> None:
        """Write down anew what another process did."""
        self._log(segment.opened)
        for part in segment.parts if parts else ():
            self._log(part)
        if closed:
            self._log(closed)
        self._journals[-1][1][name] = segment.opened.msn

    def add(self, name: str) -> None:
        """One more rendition begins."""
        self.tracks[name] = Track(Archive(self._window_seconds))
        self.began = self.began.with_rendition(name)
        self._log(self.began)

    def forget_journals(self, numbers: Iterable[int]) -> None:
        """What the files of another process told has been written down anew."""
        self._store.remove([journal_name(number) for number in numbers])

    # --- what happens ------------------------------------------------------------------------------------------------

    def look(self, rendition: Rendition) -> None:
        """Hand on what is new in a rendition."""
        track = self.tracks.get(rendition.name)
        if track is None:
            return  # The disk hung for too long (give_up).
        while track.init < rendition.init_number:
            track.init += 1
            data = rendition.init(track.init) or b""
            track.inits[track.init] = len(data)
            self._store.write(str(ResourceName(rendition.name, "init", track.init)), data)
        timeline = rendition.timeline
        track.target = timeline.target_duration or 0
        opened = timeline.open if timeline.open and timeline.open.parts else None
        for segment in [*(each for each in timeline.listed if each.msn >= track.msn), *([opened] if opened else [])]:
            self._grow(rendition, track, segment)
            if segment is not opened:
                self._close(rendition, track, segment)
        if timeline.ended:
            self._end()

    def drop(self, name: str) -> None:
        """A rendition goes, and its past with it."""
        track = self.tracks.pop(name, None)
        if track is None:
            return
        while entry := track.archive.evict():
            self._remove(name, [entry])
        if track.opened:
            self._store.remove([str(ResourceName(name, "s", track.msn))])
        self._store.remove([str(ResourceName(name, "init", number)) for number in track.inits])

    def give_up(self) -> None:
        """The store takes nothing any more: there is no past from now on, and none of before."""
        for name in tuple(self.tracks):
            self.drop(name)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def evict(self) -> int | None:
        """Give up the oldest segment; its bytes, None when there is nothing left."""
        oldest = ((name, track.archive.oldest) for name, track in self.tracks.items() if track.archive.bytes_held)
        dates = [(entry.opening.date, name) for name, entry in oldest if entry]
        if not dates:
            return None
        name = min(dates)[1]
        held = self.bytes_held
        entry = self.tracks[name].archive.evict()
        assert entry is not None
        self._remove(name, [entry])
        return held - self.bytes_held

    @property
    def bytes_held(self) -> int:
        """What lies on disk."""
        return sum(track.archive.bytes_held + sum(track.inits.values()) for track in self.tracks.values())

    @property
    def bytes_unlisted(self) -> int:
        """What of it no playlist lists any more."""
        return sum(track.archive.bytes_unlisted for track in self.tracks.values())

    def _grow(self, rendition: Rendition, track: Track, segment: Segment) -> None:
        name = rendition.name
        if not track.opened or track.msn != segment.msn:
            if track.opened:  # It was closed and forgotten at once (timeline.follow).
                self._store.remove([str(ResourceName(name, "s", track.msn))])
            track.msn, track.opened = segment.msn, True
            if segment.parts:
                self._log(_opened(rendition, segment))
        for part in segment.parts:
            if part.number > track.part:
                track.part = part.number
                if part.data:
                    self._store.append(str(ResourceName(name, "s", segment.msn)), part.data)
                self._log(Part(name, part.number, part.duration, part.independent, len(part.data)))

    def _close(self, rendition: Rendition, track: Track, segment: Segment) -> None:
        name, timeline = rendition.name, rendition.timeline
        track.msn, track.opened = segment.msn + 1, False
        track.independent = timeline.independent
        entry = Entry(
            segment.msn,
            segment.opening,
            segment.discontinuity,
            _before(rendition, segment),
            segment.duration,
            segment.size,
            segment.gap,
        )
        closed = Closed(
            name,
            segment.msn,
            segment.duration,
            segment.size,
            segment.gap,
            track.target,
            track.independent,
            timeline.bits_a_second_max,
        )
        if not segment.parts:
            self._log(_opened(rendition, segment))
        track.waiting += 1
        parts = [part.data for part in segment.parts if part.data]
        file = str(ResourceName(name, "s", segment.msn))
        self._store.finish(file, parts, partial(self._taken, track, name, entry))
        self._log(closed)
        self._journals[-1][1][name] = segment.msn

    def _taken(self, track: Track, name: str, entry: Entry, there: bool) -> None:  # noqa: FBT001 - the one fact.
        track.waiting -= 1
        if self.tracks.get(name) is not track:
            self._store.remove([str(ResourceName(name, "s", entry.msn))])
            return
        if not there and not entry.gap:
            entry = replace(entry, size=0, gap=True)
        self._remove(name, track.archive.add(entry))
        if self.ended:
            self._close_archives()
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _remove(self, name: str, entries: list[Entry]) -> None:
        self._store.remove([str(ResourceName(name, "s", each.msn)) for each in entries if not each.gap])
        if name in self.tracks:
            self._forget_inits(name, self.tracks[name])
        oldest = {each: track.archive.oldest for each, track in self.tracks.items()}
        while len(self._journals) > 1 and all(
            (old := oldest.get(each)) is None or old.msn > msn for each, msn in self._journals[0][1].items()
        ):
            self._store.remove([journal_name(self._journals.popleft()[0])])

    def _forget_inits(self, name: str, track: Track) -> None:
        """Remove the init segments that no segment needs."""
        needed = track.archive.init
        if needed is None:
            if track.waiting:
                return
            needed = track.init + self.ended
        gone = [number for number in track.inits if number < needed]
        for number in gone:
            del track.inits[number]
        self._store.remove([str(ResourceName(name, "init", number)) for number in gone])

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._log(Ended())
        self._close_archives()

    def _close_archives(self) -> None:
        for name, track in self.tracks.items():
            if not track.waiting and not track.archive.ended:
                track.archive.end()
                self._forget_inits(name, track)

    def _log(self, record: Record) -> None:
        if self._records >= JOURNAL_RECORDS_MAX and not isinstance(record, Part | Closed):
            self._records, self._journal = 0, self._journal + 1
            self._journals.append((self._journal, {}))
            self._store.log(journal_name(self._journal), write_record(self.began))
        self._records += 1
        self._store.log(journal_name(self._journal), write_record(record))

    # --- players -----------------------------------------------------------------------------------------------------

    def lists(self, name: str) -> bool:
        """Whether a rendition's DVR playlist has something to list."""
        track = self.tracks.get(name)
        return track is not None and track.target > 0 and bool(track.archive.listed)

    async def playlist(self, name: str, *, skip: bool) -> bytes:
        """A rendition's DVR playlist; waits for its first segment. Raises NoSuchRendition, TimedOut."""
        deadline = asyncio.get_running_loop().time() + FIRST_SECONDS_MAX
        while True:
            track = self.tracks.get(name)
            if track is None or (self.ended and not track.archive.listed):
                raise NoSuchRendition(name)
            if self.lists(name):
                return self._render(name, track, skip=skip)
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                raise TimedOut(FIRST_SECONDS_MAX) from None

    async def read(self, asked: ResourceName) -> bytes | None:
        """A segment or an init segment from disk; None when it is not there (any more)."""
        track = self.tracks.get(asked.rendition)
        if track is None or (asked.kind == "s" and track.archive.find(asked.number) is None):
            return None
        if asked.kind == "init" and not 0 < asked.number <= track.init:
            return None
        return await self._store.read(str(asked))

    def _render(self, name: str, track: Track, *, skip: bool) -> bytes:
        archive = track.archive
        version, rendered = track.rendered.get(skip, (-1, b""))
        if version != archive.version:
            rendered = classic_playlist(
                name,
                Form.DVR,
                tuple(archive.listed),
                target=track.target,
                discontinuity_sequence=archive.discontinuity_sequence,
                independent=track.independent,
                ended=archive.ended,
                skip=skip,
            )
            track.rendered[skip] = archive.version, rendered
        return rendered


def journal_name(number: int) -> str:
    """The name of a file of the journal."""
    return f"{JOURNAL}{number}"


def _opened(rendition: Rendition, segment: Segment) -> Opened:
    opening = segment.opening
    return Opened(
        rendition.name,
        segment.msn,
        opening.start,
        opening.date,
        opening.epoch,
        opening.init,
        opening.independent,
        segment.discontinuity,
        _before(rendition, segment),
    )


def _before(rendition: Rendition, segment: Segment) -> int:
    """How many discontinuities the rendition's line has had before this segment's own."""
    timeline = rendition.timeline
    earlier = (each.discontinuity for each in timeline.listed if each.msn < segment.msn)
    return timeline.discontinuity_sequence + sum(earlier)
