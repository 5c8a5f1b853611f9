"""Core: a log of a room's recent events, for everyone who watches it on this worker.

An event has a place in the log by its sequence number, which the bus gives: one for all workers, rising by one. The log
is a ring without holes: what is in it is everything between `first` and `head`. Payloads are opaque bytes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Mapping


class Log:
    """Recent events of a room, at most LOG_EVENTS_MAX of them and LOG_BYTES_MAX bytes.

    Attributes:
        first: sequence number of the oldest event here; `head + 1` when there is none.
        head: sequence number of the newest event that the room has had.
        bytes: of all payloads here.
    """

    __slots__ = ("_kept", "_left", "_own", "_payloads", "_voices", "bytes", "first", "head")

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=limits.KEPT_EVENTS_MAX)
        self._voices: dict[str, int] = {}
        self._own: dict[str, deque[tuple[int, bytes]]] = {}
        self._left: tuple[list[tuple[int, bytes]], dict[str, list[tuple[int, bytes]]]] = ([], {})
        self.first = 1
        self.head = 0
        self.bytes = 0

    def append(self, payload: bytes, *, kept: bool = False, voice: str | None = None) -> None:
        """Add the event after `head`; the oldest make room.

        What is `kept` may still be had when it has left the ring, by everyone; what `voice` has said, by who listens
        for that.
        """
        self._payloads.append(payload)
        self.head += 1
        if kept:
            self._kept.append((self.head, payload))
        elif voice in self._voices:
            own = self._own.setdefault(voice, deque(maxlen=limits.OWN_EVENTS_MAX))
            own.append((self.head, payload))
        self.bytes += len(payload)
        while len(self._payloads) > limits.LOG_EVENTS_MAX or (
            self.bytes > limits.LOG_BYTES_MAX and self.first < self.head
        ):
            self.bytes -= len(self._payloads.pop(0))
            self.first += 1

    def listen(self, voice: str) -> None:
        """Keep from now on what a voice says; once for each who listens."""
        self._voices[voice] = self._voices.get(voice, 0) + 1

    def ignore(self, voice: str) -> None:
        """Take back one `listen`."""
        self._voices[voice] -= 1
        if not self._voices[voice]:
            del self._voices[voice]
            self._own.pop(voice, None)

    def begin_anew(self) -> None:
        """Forget everything: the numbers begin anew. What nobody may miss is had by `left_after`, until `let_go`."""
        self._left = list(self._kept), {voice: list(own) for voice, own in self._own.items()}
        self._kept.clear()
        self._own.clear()
        self.restart(0)

    def left_after(self, cursor: int, voice: str | None = None) -> list[bytes]:
        """Answer what `begin_anew` left of the events after `cursor`: kept ones and those that `voice` has said.

        Not what has come again, with the same number.
        """
        kept, own = self._left
        left = sorted([*kept, *(own.get(voice, []) if voice is not None else [])])
        return [payload for seq, payload in left if seq > cursor and self.at(seq) != payload]

    def let_go(self) -> None:
        """Forget what `begin_anew` left."""
        self._left = [], {}

    def restart(self, head: int) -> None:
        """Forget the ring; the next event is `head + 1`."""
        self._payloads.clear()
        self.bytes = 0
        self.head = head
        self.first = head + 1

    def at(self, seq: int) -> bytes | None:
        """Answer the event's payload, None if it is not here."""
        return self._payloads[seq - self.first] if self.first <= seq <= self.head else None

    def kept_after(self, cursor: int, voice: str | None = None, *, before: int) -> tuple[int, bytes] | None:
        """Answer the first event between `cursor` and `before` that is kept, or was said by `voice`."""
        found = next((each for each in self._kept if cursor < each[0] < before), None)
        if voice in self._own:
            own = next((each for each in self._own[voice] if cursor < each[0] < before), None)
            if own is not None and (found is None or own[0] < found[0]):
                return own
        return found

    def after(self, cursor: int, up_to: int) -> list[bytes]:
        """Answer the payloads of `cursor + 1` … `up_to`, all of which must be here."""
        assert self.first - 1 <= cursor <= up_to <= self.head, (cursor, up_to, self.first, self.head)
        return self._payloads[cursor + 1 - self.first : up_to + 1 - self.first]

    def replace(self, instead: Mapping[int, bytes]) -> list[int]:
        """Put other payloads in events' places; answer which of these are in the ring."""
        # Once for all of them: of a full room some ten thousand own lines are gone through.
        for kept in (self._kept, *self._own.values()):
            for index, (seq, _) in enumerate(kept):
                if seq in instead:
                    kept[index] = (seq, instead[seq])
        here = [seq for seq in instead if self.first <= seq <= self.head]
        for seq in here:
            self.bytes += len(instead[seq]) - len(self._payloads[seq - self.first])
            self._payloads[seq - self.first] = instead[seq]
        return here

    def reach(self, cursor: int, bytes_max: int) -> int:
        """Answer how far one may go from `cursor` within `bytes_max`, but one event at least where there is one."""
        total = 0
        for seq in range(cursor + 1, self.head + 1):
            total += len(self._payloads[seq - self.first])
            if total > bytes_max:
                return max(seq - 1, cursor + 1)
        return self.head
