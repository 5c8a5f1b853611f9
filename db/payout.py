"""Core: a payout: earnings that are held, then paid or returned, and why one does not go on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

# As much as one transfer moves.
PAYOUT_POINTS_MAX = 10**12


class Step(StrEnum):
    """How far a payout is: held until it ends, one way or the other, for good."""

    HELD = "held"
    PAID = "paid"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Payout:
    """One payout. `note` is of whoever asked for it, `end_note` of whoever ended it."""

    id: UUID
    member_id: int
    points: int
    step: Step
    note: str
    end_note: str | None
    created_at: datetime
    ended_at: datetime | None


class PayoutError(Exception):
    """Base of why a payout does not go on. Nothing has moved when one is raised."""


class PayoutAmount(PayoutError):
    """A payout is of one point or more."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points

    def __str__(self) -> str:
        return f"{self.points} points are not 1 to {PAYOUT_POINTS_MAX}"


class PayoutUnknown(PayoutError):
    """No payout of this id."""

    def __init__(self, payout_id: UUID) -> None:
        super().__init__(payout_id)
        self.id = payout_id

    def __str__(self) -> str:
        return f"no such payout: {self.id}"


class PayoutIdReused(PayoutError):
    """The id was used for another member, or for other points."""

    def __init__(self, payout_id: UUID) -> None:
        super().__init__(payout_id)
        self.id = payout_id

    def __str__(self) -> str:
        return f"id {self.id} was used for another payout"


class PayoutShort(PayoutError):
    """The earnings hold less than that."""

    def __init__(self, points: int) -> None:
        super().__init__(points)
        self.points = points

    def __str__(self) -> str:
        return f"fewer than {self.points} points in the earnings"


class PayoutEnded(PayoutError):
    """It has ended the other way."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"the payout is {self.step}"


class PayoutPending(PayoutError):
    """A payout of this member has not ended."""

    def __str__(self) -> str:
        return "a payout is under way"


def check_payout(points: int) -> int:
    """Return `points` if so many may be paid out at once. Raises PayoutAmount."""
    if not 1 <= points <= PAYOUT_POINTS_MAX:
        raise PayoutAmount(points)
    return points
