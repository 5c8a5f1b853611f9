"""Core: when a process that died may be started again: later each time, and at some point not at all."""

from __future__ import annotations

from collections import deque
from typing import Final

# Encoders die of the machine (memory, a signal): mostly once. Who was well is started again at once: viewers wait.
BACK_OFF_SECONDS_MIN: Final = 0.5
BACK_OFF_SECONDS_MAX: Final = 30.0
# Who dies so often in a row without having been well dies of its input, and would for ever.
FAILURES_MAX: Final = 5
# Who gave pictures for so long was well: what dies of its input gives none, or a few.
WELL_SECONDS: Final = 0.5
# Who is well each time and yet dies so often costs its viewers more than it gives them.
RESTARTS_MAX: Final = 30
RESTARTS_WINDOW_SECONDS: Final = 600.0

assert BACK_OFF_SECONDS_MIN * 2**FAILURES_MAX <= BACK_OFF_SECONDS_MAX


class Restarts:
    """Tell it when the process starts, gives and dies; times in seconds of a clock that only rises."""

    def __init__(self) -> None:
        self._failures = 0
        self._gave_first_at: float | None = None
        self._gave_last_at = 0.0
        self._died_at: deque[float] = deque(maxlen=RESTARTS_MAX)

    def started(self) -> None:
        """The process has been started."""
        self._gave_first_at = None

    def gave(self, now: float) -> None:
        """The process has given a picture."""
        if self._gave_first_at is None:
            self._gave_first_at = now
        self._gave_last_at = now

    def failed(self, now: float) -> float | None:
        """The process has died by itself: seconds until it may be started again, None when it may not."""
        self._died_at.append(now)
        if len(self._died_at) == RESTARTS_MAX and now - self._died_at[0] <= RESTARTS_WINDOW_SECONDS:
            return None
        if self._gave_first_at is not None and self._gave_last_at - self._gave_first_at >= WELL_SECONDS:
            self._failures = 0
            return 0.0
        self._failures += 1
        if self._failures > FAILURES_MAX:
            return None
        return float(BACK_OFF_SECONDS_MIN * 2 ** (self._failures - 1))
