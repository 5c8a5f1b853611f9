"""Core: when a process that died may be started again: later each time, and at some point not at all."""

from __future__ import annotations

from typing import Final

# Encoders die of the machine (memory, a signal): mostly once. The first new try is quick, viewers are waiting.
BACK_OFF_SECONDS_MIN: Final = 0.5
BACK_OFF_SECONDS_MAX: Final = 30.0
# Who dies so often in a row dies of its input, and would for ever.
FAILURES_MAX: Final = 5
# Who ran so long was well.
WELL_SECONDS: Final = 60.0

assert BACK_OFF_SECONDS_MIN * 2**FAILURES_MAX <= BACK_OFF_SECONDS_MAX


class Restarts:
    """Tell it when the process starts and when it dies; times in seconds of a clock that only rises."""

    def __init__(self) -> None:
        self._failures = 0
        self._started_at = 0.0

    def started(self, now: float) -> None:
        """The process has been started."""
        self._started_at = now

    def failed(self, now: float) -> float | None:
        """The process has died by itself: seconds until it may be started again, None when it may not."""
        if now - self._started_at >= WELL_SECONDS:
            self._failures = 0
        self._failures += 1
        if self._failures > FAILURES_MAX:
            return None
        return float(BACK_OFF_SECONDS_MIN * 2 ** (self._failures - 1))
