"""Door: HTTP: /api/channels/{nickname}/supporters and /goal: who gave most, and how far the goal is."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from aiohttp import web

from db import transfer
from routes import support_shapes, wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import answer, read_body
from routes.named_channel import named_channel, own_channel
from rsocket_server import room

if TYPE_CHECKING:
    from db.channel import Channel
    from db.channels import Channels
    from db.supporters import Goal, Support, Supporters

PERIODS: Final = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
"""Beside `broadcast`, which is since the channel went on air: backwards from now."""

BROADCAST: Final = "broadcast"

FRESH_SECONDS: Final = 5.0
"""How old an answer may be: anyone may ask, and a busy channel's month is a long sum."""

KEPT_MAX: Final = 1_000
"""Answers kept: of more channels than are on air at once."""


def goal_view(goal: Goal | None) -> support_shapes.GoalView | None:
    """Show a goal; null where there is none."""
    if goal is None:
        return None
    return support_shapes.GoalView(title=goal.title, points=goal.points, received=goal.received, since=goal.since)


class SupporterDoors:
    """The doors of what overlays show."""

    def __init__(self, channels: Channels, supporters: Supporters) -> None:
        self._channels = channels
        self._supporters = supporters
        self._kept: OrderedDict[tuple[int, str], tuple[float, Support]] = OrderedDict()

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/supporters",
                who=Who.ANYONE,
                handle=self._top,
                words="Who gave most; `period` is broadcast (this one; also without it), day, week or month.",
                answer=support_shapes.SupportView,
            ),
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/goal",
                who=Who.ANYONE,
                handle=self._goal,
                words="What the channel gathers for, and how far it is.",
                answer=support_shapes.GoalAnswer,
            ),
            HttpDoor(
                method="PUT",
                path="/api/channels/{nickname}/goal",
                who=Who.OWNER,
                handle=self._set_goal,
                words="Gather for something, counted from now on.",
                body=support_shapes.SetGoal,
                answer=support_shapes.GoalAnswer,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/channels/{nickname}/goal",
                who=Who.OWNER,
                handle=self._clear_goal,
                words="Gather for nothing any more.",
                status=204,
            ),
        ]

    async def _top(self, request: web.Request) -> web.StreamResponse:
        period = request.query.get("period", BROADCAST)
        if period != BROADCAST and period not in PERIODS:
            raise wire.WireShape("period")
        found = await named_channel(self._channels, request)
        support = await self._support(found, period)
        named = [
            support_shapes.SupporterView(nickname=each.nickname, points=each.points) for each in support.supporters
        ]
        return answer(
            support_shapes.SupportView(
                period=period, points=support.points, donations=support.donations, supporters=named
            )
        )

    async def _support(self, found: Channel, period: str) -> Support:
        now, key = asyncio.get_running_loop().time(), (found.id, period)
        until, support = self._kept.get(key, (0.0, None))
        if support is None or until <= now:
            since = datetime.now(UTC)  # Off air: nothing was given in no broadcast.
            if period in PERIODS:
                since -= PERIODS[period]
            elif found.started_at is not None:
                since = found.started_at
            support = await self._supporters.since(found.id, since)
            self._kept[key] = (now + FRESH_SECONDS, support)
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return support

    async def _goal(self, request: web.Request) -> web.StreamResponse:
        return await self._show_goal(await named_channel(self._channels, request))

    async def _set_goal(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, support_shapes.SetGoal)
        own = await own_channel(self._channels, request)
        await self._supporters.set_goal(own.id, transfer.check_text(room.clean(body.title)), body.points)
        return await self._show_goal(own)

    async def _clear_goal(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        await self._supporters.clear_goal(own.id)
        return web.Response(status=204)

    async def _show_goal(self, found: Channel) -> web.StreamResponse:
        goal = await self._supporters.goal(found.id)
        return answer(support_shapes.GoalAnswer(goal=goal_view(goal)))
