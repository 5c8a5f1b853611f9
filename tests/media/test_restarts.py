from __future__ import annotations

from media.restarts import BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN, FAILURES_MAX, WELL_SECONDS, Restarts


def test_each_try_is_later_and_then_there_is_none():
    restarts, now, delays = Restarts(), 0.0, []
    for _ in range(FAILURES_MAX + 1):
        restarts.started(now)
        delays.append(restarts.failed(now + 1.0))

    assert [BACK_OFF_SECONDS_MIN * factor for factor in (1, 2, 4, 8, 16)] == delays[:-1]
    assert max(delays[:-1]) <= BACK_OFF_SECONDS_MAX
    assert delays[-1] is None


def test_who_was_well_for_a_while_begins_anew():
    restarts = Restarts()
    for _ in range(3):
        restarts.started(0.0)
        restarts.failed(WELL_SECONDS - 0.05)
    restarts.started(0.0)

    assert restarts.failed(WELL_SECONDS) == BACK_OFF_SECONDS_MIN
