"""Core: what one viewer gets next: a cursor in the room's log, credit from the viewer, a window from the socket.

Backpressure is decided here and nowhere else. A viewer without credit, or whose socket is full, costs nothing: its
cursor stays. When it can go on it gets a `gap` for each run of events that the log no longer has, between them the kept
ones (donations) and its own lines, which are never skipped, then the rest. A viewer that would rather be on time than
complete (`behind`) gets such a gap also for what the log still has.
What has no number in the log, because the store is away (`aside`), comes after what has.
Each item costs one credit, whatever it is, so that never more goes out than was requested.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsocket_server.room_log import Log


class Outbox:
    """One watcher's place.

    Attributes:
        cursor: sequence number of the last event delivered.
        credit: items that may still be sent; `inf` once 2^31-1 have been asked for (Reactive Streams §3.17).
        open: whether the socket takes more.
        behind: events it may be late by; then it goes on with the newest half of them. None: as many as the log has.
        aside: number of the last event delivered of those beside the log; `inf` for who does not know of such.
    """

    __slots__ = ("_note", "_whispers", "aside", "behind", "credit", "cursor", "open")

    def __init__(self, cursor: int, behind: int | None = None, aside: int | None = None) -> None:
        self.cursor = cursor
        self.aside: float = inf if aside is None else aside
        self.behind = behind
        self.credit: float = 0
        self.open = True
        self._whispers: deque[bytes] | None = None  # Most viewers never get one.
        self._note: bytes | None = None

    def request(self, n: int) -> None:
        """Add credit; less than one adds none."""
        if n > 0:
            total = self.credit + n
            self.credit = inf if total >= limits.CREDIT_UNBOUNDED else total

    def whisper(self, payload: bytes) -> None:
        """Offer an event for this viewer alone. It goes before the log's; of too many the oldest is dropped."""
        if self._whispers is None:
            self._whispers = deque(maxlen=limits.WHISPERS_MAX)
        self._whispers.append(payload)

    def note(self, payload: bytes) -> None:
        """Offer a passing event (a count): only the latest is kept, and it goes after the log's."""
        self._note = payload

    def ready(self, head: int, aside: int = 0) -> bool:
        """Whether something can go out now, `head` being the log's newest, `aside` the newest beside it."""
        if not self.open or self.credit <= 0:
            return False
        return self.cursor < head or self.aside < aside or bool(self._whispers) or self._note is not None

    @property
    def reach(self) -> float:
        """The last event that the credit is for, if nothing else is sent; it stays the same under `keep_up`."""
        return self.cursor + self.credit

    def keep_up(self, cursor: int) -> None:
        """Take note that all events up to `cursor`, within `reach`, have been written as to everyone at this place."""
        self.credit -= cursor - self.cursor
        self.cursor = cursor

    def take(
        self, log: Log, gap: Callable[[int, int, int], bytes], voice: str | None = None, aside: Log | None = None
    ) -> list[bytes]:
        """Take the payloads to write now, about BATCH_BYTES_MAX of them; call again until there are none.

        `gap(skipped, from_seq, to_seq)` writes the event that stands for those no longer in the log; what `voice` has
        said is never among them.
        """
        taken: list[bytes] = []
        if not self.open:
            return taken
        while self._whispers and self.credit > 0:
            taken.append(self._whispers.popleft())
            self.credit -= 1
        first = self._first(log)
        while self.credit > 0 and self.cursor < first - 1:
            taken.append(self._cross(log, gap, voice, first))
            self.credit -= 1
        if self.credit > 0 and self.cursor < log.head:
            target = log.reach(self.cursor, limits.BATCH_BYTES_MAX)
            target = int(min(target, self.cursor + self.credit))
            taken += log.after(self.cursor, target)
            self.credit -= target - self.cursor
            self.cursor = target
        if aside is not None and self.cursor == log.head:
            taken += self._take_aside(aside)
        if self._note is not None and self.credit > 0 and self.cursor == log.head:
            taken.append(self._note)
            self._note = None
            self.credit -= 1
        return taken

    def _take_aside(self, aside: Log) -> list[bytes]:
        """Take what is beside the log; what is no longer there, nor kept, has a number by now, or nobody needs it."""
        if self.credit <= 0 or self.aside >= aside.head:
            return []
        taken: list[bytes] = []
        while kept := aside.kept_after(int(self.aside), before=aside.first):
            self.aside, payload = kept
            self.credit -= 1
            taken.append(payload)
            if self.credit <= 0 or sum(map(len, taken)) >= limits.BATCH_BYTES_MAX:
                return taken
        cursor = int(max(self.aside, aside.first - 1))
        target = int(min(aside.reach(cursor, limits.BATCH_BYTES_MAX), cursor + self.credit))
        self.credit -= target - cursor
        self.aside = target
        return taken + aside.after(cursor, target)

    def _first(self, log: Log) -> int:
        """Answer the event to go on with: what lies before it is crossed.

        Not the one `behind` back: whoever is too slow for the room would be too late again at once, with a gap for each
        few lines.
        """
        if self.behind is None or log.head - self.cursor <= self.behind:
            return log.first
        return max(log.first, log.head + 1 - max(1, self.behind // 2))

    def _cross(self, log: Log, gap: Callable[[int, int, int], bytes], voice: str | None, first: int) -> bytes:
        """Go one item through what lies before `first`: a kept event, or the gap up to the next one."""
        at = self.cursor + 1
        seq, payload = log.kept_after(self.cursor, voice, before=first) or (first, b"")
        if seq == at < first:
            self.cursor = at
            return payload
        self.cursor = seq - 1
        return gap(seq - at, at, seq - 1)

    def begin_anew(self, log: Log, voice: str | None = None) -> None:
        """Go before the first event of a log that began anew; what was never to be missed comes before that."""
        for payload in log.left_after(self.cursor, voice):
            self.whisper(payload)
        self.cursor = log.first - 1
