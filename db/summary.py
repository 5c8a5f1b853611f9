"""Core: what a broadcast has come to once it is over, and when enough of its viewers was counted to say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

# Of a broadcast's time, whose viewers may be unknown: its process was killed, or the count could not be had. With more,
# the most of those who were counted would pass for the most there were.
UNKNOWN_SHARE_MAX = 0.1
# Beside it: the moment before the first count, and the last minute of a process that was killed.
UNKNOWN_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Stretch:
    """How many watched a part of a broadcast: of how many seconds that is known, their sum over these, and the most."""

    seconds: int
    viewer_seconds: int
    peak: int


@dataclass(frozen=True, slots=True)
class Viewers:
    """How many watched a broadcast."""

    peak: int
    average: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A broadcast that is over.

    Attributes:
        viewers: None where too little of it was counted.
        new_followers: who began to follow during it, and follow still.
        points: given during it, and not given back.
        donations: how many these were.
    """

    broadcast_id: int
    started_at: datetime
    ended_at: datetime
    viewers: Viewers | None
    new_followers: int
    points: int
    donations: int

    @property
    def seconds(self) -> int:
        """How long it was on air."""
        return _seconds(self.started_at, self.ended_at)


def viewers(counted: Stretch | None, started_at: datetime, ended_at: datetime) -> Viewers | None:
    """Say how many watched; None where too much of it was not counted."""
    whole = _seconds(started_at, ended_at)
    if counted is None or counted.seconds < whole * (1 - UNKNOWN_SHARE_MAX) - UNKNOWN_SECONDS_MAX:
        return None
    return Viewers(counted.peak, round(counted.viewer_seconds / counted.seconds, 1))


def _seconds(started_at: datetime, ended_at: datetime) -> int:
    return max(0, int((ended_at - started_at).total_seconds()))
