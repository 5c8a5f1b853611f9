import asyncio
import json
import logging

import pytest
from aiohttp import web

from routes import middleware, wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, FORM_FIELDS_MAX, answer, read_body, read_form
from routes.rate_limit import TooManyTries
from routes.tokens import ACCESS_SECONDS

PLANTED = "postgresql://commeow:hunter2@db/commeow"


async def _echo(request):
    body = await read_body(request, wire.LogIn)
    return answer(wire.Gave(id="7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01", points_left=len(body.password)), status=201)


async def _form(request):
    return web.json_response(await read_form(request))


async def _who(request):
    return answer(wire.Me(nickname=request[BEARER].nickname, roles=[], points=0, following=[], moderates=[]))


async def _break(_request):
    raise RuntimeError(PLANTED)


async def _slow_down(_request):
    raise TooManyTries(1_500)


async def _fine(_request):
    return web.Response(text="fine")


async def _away(_request):
    raise web.HTTPSeeOther("/elsewhere")


DOORS = [
    HttpDoor(method="POST", path="/echo", who=Who.ANYONE, handle=_echo, words="", body=wire.LogIn),
    HttpDoor(method="POST", path="/form", who=Who.ANYONE, handle=_form, words=""),
    HttpDoor(method="GET", path="/who", who=Who.MEMBER, handle=_who, words=""),
    HttpDoor(method="GET", path="/owner", who=Who.OWNER, handle=_who, words=""),
    HttpDoor(method="GET", path="/break", who=Who.ANYONE, handle=_break, words="", cors=True),
    HttpDoor(method="GET", path="/secret/{token}", who=Who.ANYONE, handle=_break, words=""),
    HttpDoor(method="GET", path="/fast", who=Who.ANYONE, handle=_slow_down, words=""),
    HttpDoor(method="POST", path="/cookie", who=Who.COOKIE, handle=_fine, words=""),
    HttpDoor(method="GET", path="/loopback", who=Who.LOOPBACK, handle=_fine, words=""),
    HttpDoor(method="GET", path="/away", who=Who.ANYONE, handle=_away, words=""),
]
GOOD = {"login_id": "nabi", "password": "123456789"}


@pytest.fixture
async def client(serve):
    return await serve(DOORS)


async def expect_problem(response, status, code):
    assert response.status == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(await response.read())
    assert (problem["code"], problem["status"]) == (code, status)
    return problem


async def test_an_answer_is_json_nobody_keeps_or_sniffs_or_frames(client):
    response = await client.post("/echo", json=GOOD)

    assert (response.status, (await response.json())["points_left"]) == (201, 9)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(response.headers["X-Request-Id"]) == 16
    assert "Strict-Transport-Security" not in response.headers
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_behind_tls_browsers_are_told_to_stay(serve):
    client = await serve(DOORS, public_url="https://live.example")

    assert (await client.get("/fast")).headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"{", "application/json"),
        (b"", "application/json"),
        (json.dumps(GOOD).encode(), "text/plain"),
        (json.dumps(GOOD).encode(), "application/x-www-form-urlencoded"),
        (json.dumps({"login_id": "nabi"}).encode(), "application/json"),
    ],
)
async def test_a_body_of_another_shape_or_kind_is_refused(client, data, content_type):
    response = await client.post("/echo", data=data, headers={"Content-Type": content_type})

    await expect_problem(response, 400, "wire.shape")


async def test_a_field_is_named_when_it_is_ours(client):
    problem = await expect_problem(await client.post("/echo", json={**GOOD, "password": 1}), 400, "wire.shape")

    assert problem["field"] == "password"
    assert problem["retry"] is False
    assert problem["type"] == "urn:commeow:problem:wire.shape"


async def test_a_body_ends_at_its_limit(client):
    body = json.dumps(GOOD).encode()

    for extra, status in ((0, 201), (1, 413)):
        padded = body + b" " * (wire.BODY_BYTES_MAX - len(body) + extra)
        response = await client.post("/echo", data=padded, headers={"Content-Type": "application/json"})
        assert response.status == status

    await expect_problem(response, 413, "wire.too_large")


async def test_a_form_is_read_and_whatever_else_is_none(client):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    good = await client.post("/form", data=b"do=pay&phone=010&do=cancel&empty=&word=%EA%B3%A0&odd=%FF", headers=form)
    many = "&".join(f"f{number}=1" for number in range(FORM_FIELDS_MAX + 1)).encode()

    assert json.loads(await good.read()) == {"do": "pay", "phone": "010", "word": "고", "odd": "\ufffd"}
    for data, kind in ((b"do=pay", "text/plain"), (many, form["Content-Type"]), (b"{}", "application/json")):
        await expect_problem(await client.post("/form", data=data, headers={"Content-Type": kind}), 400, "wire.shape")


