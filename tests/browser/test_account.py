"""One's own account: devices, password, tokens for programs, one's data, and the way out."""

from __future__ import annotations

import json
import re

from house import PASSWORD
from playwright.async_api import expect
from visits import log_in

NEW_PASSWORD = "another horse, another staple"


async def enter(page, member, password=PASSWORD):
    """Log in and come back to the account's page."""
    await page.goto("/account")
    await page.wait_for_url("**/login?*")
    await log_in(page, member.login_id, password)
    await page.wait_for_url("/account")
    await expect(page.locator("login-list li").first).to_be_visible()


async def test_a_member_looks_after_the_account(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    async with new_page(locale="en-GB") as page, new_page() as other:
        await enter(other, member)
        await enter(page, member)
        devices = page.locator("login-list li")
        await expect(devices.first).to_contain_text("Chrome")
        await expect(page.locator("login-list .here")).to_have_count(1)
        await page.click("login-list button.quiet:not(.small)")
        await expect(devices).to_have_count(1)
        await expect(page.locator("login-list [role=status]")).to_contain_text("Logged out")
        await other.reload()
        await other.wait_for_url("**/login?*")
        other.forgiven.append("401")

        tokens = page.locator("bot-tokens")
        await tokens.locator("input[name=name]").fill("  greeter ")
        await tokens.locator("form button").click()
        await expect(tokens.locator("copy-field input")).to_have_value(re.compile("^cmb_"))
        await expect(tokens.locator("li")).to_contain_text("greeter")
        await shoot(page, "account-token")
        await tokens.locator("li button").click()
        await tokens.locator("dialog button:not(.quiet)").click()
        await expect(tokens.locator("li")).to_have_count(0)

        await tokens.locator("input[name=name]").fill("forgotten")
        await tokens.locator("form button").click()
        await expect(tokens.locator("li")).to_contain_text("forgotten")
        form = page.locator("password-form")
        await form.locator("#old_password").fill("not my password")
        await form.locator("#password").fill(NEW_PASSWORD)
        await form.locator("button").click()
        await expect(form.locator("#old_password")).to_be_focused()
        await expect(form.locator("#old_password-below")).to_have_class("problem")
        page.forgiven.append("403")
        await form.locator("#old_password").fill(PASSWORD)
        await form.locator("button").click()
        await expect(form.locator("[role=status]")).to_contain_text("tokens and OBS overlay links stop")
        await expect(tokens.locator("li, copy-field")).to_have_count(0)

        async with page.expect_download() as given:
            await page.locator("own-data button").first.click()
        data = json.loads((await (await given.value).path()).read_text(encoding="utf-8"))
        assert data["profile"]["nickname"] == member.nickname

        await page.click("account-desk .choice[lang=ko]")
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await expect(page.locator("account-desk h2").first).to_have_text("로그인한 기기")


async def test_leaving_wants_the_name_and_the_password_and_waits_for_money(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    async with new_page(locale="en-GB", color_scheme="light") as page:
        await page.set_viewport_size({"width": 390, "height": 844})
        await enter(page, member)
        await shoot(page, "account-phone", full_page=True)
        assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        leaving = page.locator("leave-form")
        await leaving.locator("section > .row button").focus()
        await page.keyboard.press("Enter")
        dialog = leaving.locator("dialog")
        await expect(dialog.locator("#leave_nickname")).to_be_focused()
        await dialog.locator("#leave_nickname").fill("somebody")
        await dialog.locator("#leave_password").fill(PASSWORD)
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator("#leave_nickname-below")).to_contain_text("not your nickname")
        await shoot(page, "account-leave")
        await dialog.locator("#leave_nickname").fill(member.nickname)
        await page.route(
            "**/api/members/me",
            lambda route: route.fulfill(
                status=409, content_type="application/problem+json", body='{"code": "order.state", "retry": false}'
            ),
            times=1,
        )
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator("[role=alert]")).to_contain_text("A payment or refund")
        page.forgiven.append("409")
        await dialog.locator("button[type=submit]").click()
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_have_count(0)
        await page.goto("/login")
        await log_in(page, member.login_id)
        await expect(page.locator("log-in-form [role=alert]")).to_be_visible()
        page.forgiven.append("401")
