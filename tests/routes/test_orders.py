"""The doors of orders: what a page, a provider's redirect and a stranger may ask of them."""

import asyncio
import itertools
import json
import uuid

import pytest

from db.order import LIFETIME
from routes.orders import ORDERS_BURST, PAGE_ORDERS, REFUNDS_BURST, WALLET, WAYS_BACK_BURST
from tests.routes.far_side import Fault
from tests.routes.qr_reader import read as read_qr


@pytest.fixture
async def nabi(new_member):
    return await new_member("나비")


@pytest.fixture
def ask(shop, bearer):
    """Ask as a member: `status, body = await ask(member, method, path, json)`."""

    async def send(member, method, path, body=None):
        headers = bearer(member.id, member.nickname) if member else {}
        async with shop.http.request(
            method, shop.url + path, json=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else answer.headers.get("Location")

    return send


async def placed(ask, member, product="100"):
    status, order = await ask(member, "POST", "/api/points/orders", {"id": str(uuid.uuid4()), "product": product})
    assert status == 201, order
    return order


async def agree(shop, order):
    url = order["pay"]["mobile"].replace("/mobile/", "/pay/")
    async with shop.http.post(url, data={"do": "pay"}, allow_redirects=False) as answer:
        return answer.headers["Location"].removeprefix(shop.url)


async def test_anyone_may_read_the_prices(ask):
    status, said = await ask(None, "GET", "/api/points/products")

    assert (status, said["payments"]) == (200, "sandbox")
    assert (said["products"][0]["points"], said["products"][0]["amount_won"]) == (100, 1_200)


async def test_from_the_order_to_the_points_and_back(shop, ask, nabi):
    order = await placed(ask, nabi, "500")
    one = f"/api/points/orders/{order['id']}"
    assert (order["state"], order["points"], order["amount_won"], order["vat_won"]) == ("ready", 500, 5_900, 536)
    assert order["pay"]["mobile"].startswith(f"{shop.url}/sandbox-pay/mobile/")
    assert read_qr(order["qr"]) == order["pay"]["mobile"]
    assert await ask(nabi, "GET", one) == (200, order)

    back = await agree(shop, order)
    assert await ask(None, "GET", back) == (303, f"{WALLET}?order={order['id']}")
    status, paid = await ask(nabi, "GET", one)
    assert (status, paid["state"], paid["pay"], paid["qr"], paid["method"]) == (200, "paid", None, None, "MONEY")
    assert paid["receipt"].startswith("A")
    assert 500 == await shop.balance(nabi.id)
    # The same order sent again, and the same link opened again, are the same order.
    assert await ask(nabi, "POST", "/api/points/orders", {"id": order["id"], "product": "500"}) == (201, paid)
    assert await ask(None, "GET", back) == (303, f"{WALLET}?order={order['id']}")
    assert 500 == await shop.balance(nabi.id)

    status, refunded = await ask(nabi, "POST", f"{one}/refund")
    assert (status, refunded["state"], refunded["refundable_until"]) == (200, "refunded", None)
    assert await ask(nabi, "POST", f"{one}/refund") == (200, refunded)
    assert (0, 0) == (await shop.balance(nabi.id), await shop.money())


async def test_who_does_not_pay_is_led_back_too(shop, ask, nabi):
    for button, state in (("cancel", "canceled"), ("fail", "failed")):
        order = await placed(ask, nabi)
        url = order["pay"]["mobile"].replace("/mobile/", "/pay/")
        async with shop.http.post(url, data={"do": button}, allow_redirects=False) as answer:
            back = answer.headers["Location"].removeprefix(shop.url)

        assert back == f"/api/points/orders/{order['id']}/{button}"
        assert await ask(None, "GET", back) == (303, f"{WALLET}?order={order['id']}")
        assert (await ask(nabi, "GET", f"/api/points/orders/{order['id']}"))[1]["state"] == state


async def test_a_redirect_alone_moves_nothing(shop, ask, nabi):
    order = await placed(ask, nabi)
    one = f"/api/points/orders/{order['id']}"
    wallet = f"{WALLET}?order={order['id']}"

    for way in ("cancel", "fail"):  # A hint: the payment is looked up, and nobody has given up there.
        assert await ask(None, "GET", f"{one}/{way}") == (303, wallet)
    assert await ask(None, "GET", f"{one}/return?pg_token=forged") == (303, f"{wallet}&code=order.token")
    for way in ("return?pg_token=forged", "cancel", "fail"):  # Who only looks whether the link is there.
        async with shop.http.head(f"{shop.url}{one}/{way}", allow_redirects=False) as answer:
            assert answer.headers["Location"] == wallet
    assert (await ask(nabi, "GET", one))[1] == order
    assert 0 == await shop.balance(nabi.id)
    # And the customer may still pay.
    await ask(None, "GET", await agree(shop, order))
    assert 100 == await shop.balance(nabi.id)


async def test_who_comes_back_too_late_is_told(shop, ask, nabi):
    order = await placed(ask, nabi)
    back = await agree(shop, order)
    shop.clock.forward(seconds=LIFETIME.total_seconds())
    await shop.top_ups.reconcile()

    assert await ask(None, "GET", back) == (303, f"{WALLET}?order={order['id']}&code=order.expired")
    assert (0, 0) == (await shop.balance(nabi.id), await shop.money())


NO_ORDERS = [
    ({"id": str(uuid.uuid4()), "product": "101"}, 400, "order.product", "product"),
    ({"id": str(uuid.uuid4()), "product": 0}, 400, "order.product", "product"),
    ({"id": str(uuid.uuid4()), "product": -100}, 400, "order.product", "product"),
    ({"id": str(uuid.uuid4()), "product": 10**18}, 400, "order.product", "product"),
    ({"id": str(uuid.uuid4()), "product": 100.5}, 400, "wire.shape", "product"),
    ({"id": "1", "product": "100"}, 400, "wire.shape", "id"),
    ({"product": "100"}, 400, "wire.shape", "id"),
    ({"id": str(uuid.uuid4()), "product": "100", "amount_won": 1}, 400, "wire.shape", None),
    ([], 400, "wire.shape", None),
]


async def test_what_is_no_order_is_refused_and_leaves_no_row(shop, ask, nabi):
    for body, status, code, field in NO_ORDERS:
        answered, said = await ask(nabi, "POST", "/api/points/orders", body)
        assert (answered, said["code"], said.get("field")) == (status, code, field)
    assert 0 == await shop.pool.fetchval("SELECT count(*) FROM point_order")


async def test_an_order_is_its_members_only(shop, ask, nabi, new_member):
    other = await new_member("other")
    order = await placed(ask, nabi)
    one = f"/api/points/orders/{order['id']}"
    nowhere = f"/api/points/orders/{uuid.uuid4()}"

    async def code(member, method, path, body=None):
        status, said = await ask(member, method, path, body)
        return status, said["code"]

    for path in (one, nowhere):
        assert await code(other, "GET", path) == (404, "order.unknown")
        assert await code(other, "POST", f"{path}/refund") == (404, "order.unknown")
    same_id = {"id": order["id"], "product": "100"}
    assert await code(other, "POST", "/api/points/orders", same_id) == (409, "order.id_reused")
    assert await code(nabi, "POST", "/api/points/orders", {**same_id, "product": "300"}) == (409, "order.id_reused")
    assert await code(nabi, "POST", f"{one}/refund") == (409, "order.state")
    for path in ("/api/points/orders/1", "/api/points/orders/1/return?pg_token=x", "/api/points/orders/1/cancel"):
        assert await code(nabi, "GET", path) == (400, "wire.shape")
    for query in ("", "?pg_token=", f"?pg_token={'x' * 101}", "?pg_token=a%20b"):
        assert await code(nabi, "GET", f"{one}/return{query}") == (400, "wire.shape")
    for way in ("return?pg_token=x", "cancel", "fail"):
        assert await code(nabi, "GET", f"{nowhere}/{way}") == (404, "order.unknown")
    for method, path in (("POST", "/api/points/orders"), ("GET", "/api/points/orders"), ("GET", one)):
        assert await code(None, method, path) == (401, "auth.members_only")
    assert (await ask(nabi, "GET", one))[1] == order


async def test_the_list_is_the_members_receipts_page_by_page(shop, ask, nabi, new_member):
    other = await new_member("other")
    made = []
    for _ in range(PAGE_ORDERS + 1):
        made.append(str((await shop.place(nabi.id)).id))
        shop.clock.forward(seconds=1)
    foreign = await shop.place(other.id)

    _, first = await ask(nabi, "GET", "/api/points/orders")
    _, second = await ask(nabi, "GET", f"/api/points/orders?cursor={first['next']}")

    assert [each["id"] for each in (*first["orders"], *second["orders"])] == made[::-1]
    assert (len(first["orders"]), second["next"]) == (PAGE_ORDERS, None)
    assert {each["qr"] for each in first["orders"]} == {None}
    assert (await ask(nabi, "GET", f"/api/points/orders?cursor={foreign.id}"))[1]["code"] == "order.unknown"
    assert (await ask(nabi, "GET", "/api/points/orders?cursor=1"))[1]["field"] == "cursor"


async def test_nobody_begins_payments_without_end(ask, nabi, new_member, time_stands):
    answers = await asyncio.gather(
        *(
            ask(nabi, "POST", "/api/points/orders", {"id": str(uuid.uuid4()), "product": "100"})
            for _ in range(ORDERS_BURST + 2)
        )
    )

    assert [status for status, _ in answers].count(201) == ORDERS_BURST
    assert {said["code"] for status, said in answers if status != 201} == {"limit.too_fast"}
    await placed(ask, await new_member("other"))


async def test_ways_back_and_refunds_have_a_pace(shop, ask, nabi, new_member, time_stands):
    order, other = await placed(ask, nabi), await placed(ask, nabi)
    one = f"/api/points/orders/{order['id']}"
    back = await agree(shop, order)

    for way in itertools.islice(itertools.cycle(("return?pg_token=forged", "cancel", "fail")), WAYS_BACK_BURST):
        assert (await ask(None, "GET", f"{one}/{way}"))[0] == 303
    asked = sum(shop.far.calls.values())
    for way in ("return?pg_token=forged", "cancel", "fail"):
        status, said = await ask(None, "GET", f"{one}/{way}")
        assert (status, said["code"], said["retry"]) == (429, "limit.too_fast", True)
    assert asked == sum(shop.far.calls.values())
    # Whoever only looks spends nothing, and another order has a pace of its own.
    async with shop.http.head(f"{shop.url}{back}", allow_redirects=False) as answer:
        assert answer.status == 303
    assert (await ask(None, "GET", f"/api/points/orders/{other['id']}/cancel"))[0] == 303

    answers = [await ask(nabi, "POST", f"{one}/refund") for _ in range(REFUNDS_BURST + 1)]
    assert [said["code"] for _, said in answers] == ["order.state"] * REFUNDS_BURST + ["limit.too_fast"]
    member = await new_member("other")
    assert (await ask(member, "POST", f"{one}/refund"))[1]["code"] == "order.unknown"


async def test_a_provider_that_is_away_is_a_reason_to_come_again_with_the_same_order(shop, ask, nabi):
    body = {"id": str(uuid.uuid4()), "product": "100"}
    shop.far.plan("ready", Fault.LOST_BEFORE, Fault.GARBLED)

    for _ in range(2):
        status, said = await ask(nabi, "POST", "/api/points/orders", body)
        assert (status, said["code"], said["retry"]) == (503, "order.provider_away", True)
    status, order = await ask(nabi, "POST", "/api/points/orders", body)
    assert (status, order["state"]) == (201, "ready")

    shop.far.plan("ready", Fault.REFUSED)
    other = {"id": str(uuid.uuid4()), "product": "100"}
    assert (await ask(nabi, "POST", "/api/points/orders", other))[1]["code"] == "order.declined"
    assert (await ask(nabi, "GET", f"/api/points/orders/{other['id']}"))[1]["state"] == "failed"


async def test_the_customer_comes_back_to_the_address_he_left(shop, nabi, bearer):
    body = {"id": str(uuid.uuid4()), "product": "100"}
    headers = {**bearer(nabi.id, "나비"), "Host": "live.example.org:8443"}
    async with shop.http.post(f"{shop.url}/api/points/orders", json=body, headers=headers) as answer:
        order = await answer.json()

    assert order["pay"]["pc"].startswith("http://live.example.org:8443/sandbox-pay/pc/")
