"""Shell: the emotes of all channels in PostgreSQL, pictures and all: at most some 1.6 MB a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.emote import EMOTES_MAX, Emote, EmotesTooMany, EmoteUnknown
from db.member import MemberUnknown
from db.pool import reading, writing

if TYPE_CHECKING:
    import asyncpg


class Emotes:
    """See the module."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(self, channel_id: int) -> list[Emote]:
        """List a channel's emotes by their codes. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT code, hash, media_type, width, height FROM emote WHERE channel_id = $1 ORDER BY code",
                channel_id,
            )
        return [Emote(**row) for row in rows]

    async def put(self, channel_id: int, emote: Emote, data: bytes) -> None:
        """Give a channel an emote, or its code another picture; twice is harmless.

        Raises EmotesTooMany, MemberUnknown (the owner has left), StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            # One at a time a channel, so that two at once do not both find room for one.
            if not await connection.fetchval(
                "SELECT 1 FROM member WHERE id = $1 AND erased_at IS NULL FOR NO KEY UPDATE", channel_id
            ):
                raise MemberUnknown(channel_id)
            others = await connection.fetchval(
                "SELECT count(*) FROM emote WHERE channel_id = $1 AND code <> $2", channel_id, emote.code
            )
            if others >= EMOTES_MAX:
                raise EmotesTooMany
            await connection.execute(
                """
                INSERT INTO emote (channel_id, code, hash, media_type, width, height, data)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (channel_id, code) DO UPDATE SET
                    hash = excluded.hash, media_type = excluded.media_type, width = excluded.width,
                    height = excluded.height, data = excluded.data
                """,
                channel_id,
                emote.code,
                emote.hash,
                emote.media_type,
                emote.width,
                emote.height,
                data,
            )

    async def remove(self, channel_id: int, code: str) -> None:
        """Take an emote away; lines keep the code. Raises EmoteUnknown, StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                "DELETE FROM emote WHERE channel_id = $1 AND code = $2 RETURNING true", channel_id, code
            )
        if not done:
            raise EmoteUnknown

    async def picture(self, picture_hash: bytes) -> tuple[str, bytes]:
        """Give a picture's media type and bytes. Raises EmoteUnknown, StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow("SELECT media_type, data FROM emote WHERE hash = $1 LIMIT 1", picture_hash)
        if row is None:
            raise EmoteUnknown
        return row["media_type"], row["data"]
