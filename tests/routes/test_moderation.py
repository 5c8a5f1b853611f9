import asyncio

import pytest

from db.acts import Acts
from db.bus import Bus
from db.channels import Channels
from db.follows import Follows
from db.members import Members
from routes import moderation
from routes.chat import RoomNumbers


def _line(text, line_id="line-1"):
    return {"channel": "streamer", "id": line_id, "text": text}


def _act(action, **more):
    return {"channel": "streamer", "action": action, **more}


async def expect_refused(awaitable, code):
    with pytest.raises(Exception) as caught:
        await awaitable
    assert caught.value.code == code
    return caught.value


@pytest.fixture
async def people(conversation, new_member):
    """The owner, a moderator and a viewer, each with a connection, in the channel `streamer`."""
    members = {name: await new_member(name) for name in ("streamer", "mimi", "나비")}
    talkers = {name: await conversation.connect(member) for name, member in members.items()}
    await talkers["streamer"].call("moderation.act", _act("grant", nickname="mimi"))
    return members, talkers["streamer"], talkers["mimi"], talkers["나비"]


async def test_a_line_says_what_its_author_is_here(conversation, people, pool):
    members, owner, moderator, viewer = people
    seen = viewer.watch("chat.watch", {"channel": "streamer"})
    await Follows(pool).add(members["나비"].id, members["streamer"].id)
    for talker in (owner, moderator, viewer):
        await talker.call("chat.say", _line("hi", "a"))

    assert [(await seen.next("said"))["from"]["roles"] for _ in range(3)] == [["owner"], ["moderator"], ["follower"]]


async def test_a_mute_holds_in_every_worker_at_once_and_is_shown(conversation, other_worker, people):
    members, _, moderator, viewer = people
    elsewhere = await other_worker.connect(members["나비"])
    await viewer.call("chat.say", _line("one", "a"))
    await elsewhere.call("chat.say", _line("two", "b"))
    seen = elsewhere.watch("chat.watch", {"channel": "streamer", "history": 0})

    await moderator.call("moderation.act", _act("mute", nickname="나비", seconds=60, reason="spam"))
    muted = await seen.next("muted")

    assert muted["nickname"] == "나비"
    assert muted["until"] > muted["at"]
    assert muted["seq"] == 3
    for talker in (viewer, elsewhere):
        refused = await expect_refused(talker.call("chat.say", _line("three", "c")), "chat.muted")
        assert 0 < refused.data["retry_after_ms"] <= 60_000

    await moderator.call("moderation.act", _act("unmute", nickname="나비"))
    assert (await seen.next("unmuted"))["nickname"] == "나비"
    for talker in (viewer, elsewhere):
        assert await talker.call("chat.say", _line("four", "d"))


async def test_a_ban_outlives_every_process_and_a_refused_line_comes_back(conversation, people, pool):
    members, owner, _, viewer = people
    await owner.call("moderation.act", _act("ban", nickname="나비", reason="enough"))
    seen = viewer.watch("chat.watch", {"channel": "streamer"})

    muted = await seen.next("muted")
    viewer.fire("chat.say", _line("let me", "x"))
    refused = await seen.next("refused")

    assert muted["until"] is None
    assert (refused["id"], refused["code"]) == ("x", "chat.banned")
    assert (await Acts(pool).standing(members["streamer"].id, members["나비"].id)).banned


async def test_after_a_ban_is_lifted_a_mute_still_stands(people):
    _, owner, _, viewer = people
    await owner.call("moderation.act", _act("mute", nickname="나비"))
    await owner.call("moderation.act", _act("ban", nickname="나비"))
    await owner.call("moderation.act", _act("unban", nickname="나비"))
    seen = viewer.watch("chat.watch", {"channel": "streamer"})

    told = [await seen.next("muted") for _ in range(3)]

    assert [each["until"] is None for each in told] == [False, True, False]
    await expect_refused(viewer.call("chat.say", _line("x")), "chat.muted")


