"""Core: a broadcast's own line of time: every epoch's timestamps are moved onto it, and it never runs back."""

from __future__ import annotations

from typing import Final

from media.intake import SETTLE_MS_MAX

# Where the line of time of every broadcast begins, whatever the publisher's clock says: no box can write a time below
# 0, and the first picture may have sound before it, which came while the tracks settled.
START_MS: Final = 1000
# Between the last frame of an epoch and the first of the next. A discontinuity may go anywhere, but players that are
# made of ffmpeg read all epochs as one file, and lose frames when its time runs back.
EPOCH_STEP_MS: Final = 100

assert START_MS >= SETTLE_MS_MAX


class Line:
    """`begin` an epoch, then `place` its timestamps; `shift_ms` is what moves them."""

    def __init__(self) -> None:
        self.shift_ms = 0
        self._head_ms: int | None = None

    def resume(self, head_ms: int) -> None:
        """Another process was there already."""
        self._head_ms = head_ms

    def begin(self, first_ms: int) -> int:
        """An epoch begins with the publisher's `first_ms`; where that is on the line."""
        start_ms = START_MS if self._head_ms is None else self._head_ms + EPOCH_STEP_MS
        self.shift_ms = start_ms - first_ms
        return start_ms

    def place(self, timestamp_ms: int) -> int:
        """A timestamp of this epoch on the line."""
        timestamp_ms += self.shift_ms
        self._head_ms = timestamp_ms if self._head_ms is None else max(self._head_ms, timestamp_ms)
        return timestamp_ms
