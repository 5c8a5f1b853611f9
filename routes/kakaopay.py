"""Door: to KakaoPay's API for one-off payments, over HTTP: ready, approve, order, cancel.

Facts of the API are named where they are used; what is known of it is in its pages "single payment" and "cancellation"
(developers.kakaopay.com). No call is ever repeated here: approve and cancel are not idempotent, and there is no key
that would make them so. Any answer but a well-formed 200 is a refusal (4xx) or none at all, and neither says that
nothing was done.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from db.order import Links, Look, Refused, Standing
from db.product import vat_won
from routes.addresses import reachable
from routes.sandbox_pages import ROOT
from routes.settings import KAKAOPAY_TEST_CID, SANDBOX
from routes.tokens import derive
from routes.top_ups import Accepted, Readied

if TYPE_CHECKING:
    from db.order import Order
    from routes.settings import Settings, Stores
    from routes.top_ups import Returns

CONNECT_SECONDS_MAX: Final = 3.0
ANSWER_SECONDS_MAX: Final = 10.0
"""Seconds until a call counts as unanswered; KakaoPay answers within one or two. Both end well within order.LEASE."""

ANSWER_BYTES_MAX: Final = 65_536
"""Bytes of an answer; the largest honest one is below 2 KiB."""

WORDS_CHARS_MAX: Final = 200
"""Characters of a refusal's words that go to the log."""

NOT_REFUSED: Final = frozenset({408, 429})
"""4xx of a gateway that say "later", not "no"."""

STANDINGS: Final = {
    "READY": Standing.WAITING,
    "SEND_TMS": Standing.WAITING,
    "OPEN_PAYMENT": Standing.WAITING,
    "SELECT_METHOD": Standing.WAITING,
    "ARS_WAITING": Standing.WAITING,
    "AUTH_PASSWORD": Standing.AUTHORISED,
    "SUCCESS_PAYMENT": Standing.CAPTURED,
    "PART_CANCEL_PAYMENT": Standing.PART_CANCELED,
    "CANCEL_PAYMENT": Standing.CANCELED,
    "QUIT_PAYMENT": Standing.QUIT,
    "FAIL_AUTH_PASSWORD": Standing.FAILED,
    "FAIL_PAYMENT": Standing.FAILED,
}
"""The API's `status` in our words. What is not in here is not the end of anything."""

log = logging.getLogger("commeow.kakaopay")

T = TypeVar("T", bound=Struct)


class _Begun(Struct, frozen=True):
    tid: str
    next_redirect_pc_url: str
    next_redirect_mobile_url: str
    next_redirect_app_url: str


class _Amount(Struct, frozen=True):
    total: int = 0


class _Approved(Struct, frozen=True):
    aid: str
    tid: str
    partner_order_id: str
    partner_user_id: str
    amount: _Amount
    payment_method_type: str | None = None


class _Action(Struct, frozen=True):
    aid: str | None = None
    payment_action_type: str | None = None


class _Found(Struct, frozen=True):
    tid: str
    status: str
    partner_order_id: str
    partner_user_id: str
    amount: _Amount | None = None
    canceled_amount: _Amount | None = None
    payment_method_type: str | None = None
    payment_action_details: list[_Action] | None = None


class _Canceled(Struct, frozen=True):
    tid: str
    status: str


class _Extras(Struct, frozen=True):
    method_result_code: str | None = None
    method_result_message: str | None = None


class _Error(Struct, frozen=True):
    error_code: int | None = None
    error_message: str | None = None
    extras: _Extras | None = None


def sandbox_key(stores: Stores) -> str:
    """Give the key that the sandbox and its one merchant share: every process of a house finds the same."""
    return derive(stores.secret, "sandbox pay").hex()


def of_settings(http: aiohttp.ClientSession, settings: Settings, stores: Stores) -> KakaoPay:
    """Give the provider of a house: KakaoPay as the settings say, or its own sandbox over its own port."""
    if settings.payments == SANDBOX:
        host = reachable(settings.host)
        address = f"[{host}]" if ":" in host else host
        url = f"http://{address}:{settings.http_port}{ROOT}"
        return KakaoPay(http, name=SANDBOX, url=url, cid=KAKAOPAY_TEST_CID, secret_key=sandbox_key(stores))
    assert settings.kakaopay_secret_key is not None, "the settings were checked"
    return KakaoPay(
        http,
        name=settings.payments,
        url=settings.kakaopay_url,
        cid=settings.kakaopay_cid,
        secret_key=settings.kakaopay_secret_key,
    )


