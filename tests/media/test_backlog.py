from __future__ import annotations

import pytest

from media.backlog import (
    BACKLOG_BYTES_MAX,
    BACKLOG_MS_MAX,
    LATE_MS,
    REPLAY_BYTES_MAX,
    REPLAY_MS_MAX,
    SHED_WINDOW_MS,
    SHEDS_MAX,
    Backlog,
)


def drain(backlog: Backlog) -> list[int]:
    found = []
    while (waiting := backlog.take()) is not None:
        found.append(waiting[0])
    return found


def test_pictures_come_out_in_order_from_the_first_keyframe_on():
    backlog = Backlog()

    assert [False, True, True] == [backlog.offer(at, b"ab", key=at == 33) for at in (0, 33, 66)]
    assert backlog.bytes_held == 4
    assert [33, 66] == drain(backlog)
    assert backlog.bytes_held == 0
    assert not backlog.holes


@pytest.mark.parametrize(("behind_ms", "kept"), [(BACKLOG_MS_MAX, True), (BACKLOG_MS_MAX + 1, False)])
def test_too_far_behind_everything_is_dropped_up_to_the_next_keyframe(behind_ms, kept):
    backlog = Backlog()
    backlog.offer(0, b"x", key=True)
    assert kept == backlog.offer(behind_ms, b"x", key=False)
    if kept:
        assert [0, behind_ms] == drain(backlog)
        return
    assert not backlog.offer(behind_ms + 33, b"x", key=False)
    assert backlog.offer(behind_ms + 66, b"x", key=True)
    assert [behind_ms + 66] == drain(backlog)
    assert [behind_ms + 66] == list(backlog.holes)


def test_a_keyframe_that_finds_too_much_waiting_is_kept_itself():
    backlog = Backlog()
    backlog.offer(0, b"x", key=True)
    assert backlog.offer(BACKLOG_MS_MAX + 1, b"x", key=True)

    assert [BACKLOG_MS_MAX + 1] == list(backlog.holes)
    assert [BACKLOG_MS_MAX + 1] == drain(backlog)


@pytest.mark.parametrize("over", [0, 1])
def test_the_bytes_are_bounded(over):
    backlog = Backlog()
    backlog.offer(0, bytes(BACKLOG_BYTES_MAX - 1), key=True)

    assert (not over) == backlog.offer(1, bytes(1 + over), key=False)
    assert backlog.bytes_held == (0 if over else BACKLOG_BYTES_MAX)


def test_a_picture_beyond_all_bounds_is_kept_alone():
    # It cannot be: a tag is smaller. But a keyframe is never refused, or nothing would ever go on.
    assert Backlog().offer(0, bytes(BACKLOG_BYTES_MAX + 1), key=True)


def test_clearing_it_before_anything_came_makes_no_hole():
    backlog = Backlog()
    backlog.clear()
    backlog.offer(0, b"x", key=True)
    assert not backlog.holes

    backlog.clear()
    backlog.clear()
    backlog.offer(33, b"x", key=True)
    assert [33] == list(backlog.holes)


