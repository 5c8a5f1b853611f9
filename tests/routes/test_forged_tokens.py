"""Tokens of every forged kind, on each door that takes one: HTTP's header and RSocket's SETUP."""

import json
import time

import aiohttp
import pytest
from aiohttp import web

from db.bot_token import PREFIX, Scope, hash_bot_token
from db.bot_tokens import BotTokens
from db.refresh_tokens import RefreshTokens
from routes import revocations
from routes.access import Who
from routes.doors import HttpDoor
from routes.tokens import ACCESS_SECONDS, derive
from routes.wire import TOKEN_CHARS_MAX
from tests.routes.conftest import SECRET, RefusedError
from tests.routes.forged import forgeries
from tests.rsocket_server import script

INVALID, EXPIRED = "auth.token_invalid", "auth.token_expired"


@pytest.fixture
async def refused(pool, redis, conversation, new_member):
    """Each token that is nobody's, with the code that says so: forged ones, old ones, and those of another kind."""
    now = time.time()
    table = {name: (token, INVALID) for name, token in forgeries(SECRET, now).items()}
    # Until now they were right.
    nabi = await new_member("나비")
    table["expired"] = (conversation.token(nabi, age_seconds=ACCESS_SECONDS + 1), EXPIRED)
    table["a refresh token"] = (await RefreshTokens(redis, derive(SECRET, "refresh token")).issue(nabi.id), INVALID)
    table["a stream key"] = ("sk_live_" + "x" * 43, INVALID)
    table["a bot's that nobody has"] = (PREFIX + "x" * 43, INVALID)
    revoked = PREFIX + "r" * 43
    await BotTokens(pool).add(nabi.id, name="bot", scopes=frozenset({Scope.READ}), token_hash=hash_bot_token(revoked))
    await BotTokens(pool).revoke_all(nabi.id)
    table["a bot's that was revoked"] = (revoked, INVALID)
    table["larger than any"] = ("x" * 5_000, INVALID)
    return table


async def _http(client, token):
    response = await client.get("/mine", headers={"Authorization": f"Bearer {token}"})
    return response.status, json.loads(await response.read() or b"{}").get("code")


async def test_http_takes_none_of_them(serve, refused, bearer):
    async def mine(_request):
        return web.Response(text="{}")

    client = await serve([HttpDoor(method="GET", path="/mine", who=Who.MEMBER, handle=mine, words="")])

    assert len(refused) >= 25
    for name, (token, code) in refused.items():
        assert await _http(client, token) == (401, code if token else "auth.members_only"), name
    assert (await client.get("/mine", headers=bearer(7, "나비"))).status == 200


async def _setup(session, url, token):
    """Come with a token; answer the code of the refusal and the WebSocket's close code, None where one is let in."""
    async with session.ws_connect(url) as socket:
        await socket.send_bytes(script.setup(metadata=script.bearer(token.encode())))
        await socket.send_bytes(script.request(script.RESPONSE, 1, "session.hello", b"{}"))
        frame = script.seen(await socket.receive_bytes())
        if frame.kind != script.ERROR:
            return None
        closing = await socket.receive()
        assert (frame.stream_id, frame.code) == (0, 3)
        assert json.loads(frame.data).keys() == {"code", "retry"}
        return json.loads(frame.data)["code"], closing.data


async def test_no_setup_comes_in_with_one(conversation, refused, new_member):
    mimi = await new_member("mimi")
    ended = "an ended login"
    await revocations.tell(conversation.bus, ended)
    refused["of a login that is over"] = (conversation.token(mimi, login=ended), INVALID)
    async with aiohttp.ClientSession() as session:
        while await _setup(session, conversation.url, conversation.token(mimi, login=ended)) is None:
            pass  # The word is on its way.

        for name, (token, code) in refused.items():
            assert await _setup(session, conversation.url, token) == (code, 1008), name
        assert await _setup(session, conversation.url, conversation.token(mimi)) is None


async def test_no_connection_lives_on_with_one(conversation, refused, new_member):
    mimi = await new_member("mimi")
    talker = await conversation.connect(mimi)
    for name, (token, code) in refused.items():
        if len(token) <= TOKEN_CHARS_MAX:  # More is no request.
            with pytest.raises(RefusedError) as raised:
                await talker.call("session.renew", {"token": token})
            assert raised.value.code == code, name

    hello = await talker.call("session.hello", {})
    assert hello["nickname"] == "mimi"
    assert hello["expires_in"] <= ACCESS_SECONDS
