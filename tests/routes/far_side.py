"""The other company for tests: our sandbox on a real port, a script of accidents, a customer, and a clock to turn."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from db.ledger import Ledger
from db.orders import Orders
from db.sandbox_payments import SandboxPayments
from db.transfer import donation
from routes.addresses import Addresses
from routes.kakaopay import KakaoPay
from routes.middleware import Guard
from routes.orders import OrderDoors
from routes.sandbox_api import SandboxApi
from routes.sandbox_pages import ROOT
from routes.sandbox_pay import SandboxPay
from routes.settings import KAKAOPAY_TEST_CID
from routes.top_ups import Returns, TopUps

KEY = "a key that both sides know"
# So long that no busy machine reaches it: who shall wait in vain is told by the script when to give up.
ANSWER_SECONDS = 60.0
# Of the loop, in which a connection is accepted and a request on it is read: both ends are here.
TURNS = 50
ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)


class Fault(StrEnum):
    """One accident of one call."""

    LOST_BEFORE = "the connection breaks before anything is done"
    LOST_AFTER = "the connection breaks when all is done"
    DOWN_BEFORE = "503, nothing is done"
    DOWN_AFTER = "503, all is done"
    REFUSED = "4xx, nothing is done"
    REFUSED_AFTER = "4xx, all is done (BANK_FIRM_UNKNOWN)"
    GARBLED = "all is done, the answer cannot be read"
    MUTE_BEFORE = "no answer, nothing is done"
    MUTE_AFTER = "no answer, all is done"
    LATE = "no answer, and it is done long after we gave up waiting"
    WRONG_AMOUNT = "another amount is taken"


class Clock:
    """Time as a number; it stands still until it is turned."""

    def __init__(self):
        self.time = datetime(2026, 11, 26, 12, tzinfo=UTC)

    def __call__(self):
        return self.time

    def forward(self, **time):
        self.time += timedelta(**time)


class Impatient(KakaoPay):
    """Our side of the protocol, which gives up waiting when the far side's script says so, not when a clock does."""

    waiting = ()

    async def _post(self, path, body):
        waits = [path.rpartition("/")[2], body]
        self.waiting = [*self.waiting, waits]
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as patience:
                waits.append(patience)
                return await super()._post(path, body)
        finally:
            self.waiting = [each for each in self.waiting if each is not waits]

    def give_up(self, call, body):
        for waits in self.waiting:
            if waits[:2] == [call, body] and not waits[2].expired():
                waits[2].reschedule(0)
                return


class FarSide:
    """The doors of the sandbox with a script: each call takes the next accident planned for its name."""

    def __init__(self, pool):
        self.pool = pool
        self.calls = Counter()
        self.planned = {}
        self.give_up = None
        self.late = asyncio.Event()
        self.held = []
        self.busy = 0

    async def arrive(self):
        """Let arrive what was held up on the way, by plan or because the machine is busy, and be done."""
        self.late.set()
        for _ in range(TURNS):  # For what is written to a socket and not read yet.
            await asyncio.sleep(0)
        while self.busy:
            await asyncio.sleep(0.005)
        await asyncio.gather(*self.held)
        self.held.clear()
        self.late.clear()

    async def _arrive_late(self, request, handler):
        await self.late.wait()
        return await handler(request)

    def plan(self, call, *faults):
        """Plan accidents of one call, in order; None is none."""
        self.planned.setdefault(call, deque()).extend(faults)

    def _next(self, call):
        faults = self.planned.get(call)
        return faults.popleft() if faults else None

    @web.middleware
    async def accidents(self, request, handler):
        if "/online/" not in request.path:
            return await handler(request)
        self.busy += 1
        try:
            return await self._accident(request, handler)
        finally:
            self.busy -= 1

    async def _accident(self, request, handler):
        call = request.path.rpartition("/")[2]
        self.calls[call] += 1
        fault = self._next(call)
        if fault in {Fault.LOST_BEFORE, Fault.DOWN_BEFORE, Fault.REFUSED, Fault.MUTE_BEFORE}:
            return await self._fail(request, fault)
        if fault is Fault.LATE:
            body = await request.read()
            # A task of its own: the server ends the handler of a client who has gone.
            self.held.append(asyncio.create_task(self._arrive_late(request, handler)))
            self.give_up(call, body)
            return await asyncio.shield(self.held[-1])
        response = await handler(request)
        if fault is Fault.WRONG_AMOUNT:
            await self.pool.execute(
                "UPDATE sandbox_payment SET captured_won = captured_won + 100 WHERE tid = $1 AND captured_won > 0",
                (await request.json())["tid"],
            )
            return web.Response(status=503)
        return response if fault is None else await self._fail(request, fault)

    async def _fail(self, request, fault):
        if fault in {Fault.LOST_BEFORE, Fault.LOST_AFTER}:
            request.transport.abort()
        elif fault in {Fault.MUTE_BEFORE, Fault.MUTE_AFTER}:
            self.give_up(request.path.rpartition("/")[2], await request.read())
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.01)
        elif fault in {Fault.DOWN_BEFORE, Fault.DOWN_AFTER}:
            return web.Response(status=503, text="<html>later</html>")
        elif fault is Fault.GARBLED:
            return web.Response(text='{"tid": "T', content_type="application/json")
        body = {
            "error_code": -780,
            "error_message": "approval failed",
            "extras": {"method_result_code": "BANK_FIRM_UNKNOWN", "method_result_message": "try again"},
        }
        return web.json_response(body, status=400)


