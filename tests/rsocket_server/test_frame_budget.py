from __future__ import annotations

from typing import Any

import pytest

from rsocket_server import limits
from rsocket_server.frame_budget import FrameBudget
from rsocket_server.purses import Purses


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


def owned(purses: Purses, *, address: str | None = "home", member_id: int | None = None) -> FrameBudget:
    budget = FrameBudget(0.0, purses, address)
    if member_id is not None:
        budget.belong_to(member_id)
    return budget


def emptied(owner: object) -> Purses:
    purses = Purses()
    purses.take(owner, limits.PURSE_SECONDS_MAX, 0.0)
    return purses


def test_hundreds_of_connections_of_one_address_have_no_more_than_its_purse_and_their_shares() -> None:
    purses = Purses()
    crowd = [owned(purses) for _ in range(limits.ADDRESS_CONNECTIONS_MAX)]
    sent = sum(spent(budget) for budget in crowd)
    cost = limits.PURSE_SECONDS_MAX + len(crowd) * limits.SHARE_SECONDS_MAX

    # And one more each, which was refused.
    assert cost / limits.FRAME_COST_SECONDS == pytest.approx(sent, abs=2 * len(crowd))
    assert sent < len(crowd) * limits.FRAMES_BURST_MAX / 2


def test_whoever_shares_an_address_with_a_flood_has_a_share() -> None:
    purses = emptied("home")
    budget = owned(purses)
    frames = round(limits.SHARE_SECONDS_MAX / limits.FRAME_COST_SECONDS)

    assert all(budget.spend() for _ in range(frames))
    assert not budget.spend()
    budget.earn(1.0)
    assert all(budget.spend() for _ in range(round(limits.SHARE_PART_MAX / limits.FRAME_COST_SECONDS)))
    assert owned(purses, address="elsewhere").pay(limits.PURSE_SECONDS_MAX)


def test_a_request_and_a_long_frame_cost_more_than_a_short_one() -> None:
    purses = emptied("home")
    for cost in (limits.REQUEST_COST_SECONDS, limits.FRAME_COST_SECONDS + 65_536 * limits.BYTE_COST_SECONDS):
        budget, times = owned(purses), int(limits.SHARE_SECONDS_MAX / cost)

        assert all(budget.pay(cost) for _ in range(times))
        assert not budget.pay(cost)
    long = owned(purses)
    times = int(limits.SHARE_SECONDS_MAX / cost)
    assert all(long.spend(65_536) for _ in range(times))
    assert not long.spend(65_536)


def test_what_was_owed_for_a_request_is_missing_at_the_next_frame() -> None:
    purses = Purses()
    budget = owned(purses)
    budget.pay(limits.PURSE_SECONDS_MAX + limits.SHARE_SECONDS_MAX + limits.REQUEST_COST_SECONDS)

    assert not budget.spend()


def worn(purses: Purses, **whose: Any) -> FrameBudget:
    """Answer a budget whose share is spent."""
    budget = owned(purses, **whose)
    budget._share = 0.0
    return budget


def test_a_member_has_one_purse_wherever_the_connections_come_from() -> None:
    purses = emptied(7)

    assert not worn(purses, address="home", member_id=7).spend()
    assert not worn(purses, address="elsewhere", member_id=7).spend()
    assert not worn(purses, address=None, member_id=7).spend()
    assert worn(purses, address="home", member_id=8).spend()
    assert worn(purses, address="home").spend()


def test_a_member_s_other_connections_have_their_shares_when_one_has_run_wild() -> None:
    purses = Purses()
    share = round(limits.SHARE_SECONDS_MAX / limits.FRAME_COST_SECONDS)
    while spent(owned(purses, address="school", member_id=7)) > share + 1:
        pass  # The bot comes back as often as it is cut off.
    purses.take(7, 3600 * limits.PURSE_PART_MAX, 0.0)
    page = owned(purses, address="home", member_id=7)
    requests = int(limits.SHARE_SECONDS_MAX / (limits.FRAME_COST_SECONDS + limits.REQUEST_COST_SECONDS))

    # The page opens, and goes on at the pace of one who speaks.
    assert requests >= 6
    assert all(page.spend() and page.pay(limits.REQUEST_COST_SECONDS) for _ in range(requests))
    for second in range(10, 20):
        page.earn(float(second))
        assert page.spend()
        assert page.pay(limits.REQUEST_COST_SECONDS)
    assert share > spent(page)


def test_what_the_share_has_no_room_for_is_owed_by_address_and_member_alike() -> None:
    purses = Purses()
    budget = owned(purses, address="home", member_id=7)

    assert budget.pay(limits.SHARE_SECONDS_MAX)
    assert len(purses) == 0
    assert budget.pay(limits.PURSE_SECONDS_MAX)
    for owner in ("home", 7):
        assert not purses.holds(owner, limits.FRAME_COST_SECONDS, 0.0)
    # An empty purse of the one does not spare the other's.
    assert not worn(purses, address="elsewhere", member_id=7).pay(limits.PURSE_SECONDS_MAX)
    assert not purses.holds("elsewhere", limits.FRAME_COST_SECONDS, 0.0)


def test_this_machine_has_no_purse_and_its_members_have() -> None:
    purses = Purses()
    budget = owned(purses, address=None)

    assert budget.pay(10 * limits.PURSE_SECONDS_MAX)
    assert len(purses) == 0
    budget.belong_to(7)
    assert budget.pay(limits.PURSE_SECONDS_MAX)
    assert not budget.spend()
