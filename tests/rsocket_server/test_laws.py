"""Rules and standings as a worker knows them: read once, dropped at the news, held while PostgreSQL is away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from reactivex.subject import Subject

from db.conduct import NO_RULES, Rules, Standing
from db.errors import StoreUnavailable
from rsocket_server import laws as module
from rsocket_server import limits
from rsocket_server.laws import Laws, read_news, write_news


class Truth:
    """Acts that can be counted, held up and broken."""

    def __init__(self) -> None:
        self.now: Rules = NO_RULES
        self.asked = 0
        self.broken: Exception | None = None
        self.banned: set[int] = set()
        self.batches: list[list[int]] = []
        self.go_on: asyncio.Event | None = None

    async def rules(self, _room: int) -> Rules:
        self.asked += 1
        found = self.now
        if self.broken:
            raise self.broken
        if self.go_on is not None:
            await self.go_on.wait()
        return found

    async def standings(self, wanted: list[tuple[int, int]]) -> list[Standing]:
        self.asked += 1
        self.batches.append([member_id for _, member_id in wanted])
        found = [Standing(owner=member_id == 1, banned=member_id in self.banned) for _, member_id in wanted]
        if self.broken:
            raise self.broken
        if self.go_on is not None:
            await self.go_on.wait()
        return found


class NewsRooms:
    """Rooms that bring news, and one guest."""

    def __init__(self) -> None:
        self.news: Subject[bytes] = Subject()
        self.shown_out: list[int] = []
        self.failures = 0
        self.away = False

    def is_away(self, _room: int) -> bool:
        return self.away

    async def follow(self, topic: str) -> Subject[bytes]:
        assert topic == module.TOPIC
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        return self.news

    def has_guests(self, _room: int) -> bool:
        return True

    def show_out_guests(self, room: int) -> None:
        self.shown_out.append(room)


@pytest.fixture
async def parts(no_task_left: None) -> Any:
    truth, rooms = Truth(), NewsRooms()
    laws = Laws(truth, rooms)
    running = asyncio.create_task(laws.run())
    await asyncio.sleep(0)
    yield laws, truth, rooms
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_many_lines_cost_one_reading(parts):
    laws, truth, _ = parts

    await asyncio.gather(*(laws.rules(7) for _ in range(50)), *(laws.standing(7, 1) for _ in range(50)))
    assert (await laws.standing(7, 1)).owner
    assert not (await laws.standing(7, 2)).owner

    assert truth.asked == 3


async def test_so_many_are_read_at_once_and_the_others_wait_their_turn(parts):
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    asking = [asyncio.create_task(laws.rules(room)) for room in range(1, limits.LAW_READINGS_MAX + 4)]
    await settle()
    assert truth.asked == limits.LAW_READINGS_MAX

    truth.go_on.set()
    await asyncio.gather(*asking)

    assert truth.asked == limits.LAW_READINGS_MAX + 3


async def test_whoever_comes_while_standings_are_read_is_read_together_with_all_who_come(parts):
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    crowd = [asyncio.create_task(laws.standing(7, member_id)) for member_id in range(1, 301)]
    await settle()
    donor = asyncio.create_task(laws.standing(7, 301))
    await settle()
    assert truth.batches == [[*range(1, 301)], [301]]

    truth.go_on.set()

    assert [standing.owner for standing in await asyncio.gather(*crowd, donor)] == [True] + [False] * 300
    assert truth.asked == 2


async def test_who_waits_for_a_turn_is_read_with_the_others_who_wait_and_so_many_in_one_query(parts, monkeypatch):
    monkeypatch.setattr(limits, "STANDINGS_MAX", 3)
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    hanging = [asyncio.create_task(laws.rules(room)) for room in range(100, 100 + limits.LAW_READINGS_MAX)]
    await settle()
    asking = []
    for member_id in range(1, 6):
        asking.append(asyncio.create_task(laws.standing(7, member_id)))
        await settle()
    assert truth.batches == []

    truth.go_on.set()
    await asyncio.gather(*hanging, *asking)

    assert truth.batches == [[1, 2, 3], [4, 5]]


async def test_a_standing_that_changed_while_it_was_read_is_read_again(parts):
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    early = asyncio.create_task(laws.standing(7, 2))
    await settle()
    truth.banned.add(2)
    laws.forget(7, 2)
    late = asyncio.create_task(laws.standing(7, 2))
    await settle()
    truth.go_on.set()

    assert not (await early).banned
    assert (await late).banned


async def test_a_standing_that_changed_before_it_was_read_is_read_once(parts):
    laws, truth, _ = parts
    early = asyncio.create_task(laws.standing(7, 2))
    await asyncio.sleep(0)  # It is wanted, and not its turn yet.
    truth.banned.add(2)
    laws.forget(7, 2)

    assert (await laws.standing(7, 2)).banned
    assert (await early).banned
    assert truth.batches == [[2]]


async def test_a_failure_is_told_to_all_who_were_read_together(parts, monkeypatch):
    laws, truth, _ = parts
    for failure in (StoreUnavailable("away"), ZeroDivisionError()):
        truth.broken = failure
        answers = await asyncio.gather(*(laws.standing(7, member_id) for member_id in (1, 2)), return_exceptions=True)
        assert answers == [failure, failure]
    assert truth.batches == [[1, 2], [1, 2]]

    truth.broken = None
    monkeypatch.setattr(limits, "LAW_TURN_SECONDS_MAX", 0.01)
    truth.go_on = asyncio.Event()  # PostgreSQL hangs
    hanging = [asyncio.create_task(laws.rules(room)) for room in range(100, 100 + limits.LAW_READINGS_MAX)]
    await settle()
    answers = await asyncio.gather(*(laws.standing(7, member_id) for member_id in (1, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2

    truth.go_on.set()
    await asyncio.gather(*hanging)
    assert (await laws.standing(7, 1)).owner


async def test_nobody_waits_for_a_turn_for_ever_and_what_is_known_goes_on_to_hold(parts, monkeypatch):
    laws, truth, _ = parts
    truth.now = Rules(members_only=True)
    known = await laws.rules(7)
    monkeypatch.setattr(limits, "LAW_SECONDS", 0.0)
    monkeypatch.setattr(limits, "LAW_TURN_SECONDS_MAX", 0.01)
    truth.go_on = asyncio.Event()  # PostgreSQL hangs
    hanging = [asyncio.create_task(laws.rules(room)) for room in range(100, 100 + limits.LAW_READINGS_MAX)]
    await settle()

    async with asyncio.timeout(60):
        assert await laws.rules(7) == known
        with pytest.raises(StoreUnavailable):
            await laws.rules(8)

    truth.go_on.set()
    await asyncio.gather(*hanging)
    assert await laws.rules(8) == known


async def test_news_of_a_change_is_heeded_at_once_and_only_where_it_belongs(parts):
    laws, truth, rooms = parts
    await laws.rules(7)
    await laws.rules(8)
    await laws.standing(7, 2)
    truth.now = Rules(slow_seconds=5)

    rooms.news.on_next(write_news(7, None))

    assert (await laws.rules(7)).slow_seconds == 5
    assert (await laws.rules(8)).slow_seconds == 0
    await laws.standing(7, 2)
    assert truth.asked == 4
    rooms.news.on_next(write_news(7, 2))
    await laws.standing(7, 2)
    assert truth.asked == 5


async def test_a_reading_that_began_before_the_change_is_not_kept(parts):
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    early = asyncio.create_task(laws.rules(7))
    await settle()
    truth.now = Rules(slow_seconds=5)
    laws.forget(7, None)
    late = asyncio.create_task(laws.rules(7))
    await settle()
    truth.go_on.set()

    assert (await early).slow_seconds == 0
    assert (await late).slow_seconds == 5
    assert (await laws.rules(7)).slow_seconds == 5


async def test_news_that_may_be_missing_means_to_read_everything_anew(parts):
    laws, truth, rooms = parts
    await laws.rules(7)
    truth.now = Rules(members_only=True)

    rooms.news.on_next(b"")
    await settle()

    assert (await laws.rules(7)).members_only
    assert rooms.shown_out == [7]


async def test_guests_are_shown_out_when_a_room_becomes_the_members_own(parts):
    laws, truth, rooms = parts
    laws.forget(7, None)
    await settle()
    assert rooms.shown_out == []

    truth.now = Rules(members_only=True)
    laws.forget(7, None)
    await settle()

    assert rooms.shown_out == [7]


async def test_what_was_read_is_the_law_until_something_else_is_told_or_read(parts):
    laws, truth, _ = parts
    assert not laws.are(7, NO_RULES)
    read = await laws.rules(7)
    assert laws.are(7, read)

    laws.forget(7, None)

    assert not laws.are(7, read)
    await settle()
    truth.now = Rules(members_only=True)
    assert laws.are(7, await laws.rules(7))


async def test_without_postgresql_what_is_known_holds_and_what_is_not_is_refused(parts, monkeypatch):
    laws, truth, _ = parts
    truth.now = Rules(slow_seconds=5)
    await laws.rules(7)
    monkeypatch.setattr(limits, "LAW_SECONDS", 0.0)
    truth.broken = StoreUnavailable("away")

    assert (await laws.rules(7)).slow_seconds == 5
    with pytest.raises(StoreUnavailable):
        await laws.rules(8)
    with pytest.raises(StoreUnavailable):
        await laws.standing(8, 1)
    laws.forget(7, None)
    with pytest.raises(StoreUnavailable):
        await laws.rules(7)

    truth.broken = None
    assert (await laws.rules(8)).slow_seconds == 5


async def test_while_the_bus_is_away_what_is_known_is_read_again_soon(parts, monkeypatch):
    laws, truth, rooms = parts
    await laws.standing(7, 2)
    monkeypatch.setattr(limits, "LAW_AWAY_SECONDS", 0.0)

    await laws.standing(7, 2)
    assert truth.asked == 1
    rooms.away = True
    await laws.standing(7, 2)
    assert truth.asked == 2


async def test_what_is_old_is_read_again(parts, monkeypatch):
    laws, truth, _ = parts
    await laws.rules(7)
    monkeypatch.setattr(limits, "LAW_SECONDS", 0.0)
    truth.now = Rules(slow_seconds=5)

    assert (await laws.rules(7)).slow_seconds == 5


async def test_no_more_is_remembered_than_may_be(parts, monkeypatch):
    monkeypatch.setattr(limits, "LAWS_MAX", 2)
    laws, truth, _ = parts
    for member_id in (1, 2, 3, 3, 1):
        await laws.standing(7, member_id)

    assert truth.asked == 4
    assert len(laws._known) == 2


async def test_one_who_goes_away_does_not_end_the_reading_for_the_others(parts):
    laws, truth, _ = parts
    truth.go_on = asyncio.Event()
    one, other = asyncio.create_task(laws.rules(7)), asyncio.create_task(laws.rules(7))
    await settle()
    one.cancel()
    await settle()
    truth.go_on.set()

    assert await other == NO_RULES


async def test_a_bus_that_is_away_is_asked_again(no_task_left, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    rooms = NewsRooms()
    rooms.failures = 2
    running = asyncio.create_task(Laws(Truth(), rooms).run())
    async with asyncio.timeout(60):
        while not rooms.news.observers:
            await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_the_end_waits_for_what_is_still_being_read(no_task_left):
    class SlowToEnd(Truth):
        ended = False

        async def rules(self, room: int) -> Rules:
            try:
                return await super().rules(room)
            finally:
                await settle()
                self.ended = True

    truth = SlowToEnd()
    truth.go_on = asyncio.Event()
    laws = Laws(truth, NewsRooms())
    running, asking = asyncio.create_task(laws.run()), asyncio.create_task(laws.rules(7))
    await settle()
    assert truth.asked == 1
    running.cancel()
    await asyncio.wait([running])

    assert truth.ended
    asking.cancel()
    await asyncio.wait([asking])


def test_news_is_read_as_it_was_written():
    assert read_news(write_news(7, None)) == (7, None)
    assert read_news(write_news(7, 9)) == (7, 9)
    for news in (b"x", b"7", b"7:", b":7", b"7:x", b"-7:8"):
        assert read_news(news) is None


async def test_news_that_nobody_wrote_changes_nothing(parts):
    laws, truth, rooms = parts
    await laws.rules(7)
    rooms.news.on_next(b"garbage")
    await laws.rules(7)

    assert truth.asked == 1
