"""Door: HTTP: /api/channels/{nickname}/broadcasts: what a channel's last broadcasts have come to."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import TYPE_CHECKING

from msgspec import Struct

from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import answer
from routes.named_channel import own_channel

if TYPE_CHECKING:
    from aiohttp import web

    from db.channels import Channels
    from db.summaries import Summaries
    from db.summary import Summary


class ViewersView(Struct, frozen=True):
    """How many watched a broadcast: the most that stayed together for twenty seconds, and on average."""

    peak: int
    average: float


class SummaryView(Struct, frozen=True):
    """A broadcast that is over. `viewers` is null where too little of it was counted; `points` are as they are now."""

    id: str
    started_at: datetime
    ended_at: datetime
    seconds: int
    viewers: ViewersView | None
    new_followers: int
    points: int
    donations: int


class SummaryList(Struct, frozen=True):
    """GET /api/channels/{nickname}/broadcasts, the latest first."""

    broadcasts: list[SummaryView]


def summary_view(summary: Summary) -> SummaryView:
    """Show what a broadcast has come to."""
    viewers = summary.viewers
    return SummaryView(
        id=str(summary.broadcast_id),
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        seconds=summary.seconds,
        viewers=None if viewers is None else ViewersView(viewers.peak, viewers.average),
        new_followers=summary.new_followers,
        points=summary.points,
        donations=summary.donations,
    )


class SummaryDoors:
    """The door of what is over."""

    def __init__(self, channels: Channels, summaries: Summaries) -> None:
        self._channels = channels
        self._summaries = summaries

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/broadcasts",
                who=Who.OWNER,
                handle=self._latest,
                words="What the last ten broadcasts that are over have come to, the latest first.",
                answer=SummaryList,
            )
        ]

    async def _latest(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        return answer(SummaryList([summary_view(each) for each in await self._summaries.latest(own.id)]))
