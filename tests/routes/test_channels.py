import asyncio
import json

import pytest

from db.acts import Acts
from db.bus import Bus
from db.channel import hash_stream_key
from db.channels import Channels
from db.errors import StoreUnavailable
from media.broadcast import KICK_SECONDS
from media.rtmp_ingest.errors import Refused
from routes import channels
from routes.channels import EDITS_BURST, KEY_ROTATED, KICKED, views

KEY = "sk_live_test"


@pytest.fixture
async def owner(channel_client, new_member, bearer):
    """A client, and the headers of the owner of the channel 나비."""
    return channel_client, bearer((await new_member("나비")).id, "나비")


async def _code(response, status):
    assert response.status == status
    return json.loads(await response.read())["code"]


async def test_a_channel_off_air_has_no_playback(channel_client, new_member):
    await new_member("나비")

    channel = await (await channel_client.get("/api/channels/나비")).json()

    assert channel == {
        "nickname": "나비",
        "title": "",
        "category": "",
        "tags": [],
        "on_air": False,
        "viewers": 0,
        "followers": 0,
        "started_at": None,
        "last_live_at": None,
        "thumbnail": None,
        "playback": None,
        "rules": {
            "slow_seconds": 0,
            "followers_only_minutes": None,
            "members_only": False,
            "blocked_links": False,
            "pinned": "",
        },
    }
    assert await (await channel_client.get("/api/channels?live=1")).json() == {"channels": [], "next": None}


async def test_a_channel_is_found_by_a_name_that_reads_the_same_and_no_other(channel_client, new_member):
    await new_member("Nabi")

    assert (await (await channel_client.get("/api/channels/nABI")).json())["nickname"] == "Nabi"
    assert await _code(await channel_client.get("/api/channels/nobody"), 404) == "channel.unknown"


async def test_who_publishes_is_listed_with_a_playback_that_plays(channel_client, new_member, on_air, redis):
    nabi = await new_member("나비", key=KEY)
    await Bus(redis).report_viewers("node", {nabi.id: 7})
    await on_air.publish(KEY)

    (channel,) = (await (await channel_client.get("/api/channels?live=1")).json())["channels"]

    assert (channel["nickname"], channel["on_air"], channel["viewers"]) == ("나비", True, 7)
    assert channel["playback"] == "/hls/%EB%82%98%EB%B9%84/index.m3u8"
    assert channel["started_at"].endswith("Z")
    assert (await channel_client.get(channel["playback"])).status == 200


async def test_the_list_is_sorted_and_narrowed(channel_client, new_member, pool, redis):
    store = Channels(pool)
    members = [await new_member(nickname) for nickname in ("aaaa", "bbbb", "cccc")]
    for member, category in zip(members, ("games", "music", "games"), strict=True):
        await store.edit(member.id, title=f"Title of {member.nickname}", category=category)
        await store.begin_broadcast(member.id)
    await Bus(redis).report_viewers("node", {members[1].id: 5, members[2].id: 9})

    async def names(query):
        answer = await (await channel_client.get(f"/api/channels?{query}")).json()
        return [channel["nickname"] for channel in answer["channels"]]

    assert await names("live=1") == ["cccc", "bbbb", "aaaa"]
    assert await names("sort=viewers") == ["cccc", "bbbb", "aaaa"]
    assert await names("sort=recent") == ["cccc", "bbbb", "aaaa"]
    assert await names("category=games") == ["cccc", "aaaa"]
    assert await names("q=OF+BBBB") == ["bbbb"]
    assert await names("q=nothing") == []


async def test_the_list_has_an_end(channel_client, new_member, pool, monkeypatch):
    monkeypatch.setattr(channels, "CHANNELS_MAX", 2)
    for nickname in ("aaaa", "bbbb", "cccc"):
        await Channels(pool).begin_broadcast((await new_member(nickname)).id)

    assert len((await (await channel_client.get("/api/channels")).json())["channels"]) == 2


