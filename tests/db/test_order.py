"""Core: the order as a table of states, and each decision a look can lead to, to the last branch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.order import (
    ALARM_AFTER,
    ENDED_UNPAID,
    GIVES_POINTS,
    IN_FLIGHT_MAX,
    LATE_LOOK,
    LEASE,
    LIFETIME,
    LOOK_AGAIN_MAX,
    LOOK_AGAIN_MIN,
    NEEDS_SILENCE,
    REFUND_TIME,
    TAKES_POINTS,
    TRANSITIONS,
    Call,
    Event,
    Links,
    Look,
    Order,
    Rest,
    Standing,
    State,
    check_refundable,
    check_ruling,
    decide,
    kept_won,
    look_again,
    next_look,
    sources,
    target,
)
from db.order_errors import OrderState, RefundLate, RulingUnfounded

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ID = uuid.UUID(int=7)
SECOND = timedelta(seconds=1)


def order(state=State.APPROVING, **fields):
    return Order(
        **{
            "id": ID,
            "member_id": 3,
            "product": "100",
            "points": 100,
            "amount_won": 1_200,
            "provider": "sandbox",
            "cid": "TC0ONETIME",
            "state": state,
            "tid": "T1",
            "links": Links("pc", "mobile", "app"),
            "pg_token": "token",
            "spare_token": None,
            "receipt": None,
            "method": None,
            "transfer_id": None,
            "checks": 0,
            "unheard_at": None,
            "calls": 0,
            "created_at": NOON,
            "state_at": NOON,
            "returned_at": NOON,
            "paid_at": None,
            "refunded_at": None,
            **fields,
        }
    )


def look(standing, **fields):
    return Look(**{"standing": standing, "order_id": str(ID), "member_id": "3", "total_won": 1_200, **fields})


def test_every_state_has_its_row_and_every_event_one_target():
    assert set(TRANSITIONS) == set(State)
    for event in Event:
        assert {row[event] for row in TRANSITIONS.values() if event in row} == {target(event)}
        assert sources(event)
        assert all(TRANSITIONS[state][event] is target(event) for state in sources(event))


def test_points_move_exactly_into_and_out_of_paid():
    for state, row in TRANSITIONS.items():
        for event, following in row.items():
            by_a_person = event is Event.CREDITED  # who gives what is missing, if anything is
            assert (following is State.PAID) == (event in GIVES_POINTS or by_a_person)
            assert (state is State.PAID and following is State.REFUNDING) == (event in TAKES_POINTS)


def test_what_needs_silence_is_what_follows_from_no_money():
    unpaid = {State.READY, State.EXPIRED}

    assert {Event.REOPENED, Event.OVERDUE} == {event for event in NEEDS_SILENCE if target(event) in unpaid}
    assert {Event.REFUND_DECLINED} == NEEDS_SILENCE & GIVES_POINTS


def test_what_is_surely_over_stays_over():
    assert {state for state, row in TRANSITIONS.items() if not row} == {State.REFUNDED, State.VOIDED}


def test_every_state_can_be_reached():
    reached, found = set(), {State.CREATED}
    while found - reached:
        reached |= found
        found = {following for state in reached for following in TRANSITIONS[state].values()}

    assert reached == set(State)


LATE = LIFETIME + SECOND
UNHEARD = {"unheard_at": NOON}
HEARD_LONG_AGO = {"unheard_at": NOON - IN_FLIGHT_MAX - LATE}

DECISIONS = [
    # What the customer has not agreed to.
    (State.READY, Standing.WAITING, {}, timedelta(), Rest.WAIT),
    (State.READY, Standing.WAITING, {}, LIFETIME, Event.OVERDUE),
    (State.READY, Standing.AUTHORISED, {}, SECOND, Rest.WAIT),
    (State.READY, Standing.AUTHORISED, {}, LATE, Event.OVERDUE),
    (State.READY, Standing.UNKNOWN, {}, SECOND, Rest.WAIT),
    (State.READY, Standing.UNKNOWN, {}, LATE, Event.OVERDUE),
    (State.READY, Standing.QUIT, {}, SECOND, Event.QUIT),
    (State.READY, Standing.CANCELED, {}, SECOND, Event.QUIT),
    (State.READY, Standing.FAILED, {}, SECOND, Event.FAILED),
    (State.READY, Standing.CAPTURED, {}, SECOND, Event.CAPTURED),
    # An approval that was asked for.
    (State.APPROVING, Standing.CAPTURED, {}, SECOND, Event.CAPTURED),
    (State.APPROVING, Standing.PART_CANCELED, {}, SECOND, Event.STRANGE),
    (State.APPROVING, Standing.CANCELED, {}, SECOND, Event.QUIT),
    (State.APPROVING, Standing.QUIT, {}, SECOND, Event.QUIT),
    (State.APPROVING, Standing.FAILED, {}, SECOND, Event.FAILED),
    (State.APPROVING, Standing.UNKNOWN, {}, LATE, Rest.WAIT),
    (State.APPROVING, Standing.AUTHORISED, {}, SECOND, Call.APPROVE),
    (State.APPROVING, Standing.AUTHORISED, UNHEARD, SECOND, Call.APPROVE),
    (State.APPROVING, Standing.AUTHORISED, HEARD_LONG_AGO, LATE, Event.OVERDUE),
    (State.APPROVING, Standing.AUTHORISED, {"unheard_at": NOON + SECOND}, LIFETIME, Rest.WAIT),
    (State.APPROVING, Standing.WAITING, {}, SECOND, Event.REOPENED),
    (State.APPROVING, Standing.WAITING, UNHEARD, SECOND, Rest.WAIT),
    (State.APPROVING, Standing.WAITING, {}, LATE, Event.OVERDUE),
    # Money that is noticed late.
    *((state, Standing.CAPTURED, {}, LATE, Event.CAPTURED) for state in sorted(ENDED_UNPAID)),
    *((state, Standing.PART_CANCELED, {}, LATE, Event.STRANGE) for state in sorted(ENDED_UNPAID)),
    *((state, Standing.UNKNOWN, {}, LATE, Rest.WAIT) for state in sorted(ENDED_UNPAID)),
    *((state, Standing.AUTHORISED, {}, LATE, Rest.DONE) for state in sorted(ENDED_UNPAID)),
    *((state, Standing.FAILED, {}, LATE, Rest.DONE) for state in sorted(ENDED_UNPAID)),
    # The wrong money.
    (State.VOIDING, Standing.CAPTURED, {}, SECOND, Call.CANCEL),
    (State.VOIDING, Standing.PART_CANCELED, {}, SECOND, Call.CANCEL),
    (State.VOIDING, Standing.CANCELED, {}, SECOND, Event.VOIDED),
    (State.VOIDING, Standing.QUIT, {}, SECOND, Event.VOIDED),
    (State.VOIDING, Standing.FAILED, {}, SECOND, Event.VOIDED),
    (State.VOIDING, Standing.AUTHORISED, {}, SECOND, Rest.WAIT),
    (State.VOIDING, Standing.UNKNOWN, {}, SECOND, Rest.WAIT),
    # A refund.
    (State.REFUNDING, Standing.CANCELED, {}, SECOND, Event.REFUNDED),
    (State.REFUNDING, Standing.CAPTURED, {}, SECOND, Call.CANCEL),
    (State.REFUNDING, Standing.CAPTURED, UNHEARD, SECOND, Call.CANCEL),
    (State.REFUNDING, Standing.PART_CANCELED, {}, SECOND, Event.STRANGE),
    (State.REFUNDING, Standing.WAITING, {}, SECOND, Event.STRANGE),
    (State.REFUNDING, Standing.UNKNOWN, {}, SECOND, Rest.WAIT),
    # Paid again, because the refund was declined.
    (State.PAID, Standing.CAPTURED, {}, SECOND, Rest.DONE),
    (State.PAID, Standing.CANCELED, {}, SECOND, Event.STRANGE),
    (State.PAID, Standing.UNKNOWN, {}, SECOND, Rest.WAIT),
]


@pytest.mark.parametrize(("state", "standing", "fields", "later", "step"), DECISIONS)
def test_a_look_leads_to_one_step(state, standing, fields, later, step):
    assert decide(order(state, **fields), look(standing), NOON + later) is step


@pytest.mark.parametrize("state", [State.READY, State.APPROVING, *sorted(ENDED_UNPAID)])
def test_another_amount_goes_back_and_gives_no_points(state):
    for total_won in (1_199, 1_201, 0):
        assert decide(order(state), look(Standing.CAPTURED, total_won=total_won), NOON) is Event.MISPAID
    assert decide(order(state), look(Standing.CAPTURED, canceled_won=1), NOON) is Event.STRANGE


@pytest.mark.parametrize("state", [State.READY, State.APPROVING, State.REFUNDING, State.VOIDING, State.PAID])
@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("fields", [{"order_id": str(uuid.UUID(int=8))}, {"member_id": "4"}, {"member_id": ""}])
def test_another_order_or_member_is_for_a_person(state, standing, fields):
    assert decide(order(state), look(standing, **fields), NOON) is Event.STRANGE


@pytest.mark.parametrize(
    ("fields", "later", "step"),
    [
        ({}, SECOND, Event.REFUND_DECLINED),
        (UNHEARD, SECOND, Call.CANCEL),  # An earlier call may still take the money away.
        (UNHEARD, IN_FLIGHT_MAX, Event.REFUND_DECLINED),
    ],
)
def test_points_come_back_only_when_the_money_surely_stays(fields, later, step):
    refunding = order(State.REFUNDING, **fields)

    assert decide(refunding, look(Standing.CAPTURED), NOON + later, refused=True) is step
    assert decide(refunding, look(Standing.CANCELED), NOON + later, refused=True) is Event.REFUNDED


@pytest.mark.parametrize("fields", [{"canceled_won": 100}, {"total_won": 1_100}])
def test_a_refund_of_other_money_is_for_a_person(fields):
    assert decide(order(State.REFUNDING), look(Standing.CAPTURED, **fields), NOON, refused=True) is Event.STRANGE


states = st.sampled_from([State.READY, State.APPROVING, State.PAID, State.REFUNDING, State.VOIDING, *ENDED_UNPAID])


@given(
    state=states,
    standing=st.sampled_from(list(Standing)),
    total=st.sampled_from([0, 1_199, 1_200, 1_201]),
    canceled=st.sampled_from([0, 1, 1_200]),
    refused=st.booleans(),
    later=st.integers(0, 3_600),
    unheard=st.none() | st.integers(0, 3_600),
    member=st.sampled_from(["3", "4"]),
)
def test_whatever_is_said_only_exact_money_gives_points(
    state, standing, total, canceled, refused, later, unheard, member
):
    now = NOON + timedelta(seconds=later)
    one = order(state, unheard_at=None if unheard is None else NOON + timedelta(seconds=unheard))
    said = look(standing, total_won=total, canceled_won=canceled, member_id=member)
    step = decide(one, said, now, refused=refused)

    # Every event that comes out is one that may happen, and money is never given for less than itself.
    assert not isinstance(step, Event) or state in sources(step)
    if step in {Event.CAPTURED, Event.REFUND_DECLINED}:
        assert (standing, total, canceled, member) == (Standing.CAPTURED, 1_200, 0, "3")
    if step is Call.CANCEL:
        assert state in {State.REFUNDING, State.VOIDING}
    if step is Call.APPROVE:
        assert state is State.APPROVING


@pytest.mark.parametrize(
    ("state", "event", "moment"),
    [
        (State.CREATED, Event.READIED, NOON + LIFETIME),
        (State.APPROVING, Event.REOPENED, NOON + LIFETIME),
        (State.READY, Event.RETURNED, NOON + SECOND + LEASE),
        (State.PAID, Event.REFUND_ASKED, NOON + SECOND + LEASE),
        (State.APPROVING, Event.MISPAID, NOON + SECOND),
        (State.APPROVING, Event.OVERDUE, NOON + SECOND + LATE_LOOK),
        (State.APPROVING, Event.FAILED, NOON + SECOND + LATE_LOOK),
        (State.APPROVING, Event.QUIT, NOON + SECOND + LATE_LOOK),
        (State.READY, Event.OVERDUE, None),
        (State.READY, Event.QUIT, None),
        (State.CREATED, Event.DECLINED, None),
        (State.APPROVING, Event.CAPTURED, None),
        (State.REFUNDING, Event.REFUND_DECLINED, NOON + SECOND + LATE_LOOK),
        (State.REFUNDING, Event.REFUNDED, None),
        (State.VOIDING, Event.VOIDED, None),
        (State.APPROVING, Event.STRANGE, None),
    ],
)
def test_after_an_event_it_is_known_when_to_look(state, event, moment):
    assert next_look(order(state), event, NOON + SECOND) == moment


def test_looks_in_vain_become_rarer_and_never_end():
    delays = [look_again(checks, NOON) - NOON for checks in range(20)]

    assert delays[0] == LOOK_AGAIN_MIN
    assert delays == sorted(delays)
    assert delays[1] == 2 * delays[0]
    assert delays[-1] == LOOK_AGAIN_MAX == look_again(10**9, NOON) - NOON
    assert LOOK_AGAIN_MAX < ALARM_AFTER


def test_an_order_is_taken_back_for_seven_days():
    paid = order(State.PAID, paid_at=NOON)

    check_refundable(paid, NOON + REFUND_TIME)
    with pytest.raises(RefundLate, match="7 days"):
        check_refundable(paid, NOON + REFUND_TIME + SECOND)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PAID])
def test_only_a_paid_order_is_taken_back(state):
    with pytest.raises(OrderState, match=f"the order is {state}"):
        check_refundable(order(state), NOON)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, 1_200),
        ({"canceled_won": 200, "standing": Standing.PART_CANCELED}, 1_000),
        ({"standing": Standing.CANCELED, "canceled_won": 1_200}, 0),
        ({"standing": Standing.WAITING}, 0),
        ({"standing": Standing.UNKNOWN}, None),
        ({"order_id": "another"}, None),
        ({"member_id": "0"}, None),
    ],
)
def test_what_is_kept_is_what_the_provider_says_of_this_order(fields, kept):
    reviewed = order(State.REVIEW)
    seen = look(**{"standing": Standing.CAPTURED, **fields})

    assert kept == kept_won(reviewed, seen)
    assert kept_won(reviewed, None) is None
    for credited, due in ((True, 1_200), (False, 0)):
        if kept == due:
            check_ruling(reviewed, credited=credited, kept=kept)
        else:
            with pytest.raises(RulingUnfounded):
                check_ruling(reviewed, credited=credited, kept=kept)
