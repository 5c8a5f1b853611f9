"""Door: to whoever takes the money: walks an order from our books to the payment provider and back.

Three rules make every accident end well. What we are about to do is committed before we ask for it; so if the money
was taken, there is a row that says it may have been. Whatever is answered, or not, is not believed: the payment is
looked up, and the look is held against our row. No transaction is open while somebody else is asked.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from db.errors import StoreError
from db.order import (
    ALARM_AFTER,
    Call,
    Event,
    Look,
    Refused,
    Rest,
    State,
    check_refundable,
    decide,
)
from db.order_errors import (
    OrderExpired,
    OrderUnknown,
    ProviderAway,
    ProviderDeclined,
    ProviderOther,
    RefundDeclined,
    TokenRefused,
)
from db.product import product

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from db.order import Links, Order
    from db.orders import Orders

RECONCILE_SECONDS: Final = 5.0
"""Seconds between two rounds of looking at what is due: an unanswered approval is settled within a page's patience."""

ROUNDS_MAX: Final = 100
"""Rounds of one reconciliation by hand: 3,200 orders; more are left to the next."""

AT_ONCE_MAX: Final = 8
"""Orders looked at side by side: the provider is asked politely, and the pool of connections is not emptied."""

log = logging.getLogger("commeow.top_ups")


@dataclass(frozen=True, slots=True)
class Returns:
    """Where the provider sends the customer's browser back to."""

    approval: str
    cancel: str
    fail: str


