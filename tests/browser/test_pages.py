"""What people do: find who is live, watch, sign up, talk, give; in both languages, and for everybody."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from house import ROOT, Encoder, eventually
from playwright.async_api import expect
from visits import alone, log_in, playing_since, sign_up, sign_up_here

HANGUL = re.compile("[\uac00-\ud7a3]")


async def test_a_browser_without_the_streamers_codec_sees_the_picture_all_the_same(house, new_page, nickname, ffmpeg):
    """Debian's Chromium has no HEVC; the house makes H.264 of it, unasked."""
    streamer = await house.sign_up(nickname())
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=30:open-gop=0")
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key, *hevc) as encoder, new_page() as page:
        await house.on_air(streamer.nickname)
        await page.goto(f"/c/{streamer.nickname}")
        assert not await page.evaluate("MediaSource.isTypeSupported('video/mp4; codecs=\"hvc1.1.6.L60.90\"')")
        await playing_since(page, 1)
        height = await page.evaluate("document.querySelector('video').videoHeight")
        assert encoder.process.returncode is None, encoder.text

    assert height == 180


async def test_a_card_shows_the_picture_of_its_channel(house, new_page, shoot):
    async def depicted():
        return (await house.on_air("demo"))["thumbnail"]

    await eventually(depicted, what="a thumbnail")
    async with new_page() as page:
        await alone(page, "demo")
        await page.goto("/")
        card = page.locator("channel-card", has=page.locator("a[href='/c/demo']"))
        picture = card.locator("img")
        await expect(picture).to_have_js_property("naturalWidth", 640)
        await shoot(page, "home-picture")
        # Its broadcast ended in this moment: the cat comes back.
        await picture.evaluate("image => image.dispatchEvent(new Event('error'))")
        await expect(card.locator(".picture .cat")).to_be_visible()


async def test_a_newcomer_sees_the_picture_and_the_chat(house, new_page, shoot):
    async with new_page() as page:
        await page.goto("/")
        await page.click("channel-card a[href='/c/demo']")
        await page.wait_for_url("**/c/*")
        at = await playing_since(page, 0)
        later = await playing_since(page, at + 2)
        size = await page.evaluate(
            "[document.querySelector('video').videoWidth, document.querySelector('video').videoHeight]"
        )
        await expect(page.locator("chat-list .line .text").first).to_be_visible()
        await shoot(page, "demo-channel")

    assert later > at
    assert min(size) > 0


async def test_sign_up_chat_and_donate_while_another_watches(house, new_page, nickname, ffmpeg, shoot):
    # A room of their own: the demo's bot gives too, and the gift that is read out last is the one that is heard.
    owner, donor = await house.sign_up(nickname()), nickname()
    async with (
        Encoder(ffmpeg, owner.stream_server, owner.stream_key),
        new_page(locale="en-GB") as watcher,
        new_page() as page,
    ):
        streamer = (await house.on_air(owner.nickname))["nickname"]
        await watcher.goto(f"/c/{streamer}")
        await sign_up(page, donor)
        ran = await house.console("members", "grant", donor, "1000")
        assert ran.code == 0, ran

        await page.goto(f"/c/{streamer}")
        line = f"안녕하세요 {donor}"
        await page.fill("#chat-text", line)
        await page.press("#chat-text", "Enter")
        await expect(watcher.locator("chat-list .line .text", has_text=line)).to_be_visible()
        await expect(page.locator("chat-list .line.mine:not(.pending) .text", has_text=line)).to_be_visible()

        await page.click("channel-about button.donate")
        dialog = page.locator("donate-dialog dialog")
        await expect(dialog.locator(".balance")).to_contain_text("1,000")
        await dialog.locator("input[type=number]").fill("300")
        await dialog.locator("textarea").fill("물고기 사세요")
        await shoot(page, "donate-dialog")
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator(".thanks")).to_contain_text("300")
        await dialog.locator(".thanks button").click()
        for seen in (page, watcher):
            gift = seen.locator("chat-list .line.donated", has_text="물고기 사세요")
            await expect(gift).to_contain_text(donor)
            await expect(gift.locator(".points")).to_contain_text("300")
        await expect(watcher.locator("chat-room p[aria-live]")).to_contain_text("물고기 사세요")
        await playing_since(page, 1)
        await shoot(page, "channel")
        await shoot(watcher, "channel-en")

    ran = await house.console("ledger", "audit")
    assert ran.code == 0, ran


