"""The conversation in a window of its own: as its owner, as somebody who reads along, and where there is none."""

from __future__ import annotations

from playwright.async_api import expect
from visits import log_in, sign_up


async def test_a_window_of_its_own_talks_and_keeps_order(new_page, nickname, shoot):
    owner = nickname()
    async with new_page() as page:
        await sign_up(page, owner)
        await page.goto(f"/c/{owner}")
        async with page.expect_popup() as opened:
            await page.locator("chat-room header a").click()
        window = await opened.value
        await window.fill("#chat-text", "새 창에서 씁니다")
        await window.press("#chat-text", "Enter")
        said = page.locator("chat-list .line:not(.pending)", has_text="새 창에서 씁니다")
        await expect(said).to_be_visible()
        await expect(window).to_have_title(f"{owner} 채팅 — Commeow")
        await expect(window.locator("chat-room header a")).to_have_count(0)

        # Whose room it is, is known here too.
        await window.locator("chat-list .line:not(.pending) .name").click()
        await window.locator("chat-acts .row button").first.press("Enter")
        await expect(page.locator("chat-list .removed")).to_have_count(1)
        await shoot(window, "chat-window")


async def test_a_guest_logs_in_and_comes_back_to_the_window(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto(f"/chat/{member.nickname}")
        await page.locator("chat-room .guest a").click()
        await log_in(page, member.login_id)
        await page.wait_for_url(f"/chat/{member.nickname}")
        await expect(page.locator("#chat-text")).to_be_visible()


async def test_there_is_no_window_of_no_channel(new_page):
    async with new_page() as page:
        await page.goto("/chat/nobodyofthatname")
        await expect(page.locator("section.missing h2")).to_be_visible()
        page.forgiven.append("404")