async def test_who_may_not_moderate_does_not(conversation, people, new_member):
    _, owner, moderator, viewer = people
    await new_member("koko")
    for talker, act, code in (
        (viewer, _act("mute", nickname="koko"), "auth.forbidden"),
        (moderator, _act("mute", nickname="streamer"), "auth.forbidden"),
        (moderator, _act("ban", nickname="mimi"), "auth.forbidden"),
        (moderator, _act("grant", nickname="koko"), "auth.forbidden"),
        (owner, _act("ban", nickname="streamer"), "auth.forbidden"),
        (owner, _act("ban", nickname="nobody"), "member.unknown"),
        (owner, _act("ban"), "wire.shape"),
        (owner, _act("rules"), "wire.shape"),
        (owner, _act("slow"), "wire.shape"),
        (owner, _act("slow", seconds=9999), "wire.shape"),
        (owner, _act("mute", nickname="koko", seconds=0), "wire.shape"),
        (owner, _act("mute", nickname="koko", reason="x" * 201), "wire.shape"),
        (owner, _act("pin", text="x" * 501), "wire.shape"),
        (owner, _act("remove", seqs=[99]), "moderation.no_lines"),
        (owner, {**_act("pin"), "channel": "nobody"}, "channel.unknown"),
    ):
        await expect_refused(talker.call("moderation.act", act), code)
    guest = await conversation.connect()
    await expect_refused(guest.call("moderation.act", _act("pin")), "auth.members_only")


async def test_who_was_a_moderator_until_now_is_none(people):
    _, owner, moderator, _ = people
    await moderator.call("moderation.act", _act("pin", text="hello"))

    await owner.call("moderation.act", _act("revoke", nickname="mimi"))

    await expect_refused(moderator.call("moderation.act", _act("pin", text="mine")), "auth.forbidden")


async def test_a_removed_line_is_taken_from_those_who_have_it_and_never_shown_to_those_who_come(
    conversation, other_worker, people, pool
):
    members, _, moderator, viewer = people
    watching = await conversation.connect()
    seen = watching.watch("chat.watch", {"channel": "streamer"})
    for text, line_id in (("fine", "a"), ("secret", "b"), ("fine too", "c")):
        await viewer.call("chat.say", _line(text, line_id))
    lines = [await seen.next("said") for _ in range(3)]

    acted = await moderator.call("moderation.act", _act("remove", seqs=[lines[1]["seq"]], reason="a secret"))
    removed = await seen.next("removed")

    assert acted["seqs"] == [2]
    assert (removed["ids"], removed["seqs"], removed["seq"]) == (["b"], [2], 4)
    for worker in (conversation, other_worker):
        late = (await worker.connect()).watch("chat.watch", {"channel": "streamer"})
        events = [await late.next() for _ in range(4)]
        assert [(event["seq"], event["kind"]) for event in events] == [
            (1, "said"),
            (2, "removed"),
            (3, "said"),
            (4, "removed"),
        ]
        assert (events[1]["ids"], events[1]["seqs"]) == ([], [2])
        assert "secret" not in str(events)
    entry = (await Acts(pool).log(members["streamer"].id, before=None))[0]
    assert (entry.action, entry.target, entry.words, entry.reason) == ("remove", "나비", "secret", "a secret")


async def test_lines_are_removed_by_id_or_all_of_one_member(people):
    _, owner, moderator, viewer = people
    for text, line_id in (("one", "a"), ("two", "b"), ("three", "c")):
        await viewer.call("chat.say", _line(text, line_id))
    # The id is its sender's own choice: another's line of the same id stays.
    await owner.call("chat.say", _line("mine", "a"))

    by_id = await moderator.call("moderation.act", _act("remove", ids=["a"], nickname="나비"))
    all_of_one = await moderator.call("moderation.act", _act("remove", nickname="나비"))

    assert by_id["seqs"] == [1]
    assert all_of_one["seqs"] == [1, 2, 3]


async def test_a_moderator_does_not_remove_the_owners_lines_but_ones_own(people):
    _, owner, moderator, _ = people
    await owner.call("chat.say", _line("mine", "a"))
    await moderator.call("chat.say", _line("oops", "b"))

    await expect_refused(moderator.call("moderation.act", _act("remove", seqs=[1])), "auth.forbidden")

    assert (await moderator.call("moderation.act", _act("remove", ids=["b"], nickname="mimi")))["seqs"] == [2]
    assert (await owner.call("moderation.act", _act("remove", seqs=[1])))["seqs"] == [1]


