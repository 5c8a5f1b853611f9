"""KakaoPay's protocol as we speak it: what is sent word for word, and what each answer means."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from db.order import LEASE, Look, Refused, Standing, State
from routes import kakaopay
from routes.kakaopay import STANDINGS, KakaoPay
from routes.sandbox_pages import ROOT
from routes.settings import Settings, Stores
from routes.top_ups import Accepted, Readied, Returns
from tests.routes.test_order_shapes import order as make_order

RETURNS = Returns("https://shop/return", "https://shop/cancel", "https://shop/fail")
BEGUN = {
    "tid": "T1",
    "next_redirect_app_url": "https://pay/app",
    "next_redirect_mobile_url": "https://pay/mobile",
    "next_redirect_pc_url": "https://pay/pc",
    "android_app_scheme": "kakaotalk://kakaopay/pg?url=x",
    "ios_app_scheme": "kakaotalk://kakaopay/pg?url=x",
    "created_at": "2026-11-26T21:00:00",
}
ORDER = make_order(State.APPROVING, pg_token="token", cid="CT12345678")
WHOSE = {"cid": "CT12345678", "partner_order_id": str(ORDER.id), "partner_user_id": "3"}
APPROVED = {
    **WHOSE,
    "aid": "A1",
    "tid": "T1",
    "payment_method_type": "MONEY",
    "item_name": "x",
    "quantity": 1,
    "amount": {"total": 1_200, "tax_free": 0, "vat": 109, "point": 0, "discount": 0, "green_deposit": 0},
    "created_at": "2026-11-26T21:00:00",
    "approved_at": "2026-11-26T21:01:00",
}
FOUND = {
    **WHOSE,
    "tid": "T1",
    "status": "SUCCESS_PAYMENT",
    "payment_method_type": "CARD",
    "amount": {"total": 1_200},
    "canceled_amount": {"total": 0},
    "cancel_available_amount": {"total": 1_200},
    "payment_action_details": [{"aid": "A1", "payment_action_type": "PAYMENT", "amount": 1_200}],
}


class Answering:
    """A server that answers what it is told, and keeps what it was asked."""

    def __init__(self):
        self.asked = []
        self.status, self.body = 200, {}
        self.hang = False
        self.hangs = asyncio.Event()

    async def handle(self, request):
        self.asked.append((request.method, request.path, dict(request.headers), await request.json()))
        if self.hang:
            await self.hangs.wait()
        if isinstance(self.body, bytes):
            return web.Response(body=self.body, status=self.status, headers={"Location": "/elsewhere"})
        return web.json_response(self.body, status=self.status)


@pytest.fixture
async def far():
    far = Answering()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", far.handle)
    server = TestServer(application)
    await server.start_server()
    far.url = str(server.make_url("/"))
    yield far
    await server.close()


@pytest.fixture
async def merchant(far):
    async with aiohttp.ClientSession() as http:
        yield KakaoPay(http, name="kakaopay", url=far.url, cid="CT12345678", secret_key="SECRET", answer_seconds_max=1)


async def test_ready_says_what_and_for_how_much(far, merchant):
    far.body = BEGUN

    begun = await merchant.ready(replace(ORDER, tid=None), RETURNS)

    assert isinstance(begun, Readied)
    assert ("T1", "https://pay/pc", "https://pay/mobile", "https://pay/app") == (
        *(begun.tid, begun.links.pc, begun.links.mobile, begun.links.app),
    )
    [(method, path, headers, body)] = far.asked
    assert (method, path) == ("POST", "/online/v1/payment/ready")
    assert (headers["Authorization"], headers["Content-Type"]) == ("SECRET_KEY SECRET", "application/json")
    assert body == {
        **WHOSE,
        "item_name": "Commeow 100P",
        "item_code": "100",
        "quantity": 1,
        "total_amount": 1_200,
        "tax_free_amount": 0,
        "vat_amount": 109,
        "approval_url": "https://shop/return",
        "cancel_url": "https://shop/cancel",
        "fail_url": "https://shop/fail",
    }


async def test_approve_repeats_whose_it_is_and_how_much(far, merchant):
    far.body = APPROVED

    said = await merchant.approve(ORDER)

    assert said == Look(
        standing=Standing.CAPTURED,
        order_id=str(ORDER.id),
        member_id="3",
        total_won=1_200,
        receipt="A1",
        method="MONEY",
    )
    assert far.asked[0][1::2] == (
        "/online/v1/payment/approve",
        {**WHOSE, "tid": "T1", "pg_token": "token", "total_amount": 1_200},
    )


async def test_a_look_is_in_our_words(far, merchant):
    far.body = {**FOUND, "status": "PART_CANCEL_PAYMENT", "canceled_amount": {"total": 200}}

    said = await merchant.look(ORDER)

    assert said == Look(
        standing=Standing.PART_CANCELED,
        order_id=str(ORDER.id),
        member_id="3",
        total_won=1_200,
        canceled_won=200,
        receipt="A1",
        method="CARD",
    )
    assert far.asked[0][1::2] == ("/online/v1/payment/order", {"cid": "CT12345678", "tid": "T1"})


@pytest.mark.parametrize("status", [*STANDINGS, "SOMETHING_NEW", ""])
async def test_every_status_has_a_meaning_and_a_new_one_is_not_the_end(far, merchant, status):
    # As it is before anything was paid: no amounts, no actions.
    far.body = {**WHOSE, "tid": "T1", "status": status}

    said = await merchant.look(ORDER)

    assert said.standing is STANDINGS.get(status, Standing.UNKNOWN)
    assert (said.total_won, said.canceled_won, said.receipt, said.method) == (0, 0, None, None)


async def test_cancel_gives_back_what_is_left_and_no_more(far, merchant):
    far.body = {**FOUND, "status": "CANCEL_PAYMENT"}

    assert await merchant.cancel(ORDER, 1_200) == Accepted()
    assert far.asked[0][1::2] == (
        "/online/v1/payment/cancel",
        {
            "cid": "CT12345678",
            "tid": "T1",
            "cancel_amount": 1_200,
            "cancel_tax_free_amount": 0,
            "cancel_available_amount": 1_200,
        },
    )


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (
            400,
            {
                "error_code": -780,
                "error_message": "approval failure!",
                "extras": {"method_result_code": "USER_LOCKED", "method_result_message": "locked"},
            },
            Refused(-780, "approval failure! USER_LOCKED locked"),
        ),
        (401, {"error_code": -401, "error_message": "no such key"}, Refused(-401, "no such key")),
        (400, {}, Refused(None, "")),
        (404, b"<html>nothing here</html>", Refused(None, "")),
        (400, {"error_code": -1, "error_message": "x" * 1_000}, Refused(-1, "x" * kakaopay.WORDS_CHARS_MAX)),
        # Later is not no.
        (408, {}, None),
        (429, {}, None),
        # And nothing else is an answer, least of all a success that cannot be read.
        (500, {"error_code": -500}, None),
        (503, b"", None),
        (302, b"", None),
        (204, b"", None),
        (200, b"", None),
        (200, b"<html>", None),
        (200, b"\xff\xfe", None),
        (200, {}, None),
        (200, [], None),
        (200, {**APPROVED, "amount": {"total": "1200"}}, None),
        (200, {**APPROVED, "amount": {"total": 1_200.5}}, None),
        (200, {**APPROVED, "tid": "T2"}, None),
        (200, {**APPROVED, "padding": "x" * kakaopay.ANSWER_BYTES_MAX}, None),
    ],
)
async def test_an_answer_is_a_yes_a_no_or_none(far, merchant, status, body, answer):
    far.status, far.body = status, body

    assert await merchant.approve(ORDER) == answer
    assert 1 == len(far.asked)  # Never twice, and no redirect is followed.


async def test_every_call_hears_a_no_and_nothing(far, merchant):
    far.status, far.body = 400, {"error_code": -702, "error_message": "done"}
    calls = (merchant.ready(ORDER, RETURNS), merchant.approve(ORDER), merchant.look(ORDER), merchant.cancel(ORDER, 1))
    assert [Refused(-702, "done")] * 4 == [await call for call in calls]
    far.status = 500
    calls = (merchant.ready(ORDER, RETURNS), merchant.approve(ORDER), merchant.look(ORDER), merchant.cancel(ORDER, 1))
    assert [None] * 4 == [await call for call in calls]


async def test_nobody_there_is_no_answer(free_port):
    async with aiohttp.ClientSession() as http:
        merchant = KakaoPay(http, name="x", url=f"http://127.0.0.1:{free_port()}", cid="T", secret_key="k")

        assert await merchant.approve(ORDER) is None


async def test_whoever_does_not_answer_in_time_is_no_answer(far):
    far.hang = True
    async with aiohttp.ClientSession() as http:
        merchant = KakaoPay(http, name="x", url=far.url, cid="T", secret_key="k", answer_seconds_max=0.05)

        assert await merchant.approve(ORDER) is None
    far.hangs.set()


async def test_the_secret_key_is_never_logged(far, merchant, caplog):
    caplog.set_level("DEBUG")
    for far.status in (400, 500, 200):
        await merchant.approve(ORDER)

    assert "approve" in caplog.text
    assert "SECRET" not in caplog.text
    assert "token" not in caplog.text


def test_no_call_outlives_its_lease():
    assert kakaopay.CONNECT_SECONDS_MAX + kakaopay.ANSWER_SECONDS_MAX < LEASE.total_seconds()


STORES = Stores("postgresql://x", "redis://x", b"x" * 32)


async def test_a_house_with_the_sandbox_pays_at_its_own_port():
    async with aiohttp.ClientSession() as http:
        for host, url in (("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.1", "10.0.0.1")):
            merchant = kakaopay.of_settings(http, Settings(host=host, http_port=8081), STORES)

            assert (merchant.name, merchant.cid) == ("sandbox", "TC0ONETIME")
            assert merchant._url == f"http://{url}:8081{ROOT}"
    # Each house has its own key, and every process of it finds the same.
    assert kakaopay.sandbox_key(STORES) == kakaopay.sandbox_key(STORES)
    assert kakaopay.sandbox_key(STORES) != kakaopay.sandbox_key(replace(STORES, secret=b"y" * 32))


@pytest.mark.parametrize(("payments", "cid"), [("kakaopay", "CT12345678"), ("kakaopay-test", "TC0ONETIME")])
async def test_a_house_with_a_contract_pays_at_kakaopay(payments, cid):
    settings = Settings(payments=payments, kakaopay_cid=cid, kakaopay_secret_key="k")
    async with aiohttp.ClientSession() as http:
        merchant = kakaopay.of_settings(http, settings, STORES)

    assert (merchant.name, merchant.cid, merchant._url) == (payments, cid, "https://open-api.kakaopay.com")
