"""Roof: the operator's verbs on members and keys. Each returns what it has to say, as plain values."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from console.stores import open_stores
from db.channel import hash_stream_key
from db.channels import Channels
from db.errors import StoreUnknown
from db.ledger import Ledger
from db.member import MemberUnknown, check_login_id, check_nickname, check_password
from db.members import Members
from db.migrate import migrate, missing
from db.pool import open_pool, open_redis
from db.refresh_tokens import RefreshTokens
from routes.members import new_stream_key
from routes.passwords import Passwords
from routes.process import StartError, addresses, answering, check_schema
from routes.tokens import derive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    import asyncpg

    from db.member import Member
    from routes.settings import Settings

PASSWORD_BYTES = 15  # Twenty characters to copy once.


@contextlib.asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[tuple[asyncpg.Pool, Settings]]:
    """Yield a pool on the house's migrated database, and the settings with all stores."""
    async with open_stores(settings) as found:
        url = found.require_stores().database_url
        if settings.database_url is None:
            await migrate(url)  # Ours alone: nobody else will.
        opening = open_pool(url, size=2, application_name="commeow console")
        pool = await answering(opening, store="PostgreSQL", setting="COMMEOW_DATABASE_URL")
        try:
            if settings.database_url is not None:
                await check_schema(missing(pool))
            yield pool, found
        finally:
            pool.terminate()


async def known(pool: asyncpg.Pool, nickname: str) -> Member:
    """Return the member of that nickname. Raises MemberUnknown."""
    member = await Members(pool).by_nickname(nickname)
    if member is None:
        raise MemberUnknown(nickname)
    return member


async def members_add(settings: Settings, login_id: str, nickname: str, password: str | None) -> dict[str, Any]:
    """Make a member; without a password, make one up. Raises MemberError."""
    given = password
    login_id, nickname = check_login_id(login_id), check_nickname(nickname)
    password = password if password is not None else secrets.token_urlsafe(PASSWORD_BYTES)
    check_password(password, login_id)
    passwords = Passwords()
    try:
        password_hash = await passwords.hash(password)
    finally:
        passwords.close()
    key = new_stream_key()
    async with open_desk(settings) as (pool, found):
        member = await Members(pool).add(
            login_id=login_id, nickname=nickname, password_hash=password_hash, stream_key_hash=hash_stream_key(key)
        )
        server = addresses(found).rtmp(None)
    said: dict[str, Any] = {"nickname": member.nickname, "login_id": login_id}
    if given is None:
        said["password"] = password
    return {**said, "stream_server": server, "stream_key": key}


async def members_grant(
    settings: Settings, nickname: str, points: int, reason: str, grant_id: UUID | None
) -> dict[str, Any]:
    """Give a member points, once for each id. Raises MemberUnknown, TransferError, StartError."""
    grant_id = grant_id or uuid.uuid4()
    async with open_desk(settings) as (pool, _):
        member = await known(pool, nickname)
        try:
            balance = await Ledger(pool).grant(member.id, points, reason, id=grant_id)
        except StoreUnknown as error:
            raise StartError(f"it is not known whether this took effect: repeat it with --id {grant_id}") from error
    return {"nickname": member.nickname, "granted": points, "balance": balance, "id": str(grant_id)}


async def members_ban(settings: Settings, nickname: str) -> dict[str, Any]:
    """Close the house to a member, and end what he is logged in with. Raises MemberUnknown."""
    async with open_desk(settings) as (pool, found):
        stores = found.require_stores()
        member = await Members(pool).ban(nickname)
        redis = open_redis(stores.redis_url)
        try:
            await RefreshTokens(redis, derive(stores.secret, "refresh token")).revoke_all(member.id)
        finally:
            await redis.aclose()
    return {"nickname": member.nickname, "banned": True}


async def key_rotate(settings: Settings, nickname: str) -> dict[str, Any]:
    """Replace a channel's stream key. Raises MemberUnknown."""
    key = new_stream_key()
    async with open_desk(settings) as (pool, found):
        member = await known(pool, nickname)
        await Channels(pool).rotate_stream_key(member.id, hash_stream_key(key))
        server = addresses(found).rtmp(None)
    return {"nickname": member.nickname, "stream_server": server, "stream_key": key}


async def migrate_database(settings: Settings) -> list[str]:
    """Bring the database up to this code; return what was applied."""
    async with open_stores(settings) as found:
        url = found.require_stores().database_url
        return await answering(migrate(url), store="PostgreSQL", setting="COMMEOW_DATABASE_URL")
