"""The player in another site's page."""

from __future__ import annotations

import re

from aiohttp import web
from aiohttp.test_utils import TestServer
from house import eventually
from playwright.async_api import expect


async def test_another_site_shows_the_player_and_only_the_player(house, new_page, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    embed = (await (await house.http.get("/oembed", params={"url": f"{house.url}/c/{streamer}"})).json())["html"]

    async def blog(_request):
        refused = f'<iframe id="refused" src="{house.url}/c/{streamer}"></iframe>'
        return web.Response(text=f"<!doctype html><title>blog</title>{embed}{refused}", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", blog)
    async with TestServer(application) as site, new_page() as page:
        # Another name of this machine is another site to the browser.
        await page.goto(str(site.make_url("/")).replace("127.0.0.1", "localhost"))
        frame = page.frame_locator("iframe").first
        video = frame.locator("video")

        async def plays():
            return await video.count() and await video.evaluate("video => video.currentTime > 0.5")

        await eventually(plays, what="a picture in the frame")
        await expect(frame.locator("a.out")).to_have_attribute("href", f"/c/{streamer}")
        assert await page.frame_locator("#refused").locator("live-player").count() == 0
        await shoot(page, "embed")
        page.forgiven += ["frame-ancestors", "favicon"]


async def test_a_frame_of_no_channel_says_so_and_waits_for_nothing(new_page, nickname):
    async with new_page(locale="en-GB") as page:
        page.forgiven.append("404")
        await page.goto(f"/embed/{nickname()}")
        await expect(page.locator("main")).to_have_text(re.compile(r"^\s*No such channel\s*$"))
        await expect(page.locator("live-player")).to_have_count(0)


async def test_a_channel_is_shared_by_its_address_and_as_a_player(house, new_page, axe, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.goto(f"/c/{streamer}")
        await page.get_by_role("button", name="Share").click()
        dialog = page.get_by_role("dialog", name="Share this channel")
        await expect(dialog.get_by_label("Link")).to_have_value(f"{house.url}/c/{streamer}")
        code = dialog.get_by_label("Player for your site")
        await expect(code).to_have_value(re.compile(rf'^<iframe src="{re.escape(house.url)}/embed/{streamer}" '))
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document.querySelector("share-dialog"))).violations.map(({ id }) => id)"""
        )
        assert found == []
        await shoot(page, "share")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()


async def test_where_a_phone_may_not_share_its_own_way_the_page_does(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB", has_touch=True, is_mobile=True) as page:
        await page.add_init_script(
            """navigator.share = async ({ url }) => {
                window.asked = url;
                throw new DOMException("", "NotAllowedError");
            };"""
        )
        await page.goto(f"/c/{streamer}")
        await page.get_by_role("button", name="Share").click()
        await expect(page.get_by_role("dialog", name="Share this channel")).to_be_visible()
        assert await page.evaluate("window.asked") == f"{house.url}/c/{streamer}"
