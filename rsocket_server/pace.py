"""Core: slow mode as one worker counts it: who spoke here last, and until when that holds.

The store counts for all workers. This count holds beside it, also while the store is away, and for what was said
meanwhile when it is back.
"""

from __future__ import annotations

# Speakers remembered before anyone is forgotten; from there on whenever their number has doubled.
_SPEAKERS_MIN = 64


class Pace:
    """See the module."""

    __slots__ = ("_spoke", "_spoke_max")

    def __init__(self) -> None:
        self._spoke: dict[int, tuple[float, str]] = {}
        self._spoke_max = _SPEAKERS_MIN

    def __len__(self) -> int:
        return len(self._spoke)

    def wait_ms(self, member_id: int, once: str, now: float) -> int:
        """Answer 0, or the milliseconds to wait; the line that was let through last is let through again."""
        until, last = self._spoke.get(member_id, (now, once))
        return 0 if last == once or until <= now else max(1, round((until - now) * 1000))

    def spoke(self, member_id: int, once: str, now: float, seconds: int) -> None:
        """Take note of a line: the next may follow after so long."""
        if self._spoke.get(member_id, (now, ""))[1] == once:
            return
        self._spoke[member_id] = now + seconds, once
        if len(self._spoke) > self._spoke_max:
            self._spoke = {who: said for who, said in self._spoke.items() if said[0] > now}
            self._spoke_max = max(_SPEAKERS_MIN, 2 * len(self._spoke))
