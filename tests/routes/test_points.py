import csv
import io
import json
import uuid

import pytest

from db import transfer
from db.ledger import ENTRIES_MAX, Ledger
from routes.points import COLUMNS, PAGE_LINES, PointDoors


@pytest.fixture
async def ledger(pool):
    async with Ledger(pool) as ledger:
        yield ledger


@pytest.fixture
async def client(serve, ledger):
    return await serve(PointDoors(ledger).doors())


async def test_the_balance_is_what_the_books_say(client, bearer, new_member, ledger):
    nabi, streamer = await new_member("나비", points=300), await new_member("streamer", live=True)
    await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 100, "x"), b"{}")

    own = await client.get("/api/points", headers=bearer(nabi.id, "나비"))
    earned = await client.get("/api/points", headers=bearer(streamer.id, "streamer"))

    assert await own.json() == {"balance": 200, "earnings": 0}
    assert await earned.json() == {"balance": 0, "earnings": 100}


async def test_the_history_says_where_points_came_from_and_went(client, bearer, new_member, ledger):
    nabi, streamer = await new_member("나비", points=300), await new_member("streamer", live=True)
    await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 100, "힘내요"), b"{}")

    history = await (await client.get("/api/points/history", headers=bearer(nabi.id, "나비"))).json()

    given, granted = history["entries"]
    assert (given["kind"], given["points"], given["balance"]) == ("donation", -100, 200)
    assert (given["account"], given["nickname"], given["text"]) == ("points", "streamer", "힘내요")
    assert (granted["kind"], granted["points"], granted["nickname"]) == ("grant", 300, None)
    assert given["at"].endswith("Z")
    assert history["next"] is None


async def test_a_long_history_comes_page_by_page(client, bearer, new_member, ledger):
    nabi = await new_member("나비")
    for _ in range(PAGE_LINES + 1):
        await ledger.grant(nabi.id, 1, "test")
    headers = bearer(nabi.id, "나비")

    first = await (await client.get("/api/points/history", headers=headers)).json()
    second = await (await client.get(f"/api/points/history?cursor={first['next']}", headers=headers)).json()

    assert [len(first["entries"]), len(second["entries"])] == [PAGE_LINES, 1]
    assert second["next"] is None
    assert (first["entries"][0]["balance"], second["entries"][0]["balance"]) == (PAGE_LINES + 1, 1)


@pytest.mark.parametrize("path", ["/api/points", "/api/points/history", "/api/points/history.csv"])
async def test_points_are_for_their_member_only(client, path):
    response = await client.get(path)

    assert json.loads(await response.read())["code"] == "auth.members_only"


async def test_a_strange_cursor_is_refused(client, bearer, new_member):
    nabi = await new_member("나비")

    response = await client.get("/api/points/history?cursor=-1", headers=bearer(nabi.id, "나비"))

    assert (response.status, json.loads(await response.read())["field"]) == (400, "cursor")


async def test_there_is_no_give_me_points(client, bearer, new_member):
    nabi = await new_member("나비")
    headers = bearer(nabi.id, "나비")

    statuses = {
        (await client.request(method, path, json={"points": 1_000_000}, headers=headers)).status
        for method in ("POST", "PUT", "PATCH")
        for path in ("/api/points", "/api/points/history", "/points/charge", "/api/points/charge")
    }

    assert statuses <= {404, 405}
    assert (await (await client.get("/api/points", headers=headers)).json())["balance"] == 0


async def test_the_whole_history_comes_as_a_table(client, bearer, new_member, ledger):
    nabi, streamer = await new_member("나비", points=300), await new_member("streamer", live=True)
    await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 100, '=1+1, "힘내요"'), b"{}")
    for _ in range(ENTRIES_MAX):
        await ledger.grant(nabi.id, 1, "test")

    response = await client.get("/api/points/history.csv", headers=bearer(nabi.id, "나비"))
    text = (await response.read()).decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(text, newline=""))

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert tuple(head) == COLUMNS
    assert len(rows) == ENTRIES_MAX + 2
    assert rows[-1][2:6] == ["grant", "points", "300", "300"]
    assert rows[-2][2:] == ["donation", "points", "-100", "200", "streamer", '\'=1+1, "힘내요"']
    assert await (await client.get("/api/points/history.csv", headers=bearer(streamer.id, "streamer"))).text() != text
