"""Finding somebody to watch: search as one types, categories, those one follows first."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import expect
from visits import alone, sign_up


def on_air(nickname, title, category, viewers):
    """One channel of GET /api/channels."""
    return {
        "nickname": nickname,
        "title": title,
        "category": category,
        "viewers": viewers,
        "tags": [],
        "on_air": True,
        "started_at": "2026-11-26T00:00:00Z",
        "thumbnail": None,
        "playback": f"/hls/{nickname}/index.m3u8",
    }


LIVE = [
    on_air("나비", "새벽 코딩", "음악", 900),
    on_air("miso", "방 탈출", "게임", 30),
    on_air("꾸벅이", "고양이 급식소", "고양이", 2),
]


async def full_house(page):
    """Answer the page's question who is on air with more than one encoder could be started for."""
    await page.route("**/api/channels?*", lambda route: route.fulfill(json={"channels": LIVE, "next": None}))


async def test_the_list_narrows_as_one_types_and_the_way_back_leads_to_it(new_page, shoot):
    async with new_page() as page:
        page.forgiven.append("404")  # There is no such channel.
        await full_house(page)
        await page.goto("/")
        names = page.locator("channel-card .by span:first-child")
        await expect(names).to_have_text(["나비", "miso", "꾸벅이"])
        await page.fill("#search", "ㄱㅇㅇ ㄱ")
        await expect(names).to_have_text(["꾸벅이"])
        await page.click("channel-card a")
        await page.wait_for_url("**/c/**")
        await page.go_back()
        await expect(page.locator("#search")).to_have_value("ㄱㅇㅇ ㄱ")
        await expect(names).to_have_text(["꾸벅이"])
        await page.fill("#search", "없는 방송")
        await expect(page.locator("live-now .empty")).to_be_visible()
        await page.locator("live-now .empty button").click()
        await page.locator("live-now .chip", has_text="게임").click()
        await expect(names).to_have_text(["miso"])
        await expect(page).to_have_url(re.compile(r"\?category="))
        await shoot(page, "home-category")


async def test_a_card_that_is_looked_at_comes_alive_and_rests_again(house, new_page, shoot):
    await house.on_air("demo")
    async with new_page() as page:
        await alone(page, "demo")  # A card that moves is no longer under the pointer.
        link = page.locator("channel-card a[href='/c/demo']")
        video = link.locator("video[data-plays]")
        # Who wants less motion keeps the picture. The script comes with the page when that is idle, or for who points.
        async with page.expect_response(re.compile(r"/live_peek[^/]*[.]js$")):
            await page.goto("/")
            await link.hover()
        await page.mouse.move(0, 0)
        await expect(link.locator("video")).to_have_count(0)

        await page.emulate_media(reduced_motion="no-preference")
        await link.hover()
        await expect(video).to_be_visible()
        assert await video.evaluate("video => video.muted")
        await shoot(page, "home-alive")
        await page.mouse.move(0, 0)
        await expect(link.locator("video")).to_have_count(0)
        await page.keyboard.press("Tab")
        await link.focus()
        await expect(video).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(link.locator("video")).to_have_count(0)


async def test_following_from_a_channel_puts_it_first(house, new_page, nickname, shoot):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto(f"/c/{streamer}")
        button = page.locator("channel-about button.follow")
        await expect(button).to_have_attribute("aria-pressed", "false")
        await button.focus()
        await page.keyboard.press("Enter")
        await expect(button).to_have_attribute("aria-pressed", "true")
        await page.reload()
        await expect(button).to_have_attribute("aria-pressed", "true")

        await page.goto("/")
        first = page.locator("live-now section").first
        await expect(first.locator("h2")).to_contain_text("팔로우")
        await expect(first.locator(".by span").first).to_have_text(streamer)
        await full_house(page)
        await page.reload()
        await expect(page.locator("live-now .resting a")).to_have_text([streamer])
        await shoot(page, "home-following")

        await page.goto(f"/c/{streamer}")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")


