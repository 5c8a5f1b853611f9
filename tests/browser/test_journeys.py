"""Whole ways through the site: by keyboard alone, enlarged, over a line that breaks, from an empty page to on air."""

from __future__ import annotations

import asyncio

import pytest
from house import Encoder, eventually
from playwright.async_api import expect
from visits import log_in, playing_since, sign_up

TABS_MAX = 40  # More presses than this to the next thing one wants is no way for a keyboard.


async def test_a_streamer_goes_live_with_what_the_page_says(new_page, nickname, ffmpeg, shoot):
    async with new_page(permissions=["clipboard-read", "clipboard-write"]) as page, new_page() as viewer:
        name = nickname()
        await sign_up(page, name)
        copied = []
        for field in (page.locator("copy-field").nth(0), page.locator("copy-field").nth(1)):
            # It says so for two seconds: who looks only afterwards may come too late.
            said = expect(field.locator("[role=status]")).not_to_be_empty()
            await asyncio.gather(said, field.locator("button.copy").click())
            copied.append(await page.evaluate("navigator.clipboard.readText()"))
        server, key = sorted(copied, key=lambda text: not text.startswith("rtmp://"))
        await page.goto("/studio")
        lamp = page.locator("studio-desk .now h2")
        await expect(lamp).not_to_be_empty()
        off_air = await lamp.text_content()
        async with Encoder(ffmpeg, server, key):
            await expect(lamp).not_to_have_text(off_air)
            await expect(page.locator("stream-health .connected")).to_contain_text("ffmpeg")
            await playing_since(page, 0)
            assert await page.locator("live-player.preview video").evaluate("video => video.muted")
            await expect(page.locator("stream-graphs figure")).to_have_count(4)
            left = "one => document.querySelector(`studio-desk .now ${one}`).getBoundingClientRect().left"
            assert await page.evaluate(left, ".followers") == await page.evaluate(left, "h2")  # Under the same words.
            await shoot(page, "journey-on-air")
            await viewer.goto(f"/c/{name}")
            await playing_since(viewer, 0)
            await shoot(viewer, "journey-watched")


async def test_a_line_that_breaks_loses_no_message(house, new_page, nickname, shoot):
    owner, reader = await house.sign_up(nickname()), nickname()
    sockets, down = [], False

    async def carry(socket):
        if down:
            await socket.close()
            return
        sockets.append(socket)
        socket.connect_to_server()

    async with new_page() as page, house.connect(owner) as talking:
        await page.route_web_socket("**/rsocket", carry)
        await sign_up(page, reader)
        await page.goto(f"/c/{owner.nickname}")
        await talking.say(owner.nickname, "하나")
        texts = page.locator("chat-list .line:not(.pending) .text")
        await expect(texts).to_have_text(["하나"])
        await page.fill("#chat-text", "아직 쓰는 중")

        down = True
        await sockets[-1].close()
        await expect(page.locator("chat-room .state")).to_be_visible()
        await shoot(page, "journey-cut")
        await talking.say(owner.nickname, "둘")
        await talking.say(owner.nickname, "셋")
        down = False

        await expect(texts).to_have_text(["하나", "둘", "셋"])
        await expect(page.locator("#chat-text")).to_have_value("아직 쓰는 중")
        await page.press("#chat-text", "Enter")
        await expect(texts).to_have_text(["하나", "둘", "셋", "아직 쓰는 중"])


async def go_to(page, selector):
    """Press Tab until the wanted thing has the focus, and see that one can see it."""
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate("(wanted) => document.activeElement?.matches(wanted) ?? false", selector):
            ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", selector
            return
    raise AssertionError(f"{selector} is not within {TABS_MAX} presses of Tab")


