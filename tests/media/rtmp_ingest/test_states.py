from __future__ import annotations

import pytest

from media.rtmp_ingest import states
from media.rtmp_ingest.states import TRANSITIONS, Late, OutOfOrder, Stage, State, Trigger


def picture() -> str:
    """Draw the table as the module's docstring shows it."""
    lines = [
        f"    {state.value} --{trigger.value}--> {target.value}"
        for state, row in TRANSITIONS.items()
        for trigger, target in row.items()
        if trigger is not Trigger.CLOSE
    ]
    return "\n".join([*lines, "    (any of them) --close--> closed"])


def test_the_picture_is_the_table():
    assert picture() in states.__doc__


def test_every_state_has_a_row_and_can_be_left_but_the_last():
    assert set(TRANSITIONS) == set(State)
    for state, row in TRANSITIONS.items():
        assert (row.get(Trigger.CLOSE) is State.CLOSED) == (state is not State.CLOSED)
    assert TRANSITIONS[State.CLOSED] == {}


def test_every_state_can_be_reached():
    reached = {target for row in TRANSITIONS.values() for target in row.values()}

    assert reached | {State.HANDSHAKING} == set(State)


def test_nothing_streams_without_a_decision():
    into_publishing = {
        (state, trigger) for state, row in TRANSITIONS.items() for trigger in row if row[trigger] is State.PUBLISHING
    }

    assert into_publishing == {(State.DECIDING, Trigger.ACCEPT)}


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        (Stage.FIRST_BYTE, 5),
        (Stage.HANDSHAKE, 5),
        (Stage.PUBLISH, 10),
        (Stage.FIRST_MEDIA, 10),
        (Stage.MEDIA, 10),
    ],
)
def test_stages_and_their_seconds(stage, seconds):
    assert stage.seconds_max == seconds
    assert f"within {seconds} s" in str(Late(stage))


def test_two_stages_of_equal_length_are_two():
    assert len(Stage) == 5


def test_out_of_order_says_what_and_when():
    assert str(OutOfOrder(Trigger.CONNECT, State.PUBLISHING)) == "connect while publishing"
    assert str(OutOfOrder(None, State.OPENED)) == "command while opened"
