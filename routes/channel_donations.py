"""Door: HTTP: /api/channels/{nickname}/donations: what a channel was given, and what it gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from db import transfer
from routes import wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import answer, read_body
from routes.named_channel import own_channel
from rsocket_server import room

if TYPE_CHECKING:
    from aiohttp import web

    from db.channels import Channels
    from db.ledger import Ledger

DONATION_LINES: Final = 50
"""Donations of one page."""


class ChannelDonationDoors:
    """The doors of what was given."""

    def __init__(self, channels: Channels, ledger: Ledger) -> None:
        self._channels = channels
        self._ledger = ledger

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/donations",
                who=Who.OWNER,
                handle=self._donations,
                words="The channel's donations, newest first; `cursor` for the next page.",
                answer=wire.DonationList,
            ),
            HttpDoor(
                method="POST",
                path="/api/channels/{nickname}/donations/{id}/refund",
                who=Who.OWNER,
                handle=self._refund,
                words="Give a donation back to its donor, once.",
                body=wire.RefundDonation,
                answer=wire.DonationRefunded,
            ),
        ]

    async def _donations(self, request: web.Request) -> web.StreamResponse:
        before = wire.read_cursor(request.query.get("cursor"))
        own = await own_channel(self._channels, request)
        found = await self._ledger.donations(own.id, before=before, limit=DONATION_LINES)
        donations = [
            wire.DonationView(
                id=str(each.id),
                from_=each.nickname,
                points=each.points,
                text=each.text,
                at=each.at,
                broadcast=None if each.broadcast_id is None else str(each.broadcast_id),
                refunded=each.refunded,
            )
            for each in found
        ]
        following = str(found[-1].id) if len(found) == DONATION_LINES else None
        return answer(wire.DonationList(donations=donations, next=following))

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, wire.RefundDonation)
        donation_id = wire.read_cursor(request.match_info["id"])
        own = await own_channel(self._channels, request)
        if donation_id is None:
            raise wire.WireShape("id")
        reason = transfer.check_text(room.clean(body.reason))
        return answer(wire.DonationRefunded(earnings=await self._ledger.refund(donation_id, own.id, reason)))
