"""Shell: in which channels' rooms a member may have left words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.pool import reading

if TYPE_CHECKING:
    import asyncpg

# Rooms that are read for one export: their histories are 150 kB each at most.
ROOMS_MAX = 500


class Footprints:
    """What follows, donations and duties say of where a member has been."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def rooms(self, member_id: int) -> dict[int, str]:
        """Give the nicknames of a member's own channel and of those followed, given to or moderated, by number.

        At most ROOMS_MAX. Raises StoreUnavailable.
        """
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT m.id, m.nickname FROM member m
                WHERE m.erased_at IS NULL AND m.id IN (
                    SELECT $1
                    UNION SELECT channel_id FROM follow WHERE member_id = $1
                    UNION SELECT channel_id FROM channel_moderator WHERE member_id = $1
                    UNION SELECT streamer_id FROM donation WHERE donor_id = $1 AND status = 1
                )
                ORDER BY m.id <> $1, m.id LIMIT $2
                """,
                member_id,
                ROOMS_MAX,
            )
        return {row["id"]: row["nickname"] for row in rows}
