"""Shell: who follows which channel, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.follow import FOLLOWS_MAX, FollowSelf, FollowsTooMany
from db.pool import reading, writing

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg


class Follows:
    """Every follow of the house."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, member_id: int, channel_id: int) -> None:
        """Follow a channel; again is harmless and keeps the first day.

        Raises FollowSelf, FollowsTooMany, StoreUnavailable, StoreUnknown.
        """
        if member_id == channel_id:
            raise FollowSelf
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                """
                WITH room AS (SELECT count(*) < $3 AS left FROM follow WHERE member_id = $1), added AS (
                    INSERT INTO follow (member_id, channel_id) SELECT $1, $2 FROM room WHERE room.left
                    ON CONFLICT DO NOTHING
                )
                SELECT room.left OR EXISTS (SELECT 1 FROM follow WHERE member_id = $1 AND channel_id = $2) FROM room
                """,
                member_id,
                channel_id,
                FOLLOWS_MAX,
            )
        if not done:
            raise FollowsTooMany

    async def remove(self, member_id: int, channel_id: int) -> None:
        """Follow no more; twice is harmless. Raises StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            await connection.execute(
                "DELETE FROM follow WHERE member_id = $1 AND channel_id = $2", member_id, channel_id
            )

    async def following(self, member_id: int) -> list[str]:
        """List the nicknames that a member follows, the latest first. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT m.nickname FROM follow f JOIN member m ON m.id = f.channel_id AND m.erased_at IS NULL
                WHERE f.member_id = $1 ORDER BY f.since DESC, m.id
                """,
                member_id,
            )
        return [row["nickname"] for row in rows]

    async def since(self, member_id: int, channel_id: int) -> datetime | None:
        """Say since when a member follows a channel; None if not at all. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            found: datetime | None = await connection.fetchval(
                "SELECT since FROM follow WHERE member_id = $1 AND channel_id = $2", member_id, channel_id
            )
        return found
