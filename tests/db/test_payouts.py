"""Payouts in a real PostgreSQL: each step once, whoever asks how often, and the books balance between them."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from db.errors import StoreUnavailable, StoreUnknown
from db.ledger import Ledger
from db.payout import PayoutAmount, PayoutEnded, PayoutIdReused, PayoutShort, PayoutUnknown, Step
from db.payouts import Payouts
from db.seal import Proof
from db.seals import Seals
from db.transfer import EarningsShort, WalletUnknown


@pytest.fixture
def payouts(pool):
    return Payouts(pool)


@pytest.fixture
async def streamer(people, ledger, gift):
    """A streamer who has earned 300 points."""
    donor, streamer = await people(2, 300)
    await ledger.give(gift(donor, streamer, 300), b"{}")
    return streamer


@pytest.fixture
def pockets(pool):
    """A function: what a member has in earnings and hold, and what the house has paid out."""

    async def look(member):
        rows = await pool.fetch("SELECT id, balance FROM account")
        balances = {row["id"]: row["balance"] for row in rows}
        return (balances[member * 16 + 2], balances.get(member * 16 + 3, 0), balances[10])

    return look


async def test_earnings_are_held_and_then_paid(payouts, streamer, pockets, pool):
    payout_id = uuid.uuid4()

    asked = await asyncio.gather(*(payouts.begin(payout_id, streamer, 200, "November") for _ in range(10)))
    assert (100, 200, 0) == await pockets(streamer)
    assert asked[:1] == await payouts.held()
    assert [] == await Ledger(pool).audit()
    paid = await asyncio.gather(*(payouts.end(payout_id, "bank 17", is_paid=True) for _ in range(10)))

    assert (100, 0, 200) == await pockets(streamer)
    assert {(Step.HELD, None)} == {(each.step, each.ended_at) for each in asked}
    assert {(Step.PAID, "November", "bank 17")} == {(each.step, each.note, each.end_note) for each in paid}
    assert [] == await payouts.held()
    # What the first try heard, the retry hears, also when the earnings are empty.
    assert paid[0] == await payouts.begin(payout_id, streamer, 200, "November")
    with pytest.raises(PayoutEnded):
        await payouts.end(payout_id, "", is_paid=False)
    assert (100, 0, 200) == await pockets(streamer)
    [out, _] = await Ledger(pool).history(streamer, limit=2)
    assert ("payout", "earnings", -200, 100) == (out.kind, out.account, out.points, out.balance_after)


async def test_what_was_not_paid_goes_back(payouts, streamer, pockets, pool):
    payout_id = uuid.uuid4()
    await payouts.begin(payout_id, streamer, 300, "")

    for _ in range(2):
        assert Step.RETURNED is (await payouts.end(payout_id, "wrong number", is_paid=False)).step

    assert (300, 0, 0) == await pockets(streamer)
    with pytest.raises(PayoutEnded) as ended:
        await payouts.end(payout_id, "", is_paid=True)
    assert Step.RETURNED is ended.value.step
    assert ["payout_returned", "payout"] == [entry.kind for entry in await Ledger(pool).history(streamer, limit=2)]
    await payouts.begin(uuid.uuid4(), streamer, 300, "")


async def test_a_step_that_cannot_be_read_afterwards_is_not_said_to_be_undone(payouts, streamer, pockets, monkeypatch):
    async def away(_payout_id):
        raise StoreUnavailable("restarts")

    payout_id = uuid.uuid4()
    monkeypatch.setattr(payouts, "get", away)

    with pytest.raises(StoreUnknown):
        await payouts.begin(payout_id, streamer, 200, "")
    assert (100, 200, 0) == await pockets(streamer)
    with pytest.raises(StoreUnknown):
        await payouts.end(payout_id, "", is_paid=True)
    assert (100, 0, 200) == await pockets(streamer)


async def test_an_export_with_payouts_is_proved(payouts, streamer, pool):
    for is_paid in (True, False):
        payout_id = uuid.uuid4()
        await payouts.begin(payout_id, streamer, 100, "")
        await payouts.end(payout_id, "", is_paid=is_paid)
    await payouts.begin(uuid.uuid4(), streamer, 100, "")
    lines: list[str] = []
    await Seals(pool).seal_all()
    await Seals(pool).export(lines.append)

    proof = Proof()
    for line in "".join(lines).splitlines(keepends=True):
        proof.feed(line)

    assert [] == proof.finish()
    assert 8 == proof.transfers  # two grants, the donation, five steps


async def test_paid_and_returned_at_once_is_one_of_them(payouts, streamer, pockets):
    for is_paid in (True, False) * 5:
        payout_id = uuid.uuid4()
        await payouts.begin(payout_id, streamer, 10, "")
        answers = await asyncio.gather(
            *(payouts.end(payout_id, "", is_paid=way is is_paid) for way in (True, False)), return_exceptions=True
        )
        assert 1 == [type(each) for each in answers].count(PayoutEnded)

    earnings, held, paid_out = await pockets(streamer)
    assert (300, 0) == (earnings + paid_out, held)


async def test_what_cannot_be_paid_out_moves_nothing(payouts, streamer, people, pockets, pool):
    [other] = await people(1)
    taken = uuid.uuid4()
    await payouts.begin(taken, streamer, 100, "")
    before = await pool.fetchval("SELECT count(*) FROM transfer")

    for payout_id, member, points, error in (
        (uuid.uuid4(), streamer, 201, PayoutShort),
        (uuid.uuid4(), streamer, 0, PayoutAmount),
        (uuid.uuid4(), streamer, -5, PayoutAmount),
        (uuid.uuid4(), streamer, 10**13, PayoutAmount),
        (uuid.uuid4(), other, 1, PayoutShort),
        (uuid.uuid4(), 10**9, 1, WalletUnknown),
        (taken, streamer, 99, PayoutIdReused),
        (taken, other, 100, PayoutIdReused),
    ):
        with pytest.raises(error):
            await payouts.begin(payout_id, member, points, "")
    for is_paid in (True, False):
        with pytest.raises(PayoutUnknown):
            await payouts.end(uuid.uuid4(), "", is_paid=is_paid)
    with pytest.raises(PayoutUnknown):
        await payouts.get(uuid.uuid4())

    assert (200, 100, 0) == await pockets(streamer)
    assert before == await pool.fetchval("SELECT count(*) FROM transfer")


async def test_an_id_that_two_members_want_at_once_is_one_payout(payouts, people, ledger, gift, pool):
    donor, *streamers = await people(5, 400)
    for streamer in streamers:
        await ledger.give(gift(donor, streamer, 100), b"{}")
    payout_id = uuid.uuid4()

    answers = await asyncio.gather(
        *(payouts.begin(payout_id, streamer, 100, "") for streamer in streamers), return_exceptions=True
    )

    assert [PayoutIdReused] * 3 == [type(each) for each in answers if isinstance(each, Exception)]
    assert 1 == await pool.fetchval("SELECT count(*) FROM transfer WHERE kind = 6")


async def test_payouts_and_refunds_at_once_share_the_earnings(payouts, streamer, ledger, pool):
    [donation] = await ledger.donations(streamer)

    answers = await asyncio.gather(
        ledger.refund(donation.id, streamer, ""),
        *(payouts.begin(uuid.uuid4(), streamer, 100, "") for _ in range(3)),
        return_exceptions=True,
    )

    refused = [each for each in answers if isinstance(each, Exception)]
    assert {type(each) for each in refused} in ({PayoutShort}, {EarningsShort})
    assert 0 <= await pool.fetchval("SELECT min(balance) FROM account WHERE owner_id > 0")
