import json

import pytest

from db.bot_token import hash_bot_token, is_bot_token
from db.bot_tokens import BotTokens
from routes.bot_tokens import BotTokenDoors

URL = "/api/members/me/tokens"
ASKED = {"name": "my bot", "scopes": ["chat:write", "chat:read"]}


@pytest.fixture
async def client(serve, pool):
    return await serve(BotTokenDoors(BotTokens(pool)).doors())


@pytest.fixture
async def nabi(new_member, bearer):
    return bearer((await new_member("나비")).id, "나비")


async def test_a_token_is_shown_once_and_listed_without_itself(client, nabi, pool):
    response = await client.post(URL, json=ASKED, headers=nabi)
    made = await response.json()
    listed = await (await client.get(URL, headers=nabi)).json()

    assert response.status == 201
    assert is_bot_token(made["token"])
    assert made["scopes"] == ["chat:read", "chat:write"]
    assert made["token"] not in json.dumps(listed)
    assert [(each["id"], each["name"]) for each in listed["tokens"]] == [(made["id"], "my bot")]
    assert await BotTokens(pool).find(hash_bot_token(made["token"]))


async def test_tokens_are_revoked_one_by_one_or_all(client, nabi):
    ids = [(await (await client.post(URL, json=ASKED, headers=nabi)).json())["id"] for _ in range(3)]

    assert (await client.delete(f"{URL}/{ids[0]}", headers=nabi)).status == 204
    assert [each["id"] for each in (await (await client.get(URL, headers=nabi)).json())["tokens"]] == ids[1:]
    assert (await client.delete(URL, headers=nabi)).status == 204
    assert (await (await client.get(URL, headers=nabi)).json())["tokens"] == []


async def test_anothers_tokens_are_none_of_ones_business(client, nabi, new_member, bearer):
    mimi = bearer((await new_member("mimi")).id, "mimi")
    made = await (await client.post(URL, json=ASKED, headers=nabi)).json()

    for number in (made["id"], "0", "x", "9" * 30, "-1"):
        response = await client.delete(f"{URL}/{number}", headers=mimi)
        assert (response.status, json.loads(await response.read())["code"]) == (404, "token.unknown")
    assert (await client.get(URL)).status == 401


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({**ASKED, "name": ""}, "name"),
        ({**ASKED, "scopes": []}, "scopes"),
        ({**ASKED, "scopes": ["points:give"]}, "scopes"),
        ({**ASKED, "scope": "chat:read"}, None),
        ({"name": "x"}, "scopes"),
    ],
)
async def test_what_cannot_be_given_is_refused(client, nabi, asked, field):
    response = await client.post(URL, json=asked, headers=nabi)

    assert response.status == 400
    assert json.loads(await response.read()).get("field") == field


async def test_the_twenty_first_is_one_too_many(client, nabi):
    for _ in range(20):
        assert (await client.post(URL, json=ASKED, headers=nabi)).status == 201

    response = await client.post(URL, json=ASKED, headers=nabi)

    assert (response.status, json.loads(await response.read())["code"]) == (409, "token.too_many")
