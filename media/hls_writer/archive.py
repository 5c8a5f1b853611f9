"""Core: one rendition's segments on disk: what the DVR playlist lists, what is only kept, what may go.

Only what the disk has taken is listed; what it did not take is listed as a gap, and was never anything else. Ages are
measured in media, as in timeline.py. A segment that leaves the list stays for its own duration and that of the longest
list it was in (rfc8216bis 6.2.2); where the room on disk ends first, the oldest goes first.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.hls_writer.fmp4 import VIDEO_CLOCK

if TYPE_CHECKING:
    from media.hls_writer.timeline import Opening


@dataclass(frozen=True, slots=True)
class Entry:
    """A closed segment; `discontinuities` is how many there were in the broadcast before its own."""

    msn: int
    opening: Opening
    discontinuity: bool
    discontinuities: int
    duration: int
    size: int
    gap: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    entry: Entry
    until: int


class Archive:
    """Give it what the disk has taken, in order; it says what the disk may forget."""

    def __init__(self, window_seconds: float) -> None:
        self.listed: deque[Entry] = deque()
        self.ended = False
        self.version = 0  # rises with every change of what the playlist says
        self.bytes_held = 0
        self._window = round(window_seconds * VIDEO_CLOCK)
        self._kept: deque[_Kept] = deque()
        self._duration = 0  # of what is listed
        self._head = 0

    def add(self, entry: Entry) -> list[Entry]:
        """List one more; what nobody may ask for any longer."""
        if self.listed and entry.msn != self.listed[-1].msn + 1:
            # A rendition that was away for longer than its source remembers has begun anew.
            while self.listed:
                self._unlist()
        self.listed.append(entry)
        self.version += 1
        self.bytes_held += entry.size
        self._duration += entry.duration
        self._head += entry.duration
        while self._duration - self.listed[0].duration >= self._window:
            self._unlist()
        gone = []
        while self._kept and self._kept[0].until <= self._head:
            gone.append(self._forget())
        return gone

    def end(self) -> None:
        """Nothing more comes (EXT-X-ENDLIST)."""
        self.ended = True
        self.version += 1

    def evict(self) -> Entry | None:
        """Give up the oldest, listed or not; None when there is nothing."""
        if not self._kept and self.listed:
            self._unlist()
        return self._forget() if self._kept else None

    def find(self, msn: int) -> Entry | None:
        """The segment of that number, listed or kept; None for a gap."""
        entry = next((each.entry for each in self._kept if each.entry.msn == msn), None)
        if entry is None and self.listed and self.listed[0].msn <= msn <= self.listed[-1].msn:
            entry = self.listed[msn - self.listed[0].msn]
        return None if entry is None or entry.gap else entry

    @property
    def discontinuity_sequence(self) -> int:
        """EXT-X-DISCONTINUITY-SEQUENCE."""
        return self.listed[0].discontinuities if self.listed else 0

    @property
    def oldest(self) -> Entry | None:
        """What `evict` would give up."""
        return self._kept[0].entry if self._kept else self.listed[0] if self.listed else None

    @property
    def init(self) -> int | None:
        """The first init segment that something here needs; None when nothing needs any."""
        entries = (*(each.entry for each in self._kept), *self.listed)
        return next((entry.opening.init for entry in entries if not entry.gap), None)

    @property
    def bytes_unlisted(self) -> int:
        """What could go without any list becoming shorter."""
        return sum(each.entry.size for each in self._kept)

    def _unlist(self) -> None:
        entry = self.listed.popleft()
        self.version += 1
        self._kept.append(_Kept(entry, self._head + entry.duration + self._duration))
        self._duration -= entry.duration

    def _forget(self) -> Entry:
        entry = self._kept.popleft().entry
        self.bytes_held -= entry.size
        return entry
