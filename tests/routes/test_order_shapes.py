"""The words about orders: what is read, and what a member sees in each state."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from db.order import LIFETIME, REFUND_TIME, Links, Order, State
from routes.order_shapes import PRODUCT_CHARS_MAX, TOKEN_CHARS_MAX, PlaceOrder, Token, product_list, view
from routes.wire import WireShape, read
from tests.routes.qr_reader import read as read_qr

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def order(state, **fields):
    made = {
        "id": uuid.UUID(ID),
        "member_id": 3,
        "product": "100",
        "points": 100,
        "amount_won": 1_200,
        "provider": "sandbox",
        "cid": "T",
        "state": state,
        "tid": "T1",
        "links": Links("https://pay/pc", "https://pay/mobile", "https://pay/app"),
        "pg_token": "secret",
        "spare_token": None,
        "receipt": None,
        "method": None,
        "transfer_id": None,
        "checks": 0,
        "unheard_at": None,
        "calls": 0,
        "created_at": NOON,
        "state_at": NOON,
        "returned_at": None,
        "paid_at": None,
        "refunded_at": None,
    }
    return Order(**made | fields)


@pytest.mark.parametrize("product", ["100", 100])
def test_an_order_names_a_product(product):
    assert str(read(PlaceOrder, msgspec.json.encode({"id": ID, "product": product})).product) == "100"


@pytest.mark.parametrize(
    "body",
    [
        {"id": ID},
        {"product": "100"},
        {"id": "1", "product": "100"},
        {"id": 1, "product": "100"},
        {"id": ID, "product": 1.5},
        {"id": ID, "product": None},
        {"id": ID, "product": ["100"]},
        {"id": ID, "product": 2**63},
        {"id": ID, "product": "1" * (PRODUCT_CHARS_MAX + 1)},
        # The price is ours: a body that names one is not read as if it had not.
        {"id": ID, "product": "100", "amount_won": 1},
        {"id": ID, "product": "100", "points": 1_000_000},
    ],
)
def test_what_is_no_order_is_refused(body):
    with pytest.raises(WireShape):
        read(PlaceOrder, msgspec.json.encode(body))


@pytest.mark.parametrize("token", ["", "a b", "a\n", "고양이", "a" * (TOKEN_CHARS_MAX + 1), None])
def test_a_token_is_short_and_printable(token):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(token, Token)
    assert msgspec.convert("a" * TOKEN_CHARS_MAX, Token)


def test_the_price_list_says_what_is_tax_and_whether_money_moves():
    shown = product_list("sandbox")

    assert shown.payments == "sandbox"
    first = shown.products[0]
    assert (first.id, first.points, first.amount_won, first.vat_won) == ("100", 100, 1_200, 109)
    assert len(shown.products) == 6


def test_an_order_to_be_paid_shows_how():
    shown = view(order(State.READY), NOON + timedelta(seconds=1))

    assert (shown.state, shown.expires_at - shown.created_at) == ("ready", LIFETIME)
    assert (shown.pay.pc, shown.pay.mobile, shown.pay.app) == (
        "https://pay/pc",
        "https://pay/mobile",
        "https://pay/app",
    )
    assert read_qr(shown.qr) == shown.pay.mobile
    assert view(order(State.READY), NOON, with_qr=False).qr is None


@pytest.mark.parametrize("state", [state for state in State if state is not State.READY])
def test_no_other_order_shows_how_to_pay(state):
    shown = view(order(state, paid_at=NOON), NOON)

    assert (shown.pay, shown.qr) == (None, None)
    assert (shown.refundable_until is not None) == (state is State.PAID)


def test_a_paid_order_is_its_receipt():
    shown = view(order(State.PAID, paid_at=NOON, receipt="A1", method="MONEY"), NOON)

    assert (shown.receipt, shown.method, shown.amount_won, shown.vat_won) == ("A1", "MONEY", 1_200, 109)
    assert shown.refundable_until == NOON + REFUND_TIME


def test_no_token_and_no_number_of_ours_is_shown():
    shown = msgspec.json.encode(view(order(State.APPROVING), NOON))

    assert b"secret" not in shown
    assert b"member" not in shown
