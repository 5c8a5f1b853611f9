"""The headline: a thousand members give at once, and the streamer has exactly what they gave."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid

from house import Person

from db.ledger import Ledger
from db.members import Members
from routes.tokens import Tokens

MEMBERS = 1_000
POINTS = 100
SECRET = "a-secret-that-only-this-test-knows-0123456789abcdef"


async def thousand_members(pool, nickname):
    """Members as sign-up leaves them, without a thousand password hashes."""
    members, tokens = Members(pool), Tokens(SECRET.encode())

    async def make(name: str, points: int) -> Person:
        login_id = f"u{uuid.uuid4().hex[:12]}"
        member = await members.add(
            login_id=login_id, nickname=name, password_hash="-", stream_key_hash=uuid.uuid4().bytes * 2
        )
        if points:
            await ledger.grant(member.id, points, "a thousand members")
        token = tokens.issue(member.id, name, member.roles, token_id=uuid.uuid4().hex, now=time.time())
        return Person(login_id, name, token, "", "")

    async with Ledger(pool) as ledger:
        streamer = await make(nickname(), 0)
        await pool.execute(
            """
            INSERT INTO broadcast (channel_id, lease_until)
            SELECT id, now() + '1 hour' FROM member WHERE nickname = $1
            """,
            streamer.nickname,
        )
        donors = [await make(nickname(), POINTS) for _ in range(MEMBERS)]
    return streamer, donors


async def test_a_thousand_give_at_once_and_twice(new_house, pool, database_url, redis_url, nickname):
    streamer, donors = await thousand_members(pool, nickname)
    house = await new_house(
        COMMEOW_DATABASE_URL=database_url, COMMEOW_REDIS_URL=redis_url, COMMEOW_SECRET=SECRET
    ).start()
    donations = {donor.nickname: uuid.uuid4() for donor in donors}

    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(house.connect(donor)) for donor in donors]

        async def give_all():
            return await asyncio.gather(
                *(
                    connection.give(streamer.nickname, POINTS, "", donation=donations[donor.nickname])
                    for connection, donor in zip(opened, donors, strict=True)
                )
            )

        first = await give_all()
        after_first = await house.api("GET", "/api/points", token=streamer.token)
        second = await give_all()
        after_second = await house.api("GET", "/api/points", token=streamer.token)

    assert [answer["points_left"] for answer in first] == [0] * MEMBERS
    assert after_first == {"balance": 0, "earnings": MEMBERS * POINTS}
    assert second == first
    assert after_second == after_first
    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran
    assert await house.stop() == 0


async def test_every_request_sent_twice_at_the_same_moment(house, nickname):
    streamer = await house.streamer(nickname())
    donor = await house.rich_member(nickname(), 1_000)
    donation = uuid.uuid4()
    async with house.connect(donor) as one, house.connect(donor) as other:
        answers = await asyncio.gather(
            *(way.give(streamer.nickname, 100, "", donation=donation) for way in (one, other) for _ in range(10))
        )

    assert len({answer["points_left"] for answer in answers}) == 1
    assert (await house.api("GET", "/api/points", token=streamer.token))["earnings"] == 100
    assert (await house.api("GET", "/api/points", token=donor.token))["balance"] == 900
