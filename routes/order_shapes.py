"""Core: the words on the wire about top-up orders: bodies as bounded shapes, as in routes/wire.py."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import TYPE_CHECKING, Annotated
from uuid import UUID  # noqa: TC003 - see above.

from msgspec import Meta, Struct

from db.order import REFUND_TIME, State
from db.product import PRODUCTS, vat_won
from routes import qr

if TYPE_CHECKING:
    from db.order import Order

PRODUCT_CHARS_MAX = 32
"""Characters of a product's id; ours have four."""

TOKEN_CHARS_MAX = 100
"""Characters of the token a customer comes back with; KakaoPay's have 20."""

Token = Annotated[str, Meta(min_length=1, max_length=TOKEN_CHARS_MAX, pattern=r"\A[!-~]+\Z")]


class PlaceOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/points/orders: the price is ours, so there is no field for it, and one is refused."""

    id: UUID
    product: Annotated[str, Meta(max_length=PRODUCT_CHARS_MAX)] | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class ProductView(Struct, frozen=True):
    """One pack of points; `amount_won` is what is paid, and holds `vat_won`."""

    id: str
    points: int
    amount_won: int
    vat_won: int


class ProductList(Struct, frozen=True):
    """GET /api/points/products. `payments` is who takes the money: with `sandbox` none moves."""

    products: list[ProductView]
    payments: str


class PayLinks(Struct, frozen=True):
    """Where to pay, for a PC, a phone's browser, a phone with the app."""

    pc: str
    mobile: str
    app: str


class OrderView(Struct, frozen=True):
    """An order as its member sees it, its receipt included.

    `pay` and `qr` (an SVG of `pay.mobile`) are there while it can be paid, until `expires_at`; `now` is the server's
    clock, to count down by. `paid_at`, `receipt` (the provider's number) and `method` are there once it was paid,
    `refundable_until` while it may be taken back.
    """

    id: UUID
    state: str
    product: str
    points: int
    amount_won: int
    vat_won: int
    created_at: datetime
    expires_at: datetime
    now: datetime
    pay: PayLinks | None
    qr: str | None
    paid_at: datetime | None
    receipt: str | None
    method: str | None
    refundable_until: datetime | None
    refunded_at: datetime | None


class OrderList(Struct, frozen=True):
    """GET /api/points/orders, newest first. `next` is the cursor of the following page, null on the last one."""

    orders: list[OrderView]
    next: str | None = None


def product_list(payments: str) -> ProductList:
    """Show the price list."""
    return ProductList(
        products=[
            ProductView(id=each.id, points=each.points, amount_won=each.amount_won, vat_won=vat_won(each.amount_won))
            for each in PRODUCTS.values()
        ],
        payments=payments,
    )


def view(order: Order, now: datetime, *, with_qr: bool = True) -> OrderView:
    """Show an order to its member."""
    links = order.links if order.state is State.READY else None
    is_paid = order.state is State.PAID and order.paid_at is not None
    return OrderView(
        id=order.id,
        state=order.state.value,
        product=order.product,
        points=order.points,
        amount_won=order.amount_won,
        vat_won=vat_won(order.amount_won),
        created_at=order.created_at,
        expires_at=order.expires_at,
        now=now,
        pay=PayLinks(pc=links.pc, mobile=links.mobile, app=links.app) if links else None,
        qr=qr.svg(links.mobile) if links and with_qr else None,
        paid_at=order.paid_at,
        receipt=order.receipt,
        method=order.method,
        refundable_until=order.paid_at + REFUND_TIME if is_paid and order.paid_at else None,
        refunded_at=order.refunded_at,
    )
