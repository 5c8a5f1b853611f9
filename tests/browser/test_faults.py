"""What a page does when something else breaks: the line, the media process, a page in the middle of a payment."""

from __future__ import annotations

import asyncio
import re
import uuid

import pytest
from house import PASSWORD, eventually
from playwright.async_api import expect
from visits import log_in, playing_since, sign_up

from db.pool import open_redis

RSOCKET = re.compile(r"/rsocket$")
POINTS = 1000
GIFT = 300


class Line:
    """The line between a page and the RSocket server, in the test's hand."""

    def __init__(self) -> None:
        self.down = False
        self.gifts = 0
        self.on_gift = None

    async def carry(self, page):
        """Lead every WebSocket of this page through here."""
        await page.route_web_socket(RSOCKET, self._connected)

    async def _connected(self, socket):
        if self.down:
            await socket.close()
            return
        server = socket.connect_to_server()
        deaf = False

        async def up(message):
            nonlocal deaf
            server.send(message)
            if b"donation.give" in message:
                self.gifts += 1
                if self.on_gift is not None:
                    deaf = True
                    await self.on_gift(socket)

        def down(message):
            if not deaf:
                socket.send(message)

        socket.on_message(up)
        server.on_message(down)


async def ready_to_give(house, page, nickname):
    """Sign up with some points and fill in the form of a donation."""
    streamer = (await house.on_air("demo"))["nickname"]
    donor = nickname()
    await sign_up(page, donor)
    assert (await house.console("members", "grant", donor, str(POINTS))).code == 0
    await page.goto(f"/c/{streamer}")
    await page.click("channel-about button.donate")
    dialog = page.locator("donate-dialog dialog")
    await dialog.locator("input[type=number]").fill(str(GIFT))
    return dialog


async def test_a_line_that_breaks_after_the_gift_was_sent_charges_once(house, new_page, nickname):
    line = Line()

    async def cut(socket):
        line.down, line.on_gift = True, None
        await socket.close()

    line.on_gift = cut
    async with new_page() as page:
        await page.clock.install()
        # The player believes the clock, and asks for what nobody has filmed yet, or what has long been.
        page.forgiven.append("/hls/")
        await line.carry(page)
        dialog = await ready_to_give(house, page, nickname)
        await dialog.locator("button[type=submit]").click()
        await expect(page.locator("chat-room .state")).to_be_visible()
        # The second try finds no connection in the time of a call.
        for _ in range(3):
            await page.clock.fast_forward(11_000)
        line.down = False

        async def back():
            await page.clock.fast_forward(300)
            return await page.locator("chat-room .state").count() == 0

        await eventually(back, what="the connection")
        # By itself, or when it is asked to.
        answered = dialog.locator(".thanks, button[type=submit]:not([aria-disabled=true])")
        await expect(answered).to_be_visible()
        if await answered.get_attribute("type") == "submit":
            await answered.click()
        await expect(dialog.locator(".thanks")).to_contain_text(str(POINTS - GIFT))

    assert line.gifts > 1


# A page as a house sends it whose store cannot say what is on; the meta is read when the whole head is there.
KNOWING_NOTHING = """new MutationObserver((_, observer) => {
    const now = document.querySelector("meta[name=commeow-now]");
    if (now !== null) {
        now.content = "";
        observer.disconnect();
    }
}).observe(document, { childList: true, subtree: true })"""


async def test_a_channels_page_begins_with_what_it_was_sent_with(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]
    async with new_page(locale="en-GB") as page:
        page.forgiven.append("ERR_FAILED")
        await page.route("**/api/channels/*", lambda route: route.abort())
        await page.goto(f"/c/{streamer}")
        await playing_since(page, 0)
        await expect(page.locator("channel-about h1")).to_have_text("Commeow demo")
        await expect(page.locator("channel-about .badge.live")).to_be_visible()


async def test_who_presses_enter_before_the_room_is_known_is_heard_when_it_is(house, new_page, nickname):
    streamer = (await house.on_air("demo"))["nickname"]
    asked, pressed = asyncio.Event(), asyncio.Event()

    async def answer_late(route):
        asked.set()
        await pressed.wait()
        await route.continue_()

    async with new_page() as page:
        await sign_up(page, nickname())
        await page.add_init_script(KNOWING_NOTHING)
        await page.route(f"**/api/channels/{streamer}", answer_late, times=1)
        await page.goto(f"/c/{streamer}")
        await page.fill("#chat-text", "나 먼저")
        await page.press("#chat-text", "Enter")
        await asked.wait()
        pressed.set()
        await expect(page.locator("chat-list .line.mine:not(.pending) .text", has_text="나 먼저")).to_be_visible()
        await expect(page.locator("#chat-text")).to_have_value("")


