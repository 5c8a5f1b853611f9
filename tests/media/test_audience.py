import pytest

from db.summary import Stretch
from media.audience import APART_SECONDS_MAX, HELD_SAMPLES, SAMPLE_SECONDS, Audience


def counted(*viewers, audience=None, since=0.0):
    """Count `viewers` one after the other, and answer what has come together."""
    audience = audience or Audience()
    for index, watching in enumerate(viewers):
        audience.add(watching, since + index * SAMPLE_SECONDS)
    audience.pause()
    return audience.take()


def stretch(*viewers):
    return Stretch(len(viewers) * SAMPLE_SECONDS, sum(viewers) * SAMPLE_SECONDS, max(viewers))


def brute(viewers):
    """Each count cut off at the highest that any run with it held."""
    runs = range(len(viewers) - HELD_SAMPLES + 1)
    return [
        max(min(viewers[run : run + HELD_SAMPLES]) for run in runs if run <= at < run + HELD_SAMPLES)
        for at in range(len(viewers))
    ]


@pytest.mark.parametrize(
    "viewers",
    [
        [3] * HELD_SAMPLES,
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [9, 9, 9, 9, 9, 2, 2, 2, 2, 2, 2, 9],
        [5, 5, 5, 5, 10, 10, 10, 5, 5, 5, 5, 5, 1, 1, 1, 1, 1],
        [0] * 12,
    ],
)
def test_a_count_stands_as_far_as_it_held(viewers):
    assert counted(*viewers) == stretch(*brute(viewers))


def test_who_comes_from_a_server_that_died_counts_once():
    # Forty at each of two; the second dies, its forty come to the first, and for fifteen seconds both tell of them.
    assert counted(*[80] * 20, 80, 100, 120, 120, *[80] * 20) == stretch(*[80] * 44)


def test_who_stays_for_twenty_seconds_counts_and_who_leaves_is_not_kept():
    assert counted(*[1] * 6, *[30] * HELD_SAMPLES, *[1] * 6) == stretch(*[1] * 6, *[30] * HELD_SAMPLES, *[1] * 6)


def test_nothing_is_said_of_a_time_too_short_to_hold():
    assert counted(*[7] * (HELD_SAMPLES - 1)) is None


def test_a_gap_is_neither_bridged_nor_a_nought():
    few = [4] * HELD_SAMPLES
    assert counted(*few, None, *[9] * (HELD_SAMPLES - 1), None, *few) == stretch(*few, *few)

    audience = Audience()
    for index, watching in enumerate(few):
        audience.add(watching, index * SAMPLE_SECONDS)
    later = HELD_SAMPLES * SAMPLE_SECONDS + APART_SECONDS_MAX  # This process stood still.
    assert counted(*few, audience=audience, since=later) == stretch(*few, *few)


def test_counts_in_a_bunch_are_one():
    audience = Audience()
    for _ in range(HELD_SAMPLES * 2):
        audience.add(7, 100.0)
    audience.pause()
    assert audience.take() is None


def test_what_is_taken_is_taken_once_and_nothing_falls_between():
    audience, taken = Audience(), []
    viewers = [index % 13 for index in range(50)]
    for index, watching in enumerate(viewers):
        audience.add(watching, index * SAMPLE_SECONDS)
        if index % 12 == 11:
            taken.append(audience.take())
    audience.pause()
    taken.append(audience.take())

    assert audience.take() is None
    assert sum(each.seconds for each in taken) == 50 * SAMPLE_SECONDS
    assert sum(each.viewer_seconds for each in taken) == sum(brute(viewers)) * SAMPLE_SECONDS
    assert max(each.peak for each in taken) == max(brute(viewers))
