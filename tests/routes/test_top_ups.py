"""Orders and the other company: every road from a click to points and back, and every accident on it."""

import asyncio
import copy
import logging
import uuid

import pytest

from db.errors import StoreUnavailable
from db.order import ALARM_AFTER, IN_FLIGHT_MAX, LATE_LOOK, LIFETIME, REFUND_TIME, Standing, State
from db.order_errors import (
    OrderExpired,
    OrderIdReused,
    OrderState,
    OrderUnknown,
    ProviderAway,
    ProviderDeclined,
    ProviderOther,
    RefundDeclined,
    RefundLate,
    RefundShort,
    TokenRefused,
)
from db.product import ProductUnknown
from routes import top_ups as top_ups_module
from routes.top_ups import TopUps, utc_now
from tests.routes.far_side import Fault


@pytest.fixture
async def nabi(new_member):
    return (await new_member("나비")).id


@pytest.fixture
def paid(shop, nabi):
    """A function that walks an order to its points."""

    async def walk(product="100"):
        order = await shop.place(nabi, product)
        return await shop.top_ups.returned(order.id, await shop.agree(order))

    return walk


# The way everybody goes.


async def test_money_taken_is_points_given(shop, nabi):
    order = await shop.place(nabi, "300")
    assert order.state is State.READY
    token = await shop.agree(order)

    paid = await shop.top_ups.returned(order.id, token)

    assert paid.state is State.PAID
    assert (300, 3_500) == (await shop.balance(nabi), await shop.money())
    assert shop.far.calls == {"ready": 1, "approve": 1}

    refunded = await shop.top_ups.refund(nabi, order.id)
    assert refunded.state is State.REFUNDED
    assert (0, 0) == (await shop.balance(nabi), await shop.money())
    await shop.settle()


async def test_the_same_order_again_is_the_same_order(shop, nabi):
    order = await shop.place(nabi)

    assert order == await shop.place(nabi, order_id=order.id)
    assert shop.far.calls == {"ready": 1}
    with pytest.raises(OrderIdReused):
        await shop.place(nabi, "300", order_id=order.id)
    with pytest.raises(ProductUnknown):
        await shop.place(nabi, "101")


async def test_an_order_clicked_twenty_times_is_one_payment(shop, nabi):
    order_id = uuid.uuid4()

    placed = await asyncio.gather(*(shop.place(nabi, order_id=order_id) for _ in range(20)))

    assert 1 == len({order.tid for order in placed})
    await shop.top_ups.returned(order_id, await shop.agree(placed[0]))
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())


async def test_twenty_returns_at_once_and_twenty_after_give_the_points_once(shop, nabi):
    order = await shop.place(nabi)
    token = await shop.agree(order)

    at_once = await asyncio.gather(*(shop.top_ups.returned(order.id, token) for _ in range(20)))
    after = await asyncio.gather(*(shop.top_ups.returned(order.id, token) for _ in range(20)))

    assert {State.APPROVING, State.PAID} >= {each.state for each in at_once}
    assert {State.PAID} == {each.state for each in after}
    assert 1 == shop.far.calls["approve"]
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())


# What goes wrong on the way.

TAKEN = [Fault.LOST_AFTER, Fault.DOWN_AFTER, Fault.REFUSED_AFTER, Fault.GARBLED, Fault.MUTE_AFTER]
NOT_TAKEN = [Fault.LOST_BEFORE, Fault.DOWN_BEFORE, Fault.REFUSED, Fault.MUTE_BEFORE]


async def test_money_whose_answer_was_lost_is_found_at_once(shop, nabi):
    for fault in TAKEN:
        order = await shop.place(nabi)
        shop.far.plan("approve", fault)
        found = await shop.top_ups.returned(order.id, await shop.agree(order))
        assert (State.PAID, True) == (found.state, found.receipt is not None), fault

    await shop.settle()
    assert 100 * len(TAKEN) == await shop.balance(nabi)


async def test_money_that_was_not_taken_is_asked_for_again(shop, nabi):
    for fault in NOT_TAKEN:
        order = await shop.place(nabi)
        shop.far.plan("approve", fault)
        found = await shop.top_ups.returned(order.id, await shop.agree(order))
        assert State.APPROVING is found.state, fault
        shop.clock.forward(seconds=30)
        await shop.top_ups.reconcile()
        assert State.PAID is (await shop.orders.get(order.id)).state, fault

    await shop.settle()
    assert 100 * len(NOT_TAKEN) == await shop.balance(nabi)


