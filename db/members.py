"""Shell: the members in PostgreSQL."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from db.member import (
    Credentials,
    LoginIdTaken,
    Member,
    MemberUnknown,
    NicknameTaken,
    Profile,
    may_be_nickname,
    nickname_key,
)
from db.order import ENDED_UNPAID
from db.order_errors import OrderState
from db.payout import PayoutPending
from db.pool import reading, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Members:
    """Every member of the house; those who have left are not found any more."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, *, login_id: str, nickname: str, password_hash: str, stream_key_hash: bytes) -> Member:
        """Add a member with a channel, a wallet and earnings, all or none of it.

        `login_id` and `nickname` have passed the checks of db.member; `stream_key_hash` is 32 bytes. Of two at once
        one gets in. Raises LoginIdTaken, NicknameTaken, StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection:
            try:
                member_id = await connection.fetchval(
                    """
                    WITH added AS (
                        INSERT INTO member (login_id, nickname, nickname_key, password_hash)
                        SELECT $1, $2, $3, $4
                        -- Nobody becomes somebody who has left: a room keeps its name for ever.
                        WHERE NOT EXISTS (SELECT 1 FROM member WHERE nickname_key = $6)
                        RETURNING id
                    ), channel_added AS (
                        INSERT INTO channel (id, stream_key_hash) SELECT id, $5 FROM added
                    )
                    SELECT id FROM added, open_accounts(id)
                    """,
                    login_id,
                    nickname,
                    nickname_key(nickname),
                    password_hash,
                    stream_key_hash,
                    _left_key(nickname_key(nickname)),
                )
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name == "member_login_id_unique":
                    raise LoginIdTaken(login_id) from error
                if error.constraint_name == "member_nickname_unique":
                    raise NicknameTaken(nickname) from error
                raise
        if member_id is None:
            raise NicknameTaken(nickname)
        return Member(id=member_id, nickname=nickname, roles=frozenset())

    async def credentials(self, login_id: str) -> Credentials | None:
        """Find what a login is judged by; None if there is no such login id. Raises StoreUnavailable."""
        if "\0" in login_id:  # PostgreSQL's text has no such character.
            return None
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                """
                SELECT id, nickname, roles, password_hash, banned_at IS NOT NULL AS banned
                FROM member WHERE login_id = $1 AND erased_at IS NULL
                """,
                login_id,
            )
        if row is None:
            return None
        return Credentials(member=_member(row), password_hash=row["password_hash"], banned=row["banned"])

    async def password_hash(self, member_id: int) -> str | None:
        """Give what a member's password is judged by; None if the member has left. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            found: str | None = await connection.fetchval(
                "SELECT password_hash FROM member WHERE id = $1 AND erased_at IS NULL", member_id
            )
        return found

    async def profile(self, member_id: int) -> Profile:
        """Give what a member has told of themselves. Raises MemberUnknown, StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT login_id, nickname, roles, created_at FROM member WHERE id = $1 AND erased_at IS NULL",
                member_id,
            )
        if row is None:
            raise MemberUnknown(member_id)
        return Profile(**{**row, "roles": tuple(row["roles"])})

    async def by_id(self, member_id: int) -> Member | None:
        """Find a member by id, banned or not. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT id, nickname, roles FROM member WHERE id = $1 AND erased_at IS NULL", member_id
            )
        return None if row is None else _member(row)

    async def by_nickname(self, nickname: str) -> Member | None:
        """Find a member by a nickname that reads the same, banned or not. Raises StoreUnavailable."""
        if not may_be_nickname(nickname):
            return None
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(
                "SELECT id, nickname, roles FROM member WHERE nickname_key = $1 AND erased_at IS NULL",
                nickname_key(nickname),
            )
        return None if row is None else _member(row)

    async def by_nicknames(self, nicknames: Iterable[str]) -> dict[str, Member]:
        """Find members by the very nicknames they have; who is not there is left out. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT id, nickname, roles FROM member WHERE nickname = ANY ($1) AND erased_at IS NULL",
                [name for name in nicknames if may_be_nickname(name)],
            )
        return {row["nickname"]: _member(row) for row in rows}

    async def is_banned(self, member_id: int) -> bool:
        """Tell whether the operator has closed the house to this member; so is it to one who is not there."""
        async with reading(self._pool) as connection:
            welcome = await connection.fetchval(
                "SELECT 1 FROM member WHERE id = $1 AND erased_at IS NULL AND banned_at IS NULL", member_id
            )
        return welcome is None

    async def gone_within(self, seconds: float) -> list[int]:
        """List who was banned or has left within so many seconds. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT id FROM member WHERE banned_at > now() - $1::interval OR erased_at > now() - $1::interval",
                timedelta(seconds=seconds),
            )
        return [row["id"] for row in rows]

    async def set_password_hash(self, member_id: int, password_hash: str, *, revoke_tokens: bool = False) -> None:
        """Replace the hash, and end all of the member's bot tokens with it if asked to: both or neither.

        Raises MemberUnknown, StoreUnavailable, StoreUnknown (setting it again is harmless).
        """
        async with writing(self._pool) as connection:
            done = await connection.fetchval(
                """
                WITH changed AS (
                    UPDATE member SET password_hash = $2 WHERE id = $1 AND erased_at IS NULL RETURNING id
                ), revoked AS (
                    UPDATE bot_token SET revoked_at = now()
                    WHERE $3 AND revoked_at IS NULL AND member_id IN (SELECT id FROM changed)
                )
                SELECT id FROM changed
                """,
                member_id,
                password_hash,
                revoke_tokens,
            )
        if done is None:
            raise MemberUnknown(member_id)

    async def ban(self, nickname: str) -> Member:
        """Close the house to a member; twice is harmless. Raises MemberUnknown, StoreUnavailable, StoreUnknown.

        Takes effect at the next login, refresh or publish; the caller revokes the refresh tokens.
        """
        async with writing(self._pool) as connection:
            row = await connection.fetchrow(
                """
                UPDATE member SET banned_at = coalesce(banned_at, now())
                WHERE nickname_key = $1 AND erased_at IS NULL RETURNING id, nickname, roles
                """,
                nickname_key(nickname),
            )
        if row is None:
            raise MemberUnknown(nickname)
        return _member(row)

    async def erase(self, member_id: int) -> None:
        """Let a member leave: no word of theirs and no name of theirs stays, only what the books need.

        What they said to a room stands in its history until that forgets (`bus.HISTORY_SECONDS_MAX`). Twice is
        harmless. Raises OrderState, PayoutPending (money is on its way), StoreUnavailable,
        StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            key = await connection.fetchval(
                "SELECT nickname_key FROM member WHERE id = $1 AND erased_at IS NULL FOR UPDATE", member_id
            )
            if key is None:
                return
            # A payment that nobody has confirmed ends here; one that is being taken or given back, or whose money may
            # still come late, is waited for, or its points would go to a wallet that nobody can open.
            states = await connection.fetch(
                """
                SELECT state FROM point_order WHERE member_id = $1
                    AND (state = ANY ($2) OR state = ANY ($3) AND next_check_at IS NOT NULL) FOR NO KEY UPDATE
                """,
                member_id,
                ["created", "ready", "approving", "refunding", "voiding", "review"],
                sorted(ENDED_UNPAID),
            )
            for row in states:
                if row["state"] not in {"created", "ready"}:
                    raise OrderState(row["state"])
            if await connection.fetchval(_PAYOUT_HELD, member_id):
                raise PayoutPending
            for statement in _ERASE:
                await connection.execute(statement, member_id)
            await connection.execute(
                """
                UPDATE member SET erased_at = now(), login_id = 'left ' || id, nickname = 'left ' || id,
                                  nickname_key = $2, password_hash = '', roles = '{}'
                WHERE id = $1
                """,
                member_id,
                _left_key(key),
            )

    async def count(self) -> int:
        """Count the members who have not left. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            return int(await connection.fetchval("SELECT count(*) FROM member WHERE erased_at IS NULL"))


