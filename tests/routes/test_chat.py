import asyncio
import json
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from db.bus import Bus
from db.channel import ChannelUnknown
from db.channels import Channels
from routes import chat, events, wire
from routes.chat import RoomNumbers, member_of, seat_of
from routes.tokens import ACCESS_SECONDS
from rsocket_server import limits
from rsocket_server.doors import Badge, Caller, MembersOnly
from rsocket_server.room import Seat


def _line(channel, text, line_id="line-1"):
    return {"channel": channel, "id": line_id, "text": text}


async def _refusal(awaitable):
    with pytest.raises(Exception) as caught:
        await awaitable
    return caught.value


async def test_hello_says_who_the_connection_is(conversation, new_member):
    nabi = await conversation.connect(await new_member("나비"))
    guest = await conversation.connect()

    assert (await nabi.call("session.hello", {}))["nickname"] == "나비"
    hello = await guest.call("session.hello", b"")
    assert hello["nickname"] is None
    assert hello["now"].endswith("Z")


async def test_a_line_comes_back_to_everyone_with_its_number_and_its_author(conversation, new_member):
    streamer, nabi = await new_member("streamer"), await new_member("나비")
    talker, guest = await conversation.connect(nabi), await conversation.connect()
    seen_by_guest = guest.watch("chat.watch", {"channel": "streamer"})
    seen_by_sender = talker.watch("chat.watch", {"channel": "streamer"})

    answers = [
        await talker.call("chat.say", _line("streamer", f" 안녕 {number}\n", f"id{number}")) for number in (1, 2)
    ]

    assert answers == [{"seq": 1}, {"seq": 2}]
    for seen in (seen_by_guest, seen_by_sender):
        first, second = await seen.next("said"), await seen.next("said")
        assert {**first, "at": None} == {
            "kind": "said",
            "seq": 1,
            "id": "id1",
            "from": {"nickname": "나비", "roles": []},
            "text": "안녕 1",
            "at": None,
        }
        assert second["seq"] == 2
    assert await conversation.bus.head(streamer.id) == 2


async def test_a_watch_that_asks_is_told_of_which_numbers_its_events_are(conversation, new_member):
    streamer = await new_member("streamer")
    guest = await conversation.connect()
    await conversation.bus.publish(streamer.id, b'{"kind":"off_air"}')
    epoch = (await conversation.bus.numbers(streamer.id)).epoch

    seen = guest.watch("chat.watch", {"channel": "streamer", "since": 0, "epoch": ""})
    assert await seen.next("epoch") == {"kind": "epoch", "epoch": epoch}
    assert await seen.next("off_air") == {"seq": 1, "kind": "off_air"}
    seen = guest.watch("chat.watch", {"channel": "streamer", "since": 1, "epoch": "another"})
    assert await seen.next("off_air") == {"seq": 1, "kind": "off_air"}


