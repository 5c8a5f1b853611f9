"""Door: HTTP: the sandbox's API: KakaoPay's protocol for one-off payments, as a shop's server speaks it.

It has its own memory and knows nothing of our orders but what is sent. Its doors are opened only where COMMEOW_PAYMENTS
is `sandbox`.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from db.order import Standing
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import read_body
from routes.sandbox_pages import ROOT, base_of
from routes.settings import KAKAOPAY_TEST_CID
from routes.top_ups import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from db.sandbox_payment import Payment
    from db.sandbox_payments import SandboxPayments

AMOUNT_WON_MAX: Final = 2_000_000
"""Won of one payment: KakaoPay's wallets hold no more."""

STATUSES: Final = {
    Standing.WAITING: "READY",
    Standing.AUTHORISED: "AUTH_PASSWORD",
    Standing.CAPTURED: "SUCCESS_PAYMENT",
    Standing.PART_CANCELED: "PART_CANCEL_PAYMENT",
    Standing.CANCELED: "CANCEL_PAYMENT",
    Standing.QUIT: "QUIT_PAYMENT",
    Standing.FAILED: "FAIL_PAYMENT",
}
"""How the API says where a payment stands."""

# The numbers of refusals that are known from the API.

ALREADY_DONE: Final = -702
EXPIRED: Final = -723
NOT_FOUND: Final = -721
UNAUTHORISED: Final = -401
MISFIT: Final = -710

Text100 = Annotated[str, Meta(min_length=1, max_length=100)]
Url255 = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\Ahttps?://")]
Won = Annotated[int, Meta(ge=0, le=AMOUNT_WON_MAX)]


class Ready(Struct, frozen=True):
    """POST ready."""

    cid: Text100
    partner_order_id: Text100
    partner_user_id: Text100
    item_name: Text100
    quantity: Annotated[int, Meta(ge=1, le=1_000)]
    total_amount: Annotated[int, Meta(ge=1, le=AMOUNT_WON_MAX)]
    tax_free_amount: Won
    approval_url: Url255
    cancel_url: Url255
    fail_url: Url255
    vat_amount: Won = 0


class Approve(Struct, frozen=True):
    """POST approve."""

    cid: Text100
    tid: Text100
    partner_order_id: Text100
    partner_user_id: Text100
    pg_token: Text100
    total_amount: Won | None = None


class Find(Struct, frozen=True):
    """POST order."""

    cid: Text100
    tid: Text100


class Cancel(Struct, frozen=True):
    """POST cancel."""

    cid: Text100
    tid: Text100
    cancel_amount: Won
    cancel_tax_free_amount: Won
    cancel_available_amount: Won | None = None


