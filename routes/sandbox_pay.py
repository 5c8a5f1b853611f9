"""Door: HTTP: the sandbox's site: where customers pretend to pay, on a PC, a phone, or in what would be the app.

It is the other company in a house without one, and no money moves at it. Its doors are opened only where
COMMEOW_PAYMENTS is `sandbox`.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from db.order import LIFETIME, Standing
from routes import sandbox_pages
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import read_form
from routes.sandbox_pages import ROOT, base_of
from routes.top_ups import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from db.sandbox_payment import Payment
    from db.sandbox_payments import SandboxPayments

_PHONE = re.compile(r"\A01[016789][0-9]{7,8}\Z")


class SandboxPay:
    """What its customers see."""

    def __init__(self, payments: SandboxPayments, *, now: Callable[[], datetime] = utc_now) -> None:
        self._payments = payments
        self._now = now

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            _door("GET", f"{ROOT}/pc/{{tid}}", self._pc, "The sandbox's page for a PC: code, link, phone number."),
            _door("GET", f"{ROOT}/mobile/{{tid}}", self._mobile, "The sandbox's page for a phone."),
            _door("GET", f"{ROOT}/app/{{tid}}", self._mobile, "Where the sandbox's app would open."),
            _door("GET", f"{ROOT}/state/{{tid}}", self._state, "Where the sandbox's PC page goes next, if at all."),
            _door("POST", f"{ROOT}/phone/{{tid}}", self._phone, "Send the payment to a phone number."),
            _door("POST", f"{ROOT}/pay/{{tid}}", self._pay, "Agree to pay, give up, or fail; back to the shop."),
        ]

    async def _pc(self, request: web.Request) -> web.StreamResponse:
        payment = await self._visited(request)
        following = payment.next
        if following is not None:
            raise web.HTTPSeeOther(following)
        if payment.is_over(self._now()):
            return _page(payment, sandbox_pages.over(payment))
        wrong = "phone" in request.query
        return _page(payment, sandbox_pages.pc(payment, base=base_of(payment.approval_url), phone_wrong=wrong))

    async def _mobile(self, request: web.Request) -> web.StreamResponse:
        payment = await self._visited(request)
        following = payment.next
        if following is not None:
            raise web.HTTPSeeOther(following)
        if payment.is_over(self._now()):
            return _page(payment, sandbox_pages.over(payment))
        return _page(payment, sandbox_pages.mobile(payment, base=base_of(payment.approval_url)))

    async def _state(self, request: web.Request) -> web.StreamResponse:
        following = (await self._visited(request)).next
        return web.Response(body=msgspec.json.encode({"next": following}), content_type="application/json")

    async def _phone(self, request: web.Request) -> web.StreamResponse:
        payment = await self._visited(request)
        digits = re.sub(r"[\s-]", "", (await read_form(request)).get("phone", ""))
        back = f"{base_of(payment.approval_url)}/pc/{payment.tid}"
        if not _PHONE.match(digits):
            raise web.HTTPSeeOther(f"{back}?phone=wrong")
        await self._payments.send(payment.tid, digits)
        raise web.HTTPSeeOther(back)

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        payment = await self._visited(request)
        match (await read_form(request)).get("do"):
            case "pay":
                after = self._now() - LIFETIME
                await self._payments.authorise(payment.tid, secrets.token_hex(10), after=after)
            case "cancel":
                await self._payments.give_up(payment.tid, Standing.QUIT)
            case "fail":
                await self._payments.give_up(payment.tid, Standing.FAILED)
            case _:
                raise web.HTTPBadRequest
        # Of two clicks, or two windows, the first counts and both are sent the same way.
        payment = await self._visited(request)
        raise web.HTTPSeeOther(payment.next or f"{base_of(payment.approval_url)}/mobile/{payment.tid}")

    async def _visited(self, request: web.Request) -> Payment:
        payment = await self._payments.find(request.match_info["tid"])
        if payment is None:
            raise web.HTTPNotFound
        return payment


def _door(
    method: str, path: str, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], words: str
) -> HttpDoor:
    return HttpDoor(method=method, path=path, who=Who.ANYONE, handle=handle, words=words)


def _page(payment: Payment, text: str) -> web.Response:
    response = web.Response(text=text, content_type="text/html", charset="utf-8")
    response.headers["Content-Security-Policy"] = sandbox_pages.policy(payment)
    return response
