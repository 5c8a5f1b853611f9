import asyncio
import json
import secrets
import uuid
from datetime import UTC, datetime

import pytest

from db.bot_token import PREFIX, hash_bot_token
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.errors import StoreUnavailable
from routes import events, wire
from routes.addresses import Addresses
from routes.overlays import (
    AGAIN_SECONDS,
    GUESS_BURST,
    LINK_BURST,
    OverlayDoors,
)
from routes.pages import Pages
from routes.speech import SpeechError

ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)
NOW = datetime(2026, 11, 26, tzinfo=UTC)
HTML = '<!doctype html><html lang="{{lang}}"><meta name="commeow-channel" content="{{channel}}"></html>'


class Parrot:
    """A voice that says the text itself, but not everything."""

    async def say(self, text):
        if text == "tongue twister":
            raise SpeechError("exit 1")
        return b"RIFF" + text.encode()


@pytest.fixture
async def client(serve, pool, redis, tmp_path):
    (tmp_path / "overlay.html").write_text(HTML)
    doors = OverlayDoors(BotTokens(pool), Pages(tmp_path, None, ADDRESSES), Bus(redis), Parrot())
    return await serve(doors.doors())


async def _link(pool, member, scope="overlay:watch"):
    token = f"{PREFIX}{secrets.token_urlsafe(32)}"
    added = await BotTokens(pool).add(
        member.id, name="OBS", scopes=frozenset({scope}), token_hash=hash_bot_token(token)
    )
    return token, added


@pytest.mark.parametrize("kind", ["alerts", "chat", "goal"])
async def test_a_link_shows_its_members_channel_and_is_kept_nowhere_on_the_way(client, pool, new_member, kind):
    token, _ = await _link(pool, await new_member("나비"))

    answer = await client.get(f"/overlay/{token}/{kind}?lang=en", headers={"Accept-Language": "ko"})

    text = await answer.text()
    assert answer.status == 200
    assert '<html lang="en">' in text
    assert 'content="나비"' in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    rules = answer.headers["Content-Security-Policy"].split("; ")
    assert "frame-ancestors 'none'" in rules
    # What a streamer writes under "Custom CSS" OBS puts in as a style element.
    assert "style-src 'self' 'unsafe-inline'" in rules
    assert "script-src 'self'" in rules
    assert 'lang="ko"' in await (await client.get(f"/overlay/{token}/{kind}?lang=xx")).text()


async def test_a_link_that_was_revoked_or_never_was_or_is_for_something_else_is_nowhere(client, pool, new_member):
    nabi = await new_member("나비")
    token, added = await _link(pool, nabi)
    bot, _ = await _link(pool, nabi, "chat:read")
    assert (await client.head(f"/overlay/{token}/alerts")).status == 200

    await BotTokens(pool).revoke(nabi.id, added.id)

    for path in (
        f"/overlay/{token}/alerts",
        f"/overlay/{bot}/alerts",
        f"/overlay/{PREFIX}{'a' * 43}/chat",
        "/overlay/x/goal",
        f"/overlay/{token}/studio",
    ):
        answer = await client.get(path)
        assert (answer.status, json.loads(await answer.read())["code"]) == (404, "http.not_found")


async def test_a_link_watches_its_own_channel_also_for_members_only_and_does_nothing_else(
    conversation, pool, new_member
):
    nabi, _ = await new_member("나비"), await new_member("보리")
    token, _ = await _link(pool, nabi)
    await pool.execute("INSERT INTO channel_rules (channel_id, members_only) VALUES ($1, true)", nabi.id)
    overlay = await conversation.connect_with(token)

    assert (await overlay.watch("chat.watch", {"channel": "나비"}).next("rules"))["members_only"]
    with pytest.raises(Exception) as elsewhere:
        await overlay.watch("chat.watch", {"channel": "보리"}).next()
    assert elsewhere.value.code == "auth.forbidden"
    for route, body in (
        ("chat.say", {"channel": "나비", "id": "1", "text": "hi"}),
        ("moderation.act", {"channel": "나비", "action": "pin"}),
        ("donation.give", {"id": "7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01", "channel": "보리", "points": 1}),
        ("session.renew", {"token": token}),
    ):
        with pytest.raises(Exception) as refused:
            await overlay.call(route, body)
        assert refused.value.code == "auth.forbidden"


