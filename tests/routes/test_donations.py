import asyncio
import uuid

import pytest

from db.act import Act, Action
from db.acts import Acts
from db.ledger import Ledger
from db.transfer import MESSAGE_CHARACTERS_MAX, POINTS_MAX
from routes.donations import GIVE_BURST


def _gift(points=100, text="", **change):
    return {"id": str(uuid.uuid4()), "channel": "streamer", "points": points, "text": text} | change


async def _refusal(awaitable):
    with pytest.raises(Exception) as caught:
        await awaitable
    return caught.value


async def test_a_donation_moves_points_and_shows_up_in_the_room(conversation, new_member, pool):
    streamer, nabi = await new_member("streamer", live=True), await new_member("나비", points=300)
    donor, guest = await conversation.connect(nabi), await conversation.connect()
    seen = guest.watch("chat.watch", {"channel": "streamer"})
    gift = _gift(100, " 힘내요\n")

    assert await donor.call("donation.give", gift) == {"id": gift["id"], "points_left": 200}

    shown = await seen.next("donated")
    assert {**shown, "at": None} == {
        "kind": "donated",
        "seq": 1,
        "id": gift["id"],
        "from": {"nickname": "나비", "roles": []},
        "points": 100,
        "text": "힘내요",
        "at": None,
    }
    assert (await Ledger(pool).balance(nabi.id)).points == 200
    assert (await Ledger(pool).balance(streamer.id)).earnings == 100


async def test_the_same_id_again_gives_the_same_answer_and_moves_nothing(conversation, new_member, pool):
    streamer, nabi = await new_member("streamer", live=True), await new_member("나비", points=100)
    donor = await conversation.connect(nabi)
    seen = donor.watch("chat.watch", {"channel": "streamer"})
    gift = _gift(100)

    answers = [await donor.call("donation.give", gift) for _ in range(3)]

    assert answers == [{"id": gift["id"], "points_left": 0}] * 3
    assert (await Ledger(pool).balance(streamer.id)).earnings == 100
    assert (await seen.next("donated"))["seq"] == 1
    await donor.call("chat.say", {"channel": "streamer", "id": "1", "text": "x"})
    assert (await seen.next("said"))["seq"] == 2


async def test_another_amount_under_an_old_id_is_refused(conversation, new_member):
    await new_member("streamer", live=True)
    donor = await conversation.connect(await new_member("나비", points=300))
    gift = _gift(100)
    await donor.call("donation.give", gift)

    refused = await _refusal(donor.call("donation.give", {**gift, "points": 101}))

    assert (refused.code, refused.number) == ("transfer.id_reused", 0x201)


@pytest.mark.parametrize("field", ["donor", "nickname", "from", "donor_id", "member_id"])
async def test_nobody_can_name_another_donor(conversation, new_member, pool, field):
    await new_member("streamer", live=True)
    rich = await new_member("rich", points=1_000)
    poor = await conversation.connect(await new_member("poor"))

    named = await _refusal(poor.call("donation.give", _gift(100, **{field: rich.id})))
    own = await _refusal(poor.call("donation.give", _gift(100)))

    assert named.code == "wire.shape"
    assert own.code == "points.insufficient"
    assert (await Ledger(pool).balance(rich.id)).points == 1_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"points": 0}, "points.amount"),
        ({"points": -100}, "points.amount"),
        ({"points": POINTS_MAX + 1}, "points.amount"),
        ({"points": 2**62}, "points.amount"),
        ({"points": 2**70}, "wire.shape"),
        ({"points": 1.5}, "wire.shape"),
        ({"points": "100"}, "wire.shape"),
        ({"points": 301}, "points.insufficient"),
        ({"channel": "나비"}, "points.self"),
        ({"channel": "nobody"}, "channel.unknown"),
        ({"id": "1"}, "wire.shape"),
        ({"text": "가" * (MESSAGE_CHARACTERS_MAX + 1)}, "transfer.text_too_long"),
        ({"text": "\x00"}, "wire.shape"),
    ],
)
async def test_a_gift_against_the_rules_is_refused_and_moves_nothing(conversation, new_member, pool, change, code):
    await new_member("streamer", live=True)
    nabi = await new_member("나비", points=300)
    donor = await conversation.connect(nabi)

    refused = await _refusal(donor.call("donation.give", _gift() | change))

    assert refused.code == code
    assert (await Ledger(pool).balance(nabi.id)).points == 300


