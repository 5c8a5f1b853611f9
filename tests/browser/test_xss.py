"""What strangers write is text: two hundred payloads through every field that one of them can fill.

The answers are a hostile house's own, so that a payload stands also where a nickname's syntax would have refused it.
Whatever runs calls `xss()`; that, a breach of the policy, a dialog or a request to somebody else fails the test.
"""

from __future__ import annotations

import contextlib
import json
import struct
from html.parser import HTMLParser
from itertools import count

from house import ROOT, eventually
from playwright.async_api import expect

PAYLOADS = (ROOT / "tests" / "vectors" / "xss" / "payloads.txt").read_text(encoding="utf-8").splitlines()
AT = "2026-11-26T00:00:00Z"
SETUP, KEEPALIVE, RESPONSE, STREAM, REQUEST_N, PAYLOAD = 1, 3, 4, 6, 8, 10
NEXT, COMPLETE = 0x20, 0x40

# Nothing but what our own scripts make: no handler, no foreign address, no element that loads or runs something.
LOOK = """() => {
  const found = [];
  const foreign = "iframe, frame, object, embed, base, applet, math, foreignObject, marquee, template, style, area";
  for (const one of document.body.querySelectorAll(foreign)) found.push(one.outerHTML);
  for (const one of document.querySelectorAll("*")) {
    for (const { name, value } of one.attributes) {
      if (/^on/i.test(name) || name === "srcdoc" || name === "style") found.push(`${one.localName} ${name}=${value}`);
      if (!/^(href|src|action|formaction|data|poster|ping|xlink:href)$/i.test(name) || value === "") continue;
      const { protocol, origin } = new URL(value, document.baseURI);
      const local = protocol === "blob:" || /^data:image/.test(value);
      if (origin !== location.origin && !local) found.push(`${one.localName} ${name}=${value}`);
    }
  }
  return found;
}"""


def frame(stream_id, kind, flags, value):
    """One RSocket frame with JSON in it."""
    return struct.pack(">IH", stream_id, kind << 10 | flags) + json.dumps(value).encode()


def turned(by):
    """Yield the payloads for ever, beginning with another one: fields beside each other differ."""
    return (PAYLOADS[(number + by) % len(PAYLOADS)] for number in count())


def room():
    """Yield what a room says: every payload in every field of every event."""
    names, texts, roles = turned(0), turned(1), turned(2)
    for seq, payload in enumerate(PAYLOADS):
        author = {"nickname": next(names), "roles": [next(roles)]}
        head = {"seq": 4 * seq, "id": payload, "at": AT, "from": author}
        yield {**head, "kind": "said", "text": next(texts)}
        yield {**head, "kind": "donated", "seq": 4 * seq + 1, "points": 300, "text": next(texts)}
        yield {"kind": "rules", "seq": 4 * seq + 2, "pinned": payload, "slow_seconds": 0}
        yield {"kind": "muted", "seq": 4 * seq + 3, "nickname": payload, "until": None}


class HostileRoom:
    """An RSocket server that says what it likes, exactly as often as it was asked."""

    def __init__(self, nickname):
        self.nickname = nickname
        self.left = 4 * len(PAYLOADS)

    async def carry(self, page):
        await page.route_web_socket("**/rsocket", self._connected)

    def _connected(self, socket):
        events = room()

        def say(stream_id, credit):
            for _, event in zip(range(credit), events, strict=False):
                self.left -= 1
                socket.send(frame(stream_id, PAYLOAD, NEXT, event))

        def hear(message):
            stream_id, head = struct.unpack(">IH", message[:6])
            kind = head >> 10
            if kind == RESPONSE:
                hello = {"nickname": self.nickname, "now": AT, "expires_in": None}
                socket.send(frame(stream_id, PAYLOAD, NEXT | COMPLETE, hello))
            elif kind in {STREAM, REQUEST_N}:
                say(stream_id, struct.unpack(">I", message[6:10])[0])

        socket.on_message(hear)


