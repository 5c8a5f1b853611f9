"""Door: RSocket: donation.give: points from the connection's member to a channel, with words, exactly once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from db import transfer
from db.conduct import ConductError
from routes import events, wire
from routes.chat import RoomNumbers, author, case_of, member_of
from routes.rate_limit import RateLimit
from rsocket_server import room
from rsocket_server.doors import Door, Model

if TYPE_CHECKING:
    from db.ledger import Ledger
    from rsocket_server.doors import Caller
    from rsocket_server.laws import Laws


GIVE_BURST: Final = 20
GIVE_REFILL_SECONDS: Final = 1.0
"""Donations of one member: an eager fan's clicks at once, then one a second. Each is a row for ever, refused or not."""


class DonationDoors:
    """The door of giving."""

    def __init__(self, ledger: Ledger, numbers: RoomNumbers, laws: Laws) -> None:
        self._ledger = ledger
        self._numbers = numbers
        self._laws = laws
        self._gifts = RateLimit(burst=GIVE_BURST, refill_seconds=GIVE_REFILL_SECONDS)

    def doors(self) -> list[Door]:
        """List the door."""
        return [Door("donation.give", Model.RESPONSE, members_only=True, handle=self._give)]

    async def _give(self, caller: Caller, data: bytes) -> bytes:
        given = wire.read(wire.Give, data)
        donor = member_of(caller)
        self._gifts.take(str(donor.id), asyncio.get_running_loop().time())
        streamer_id = await self._numbers.find(given.channel)
        planned = transfer.donation(
            given.id, donor.id, streamer_id, given.points, room.clean(given.text), anonymous=given.anonymous
        )
        case = await case_of(self._laws, streamer_id, donor)
        try:
            case.check_gift(planned.text)
        except ConductError:
            # An id has one answer for ever: what was given before the ban is not refused after it.
            if not await self._ledger.knows(donor.id, planned.id):
                raise
        # Written with the money in one transaction: the room learns of every donation in the books, and of no other.
        alert = wire.write(
            events.Donated(
                id=given.id,
                from_=events.ANONYMOUS if planned.anonymous else author(donor, case.standing),
                points=planned.points,
                text=planned.text,
                at=case.at,
            )
        )
        receipt = await self._ledger.give(planned, alert)
        return wire.write(wire.Gave(id=receipt.id, points_left=receipt.points_left))
