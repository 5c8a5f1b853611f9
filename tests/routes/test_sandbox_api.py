"""The sandbox's API: the far side keeps KakaoPay's rules, so that ours are tested against them."""

import pytest

from routes.kakaopay import STANDINGS
from routes.sandbox_api import (
    ALREADY_DONE,
    AMOUNT_WON_MAX,
    MISFIT,
    NOT_FOUND,
    STATUSES,
    UNAUTHORISED,
)
from routes.sandbox_pages import ROOT
from tests.routes.far_side import KEY

READY = {
    "cid": "TC0ONETIME",
    "partner_order_id": "order",
    "partner_user_id": "3",
    "item_name": "100P",
    "quantity": 1,
    "total_amount": 1_200,
    "vat_amount": 109,
    "tax_free_amount": 0,
    "approval_url": "http://shop/return",
    "cancel_url": "http://shop/cancel",
    "fail_url": "http://shop/fail",
}
OWN = {"cid": "TC0ONETIME", "partner_order_id": "order", "partner_user_id": "3"}


@pytest.fixture
def call(shop):
    """Call as the merchant does: `status, answer = await call(name, body)`."""

    async def post(name, body, key=KEY):
        headers = {"Authorization": f"SECRET_KEY {key}"} if key is not None else {}
        url = f"{shop.url}{ROOT}/online/v1/payment/{name}"
        async with shop.http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    return post


@pytest.fixture
async def tid(call):
    status, begun = await call("ready", READY)
    assert status == 200
    return begun["tid"]


@pytest.fixture
async def token(shop, tid):
    async with shop.http.post(f"{shop.url}{ROOT}/pay/{tid}", data={"do": "pay"}, allow_redirects=False) as answer:
        return answer.headers["Location"].partition("pg_token=")[2]


def test_both_sides_mean_the_same_by_a_status():
    assert {status: STANDINGS[status] for status in STATUSES.values()} == {
        status: standing for standing, status in STATUSES.items()
    }


async def test_ready_gives_a_number_and_the_links_at_the_shops_address(call):
    status, begun = await call("ready", READY)

    assert (status, len(begun["tid"])) == (200, 20)
    assert begun["next_redirect_pc_url"] == f"http://shop{ROOT}/pc/{begun['tid']}"
    assert begun["next_redirect_mobile_url"] == f"http://shop{ROOT}/mobile/{begun['tid']}"
    assert begun["next_redirect_app_url"] == f"http://shop{ROOT}/app/{begun['tid']}"
    assert begun["android_app_scheme"] == begun["ios_app_scheme"] == f"commeow-sandbox://pay/{begun['tid']}"
    assert begun["created_at"] == "2026-11-26T21:00:00"  # Noon in UTC is nine in the evening in Korea.


async def test_what_kakaopay_would_not_take_is_not_taken(call):
    for fields in (
        {"total_amount": 0},
        {"total_amount": -1},
        {"total_amount": 1.5},
        {"total_amount": "1200"},
        {"total_amount": AMOUNT_WON_MAX + 1},
        {"partner_order_id": ""},
        {"item_name": "x" * 101},
        {"approval_url": "javascript:alert(1)"},
        {"approval_url": f"http://{'x' * 255}"},
        {"quantity": 0},
    ):
        assert (await call("ready", READY | fields))[0] == 400, fields


async def test_only_the_test_merchant_with_the_key_gets_in(call, tid):
    assert await call("ready", {**READY, "cid": "CT12345678"}) == (
        400,
        {"error_code": MISFIT, "error_message": "only the test merchant may practise here"},
    )
    for key in ("", "another", f"{KEY}2", None):
        status, said = await call("order", {"cid": "TC0ONETIME", "tid": tid}, key=key)
        assert (status, said["error_code"]) == (401, UNAUTHORISED)
    assert (await call("order", {"cid": "TC0ONETIME", "tid": "T"}))[1]["error_code"] == NOT_FOUND
    assert (await call("order", {"cid": "OTHER", "tid": tid}))[1]["error_code"] == NOT_FOUND


async def test_approve_takes_once_and_only_what_was_agreed_to(call, tid, token):
    right = {**OWN, "tid": tid, "pg_token": token, "total_amount": 1_200}
    for fields in (
        {"pg_token": "forged"},
        {"total_amount": 1_199},
        {"partner_order_id": "another"},
        {"partner_user_id": "4"},
    ):
        assert (await call("approve", right | fields))[1]["error_code"] == MISFIT
    assert (await call("approve", {**right, "tid": "T"}))[1]["error_code"] == NOT_FOUND

    status, taken = await call("approve", right)
    assert (status, taken["amount"]["total"], taken["amount"]["vat"]) == (200, 1_200, 109)
    assert (taken["partner_order_id"], taken["partner_user_id"], len(taken["aid"])) == ("order", "3", 20)
    assert (await call("approve", right))[1]["error_code"] == ALREADY_DONE


async def test_an_order_is_looked_up_in_every_state(shop, call, tid):
    async def status():
        found = (await call("order", {"cid": "TC0ONETIME", "tid": tid}))[1]
        return found["status"], found["canceled_amount"]["total"], found["cancel_available_amount"]["total"]

    assert await status() == ("READY", 0, 0)
    await shop.http.post(f"{shop.url}{ROOT}/phone/{tid}", data={"phone": "01012345678"}, allow_redirects=False)
    assert await status() == ("SEND_TMS", 0, 0)
    answer = await shop.http.post(f"{shop.url}{ROOT}/pay/{tid}", data={"do": "pay"}, allow_redirects=False)
    assert await status() == ("AUTH_PASSWORD", 0, 0)
    token = answer.headers["Location"].partition("pg_token=")[2]
    await call("approve", {**OWN, "tid": tid, "pg_token": token})
    assert await status() == ("SUCCESS_PAYMENT", 0, 1_200)
    part = {"cid": "TC0ONETIME", "tid": tid, "cancel_amount": 200, "cancel_tax_free_amount": 0}
    said = (await call("cancel", part))[1]
    assert (said["status"], said["approved_cancel_amount"]["total"]) == ("PART_CANCEL_PAYMENT", 200)
    assert await status() == ("PART_CANCEL_PAYMENT", 200, 1_000)
    assert (await call("cancel", {**part, "cancel_available_amount": 1_200}))[1]["error_code"] == ALREADY_DONE
    assert (await call("cancel", {**part, "cancel_amount": 1_001}))[1]["error_code"] == ALREADY_DONE
    assert (await call("cancel", {**part, "tid": "T"}))[1]["error_code"] == NOT_FOUND
    await call("cancel", {**part, "cancel_amount": 1_000, "cancel_available_amount": 1_000})
    assert await status() == ("CANCEL_PAYMENT", 1_200, 0)
