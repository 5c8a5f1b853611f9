"""Core: a top-up order: the states it may be in, and what follows from what the payment provider says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from db.order_errors import OrderState, RefundLate, RulingUnfounded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

# A payment that was begun can be finished for so long: as long as the provider keeps its number (15 minutes).
LIFETIME = timedelta(minutes=15)
# A request that was not answered may still arrive: no network and no queue of a provider keeps one for so long.
IN_FLIGHT_MAX = timedelta(minutes=15)
# Whoever made a call may finish it before anybody else looks: longer than the longest call (connect 3 s, answer 10 s).
LEASE = timedelta(seconds=30)
# Looking again: soon at first, then twice as late each time, and never less than hourly.
LOOK_AGAIN_MIN = timedelta(seconds=10)
LOOK_AGAIN_MAX = timedelta(hours=1)
# What has ended after an approval was asked for is looked at once more: money that came late must be seen.
LATE_LOOK = timedelta(hours=1)
# The law's time for taking back a purchase from afar in Korea (seven days), and then no refund by a click.
REFUND_TIME = timedelta(days=7)
# An order that hangs for so long is told to the operator at every look.
ALARM_AFTER = timedelta(hours=24)

assert IN_FLIGHT_MAX >= LEASE
assert LATE_LOOK > IN_FLIGHT_MAX


class State(StrEnum):
    """Where an order is.

    `ready`, `approving`, `voiding` and `refunding` go on by themselves; `review` waits for a person.
    """

    CREATED = "created"
    READY = "ready"
    APPROVING = "approving"
    PAID = "paid"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    VOIDING = "voiding"
    VOIDED = "voided"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REVIEW = "review"


class Event(StrEnum):
    """What happens to an order. Each leads to one state, whatever the order was in."""

    READIED = "readied"
    """The provider has begun a payment and given its number."""
    DECLINED = "declined"
    """The provider has not begun one."""
    RETURNED = "returned"
    """The customer came back with a token: the approval may be asked for."""
    REOPENED = "reopened"
    """The token was nobody's, the customer has agreed to nothing yet."""
    CAPTURED = "captured"
    """The money is there, exactly: the points are given with this step."""
    MISPAID = "mispaid"
    """Other money than ours is there: it goes back, and no points."""
    QUIT = "quit"
    """The customer gave up, or the payment was taken back at the provider."""
    FAILED = "failed"
    """The payment failed at the provider."""
    OVERDUE = "overdue"
    """Nobody has paid in time."""
    VOIDED = "voided"
    """The wrong money has gone back."""
    REFUND_ASKED = "refund_asked"
    """The customer wants the money back: the points are taken with this step."""
    REFUNDED = "refunded"
    """The money has gone back."""
    REFUND_DECLINED = "refund_declined"
    """It has surely not and will not: the points are given back with this step."""
    STRANGE = "strange"
    """What the provider says fits no order of ours: a person must look."""
    CREDITED = "credited"
    """A person has looked: the money is ours, and the points are the customer's with this step if they were not."""
    CLOSED = "closed"
    """A person has looked: no money is ours, and the points are taken back with this step if they were given."""


_LATE_MONEY = {Event.CAPTURED: State.PAID, Event.MISPAID: State.VOIDING, Event.STRANGE: State.REVIEW}

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.CREATED: {Event.READIED: State.READY, Event.DECLINED: State.FAILED, Event.OVERDUE: State.EXPIRED},
    State.READY: {
        Event.RETURNED: State.APPROVING,
        Event.QUIT: State.CANCELED,
        Event.FAILED: State.FAILED,
        Event.OVERDUE: State.EXPIRED,
        **_LATE_MONEY,
    },
    State.APPROVING: {
        Event.REOPENED: State.READY,
        Event.QUIT: State.CANCELED,
        Event.FAILED: State.FAILED,
        Event.OVERDUE: State.EXPIRED,
        **_LATE_MONEY,
    },
    State.PAID: {Event.REFUND_ASKED: State.REFUNDING, Event.STRANGE: State.REVIEW},
    State.REFUNDING: {
        Event.REFUNDED: State.REFUNDED,
        Event.REFUND_DECLINED: State.PAID,
        Event.STRANGE: State.REVIEW,
    },
    State.REFUNDED: {},
    State.VOIDING: {Event.VOIDED: State.VOIDED, Event.STRANGE: State.REVIEW},
    State.VOIDED: {},
    # Money taken is points given, also when it is noticed after we gave up.
    State.FAILED: _LATE_MONEY,
    State.EXPIRED: _LATE_MONEY,
    State.CANCELED: _LATE_MONEY,
    State.REVIEW: {Event.CREDITED: State.PAID, Event.CLOSED: State.VOIDED},
}
"""The whole machine. The database compares a row's state with `sources()` in the statement that sets it."""

