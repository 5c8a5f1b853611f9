"""An order as it changes: pushed to its member, to nobody else, and to an end."""

import asyncio
import json
import time
import uuid
from types import SimpleNamespace

import pytest

from db.bus import Bus
from db.errors import StoreUnavailable
from routes import order_watch
from routes.order_news import OrderNews
from routes.order_watch import WATCHES_MAX, OrderWatch
from routes.tokens import ACCESS_SECONDS
from routes.top_ups import TopUps


@pytest.fixture
async def nabi(new_member):
    return await new_member("나비")


@pytest.fixture
async def house(shop, serve, redis):
    """The watch's door over orders whose changes are told by the bus."""
    news = OrderNews(Bus(redis))
    running = asyncio.create_task(news.run())
    top_ups = TopUps(shop.orders, shop.provider, tell=news.tell, now=shop.clock)
    client = await serve(OrderWatch(top_ups, news, now=shop.clock).doors())
    client.top_ups = top_ups
    yield client
    running.cancel()
    await asyncio.wait([running])


@pytest.fixture
def watch(house, bearer, nabi):
    """Open a watch: `answer = await watch(order)`."""

    async def open_one(order, member=None):
        who = member or nabi
        return await house.get(f"/api/points/orders/{order.id}/events", headers=bearer(who.id, who.nickname))

    return open_one


async def event(answer):
    """The next event, comments skipped; None at the end."""
    async with asyncio.timeout(60):
        while line := await answer.content.readline():
            if line.startswith(b"data: "):
                return json.loads(line[6:])
    return None


async def test_a_payment_is_seen_from_the_order_to_the_points(house, shop, watch, nabi):
    order = await shop.place(nabi.id)
    answer = await watch(order)
    assert answer.headers["Content-Type"] == "text/event-stream"
    first = await event(answer)
    assert (first["id"], first["state"], bool(first["qr"])) == (str(order.id), "ready", True)

    await house.top_ups.returned(order.id, await shop.agree(order))

    seen = [await event(answer), await event(answer)]
    states = [each["state"] for each in seen if each]
    assert states in (["approving", "paid"], ["paid"])  # a look may come when both have happened
    assert await event(answer) is None


async def test_an_order_that_rests_is_told_once(shop, watch, nabi):
    order = await shop.place(nabi.id)
    order = await shop.top_ups.returned(order.id, await shop.agree(order))

    answer = await watch(order)

    assert (await event(answer))["state"] == "paid"
    assert await event(answer) is None


async def test_a_change_that_nobody_tells_is_found_by_looking(shop, watch, nabi, monkeypatch):
    monkeypatch.setattr(order_watch, "LOOK_SECONDS", 0.02)
    order = await shop.place(nabi.id)
    answer = await watch(order)
    assert (await event(answer))["state"] == "ready"
    async with asyncio.timeout(60):
        assert await answer.content.readline() == b"\n"
        assert await answer.content.readline() == b": here\n"

    await shop.press(order, "cancel")
    await shop.top_ups.left(order.id)  # another process, without Redis

    assert (await event(answer))["state"] == "canceled"


async def test_a_watch_ends_with_its_token_and_with_the_store(house, shop, watch, nabi, monkeypatch):
    order = await shop.place(nabi.id)
    with monkeypatch.context() as brief:
        brief.setattr(order_watch, "STREAM_SECONDS_MAX", 0.1)
        answer = await watch(order)
        while told := await event(answer):  # On a busy machine none.
            assert told["state"] == "ready"

    found, looks = house.top_ups.of_member, []

    async def away(*ids):
        looks.append(ids)
        if len(looks) > 1:
            raise StoreUnavailable("away")
        return await found(*ids)

    monkeypatch.setattr(house.top_ups, "of_member", away)
    answer = await watch(order)
    assert (200, None) == (answer.status, await event(answer))


async def test_no_watch_outlives_the_token_that_opened_it(shop, watch, nabi, monkeypatch):
    almost_over = SimpleNamespace(time=lambda: time.time() + ACCESS_SECONDS - 0.05)
    monkeypatch.setattr(order_watch, "time", almost_over)

    answer = await watch(await shop.place(nabi.id))

    while told := await event(answer):
        assert told["state"] == "ready"


async def test_nobody_watches_anothers_order_or_without_end(house, shop, watch, bearer, nabi, new_member):
    order = await shop.place(nabi.id)
    path = f"/api/points/orders/{order.id}/events"
    other = await new_member("other")

    for answer, status, code in (
        (await watch(order, other), 404, "order.unknown"),
        (await house.get(path), 401, "auth.members_only"),
        (await house.get(path.replace(str(order.id), "1"), headers=bearer(nabi.id, "나비")), 400, "wire.shape"),
        (
            await house.get(path.replace(str(order.id), str(uuid.uuid4())), headers=bearer(nabi.id, "나비")),
            404,
            "order.unknown",
        ),
    ):
        assert (answer.status, (await answer.json())["code"]) == (status, code)
    assert (await house.head(path, headers=bearer(nabi.id, "나비"))).status == 200

    open_ones = [await watch(order) for _ in range(WATCHES_MAX)]
    for answer in open_ones:
        assert (await event(answer))["state"] == "ready"
    refused = await watch(order)
    assert (refused.status, (await refused.json())["code"]) == (503, "limit.busy")
    await house.top_ups.returned(order.id, await shop.agree(order))
    for answer in open_ones:
        while await event(answer):
            pass
    again = await watch(order)
    assert (await event(again))["state"] == "paid"
