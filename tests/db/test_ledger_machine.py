"""Shell: the ledger against a model of it, by random walks: Hypothesis looks for the shortest one on which they part.

A few short walks in the suite; by night, or by hand: `pytest --hypothesis-profile nightly`.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from db.ledger import Ledger
from db.payout import Payout, PayoutEnded, PayoutIdReused, PayoutShort, PayoutUnknown, Step
from db.payouts import Payouts
from db.pool import open_pool
from db.seals import Seals
from db.transfer import (
    ChannelOffAir,
    Donation,
    DonationUnknown,
    EarningsShort,
    IdReused,
    InsufficientPoints,
    Receipt,
    donation,
)

WALKS, STEPS = 5, 20
# The audit reads everything that all walks before have left.
AUDIT_EVERY_WALKS = 50

amounts = st.integers(1, 60)
texts = st.sampled_from(["", "냥"])


class Model:
    """What the books must say, in the plainest words."""

    def __init__(self) -> None:
        self.points: dict[int, int] = {}
        self.earned: dict[int, int] = {}
        self.live: set[int] = set()
        self.answers: dict[tuple[int, uuid.UUID], tuple[Donation, int | type[Exception]]] = {}
        self.grants: dict[uuid.UUID, tuple[int, int, int]] = {}
        self.refunded: dict[uuid.UUID, int] = {}
        self.held: dict[int, int] = {}
        self.payouts: dict[uuid.UUID, tuple[int, int, Step]] = {}

    def give(self, asked: Donation) -> int | type[Exception]:
        """Points left, or the refusal; the id has one answer for ever."""
        key = (asked.donor_id, asked.id)
        if key in self.answers:
            first, answer = self.answers[key]
            return answer if first == asked else IdReused
        answer: int | type[Exception]
        if asked.streamer_id not in self.live:
            answer = ChannelOffAir
        elif self.points[asked.donor_id] < asked.points:
            answer = InsufficientPoints
        else:
            self.points[asked.donor_id] -= asked.points
            self.earned[asked.streamer_id] += asked.points
            answer = self.points[asked.donor_id]
        self.answers[key] = (asked, answer)
        return answer

    def grant(self, grant_id: uuid.UUID, member: int, points: int) -> int | type[Exception]:
        if grant_id in self.grants:
            *first, answer = self.grants[grant_id]
            return answer if first == [member, points] else IdReused
        self.points[member] += points
        self.grants[grant_id] = (member, points, self.points[member])
        return self.points[member]

    def refund(self, given: Donation) -> int | type[Exception]:
        if given.id in self.refunded:
            return self.refunded[given.id]
        if self.earned[given.streamer_id] < given.points:
            return EarningsShort
        self.earned[given.streamer_id] -= given.points
        self.points[given.donor_id] += given.points
        self.refunded[given.id] = self.earned[given.streamer_id]
        return self.refunded[given.id]

    def begin(self, payout_id: uuid.UUID, member: int, points: int) -> Step | type[Exception]:
        self.held.setdefault(member, 0)
        if payout_id in self.payouts:
            *first, step = self.payouts[payout_id]
            return step if first == [member, points] else PayoutIdReused
        if self.earned[member] < points:
            return PayoutShort
        self.earned[member] -= points
        self.held[member] += points
        self.payouts[payout_id] = (member, points, Step.HELD)
        return Step.HELD

    def end(self, payout_id: uuid.UUID, wanted: Step) -> Step | type[Exception]:
        if payout_id not in self.payouts:
            return PayoutUnknown
        member, points, step = self.payouts[payout_id]
        if step is not Step.HELD:
            return step if step is wanted else PayoutEnded
        self.held[member] -= points
        if wanted is Step.RETURNED:
            self.earned[member] += points
        self.payouts[payout_id] = (member, points, wanted)
        return wanted


class Books(RuleBasedStateMachine):
    """Walks through the ledger and the model side by side."""

    runner: asyncio.Runner
    pool: Any
    ledger: Ledger
    seals: Seals
    payouts: Payouts
    walks = 0

    members = Bundle("members")
    intents = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    def do(self, awaitable: Any) -> Any:
        return self.runner.run(awaitable)

    async def heard(self, awaitable: Any) -> int | type[Exception]:
        try:
            answer = await awaitable
        except (IdReused, ChannelOffAir, InsufficientPoints, EarningsShort, DonationUnknown) as error:
            return type(error)
        return answer.points_left if isinstance(answer, Receipt) else answer

    @initialize(target=members)
    def first(self) -> Any:
        return multiple(*(self.join(200, live=True) for _ in range(3)))

    @rule(target=members, purse=st.integers(0, 200), live=st.sampled_from([True, True, False]))
    def joins(self, purse: int, live: bool) -> int:
        return self.join(purse, live=live)

    def join(self, purse: int, *, live: bool) -> int:
        async def add() -> int:
            name = uuid.uuid4().hex
            member = await self.pool.fetchval(
                """
                INSERT INTO member (login_id, nickname, nickname_key, password_hash)
                VALUES ($1, $1, $1, '') RETURNING id
                """,
                name,
            )
            await self.pool.execute(
                "INSERT INTO channel (id, stream_key_hash) VALUES ($1, sha256($2::bytea))", member, name.encode()
            )
            await self.pool.execute("SELECT open_accounts($1)", member)
            return member

        member = self.do(add())
        self.model.points[member] = self.model.earned[member] = 0
        if purse:
            self.grant_once(uuid.uuid4(), member, purse)
        if live:
            self.go(member, on=True)
        return member

    @rule(member=members, on=st.booleans())
    def air(self, member: int, on: bool) -> None:
        self.go(member, on=on)

    def go(self, member: int, *, on: bool) -> None:
        if on and member not in self.model.live:
            self.model.live.add(member)
            self.do(
                self.pool.execute(
                    "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour')", member
                )
            )
        elif not on and member in self.model.live:
            self.model.live.remove(member)
            self.do(
                self.pool.execute(
                    "UPDATE broadcast SET ended_at = now() WHERE channel_id = $1 AND ended_at IS NULL", member
                )
            )

    @rule(member=members, points=amounts, again=st.integers(0, 5))
    def grant(self, member: int, points: int, again: int) -> None:
        known = list(self.model.grants)
        self.grant_once(known[again] if again < len(known) else uuid.uuid4(), member, points)

    def grant_once(self, grant_id: uuid.UUID, member: int, points: int) -> None:
        asked = self.heard(self.ledger.grant(member, points, "walk", id=grant_id))
        assert self.model.grant(grant_id, member, points) == self.do(asked)

    @rule(target=intents, donor=members, streamer=members, points=amounts, text=texts, anonymous=st.booleans())
    def give(self, donor: int, streamer: int, points: int, text: str, anonymous: bool) -> Donation | None:
        if donor == streamer:
            streamer = next(other for other in self.model.points if other != donor)
        asked = donation(uuid.uuid4(), donor, streamer, points, text, anonymous=anonymous)
        assert self.model.give(asked) == self.do(self.heard(self.ledger.give(asked, b"{}")))
        return asked

    @rule(intent=intents, change=st.sampled_from(["nothing", "points", "text", "anonymous"]))
    def give_again(self, intent: Donation | None, change: str) -> None:
        if intent is None:
            return
        asked = {
            "nothing": intent,
            "points": replace(intent, points=intent.points + 1),
            "text": replace(intent, text=f"{intent.text}!"),
            "anonymous": replace(intent, anonymous=not intent.anonymous),
        }[change]
        assert self.model.give(asked) == self.do(self.heard(self.ledger.give(asked, b"{}")))

    @rule(pairs=st.lists(st.tuples(members, members, amounts, st.booleans()), max_size=12))
    def give_at_once(self, pairs: list[tuple[int, int, int, bool]]) -> None:
        """As one after the other, in the order in which they came: also two clicks of one donor, and A to B to A."""
        asked = []
        for donor, streamer, points, twice in pairs:
            if donor != streamer:
                asked += [donation(uuid.uuid4(), donor, streamer, points, "")] * (2 if twice else 1)
        expected = [self.model.give(each) for each in asked]

        async def all_at_once() -> list[int | type[Exception]]:
            return await asyncio.gather(*(self.heard(self.ledger.give(each, b"{}")) for each in asked))

        assert expected == self.do(all_at_once())

    @rule(intent=intents, stranger=members)
    def refund(self, intent: Donation | None, stranger: int) -> None:
        if intent is None or not isinstance(self.model.answers[intent.donor_id, intent.id][1], int):
            return
        donation_id = self.do(self.pool.fetchval("SELECT id FROM donation WHERE idem_key = $1", intent.id))
        if stranger != intent.streamer_id:
            assert DonationUnknown is self.do(self.heard(self.ledger.refund(donation_id, stranger, "")))
        refunded = self.do(self.heard(self.ledger.refund(donation_id, intent.streamer_id, "")))
        assert self.model.refund(intent) == refunded

    @rule(member=members, points=amounts, again=st.integers(0, 5))
    def begin_payout(self, member: int, points: int, again: int) -> None:
        known = list(self.model.payouts)
        payout_id = known[again] if again < len(known) else uuid.uuid4()
        stepped = self.do(self.stepped(self.payouts.begin(payout_id, member, points, "walk")))
        assert self.model.begin(payout_id, member, points) == stepped

    @rule(which=st.integers(0, 5), wanted=st.sampled_from([Step.PAID, Step.RETURNED]))
    def end_payout(self, which: int, wanted: Step) -> None:
        known = list(self.model.payouts)
        payout_id = known[which] if which < len(known) else uuid.uuid4()
        stepped = self.do(self.stepped(self.payouts.end(payout_id, "walk", is_paid=wanted is Step.PAID)))
        assert self.model.end(payout_id, wanted) == stepped

    async def stepped(self, awaitable: Any) -> Step | type[Exception]:
        try:
            payout: Payout = await awaitable
        except (PayoutIdReused, PayoutShort, PayoutUnknown, PayoutEnded) as error:
            return type(error)
        return payout.step

    @rule()
    def seal(self) -> None:
        self.do(self.seals.advance())

    @invariant()
    def balances(self) -> None:
        rows = self.do(
            self.pool.fetch("SELECT id, balance FROM account WHERE owner_id = ANY($1)", list(self.model.points))
        )
        held = {row["id"]: row["balance"] for row in rows}
        assert held == {
            **{member * 16 + 1: points for member, points in self.model.points.items()},
            **{member * 16 + 2: points for member, points in self.model.earned.items()},
            # An account that opens with the first payout.
            **{member * 16 + 3: points for member, points in self.model.held.items()},
        }

    def teardown(self) -> None:
        Books.walks += 1
        if Books.walks % AUDIT_EVERY_WALKS == 0:
            assert [] == self.do(self.ledger.audit())


@pytest.mark.timeout(3_600)
def test_the_ledger_is_what_its_model_is(database_url, walks):
    async def start() -> None:
        Books.pool = await open_pool(database_url, size=2, application_name="walk")
        Books.ledger, Books.seals, Books.payouts = Ledger(Books.pool), Seals(Books.pool), Payouts(Books.pool)
        await Books.ledger.start()

    async def stop() -> None:
        await Books.seals.seal_all()
        assert [] == await Books.ledger.audit()
        walked = await Books.pool.fetchrow(
            "SELECT (SELECT count(*) FROM donation WHERE status = 1) AS given, (SELECT count(*) FROM refund) AS back"
        )
        print(dict(walked), f"in {Books.walks} walks")  # of five short walks not each must meet everything
        await Books.ledger.stop()
        await Books.pool.close()

    with asyncio.Runner() as Books.runner:
        Books.runner.run(start())
        try:
            run_state_machine_as_test(
                Books,
                settings=walks(WALKS, STEPS),
            )
        finally:
            Books.runner.run(stop())
