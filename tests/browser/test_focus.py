"""Who works by keyboard keeps their place: a button that waits keeps the focus, and one that goes leaves it near by."""

from __future__ import annotations

import asyncio
import contextlib
import re

from house import PASSWORD, WAIT_SECONDS, Encoder
from playwright.async_api import expect
from visits import log_in


async def holdable(page):
    """Let the page's requests be held back from its first document on.

    Where that begins in a page that lives, the next request may go past it: the key is heard, the house has answered,
    and the test waits for ever for what it has not seen.
    """
    await page.route("**/nowhere", lambda route: route.fallback())


@contextlib.asynccontextmanager
async def unanswered(page, method, path):
    """Hold the house's answer back until the block ends; yield how often it was asked."""
    asked, go, times = asyncio.Event(), asyncio.Event(), []

    async def wait(route):
        if route.request.method != method:
            return await route.fallback()
        times.append(path)
        asked.set()
        await go.wait()
        return await route.fallback()

    await page.route(path, wait)

    async def was_asked():
        await asyncio.wait_for(asked.wait(), WAIT_SECONDS)
        return times

    try:
        yield was_asked
    finally:
        go.set()


async def press_and_stay(page, button, method, path, key="Enter"):
    """Press by keyboard, and again while the answer waits: asked once, and the focus is where it was."""
    await expect(button).to_be_enabled()
    await button.focus()
    async with unanswered(page, method, path) as was_asked:
        await page.keyboard.press(key)
        times = await was_asked()
        await expect(button).to_have_attribute("aria-disabled", "true")
        await page.keyboard.press(key)
        await expect(button).to_be_focused()
    await expect(button).not_to_have_attribute("aria-disabled", "true")
    assert len(times) == 1


@contextlib.asynccontextmanager
async def desk(new_page, member, path):
    async with new_page() as page:
        await holdable(page)
        await page.goto(f"/login?next={path}")
        await log_in(page, member.login_id, PASSWORD)
        yield page


