from __future__ import annotations

from typing import Any

import pytest
import reactivex
from reactivex import operators
from reactivex.subject import BehaviorSubject, Subject

from rsocket_server.doors import Door
from rsocket_server.latest_wins import latest_wins
from tests.rsocket_server.script import STREAM, UNBOUNDED, cancel, request, request_n


class Reader:
    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.ended: list[Any] = []
        self.subscription: Any = None

    def on_subscribe(self, subscription: Any) -> None:
        self.subscription = subscription

    def on_next(self, value: Any, is_complete: bool = False) -> None:
        self.items.append(value.data)

    def on_complete(self) -> None:
        self.ended.append("complete")

    def on_error(self, error: Exception) -> None:
        self.ended.append(error)


def read(observable: Any) -> Reader:
    reader = Reader()
    latest_wins(observable).subscribe(reader)
    return reader


def test_who_asks_late_gets_the_latest_only() -> None:
    source: Subject[bytes] = Subject()
    reader = read(source)
    for number in range(1000):
        source.on_next(b"%d" % number)
    assert reader.items == []
    reader.subscription.request(3)
    assert reader.items == [b"999"]
    source.on_next(b"a")
    source.on_next(b"b")
    source.on_next(b"c")
    assert reader.items == [b"999", b"a", b"b"]
    reader.subscription.request(0)
    reader.subscription.request(1)
    assert reader.items == [b"999", b"a", b"b", b"c"]


def test_cancel_leaves_the_source_not_as_rsocket_py() -> None:
    source: Subject[bytes] = Subject()
    readers = [read(source) for _ in range(50)]
    assert len(source.observers) == 50
    for reader in readers:
        reader.subscription.cancel()
        reader.subscription.cancel()
    assert source.observers == []
    source.on_next(b"x")
    readers[0].subscription.request(1)
    assert readers[0].items == []


def test_a_source_that_already_knows() -> None:
    reader = read(BehaviorSubject(b"now"))
    reader.subscription.request(1)

    assert reader.items == [b"now"]


def test_the_last_item_comes_before_the_end() -> None:
    reader = read(reactivex.of(b"a", b"b"))
    assert (reader.items, reader.ended) == ([], [])
    reader.subscription.request(1)

    assert (reader.items, reader.ended) == ([b"b"], ["complete"])


def test_an_end_with_nothing_owed_needs_no_credit() -> None:
    assert read(reactivex.empty()).ended == ["complete"]


def test_an_error_ends_it_at_once() -> None:
    source: Subject[bytes] = Subject()
    reader = read(source.pipe(operators.map(lambda item: item.decode("ascii").encode())))
    source.on_next(b"fine")
    source.on_next("é".encode())

    assert [UnicodeDecodeError] == [type(error) for error in reader.ended]
    assert source.observers == []
    reader.subscription.request(1)
    assert reader.items == []


def test_a_source_that_fails_while_it_is_subscribed_to() -> None:
    reader = read(reactivex.throw(ValueError("no")))

    assert [ValueError] == [type(error) for error in reader.ended]


def test_what_comes_after_the_end_is_nothing() -> None:
    class Rude:
        def subscribe(self, on_next: Any, on_error: Any, on_completed: Any) -> Any:
            on_error(ValueError("one"))
            on_error(ValueError("two"))
            on_next(b"x")
            on_completed()
            return reactivex.disposable.Disposable()

    reader = read(Rude())
    reader.subscription.request(1)

    assert (len(reader.ended), reader.items) == (1, [])


def test_it_belongs_to_no_room() -> None:
    reader = read(reactivex.never())
    assert reader.subscription.room_id is None
    with pytest.raises(NotImplementedError):
        reader.subscription.whisper(b"x")


async def test_credit_and_window_on_the_wire(house: Any, connect: Any) -> None:
    source: Subject[bytes] = Subject()

    async def counts(_caller: Any, _data: bytes) -> Any:
        return latest_wins(source)

    server = await house(Door("counts", "stream", False, counts))
    client = await connect(server)
    await client.send(request(STREAM, 1, "counts", n=1))
    await client.settled()
    for number in range(5):
        source.on_next(b"%d" % number)
    await client.send(request_n(1, 1))
    await client.settled()
    assert [b"0", b"4"] == client.items(1)
    (connection,) = server._connections
    await client.send(request_n(1, UNBOUNDED))
    await client.settled()
    connection.pause()
    for number in range(1000):
        source.on_next(b"%d" % number)
    connection.resume()
    assert [b"0", b"4", b"999"] == await client.got(1, 3)
    await client.send(cancel(1))
    await client.settled()
    assert source.observers == []
    assert not connection._attached


async def test_the_end_of_the_source_completes_the_stream(house: Any, connect: Any) -> None:
    async def once(_caller: Any, _data: bytes) -> Any:
        return latest_wins(reactivex.of(b"a"))

    client = await connect(await house(Door("once", "stream", False, once)))
    await client.send(request(STREAM, 1, "once", n=5))
    await client.got(1, 2)

    assert [(0x20, b"a"), (0x40, b"")] == [(frame.flags, frame.body) for frame in client.frames]
