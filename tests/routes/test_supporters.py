import json
import uuid

import pytest

from db import transfer
from db.channels import Channels
from db.ledger import Ledger
from db.supporters import Supporters
from routes import supporters
from routes.supporters import SupporterDoors

PATH = "/api/channels/streamer"


@pytest.fixture
async def ledger(pool):
    async with Ledger(pool) as ledger:
        yield ledger


@pytest.fixture
async def client(serve, application):
    return await serve(SupporterDoors(Channels(application), Supporters(application)).doors())


@pytest.fixture
async def give(new_member, ledger):
    """`await give(points)`: 나비 gives to 'streamer', who is live."""
    streamer = await new_member("streamer", live=True)
    nabi = await new_member("나비", points=1_000)

    async def give(points):
        await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, points, ""), b"{}")

    give.streamer = streamer
    return give


async def _json(response, status=200):
    assert response.status == status
    return json.loads(await response.read())


async def test_anyone_sees_who_gave_most_and_the_answer_is_kept_for_a_moment(client, give, monkeypatch):
    await give(100)

    first = await _json(await client.get(f"{PATH}/supporters"))
    await give(50)
    kept = await _json(await client.get(f"{PATH}/supporters"))
    month = await _json(await client.get(f"{PATH}/supporters?period=month"))
    monkeypatch.setattr(supporters, "FRESH_SECONDS", 0.0)

    assert first == {
        "period": "broadcast",
        "points": 100,
        "donations": 1,
        "supporters": [{"nickname": "나비", "points": 100}],
    }
    assert kept == first
    assert (month["period"], month["points"], month["donations"]) == ("month", 150, 2)
    assert (await _json(await client.get(f"{PATH}/supporters?period=year"), 400))["field"] == "period"
    assert (await _json(await client.get("/api/channels/nobody/supporters"), 404))["code"] == "channel.unknown"


async def test_the_answers_that_are_kept_have_an_end(client, give, monkeypatch):
    monkeypatch.setattr(supporters, "KEPT_MAX", 1)

    for period in ("day", "week", "day"):
        assert (await _json(await client.get(f"{PATH}/supporters?period={period}")))["period"] == period


async def test_off_air_nothing_was_given_in_no_broadcast(client, give, pool):
    await give(100)
    await pool.execute("UPDATE broadcast SET ended_at = now()")

    assert (await _json(await client.get(f"{PATH}/supporters")))["points"] == 0
    assert (await _json(await client.get(f"{PATH}/supporters?period=day")))["points"] == 100


async def test_an_owner_sets_a_goal_that_anyone_sees(client, give, bearer):
    headers = bearer(give.streamer.id, "streamer")
    await give(100)
    assert await _json(await client.get(f"{PATH}/goal")) == {"goal": None}

    put = await _json(await client.put(f"{PATH}/goal", json={"title": " 새 마이크\n", "points": 500}, headers=headers))
    await give(120)
    goal = (await _json(await client.get(f"{PATH}/goal")))["goal"]

    assert (put["goal"]["title"], put["goal"]["points"], put["goal"]["received"]) == ("새 마이크", 500, 0)
    assert goal == {**put["goal"], "received": 120}
    assert (await client.delete(f"{PATH}/goal", headers=headers)).status == 204
    assert await _json(await client.get(f"{PATH}/goal")) == {"goal": None}


async def test_a_goal_is_its_owners_to_set(client, give, new_member, bearer):
    other = await new_member("other")
    body = {"title": "x", "points": 1}

    for method in ("PUT", "DELETE"):
        guest = await client.request(method, f"{PATH}/goal", json=body)
        liar = await client.request(method, f"{PATH}/goal", json=body, headers=bearer(other.id, "streamer"))
        assert [(await _json(guest, 401))["code"], (await _json(liar, 403))["code"]] == [
            "auth.members_only",
            "auth.forbidden",
        ]
    headers = bearer(give.streamer.id, "streamer")
    assert (await _json(await client.put(f"{PATH}/goal", json={**body, "points": 0}, headers=headers), 400))[
        "code"
    ] == "wire.shape"
