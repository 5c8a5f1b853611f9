"""Shell: the refresh tokens in Valkey: one small hash a login, rotated at each use, dead at the first sign of theft.

A token is `family.generation.HMAC(pepper, "family.generation")`: what was not issued here never reaches the store, and
the store holds nothing that could be stolen and used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from db.login import Login, LoginUnknown
from db.pool import Script, asking

if TYPE_CHECKING:
    from db.pool import Client

# A login that is not used for so long is over; each rotation begins it anew.
IDLE_SECONDS = 14 * 24 * 3600
# And it is over at last, used or not: a stolen token that nobody misses must die one day.
LIFETIME_SECONDS_MAX = 90 * 24 * 3600
# Two tabs that refresh at once, or a lost answer that is asked again, get the same successor.
GRACE_SECONDS = 10
# Devices of one member; the oldest login ends when one more begins.
FAMILIES_MAX = 20
PEPPER_BYTES_MIN = 32

_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([1-9][0-9]{0,9})\.([A-Za-z0-9_-]{43})")

# The hash: g current generation, t when it began (ms), u member id, x when the family ends (ms), d device, r revoked.
_ROTATE = """
local family = redis.call('HMGET', KEYS[1], 'g', 't', 'u', 'x', 'r')
if not family[1] or family[5] then return {'gone'} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local left = tonumber(family[4]) - now
if left <= 0 then
    redis.call('DEL', KEYS[1])
    return {'gone'}
end
local current, shown = tonumber(family[1]), tonumber(ARGV[1])
-- One ahead: the store was killed and forgot its last second, but the HMAC proves that we issued it.
if shown == current or shown == current + 1 then
    redis.call('HSET', KEYS[1], 'g', shown + 1, 't', now)
    redis.call('PEXPIRE', KEYS[1], math.min(left, tonumber(ARGV[2])))
    return {'rotated', family[3], shown + 1}
end
if shown == current - 1 and now - tonumber(family[2]) <= tonumber(ARGV[3]) then
    return {'rotated', family[3], current}
