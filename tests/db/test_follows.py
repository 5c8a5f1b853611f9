from datetime import UTC, datetime, timedelta

import pytest

from db import follows as module
from db.follow import FollowSelf, FollowsTooMany
from db.follows import Follows


@pytest.fixture
def follows(pool):
    return Follows(pool)


async def test_a_member_follows_channels_and_lists_them_the_latest_first(follows, people, pool):
    nabi, one, two = await people(3)
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}

    await follows.add(nabi, one)
    await follows.add(nabi, two)

    assert await follows.following(nabi) == [names[two], names[one]]
    assert await follows.following(one) == []


async def test_following_again_keeps_the_first_day(follows, people, pool):
    nabi, one = await people(2)
    assert await follows.since(nabi, one) is None

    await follows.add(nabi, one)
    await pool.execute("UPDATE follow SET since = now() - interval '1 day'")
    await follows.add(nabi, one)

    since = await follows.since(nabi, one)
    assert datetime.now(UTC) - since > timedelta(hours=23)


async def test_following_no_more_is_harmless_twice(follows, people):
    nabi, one = await people(2)
    await follows.add(nabi, one)

    for _ in range(2):
        await follows.remove(nabi, one)

    assert await follows.following(nabi) == []


async def test_nobody_follows_oneself(follows, people):
    (nabi,) = await people(1)

    with pytest.raises(FollowSelf, match="own channel"):
        await follows.add(nabi, nabi)


async def test_one_more_than_the_most_is_refused_and_one_that_is_there_is_not(follows, people, monkeypatch):
    monkeypatch.setattr(module, "FOLLOWS_MAX", 2)
    nabi, *others = await people(4)
    for each in others[:2]:
        await follows.add(nabi, each)

    await follows.add(nabi, others[0])
    with pytest.raises(FollowsTooMany):
        await follows.add(nabi, others[2])

    assert len(await follows.following(nabi)) == 2


async def test_a_channel_whose_owner_has_left_is_not_listed(follows, people, pool):
    nabi, one = await people(2)
    await follows.add(nabi, one)

    await pool.execute("UPDATE member SET erased_at = now() WHERE id = $1", one)

    assert await follows.following(nabi) == []
