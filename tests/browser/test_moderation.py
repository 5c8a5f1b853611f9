"""A streamer keeps the chat in order, by keyboard; and what the one who is kept quiet sees of it."""

from __future__ import annotations

import re

from playwright.async_api import expect
from visits import sign_up


async def say(page, text):
    """Write a line and send it."""
    await page.fill("#chat-text", text)
    await page.press("#chat-text", "Enter")
    # Before the room is known it waits in its field: whatever is written next would take its place.
    await expect(page.locator("#chat-text")).to_have_value("")


def line(page, text):
    """Find the line of the chat that says `text`."""
    return page.locator("chat-list .line:not(.pending)", has_text=text)


async def test_a_streamer_removes_a_line_and_mutes_by_keyboard(new_page, nickname, axe, shoot):
    owner, viewer = nickname(), nickname()
    async with new_page(locale="en-GB") as streamer, new_page() as guest:
        await sign_up(streamer, owner)
        await sign_up(guest, viewer)
        for page in (streamer, guest):
            await page.goto(f"/c/{owner}")
            await expect(page.locator("#chat-text")).to_be_visible()
        await say(guest, "고운 말")
        await say(guest, "미운 말")
        await expect(line(streamer, "미운 말")).to_be_visible()

        await streamer.locator("chat-list").focus()
        await streamer.keyboard.press("ArrowUp")
        await streamer.keyboard.press("Enter")
        acts = streamer.locator("chat-acts")
        await expect(acts.locator(".what")).to_have_text("미운 말")
        await expect(acts.locator("button", has_text="Reply")).to_be_visible()
        await shoot(streamer, "moderation-acts")
        await streamer.evaluate(axe)
        found = await streamer.evaluate("async () => (await axe.run('chat-room')).violations.map((one) => one.id)")
        assert found == []

        await acts.locator("button", has_text="Remove message").press("Enter")
        await expect(guest.locator("chat-list .removed")).to_have_count(1)
        await expect(line(guest, "고운 말")).to_be_visible()
        await acts.locator("button", has_text="Mute").press("Enter")
        await expect(guest.locator("chat-room .muted")).to_be_visible()
        await expect(guest.locator("#chat-text")).to_have_count(0)
        await shoot(guest, "chat-muted")
        await acts.locator("button", has_text="Undo").press("Enter")
        await expect(guest.locator("#chat-text")).to_be_visible()
        await streamer.keyboard.press("Escape")
        await expect(acts.locator("section")).to_have_count(0)
        await expect(streamer.locator("chat-list")).to_be_focused()


async def test_rules_and_a_notice_are_shown_and_a_refused_line_is_not_lost(new_page, nickname, shoot):
    owner, viewer = nickname(), nickname()
    async with new_page() as streamer, new_page() as guest:
        await sign_up(streamer, owner)
        await sign_up(guest, viewer)
        await streamer.goto(f"/c/{owner}")
        await guest.goto(f"/c/{owner}")
        await streamer.click("chat-room .rule")
        rules = streamer.locator("chat-rules")
        await rules.locator("[name=slow]").select_option("30")
        await rules.locator("[name=pinned]").fill("오늘은 8시까지 합니다")
        await rules.locator("[name=links]").check()
        await shoot(streamer, "chat-rules")
        await rules.locator("button[type=submit]").click()
        await expect(rules.locator(".said")).not_to_be_empty()

        await expect(guest.locator("chat-room .pinned bdi")).to_have_text("오늘은 8시까지 합니다")
        await expect(guest.locator("chat-room .rules span")).to_have_count(2)
        await say(guest, "첫 줄")
        await say(guest, "둘째 줄")
        await expect(line(guest, "첫 줄")).to_be_visible()
        refused = guest.locator("chat-list .line.refused", has_text="둘째 줄")
        await expect(refused.locator(".why")).to_contain_text(re.compile(r"\d+초"))
        await shoot(guest, "chat-refused")
        await refused.locator("button").first.click()
        await expect(guest.locator("#chat-text")).to_have_value("둘째 줄")


async def test_a_line_is_answered_by_its_name(house, new_page, nickname):
    streamer = await house.sign_up(nickname())
    async with new_page() as page, house.connect(streamer) as talking:
        await sign_up(page, nickname())
        await talking.say(streamer.nickname, "안녕하세요")
        await page.goto(f"/c/{streamer.nickname}")
        name = page.locator("chat-list .line .name")
        await expect(name).to_have_text(streamer.nickname)
        await name.click()
        await page.locator("chat-acts button").first.click()
        await expect(page.locator("#chat-text")).to_have_value(f"@{streamer.nickname} ")
        await expect(page.locator("#chat-text")).to_be_focused()