async def test_whose_lines_are_above_is_what_they_are_now(people, conversation, new_member):
    _, owner, moderator, viewer = people
    await viewer.call("chat.say", _line("before", "a"))
    await owner.call("moderation.act", _act("grant", nickname="나비"))
    await expect_refused(moderator.call("moderation.act", _act("remove", seqs=[1])), "auth.forbidden")
    await viewer.call("chat.say", _line("amid", "b"))
    await owner.call("moderation.act", _act("revoke", nickname="나비"))

    assert (await moderator.call("moderation.act", _act("remove", seqs=[1, 2])))["seqs"] == [1, 2]


async def test_an_id_alone_says_nothing_of_whose_line_it_is(people):
    _, owner, moderator, viewer = people
    await owner.call("chat.say", _line("mine", "a"))
    await viewer.call("chat.say", _line("spam", "a"))

    refused = await expect_refused(moderator.call("moderation.act", _act("remove", ids=["a"])), "wire.shape")

    assert refused.data["field"] == "nickname"
    assert (await moderator.call("moderation.act", _act("remove", ids=["a"], nickname="나비")))["seqs"] == [2]


async def test_of_several_authors_each_has_an_entry_of_ones_own(people, new_member, conversation, pool, redis):
    members, _, moderator, viewer = people
    koko = await conversation.connect(await new_member("koko"))
    await viewer.call("chat.say", _line("secret", "a"))
    await koko.call("chat.say", _line("hush", "b"))
    await viewer.call("chat.say", _line("more", "c"))
    nameless = b'{"kind":"donated","id":"d","from":{"nickname":"","roles":[]},"points":1,"text":"from nobody"}'
    await Bus(redis).publish(members["streamer"].id, nameless)

    acted = await moderator.call("moderation.act", _act("remove", seqs=[1, 2, 3, 4]))
    entries = (await Acts(pool).log(members["streamer"].id, before=None))[:3]

    assert acted == {"id": entries[-1].id, "seqs": [1, 2, 3, 4]}
    assert [(entry.target, entry.seqs, entry.words) for entry in reversed(entries)] == [
        ("나비", (1, 3), "secret\nmore"),
        ("koko", (2,), "hush"),
        (None, (4,), ""),
    ]
    await Members(pool).erase(members["나비"].id)
    entries = (await Acts(pool).log(members["streamer"].id, before=None))[:3]
    assert [(entry.target, entry.words) for entry in reversed(entries)] == [(None, ""), ("koko", "hush"), (None, "")]


async def test_slow_mode_counts_over_all_workers(conversation, other_worker, people):
    members, _, moderator, viewer = people
    elsewhere = await other_worker.connect(members["나비"])
    seen = viewer.watch("chat.watch", {"channel": "streamer"})
    await moderator.call("moderation.act", _act("slow", seconds=60))
    assert (await seen.next("rules"))["slow_seconds"] == 60

    first = await viewer.call("chat.say", _line("one", "a"))
    again = await viewer.call("chat.say", _line("one", "a"))
    refused = await expect_refused(elsewhere.call("chat.say", _line("two", "b")), "chat.slow")

    assert first == again
    assert 0 < refused.data["retry_after_ms"] <= 60_000
    for number in range(3):
        assert await moderator.call("chat.say", _line("mine", f"m{number}"))


async def test_a_notice_is_the_first_thing_a_newcomer_reads(conversation, people):
    _, owner, _, viewer = people
    plain = viewer.watch("chat.watch", {"channel": "streamer"})
    await owner.call("moderation.act", _act("pin", text=" be\u202e kind\n"))

    assert (await plain.next())["kind"] == "rules"
    newcomer = (await conversation.connect()).watch("chat.watch", {"channel": "streamer", "history": 0}, credit=1)
    rules = await newcomer.next()

    assert rules == {
        "kind": "rules",
        "slow_seconds": 0,
        "followers_only_minutes": None,
        "members_only": False,
        "blocked_links": False,
        "pinned": "be kind",
    }