async def test_a_guest_who_wants_to_follow_is_led_to_log_in(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page() as page:
        await page.goto(f"/c/{streamer}")
        await expect(page.locator("channel-about a.follow")).to_have_attribute("href", re.compile(r"^/login\?"))


async def test_title_category_and_tags_are_kept_and_shown(house, new_page, nickname):
    async with new_page() as page:
        name = nickname()
        await sign_up(page, name)
        await page.goto("/studio")
        await page.fill("channel-form [name=title]", "고양이 낮잠")
        await page.fill("channel-form [name=category]", "고양이")
        await page.fill("channel-form [name=tags]", "#힐링, 낮잠,힐링")
        await page.press("channel-form [name=tags]", "Enter")
        await expect(page.locator("channel-form .said")).not_to_be_empty()
        await page.goto(f"/c/{name}")
        await expect(page.locator("channel-about h1")).to_have_text("고양이 낮잠")
        await expect(page.locator("channel-about .tag")).to_have_text(["힐링", "낮잠"])
        await expect(page.locator("channel-about .facts")).to_contain_text("고양이")


async def test_a_channel_that_sleeps_offers_who_is_awake(house, new_page, nickname, axe, shoot):
    sleeper = await house.sign_up(nickname())
    await house.on_air("demo")
    async with new_page(locale="en-GB") as page:
        await alone(page, "demo")  # Only four are offered, and those with more viewers first.
        await page.goto(f"/c/{sleeper.nickname}")
        offers = page.get_by_role("region", name="Live now")
        demo = offers.locator("channel-card a[href='/c/demo']")
        await expect(demo).to_be_visible()
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document.querySelector("also-live"))).violations.map(({ id }) => id)"""
        )
        assert found == []
        await shoot(page, "channel-asleep", full_page=True)
        await demo.click()
        await page.wait_for_url("/c/demo")


async def test_whom_one_follows_is_offered_first_also_when_that_is_known_late(house, new_page, nickname):
    sleeper, awake = await house.sign_up(nickname()), await house.sign_up(nickname())
    known = asyncio.Event()

    async def answer_late(route):
        await known.wait()
        await route.continue_()

    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto(f"/c/{awake.nickname}")
        follow = page.locator("channel-about button.follow")
        await follow.click()
        await expect(follow).to_have_attribute("aria-pressed", "true")
        channels = [*LIVE, on_air(awake.nickname, "밤샘", "음악", 0)]
        await page.route("**/api/channels?*", lambda route: route.fulfill(json={"channels": channels, "next": None}))
        await page.route("**/api/members/me", answer_late)
        await page.goto(f"/c/{sleeper.nickname}")
        names = page.locator("also-live channel-card .by span:first-child")
        await expect(names).to_have_text(["나비", "miso", "꾸벅이", awake.nickname])
        known.set()
        await expect(names).to_have_text([awake.nickname, "나비", "miso", "꾸벅이"])


async def test_whom_one_follows_stands_at_the_side_of_wide_pages(house, new_page, nickname, axe, shoot):
    """Awake before asleep, by keyboard; what was folded stays folded, and a phone has no side."""
    sleeper = await house.sign_up(nickname())
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto(f"/c/{sleeper.nickname}")
        follow = page.locator("channel-about button.follow")
        await follow.click()
        await expect(follow).to_have_attribute("aria-pressed", "true")
        await full_house(page)
        await page.goto("/")
        rail = page.get_by_role("navigation", name="채널 목록")
        lines = rail.locator("li .name")
        await expect(lines).to_have_text([sleeper.nickname, "나비", "miso", "꾸벅이"])
        await expect(rail.locator("a[data-asleep]")).to_contain_text(["오프라인"])
        assert await page.evaluate("document.body.scrollWidth <= innerWidth")

        fold = rail.locator("button")
        await expect(fold).to_have_attribute("aria-expanded", "true")
        await fold.focus()
        await page.keyboard.press("Enter")
        await expect(fold).to_have_attribute("aria-expanded", "false")
        await expect(fold).to_have_accessible_name("이름까지 보기")  # Whether it does is the state's to say.
        await expect(fold).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(rail.get_by_role("link", name=sleeper.nickname)).to_be_focused()
        await page.reload()
        await expect(fold).to_have_attribute("aria-expanded", "false")
        await expect(lines.first).to_be_attached()
        await shoot(page, "home-rail")
        await page.goto(f"/c/{sleeper.nickname}")
        await expect(rail.locator("[aria-current=page]")).to_contain_text(sleeper.nickname)
        await page.evaluate(axe)
        found = await page.evaluate(
            """async () => (await axe.run(document.querySelector("channel-rail"))).violations.map(({ id }) => id)"""
        )
        assert found == []
        await page.set_viewport_size({"width": 390, "height": 844})
        await expect(rail).to_be_hidden()


async def test_a_side_that_cannot_be_had_leaves_no_hole_and_asks_nobody_to_load_anew(house, new_page, nickname):
    sleeper = await house.sign_up(nickname())
    gone = re.compile("/channel_rail")
    async with new_page() as page:
        await sign_up(page, nickname())
        await page.goto(f"/c/{sleeper.nickname}")
        await page.click("channel-about button.follow")
        await expect(page.locator("channel-about button.follow")).to_have_attribute("aria-pressed", "true")
        page.forgiven.append("404")
        await page.route(gone, lambda route: route.fulfill(status=404, body="", content_type="text/javascript"))
        await page.goto("/")
        await expect(page.locator("channel-rail")).to_have_count(0)
        # The home page says itself who sleeps, where the side does not.
        await expect(page.locator("live-now .asleep")).to_contain_text(sleeper.nickname)
        assert await page.evaluate("document.querySelector('#main').getBoundingClientRect().left") == 0
        await expect(page.locator(".reload-hint")).to_have_count(0)


async def test_from_any_page_a_word_leads_to_the_list(new_page):
    async with new_page() as page:
        await full_house(page)
        await page.goto("/login")
        await page.fill("site-header input", "ㅂ ㅌㅊ")
        await page.press("site-header input", "Enter")
        await page.wait_for_url("**/?q=*")
        await expect(page.locator("#search")).to_have_value("ㅂ ㅌㅊ")
        await expect(page.locator("channel-card .by span:first-child")).to_have_text(["miso"])


async def test_a_page_that_was_pasted_into_the_search_leads_to_the_list_too(new_page):
    async with new_page() as page:
        await full_house(page)
        await page.goto("/login")
        await page.fill("site-header input", "가" * 20_000)
        await page.press("site-header input", "Enter")
        await expect(page.locator("#search")).to_have_value("가" * 100)
        await expect(page.locator("live-now .empty")).to_be_visible()
