"""What OBS lays over a broadcast: a gift is seen there once, and a link that was revoked goes dark."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import struct
from urllib.parse import quote

from house import eventually
from playwright.async_api import expect
from redis.asyncio import Redis
from visits import room_of

from console.embedded import Valkey

# A tenth of a second of it, as espeak-ng writes sound: one channel, 16 bits.
SILENCE = (
    b"RIFF"
    + struct.pack("<I", 36 + 4410)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, 22050, 44100, 2, 16)
    + b"data"
    + struct.pack("<I", 4410)
    + bytes(4410)
)
# What OBS does once a page is loaded, with what a streamer wrote or its own default (browser-client.cpp, OnLoadEnd).
CUSTOM_CSS = """(words) => {
  const obsCSS = document.createElement("style");
  obsCSS.appendChild(document.createTextNode(decodeURIComponent(words)));
  document.querySelector("head").appendChild(obsCSS);
}"""
DEFAULT_CSS = "body { background-color: rgba(0, 0, 0, 0); margin: 0px auto; overflow: hidden; }"
# What OBS says when a scene with this source goes off air, or comes back (browser-app.cpp).
SCENE = """(visible) => {
  Object.defineProperty(document, "hidden", { configurable: true, value: !visible });
  document.dispatchEvent(new CustomEvent("visibilitychange", {}));
  dispatchEvent(new CustomEvent("obsSourceVisibleChanged", { detail: { visible } }));
}"""
# All at once, while it is there.
SHOWN = """() => {
  const points = document.querySelector("overlay-alerts .alert strong");
  return points !== null && window.played.length > 0 && {
    words: points.closest(".alert").textContent,
    colour: getComputedStyle(points).color,
    played: window.played,
    focused: document.hasFocus() && document.activeElement !== document.body,
  };
}"""
# Every alert that a document has shown, in its turn: six seconds after it is shown it is gone without a trace, looked
# at or not.
TOLD = """
  window.told = [];
  let before;
  new MutationObserver(() => {
    const alert = document.querySelector("overlay-alerts .alert");
    const words = alert?.querySelector(".text")?.textContent;
    if (words === before) return;
    before = words; // Also that there is none: the same gift shown twice is told twice.
    if (words !== undefined) window.told.push({ words, who: alert.querySelector(".who").textContent });
  }).observe(document, { childList: true, characterData: true, subtree: true });
"""
PLAYED = """
  window.played = [];
  window.heard = []; // To its end: time went by in it.
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = async function () {
    const tell = () => window.heard.push([this.currentTime > 0, this.muted, this.volume]);
    this.addEventListener("ended", tell, { once: true });
    try { await play.call(this); window.played.push(this.currentSrc.split("/").at(-1)); }
    catch (error) { window.played.push(String(error)); throw error; }
  };