async def test_the_author_is_the_connections_member_whatever_the_line_says(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    seen = nabi.watch("chat.watch", {"channel": "streamer"})

    await nabi.call("chat.say", {**_line("streamer", "x"), "from": {"nickname": "streamer"}, "nickname": "streamer"})

    assert (await seen.next("said"))["from"]["nickname"] == "나비"


async def test_who_comes_back_gets_what_was_missed(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    for number in range(1, 4):
        await nabi.call("chat.say", _line("streamer", str(number)))

    since = nabi.watch("chat.watch", {"channel": "streamer", "since": 1})
    last = nabi.watch("chat.watch", {"channel": "streamer", "history": 1})

    assert [(await since.next("said"))["text"] for _ in range(2)] == ["2", "3"]
    assert (await last.next("said"))["text"] == "3"


async def test_a_viewer_gets_as_many_as_were_requested_and_never_more(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    slow = nabi.watch("chat.watch", {"channel": "streamer"}, credit=1)
    fast = nabi.watch("chat.watch", {"channel": "streamer"})

    for number in range(3):
        await nabi.call("chat.say", _line("streamer", str(number)))
    for _ in range(3):
        await fast.next("said")
    await slow.next()

    assert slow.waiting == 0
    slow.subscription.request(1)
    await slow.next()
    assert slow.waiting == 0


@pytest.mark.parametrize("route", ["chat.say", "donation.give"])
async def test_a_guest_reads_and_does_not_write(conversation, new_member, route):
    await new_member("streamer")
    guest = await conversation.connect()

    refused = await _refusal(guest.call(route, _line("streamer", "x")))

    assert (refused.code, refused.number) == ("auth.members_only", 0x202)


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        (_line("nobody", "x"), "channel.unknown", 0x201),
        (_line("streamer", ""), "chat.empty", 0x201),
        (_line("streamer", " \n\u202e\u200b "), "chat.empty", 0x201),
        (_line("streamer", "가" * (limits.TEXT_CHARACTERS_MAX + 1)), "chat.too_long", 0x201),
        (_line("streamer", "x" * 5_000), "wire.shape", 0x204),
        (_line("streamer", "x", ""), "wire.shape", 0x204),
        ({"channel": "streamer"}, "wire.shape", 0x204),
        (b"", "wire.shape", 0x204),
        (b"\xff", "wire.shape", 0x204),
    ],
)
async def test_a_line_that_may_not_be_said_is_refused_with_a_code(conversation, new_member, body, code, number):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))

    refused = await _refusal(nabi.call("chat.say", body))

    assert (refused.code, refused.number) == (code, number)
    assert set(refused.data) <= {"code", "retry", "field"}


async def test_a_line_ends_at_its_limit(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))

    assert await nabi.call("chat.say", _line("streamer", "가" * limits.TEXT_CHARACTERS_MAX))


async def test_who_is_too_fast_is_told_when_to_come_again(conversation, new_member, time_stands):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    for _ in range(limits.SPEECH_LINES_MAX):
        await nabi.call("chat.say", _line("streamer", "x"))

    refused = await _refusal(nabi.call("chat.say", _line("streamer", "x")))

    assert (refused.code, refused.number, refused.data["retry"]) == ("limit.too_fast", 0x202, True)
    assert 0 < refused.data["retry_after_ms"] <= limits.SPEECH_SECONDS * 1000


async def test_a_line_nobody_waits_for_is_said_too(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    seen = nabi.watch("chat.watch", {"channel": "streamer"})
    await seen.next("count")

    nabi.fire("chat.say", _line("streamer", "안녕"))

    assert (await seen.next("said"))["text"] == "안녕"


async def test_a_refused_line_comes_back_to_its_sender_alone(conversation, new_member, time_stands):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    other = await conversation.connect(await new_member("other"))
    seen, seen_by_other = (talker.watch("chat.watch", {"channel": "streamer"}) for talker in (nabi, other))
    await seen.next("count")
    await seen_by_other.next("count")

    nabi.fire("chat.say", _line("streamer", "가" * 501, "long"))
    for number in range(limits.SPEECH_LINES_MAX + 1):
        nabi.fire("chat.say", _line("streamer", str(number), f"id{number}"))
    too_long, too_fast = await seen.next("refused"), await seen.next("refused")

    assert too_long == {"kind": "refused", "id": "long", "code": "chat.too_long"}
    assert (too_fast["id"], too_fast["code"]) == (f"id{limits.SPEECH_LINES_MAX}", "limit.too_fast")
    assert too_fast["retry_after_ms"] > 0
    kinds = {(await seen_by_other.next())["kind"] for _ in range(limits.SPEECH_LINES_MAX)}
    assert "refused" not in kinds


async def test_an_unreadable_line_nobody_waits_for_harms_nobody(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))

    nabi.fire("chat.say", b"\xff")
    nabi.fire("chat.say", _line("nobody", "x"))

    assert await nabi.call("session.hello", {})


