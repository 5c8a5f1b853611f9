"""Roof: members by the hundred, with points in their wallets, for the tests of the ledger."""

from __future__ import annotations

import uuid

import pytest

from db.ledger import Ledger
from db.transfer import donation


@pytest.fixture
def people(pool):
    """A function that adds `count` members on air with `points` each and returns their ids, in one statement."""

    async def add(count: int, points: int = 0, *, on_air: bool = True) -> list[int]:
        async with pool.acquire() as connection, connection.transaction():
            prefix = uuid.uuid4().hex[:8]
            rows = await connection.fetch(
                """
                INSERT INTO member (login_id, nickname, nickname_key, password_hash)
                SELECT $1 || i, $1 || i, $1 || i, 'x' FROM generate_series(1, $2) i RETURNING id
                """,
                prefix,
                count,
            )
            ids = sorted(row["id"] for row in rows)
            await connection.execute(
                """
                INSERT INTO channel (id, stream_key_hash)
                SELECT i, sha256(i::text::bytea) FROM unnest($1::bigint[]) i
                """,
                ids,
            )
            if on_air:
                await connection.execute(
                    """
                    INSERT INTO broadcast (channel_id, lease_until)
                    SELECT i, now() + '1 hour' FROM unnest($1::bigint[]) i
                    """,
                    ids,
                )
            await connection.execute("SELECT open_accounts(i) FROM unnest($1::bigint[]) i", ids)
            if points:
                await connection.execute(
                    "SELECT grant_points(gen_random_uuid(), i, $2, 'test') FROM unnest($1::bigint[]) i", ids, points
                )
        return ids

    return add


@pytest.fixture
async def ledger(pool):
    async with Ledger(pool) as ledger:
        yield ledger


@pytest.fixture
def gift():
    """A function that plans a donation with an id of its own."""

    def plan(donor_id: int, streamer_id: int, points: int = 100, text: str = "meow", id=None, **how):  # noqa: A002
        return donation(id or uuid.uuid4(), donor_id, streamer_id, points, text, **how)

    return plan
