from __future__ import annotations

from math import inf

import pytest

from rsocket_server import limits
from rsocket_server.group import Group
from rsocket_server.outbox import Outbox


class Someone:
    """A member, and what its socket was sent; `takes` is how much of it, or what it raises."""

    def __init__(self, credit: int = limits.CREDIT_UNBOUNDED, takes: int | OSError | None = None) -> None:
        self.outbox = Outbox(5)
        self.outbox.request(credit)
        self.group: Group | None = None
        self.sent: list[bytes] = []
        self.takes = takes

    def fileno(self) -> int:
        return -1

    def send(self, data: bytes, /) -> int:
        if isinstance(self.takes, OSError):
            raise self.takes
        taken = data[: self.takes]
        self.sent.append(taken)
        return len(taken)


def group_of(*members: Someone) -> Group:
    group = Group(1, 5)
    for member in members:
        group.join(member, member)
    return group


def test_everybody_gets_the_same_and_none_is_counted_before_it_is_asked_for() -> None:
    members = [Someone(), Someone(4)]
    group = group_of(*members)
    data = b"6 and 7"

    assert group.send(data, 7) == []
    assert all(member.sent[0] is data for member in members)
    assert (group.cursor, group.least, len(group)) == (7, 9, 2)
    group.leave(members[1])
    assert (members[1].outbox.cursor, members[1].outbox.credit, members[1].group) == (7, 2, None)
    assert (len(group), members[0].group) == (1, group)
    assert group.disband() == [members[0]]
    assert (members[0].outbox.cursor, members[0].outbox.credit, len(group)) == (7, inf, 0)


@pytest.mark.parametrize(("target", "short"), [(5, []), (7, []), (8, [1]), (9, [1]), (10, [1, 2])])
def test_whose_credit_does_not_reach_is_let_go(target: int, short: list[int]) -> None:
    members = [Someone(), Someone(2), Someone(4)]
    group = group_of(*members)

    assert group.dismiss(target) == [members[index] for index in short]
    assert group.least == {0: 7, 1: 9, 2: inf}[len(short)]
    assert all((member.group is None) is (index in short) for index, member in enumerate(members))


def test_credit_that_was_asked_for_meanwhile_counts() -> None:
    member = Someone(2)
    group = group_of(member)
    group.send(b"6", 6)
    member.outbox.keep_up(group.cursor)
    member.outbox.request(3)

    assert group.dismiss(8) == []
    assert group.least == 10
    assert group.dismiss(11) == [member]
    assert (member.outbox.cursor, member.outbox.credit) == (6, 4)


def test_who_cannot_be_sent_all_leaves_and_the_others_go_on() -> None:
    takes: list[int | OSError | None] = [None, 2, BlockingIOError(), None, ConnectionResetError(), None, 0]
    members = [Someone(takes=each) for each in takes]
    group = group_of(*members)

    assert group.send(b"abc", 6) == [(members[1], 2), (members[2], 0), (members[4], -1), (members[6], 0)]
    assert [member.sent for member in members] == [[b"abc"], [b"ab"], [], [b"abc"], [], [b"abc"], [b""]]
    assert len(group) == 3
    # What is left over is written by whoever calls: they have had the event.
    assert all(member.outbox.cursor == 6 for member in members if member.group is None)


def test_what_is_said_aside_costs_a_credit_and_moves_nobody() -> None:
    members = [Someone(), Someone(3), Someone(takes=1)]
    group = group_of(*members)

    assert group.send_aside(b"note") == [(members[2], 1)]
    assert (group.cursor, group.least, members[1].outbox.reach) == (5, 7, 7)
    group.send(b"6", 6)
    group.leave(members[1])
    assert (members[1].outbox.cursor, members[1].outbox.credit) == (6, 1)
    assert (members[2].outbox.cursor, members[1].sent) == (5, [b"note", b"6"])


def test_who_comes_to_the_same_place_can_be_put_together() -> None:
    first, second = Someone(), Someone(3)
    one, other = group_of(first), Group(1, 4)
    second.outbox.cursor = 4
    other.join(second, second)
    other.send(b"5", 5)
    one.absorb(other)
    one.send(b"6", 6)

    assert (len(one), len(other), second.group, one.least) == (2, 0, one, 7)
    assert (first.sent, second.sent) == ([b"6"], [b"5", b"6"])
    one.leave(second)
    assert (second.outbox.cursor, second.outbox.credit) == (6, 1)


def test_an_empty_group_has_nobody_to_send_to() -> None:
    group = Group(3, 0)

    assert not group
    assert (group.send(b"x", 1), group.dismiss(9), group.disband()) == ([], [], [])


def test_who_is_elsewhere_cannot_join() -> None:
    someone = Someone()
    with pytest.raises(AssertionError):
        Group(1, 4).join(someone, someone)
