"""What a page shows while the house's store is away: the words are put on its line, no store is harmed."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager

import pytest
from house import PASSWORD, eventually
from playwright.async_api import expect
from visits import log_in

RSOCKET = re.compile(r"/rsocket$")
ITEM = b"\x28\x20"  # A PAYLOAD frame with an item.


class Line:
    """The line between a page and the RSocket server, on which a test says things too."""

    def __init__(self):
        self._socket = None
        self._watch = None
        self.swallows = b"nothing at all"
        self.swallowed = []

    async def carry(self, page):
        """Lead every WebSocket of this page through here."""
        await page.route_web_socket(RSOCKET, self._connected)

    def _connected(self, socket):
        server = socket.connect_to_server()

        def up(message):
            if b"chat.watch" in message:
                self._socket, self._watch = socket, message[:4]
            if self.swallows in message:
                self.swallowed.append(message)
            else:
                server.send(message)

        socket.on_message(up)

    async def watched(self):
        await eventually(lambda: self._watch, what="a watch of the room")

    async def cut(self):
        """Break the line, and wait for the watch of the one that follows."""
        self._watch = None
        await self._socket.close()
        await self.watched()

    def say(self, **event):
        """Say an event of the room as the server does."""
        self._socket.send(self._watch + ITEM + json.dumps(event).encode())


@asynccontextmanager
async def talking(house, new_page, nickname, **options):
    """A member in their own room, in the chat's window, on a line of ours."""
    member = await house.sign_up(nickname())
    line = Line()
    async with new_page(**options) as page:
        await line.carry(page)
        await page.goto(f"/login?next=/chat/{member.nickname}")
        await log_in(page, member.login_id, PASSWORD)
        await line.watched()
        await expect(page.locator("chat-room .count")).to_be_visible()
        yield page, line, member


def said(text, line_id, who="미미", **more):
    author = {"nickname": who, "roles": []}
    return {"kind": "said", "id": line_id, "from": author, "text": text, "at": "2026-11-27T01:00:00Z", **more}


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
async def test_lines_without_a_number_are_marked_and_heal(house, new_page, nickname, language):
    streamer = await house.sign_up(nickname())
    line = Line()
    async with new_page(locale=language) as page:
        await line.carry(page)
        await page.goto(f"/chat/{streamer.nickname}")
        await line.watched()
        await expect(page.locator("chat-room .count")).to_be_visible()
        rows, mark = page.locator("chat-list .line .text"), page.locator("chat-list .mark")

        line.say(**said("before", "0", seq=1))
        line.say(kind="away")
        line.say(**said("one", "1", local=True))
        line.say(**said("two", "2", local=True))
        await expect(page.locator("chat-away .state")).to_be_visible()
        await expect(rows).to_have_text(["before", "one", "two"])
        await expect(mark).to_have_count(2)
        # A screen reader hears of it.
        words = await page.locator("chat-away .state").inner_text()
        await expect(page.locator("chat-room [aria-live=polite]")).to_contain_text(words)

        line.say(**said("elsewhere", "1", seq=2, **{"from": {"nickname": "코코", "roles": []}}))
        line.say(**said("two", "2", seq=3))
        line.say(**said("one", "1", seq=4))
        line.say(kind="back")
        await expect(rows).to_have_text(["before", "elsewhere", "two", "one"])
        await expect(mark).to_have_count(0)
        await expect(page.locator("chat-away .state")).to_have_count(0)


async def test_a_line_that_another_part_of_the_house_knows_nothing_of_can_be_sent_again(house, new_page, nickname):
    async with talking(house, new_page, nickname) as (page, line, member):
        rows, mark = page.locator("chat-list .line .text"), page.locator("chat-list .mark")
        again = page.locator("chat-list .line button")

        line.say(kind="away")
        line.say(**said("theirs", "1", local=True))
        line.say(**said("mine", "2", member.nickname, local=True))
        line.say(**said("mine too", "3", member.nickname, local=True))
        await expect(mark).to_have_count(3)
        await expect(again).to_have_count(0)

        await line.cut()
        await expect(again).to_have_count(2)
        await expect(mark).to_have_count(3)
        # This part holds one of them after all.
        line.say(**said("mine too", "3", member.nickname, local=True))
        await expect(again).to_have_count(1)
        await again.click()
        # What was pressed is gone: one goes on where one writes.
        await expect(page.locator("#chat-text")).to_be_focused()
        await expect(rows).to_have_text(["theirs", "mine too", "mine"])
        await expect(mark).to_have_count(2)
        await expect(page.locator("chat-list .line:not(.pending) .text", has_text=re.compile("^mine$"))).to_be_visible()
        await page.reload()
        await expect(rows).to_have_text(["mine"])


async def test_a_line_whose_answer_was_lost_may_have_been_sent_and_can_be_sent_again(house, new_page, nickname):
    async with talking(house, new_page, nickname, locale="en-US") as (page, line, member):
        field, refused = page.locator("#chat-text"), page.locator("chat-list .line.refused")

        line.swallows = b"chat.say"
        for words in ("one", "two"):
            await field.fill(words)
            await field.press("Enter")
        await expect(page.locator("chat-list .line.pending")).to_have_count(2)
        line.swallows = b"nothing at all"
        await line.cut()
        await expect(refused.locator(".why")).to_have_text(["May not have been sent"] * 2)

        # One's own other lines take the focus from no button.
        await refused.last.get_by_role("button", name="Edit").focus()
        line.say(**said("three", "3", member.nickname, seq=1))
        await expect(page.locator("chat-list .line.mine:not(.refused) .text")).to_have_text(["three"])
        await expect(refused.last.get_by_role("button", name="Edit")).to_be_focused()

        await refused.first.get_by_role("button", name="Send again").press("Enter")
        await expect(field).to_be_focused()
        await expect(refused.locator(".text")).to_have_text(["two"])
        await expect(field).to_have_value("")


async def test_a_line_that_came_after_all_takes_nobodys_place(house, new_page, nickname):
    async with talking(house, new_page, nickname) as (page, line, member):
        refused = page.locator("chat-list .refused button")

        line.swallows = b"chat.say"
        await page.fill("#chat-text", "mine")
        await page.press("#chat-text", "Enter")
        await eventually(lambda: line.swallowed, what="a line that is on its way")
        await line.cut()
        await refused.first.focus()
        await expect(refused.first).to_be_focused()

        # It had arrived: what was refused is a line, and who was at its buttons writes on.
        (line_id,) = re.findall(rb'"id":"([^"]+)"', line.swallowed[0])
        line.say(**said("mine", line_id.decode(), member.nickname, seq=1))
        await expect(refused).to_have_count(0)
        await expect(page.locator("#chat-text")).to_be_focused()


async def test_who_closes_the_rules_is_where_they_were_opened(house, new_page, nickname):
    streamer = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto(f"/login?next=/chat/{streamer.nickname}")
        await log_in(page, streamer.login_id, PASSWORD)
        opener = page.locator("chat-room .rule")
        await opener.press("Enter")
        await page.locator("chat-rules button.quiet").press("Enter")
        await expect(page.locator("chat-rules")).to_have_count(0)
        await expect(opener).to_be_focused()