async def test_a_room_for_members_shows_its_guests_out(conversation, other_worker, people, pool):
    members, _, _, viewer = people
    inside = [
        (await worker.connect()).watch("chat.watch", {"channel": "streamer"}) for worker in (conversation, other_worker)
    ]
    member = viewer.watch("chat.watch", {"channel": "streamer"})
    for watch in (*inside, member):
        await watch.next("count")

    await Acts(pool).change_rules(
        members["streamer"].id, members["streamer"].id, lambda rules: type(rules)(members_only=True)
    )
    await Bus(conversation.redis).announce("conduct", b"%d:0" % members["streamer"].id)

    for watch in inside:
        while await watch.next() is not None:
            pass
    late = (await conversation.connect()).watch("chat.watch", {"channel": "streamer"})
    await expect_refused(late.next(), "auth.members_only")
    await viewer.call("chat.say", _line("among us"))
    assert (await member.next("said"))["text"] == "among us"


async def test_a_guest_who_comes_in_that_very_moment_does_not_stay(conversation, people, pool, monkeypatch):
    members, *_ = people
    room, watch = members["streamer"].id, conversation.rooms.watch

    async def watch_as_the_rule_comes(*arguments, **options):
        found = await watch(*arguments, **options)
        if not (await Acts(pool).rules(room)).members_only:
            await Acts(pool).change_rules(room, room, lambda rules: type(rules)(members_only=True))
            conversation.laws.forget(room, None)
            while conversation.laws._tasks:
                await asyncio.wait(conversation.laws._tasks)
        return found

    monkeypatch.setattr(conversation.rooms, "watch", watch_as_the_rule_comes)
    guest = (await conversation.connect()).watch("chat.watch", {"channel": "streamer"})

    await expect_refused(guest.next(), "auth.members_only")


async def test_words_and_followers_are_asked_for(people, pool, conversation):
    members, owner, _, viewer = people
    room = members["streamer"].id
    await Acts(pool).change_rules(
        room, room, lambda rules: type(rules)(blocked_words=("hush",), followers_only_minutes=0)
    )
    conversation.laws.forget(room, None)

    await expect_refused(viewer.call("chat.say", _line("hi")), "chat.followers_only")
    await Follows(pool).add(members["나비"].id, room)
    conversation.laws.forget(room, members["나비"].id)
    await expect_refused(viewer.call("chat.say", _line("hush!")), "chat.blocked")
    assert await viewer.call("chat.say", _line("hi"))
    assert await owner.call("chat.say", _line("hush!"))


async def test_acts_have_a_pace(people, monkeypatch, time_stands):
    _, owner, _, _ = people
    for number in range(moderation.ACTS_BURST - 1):
        await owner.call("moderation.act", _act("pin", text=str(number)))

    results = await asyncio.gather(
        *(owner.call("moderation.act", _act("pin", text="x")) for _ in range(10)), return_exceptions=True
    )

    assert any(getattr(result, "code", None) == "limit.too_fast" for result in results)


async def test_an_unreadable_event_of_the_history_is_passed_over(people, redis, pool):
    members, owner, _, viewer = people
    await Bus(redis).publish(members["streamer"].id, b"\xff not json")
    await viewer.call("chat.say", _line("hi", "a"))

    assert (await owner.call("moderation.act", _act("remove", ids=["a"], nickname="나비")))["seqs"] == [2]


async def test_a_store_that_is_away_leaves_no_half_told_act(people, pool, monkeypatch):
    _, owner, _, viewer = people
    await RoomNumbers(Channels(pool)).find("streamer")
    await owner.call("moderation.act", _act("mute", nickname="나비"))

    async def away(*_arguments, **_options):
        raise OSError("no")

    monkeypatch.setattr(Acts, "do", away)
    await expect_refused(owner.call("moderation.act", _act("unmute", nickname="나비")), "internal")

    await expect_refused(viewer.call("chat.say", _line("hi")), "chat.muted")
