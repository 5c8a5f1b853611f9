"""Shell: the outbox: donations' alerts that were committed with the money and wait for their room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.pool import reading, writing

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

# What one round of the relay publishes; the next round follows at once.
ALERTS_MAX = 256


@dataclass(frozen=True, slots=True)
class Alert:
    """One committed donation that its room has not been told of. `room` is the streamer's channel id."""

    donation_id: int
    room: int
    payload: bytes


class Alerts:
    """The alerts that wait.

    Publish each with an id made of `donation_id` so that a second publishing is not seen, then say `published`. A crash
    between the two publishes again; a crash before the first loses nothing.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def pending(self, limit: int = ALERTS_MAX) -> list[Alert]:
        """List the oldest alerts that wait. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT donation_id, room, payload FROM alert ORDER BY donation_id LIMIT $1", min(limit, ALERTS_MAX)
            )
        return [Alert(**row) for row in rows]

    async def published(self, donation_ids: Iterable[int]) -> None:
        """Forget alerts that their rooms have; forgetting twice is harmless. Raises StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            await connection.execute("DELETE FROM alert WHERE donation_id = ANY($1::bigint[])", list(donation_ids))