def channel(names, words):
    """One channel of the hostile house."""
    return {
        "nickname": next(names),
        "title": next(words),
        "category": next(words),
        "tags": [next(words), next(words)],
        "on_air": True,
        "viewers": 3,
        "started_at": AT,
        "thumbnail": None,
        "playback": None,
        "rules": {"pinned": next(words), "blocked_words": [next(words)], "slow_seconds": 0},
    }


def answers(nickname):
    """Say what the hostile house answers, by the end of the path."""
    names, words = turned(3), turned(5)
    every = range(len(PAYLOADS))
    acts = ("mute", "ban", "remove", "grant", "pin", "rules")
    return {
        "/api/members/refresh": {"access_token": "x", "expires_in": 900, "nickname": nickname},
        "/api/members/me": {"nickname": nickname, "roles": [], "points": 1, "following": list(PAYLOADS)},
        "/api/channels": {"channels": [channel(names, words) for _ in every], "next": None},
        "/donations": {
            "donations": [
                {"id": str(n), "from": next(names), "points": 1, "text": next(words), "at": AT, "refunded": False}
                for n in every
            ],
            "next": None,
        },
        "/moderation": {
            "rules": {"blocked_words": list(PAYLOADS), "pinned": PAYLOADS[0]},
            "moderators": list(PAYLOADS),
            "entries": [
                {
                    "id": n,
                    "at": AT,
                    "action": acts[n % len(acts)],
                    "actor": next(names),
                    "target": next(names),
                    "until": None,
                    "seconds": 5,
                    "text": next(words),
                    "reason": next(words),
                }
                for n in every
            ],
            "next": None,
        },
        "/health": {"state": "live", "encoder": PAYLOADS[0], "picture": None, "sound": None, "verdicts": []},
        "/api/points": {"balance": 1, "earnings": 1},
        "/health/history": {
            "every_seconds": 5,
            "first": 0,
            "viewers": [],
            "kilobits": [],
            "frames": [],
            "keyframe_seconds": [],
        },
        "/history": {
            "entries": [
                {"id": n, "kind": "donation", "account": "points", "points": -1, "balance": 1, "at": AT}
                | {"nickname": next(names), "text": next(words)}
                for n in every
            ],
            "next": None,
        },
        "/api/points/orders": {"orders": [], "next": None},
        "/goal": {"goal": {"title": next(words), "points": 10, "received": 3, "since": AT}},
        "/supporters": {
            "period": "month",
            "points": 1,
            "donations": 1,
            "supporters": [{"nickname": next(names), "points": 1} for _ in every],
        },
        "/api/members/me/tokens": {
            "tokens": [{"id": n, "name": next(words), "scopes": [], "created_at": AT, "used_at": None} for n in every]
        },
        "/api/members/me/logins": {
            "logins": [
                {
                    "id": n,
                    "browser": next(words),
                    "system": next(words),
                    "began_at": AT,
                    "used_at": AT,
                    "current": n == 0,
                }
                for n in every
            ]
        },
        "/emotes": {
            "emotes": [
                {"code": word, "url": "/img/none.png", "width": 32, "height": 32, "house": False} for word in PAYLOADS
            ]
        },
    }


async def hostile(page, nickname):
    """Let the page hear the hostile house only."""
    told = answers(nickname)

    async def answer(route):
        path = route.request.url.partition("?")[0]
        known = next((value for ending, value in told.items() if path.endswith(ending)), None)
        if known is not None:
            await route.fulfill(json=known)
        elif "/api/channels/" in path:
            await route.fulfill(json=channel(turned(0), turned(1)) | {"nickname": nickname})
        else:
            await route.continue_()

    await page.route("**/api/**", answer)


NICKNAME = '<img src=y onerror="xss()">'


