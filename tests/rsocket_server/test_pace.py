from __future__ import annotations

from rsocket_server.pace import Pace


def test_the_next_line_waits_and_the_same_one_does_not() -> None:
    pace = Pace()
    assert pace.wait_ms(1, "a", 100.0) == 0
    pace.spoke(1, "a", 100.0, 30)

    assert pace.wait_ms(1, "b", 110.0) == 20_000
    assert pace.wait_ms(1, "a", 110.0) == 0
    assert pace.wait_ms(2, "b", 110.0) == 0
    assert pace.wait_ms(1, "b", 129.9999) == 1
    assert pace.wait_ms(1, "b", 130.0) == 0


def test_the_same_line_again_does_not_begin_the_turn_anew() -> None:
    pace = Pace()
    pace.spoke(1, "a", 100.0, 30)
    pace.spoke(1, "a", 120.0, 30)

    assert pace.wait_ms(1, "b", 120.0) == 10_000


def test_who_may_speak_again_is_forgotten_when_many_have_spoken() -> None:
    pace = Pace()
    for number in range(10_000):
        pace.spoke(number, "a", float(number), 10)

    assert len(pace) < 200
    assert pace.wait_ms(9_999, "b", 9_999.0) == 10_000
