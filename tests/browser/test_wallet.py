"""Points by the wallet's page: chosen, paid on a phone that scanned the code, given back; and what a reload keeps."""

from __future__ import annotations

import re

import aiohttp
from playwright.async_api import expect
from visits import sign_up


async def order(page, points):
    """Sign up is done: choose a pack; answer the order's address on the payment page for phones."""
    await page.goto("/wallet")
    await page.locator("top-up-desk .pack", has_text=re.compile(rf"^\s*{points}\D")).click()
    await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
    await expect(page.locator("top-up-desk .left")).to_contain_text(re.compile(r"\d+:\d\d"))


async def pay_on_a_phone(house, page):
    """Do what somebody does who scanned the code: agree on the phone's page."""
    token = await page.evaluate(
        "async () => (await (await fetch('/api/members/refresh', {method: 'POST'})).json()).access_token"
    )
    order_id = re.search(r"order=([0-9a-f-]+)", page.url)[1]
    placed = await house.api("GET", f"/api/points/orders/{order_id}", token=token)
    async with (
        aiohttp.ClientSession() as phone,
        phone.post(placed["pay"]["mobile"].replace("/mobile/", "/pay/"), data={"do": "pay"}) as answer,
    ):
        assert answer.ok


async def test_a_code_is_scanned_and_the_page_changes_by_itself(house, new_page, nickname, shoot):
    async with new_page() as page:
        await sign_up(page, nickname())
        await order(page, "1,000")
        qr = page.locator("top-up-desk .qr")
        await expect(qr).to_be_visible()
        assert await qr.evaluate("image => image.naturalWidth") > 0
        await shoot(page, "wallet-qr")
        await pay_on_a_phone(house, page)
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")
        await expect(page.locator("wallet-desk .balance .sum")).to_contain_text("1,000")
        await shoot(page, "wallet-paid")

        await page.locator("wallet-desk .lines button", has_text="환불").click()
        await page.locator("wallet-desk dialog button:not(.quiet)").click()
        await expect(page.locator("wallet-desk .balance .sum")).to_have_text(re.compile(r"^\s*0\D"))
        line = page.locator("wallet-desk .lines li[data-state]").first
        await expect(line).to_have_attribute("data-state", "refunded")

    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran


async def test_a_reload_in_the_middle_of_paying_shows_the_same_order(house, new_page, nickname):
    async with new_page(locale="en-GB") as page:
        await sign_up(page, nickname())
        await order(page, "100")
        before = page.url
        await page.reload()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        assert page.url == before
        await page.locator("top-up-desk .order button").click()
        await expect(page.locator("top-up-desk .pack").first).to_be_visible()
        assert "order=" not in page.url
        assert (await house.console("orders", "reconcile", "--json")).code == 0


async def test_an_answer_that_is_lost_is_asked_for_with_the_same_order(new_page, nickname):
    sent = []

    async def lose(route):
        if route.request.method != "POST":
            return await route.continue_()
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            await route.fetch()  # The house has it; the page never hears of it.
            return await route.abort()
        return await route.continue_()

    async with new_page(locale="en-GB") as page:
        await sign_up(page, nickname())
        await page.route("**/api/points/orders", lose)
        await page.goto("/wallet")
        await page.locator("top-up-desk .pack").first.click()
        await page.locator("top-up-desk button", has_text="Ask again").click()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        page.complaints[:] = [text for text in page.complaints if "ERR_FAILED" not in text]

    assert sent[0] == sent[1]


async def test_a_guest_is_sent_to_log_in_with_the_order_kept_for_after_it(new_page):
    async with new_page() as page:
        await page.goto("/wallet?order=0190c5a2-7d1e-4c55-8d3e-0a6c1f8b2c3d")
        await page.wait_for_url(re.compile(r"/login\?.*wallet.*0190c5a2-7d1e-4c55-8d3e-0a6c1f8b2c3d"))
