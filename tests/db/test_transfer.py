"""Core: the rules of a donation that need no look at the books."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.transfer import (
    MEMBER_ID_MAX,
    AmountOutOfRange,
    Donation,
    DonationToSelf,
    IdReused,
    InsufficientPoints,
    MessageShape,
    MessageTooLong,
    StreamerUnknown,
    TransferError,
    WalletUnknown,
    account_name,
    check_points,
    donation,
)

ID = uuid.UUID(int=7)


@pytest.mark.parametrize("points", [1, 2, 999_999, 1_000_000])
def test_a_donation_within_the_rules_is_planned(points):
    assert Donation(ID, 1, 2, points, "힘내 냥") == donation(ID, 1, 2, points, " 힘내\n냥 ")


@pytest.mark.parametrize("points", [0, -1, -(10**30), 1_000_001, 2**31, 10**30])
def test_an_amount_out_of_range_is_refused(points):
    with pytest.raises(AmountOutOfRange, match=f"^{points} points are not 1 to 1000000$"):
        donation(ID, 1, 2, points, "")
    with pytest.raises(AmountOutOfRange):
        check_points(points)


def test_nobody_donates_to_oneself():
    with pytest.raises(DonationToSelf, match="oneself"):
        donation(ID, 1, 1, 100, "")


@pytest.mark.parametrize("streamer_id", [0, -5, MEMBER_ID_MAX + 1])
def test_an_id_that_cannot_be_a_streamers_is_nobodys(streamer_id):
    with pytest.raises(StreamerUnknown, match=f"no such streamer: {streamer_id}"):
        donation(ID, 1, streamer_id, 100, "")


@pytest.mark.parametrize("donor_id", [0, -5, MEMBER_ID_MAX + 1])
def test_an_id_that_cannot_be_a_donors_has_no_wallet(donor_id):
    with pytest.raises(WalletUnknown, match=f"no wallet of member {donor_id}"):
        donation(ID, donor_id, 2, 100, "")


def test_the_largest_member_id_has_an_account_id_of_64_bits():
    assert donation(ID, MEMBER_ID_MAX, 2, 100, "").donor_id * 16 + 15 == 2**63 - 1


def test_a_text_has_200_characters():
    assert "냥" * 200 == donation(ID, 1, 2, 100, "냥" * 200).text
    with pytest.raises(MessageTooLong, match="201 characters, at most 200"):
        donation(ID, 1, 2, 100, "냥" * 201)


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\x7f", "\ud800"])
def test_a_text_that_the_database_cannot_keep_is_refused(text):
    with pytest.raises(MessageShape, match="not plain text"):
        donation(ID, 1, 2, 100, text)


def test_the_order_of_refusals_is_fixed():
    with pytest.raises(AmountOutOfRange):
        donation(ID, 0, 0, 0, "\x00" * 300)
    with pytest.raises(DonationToSelf):
        donation(ID, 0, 0, 1, "\x00" * 300)
    with pytest.raises(StreamerUnknown):
        donation(ID, -1, 0, 1, "\x00" * 300)
    with pytest.raises(WalletUnknown):
        donation(ID, -1, 2, 1, "\x00" * 300)
    with pytest.raises(MessageShape):
        donation(ID, 1, 2, 1, "\x00" * 300)


@given(st.integers(), st.integers(), st.integers(), st.text())
def test_every_refusal_is_of_one_family_and_every_plan_can_be_planned_again(donor_id, streamer_id, points, text):
    try:
        planned = donation(ID, donor_id, streamer_id, points, text)
    except TransferError:
        return

    assert planned == donation(ID, planned.donor_id, planned.streamer_id, planned.points, planned.text)
    assert "\x00" not in planned.text
    planned.text.encode()


def test_refusals_by_the_books_say_what_was_asked():
    assert "fewer than 5 points in the wallet" == str(InsufficientPoints(5))
    assert f"id {ID} was used for something else" == str(IdReused(ID))
    assert ID == IdReused(ID).id


def test_the_two_pockets_have_names():
    assert ["points", "earnings"] == [account_name(7 * 16 + 1), account_name(7 * 16 + 2)]
