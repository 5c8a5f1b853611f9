from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rsocket.frame import CancelFrame, PayloadFrame, RequestChannelFrame, RequestNFrame

from rsocket_server import limits
from rsocket_server.doors import HandlerTimeout
from rsocket_server.doorway import DeferredChannel, DeferredPublisher, in_time


class Reader:
    def __init__(self) -> None:
        self.subscription: Any = None
        self.errors: list[Exception] = []

    def on_subscribe(self, subscription: Any) -> None:
        self.subscription = subscription

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)


class Stream:
    def __init__(self, fails: Exception | None = None) -> None:
        self.requested: list[int] = []
        self.fails = fails

    def subscribe(self, subscriber: Any) -> None:
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        if self.fails:
            raise self.fails
        self.requested.append(n)


class Tasks:
    def __init__(self) -> None:
        self.all: list[asyncio.Task[Any]] = []

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        self.all.append(asyncio.create_task(work))
        return self.all[-1]


# --- in time ----------------------------------------------------------------------------------------------------------


async def test_an_answer_in_time() -> None:
    async def answer() -> int:
        return 7

    assert await in_time(answer()) == 7


async def test_an_answer_that_takes_too_long(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "HANDLER_SECONDS", 0.01)
    with pytest.raises(HandlerTimeout):
        await in_time(asyncio.Event().wait())


async def test_a_timeout_of_the_handlers_own_is_its_own() -> None:
    async def answer() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await in_time(answer())


async def test_a_handler_whose_inner_task_was_cancelled_has_an_unknown_outcome() -> None:
    inner = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(inner.cancel)
    with pytest.raises(HandlerTimeout):
        await in_time(inner)


async def test_who_is_cancelled_is_cancelled() -> None:
    task = asyncio.create_task(in_time(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- a publisher to be ------------------------------------------------------------------------------------------------


async def test_banked_credit_is_handed_over_once() -> None:
    ready, stream, reader, tasks = asyncio.Event(), Stream(), Reader(), Tasks()

    async def answer() -> Stream:
        await ready.wait()
        return stream

    DeferredPublisher(answer, tasks.spawn).subscribe(reader)
    reader.subscription.request(3)
    reader.subscription.request(4)
    ready.set()
    await tasks.all[0]

    assert stream.requested == [7]
    assert reader.subscription is stream


@pytest.mark.parametrize("extra", [-1, 0, 1])
async def test_banked_credit_has_its_limit(extra: int) -> None:
    stream, reader, tasks = Stream(), Reader(), Tasks()

    async def answer() -> Stream:
        return stream

    DeferredPublisher(answer, tasks.spawn).subscribe(reader)
    reader.subscription.request(limits.CREDIT_UNBOUNDED - 5)
    reader.subscription.request(5 + extra)
    await tasks.all[0]

    assert stream.requested == [min(limits.CREDIT_UNBOUNDED, limits.CREDIT_UNBOUNDED + extra)]


async def test_a_handler_that_fails_or_gives_no_publisher_is_an_error() -> None:
    async def fails() -> None:
        raise ValueError

    async def nothing() -> None:
        return None

    async def bad() -> Stream:
        return Stream(fails=KeyError())

    for answer, kind in ((fails, ValueError), (nothing, AttributeError), (bad, KeyError)):
        reader, tasks = Reader(), Tasks()
        DeferredPublisher(answer, tasks.spawn).subscribe(reader)
        reader.subscription.request(1)
        await tasks.all[0]
        assert [kind] == [type(error) for error in reader.errors]


async def test_cancelled_before_it_began_the_handler_never_runs() -> None:
    ran, reader, tasks = [], Reader(), Tasks()

    async def answer() -> None:
        ran.append(1)

    publisher = DeferredPublisher(answer, tasks.spawn)
    publisher.cancel()  # Nobody has subscribed: nothing to cancel.
    publisher.subscribe(reader)
    reader.subscription.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks.all[0]

    assert (ran, reader.errors) == ([], [])


async def test_no_credit_yet_is_no_request() -> None:
    stream, reader, tasks = Stream(), Reader(), Tasks()

    async def answer() -> Stream:
        return stream

    DeferredPublisher(answer, tasks.spawn).subscribe(reader)
    await tasks.all[0]

    assert stream.requested == []


# --- a channel to be --------------------------------------------------------------------------------------------------


class Connection:
    def __init__(self) -> None:
        self.finished: list[int] = []
        self.failed: list[Exception] = []

    def finish_stream(self, stream_id: int) -> None:
        self.finished.append(stream_id)

    def fail_stream(self, _stream_id: int, error: Exception) -> None:
        self.failed.append(error)


def channel(answer: Any, tasks: Tasks) -> tuple[DeferredChannel, RequestChannelFrame, Connection]:
    frame, connection = RequestChannelFrame(), Connection()
    frame.stream_id, frame.initial_request_n = 1, 3
    return DeferredChannel(connection, frame, answer, tasks.spawn), frame, connection


def asking(n: int) -> RequestNFrame:
    frame = RequestNFrame()
    frame.request_n = n
    return frame


async def test_a_channel_banks_credit_up_to_the_limit() -> None:
    tasks = Tasks()
    waiting, frame, _ = channel(asyncio.Event().wait, tasks)
    waiting.frame_received(asking(4))
    assert frame.initial_request_n == 7
    waiting.frame_received(PayloadFrame())
    waiting.frame_received(asking(limits.CREDIT_UNBOUNDED))
    assert frame.initial_request_n == limits.CREDIT_UNBOUNDED
    waiting.dispose()
    with pytest.raises(asyncio.CancelledError):
        await tasks.all[0]


async def test_a_channel_is_cancelled_before_its_handler_answered() -> None:
    tasks = Tasks()
    waiting, _, connection = channel(asyncio.Event().wait, tasks)
    waiting.frame_received(CancelFrame())
    with pytest.raises(asyncio.CancelledError):
        await tasks.all[0]

    assert connection.finished == [1]


async def test_a_channel_handler_that_gives_something_else_is_an_error() -> None:
    async def nothing() -> None:
        return None

    tasks = Tasks()
    _, _, connection = channel(nothing, tasks)
    await tasks.all[0]

    assert [TypeError] == [type(error) for error in connection.failed]