end
-- Somebody shows what was replaced: thief or owner, one of the two holds the successor. Nobody shall.
redis.call('HSET', KEYS[1], 'r', 1)
return {'reused'}
"""


class RefreshError(Exception):
    """Base of why a refresh token is not taken."""


class RefreshInvalid(RefreshError):
    """Not a token of ours, or its login is over."""

    def __str__(self) -> str:
        return "refresh token invalid"


class RefreshReused(RefreshError):
    """A token that was replaced is shown again: the whole login is revoked."""

    def __str__(self) -> str:
        return "refresh token reused: the login is revoked"


class RefreshTokens:
    """The logins that live longer than an access token. `pepper` signs the tokens: at least 32 secret bytes."""

    def __init__(self, redis: Client, pepper: bytes) -> None:
        if len(pepper) < PEPPER_BYTES_MIN:
            raise ValueError(f"a pepper of {len(pepper)} bytes, at least {PEPPER_BYTES_MIN}")
        self._redis = redis
        self._pepper = pepper
        self._rotate = Script(redis, _ROTATE)

    async def issue(self, member_id: int, device: str = "") -> str:
        """Begin a login on a kind of device and return its first token. Raises StoreUnavailable."""
        family = secrets.token_urlsafe(16)
        now_ms = time.time_ns() // 1_000_000
        ends_ms = now_ms + LIFETIME_SECONDS_MAX * 1000
        logins = _logins_key(member_id)
        async with asking():
            # Listed before it lives: "log out everywhere" may find a login that is not there, never miss one that is.
            # Two calls, for in a cluster the list and the login are at two nodes, which keep no order between them.
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zremrangebyscore(logins, "-inf", now_ms)
            pipeline.zadd(logins, {family: ends_ms})
            pipeline.expire(logins, LIFETIME_SECONDS_MAX)
            pipeline.zrange(logins, 0, -FAMILIES_MAX - 1)
            surplus = (await pipeline.execute())[-1]
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hset(_key(family), mapping={"g": 1, "t": now_ms, "u": member_id, "x": ends_ms, "d": device})
            pipeline.expire(_key(family), IDLE_SECONDS)
            await pipeline.execute()
            for oldest in surplus:
                await self._end(member_id, oldest.decode())
        return self._sign(family, 1)

    async def member_of(self, token: str) -> int:
        """Return whose login a token belongs to, and change nothing. Raises RefreshInvalid, StoreUnavailable."""
        family, _ = self._read(token)
        async with asking():
            member_id = await self._redis.hget(_key(family), "u")
        if member_id is None:
            raise RefreshInvalid
        return int(member_id)

    async def rotate(self, token: str) -> tuple[int, str]:
        """Take a token once and return its member's id and its successor.

        The same token again within GRACE_SECONDS gets the same successor. Raises RefreshInvalid, RefreshReused (the
        login is revoked), StoreUnavailable (the token may be shown again).
        """
        family, generation = self._read(token)
        async with asking():
            answer = await self._rotate(
                keys=[_key(family)], args=[generation, IDLE_SECONDS * 1000, GRACE_SECONDS * 1000]
            )
        if answer[0] == b"gone":
            raise RefreshInvalid
        if answer[0] == b"reused":
            raise RefreshReused
        return int(answer[1]), self._sign(family, int(answer[2]))

    async def revoke(self, token: str) -> None:
        """End the login of a token, whichever of its generations; a token that is none is nothing to end.

        Raises StoreUnavailable.
        """
        try:
            family, _ = self._read(token)
        except RefreshInvalid:
            return
        async with asking():
            member_id = await self._redis.hget(_key(family), "u")
            if member_id is not None:
                await self._end(int(member_id), family)

    def login_of(self, token: str) -> str:
        """Name the login of a token, the same for each generation, without giving it away. Raises RefreshInvalid."""
        family, _ = self._read(token)
        return _name(family)

    async def lives(self, member_id: int, login: str) -> bool:
        """Tell whether a member's login, by the name that `login_of` gave it, is not over. Raises StoreUnavailable."""
        async with asking():
            for family in await self._families(member_id):
                if _name(family) == login:
                    living, revoked = await self._redis.hmget(_key(family), "u", "r")
                    return living is not None and revoked is None
        return False

    async def logins(self, member_id: int) -> list[Login]:
        """List a member's living logins, the latest used first. Raises StoreUnavailable."""
        async with asking():
            families = await self._families(member_id)
            pipeline = self._redis.pipeline(transaction=False)
            for family in families:
                pipeline.hmget(_key(family), "t", "x", "d", "r")
            kept: Any = await pipeline.execute() if families else []
        found = [
            Login(
                name=_name(family),
                device=(device or b"").decode(),
                began_at=_moment(int(ends_ms) - LIFETIME_SECONDS_MAX * 1000),
                used_at=_moment(int(used_ms)),
            )
            for family, (used_ms, ends_ms, device, revoked) in zip(families, kept, strict=True)
            if used_ms is not None and ends_ms is not None and revoked is None
        ]
        return sorted(found, key=lambda login: login.used_at, reverse=True)

    async def end(self, member_id: int, name: str) -> None:
        """End one login of a member by its name. Raises LoginUnknown, StoreUnavailable."""
        async with asking():
            for family in await self._families(member_id):
                if _name(family) == name and await self._end(member_id, family):
                    return
        raise LoginUnknown

    async def revoke_all(self, member_id: int, *, keep: str | None = None) -> list[str]:
        """End every login of a member, but for the one of the name `keep`; return their names.

        Raises StoreUnavailable.
        """
        async with asking():
            families = [family for family in await self._families(member_id) if _name(family) != keep]
            for family in families:
                await self._end(member_id, family)
        return [_name(family) for family in families]

    async def _families(self, member_id: int) -> list[str]:
        families: Any = await self._redis.zrange(_logins_key(member_id), 0, -1)
        return [family.decode() for family in families]

    async def _end(self, member_id: int, family: str) -> bool:
        lived = await self._redis.delete(_key(family))
        await self._redis.zrem(_logins_key(member_id), family)
        return bool(lived)

    def _sign(self, family: str, generation: int) -> str:
        signed = f"{family}.{generation}"
        digest = hmac.digest(self._pepper, signed.encode(), hashlib.sha256)
        return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def _read(self, token: str) -> tuple[str, int]:
        shaped = _TOKEN.fullmatch(token)
        if shaped is None or not hmac.compare_digest(token, self._sign(shaped[1], int(shaped[2]))):
            raise RefreshInvalid
        return shaped[1], int(shaped[2])


def _name(family: str) -> str:
    return hashlib.sha256(family.encode()).hexdigest()[:32]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _key(family: str) -> str:
    return f"commeow:refresh:{{{family}}}"


def _logins_key(member_id: int) -> str:
    return f"commeow:logins:{{{member_id}}}"