async def test_without_the_bus_the_list_is_there_and_the_viewers_are_not(new_member, pool):
    await Channels(pool).begin_broadcast((await new_member("aaaa")).id)

    class Away:
        async def viewers(self, _rooms):
            raise StoreUnavailable("away")

    (view,) = await views(await Channels(pool).live(), Away(), lambda channel: channel.nickname)

    assert (view.nickname, view.viewers) == ("aaaa", 0)


async def test_an_owner_edits_and_everyone_sees_it(channel_client, new_member, bearer):
    nabi = await new_member("나비")
    headers = bearer(nabi.id, "나비")

    edited = await channel_client.patch(
        "/api/channels/나비",
        json={"title": " 밤 방송 ", "category": "music", "tags": ["lofi", "lofi", "밤"]},
        headers=headers,
    )
    again = await channel_client.patch("/api/channels/나비", json={"title": ""}, headers=headers)
    nothing = await channel_client.patch("/api/channels/나비", json={}, headers=headers)

    assert edited.status == 200
    assert (await edited.json())["tags"] == ["lofi", "밤"]
    assert (await again.json())["title"] == ""
    assert (await nothing.json())["category"] == "music"
    assert (await (await channel_client.get("/api/channels/나비")).json())["category"] == "music"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"title": "x" * 101}, "channel.title_too_long", "title"),
        ({"title": "a\x07b"}, "wire.shape", "title"),
        ({"category": "x" * 41}, "wire.shape", "category"),
        ({"tags": ["x"] * 21}, "wire.shape", "tags"),
        ({"tags": [f"t{number}" for number in range(11)]}, "wire.shape", "tags"),
        ({"tags": ["x" * 21]}, "wire.shape", "tags"),
        ({"tags": "x"}, "wire.shape", "tags"),
        ({"nickname": "other"}, "wire.shape", None),
        ({"on_air": True}, "wire.shape", None),
    ],
)
async def test_an_edit_against_the_rules_is_refused_by_field(owner, body, code, field):
    client, headers = owner

    response = await client.patch("/api/channels/나비", json=body, headers=headers)
    problem = json.loads(await response.read())

    assert (response.status, problem["code"], problem.get("field")) == (400, code, field)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/api/channels/나비"),
        ("POST", "/api/channels/나비/stream-key"),
        ("POST", "/api/channels/나비/kick"),
        ("GET", "/api/channels/나비/health"),
    ],
)
async def test_an_owners_door_is_shut_for_everyone_else(channel_client, new_member, bearer, method, path):
    await new_member("나비")
    other = await new_member("other")

    guest = await channel_client.request(method, path, json={})
    # A token that claims the owner's nickname is still another member's.
    liar = await channel_client.request(method, path, json={}, headers=bearer(other.id, "나비"))

    assert await _code(guest, 401) == "auth.members_only"
    assert await _code(liar, 403) == "auth.forbidden"


async def test_a_new_key_kills_the_old_one_and_cuts_its_publisher(channel_client, new_member, bearer, on_air, pool):
    nabi = await new_member("나비", key=KEY)
    await on_air.publish(KEY)

    answer = await (await channel_client.post("/api/channels/나비/stream-key", headers=bearer(nabi.id, "나비"))).json()

    assert answer["server"] == "rtmp://127.0.0.1:1935/live"
    assert on_air.cut == [KEY_ROTATED]
    with pytest.raises(Refused, match="unknown stream key"):
        await on_air.publish(KEY)
    assert (await Channels(pool).by_stream_key_hash(hash_stream_key(answer["key"]))).id == nabi.id
    assert await on_air.publish(answer["key"])


async def test_an_owner_cuts_the_encoder_that_publishes(channel_client, new_member, bearer, on_air):
    nabi = await new_member("나비", key=KEY)
    headers = bearer(nabi.id, "나비")
    assert await _code(await channel_client.post("/api/channels/나비/kick", headers=headers), 404) == "channel.off_air"
    await on_air.publish(KEY)

    answer = await (await channel_client.post("/api/channels/나비/kick", headers=headers)).json()

    assert answer == {"seconds": KICK_SECONDS}
    assert on_air.cut == [KICKED]
    with pytest.raises(Refused, match="try again in 10 s"):
        await on_air.publish(KEY)


