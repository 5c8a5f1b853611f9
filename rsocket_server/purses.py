"""Core: what all connections of one address, or of one member, may cost this process together: a bit of its time.

A connection's own budget is no help against someone with hundreds of them. Costs are what was measured, in seconds of
processor time; a purse gives PURSE_SECONDS_MAX at once and PURSE_PART_MAX of a second each second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Hashable


class Purses:
    """The purses of everybody who has one; one that is full is as good as none and is forgotten by `sweep`."""

    def __init__(self) -> None:
        self._full_at: dict[Hashable, float] = {}  # When each will be full again.

    def __len__(self) -> int:
        return len(self._full_at)

    def holds(self, owner: Hashable, seconds: float, now: float) -> bool:
        """Whether so much is in a purse."""
        return self._after(owner, seconds, now) - now <= limits.PURSE_SECONDS_MAX / limits.PURSE_PART_MAX

    def take(self, owner: Hashable, seconds: float, now: float) -> bool:
        """Take so much out of a purse, also what is not in it; False if it was not."""
        held = self.holds(owner, seconds, now)
        self._full_at[owner] = self._after(owner, seconds, now)
        return held

    def sweep(self, now: float) -> None:
        """Forget those that are full."""
        self._full_at = {owner: full_at for owner, full_at in self._full_at.items() if full_at > now}

    def _after(self, owner: Hashable, seconds: float, now: float) -> float:
        return max(self._full_at.get(owner, now), now) + seconds / limits.PURSE_PART_MAX
