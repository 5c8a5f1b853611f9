"""Shell: payouts in PostgreSQL: earnings are held, then paid or returned, each step once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db.errors import StoreUnavailable, StoreUnknown
from db.payout import Payout, PayoutEnded, PayoutIdReused, PayoutShort, PayoutUnknown, Step, check_payout
from db.pool import reading, writing
from db.transfer import WalletUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import asyncpg

# What an operator reads at once.
PAYOUTS_MAX = 100

_SELECT = """
    SELECT p.id, p.member_id, p.points, coalesce(e.step, 'held') AS step, p.note, e.note AS end_note, p.created_at,
           e.created_at AS ended_at
    FROM payout p LEFT JOIN payout_step e ON e.payout_id = p.id AND e.step <> 'held'
"""


class Payouts:
    """Every payout ever asked for. All methods raise StoreUnavailable, StoreUnknown (do the same again)."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(self, payout_id: UUID, member_id: int, points: int, note: str) -> Payout:
        """Hold earnings until they are paid or returned; the same again is the same payout.

        Raises PayoutAmount, WalletUnknown, PayoutIdReused, PayoutShort (not on record: the id is not spent).
        """
        check_payout(points)
        async with writing(self._pool) as connection:
            verdict = await connection.fetchval(
                "SELECT begin_payout($1, $2, $3, $4)", payout_id, member_id, points, note
            )
        if verdict == "no_member":
            raise WalletUnknown(member_id)
        if verdict == "key_conflict":
            raise PayoutIdReused(payout_id)
        if verdict == "short":
            raise PayoutShort(points)
        return await self._after(payout_id)

    async def end(self, payout_id: UUID, note: str, *, is_paid: bool) -> Payout:
        """Say that a payout has reached its member, or let it go back to the earnings; the same again moves nothing.

        Raises PayoutUnknown, PayoutEnded (the other way).
        """
        async with writing(self._pool) as connection:
            verdict = await connection.fetchval("SELECT end_payout($1, $2, $3)", payout_id, is_paid, note)
        if verdict == "unknown":
            raise PayoutUnknown(payout_id)
        found = await self._after(payout_id)
        if verdict == "ended":
            raise PayoutEnded(found.step)
        return found

    async def get(self, payout_id: UUID) -> Payout:
        """Return a payout. Raises PayoutUnknown."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(f"{_SELECT} WHERE p.id = $1", payout_id)
        if row is None:
            raise PayoutUnknown(payout_id)
        return _payout(row)

    async def _after(self, payout_id: UUID) -> Payout:
        """Return a payout after a step: whoever cannot read it must not think that nothing was done."""
        try:
            return await self.get(payout_id)
        except StoreUnavailable as error:
            raise StoreUnknown(error.reason) from error

    async def held(self, limit: int = PAYOUTS_MAX) -> list[Payout]:
        """List the payouts that have not ended, those that wait for longest first."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                f"{_SELECT} WHERE e.payout_id IS NULL ORDER BY p.created_at, p.id LIMIT $1", min(limit, PAYOUTS_MAX)
            )
        return [_payout(row) for row in rows]


def _payout(row: Mapping[str, Any]) -> Payout:
    return Payout(**{**row, "step": Step(row["step"])})
