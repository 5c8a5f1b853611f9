"""The verbs on orders, as an operator or a script calls them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from functools import partial

import pytest

from console.__main__ import main
from db.ledger import Ledger
from db.members import Members
from db.order import Event, Links, State
from db.orders import Orders
from db.product import product


@pytest.fixture
def desk(commeow):
    return partial(commeow, "orders")


@pytest.fixture
async def walk(pool):
    """A function that walks an order of `provider` to a state, without asking anybody."""
    member = await Members(pool).add(login_id="nabi_1", nickname="나비", password_hash="-", stream_key_hash=b"\1" * 32)
    orders = Orders(pool)

    async def go(state, provider="sandbox"):
        now = datetime.now(UTC)
        order = await orders.create(uuid.uuid4(), member.id, product("100"), provider=provider, cid="T", now=now)
        order = await orders.readied(order, f"T{order.id}", Links("pc", "mobile", "app"), now)
        order, _ = await orders.returned(order, "token", now)
        if state is State.PAID:
            return await orders.move(order, Event.CAPTURED, now)
        return await orders.move(order, Event.STRANGE, now) if state is State.REVIEW else order

    go.member, go.orders = member, orders
    return go


async def test_a_review_is_shown_and_ended_with_a_reason(desk, walk, pool):
    assert (0, "no order waits for a person\n", "") == await desk("review")
    order, other = await walk(State.REVIEW), await walk(State.REVIEW)

    # No house runs, so nobody answers for the payment.
    code, printed, _ = await desk("review", "--json")
    shown = {each["id"]: each for each in json.loads(printed)}
    assert (1, {str(order.id), str(other.id)}) == (code, set(shown))
    assert (100, 1_200, None) == tuple(shown[str(order.id)][key] for key in ("points", "amount_won", "kept_won"))
    code, printed, _ = await desk("review")
    assert (1, True, True) == (code, str(order.id) in printed, "cannot be asked" in printed)

    code, _, complained = await desk("settle", order.id, "credit", "--reason", "seen")
    assert (1, "the provider says nothing of this order\n") == (code, complained)
    code, printed, _ = await desk("settle", order.id, "credit", "--reason", "seen", "--anyway")
    assert (0, f"order {order.id} is paid\n") == (code, printed)
    code, printed, _ = await desk("settle", other.id, "close", "--reason", "seen", "--anyway", "--json")
    assert (0, {"id": str(other.id), "state": "voided"}) == (code, json.loads(printed))
    code, _, complained = await desk("settle", order.id, "close", "--reason", "again", "--anyway")
    assert (1, "the order is paid\n") == (code, complained)

    assert 100 == (await Ledger(pool).balance(walk.member.id)).points
    assert ["seen", "seen"] == [row["reason"] for row in await pool.fetch("SELECT reason FROM point_order_ruling")]


async def test_what_another_provider_has_is_shown_with_the_remedy(desk, walk, monkeypatch):
    await walk(State.APPROVING)
    await walk(State.PAID)
    await walk(State.REVIEW)
    monkeypatch.setenv("COMMEOW_PAYMENTS", "kakaopay")
    monkeypatch.setenv("COMMEOW_KAKAOPAY_CID", "C123456789")
    monkeypatch.setenv("COMMEOW_KAKAOPAY_SECRET_KEY", "secret")
    monkeypatch.setenv("COMMEOW_KAKAOPAY_URL", "http://127.0.0.1:9")

    said = json.loads((await desk("reconcile", "--json"))[1])
    _, printed, _ = await desk("reconcile")

    assert (0, {"sandbox": 1}, 100) == (said["looked_at"], said["left_behind"], said["practice_points"])
    for words in ("set COMMEOW_PAYMENTS=sandbox", "100 points in these books were bought for nothing", "orders review"):
        assert words in printed


ID = str(uuid.UUID(int=7))


@pytest.mark.parametrize(
    "words",
    [
        ("settle",),
        ("settle", "1", "credit", "--reason", "x"),
        ("settle", ID, "burn", "--reason", "x"),
        ("settle", ID, "credit"),
        ("settle", ID, "credit", "--reason", " "),
    ],
)
def test_a_ruling_wants_an_order_a_decision_and_a_reason(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["orders", *words])

    assert 2 == ended.value.code
    assert "usage" in capsys.readouterr().err


async def test_an_order_that_is_not_there_is_one_line(desk):
    code, _, complained = await desk("settle", ID, "close", "--reason", "x")

    assert (1, f"no such order: {ID}\n") == (code, complained)
