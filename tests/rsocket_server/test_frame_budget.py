from __future__ import annotations

import pytest

from rsocket_server import limits
from rsocket_server.frame_budget import FrameBudget


def spent(budget: FrameBudget) -> int:
    """Spend all there is; answer how much that was."""
    count = 0
    while budget.spend():
        count += 1
    return count


def test_it_begins_with_a_burst_and_that_is_all() -> None:
    budget = FrameBudget(7.0)

    assert spent(budget) == limits.FRAMES_BURST_MAX
    assert not budget.spend()


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [
        (0.0, 0),
        (0.5 / limits.FRAMES_SECOND_MAX, 0),
        (1 / limits.FRAMES_SECOND_MAX, 1),
        (1.0, limits.FRAMES_SECOND_MAX),
        (limits.FRAMES_BURST_MAX / limits.FRAMES_SECOND_MAX, limits.FRAMES_BURST_MAX),
        (3600.0, limits.FRAMES_BURST_MAX),
    ],
)
def test_time_earns_up_to_a_burst(seconds: float, frames: int) -> None:
    budget = FrameBudget(0.0)
    spent(budget)
    budget.earn(seconds)

    assert frames == spent(budget)


def test_moments_too_short_for_a_frame_add_up() -> None:
    budget = FrameBudget(0.0)
    spent(budget)
    for step in range(1, 5):
        budget.earn(step / 4 / limits.FRAMES_SECOND_MAX)

    assert spent(budget) == 1


def test_who_keeps_to_the_rate_never_meets_it() -> None:
    budget = FrameBudget(0.0)
    spent(budget)
    for second in range(1, 100):
        budget.earn(float(second))
        for _ in range(limits.FRAMES_SECOND_MAX):
            assert budget.spend()


def test_a_stall_of_our_own_is_made_up_by_the_burst() -> None:
    assert limits.FRAMES_BURST_MAX >= 2 * limits.FRAMES_SECOND_MAX
