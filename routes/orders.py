"""Door: HTTP: /api/points/products and /api/points/orders: what is for sale, buying it, and the way back."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from aiohttp import hdrs, web

from db.order_errors import OrderError, OrderUnknown
from routes import problems, wire
from routes.access import Who
from routes.addresses import household
from routes.doors import HttpDoor
from routes.middleware import BEARER, REQUEST_ID, answer, read_body
from routes.order_shapes import OrderList, OrderView, PlaceOrder, ProductList, Token, product_list, view
from routes.rate_limit import RateLimit
from routes.top_ups import Returns, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from db.orders import Orders
    from routes.addresses import Addresses
    from routes.top_ups import TopUps

WALLET: Final = "/wallet"
"""The page a customer comes back to; `order` says which, `code` what was wrong, if anything."""

PAGE_ORDERS: Final = 20
"""Orders of one page: a year's receipts of most members."""

ORDERS_BURST: Final = 10
ORDER_REFILL_SECONDS: Final = 30.0
"""Each order asks the provider for a payment; nobody needs more than ten at once, or two a minute for long."""

REFUNDS_BURST: Final = 5
REFUND_REFILL_SECONDS: Final = 30.0
"""Each refund asks the provider twice; a click that is tried again comes through, a script does not."""

WAYS_BACK_BURST: Final = 10
WAY_BACK_REFILL_SECONDS: Final = 10.0
"""Each way back of one order asks the provider once or twice; a customer needs one, a reload or two more."""

STRANGER_BURST: Final = 60
STRANGER_REFILL_SECONDS: Final = 1.0
"""Ways back of one address, whatever the order: a café's or a carrier's customers together, not a guesser of ids."""

log = logging.getLogger("commeow.orders")


