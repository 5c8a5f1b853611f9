import asyncio
import json
import threading
import time
from http.cookies import SimpleCookie
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from db.act import Act, Action
from db.acts import Acts
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.channel import hash_stream_key
from db.channels import Channels
from db.errors import StoreUnavailable
from db.follows import Follows
from db.ledger import Ledger
from db.members import Members
from db.refresh_tokens import IDLE_SECONDS, RefreshTokens
from routes import members
from routes.addresses import Addresses
from routes.bot_tokens import BotTokenDoors
from routes.members import COOKIE, WRONG_WORD_BURST, MemberDoors, new_stream_key
from routes.passwords import Passwords
from routes.tokens import ACCESS_SECONDS

ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)
SECURE = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url="https://l.example")
PASSWORD = "correct horse battery"
NABI = {"login_id": "nabi_1", "password": PASSWORD, "nickname": "나비"}
LOG_IN = {"login_id": "nabi_1", "password": PASSWORD}


@pytest.fixture(scope="module")
def passwords():
    passwords = Passwords(threads=2)
    yield passwords
    passwords.close()


@pytest.fixture
def doors(pool, redis, tokens, passwords):
    return MemberDoors(
        members=Members(pool),
        ledger=Ledger(pool),
        follows=Follows(pool),
        acts=Acts(pool),
        bus=Bus(redis),
        refresh_tokens=RefreshTokens(redis, b"pepper" * 6),
        tokens=tokens,
        passwords=passwords,
        addresses=ADDRESSES,
    )


@pytest.fixture
async def client(serve, doors):
    return await serve(doors.doors())


async def _code(response, status):
    assert response.status == status
    return json.loads(await response.read())["code"]


def _cookie(response):
    jar = SimpleCookie()
    for header in response.headers.getall("Set-Cookie", []):
        jar.load(header)
    return jar[COOKIE]


async def _log_in(client):
    assert (await client.post("/api/members", json=NABI)).status == 201
    response = await client.post("/api/members/login", json=LOG_IN)
    assert response.status == 200
    client.session.cookie_jar.clear()
    return (await response.json())["access_token"], _cookie(response).value


async def test_a_login_that_is_over_makes_nothing_that_outlives_it(serve, doors, pool, redis):
    client = await serve(
        [*doors.doors(), *BotTokenDoors(BotTokens(pool)).doors()], lives=RefreshTokens(redis, b"pepper" * 6).lives
    )
    access, cookie = await _log_in(client)
    headers, asked = {"Authorization": f"Bearer {access}"}, {"name": "bot", "scopes": ["chat:write"]}
    assert (await client.post("/api/members/me/tokens", json=asked, headers=headers)).status == 201

    assert (await client.post("/api/members/logout", headers={"Cookie": f"{COOKIE}={cookie}"})).status == 204

    response = await client.post("/api/members/me/tokens", json=asked, headers=headers)
    assert await _code(response, 401) == "auth.token_invalid"
    assert (await client.get("/api/members/me", headers=headers)).status == 200
    assert await pool.fetchval("SELECT count(*) FROM bot_token") == 1


async def test_who_signs_up_is_shown_the_key_once_and_only_its_hash_is_kept(client, pool):
    response = await client.post("/api/members", json=NABI)
    answer = await response.json()

    assert response.status == 201
    assert answer["nickname"] == "나비"
    assert answer["stream_server"] == "rtmp://127.0.0.1:1935/live"
    key = answer["stream_key"]
    found = await Channels(pool).by_stream_key_hash(hash_stream_key(key))
    assert found is not None
    assert found.nickname == "나비"
    dumped = str([await pool.fetch(f"SELECT * FROM {table}") for table in ("member", "channel")])
    assert key not in dumped
    assert PASSWORD not in dumped
    assert "Set-Cookie" not in response.headers


def test_a_stream_key_is_256_random_bits_of_characters_that_every_encoder_takes():
    keys = {new_stream_key() for _ in range(100)}

    assert len(keys) == 100
    assert {len(key) for key in keys} == {len("sk_live_") + 43}
    assert all(character.isalnum() or character in "_-" for key in keys for character in key)


@pytest.mark.parametrize(
    ("change", "status", "code", "field"),
    [
        ({"login_id": "NABI"}, 400, "member.login_id_shape", "login_id"),
        ({"login_id": "POINT_LOCK_nabi"}, 400, "member.login_id_shape", "login_id"),
        ({"login_id": ""}, 400, "member.login_id_shape", "login_id"),
        ({"nickname": "a b"}, 400, "member.nickname_shape", "nickname"),
        ({"nickname": "운영자"}, 400, "member.nickname_shape", "nickname"),
        ({"nickname": "<script>"}, 400, "member.nickname_shape", "nickname"),
        ({"password": "short"}, 400, "member.weak_password", "password"),
        ({"password": "password123"}, 400, "member.weak_password", "password"),
        ({"password": "x" * 129}, 400, "member.weak_password", "password"),
        ({"password": 12345678}, 400, "wire.shape", "password"),
        ({"nickname": "\x00\x00"}, 400, "wire.shape", "nickname"),
    ],
)
async def test_a_sign_up_against_the_rules_is_refused_by_field(client, change, status, code, field):
    response = await client.post("/api/members", json={**NABI, **change})
    problem = json.loads(await response.read())

    assert (response.status, problem["code"], problem["field"]) == (status, code, field)


