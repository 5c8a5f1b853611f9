"""The player by hand and by keyboard: back in time and to live, theatre, sound, and what a phone shows of it."""

from __future__ import annotations

import asyncio
import re

import pytest
from house import Encoder, Player, eventually
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
        channel = await house.on_air(streamer.nickname)
        past = await Player(house.http, str(channel["playback"]).replace("index.m3u8", "dvr.m3u8")).open()

        async def is_long():
            return sum(map(float, re.findall(r"#EXTINF:([\d.]+)", (await past.playlist()).text))) >= EDGE_SECONDS

        await eventually(is_long, what="more than the edge lists")
        await page.goto(f"/c/{streamer.nickname}")
        await playing_since(page, 0)
        async with page.expect_response("**/dvr.m3u8"):
            for _ in range(EDGE_SECONDS // 10 + 1):
                await page.keyboard.press("j")
        live = page.locator("player-controls .live")
        await expect(live).to_have_attribute("aria-pressed", "false")
        behind = page.locator("player-controls .seek")
        await expect(behind).to_have_attribute("aria-valuetext", re.compile(r"^([2-9]\d|\d{3}) seconds ago"))
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


async def test_who_has_paused_stays_paused_while_the_picture_is_mended(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        video = page.locator("video")
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("k")
        await expect(video).to_have_js_property("paused", True)
        gone = re.compile("/hls/.*m3u8")
        await page.route(gone, lambda route: route.fulfill(status=404, json={"code": "hls.not_listed"}))
        await expect(page.locator("live-player .notice")).to_be_visible()
        page.forgiven.append("/hls/")
        await page.unroute(gone)
        # Mended: what has begun anew has something to show, and shows it standing.
        await page.wait_for_function("() => document.querySelector('video').readyState > 2")
        await expect(page.locator("live-player .notice")).to_be_hidden()
        assert await video.evaluate("video => video.paused")
        at = await video.evaluate("video => video.currentTime")
        await page.keyboard.press("k")
        await playing_since(page, at)


async def test_a_broadcast_of_sound_alone_that_gets_a_picture_and_loses_it_plays_on(house, new_page, nickname, ffmpeg):
    """No media source takes both into one buffer: hls.js gives up, and the page used to stand still, paused."""
    streamer = await house.sign_up(nickname())
    to = ffmpeg, streamer.stream_server, streamer.stream_key

    def sound():
        return Encoder(*to, "-vn", "-af", "arealtime")

    async with new_page() as page:
        async with sound():
            await house.on_air(streamer.nickname)
            await page.goto(f"/c/{streamer.nickname}")
            await playing_since(page, 0)
        for encoder, wide in ((Encoder(*to), True), (sound(), False)):
            async with encoder:
                await page.wait_for_function(
                    """(wide) => {
                        const { paused, readyState, videoWidth } = document.querySelector("video");
                        return !paused && readyState > 2 && (videoWidth > 0) === wide;
                    }""",
                    arg=wide,
                )
                await playing_since(page, await page.evaluate("document.querySelector('video').currentTime"))
                await expect(page.locator("video")).to_have_js_property("paused", False)
        page.forgiven.append("404")


async def test_who_has_gone_back_sees_all_before_the_picture_ends(house, new_page, nickname, ffmpeg):
    """Half a minute is in the edge's own list: one is behind in it without another list."""
    streamer = await house.sign_up(nickname())
    to = ffmpeg, streamer.stream_server, streamer.stream_key
    async with new_page() as page:
        live = page.locator("player-controls .live")
        async with Encoder(*to):
            await house.on_air(streamer.nickname)
            await page.goto(f"/c/{streamer.nickname}")
            await playing_since(page, 10)
            await page.keyboard.press("j")
            await expect(live).to_have_attribute("aria-pressed", "false")
        async with Encoder(*to, "-vn", "-af", "arealtime"):
            await page.wait_for_function(
                """() => {
                    const { paused, readyState, videoWidth } = document.querySelector("video");
                    return !paused && readyState > 2 && videoWidth === 0;
                }"""
            )
            # It goes on where the picture ended, and that is as long ago as before.
            await expect(live).to_have_attribute("aria-pressed", "false")
            await playing_since(page, await page.evaluate("document.querySelector('video').currentTime"))
        page.forgiven.append("404")


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


ABOUT = """async ([nickname, category]) => {
    const about = document.querySelector("channel-about");
    about.channel = { ...about.channel, nickname, category };
    await about.updateComplete;
    const box = (one) => about.querySelector(one).getBoundingClientRect();
    const [facts, name, time] = [".facts", ".nickname", ".time"].map(box);
    return { name: Math.min(name.right, facts.right) - name.left, beyond: time.right - facts.right };
}"""


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
                await expect(page.locator("chat-room .guest")).to_be_in_viewport(ratio=1)
                await shoot(page, "channel-phone")
            assert await page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], path


async def test_on_a_phone_a_category_leaves_room_for_whose_channel_it_is(house, new_page, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(has_touch=True) as page:
        await page.goto(f"/c/{streamer}")
        await expect(page.locator("body")).to_have_attribute("data-on-air", "yes")
        await expect(page.locator("channel-about .time")).to_be_visible()
        for width in (320, 390):
            await page.set_viewport_size({"width": width, "height": 740})
            for name, least in (("meow", 20), ("meowmeowmeowmeowmeow", 48)):
                found = await page.evaluate(ABOUT, [name, "Just Chatting"])
                assert found["name"] >= least, (width, name, found)
                assert found["beyond"] < 1, (width, name, found)
            await shoot(page, f"channel-about-{width}")


PHONES = ((1280, 800), (1024, 700), (932, 430), (844, 390), (568, 320), (390, 844), (320, 640))
WINDOWS = ((1024, 768), (960, 1040), (700, 800), (600, 800))


@pytest.mark.parametrize(("has_touch", "sizes"), [(True, PHONES), (False, WINDOWS)], ids=["phone", "window"])
async def test_every_button_lies_on_the_picture_on_a_phone_and_in_half_a_screen(
    house, new_page, shoot, has_touch, sizes
):
    await house.on_air("demo")
    drawn = """() => {
        const told = (one) => one.getAttribute("aria-keyshortcuts") ?? one.className;
        const stage = document.querySelector("live-player .stage").getBoundingClientRect();
        const all = "player-controls :is(.buttons, .loudness) > *, player-controls .seek";
        const boxes = [...document.querySelectorAll(all)]
            .map((one) => [told(one), one.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && box.height > 0);
        const out = boxes.filter(([, { left, right, top, bottom }]) =>
            left < stage.left || right > stage.right || top < stage.top || bottom > stage.bottom);
        return { names: boxes.map(([name]) => name), out, stage };
    }"""
    async with new_page(locale="en-GB", has_touch=has_touch) as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        await page.evaluate("() => void document.querySelector('video').addTextTrack('captions', 'English', 'en')")
        await expect(page.get_by_role("button", name="Captions")).to_be_visible()
        await expect(page.locator("player-controls .latency")).to_contain_text("behind")
        await expect(page.locator("player-controls .seek")).to_be_visible()
        for width, height in sizes:
            await page.set_viewport_size({"width": width, "height": height})
            await shoot(page, f"player-{width}")
            found = await page.evaluate(drawn)
            assert found["out"] == [], (width, found)
            assert "F" in found["names"], (width, found)  # The whole screen.
            if not has_touch:
                assert "volume" in found["names"], (width, found)


async def test_in_a_small_window_a_mouse_finds_the_volume_at_the_sound(house, new_page, shoot):
    await house.on_air("demo")
    async with new_page(viewport={"width": 420, "height": 800}) as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        volume = page.locator("player-controls .volume")
        await expect(volume).to_have_css("opacity", "0")
        await page.locator("player-controls .loudness button").hover()
        await expect(volume).to_have_css("opacity", "1")
        await shoot(page, "player-volume")
        await volume.click()  # In its middle.
        await page.wait_for_function("""() => {
            const { volume, muted } = document.querySelector("video");
            return !muted && volume > 0.2 && volume < 0.8;
        }""")


async def test_a_finger_finds_none_there(house, new_page):
    await house.on_air("demo")
    async with new_page(viewport={"width": 420, "height": 800}, has_touch=True, is_mobile=True) as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        await expect(page.locator("player-controls .loudness button")).to_be_visible()
        await expect(page.locator("player-controls .volume")).to_be_hidden()


@pytest.mark.parametrize(("scheme", "width", "height"), [("dark", 320, 640), ("light", 1280, 800)])
async def test_a_channel_that_sleeps_takes_no_room_for_a_picture(
    house, new_page, nickname, shoot, scheme, width, height
):
    sleeper = await house.sign_up(nickname())
    async with new_page(color_scheme=scheme, viewport={"width": width, "height": height}) as page:
        await page.goto(f"/c/{sleeper.nickname}")
        # The house says it with the page: nothing has to move when the scripts know it too.
        await expect(page.locator("body")).to_have_attribute("data-on-air", "no")
        await expect(page.locator("live-player .notice")).to_contain_text(sleeper.nickname)
        await expect(page.locator("channel-about .follow")).to_be_in_viewport(ratio=1)
        await expect(page.locator("chat-room .guest")).to_be_in_viewport(ratio=1)
        await shoot(page, f"channel-asleep-{width}")
        stage = await page.locator("live-player .stage").bounding_box()

    assert stage is not None
    assert stage["height"] < stage["width"] * 9 / 16


async def test_the_keys_are_told_by_a_key(house, new_page, axe, shoot):
    await house.on_air("demo")
    async with new_page(locale="en-GB") as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("?")
        keys = page.get_by_role("dialog", name="Keyboard shortcuts")
        await expect(keys).to_be_visible()
        await expect(keys.get_by_text("Full screen")).to_be_visible()
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document.querySelector("player-keys"))).violations.map(({ id }) => id)"""
        )
        assert found == []
        await shoot(page, "player-keys")
        await page.keyboard.press("k")  # Not the player's while the list is open.
        assert not await page.evaluate("document.querySelector('video').paused")
        await page.keyboard.press("Escape")
        await expect(keys).to_be_hidden()
        await expect(page.locator("live-player .stage")).to_be_focused()
        await page.get_by_role("button", name="Keyboard shortcuts").click()
        await expect(keys).to_be_visible()
        await page.keyboard.press("?")
        await expect(keys).to_be_hidden()


async def test_captions_are_shown_where_there_are_any_and_again_the_next_time(house, new_page):
    await house.on_air("demo")
    bring = """() => {
        const track = document.querySelector("video").addTextTrack("captions", "English", "en");
        track.mode = "hidden";
        track.addCue(new VTTCue(0, 1e6, "words to read"));
    }"""
    mode = "[...document.querySelector('video').textTracks].map((track) => track.mode)"
    async with new_page(locale="en-GB") as page:
        await page.goto("/c/demo")
        await playing_since(page, 0)
        captions = page.get_by_role("button", name="Captions")
        await expect(captions).to_have_count(0)
        await page.evaluate(bring)
        await expect(captions).to_have_attribute("aria-pressed", "false")
        await page.locator("live-player .stage").focus()
        await page.keyboard.press("c")
        await expect(captions).to_have_attribute("aria-pressed", "true")
        assert await page.evaluate(mode) == ["showing"]

        await page.reload()
        await playing_since(page, 0)
        await page.evaluate(bring)
        await expect(captions).to_have_attribute("aria-pressed", "true")
        await captions.click()
        await expect(captions).to_have_attribute("aria-pressed", "false")
        assert await page.evaluate(mode) == ["hidden"]


async def test_the_quality_that_was_chosen_is_chosen_again(house, new_page):
    await house.on_air("demo")

    async def with_a_smaller_one(route):
        """The list of renditions, and one more line for the same pictures under a smaller name."""
        answer = await route.fetch()
        lines = (await answer.text()).splitlines()
        at = next(index for index, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF"))
        smaller = [re.sub(r"RESOLUTION=\d+x\d+", "RESOLUTION=256x144", lines[at]), f"{lines[at + 1]}?small"]
        await route.fulfill(response=answer, body="\n".join([*lines, *smaller, ""]))

    async with new_page(locale="en-GB") as page:
        await page.route("**/hls/*/index.m3u8", with_a_smaller_one)
        await page.goto("/c/demo")
        await playing_since(page, 0)
        quality = page.get_by_role("combobox", name="Quality")
        await expect(quality.locator("option:checked")).to_have_text(re.compile("^Auto"))
        async with page.expect_request("**/source.m3u8?small*"):
            await quality.select_option(label="144p")
        await page.reload()
        await playing_since(page, 0)
        await expect(quality.locator("option:checked")).to_have_text("144p")
        await quality.select_option(value="-1")
        await page.reload()
        await playing_since(page, 0)
        await expect(quality.locator("option:checked")).to_have_text(re.compile("^Auto"))


async def test_the_picture_is_there_before_any_script_and_gives_way_to_the_video(house, new_page, shoot):
    async def depicted():
        return (await house.on_air("demo"))["thumbnail"]

    thumbnail = await eventually(depicted, what="a thumbnail")
    async with new_page(java_script_enabled=False) as page:
        await page.goto("/c/demo")
        poster = page.locator("live-player > img.poster")
        await expect(poster).to_be_visible()
        assert (await poster.get_attribute("src") or "").split("?")[0] == thumbnail.split("?")[0]
        box = await poster.bounding_box()
        assert box is not None
        await shoot(page, "player-before-scripts")
    held = asyncio.Event()

    async def hold(route):
        await held.wait()
        await route.continue_()

    async with new_page() as page:
        await page.route("**/hls/demo/index.m3u8", hold)
        await page.goto("/c/demo")
        await expect(page.locator("live-player .stage")).to_be_visible()

        async def in_place():
            now = await page.locator("live-player > img.poster").bounding_box()
            return now is not None and now == pytest.approx(box, abs=1)  # Half a pixel is no move.

        # In its place, below the stage: moved, a browser counts it as painted much later than anybody saw it.
        await eventually(in_place, what="the picture where it was")
        held.set()
        await playing_since(page, 0)
        await expect(page.locator("img.poster")).to_have_count(0)
        stage = await page.locator("live-player .stage").bounding_box()

    assert stage is not None
    assert (stage["width"], stage["height"]) == pytest.approx((box["width"], box["height"]), abs=1)
