import json
import uuid
from datetime import UTC, datetime

import pytest

from db.acts import Acts
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.channels import Channels
from db.emote import Emote
from db.emotes import Emotes
from db.follows import Follows
from db.footprints import Footprints
from db.ledger import Ledger
from db.members import Members
from db.refresh_tokens import RefreshTokens
from db.supporters import Supporters
from routes import events, wire
from routes.export import EXPORT_BURST, ExportDoors

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def _doors(pool, redis):
    doors = ExportDoors(
        members=Members(pool),
        channels=Channels(pool),
        acts=Acts(pool),
        supporters=Supporters(pool),
        emotes=Emotes(pool),
        follows=Follows(pool),
        ledger=Ledger(pool),
        refresh_tokens=RefreshTokens(redis, b"pepper" * 6),
        bot_tokens=BotTokens(pool),
        footprints=Footprints(pool),
        bus=Bus(redis),
    )
    return doors.doors()


@pytest.fixture
async def client(serve, pool, redis):
    return await serve(_doors(pool, redis))


def _said(nickname, text):
    return wire.write(events.Said(id="a", from_=events.Author(nickname, []), text=text, at=NOW))


async def test_a_member_gets_what_is_kept_of_them_and_nothing_of_others(client, pool, redis, new_member, bearer):
    nabi, bori, stranger = await new_member("나비", points=700), await new_member("보리"), await new_member("남")
    bus, tokens = Bus(redis), BotTokens(pool)
    await Channels(pool).edit(nabi.id, title="낮잠")
    await Supporters(pool).set_goal(nabi.id, "새 방석", 300)
    cat = Emote(code="cat", hash=b"h" * 32, media_type="image/png", width=28, height=28)
    await Emotes(pool).put(nabi.id, cat, b"")
    await Follows(pool).add(nabi.id, bori.id)
    await tokens.add(nabi.id, name="봇", scopes=frozenset({"chat:read"}), token_hash=b"1" * 32)
    await RefreshTokens(redis, b"pepper" * 6).issue(nabi.id, "Chrome/Android")
    for room, nickname, text in (
        (nabi.id, "나비", "안녕"),
        (bori.id, "나비", "보리야"),
        (bori.id, "보리", "왜"),
        (stranger.id, "남", "비밀"),
    ):
        await bus.publish(room, _said(nickname, text))
    gift = events.Donated(id=uuid.uuid4(), from_=events.Author("나비", []), points=1, text="선물", at=NOW)
    await bus.publish(nabi.id, wire.write(gift))

    response = await client.get("/api/members/me/export", headers=bearer(nabi.id, "나비"))

    body = await response.read()
    made = json.loads(body)
    assert response.status == 200
    assert "attachment" in response.headers["Content-Disposition"]
    assert (made["profile"]["login_id"], made["profile"]["nickname"]) == ("member_1", "나비")
    assert (made["channel"]["title"], made["channel"]["goal"]["title"]) == ("낮잠", "새 방석")
    assert [each["code"] for each in made["channel"]["emotes"]] == ["cat"]
    assert made["following"] == ["보리"]
    assert (made["points"]["balance"], made["points"]["history"]) == (700, "/api/points/history.csv")
    assert [each["name"] for each in made["tokens"]] == ["봇"]
    assert [(each["browser"], each["system"]) for each in made["logins"]] == [("Chrome", "Android")]
    assert [(each["channel"], each["text"]) for each in made["lines"]] == [("나비", "안녕"), ("보리", "보리야")]
    assert "비밀" not in body.decode()


async def test_a_file_is_not_made_again_and_again(client, new_member, bearer, time_stands):
    nabi = await new_member("나비")
    statuses = [
        (await client.get("/api/members/me/export", headers=bearer(nabi.id, "나비"))).status
        for _ in range(EXPORT_BURST + 1)
    ]

    assert statuses == [200] * EXPORT_BURST + [429]


async def test_who_has_left_has_nothing_to_take_along(client, pool, new_member, bearer):
    nabi = await new_member("나비")
    await Members(pool).erase(nabi.id)

    response = await client.get("/api/members/me/export", headers=bearer(nabi.id, "나비"))

    assert (response.status, json.loads(await response.read())["code"]) == (404, "member.unknown")


async def test_a_login_that_is_over_takes_nothing_along(serve, pool, redis, new_member, bearer):
    async def ended(_member_id, _login):
        return False

    nabi = await new_member("나비")
    client = await serve(_doors(pool, redis), lives=ended)

    response = await client.get("/api/members/me/export", headers=bearer(nabi.id, "나비"))

    assert (response.status, json.loads(await response.read())["code"]) == (401, "auth.token_invalid")
