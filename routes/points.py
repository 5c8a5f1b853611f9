"""Door: HTTP: /api/points: what a member has, and how it came and went."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from aiohttp import web

from routes import wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.ledger import Ledger
    from db.transfer import Entry

PAGE_LINES: Final = 50
"""Lines of one page of history: two screens."""

COLUMNS: Final = ("id", "at", "kind", "account", "points", "balance", "nickname", "text")
"""The head of the table: the names of the JSON entries."""


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
            HttpDoor(
                method="GET",
                path="/api/points/history.csv",
                who=Who.MEMBER,
                handle=self._export,
                words="All of it as a table for a spreadsheet, newest first.",
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

    async def _export(self, request: web.Request) -> web.StreamResponse:
        member_id = request[BEARER].member_id
        page = await self._ledger.history(member_id)
        response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="points.csv"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        # The mark of UTF-8: without it the usual spreadsheet reads Hangul as something else.
        await response.write(b"\xef\xbb\xbf" + _row(COLUMNS))
        while page:
            await response.write(b"".join(_row(_cells(entry)) for entry in page))
            page = await self._ledger.history(member_id, before=page[-1].id)
        return response


def _cells(entry: Entry) -> tuple[str | int, ...]:
    words = (_harmless(entry.nickname or ""), _harmless(entry.text))
    return (entry.id, entry.at.isoformat(), entry.kind, entry.account, entry.points, entry.balance_after, *words)


def _harmless(text: str) -> str:
    """Keep a spreadsheet from calculating what somebody wrote (OWASP, CSV Injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _row(cells: Iterable[str | int]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
