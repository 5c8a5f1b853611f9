import json
import uuid

import pytest

from db import transfer
from db.channels import Channels
from db.ledger import Ledger
from db.members import Members
from routes.channel_donations import DONATION_LINES, ChannelDonationDoors

PATH = "/api/channels/streamer/donations"


@pytest.fixture
async def ledger(pool):
    async with Ledger(pool) as ledger:
        yield ledger


@pytest.fixture
async def client(serve, pool, ledger):
    return await serve(ChannelDonationDoors(Channels(pool), ledger).doors())


@pytest.fixture
async def people(new_member):
    """The streamer 'streamer', live, and a donor with points."""
    return await new_member("streamer", live=True), await new_member("나비", points=1_000)


async def _code(response, status):
    assert response.status == status
    return json.loads(await response.read())["code"]


async def test_an_owner_reads_what_was_given(client, people, bearer, ledger, pool):
    streamer, nabi = people
    for number in range(DONATION_LINES + 1):
        await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 1, f"g{number}"), b"{}")
    headers = bearer(streamer.id, "streamer")

    first = await (await client.get(PATH, headers=headers)).json()
    second = await (await client.get(f"{PATH}?cursor={first['next']}", headers=headers)).json()

    assert len(first["donations"]) == DONATION_LINES
    assert first["donations"][0]["text"] == f"g{DONATION_LINES}"
    (last,) = second["donations"]
    assert (last["from"], last["points"], last["text"], second["next"]) == ("나비", 1, "g0", None)
    assert last["broadcast"] == str(await pool.fetchval("SELECT id FROM broadcast"))
    assert set(last) == {"id", "from", "points", "text", "at", "broadcast", "refunded"}
    assert await _code(await client.get(f"{PATH}?cursor=x", headers=headers), 400) == "wire.shape"


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("POST", f"{PATH}/1/refund")])
async def test_an_owners_door_is_shut_for_everyone_else(client, people, bearer, method, path):
    _, nabi = people

    guest = await client.request(method, path, json={})
    # A token that claims the owner's nickname is still another member's.
    liar = await client.request(method, path, json={}, headers=bearer(nabi.id, "streamer"))
    nobody = await client.request(
        method, path.replace("streamer", "nobody"), json={}, headers=bearer(nabi.id, "streamer")
    )

    assert await _code(guest, 401) == "auth.members_only"
    assert await _code(liar, 403) == "auth.forbidden"
    assert await _code(nobody, 404) == "channel.unknown"


async def test_an_owner_gives_a_donation_back_once(client, people, bearer, ledger):
    streamer, nabi = people
    await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 300, "x"), b"{}")
    headers = bearer(streamer.id, "streamer")
    (given,) = (await (await client.get(PATH, headers=headers)).json())["donations"]

    answers = [
        await (await client.post(f"{PATH}/{given['id']}/refund", json={"reason": "실수"}, headers=headers)).json()
        for _ in range(2)
    ]

    assert answers == [{"earnings": 0}] * 2
    assert (await ledger.balance(nabi.id)).points == 1_000
    (again,) = (await (await client.get(PATH, headers=headers)).json())["donations"]
    assert again["refunded"]


async def test_nothing_goes_back_to_who_has_left(client, people, bearer, ledger, pool):
    streamer, nabi = people
    for points in (100, 200):
        await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, points, "x"), b"{}")
    first, second = [row["id"] for row in await pool.fetch("SELECT id FROM donation ORDER BY id")]
    await ledger.refund(first, streamer.id, "before")
    await Members(pool).erase(nabi.id)
    headers = bearer(streamer.id, "streamer")

    again = await client.post(f"{PATH}/{first}/refund", json={}, headers=headers)
    refused = await client.post(f"{PATH}/{second}/refund", json={}, headers=headers)

    assert (await again.json()) == {"earnings": 200}
    assert await _code(refused, 409) == "transfer.donor_gone"
    assert (await ledger.balance(streamer.id)).earnings == 200


async def test_what_cannot_go_back_is_refused(client, people, bearer, ledger, pool):
    streamer, nabi = people
    await ledger.give(transfer.donation(uuid.uuid4(), nabi.id, streamer.id, 300, "x"), b"{}")
    given = await pool.fetchval("SELECT id FROM donation")
    await pool.execute("SELECT post_transfer($1, 10, 300, 9::smallint)", streamer.id * 16 + 2)
    headers = bearer(streamer.id, "streamer")

    async def refund(name, **body):
        return await client.post(f"{PATH}/{name}/refund", json=body, headers=headers)

    assert await _code(await refund(given), 409) == "transfer.earnings_short"
    assert await _code(await refund(given + 1), 404) == "transfer.unknown"
    assert await _code(await refund("x"), 400) == "wire.shape"
    assert await _code(await refund(given, points=1), 400) == "wire.shape"
    assert await _code(await refund(given, reason="가" * 201), 400) == "transfer.text_too_long"
