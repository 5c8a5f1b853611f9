from __future__ import annotations

from media.restarts import (
    BACK_OFF_SECONDS_MAX,
    BACK_OFF_SECONDS_MIN,
    FAILURES_MAX,
    RESTARTS_MAX,
    RESTARTS_WINDOW_SECONDS,
    WELL_SECONDS,
    Restarts,
)


def run(restarts: Restarts, now: float, *, gave_seconds: float | None = None) -> float | None:
    restarts.started()
    if gave_seconds is not None:
        restarts.gave(now)
        restarts.gave(now + gave_seconds)
    return restarts.failed(now + 100)


def test_each_try_is_later_and_then_there_is_none():
    restarts = Restarts()
    delays = [run(restarts, index) for index in range(FAILURES_MAX + 1)]

    assert [BACK_OFF_SECONDS_MIN * factor for factor in (1, 2, 4, 8, 16)] == delays[:-1]
    assert max(delays[:-1]) <= BACK_OFF_SECONDS_MAX
    assert delays[-1] is None


def test_who_gave_pictures_for_a_while_was_well_and_is_started_again_at_once():
    restarts = Restarts()
    for index in range(FAILURES_MAX):
        run(restarts, index)

    assert run(restarts, 10, gave_seconds=WELL_SECONDS) == 0
    assert run(restarts, 11) == BACK_OFF_SECONDS_MIN


def test_who_ran_for_long_and_gave_nothing_or_little_was_not_well():
    for gave_seconds in (None, 0.0, WELL_SECONDS - 0.01):
        assert run(Restarts(), 0, gave_seconds=gave_seconds) == BACK_OFF_SECONDS_MIN


def test_what_the_process_before_gave_is_not_this_ones():
    restarts = Restarts()
    run(restarts, 0, gave_seconds=WELL_SECONDS)

    assert run(restarts, 1) == BACK_OFF_SECONDS_MIN


def test_who_dies_again_and_again_is_given_up_however_well_it_was_in_between():
    restarts, step = Restarts(), RESTARTS_WINDOW_SECONDS / RESTARTS_MAX
    delays = [run(restarts, index * step, gave_seconds=WELL_SECONDS) for index in range(RESTARTS_MAX)]

    assert delays == [0] * (RESTARTS_MAX - 1) + [None]
    seldom = Restarts()
    assert {run(seldom, index * (step + 1.0), gave_seconds=WELL_SECONDS) for index in range(3 * RESTARTS_MAX)} == {0}
