"""The player by hand and by keyboard: back in time and to live, theatre, sound, and what a phone shows of it."""

from __future__ import annotations

import re

from house import Encoder
from playwright.async_api import expect
from visits import playing_since

EDGE_SECONDS = 42  # What the edge's list has (30) and what its last second needs to be surely gone.


async def test_back_in_time_and_to_live_again_by_keyboard(house, new_page, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        bar = page.locator("player-controls .seek")
        live = page.locator("player-controls .live")
        await expect(bar).to_be_visible()
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("l")  # A busy machine may have fallen behind.
        await expect(live).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("ArrowLeft")
        await expect(live).to_have_attribute("aria-pressed", "false")
        at = await page.evaluate("document.querySelector('video').currentTime")
        await playing_since(page, at + 1)  # It plays on from there, and stays behind.
        await expect(live).to_have_attribute("aria-pressed", "false")
        await shoot(page, "player-behind")
        await page.keyboard.press("l")
        await expect(live).to_have_attribute("aria-pressed", "true")


async def test_further_back_than_the_edges_list_goes(house, new_page, shoot, nickname, ffmpeg):
    streamer = await house.sign_up(nickname())
    # The edge lists half a minute; only a longer broadcast has more to go back to.
    encoder = Encoder(ffmpeg, streamer.stream_server, streamer.stream_key, at_once_seconds=EDGE_SECONDS)
    async with encoder, new_page(locale="en-GB") as page:
        await house.on_air(streamer.nickname)
        await page.goto(f"/c/{streamer.nickname}")
        await playing_since(page, 0)
        async with page.expect_response("**/dvr.m3u8"):
            for _ in range(EDGE_SECONDS // 10 + 1):
                await page.keyboard.press("j")
        live = page.locator("player-controls .live")
        await expect(live).to_have_attribute("aria-pressed", "false")
        behind = page.locator("player-controls .seek")
        await expect(behind).to_have_attribute("aria-valuetext", re.compile(r"^[2-9]\d seconds ago"))
        at = await page.evaluate("document.querySelector('video').currentTime")
        await playing_since(page, at + 1)
        await shoot(page, "player-dvr")
        await page.keyboard.press("l")
        await expect(live).to_have_attribute("aria-pressed", "true")


async def test_where_there_is_no_media_source_the_browser_itself_plays_and_is_helped_up(house, new_page):
    """As on an iPhone before iOS 17.1."""
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        video = page.locator("video")
        assert (await video.get_attribute("src")).endswith("/index.m3u8")
        await video.evaluate("video => { video.src = '/hls/nobody/index.m3u8'; }")
        await expect(video).to_have_attribute("src", re.compile(f"/hls/{streamer}/"))
        await playing_since(page, 0)
        page.forgiven.append("/hls/nobody/")


async def test_theatre_sound_and_pause_by_keys_from_anywhere_on_the_page(house, new_page, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        await page.keyboard.press("t")
        await expect(page.locator("body")).to_have_attribute("data-theatre", "")
        box = await page.locator("live-player .stage").bounding_box()
        assert box is not None
        assert box["height"] == page.viewport_size["height"]
        await shoot(page, "player-theatre")
        await page.reload()
        await expect(page.locator("body")).to_have_attribute("data-theatre", "")
        await playing_since(page, 0)
        await page.keyboard.press("t")
        await expect(page.locator("body")).not_to_have_attribute("data-theatre", "")

        video = page.locator("video")
        await page.keyboard.press("m")
        await expect(video).to_have_js_property("muted", False)
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("ArrowDown")
        volume = await video.evaluate("video => video.volume")
        await page.keyboard.press("k")
        await expect(video).to_have_js_property("paused", True)

    assert 0 < volume < 1


async def test_a_phone_has_the_whole_width_and_nothing_that_scrolls_sideways(house, new_page, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(has_touch=True) as page:
        await page.set_viewport_size({"width": 320, "height": 640})
        for path in ("/", f"/c/{streamer}", "/login", "/signup"):
            await page.goto(path)
            await expect(page.locator("site-header .brand")).to_be_visible()
            if path.startswith("/c/"):
                await playing_since(page, 0)
                await expect(page.locator("player-controls .buttons")).to_be_visible()
                await shoot(page, "channel-phone")
            assert await page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], path
