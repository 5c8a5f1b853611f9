"""Points by the wallet's page: chosen, paid on a phone that scanned the code, given back; and what a reload keeps."""

from __future__ import annotations

import re
from urllib.parse import unquote

import aiohttp
from playwright.async_api import expect
from visits import log_in, sign_up

from tests.routes.qr_reader import read as read_qr

# A page that asks for one order, which it does only where it is not told.
ASKS = re.compile(r"/api/points/orders/[0-9a-f-]{36}$")
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


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
        assert await qr.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        await shoot(page, "wallet-qr")
        await pay_on_a_phone(house, page)
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")
        await expect(page.locator("wallet-desk .balance .sum")).to_contain_text("1,000")
        await shoot(page, "wallet-paid")

        await page.locator("wallet-desk .lines button", has_text="환불").click()
        asked = []
        page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/refund") else None)
        await page.locator("wallet-desk dialog button:not(.quiet)").evaluate("(one) => { one.click(); one.click(); }")
        await expect(page.locator("wallet-desk .balance .sum")).to_have_text(re.compile(r"^\s*0\D"))
        line = page.locator("wallet-desk .lines li[data-state]").first
        await expect(line).to_have_attribute("data-state", "refunded")
        assert len(asked) == 1

    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran


async def test_a_code_scanned_by_a_phone_becomes_a_gift_in_anothers_room(house, new_page, nickname, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    donor, asked = nickname(), []
    async with new_page(locale="en-GB") as watcher, new_page() as page:
        await watcher.goto(f"/c/{streamer}")
        await sign_up(page, donor)
        page.on("request", lambda request: asked.append(request.url) if ASKS.search(request.url) else None)
        await order(page, "1,000")
        # What a camera sees: the picture's cells, nothing that the page knows beside it.
        code = await page.locator("top-up-desk .qr").get_attribute("src")
        address = read_qr(unquote(code.removeprefix("data:image/svg+xml,")))

        async with new_page(**PHONE) as phone:
            await phone.goto(address)
            await shoot(phone, "phone-pays")
            assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await phone.locator("button[value=pay]").click()
            # The phone belongs to nobody here: it is led back to the shop, which asks who it is.
            await phone.wait_for_url(re.compile(r"/login\?.*order"))

        # Nobody has touched this page since, and it has not asked: it was told.
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")
        await expect(page.locator("wallet-desk .balance .sum")).to_contain_text("1,000")
        assert asked == []

        await page.goto(f"/c/{streamer}")
        await page.click("channel-about button.donate")
        dialog = page.locator("donate-dialog dialog")
        await expect(dialog.locator(".balance")).to_contain_text("1,000")
        await dialog.locator("input[type=number]").fill("300")
        await dialog.locator("textarea").fill(f"{donor} 휴대폰으로")
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator(".thanks")).to_contain_text("300")
        gift = watcher.locator("chat-list .line.donated", has_text=f"{donor} 휴대폰으로")
        await expect(gift.locator(".points")).to_contain_text("300")
        await page.goto("/wallet")
        await expect(page.locator("wallet-desk .balance .sum")).to_contain_text("700")

    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran


async def test_who_has_too_few_points_is_led_to_more_and_finds_them_here(house, new_page, nickname, shoot):
    streamer, donor = (await house.on_air("demo"))["nickname"], await house.rich_member(nickname(), 100)
    async with new_page(locale="en-GB") as page:
        await page.goto(f"/login?next=/c/{streamer}")
        await log_in(page, donor.login_id)
        await page.click("channel-about button.donate")
        dialog = page.locator("donate-dialog dialog")
        await expect(dialog.locator(".balance")).to_contain_text("100")
        way, give = dialog.get_by_role("link", name="Get points"), dialog.locator("button[type=submit]")
        main, quiet = re.compile(r"\bmain\b"), re.compile(r"\bquiet\b")
        await expect(way).not_to_have_class(main)

        await dialog.locator("input[type=number]").fill("150")
        await expect(dialog.locator(".few")).to_contain_text("50 points short")
        await expect(way).to_have_class(main)
        await expect(give).to_have_class(quiet)
        await give.click()
        await expect(dialog.locator("[role=alert]")).to_contain_text("50 points short")
        await shoot(page, "donate-too-few")

        async with page.context.expect_page() as opened:
            await way.click()
        await (await opened.value).close()
        ran = await house.console("members", "grant", donor.nickname, "100")
        assert ran.code == 0, ran
        # Playwright's pages are always in view: this is what a browser says of one that one comes back to.
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(dialog.locator(".balance")).to_contain_text("200")
        await expect(give).not_to_have_class(quiet)
        await expect(dialog.locator("[role=alert]")).to_have_count(0)