async def test_a_gifts_words_are_read_aloud_unless_they_were_taken_back(client, pool, redis, new_member):
    nabi, bus = await new_member("나비"), Bus(redis)
    token, _ = await _link(pool, nabi)

    def gift(text):
        giver = events.Author("보리", [])
        return wire.write(events.Donated(id=uuid.uuid4(), from_=giver, points=1, text=text, at=NOW))

    said = wire.write(events.Said(id="a", from_=events.Author("보리", []), text="chat", at=NOW))
    for payload in (gift("물고기"), gift("bad"), said, gift(""), gift("tongue twister")):
        await bus.publish(nabi.id, payload)
    await bus.publish(nabi.id, wire.write(events.Removed(ids=[], seqs=[2], at=NOW)))

    heard = await client.get(f"/overlay/{token}/speech/1")

    assert (heard.status, heard.headers["Content-Type"]) == (200, "audio/wav")
    assert await heard.read() == "RIFF물고기".encode()
    assert heard.headers["Cache-Control"] == "no-store"
    # Taken back, a line of the chat, no words, not to be spoken, not there, nobody's.
    for path in (*(f"{token}/speech/{seq}" for seq in (2, 3, 4, 5, 99)), f"{PREFIX}{'a' * 43}/speech/1"):
        assert (await client.get(f"/overlay/{path}")).status == 404


@pytest.fixture
async def by_proxy(serve, pool, redis, tmp_path):
    """Ask as whoever has this address: `status, headers = await ask(address, path)`."""
    (tmp_path / "overlay.html").write_text(HTML)
    doors = OverlayDoors(BotTokens(pool), Pages(tmp_path, None, ADDRESSES), Bus(redis), Parrot(), clock=lambda: 0.0)
    client = await serve(doors.doors(), public_url="https://l.example")

    async def ask(address, path, **headers):
        answer = await client.get(path, headers={"X-Forwarded-For": address, **headers})
        return answer.status, answer.headers

    return ask


async def test_one_link_has_its_pace_whoever_asks(by_proxy, pool, new_member):
    nabi = await new_member("나비")
    token, other = [(await _link(pool, nabi))[0] for _ in range(2)]

    found = [(await by_proxy(f"192.0.2.{n}", f"/overlay/{token}/alerts"))[0] for n in range(LINK_BURST + 1)]

    assert found == [200] * LINK_BURST + [429]
    status, headers = await by_proxy("192.0.2.1", f"/overlay/{token}/speech/1")
    assert (status, headers["Content-Type"]) == (429, "application/problem+json")
    assert (await by_proxy("192.0.2.1", f"/overlay/{other}/alerts"))[0] == 200


async def test_all_sources_of_a_collection_may_ask_at_once(by_proxy, pool, new_member):
    token, _ = await _link(pool, await new_member("나비"))

    found = await asyncio.gather(*(by_proxy("192.0.2.1", f"/overlay/{token}/alerts") for _ in range(LINK_BURST)))

    assert {status for status, _ in found} == {200}


async def test_one_address_guesses_no_faster_and_a_right_link_costs_it_nothing(by_proxy, pool, new_member):
    token, _ = await _link(pool, await new_member("나비"))
    for number in range(GUESS_BURST):
        path = f"/overlay/{PREFIX}{'a' * 41}{number:02}/chat" if number % 2 else "/overlay/x/speech/1"
        assert (await by_proxy("192.0.2.1", path))[0] == 404
        assert number > 9 or (await by_proxy("192.0.2.1", f"/overlay/{token}/chat"))[0] == 200

    assert (await by_proxy("192.0.2.1", "/overlay/x/chat"))[0] == 429
    assert (await by_proxy("192.0.2.2", "/overlay/x/chat"))[0] == 404


async def test_over_a_broadcast_a_refusal_shows_nothing_and_asks_again_unless_the_link_is_over(
    by_proxy, pool, new_member, monkeypatch
):
    token, _ = await _link(pool, await new_member("나비"))
    browser = {"Accept": "text/html,application/xhtml+xml"}

    status, headers = await by_proxy("192.0.2.1", "/overlay/x/chat", **browser)
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "Refresh" not in headers

    for _ in range(LINK_BURST):
        await by_proxy("192.0.2.1", f"/overlay/{token}/chat", **browser)
    status, headers = await by_proxy("192.0.2.1", f"/overlay/{token}/chat", **browser)
    assert (status, headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert headers["Refresh"] == str(AGAIN_SECONDS)

    async def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(BotTokens, "find", away)
    other = f"/overlay/{PREFIX}{'b' * 43}/chat"
    status, headers = await by_proxy("192.0.2.1", other, **browser)
    assert (status, headers["Content-Type"], headers["Refresh"]) == (503, "text/html; charset=utf-8", "5")
    assert (await by_proxy("192.0.2.1", other))[1]["Content-Type"] == "application/problem+json"


async def test_a_machine_without_a_voice_says_nothing(serve, pool, redis, tmp_path, new_member):
    (tmp_path / "overlay.html").write_text(HTML)
    doors = OverlayDoors(BotTokens(pool), Pages(tmp_path, None, ADDRESSES), Bus(redis), None)
    client = await serve(doors.doors())
    token, _ = await _link(pool, await new_member("나비"))

    assert (await client.get(f"/overlay/{token}/alerts")).status == 200
    assert (await client.get(f"/overlay/{token}/speech/1")).status == 404
