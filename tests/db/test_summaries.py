"""Shell: summaries of broadcasts out of a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.channels import Channels
from db.follows import Follows
from db.summaries import SUMMARIES_MAX, Summaries
from db.summary import Stretch, Viewers

BEGAN = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def summaries(pool) -> Summaries:
    return Summaries(pool)


@pytest.fixture
def broadcast(pool):
    """A function that writes a broadcast of an hour, `hours` after the first, and answers its number."""

    async def write(channel_id: int, hours: float = 0, ended: bool = True) -> int:
        began = BEGAN + timedelta(hours=hours)
        until = began + timedelta(hours=1)
        return await pool.fetchval(
            """
            INSERT INTO broadcast (channel_id, started_at, lease_until, ended_at) VALUES ($1, $2, $3, $4) RETURNING id
            """,
            channel_id,
            began,
            until,
            until if ended else None,
        )

    return write


async def test_there_is_nothing_before_the_first_and_none_of_what_is_on_air(pool, people, summaries):
    [streamer] = await people(1, on_air=False)
    assert await summaries.latest(streamer) == []

    number = await Channels(pool).begin_broadcast(streamer)
    assert await summaries.latest(streamer) == []

    await Channels(pool).end_broadcast(number)
    [summary] = await summaries.latest(streamer)
    assert (summary.broadcast_id, summary.viewers, summary.new_followers) == (number, None, 0)
    assert (summary.points, summary.donations) == (0, 0)


async def test_viewers_are_those_of_all_processes_that_had_it_and_the_same_row_counts_once(
    people, summaries, broadcast
):
    [streamer] = await people(1, on_air=False)
    number, other = await broadcast(streamer), await broadcast(streamer, 2)
    at = BEGAN + timedelta(minutes=1)

    await summaries.add([(number, at, Stretch(1800, 1800 * 4, 9))])
    later = at + timedelta(minutes=30)
    await summaries.add([(number, at, Stretch(1800, 1800 * 4, 9)), (number, later, Stretch(1800, 1800 * 8, 20))])

    latest = {each.broadcast_id: each for each in await summaries.latest(streamer)}
    assert latest[number].viewers == Viewers(20, 6.0)
    assert latest[number].seconds == 3600
    assert latest[other].viewers is None


async def test_a_broadcast_whose_process_died_is_over_and_was_as_long_as_it_was_said_to_be(
    people, summaries, broadcast
):
    [streamer] = await people(1, on_air=False)
    number = await broadcast(streamer, ended=False)

    [summary] = await summaries.latest(streamer)
    assert (summary.broadcast_id, summary.seconds) == (number, 3600)


async def test_points_are_of_the_books_and_of_each_broadcast_its_own(pool, people, summaries, ledger, gift):
    streamer, other, donor, another = await people(4, 1000)
    first = await pool.fetchval("SELECT id FROM broadcast WHERE channel_id = $1", streamer)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    await ledger.give(gift(donor, streamer, 30), b"{}")
    await ledger.give(gift(another, streamer, 7, anonymous=True), b"{}")
    await ledger.give(gift(donor, other, 500), b"{}")
    second = await Channels(pool).begin_broadcast(streamer)
    await ledger.give(gift(donor, streamer, 1), b"{}")
    await Channels(pool).end_broadcast(second)

    found = {each.broadcast_id: (each.points, each.donations) for each in await summaries.latest(streamer)}
    assert found == {first: (137, 3), second: (1, 1)}

    gone_back = await pool.fetchval("SELECT id FROM donation WHERE amount = 30")
    await ledger.refund(gone_back, streamer, "")
    found = {each.broadcast_id: (each.points, each.donations) for each in await summaries.latest(streamer)}
    assert found == {first: (107, 2), second: (1, 1)}


async def test_new_followers_came_during_it_and_have_stayed(pool, people, summaries, broadcast):
    streamer, *fans = await people(6, on_air=False)
    number = await broadcast(streamer)
    moments = [timedelta(seconds=-1), timedelta(), timedelta(minutes=59), timedelta(minutes=5), timedelta(hours=1)]
    for fan, moment in zip(fans, moments, strict=True):
        await pool.execute("INSERT INTO follow VALUES ($1, $2, $3)", fan, streamer, BEGAN + moment)
    await Follows(pool).remove(fans[3], streamer)

    [summary] = await summaries.latest(streamer)
    assert (summary.broadcast_id, summary.new_followers) == (number, 2)


async def test_the_latest_come_first_and_no_more_are_told_or_read(pool, people, summaries, broadcast, ledger, gift):
    streamer, donor = await people(2, 1000)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    await pool.execute("UPDATE broadcast SET ended_at = now() WHERE channel_id = $1", streamer)
    numbers = [await broadcast(streamer, 2 * hour) for hour in range(SUMMARIES_MAX)]

    latest = await summaries.latest(streamer)
    assert [each.broadcast_id for each in latest] == numbers[::-1]
    assert {each.points for each in latest} == {0}
