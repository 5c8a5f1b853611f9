"""Orders as a machine that Hypothesis drives: real books in a real PostgreSQL, the other company as a small model.

A few short walks in the suite; by night, or by hand: `pytest --hypothesis-profile nightly`.
"""

import asyncio
import uuid

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from db.order import IN_FLIGHT_MAX, Links, Look, Refused, Standing, State
from db.order_errors import OrderError
from db.orders import Orders
from db.pool import open_pool
from routes.top_ups import Accepted, Readied, Returns, TopUps
from tests.routes.cutting import cut
from tests.routes.far_side import Clock

EXAMPLES, STEPS = 10, 30
RETURNS = Returns("https://shop/return", "https://shop/cancel", "https://shop/fail")

FAULTS = ["lost before", "lost after", "refused", "refused after", "late"]


class FarModel:
    """What a payment provider is, in a page: payments, and calls that may come to nothing, or to something unheard."""

    name = "model"
    cid = "T"

    def __init__(self, clock):
        self.clock = clock
        self.payments = {}
        self.faults = {}
        self.held = []

    async def _call(self, name, act):
        fault = self.faults.pop(name, None)
        await asyncio.sleep(0)
        if fault == "lost before":
            return None
        if fault == "refused":
            return Refused(-780, "")
        if fault == "late":
            self.held.append((self.clock(), act))
            return None
        answer = act()
        await asyncio.sleep(0)
        return {"lost after": None, "refused after": Refused(-780, "")}.get(fault, answer)

    async def ready(self, order, returns):
        assert returns is RETURNS

        def begin():
            tid = f"T{uuid.uuid4()}"
            self.payments[tid] = {"order": order, "standing": Standing.WAITING, "taken": 0, "back": 0}
            return Readied(tid, Links("pc", "mobile", "app"))

        return await self._call("ready", begin)

    async def approve(self, order):
        def take():
            payment = self.payments[order.tid]
            if payment["standing"] is not Standing.AUTHORISED or payment["token"] != order.pg_token:
                return Refused(-702, "")
            payment["standing"], payment["taken"] = Standing.CAPTURED, order.amount_won
            return self._look(order)

        return await self._call("approve", take)

    async def look(self, order):
        return await self._call("look", lambda: self._look(order))

    async def cancel(self, order, won):
        def give_back():
            payment = self.payments[order.tid]
            if payment["standing"] is not Standing.CAPTURED or won != payment["taken"] - payment["back"]:
                return Refused(-702, "")
            payment["standing"], payment["back"] = Standing.CANCELED, won
            return Accepted()

        return await self._call("cancel", give_back)

    def _look(self, order):
        payment = self.payments[order.tid]
        whose = payment["order"]
        return Look(
            standing=payment["standing"],
            order_id=str(whose.id),
            member_id=str(whose.member_id),
            total_won=payment["taken"] or whose.amount_won,
            canceled_won=payment["back"],
            receipt="A" if payment["taken"] else None,
        )

    def kept(self, tid):
        payment = self.payments.get(tid)
        return payment["taken"] - payment["back"] if payment else 0

    def arrive(self):
        for _, act in self.held:
            act()
        self.held.clear()

    def forget(self):
        """No network keeps a request for so long: what has not arrived never will."""
        self.held = [(moment, act) for moment, act in self.held if self.clock() - moment < IN_FLIGHT_MAX]


which = st.integers(0, 3)
cuts = st.none() | st.integers(1, 25)
tokens = st.sampled_from(["right", "right", "right", "forged"])


