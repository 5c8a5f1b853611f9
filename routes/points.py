"""Door: HTTP: /api/points: what a member has, and how it came and went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routes import wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, answer

if TYPE_CHECKING:
    from aiohttp import web

    from db.ledger import Ledger

PAGE_LINES: Final = 50
"""Lines of one page of history: two screens."""


class PointDoors:
    """The doors under /api/points."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/points",
                who=Who.MEMBER,
                handle=self._balance,
                words="The bearer's points and earnings.",
                answer=wire.Points,
            ),
            HttpDoor(
                method="GET",
                path="/api/points/history",
                who=Who.MEMBER,
                handle=self._history,
                words="How the bearer's points came and went, newest first; `cursor` for the next page.",
                answer=wire.PointsHistory,
            ),
        ]

    async def _balance(self, request: web.Request) -> web.StreamResponse:
        balance = await self._ledger.balance(request[BEARER].member_id)
        return answer(wire.Points(balance=balance.points, earnings=balance.earnings))

    async def _history(self, request: web.Request) -> web.StreamResponse:
        before = wire.read_cursor(request.query.get("cursor"))
        found = await self._ledger.history(request[BEARER].member_id, before=before, limit=PAGE_LINES)
        entries = [
            wire.PointsEntry(
                id=entry.id,
                kind=entry.kind,
                account=entry.account,
                points=entry.points,
                balance=entry.balance_after,
                nickname=entry.nickname,
                text=entry.text,
                at=entry.at,
            )
            for entry in found
        ]
        following = str(entries[-1].id) if len(entries) == PAGE_LINES else None
        return answer(wire.PointsHistory(entries=entries, next=following))