async def test_a_button_of_the_account_keeps_the_focus_while_it_waits(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with desk(new_page, member, "/account") as page:
        tokens = page.locator("bot-tokens")
        make = tokens.locator("form button")
        await tokens.locator("[name=name]").fill("greeter")
        await press_and_stay(page, make, "POST", "**/api/members/me/tokens")
        await expect(make).to_be_focused()
        await expect(tokens.locator("li")).to_have_count(1)
        # What was pressed goes with its line: one goes on at the head of the list.
        await tokens.locator("li button").focus()
        await page.keyboard.press("Enter")
        await tokens.locator("dialog button:not(.quiet)").focus()
        await page.keyboard.press("Enter")
        await expect(tokens.locator("li")).to_have_count(0)
        await expect(tokens.locator("h2").first).to_be_focused()

        data = page.locator("own-data button").first
        await press_and_stay(page, data, "GET", "**/api/members/me/export")
        await expect(data).to_be_focused()
        others = page.locator("login-list .row button")
        await others.focus()
        # A heading that is not shown is nobody's place: the next one is.
        await page.locator("login-list h2").evaluate("(one) => { one.hidden = true; }")
        await page.keyboard.press("Enter")
        await expect(others).to_have_count(0)
        await expect(page.locator(":is(h1, h2, h3):focus")).to_be_visible()


async def test_a_button_of_the_studio_keeps_the_focus_while_it_waits(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with desk(new_page, member, "/studio") as page:
        title = page.locator("channel-form [name=title]")
        await expect(page.locator("channel-form button")).to_be_enabled()
        await title.fill("고양이와 함께")
        await title.press("Enter")
        await expect(page.locator("channel-form .said")).not_to_be_empty()
        await expect(title).to_be_focused()

        add = page.locator("emote-desk button[type=submit]")
        await expect(add).to_be_enabled()
        await add.focus()
        await page.keyboard.press("Enter")  # Without a code, a picture: refused.
        await expect(page.locator("emote-desk [role=alert]")).to_be_visible()
        await expect(add).to_be_focused()

        goal = page.locator("goal-form")
        await goal.locator("[name=points]").fill("300")
        await goal.locator("button").focus()
        await page.keyboard.press("Enter")
        await expect(goal.locator("goal-bar")).to_be_visible()
        await expect(goal.locator("h2")).to_be_focused()  # The form has gone.

        await press_and_stay(
            page, page.locator("overlay-links .row > button").first, "POST", "**/api/members/me/tokens"
        )

        await page.locator("chat-room .rule").focus()
        await page.keyboard.press("Enter")
        save = page.locator("chat-rules button[type=submit]")
        await expect(page.locator("chat-rules textarea")).to_be_enabled()
        await page.locator("chat-rules [name=links]").check()
        await press_and_stay(page, save, "PATCH", f"**/api/channels/{member.nickname}", key="Space")
        await expect(page.locator("chat-rules .said")).not_to_be_empty()
        await expect(save).to_be_focused()


async def test_a_form_that_is_refused_keeps_the_focus(house, new_page):
    async with new_page() as page:
        await holdable(page)
        await page.goto("/login")
        await page.fill("#login_id", "nobody_at_all")
        await page.fill("#password", "not the right password")
        submit = page.locator("log-in-form button")
        await press_and_stay(page, submit, "POST", "**/api/members/login")
        await expect(page.locator("log-in-form [role=alert]")).to_be_visible()
        await expect(submit).to_be_focused()
        page.forgiven.append("401")


async def test_who_gives_by_keyboard_stays_in_the_dialog(house, new_page, nickname, ffmpeg):
    streamer, donor = await house.sign_up(nickname()), await house.rich_member(nickname(), 500)
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        await house.on_air(streamer.nickname)
        async with desk(new_page, donor, f"/c/{streamer.nickname}") as page:
            await page.locator("channel-about button.donate").press("Enter")
            amount = page.locator("donate-dialog input[type=number]")
            await amount.fill("5000")
            await amount.press("Enter")
            await expect(page.locator("donate-dialog [role=alert]")).to_be_visible()
            await expect(amount).to_be_focused()
            await amount.fill("30")
            await amount.press("Enter")
            await expect(page.locator("donate-dialog .thanks button")).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.locator("channel-about button.donate")).to_be_focused()
            follow = page.locator("channel-about button.follow")
            await press_and_stay(page, follow, "PUT", re.compile("/follow"))
            await expect(follow).to_be_focused()


MISSING = "() => void Promise.reject(new TypeError('Importing a module script failed.'))"


async def test_the_hint_to_load_anew_takes_nobodys_place_and_stands_in_an_open_dialog(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        page.forgiven.append("module")
        await page.goto(f"/c/{member.nickname}")
        share, hint = page.locator("channel-about .share"), page.locator(".reload-hint")
        close = hint.locator("button.quiet")
        await expect(share).to_be_visible()
        await page.evaluate(MISSING)
        await expect(hint.get_by_role("alert")).to_be_visible()
        await share.press("Enter")
        field = page.locator("share-dialog input").first
        await expect(field).to_be_visible()
        # Below a modal dialog it could be neither pressed nor focused.
        await expect(page.locator("share-dialog dialog > .reload-hint")).to_be_visible()
        await expect(hint.get_by_role("alert")).to_have_count(0)  # It has been read.
        await field.focus()
        await close.focus()
        await expect(close).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(hint).to_have_count(0)
        await expect(field).to_be_focused()

        await page.evaluate(MISSING)
        await expect(hint.get_by_role("alert")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(share).to_be_focused()
        await expect(page.locator("body > .reload-hint")).to_be_visible()
        await close.focus()
        await share.evaluate("(one) => one.remove()")  # What one came from is gone: the page's own place, then.
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