async def test_an_answer_and_its_look_both_lost_are_found_later(shop, nabi):
    for fault in (*TAKEN, *NOT_TAKEN):
        order = await shop.place(nabi)
        shop.far.plan("approve", fault)
        shop.far.plan("order", Fault.LOST_BEFORE, Fault.DOWN_BEFORE, Fault.REFUSED, Fault.GARBLED)
        assert State.APPROVING is (await shop.top_ups.returned(order.id, await shop.agree(order))).state, fault
        await shop.settle()
        assert State.PAID is (await shop.orders.get(order.id)).state, fault

    assert 100 * len((*TAKEN, *NOT_TAKEN)) == await shop.balance(nabi)


async def test_an_approval_that_arrives_late_is_neither_lost_nor_taken_twice(shop, nabi):
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.LATE)
    assert State.APPROVING is (await shop.top_ups.returned(order.id, await shop.agree(order))).state

    shop.clock.forward(seconds=30)
    await shop.top_ups.reconcile()  # A second one, which takes it.
    await shop.far.arrive()

    assert 2 == shop.far.calls["approve"]
    await shop.settle()
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())


async def test_an_approval_that_arrives_when_all_hope_is_gone_still_gives_the_points(shop, nabi):
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.LATE)
    await shop.top_ups.returned(order.id, await shop.agree(order))
    shop.clock.forward(seconds=(LIFETIME + IN_FLIGHT_MAX).total_seconds())
    await shop.top_ups.reconcile()
    assert State.EXPIRED is (await shop.orders.get(order.id)).state

    await shop.far.arrive()  # Later than any network keeps a request: once more we look.
    shop.clock.forward(seconds=LATE_LOOK.total_seconds())
    await shop.top_ups.reconcile()

    assert State.PAID is (await shop.orders.get(order.id)).state
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())
    await shop.settle()


async def test_another_amount_goes_back_without_points(shop, nabi):
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.WRONG_AMOUNT)

    assert State.VOIDING is (await shop.top_ups.returned(order.id, await shop.agree(order))).state
    assert 1_300 == await shop.money()
    shop.far.plan("cancel", Fault.LOST_BEFORE, Fault.REFUSED, Fault.LOST_AFTER)
    await shop.settle()

    assert State.VOIDED is (await shop.orders.get(order.id)).state
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


@pytest.mark.parametrize(("column", "value"), [("order_id", "another"), ("member_id", "0"), ("canceled_won", 100)])
async def test_a_payment_that_is_not_the_orders_is_for_a_person(shop, nabi, caplog, column, value):
    order = await shop.place(nabi)
    token = await shop.agree(order)
    shop.far.plan("approve", Fault.DOWN_AFTER)
    shop.far.plan("order", Fault.LOST_BEFORE)
    await shop.top_ups.returned(order.id, token)
    await shop.pool.execute(f"UPDATE sandbox_payment SET {column} = $1", value)
    shop.clock.forward(seconds=30)

    with caplog.at_level(logging.ERROR):
        await shop.top_ups.reconcile()

    assert State.REVIEW is (await shop.orders.get(order.id)).state
    assert f"needs a person order={order.id}" in caplog.text
    assert 0 == await shop.balance(nabi)
    shop.clock.forward(days=1)
    assert 0 == await shop.top_ups.reconcile_all()


async def test_an_order_that_ends_with_a_person_is_told_wherever_it_ends(shop, nabi, caplog):
    order = await shop.place(nabi)
    token = await shop.agree(order)
    shop.far.plan("approve", Fault.DOWN_AFTER)
    await shop.pool.execute("UPDATE sandbox_payment SET order_id = 'another'")

    with caplog.at_level(logging.ERROR):
        assert State.REVIEW is (await shop.top_ups.returned(order.id, token)).state

    assert f"needs a person order={order.id} was=approving" in caplog.text


async def test_a_forged_token_leaves_the_order_to_its_customer(shop, nabi):
    order = await shop.place(nabi)

    for token in ("forged", "again"):
        with pytest.raises(TokenRefused):
            await shop.top_ups.returned(order.id, token)
        assert State.READY is (await shop.orders.get(order.id)).state

    assert State.PAID is (await shop.top_ups.returned(order.id, await shop.agree(order))).state