async def test_a_name_is_taken_once_however_it_is_written(client):
    assert (await client.post("/api/members", json={**NABI, "nickname": "Nabi"})).status == 201

    same_id = await client.post("/api/members", json={**NABI, "nickname": "other"})
    same_name = await client.post("/api/members", json={**NABI, "login_id": "other", "nickname": "nABI"})

    assert await _code(same_id, 409) == "member.taken"
    assert await _code(same_name, 409) == "member.taken"
    assert json.loads(await same_name.read())["field"] == "nickname"


async def test_ten_who_want_one_name_at_once_are_one_member(client, pool):
    answers = await asyncio.gather(*(client.post("/api/members", json=NABI) for _ in range(10)))

    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    assert await Members(pool).count() == 1


async def test_who_logs_in_gets_a_token_and_a_cookie_scripts_cannot_read(client):
    await client.post("/api/members", json=NABI)
    response = await client.post("/api/members/login", json=LOG_IN)
    answer = await response.json()
    cookie = _cookie(response)

    assert (answer["expires_in"], answer["nickname"]) == (ACCESS_SECONDS, "나비")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/api/members")
    assert cookie["max-age"] == str(IDLE_SECONDS)
    assert not cookie["secure"]
    assert cookie.value not in json.dumps(answer)
    assert set(answer) == {"access_token", "expires_in", "nickname"}


async def test_behind_tls_the_cookie_is_secure(serve, pool, redis, tokens, passwords):
    doors = MemberDoors(
        members=Members(pool),
        ledger=Ledger(pool),
        follows=Follows(pool),
        acts=Acts(pool),
        bus=Bus(redis),
        refresh_tokens=RefreshTokens(redis, b"pepper" * 6),
        tokens=tokens,
        passwords=passwords,
        addresses=SECURE,
    )
    client = await serve(doors.doors(), public_url="https://l.example")
    await client.post("/api/members", json=NABI)

    assert _cookie(await client.post("/api/members/login", json=LOG_IN))["secure"]


async def test_an_unknown_id_and_a_wrong_word_get_the_same_answer(client):
    await client.post("/api/members", json=NABI)

    wrong = await client.post("/api/members/login", json={**LOG_IN, "password": "wrong horse"})
    unknown = await client.post("/api/members/login", json={**LOG_IN, "login_id": "nobody"})

    assert (await wrong.read(), wrong.status) == (await unknown.read(), unknown.status)
    assert await _code(wrong, 401) == "auth.bad_login"


async def test_an_unknown_id_costs_a_hash_like_a_wrong_word(client, passwords, monkeypatch):
    await client.post("/api/members", json=NABI)
    go_on = threading.Event()
    monkeypatch.setattr(passwords, "_hasher", SimpleNamespace(hash=lambda _: go_on.wait(60)))
    busy = [asyncio.ensure_future(passwords.hash("x")) for _ in range(40)]
    await asyncio.sleep(0)

    responses = await asyncio.gather(
        client.post("/api/members/login", json={**LOG_IN, "login_id": "nobody"}),
        client.post("/api/members/login", json=LOG_IN),
    )

    # Both met the full queue of the hashers: neither is answered without it.
    assert [await _code(response, 503) for response in responses] == ["limit.busy"] * 2
    go_on.set()
    await asyncio.gather(*busy)


async def test_wrong_words_are_slowed_down_but_not_for_others(client, time_stands):
    await client.post("/api/members", json=NABI)
    for _ in range(WRONG_WORD_BURST):
        assert (await client.post("/api/members/login", json={**LOG_IN, "password": "wrong horse"})).status == 401

    slowed = await client.post("/api/members/login", json=LOG_IN)
    other = await client.post("/api/members/login", json={**LOG_IN, "login_id": "other"})

    assert await _code(slowed, 429) == "limit.too_fast"
    assert int(slowed.headers["Retry-After"]) >= 1
    assert other.status == 401


async def test_right_words_are_never_slowed_down(client):
    await client.post("/api/members", json=NABI)

    for _ in range(WRONG_WORD_BURST + 3):
        assert (await client.post("/api/members/login", json=LOG_IN)).status == 200


