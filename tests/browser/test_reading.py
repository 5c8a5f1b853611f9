"""Who reads further up in a room is left alone: nothing moves, nothing is asked for, and nothing is lost unsaid."""

from __future__ import annotations

import json
import re
import struct
from contextlib import aclosing, asynccontextmanager

import redis.asyncio
from house import eventually
from playwright.async_api import expect
from visits import room_of

from console.embedded import Valkey
from db.bus import Bus

AT = "2026-11-26T00:00:00Z"
PAYLOAD = 10
WINDOW_START, WINDOW_MAX = 32, 150  # As web/js/core/credit.js has it: more than was asked for does not come.
BEHIND_MAX = 100
# What a reader's eye rests on: which lines there are, and where.
VIEW = """(list) => [...list.querySelectorAll(":scope > div:first-child > .line")]
  .map((row) => [row.querySelector(".text")?.textContent ?? row.textContent, row.getBoundingClientRect().top])"""
# A page that is seen draws them; one that is busy draws them late.
FRAMES = "async () => { for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame); }"
IS_AT_ITS_END = "(list) => list.scrollHeight - list.clientHeight - list.scrollTop < 1"


class Reader:
    """A page in a room where lines are said by the house's own bus: faster than a member may speak."""

    def __init__(self, house, page, owner, bus):
        self.house, self.page, self.owner, self.bus = house, page, owner, bus
        self.list = page.locator("chat-list")
        self.newer = page.locator("chat-room .newer")
        self.made = 0
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._take))

    def _take(self, frame):
        if struct.unpack(">H", frame[4:6])[0] >> 10 == PAYLOAD:
            self.received += json.loads(frame[6:]).get("kind") == "said"

    async def say(self, lines):
        """Say so many lines; return when whoever else watches has all of them."""
        for _ in range(lines):
            self.made += 1
            author = {"nickname": "mimi", "roles": []}
            line = {"kind": "said", "id": f"{self.made}", "from": author, "text": f"line {self.made}", "at": AT}
            await self.bus.publish(room_of(self.owner), json.dumps(line).encode())
        async with self.house.connect(self.owner) as other:
            await other.watch(self.owner.nickname, history=5).said(f"line {self.made}")

    async def view(self):
        return await self.list.evaluate(VIEW)

    async def still(self):
        """Wait until a scroll has come to its end; answer what is seen then."""

        async def look():
            before = await self.view()
            await self.page.evaluate(FRAMES)
            return before == await self.view()

        await eventually(look, what="a list that stands still")
        return await self.view()

    async def follows(self):
        """Wait until the newest line is shown, at the end, and nothing waits below."""
        await expect(self.list.locator(".line .text").last).to_have_text(f"line {self.made}")
        await expect(self.newer).to_have_count(0)
        await eventually(lambda: self.list.evaluate(IS_AT_ITS_END), what="the end of the list")

    async def turn(self, pixels):
        await self.list.hover()
        await self.page.mouse.wheel(0, pixels)

    async def drag(self, pixels):
        """Draw a finger over the list, in steps that a hand makes."""
        box = await self.list.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        finger = await self.page.context.new_cdp_session(self.page)
        await finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for step in range(1, 11):
            point = {"x": x, "y": y + pixels * step / 10}
            await finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        await finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        await finger.detach()

    async def press(self, key):
        await self.list.focus()
        await self.page.keyboard.press(key)


@asynccontextmanager
async def reading(house, new_page, owner, **options):
    """A room on a page with some lines in it, followed."""
    client = redis.asyncio.Redis.from_url(Valkey(house.data / "valkey").url)
    async with new_page(**options) as page, aclosing(client):
        reader = Reader(house, page, owner, Bus(client))
        await page.goto(f"/c/{owner.nickname}")
        await expect(page.locator("chat-room .guest")).to_be_visible()
        await reader.say(WINDOW_START)
        await reader.follows()
        yield reader


async def test_who_reads_further_up_is_left_alone_until_they_come_down_again(house, new_page, nickname):
    owner = await house.sign_up(nickname())
    async with reading(house, new_page, owner) as reader:

        async def read_on(up, said, down):
            await up
            await expect(reader.newer).to_be_visible()
            before, received = await reader.still(), reader.received
            await reader.say(said)
            await expect(reader.newer).to_have_text(re.compile(r"\d"))
            assert before == await reader.view()
            assert reader.received - received <= WINDOW_MAX
            await down
            await reader.follows()

        async def numbers():
            return [
                int(text.removeprefix("line ")) if text.startswith("line ") else text for text, _ in await reader.view()
            ]

        # More than was asked for, and not more than one may be late by: all of them come.
        await read_on(reader.turn(-400), 2 * WINDOW_START, reader.newer.click())
        assert await numbers() == list(range(1, reader.made + 1))
        await read_on(reader.press("PageUp"), BEHIND_MAX // 4, reader.press("End"))
        assert await numbers() == list(range(1, reader.made + 1))

        # More than that: the newest come, and what is missing is told, wherever the room was late.
        await read_on(reader.press("Home"), 3 * WINDOW_MAX, reader.turn(100_000))
        first, *others = await numbers()
        assert any(isinstance(one, str) for one in others)
        told = first
        for one in others:
            told += int(re.sub(r"\D", "", one)) if isinstance(one, str) else 1
            assert isinstance(one, str) or one == told
        assert told == reader.made


async def test_a_hand_that_goes_up_slowly_is_let_go(house, new_page, nickname):
    owner = await house.sign_up(nickname())
    async with reading(house, new_page, owner, has_touch=True) as reader:

        async def stays(up, down):
            """Less than a line, in a room where each draw would take the list back to its end."""
            await up
            await expect(reader.newer).to_be_visible()
            before = await reader.still()
            await reader.say(1)
            await expect(reader.newer).to_have_text(re.compile(r"\d"))
            assert before == await reader.view()
            await down
            await reader.follows()

        await stays(reader.turn(-20), reader.turn(200))
        await stays(reader.drag(30), reader.drag(-200))