class KakaoPay:
    """One merchant at KakaoPay, or at the sandbox, which speaks the same. `name` is what our rows call the provider."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        name: str,
        url: str,
        cid: str,
        secret_key: str,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        self.name = name
        self.cid = cid
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"SECRET_KEY {secret_key}", "Content-Type": "application/json"}
        self._timeout = aiohttp.ClientTimeout(
            total=CONNECT_SECONDS_MAX + answer_seconds_max,
            connect=CONNECT_SECONDS_MAX,
            sock_read=answer_seconds_max,
        )

    async def ready(self, order: Order, returns: Returns) -> Readied | Refused | None:
        """Begin a payment; None: no answer. Whatever was begun unheard can never be paid, for nobody has its links."""
        begun = await self._call(
            "ready",
            order,
            _Begun,
            {
                **self._whose(order),
                "item_name": f"Commeow {order.points:,}P",
                "item_code": order.product,
                "quantity": 1,
                "total_amount": order.amount_won,
                "tax_free_amount": 0,
                "vat_amount": vat_won(order.amount_won),
                "approval_url": returns.approval,
                "cancel_url": returns.cancel,
                "fail_url": returns.fail,
            },
        )
        if not isinstance(begun, _Begun):
            return begun
        links = Links(begun.next_redirect_pc_url, begun.next_redirect_mobile_url, begun.next_redirect_app_url)
        return Readied(begun.tid, links)

    async def approve(self, order: Order) -> Look | Refused | None:
        """Take the money. Only a look tells what a refusal or no answer means."""
        # total_amount is compared with that of ready, so that a wrong price is refused there already.
        approved = await self._call(
            "approve",
            order,
            _Approved,
            {
                **self._whose(order),
                "tid": order.tid,
                "pg_token": order.pg_token,
                "total_amount": order.amount_won,
            },
        )
        if not isinstance(approved, _Approved):
            return approved
        return Look(
            standing=Standing.CAPTURED,
            order_id=approved.partner_order_id,
            member_id=approved.partner_user_id,
            total_won=approved.amount.total,
            receipt=approved.aid,
            method=approved.payment_method_type,
        )

    async def look(self, order: Order) -> Look | Refused | None:
        """Look a payment up by its number."""
        found = await self._call("order", order, _Found, {"cid": order.cid, "tid": order.tid})
        if not isinstance(found, _Found):
            return found
        aids = [one.aid for one in found.payment_action_details or () if one.payment_action_type == "PAYMENT"]
        return Look(
            standing=STANDINGS.get(found.status, Standing.UNKNOWN),
            order_id=found.partner_order_id,
            member_id=found.partner_user_id,
            total_won=found.amount.total if found.amount else 0,
            canceled_won=found.canceled_amount.total if found.canceled_amount else 0,
            receipt=aids[0] if aids else None,
            method=found.payment_method_type,
        )

    async def cancel(self, order: Order, won: int) -> Accepted | Refused | None:
        """Give back `won`, which a look said is all there is left. Whether it went back a look must tell."""
        answered = await self._call(
            "cancel",
            order,
            _Canceled,
            {
                "cid": order.cid,
                "tid": order.tid,
                "cancel_amount": won,
                "cancel_tax_free_amount": 0,
                # Compared with what is left at KakaoPay (this request counted in): a second cancel cannot take more.
                "cancel_available_amount": won,
            },
        )
        return Accepted() if isinstance(answered, _Canceled) else answered

    @staticmethod
    def _whose(order: Order) -> dict[str, Any]:
        return {"cid": order.cid, "partner_order_id": str(order.id), "partner_user_id": str(order.member_id)}

    async def _call(self, name: str, order: Order, kind: type[T], body: dict[str, Any]) -> T | Refused | None:
        """Ask once. `T` for a 200 of that shape and of this payment, Refused for a no, None for everything else."""
        try:
            status, data = await self._post(f"/online/v1/payment/{name}", msgspec.json.encode(body))
        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.warning("no answer call=%s order=%s why=%s", name, order.id, type(error).__name__)
            return None
        if status == 200:
            try:
                answered = msgspec.json.decode(data, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("unreadable answer call=%s order=%s", name, order.id)
                return None
            if order.tid is not None and getattr(answered, "tid", None) != order.tid:
                log.error("another payment's answer call=%s order=%s", name, order.id)
                return None
            return answered
        if not 400 <= status < 500 or status in NOT_REFUSED:
            log.warning("no answer call=%s order=%s why=status %d", name, order.id, status)
            return None
        refused = _refusal(data)
        log.warning("refused call=%s order=%s code=%s words=%r", name, order.id, refused.code, refused.words)
        return refused

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        async with self._http.post(
            self._url + path, data=body, headers=self._headers, timeout=self._timeout, allow_redirects=False
        ) as answer:
            data = bytearray()
            async for piece in answer.content.iter_any():
                data += piece
                if len(data) > ANSWER_BYTES_MAX:
                    raise aiohttp.ClientPayloadError("too long an answer")
            return answer.status, bytes(data)


def _refusal(data: bytes) -> Refused:
    try:
        error = msgspec.json.decode(data, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Refused(None, "")
    words = [error.error_message]
    if error.extras is not None:
        words += [error.extras.method_result_code, error.extras.method_result_message]
    return Refused(error.error_code, " ".join(word for word in words if word)[:WORDS_CHARS_MAX])