class OrderMachine(RuleBasedStateMachine):
    runner = None
    pool = None

    @initialize()
    def begin(self):
        self.clock = Clock()
        self.far = FarModel(self.clock)
        self.orders = Orders(self.pool)
        self.top_ups = TopUps(self.orders, self.far, now=self.clock)
        self.ids = []
        self.member_id = self.run(self._sign_up())

    async def _sign_up(self):
        name = uuid.uuid4().hex
        member_id = await self.pool.fetchval(
            """
            INSERT INTO member (login_id, nickname, nickname_key, password_hash)
            VALUES ($1, $1, $1, '-') RETURNING id
            """,
            name,
        )
        await self.pool.execute("SELECT open_accounts($1)", member_id)
        return member_id

    def run(self, coroutine, cut_at=None):
        async def end():
            if cut_at is not None:
                return await cut(coroutine, cut_at)
            try:
                return await coroutine
            except OrderError as error:
                return error

        return self.runner.run(end())

    def order(self, which):
        return self.run(self.orders.find(self.ids[which % len(self.ids)]))

    def payment(self, which):
        order = self.order(which)
        return self.far.payments.get(order.tid) if order else None

    has_orders = precondition(lambda self: self.ids)

    @precondition(lambda self: len(self.ids) < 4)
    @rule(product=st.sampled_from(["100", "300", "2000"]), cut_at=cuts)
    def place(self, product, cut_at):
        self.ids.append(uuid.uuid4())
        self.products = {**getattr(self, "products", {}), self.ids[-1]: product}
        self.run(self.top_ups.place(self.member_id, self.ids[-1], product, RETURNS), cut_at)

    @has_orders
    @rule(which=which, times=st.integers(1, 3))
    def place_again(self, which, times):
        order_id = self.ids[which % len(self.ids)]

        async def again():
            await asyncio.gather(
                *(self.top_ups.place(self.member_id, order_id, self.products[order_id], RETURNS) for _ in range(times)),
                return_exceptions=True,
            )

        self.run(again())

    @has_orders
    @rule(which=which)
    def agree(self, which):
        payment = self.payment(which)
        if payment and payment["standing"] is Standing.WAITING:
            payment["standing"], payment["token"] = Standing.AUTHORISED, "right"

    @has_orders
    @rule(which=which, standing=st.sampled_from([Standing.QUIT, Standing.FAILED]))
    def give_up(self, which, standing):
        payment = self.payment(which)
        if payment and payment["standing"] is Standing.WAITING:
            payment["standing"] = standing

    @has_orders
    @rule(which=which, given=st.lists(tokens, min_size=1, max_size=3), cut_at=cuts)
    def come_back(self, which, given, cut_at):
        if self.order(which) is None:
            return
        order_id = self.ids[which % len(self.ids)]

        async def together():
            await asyncio.gather(*(self.top_ups.returned(order_id, token) for token in given), return_exceptions=True)

        self.run(together(), cut_at)

    @has_orders
    @rule(which=which, cut_at=cuts)
    def be_sent_back(self, which, cut_at):
        self.run(self.top_ups.left(self.ids[which % len(self.ids)]), cut_at)

    @has_orders
    @rule(which=which, times=st.integers(1, 3), cut_at=cuts)
    def refund(self, which, times, cut_at):
        order_id = self.ids[which % len(self.ids)]

        async def together():
            await asyncio.gather(
                *(self.top_ups.refund(self.member_id, order_id) for _ in range(times)), return_exceptions=True
            )

        self.run(together(), cut_at)

    @rule(call=st.sampled_from(["ready", "approve", "look", "cancel"]), fault=st.sampled_from(FAULTS))
    def fail(self, call, fault):
        self.far.faults[call] = "lost before" if (call, fault) == ("look", "late") else fault

    @rule()
    def arrive(self):
        self.far.arrive()

    @rule(seconds=st.sampled_from([1, 10, 31, 300, 901, 3_700]))
    def wait(self, seconds):
        self.clock.forward(seconds=seconds)
        self.far.forget()

    @rule(cut_at=cuts)
    def reconcile(self, cut_at):
        self.run(self.top_ups.reconcile(), cut_at)

    @has_orders
    @rule(which=which)
    def reconcile_while_they_click(self, which):
        order_id = self.ids[which % len(self.ids)]

        async def together():
            await self.orders.hurry(self.far.name, self.clock())
            await asyncio.gather(
                self.top_ups.reconcile(),
                self.top_ups.refund(self.member_id, order_id),
                self.top_ups.returned(order_id, "right"),
                return_exceptions=True,
            )

        if self.order(which) is not None:
            self.run(together())

    @invariant()
    def paid_is_money_kept_and_points_given(self):
        rows = self.run(self._rows())
        balance = self.run(self.pool.fetchval("SELECT balance FROM account WHERE id = $1", self.member_id * 16 + 1))

        assert balance == sum(row["points"] for row in rows if row["state"] == State.PAID)
        for row in rows:
            if row["state"] == State.PAID:
                assert self.far.kept(row["tid"]) == row["amount_won"]
            assert row["state"] not in {State.REVIEW, State.VOIDING, State.VOIDED}
        # Nothing is kept for a payment that no order knows.
        known = {row["tid"] for row in rows}
        assert not any(self.far.kept(tid) for tid in self.far.payments if tid not in known)

    async def _rows(self):
        return await self.pool.fetch("SELECT * FROM point_order WHERE member_id = $1", self.member_id)

    def teardown(self):
        if not hasattr(self, "ids"):
            return
        self.far.faults.clear()
        self.far.arrive()
        for _ in range(60):
            due = [row["next_check_at"] for row in self.run(self._rows()) if row["next_check_at"]]
            if not due:
                break
            self.clock.time = max(self.clock.time, *due)
            self.run(self.top_ups.reconcile_all())
        for row in self.run(self._rows()):
            assert row["next_check_at"] is None
            kept = row["amount_won"] if row["state"] == State.PAID else 0
            assert (row["state"], kept) == (row["state"], self.far.kept(row["tid"]))
        self.paid_is_money_kept_and_points_given()


@pytest.mark.timeout(3_600)
def test_orders_keep_their_rules_whatever_comes_in_whatever_order(database_url, walks):
    with asyncio.Runner() as runner:
        pool = runner.run(open_pool(database_url, size=4))

        class Machine(OrderMachine):
            pass

        Machine.runner, Machine.pool = runner, pool
        try:
            run_state_machine_as_test(
                Machine,
                settings=walks(EXAMPLES, STEPS),
            )
        finally:
            runner.run(pool.close())
