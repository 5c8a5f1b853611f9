"""Hundreds of accidents, alone and together, and our own end at every await: money kept is points given, always.

`COMMEOW_ACCIDENTS=500 pytest tests/routes/test_top_up_accidents.py` by hand; a few dozen otherwise.
"""

import asyncio
import contextlib
import os
import random
import uuid

import pytest

from db.order import State
from db.order_errors import OrderError, ProviderAway
from tests.routes.cutting import cut
from tests.routes.far_side import Fault

ACCIDENTS = int(os.environ.get("COMMEOW_ACCIDENTS", "30"))
SEED = int(os.environ.get("COMMEOW_SEED", "20261126"))
# A walk has some twenty awaits; one that has hundreds does not end.
AWAITS_MAX = 100


@pytest.fixture
async def nabi(new_member):
    return (await new_member("나비")).id


async def test_a_coroutine_is_cut_at_each_of_its_awaits():
    seen = []

    async def three():
        for step in range(3):
            await asyncio.sleep(0)
            seen.append(step)

    assert [True, True, True, False] == [await cut(three(), at) for at in (1, 2, 3, 4)]
    assert [0, 0, 1, 0, 1, 2] == seen


async def test_our_end_at_every_await_between_ready_and_settled(shop, nabi):
    for fault in (None, Fault.LOST_AFTER, Fault.REFUSED_AFTER):
        paid = 0
        for at in range(1, AWAITS_MAX):
            order = await shop.place(nabi)
            before = await shop.balance(nabi)
            shop.far.planned.clear()
            shop.far.plan("approve", fault)
            happened = await cut(shop.top_ups.returned(order.id, await shop.agree(order)), at)
            await shop.settle()
            # Cut before the return was written down, nothing was taken; after that, the points come by themselves.
            order = await shop.orders.get(order.id)
            assert order.state in {State.PAID, State.EXPIRED}
            paid += order.state is State.PAID
            assert before + (100 if order.state is State.PAID else 0) == await shop.balance(nabi)
            if not happened:
                break
        else:
            pytest.fail("a walk without end")

        assert (order.state, paid > at / 2) == (State.PAID, True)


async def test_our_end_at_every_await_of_a_refund(shop, nabi):
    for at in range(1, AWAITS_MAX):
        order = await shop.place(nabi)
        await shop.top_ups.returned(order.id, await shop.agree(order))
        before = await shop.balance(nabi)
        happened = await cut(shop.top_ups.refund(nabi, order.id), at)
        await shop.settle()
        order = await shop.orders.get(order.id)
        assert order.state in {State.PAID, State.REFUNDED}
        assert before - (100 if order.state is State.REFUNDED else 0) == await shop.balance(nabi)
        if not happened:
            break
    else:
        pytest.fail("a walk without end")

    assert State.REFUNDED is order.state


async def test_our_end_at_every_await_of_an_order_and_of_the_background(shop, nabi):
    for at in range(1, AWAITS_MAX):
        order_id = uuid.uuid4()
        happened = await cut(shop.place(nabi, order_id=order_id), at)
        order = await shop.place(nabi, order_id=order_id)
        shop.far.plan("approve", Fault.LOST_AFTER)
        shop.far.plan("order", Fault.LOST_BEFORE)
        await shop.top_ups.returned(order.id, await shop.agree(order))
        shop.clock.forward(seconds=30)
        happened |= await cut(shop.top_ups.reconcile(), at)
        await shop.settle()
        assert State.PAID is (await shop.orders.get(order.id)).state
        if not happened:
            break
    else:
        pytest.fail("a walk without end")


ALL = [None, *(fault for fault in Fault if fault is not Fault.WRONG_AMOUNT)]


class Accident:
    """One order's life, thrown from a seed."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.seed = seed

    def faults(self, most):
        return self.dice.choices(ALL, weights=[6, *[1] * (len(ALL) - 1)], k=self.dice.randint(0, most))

    async def happen(self, shop, member_id):
        dice = self.dice
        # MUTE and LATE cost a time-out each: rarer where they cannot do anything new.
        shop.far.planned.clear()
        shop.far.plan("ready", *self.faults(1))
        shop.far.plan("approve", *([Fault.WRONG_AMOUNT] if dice.random() < 0.05 else self.faults(3)))
        shop.far.plan("order", *self.faults(4))
        shop.far.plan("cancel", *self.faults(3))
        order = await self.place(shop, member_id)
        if order is None or order.state is not State.READY:
            return
        tokens = ["forged"] * (dice.random() < 0.2)
        if dice.random() < 0.9:
            tokens += [await shop.agree(order)] * dice.randint(1, 3)
        elif dice.random() < 0.7:
            await shop.press(order, dice.choice(["cancel", "fail"]))
        dice.shuffle(tokens)
        await asyncio.gather(*(self.end(shop.top_ups.returned(order.id, token)) for token in tokens))
        if dice.random() < 0.3:
            await self.end(shop.top_ups.left(order.id))
        for _ in range(dice.randint(0, 3)):
            shop.clock.forward(seconds=dice.choice([1, 15, 40, 300, 1_200]))
            await self.end(shop.top_ups.reconcile())
        if dice.random() < 0.3:
            await shop.far.arrive()
        if dice.random() < 0.5:
            times = dice.randint(1, 2)
            await asyncio.gather(*(self.end(shop.top_ups.refund(member_id, order.id)) for _ in range(times)))

    async def place(self, shop, member_id):
        order_id = uuid.uuid4()
        for _ in range(2):
            try:
                return await shop.place(member_id, self.dice.choice(["100", "300"]), order_id)
            except ProviderAway:
                continue
            except OrderError:
                return None
        return None

    async def end(self, coroutine):
        """Let one of three calls be the last thing that a process of ours does."""
        if self.dice.random() < 0.3:
            await cut(coroutine, self.dice.randint(1, 60))
            return
        with contextlib.suppress(OrderError):
            await coroutine


async def test_whatever_happens_money_kept_is_points_given(shop, nabi):
    for number in range(ACCIDENTS):
        accident = Accident(f"{SEED}.{number}")
        try:
            await accident.happen(shop, nabi)
            await shop.settle()
            given = await shop.pool.fetchval("SELECT coalesce(sum(points), 0) FROM point_order WHERE state = 'paid'")
            assert given == await shop.balance(nabi)
            assert "review" not in await shop.orders.counts()
        except BaseException as error:
            error.add_note(f"accident {accident.seed}")
            raise
    ends = await shop.orders.counts()

    assert set(ends) <= {"paid", "refunded", "expired", "failed", "canceled", "voided"}, ends
    assert ends["paid"] > ACCIDENTS / 5