async def test_strangers_addresses_are_limited_at_sign_up_and_login(client, monkeypatch, time_stands):
    monkeypatch.setattr(members, "household", lambda _address: "192.0.2.1")

    sign_ups = [(await client.post("/api/members", json={**NABI, "login_id": "-"})).status for _ in range(11)]
    log_ins = [
        (await client.post("/api/members/login", json={**LOG_IN, "login_id": f"nobody{number}"})).status
        for number in range(31)
    ]

    assert sign_ups == [400] * 10 + [429]
    assert log_ins == [401] * 30 + [429]


async def test_a_member_who_is_banned_cannot_log_in_or_stay(client, pool):
    _, cookie = await _log_in(client)
    await Members(pool).ban("나비")

    log_in = await client.post("/api/members/login", json=LOG_IN)
    refresh = await client.post("/api/members/refresh", cookies={COOKIE: cookie})

    assert await _code(log_in, 403) == "member.banned"
    assert await _code(refresh, 401) == "auth.token_invalid"


async def test_a_cookie_gives_a_new_token_and_a_new_cookie(client):
    _, cookie = await _log_in(client)

    response = await client.post("/api/members/refresh", cookies={COOKIE: cookie})

    assert response.status == 200
    assert _cookie(response).value != cookie
    me = await client.get(
        "/api/members/me", headers={"Authorization": f"Bearer {(await response.json())['access_token']}"}
    )
    assert await me.json() == {"nickname": "나비", "roles": [], "points": 0, "following": [], "moderates": []}


async def test_who_one_follows_and_where_one_moderates_is_ones_own_to_read(client, pool, new_member):
    token, _ = await _log_in(client)
    nabi, streamer = await Members(pool).by_nickname("나비"), await new_member("streamer")
    await Follows(pool).add(nabi.id, streamer.id)
    await Acts(pool).do(Act(channel_id=streamer.id, actor_id=streamer.id, action=Action.GRANT, target_id=nabi.id))

    me = await client.get("/api/members/me", headers={"Authorization": f"Bearer {token}"})

    assert (await me.json())["following"] == ["streamer"]
    assert (await me.json())["moderates"] == ["streamer"]


async def test_a_database_that_is_away_does_not_use_up_the_cookie(client, monkeypatch):
    _, cookie = await _log_in(client)

    async def away(*_):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Members, "by_id", away)
        for _ in range(3):
            assert (await client.post("/api/members/refresh", cookies={COOKIE: cookie})).status == 503
    client.session.cookie_jar.clear()
    monkeypatch.setattr("db.refresh_tokens.GRACE_SECONDS", 0)

    assert (await client.post("/api/members/refresh", cookies={COOKIE: cookie})).status == 200


async def test_a_store_that_is_away_is_no_wrong_guess(client, monkeypatch):
    await client.post("/api/members", json=NABI)

    async def away(*_):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Members, "credentials", away)
        for _ in range(WRONG_WORD_BURST + 3):
            assert (await client.post("/api/members/login", json=LOG_IN)).status == 503

    assert (await client.post("/api/members/login", json=LOG_IN)).status == 200


async def test_behind_our_proxy_each_visitor_has_tries_of_his_own(serve, doors, monkeypatch, time_stands):
    client = await serve(doors.doors(), public_url="https://l.example")
    await client.post("/api/members", json=NABI)
    wrong = {**LOG_IN, "password": "wrong horse battery"}
    thief, owner = ({"X-Forwarded-For": address} for address in ("203.0.113.1", "203.0.113.2"))

    for _ in range(WRONG_WORD_BURST):
        assert (await client.post("/api/members/login", json=wrong, headers=thief)).status == 401
    assert (await client.post("/api/members/login", json=wrong, headers=thief)).status == 429
    assert (await client.post("/api/members/login", json=LOG_IN, headers=owner)).status == 200


async def test_all_addresses_of_one_ipv6_household_share_their_tries(serve, doors, time_stands):
    client = await serve(doors.doors(), public_url="https://l.example")
    await client.post("/api/members", json=NABI)
    wrong = {**LOG_IN, "password": "wrong horse battery"}

    async def attempt(address):
        return (await client.post("/api/members/login", json=wrong, headers={"X-Forwarded-For": address})).status

    assert [await attempt(f"2001:db8:1:2::{last}") for last in range(WRONG_WORD_BURST)] == [401] * WRONG_WORD_BURST
    assert await attempt("2001:db8:1:2:ffff:ffff:ffff:ffff") == 429
    assert await attempt("2001:db8:1:3::1") == 401


async def test_a_cookie_used_again_after_its_heir_logs_both_out(client):
    _, first = await _log_in(client)
    second = _cookie(await client.post("/api/members/refresh", cookies={COOKIE: first})).value
    client.session.cookie_jar.clear()
    third = _cookie(await client.post("/api/members/refresh", cookies={COOKIE: second})).value
    client.session.cookie_jar.clear()

    stolen = await client.post("/api/members/refresh", cookies={COOKIE: first})
    client.session.cookie_jar.clear()
    heir = await client.post("/api/members/refresh", cookies={COOKIE: third})

    assert await _code(stolen, 401) == "auth.token_invalid"
    assert await _code(heir, 401) == "auth.token_invalid"


