"""Core: the words on the wire of supporters and goals."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import Annotated

from msgspec import Meta, Struct

from routes.wire import Line  # noqa: TC001 - see above.

GOAL_POINTS_MAX = 1_000_000_000
"""Points of one goal: a thousand of the largest donations."""


class SupporterView(Struct, frozen=True):
    """Who gave, all their donations of the period together."""

    nickname: str
    points: int


class SupportView(Struct, frozen=True):
    """GET /api/channels/{nickname}/supporters, the most first. The anonymous count in `points` and `donations` only."""

    period: str
    points: int
    donations: int
    supporters: list[SupporterView]


class SetGoal(Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /api/channels/{nickname}/goal: counted from now on."""

    title: Line
    points: Annotated[int, Meta(ge=1, le=GOAL_POINTS_MAX)]


class GoalView(Struct, frozen=True):
    """What a channel gathers for; `received` may be more than `points`."""

    title: str
    points: int
    received: int
    since: datetime


class GoalAnswer(Struct, frozen=True):
    """GET and PUT /api/channels/{nickname}/goal; null where there is none."""

    goal: GoalView | None
