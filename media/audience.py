"""Core: how many watch one broadcast: its peak and its average, of counts that held.

Whoever counts the viewers hears of a server of the chat that has died only when its last word has grown old; its
viewers are with another one by then, and count twice meanwhile. So a count stands only as far as it held for
HELD_SAMPLES on end: what is higher for a shorter time is cut off, and all else stays as it was counted.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from db.summary import Stretch

# Between two counts.
SAMPLE_SECONDS: Final = 5
# From the first to the last of them it is longer than a dead server's word is believed (media/audiences.py).
HELD_SAMPLES: Final = 5
# Counts that come in a bunch, when all of this process was late, are not of different moments.
APART_SECONDS_MIN: Final = 4.0
# Of the time between two counts that lie further apart nothing is known.
APART_SECONDS_MAX: Final = 10.0

assert APART_SECONDS_MIN < SAMPLE_SECONDS < APART_SECONDS_MAX


class Audience:
    """One broadcast's. `add` a count each SAMPLE_SECONDS, `take` what has come together, and `pause` at the end."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._run: deque[int] = deque(maxlen=HELD_SAMPLES)
        # What each of the last HELD_SAMPLES runs held.
        self._held: deque[int] = deque(maxlen=HELD_SAMPLES)
        self._samples = 0
        self._sum = 0
        self._peak = 0

    def add(self, viewers: int | None, now: float) -> None:
        """So many watch now; None: nobody knows."""
        if viewers is None:
            self.pause()
            return
        if self._at is not None and now - self._at < APART_SECONDS_MIN:
            return
        if self._at is not None and now - self._at > APART_SECONDS_MAX:
            self.pause()
        self._at = now
        self._run.append(viewers)
        if len(self._run) == HELD_SAMPLES:
            self._held.append(min(self._run))
            # The oldest of the run: every run that it is in is known now, and it stands as high as the highest held.
            self._count(max(self._held))

    def pause(self) -> None:
        """The counts end here, or have a gap: of the last ones all is known that will be."""
        held = list(self._held)
        for left in range(HELD_SAMPLES - 1, 0, -1) if held else ():
            self._count(max(held[-left:]))
        self._at = None
        self._run.clear()
        self._held.clear()

    def take(self) -> Stretch | None:
        """What has come together since the last time; None if nothing."""
        if not self._samples:
            return None
        taken = Stretch(self._samples * SAMPLE_SECONDS, self._sum * SAMPLE_SECONDS, self._peak)
        self._samples, self._sum, self._peak = 0, 0, 0
        return taken

    def _count(self, viewers: int) -> None:
        self._samples += 1
        self._sum += viewers
        self._peak = max(self._peak, viewers)
