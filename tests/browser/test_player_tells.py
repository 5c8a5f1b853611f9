"""What the player says of itself: how far behind it is, where in time, and in which window the picture is."""

from __future__ import annotations

import re

from house import eventually
from playwright.async_api import expect
from visits import playing_since

SHOWN = """() => {
  const shown = parseFloat(document.querySelector("player-controls .latency")?.textContent ?? "");
  const { playback } = document.querySelector("player-controls");
  return { shown, known: playback?.position.latencySeconds ?? null };
}"""
# A browser's own window cannot be opened by a program: this one answers when the test says so.
OWN_WINDOW = """() => {
  let shown = null;
  window.windowAsks = 0;
  Object.defineProperty(Document.prototype, "pictureInPictureEnabled", { get: () => true });
  Object.defineProperty(Document.prototype, "pictureInPictureElement", { get: () => shown });
  HTMLVideoElement.prototype.requestPictureInPicture = async function () { windowAsks += 1; };
  window.turnWindow = (open) => {
    const video = document.querySelector("video");
    shown = open ? video : null;
    video.dispatchEvent(new Event(open ? "enterpictureinpicture" : "leavepictureinpicture"));
  };
}"""
# Behind without having chosen to be: as after a line that broke.
THROWN_BACK = """() => new Promise((back, fail) => {
  const video = document.querySelector("video");
  const from = video.seekable.end(0) - 12;
  video.addEventListener("seeked", () => { if (video.currentTime > from + 6) back(video.currentTime - from); });
  setTimeout(() => fail(new Error(`no jump within a minute: from ${from}, now at ${video.currentTime}`)), 60_000);
  video.currentTime = from;
})"""
NO_WINDOW = """() => Object.defineProperty(Document.prototype, "pictureInPictureEnabled", { get: () => false })"""


async def test_the_latency_that_is_shown_is_the_pictures_also_while_it_stands(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)

        async def true():
            told = await page.evaluate(SHOWN)
            known = told["known"]
            return told["shown"] if known is not None and abs(told["shown"] - known) < 0.5 else None

        await eventually(true, what="a read-out as the player's clocks have it")
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("k")
        await expect(page.locator("video")).to_have_js_property("paused", True)
        before = (await page.evaluate(SHOWN))["shown"]

        async def older(seconds):
            return (await page.evaluate(SHOWN))["shown"] > before + seconds

        # What stands grows older by the second, and the words say so.
        await eventually(lambda: older(2), what="a picture two seconds older")
        await page.keyboard.press("l")

        async def new():
            return not await older(1)

        await eventually(new, what="the newest picture")


async def test_the_bar_leads_back_and_to_the_end_by_keyboard(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        bar, live = page.locator("player-controls .seek"), page.locator("player-controls .live")
        await expect(bar).to_be_visible()
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("l")  # A busy machine may have fallen behind.
        await expect(live).to_have_attribute("aria-pressed", "true")
        assert await bar.get_attribute("aria-label") == "Playback position"
        await bar.focus()
        for _ in range(4):
            await page.keyboard.press("PageDown")
        await expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^\d+ seconds? ago$"))
        await expect(live).to_have_attribute("aria-pressed", "false")
        await expect(bar).to_be_focused()
        await page.keyboard.press("End")
        await expect(live).to_have_attribute("aria-pressed", "true")
        await expect(bar).to_have_attribute("aria-valuetext", "Live")


async def test_the_button_of_the_small_window_asks_and_follows_what_the_browser_says(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.add_init_script(f"({OWN_WINDOW})()")
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        button = page.get_by_role("button", name="Picture in picture")
        await button.press("Enter")
        assert await page.evaluate("windowAsks") == 1
        # Asked is not open: the browser may refuse.
        await expect(button).to_have_attribute("aria-pressed", "false")
        await page.evaluate("turnWindow(true)")
        await expect(button).to_have_attribute("aria-pressed", "true")
        await page.evaluate("turnWindow(false)")  # By the small window's own button.
        await expect(button).to_have_attribute("aria-pressed", "false")
        await page.keyboard.press("i")
        assert await page.evaluate("windowAsks") == 2


async def test_a_browser_without_small_windows_shows_no_button_for_one(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.add_init_script(f"({NO_WINDOW})()")
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        await expect(page.get_by_role("button", name="Theatre")).to_be_visible()
        await expect(page.get_by_role("button", name="Picture in picture")).to_have_count(0)


async def test_controls_leave_the_picture_to_who_only_looks_and_a_finger_brings_them_back_first(house, new_page):
    await house.on_air("demo")
    async with new_page(has_touch=True) as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        stage, pause = page.locator("live-player .stage"), page.locator("player-controls [aria-keyshortcuts~=K]")
        await expect(stage).to_have_class(re.compile("idle"))  # Nobody has touched anything.
        box = await pause.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.touchscreen.tap(*middle)
        await expect(stage).not_to_have_class(re.compile("idle"))
        assert await page.evaluate("document.querySelector('video').paused") is False

        async def tap_until_paused():
            await page.touchscreen.tap(*middle)
            return await page.evaluate("document.querySelector('video').paused")

        await eventually(tap_until_paused, what="a pause")
        await expect(stage).not_to_have_class(re.compile("idle"))


async def test_who_fell_behind_is_brought_to_the_edge_again(house, new_page):
    await house.on_air("demo")
    async with new_page() as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        known = "(({ seekable }) => seekable.length && seekable.end(0) - seekable.start(0) > 14)"
        await eventually(lambda: page.evaluate(f"{known}(document.querySelector('video'))"), what="some past")
        assert await page.evaluate(THROWN_BACK) > 6
        await expect(page.locator("player-controls .live")).to_have_attribute("aria-pressed", "true")
