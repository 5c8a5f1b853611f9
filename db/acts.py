"""Shell: the order of each channel's chat in PostgreSQL: its rules, who stands how in it, and what was done and why.

What is done and its entry in the audit trail are one transaction.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from db.act import MODERATORS_MAX, WORDS_CHARACTERS_MAX, Act, Action, Done, ModeratorsTooMany
from db.conduct import NO_RULES, Rules, Standing
from db.member import MemberUnknown
from db.pool import reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import asyncpg

# Channels that one is told to moderate: owners make moderators unasked, so somebody's list has an end.
MODERATES_MAX = 500
# Entries of one page of the audit trail.
ENTRIES_MAX = 100

_MUTE = """
    INSERT INTO channel_sanction (channel_id, member_id, muted_until) VALUES ($1, $2, $3)
    ON CONFLICT (channel_id, member_id) DO UPDATE SET muted_until = excluded.muted_until
"""
_BAN = """
    INSERT INTO channel_sanction (channel_id, member_id, banned_at) VALUES ($1, $2, now())
    ON CONFLICT (channel_id, member_id) DO UPDATE SET banned_at = coalesce(channel_sanction.banned_at, now())
"""
_UNMUTE = "UPDATE channel_sanction SET muted_until = NULL WHERE channel_id = $1 AND member_id = $2"
_UNBAN = "UPDATE channel_sanction SET banned_at = NULL WHERE channel_id = $1 AND member_id = $2"
_GRANT = "INSERT INTO channel_moderator (channel_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_REVOKE = "DELETE FROM channel_moderator WHERE channel_id = $1 AND member_id = $2"
_TO_SOMEBODY = {
    Action.BAN: _BAN,
    Action.UNMUTE: _UNMUTE,
    Action.UNBAN: _UNBAN,
    Action.GRANT: _GRANT,
    Action.REVOKE: _REVOKE,
}


class Acts:
    """See the module."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def rules(self, channel_id: int) -> Rules:
        """Give a channel's rules; a channel without any has none. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            return await _rules(connection, channel_id)

    async def standing(self, channel_id: int, member_id: int) -> Standing:
        """Say how a member stands in a channel. Raises StoreUnavailable."""
        (standing,) = await self.standings([(channel_id, member_id)])
        return standing

    async def standings(self, wanted: Sequence[tuple[int, int]]) -> list[Standing]:
        """Say for each (channel, member) how the one stands in the other, in one query. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT w.channel_id = w.member_id AS owner, o.member_id IS NOT NULL AS moderator,
                       f.since AS follows_since, s.muted_until, s.banned_at IS NOT NULL AS banned
                FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w(channel_id, member_id, place)
                LEFT JOIN channel_moderator o USING (channel_id, member_id)
                LEFT JOIN follow f USING (channel_id, member_id)
                LEFT JOIN channel_sanction s USING (channel_id, member_id)
                ORDER BY w.place
                """,
                [channel_id for channel_id, _ in wanted],
                [member_id for _, member_id in wanted],
            )
        return [Standing(**row) for row in rows]

    async def above(self, channel_id: int) -> frozenset[int]:
        """Give those whose lines only the owner takes back: the owner and the moderators. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch("SELECT member_id FROM channel_moderator WHERE channel_id = $1", channel_id)
        return frozenset([channel_id, *(row["member_id"] for row in rows)])

    async def moderates(self, member_id: int) -> list[str]:
        """List the channels whose owners have made a member a moderator, the latest first. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT m.nickname FROM channel_moderator o JOIN member m ON m.id = o.channel_id AND m.erased_at IS NULL
                WHERE o.member_id = $1 AND NOT EXISTS (
                    SELECT 1 FROM channel_sanction s
                    WHERE s.channel_id = o.channel_id AND s.member_id = $1 AND s.banned_at IS NOT NULL
                )
                ORDER BY o.granted_at DESC, m.id LIMIT $2
                """,
                member_id,
                MODERATES_MAX,
            )
        return [row["nickname"] for row in rows]

    async def moderators(self, channel_id: int) -> list[str]:
        """List the nicknames of a channel's moderators. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT m.nickname FROM channel_moderator o JOIN member m ON m.id = o.member_id AND m.erased_at IS NULL
                WHERE o.channel_id = $1 ORDER BY m.nickname
                """,
                channel_id,
            )
        return [row["nickname"] for row in rows]

    async def do(self, act: Act) -> int:
        """Do it and write it down; return the entry's number. Done again it changes nothing but has two entries.

        The caller has asked `act.permit`. Raises MemberUnknown (the owner has left), ModeratorsTooMany,
        StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            if act.action is Action.MUTE:
                await connection.execute(_MUTE, act.channel_id, act.target_id, act.until)
            elif act.action in _TO_SOMEBODY:
                await connection.execute(_TO_SOMEBODY[act.action], act.channel_id, act.target_id)
            elif act.action is Action.SLOW:
                await _change(connection, act.channel_id, lambda rules: replace(rules, slow_seconds=act.seconds or 0))
            elif act.action is Action.PIN:
                await _change(connection, act.channel_id, lambda rules: replace(rules, pinned=act.words))
            if act.action is Action.GRANT:
                count = await connection.fetchval(
                    "SELECT count(*) FROM channel_moderator WHERE channel_id = $1", act.channel_id
                )
                if count > MODERATORS_MAX:
                    raise ModeratorsTooMany
            return await _write_down(connection, act)

    async def write_down(self, acts: Iterable[Act]) -> list[int]:
        """Write down what is done elsewhere, lines taken back: all of it or nothing; return the entries' numbers.

        Raises StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            return [await _write_down(connection, act) for act in acts]

    async def change_rules(self, channel_id: int, actor_id: int, change: Callable[[Rules], Rules]) -> Rules:
        """Replace a channel's rules by what `change` makes of them, and write that down; return the new ones.

        Raises what `change` raises, MemberUnknown (the owner has left), StoreUnavailable, StoreUnknown.
        """
        async with writing(self._pool) as connection, connection.transaction():
            before, after = await _change(connection, channel_id, change)
            if before != after:
                await _write_down(
                    connection,
                    Act(
                        channel_id=channel_id, actor_id=actor_id, action=Action.RULES, words=_difference(before, after)
                    ),
                )
        return after

    async def log(self, channel_id: int, *, before: int | None, limit: int = ENTRIES_MAX) -> list[Done]:
        """Page through a channel's audit trail, newest first. Raises StoreUnavailable."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                """
                SELECT a.id, actor.nickname AS actor, a.action, target.nickname AS target,
                       a.until, a.seconds, a.seqs, a.words, a.reason, a.created_at AS at
                FROM moderation_act a
                LEFT JOIN member actor ON actor.id = a.actor_id AND actor.erased_at IS NULL
                LEFT JOIN member target ON target.id = a.target_id AND target.erased_at IS NULL
                WHERE a.channel_id = $1 AND a.id < $2 ORDER BY a.id DESC LIMIT $3
                """,
                channel_id,
                2**63 - 1 if before is None else before,
                min(limit, ENTRIES_MAX),
            )
        return [Done(**{**row, "seqs": tuple(row["seqs"])}) for row in rows]


async def _rules(connection: Any, channel_id: int) -> Rules:
    row: Mapping[str, Any] | None = await connection.fetchrow(
        """
        SELECT slow_seconds, followers_only_minutes, members_only, blocked_links, blocked_words, pinned
        FROM channel_rules WHERE channel_id = $1
        """,
        channel_id,
    )
    return NO_RULES if row is None else Rules(**{**row, "blocked_words": tuple(row["blocked_words"])})


async def _change(connection: Any, channel_id: int, change: Callable[[Rules], Rules]) -> tuple[Rules, Rules]:
    # Two who change at once change one after the other, each what the other left; and nobody what its owner left.
    if not await connection.fetchval(
        "SELECT 1 FROM member WHERE id = $1 AND erased_at IS NULL FOR NO KEY UPDATE", channel_id
    ):
        raise MemberUnknown(channel_id)
    before = await _rules(connection, channel_id)
    after = change(before)
    await connection.execute(
        """
        INSERT INTO channel_rules
            (channel_id, slow_seconds, followers_only_minutes, members_only, blocked_links, blocked_words, pinned)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (channel_id) DO UPDATE SET
            slow_seconds = excluded.slow_seconds, followers_only_minutes = excluded.followers_only_minutes,
            members_only = excluded.members_only, blocked_links = excluded.blocked_links,
            blocked_words = excluded.blocked_words, pinned = excluded.pinned
        """,
        channel_id,
        after.slow_seconds,
        after.followers_only_minutes,
        after.members_only,
        after.blocked_links,
        list(after.blocked_words),
        after.pinned,
    )
    return before, after


def _difference(before: Rules, after: Rules) -> str:
    """Say which rules have changed and to what; of the blocked words only that they have."""
    earlier = asdict(before)
    changed = [name for name, value in asdict(after).items() if value != earlier[name]]
    return ", ".join(name if name == "blocked_words" else f"{name}={getattr(after, name)}" for name in changed)


async def _write_down(connection: Any, act: Act) -> int:
    return int(
        await connection.fetchval(
            """
            INSERT INTO moderation_act
                (channel_id, actor_id, action, target_id, until, seconds, seqs, words, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
            """,
            act.channel_id,
            act.actor_id,
            act.action.value,
            act.target_id,
            act.until,
            act.seconds,
            list(act.seqs),
            act.words[:WORDS_CHARACTERS_MAX],
            act.reason,
        )
    )
