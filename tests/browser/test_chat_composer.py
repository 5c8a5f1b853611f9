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


async def test_what_no_line_can_hold_is_left_out_of_it_or_said(house, new_page, nickname):
    async with new_page() as page:
        await write(page, house, nickname)
        field, lines = (
            page.locator("#chat-text"),
            page.locator("chat-list .line.mine:not(.pending):not(.refused) .text"),
        )
        put = """(field, escaped) => {
          field.value = JSON.parse(`"${escaped}"`);
          field.dispatchEvent(new InputEvent("input"));
        }"""
        odd = {r"a\u0000b\u0007": "ab", r"\ud83d 반쪽": "반쪽", r"가\n\n나\t다": "가 나 다"}
        for count, (escaped, said) in enumerate(odd.items(), 1):
            await field.evaluate(put, escaped)
            await field.press("Enter")
            await expect(lines).to_have_count(count)
            await expect(lines.last).to_have_text(said)
        for nothing in (r"  \t\u00a0", r"\u0000\u001b"):
            await field.evaluate(put, nothing)
            await field.press("Enter")
            await expect(field).to_have_value(json.loads(f'"{nothing}"'))
        # As long as a book: it stays, and how much is too much is said.
        await field.evaluate(
            "(field) => { field.value = '가'.repeat(1 << 20); field.dispatchEvent(new InputEvent('input')); }"
        )
        await field.press("Enter")
        await expect(page.locator("#chat-left")).to_have_text("1,046,576자를 줄여 주세요")
        assert await field.evaluate("(field) => field.value.length") == 1 << 20
        await expect(page.locator("chat-list .line")).to_have_count(3)
