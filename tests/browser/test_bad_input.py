"""What people type and press that nobody hoped for: nothing is lost, and the words say what to do."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

from house import PASSWORD, eventually
from playwright.async_api import expect
from visits import log_in, sign_up

PASTE_PICTURE = """(field) => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([new Uint8Array(8)], "cat.png", { type: "image/png" }));
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


async def test_odd_lines_are_sent_or_kept_and_explained(house, new_page, nickname, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto(f"/c/{streamer}")
        field = page.locator("#chat-text")
        mine = page.locator("chat-list .line.mine:not(.pending):not(.refused) .text")

        await field.fill("가" * 512)
        await field.press("Enter")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#chat-left")).to_have_text("12자를 줄여 주세요")
        await expect(field).to_have_value("가" * 512)
        await shoot(page, "chat-too-long")

        await field.fill("글 쓰는 중")
        await field.evaluate(PASTE_PICTURE)
        await expect(page.locator(".composer .note")).to_contain_text("사진은 보낼 수 없습니다")
        await expect(field).to_have_value("글 쓰는 중")
        await shoot(page, "chat-picture")

        await field.fill("🐈‍⬛🐈🎉")
        await asyncio.gather(field.press("Enter"), field.press("Enter"))
        await expect(mine.last).to_have_text("🐈‍⬛🐈🎉")
        await field.fill("앞\u202e뒤집기\u2066 <b>굵게</b>")
        await field.press("Enter")
        await expect(mine.last).to_have_text("앞뒤집기 <b>굵게</b>")
        assert await mine.count() == 2

        await field.fill("\u202e\u2066")
        await field.press("Enter")
        refused = page.locator("chat-list .line.refused")
        await expect(refused).to_contain_text("읽을 내용이 없습니다")
        await refused.locator("button").first.click()
        await expect(field).to_be_focused()


async def test_enter_ends_a_syllable_before_it_ends_a_line(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto(f"/login?next=/chat/{member.nickname}")
        await log_in(page, member.login_id, PASSWORD)
        field = page.locator("#chat-text")
        rows = page.locator("chat-list .line .text")
        await expect(page.locator("chat-room .count")).to_be_visible()
        keyboard = await page.context.new_cdp_session(page)
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}

        async def press(**key):
            await keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter, **key})
            await keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter, **key})

        await field.focus()
        await page.evaluate("addEventListener('keydown', (event) => { window.composed = event.isComposing; }, true)")
        await keyboard.send("Input.imeSetComposition", {"text": "야오", "selectionStart": 2, "selectionEnd": 2})
        await press()
        assert await page.evaluate("composed") is True
        await expect(field).to_have_value("야오")
        await keyboard.send("Input.insertText", {"text": "야옹"})
        await expect(field).to_have_value("야옹")
        # As Safari tells the key that ended the syllable: composing is over, and yet it was for that.
        await press(windowsVirtualKeyCode=229)
        assert await page.evaluate("composed") is False
        await expect(field).to_have_value("야옹")
        await press()
        await expect(page.locator("chat-list .line.mine:not(.pending) .text")).to_have_text(["야옹"])
        await expect(field).to_have_value("")
        await expect(rows).to_have_text(["야옹"])