@pytest.mark.parametrize(
    ("path", "kind"), [("echo", "application/json"), ("form", "application/x-www-form-urlencoded")]
)
async def test_a_body_that_never_ends_is_cut(client, monkeypatch, path, kind):
    monkeypatch.setattr(middleware, "BODY_SECONDS_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST /{path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode() + b"{")

    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert head.startswith(b"HTTP/1.1 400")


async def test_what_outlives_a_login_is_not_done_for_one_that_ends_while_the_body_comes(serve, bearer):
    over = False

    async def lives(_member_id, _login):
        return not over

    door = HttpDoor(method="POST", path="/lasting", who=Who.MEMBER, handle=_echo, words="", lasting=True)
    client = await serve([door], lives=lives)

    async def body():
        nonlocal over
        yield b'{"login_id": "nabi",'
        while not client.guard.counters.under_way:
            await asyncio.sleep(0)
        over = True
        yield b'"password": "123456789"}'

    headers = bearer(7, "나비") | {"Content-Type": "application/json"}

    await expect_problem(await client.post("/lasting", data=body(), headers=headers), 401, "auth.token_invalid")


async def test_a_body_that_is_packed_wrongly_is_the_clients_fault(client, caplog):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with caplog.at_level(logging.ERROR, "commeow.http"):
        await expect_problem(await client.post("/echo", data=b"no gzip", headers=headers), 400, "wire.shape")

    assert not [record for record in caplog.records if record.name == "commeow.http"]


async def test_who_goes_amid_his_body_is_no_incident(client, caplog):
    client.server.runner.server.handler_cancellation = False  # As in our own process.
    with caplog.at_level(logging.ERROR, "commeow.http"):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        async with asyncio.timeout(60):
            while not client.guard.counters.under_way:
                await asyncio.sleep(0)
            writer.transport.abort()
            while client.guard.counters.under_way:
                await asyncio.sleep(0)

    assert not caplog.records
    assert client.guard.counters.answers == {"4xx": 1}


async def test_what_is_not_there_is_a_problem_too(client):
    await expect_problem(await client.get("/nothing"), 404, "http.not_found")
    response = await client.delete("/echo")
    await expect_problem(response, 405, "http.method")
    assert "POST" in response.headers["Allow"]


async def test_an_unknown_error_shows_an_incident_and_nothing_else(client, caplog):
    with caplog.at_level(logging.ERROR, "commeow.http"):
        response = await client.get("/break")
        problem = await expect_problem(response, 500, "internal")

    text = str(problem) + str(response.headers)
    assert problem["incident"] == response.headers["X-Request-Id"]
    assert "hunter2" not in text
    assert "Error" not in text
    assert f"incident={problem['incident']}" in caplog.text
    assert PLANTED in caplog.text


async def test_no_secret_of_an_address_is_in_the_log(client, caplog):
    with caplog.at_level(logging.ERROR, "commeow.http"):
        await expect_problem(await client.get("/secret/cmb_of_an_overlay"), 500, "internal")

    assert "door=/secret/{token}" in caplog.text
    assert "cmb_of_an_overlay" not in caplog.text


async def test_cors_holds_for_refusals_too(client):
    response = await client.get("/break")

    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_a_preflight_is_answered_where_any_site_may_read_and_only_there(client):
    answered = await client.options("/break", headers={"Origin": "https://other.example"})
    refused = await client.options("/fast", headers={"Origin": "https://other.example"})

    assert (answered.status, answered.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert answered.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    await expect_problem(refused, 405, "http.method")
    assert "Access-Control-Allow-Origin" not in refused.headers


async def test_who_is_too_fast_is_told_when_to_come_again(client):
    response = await client.get("/fast")
    problem = await expect_problem(response, 429, "limit.too_fast")

    assert (problem["retry"], problem["retry_after_ms"], response.headers["Retry-After"]) == (True, 1_500, "2")


@pytest.mark.parametrize("path", ["/who", "/owner"])
async def test_a_door_for_members_wants_a_living_token(client, bearer, path):
    good = await client.get(path, headers=bearer(7, "나비"))
    nobody = await client.get(path)
    forged = await client.get(path, headers={"Authorization": "Bearer x.y.z"})
    old = await client.get(path, headers=bearer(7, "나비", age_seconds=ACCESS_SECONDS + 1))

    assert (await good.json())["nickname"] == "나비"
    await expect_problem(nobody, 401, "auth.members_only")
    await expect_problem(forged, 401, "auth.token_invalid")
    await expect_problem(old, 401, "auth.token_expired")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_query_is_not_looked_at(client, bearer):
    token = bearer(7, "nabi")["Authorization"].split()[1]

    await expect_problem(await client.get(f"/who?access_token={token}"), 401, "auth.members_only")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://h:1", "Host": "h:1"}, 200),
        ({"Origin": "http://h:1", "Host": "h:1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_another_sites_page_may_not_use_the_cookie(client, headers, status):
    response = await client.post("/cookie", headers=headers)

    assert response.status == status
    if status == 403:
        await expect_problem(response, 403, "auth.origin")


async def test_a_door_for_this_machine_only_does_not_exist_for_others(serve, monkeypatch):
    client = await serve(DOORS)
    assert (await client.get("/loopback")).status == 200
    monkeypatch.setattr(middleware, "is_loopback", lambda _address: False)

    await expect_problem(await client.get("/loopback"), 404, "http.not_found")


async def test_a_redirect_is_no_problem(client):
    response = await client.get("/away", allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (303, "/elsewhere")


async def test_head_is_answered_like_get(client, bearer):
    response = await client.head("/who", headers=bearer(7, "nabi"))

    assert (response.status, await response.read()) == (200, b"")


async def test_answers_are_counted(client):
    await client.get("/nothing")
    await client.post("/cookie")

    assert client.guard.counters.answers == {"4xx": 1, "2xx": 1}
    assert client.guard.counters.under_way == 0
