"""The sandbox's memory: every step once, and only where it fits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db.order import Standing
from db.sandbox_payments import SandboxPayments

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def payments(pool):
    return SandboxPayments(pool)


@pytest.fixture
def begin(payments):
    async def make(tid="T1"):
        return await payments.begin(
            tid,
            cid="TC0ONETIME",
            order_id="order",
            member_id="3",
            item="100P",
            total_won=1_200,
            vat_won=109,
            approval_url="https://shop/return",
            cancel_url="https://shop/cancel",
            fail_url="https://shop/fail",
            now=NOON,
        )

    return make


async def authorise(payments, tid="T1", token="token"):
    return await payments.authorise(tid, token, after=NOON - timedelta(seconds=1))


async def test_a_payment_is_agreed_to_taken_and_given_back(payments, begin):
    begun = await begin()
    assert (Standing.WAITING, 0, None) == (begun.standing, begun.captured_won, begun.pg_token)
    assert begun == await payments.find("T1")
    assert "01012345678" == (await payments.send("T1", "01012345678")).phone
    assert "token" == (await authorise(payments)).pg_token
    taken = await payments.capture("T1", "token", 1_200, "A1", now=NOON)
    assert (Standing.CAPTURED, 1_200, "A1", NOON) == (taken.standing, taken.captured_won, taken.aid, taken.approved_at)
    part = await payments.cancel("T1", 200, None, now=NOON)
    assert (Standing.PART_CANCELED, 200) == (part.standing, part.canceled_won)
    assert Standing.CANCELED is (await payments.cancel("T1", 1_000, 1_000, now=NOON)).standing


async def test_what_does_not_fit_is_not_done(payments, begin):
    await begin()
    assert await payments.find("T2") is None
    assert await payments.capture("T1", "token", 1_200, "A1", now=NOON) is None
    assert await payments.authorise("T1", "token", after=NOON) is None  # Its time is over.
    await authorise(payments)
    assert await authorise(payments, token="another") is None
    assert await payments.send("T1", "01012345678") is None
    assert await payments.give_up("T1", Standing.QUIT) is None
    assert await payments.capture("T1", "another", 1_200, "A1", now=NOON) is None
    await payments.capture("T1", "token", 1_200, "A1", now=NOON)
    for won, available in ((0, None), (-1, None), (1_201, None), (1_200, 1_199), (1_000, 1_000)):
        assert await payments.cancel("T1", won, available, now=NOON) is None
    assert 0 == (await payments.find("T1")).canceled_won


@pytest.mark.parametrize("standing", [Standing.QUIT, Standing.FAILED])
async def test_a_payment_that_was_given_up_stays_so(payments, begin, standing):
    await begin()

    assert standing is (await payments.give_up("T1", standing)).standing
    assert await authorise(payments) is None


async def test_of_twenty_at_once_one_takes_and_one_gives_back(payments, begin):
    await begin()
    await authorise(payments)

    taken = await asyncio.gather(*(payments.capture("T1", "token", 1_200, "A", now=NOON) for _ in range(20)))
    back = await asyncio.gather(*(payments.cancel("T1", 1_200, 1_200, now=NOON) for _ in range(20)))

    assert 19 == taken.count(None) == back.count(None)