@dataclass(frozen=True, slots=True)
class Readied:
    """A payment that was begun: its number at the provider, and the links to pay it."""

    tid: str
    links: Links


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider answered yes."""


class Provider(Protocol):
    """Whoever takes the money. None is "no answer": it may be done. A Refused may be done as well."""

    name: str
    cid: str

    async def ready(self, order: Order, returns: Returns) -> Readied | Refused | None:
        """Begin a payment."""

    async def approve(self, order: Order) -> Look | Refused | None:
        """Take the money the customer has agreed to."""

    async def look(self, order: Order) -> Look | Refused | None:
        """Say how a payment stands."""

    async def cancel(self, order: Order, won: int) -> Accepted | Refused | None:
        """Give back what is left of it."""


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class TopUps:
    """Orders from the first click to the points in the wallet, and back. `tell` hears which order has just changed."""

    def __init__(
        self,
        orders: Orders,
        provider: Provider,
        *,
        tell: Callable[[UUID], Awaitable[None]] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._orders = orders
        self._provider = provider
        self._tell = tell
        self._now = now

    async def place(self, member_id: int, order_id: UUID, product_id: str, returns: Returns) -> Order:
        """Make an order and begin its payment; the same again gives the same order.

        Raises ProductUnknown, OrderIdReused, ProviderDeclined (the order has failed), ProviderAway (send it again).
        """
        order = await self._orders.create(
            order_id,
            member_id,
            product(product_id),
            provider=self._provider.name,
            cid=self._provider.cid,
            now=self._now(),
        )
        if order.state is not State.CREATED:
            return order
        self._check_ours(order)
        readied = await self._provider.ready(order, returns)
        if isinstance(readied, Refused):
            await self._orders.move(order, Event.DECLINED, self._now())
            raise ProviderDeclined
        if readied is None:
            raise ProviderAway
        return await self._orders.readied(order, readied.tid, readied.links, self._now())

    async def of_member(self, member_id: int, order_id: UUID) -> Order:
        """Find a member's own order. Raises OrderUnknown."""
        order = await self._orders.find(order_id)
        if order is None or order.member_id != member_id:
            raise OrderUnknown(order_id)
        return order

    async def returned(self, order_id: UUID, pg_token: str) -> Order:
        """Take the money of a customer who came back with a token, and give the points.

        Whoever else comes back with the same order meanwhile is told how it stands. Raises OrderUnknown, OrderExpired,
        TokenRefused.
        """
        order = await self._orders.get(order_id)
        self._check_ours(order)
        order, mine = await self._orders.returned(order, pg_token, self._now())
        if mine:
            await self._changed(order)
            order = await self._call_and_follow(order, Call.APPROVE, before=None)
            if order.state is State.READY:
                raise TokenRefused
        if order.state is State.EXPIRED:
            raise OrderExpired(order.state)
        return order

    async def left(self, order_id: UUID) -> Order:
        """See what came of a customer who was sent back without a token: a hint, so the payment is looked up."""
        order = await self._orders.get(order_id)
        self._check_ours(order)
        if order.state is not State.READY:
            return order
        look = await self._provider.look(order)
        return await self._follow(order, look) if isinstance(look, Look) else order

    async def refund(self, member_id: int, order_id: UUID) -> Order:
        """Take the points back and then give the money back; asked again it tells how that stands.

        Raises OrderUnknown, OrderState, RefundLate, RefundShort, RefundDeclined.
        """
        order = await self.of_member(member_id, order_id)
        if order.state in {State.REFUNDING, State.REFUNDED}:
            return order
        check_refundable(order, self._now())
        self._check_ours(order)
        order, mine = await self._orders.refund_asked(order, self._now())
        if not mine:  # Another click was faster, and walks it on.
            return order
        await self._changed(order)
        order = await self._advance(order)
        if order.state is State.PAID:
            raise RefundDeclined
        return order

    async def reconcile(self) -> int:
        """Look at what is due now; return how many orders that was."""
        due = await self._orders.due(self._provider.name, self._now())
        turn = asyncio.Semaphore(AT_ONCE_MAX)

        async def in_turn(order: Order) -> None:
            async with turn:
                await self._reconcile_one(order)

        async with asyncio.TaskGroup() as group:
            for order in due:
                group.create_task(in_turn(order))
        return len(due)

    async def reconcile_all(self) -> int:
        """Look at everything that is due; return how many orders that was."""
        total = 0
        for _ in range(ROUNDS_MAX):
            looked_at = await self.reconcile()
            total += looked_at
            if not looked_at:
                break
        return total

    async def hurry(self) -> int:
        """Look at what is due, and at what would be looked at again later; return how many orders that was."""
        await self._orders.hurry(self._provider.name, self._now())
        return await self.reconcile_all()

    async def run(self) -> None:
        """Reconcile for ever."""
        while True:
            try:
                await self.reconcile_all()
            except StoreError as error:
                log.warning("not reconciled why=%s", error)
            await asyncio.sleep(RECONCILE_SECONDS)

    async def _reconcile_one(self, order: Order) -> None:
        try:
            followed = await self._advance(order)
        except StoreError as error:
            log.warning("not reconciled order=%s why=%s", order.id, error)
            return
        except Exception:
            # One order that we do not understand must not keep the others waiting.
            log.exception("not reconciled order=%s", order.id)
            return
        if followed.state is order.state and self._now() - followed.state_at > ALARM_AFTER:
            log.error("hangs order=%s state=%s since=%s", followed.id, followed.state, followed.state_at.isoformat())

    async def _advance(self, order: Order) -> Order:
        """Look an order up and do what follows."""
        if order.tid is None:
            return await self._changed(await self._orders.move(order, Event.OVERDUE, self._now()))
        look = await self._provider.look(order)
        if not isinstance(look, Look):
            return await self._orders.rest(order, Rest.WAIT, self._now())
        return await self._follow(order, look)

    async def _follow(self, order: Order, look: Look) -> Order:
        """Do what follows from a look."""
        step = decide(order, look, self._now())
        if isinstance(step, Call):
            called, before = await self._orders.calling(order, self._now())
            if called.state is not order.state:
                return called
            return await self._call_and_follow(called, step, before, look)
        return await self._end(order, step, look)

    async def _call_and_follow(
        self, order: Order, call: Call, before: datetime | None, look: Look | None = None
    ) -> Order:
        """Make one call, which is committed already, look at what came of it, and do what follows; not a second call.

        `before` is the last call but this one that was not answered.
        """
        answer: Look | Accepted | Refused | None
        if call is Call.APPROVE:
            answer = await self._provider.approve(order)
        else:
            assert look is not None, "what to give back, a look has said"
            answer = await self._provider.cancel(order, look.total_won - look.canceled_won)
        if answer is not None:
            order = replace(order, unheard_at=before)
        refused = isinstance(answer, Refused)
        if refused and call is Call.APPROVE:
            await self._orders.token_refused(order)
        found = answer if isinstance(answer, Look) else await self._provider.look(order)
        if not isinstance(found, Look):
            return await self._orders.rest(order, Rest.WAIT, self._now())
        step = decide(order, found, self._now(), refused=refused)
        return await self._end(order, Rest.WAIT if isinstance(step, Call) else step, found)

    async def _end(self, order: Order, step: Event | Rest, look: Look) -> Order:
        if isinstance(step, Rest):
            return await self._orders.rest(order, step, self._now())
        moved = await self._orders.move(order, step, self._now(), look)
        log.info("order=%s was=%s event=%s is=%s", order.id, order.state, step, moved.state)
        if step is Event.STRANGE and moved.state is State.REVIEW:
            log.error("needs a person order=%s was=%s: ./commeow orders review", moved.id, order.state)
        return await self._changed(moved)

    async def _changed(self, order: Order) -> Order:
        """Tell whoever watches an order that it is another now."""
        if self._tell is not None:
            await self._tell(order.id)
        return order

    def _check_ours(self, order: Order) -> None:
        if order.provider != self._provider.name:
            raise ProviderOther(order.provider)