@contextlib.asynccontextmanager
async def besieged(new_page):
    """Give a page before the hostile house, and its room; at the end nothing of what it was told may have run."""
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200
    async with new_page(locale="en-GB") as page:
        foreign, dialogs = [], []
        page.on("request", lambda sent: foreign.append(sent.url) if "127.0.0.1" not in sent.url[:24] else None)

        async def refuse(dialog):
            dialogs.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", refuse)
        await page.add_init_script(
            "window.xss = () => console.error('xss ran');"
            "addEventListener('securitypolicyviolation', (breach) => console.error(breach.violatedDirective));"
            f"localStorage.setItem('commeow.nickname', {json.dumps(NICKNAME)});"
        )
        line = HostileRoom(NICKNAME)
        await line.carry(page)
        await hostile(page, NICKNAME)
        yield page, line
        assert foreign == []
        assert dialogs == []
        # What this house has no answer for, the real one refused to a token that is none.
        assert [text for text in page.complaints if "Failed to load resource" not in text] == []
        # The fence behind all this stands: no string becomes markup, whoever writes it.
        refused = await page.evaluate("() => { try { document.body.innerHTML = '<b>'; } catch { return true; } }")
        assert refused
        page.forgiven.append("")  # It says so too.


async def test_two_hundred_payloads_stay_text_in_every_field(house, new_page, shoot):
    async with besieged(new_page) as (page, line):
        await page.goto("/")
        titles = page.locator("channel-card .title")
        await expect(titles).to_have_count(len(PAYLOADS))
        assert set(await titles.all_text_contents()) <= set(PAYLOADS)
        assert await page.evaluate(LOOK) == []

        await page.goto(f"/c/{'x' * 8}")
        await eventually(lambda: line.left == 0, what="every event drawn")
        await expect(page.locator("chat-list .line .text").last).to_be_attached()
        shown = await page.locator("chat-list .line .text, chat-list .line .name").all_text_contents()
        assert set(shown) <= set(PAYLOADS)
        await page.evaluate(
            """async (payloads) => {
              const about = document.querySelector("channel-about");
              for (const title of payloads) {
                about.channel = { ...about.channel, title, category: title, tags: [title] };
                await about.updateComplete;
                if (about.querySelector("h1").textContent !== title) throw new Error(title);
              }
            }""",
            PAYLOADS,
        )
        await page.locator("chat-list .line .name").last.click()
        await expect(page.locator("chat-acts section")).to_be_visible()
        assert await page.evaluate(LOOK) == []
        await shoot(page, "xss-channel")

        for path, rows in (
            ("/studio", ("received-donations li", "moderation-log li", "emote-desk li")),
            ("/wallet", ("wallet-desk .lines li",)),
            ("/account", ("bot-tokens li", "login-list li")),
            ("/c/somebody/moderation", ("moderation-log li",)),
        ):
            await page.goto(path)
            for row in rows:
                await expect(page.locator(row)).to_have_count(len(PAYLOADS))
            assert await page.evaluate(LOOK) == []


async def test_two_hundred_payloads_stay_text_in_the_chats_own_window(house, new_page, shoot):
    async with besieged(new_page) as (page, line):
        await page.goto(f"/chat/{'x' * 8}")
        await eventually(lambda: line.left == 0, what="every event drawn")
        await expect(page.locator("chat-list .line .text").last).to_be_attached()
        shown = await page.locator("chat-list .line .text, chat-list .line .name, .pinned bdi").all_text_contents()
        assert set(shown) <= set(PAYLOADS)
        await expect(page.locator("chat-room .pinned bdi")).to_have_text(PAYLOADS[-1])
        await page.evaluate(
            """async (payloads) => {
              const room = document.querySelector("chat-room");
              for (const pinned of payloads) {
                room.standing = { ...room.standing, rules: { ...room.standing.rules, pinned } };
                await room.updateComplete;
                if (room.querySelector(".pinned bdi").textContent !== pinned) throw new Error(pinned);
              }
            }""",
            PAYLOADS,
        )
        await page.locator("chat-room button.pick").click()
        await expect(page.locator("emote-picker img")).to_have_count(len(PAYLOADS))
        assert await page.evaluate(LOOK) == []
        await shoot(page, "xss-chat-window")


