"""Shell: the orders in PostgreSQL: each step compares the state with the table of db.order in the same statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from db.order import (
    GIVES_POINTS,
    LEASE,
    LIFETIME,
    NEEDS_SILENCE,
    TAKES_POINTS,
    Event,
    Links,
    Look,
    Order,
    Rest,
    State,
    look_again,
    next_look,
    sources,
    target,
)
from db.order_errors import OrderIdReused, OrderUnknown, RefundShort
from db.pool import reading, writing
from db.transfer import REFUND_UNDONE, TOP_UP, TOP_UP_REFUND, WalletUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from db.product import Product

# One page of a member's orders.
ORDERS_MAX = 100
# Orders taken from the list of due ones at once: their calls fit well into the lease.
DUE_MAX = 32

_TRANSFER_KINDS = {
    Event.CAPTURED: TOP_UP,
    Event.REFUND_ASKED: TOP_UP_REFUND,
    Event.REFUND_DECLINED: REFUND_UNDONE,
}

# What read_order() reads.
COLUMNS = """
    id, member_id, product, points, amount_won, provider, cid, state, tid, pay_pc, pay_mobile, pay_app, pg_token,
    spare_token, receipt, method, transfer_id, checks, unheard_at, calls, created_at, state_at, returned_at, paid_at,
    refunded_at