class Shop:
    """Our side of it and the other, as the roof builds them, over one database."""

    def __init__(self, pool, tokens):
        self.pool = pool
        self.clock = Clock()
        self.far = FarSide(pool)
        self.orders = Orders(pool)
        self._tokens = tokens

    async def open(self):
        payments = SandboxPayments(self.pool)
        self.http = aiohttp.ClientSession()
        # The server's address is known only when it runs, and the doors need it before.
        self.provider = Impatient(
            self.http, name="sandbox", url="", cid=KAKAOPAY_TEST_CID, secret_key=KEY, answer_seconds_max=ANSWER_SECONDS
        )
        self.far.give_up = self.provider.give_up
        self.top_ups = TopUps(self.orders, self.provider, now=self.clock)
        guard = Guard(self._tokens, lives=_always, public_url=None, is_https=False)
        application = guard.application(
            [
                *SandboxApi(payments, KEY, now=self.clock).doors(),
                *SandboxPay(payments, now=self.clock).doors(),
                *OrderDoors(self.top_ups, self.orders, ADDRESSES, payments="sandbox", now=self.clock).doors(),
            ]
        )
        application.middlewares.append(self.far.accidents)
        self.server = TestServer(application)
        await self.server.start_server()
        self.url = str(self.server.make_url("")).rstrip("/")
        self.provider._url = self.url + ROOT
        return self

    async def close(self):
        await self.far.arrive()
        await self.http.close()
        await self.server.close()

    def returns(self, order_id):
        base = f"{self.url}/api/points/orders/{order_id}"
        return Returns(approval=f"{base}/return", cancel=f"{base}/cancel", fail=f"{base}/fail")

    async def place(self, member_id, product="100", order_id=None):
        order_id = order_id or uuid.uuid4()
        return await self.top_ups.place(member_id, order_id, product, self.returns(order_id))

    async def press(self, order, button):
        """Press a button on the customer's phone; answer where the shop wants the browser then."""
        url = order.links.mobile.replace("/mobile/", "/pay/")
        async with self.http.post(url, data={"do": button}, allow_redirects=False) as answer:
            assert answer.status == 303, answer.status
            return answer.headers["Location"]

    async def agree(self, order):
        """Agree to pay; answer the token to come back with."""
        return (await self.press(order, "pay")).partition("pg_token=")[2]

    async def spend(self, member_id, points):
        """Give points away as nothing else does: the books hold a donation to a streamer who is on air."""
        streamer = await self.pool.fetchval(
            """
            INSERT INTO member (login_id, nickname, nickname_key, password_hash)
            VALUES ('streamer', 'streamer', 'streamer', '-') RETURNING id
            """
        )
        await self.pool.execute("INSERT INTO channel (id, stream_key_hash) VALUES ($1, sha256('x'))", streamer)
        await self.pool.execute("SELECT open_accounts($1)", streamer)
        await self.pool.execute(
            "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + interval '1 hour')", streamer
        )
        async with Ledger(self.pool) as ledger:
            await ledger.give(donation(uuid.uuid4(), member_id, streamer, points, ""), b"{}")

    async def settle(self):
        """Let time pass until nothing is to be looked at any more, and hold both sides against each other."""
        for _ in range(60):
            # Before time goes on: no request is on its way for hours.
            await self.far.arrive()
            due = await self.pool.fetchval("SELECT max(next_check_at) FROM point_order")
            if due is None:
                break
            self.clock.time = max(self.clock.time, due)
            await self.top_ups.reconcile_all()
        else:
            raise AssertionError("orders that never rest")
        await self.check()

    async def check(self):
        """Money kept is points given, order by order and member by member; nothing was begun twice for one order."""
        rows = await self.pool.fetch(
            """
            SELECT o.id, o.state, o.amount_won, coalesce(s.captured_won - s.canceled_won, 0) AS kept
            FROM point_order o LEFT JOIN sandbox_payment s ON s.tid = o.tid
            """
        )
        wrong = [dict(row) for row in rows if row["kept"] != (row["amount_won"] if row["state"] == "paid" else 0)]
        assert [] == wrong
        orphans = await self.pool.fetchval(
            """
            SELECT count(*) FROM sandbox_payment s
            WHERE captured_won > 0 AND NOT EXISTS (SELECT 1 FROM point_order o WHERE o.tid = s.tid)
            """
        )
        assert 0 == orphans

    async def money(self):
        """The won that the other company holds for us, over all payments."""
        return await self.pool.fetchval("SELECT coalesce(sum(captured_won - canceled_won), 0) FROM sandbox_payment")

    async def balance(self, member_id):
        return await self.pool.fetchval("SELECT balance FROM account WHERE id = $1", member_id * 16 + 1)


async def _always(_member_id, _login):
    return True