GIVES_POINTS = frozenset({Event.CAPTURED, Event.REFUND_DECLINED})
TAKES_POINTS = frozenset({Event.REFUND_ASKED})
# These follow from money that is *not* there, so they hold only while nobody else has begun a call meanwhile.
NEEDS_SILENCE = frozenset({Event.REOPENED, Event.OVERDUE, Event.REFUND_DECLINED})
ENDED_UNPAID = frozenset({State.FAILED, State.EXPIRED, State.CANCELED})
# A call of ours may be on its way, or is still to be made: these end well only while somebody asks the provider.
UNDER_WAY = frozenset({State.APPROVING, State.REFUNDING, State.VOIDING})


def target(event: Event) -> State:
    """Say where an event leads."""
    return next(row[event] for row in TRANSITIONS.values() if event in row)


def sources(event: Event) -> list[State]:
    """List the states in which an event may happen."""
    return [state for state, row in TRANSITIONS.items() if event in row]


@dataclass(frozen=True, slots=True)
class Links:
    """Where the customer goes to pay: the page for a PC, the page for a phone, and the app's own link."""

    pc: str
    mobile: str
    app: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as its row has it.

    Attributes:
        provider: who takes the money, and `cid` as which merchant of theirs.
        tid: the provider's number of the payment, None before there is one.
        pg_token: what the customer brought back; spent by the approval.
        spare_token: another that came meanwhile; the two are tried in turn.
        receipt: the provider's number of the approval.
        transfer_id: the transfer that moved the order's points last.
        checks: how often it was looked at since it came into its state.
        unheard_at: when the last call began whose answer was never seen.
        calls: how many calls were begun, by whomever.
    """

    id: UUID
    member_id: int
    product: str
    points: int
    amount_won: int
    provider: str
    cid: str
    state: State
    tid: str | None
    links: Links | None
    pg_token: str | None
    spare_token: str | None
    receipt: str | None
    method: str | None
    transfer_id: int | None
    checks: int
    unheard_at: datetime | None
    calls: int
    created_at: datetime
    state_at: datetime
    returned_at: datetime | None
    paid_at: datetime | None
    refunded_at: datetime | None

    @property
    def expires_at(self) -> datetime:
        """When it can no longer be paid."""
        return self.created_at + LIFETIME

    def in_flight(self, now: datetime) -> bool:
        """Say whether a call of ours may still arrive at the provider."""
        return self.unheard_at is not None and now - self.unheard_at < IN_FLIGHT_MAX


class Standing(StrEnum):
    """How a payment stands at the provider, in our words."""

    WAITING = "waiting"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    PART_CANCELED = "part_canceled"
    CANCELED = "canceled"
    QUIT = "quit"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """A word that is not in the book: surely not the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the provider says of one payment: how it stands, whose it is, and the won taken and given back."""

    standing: Standing
    order_id: str
    member_id: str
    total_won: int
    canceled_won: int = 0
    receipt: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider answered no, with its number and words for the log. It may have done it all the same."""

    code: int | None
    words: str


class Call(StrEnum):
    """What to ask of the provider next; its answer is followed by another look."""

    APPROVE = "approve"
    CANCEL = "cancel"


class Rest(StrEnum):
    """Nothing to do now."""

    WAIT = "wait"
    DONE = "done"


def decide(order: Order, look: Look, now: datetime, *, refused: bool = False) -> Event | Call | Rest:
    """Say what follows from a look at an order's payment. `refused`: the call just made was answered with a no.

    Nothing is believed but the look, and the look is held against our own row: the order, the member, the amount.
    """
    if look.order_id != str(order.id) or look.member_id != str(order.member_id):
        return Event.STRANGE
    if look.standing is Standing.UNKNOWN and order.state is not State.READY:
        return Rest.WAIT
    if order.state is State.VOIDING:
        return _of_void(look)
    if order.state is State.REFUNDING:
        return _of_refund(order, look, now, refused=refused)
    if order.state is State.PAID:
        return Rest.DONE if look.standing is Standing.CAPTURED else Event.STRANGE
    return _of_payment(order, look, now)