async def test_a_login_that_ends_while_one_types_takes_no_words_along(house, new_page, nickname):
    streamer = (await house.on_air("demo"))["nickname"]
    member = await house.sign_up(nickname())
    assert (await house.console("members", "grant", member.nickname, "1000")).code == 0
    async with new_page() as page:
        await page.goto(f"/login?next=/c/{streamer}")
        await log_in(page, member.login_id, PASSWORD)
        await page.locator("#chat-text").fill("쓰다 만 말")
        await page.click("channel-about button.donate")
        await page.locator("donate-dialog textarea").fill("선물과 함께")
        await page.locator("donate-dialog input[type=number]").fill("300")
        await page.locator("donate-dialog input[type=checkbox]").check()
        # From another device: all others are logged out, and this page hears it at once.
        await house.api("DELETE", "/api/members/me/logins", token=member.token)
        await expect(page.locator("chat-room .guest")).to_be_visible()
        await page.locator("donate-dialog button[type=submit]").click()
        back = page.locator("donate-dialog [role=alert] a")
        await expect(back).to_be_visible()
        await back.click()
        await page.wait_for_url("**/login?*")
        page.forgiven.append("401")
        await log_in(page, member.login_id, PASSWORD)
        await page.wait_for_url(f"/c/{streamer}")
        await expect(page.locator("#chat-text")).to_have_value("쓰다 만 말")
        await page.click("channel-about button.donate")
        await expect(page.locator("donate-dialog textarea")).to_have_value("선물과 함께")
        await expect(page.locator("donate-dialog input[type=number]")).to_have_value("300")
        await expect(page.locator("donate-dialog input[type=checkbox]")).to_be_checked()
        await page.locator("donate-dialog button[type=submit]").dblclick()
        await expect(page.locator("donate-dialog .thanks")).to_contain_text("700")
        await page.locator("donate-dialog .thanks button").click()
        await page.locator("#chat-text").press("Enter")
        await expect(page.locator("chat-list .line.mine:not(.pending) .text", has_text="쓰다 만 말")).to_be_visible()
        await page.reload()
        await expect(page.locator("#chat-text")).to_have_value("")

    history = await house.api("GET", "/api/points/history", token=member.token)
    assert [entry["points"] for entry in history["entries"] if entry["kind"] == "donation"] == [-300]


async def called(house, member, words):
    """Wait until the house calls a member's channel so."""

    async def look():
        return (await house.api("GET", f"/api/channels/{member.nickname}"))["title"] == words

    await eventually(look, what=f"the title {words}")


async def change_elsewhere(house, member, change):
    """Change a member's channel from another device."""
    account = {"login_id": member.login_id, "password": PASSWORD}
    token = (await house.api("POST", "/api/members/login", account))["access_token"]
    await house.api("PATCH", f"/api/channels/{member.nickname}", change, token=token)


async def save_now(page, save):
    """Press the button, and wait until the house has taken it."""
    await save.click()
    await expect(page.locator("channel-form .said")).not_to_be_empty()


async def buy_without_a_login(page, house, member):
    """Press a pack when the login has ended elsewhere."""
    await page.goto("/wallet")
    pack = page.locator("top-up-desk .pack").first
    await expect(pack).to_be_visible()
    await house.api("DELETE", "/api/members/me/logins", token=member.token)
    await page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=3))
    await pack.click()
    await expect(page.locator("top-up-desk [role=alert] a")).to_have_attribute("href", "/login?next=%2Fwallet")


async def test_a_title_is_saved_as_meant_or_kept_and_explained_and_outlives_a_login(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        title, category, tags = (page.locator(f"channel-form [name={one}]") for one in ("title", "category", "tags"))
        save, wrong = page.locator("channel-form button[type=submit]"), page.locator("channel-form [role=alert]")
        page.forgiven.append("400")
        await expect(save).to_be_enabled()

        await title.fill("긴" * 101)
        await save.click()
        await expect(wrong).to_contain_text("100자")
        await expect(title).to_have_value("긴" * 101)
        await shoot(page, "studio-title-too-long")

        await title.fill("🐈‍⬛🎉")
        await category.fill("가" * 41)
        await save.click()
        await expect(wrong).to_contain_text("40자")
        await expect(category).to_have_value("가" * 41)
        await category.fill("")
        await save.dblclick()
        await expect(page.locator("channel-form .said")).not_to_be_empty()
        await expect(wrong).to_have_count(0)
        await called(house, member, "🐈‍⬛🎉")

        await title.fill("앞\u202e뒤집기\u2066")
        await save_now(page, save)
        await called(house, member, "앞뒤집기")

        await category.fill("게임")
        await tags.fill("고양이")
        await save_now(page, save)

        # Ended from another device, and the token in the page's memory is over.
        await title.fill("아직 저장하지 않은 제목")
        await tags.fill("")
        await house.api("DELETE", "/api/members/me/logins", token=member.token)
        await page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=1))
        await save.click()
        await wrong.locator("a").click()
        await page.wait_for_url("**/login?*")
        page.forgiven.append("401")
        # What was not typed here is what it was elsewhere by then.
        await change_elsewhere(house, member, {"category": "수다"})
        await log_in(page, member.login_id, PASSWORD)
        await page.wait_for_url("/studio")
        await expect(title).to_have_value("아직 저장하지 않은 제목")
        await expect(category).to_have_value("수다")
        await expect(tags).to_have_value("")
        await save_now(page, save)
        await page.reload()
        await expect(title).to_have_value("아직 저장하지 않은 제목")

        await buy_without_a_login(page, house, member)


