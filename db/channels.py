"""Shell: the channels in PostgreSQL, and who of them is on air."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from db.channel import BroadcastEnded, Channel, ChannelUnknown, check_category, check_tags, check_title
from db.member import may_be_nickname, nickname_key
from db.pool import reading, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import asyncpg

# On air means: somebody has said so within this time. Three heartbeats, so that one lost and one late do no harm.
LEASE_SECONDS = 15
HEARTBEAT_SECONDS = 5
assert LEASE_SECONDS >= 3 * HEARTBEAT_SECONDS

# What a page can list; beyond it one searches.
LIVE_CHANNELS_MAX = 1000

_CHANNEL = """
    SELECT c.id, m.nickname, c.title, c.category, c.tags, b.id AS broadcast_id, b.started_at,
           -- What nobody ended is over since nobody has said that it goes on.
           CASE WHEN b.id IS NULL THEN (
               SELECT coalesce(p.ended_at, p.lease_until) FROM broadcast p
               WHERE p.channel_id = c.id ORDER BY p.id DESC LIMIT 1
           ) END AS last_live_at,
           coalesce(n.followers, 0) AS followers
    FROM channel c
    JOIN member m ON m.id = c.id AND m.erased_at IS NULL
    LEFT JOIN channel_followers n ON n.channel_id = c.id
    LEFT JOIN broadcast b ON b.channel_id = c.id AND b.ended_at IS NULL AND b.lease_until > now()
"""


class Channels:
    """Every channel of the house."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def by_nickname(self, nickname: str) -> Channel | None:
        """Find the channel of a nickname that reads the same. Raises StoreUnavailable."""
        if not may_be_nickname(nickname):
            return None
        return await self._find("WHERE m.nickname_key = $1", nickname_key(nickname))

    async def by_id(self, channel_id: int) -> Channel | None:
        """Find a channel by its owner's member id. Raises StoreUnavailable."""
        return await self._find("WHERE c.id = $1", channel_id)

    async def by_stream_key_hash(self, stream_key_hash: bytes) -> Channel | None:
        """Find the channel that may publish with this key; a banned owner's may not. Raises StoreUnavailable."""
        return await self._find("WHERE c.stream_key_hash = $1 AND m.banned_at IS NULL", stream_key_hash)

    async def live(self) -> list[Channel]:
        """List who is on air, the latest first, at most LIVE_CHANNELS_MAX. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                f"{_CHANNEL} WHERE b.id IS NOT NULL ORDER BY b.id DESC LIMIT {LIVE_CHANNELS_MAX}"
            )
        return [_channel(row) for row in rows]

    async def edit(
        self,
        channel_id: int,
        *,
        title: str | None = None,
        category: str | None = None,
        tags: Iterable[str] | None = None,
    ) -> Channel:
        """Write what is given on a channel and return it; None leaves a field as it is.

        Raises the ChannelError family of db.channel's checks, ChannelUnknown, StoreUnavailable, StoreUnknown (writing
        the same again is harmless).
        """
        async with writing(self._pool) as connection:
            await connection.execute(
                """
                WITH owner AS (SELECT id FROM member WHERE id = $1 AND erased_at IS NULL FOR SHARE)
                UPDATE channel
                SET title = coalesce($2, title), category = coalesce($3, category), tags = coalesce($4, tags)
                FROM owner WHERE channel.id = owner.id
                """,
                channel_id,
                None if title is None else check_title(title),
                None if category is None else check_category(category),
                None if tags is None else check_tags(tags),
            )
            row = await connection.fetchrow(f"{_CHANNEL} WHERE c.id = $1", channel_id)
        if row is None:
            raise ChannelUnknown(channel_id)
        return _channel(row)

    async def rotate_stream_key(self, channel_id: int, stream_key_hash: bytes) -> None:
        """Make the old key unknown and a new one known. Raises ChannelUnknown, StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                "UPDATE channel SET stream_key_hash = $2 WHERE id = $1 RETURNING id", channel_id, stream_key_hash
            )
        if done is None:
            raise ChannelUnknown(channel_id)

    async def begin_broadcast(self, channel_id: int) -> int:
        """Put a channel on air for LEASE_SECONDS and return the broadcast's id.

        Whoever holds the stream key holds the channel: an earlier broadcast that nobody ended is ended now, and its
        process hears BroadcastEnded at its next heartbeat. Raises ChannelUnknown, StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            # One at a time a channel: without this lock two who begin at once would meet in the unique index.
            if await connection.fetchval("SELECT 1 FROM channel WHERE id = $1 FOR NO KEY UPDATE", channel_id) is None:
                raise ChannelUnknown(channel_id)
            await connection.execute(
                "UPDATE broadcast SET ended_at = least(now(), lease_until) WHERE channel_id = $1 AND ended_at IS NULL",
                channel_id,
            )
            return int(
                await connection.fetchval(
                    "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + $2) RETURNING id",
                    channel_id,
                    timedelta(seconds=LEASE_SECONDS),
                )
            )

    async def renew_lease(self, broadcast_id: int) -> None:
        """Say that a broadcast is still on air; every HEARTBEAT_SECONDS. Raises BroadcastEnded, StoreUnavailable, …."""
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                "UPDATE broadcast SET lease_until = now() + $2 WHERE id = $1 AND ended_at IS NULL RETURNING id",
                broadcast_id,
                timedelta(seconds=LEASE_SECONDS),
            )
        if done is None:
            raise BroadcastEnded(broadcast_id)

    async def resume_broadcast(self, broadcast_id: int, *, late_seconds: float) -> Channel | None:
        """Take over a broadcast whose process is gone, if its lease runs or ran out at most `late_seconds` ago.

        None when it has ended, or another one of its channel has begun. Raises StoreUnavailable, StoreUnknown (taking
        it over again is harmless).
        """
        async with writing(self._pool) as connection:
            channel_id = await connection.fetchval(
                """
                UPDATE broadcast SET lease_until = now() + $2
                WHERE id = $1 AND ended_at IS NULL AND lease_until > now() - $3::interval RETURNING channel_id
                """,
                broadcast_id,
                timedelta(seconds=LEASE_SECONDS),
                timedelta(seconds=late_seconds),
            )
            row = channel_id and await connection.fetchrow(f"{_CHANNEL} WHERE c.id = $1", channel_id)
        return _channel(row) if row else None

    async def end_broadcast(self, broadcast_id: int) -> None:
        """Take a broadcast off the air; ending it twice is harmless. Raises StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            await connection.execute(
                "UPDATE broadcast SET ended_at = now() WHERE id = $1 AND ended_at IS NULL", broadcast_id
            )

    async def end_orphans(self) -> int:
        """Write an end under every broadcast whose lease has run out, and return how many. Run at start."""
        async with writing(self._pool) as connection:
            rows = await connection.fetch(
                """
                UPDATE broadcast SET ended_at = lease_until
                WHERE ended_at IS NULL AND lease_until <= now() RETURNING id
                """
            )
        return len(rows)

    async def _find(self, where: str, value: Any) -> Channel | None:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(_CHANNEL + where, value)
        return None if row is None else _channel(row)


def _channel(row: Mapping[str, Any]) -> Channel:
    return Channel(
        id=row["id"],
        nickname=row["nickname"],
        title=row["title"],
        category=row["category"],
        tags=tuple(row["tags"]),
        on_air=row["broadcast_id"] is not None,
        broadcast_id=row["broadcast_id"],
        started_at=row["started_at"],
        last_live_at=row["last_live_at"],
        followers=row["followers"],
    )