@pytest.mark.parametrize("cookie", [None, "", "x", "a.1.b", "x" * 5_000])
async def test_no_cookie_or_a_strange_one_gets_nothing_and_is_forgotten(client, cookie):
    headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie is not None else {}

    response = await client.post("/api/members/refresh", headers=headers)

    assert await _code(response, 401) == "auth.token_invalid"
    assert _cookie(response)["max-age"] == "0"


async def test_a_refresh_cookie_is_no_access_token_and_the_other_way_round(client):
    token, cookie = await _log_in(client)

    as_access = await client.get("/api/members/me", headers={"Authorization": f"Bearer {cookie}"})
    as_refresh = await client.post("/api/members/refresh", cookies={COOKIE: token})

    assert await _code(as_access, 401) == "auth.token_invalid"
    assert await _code(as_refresh, 401) == "auth.token_invalid"


async def test_who_logs_out_cannot_come_back_with_the_cookie(client):
    _, cookie = await _log_in(client)

    out = await client.post("/api/members/logout", cookies={COOKIE: cookie})
    client.session.cookie_jar.clear()
    again = await client.post("/api/members/logout", cookies={COOKIE: cookie})
    without = await client.post("/api/members/logout")
    client.session.cookie_jar.clear()
    refresh = await client.post("/api/members/refresh", cookies={COOKIE: cookie})

    assert (out.status, again.status, without.status) == (204, 204, 204)
    assert _cookie(out)["max-age"] == "0"
    assert await _code(refresh, 401) == "auth.token_invalid"


@pytest.mark.parametrize("path", ["/api/members/refresh", "/api/members/logout"])
async def test_another_sites_page_cannot_use_the_cookie(client, path):
    _, cookie = await _log_in(client)

    response = await client.post(path, cookies={COOKIE: cookie}, headers={"Origin": "https://evil.example"})

    assert await _code(response, 403) == "auth.origin"
    assert (await client.get(path)).status == 405


async def test_a_token_of_a_member_who_is_gone_is_invalid(client, bearer):
    response = await client.get("/api/members/me", headers=bearer(999, "nobody"))

    assert await _code(response, 401) == "auth.token_invalid"


async def test_a_hash_of_older_costs_is_renewed_at_login(client, pool, passwords):
    await client.post("/api/members", json=NABI)
    old = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    found = await Members(pool).credentials("nabi_1")
    await Members(pool).set_password_hash(found.member.id, old)

    assert (await client.post("/api/members/login", json=LOG_IN)).status == 200

    renewed = (await Members(pool).credentials("nabi_1")).password_hash
    assert renewed != old
    assert not passwords.is_outdated(renewed)


async def test_points_are_what_the_books_say(client, pool):
    token, _ = await _log_in(client)
    member = await Members(pool).by_nickname("나비")
    await Ledger(pool).grant(member.id, 300, "test")

    me = await client.get("/api/members/me", headers={"Authorization": f"Bearer {token}"})

    assert (await me.json())["points"] == 300


class Told:
    """A bus that keeps what is announced."""

    def __init__(self):
        self.told = []

    async def announce(self, topic, payload):
        self.told.append((topic, payload.decode()))


async def test_a_login_remembers_the_kind_of_device(client, redis):
    assert (await client.post("/api/members", json=NABI)).status == 201
    headers = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"}
    assert (await client.post("/api/members/login", json=LOG_IN, headers=headers)).status == 200

    [login] = await RefreshTokens(redis, b"pepper" * 6).logins(1)

    assert login.device == "Chrome/Windows"


async def test_a_logout_and_a_theft_are_told_by_the_logins_name(client, doors, tokens):
    doors._bus = told = Told()
    token, cookie = await _log_in(client)
    login = tokens.check(token, now=time.time()).login
    assert login

    await client.post("/api/members/logout", cookies={COOKIE: "forged.1.token"})
    assert told.told == []
    await client.post("/api/members/logout", cookies={COOKIE: cookie})
    assert told.told == [("revoked", login)]


async def test_a_cookie_that_was_stolen_ends_the_conversation_of_both(client, doors, tokens, redis):
    doors._bus = told = Told()
    token, cookie = await _log_in(client)
    heir = _cookie(await client.post("/api/members/refresh", cookies={COOKIE: cookie})).value
    await client.post("/api/members/refresh", cookies={COOKIE: heir})

    assert (await client.post("/api/members/refresh", cookies={COOKIE: cookie})).status == 401

    assert told.told == [("revoked", tokens.check(token, now=time.time()).login)]
