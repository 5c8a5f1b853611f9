"""Orders that fit nothing: shown with what the other company says, ended by a person, and never against the money."""

import copy
import uuid

import pytest

from db.order import State, kept_won
from db.order_errors import OrderState, OrderUnknown, RulingUnfounded
from db.order_reviews import OrderReviews
from routes.reviews import Reviews
from tests.routes.far_side import Fault


@pytest.fixture
async def nabi(new_member):
    return (await new_member("나비")).id


@pytest.fixture
def reviews(shop):
    return Reviews(shop.orders, OrderReviews(shop.pool), shop.provider, now=shop.clock)


def named(provider, name):
    """The same provider under another name."""
    other = copy.copy(provider)
    other.name = name
    return other


@pytest.fixture
def reviewed(shop, nabi):
    """A function that makes an order which a person must look at, with its money taken or not."""

    async def walk(*, taken=True):
        order = await shop.place(nabi)
        token = await shop.agree(order)
        shop.far.plan("approve", Fault.DOWN_AFTER if taken else Fault.DOWN_BEFORE)
        shop.far.plan("order", Fault.LOST_BEFORE)
        await shop.top_ups.returned(order.id, token)
        # A clerk of the far side has mixed up two payments, and mends it when we have looked.
        await shop.pool.execute("UPDATE sandbox_payment SET order_id = 'x' || order_id WHERE tid = $1", order.tid)
        shop.clock.forward(seconds=30)
        await shop.top_ups.reconcile()
        await shop.pool.execute("UPDATE sandbox_payment SET order_id = substr(order_id, 2) WHERE tid = $1", order.tid)
        found = await shop.orders.get(order.id)
        assert State.REVIEW is found.state
        return found

    return walk


async def test_a_persons_word_is_held_against_the_money(shop, nabi, reviews, reviewed):
    taken, not_taken, strange = await reviewed(), await reviewed(taken=False), await reviewed()
    await shop.pool.execute("UPDATE sandbox_payment SET member_id = '0' WHERE tid = $1", strange.tid)
    kept = {order.id: kept_won(order, look) for order, look in await reviews.waiting()}
    assert {taken.id: 1_200, not_taken.id: 0, strange.id: None} == kept

    for order, credited in ((taken, False), (not_taken, True), (strange, True), (strange, False)):
        with pytest.raises(RulingUnfounded):
            await reviews.rule(order.id, credited=credited, reason="seen")
    assert {"review": 3} == await shop.orders.counts()

    await reviews.rule(taken.id, credited=True, reason="seen")
    await reviews.rule(not_taken.id, credited=False, reason="nothing was taken")
    await shop.pool.execute(
        "UPDATE sandbox_payment SET standing = 'canceled', canceled_won = captured_won WHERE tid = $1", strange.tid
    )
    await reviews.rule(strange.id, credited=False, reason="given back by hand", anyway=True)

    assert {"paid": 1, "voided": 2} == await shop.orders.counts()
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())
    for order in (taken, not_taken):
        with pytest.raises(OrderState):
            await reviews.rule(order.id, credited=True, reason="again")
    with pytest.raises(OrderUnknown):
        await reviews.rule(uuid.uuid4(), credited=True, reason="seen")
    await shop.settle()


async def test_a_review_of_another_provider_is_shown_and_ended_without_asking(shop, nabi, reviewed):
    order = await reviewed()
    elsewhere = Reviews(shop.orders, OrderReviews(shop.pool), named(shop.provider, "kakaopay"), now=shop.clock)

    assert [(order.id, None)] == [(each.id, look) for each, look in await elsewhere.waiting()]
    with pytest.raises(RulingUnfounded):
        await elsewhere.rule(order.id, credited=True, reason="seen")
    await elsewhere.rule(order.id, credited=True, reason="seen on their site", anyway=True)

    await shop.settle()


async def test_what_a_change_of_providers_leaves_behind_is_told_at_the_start(shop, nabi, reviews, caplog):
    order = await shop.place(nabi, "300")
    await shop.top_ups.returned(order.id, await shop.agree(order))
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.LOST_BEFORE)
    await shop.top_ups.returned(order.id, await shop.agree(order))
    caplog.clear()

    await reviews.warn_of_others(frozenset())
    assert [] == caplog.records
    elsewhere = Reviews(shop.orders, OrderReviews(shop.pool), named(shop.provider, "kakaopay"))
    await elsewhere.warn_of_others(frozenset({"sandbox", "kakaopay-test"}))

    left_behind, practice = [record.getMessage() for record in caplog.records]
    assert "provider=sandbox orders=1" in left_behind
    assert "set COMMEOW_PAYMENTS=sandbox" in left_behind
    assert "points=300" in practice
