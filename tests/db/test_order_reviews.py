"""What a person decides of an order, in a real PostgreSQL: points, state and reason together, or not at all."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from db.ledger import Ledger
from db.order import Event, Links, Look, Standing, State
from db.order_errors import MemberGone, OrderState, RefundShort
from db.order_reviews import OrderReviews
from db.orders import Orders
from db.product import product
from db.transfer import donation

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def orders(pool):
    return Orders(pool)


@pytest.fixture
def reviews(pool):
    return OrderReviews(pool)


@pytest.fixture
def make(orders):
    """A function that makes an order and walks it to a state."""

    async def walk(member_id, state):
        order = await orders.create(uuid.uuid4(), member_id, product("100"), provider="sandbox", cid="T", now=NOON)
        order = await orders.readied(order, f"T{order.id}", Links("pc", "mobile", "app"), NOON)
        if state is State.READY:
            return order
        order, _ = await orders.returned(order, "token", NOON)
        if state is State.PAID:
            look = Look(standing=Standing.CAPTURED, order_id=str(order.id), member_id=str(member_id), total_won=1_200)
            return await orders.move(order, Event.CAPTURED, NOON, look)
        return order

    return walk


async def balance(pool, member_id):
    return await pool.fetchval("SELECT balance FROM account WHERE id = $1", member_id * 16 + 1)


@pytest.fixture
def reviewed(orders, make, pool):
    """A function that makes an order which a person must look at, from a state it was in before."""

    async def walk(member_id, before):
        order = await make(member_id, State.PAID if before is State.REFUNDING else before)
        if before is State.REFUNDING:
            order = await orders.move(order, Event.REFUND_ASKED, NOON)
        return await orders.move(order, Event.STRANGE, NOON)

    return walk


@pytest.mark.parametrize("before", [State.APPROVING, State.PAID, State.REFUNDING])
async def test_a_person_ends_a_review_with_the_points_or_without(pool, people, orders, reviews, reviewed, before):
    [nabi] = await people(1)
    credited, closed = [await reviewed(nabi, before) for _ in range(2)]
    given = await balance(pool, nabi)

    answers = await asyncio.gather(
        *(reviews.rule(credited, Event.CREDITED, "seen", 1_200, NOON + SECOND) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(each) for each in answers].count(OrderState) == 4
    found = await reviews.rule(closed, Event.CLOSED, "given back by hand", 0, NOON + SECOND)

    assert (State.PAID, State.VOIDED) == ((await orders.get(credited.id)).state, found.state)
    assert (200 if before is State.PAID else 0, 100) == (given, await balance(pool, nabi))
    rows = await pool.fetch("SELECT credited, reason, kept_won FROM point_order_ruling ORDER BY id")
    assert [(True, "seen", 1_200), (False, "given back by hand", 0)] == [tuple(row) for row in rows]
    assert 0 == await pool.fetchval("SELECT count(*) FROM point_order WHERE next_check_at IS NOT NULL")
    assert [] == await Ledger(pool).audit()
    # What is paid by a person's word is given back like any other.
    refunding, mine = await orders.refund_asked(await orders.get(credited.id), NOON + SECOND)
    assert (True, State.REFUNDING, 0) == (mine, refunding.state, await balance(pool, nabi))


async def test_a_ruling_that_cannot_be_leaves_everything_as_it_was(pool, people, orders, reviews, reviewed):
    nabi, streamer = await people(2)
    spent, late = await reviewed(nabi, State.PAID), await reviewed(streamer, State.APPROVING)
    async with Ledger(pool) as ledger:
        await ledger.give(donation(uuid.uuid4(), nabi, streamer, 60, ""), b"{}")
    await pool.execute("UPDATE member SET erased_at = now() WHERE id = $1", streamer)

    with pytest.raises(RefundShort):
        await reviews.rule(spent, Event.CLOSED, "given back by hand", 0, NOON)
    with pytest.raises(MemberGone):
        await reviews.rule(late, Event.CREDITED, "seen", 1_200, NOON)

    assert [State.REVIEW] * 2 == [(await orders.get(each.id)).state for each in (spent, late)]
    assert {State.REVIEW: (2, NOON)} == await reviews.unsettled()
    assert {spent.id, late.id} == {each.id for each in await reviews.waiting()}
    assert 0 == await pool.fetchval("SELECT count(*) FROM point_order_ruling")


async def test_what_other_providers_have_left_behind_is_counted(people, orders, reviews, make):
    [nabi] = await people(1)
    for state in (State.READY, State.APPROVING, State.PAID, State.PAID):
        await make(nabi, state)

    # Not under way any more, and still to be looked at: money that came late must be seen.
    await orders.move(await make(nabi, State.APPROVING), Event.FAILED, NOON)

    assert ({}, {"sandbox": 2}) == (await reviews.abandoned("sandbox"), await reviews.abandoned("kakaopay"))
    assert (200, 0) == (await reviews.points_of({"sandbox", "x"}), await reviews.points_of(set()))
