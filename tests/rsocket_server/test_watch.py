from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rsocket_server import limits
from rsocket_server.room import Seat
from rsocket_server.watch import Watch, Wishes
from tests.rsocket_server.script import UNBOUNDED
from tests.rsocket_server.test_rooms import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsocket_server.viewer_stream import Fanout


def watching(fanout: Fanout, n: int = UNBOUNDED, **options: Any) -> Reader:
    reader = Reader()
    Watch(fanout, Seat(object()), Wishes(since=0, **options)).subscribe(reader)
    reader.subscription.request(n)
    return reader


def aside(fanout: Fanout, *payloads: bytes) -> None:
    for payload in payloads:
        fanout.room.aside.append(payload)
    fanout.wake()


async def settle(fanout: Fanout) -> None:
    async with asyncio.timeout(60):
        while fanout._timer is not None or fanout._round is not None:
            await asyncio.sleep(0)


async def test_the_epoch_and_the_greeting_come_first(fanout: Fanout, tell: Callable[..., None]) -> None:
    tell(b"one")
    fanout.room.epoch = "e"

    assert watching(fanout, epoch="", greeting=b"hello").items == [b"e", b"hello", b"one"]
    assert watching(fanout).items == [b"one"]


async def test_asides_are_for_those_who_know_of_them_and_come_after_the_log(
    fanout: Fanout, tell: Callable[..., None]
) -> None:
    fanout.room.held.away = True
    knows, knows_not = watching(fanout, local=True), watching(fanout)
    tell(b"one")
    aside(fanout, b"aside")
    await settle(fanout)
    late = watching(fanout, local=True)

    assert knows.items == late.items == [b"one", b"aside"]
    assert knows_not.items == [b"one"]


async def test_who_comes_when_it_is_over_is_not_told_of_it(fanout: Fanout) -> None:
    aside(fanout, b"aside")

    assert watching(fanout, local=True).items == []


async def test_an_aside_costs_a_credit_and_nothing_waits_for_who_has_none(fanout: Fanout) -> None:
    reader = watching(fanout, 2, local=True)
    aside(fanout, b"one", b"two", b"three")
    await settle(fanout)
    assert reader.items == [b"one", b"two"]

    # Meanwhile it is over: what is gone has a number by now.
    fanout.room.aside.restart(fanout.room.aside.head)
    aside(fanout, b"back")
    await settle(fanout)
    reader.subscription.request(UNBOUNDED)
    assert reader.items == [b"one", b"two", b"back"]


async def test_many_get_asides_a_few_at_a_time(fanout: Fanout) -> None:
    readers = [watching(fanout, local=True) for _ in range(2 * limits.ROUND_WATCHERS + 1)]
    aside(fanout, b"one")
    await settle(fanout)
    aside(fanout, b"two")
    await settle(fanout)

    assert all(reader.items == [b"one", b"two"] for reader in readers)
