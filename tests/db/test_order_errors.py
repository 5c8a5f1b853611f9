"""Core: each refusal of an order says what it is about."""

from __future__ import annotations

import uuid

import pytest

from db import order_errors
from db.order_errors import OrderError

ID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (order_errors.OrderUnknown(ID), f"no such order: {ID}"),
        (order_errors.OrderIdReused(ID), f"id {ID} was used for another order"),
        (order_errors.OrderState("paid"), "the order is paid"),
        (order_errors.OrderExpired("expired"), "the order is expired"),
        (order_errors.TokenRefused(), "the provider did not take the token"),
        (order_errors.RulingUnfounded(None), "the provider says nothing of this order"),
        (order_errors.RulingUnfounded(100), "the provider says that we keep 100 won of it"),
        (order_errors.MemberGone(), "the member has left: give the money back, then close the order"),
        (order_errors.RefundLate(7), "paid more than 7 days ago"),
        (order_errors.RefundShort(100), "fewer than 100 points in the wallet"),
        (order_errors.RefundDeclined(), "the provider declined the refund"),
        (order_errors.ProviderAway(), "no answer from the payment provider"),
        (order_errors.ProviderDeclined(), "the payment provider declined"),
        (order_errors.ProviderOther("kakaopay"), "the order is one of kakaopay"),
    ],
)
def test_an_error_builds_its_own_text(error, text):
    assert isinstance(error, OrderError)
    assert str(error) == text
