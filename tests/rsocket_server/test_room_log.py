from __future__ import annotations

import pytest

from rsocket_server import limits
from rsocket_server.room_log import Log


def filled(count: int, payload: bytes = b"x") -> Log:
    log = Log()
    for _ in range(count):
        log.append(payload)
    return log


def test_a_fresh_log_is_empty_and_begins_at_one() -> None:
    log = Log()

    assert (1, 0, 0) == (log.first, log.head, log.bytes)
    assert log.at(1) is None
    assert log.after(0, 0) == []
    assert log.reach(0, 100) == 0


@pytest.mark.parametrize(("count", "first"), [(-1, 1), (0, 1), (1, 2)])
def test_events_at_their_limit(count: int, first: int) -> None:
    log = filled(limits.LOG_EVENTS_MAX + count)

    assert (first, limits.LOG_EVENTS_MAX + count) == (log.first, log.head)
    assert len(log.after(log.first - 1, log.head)) == min(limits.LOG_EVENTS_MAX, limits.LOG_EVENTS_MAX + count)


@pytest.mark.parametrize(("extra", "first"), [(-1, 1), (0, 1), (1, 2)])
def test_bytes_at_their_limit(extra: int, first: int) -> None:
    log = Log()
    log.append(b"x" * (limits.LOG_BYTES_MAX // 2))
    log.append(b"x" * (limits.LOG_BYTES_MAX // 2 + extra))

    assert first == log.first
    assert log.bytes == sum(map(len, log.after(log.first - 1, log.head)))


def test_one_event_larger_than_the_log_is_kept_alone() -> None:
    log = filled(3)
    log.append(b"x" * (limits.LOG_BYTES_MAX + 1))

    assert (4, 4) == (log.first, log.head)


def test_reach_goes_as_far_as_the_bytes_and_one_event_at_least() -> None:
    log = filled(10, b"12345")

    assert log.reach(0, 12) == 2
    assert log.reach(0, 15) == 3
    assert log.reach(8, 1) == 9
    assert log.reach(0, 1000) == 10


def test_after_is_only_asked_for_what_is_there() -> None:
    log = filled(limits.LOG_EVENTS_MAX + 5)
    for cursor, up_to in ((3, 10), (10, 9), (10, log.head + 1)):
        with pytest.raises(AssertionError):
            log.after(cursor, up_to)


# --- what a voice has said --------------------------------------------------------------------------------------------


def spoken(*voices: str) -> Log:
    """Fill a log with a line of each voice, and then push all of them out of the ring."""
    log = Log()
    for voice in voices:
        log.listen(voice)
    for voice in voices:
        log.append(voice.encode(), voice=voice)
    for _ in range(limits.LOG_EVENTS_MAX):
        log.append(b"x", voice="another")
    return log


def test_ones_own_line_is_had_when_it_has_left_the_ring() -> None:
    log = spoken("nabi", "mimi")

    assert log.kept_after(0, "nabi", before=log.first) == (1, b"nabi")
    assert log.kept_after(0, "mimi", before=log.first) == (2, b"mimi")
    assert log.kept_after(1, "nabi", before=log.first) is None
    assert log.kept_after(0, "another", before=log.first) is None
    assert log.kept_after(0, before=log.first) is None


def test_of_a_kept_event_and_ones_own_the_earlier_comes_first() -> None:
    log = Log()
    log.listen("nabi")
    log.append(b"gift", kept=True, voice=None)
    log.append(b"nabi", voice="nabi")
    log.append(b"gift", kept=True, voice=None)
    for _ in range(limits.LOG_EVENTS_MAX):
        log.append(b"x")

    assert [log.kept_after(cursor, "nabi", before=log.first) for cursor in (0, 1, 2)] == [
        (1, b"gift"),
        (2, b"nabi"),
        (3, b"gift"),
    ]


@pytest.mark.parametrize(("extra", "first"), [(0, 1), (1, 2)])
def test_of_ones_own_lines_the_newest_are_held(extra: int, first: int) -> None:
    log = spoken(*["nabi"] * (limits.OWN_EVENTS_MAX + extra))

    assert log.kept_after(0, "nabi", before=log.first) == (first, b"nabi")


def test_nothing_is_held_for_who_does_not_watch_or_no_more() -> None:
    log = spoken("nabi", "nabi")
    log.ignore("nabi")
    assert log.kept_after(0, "nabi", before=log.first) == (1, b"nabi")

    log.ignore("nabi")

    assert log.kept_after(0, "nabi", before=log.first) is None


def test_ones_own_line_is_taken_back_there_too_and_forgotten_when_the_numbers_begin_anew() -> None:
    log = spoken("nabi")
    assert log.replace({1: b"removed"}) == []
    assert log.kept_after(0, "nabi", before=log.first) == (1, b"removed")

    log.begin_anew()

    assert log.kept_after(-1, "nabi", before=log.first) is None


def test_what_nobody_may_miss_is_left_when_the_numbers_begin_anew() -> None:
    log = Log()
    log.listen("nabi")
    for seq in range(1, 7):
        log.append(b"%d" % seq, kept=seq in {2, 5}, voice="nabi" if seq == 4 else None)
    log.begin_anew()
    for payload in (b"other", b"2"):
        log.append(payload)

    assert log.left_after(0, "nabi") == [b"4", b"5"]  # The second has come again.
    assert log.left_after(0) == [b"5"]
    assert log.left_after(0, "mimi") == [b"5"]
    assert log.left_after(4, "nabi") == [b"5"]
    assert log.left_after(5, "nabi") == []
    log.let_go()
    assert log.left_after(0, "nabi") == []


def test_what_is_taken_back_is_looked_for_once_however_much_it_is() -> None:
    class Counted(dict[int, bytes]):
        asked = 0

        def __contains__(self, seq: object) -> bool:
            Counted.asked += 1
            return super().__contains__(seq)

    log = spoken(*(f"n{number}" for number in range(50)))
    instead = Counted(dict.fromkeys(range(1, log.head + 1), b"removed"))

    assert log.replace(instead) == list(range(log.first, log.head + 1))

    assert Counted.asked == 50
