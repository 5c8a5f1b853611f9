"""Shell: what each broadcast has come to: its viewers as they were counted, what was given, who came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.pool import reading, writing
from db.summary import Stretch, Summary, viewers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    import asyncpg

# A glance back; who wants more wants a spreadsheet.
SUMMARIES_MAX = 10


class Summaries:
    """The broadcasts that are over, and how many watched those that are not."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, rows: Sequence[tuple[int, datetime, Stretch]]) -> None:
        """Take down how many watched a part of a broadcast, by its number and a moment; the same again is harmless.

        All of them or none. Raises StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection:
            await connection.execute(
                """
                INSERT INTO broadcast_audience (broadcast_id, at, seconds, viewer_seconds, peak)
                SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::integer[], $4::bigint[], $5::integer[])
                ON CONFLICT DO NOTHING
                """,
                [broadcast_id for broadcast_id, _, _ in rows],
                [at for _, at, _ in rows],
                [counted.seconds for _, _, counted in rows],
                [counted.viewer_seconds for _, _, counted in rows],
                [counted.peak for _, _, counted in rows],
            )

    async def latest(self, channel_id: int) -> list[Summary]:
        """Sum up a channel's last SUMMARIES_MAX broadcasts that are over, the latest first. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                WITH past AS MATERIALIZED (
                    -- As `last_live_at` has it: what nobody ended is over since nobody has said that it goes on.
                    SELECT id, started_at, coalesce(ended_at, lease_until) AS ended_at FROM broadcast
                    WHERE channel_id = $1 AND (ended_at IS NOT NULL OR lease_until <= now())
                    ORDER BY id DESC LIMIT $2
                ), given AS (
                    SELECT d.broadcast_id, sum(d.amount)::bigint AS points, count(*) AS donations FROM donation d
                    WHERE d.streamer_id = $1 AND d.status = 1
                          -- From the newest to the first of an earlier broadcast: no more is read than is summed up. Of
                          -- one channel they have their numbers in the order of its broadcasts, for they stand in a row
                          -- at its account.
                          AND d.id > coalesce((SELECT o.id FROM donation o
                                               WHERE o.streamer_id = $1 AND o.status = 1
                                                     AND o.broadcast_id < (SELECT min(id) FROM past)
                                               ORDER BY o.id DESC LIMIT 1), 0)
                          AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.donation_id = d.id)
                    GROUP BY d.broadcast_id
                ), watched AS (
                    SELECT broadcast_id, sum(seconds)::integer AS seconds,
                           sum(viewer_seconds)::bigint AS viewer_seconds, max(peak) AS peak
                    FROM broadcast_audience WHERE broadcast_id IN (SELECT id FROM past) GROUP BY broadcast_id
                )
                SELECT p.id, p.started_at, p.ended_at, w.seconds, w.viewer_seconds, w.peak,
                       coalesce(g.points, 0) AS points, coalesce(g.donations, 0) AS donations,
                       (SELECT count(*) FROM follow f
                        WHERE f.channel_id = $1 AND f.since >= p.started_at AND f.since < p.ended_at) AS new_followers
                FROM past p LEFT JOIN given g ON g.broadcast_id = p.id LEFT JOIN watched w ON w.broadcast_id = p.id
                ORDER BY p.id DESC
                """,
                channel_id,
                SUMMARIES_MAX,
            )
        return [_summary(row) for row in rows]


def _summary(row: Mapping[str, Any]) -> Summary:
    counted = None if row["seconds"] is None else Stretch(row["seconds"], row["viewer_seconds"], row["peak"])
    return Summary(
        broadcast_id=row["id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        viewers=viewers(counted, row["started_at"], row["ended_at"]),
        new_followers=row["new_followers"],
        points=row["points"],
        donations=row["donations"],
    )
