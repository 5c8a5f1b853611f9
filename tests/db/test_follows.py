import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db import follows as module
from db.channels import Channels
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


async def counted(pool):
    """How many the channels are said to have, beside how many follow them."""
    return await pool.fetch(
        """
        SELECT c.followers, (SELECT count(*) FROM follow f WHERE f.channel_id = c.channel_id) AS follows
        FROM channel_followers c ORDER BY c.channel_id
        """
    )


async def test_a_channel_has_as_many_followers_as_follow_it(follows, people, pool):
    channels = Channels(pool)
    nabi, one, two, three = await people(4)

    async def followers():
        return [(await channels.by_id(each)).followers for each in (nabi, one, two)]

    assert await followers() == [0, 0, 0]
    for who, whom in ((nabi, one), (nabi, one), (two, one), (one, two), (three, nabi)):
        await follows.add(who, whom)
    assert await followers() == [1, 2, 1]
    await follows.remove(nabi, one)
    await follows.remove(nabi, one)
    assert await followers() == [1, 1, 1]
    assert [each.followers for each in await channels.live()] == [0, 1, 1, 1]  # The latest first.

    await pool.execute("DELETE FROM follow WHERE member_id = $1 OR channel_id = $1", one)  # As who leaves does.
    assert await followers() == [1, 0, 0]


async def test_none_is_lost_where_many_come_go_and_leave_at_once(follows, people, pool):
    channels, fans = await people(3), await people(20)

    async def live(fan, turn):
        order = channels if turn % 2 else channels[::-1]
        for channel in order:
            await follows.add(fan, channel)
        if turn % 3 == 0:
            await follows.remove(fan, order[0])
        if turn % 5 == 0:
            await pool.execute("DELETE FROM follow WHERE member_id = $1", fan)

    await asyncio.gather(*(live(fan, turn) for turn, fan in enumerate(fans)))

    rows = await counted(pool)
    assert [row["followers"] for row in rows] == [row["follows"] for row in rows]
    # Four have left all three, and of the other sixteen five have left one.
    assert sum(row["followers"] for row in rows) == 16 * 3 - 5


async def test_a_refused_follow_is_not_counted(follows, people, pool, monkeypatch):
    monkeypatch.setattr(module, "FOLLOWS_MAX", 1)
    nabi, one, two = await people(3)
    await follows.add(nabi, one)
    with pytest.raises(FollowsTooMany):
        await follows.add(nabi, two)

    assert [tuple(row) for row in await counted(pool)] == [(1, 1)]


async def test_a_channel_whose_owner_has_left_is_not_listed(follows, people, pool):
    nabi, one = await people(2)
    await follows.add(nabi, one)

    await pool.execute("UPDATE member SET erased_at = now() WHERE id = $1", one)

    assert await follows.following(nabi) == []