class SandboxApi:
    """What its one merchant's server asks; `secret_key` is what that one shows."""

    def __init__(self, payments: SandboxPayments, secret_key: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._payments = payments
        self._authorization = f"SECRET_KEY {secret_key}"
        self._now = now

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="POST",
                path=f"{ROOT}/online/v1/payment/{name}",
                who=Who.ANYONE,
                handle=self._for_merchant(act),
                words=f"The sandbox's API: {name}.",
            )
            for name, act in (
                ("ready", self._ready),
                ("approve", self._approve),
                ("order", self._order),
                ("cancel", self._cancel),
            )
        ]

    def _for_merchant(
        self, act: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            given = request.headers.get(hdrs.AUTHORIZATION, "")
            if not hmac.compare_digest(given.encode(), self._authorization.encode()):
                return _no(UNAUTHORISED, "secret key", status=401)
            return await act(request)

        return handle

    async def _ready(self, request: web.Request) -> web.Response:
        asked = await read_body(request, Ready)
        if asked.cid != KAKAOPAY_TEST_CID:
            return _no(MISFIT, "only the test merchant may practise here")
        tid = ("T" + secrets.token_hex(10).upper())[:20]
        now = self._now()
        await self._payments.begin(
            tid,
            cid=asked.cid,
            order_id=asked.partner_order_id,
            member_id=asked.partner_user_id,
            item=asked.item_name,
            total_won=asked.total_amount,
            vat_won=asked.vat_amount,
            approval_url=asked.approval_url,
            cancel_url=asked.cancel_url,
            fail_url=asked.fail_url,
            now=now,
        )
        base = base_of(asked.approval_url)
        return _json(
            {
                "tid": tid,
                "next_redirect_pc_url": f"{base}/pc/{tid}",
                "next_redirect_mobile_url": f"{base}/mobile/{tid}",
                "next_redirect_app_url": f"{base}/app/{tid}",
                "android_app_scheme": f"commeow-sandbox://pay/{tid}",
                "ios_app_scheme": f"commeow-sandbox://pay/{tid}",
                "created_at": _stamp(now),
            }
        )

    async def _approve(self, request: web.Request) -> web.Response:
        asked = await read_body(request, Approve)
        payment = await self._own(asked.tid, asked.cid)
        if payment is None:
            return _no(NOT_FOUND, "no such payment")
        if (asked.partner_order_id, asked.partner_user_id) != (payment.order_id, payment.member_id):
            return _no(MISFIT, "another order's or user's payment")
        if asked.total_amount not in {None, payment.total_won}:
            return _no(MISFIT, "another amount than at ready")
        if payment.standing is Standing.CAPTURED:
            return _no(ALREADY_DONE, "already approved")
        taken = await self._payments.capture(asked.tid, asked.pg_token, payment.total_won, _aid(), now=self._now())
        if taken is None:
            return _no(MISFIT, "not agreed to, or another token")
        return _json(
            {
                **_whole(taken),
                "aid": taken.aid,
                "item_name": taken.item,
                "quantity": 1,
                "amount": _amount(taken.captured_won, taken.vat_won),
                "created_at": _stamp(taken.created_at),
                "approved_at": _stamp(taken.approved_at),
            }
        )

    async def _order(self, request: web.Request) -> web.Response:
        asked = await read_body(request, Find)
        payment = await self._own(asked.tid, asked.cid)
        if payment is None:
            return _no(NOT_FOUND, "no such payment")
        details = []
        if payment.aid is not None:
            details.append(
                {
                    "aid": payment.aid,
                    "approved_at": _stamp(payment.approved_at),
                    "amount": payment.captured_won,
                    "payment_action_type": "PAYMENT",
                }
            )
        return _json(
            {
                **_whole(payment),
                "status": _status(payment),
                "item_name": payment.item,
                "quantity": 1,
                "amount": _amount(payment.captured_won or payment.total_won, payment.vat_won),
                "canceled_amount": _amount(payment.canceled_won, 0),
                "cancel_available_amount": _amount(payment.captured_won - payment.canceled_won, 0),
                "payment_action_details": details,
                "created_at": _stamp(payment.created_at),
                "approved_at": _stamp(payment.approved_at),
                "canceled_at": _stamp(payment.canceled_at),
            }
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        asked = await read_body(request, Cancel)
        if await self._own(asked.tid, asked.cid) is None:
            return _no(NOT_FOUND, "no such payment")
        left = await self._payments.cancel(
            asked.tid, asked.cancel_amount, asked.cancel_available_amount, now=self._now()
        )
        if left is None:
            return _no(ALREADY_DONE, "not so much is left")
        return _json(
            {
                **_whole(left),
                "aid": _aid(),
                "status": _status(left),
                "approved_cancel_amount": _amount(asked.cancel_amount, 0),
                "canceled_amount": _amount(left.canceled_won, 0),
                "cancel_available_amount": _amount(left.captured_won - left.canceled_won, 0),
                "canceled_at": _stamp(left.canceled_at),
            }
        )

    async def _own(self, tid: str, cid: str) -> Payment | None:
        payment = await self._payments.find(tid)
        return payment if payment is not None and payment.cid == cid else None


def _status(payment: Payment) -> str:
    if payment.standing is Standing.WAITING and payment.phone is not None:
        return "SEND_TMS"
    return STATUSES[payment.standing]


def _whole(payment: Payment) -> dict[str, Any]:
    return {
        "tid": payment.tid,
        "cid": payment.cid,
        "partner_order_id": payment.order_id,
        "partner_user_id": payment.member_id,
        "payment_method_type": "MONEY",
    }


def _amount(total: int, vat: int) -> dict[str, int]:
    return {"total": total, "tax_free": 0, "vat": vat, "point": 0, "discount": 0, "green_deposit": 0}


def _aid() -> str:
    return ("A" + secrets.token_hex(10).upper())[:20]


def _stamp(moment: datetime | None) -> str | None:
    """Write a time as KakaoPay does: in Korea, without saying so."""
    return None if moment is None else f"{(moment + timedelta(hours=9)).replace(tzinfo=None):%Y-%m-%dT%H:%M:%S}"


def _no(code: int, words: str, *, status: int = 400) -> web.Response:
    """Refuse as KakaoPay does: a status, a number, words."""
    return _json({"error_code": code, "error_message": words}, status)


def _json(shape: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(shape), status=status, content_type="application/json")