async def test_a_guest_reads_and_cannot_write(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await expect(page.locator("chat-list .line .text").first).to_be_visible()

        assert await page.locator("#chat-text").count() == 0
        await expect(page.locator("chat-room .guest a")).to_have_attribute("href", re.compile(r"^/login\?"))
        await page.click("channel-about a.donate")
        await page.wait_for_url("**/login?*")


async def test_logging_in_leads_back_and_lasts_a_reload(house, new_page, nickname):
    streamer = (await house.on_air("demo"))["nickname"]
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await page.click("chat-room .guest a")
        await log_in(page, member.login_id, "not the right password")
        await expect(page.locator("log-in-form [role=alert]")).to_be_visible()
        # The browser itself says that the answer was a refusal; nothing else may be said.
        page.forgiven.append("401")

        await log_in(page, member.login_id)
        await page.wait_for_url(f"/c/{streamer}")
        await expect(page.locator("#chat-text")).to_be_visible()
        await page.reload()
        await expect(page.locator("#chat-text")).to_be_visible()
        await expect(page.locator("site-header .me")).to_contain_text(member.nickname)


async def test_signing_up_leads_back_too_and_no_member_is_asked_to_again(house, new_page, nickname):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await page.click("chat-room .guest a")
        await page.click("log-in-form .other a")
        await page.wait_for_url("**/signup?*")
        await page.click("sign-up-form .other a")
        await page.wait_for_url("**/login?*")
        await page.click("site-header a[href^='/signup']")
        await page.wait_for_url("**/signup?*")
        await sign_up_here(page, nickname())
        # On at once; what a streamer needs comes after that.
        await page.click("sign-up-form .welcome > h2 + .row .main")
        await page.wait_for_url(f"/c/{streamer}")
        await expect(page.locator("#chat-text")).to_be_visible()
        for path in ("/login", "/signup"):
            await page.goto(f"{path}?next=/wallet")
            await page.wait_for_url("/wallet")
            await expect(page.locator("top-up-desk .pack").first).to_be_visible()


async def test_the_studio_shows_the_server_and_a_new_key(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    async with new_page(locale="en-GB") as page:
        await page.goto("/login")
        await log_in(page, member.login_id)
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_be_visible()
        await page.goto("/studio")
        await expect(page.locator("studio-desk")).to_contain_text("OBS")
        values = page.locator("studio-desk copy-field input")
        await expect(values.first).to_have_value(house.rtmp_url)
        await page.locator("studio-desk .encoder button.quiet", has_text=re.compile("key", re.IGNORECASE)).first.click()
        await page.locator("studio-desk .encoder dialog button:not(.quiet)").click()
        await expect(values.nth(1)).to_have_value(re.compile(r"^\S{20,}$"))
        await shoot(page, "studio")

        assert await values.nth(1).input_value() != member.stream_key


# Two hours: viewers come, the encoder is away for two minutes, and once its keyframes are rare.
HISTORY = {
    "viewers": [index % 700 / 20 for index in range(1440)],
    "kilobits": [None if 600 <= index < 624 else 4000 + index % 90 for index in range(1440)],
    "frames": [None if 600 <= index < 624 else 30 for index in range(1440)],
    "keyframe_seconds": [None if 600 <= index < 624 else 8 if index == 700 else 2 for index in range(1440)],
}


async def two_hours(route):
    """Answer for the house what it would say of a broadcast of two hours."""
    number = int(route.request.url.rpartition("=")[2])
    series = {name: values[number:] for name, values in HISTORY.items()}
    await route.fulfill(json={"every_seconds": 5.0, "first": number, **series})


@pytest.mark.parametrize(("locale", "scheme"), [("ko-KR", "dark"), ("en-GB", "light")])
async def test_the_studio_says_how_the_stream_does(house, new_page, nickname, ffmpeg, axe, shoot, locale, scheme):
    member = await house.sign_up(nickname())
    async with (
        Encoder(ffmpeg, member.stream_server, member.stream_key, "-g", "150"),
        new_page(locale=locale, color_scheme=scheme) as page,
    ):
        await page.goto("/login")
        await log_in(page, member.login_id)
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_be_visible()
        await page.route("**/health/history*", two_hours)
        await page.goto("/studio")
        health = page.locator("stream-health")
        await expect(health.locator(".connected")).to_contain_text("ffmpeg")
        await expect(health.locator("dl")).to_contain_text("320×180 · 30")
        # Not the only one, where the machine is too busy for the encoder to keep up.
        await expect(health.locator("li.bad", has_text=re.compile(r"5 ?(s|초).*OBS"))).to_be_visible()
        await expect(health.locator("figure")).to_have_count(4)
        # The encoder was away for a while: its line has a gap, and the words say what the line shows.
        await expect(health.locator("figure").nth(1).locator("polyline")).to_have_count(2)
        await expect(health.locator("svg[role=img]").nth(3)).to_have_attribute("aria-label", re.compile("120.*2.*2.*8"))
        await health.locator("figure").last.scroll_into_view_if_needed()
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document.querySelector("stream-health"))).violations.map(({ id }) => id)"""
        )
        await shoot(page, f"studio-live-{locale[:2]}")

    assert found == []


async def test_an_unknown_channel_says_so(new_page):
    async with new_page(locale="en-GB") as page:
        await page.goto("/c/nobodyofthatname")
        await expect(page.locator("section.missing h1")).to_be_visible()
        page.forgiven.append("404")


@pytest.fixture(scope="module")
async def silent(house, ffmpeg):
    """A channel on air in whose room nobody says or gives anything: all the words there are the page's own."""
    streamer = await house.sign_up(f"n{uuid.uuid4().hex[:10]}")
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key):
        await house.on_air(streamer.nickname)
        yield streamer.nickname


