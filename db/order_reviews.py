"""Shell: what a person must know of the orders, and what a person decides of those that fit nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.order import UNDER_WAY, Event, Order, State, target
from db.order_errors import MemberGone, OrderState, RefundShort
from db.orders import COLUMNS, ORDERS_MAX, Orders, read_order
from db.pool import reading, writing

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    import asyncpg


class OrderReviews:
    """The orders as an operator looks at them. All methods raise StoreUnavailable, StoreUnknown."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def waiting(self, limit: int = ORDERS_MAX) -> list[Order]:
        """List the orders in review, those that wait for longest first."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                f"SELECT {COLUMNS} FROM point_order WHERE state = 'review' ORDER BY state_at, id LIMIT $1",  # noqa: S608
                min(limit, ORDERS_MAX),
            )
        return [read_order(row) for row in rows]

    async def rule(self, order: Order, event: Event, reason: str, kept: int | None, now: datetime) -> Order:
        """End a review as a person decided, CREDITED or CLOSED, with the points that go with it.

        Raises OrderState (it is not in review any more), MemberGone, RefundShort; then nothing has happened.
        """
        async with writing(self._pool) as connection:
            verdict = await connection.fetchval(
                "SELECT rule_order($1, $2, $3, $4, $5, $6)",
                order.id,
                event is Event.CREDITED,
                target(event),
                reason,
                kept,
                now,
            )
        found = await Orders(self._pool).get(order.id)
        if verdict == "ok":
            return found
        raise {"gone": MemberGone(), "insufficient": RefundShort(order.points)}.get(verdict, OrderState(found.state))

    async def abandoned(self, provider: str) -> dict[str, int]:
        """Count, by provider, the orders of every other one that want to be looked at: nobody asks it any more.

        Not those that nobody has paid yet: without our approval nothing can be taken.
        """
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT provider, count(*) AS orders FROM point_order
                WHERE provider <> $1
                      AND (state = ANY ($2::text[]) OR next_check_at IS NOT NULL AND state <> ALL ($3::text[]))
                GROUP BY provider ORDER BY provider
                """,
                provider,
                sorted(UNDER_WAY),
                [State.CREATED, State.READY],
            )
        return {row["provider"]: row["orders"] for row in rows}

    async def points_of(self, providers: Collection[str]) -> int:
        """Sum the points that orders with these providers have given and not taken back."""
        async with reading(self._pool) as connection:
            points = await connection.fetchval(
                "SELECT sum(points)::bigint FROM point_order WHERE provider = ANY ($1::text[]) AND state = 'paid'",
                list(providers),
            )
        return int(points or 0)

    async def unsettled(self) -> dict[State, tuple[int, datetime]]:
        """Count the orders under way and in review, by state, and say since when the first of them is in it."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT state, count(*) AS orders, min(state_at) AS since FROM point_order
                WHERE state IN ('approving', 'refunding', 'voiding', 'review') GROUP BY state
                """
            )
        return {State(row["state"]): (row["orders"], row["since"]) for row in rows}
