"""Core: what waits for an encoder, and what is thrown away when it is too slow.

The rule, in writing: the source never waits for an encoder. Up to BACKLOG_MS_MAX of pictures wait. Beyond it everything
that waits is dropped and nothing is taken until the next keyframe: viewers of the ladder see a jump, once. An encoder
that needs this SHEDS_MAX times within SHED_WINDOW_MS of media is `overwhelmed`: a rendition has to go.
"""

from __future__ import annotations

from collections import deque
from typing import Final

# Two seconds behind is more than a player holds back; beyond it parts would come too late for anybody.
BACKLOG_MS_MAX: Final = 2000
# 64 Mbit/s for those two seconds.
BACKLOG_BYTES_MAX: Final = 16 * 1024 * 1024
# So far behind is neither jitter nor a slow start: the encoder gets less of the machine than it needs.
LATE_MS: Final = 1500
SHEDS_MAX: Final = 3
SHED_WINDOW_MS: Final = 60_000

assert LATE_MS < BACKLOG_MS_MAX
assert SHED_WINDOW_MS > SHEDS_MAX * BACKLOG_MS_MAX


class Backlog:
    """Pictures in by `offer`, out by `take`, in order. Begins with a keyframe."""

    def __init__(self) -> None:
        self.bytes_held = 0
        self.holes: deque[int] = deque()  # the times of keyframes before which pictures are missing
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._last_ms = 0
        self._wants_key = True
        self._broken = False
        self._sheds: deque[int] = deque(maxlen=SHEDS_MAX)

    def offer(self, timestamp_ms: int, data: bytes, *, key: bool) -> bool:
        """Let one picture wait; False if it (and perhaps all before it) was dropped."""
        self._last_ms = timestamp_ms
        if self._wants_key and not key:
            return False
        behind_ms = timestamp_ms - self._waiting[0][0] if self._waiting else 0
        if behind_ms > BACKLOG_MS_MAX or self.bytes_held + len(data) > BACKLOG_BYTES_MAX:
            self.clear()
            self._sheds.append(timestamp_ms)
            if not key:
                return False
        if self._broken:
            self.holes.append(timestamp_ms)
        self._wants_key = self._broken = False
        self._waiting.append((timestamp_ms, data))
        self.bytes_held += len(data)
        return True

    def take(self) -> tuple[int, bytes] | None:
        """The next picture with its time, or None when nothing waits."""
        if not self._waiting:
            return None
        timestamp_ms, data = self._waiting.popleft()
        self.bytes_held -= len(data)
        return timestamp_ms, data

    def clear(self) -> None:
        """Drop what waits, and everything up to the next keyframe: the encoder was too slow, or another one begins."""
        self._broken = self._broken or not self._wants_key
        self._waiting.clear()
        self.bytes_held = 0
        self._wants_key = True

    @property
    def overwhelmed(self) -> bool:
        """Whether it was too much again and again."""
        return len(self._sheds) == SHEDS_MAX and self._sheds[-1] - self._sheds[0] <= SHED_WINDOW_MS

    @property
    def late(self) -> bool:
        """Whether the encoder is behind, or was too slow a moment ago."""
        if self._sheds and self._last_ms - self._sheds[-1] <= SHED_WINDOW_MS:
            return True
        return bool(self._waiting) and self._last_ms - self._waiting[0][0] > LATE_MS

    def forgive(self) -> None:
        """Count anew: something was done about it."""
        self._sheds.clear()
