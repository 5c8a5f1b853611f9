from __future__ import annotations

import random
from math import inf

import pytest

from rsocket_server import limits
from rsocket_server.outbox import Outbox
from rsocket_server.room_log import Log


def gap(skipped: int, first: int, last: int) -> bytes:
    return b"gap %d %d-%d" % (skipped, first, last)


def log_of(*payloads: bytes) -> Log:
    log = Log()
    for payload in payloads:
        log.append(payload)
    return log


ABC = (b"a", b"b", b"c")


def test_nothing_goes_out_without_credit() -> None:
    outbox = Outbox(0)
    outbox.whisper(b"w")
    outbox.note(b"n")

    assert not outbox.ready(3)
    assert outbox.take(log_of(*ABC), gap) == []


def test_exactly_what_was_requested_goes_out() -> None:
    outbox, log = Outbox(0), log_of(*ABC)
    outbox.request(2)

    assert outbox.take(log, gap) == [b"a", b"b"]
    assert outbox.take(log, gap) == []
    outbox.request(2)
    assert outbox.take(log, gap) == [b"c"]
    assert (3, 1) == (outbox.cursor, outbox.credit)


@pytest.mark.parametrize("n", [0, -1, -(2**31)])
def test_asking_for_nothing_gives_nothing(n: int) -> None:
    outbox = Outbox(0)
    outbox.request(n)

    assert outbox.credit == 0


@pytest.mark.parametrize(
    ("asked", "credit"),
    [
        ([limits.CREDIT_UNBOUNDED - 1], limits.CREDIT_UNBOUNDED - 1),
        ([limits.CREDIT_UNBOUNDED], inf),
        ([limits.CREDIT_UNBOUNDED - 1, 1], inf),
        ([limits.CREDIT_UNBOUNDED, limits.CREDIT_UNBOUNDED], inf),
    ],
)
def test_credit_becomes_unbounded_at_the_limit(asked: list[int], credit: float) -> None:
    outbox = Outbox(0)
    for n in asked:
        outbox.request(n)

    assert credit == outbox.credit


def test_unbounded_credit_does_not_run_out() -> None:
    outbox = Outbox(0)
    outbox.request(limits.CREDIT_UNBOUNDED)

    assert outbox.take(log_of(*ABC), gap) == [b"a", b"b", b"c"]
    assert outbox.credit == inf


def test_a_closed_window_holds_everything() -> None:
    outbox, log = Outbox(0), log_of(*ABC)
    outbox.request(10)
    outbox.open = False

    assert not outbox.ready(3)
    assert outbox.take(log, gap) == []
    outbox.open = True
    assert outbox.take(log, gap) == [b"a", b"b", b"c"]


def test_one_gap_says_what_the_log_no_longer_has() -> None:
    outbox, log = Outbox(2), log_of()
    log.restart(7)
    log.append(b"h")
    outbox.request(10)

    assert outbox.take(log, gap) == [b"gap 5 3-7", b"h"]
    assert (8, 8) == (outbox.cursor, outbox.credit)


def test_a_gap_costs_a_credit_and_may_go_alone() -> None:
    outbox, log = Outbox(0), log_of()
    log.restart(7)
    log.append(b"h")
    outbox.request(1)

    assert outbox.take(log, gap) == [b"gap 7 1-7"]
    outbox.request(1)
    assert outbox.take(log, gap) == [b"h"]


def test_a_gap_up_to_the_head() -> None:
    outbox, log = Outbox(3), log_of()
    log.restart(7)
    outbox.request(1)

    assert outbox.ready(7)
    assert outbox.take(log, gap) == [b"gap 4 4-7"]
    assert not outbox.ready(7)


def test_whispers_go_first_and_notes_last() -> None:
    outbox, log = Outbox(0), log_of(*ABC)
    outbox.whisper(b"w1")
    outbox.whisper(b"w2")
    outbox.note(b"old count")
    outbox.note(b"count")
    outbox.request(1)
    assert outbox.take(log, gap) == [b"w1"]
    outbox.request(3)
    assert outbox.take(log, gap) == [b"w2", b"a", b"b"]
    outbox.request(1)
    assert outbox.take(log, gap) == [b"c"]
    assert not outbox.ready(3)
    outbox.request(1)
    assert outbox.ready(3)
    assert outbox.take(log, gap) == [b"count"]
    assert outbox.credit == 0


