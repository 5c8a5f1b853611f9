import json
import time
from http.cookies import SimpleCookie

import pytest

from db.acts import Acts
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.follows import Follows
from db.ledger import Ledger
from db.login import FRESH_SECONDS
from db.members import Members
from db.refresh_tokens import RefreshTokens
from routes.account import WRONG_BURST, AccountDoors
from routes.addresses import Addresses
from routes.members import COOKIE, MemberDoors
from routes.passwords import Passwords
from routes.revocations import TOPIC

ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)
PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple of another colour"
NABI = {"login_id": "nabi_1", "password": PASSWORD, "nickname": "나비"}
LOG_IN = {"login_id": "nabi_1", "password": PASSWORD}
PHONE = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/156.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def passwords():
    passwords = Passwords(threads=2)
    yield passwords
    passwords.close()


class Told(Bus):
    """The bus, and what was told on it."""

    def __init__(self, redis):
        super().__init__(redis)
        self.told = []

    async def announce(self, topic, payload):
        self.told.append((topic, payload.decode()))


@pytest.fixture
def bus(redis):
    return Told(redis)


@pytest.fixture
def refresh_tokens(redis):
    return RefreshTokens(redis, b"pepper" * 6)


@pytest.fixture
async def client(serve, pool, bus, refresh_tokens, tokens, passwords):
    members = Members(pool)
    doors = MemberDoors(
        members=members,
        ledger=Ledger(pool),
        follows=Follows(pool),
        acts=Acts(pool),
        bus=bus,
        refresh_tokens=refresh_tokens,
        tokens=tokens,
        passwords=passwords,
        addresses=ADDRESSES,
    )
    own = AccountDoors(
        members=members, refresh_tokens=refresh_tokens, passwords=passwords, bus=bus, addresses=ADDRESSES
    )
    client = await serve([*doors.doors(), *own.doors()], lives=refresh_tokens.lives)
    assert (await client.post("/api/members", json=NABI)).status == 201
    return client


async def _log_in(client, **headers):
    response = await client.post("/api/members/login", json=LOG_IN, headers=headers)
    assert response.status == 200
    jar = SimpleCookie()
    for header in response.headers.getall("Set-Cookie"):
        jar.load(header)
    client.session.cookie_jar.clear()
    return {"Authorization": f"Bearer {(await response.json())['access_token']}"}, jar[COOKIE].value


async def _code(response, status):
    assert response.status == status
    return json.loads(await response.read())["code"]


async def _refreshed(client, cookie):
    status = (await client.post("/api/members/refresh", cookies={COOKIE: cookie})).status
    client.session.cookie_jar.clear()
    return status


async def _logins(client, headers):
    return (await (await client.get("/api/members/me/logins", headers=headers)).json())["logins"]


async def test_the_devices_are_listed_and_the_one_that_asks_is_marked(client):
    await _log_in(client, **{"User-Agent": PHONE})
    here, _ = await _log_in(client)

    found = await _logins(client, here)

    assert sorted((each["browser"], each["system"], each["current"]) for each in found) == [
        ("", "", True),
        ("Chrome", "Android", False),
    ]


async def test_one_device_is_logged_out_and_its_chat_is_told_to_close(client, bus):
    there, cookie = await _log_in(client, **{"User-Agent": PHONE})
    here, own = await _log_in(client)
    [other] = [each for each in await _logins(client, here) if not each["current"]]

    assert (await client.delete(f"/api/members/me/logins/{other['id']}", headers=here)).status == 204

    assert bus.told == [(TOPIC, other["id"])]
    assert await _refreshed(client, cookie) == 401
    assert await _refreshed(client, own) == 200
    again = await client.delete(f"/api/members/me/logins/{other['id']}", headers=here)
    assert await _code(again, 404) == "login.unknown"
    # What it still holds of an access token ends no other login, and nobody's account.
    change = {"old_password": PASSWORD, "password": NEW_PASSWORD}
    for answer in (
        await client.delete("/api/members/me/logins", headers=there),
        await client.delete(f"/api/members/me/logins/{other['id']}", headers=there),
        await client.put("/api/members/me/password", json=change, headers=there),
        await client.delete("/api/members/me", json={"password": PASSWORD}, headers=there),
    ):
        assert await _code(answer, 401) == "auth.token_invalid"


async def test_all_other_devices_are_logged_out_at_once(client, bus):
    cookies = [(await _log_in(client))[1] for _ in range(3)]
    here, own = await _log_in(client)

    assert (await client.delete("/api/members/me/logins", headers=here)).status == 204

    assert [await _refreshed(client, cookie) for cookie in cookies] == [401, 401, 401]
    assert len(bus.told) == 3
    assert await _refreshed(client, own) == 200


async def test_anothers_login_is_not_to_be_ended(client, tokens, refresh_tokens, pool):
    here, own = await _log_in(client)
    [login] = await _logins(client, here)
    stranger = await Members(pool).add(login_id="stranger", nickname="남", password_hash="-", stream_key_hash=bytes(32))
    name = refresh_tokens.login_of(await refresh_tokens.issue(stranger.id))
    token = tokens.issue(stranger.id, "남", frozenset(), token_id="x", now=time.time(), login=name)
    headers = {"Authorization": f"Bearer {token}"}

    answer = await client.delete(f"/api/members/me/logins/{login['id']}", headers=headers)

    assert await _code(answer, 404) == "login.unknown"
    assert await _refreshed(client, own) == 200