# One after another in the one place where an overlay shows it, and what is read there.
SHOW = """async ([element, field, inside, payloads]) => {
  const seen = [];
  const shown = document.querySelector(element);
  for (const [seq, payload] of payloads.entries()) {
    shown[field] = field === "shown"
      ? { id: String(seq), seq, nickname: payload, points: 300, text: payload }
      : { title: payload, points: 10, received: 3, since: "2026-11-26T00:00:00Z" };
    await shown.updateComplete;
    await shown.querySelector("goal-bar")?.updateComplete;
    for (const one of shown.querySelectorAll(inside)) if (one.textContent !== payload) throw new Error(payload);
    if (shown.querySelector(inside) === null) throw new Error(`nothing shows ${payload}`);
    if (shown.querySelector("bdi *") !== null) throw new Error(`markup of ${payload}`);
    seen.push(...[...shown.querySelectorAll(inside)].map((one) => one.textContent));
  }
  return seen;
}"""


async def test_two_hundred_payloads_stay_text_over_a_broadcast(house, new_page, nickname, shoot):
    owner = await house.sign_up(nickname())
    asked = {"name": "OBS", "scopes": ["overlay:watch"]}
    link = (await house.api("POST", "/api/members/me/tokens", asked, token=owner.token))["token"]
    for kind, element, field, inside in (
        ("chat", "chat-list", None, ".line .text, .line .name"),
        ("alerts", "overlay-alerts", "shown", ".who bdi, .text"),
        ("goal", "overlay-goal", "goal", ".what bdi"),
    ):
        async with besieged(new_page) as (page, line):
            await page.goto(f"/overlay/{link}/{kind}?lang=en&aloud")
            await eventually(lambda line=line: line.left == 0, what=f"every event heard by {kind}")
            if field is None:
                await expect(page.locator(element).locator(inside).last).to_be_attached()
                shown = await page.locator(element).locator(inside).all_text_contents()
            else:
                shown = await page.evaluate(SHOW, [element, field, inside, PAYLOADS])
            assert shown
            assert set(shown) <= set(PAYLOADS)
            assert await page.evaluate(LOOK) == []
            await shoot(page, f"xss-overlay-{kind}")


class Head(HTMLParser):
    """The elements of a page as it is sent, with what they say."""

    def __init__(self, text):
        super().__init__()
        self.tags: list[str] = []
        self.says: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        words = dict(attrs)
        self.tags.append(tag)
        if tag == "meta" and "property" in words:
            self.says[words["property"]] = words["content"]
        self.says.setdefault(tag, words.get("title") or "")


EDITS_OF_ONE = 20  # Below what a channel may be edited at once.


async def test_a_title_is_text_in_the_page_as_it_is_sent_and_in_another_sites_frame(house, new_page, nickname):
    """Also what is written through the real doors, and read by somebody else."""
    plain = None
    for turn, payload in enumerate([title for title in PAYLOADS if len(title) <= 40][::4]):
        if turn % EDITS_OF_ONE == 0:
            owner = await house.sign_up(nickname())
            path = f"/c/{owner.nickname}"
        change = {"title": payload, "category": payload}
        await house.api("PATCH", f"/api/channels/{owner.nickname}", change, token=owner.token)
        async with house.http.get(path) as sent:
            page = Head(await sent.text())
        plain = plain or page.tags
        assert page.tags == plain
        kept = (await house.api("GET", f"/api/channels/{owner.nickname}"))["title"]
        assert page.says["og:title"].startswith(kept)
        async with house.http.get("/oembed", params={"url": f"{house.url}{path}"}) as sent:
            frame_of = Head((await sent.json())["html"])
        assert frame_of.tags == ["iframe"]
        assert frame_of.says["iframe"].startswith(kept)

    async with new_page() as page, house.connect(owner) as talking:
        await page.add_init_script("window.xss = () => console.error('xss ran')")
        text = '"><img src=x onerror=xss()><script>xss()</script>'
        await talking.call("moderation.act", {"channel": owner.nickname, "action": "pin", "text": text})
        await talking.say(owner.nickname, text)
        await page.goto(path)
        await expect(page.locator("chat-list .line .text")).to_have_text([text])
        await expect(page.locator("chat-room .pinned bdi")).to_have_text(text)
        assert await page.evaluate(LOOK) == []
