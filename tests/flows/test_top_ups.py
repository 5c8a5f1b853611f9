"""Money walks through the whole house: ordered, paid on a phone, given away on air, and proved by the books."""

from __future__ import annotations

import uuid

import aiohttp
import pytest
from house import Encoder, RefusedError


class Browser:
    """A browser without scripts: goes where it is sent, and tells every address it came by."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def visit(self, url: str, form: dict[str, str] | None = None) -> tuple[list[str], str]:
        """The addresses of the redirects, and the page at their end (any status: the wallet page is another's)."""
        method = "GET" if form is None else "POST"
        async with self._http.request(method, url, data=form) as answer:
            return [str(each.url) for each in answer.history] + [str(answer.url)], await answer.text()


async def order(house, person, product="1000"):
    body = {"id": str(uuid.uuid4()), "product": product}
    return await house.api("POST", "/api/points/orders", body, token=person.token)


async def test_from_sign_up_to_a_donation(house, nickname, ffmpeg):
    streamer, donor = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with aiohttp.ClientSession() as pc, aiohttp.ClientSession() as phone:
        placed = await order(house, donor)
        assert (placed["state"], placed["amount_won"]) == ("ready", 11_900)
        assert placed["qr"].startswith("<svg")
        one = f"/api/points/orders/{placed['id']}"

        # A PC shows the code; the phone that scans it lands on the same payment and agrees.
        _, page = await Browser(pc).visit(placed["pay"]["pc"])
        assert placed["pay"]["mobile"] in page
        _, page = await Browser(phone).visit(placed["pay"]["mobile"])
        assert "실제 돈이 오가지 않습니다" in page
        assert "No money moves" in page
        ways, _ = await Browser(phone).visit(placed["pay"]["mobile"].replace("/mobile/", "/pay/"), {"do": "pay"})

        # Both are led back to the wallet, the PC by itself, and the points are there once.
        assert ways[-1] == f"{house.url}/wallet?order={placed['id']}"
        again, _ = await Browser(pc).visit(placed["pay"]["pc"])
        assert again[-1] == ways[-1]
    paid = await house.api("GET", one, token=donor.token)
    assert (paid["state"], paid["vat_won"], paid["method"]) == ("paid", 1_082, "MONEY")
    assert await house.api("GET", "/api/points", token=donor.token) == {"balance": 1_000, "earnings": 0}

    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        await house.on_air(streamer.nickname)
        async with house.connect(donor) as talking:
            watch = talking.watch(streamer.nickname)
            gave = await talking.give(streamer.nickname, 400, "고마워요")
            donated = await watch.until(lambda event: event["kind"] == "donated")
    assert (gave["points_left"], donated["points"], donated["text"]) == (600, 400, "고마워요")
    assert (await house.api("GET", "/api/points", token=streamer.token))["earnings"] == 400

    # What was given away cannot be taken back; a second order can.
    with pytest.raises(RefusedError) as refused:
        await house.api("POST", f"{one}/refund", token=donor.token)
    assert refused.value.code == "order.refund_short"
    entries = (await house.api("GET", "/api/points/history", token=donor.token))["entries"]
    assert [(entry["kind"], entry["points"]) for entry in entries] == [("donation", -400), ("top_up", 1_000)]
    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran


async def test_an_order_whose_customer_never_came_back_is_seen_by_the_operator(house, nickname):
    donor = await house.sign_up(nickname())
    placed = await order(house, donor, "100")

    ran = await house.console("orders", "reconcile", "--json")

    assert ran.code == 0, ran
    assert '"ready": ' in ran.printed
    assert (await house.api("GET", f"/api/points/orders/{placed['id']}", token=donor.token))["state"] == "ready"


async def test_where_money_moves_there_is_no_sandbox(new_house, nickname):
    # The key is nobody's and the address leads nowhere: a member hears that, and no door of the sandbox is open.
    house = await new_house(
        COMMEOW_PAYMENTS="kakaopay",
        COMMEOW_KAKAOPAY_CID="CT12345678",
        COMMEOW_KAKAOPAY_SECRET_KEY="nobody's",
        COMMEOW_KAKAOPAY_URL="http://127.0.0.1:9",
    ).start()
    donor = await house.sign_up(nickname())

    assert (await house.api("GET", "/api/points/products"))["payments"] == "kakaopay"
    for method, path in (
        ("GET", "/sandbox-pay/pc/T"),
        ("GET", "/sandbox-pay/mobile/T"),
        ("POST", "/sandbox-pay/pay/T"),
        ("POST", "/sandbox-pay/online/v1/payment/ready"),
    ):
        with pytest.raises(RefusedError) as refused:
            await house.api(method, path, {} if method == "POST" else None)
        assert (refused.value.code, refused.value.status) == ("http.not_found", 404)
    assert "sandbox-pay" not in str(await house.api("GET", "/openapi.json"))
    with pytest.raises(RefusedError) as refused:
        await order(house, donor)
    assert refused.value.code == "order.provider_away"
    assert await house.stop() == 0
