"""Orders in a real PostgreSQL: each step once, points and state together or not at all."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db.errors import StoreUnavailable
from db.ledger import Ledger
from db.order import LEASE, LIFETIME, Event, Links, Look, Rest, Standing, State, look_again, next_look
from db.order_errors import OrderIdReused, OrderUnknown, RefundShort
from db.orders import ORDERS_MAX, Orders
from db.pool import open_pool
from db.product import product
from db.transfer import WalletUnknown

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LINKS = Links("https://pay/pc", "https://pay/mobile", "https://pay/app")
SECOND = timedelta(seconds=1)


@pytest.fixture
def orders(pool):
    return Orders(pool)


@pytest.fixture
def make(orders):
    """A function that makes an order and walks it to a state."""

    async def walk(member_id, state=State.READY, *, product_id="100", now=NOON, order_id=None):
        order = await orders.create(
            order_id or uuid.uuid4(), member_id, product(product_id), provider="sandbox", cid="T", now=now
        )
        if state is State.CREATED:
            return order
        order = await orders.readied(order, f"T{order.id}", LINKS, now)
        if state is State.READY:
            return order
        order, mine = await orders.returned(order, "token", now)
        assert mine
        if state is State.PAID:
            order = await orders.move(order, Event.CAPTURED, now, look(order))
        assert order.state is state
        return order

    return walk


def look(order, **fields):
    return Look(
        **{
            "standing": Standing.CAPTURED,
            "order_id": str(order.id),
            "member_id": str(order.member_id),
            "total_won": order.amount_won,
            "receipt": "A1",
            "method": "MONEY",
            **fields,
        }
    )


async def balance(pool, member_id):
    return await pool.fetchval("SELECT balance FROM account WHERE id = $1", member_id * 16 + 1)


async def due_at(pool, order):
    return await pool.fetchval("SELECT next_check_at FROM point_order WHERE id = $1", order.id)


async def test_an_order_is_written_down_once(pool, people, orders, make):
    nabi, other = await people(2)
    order = await make(nabi, State.CREATED)

    assert (100, 1_200, "sandbox", "T", State.CREATED, NOON) == (
        *(order.points, order.amount_won, order.provider, order.cid, order.state, order.created_at),
    )
    assert order.expires_at == NOON + LIFETIME == await due_at(pool, order)
    assert order == await make(nabi, State.CREATED, order_id=order.id, now=NOON + SECOND)
    for member_id, product_id in ((nabi, "300"), (other, "100")):
        with pytest.raises(OrderIdReused):
            await make(member_id, State.CREATED, product_id=product_id, order_id=order.id)
    assert order == await orders.get(order.id)
    assert await orders.find(uuid.uuid4()) is None
    with pytest.raises(OrderUnknown):
        await orders.get(uuid.uuid4())
    with pytest.raises(WalletUnknown):
        await make(10**9, State.CREATED)


async def test_of_two_payments_begun_for_one_order_the_first_counts(people, orders, make):
    [nabi] = await people(1)
    order = await make(nabi, State.CREATED)

    first, second = await asyncio.gather(
        orders.readied(order, "T1", LINKS, NOON), orders.readied(order, "T2", Links("a", "b", "c"), NOON)
    )

    assert first.state is State.READY
    assert first.tid == second.tid
    assert first.links == second.links


async def test_one_caller_of_twenty_gets_the_approval(pool, people, orders, make):
    [nabi] = await people(1)
    order = await make(nabi)

    answers = await asyncio.gather(*(orders.returned(order, "token", NOON + SECOND) for _ in range(20)))

    assert [mine for _, mine in answers].count(True) == 1
    assert {State.APPROVING} == {found.state for found, _ in answers}
    claimed = next(found for found, mine in answers if mine)
    assert (claimed.pg_token, claimed.returned_at, claimed.unheard_at) == ("token", NOON + SECOND, NOON + SECOND)
    assert await due_at(pool, order) == NOON + SECOND + LEASE


async def test_a_second_token_waits_until_the_first_came_to_nothing(people, orders, make):
    [nabi] = await people(1)
    order = await make(nabi, State.APPROVING)

    found, mine = await orders.returned(order, "another", NOON + SECOND)

    assert (False, "token", "another", NOON + SECOND) == (mine, found.pg_token, found.spare_token, found.returned_at)
    assert (found.unheard_at, found.calls) == (NOON, order.calls + 1)  # The first call is still on its way.
    # What was seen before the second token came ends nothing.
    assert State.APPROVING is (await orders.move(order, Event.REOPENED, NOON + SECOND)).state
    # The same again, and the first again, are nothing new.
    for token in ("another", "token"):
        assert (found, False) == await orders.returned(order, token, NOON + 2 * SECOND)

    await orders.token_refused(order)
    await orders.token_refused(order)  # only of the token that was tried
    turned = await orders.get(order.id)
    assert ("another", "token") == (turned.pg_token, turned.spare_token)
    await orders.token_refused(turned)
    assert ("token", "another") == ((await orders.get(order.id)).pg_token, (await orders.get(order.id)).spare_token)


async def test_points_and_state_come_together_and_once(pool, people, orders, make):
    [nabi] = await people(1)
    order = await make(nabi, State.APPROVING)

    moved = await asyncio.gather(*(orders.move(order, Event.CAPTURED, NOON, look(order)) for _ in range(20)))

    assert {State.PAID} == {each.state for each in moved}
    assert 100 == await balance(pool, nabi)
    paid = moved[0]
    assert ("A1", "MONEY", NOON, None, None) == (
        *(paid.receipt, paid.method, paid.paid_at, paid.pg_token, paid.unheard_at),
    )
    assert await due_at(pool, paid) is None
    [entry] = await Ledger(pool).history(nabi)
    assert ("top_up", "points", 100, 100) == (entry.kind, entry.account, entry.points, entry.balance_after)
    assert entry.id == paid.transfer_id


async def test_a_refund_takes_the_points_first_and_each_step_reverses_the_one_before(pool, people, orders, make):
    [nabi] = await people(1)
    paid = await make(nabi, State.PAID)

    asked = await asyncio.gather(*(orders.move(paid, Event.REFUND_ASKED, NOON + SECOND) for _ in range(5)))
    assert {State.REFUNDING} == {each.state for each in asked}
    assert 0 == await balance(pool, nabi)
    declined = await orders.move(asked[0], Event.REFUND_DECLINED, NOON + 2 * SECOND)
    assert (State.PAID, NOON) == (declined.state, declined.paid_at)
    assert 100 == await balance(pool, nabi)
    again = await orders.move(declined, Event.REFUND_ASKED, NOON + 3 * SECOND)
    refunded = await orders.move(again, Event.REFUNDED, NOON + 4 * SECOND)
    assert (State.REFUNDED, NOON + 4 * SECOND) == (refunded.state, refunded.refunded_at)
    assert 0 == await balance(pool, nabi)

    rows = await pool.fetch("SELECT id, kind, reverses FROM transfer ORDER BY id")
    assert [20, 21, 22, 21] == [row["kind"] for row in rows]
    assert [None, *(row["id"] for row in rows[:-1])] == [row["reverses"] for row in rows]


async def test_spent_points_cannot_be_taken_back(pool, people, orders, make, gift):
    nabi, streamer = await people(2)
    paid = await make(nabi, State.PAID)
    async with Ledger(pool) as ledger:
        await ledger.give(gift(nabi, streamer, 1), b"{}")

    with pytest.raises(RefundShort):
        await orders.move(paid, Event.REFUND_ASKED, NOON)

    assert paid == await orders.get(paid.id)
    assert 99 == await balance(pool, nabi)


async def test_an_event_that_comes_too_late_changes_nothing(pool, people, orders, make):
    [nabi] = await people(1)
    ready = await make(nabi)
    paid = await make(nabi, State.PAID)

    assert paid == await orders.move(paid, Event.OVERDUE, NOON + SECOND)
    assert paid == await orders.readied(paid, "T9", LINKS, NOON)
    assert paid == await orders.rest(ready_of(paid), Rest.WAIT, NOON + SECOND)
    assert ready == await orders.move(ready, Event.REFUND_ASKED, NOON)
    assert ready == await orders.move(ready, Event.REFUND_DECLINED, NOON)
    assert 100 == await balance(pool, nabi)


def ready_of(order):
    """The order as somebody saw it before it was paid."""
    return replace(order, state=State.APPROVING)


async def test_money_that_comes_after_the_end_still_gives_the_points(pool, people, orders, make):
    [nabi] = await people(1)
    approving = await make(nabi, State.APPROVING)
    expired = await orders.move(approving, Event.OVERDUE, NOON)
    assert (State.EXPIRED, None) == (expired.state, expired.pg_token)
    assert await due_at(pool, expired) == next_look(approving, Event.OVERDUE, NOON)

    assert State.PAID is (await orders.move(expired, Event.CAPTURED, NOON, look(expired))).state
    assert 100 == await balance(pool, nabi)


async def test_an_order_rests_longer_each_time_and_remembers_what_was_unheard(pool, people, orders, make):
    [nabi] = await people(1)
    order = await make(nabi, State.APPROVING)

    for checks in range(3):
        order = await orders.rest(order, Rest.WAIT, NOON)
        assert (checks + 1, NOON) == (order.checks, order.unheard_at)
        assert await due_at(pool, order) == look_again(checks, NOON)
    called, before = await orders.calling(order, NOON + SECOND)
    assert (called.unheard_at, called.calls, before) == (NOON + SECOND, 2, NOON)
    assert await due_at(pool, order) == NOON + SECOND + LEASE
    await orders.rest(called, Rest.DONE, NOON)
    assert await due_at(pool, order) is None


async def test_two_who_walk_one_order_know_of_each_others_calls(pool, people, orders, make):
    [nabi] = await people(1)
    paid = await make(nabi, State.PAID)
    refunding, mine = await orders.refund_asked(paid, NOON)
    assert mine
    assert (refunding, False) == await orders.refund_asked(paid, NOON)

    one, one_before = await orders.calling(refunding, NOON)
    other, other_before = await orders.calling(refunding, NOON + SECOND)
    assert (None, NOON) == (one_before, other_before)
    # The first was answered with a no, but the second may still take the money: no points, and its mark stays.
    assert State.REFUNDING is (await orders.move(one, Event.REFUND_DECLINED, NOON)).state
    assert 0 == await balance(pool, nabi)
    rested = await orders.rest(replace(one, unheard_at=None), Rest.WAIT, NOON)
    assert (rested.unheard_at, rested.calls) == (NOON + SECOND, other.calls)
    assert await due_at(pool, paid) == NOON + SECOND + LEASE
    # Whoever made the last call may say what it came to.
    assert State.PAID is (await orders.move(other, Event.REFUND_DECLINED, NOON)).state
    assert 100 == await balance(pool, nabi)
    assert ((await orders.get(paid.id)), None) == await orders.calling(refunding, NOON)


@pytest.mark.parametrize("event", [Event.REOPENED, Event.OVERDUE])
async def test_an_approval_under_way_keeps_an_order_open(people, orders, make, event):
    [nabi] = await people(1)
    order = await make(nabi, State.APPROVING)
    called, _ = await orders.calling(order, NOON)

    assert State.APPROVING is (await orders.move(order, event, NOON)).state
    assert State.APPROVING is not (await orders.move(called, event, NOON)).state


async def test_what_is_due_is_taken_by_one_and_only_of_its_provider(pool, people, orders, make):
    [nabi] = await people(1)
    made = [await make(nabi) for _ in range(5)]
    await make(nabi, State.PAID)
    late = NOON + LIFETIME

    assert [] == await orders.due("sandbox", late - SECOND)
    assert [] == await orders.due("kakaopay", late)
    some, others = await asyncio.gather(orders.due("sandbox", late, 3), orders.due("sandbox", late, 3))
    assert {each.id for each in made} == {each.id for each in (*some, *others)}
    assert 5 == len(some) + len(others)
    assert [] == await orders.due("sandbox", late)
    assert 5 == len(await orders.due("sandbox", late + LEASE))


async def test_nobody_waits_for_somebody_elses_lock(pool, people, orders, make):
    [nabi] = await people(1)
    held, free = await make(nabi), await make(nabi)
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM point_order WHERE id = $1 FOR UPDATE", held.id)

        assert [free.id] == [each.id for each in await orders.due("sandbox", NOON + LIFETIME)]


async def test_a_hurried_look_leaves_a_call_under_way_alone(people, orders, make):
    [nabi] = await people(1)
    waiting = await orders.rest(await make(nabi, State.APPROVING), Rest.WAIT, NOON)
    await make(nabi, State.APPROVING)
    await make(nabi)

    await orders.hurry("kakaopay", NOON)
    assert [] == await orders.due("sandbox", NOON)
    await orders.hurry("sandbox", NOON)
    assert [waiting.id] == [each.id for each in await orders.due("sandbox", NOON)]


async def test_a_member_pages_through_own_orders(people, orders, make):
    nabi, other = await people(2)
    made = [await make(nabi, now=NOON + i * SECOND) for i in range(3)]
    await make(other)

    assert made[::-1] == await orders.of_member(nabi)
    assert made[:2][::-1] == await orders.of_member(nabi, before=(made[2].created_at, made[2].id))
    assert [made[2]] == await orders.of_member(nabi, limit=1)
    assert 3 == len(await orders.of_member(nabi, limit=ORDERS_MAX * 10))
    assert {"ready": 4} == await orders.counts()


async def test_what_was_ordered_and_given_cannot_be_changed(pool, people, make):
    [nabi] = await people(1)
    await make(nabi, State.PAID)

    for statement in (
        "UPDATE point_order SET amount_won = 1",
        "UPDATE point_order SET points = 1000000",
        "UPDATE point_order SET member_id = member_id + 1",
        "DELETE FROM point_order",
        "TRUNCATE point_order CASCADE",
        "DELETE FROM point_order_transfer",
        "UPDATE point_order_transfer SET order_id = order_id",
    ):
        with pytest.raises(asyncpg.RaiseError, match="refused"):
            await pool.execute(statement)


async def test_without_a_server_nothing_is_done_and_that_is_said(database_url):
    pool = await open_pool(database_url)
    await pool.close()

    with pytest.raises(StoreUnavailable):
        await Orders(pool).find(uuid.uuid4())
