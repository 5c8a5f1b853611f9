import json
import logging
import struct

import aiohttp
import pytest
from rsocket.extensions.helpers import authenticate_bearer, composite

from db.member import Member
from routes.admission import Admission
from routes.revocations import Revocations
from routes.tokens import ACCESS_SECONDS, TokenExpired, TokenInvalid
from rsocket_server.doors import MembersOnly


@pytest.fixture
def admission(tokens):
    return Admission(tokens, None, Revocations(None, None, None))


async def test_a_token_is_its_member_for_as_long_as_it_lasts(admission, bearer):
    token = bearer(7, "나비", {"operator"}, age_seconds=100)["Authorization"].split()[1].encode()

    badge = await admission.verify(token)

    assert badge.member == Member(7, "나비", frozenset({"operator"}))
    assert ACCESS_SECONDS - 105 < badge.seconds <= ACCESS_SECONDS - 99
    assert badge.scopes is None


async def test_an_old_or_forged_token_is_nobodys(admission, bearer):
    old = bearer(7, "나비", age_seconds=ACCESS_SECONDS + 1)["Authorization"].split()[1].encode()

    with pytest.raises(TokenExpired):
        await admission.verify(old)
    with pytest.raises(TokenInvalid):
        await admission.verify(b"\xff")


def test_a_known_error_becomes_its_code_and_is_not_logged(admission, caplog):
    assert admission.translate(MembersOnly()) == (0x202, b'{"code":"auth.members_only","retry":false}')
    assert caplog.text == ""


def test_an_unknown_error_is_logged_with_the_incident_that_the_peer_is_told(admission, caplog):
    with caplog.at_level(logging.ERROR):
        number, data = admission.translate(RuntimeError("hunter2"))

    told = json.loads(data)
    assert (number, told["code"]) == (0x201, "internal")
    assert b"hunter2" not in data
    assert f"incident={told['incident']}" in caplog.text
    assert "hunter2" in caplog.text


def _setup(token):
    """Write a SETUP frame with a bearer token, as Protocol.md lays it out."""
    mime = b"message/x.rsocket.composite-metadata.v0"
    metadata = composite(authenticate_bearer(token))
    return (
        struct.pack(">IHHHII", 0, 0x01 << 10 | 0x100, 1, 0, 20_000, 90_000)
        + bytes([len(mime)])
        + mime
        + bytes([len(b"application/json")])
        + b"application/json"
        + len(metadata).to_bytes(3)
        + metadata
    )


@pytest.mark.parametrize(
    ("age_seconds", "spoil", "code"),
    [(0, "AAAAAAAA", "auth.token_invalid"), (ACCESS_SECONDS + 1, "", "auth.token_expired")],
)
async def test_a_bad_token_is_a_rejected_setup_and_a_close(conversation, bearer, age_seconds, spoil, code):
    token = bearer(7, "나비", age_seconds=age_seconds)["Authorization"].split()[1]
    spoilt = token[: len(token) - len(spoil)] + spoil

    async with aiohttp.ClientSession() as session, session.ws_connect(conversation.url) as socket:
        await socket.send_bytes(_setup(spoilt))
        frame = (await socket.receive()).data
        after = await socket.receive()

    assert (frame[4] >> 2, int.from_bytes(frame[6:10])) == (0x0B, 0x003)
    assert json.loads(frame[10:]) == {"code": code, "retry": False}
    assert after.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
