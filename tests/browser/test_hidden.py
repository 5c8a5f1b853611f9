"""A tab that nobody looks at is sent nothing. Playwright's pages always call themselves visible, so this speaks CDP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
import struct

import aiohttp
import redis.asyncio
from house import WAIT_SECONDS, eventually
from visits import room_of

from console.embedded import Valkey
from db.bus import Bus

PAYLOAD = 10
WINDOW_START = 32  # As web/js/core/credit.js has it: what was asked for before the tab was hidden may still come.
LINES = 150
AT = "2026-11-26T00:00:00Z"
SHOWN = "(document.querySelector('chat-list > div')?.textContent ?? '')"


class Tab:
    """A tab of a Chromium of its own, over the DevTools protocol."""

    def __init__(self, http, place, socket):
        self._http, self._place, self._socket = http, place, socket
        self._answers: dict[int, asyncio.Future] = {}
        self.lines: list[dict] = []
        self._number = 0

    async def listen(self):
        async for message in self._socket:
            heard = json.loads(message.data)
            if heard.get("id") in self._answers:
                # No result: between two documents there is none that could be asked.
                self._answers.pop(heard["id"]).set_result(heard.get("result", {}))
            elif heard.get("method") == "Network.webSocketFrameReceived":
                self._take(heard["params"]["response"]["payloadData"])

    def _take(self, data):
        frame = base64.b64decode(data)
        if struct.unpack(">H", frame[4:6])[0] >> 10 == PAYLOAD:
            self.lines += [event for event in [json.loads(frame[6:])] if event.get("kind") == "said"]

    async def call(self, method, **params):
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        return await answer

    async def ask(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer.get("result", {}).get("value")

    async def hide(self):
        """Open another tab in front."""
        async with self._http.put(f"{self._place}/json/new?about:blank") as opened:
            other = (await opened.json())["id"]
        async with self._http.get(f"{self._place}/json/activate/{other}"):
            await eventually(lambda: self.ask("document.visibilityState === 'hidden'"), what="a hidden tab")

    async def show(self, own):
        async with self._http.get(f"{self._place}/json/activate/{own}"):
            await eventually(lambda: self.ask("document.visibilityState === 'visible'"), what="a tab in front")


@contextlib.asynccontextmanager
async def chromium(folder):
    """Start a Chromium that Playwright knows nothing of; answer where its DevTools listen."""
    program = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    assert program, "no Chromium here (tests/browser/conftest.py has the remedy)"
    process = await asyncio.create_subprocess_exec(
        *(program, "--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={folder}"),
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not (found := re.search(rb"ws://(127\.0\.0\.1:\d+)/", await process.stderr.readline())):
                assert process.returncode is None
        yield f"http://{found[1].decode()}"
    finally:
        process.kill()
        await process.wait()


def line(number):
    author = {"nickname": "mimi", "roles": []}
    return json.dumps({"kind": "said", "id": f"{number}", "from": author, "text": f"line {number}", "at": AT}).encode()


async def test_a_hidden_tab_receives_no_lines_and_comes_back_to_the_newest(house, nickname, tmp_path):
    owner = await house.sign_up(nickname())
    client = redis.asyncio.Redis.from_url(Valkey(house.data / "valkey").url)
    # By hand: a room is filled faster than a member may speak.
    bus, room = Bus(client), room_of(owner)

    async def say(*numbers):
        for number in numbers:
            await bus.publish(room, line(number))

    async with chromium(tmp_path / "profile") as place, aiohttp.ClientSession() as http:
        async with http.get(f"{place}/json") as tabs:
            own = next(one for one in await tabs.json() if one["type"] == "page")
        async with http.ws_connect(own["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Tab(http, place, socket)
            listening = asyncio.create_task(page.listen())
            await page.call("Network.enable")
            await page.call("Page.navigate", url=f"{house.url}/c/{owner.nickname}")
            await say(0)
            await eventually(lambda: page.ask(f"{SHOWN}.endsWith('line 0')"), what="the first line")

            await page.hide()
            before = len(page.lines)
            await say(*range(1, LINES + 1))
            # Whoever else watches has all of them by now.
            async with house.connect(owner) as other:
                await other.watch(owner.nickname, history=5).said(f"line {LINES}")
            await say(*range(LINES + 1, 2 * LINES + 1))
            async with house.connect(owner) as other:
                await other.watch(owner.nickname, history=5).said(f"line {2 * LINES}")
            # Of all these only what was asked for before the tab was hidden.
            assert len(page.lines) - before <= WINDOW_START

            await page.show(own["id"])
            await eventually(lambda: page.ask(f"{SHOWN}.endsWith('line {2 * LINES}')"), what="the newest line")
            assert await page.ask("document.querySelectorAll('chat-list .gap').length") == 1
            listening.cancel()
    await client.aclose()