async def test_a_forged_token_cannot_push_the_right_one_away(shop, nabi):
    order = await shop.place(nabi)
    token = await shop.agree(order)

    assert State.APPROVING is (await shop.top_ups.returned(order.id, "forged")).state  # The customer has agreed: wait.
    assert State.APPROVING is (await shop.top_ups.returned(order.id, token)).state
    shop.clock.forward(seconds=30)
    await shop.top_ups.reconcile()

    assert State.PAID is (await shop.orders.get(order.id)).state
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())


async def test_a_forged_token_that_comes_while_the_right_one_is_unanswered_spoils_nothing(shop, nabi):
    order = await shop.place(nabi)
    token = await shop.agree(order)
    shop.far.plan("approve", Fault.LOST_BEFORE)
    shop.far.plan("order", Fault.LOST_BEFORE)
    assert State.APPROVING is (await shop.top_ups.returned(order.id, token)).state

    for forged in ("forged", "forged too"):
        assert token == (await shop.top_ups.returned(order.id, forged)).pg_token
    shop.clock.forward(seconds=30)
    await shop.top_ups.reconcile()

    assert State.PAID is (await shop.orders.get(order.id)).state
    assert {"ready": 1, "approve": 2, "order": 2} == shop.far.calls


async def test_the_right_token_has_its_turn_when_a_forged_one_was_first_and_unanswered(shop, nabi):
    order = await shop.place(nabi)
    token = await shop.agree(order)
    shop.far.plan("approve", Fault.LOST_BEFORE)
    shop.far.plan("order", Fault.LOST_BEFORE)
    assert State.APPROVING is (await shop.top_ups.returned(order.id, "forged")).state
    assert State.APPROVING is (await shop.top_ups.returned(order.id, token)).state

    for _ in range(2):
        shop.clock.forward(seconds=40)
        await shop.top_ups.reconcile()

    assert State.PAID is (await shop.orders.get(order.id)).state
    await shop.settle()


# Who does not pay.


async def test_who_gives_up_has_paid_nothing(shop, nabi):
    for button, state in (("cancel", State.CANCELED), ("fail", State.FAILED)):
        order = await shop.place(nabi)
        await shop.press(order, button)
        assert state is (await shop.top_ups.left(order.id)).state
        assert state is (await shop.top_ups.left(order.id)).state
        # A token from elsewhere does not wake it.
        assert state is (await shop.top_ups.returned(order.id, "token")).state
    await shop.settle()
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


async def test_a_hint_that_cannot_be_looked_up_is_none(shop, nabi):
    order = await shop.place(nabi)
    shop.far.plan("order", Fault.LOST_BEFORE)

    assert order == await shop.top_ups.left(order.id)
    assert State.READY is (await shop.top_ups.left(order.id)).state


async def test_who_never_comes_back_has_an_order_that_expires(shop, nabi):
    agreed, ignored = await shop.place(nabi), await shop.place(nabi)
    token = await shop.agree(agreed)
    shop.clock.forward(seconds=LIFETIME.total_seconds() - 1)
    assert 0 == await shop.top_ups.reconcile_all()
    shop.clock.forward(seconds=1)
    assert 2 == await shop.top_ups.reconcile_all()

    for order in (agreed, ignored):
        assert State.EXPIRED is (await shop.orders.get(order.id)).state
        with pytest.raises(OrderExpired):
            await shop.top_ups.returned(order.id, token)
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


async def test_a_provider_that_is_away_has_begun_nothing_that_counts(shop, nabi):
    for fault in (*TAKEN, Fault.LOST_BEFORE, Fault.DOWN_BEFORE, Fault.MUTE_BEFORE):
        order_id = uuid.uuid4()
        shop.far.plan("ready", fault)
        expected = ProviderDeclined if fault is Fault.REFUSED_AFTER else ProviderAway
        with pytest.raises(expected):
            await shop.place(nabi, order_id=order_id)
        if expected is ProviderAway:
            assert State.READY is (await shop.place(nabi, order_id=order_id)).state
    never = uuid.uuid4()
    shop.far.plan("ready", Fault.LOST_BEFORE)
    with pytest.raises(ProviderAway):
        await shop.place(nabi, order_id=never)

    await shop.settle()
    assert State.EXPIRED is (await shop.orders.get(never)).state
    assert State.EXPIRED is (await shop.place(nabi, order_id=never)).state
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


# The way back.


