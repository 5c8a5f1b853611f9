"""Core: how much may be paid out, and each refusal in its own words."""

from __future__ import annotations

import uuid

import pytest

from db.payout import (
    PAYOUT_POINTS_MAX,
    PayoutAmount,
    PayoutEnded,
    PayoutError,
    PayoutIdReused,
    PayoutPending,
    PayoutShort,
    PayoutUnknown,
    Step,
    check_payout,
)

ID = uuid.UUID(int=7)


@pytest.mark.parametrize("points", [1, PAYOUT_POINTS_MAX])
def test_a_payout_is_of_a_point_or_more(points):
    assert points == check_payout(points)


@pytest.mark.parametrize("points", [0, -1, PAYOUT_POINTS_MAX + 1])
def test_other_amounts_are_refused(points):
    with pytest.raises(PayoutAmount) as refused:
        check_payout(points)

    assert points == refused.value.points
    assert f"{points} points are not 1 to {PAYOUT_POINTS_MAX}" == str(refused.value)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PayoutUnknown(ID), f"no such payout: {ID}"),
        (PayoutIdReused(ID), f"id {ID} was used for another payout"),
        (PayoutShort(5), "fewer than 5 points in the earnings"),
        (PayoutEnded(Step.PAID), "the payout is paid"),
        (PayoutPending(), "a payout is under way"),
    ],
)
def test_an_error_builds_its_own_text(error, text):
    assert isinstance(error, PayoutError)
    assert str(error) == text