@pytest.mark.parametrize(("count", "first"), [(-1, 0), (0, 0), (1, 1)])
def test_whispers_at_their_limit_the_oldest_goes(count: int, first: int) -> None:
    outbox = Outbox(0)
    for number in range(limits.WHISPERS_MAX + count):
        outbox.whisper(b"%d" % number)
    outbox.request(1000)
    taken = outbox.take(log_of(), gap)

    assert b"%d" % first == taken[0]
    assert len(taken) == min(limits.WHISPERS_MAX, limits.WHISPERS_MAX + count)


def test_a_batch_has_its_bytes() -> None:
    outbox, log = Outbox(0), log_of(*[b"x" * 1000] * 100)
    outbox.request(1000)
    first = outbox.take(log, gap)

    assert len(first) == limits.BATCH_BYTES_MAX // 1000
    assert outbox.ready(log.head)
    outbox.note(b"n")
    total = list(first)
    while more := outbox.take(log, gap):
        total += more
    assert [*[b"x" * 1000] * 100, b"n"] == total


def test_who_is_level_with_everyone_keeps_up_within_its_reach() -> None:
    outbox = Outbox(5)
    outbox.request(3)
    assert outbox.reach == 8
    outbox.keep_up(7)
    assert (7, 1, 8) == (outbox.cursor, outbox.credit, outbox.reach)
    outbox.keep_up(7)
    assert (7, 1, 8) == (outbox.cursor, outbox.credit, outbox.reach)
    outbox.request(limits.CREDIT_UNBOUNDED)
    outbox.keep_up(1_000_000)
    assert (1_000_000, inf) == (outbox.cursor, outbox.reach)


def test_a_log_that_began_anew_is_read_from_its_first_event() -> None:
    log, outbox = Log(), Outbox(2)
    for seq in range(1, 5):
        log.append(b"old %d" % seq, kept=seq == 4)
    log.begin_anew()
    log.restart(6)
    log.append(b"7")
    outbox.begin_anew(log)
    outbox.request(9)

    assert outbox.take(log, gap) == [b"old 4", b"7"]


def test_never_more_than_requested_and_nothing_lost_in_any_order() -> None:
    die = random.Random(11)
    for _ in range(200):
        log, outbox = Log(), Outbox(0)
        granted = delivered = said = notes = 0
        numbers: list[int] = []
        for _ in range(300):
            match die.randrange(6):
                case 0:
                    n = die.randrange(5)
                    outbox.request(n)
                    granted += n
                case 1 | 2:
                    base = log.head
                    log.append(b"%d" % log.head)
                    said += 1
                    if die.random() < 0.5 and outbox.open and not outbox.ready(base) and outbox.reach > base:
                        outbox.keep_up(log.head)
                        delivered += 1
                        numbers.append(base)
                case 3:
                    outbox.open = not outbox.open
                case 4:
                    outbox.note(b"n")
                    notes += 1
                case _:
                    for payload in outbox.take(log, gap):
                        delivered += 1
                        if payload != b"n":
                            numbers.append(int(payload))
            assert delivered + outbox.credit == granted
        outbox.open = True
        outbox.request(said + notes)
        while taken := outbox.take(log, gap):
            numbers += [int(payload) for payload in taken if payload != b"n"]

        assert list(range(said)) == numbers


def test_what_is_kept_is_never_skipped() -> None:
    log, outbox = Log(), Outbox(0)
    kept = {1, 5, 6, 10, limits.LOG_EVENTS_MAX + 9}
    for seq in range(1, limits.LOG_EVENTS_MAX + 11):
        log.append(b"%d" % seq, kept=seq in kept)
    outbox.request(9)
    slow = Outbox(0)
    slow.request(2)

    assert log.first == 11
    assert outbox.take(log, gap) == [b"1", b"gap 3 2-4", b"5", b"6", b"gap 3 7-9", b"10", b"11", b"12", b"13"]
    assert slow.take(log, gap) == [b"1", b"gap 3 2-4"]
    assert (slow.cursor, slow.credit) == (4, 0)


def test_ones_own_lines_are_never_skipped() -> None:
    log = Log()
    log.listen("nabi")
    for seq in range(1, limits.LOG_EVENTS_MAX + 6):
        log.append(b"%d" % seq, kept=seq == 4, voice="nabi" if seq in {2, 5} else "mimi")
    hers, others = Outbox(0), Outbox(0)
    for outbox in (hers, others):
        outbox.request(6)

    assert log.first == 6
    assert hers.take(log, gap, "nabi") == [b"gap 1 1-1", b"2", b"gap 1 3-3", b"4", b"5", b"6"]
    assert others.take(log, gap) == [b"gap 3 1-3", b"4", b"gap 1 5-5", b"6", b"7", b"8"]


