"""Door: to the operator: the orders that fit nothing, held against the money, and what a change of providers leaves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from db.order import Event, Look, State, check_ruling, kept_won
from db.order_errors import OrderState
from routes.top_ups import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from uuid import UUID

    from db.order import Order
    from db.order_reviews import OrderReviews
    from db.orders import Orders
    from routes.top_ups import Provider

log = logging.getLogger("commeow.reviews")


class Reviews:
    """What waits for a person, over the provider in use."""

    def __init__(
        self, orders: Orders, reviews: OrderReviews, provider: Provider, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._orders = orders
        self._reviews = reviews
        self._provider = provider
        self._now = now

    async def warn_of_others(self, practice: Collection[str]) -> None:
        """Warn of what a change of providers has left behind: payments under way, and points that nobody has paid for.

        `practice` are the providers of earlier days at which no money moves.
        """
        for provider, number in (await self._reviews.abandoned(self._provider.name)).items():
            log.warning(
                "orders_left_behind provider=%s orders=%d: nobody asks it how they end; "
                "set COMMEOW_PAYMENTS=%s and run ./commeow orders reconcile",
                provider,
                number,
                provider,
            )
        points = await self._reviews.points_of(practice)
        if points:
            log.warning(
                "practice_points points=%d: bought for nothing from %s, and spent like those that are paid for; "
                "a house that takes money begins with a database of its own",
                points,
                " and ".join(sorted(practice)),
            )

    async def waiting(self) -> list[tuple[Order, Look | None]]:
        """List the orders that wait for a person, each with what its provider says now; None: nothing that helps."""
        return [(order, await self._look_of(order)) for order in await self._reviews.waiting()]

    async def rule(self, order_id: UUID, *, credited: bool, reason: str, anyway: bool = False) -> Order:
        """End a review as a person decided: with the points in the wallet (`credited`) or without them.

        The provider is asked first, and a decision that does not fit the money is refused unless it is to be `anyway`.
        Raises OrderUnknown, OrderState, RulingUnfounded, MemberGone, RefundShort.
        """
        order = await self._orders.get(order_id)
        if order.state is not State.REVIEW:
            raise OrderState(order.state)
        kept = kept_won(order, await self._look_of(order))
        if not anyway:
            check_ruling(order, credited=credited, kept=kept)
        event = Event.CREDITED if credited else Event.CLOSED
        ruled = await self._reviews.rule(order, event, reason, kept, self._now())
        log.info("order=%s was=%s event=%s is=%s kept_won=%s", order.id, order.state, event, ruled.state, kept)
        return ruled

    async def _look_of(self, order: Order) -> Look | None:
        """Look an order up where it can be: at the provider in use, and only if it was begun there."""
        if order.provider != self._provider.name or order.tid is None:
            return None
        look = await self._provider.look(order)
        return look if isinstance(look, Look) else None
