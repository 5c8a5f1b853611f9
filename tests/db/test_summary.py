from datetime import UTC, datetime, timedelta

import pytest

from db.summary import Stretch, Summary, Viewers, viewers

BEGAN = datetime(2026, 11, 27, 9, tzinfo=UTC)


def test_a_summary_knows_how_long_its_broadcast_was():
    ended = BEGAN + timedelta(hours=1, seconds=2.9)

    assert Summary(1, BEGAN, ended, None, 0, 0, 0).seconds == 3602
    assert Summary(1, BEGAN, BEGAN - timedelta(seconds=1), None, 0, 0, 0).seconds == 0  # A clock was put back.


def test_viewers_are_averaged_over_what_was_counted():
    assert viewers(Stretch(3600, 3600 * 7 + 300, 12), BEGAN, BEGAN + timedelta(hours=1)) == Viewers(12, 7.1)


@pytest.mark.parametrize(
    ("whole", "counted", "known"),
    [(3600, 3210, True), (3600, 3205, False), (60, 25, True), (60, 20, False), (20, 5, True), (20, None, False)],
)
def test_of_what_was_hardly_counted_nothing_is_said(whole, counted, known):
    stretch = None if counted is None else Stretch(counted, counted, 1)

    assert (viewers(stretch, BEGAN, BEGAN + timedelta(seconds=whole)) is not None) == known