async def test_a_watch_of_no_channel_is_refused(conversation):
    guest = await conversation.connect()

    refused = await _refusal(guest.watch("chat.watch", {"channel": "nobody"}).next())

    assert refused.code == "channel.unknown"


async def test_a_route_that_is_none_is_refused_without_its_name(conversation):
    guest = await conversation.connect()

    refused = await _refusal(guest.call("points.charge", {"points": 1_000_000}))

    assert refused.code == "route.unknown"
    assert "points.charge" not in json.dumps(refused.data)


async def test_a_store_that_is_away_says_that_nothing_was_done(conversation, new_member, monkeypatch):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    seen = nabi.watch("chat.watch", {"channel": "streamer"})
    await seen.next("count")

    async def broken(*_arguments, **_options):
        raise RuntimeError("redis://:hunter2@cache")

    monkeypatch.setattr(conversation.bus, "publish", broken)
    nabi.fire("chat.say", _line("streamer", "x"))
    told = await seen.next("refused")
    refused = await _refusal(nabi.call("chat.say", _line("streamer", "x")))

    assert told == {"kind": "refused", "id": "line-1", "code": "internal"}
    assert refused.code == "internal"
    assert "hunter2" not in json.dumps(refused.data)
    assert len(refused.data["incident"]) == 16


async def test_room_numbers_are_remembered_within_their_limit(pool, new_member):
    members = [await new_member(f"nabi{number}") for number in range(3)]
    numbers = RoomNumbers(Channels(pool), known_max=2)

    found = [await numbers.find(member.nickname) for member in (*members, members[0])]

    assert found == [member.id for member in (*members, members[0])]
    assert list(numbers._known) == ["nabi2", "nabi0"]
    with pytest.raises(ChannelUnknown):
        await numbers.find("nobody")
    assert "nobody" not in numbers._known


async def test_a_crowd_that_asks_for_one_room_waits_for_one_look_up():
    asked, go_on = [], asyncio.Event()

    class Found:
        id = 7

    class OneChannel:
        async def by_nickname(self, nickname):
            asked.append(nickname)
            await go_on.wait()
            if nickname == "nobody":
                return None
            return Found

    numbers = RoomNumbers(OneChannel())
    impatient, *crowd = (asyncio.create_task(numbers.find("streamer")) for _ in range(50))
    guesses = [asyncio.create_task(numbers.find("nobody")) for _ in range(2)]
    await asyncio.sleep(0)
    impatient.cancel()
    go_on.set()

    assert await asyncio.gather(*crowd) == [7] * 49
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ChannelUnknown] * 2
    assert asked == ["streamer", "nobody"]
    assert not numbers._finding


class Guesses:
    """A database in which nobody is found before the test says so."""

    def __init__(self):
        self.asked, self.go_on = [], asyncio.Event()

    async def by_nickname(self, nickname):
        self.asked.append(nickname)
        await self.go_on.wait()


async def test_look_ups_that_nobody_waits_for_are_given_up_and_few_are_under_way():
    database = Guesses()
    numbers = RoomNumbers(database)
    names = [f"nobody{number}" for number in range(3 * chat.LOOK_UPS_MAX)]
    guesses = [asyncio.create_task(numbers.find(name)) for name in names]
    while len(database.asked) < chat.LOOK_UPS_MAX:
        await asyncio.sleep(0)
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)
    assert list(numbers._finding) == database.asked == names[: chat.LOOK_UPS_MAX]

    patient = asyncio.create_task(numbers.find("somebody"))
    impatient = asyncio.create_task(numbers.find("somebody"))
    await asyncio.sleep(0)
    impatient.cancel()
    database.go_on.set()
    answers = await asyncio.gather(patient, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ChannelUnknown]
    assert database.asked[chat.LOOK_UPS_MAX :] == ["somebody"]
    assert not numbers._finding