async def test_words_of_a_gift_are_given_as_meant_or_kept_and_explained(house, new_page, nickname, shoot):
    streamer, member = (await house.on_air("demo"))["nickname"], await house.sign_up(nickname())
    assert (await house.console("members", "grant", member.nickname, "1000")).code == 0
    async with new_page() as page:
        await page.goto(f"/login?next=/c/{streamer}")
        await log_in(page, member.login_id, PASSWORD)
        await page.click("channel-about button.donate")
        words, wrong = page.locator("donate-dialog textarea"), page.locator("donate-dialog [role=alert]")
        give = page.locator("donate-dialog button[type=submit]")

        await words.fill("말" * 300)
        await give.click()
        await expect(wrong).not_to_be_empty()
        await expect(words).to_have_value("말" * 300)
        await expect(page.locator("#donate-left")).to_contain_text("100")
        await shoot(page, "donate-too-long")

        await words.fill("붙여 넣기")
        await words.evaluate(PASTE_PICTURE)
        await expect(words).to_have_value("붙여 넣기")
        await words.fill("앞\u202e뒤 🐈‍⬛ <b>굵게</b>")
        await give.dblclick()
        await expect(page.locator("donate-dialog .thanks")).to_contain_text("900")
        # What is given is given: nothing to press but this.
        await expect(page.locator("donate-dialog button:visible:not([aria-label])")).to_have_text(["닫기"])
        await page.locator("donate-dialog .thanks button").click()
        gift = page.locator("chat-list .donated", has_text=member.nickname)
        await expect(gift.locator(".text")).to_have_text(["앞뒤 🐈‍⬛ <b>굵게</b>"])


async def test_a_double_click_and_the_way_back_in_the_middle_of_paying_make_one_order(house, new_page, nickname):
    placed = []
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto("/wallet")
        page.on(
            "request",
            lambda asked: (
                placed.append(asked.url)
                if asked.method == "POST" and asked.url.endswith("/api/points/orders")
                else None
            ),
        )
        await page.locator("top-up-desk .pack").first.dblclick()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        order = page.url
        await page.locator("top-up-desk a.button.main").click()
        await page.wait_for_url("**/sandbox-pay/**")
        await page.go_back()
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "ready")
        assert page.url == order
        await page.locator("top-up-desk a.button.main").click()
        await page.wait_for_url("**/sandbox-pay/**")
        await page.goto(str(await page.locator("p > a").first.get_attribute("href")))
        await page.locator("button[value=pay]").dblclick()
        await page.wait_for_url(re.compile(r"/wallet\?order="))
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")

        # Back over the provider's pages, which must take nothing twice, and forward again.
        await page.go_back()
        await page.goto(order)
        await expect(page.locator("top-up-desk .order")).to_have_attribute("data-state", "paid")
        await expect(page.locator("wallet-desk .balance .sum")).to_contain_text("100")

    async def balanced():
        return (await house.console("ledger", "audit")).code == 0

    await eventually(balanced, what="balanced books")
    assert len(placed) == 1
