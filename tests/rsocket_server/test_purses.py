from __future__ import annotations

import pytest

from rsocket_server import limits
from rsocket_server.purses import Purses

ALL = limits.PURSE_SECONDS_MAX
A_LITTLE = 1e-6


def test_a_purse_is_full_at_first_and_then_empty() -> None:
    purses = Purses()

    assert purses.holds("a", ALL, 7.0)
    assert not purses.holds("a", ALL + A_LITTLE, 7.0)
    assert purses.take("a", ALL, 7.0)
    assert not purses.holds("a", A_LITTLE, 7.0)
    assert purses.holds("b", ALL, 7.0)


@pytest.mark.parametrize(("seconds", "part"), [(0.0, 0.0), (1.0, 0.05), (10.0, 0.5), (20.0, 1.0), (3600.0, 1.0)])
def test_time_fills_it_again(seconds: float, part: float) -> None:
    purses = Purses()
    purses.take("a", ALL, 7.0)

    assert limits.PURSE_PART_MAX * 20.0 == ALL
    assert purses.holds("a", part * ALL - A_LITTLE, 7.0 + seconds) or not part
    assert not purses.holds("a", part * ALL + A_LITTLE, 7.0 + seconds)


def test_what_is_not_there_is_owed() -> None:
    purses = Purses()
    assert purses.take("a", ALL, 0.0)
    assert not purses.take("a", ALL, 0.0)

    assert not purses.holds("a", A_LITTLE, 19.0)
    assert not purses.holds("a", ALL, 39.0)
    assert purses.holds("a", ALL, 40.0)


def test_a_full_one_is_forgotten_and_no_other() -> None:
    purses = Purses()
    purses.take("soon", ALL / 2, 0.0)
    purses.take("later", ALL, 0.0)

    purses.sweep(9.9)
    assert len(purses) == 2
    purses.sweep(10.0)
    assert len(purses) == 1
    assert purses.holds("soon", ALL, 10.0)
    assert not purses.holds("later", ALL, 10.0)
    purses.sweep(20.0)
    assert len(purses) == 0
