"""Shell: the books by night, on a real PostgreSQL; the days are the test's."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from db import bookkeeper as bookkeeper_module
from db.bookkeeper import DAYS_MAX, Bookkeeper
from db.errors import StoreUnavailable
from db.seals import Seals
from db.transfer import ChannelOffAir, InsufficientPoints

TOMORROW = datetime.now(UTC) + timedelta(days=1)


async def test_a_day_that_is_over_is_reported_once(pool, people, ledger, gift, caplog):
    donor, streamer, silent = await people(3, 500)
    await pool.execute("UPDATE broadcast SET ended_at = now() WHERE channel_id = $1", silent)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    for given, error in ((gift(donor, streamer, 999), InsufficientPoints), (gift(donor, silent), ChannelOffAir)):
        with pytest.raises(error):
            await ledger.give(given, b"{}")
    await Seals(pool).seal_all()
    caplog.set_level(logging.INFO, "commeow.books")

    await asyncio.gather(*(Bookkeeper(pool).tick(TOMORROW) for _ in range(3)))
    report = await Bookkeeper(pool).report(datetime.now(UTC).date())

    head = await Seals(pool).head()
    assert [
        "donation: 100 points in 1 transfers",
        "grant: 1500 points in 3 transfers",
        "donations refused (too few points): 1",
        "donations refused (off air): 1",
        "wallets: 1400 points in all",
        "earnings: 100 points in all",
        "issued: -1500 points in all",
        "paid out: 0 points in all",
        "fees: 0 points in all",
        "alerts waiting: 1",
        f"head: {head}",
    ] == report.lines
    assert [] == report.findings
    assert 1 == await pool.fetchval("SELECT count(*) FROM daily_report")
    assert f"daily_report day={report.day} donation: 100 points" in caplog.text


async def test_books_that_do_not_balance_are_said_so(pool, caplog):
    await pool.execute("UPDATE account SET balance = 1 WHERE id = 11")
    await Bookkeeper(pool).tick(TOMORROW)
    report = await Bookkeeper(pool).report(datetime.now(UTC).date())
    await pool.execute("UPDATE account SET balance = 0 WHERE id = 11")

    assert 2 == len(report.findings)
    assert "nothing moved" == report.lines[0]
    assert "books_do_not_balance sum of balances is zero" in caplog.text


async def test_days_that_were_missed_are_made_up_for(pool, people, ledger):
    keeper = Bookkeeper(pool)
    await keeper.tick(TOMORROW)
    [member] = await people(1)
    await ledger.grant(member, 5, "x")  # belongs to a day that has its report, and to no other

    await keeper.tick(TOMORROW + timedelta(days=3))
    await keeper.tick(TOMORROW + timedelta(days=3))
    assert 4 == await pool.fetchval("SELECT count(*) FROM daily_report")
    await keeper.tick(TOMORROW + timedelta(days=1000))
    assert 4 + DAYS_MAX + 1 == await pool.fetchval("SELECT count(*) FROM daily_report")
    assert ["nothing moved"] * (3 + DAYS_MAX + 1) == [
        row["line"] for row in await pool.fetch("SELECT lines[1] AS line FROM daily_report ORDER BY day OFFSET 1")
    ]


async def test_it_goes_on_when_the_store_comes_back(pool, monkeypatch, caplog):
    keeper = Bookkeeper(pool)
    ticks = asyncio.Queue()
    monkeypatch.setattr(bookkeeper_module, "SEAL_SECONDS", 0)

    async def tick(now: datetime) -> None:
        await ticks.put(now)
        if ticks.qsize() == 1:
            raise StoreUnavailable("away")

    monkeypatch.setattr(keeper, "tick", tick)
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(10):
        while ticks.qsize() < 3:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert "books_wait reason=store unavailable: away" in caplog.text
