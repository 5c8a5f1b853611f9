"""Shell: members in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from datetime import UTC, datetime

import pytest

from db.act import Act, Action
from db.acts import Acts
from db.bot_tokens import BotTokens
from db.channel import ChannelUnknown
from db.channels import Channels
from db.follows import Follows
from db.ledger import Ledger
from db.member import LoginIdTaken, Member, MemberUnknown, NicknameTaken
from db.members import Members
from db.order_errors import OrderState
from db.orders import Orders
from db.payout import PayoutPending
from db.payouts import Payouts
from db.product import PRODUCTS
from db.transfer import Balance, WalletUnknown


def new(login_id: str, nickname: str) -> dict:
    return {
        "login_id": login_id,
        "nickname": nickname,
        "password_hash": f"hash of {login_id}",
        "stream_key_hash": hashlib.sha256(login_id.encode()).digest(),
    }


@pytest.fixture
def members(pool) -> Members:
    return Members(pool)


async def test_a_member_has_a_channel_and_two_empty_pockets_from_the_start(pool, members):
    member = await members.add(**new("nyang", "냥냥"))

    assert Member(member.id, "냥냥", frozenset()) == member
    assert member == await members.by_id(member.id)
    assert member == await members.by_nickname("냥냥")
    channel = await Channels(pool).by_nickname("냥냥")
    assert channel is not None
    assert (member.id, False) == (channel.id, channel.on_air)
    assert Balance(points=0, earnings=0) == await Ledger(pool).balance(member.id)


async def test_what_a_login_is_judged_by(pool, members):
    member = await members.add(**new("nyang", "냥냥"))

    credentials = await members.credentials("nyang")
    assert credentials is not None
    assert (member, "hash of nyang", False) == (credentials.member, credentials.password_hash, credentials.banned)
    assert await members.credentials("NYANG") is None
    assert await members.credentials("nobody") is None

    await members.set_password_hash(member.id, "another")
    credentials = await members.credentials("nyang")
    assert credentials is not None
    assert "another" == credentials.password_hash


async def test_roles_come_from_the_row(pool, members):
    member = await members.add(**new("nyang", "냥냥"))
    await pool.execute("UPDATE member SET roles = '{operator}' WHERE id = $1", member.id)

    assert Member(member.id, "냥냥", frozenset({"operator"})) == await members.by_id(member.id)


async def test_a_taken_login_id_and_a_taken_nickname_are_told_apart(pool, members):
    await members.add(**new("nyang", "Nyan"))

    with pytest.raises(LoginIdTaken, match="nyang"):
        await members.add(**new("nyang", "another"))
    with pytest.raises(NicknameTaken, match="nYAN"):
        await members.add(**new("other", "nYAN"))  # reads the same
    assert 1 == await members.count()
    # Nothing of the refused is left.
    assert 1 == await pool.fetchval("SELECT count(*) FROM channel")
    assert 2 == await pool.fetchval("SELECT count(*) FROM account WHERE kind < 9")


async def test_of_twenty_who_take_one_name_at_once_one_gets_it(pool, members):
    answers = await asyncio.gather(
        *(members.add(**new(f"login_{number}", "냥냥")) for number in range(20)), return_exceptions=True
    )

    assert 1 == sum(isinstance(answer, Member) for answer in answers)
    assert 19 == sum(isinstance(answer, NicknameTaken) for answer in answers)
    assert 1 == await members.count()


async def test_two_members_cannot_have_one_stream_key(pool, members):
    await members.add(**new("nyang", "냥냥"))

    with pytest.raises(Exception, match="channel_stream_key_unique"):
        await members.add(**{**new("other", "other"), "stream_key_hash": hashlib.sha256(b"nyang").digest()})


async def test_a_banned_member_is_known_and_marked(pool, members):
    member = await members.add(**new("nyang", "Nyan"))
    assert not await members.is_banned(member.id)

    assert member == await members.ban("NYAN")
    first = await pool.fetchval("SELECT banned_at FROM member")
    assert member == await members.ban("Nyan")

    credentials = await members.credentials("nyang")
    assert credentials is not None
    assert credentials.banned
    assert await members.is_banned(member.id)
    assert first == await pool.fetchval("SELECT banned_at FROM member")


async def test_nobody_is_found_where_nobody_is(pool, members):
    assert await members.by_id(7) is None
    assert await members.by_nickname("냥냥") is None
    assert await members.is_banned(7)
    with pytest.raises(MemberUnknown, match="7"):
        await members.set_password_hash(7, "hash")
    with pytest.raises(MemberUnknown, match="냥냥"):
        await members.ban("냥냥")


async def test_a_member_who_has_left_is_found_no_more(pool, members):
    member = await members.add(**new("nyang", "냥냥"))
    await pool.execute("UPDATE member SET erased_at = now()")

    assert await members.by_id(member.id) is None
    assert await members.by_nickname("냥냥") is None
    assert await members.credentials("nyang") is None
    assert 0 == await members.count()
    with pytest.raises(MemberUnknown):
        await members.ban("냥냥")


async def test_who_has_just_gone_is_told(pool, people):
    banned, erased, long_ago, stays = await people(4)
    await pool.execute("UPDATE member SET banned_at = now() - interval '5 seconds' WHERE id = $1", banned)
    await pool.execute("UPDATE member SET erased_at = now() WHERE id = $1", erased)
    await pool.execute("UPDATE member SET banned_at = now() - interval '1 hour' WHERE id = $1", long_ago)

    assert set(await Members(pool).gone_within(60.0)) == {banned, erased}
    assert stays not in await Members(pool).gone_within(7_200.0)


async def test_who_leaves_leaves_no_word_and_no_name(pool, people, ledger, gift):
    nabi, mimi = await people(2, 100)
    await ledger.give(gift(nabi, mimi, 60, "my words"), b"{}")
    await pool.execute("UPDATE channel SET title = 'my title' WHERE id = $1", nabi)
    await Follows(pool).add(nabi, mimi)
    await Follows(pool).add(mimi, nabi)
    acts = Acts(pool)
    await acts.do(Act(channel_id=mimi, actor_id=mimi, action=Action.REMOVE, target_id=nabi, words="my line"))
    await acts.do(Act(channel_id=nabi, actor_id=nabi, action=Action.PIN, words="my notice"))
    await BotTokens(pool).add(nabi, name="my bot", scopes=frozenset({"chat:read"}), token_hash=bytes(32))
    names = dict(await pool.fetchrow("SELECT login_id, nickname, nickname_key FROM member WHERE id = $1", nabi))
    members = Members(pool)

    for _ in range(2):
        await members.erase(nabi)
    # What was on its way meanwhile.
    with pytest.raises(ChannelUnknown):
        await Channels(pool).edit(nabi, title="my title")
    with pytest.raises(MemberUnknown):
        await acts.do(Act(channel_id=nabi, actor_id=nabi, action=Action.PIN, words="my notice"))
    with pytest.raises(MemberUnknown):
        await BotTokens(pool).add(nabi, name="my bot", scopes=frozenset({"chat:read"}), token_hash=bytes(32))

    assert await members.by_id(nabi) is None
    assert await members.by_nickname(names["nickname"]) is None
    assert await members.is_banned(nabi)
    assert await BotTokens(pool).find(bytes(32)) is None
    for table in ("member", "channel", "follow", "donation", "moderation_act", "channel_rules", "bot_token"):
        rows = str(await pool.fetch(f"SELECT * FROM {table}"))
        assert "my " not in rows, table
        assert names["nickname"] not in rows, table
    assert await pool.fetchval("SELECT count(*) FROM follow") == 0
    assert (await ledger.balance(mimi)).earnings == 60
    assert await ledger.audit() == []


async def test_nobody_becomes_somebody_who_has_left(pool):
    members = Members(pool)
    given = {"login_id": "nabi_1", "nickname": "나비", "password_hash": "-", "stream_key_hash": bytes(32)}
    await members.erase((await members.add(**given)).id)

    with pytest.raises(NicknameTaken):
        await members.add(**{**given, "login_id": "nabi_2"})
    assert await members.add(**{**given, "nickname": "나비2"})


@pytest.mark.parametrize("state", ["created", "ready"])
async def test_a_payment_that_nobody_confirmed_ends_with_the_member(pool, people, state):
    [nabi] = await people(1, 100)
    orders, order_id, now = Orders(pool), uuid.uuid4(), datetime.now(UTC)
    await orders.create(order_id, nabi, PRODUCTS["100"], provider="sandbox", cid="-", now=now)
    await pool.execute(
        "UPDATE point_order SET state = $1, tid = 't', pay_pc = '-', pay_mobile = '-', pay_app = '-'", state
    )
    await Members(pool).erase(nabi)

    order = await orders.find(order_id)
    assert order.state == "canceled"
    with pytest.raises(WalletUnknown):
        await orders.create(uuid.uuid4(), nabi, PRODUCTS["100"], provider="sandbox", cid="-", now=now)


@pytest.mark.parametrize("state", ["approving", "voiding", "review", "failed"])
async def test_nobody_leaves_while_money_is_on_its_way(pool, people, state):
    [nabi] = await people(1, 100)
    await Orders(pool).create(uuid.uuid4(), nabi, PRODUCTS["100"], provider="sandbox", cid="-", now=datetime.now(UTC))
    await pool.execute("UPDATE point_order SET state = $1, pg_token = '-', returned_at = now()", state)

    with pytest.raises(OrderState):
        await Members(pool).erase(nabi)
    assert await Members(pool).by_id(nabi) is not None

    # What has ended and was looked at for the last time keeps nobody.
    await pool.execute("UPDATE point_order SET state = 'failed', next_check_at = NULL")
    await Members(pool).erase(nabi)


async def test_nobody_leaves_while_a_payout_is_held(pool, people, ledger, gift):
    nabi, streamer = await people(2, 100)
    payouts, first, second = Payouts(pool), uuid.uuid4(), uuid.uuid4()
    await ledger.give(gift(nabi, streamer, 100), b"{}")
    for payout_id in (first, second):
        await payouts.begin(payout_id, streamer, 50, "")
    await payouts.end(first, "", is_paid=True)

    with pytest.raises(PayoutPending):
        await Members(pool).erase(streamer)
    await payouts.end(second, "", is_paid=False)
    await Members(pool).erase(streamer)

    with pytest.raises(WalletUnknown):
        await payouts.begin(uuid.uuid4(), streamer, 50, "")
