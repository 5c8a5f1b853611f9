import json

import pytest

from db.act import Act, Action
from db.acts import Acts
from db.channels import Channels
from db.conduct import Rules
from routes import moderation_log
from routes.moderation_log import ModerationLogDoors, rules_view

URL = "/api/channels/streamer/moderation"


@pytest.fixture
async def client(serve, pool):
    return await serve(ModerationLogDoors(Channels(pool), Acts(pool)).doors())


async def test_owner_and_moderators_read_what_was_done(client, new_member, bearer, pool, monkeypatch):
    monkeypatch.setattr(moderation_log, "ENTRIES", 2)
    streamer, mimi, nabi = await new_member("streamer"), await new_member("mimi"), await new_member("나비")
    acts = Acts(pool)
    for action, target in ((Action.GRANT, mimi), (Action.BAN, nabi), (Action.UNBAN, nabi)):
        await acts.do(
            Act(channel_id=streamer.id, actor_id=streamer.id, action=action, target_id=target.id, reason="why")
        )
    await acts.do(Act(channel_id=streamer.id, actor_id=mimi.id, action=Action.SLOW, seconds=5))

    first = await (await client.get(URL, headers=bearer(mimi.id, "mimi"))).json()
    second = await (await client.get(f"{URL}?cursor={first['next']}", headers=bearer(streamer.id, "streamer"))).json()

    assert [(entry["action"], entry["actor"]) for entry in first["entries"]] == [
        ("slow", "mimi"),
        ("unban", "streamer"),
    ]
    assert first["entries"][1]["target"] == "나비"
    assert [entry["action"] for entry in second["entries"]] == ["ban", "grant"]
    assert second["entries"][0]["reason"] == "why"
    assert first["moderators"] == ["mimi"]
    assert first["rules"]["slow_seconds"] == 5
    assert first["rules"]["blocked_words"] == []


async def test_nobody_else_reads_it(client, new_member, bearer):
    await new_member("streamer")
    nabi = await new_member("나비")

    refused = await client.get(URL, headers=bearer(nabi.id, "나비"))
    nowhere = await client.get("/api/channels/nobody/moderation", headers=bearer(nabi.id, "나비"))

    assert (await client.get(URL)).status == 401
    assert (refused.status, json.loads(await refused.read())["code"]) == (403, "auth.forbidden")
    assert nowhere.status == 404


def test_blocked_words_are_not_for_everyone():
    rules = Rules(blocked_words=("hush",))

    assert rules_view(rules, whole=True).blocked_words == ["hush"]
    assert not rules_view(rules, whole=False).blocked_words
