"""Shell: who gave most to a channel, and how far its goal is: what overlays and pages show beside the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.member import MemberUnknown
from db.pool import reading, writing

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

# A page or an overlay shows ten; more is a list, which the streamer has.
SUPPORTERS_MAX = 20


@dataclass(frozen=True, slots=True)
class Supporter:
    """Who gave, all their donations of the time together."""

    nickname: str
    points: int


@dataclass(frozen=True, slots=True)
class Support:
    """What a channel was given in a time: all of it, and by whom most. The anonymous count in `points` only."""

    points: int
    donations: int
    supporters: list[Supporter]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a channel gathers for, and how much has come since it was set."""

    title: str
    points: int
    received: int
    since: datetime


class Supporters:
    """Sums over the donations that were accepted and have not gone back."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def since(self, channel_id: int, since: datetime, *, limit: int = SUPPORTERS_MAX) -> Support:
        """Sum up what a channel was given from `since` on. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                -- Backwards from the newest to the first that is too old: no more is read than is summed up.
                WITH given AS MATERIALIZED (
                    SELECT CASE WHEN d.anonymous OR m.erased_at IS NOT NULL THEN NULL ELSE m.nickname END AS nickname,
                           d.amount
                    FROM donation d
                    LEFT JOIN member m ON m.id = d.donor_id
                    WHERE d.streamer_id = $1 AND d.status = 1
                          AND d.id > coalesce((SELECT o.id FROM donation o
                                               WHERE o.streamer_id = $1 AND o.created_at < $2
                                               ORDER BY o.id DESC LIMIT 1), 0)
                          AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.donation_id = d.id)
                ), ranked AS (
                    SELECT nickname, sum(amount)::bigint AS points FROM given WHERE nickname IS NOT NULL
                    GROUP BY nickname ORDER BY 2 DESC, 1 LIMIT $3
                )
                SELECT NULL AS nickname, coalesce(sum(amount), 0)::bigint AS points, count(*) AS donations FROM given
                UNION ALL SELECT nickname, points, 0 FROM ranked
                """,
                channel_id,
                since,
                min(limit, SUPPORTERS_MAX),
            )
        [whole] = [row for row in rows if row["nickname"] is None]
        named = sorted((row for row in rows if row["nickname"] is not None), key=lambda row: -row["points"])
        return Support(
            points=whole["points"],
            donations=whole["donations"],
            supporters=[Supporter(row["nickname"], row["points"]) for row in named],
        )

    async def goal(self, channel_id: int) -> Goal | None:
        """Say how far a channel's goal is; None if it has none. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                """
                SELECT g.title, g.points, g.since,
                       (SELECT coalesce(sum(d.amount), 0)::bigint FROM donation d
                        WHERE d.streamer_id = g.channel_id AND d.id > g.since_donation AND d.status = 1
                              AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.donation_id = d.id)) AS received
                FROM channel_goal g WHERE g.channel_id = $1
                """,
                channel_id,
            )
        return None if row is None else Goal(**row)

    async def set_goal(self, channel_id: int, title: str, points: int) -> None:
        """Begin to gather anew, from now on. Raises MemberUnknown (has left), StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                """
                INSERT INTO channel_goal (channel_id, title, points, since_donation)
                SELECT m.id, $2, $3, (SELECT coalesce(max(id), 0) FROM donation WHERE streamer_id = $1)
                FROM member m WHERE m.id = $1 AND m.erased_at IS NULL FOR SHARE
                ON CONFLICT (channel_id) DO UPDATE
                SET title = excluded.title, points = excluded.points, since = now(),
                    since_donation = excluded.since_donation
                RETURNING true
                """,
                channel_id,
                title,
                points,
            )
        if not done:
            raise MemberUnknown(channel_id)

    async def clear_goal(self, channel_id: int) -> None:
        """Gather for nothing any more; harmless twice. Raises StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            await connection.execute("DELETE FROM channel_goal WHERE channel_id = $1", channel_id)