async def test_an_order_that_waits_is_led_back_to(new_page, nickname):
    async with new_page(locale="en-GB") as page:
        await sign_up(page, nickname())
        await order(page, "100")
        await page.goto("/wallet")
        await page.locator("wallet-desk .lines").get_by_role("link", name="Go on paying").click()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        await expect(page.locator("top-up-desk .qr")).to_be_visible()


async def test_a_page_that_is_not_told_asks(house, new_page, nickname):
    async with new_page(locale="en-GB") as page:
        await sign_up(page, nickname())
        await page.route("**/api/points/orders/*/events", lambda route: route.abort())
        await order(page, "100")
        await pay_on_a_phone(house, page)
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")
        page.forgiven.append("/events")


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
        await expect(page).not_to_have_url(re.compile("order="))
        # Left, it is found again, here and on another day.
        for _ in range(2):
            await page.locator("wallet-desk .lines a").click()
            await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
            assert page.url == before
            await page.goto("/wallet")
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
        await page.locator("top-up-desk button", has_text="Try again").click()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        page.forgiven.append("ERR_FAILED")

    assert sent[0] == sent[1]


async def test_a_guest_is_sent_to_log_in_with_the_order_kept_for_after_it(new_page):
    async with new_page() as page:
        await page.goto("/wallet?order=0190c5a2-7d1e-4c55-8d3e-0a6c1f8b2c3d")
        await page.wait_for_url(re.compile(r"/login\?.*wallet.*0190c5a2-7d1e-4c55-8d3e-0a6c1f8b2c3d"))
        await expect(page.locator("log-in-form #login_id")).to_be_visible()


async def test_a_gift_that_was_too_large_may_be_given_once_more_points_are_there(house, new_page, nickname):
    streamer, member = (await house.on_air("demo"))["nickname"], await house.sign_up(nickname())

    async def charge_elsewhere():
        assert (await house.console("members", "grant", member.nickname, "100")).code == 0

    async with new_page() as page:
        await page.goto(f"/login?next=/c/{streamer}")
        await log_in(page, member.login_id)
        await page.click("channel-about button.donate")
        dialog = page.locator("donate-dialog dialog")
        balance, give = dialog.locator(".balance"), dialog.locator("button[type=submit]")
        await expect(balance).to_contain_text(re.compile(r"\D0\D"))
        await give.click()
        await expect(dialog.locator("[role=alert]")).to_be_visible()

        await charge_elsewhere()
        await page.evaluate("dispatchEvent(new Event('focus'))")  # Back from the wallet, which has a tab of its own.
        await expect(balance).to_contain_text("100")
        await expect(dialog.locator("[role=alert]")).to_have_count(0)

        await dialog.locator("input[type=number]").fill("200")
        await give.click()
        await expect(dialog.locator("[role=alert]")).to_be_visible()
        await charge_elsewhere()
        # This press finds the points and gives nothing: by then another amount may stand there.
        await give.click()
        await expect(balance).to_contain_text("200")
        await expect(dialog.locator("[role=alert]")).to_have_count(0)
        await expect(give).to_have_attribute("aria-disabled", "false")
        await expect(give).to_be_focused()
        await give.click()
        await expect(dialog.locator(".thanks")).to_contain_text("200")