async def test_a_keyboard_is_enough(house, new_page, nickname, shoot):
    streamer, member = (await house.on_air("demo"))["nickname"], await house.sign_up(nickname())
    async with new_page(locale="en-GB") as page:
        await page.goto("/")
        await expect(page.locator("channel-card").first).to_be_visible()
        await go_to(page, "site-header a[href^='/login']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/login*")
        await go_to(page, "#login_id")
        await page.keyboard.type(member.login_id)
        await go_to(page, "#password")
        await page.keyboard.type("correct horse battery staple")
        await page.keyboard.press("Enter")
        await expect(page.locator("site-header .me")).to_be_visible()
        await expect(page.locator("channel-card").first).to_be_visible()

        await page.keyboard.press("Tab")
        await expect(page.locator("site-header .skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await go_to(page, f"channel-card a[href='/c/{streamer}']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/c/*")
        await expect(page.locator("channel-about button.follow")).to_be_visible()
        await go_to(page, "channel-about button.follow")
        await page.keyboard.press("Space")
        await expect(page.locator("channel-about button.follow")).to_have_attribute("aria-pressed", "true")
        await go_to(page, "channel-about button.donate")
        await page.keyboard.press("Enter")
        dialog = page.locator("donate-dialog dialog")
        await expect(dialog).to_be_visible()
        await go_to(page, "donate-dialog textarea")
        await shoot(page, "journey-keyboard")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(page.locator("channel-about button.donate")).to_be_focused()
        await go_to(page, "#chat-text")
        await page.keyboard.type("by keyboard")
        await page.keyboard.press("Enter")
        await expect(page.locator("chat-list .line.mine:not(.pending) .text")).to_have_text(["by keyboard"])


@pytest.mark.parametrize("locale", ["ko-KR", "en-GB"])
async def test_at_twice_the_size_everything_is_still_there(house, new_page, nickname, shoot, locale):
    """A window of 1280 by 800 at 200 %: half as many CSS pixels (WCAG 1.4.4, 1.4.10)."""
    streamer, member = (await house.on_air("demo"))["nickname"], await house.sign_up(nickname())
    async with new_page(locale=locale, device_scale_factor=2) as page:
        await page.set_viewport_size({"width": 640, "height": 400})
        await page.goto("/login")
        await log_in(page, member.login_id)
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_be_visible()
        for path, there in (
            ("/", "channel-card a"),
            (f"/c/{streamer}", "channel-about button.donate"),
            ("/studio", "studio-desk copy-field"),
            ("/wallet", "top-up-desk .pack"),
            ("/account", "leave-form button"),
        ):
            await page.goto(path)
            await expect(page.locator(there).first).to_be_visible()
            cut = await page.evaluate(
                """() => [...document.querySelectorAll("a, button, input, select, textarea, h1, h2")].filter((one) => {
                  const { left, right, width } = one.getBoundingClientRect();
                  const scrolls = one.closest(".categories, .visually-hidden, dialog:not([open]), [popover], .skip");
                  return width > 0 && scrolls === null && (left < 0 || right > innerWidth + 1);
                }).map((one) => one.outerHTML.slice(0, 200))"""
            )
            assert cut == [], path
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            await shoot(page, f"journey-enlarged{path.split('/')[1] and '-'}{path.split('/')[1]}-{locale[:2]}")


async def test_a_moderator_of_another_channel_mutes_and_the_page_says_so(house, new_page, nickname, shoot):
    owner, guest, moderator = [await house.sign_up(nickname()) for _ in range(3)]
    async with new_page() as page, house.connect(owner) as owning, house.connect(guest) as talking:
        await owning.call(
            "moderation.act", {"channel": owner.nickname, "action": "grant", "nickname": moderator.nickname}
        )
        await page.goto("/login")
        await log_in(page, moderator.login_id)
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_be_visible()
        await page.goto(f"/c/{owner.nickname}")
        await expect(page.locator("#chat-text")).to_be_visible()
        heard = talking.watch(owner.nickname)
        await talking.say(owner.nickname, "시끄럽게")
        await expect(page.locator("chat-list .line .text")).to_have_text(["시끄럽게"])
        await page.locator("chat-list").focus()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await page.locator("chat-acts button", has_text="10분").press("Enter")
        muted = await heard.until(lambda event: event["kind"] == "muted")
        assert muted["nickname"] == guest.nickname
        await expect(page.locator("chat-acts .said")).to_contain_text(guest.nickname)
        await shoot(page, "journey-moderator")


async def test_the_way_back_out_of_a_payment_leads_to_the_same_order(house, new_page, nickname):
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto("/wallet")
        await page.locator("top-up-desk .pack").first.click()
        order = page.locator("top-up-desk .order")
        await expect(order).to_have_attribute("data-state", "ready")
        where = page.url
        await order.locator("a.button.main").click()
        await expect(page.locator(".no-money")).to_be_visible()
        await page.go_back()
        await expect(order).to_have_attribute("data-state", "ready")
        assert page.url == where
        token = await page.evaluate(
            "async () => (await (await fetch('/api/members/refresh', {method: 'POST'})).json()).access_token"
        )

        async def placed():
            return (await house.api("GET", "/api/points/orders", token=token))["orders"]

        assert len(await eventually(placed, what="the order")) == 1
