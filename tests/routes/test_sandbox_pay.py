"""The sandbox's site: a customer on a PC and a phone, and whoever guesses."""

import pytest

from db.order import LIFETIME


@pytest.fixture
async def order(shop, new_member):
    return await shop.place((await new_member("나비")).id)


@pytest.fixture
def visit(shop):
    """Ask without following: `status, text, location = await visit(url)`."""

    async def ask(url, form=None, method=None):
        method = method or ("GET" if form is None else "POST")
        async with shop.http.request(method, url, data=form, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers.get("Location")

    return ask


def way(order, name):
    return order.links.mobile.replace("/mobile/", f"/{name}/")


async def test_every_link_of_the_provider_opens(shop, order, visit):
    for url in (order.links.pc, order.links.mobile, order.links.app):
        status, page, _ = await visit(url)
        assert url.startswith(f"{shop.url}/sandbox-pay/")
        assert status == 200
        assert "No money moves" in page
        async with shop.http.get(url) as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_phone_that_agreed_takes_the_pc_along(shop, order, visit):
    assert (await visit(way(order, "state")))[1] == '{"next":null}'

    status, _, back = await visit(way(order, "pay"), {"do": "pay"})

    assert status == 303
    assert back.startswith(f"{shop.url}/api/points/orders/{order.id}/return?pg_token=")
    assert (await visit(way(order, "state")))[1] == f'{{"next":"{back}"}}'
    # Two clicks, two windows, a reload: all are led the same way.
    assert (await visit(way(order, "pay"), {"do": "pay"}))[2] == back
    assert (await visit(way(order, "pay"), {"do": "cancel"}))[2] == back
    for url in (order.links.pc, order.links.mobile, order.links.app):
        assert (await visit(url))[2] == back
    await shop.top_ups.returned(order.id, back.partition("pg_token=")[2])
    assert (await visit(order.links.pc))[2] == back


async def test_who_gives_up_is_led_back_and_cannot_pay_any_more(shop, order, visit):
    for each, button in ((order, "cancel"), (await shop.place(order.member_id), "fail")):
        back = f"{shop.url}/api/points/orders/{each.id}/{button}"
        assert (await visit(way(each, "pay"), {"do": button}))[2] == back
        assert (await visit(way(each, "pay"), {"do": "pay"}))[2] == back
        assert (await visit(each.links.mobile))[2] == back


async def test_a_phone_number_is_taken_as_people_write_it(order, visit):
    for number in ("", "02-123-4567", "0101234567890", "phone", "<script>", "\u0966\u0967\u096612345678"):
        status, _, location = await visit(way(order, "phone"), {"phone": number})
        assert (status, location) == (303, f"{order.links.pc}?phone=wrong"), number
        assert 'role="alert"' in (await visit(location))[1]
    for number in ("010-1234-5678", "01012345678", "011 123 4567"):
        status, _, location = await visit(way(order, "phone"), {"phone": number})
        assert (status, location) == (303, order.links.pc), number
        assert "-****-" in (await visit(order.links.pc))[1]


async def test_a_payment_is_over_after_its_time(shop, order, visit):
    shop.clock.forward(seconds=LIFETIME.total_seconds())

    for url in (order.links.pc, order.links.mobile):
        status, page, _ = await visit(url)
        assert status == 200
        assert "This payment is over" in page
    assert (await visit(way(order, "pay"), {"do": "pay"}))[2] == order.links.mobile
    assert (await visit(way(order, "state")))[1] == '{"next":null}'


async def test_a_payment_that_was_given_back_is_over(shop, order, visit):
    await shop.top_ups.returned(order.id, await shop.agree(order))
    await shop.top_ups.refund(order.member_id, order.id)

    assert "This payment is over" in (await visit(order.links.pc))[1]


async def test_whoever_guesses_finds_nothing(order, visit):
    for name in ("pc", "mobile", "app", "state"):
        assert (await visit(way(order, name)[:-1] + "x"))[0] == 404
    for name in ("pay", "phone"):
        assert (await visit(way(order, name)[:-1] + "x", {"do": "pay", "phone": "01012345678"}))[0] == 404
    for form in ({}, {"do": "everything"}):
        assert (await visit(way(order, "pay"), form, "POST"))[0] == 400