async def test_a_new_password_is_the_one_that_holds_and_ends_the_other_logins(client):
    _, elsewhere = await _log_in(client)
    here, own = await _log_in(client)
    change = {"old_password": PASSWORD, "password": NEW_PASSWORD}

    assert (await client.put("/api/members/me/password", json=change, headers=here)).status == 204

    assert await _code(await client.post("/api/members/login", json=LOG_IN), 401) == "auth.bad_login"
    assert (await client.post("/api/members/login", json={**LOG_IN, "password": NEW_PASSWORD})).status == 200
    assert [await _refreshed(client, cookie) for cookie in (elsewhere, own)] == [401, 200]


@pytest.mark.parametrize("keep", [False, True])
async def test_a_new_password_ends_programs_and_overlays_too_unless_they_are_kept(client, pool, keep):
    here, _ = await _log_in(client)
    member = await Members(pool).by_nickname("나비")
    stranger = await Members(pool).add(login_id="stranger", nickname="남", password_hash="-", stream_key_hash=bytes(32))
    store = BotTokens(pool)
    for owner, scope in ((member, "chat:write"), (member, "overlay:watch"), (stranger, "chat:read")):
        token_hash = f"{owner.id} {scope}".encode().ljust(32)
        await store.add(owner.id, name=scope, scopes=frozenset({scope}), token_hash=token_hash)
    wrong = {"old_password": "wrong horse", "password": NEW_PASSWORD, "keep_tokens": keep}
    assert (await client.put("/api/members/me/password", json=wrong, headers=here)).status == 403
    assert len(await store.list(member.id)) == 2
    change = {"old_password": PASSWORD, "password": NEW_PASSWORD} | ({"keep_tokens": True} if keep else {})

    assert (await client.put("/api/members/me/password", json=change, headers=here)).status == 204

    assert len(await store.list(member.id)) == (2 if keep else 0)
    assert len(await store.revoked_within(60)) == (0 if keep else 2)
    assert len(await store.list(stranger.id)) == 1


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"old_password": "wrong horse", "password": NEW_PASSWORD}, 403, "auth.wrong_password", "old_password"),
        ({"old_password": PASSWORD, "password": "short"}, 400, "member.weak_password", "password"),
        ({"old_password": PASSWORD, "password": "password123"}, 400, "member.weak_password", "password"),
        ({"password": NEW_PASSWORD}, 400, "wire.shape", "old_password"),
    ],
)
async def test_a_change_against_the_rules_changes_nothing(client, change, status, code, field):
    here, _ = await _log_in(client)

    response = await client.put("/api/members/me/password", json=change, headers=here)

    problem = json.loads(await response.read())
    assert (response.status, problem["code"], problem.get("field")) == (status, code, field)
    await _log_in(client)


async def test_guesses_at_a_screen_that_was_left_open_are_slowed(client, time_stands):
    here, _ = await _log_in(client)
    guess = {"old_password": "wrong horse", "password": NEW_PASSWORD}
    for _ in range(WRONG_BURST):
        assert (await client.put("/api/members/me/password", json=guess, headers=here)).status == 403

    assert (await client.put("/api/members/me/password", json=guess, headers=here)).status == 429
    assert (await client.delete("/api/members/me", json={"password": PASSWORD}, headers=here)).status == 429


async def test_who_leaves_is_gone(client, pool):
    here, cookie = await _log_in(client)

    response = await client.delete("/api/members/me", headers=here)

    assert response.status == 204
    assert await _code(await client.post("/api/members/login", json=LOG_IN), 401) == "auth.bad_login"
    assert await _refreshed(client, cookie) == 401
    assert await _code(await client.get("/api/members/me", headers=here), 401) == "auth.token_invalid"
    assert await _code(await client.post("/api/members", json={**NABI, "login_id": "nabi_2"}), 409) == "member.taken"
    assert await _code(await client.delete("/api/members/me", headers=here), 401) == "auth.token_invalid"


async def test_a_login_of_this_morning_wants_the_password_before_it_ends_everything(client, redis):
    here, cookie = await _log_in(client)
    family = cookie.partition(".")[0]
    await redis.hincrby(f"commeow:refresh:{{{family}}}", "x", round(-(FRESH_SECONDS + 1) * 1000))

    bare = await client.delete("/api/members/me", headers=here)
    wrong = await client.delete("/api/members/me", json={"password": "wrong horse"}, headers=here)

    assert await _code(bare, 403) == "auth.wrong_password"
    assert await _code(wrong, 403) == "auth.wrong_password"
    assert (await client.delete("/api/members/me", json={"password": PASSWORD}, headers=here)).status == 204


async def test_nobody_leaves_while_a_payment_is_being_taken(client, pool):
    here, _ = await _log_in(client)
    await pool.execute(
        """
        INSERT INTO point_order (id, member_id, product, points, amount_won, provider, cid, state, pg_token,
                                 created_at, state_at, returned_at)
        VALUES (gen_random_uuid(), 1, 'points-100', 100, 1200, 'sandbox', 'TC0ONETIME', 'approving', 'token',
                now(), now(), now())
        """
    )

    answer = await client.delete("/api/members/me", json={"password": PASSWORD}, headers=here)

    assert await _code(answer, 409) == "order.state"
    assert (await client.get("/api/members/me", headers=here)).status == 200
