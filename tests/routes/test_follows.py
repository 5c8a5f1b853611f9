import json

import pytest

from db.bus import Bus
from db.channels import Channels
from db.follows import Follows
from routes.follows import FollowDoors
from routes.notices import Notices


@pytest.fixture
async def client(serve, pool, redis):
    return await serve(FollowDoors(Channels(pool), Follows(pool), Notices(Bus(redis))).doors())


async def test_a_member_follows_and_follows_no_more(client, new_member, bearer, pool):
    nabi, _streamer = await new_member("나비"), await new_member("streamer")
    headers = bearer(nabi.id, "나비")

    for _ in range(2):
        assert (await client.put("/api/channels/streamer/follow", headers=headers)).status == 204
    assert await Follows(pool).following(nabi.id) == ["streamer"]

    for _ in range(2):
        assert (await client.delete("/api/channels/streamer/follow", headers=headers)).status == 204
    assert await Follows(pool).following(nabi.id) == []


@pytest.mark.parametrize(
    ("nickname", "status", "code"), [("나비", 409, "follow.self"), ("nobody", 404, "channel.unknown")]
)
async def test_what_cannot_be_followed_is_refused(client, new_member, bearer, nickname, status, code):
    nabi = await new_member("나비")

    response = await client.put(f"/api/channels/{nickname}/follow", headers=bearer(nabi.id, "나비"))

    assert response.status == status
    assert json.loads(await response.read())["code"] == code


async def test_a_guest_follows_nobody(client, new_member):
    await new_member("streamer")

    assert (await client.put("/api/channels/streamer/follow")).status == 401
    assert (await client.delete("/api/channels/streamer/follow")).status == 401
