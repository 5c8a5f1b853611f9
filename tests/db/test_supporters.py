"""Shell: sums over donations on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.member import MemberUnknown
from db.members import Members
from db.supporters import SUPPORTERS_MAX, Supporter, Supporters
from db.transfer import InsufficientPoints

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_most_generous_come_first_and_what_does_not_count_does_not(pool, people, ledger, gift):
    streamer, other, *donors = await people(6, 500)
    names = {row["id"]: row["nickname"] for row in await pool.fetch("SELECT id, nickname FROM member")}
    for donor, points in ((donors[0], 100), (donors[1], 120), (donors[0], 50), (donors[2], 30)):
        await ledger.give(gift(donor, streamer, points), b"{}")
    await ledger.give(gift(donors[3], streamer, 400, anonymous=True), b"{}")
    await ledger.give(gift(donors[3], other, 1), b"{}")
    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donors[2], streamer, 10_000), b"{}")
    [back] = [each for each in await ledger.donations(streamer) if each.points == 30]
    await ledger.refund(back.id, streamer, "")

    support = await Supporters(pool).since(streamer, LONG_AGO)

    assert [Supporter(names[donors[0]], 150), Supporter(names[donors[1]], 120)] == support.supporters
    assert (670, 4) == (support.points, support.donations)


async def test_only_the_time_that_is_asked_for_counts(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    between = await pool.fetchval("SELECT clock_timestamp()")
    await ledger.give(gift(donor, streamer, 7), b"{}")

    assert 7 == (await Supporters(pool).since(streamer, between)).points
    assert 0 == (await Supporters(pool).since(streamer, between + timedelta(days=1))).points
    assert [] == (await Supporters(pool).since(donor, LONG_AGO)).supporters


async def test_a_list_has_a_largest_size(pool, people, ledger, gift):
    streamer, *donors = await people(SUPPORTERS_MAX + 2, 500)
    for donor in donors:
        await ledger.give(gift(donor, streamer, 1), b"{}")

    assert SUPPORTERS_MAX == len((await Supporters(pool).since(streamer, LONG_AGO, limit=10**6)).supporters)


async def test_a_goal_counts_from_when_it_was_set(pool, people, ledger, gift):
    donor, streamer = await people(2, 500)
    supporters = Supporters(pool)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    assert await supporters.goal(streamer) is None

    await supporters.set_goal(streamer, "새 마이크", 300)
    await ledger.give(gift(donor, streamer, 20), b"{}")
    await ledger.give(gift(donor, streamer, 30), b"{}")
    await ledger.refund((await ledger.donations(streamer))[0].id, streamer, "")
    goal = await supporters.goal(streamer)

    assert ("새 마이크", 300, 20) == (goal.title, goal.points, goal.received)
    await supporters.set_goal(streamer, "anew", 50)
    assert 0 == (await supporters.goal(streamer)).received
    await supporters.clear_goal(streamer)
    await supporters.clear_goal(streamer)
    assert await supporters.goal(streamer) is None


async def test_who_has_left_gathers_for_nothing(pool, people):
    (nabi,) = await people(1)
    supporters = Supporters(pool)
    await supporters.set_goal(nabi, "my goal", 300)

    await Members(pool).erase(nabi)
    with pytest.raises(MemberUnknown):  # One that was on its way.
        await supporters.set_goal(nabi, "my goal", 300)

    assert await supporters.goal(nabi) is None