async def test_no_look_up_outlives_its_house():
    database = Guesses()
    numbers = RoomNumbers(database)
    guesses = [asyncio.create_task(numbers.find(f"nobody{number}")) for number in range(chat.LOOK_UPS_MAX + 1)]
    while not database.asked:
        await asyncio.sleep(0)
    await numbers.close()

    assert not numbers._finding
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * len(guesses)


def test_a_door_for_members_asks_again():
    with pytest.raises(MembersOnly):
        member_of(Caller(None, "c1", lambda _room, _payload: None))


async def test_fifty_at_once_get_fifty_numbers_in_one_order_for_all(conversation, new_member):
    await new_member("streamer")
    talkers = [await conversation.connect(await new_member(f"nabi{number}")) for number in range(10)]
    watches = [talker.watch("chat.watch", {"channel": "streamer", "history": 0}) for talker in talkers]
    for watch in watches:
        await watch.next("count")

    answers = await asyncio.gather(
        *(talker.call("chat.say", _line("streamer", uuid.uuid4().hex)) for talker in talkers for _ in range(5))
    )

    assert sorted(answer["seq"] for answer in answers) == list(range(1, 51))
    orders = []
    for watch in watches:
        order = []
        while len(order) < 50:
            event = await watch.next("said")
            order.append((event["seq"], event["text"]))
        orders.append(order)
    assert all(order == orders[0] for order in orders)
    assert [seq for seq, _ in orders[0]] == list(range(1, 51))


async def test_a_line_sent_again_with_its_id_is_said_once(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))

    answers = [await nabi.call("chat.say", _line("streamer", text, "same")) for text in ("a", "a", "b")]

    assert answers == [{"seq": 1}, {"seq": 1}, {"seq": 2}]


async def test_a_line_that_shows_nothing_is_empty(conversation, new_member):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))

    for text in ("\u200d", "\u3164", "\u2800 \u00ad"):
        assert (await _refusal(nabi.call("chat.say", _line("streamer", text)))).code == "chat.empty"
    assert "seq" in await nabi.call("chat.say", _line("streamer", "👩\u200d🚀"))


async def test_a_forgotten_line_that_takes_too_long_comes_back_refused(conversation, new_member, monkeypatch):
    await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    seen = nabi.watch("chat.watch", {"channel": "streamer"})
    await nabi.call("chat.say", _line("streamer", "first"))
    await seen.next("said")
    monkeypatch.setattr("routes.chat.HANDLER_SECONDS", 0.05)
    monkeypatch.setattr(Bus, "publish", lambda *_, **__: asyncio.sleep(60))
    nabi.fire("chat.say", _line("streamer", "late", "7"))

    refused = await seen.next("refused")

    assert (refused["id"], refused["code"]) == ("7", "store.unknown")


