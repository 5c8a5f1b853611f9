"""Shell: the books by night, on a real PostgreSQL; the days are the test's."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, date, datetime, time, timedelta

import pytest

from db import bookkeeper as bookkeeper_module
from db.bookkeeper import DAY_OVER_AFTER, DAYS_MAX, REPORT_AGAIN_MAX, REPORT_AGAIN_MIN, Bookkeeper, last_day_over
from db.errors import StoreUnavailable
from db.seals import Seals
from db.transfer import ChannelOffAir, InsufficientPoints

DAY = timedelta(days=1)
WHOLE_SECONDS = 30  # Longer than a test takes.


@pytest.fixture
async def today():
    """The day in UTC on which the test also ends: just before midnight it waits for the next one to begin."""
    now = datetime.now(UTC)
    left = (datetime.combine(now.date() + DAY, time(), UTC) - now).total_seconds()
    if left < WHOLE_SECONDS:
        await asyncio.sleep(left + 1)
    return datetime.now(UTC).date()


@pytest.fixture
def tomorrow(today):
    """Noon of the day after, so that what the test does now is surely of the day before."""
    return datetime.combine(today + DAY, time(12), UTC)


async def test_a_day_that_is_over_is_reported_once(pool, people, ledger, gift, caplog, tomorrow, today):
    donor, streamer, silent = await people(3, 500)
    await pool.execute("UPDATE broadcast SET ended_at = now() WHERE channel_id = $1", silent)
    await ledger.give(gift(donor, streamer, 100), b"{}")
    for given, error in ((gift(donor, streamer, 999), InsufficientPoints), (gift(donor, silent), ChannelOffAir)):
        with pytest.raises(error):
            await ledger.give(given, b"{}")
    await Seals(pool).seal_all()
    caplog.set_level(logging.INFO, "commeow.books")

    await asyncio.gather(*(Bookkeeper(pool).tick(tomorrow) for _ in range(3)))
    report = await Bookkeeper(pool).report(today)

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


async def test_books_that_do_not_balance_are_said_so(pool, caplog, tomorrow, today):
    await pool.execute("UPDATE account SET balance = 1 WHERE id = 11")
    await Bookkeeper(pool).tick(tomorrow)
    report = await Bookkeeper(pool).report(today)
    await pool.execute("UPDATE account SET balance = 0 WHERE id = 11")

    assert 2 == len(report.findings)
    assert "nothing moved" == report.lines[0]
    assert "books_do_not_balance sum of balances is zero" in caplog.text


async def test_days_that_were_missed_are_made_up_for(pool, people, ledger, tomorrow):
    keeper = Bookkeeper(pool)
    await keeper.tick(tomorrow)
    [member] = await people(1)
    await ledger.grant(member, 5, "x")  # belongs to a day that has its report, and to no other

    await keeper.tick(tomorrow + timedelta(days=3))
    await keeper.tick(tomorrow + timedelta(days=3))
    assert 4 == await pool.fetchval("SELECT count(*) FROM daily_report")
    await keeper.tick(tomorrow + timedelta(days=1000))
    assert 4 + DAYS_MAX + 1 == await pool.fetchval("SELECT count(*) FROM daily_report")
    assert ["nothing moved"] * (3 + DAYS_MAX + 1) == [
        row["line"] for row in await pool.fetch("SELECT lines[1] AS line FROM daily_report ORDER BY day OFFSET 1")
    ]


def test_a_day_is_over_when_nobody_can_still_write_into_it():
    midnight = datetime(2026, 11, 27, tzinfo=UTC)

    for after, over in (
        (timedelta(0), date(2026, 11, 25)),
        (DAY_OVER_AFTER - timedelta(microseconds=1), date(2026, 11, 25)),
        (DAY_OVER_AFTER, date(2026, 11, 26)),
        (timedelta(hours=23), date(2026, 11, 26)),
    ):
        assert over == last_day_over(midnight + after)


async def test_what_is_given_in_the_days_last_moment_is_in_its_report(pool, people, ledger, today):
    """A transaction has the time of its beginning: it may commit when its day is over."""
    [member] = await people(1)
    midnight = datetime.combine(today + timedelta(days=1), time(), UTC)
    await Bookkeeper(pool).tick(midnight - timedelta(days=1) + DAY_OVER_AFTER)  # the days before have theirs

    await Bookkeeper(pool).tick(midnight)
    await ledger.grant(member, 5, "begun before midnight")
    await Bookkeeper(pool).tick(midnight + DAY_OVER_AFTER)

    assert "grant: 5 points in 1 transfers" in (await Bookkeeper(pool).report(today)).lines


async def test_who_waited_over_midnight_hides_nobody_who_overtook_him(pool, people, ledger, today):
    """His transfer is of the day before, and its number above thousands of the day after."""
    [member] = await people(1)
    midnight = datetime.combine(today + DAY, time(), UTC)
    await ledger.grant(member, 7, "after midnight")
    await pool.execute("SELECT setval('transfer_id_seq', 20000)")
    await ledger.grant(member, 5, "begun before it")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE transfer SET created_at = $1 WHERE amount = 7", midnight)

    reports = [await Bookkeeper(pool).report(day) for day in (today, today + DAY)]

    said = [report.lines[0] for report in reports]
    assert ["grant: 5 points in 1 transfers", "grant: 7 points in 1 transfers"] == said


async def test_an_audit_that_takes_too_long_is_tried_again_ever_later(pool, monkeypatch, tomorrow):
    keeper = Bookkeeper(pool)
    audits = []

    async def too_long():
        audits.append(1)
        raise StoreUnavailable("statement timeout")

    monkeypatch.setattr(keeper._ledger, "audit", too_long)
    now, pause = tomorrow, REPORT_AGAIN_MIN
    for tries in range(1, 13):
        with pytest.raises(StoreUnavailable):
            await keeper.tick(now)
        await keeper.tick(now + pause - timedelta(seconds=1))  # The seals go on meanwhile.
        assert len(audits) == tries
        now, pause = now + pause, min(2 * pause, REPORT_AGAIN_MAX)

    monkeypatch.undo()
    await keeper.tick(now)
    assert 1 == await pool.fetchval("SELECT count(*) FROM daily_report WHERE day = $1", last_day_over(now))


async def test_orders_that_need_somebody_are_in_the_report(pool, people, tomorrow):
    [member] = await people(1)
    noon = tomorrow - DAY
    made = []
    for state, at in (
        ("review", noon),
        ("voiding", noon - 2 * DAY),
        ("voiding", noon),  # under way, as it should be
        ("expired", noon - 2 * DAY),
    ):
        made.append(uuid.uuid4())
        await pool.execute(
            """
            INSERT INTO point_order (id, member_id, product, points, amount_won, provider, cid, state, created_at,
                                     state_at)
            VALUES ($1, $2, '100', 100, 1200, 'sandbox', 'T', $3, $4, $4)
            """,
            *(made[-1], member, state, at),
        )

    lines = (await Bookkeeper(pool).report(noon.date())).lines

    assert [
        f"orders that need a person: 1, {made[0]} among them",
        f"orders that hang in voiding: 1, {made[1]} among them",
    ] == [line for line in lines if line.startswith("orders")]


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
    async with asyncio.timeout(60):
        while ticks.qsize() < 3:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert "books_wait reason=store unavailable: away" in caplog.text