async def test_a_page_left_in_the_middle_of_giving_asks_again_with_the_same_id(house, new_page, nickname):
    line = Line()

    async def say_nothing(_):
        line.on_gift = None

    line.on_gift = say_nothing
    async with new_page() as page:
        await line.carry(page)
        dialog = await ready_to_give(house, page, nickname)
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator("button[type=submit] .spinner")).to_be_visible()
        await page.reload()
        await expect(dialog).to_be_visible()
        await expect(dialog.locator("[role=alert]")).to_be_visible()
        await expect(dialog.locator("input[type=number]")).to_be_disabled()
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.locator(".thanks")).to_contain_text(str(POINTS - GIFT))
        await page.reload()
        await expect(page.locator("channel-about button.donate")).to_be_visible()
        await expect(dialog).to_be_hidden()

    assert line.gifts == 2


async def test_a_page_asks_whether_it_is_over_when_the_picture_cannot_be_had(house, new_page):
    streamer = (await house.on_air("demo"))["nickname"]

    async def answer(route):
        # A media process that died said no goodbye; the one that came after it knows of nothing on air.
        response = await route.fetch()
        over = {"on_air": False, "playback": None, "started_at": None}
        await route.fulfill(response=response, json={**await response.json(), **over})

    async with new_page() as page:
        await page.route("**/hls/**", lambda route: route.abort())
        await page.route(f"**/api/channels/{streamer}", answer)
        await page.route_web_socket(RSOCKET, lambda _: None)  # The room says nothing either.
        await page.goto(f"/c/{streamer}")
        await expect(page.locator("live-player .notice.veil")).to_be_visible()
        page.forgiven.append("/hls/")


async def test_the_studio_says_aloud_only_whether_it_is_on_air(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto("/login")
        await log_in(page, member.login_id)
        await page.wait_for_url("/")
        await expect(page.locator("site-header .me")).to_be_visible()
        await page.goto("/studio")
        spoken = page.locator("studio-desk .now").locator("xpath=descendant-or-self::*[@role='status']")
        await expect(spoken).to_have_count(1)

        assert await spoken.evaluate("element => element.tagName") == "H2"


async def test_a_room_whose_numbers_began_anew_says_that_something_may_be_missing(house, new_page, nickname):
    """As after a Valkey that lost its data, for this one room: its counter is gone."""
    owner = nickname()
    before, after = f"{owner} before", f"{owner} after"
    async with new_page() as page:
        await sign_up(page, owner)
        await page.goto(f"/chat/{owner}")
        lines = page.locator("chat-list .line:not(.pending)")
        await page.fill("#chat-text", before)
        await page.press("#chat-text", "Enter")
        await expect(lines.filter(has_text=before)).to_be_visible()
        await forget_number(house, before)
        await page.fill("#chat-text", after)
        await page.press("#chat-text", "Enter")

        await expect(lines.filter(has_text=after)).to_be_visible()
        await expect(lines).to_have_text(
            [re.compile(before), "여기에서 메시지 일부가 빠졌을 수 있습니다", re.compile(after)]
        )


async def forget_number(house, said):
    """Let a room's numbers begin anew: the room where this was said last."""
    redis = open_redis(f"unix://{house.data}/valkey/valkey.sock")
    found = [
        key
        for key in await redis.keys("commeow:{*}:history")
        for _, fields in await redis.xrevrange(key, count=1)  # None, where a room has just been swept.
        if said.encode() in fields.get(b"p", b"")
    ]
    assert len(found) == 1
    assert await redis.delete(found[0].replace(b":history", b":head")) == 1
    await redis.aclose()


@pytest.mark.parametrize("path", ["/c", "/chat"])
async def test_a_page_that_is_older_than_the_house_says_so_and_a_second_press_asks_again(house, new_page, path, shoot):
    """Its files are named by what is in them: after a release those that it has not loaded yet are gone."""
    member = await house.sign_up(f"n{uuid.uuid4().hex[:10]}")
    async with new_page() as page:
        page.forgiven += ["404", "module"]
        await page.goto(f"/login?next={path}/{member.nickname}")
        await log_in(page, member.login_id, PASSWORD)
        await page.locator("#chat-text").fill("쓰던 말")
        gone = re.compile("/emote_picker")
        await page.route(gone, lambda route: route.fulfill(status=404, body="", content_type="text/javascript"))
        await page.locator("chat-room .pick").click()
        hint = page.locator(".reload-hint")
        await expect(hint.get_by_role("alert")).to_contain_text("다시 불러와 주세요")
        await shoot(page, f"reload-hint-{path[1:]}")
        await page.unroute(gone)
        await page.locator("chat-room .pick").click()
        await page.locator("chat-room .pick").click()
        await expect(page.locator("emote-picker img").first).to_be_visible()
        await hint.get_by_role("button", name="다시 불러오기").click()
        await expect(page.locator("#chat-text")).to_have_value("쓰던 말")
        await expect(hint).to_have_count(0)