async def test_a_refund_whose_answer_was_lost_is_found(shop, nabi, paid):
    for fault in TAKEN:
        order = await paid()
        shop.far.plan("cancel", fault)
        assert State.REFUNDED is (await shop.top_ups.refund(nabi, order.id)).state, fault

    assert (0, 0) == (await shop.balance(nabi), await shop.money())
    await shop.settle()


async def test_a_refund_that_was_not_heard_is_asked_for_again(shop, nabi, paid):
    for fault in (Fault.LOST_BEFORE, Fault.DOWN_BEFORE, Fault.MUTE_BEFORE):
        order = await paid()
        shop.far.plan("cancel", fault)
        assert State.REFUNDING is (await shop.top_ups.refund(nabi, order.id)).state, fault
        assert 0 == await shop.balance(nabi)
        assert State.REFUNDING is (await shop.top_ups.refund(nabi, order.id)).state
        await shop.settle()
        assert State.REFUNDED is (await shop.orders.get(order.id)).state, fault
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


async def test_a_refund_that_is_declined_gives_the_points_back(shop, nabi, paid):
    order = await paid()
    shop.far.plan("cancel", Fault.REFUSED)

    with pytest.raises(RefundDeclined):
        await shop.top_ups.refund(nabi, order.id)

    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())
    await shop.settle()
    assert State.PAID is (await shop.orders.get(order.id)).state
    assert State.REFUNDED is (await shop.top_ups.refund(nabi, order.id)).state
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


async def test_points_are_not_given_back_while_a_call_may_still_take_the_money_away(shop, nabi, paid):
    order = await paid()
    shop.far.plan("cancel", Fault.LATE, Fault.REFUSED, Fault.REFUSED)
    assert State.REFUNDING is (await shop.top_ups.refund(nabi, order.id)).state

    for _ in range(2):  # Two refusals, but the first call is still on its way.
        shop.clock.forward(minutes=1)
        await shop.top_ups.reconcile()
        assert State.REFUNDING is (await shop.orders.get(order.id)).state
    await shop.far.arrive()
    await shop.settle()

    assert State.REFUNDED is (await shop.orders.get(order.id)).state
    assert (0, 0) == (await shop.balance(nabi), await shop.money())


async def test_twenty_refunds_at_once_are_one(shop, nabi, paid):
    order = await paid()
    await paid()

    answers = await asyncio.gather(*(shop.top_ups.refund(nabi, order.id) for _ in range(20)), return_exceptions=True)

    assert {State.REFUNDING, State.REFUNDED} >= {each.state for each in answers}
    assert (100, 1_200) == (await shop.balance(nabi), await shop.money())


async def test_two_refunds_at_once_never_give_points_for_money_that_went(shop, nabi, paid):
    # Found by throwing accidents: one call refused and another one, of the second click, still on its way.
    for _ in range(5):
        order = await paid()
        shop.far.planned.clear()
        shop.far.plan("cancel", Fault.REFUSED)
        await asyncio.gather(*(shop.top_ups.refund(nabi, order.id) for _ in range(3)), return_exceptions=True)
        # Only who took the points asks for the money: a click that came after the refusal has taken them anew.
        taken = await shop.pool.fetchval(
            """
            SELECT count(*) FROM point_order_transfer l JOIN transfer t ON t.id = l.transfer_id AND t.kind = 21
            WHERE l.order_id = $1
            """,
            order.id,
        )
        assert taken == shop.far.calls["cancel"]
        shop.far.calls.clear()
        await shop.settle()


async def test_what_cannot_be_taken_back_is_said(shop, nabi, paid, new_member):
    order, ready = await paid(), await shop.place(nabi)
    with pytest.raises(OrderUnknown):
        await shop.top_ups.refund((await new_member("other")).id, order.id)
    with pytest.raises(OrderUnknown):
        await shop.top_ups.refund(nabi, uuid.uuid4())
    with pytest.raises(OrderState):
        await shop.top_ups.refund(nabi, ready.id)
    shop.clock.forward(seconds=REFUND_TIME.total_seconds() + 1)
    with pytest.raises(RefundLate):
        await shop.top_ups.refund(nabi, order.id)
    fresh = await paid()
    await shop.spend(nabi, 150)
    with pytest.raises(RefundShort):
        await shop.top_ups.refund(nabi, fresh.id)
    assert (50, 2_400) == (await shop.balance(nabi), await shop.money())


