"""Shell: the payments of the sandbox, which a real house's provider would keep: they outlive its crashes and ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db.order import Standing
from db.pool import reading, writing
from db.sandbox_payment import Payment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg


class SandboxPayments:
    """Every payment of the sandbox. Each step is one statement; a step that does not fit answers None."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(
        self,
        tid: str,
        *,
        cid: str,
        order_id: str,
        member_id: str,
        item: str,
        total_won: int,
        vat_won: int,
        approval_url: str,
        cancel_url: str,
        fail_url: str,
        now: datetime,
    ) -> Payment | None:
        """Begin a payment."""
        return await self._one(
            """
            INSERT INTO sandbox_payment (tid, cid, order_id, member_id, item, total_won, vat_won,
                                         approval_url, cancel_url, fail_url, standing, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'waiting', $11) RETURNING *
            """,
            *(tid, cid, order_id, member_id, item, total_won, vat_won, approval_url, cancel_url, fail_url, now),
        )

    async def find(self, tid: str) -> Payment | None:
        """Find a payment by its number."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow("SELECT * FROM sandbox_payment WHERE tid = $1", tid)
        return None if row is None else _payment(row)

    async def send(self, tid: str, phone: str) -> Payment | None:
        """Send the payment to a phone, where the customer shall agree to it."""
        return await self._one(
            "UPDATE sandbox_payment SET phone = $2 WHERE tid = $1 AND standing = 'waiting' RETURNING *", tid, phone
        )

    async def authorise(self, tid: str, pg_token: str, *, after: datetime) -> Payment | None:
        """The customer agrees to pay; of two at once the first counts. Only a payment begun after `after`."""
        return await self._one(
            """
            UPDATE sandbox_payment SET standing = 'authorised', pg_token = $2
            WHERE tid = $1 AND standing = 'waiting' AND created_at > $3 RETURNING *
            """,
            *(tid, pg_token, after),
        )

    async def give_up(self, tid: str, standing: Standing) -> Payment | None:
        """The customer does not pay: QUIT or FAILED."""
        return await self._one(
            "UPDATE sandbox_payment SET standing = $2 WHERE tid = $1 AND standing = 'waiting' RETURNING *",
            tid,
            standing,
        )

    async def capture(self, tid: str, pg_token: str, won: int, aid: str, *, now: datetime) -> Payment | None:
        """Take the money, once."""
        return await self._one(
            """
            UPDATE sandbox_payment SET standing = 'captured', captured_won = $3, aid = $4, approved_at = $5
            WHERE tid = $1 AND standing = 'authorised' AND pg_token = $2 RETURNING *
            """,
            *(tid, pg_token, won, aid, now),
        )

    async def cancel(self, tid: str, won: int, available_won: int | None, *, now: datetime) -> Payment | None:
        """Give back some of it, if that much is left, and exactly `available_won` where that is said."""
        return await self._one(
            """
            UPDATE sandbox_payment SET
                standing = CASE WHEN canceled_won + $2 = captured_won THEN 'canceled' ELSE 'part_canceled' END,
                canceled_won = canceled_won + $2, canceled_at = $4
            WHERE tid = $1 AND standing IN ('captured', 'part_canceled')
              AND $2 BETWEEN 1 AND captured_won - canceled_won
              AND coalesce($3, captured_won - canceled_won) = captured_won - canceled_won RETURNING *
            """,
            *(tid, won, available_won, now),
        )

    async def _one(self, statement: str, *values: object) -> Payment | None:
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(statement, *values)
        return None if row is None else _payment(row)


def _payment(row: Mapping[str, Any]) -> Payment:
    return Payment(**{**row, "standing": Standing(row["standing"])})
