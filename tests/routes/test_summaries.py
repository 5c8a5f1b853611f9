import json
from datetime import UTC, datetime, timedelta

import pytest

from db.channels import Channels
from db.summaries import Summaries
from db.summary import Stretch
from routes.summaries import SummaryDoors

PATH = "/api/channels/nabi/broadcasts"
BEGAN = datetime(2026, 11, 27, 9, tzinfo=UTC)


@pytest.fixture
async def client(serve, application):
    return await serve(SummaryDoors(Channels(application), Summaries(application)).doors())


async def test_an_owner_reads_what_the_last_broadcasts_have_come_to(client, new_member, pool, application, bearer):
    nabi = await new_member("nabi")
    headers = bearer(nabi.id, "nabi")
    assert json.loads(await (await client.get(PATH, headers=headers)).read()) == {"broadcasts": []}

    first, second = [
        await pool.fetchval(
            """
            INSERT INTO broadcast (channel_id, started_at, lease_until, ended_at) VALUES ($1, $2, $3, $3) RETURNING id
            """,
            nabi.id,
            BEGAN + timedelta(hours=hours),
            BEGAN + timedelta(hours=hours, minutes=1),
        )
        for hours in (0, 1)
    ]
    # With the rights that a process has.
    await Summaries(application).add([(first, BEGAN, Stretch(60, 60 * 7 + 30, 9))])

    common = {"seconds": 60, "new_followers": 0, "points": 0, "donations": 0}
    assert json.loads(await (await client.get(PATH, headers=headers)).read()) == {
        "broadcasts": [
            {
                "id": str(second),
                "started_at": "2026-11-27T10:00:00Z",
                "ended_at": "2026-11-27T10:01:00Z",
                "viewers": None,
                **common,
            },
            {
                "id": str(first),
                "started_at": "2026-11-27T09:00:00Z",
                "ended_at": "2026-11-27T09:01:00Z",
                "viewers": {"peak": 9, "average": 7.5},
                **common,
            },
        ]
    }


async def test_nobody_else_reads_it(client, new_member, bearer):
    await new_member("nabi")
    miso = await new_member("miso")

    for headers, status in (({}, 401), (bearer(miso.id, "miso"), 403)):
        assert (await client.get(PATH, headers=headers)).status == status
