import asyncio
import json

import pytest

from db.bus import Bus
from db.channels import Channels
from db.errors import StoreUnavailable, StoreUnknown
from media.broadcast import State
from routes import announcements
from routes.announcements import Announcements, playback_url


@pytest.fixture
async def channel(new_member, pool):
    await new_member("나비")
    return await Channels(pool).by_nickname("나비")


@pytest.mark.parametrize(
    ("state", "kind"), [(State.LIVE, "on_air"), (State.INTERRUPTED, "interrupted"), (State.ENDED, "off_air")]
)
async def test_a_new_state_is_told_to_the_room_as_part_of_its_history(channel, redis, state, kind):
    bus = Bus(redis)

    await Announcements(bus).on_state(channel, state)

    (entry,) = await bus.history(channel.id, after=0, limit=10)
    event = json.loads(entry.payload)
    assert event["kind"] == kind
    assert event["at"].endswith("Z")
    assert ("playback" in event) == (state is State.LIVE)


async def test_what_cannot_be_seen_yet_is_not_told(channel, redis):
    bus = Bus(redis)

    await Announcements(bus).on_state(channel, State.ANNOUNCED)

    assert await bus.head(channel.id) == 0


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreUnknown("away")])
async def test_the_picture_does_not_wait_for_a_bus_that_is_away(channel, error):
    tried = []

    class Away:
        async def publish(self, *_arguments):
            tried.append("publish")
            raise error

        async def announce(self, *_arguments):
            tried.append("announce")
            raise error

    await Announcements(Away()).on_state(channel, State.LIVE)
    await Announcements(Away()).titled(channel)

    assert tried == ["publish", "announce"] * 2


async def test_a_title_waits_only_so_long_to_be_told(channel, monkeypatch, caplog):
    monkeypatch.setattr(announcements, "TELL_SECONDS_MAX", 0.01)
    told = []

    class Stuck:
        async def publish(self, *_arguments):
            told.append("begun")
            await asyncio.Event().wait()

        async def announce(self, *_arguments):
            told.append("announced")

    async with asyncio.timeout(30):
        await Announcements(Stuck()).titled(channel)

    assert told == ["begun"]
    assert caplog.messages == [f"titled channel={channel.id} told=False"]


def test_a_playback_url_can_stand_in_a_page():
    assert playback_url("나비") == "/hls/%EB%82%98%EB%B9%84/index.m3u8"
    assert playback_url("a/b") == "/hls/a%2Fb/index.m3u8"
