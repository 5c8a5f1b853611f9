"""Shell: the tokens of members' programs in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from db.bot_token import TOKENS_MAX, Bot, BotToken, BotTokensTooMany, BotTokenUnknown
from db.member import Member, MemberUnknown
from db.pool import reading, writing

if TYPE_CHECKING:
    import asyncpg


class BotTokens:
    """Every bot token of the house."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, member_id: int, *, name: str, scopes: frozenset[str], token_hash: bytes) -> BotToken:
        """Keep a new token. Raises BotTokensTooMany, MemberUnknown (has left), StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection, connection.transaction():
            # One at a time a member, so that two at once do not both find room for one.
            if not await connection.fetchval(
                "SELECT 1 FROM member WHERE id = $1 AND erased_at IS NULL FOR NO KEY UPDATE", member_id
            ):
                raise MemberUnknown(member_id)
            living = await connection.fetchval(
                "SELECT count(*) FROM bot_token WHERE member_id = $1 AND revoked_at IS NULL", member_id
            )
            if living >= TOKENS_MAX:
                raise BotTokensTooMany
            row = await connection.fetchrow(
                """
                INSERT INTO bot_token (member_id, name, scopes, token_hash) VALUES ($1, $2, $3, $4)
                RETURNING id, created_at
                """,
                member_id,
                name,
                sorted(scopes),
                token_hash,
            )
        return BotToken(id=row["id"], name=name, scopes=scopes, created_at=row["created_at"], used_at=None)

    async def list(self, member_id: int) -> list[BotToken]:
        """List a member's living tokens, the oldest first. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT id, name, scopes, created_at, used_at FROM bot_token
                WHERE member_id = $1 AND revoked_at IS NULL ORDER BY id
                """,
                member_id,
            )
        return [BotToken(**{**row, "scopes": frozenset(row["scopes"])}) for row in rows]

    async def find(self, token_hash: bytes) -> Bot | None:
        """Find whose living token this is, and note that it was used; None also for who is banned or has left.

        Raises StoreUnavailable.
        """
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                """
                UPDATE bot_token t SET used_at = now() FROM member m
                WHERE t.token_hash = $1 AND t.revoked_at IS NULL
                  AND m.id = t.member_id AND m.banned_at IS NULL AND m.erased_at IS NULL
                RETURNING t.id, t.scopes, m.id AS member_id, m.nickname, m.roles
                """,
                token_hash,
            )
        if row is None:
            return None
        member = Member(id=row["member_id"], nickname=row["nickname"], roles=frozenset(row["roles"]))
        return Bot(token_id=row["id"], member=member, scopes=frozenset(row["scopes"]))

    async def revoke(self, member_id: int, token_id: int) -> None:
        """End one token; twice is harmless. Raises BotTokenUnknown, StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                """
                UPDATE bot_token SET revoked_at = coalesce(revoked_at, now())
                WHERE id = $2 AND member_id = $1 RETURNING id
                """,
                member_id,
                token_id,
            )
        if done is None:
            raise BotTokenUnknown

    async def revoke_all(self, member_id: int) -> None:
        """End all of a member's tokens. Raises StoreUnavailable, StoreUnknown."""
        async with writing(self._pool) as connection:
            await connection.execute(
                "UPDATE bot_token SET revoked_at = now() WHERE member_id = $1 AND revoked_at IS NULL", member_id
            )

    async def revoked_within(self, seconds: float) -> frozenset[int]:
        """List the numbers of tokens that were revoked within so many seconds. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT id FROM bot_token WHERE revoked_at > now() - $1::interval", timedelta(seconds=seconds)
            )
        return frozenset(row["id"] for row in rows)