class OrderDoors:
    """The doors of orders. `payments` is the setting of that name, told to whoever asks for the prices."""

    def __init__(
        self,
        top_ups: TopUps,
        orders: Orders,
        addresses: Addresses,
        *,
        payments: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._now = now
        self._top_ups = top_ups
        self._orders = orders
        self._addresses = addresses
        self._payments = payments
        self._placing = RateLimit(burst=ORDERS_BURST, refill_seconds=ORDER_REFILL_SECONDS)
        self._refunding = RateLimit(burst=REFUNDS_BURST, refill_seconds=REFUND_REFILL_SECONDS)
        self._coming_back = RateLimit(burst=WAYS_BACK_BURST, refill_seconds=WAY_BACK_REFILL_SECONDS)
        self._strangers = RateLimit(burst=STRANGER_BURST, refill_seconds=STRANGER_REFILL_SECONDS)

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        one = "/api/points/orders/{id}"
        return [
            HttpDoor(
                method="GET",
                path="/api/points/products",
                who=Who.ANYONE,
                handle=self._products,
                words="The packs of points and their prices.",
                answer=ProductList,
            ),
            HttpDoor(
                method="POST",
                path="/api/points/orders",
                who=Who.MEMBER,
                handle=self._place,
                words="Order a pack and begin its payment; the same id again gives the same order.",
                body=PlaceOrder,
                answer=OrderView,
                status=201,
            ),
            HttpDoor(
                method="GET",
                path="/api/points/orders",
                who=Who.MEMBER,
                handle=self._list,
                words="The bearer's orders and receipts, newest first; `cursor` for the next page.",
                answer=OrderList,
            ),
            HttpDoor(
                method="GET",
                path=one,
                who=Who.MEMBER,
                handle=self._one,
                words="One of the bearer's orders: how it stands now.",
                answer=OrderView,
            ),
            HttpDoor(
                method="POST",
                path=f"{one}/refund",
                who=Who.MEMBER,
                handle=self._refund,
                words="Take an order back: first the points, then the money.",
                answer=OrderView,
            ),
            HttpDoor(
                method="GET",
                path=f"{one}/return",
                who=Who.ANYONE,
                handle=self._returned,
                words="Where the provider sends a customer who agreed to pay; on to the wallet page.",
                status=303,
            ),
            *(
                HttpDoor(
                    method="GET",
                    path=f"{one}/{way}",
                    who=Who.ANYONE,
                    handle=self._left,
                    words="Where the provider sends a customer who did not pay; on to the wallet page.",
                    status=303,
                )
                for way in ("cancel", "fail")
            ),
        ]

    async def _products(self, _request: web.Request) -> web.StreamResponse:
        return answer(product_list(self._payments))

    async def _place(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, PlaceOrder)
        member_id = request[BEARER].member_id
        self._placing.take(str(member_id), time.monotonic())
        base = f"{self._addresses.site(request.headers.get(hdrs.HOST))}/api/points/orders/{body.id}"
        returns = Returns(approval=f"{base}/return", cancel=f"{base}/cancel", fail=f"{base}/fail")
        order = await self._top_ups.place(member_id, body.id, str(body.product), returns)
        return answer(view(order, self._now()), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        member_id = request[BEARER].member_id
        cursor = request.query.get("cursor")
        before = None
        if cursor:
            last = await self._top_ups.of_member(member_id, _id(cursor, "cursor"))
            before = (last.created_at, last.id)
        found = await self._orders.of_member(member_id, before=before, limit=PAGE_ORDERS)
        now = self._now()
        following = str(found[-1].id) if len(found) == PAGE_ORDERS else None
        return answer(OrderList(orders=[view(each, now, with_qr=False) for each in found], next=following))

    async def _one(self, request: web.Request) -> web.StreamResponse:
        order = await self._top_ups.of_member(request[BEARER].member_id, order_id_of(request))
        return answer(view(order, self._now()))

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        member_id, order_id = request[BEARER].member_id, order_id_of(request)
        self._refunding.take(str(member_id), time.monotonic())
        order = await self._top_ups.refund(member_id, order_id)
        return answer(view(order, self._now()))

    async def _returned(self, request: web.Request) -> web.StreamResponse:
        order_id = order_id_of(request)
        try:
            token = msgspec.convert(request.query.get("pg_token"), Token)
        except msgspec.ValidationError:
            raise wire.WireShape("pg_token") from None
        if request.method == hdrs.METH_HEAD:  # Whoever only looks whether a link is there has not come back.
            return _to_wallet(order_id)
        self._take_way_back(request, order_id)
        try:
            await self._top_ups.returned(order_id, token)
        except OrderUnknown:
            raise
        except OrderError as error:
            return _to_wallet(order_id, self._code(error, request))
        return _to_wallet(order_id)

    async def _left(self, request: web.Request) -> web.StreamResponse:
        order_id = order_id_of(request)
        if request.method != hdrs.METH_HEAD:
            self._take_way_back(request, order_id)
            await self._top_ups.left(order_id)
        return _to_wallet(order_id)

    def _take_way_back(self, request: web.Request, order_id: UUID) -> None:
        """Hold an address and an order to their pace. Raises TooManyTries.

        Not a redirect to the wallet: the token stands in the address, and a reload a little later brings it again.
        """
        now = time.monotonic()
        address = household(request.remote)
        if address is not None:
            self._strangers.take(address, now)
        self._coming_back.take(str(order_id), now)

    @staticmethod
    def _code(error: OrderError, request: web.Request) -> str:
        """Give the stable code of an error, which the page has words for."""
        problem = problems.problem_of(error, incident=request[REQUEST_ID])
        log.info("return refused order=%s code=%s", request.match_info["id"], problem.row.code)
        return problem.row.code


def order_id_of(request: web.Request) -> UUID:
    """Read the id in an order's path. Raises WireShape."""
    return _id(request.match_info["id"], "id")


def _id(text: str, field: str) -> UUID:
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        raise wire.WireShape(field) from None


def _to_wallet(order_id: UUID, code: str | None = None) -> web.Response:
    query = {"order": str(order_id)} | ({"code": code} if code else {})
    # See Other (RFC 9110 §15.4.4): the token is spent, and must not stand in the address a second time.
    return web.Response(status=303, headers={hdrs.LOCATION: f"{WALLET}?{urlencode(query)}"})
