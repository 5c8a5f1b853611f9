"""Core: how many frames a client may bring: a burst at once, then so many a second.

A frame of six bytes costs as much processor time as one of a thousand, so a few megabytes a second of the smallest
(pings, keepalives that want an answer, credit, cancels) would take a whole worker.
"""

from __future__ import annotations

from rsocket_server import limits


class FrameBudget:
    """What one connection may still bring; it begins with a whole burst.

    Args:
        now: seconds on a clock that never jumps.
    """

    __slots__ = ("_earned_at", "_left")

    def __init__(self, now: float) -> None:
        self._left: float = limits.FRAMES_BURST_MAX
        self._earned_at = now

    def earn(self, now: float) -> None:
        """Add what the time since the last call has earned, up to a burst."""
        earned = (now - self._earned_at) * limits.FRAMES_SECOND_MAX
        self._left = min(self._left + earned, limits.FRAMES_BURST_MAX)
        self._earned_at = now

    def spend(self) -> bool:
        """Take one frame out; False if there is none left for it."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