async def test_twenty_at_once_from_a_purse_for_one_are_one(conversation, new_member, pool):
    streamer, nabi = await new_member("streamer", live=True), await new_member("나비", points=100)
    donor = await conversation.connect(nabi)

    answers = await asyncio.gather(
        *(donor.call("donation.give", _gift(100)) for _ in range(20)), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == 19
    assert {error.code for error in refused} == {"points.insufficient"}
    assert (await Ledger(pool).balance(streamer.id)).earnings == 100


async def test_a_channel_off_air_is_given_nothing_and_a_retry_after_the_end_hears_what_the_first_try_heard(
    conversation, new_member, pool
):
    streamer = await new_member("streamer", live=True)
    nabi = await new_member("나비", points=300)
    donor = await conversation.connect(nabi)
    gift = _gift(100)
    answer = await donor.call("donation.give", gift)
    await pool.execute("UPDATE broadcast SET ended_at = now()")

    refused = await _refusal(donor.call("donation.give", _gift(100)))

    assert (refused.code, refused.number, refused.data["retry"]) == ("channel.off_air", 0x201, False)
    assert await donor.call("donation.give", gift) == answer
    assert (await Ledger(pool).balance(nabi.id)).points == 200
    assert (await Ledger(pool).balance(streamer.id)).earnings == 100


async def test_an_anonymous_gift_shows_no_name(conversation, new_member):
    await new_member("streamer", live=True)
    donor = await conversation.connect(await new_member("나비", points=300))
    seen = donor.watch("chat.watch", {"channel": "streamer"})
    gift = _gift(1, "누구게", anonymous=True)

    await donor.call("donation.give", gift)
    refused = await _refusal(donor.call("donation.give", {**gift, "anonymous": False}))

    assert (await seen.next("donated"))["from"] == {"nickname": "", "roles": []}
    assert refused.code == "transfer.id_reused"


async def test_direction_marks_in_a_message_do_not_reach_the_room(conversation, new_member):
    await new_member("streamer", live=True)
    donor = await conversation.connect(await new_member("나비", points=300))
    seen = donor.watch("chat.watch", {"channel": "streamer"})

    await donor.call("donation.give", _gift(1, "a\u202eb\u200bc"))

    assert (await seen.next("donated"))["text"] == "abc"


async def test_donations_of_one_member_have_a_rate(conversation, new_member, pool, time_stands):
    await new_member("streamer", live=True)
    donor = await conversation.connect(await new_member("나비"))

    codes = [(await _refusal(donor.call("donation.give", _gift()))).code for _ in range(GIVE_BURST + 1)]

    assert codes == ["points.insufficient"] * GIVE_BURST + ["limit.too_fast"]
    assert await pool.fetchval("SELECT count(*) FROM donation") == GIVE_BURST


async def test_who_is_banned_gives_nothing_new_and_hears_the_old_answer_again(conversation, new_member, pool):
    streamer, nabi = await new_member("streamer", live=True), await new_member("나비", points=100)
    talker = await conversation.connect(nabi)
    given = {"id": str(uuid.uuid4()), "channel": "streamer", "points": 10, "text": "meow"}
    first = await talker.call("donation.give", given)
    await Acts(pool).do(Act(channel_id=streamer.id, actor_id=streamer.id, action=Action.BAN, target_id=nabi.id))
    conversation.laws.forget(streamer.id, nabi.id)

    again = await talker.call("donation.give", given)
    with pytest.raises(Exception) as refused:
        await talker.call("donation.give", {**given, "id": str(uuid.uuid4())})

    assert again == first
    assert refused.value.code == "chat.banned"
    assert (await Ledger(pool).balance(nabi.id)).points == 90
