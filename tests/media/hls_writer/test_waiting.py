from __future__ import annotations

import asyncio

import pytest

from media.hls_writer.errors import NotListed, TimedOut
from media.hls_writer.waiting import Ask, Waiting


class Shelf:
    """Something that is not there yet."""

    def __init__(self):
        self.answer = None
        self.looks = 0

    def there(self):
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ask(self, key="x"):
        return Ask("source", key, self.there)


@pytest.fixture
def shelf():
    return Shelf()


async def settle():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_all_who_want_the_same_get_the_same_object_after_one_look(shelf):
    waiting, told = Waiting(), []
    for _ in range(400):
        waiting.hold(shelf.ask(), lambda answer: told.append(answer), 60)  # noqa: PLW0108 - each is another.
    shelf.answer = b"a part"
    waiting.wake()
    waiting.wake()
    await settle()

    assert len(told) == 400
    assert {id(each) for each in told} == {id(shelf.answer)}
    assert shelf.looks == 1


async def test_what_is_not_there_after_a_change_is_waited_for_further(shelf):
    waiting, told = Waiting(), []
    waiting.hold(shelf.ask(), told.append, 60)
    waiting.wake()
    await settle()
    assert told == []

    shelf.answer = b"a part"
    waiting.wake()
    await settle()
    assert told == [b"a part"]


async def test_a_refusal_is_an_answer_too(shelf):
    waiting, told = Waiting(), []
    waiting.hold(shelf.ask(), told.append, 60)
    shelf.answer = NotListed("x")
    waiting.wake()
    await settle()

    assert told == [shelf.answer]
    assert shelf.ask().now() is shelf.answer


async def test_who_has_gone_is_not_told_and_leaves_nothing(shelf):
    waiting, told = Waiting(), []
    gone = []
    stays, goes = told.append, gone.append
    waiting.hold(shelf.ask(), goes, 60)
    waiting.hold(shelf.ask(), stays, 60)
    waiting.forget(shelf.ask(), goes)
    waiting.forget(shelf.ask(), goes)
    shelf.answer = b"a part"
    waiting.wake()
    await settle()
    assert (told, gone) == ([b"a part"], [])
    waiting.forget(shelf.ask(), stays)  # Late: it has been told.

    shelf.answer = None
    waiting.hold(shelf.ask(), goes, 60)
    waiting.forget(shelf.ask(), goes)
    assert waiting._held == {}


async def test_each_is_refused_when_their_own_time_is_over(shelf):
    waiting, told = Waiting(), []
    first, last = asyncio.Event(), asyncio.Event()
    waiting.hold(shelf.ask(), lambda answer: (told.append(answer), first.set()), 0.01)
    waiting.hold(shelf.ask(), lambda answer: (told.append(answer), last.set()), 0.02)
    stays = []
    waiting.hold(shelf.ask(), stay := stays.append, 60)
    await first.wait()
    await last.wait()

    assert [each.seconds for each in told] == [0.01, 0.02]
    assert all(isinstance(each, TimedOut) for each in told)
    assert stays == []
    waiting.forget(shelf.ask(), stay)
    assert waiting._held == {}


async def test_whoever_asks_again_when_told_waits_for_the_next(shelf):
    waiting, told = Waiting(), []

    def again(answer):
        told.append(answer)
        shelf.answer = None
        waiting.hold(shelf.ask(), told.append, 60)

    waiting.hold(shelf.ask(), again, 60)
    shelf.answer = b"one"
    waiting.wake()
    await settle()
    assert told == [b"one"]

    shelf.answer = b"two"
    waiting.wake()
    await settle()
    assert told == [b"one", b"two"]


async def test_a_wake_without_anybody_waiting_is_nothing(shelf):
    Waiting().wake()
    await settle()

    assert shelf.looks == 0


@pytest.mark.parametrize("seconds", [0, 60])
async def test_one_who_fails_with_his_answer_does_not_keep_it_from_the_others(shelf, seconds, caplog):
    def fail(answer):
        raise RuntimeError(answer)

    waiting, told = Waiting(), []
    for take in (fail, told.append):
        waiting.hold(shelf.ask(), take, seconds)
    if seconds:
        shelf.answer = b"a part"
        waiting.wake()
    async with asyncio.timeout(60):
        while not told:
            await asyncio.sleep(0)

    assert len(told) == 1
    assert [record.message for record in caplog.records] == ["hls_take_failed"]