async def test_money_that_vanished_after_a_declined_refund_is_for_a_person(shop, nabi, paid):
    order = await paid()
    shop.far.plan("cancel", Fault.REFUSED)
    with pytest.raises(RefundDeclined):
        await shop.top_ups.refund(nabi, order.id)
    await shop.pool.execute("UPDATE sandbox_payment SET standing = $1, canceled_won = captured_won", Standing.CANCELED)
    shop.clock.forward(seconds=LATE_LOOK.total_seconds())

    await shop.top_ups.reconcile()

    assert State.REVIEW is (await shop.orders.get(order.id)).state


# The background, and other providers.


async def test_another_providers_orders_are_left_alone(shop, nabi, paid):
    order, ready = await paid(), await shop.place(nabi)
    other = TopUps(shop.orders, replace_name(shop.provider, "kakaopay"), now=shop.clock)
    shop.clock.forward(days=1)

    assert 0 == await other.reconcile_all()
    for call in (other.refund(nabi, order.id), other.returned(ready.id, "token"), other.left(ready.id)):
        with pytest.raises(ProviderOther):
            await call
    assert ready == await shop.orders.get(ready.id)


def replace_name(provider, name):
    """The same provider under another name."""
    other = copy.copy(provider)
    other.name = name
    return other


async def test_two_reconcilers_share_the_work(shop, nabi):
    orders = [await shop.place(nabi) for _ in range(6)]
    for order in orders:
        shop.far.plan("approve", Fault.LOST_BEFORE)
        await shop.top_ups.returned(order.id, await shop.agree(order))
    shop.clock.forward(seconds=30)
    shop.far.calls.clear()

    looked_at = await asyncio.gather(*(shop.top_ups.reconcile_all() for _ in range(2)))

    assert 6 == sum(looked_at)
    assert {"order": 6, "approve": 6} == shop.far.calls
    assert (600, 7_200) == (await shop.balance(nabi), await shop.money())


async def test_one_order_nobody_understands_does_not_stop_the_others(shop, nabi, monkeypatch, caplog):
    orders = [await shop.place(nabi) for _ in range(3)]
    shop.clock.forward(seconds=LIFETIME.total_seconds())
    look = shop.provider.look

    async def stumble(order):
        if order.id == orders[0].id:
            raise ZeroDivisionError
        if order.id == orders[1].id:
            raise StoreUnavailable("gone")
        return await look(order)

    monkeypatch.setattr(shop.provider, "look", stumble)
    assert 3 == await shop.top_ups.reconcile()

    assert {"ready": 2, "expired": 1} == await shop.orders.counts()
    assert "ZeroDivisionError" in caplog.text
    assert f"order={orders[1].id} why=store unavailable: gone" in caplog.text


async def test_an_order_that_hangs_for_a_day_is_told_at_every_look(shop, nabi, caplog):
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.LOST_AFTER)
    shop.far.plan("order", *[Fault.DOWN_BEFORE] * 4)
    await shop.top_ups.returned(order.id, await shop.agree(order))
    shop.clock.forward(hours=1)
    await shop.top_ups.reconcile()
    assert "hangs" not in caplog.text

    shop.clock.forward(seconds=ALARM_AFTER.total_seconds())
    await shop.top_ups.reconcile()

    assert f"hangs order={order.id} state=approving" in caplog.text
    assert State.APPROVING is (await shop.orders.get(order.id)).state  # And is looked at for ever.


async def test_the_operator_need_not_wait_for_the_next_look(shop, nabi):
    order = await shop.place(nabi)
    shop.far.plan("approve", Fault.LOST_AFTER)
    shop.far.plan("order", *[Fault.DOWN_BEFORE] * 2)
    await shop.top_ups.returned(order.id, await shop.agree(order))

    assert 1 == await shop.top_ups.hurry()
    assert 1 == await shop.top_ups.hurry()
    assert State.PAID is (await shop.orders.get(order.id)).state


async def test_the_background_looks_on_when_the_store_was_away(shop, monkeypatch):
    rounds = asyncio.Queue()

    async def reconcile_all():
        rounds.put_nowait(None)
        if rounds.qsize() == 1:
            raise StoreUnavailable("gone")
        return 0

    monkeypatch.setattr(shop.top_ups, "reconcile_all", reconcile_all)
    monkeypatch.setattr(top_ups_module, "RECONCILE_SECONDS", 0)
    task = asyncio.create_task(shop.top_ups.run())
    async with asyncio.timeout(60):
        while rounds.qsize() < 3:
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_the_clock_is_of_the_whole_world():
    assert utc_now().utcoffset().total_seconds() == 0