async def test_who_is_too_fast_is_made_to_wait_and_nobody_else(conversation, new_member, monkeypatch, time_stands):
    over = asyncio.Event()

    async def penance(seconds):
        assert seconds == chat.PENANCE_SECONDS
        await over.wait()

    monkeypatch.setattr(chat, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": penance}))
    await new_member("streamer")
    nabi, mimi = [await conversation.connect(await new_member(name)) for name in ("나비", "mimi")]
    seen = nabi.watch("chat.watch", {"channel": "streamer"})
    await seen.next("count")  # A refusal finds who watches.
    for number in range(limits.SPEECH_LINES_MAX + 2):
        nabi.fire("chat.say", _line("streamer", "flood", str(number)))
    assert (await seen.next("refused"))["id"] == str(limits.SPEECH_LINES_MAX)

    await mimi.call("chat.say", _line("streamer", "honest"))

    said = await seen.next("said")
    while said["text"] != "honest":
        said = await seen.next("said")
    over.set()
    assert (await seen.next("refused"))["id"] == str(limits.SPEECH_LINES_MAX + 1)


async def test_a_guest_with_many_watches_is_one_viewer(conversation, new_member):
    await new_member("streamer")
    guest = await conversation.connect()
    seen = [guest.watch("chat.watch", {"channel": "streamer"}) for _ in range(5)]

    assert (await seen[-1].next("count"))["viewers"] == 1


async def test_neither_the_owner_nor_a_program_is_a_viewer(conversation, new_member):
    owner, nabi = await new_member("streamer"), await new_member("나비")
    in_the_studio = await conversation.connect(owner)
    seen = in_the_studio.watch("chat.watch", {"channel": "streamer"})
    assert (await seen.next("count"))["viewers"] == 0

    (await conversation.connect(nabi)).watch("chat.watch", {"channel": "streamer"})

    assert (await seen.next("count"))["viewers"] == 1
    bot = Caller(None, "c", lambda _room, _event: None)
    for badge, room, counted in (
        (Badge(owner), owner.id, False),
        (Badge(owner), nabi.id, True),
        (Badge(nabi, scopes=frozenset({"chat:read"})), owner.id, False),
    ):
        bot.badge = badge
        assert seat_of(bot, room) == Seat(badge.member.id, voice=badge.member.nickname, counted=counted)


async def test_ones_own_line_is_never_skipped_also_if_nobody_waited_for_it(conversation, new_member, monkeypatch):
    monkeypatch.setattr(limits, "LOG_EVENTS_MAX", 4)
    streamer = await new_member("streamer")
    nabi = await conversation.connect(await new_member("나비"))
    slow = nabi.watch("chat.watch", {"channel": "streamer", "since": 0}, credit=1)
    quick = (await conversation.connect()).watch("chat.watch", {"channel": "streamer", "since": 0})
    other = events.Said(id="o", from_=events.Author("mimi", []), text="x", at=datetime.now(UTC))
    await quick.next("count")
    await slow.next("count")

    for number in range(12):
        if number == 2:
            nabi.fire("chat.say", _line("streamer", "mine", "mine"))
            assert (await quick.next("said"))["text"] == "mine"
        await conversation.bus.publish(streamer.id, wire.write(other))
        await quick.next("said")
    slow.subscription.request(10)

    gap, own, rest = [await slow.next() for _ in range(3)]
    assert (gap["kind"], gap["to_seq"], own["id"], own["seq"]) == ("gap", 2, "mine", 3)
    assert (rest["kind"], rest["from_seq"], rest["to_seq"]) == ("gap", 4, 9)


async def test_a_connection_lives_on_with_a_newer_token_of_its_member(conversation, new_member):
    nabi, mimi = await new_member("나비"), await new_member("mimi")
    talker, guest = await conversation.connect(nabi), await conversation.connect()

    hello = await talker.call("session.hello", {})
    renewed = await talker.call("session.renew", {"token": conversation.token(nabi)})

    assert ACCESS_SECONDS - 5 <= hello["expires_in"] <= ACCESS_SECONDS
    assert ACCESS_SECONDS - 5 <= renewed["expires_in"] <= ACCESS_SECONDS
    for asking, token, code in (
        (talker, conversation.token(mimi), "auth.forbidden"),
        (talker, conversation.token(nabi, age_seconds=ACCESS_SECONDS + 1), "auth.token_expired"),
        (talker, "garbage", "auth.token_invalid"),
        (talker, "x" * 5_000, "wire.shape"),
        (guest, conversation.token(nabi), "auth.members_only"),
    ):
        assert (await _refusal(asking.call("session.renew", {"token": token}))).code == code
    assert (await guest.call("session.hello", {}))["expires_in"] is None


async def test_goodbye_is_said_with_a_time_to_come_back(conversation, new_member):
    await new_member("streamer")
    guest = await conversation.connect()
    seen = guest.watch("chat.watch", {"channel": "streamer"})
    live = guest.watch("channels.watch", {})
    await seen.next("count")
    await live.next("channels")

    conversation.rooms.close(lambda: events.drain(1234))
    conversation.live.close()

    assert await seen.next() == {"kind": "drain", "retry_after_ms": 1234}
    assert await seen.next() is None
    assert await live.next() is None
