"""The streamer's desk while on air: the chat beside it, gifts as they come, one given back, what was moderated."""

from __future__ import annotations

import asyncio
import re

from house import PASSWORD, Encoder
from playwright.async_api import expect
from visits import log_in, sign_up


async def test_a_streamer_reads_along_and_gives_a_donation_back(house, new_page, nickname, ffmpeg, axe, shoot):
    streamer, donor = await house.sign_up(nickname()), await house.sign_up(nickname())
    assert (await house.console("members", "grant", donor.nickname, "1000")).code == 0
    async with (
        Encoder(ffmpeg, streamer.stream_server, streamer.stream_key),
        new_page() as page,
        house.connect(donor) as talking,
    ):
        await house.on_air(streamer.nickname)
        await page.goto("/login?next=/studio")
        await log_in(page, streamer.login_id, PASSWORD)
        await expect(page.locator("chat-room .rule")).to_be_visible()
        await talking.say(streamer.nickname, "잘 보고 있어요")
        line = page.locator("aside chat-list .line", has_text="잘 보고 있어요")
        await expect(line).to_be_visible()
        await talking.give(streamer.nickname, 300, "물고기 사세요")
        gift = page.locator("received-donations li", has_text="물고기 사세요")
        await expect(gift).to_contain_text("300")
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}))
              .violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`)"""
        )
        await shoot(page, "studio-live")
        assert found == []

        await gift.locator("button").click()
        await page.locator("received-donations dialog button:not(.quiet)").click()
        await expect(gift).to_have_attribute("data-refunded", "")
        balance = await house.api("GET", "/api/points", token=donor.token)
        assert balance["balance"] == 1000

        await line.locator(".name").click()
        await page.locator("chat-acts button", has_text="10분").click()
        entry = page.locator("moderation-log li", has_text=donor.nickname)
        await expect(entry).to_have_count(1)
        await expect(entry.locator(".what")).to_contain_text("10분 동안")
        await entry.locator("button").click()
        await expect(entry).to_have_count(2)
        await shoot(page, "studio-log")


async def test_a_streamer_makes_links_sets_a_goal_and_blocks_words(house, new_page, nickname, axe, shoot):
    member = await house.sign_up(nickname())
    async with new_page(locale="en-GB") as page:
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        links = page.locator("overlay-links")
        await links.locator("section > .row button").click()
        where = links.locator("copy-field input").first
        await expect(where).to_have_value(re.compile(rf"^{re.escape(house.url)}/overlay/cmb_.*/alerts\?lang=en$"))
        address = await where.input_value()
        await expect(links.locator("li")).to_have_count(1)
        form = page.locator("goal-form")
        await form.locator("input[name=title]").fill("A new cushion")
        await form.locator("input[name=points]").fill("3000")
        await form.locator("button").click()
        await expect(form.locator("goal-bar")).to_contain_text("0 / 3,000")
        await page.locator("chat-room .rule").click()
        words = page.locator("chat-rules textarea")
        await words.fill("x" * 51)
        await page.locator("chat-rules button[type=submit]").click()
        await expect(page.locator("chat-rules [role=alert]")).to_contain_text("50 characters")
        await expect(words).to_have_value("x" * 51)
        await words.fill("spam, 광고\nfree money")
        await page.locator("chat-rules button[type=submit]").click()
        await expect(page.locator("chat-rules [role=status]")).to_have_text("Saved")
        await shoot(page, "studio-rules")
        await links.scroll_into_view_if_needed()
        await shoot(page, "studio-overlays")
        await page.evaluate("scrollTo(0, 0)")  # Or what lies half under the header counts as half a button.
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}))
              .violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`)"""
        )
        assert found == []
        await form.locator("button").click()
        await expect(form.locator("input[name=title]")).to_be_visible()
        await links.get_by_role("button", name="Revoke: Link made on").click()
        await links.locator("dialog button:not(.quiet)").click()
        await expect(links.locator("li")).to_have_count(0)
        assert (await page.request.get(address)).status == 404

        await page.reload()
        await page.locator("chat-room .rule").click()
        await expect(words).to_have_value("spam\n광고\nfree money")
        await page.locator("chat-rules a.log").click()
        await expect(page.locator("moderation-log li")).to_contain_text("Blocked words")
        await shoot(page, "moderation")


async def test_what_the_desk_has_shown_stays_whatever_is_answered_next(house, new_page, nickname, ffmpeg):
    member = await house.sign_up(nickname())
    health = asyncio.Event()

    async def answer_late(route):
        await health.wait()
        await route.fallback()

    async with Encoder(ffmpeg, member.stream_server, member.stream_key), new_page() as page:
        await house.on_air(member.nickname)
        page.forgiven.append("ERR_FAILED")
        asked = f"**/api/channels/{member.nickname}"
        await page.route(asked, lambda route: route.abort())
        await page.route(f"{asked}/health", answer_late)
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        steps = page.locator("studio-desk .encoder")
        await steps.evaluate("(one) => { one.seen = true; }")
        await page.unroute(asked)
        await expect(page.locator("studio-desk .now[data-live]")).to_be_visible()
        assert await steps.evaluate_all("(all) => all.map((one) => one.seen)") == [True]
        health.set()
        await expect(page.locator("stream-health .connected")).to_be_visible()
        await expect(steps).to_have_js_property("seen", True)


async def test_a_streamer_cuts_an_encoder_off(house, new_page, nickname, ffmpeg, shoot):
    member = await house.sign_up(nickname())
    async with (
        Encoder(ffmpeg, member.stream_server, member.stream_key) as encoder,
        new_page(locale="en-GB") as page,
    ):
        await house.on_air(member.nickname)
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        health = page.locator("stream-health")
        button = health.locator(".row", has=page.locator(".connected")).get_by_role("button", name="Cut off")
        dialog = health.get_by_role("dialog", name="Cut the encoder off?")
        await button.press("Enter")
        await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        await shoot(page, "studio-cut")

        # As of an encoder that has gone by itself before the answer was given.
        page.forgiven.append("404")
        gone = {"status": 404, "json": {"code": "channel.off_air"}}
        await page.route("**/api/channels/*/kick", lambda route: route.fulfill(**gone))
        await dialog.get_by_role("button", name="Cut off").press("Enter")
        await expect(dialog.get_by_role("alert")).to_have_text("This channel is not on air.")
        await page.unroute("**/api/channels/*/kick")

        await dialog.get_by_role("button", name="Cut off").press("Enter")
        said = health.locator(".cut")
        await expect(said).to_contain_text("can send again after 10 seconds")
        await expect(said).to_be_focused()
        await expect(dialog).to_be_hidden()
        await expect(button).to_have_count(0)
        await encoder.ended()
        await shoot(page, "studio-was-cut")


async def test_what_one_watches_stands_beside_what_one_sets(new_page, nickname, shoot):
    """In the order it is read; on a phone one below the other, with a way to jump."""
    async with new_page(viewport={"width": 1440, "height": 900}) as page:
        await sign_up(page, nickname())
        await page.goto("/studio")
        await expect(page.locator("#settings moderation-log section")).to_be_visible()
        await expect(page.locator("#chat .composer")).to_be_visible()
        left, middle, right = [await page.locator(part).bounding_box() for part in ("#desk", "#chat", "#settings")]
        assert left["x"] + left["width"] < middle["x"] < middle["x"] + middle["width"] < right["x"]
        await shoot(page, "studio-wide")

        await page.set_viewport_size({"width": 390, "height": 844})
        jump = page.get_by_role("navigation", name="스튜디오 안에서 이동")
        await jump.get_by_role("link", name="설정").click()
        await expect(page.locator("channel-form input").first).to_be_in_viewport()
        await expect(jump).to_be_in_viewport()
        await shoot(page, "studio-phone-settings")