"""


class Orders:
    """Every order ever made. All times come from the caller; all methods raise StoreUnavailable, StoreUnknown."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def create(
        self, order_id: UUID, member_id: int, product: Product, *, provider: str, cid: str, now: datetime
    ) -> Order:
        """Write down what a member wants, or find it written down. Raises OrderIdReused, WalletUnknown."""
        async with writing(self._pool) as connection:
            try:
                row = await connection.fetchrow(
                    f"""
                    INSERT INTO point_order (id, member_id, product, points, amount_won, provider, cid, state,
                                             created_at, state_at, next_check_at)
                    SELECT $1, id, $3, $4, $5, $6, $7, 'created', $8, $8, $9
                    FROM member WHERE id = $2 AND erased_at IS NULL FOR SHARE
                    ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}
                    """,  # noqa: S608 (a constant)
                    order_id,
                    member_id,
                    product.id,
                    product.points,
                    product.amount_won,
                    provider,
                    cid,
                    now,
                    # Whoever asks the provider may not come back.
                    now + LIFETIME,
                )
            except asyncpg.ForeignKeyViolationError as error:
                raise WalletUnknown(member_id) from error
        if row is not None:
            return read_order(row)
        found = await self.find(order_id)
        if found is None:
            raise WalletUnknown(member_id)
        if (found.member_id, found.product) != (member_id, product.id):
            raise OrderIdReused(order_id)
        return found

    async def find(self, order_id: UUID) -> Order | None:
        """Find an order by id, whosever it is."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                f"SELECT {COLUMNS} FROM point_order WHERE id = $1",  # noqa: S608 (a constant)
                order_id,
            )
        return None if row is None else read_order(row)

    async def get(self, order_id: UUID) -> Order:
        """Return an order. Raises OrderUnknown."""
        found = await self.find(order_id)
        if found is None:
            raise OrderUnknown(order_id)
        return found

    async def of_member(
        self, member_id: int, *, before: tuple[datetime, UUID] | None = None, limit: int = ORDERS_MAX
    ) -> list[Order]:
        """Page through a member's orders, newest first: at most `limit` of those before `before`."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                f"""
                SELECT {COLUMNS} FROM point_order
                WHERE member_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
                ORDER BY created_at DESC, id DESC LIMIT $4
                """,  # noqa: S608 (a constant)
                member_id,
                *(before or (None, None)),
                min(limit, ORDERS_MAX),
            )
        return [read_order(row) for row in rows]

    async def readied(self, order: Order, tid: str, links: Links, now: datetime) -> Order:
        """Write down that the provider has begun a payment; of two at once the first counts."""
        return await self._set(
            order,
            Event.READIED,
            now,
            "tid = $6, pay_pc = $7, pay_mobile = $8, pay_app = $9",
            *(tid, links.pc, links.mobile, links.app),
        )

    async def returned(self, order: Order, pg_token: str, now: datetime) -> tuple[Order, bool]:
        """Claim the approval of an order; tell whether it is the caller's, who must then ask for it.

        While another's approval is under way a new token waits beside the one that is tried: neither can push the other
        out, so a forged one spoils nothing, whether it came first or last. What was concluded from the payment before
        the token came holds no more (`calls`).
        """
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                f"""
                UPDATE point_order SET state = $3, state_at = $4, checks = 0, next_check_at = $5,
                                       pg_token = $6, returned_at = $4, unheard_at = $4, calls = calls + 1
                WHERE id = $1 AND state = ANY ($2::text[]) RETURNING {COLUMNS}
                """,  # noqa: S608 (a constant)
                order.id,
                sources(Event.RETURNED),
                target(Event.RETURNED),
                now,
                next_look(order, Event.RETURNED, now),
                pg_token,
            )
            if row is not None:
                return read_order(row), True
            await connection.execute(
                """
                UPDATE point_order SET
                    -- If the last call was answered, it was a no to the token that is there: the new one goes first.
                    pg_token = CASE WHEN unheard_at IS NULL THEN $2 ELSE pg_token END,
                    spare_token = CASE WHEN unheard_at IS NULL THEN pg_token ELSE $2 END,
                    next_check_at = CASE WHEN unheard_at IS NULL THEN $3 ELSE next_check_at END,
                    returned_at = $3, calls = calls + 1
                WHERE id = $1 AND state = 'approving' AND pg_token <> $2 AND spare_token IS DISTINCT FROM $2
                """,
                order.id,
                pg_token,
                now,
            )
        return await self.get(order.id), False

    async def token_refused(self, order: Order) -> None:
        """Let the token that came meanwhile have its turn: the provider said no to the one that was tried."""
        async with writing(self._pool) as connection:
            await connection.execute(
                """
                UPDATE point_order SET pg_token = spare_token, spare_token = pg_token
                WHERE id = $1 AND state = 'approving' AND pg_token = $2 AND spare_token IS NOT NULL
                """,
                order.id,
                order.pg_token,
            )

    async def calling(self, order: Order, now: datetime) -> tuple[Order, datetime | None]:
        """Write down that a call is about to be made whose answer may never be seen.

        Returns the order, and when the last call but this one began that was not answered: somebody else's too.
        """
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                f"""
                WITH old AS (SELECT unheard_at AS unheard_before FROM point_order WHERE id = $1 FOR NO KEY UPDATE)
                UPDATE point_order SET unheard_at = $3, calls = calls + 1, next_check_at = $4 FROM old
                WHERE id = $1 AND state = $2 RETURNING {COLUMNS}, unheard_before
                """,  # noqa: S608 (a constant)
                order.id,
                order.state,
                now,
                now + LEASE,
            )
        if row is None:
            return await self.get(order.id), None
        values = dict(row)
        before: datetime | None = values.pop("unheard_before")
        return read_order(values), before

    async def move(self, order: Order, event: Event, now: datetime, look: Look | None = None) -> Order:
        """Let an event happen to an order, with the points that go with it; if it cannot any more, nothing happens.

        Returns the order as it is then. Raises RefundShort, and then nothing has happened.
        """
        if event in GIVES_POINTS | TAKES_POINTS:
            await self._move_points(order, event, now, look)
            return await self.get(order.id)
        refunded = ", refunded_at = $3" if event is Event.REFUNDED else ""
        # A token that has done its work, or cannot any more, is not kept.
        return await self._set(order, event, now, f"pg_token = NULL, spare_token = NULL, unheard_at = NULL{refunded}")

    async def refund_asked(self, order: Order, now: datetime) -> tuple[Order, bool]:
        """Take the points back for a refund; tell whether it is the caller's, who must then ask for the money.

        Raises RefundShort.
        """
        mine = await self._move_points(order, Event.REFUND_ASKED, now, None)
        return await self.get(order.id), mine

    async def rest(self, order: Order, rest: Rest, now: datetime) -> Order:
        """Write down when to look again: later each time, or never."""
        done = rest is Rest.DONE
        return await self._set_in_state(
            order,
            # What another caller has not heard yet is his to say.
            """
            unheard_at = CASE WHEN calls = $3 THEN $4 ELSE unheard_at END, checks = checks + 1,
            next_check_at = CASE WHEN calls = $3 THEN $5 ELSE next_check_at END
            """,
            order.calls,
            order.unheard_at,
            None if done else look_again(order.checks, now),
        )

    async def due(self, provider: str, now: datetime, limit: int = DUE_MAX) -> list[Order]:
        """Take orders that want to be looked at; for the time of a lease nobody else gets them."""
        async with writing(self._pool) as connection:
            rows = await connection.fetch(
                f"""
                UPDATE point_order SET next_check_at = $3 WHERE id IN (
                    SELECT id FROM point_order WHERE next_check_at <= $2 AND provider = $1
                    ORDER BY next_check_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
                ) RETURNING {COLUMNS}
                """,  # noqa: S608 (a constant)
                provider,
                now,
                now + LEASE,
                limit,
            )
        return [read_order(row) for row in rows]

    async def hurry(self, provider: str, now: datetime) -> None:
        """Let what was looked at in vain be due at once; whoever has just made a call is left alone."""
        async with writing(self._pool) as connection:
            await connection.execute(
                """
                UPDATE point_order SET next_check_at = $2
                WHERE provider = $1 AND next_check_at > $2 AND checks > 0
                  AND state IN ('approving', 'refunding', 'voiding')
                """,
                provider,
                now,
            )

    async def counts(self) -> dict[str, int]:
        """Count the orders by state."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch("SELECT state, count(*) AS n FROM point_order GROUP BY state ORDER BY state")
        return {row["state"]: row["n"] for row in rows}

    async def _move_points(self, order: Order, event: Event, now: datetime, look: Look | None) -> bool:
        async with writing(self._pool) as connection:
            verdict = await connection.fetchval(
                "SELECT move_order_points($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                order.id,
                sources(event),
                order.calls if event in NEEDS_SILENCE else None,
                target(event),
                event in GIVES_POINTS,
                _TRANSFER_KINDS[event],
                now,
                next_look(order, event, now),
                look.receipt if look else None,
                look.method if look else None,
            )
        if verdict == "insufficient":
            raise RefundShort(order.points)
        return bool(verdict == "ok")

    async def _set(self, order: Order, event: Event, now: datetime, also: str, *values: object) -> Order:
        """Let an event happen that moves no points; `also` may use $3 (now) and its values from $6 on."""
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                f"""
                UPDATE point_order SET state = '{target(event)}', state_at = $3, checks = 0, next_check_at = $4, {also}
                WHERE id = $1 AND state = ANY ($2::text[]) AND calls = coalesce($5, calls) RETURNING {COLUMNS}
                """,  # noqa: S608 (constants)
                order.id,
                sources(event),
                now,
                next_look(order, event, now),
                order.calls if event in NEEDS_SILENCE else None,
                *values,
            )
        return await self.get(order.id) if row is None else read_order(row)

    async def _set_in_state(self, order: Order, what: str, *values: object) -> Order:
        """Change what is beside the state, while the order is still in it; values from $3 on."""
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                f"UPDATE point_order SET {what} WHERE id = $1 AND state = $2 RETURNING {COLUMNS}",  # noqa: S608
                order.id,
                order.state,
                *values,
            )
        return await self.get(order.id) if row is None else read_order(row)


def read_order(row: Mapping[str, Any]) -> Order:
    """Make an order of its COLUMNS."""
    values = dict(row)
    pc, mobile, app = values.pop("pay_pc"), values.pop("pay_mobile"), values.pop("pay_app")
    links = None if pc is None else Links(pc=pc, mobile=mobile, app=app)
    return Order(**values | {"state": State(row["state"]), "links": links})