_PAYOUT_HELD = """
    SELECT 1 FROM payout p WHERE p.member_id = $1 AND NOT EXISTS (
        SELECT 1 FROM payout_step s WHERE s.payout_id = p.id AND s.step <> 'held')
    LIMIT 1
"""

# Of what is the member's own nothing stays; of what was done to others' channels only that it was done.
_ERASE = (
    # The key of nobody: whoever publishes is cut at the next heartbeat.
    """
    UPDATE channel SET title = '', category = '', tags = '{}',
                       stream_key_hash = sha256(convert_to(gen_random_uuid()::text, 'UTF8'))
    WHERE id = $1
    """,
    """
    UPDATE point_order SET state = 'canceled', state_at = now(), next_check_at = NULL, pg_token = NULL
    WHERE member_id = $1 AND state IN ('created', 'ready')
    """,
    "DELETE FROM follow WHERE member_id = $1 OR channel_id = $1",
    "DELETE FROM channel_moderator WHERE member_id = $1 OR channel_id = $1",
    "DELETE FROM channel_rules WHERE channel_id = $1",
    "DELETE FROM emote WHERE channel_id = $1",
    "DELETE FROM channel_goal WHERE channel_id = $1",
    "UPDATE bot_token SET name = '', revoked_at = coalesce(revoked_at, now()) WHERE member_id = $1",
    "UPDATE donation SET message = '' WHERE donor_id = $1",
    """
    UPDATE moderation_act SET words = ''
    WHERE target_id = $1 OR channel_id = $1 OR (actor_id = $1 AND action = 'pin')
    """,
)


def _left_key(key: str) -> str:
    """Make of a nickname's key what tells that name from others and tells nobody the name."""
    return f"left {hashlib.sha256(key.encode()).hexdigest()}"


def _member(row: Mapping[str, Any]) -> Member:
    return Member(id=row["id"], nickname=row["nickname"], roles=frozenset(row["roles"]))
