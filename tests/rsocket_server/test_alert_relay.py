"""Uses a real Valkey and a list that stands for the alert table, whose own tests are db's."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from db.alerts import Alert
from db.bus import Bus
from db.errors import StoreUnavailable
from rsocket_server.alert_relay import BATCH_ALERTS, AlertRelay

if TYPE_CHECKING:
    from collections.abc import Iterable


class Table:
    """Committed alerts, as db.alerts keeps them."""

    def __init__(self, count: int = 0) -> None:
        self.rows = [Alert(number, 7, b"alert %d" % number) for number in range(count)]
        self.away = False
        self.crash_before_marking = False
        self.asked = asyncio.Event()

    async def pending(self, limit: int) -> list[Alert]:
        self.asked.set()
        if self.away:
            raise StoreUnavailable("away")
        return self.rows[:limit]

    async def published(self, donation_ids: Iterable[int]) -> None:
        if self.crash_before_marking:
            raise StoreUnavailable("away")
        done = set(donation_ids)
        self.rows = [row for row in self.rows if row.donation_id not in done]


async def payloads(bus: Bus) -> list[bytes]:
    return [entry.payload for entry in await bus.history(7, after=0, limit=512)]


async def test_alerts_go_out_in_their_order_and_are_marked(redis: Any) -> None:
    bus, table = Bus(redis), Table(3)

    assert not await AlertRelay(table, bus).relay()
    assert [b"alert 0", b"alert 1", b"alert 2"] == await payloads(bus)
    assert table.rows == []


async def test_a_full_batch_may_have_more_behind_it(redis: Any) -> None:
    bus, table = Bus(redis), Table(BATCH_ALERTS + 1)
    relay = AlertRelay(table, bus)

    assert await relay.relay()
    assert not await relay.relay()
    assert len(await payloads(bus)) == BATCH_ALERTS + 1


async def test_a_relay_that_dies_between_the_steps_shows_nothing_twice(redis: Any) -> None:
    bus, table = Bus(redis), Table(3)
    table.crash_before_marking = True
    with pytest.raises(StoreUnavailable):
        await AlertRelay(table, bus).relay()
    assert len(table.rows) == 3
    table.crash_before_marking = False
    await asyncio.gather(*[AlertRelay(table, bus).relay() for _ in range(4)])

    assert [b"alert 0", b"alert 1", b"alert 2"] == await payloads(bus)


async def test_what_went_out_is_marked_though_the_next_did_not(redis: Any) -> None:
    bus, table = Bus(redis), Table(3)

    class Breaking:
        async def publish(self, room: int, payload: bytes, *, once: str) -> int:
            if payload == b"alert 1":
                raise StoreUnavailable("away")
            return await bus.publish(room, payload, once=once)

    with pytest.raises(StoreUnavailable):
        await AlertRelay(table, Breaking()).relay()

    assert [1, 2] == [row.donation_id for row in table.rows]


async def test_it_runs_until_cancelled_wakes_at_once_and_outlives_an_outage(redis: Any) -> None:
    bus, table = Bus(redis), Table(BATCH_ALERTS * 2)
    table.away = True
    relay = AlertRelay(table, bus)
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(60):
        await table.asked.wait()
        table.away = False
        relay.wake()
        while table.rows:
            await asyncio.sleep(0.001)
        table.rows.append(Alert(999, 7, b"last"))
        relay.wake()
        while table.rows:
            await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(await payloads(bus)) == BATCH_ALERTS * 2 + 1


async def test_leftovers_are_found_without_being_woken(redis: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("rsocket_server.alert_relay.POLL_SECONDS", 0.01)
    bus, table = Bus(redis), Table()
    running = asyncio.create_task(AlertRelay(table, bus).run())
    await table.asked.wait()
    table.rows.append(Alert(5, 7, b"left over"))
    async with asyncio.timeout(60):
        while table.rows:
            await asyncio.sleep(0.001)
    running.cancel()

    assert [b"left over"] == await payloads(bus)


async def test_a_cancellation_that_the_driver_swallowed_is_heeded(redis: Any) -> None:
    class Swallowing(Table):
        async def pending(self, limit: int) -> list[Alert]:
            with contextlib.suppress(asyncio.CancelledError):
                await super().pending(limit)
                await asyncio.Event().wait()
            return []

    table = Swallowing()
    running = asyncio.create_task(AlertRelay(table, Bus(redis)).run())
    await table.asked.wait()
    running.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait([running])