def _of_payment(order: Order, look: Look, now: datetime) -> Event | Call | Rest:
    # READY, APPROVING and what ended unpaid.
    if look.standing in {Standing.CAPTURED, Standing.PART_CANCELED}:
        return _of_money(order, look)
    if order.state in ENDED_UNPAID:
        return Rest.DONE
    if look.standing in _ENDINGS:
        return _ENDINGS[look.standing]
    if order.state is State.READY:
        # Without an approval nothing can be captured, so nobody waits longer than the order lives.
        return Event.OVERDUE if now >= order.expires_at else Rest.WAIT
    return _of_approval(order, look, now)


_ENDINGS = {Standing.CANCELED: Event.QUIT, Standing.QUIT: Event.QUIT, Standing.FAILED: Event.FAILED}


def _of_money(order: Order, look: Look) -> Event:
    if look.canceled_won or look.standing is Standing.PART_CANCELED:
        return Event.STRANGE
    return Event.CAPTURED if look.total_won == order.amount_won else Event.MISPAID


def _of_approval(order: Order, look: Look, now: datetime) -> Event | Call | Rest:
    # APPROVING, and the money is not there.
    assert order.returned_at is not None, "approving begins with a return"
    if look.standing is Standing.AUTHORISED and now - order.returned_at < LIFETIME:
        return Call.APPROVE
    if order.in_flight(now):
        return Rest.WAIT
    if look.standing is Standing.WAITING and now < order.expires_at:
        return Event.REOPENED
    return Event.OVERDUE


def _of_void(look: Look) -> Event | Call | Rest:
    if look.standing in {Standing.CANCELED, Standing.QUIT, Standing.FAILED}:
        return Event.VOIDED
    if look.standing in {Standing.CAPTURED, Standing.PART_CANCELED}:
        return Call.CANCEL
    return Rest.WAIT


def _of_refund(order: Order, look: Look, now: datetime, *, refused: bool) -> Event | Call | Rest:
    if look.standing is Standing.CANCELED:
        return Event.REFUNDED
    if look.standing is not Standing.CAPTURED or look.canceled_won or look.total_won != order.amount_won:
        return Event.STRANGE
    # Points come back only when no call can still take the money away.
    return Event.REFUND_DECLINED if refused and not order.in_flight(now) else Call.CANCEL


def next_look(order: Order, event: Event, now: datetime) -> datetime | None:
    """Say when to look after an order to which `event` happened; None: never."""
    match target(event):
        case State.READY:
            return order.expires_at
        case State.APPROVING | State.REFUNDING:
            return now + LEASE
        case State.VOIDING:
            return now
        case State.FAILED | State.EXPIRED | State.CANCELED if order.state is State.APPROVING:
            return now + LATE_LOOK
        case State.PAID if event is Event.REFUND_DECLINED:
            return now + LATE_LOOK
        case _:
            return None


def look_again(checks: int, now: datetime) -> datetime:
    """Say when to look again at an order at which `checks` looks were in vain."""
    # Beyond 2^12 the hour is long reached; a shift by a stored number must have a bound.
    return now + min(LOOK_AGAIN_MIN * (1 << min(checks, 12)), LOOK_AGAIN_MAX)


def check_refundable(order: Order, now: datetime) -> None:
    """See that an order may be taken back. Raises OrderState, RefundLate."""
    if order.state is not State.PAID:
        raise OrderState(order.state)
    assert order.paid_at is not None, "paid orders know when"
    if now - order.paid_at > REFUND_TIME:
        raise RefundLate(REFUND_TIME.days)


def kept_won(order: Order, look: Look | None) -> int | None:
    """Say how much money of an order the provider keeps for us; None if it says nothing of this order."""
    if look is None or look.standing is Standing.UNKNOWN:
        return None
    if look.order_id != str(order.id) or look.member_id != str(order.member_id):
        return None
    taken = look.standing in {Standing.CAPTURED, Standing.PART_CANCELED}
    return look.total_won - look.canceled_won if taken else 0


def check_ruling(order: Order, *, credited: bool, kept: int | None) -> None:
    """See that a person's decision on an order fits the money. Raises RulingUnfounded."""
    if kept != (order.amount_won if credited else 0):
        raise RulingUnfounded(kept)
