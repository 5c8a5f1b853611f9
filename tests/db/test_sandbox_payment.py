"""Core: where a customer of the sandbox goes, by how the payment stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.order import LIFETIME, Standing
from db.sandbox_payment import Payment

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def payment(standing, **fields):
    return Payment(
        **{
            "tid": "T1",
            "cid": "TC0ONETIME",
            "order_id": "order",
            "member_id": "3",
            "item": "100P",
            "total_won": 1_200,
            "vat_won": 109,
            "approval_url": "https://shop/return",
            "cancel_url": "https://shop/cancel",
            "fail_url": "https://shop/fail",
            "standing": standing,
            "pg_token": "a b",
            "phone": None,
            "aid": None,
            "captured_won": 0,
            "canceled_won": 0,
            "created_at": NOON,
            "approved_at": None,
            "canceled_at": None,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("standing", "following"),
    [
        (Standing.WAITING, None),
        (Standing.AUTHORISED, "https://shop/return?pg_token=a+b"),
        (Standing.CAPTURED, "https://shop/return?pg_token=a+b"),
        (Standing.QUIT, "https://shop/cancel"),
        (Standing.FAILED, "https://shop/fail"),
        (Standing.CANCELED, None),
        (Standing.PART_CANCELED, None),
    ],
)
def test_the_customer_is_led_by_how_the_payment_stands(standing, following):
    assert payment(standing).next == following
    assert payment(standing).is_over(NOON) == (standing is not Standing.WAITING)


def test_a_token_is_added_to_what_the_shop_asked_for():
    asked = payment(Standing.AUTHORISED, approval_url="https://shop/return?order=1")

    assert asked.next == "https://shop/return?order=1&pg_token=a+b"


def test_a_payment_is_over_after_its_time():
    assert not payment(Standing.WAITING).is_over(NOON + LIFETIME - timedelta(seconds=1))
    assert payment(Standing.WAITING).is_over(NOON + LIFETIME)
