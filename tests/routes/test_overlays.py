import json
import secrets

import pytest

from db.bot_token import PREFIX, hash_bot_token
from db.bot_tokens import BotTokens
from routes.addresses import Addresses
from routes.overlays import OverlayDoors
from routes.pages import Pages

ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)
HTML = '<!doctype html><html lang="{{lang}}"><meta name="commeow-channel" content="{{channel}}"></html>'


@pytest.fixture
async def client(serve, pool, tmp_path):
    (tmp_path / "overlay.html").write_text(HTML)
    return await serve(OverlayDoors(BotTokens(pool), Pages(tmp_path, None, ADDRESSES)).doors())


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
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
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
