from types import SimpleNamespace

import pytest
from aiohttp.test_utils import make_mocked_request

from db.channel import ChannelUnknown
from db.channels import Channels
from routes.access import NotYours
from routes.middleware import BEARER
from routes.named_channel import named_channel, own_channel


def ask(nickname, member_id=0):
    request = make_mocked_request("GET", "/", match_info={"nickname": nickname})
    request[BEARER] = SimpleNamespace(member_id=member_id)
    return request


async def test_a_channel_is_found_by_the_name_in_the_path(pool, new_member):
    channels, nabi = Channels(pool), await new_member("나비")

    assert (await named_channel(channels, ask("나비"))).id == nabi.id
    with pytest.raises(ChannelUnknown):
        await named_channel(channels, ask("nobody"))


async def test_only_its_owner_has_it_as_his_own(pool, new_member):
    channels, nabi = Channels(pool), await new_member("나비")

    assert (await own_channel(channels, ask("나비", nabi.id))).id == nabi.id
    with pytest.raises(NotYours):
        await own_channel(channels, ask("나비", nabi.id + 1))
    with pytest.raises(ChannelUnknown):
        await own_channel(channels, ask("nobody", nabi.id))