@pytest.mark.parametrize(("locale", "language"), [("ko-KR", "ko"), ("en-GB", "en"), ("fr-FR", None)])
async def test_each_page_speaks_one_language(silent, new_page, locale, language):
    keys = set(json.loads((ROOT / "web" / "i18n" / "en.json").read_text(encoding="utf-8")))
    async with new_page(locale=locale) as page:
        await alone(page, silent)
        for path in ("/", f"/c/{silent}", "/login", "/signup"):
            await page.goto(path)
            await expect(page.locator("site-header .brand")).to_be_visible()
            await expect(page.locator("main")).not_to_be_empty()
            spoken = await page.get_attribute("html", "lang")
            # What people say (lines, titles, names) is theirs; the language button names the other language.
            words = await page.evaluate(
                """() => {
                  const copy = document.body.cloneNode(true);
                  const theirs = "bdi, noscript, script, .language, h1, .title, .tag";
                  copy.querySelectorAll(theirs).forEach((one) => one.remove());
                  return copy.textContent;
                }"""
            )

            assert spoken in {"ko", "en"}
            assert language in {spoken, None}
            assert bool(HANGUL.search(words)) == (spoken == "ko"), f"{path}: {words}"
            assert not [key for key in keys if "." in key and re.search(rf"(?<!\S){re.escape(key)}(?!\S)", words)]


async def test_the_language_can_be_changed_and_is_kept(new_page):
    async with new_page(locale="ko-KR") as page:
        await page.goto("/")
        await page.click("site-header button.language")
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await page.goto("/login")
        await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_who_watches_sees_a_new_title_at_once(house, new_page, nickname):
    owner = await house.sign_up(nickname())
    async with new_page() as page, house.connect(owner) as talking:
        await page.goto(f"/c/{owner.nickname}")
        await talking.say(owner.nickname, "곧 시작")
        await expect(page.locator("chat-list .line .text")).to_have_text(["곧 시작"])  # The room is heard.
        news = {"title": "<b>새 제목</b>", "category": "게임", "tags": ["고양이"]}
        await house.api("PATCH", f"/api/channels/{owner.nickname}", news, token=owner.token)
        await expect(page.locator("channel-about h1")).to_have_text("<b>새 제목</b>")
        await expect(page.locator("channel-about")).to_contain_text("게임")
        await expect(page).to_have_title(re.compile("^<b>새 제목</b>"))


async def test_a_title_has_room_beside_the_chat_at_twice_the_size_and_a_page_has_one_search(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        await page.goto(f"/c/{streamer}")
        await expect(page.get_by_role("search")).to_have_count(1)
        await page.set_viewport_size({"width": 640, "height": 400})
        await expect(page.get_by_role("link", name="Donate")).to_be_visible()
        assert (await page.locator("channel-about .words").bounding_box())["width"] >= 100
