"""The field of the chat: what is typed there becomes one line, or stays there with words that say why."""

from __future__ import annotations

import json

from house import PASSWORD
from playwright.async_api import expect
from visits import log_in

UNSENT_MAX = 20


async def write(page, house, nickname):
    """Log a new member in to the window of their own chat."""
    member = await house.sign_up(nickname())
    await page.goto(f"/login?next=/chat/{member.nickname}")
    await log_in(page, member.login_id, PASSWORD)
    await expect(page.locator("chat-room .count")).to_be_visible()
    return member


async def test_no_line_that_waits_goes_for_one_more_which_stays_in_the_field(house, new_page, nickname, shoot):
    async with new_page() as page:
        member = await write(page, house, nickname)
        waiting = [{"id": f"x{number}", "text": f"말 {number}", "code": "chat.slow"} for number in range(UNSENT_MAX)]
        await page.evaluate(
            "([place, lines]) => sessionStorage.setItem(`commeow.unsent.${place}`, lines)",
            [f"{member.nickname}.{member.nickname}", json.dumps(waiting)],
        )
        await page.reload()
        field, refused = page.locator("#chat-text"), page.locator("chat-list .line.refused")
        await expect(refused).to_have_count(UNSENT_MAX)
        await field.fill("하나 더")
        await field.press("Enter")
        await expect(page.locator("chat-composer .state")).to_contain_text(f"{UNSENT_MAX}개")
        await expect(field).to_have_value("하나 더")
        await expect(refused.first).to_contain_text("말 0")
        await shoot(page, "chat-unsent-full")
        await refused.last.locator("button").last.click()
        await field.press("Enter")
        await expect(page.locator("chat-list .line.mine:not(.pending):not(.refused) .text")).to_have_text(["하나 더"])
        await expect(field).to_have_value("")
        await expect(refused).to_have_count(UNSENT_MAX - 1)