"""


async def link(house, member) -> str:
    """Make a link over HTTP, as the studio does; answer its token."""
    asked = {"name": "OBS", "scopes": ["overlay:watch"]}
    made = await house.api("POST", "/api/members/me/tokens", asked, token=member.token)
    return made["token"]


async def corner(page) -> int:
    """How opaque the page is where nothing is shown, as OBS would see it: 0 to 255."""
    picture = base64.b64encode(await page.screenshot(omit_background=True)).decode()
    return await page.evaluate(
        """async (picture) => {
          const image = new Image();
          image.src = `data:image/png;base64,${picture}`;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
          canvas.drawImage(image, 0, 0);
          return canvas.getImageData(5, image.height - 5, 1, 1).data[3];
        }""",
        picture,
    )


@contextlib.asynccontextmanager
async def hearing(page, talking, streamer):
    """Give the page's frames, and leave once it has heard the room: what is given before is nobody's news."""
    frames = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(bytes(frame))))
    yield frames
    lines, next_at = 0, 0.0

    async def look():
        nonlocal lines, next_at
        if asyncio.get_running_loop().time() >= next_at:  # No faster than anybody may talk.
            lines += 1
            await talking.say(streamer.nickname, f"안녕하세요 {lines}")
            next_at = asyncio.get_running_loop().time() + 1.0
        return any(b'"kind":"said"' in frame for frame in frames)

    await eventually(look, what="a line in the overlay")


async def told(page, words):
    """Wait until the document has shown a gift with these words; answer whose it was and how much."""

    async def look():
        return next((one["who"] for one in await page.evaluate("window.told") if one["words"] == words), None)

    return await eventually(look, what=f"the alert {words}")


async def revoke(house, member):
    await house.api("DELETE", "/api/members/me/tokens", token=member.token)


async def test_a_gift_is_shown_once_and_outlives_a_reload_and_a_revoked_link_goes_dark(house, new_page, live, shoot):
    streamer, donor, talking = live
    token = await link(house, streamer)
    spoken = []

    async def speak(route):
        spoken.append(route.request.url.rpartition("/")[2])
        await route.fulfill(body=SILENCE, content_type="audio/wav")

    async with new_page(locale="en-US") as page:
        await page.clock.install()
        await page.add_init_script(TOLD)
        await page.route("**/speech/*", speak)
        alert = page.locator("overlay-alerts .alert")
        async with hearing(page, talking, streamer):
            await page.goto(f"/overlay/{token}/alerts?lang=ko&aloud")
        await talking.give(streamer.nickname, 300, "물고기 사세요")
        who = await told(page, "물고기 사세요")
        assert donor.nickname in who
        assert "300포인트" in who
        await talking.give(streamer.nickname, 50, "하나 더")
        await page.clock.fast_forward(8_000)
        await page.clock.fast_forward(1_000)
        await told(page, "하나 더")
        await eventually(lambda: len(spoken) > 1, what="the second gift's words")
        opacity = await corner(page)
        await shoot(page, "overlay-alert", omit_background=True)

        assert len(spoken) == len(set(spoken)) == 2

        # A scene that comes back knows what it has shown, and misses nothing that came meanwhile.
        await page.goto("about:blank")
        await talking.give(streamer.nickname, 70, "다녀왔어요?")
        await page.goto(f"/overlay/{token}/alerts?lang=ko")
        await told(page, "다녀왔어요?")
        await page.clock.fast_forward(20_000)
        await page.clock.fast_forward(1_000)
        await expect(alert).to_have_count(0)

        await talking.give(streamer.nickname, 90, "마지막")
        await told(page, "마지막")
        await revoke(house, streamer)
        # The page's clock stands in the test's hand: it connects anew within half a second, and then hears the end.
        await page.clock.resume()
        await expect(page.locator("main > *")).to_have_count(0)
        page.forgiven.append("404")
        answer = await page.request.get(f"/overlay/{token}/alerts")
        assert answer.status == 404

    assert opacity == 0


async def test_in_obs_a_gift_waits_for_its_scene_is_heard_without_a_click_and_wears_the_streamers_style(
    house, new_page, live, shoot
):
    """A browser source: 1920 by 1080, no focus, no gesture, hidden with its scene, and styled by "Custom CSS"."""
    streamer, _, talking = live
    token = await link(house, streamer)
    async with new_page(locale="en-US", viewport={"width": 1920, "height": 1080}) as page:
        await page.add_init_script(PLAYED)
        await page.route("**/speech/*", lambda route: route.fulfill(body=SILENCE, content_type="audio/wav"))
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
        alert = page.locator("overlay-alerts .alert")
        async with hearing(page, talking, streamer) as frames:
            await page.goto(f"/overlay/{token}/alerts?lang=ko&aloud")
        for words in (DEFAULT_CSS, ".alert strong { color: rgb(1, 2, 3) !important; }"):
            await page.evaluate(CUSTOM_CSS, quote(words))

        await page.evaluate(SCENE, False)
        await talking.give(streamer.nickname, 300, f"hidden at first {'z' * 120}")  # Long, so that it stays long.
        await eventually(lambda: any(b"hidden at first" in frame for frame in frames), what="the gift in the overlay")
        await page.evaluate("() => new Promise((done) => setTimeout(done))")
        hidden = await alert.count()
        await page.evaluate(SCENE, True)
        shown = await (await page.wait_for_function(SHOWN)).json_value()
        await page.wait_for_function("() => window.heard.length > 0")
        heard = await page.evaluate("window.heard")
        opacity = await corner(page)
        await shoot(page, "overlay-alert-obs", omit_background=True)

    assert hidden == 0
    assert "hidden at first" in shown["words"]
    assert [name.isdigit() for name in shown["played"]] == [True]
    assert heard == [[True, False, 1]]
    assert shown["colour"] == "rgb(1, 2, 3)"
    assert not shown["focused"]
    assert opacity == 0


async def test_the_chat_and_the_goal_lie_over_the_picture_and_the_channel_shows_who_gave(house, new_page, live, shoot):
    streamer, donor, talking = live
    token = await link(house, streamer)
    goal = {"title": "새 마이크", "points": 400}
    await house.api("PUT", f"/api/channels/{streamer.nickname}/goal", goal, token=streamer.token)
    await talking.give(streamer.nickname, 40, "")
    async with new_page() as chat, new_page(locale="en-GB") as bar, new_page() as channel:
        await chat.goto(f"/overlay/{token}/chat?lang=ko")
        async with hearing(bar, talking, streamer):
            await bar.goto(f"/overlay/{token}/goal")
        await expect(bar.locator("goal-bar")).to_contain_text("40 / 400")
        await channel.goto(f"/c/{streamer.nickname}")
        support = channel.locator("channel-support")
        await expect(support.locator("goal-bar")).to_contain_text("40 / 400")
        await expect(support.locator("li")).to_contain_text(donor.nickname)
        await expect(chat.locator("chat-list .line", has_text="안녕하세요").last).to_be_visible()
        await talking.give(streamer.nickname, 60, "응원해요")
        await expect(chat.locator("chat-list .donated", has_text="응원해요")).to_be_visible()
        await expect(bar.locator("goal-bar")).to_contain_text("100 / 400")
        assert await bar.locator("progress").get_attribute("value") == "25"
        # What the room remembers is not counted again, and what it tells now is counted once.
        await expect(support.locator("goal-bar")).to_contain_text("100 / 400")
        await expect(support.locator("li")).to_contain_text("100")
        await shoot(chat, "overlay-chat", omit_background=True)
        await shoot(bar, "overlay-goal", omit_background=True)
        await shoot(channel, "channel-support")
        await channel.set_viewport_size({"width": 390, "height": 844})
        await shoot(channel, "channel-support-phone")
        wider = await channel.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        ground = await chat.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    assert wider <= 0
    assert ground == "rgba(0, 0, 0, 0)"


async def test_a_gift_of_before_is_counted_once_however_late_the_room_tells_of_it(house, new_page, live):
    streamer, _, talking = live
    await talking.give(streamer.nickname, 40, "아까")
    held = []

    def carry(socket):
        server = socket.connect_to_server()

        def down(message):
            if b'"donated"' in message:
                held.append((socket, message))
            else:
                socket.send(message)

        server.on_message(down)

    async with new_page(locale="en-GB") as page:
        await page.route_web_socket("**/rsocket", carry)
        await page.goto(f"/c/{streamer.nickname}")
        given = page.locator("channel-support li span")
        await expect(given).to_have_text("40")
        await eventually(lambda: held, what="the gift in the room's history")
        for socket, message in held:
            socket.send(message)
        await expect(page.locator("chat-list .donated", has_text="아까")).to_be_visible()

        assert await given.text_content() == "40"


async def test_a_valkey_that_lost_its_numbers_costs_no_gift_and_doubles_none(house, new_page, live):
    streamer, _, talking = live
    token = await link(house, streamer)
    async with new_page() as page:
        await page.clock.install()
        await page.add_init_script(TOLD)
        alert = page.locator("overlay-alerts .alert")
        async with hearing(page, talking, streamer):
            await page.goto(f"/overlay/{token}/alerts?lang=ko")
        await talking.give(streamer.nickname, 30, "이전")
        await told(page, "이전")

        valkey = Redis.from_url(Valkey(house.data / "valkey").url)
        # Of this room: others' numbers are other tests', and logins are not this one's to end.
        async for key in valkey.scan_iter(f"commeow:{{{room_of(streamer)}}}:*"):
            await valkey.delete(key)
        await valkey.aclose()
        await talking.give(streamer.nickname, 40, "이후")
        await page.clock.fast_forward(8_000)
        await page.clock.fast_forward(1_000)
        await told(page, "이후")
        assert [one["words"] for one in await page.evaluate("window.told")] == ["이전", "이후"]

        # The number at which it goes on is one of today's, and what it has shown it knows.
        await page.goto("about:blank")
        await talking.give(streamer.nickname, 50, "다시")
        await page.goto(f"/overlay/{token}/alerts?lang=ko")
        await told(page, "다시")
        await page.clock.fast_forward(20_000)
        await page.clock.fast_forward(1_000)
        await expect(alert).to_have_count(0)
        assert [one["words"] for one in await page.evaluate("window.told")] == ["다시"]