async def test_nobody_takes_a_stream_off_the_air_from_outside(channel_client, new_member, on_air):
    await new_member("나비", key=KEY)
    await on_air.publish(KEY)

    for path in ("onair", "offair", "check"):
        for prefix in ("/api/channels", "/broadcasts"):
            assert (await channel_client.post(f"{prefix}/나비/{path}")).status == 404

    assert (await (await channel_client.get("/api/channels/나비")).json())["on_air"]
    assert on_air.cut == []


async def test_many_who_ask_at_once_are_all_answered(channel_client, new_member):
    await new_member("나비")

    answers = await asyncio.gather(*(channel_client.get("/api/channels/나비") for _ in range(50)))

    assert {answer.status for answer in answers} == {200}


async def test_the_owner_sets_the_chats_rules_one_by_one(owner, redis, pool):
    client, headers = owner
    first = {"slow_seconds": 5, "blocked_words": ["Hush"], "followers_only_minutes": 10}
    edited = await client.patch("/api/channels/나비", json={"rules": first}, headers=headers)
    await client.patch("/api/channels/나비", json={"rules": {"followers_only_minutes": None}}, headers=headers)
    shown = (await (await client.get("/api/channels/나비")).json())["rules"]
    channel = await Channels(pool).by_nickname("나비")

    assert edited.status == 200
    assert (await edited.json())["rules"]["followers_only_minutes"] == 10
    assert shown["slow_seconds"] == 5
    assert shown["followers_only_minutes"] is None
    assert "blocked_words" not in shown
    assert (await Acts(pool).rules(channel.id)).blocked_words == ("hush",)
    events = [json.loads(entry.payload) for entry in await Bus(redis).history(channel.id, after=0, limit=9)]
    assert [(event["kind"], event["followers_only_minutes"]) for event in events] == [("rules", 10), ("rules", None)]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"slow_seconds": -1}, "slow_seconds"),
        ({"followers_only_minutes": 10**6}, "followers_only_minutes"),
        ({"blocked_words": ["x" * 51]}, "blocked_words"),
        ({"slow": 5}, "rules"),
        ({"members_only": "yes"}, "rules.members_only"),
    ],
)
async def test_a_rule_out_of_bounds_is_refused_with_its_name(owner, rules, field):
    client, headers = owner

    response = await client.patch("/api/channels/나비", json={"title": "new", "rules": rules}, headers=headers)
    problem = json.loads(await response.read())

    assert (response.status, problem["code"], problem["field"]) == (400, "wire.shape", field)
    assert (await (await client.get("/api/channels/나비")).json())["title"] == ""


async def test_a_title_that_is_what_it_was_takes_no_number_in_the_room(owner, redis, pool):
    client, headers = owner
    channel = await Channels(pool).by_nickname("나비")

    for title in ("낮잠", "낮잠", " 낮잠 "):
        response = await client.patch("/api/channels/나비", json={"title": title, "tags": ["cat"]}, headers=headers)
        assert response.status == 200

    assert await Bus(redis).head(channel.id) == 1


async def test_a_channel_is_not_edited_without_end(owner, time_stands):
    client, headers = owner
    for _ in range(EDITS_BURST):
        assert (await client.patch("/api/channels/나비", json={}, headers=headers)).status == 200

    refused = await client.patch("/api/channels/나비", json={"title": "new"}, headers=headers)

    assert await _code(refused, 429) == "limit.too_fast"
    assert (await (await client.get("/api/channels/나비")).json())["title"] == ""


async def test_a_new_title_is_told_to_who_watches_and_a_new_rule_is_none(owner, redis, pool):
    client, headers = owner
    channel = await Channels(pool).by_nickname("나비")

    await client.patch("/api/channels/나비", json={"title": "낮잠", "tags": ["cat"]}, headers=headers)
    await client.patch("/api/channels/나비", json={"rules": {"slow_seconds": 3}}, headers=headers)

    told = [json.loads(entry.payload) for entry in await Bus(redis).history(channel.id, after=0, limit=9)]
    assert [event["kind"] for event in told] == ["titled", "rules"]
    assert (told[0]["title"], told[0]["category"], told[0]["tags"]) == ("낮잠", "", ["cat"])
