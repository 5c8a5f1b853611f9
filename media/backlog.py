"""Core: what waits for an encoder, and what is thrown away when it is too slow.

The rule, in writing: the source never waits for an encoder. Up to BACKLOG_MS_MAX of pictures wait. Beyond it everything
that waits is dropped and nothing is taken until the next keyframe: viewers of the ladder see a jump, once. An encoder
that needs this SHEDS_MAX times within SHED_WINDOW_MS of media is `overwhelmed`: a rendition has to go. The pictures
since the last keyframe are kept, so that the successor of an encoder that died can be given them again (`replay`).
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
# What is kept to be given again: OBS writes a keyframe every 8.3 s by default, here up to 13 Mbit/s. After more than
# either the successor begins at the next keyframe.
REPLAY_MS_MAX: Final = 10_000
REPLAY_BYTES_MAX: Final = 16 * 1024 * 1024

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
        self._interval: list[tuple[int, bytes]] = []  # since the last keyframe; empty when it became too much
        self._interval_bytes = 0
        self._replayed_ms: int | None = None  # the time of the last picture that was given again

    def offer(self, timestamp_ms: int, data: bytes, *, key: bool) -> bool:
        """Let one picture wait; False if it (and perhaps all before it) was dropped."""
        self._last_ms = timestamp_ms
        self._remember(timestamp_ms, data, key=key)
        if self._wants_key and not key:
            return False
        if self._too_much(timestamp_ms, data):
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

    def replay(self) -> int | None:
        """Let everything since the last keyframe wait, for an encoder that begins; that keyframe's time.

        None, and nothing waits, where it was too much to be kept.
        """
        self.clear()
        if not self._interval:
            return None
        self.holes.clear()
        self._wants_key = self._broken = False
        self._waiting.extend(self._interval)
        self.bytes_held = self._interval_bytes
        self._replayed_ms = self._interval[-1][0]
        return self._interval[0][0]

    def clear(self) -> None:
        """Drop what waits, and everything up to the next keyframe: the encoder was too slow, or another one begins."""
        self._broken = self._broken or not self._wants_key
        self._waiting.clear()
        self.bytes_held = 0
        self._wants_key = True

    @property
    def replaying(self) -> bool:
        """Whether what waits first was given before, to another encoder."""
        return self._replayed_ms is not None and bool(self._waiting) and self._waiting[0][0] <= self._replayed_ms

    @property
    def overwhelmed(self) -> bool:
        """Whether it was too much again and again."""
        return len(self._sheds) == SHEDS_MAX and self._sheds[-1] - self._sheds[0] <= SHED_WINDOW_MS

    @property
    def late(self) -> bool:
        """Whether the encoder is behind, or was too slow a moment ago."""
        if self._sheds and self._last_ms - self._sheds[-1] <= SHED_WINDOW_MS:
            return True
        return bool(self._waiting) and not self.replaying and self._last_ms - self._waiting[0][0] > LATE_MS

    def forgive(self) -> None:
        """Count anew: something was done about it."""
        self._sheds.clear()

    def _too_much(self, timestamp_ms: int, data: bytes) -> bool:
        """Whether this picture as well would be more than may wait; who catches up has that much more."""
        behind_ms = timestamp_ms - self._waiting[0][0] if self._waiting else 0
        ms_max, bytes_max = BACKLOG_MS_MAX, BACKLOG_BYTES_MAX
        if self.replaying:
            ms_max, bytes_max = ms_max + REPLAY_MS_MAX, bytes_max + REPLAY_BYTES_MAX
        return behind_ms > ms_max or self.bytes_held + len(data) > bytes_max

    def _remember(self, timestamp_ms: int, data: bytes, *, key: bool) -> None:
        if key:
            self._forget()
        elif not self._interval:
            return
        self._interval.append((timestamp_ms, data))
        self._interval_bytes += len(data)
        if timestamp_ms - self._interval[0][0] > REPLAY_MS_MAX or self._interval_bytes > REPLAY_BYTES_MAX:
            self._forget()

    def _forget(self) -> None:
        self._interval.clear()
        self._interval_bytes = 0