@pytest.mark.parametrize(
    ("behind", "taken"),
    [
        (None, [b"1", b"2", b"3"]),
        (12, [b"1", b"2", b"3"]),
        (11, [b"1", b"gap 2 2-3", b"4", b"gap 3 5-7", b"8", b"9"]),
        (1, [b"1", b"gap 2 2-3", b"4", b"gap 7 5-11", b"12"]),
        (0, [b"1", b"gap 2 2-3", b"4", b"gap 7 5-11", b"12"]),
    ],
)
def test_a_viewer_that_is_too_late_goes_on_with_the_newest(behind: int | None, taken: list[bytes]) -> None:
    log, outbox = Log(), Outbox(0, behind)
    log.listen("nabi")
    for seq in range(1, 13):
        log.append(b"%d" % seq, kept=seq == 1, voice="nabi" if seq == 4 else None)
    outbox.request(len(taken))

    assert outbox.take(log, gap, "nabi") == taken
    assert outbox.credit == 0


def test_of_what_is_kept_the_newest_are_held() -> None:
    log, outbox = Log(), Outbox(0)
    many = limits.KEPT_EVENTS_MAX + 2
    for seq in range(1, many + limits.LOG_EVENTS_MAX + 1):
        log.append(b"%d" % seq, kept=seq <= many)
    outbox.request(limits.CREDIT_UNBOUNDED)
    taken = outbox.take(log, gap)

    assert taken[: limits.KEPT_EVENTS_MAX + 1] == [b"gap 2 1-2", *(b"%d" % seq for seq in range(3, many + 1))]
    log.begin_anew()
    assert log.kept_after(0, before=log.first) is None


def test_a_gap_of_the_history_has_no_end_but_the_log() -> None:
    log, outbox = Log(), Outbox(0)
    log.append(b"1", kept=True)
    log.restart(7)
    log.append(b"8")
    outbox.request(9)

    assert outbox.take(log, gap) == [b"1", b"gap 6 2-7", b"8"]


def test_asides_come_after_the_log_and_within_the_credit() -> None:
    outbox, log, aside = Outbox(0, aside=0), log_of(*ABC), log_of(b"x", b"y")
    outbox.request(4)
    assert outbox.ready(3, 2)

    assert outbox.take(log, gap, aside=aside) == [b"a", b"b", b"c", b"x"]
    assert not outbox.ready(3, 2)
    outbox.request(9)
    assert outbox.take(log, gap, aside=aside) == [b"y"]
    assert not outbox.ready(3, 2)


def test_kept_asides_come_when_the_others_are_over() -> None:
    outbox, aside = Outbox(0, aside=0), log_of(b"x")
    aside.append(b"gone", kept=True)
    aside.append(b"y")
    aside.append(b"lapsed", kept=True)
    aside.restart(aside.head)
    aside.append(b"back")
    outbox.request(1)

    assert outbox.take(Log(), gap, aside=aside) == [b"gone"]
    outbox.request(5)
    assert outbox.take(Log(), gap, aside=aside) == [b"lapsed", b"back"]
    assert outbox.credit == 3
    assert not outbox.ready(0, aside.head)


def test_kept_asides_are_written_in_batches() -> None:
    outbox, aside = Outbox(0, aside=0), Log()
    for _ in range(3):
        aside.append(limits.BATCH_BYTES_MAX * b"x", kept=True)
    aside.restart(aside.head)
    outbox.request(9)

    assert [len(outbox.take(Log(), gap, aside=aside)) for _ in range(4)] == [1, 1, 1, 0]


def test_asides_wait_while_the_log_does() -> None:
    outbox, aside = Outbox(0, aside=0), log_of(b"x")
    outbox.request(2)

    assert outbox.take(log_of(*ABC), gap, aside=aside) == [b"a", b"b"]


def test_who_does_not_know_of_asides_gets_none() -> None:
    outbox = Outbox(3)
    outbox.request(9)

    assert not outbox.ready(3, 2)
    assert outbox.take(log_of(*ABC), gap, aside=log_of(b"x", b"y")) == []
    assert outbox.credit == 9
