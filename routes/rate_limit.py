"""Core: how often one stranger may try: a bucket of tries an address, and a bounded number of addresses."""

from __future__ import annotations

from collections import OrderedDict
from math import ceil

KEYS_MAX = 10_000
"""Buckets kept: some 2 MB. Past it the one unused for longest is forgotten, which only helps whoever waited longest."""


class LimitError(Exception):
    """Too much at once; come again later."""


class TooManyTries(LimitError):
    """The bucket is empty.

    Attributes:
        retry_after_ms: milliseconds until the next try is free.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"too many tries, the next is free in {self.retry_after_ms} ms"


class Busy(LimitError):
    """A bounded queue of ours is full; nothing was begun."""

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"busy, try again in {self.retry_after_ms} ms"


class RateLimit:
    """Token buckets by key: `burst` tries at once, one more every `refill_seconds`. `now` is monotonic seconds."""

    def __init__(self, *, burst: int, refill_seconds: float, keys_max: int = KEYS_MAX) -> None:
        self._window = burst * refill_seconds
        self._refill_seconds = refill_seconds
        self._keys_max = keys_max
        # By key, when its bucket will be full again (the generic cell rate algorithm); least recently used first.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, now: float) -> None:
        """Spend one try. Raises TooManyTries, and then spends nothing."""
        full_at = max(self._full_at.get(key, now), now) + self._refill_seconds
        wait = full_at - now - self._window
        # A nanosecond of grace: sums of floats must not refuse the last try of a burst.
        if wait > 1e-9:
            raise TooManyTries(ceil(wait * 1000))
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._keys_max:
            self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        """Return one try: it turned out to be a rightful one."""
        if key in self._full_at:
            self._full_at[key] -= self._refill_seconds