@pytest.mark.parametrize(("every_ms", "overwhelmed"), [(SHED_WINDOW_MS // (SHEDS_MAX - 1), True),
                                                       (SHED_WINDOW_MS // (SHEDS_MAX - 1) + 1, False)])  # fmt: skip
def test_it_is_overwhelmed_when_that_happens_again_and_again(every_ms, overwhelmed):
    backlog = Backlog()
    for index in range(SHEDS_MAX):
        assert not backlog.overwhelmed
        at = index * every_ms
        backlog.offer(at, b"x", key=True)
        backlog.offer(at + BACKLOG_MS_MAX + 1, b"x", key=False)

    assert overwhelmed == backlog.overwhelmed
    backlog.forgive()
    assert not backlog.overwhelmed


def test_who_is_behind_is_late_until_it_has_caught_up():
    backlog = Backlog()
    assert not backlog.late
    backlog.offer(0, b"x", key=True)
    backlog.offer(LATE_MS, b"x", key=False)
    assert not backlog.late
    backlog.offer(LATE_MS + 1, b"x", key=False)
    assert backlog.late
    backlog.take()
    assert not backlog.late


def test_who_was_too_slow_is_late_for_a_while():
    backlog = Backlog()
    backlog.offer(0, b"x", key=True)
    backlog.offer(BACKLOG_MS_MAX + 1, b"x", key=False)
    assert backlog.late
    backlog.offer(BACKLOG_MS_MAX + 1 + SHED_WINDOW_MS, b"x", key=True)
    assert backlog.late
    backlog.offer(BACKLOG_MS_MAX + 2 + SHED_WINDOW_MS, b"x", key=True)
    assert not backlog.late
    backlog.offer(2 * SHED_WINDOW_MS, b"x", key=False)
    assert backlog.late
    backlog.forgive()
    assert not backlog.late


def offered(*pictures: tuple[int, bytes, bool]) -> Backlog:
    backlog = Backlog()
    for at, data, key in pictures:
        backlog.offer(at, data, key=key)
    return backlog


def test_everything_since_the_last_keyframe_is_given_again_and_then_what_comes():
    backlog = offered((0, b"x", True), (33, b"x", False), (66, b"xx", True), (100, b"xxx", False))
    drain(backlog)
    backlog.offer(133, b"xxxx", key=False)

    assert 66 == backlog.replay()
    assert backlog.bytes_held == 2 + 3 + 4
    backlog.offer(166, b"x", key=False)
    given_before = []
    while backlog.bytes_held:
        given_before.append(backlog.replaying)
        backlog.take()
    assert [True, True, True, False] == given_before
    assert not backlog.holes
    assert not backlog.replaying


def test_what_was_dropped_because_an_encoder_was_slow_is_given_to_the_next():
    backlog = offered((0, b"x", True), (BACKLOG_MS_MAX + 1, b"x", False))
    assert [] == drain(backlog)

    assert 0 == backlog.replay()
    assert [0, BACKLOG_MS_MAX + 1] == drain(backlog)


def test_before_the_first_keyframe_there_is_nothing_to_give_again():
    assert offered((0, b"x", False)).replay() is None
    assert Backlog().replay() is None


@pytest.mark.parametrize("over", [0, 1])
def test_an_interval_that_is_too_long_is_not_kept(over):
    backlog = offered((0, b"x", True), (REPLAY_MS_MAX + over, b"x", False))

    assert (None if over else 0) == backlog.replay()
    assert bool(over) == (not backlog.bytes_held)


def test_after_an_interval_that_was_not_kept_the_next_keyframe_is_waited_for():
    backlog = offered((0, b"x", True), (REPLAY_MS_MAX + 1, b"x", False), (REPLAY_MS_MAX + 33, b"x", False))
    assert backlog.replay() is None
    assert not backlog.offer(REPLAY_MS_MAX + 66, b"x", key=False)  # a keyframe is waited for, as ever
    backlog.offer(REPLAY_MS_MAX + 100, b"x", key=True)
    assert REPLAY_MS_MAX + 100 == backlog.replay()


@pytest.mark.parametrize("over", [0, 1])
def test_an_interval_of_too_many_bytes_is_not_kept(over):
    backlog = offered((0, b"x", True), (33, bytes(REPLAY_BYTES_MAX - 1 + over), False))

    assert (None if over else 0) == backlog.replay()


@pytest.mark.parametrize("over", [0, 1])
def test_who_catches_up_may_be_behind_by_that_much_more(over):
    backlog = offered((0, b"x", True))
    drain(backlog)
    backlog.offer(REPLAY_MS_MAX, b"x", key=False)
    backlog.replay()
    assert not backlog.late
    at = REPLAY_MS_MAX + BACKLOG_MS_MAX + over

    assert (not over) == backlog.offer(at, b"x", key=False)
    assert ([] if over else [0, REPLAY_MS_MAX, at]) == drain(backlog)


@pytest.mark.parametrize("over", [0, 1])
def test_who_catches_up_may_have_that_many_more_bytes_waiting(over):
    backlog = offered((0, bytes(REPLAY_BYTES_MAX), True))
    backlog.replay()

    assert (not over) == backlog.offer(33, bytes(BACKLOG_BYTES_MAX + over), key=False)
