import asyncio
import json

import pytest
from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload

from db.bot_token import hash_bot_token
from db.bot_tokens import BotTokens
from routes.rate_limit import Busy
from routes.talk import LINES_AHEAD, Lines

TOKEN = "cmb_" + "a" * 43


class Up(DefaultPublisher, DefaultSubscription):
    """Lines up, never more than were asked for."""

    def __init__(self):
        self.credit = 0
        self.asked = asyncio.Event()
        self.subscriber = None
        self.cancelled = False

    def subscribe(self, subscriber):
        self.subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n):
        self.credit += n
        self.asked.set()

    def cancel(self):
        self.cancelled = True

    async def say(self, text, line_id="a"):
        await self.send(json.dumps({"id": line_id, "text": text}).encode())

    async def send(self, data):
        async with asyncio.timeout(60):
            while not self.credit:
                self.asked.clear()
                await self.asked.wait()
        self.credit -= 1
        self.subscriber.on_next(Payload(data))


@pytest.fixture
async def bot(conversation, new_member, pool):
    """A bot's connection with the scopes asked for: `await bot("chat:write")`."""
    await new_member("streamer")
    nabi = await new_member("나비")

    async def connect(*scopes):
        await BotTokens(pool).add(nabi.id, name="bot", scopes=frozenset(scopes), token_hash=hash_bot_token(TOKEN))
        return await conversation.connect_with(TOKEN)

    return connect


async def _refusal(awaitable):
    with pytest.raises(Exception) as caught:
        await awaitable
    return caught.value


async def test_a_bot_talks_and_hears_on_one_channel(bot):
    talker, up = await bot("chat:write"), Up()
    seen = talker.talk({"channel": "streamer"}, up)
    for number in range(3):
        await up.say(f"line {number}", f"id{number}")

    lines = [await seen.next("said") for _ in range(3)]

    assert [(line["text"], line["id"], line["seq"]) for line in lines] == [
        (f"line {number}", f"id{number}", number + 1) for number in range(3)
    ]
    assert lines[0]["from"] == {"nickname": "나비", "roles": ["bot"]}


async def test_what_is_refused_comes_back_on_the_channel_and_the_talk_goes_on(bot):
    talker, up = await bot("chat:write"), Up()
    seen = talker.talk({"channel": "streamer"}, up)
    await seen.next("count")
    await up.say("", "empty")
    await up.send(b"not json")
    await up.say("fine", "fine")

    refused, unreadable = await seen.next("refused"), await seen.next("refused")

    assert (refused["id"], refused["code"]) == ("empty", "chat.empty")
    assert (unreadable["id"], unreadable["code"]) == ("", "wire.shape")
    assert (await seen.next("said"))["text"] == "fine"


async def test_events_go_down_as_many_as_were_asked_for_and_lines_up_likewise(bot, conversation):
    talker, up = await bot("chat:write"), Up()
    seen = talker.talk({"channel": "streamer", "history": 0}, up, credit=1)
    await seen.next()
    assert 0 < up.credit <= LINES_AHEAD
    for number in range(2):
        await up.say(str(number), f"id{number}")
    watching = (await conversation.connect()).watch("chat.watch", {"channel": "streamer"})
    for _ in range(2):
        await watching.next("said")

    assert seen.waiting == 0
    seen.subscription.request(2)
    assert [(await seen.next("said"))["text"] for _ in range(2)] == ["0", "1"]


async def test_a_talk_goes_on_where_it_was(bot, conversation):
    talker = await bot("chat:write")
    for number in range(3):
        await talker.call("chat.say", {"channel": "streamer", "id": str(number), "text": str(number)})

    seen = talker.talk({"channel": "streamer", "since": 1}, Up())

    assert [(await seen.next("said"))["seq"] for _ in range(2)] == [2, 3]


async def test_a_bot_does_what_its_token_was_given_for_and_nothing_else(bot, conversation):
    talker = await bot("chat:read")

    line = {"channel": "streamer", "id": "1", "text": "hi"}
    assert (await talker.watch("chat.watch", {"channel": "streamer"}).next("count"))["viewers"] == 0
    for route, body in (
        ("chat.say", line),
        ("moderation.act", {"channel": "streamer", "action": "pin"}),
        ("donation.give", {"id": "7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01", "channel": "streamer", "points": 1}),
        ("session.renew", {"token": TOKEN}),
    ):
        assert (await _refusal(talker.call(route, body))).code == "auth.forbidden"
    assert (await _refusal(talker.talk({"channel": "streamer"}, Up()).next())).code == "auth.forbidden"
    assert await talker.call("session.hello", {})


async def test_a_guest_does_not_talk(conversation, new_member):
    await new_member("streamer")
    guest = await conversation.connect()

    assert (await _refusal(guest.talk({"channel": "streamer"}, Up()).next())).code == "auth.members_only"


async def test_a_revoked_token_ends_its_connections(bot, conversation, pool, monkeypatch):
    monkeypatch.setattr("routes.revocations.LOOK_SECONDS", 0.05)
    talker = await bot("chat:write")
    await talker.call("session.hello", {})

    await pool.execute("UPDATE bot_token SET revoked_at = now()")

    async with asyncio.timeout(60):
        while conversation.server.connections:
            await asyncio.sleep(0.01)

    assert not conversation.server.connections


async def test_more_lines_than_were_asked_for_end_the_talk():
    said, go_on = [], asyncio.Event()
    tasks = []

    async def say(line):
        await go_on.wait()
        said.append(line)

    class Asked:
        total = 0

        def request(self, n):
            self.total += n

    lines, asked = Lines(say, lambda work: tasks.append(asyncio.ensure_future(work))), Asked()
    lines.on_subscribe(asked)
    for number in range(LINES_AHEAD + 1):  # One is being said.
        lines.on_next(Payload(b"%d" % number))
        await asyncio.sleep(0)
    with pytest.raises(Busy):
        lines.on_next(Payload(b"too many"))
    go_on.set()
    await asyncio.gather(*tasks)
    lines.on_next(Payload(None))
    await asyncio.gather(*tasks)
    lines.on_error(RuntimeError())
    lines.on_complete()

    assert said == [*(b"%d" % number for number in range(LINES_AHEAD + 1)), b""]
    assert asked.total == LINES_AHEAD + len(said)
