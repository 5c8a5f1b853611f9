from __future__ import annotations

import pytest

from media.hls_writer.errors import PartWithoutMsn, TooFarAhead
from media.hls_writer.reload import MSN_AHEAD_MAX, Verdict, advance_part_limit, decide
from media.hls_writer.timeline import Fragment, Opening, Timeline

PART = 0.334
LIMIT = advance_part_limit(PART)


def line(closed: int, open_parts: int, *, parts: int = 3) -> Timeline:
    timeline = Timeline()
    timeline.target_duration = 2
    for index in range(closed + 1):
        timeline.open_segment(Opening(0, 0.0, 1, 1, independent=True))
        for _ in range(parts if index < closed else open_parts):
            timeline.add(Fragment(30_000, independent=True, data=b"x"))
    return timeline


OPEN = line(5, 2)  # segments 1 to 5, and two parts of the sixth
CLOSED = line(5, 0)  # segments 1 to 5, nothing of the sixth

ANSWER, WAIT = Verdict.ANSWER, Verdict.WAIT


@pytest.mark.parametrize(
    ("timeline", "msn", "part", "verdict"),
    [
        (OPEN, None, None, ANSWER),
        (OPEN, 1, None, ANSWER),
        (OPEN, 0, None, ANSWER),  # long gone, or never there: the playlist as it is (6.2.5.2-M4)
        (OPEN, 1, 99, ANSWER),
        (OPEN, 5, None, ANSWER),
        (OPEN, 5, 2, ANSWER),
        (OPEN, 5, 3, ANSWER),  # behind its end: the sixth's first part
        (OPEN, 6, None, WAIT),  # it is not whole
        (OPEN, 6, 0, ANSWER),
        (OPEN, 6, 1, ANSWER),
        (OPEN, 6, 2, WAIT),
        (OPEN, 6, 2 + LIMIT - 1, WAIT),
        (OPEN, 7, None, WAIT),
        (OPEN, 7, 0, WAIT),
        (OPEN, 7, LIMIT - 1, WAIT),
        (OPEN, 8, None, WAIT),
        (OPEN, 8, 0, WAIT),
        (CLOSED, 4, 7, ANSWER),
        (CLOSED, 5, None, ANSWER),
        (CLOSED, 5, 2, ANSWER),
        (CLOSED, 5, 3, WAIT),  # behind its end: the sixth's first part, which is not there yet
        (CLOSED, 6, None, WAIT),
        (CLOSED, 6, 0, WAIT),
        (CLOSED, 7, 0, WAIT),
    ],
)
def test_an_ask_is_answered_or_waits(timeline, msn, part, verdict):
    assert verdict is decide(timeline, PART, msn=msn, part=part)


@pytest.mark.parametrize(
    ("timeline", "msn", "part"),
    [
        (OPEN, 6 + MSN_AHEAD_MAX + 1, None),
        (OPEN, 6 + MSN_AHEAD_MAX + 1, 0),
        (OPEN, 6, 2 + LIMIT),
        (OPEN, 7, LIMIT),
        (CLOSED, 5, 3 + LIMIT),
        (CLOSED, 5 + MSN_AHEAD_MAX + 1, None),
        (OPEN, 10**9, None),
    ],
)
def test_an_ask_too_far_ahead_is_refused_at_once(timeline, msn, part):
    with pytest.raises(TooFarAhead) as refused:
        decide(timeline, PART, msn=msn, part=part)

    assert (msn, part) == (refused.value.msn, refused.value.part)


def test_a_part_of_no_segment_is_refused():
    with pytest.raises(PartWithoutMsn):
        decide(OPEN, PART, msn=None, part=0)


def test_after_the_end_nothing_is_waited_for():
    timeline = line(2, 1)
    timeline.end()

    assert ANSWER is decide(timeline, PART, msn=4, part=0)
    assert ANSWER is decide(timeline, PART, msn=400, part=None)


def test_a_wait_for_a_part_that_never_comes_ends_with_the_next_segment():
    timeline = line(2, 1)
    assert WAIT is decide(timeline, PART, msn=3, part=1)

    timeline.open_segment(Opening(0, 0.0, 1, 1, independent=True))  # the third closed early
    assert WAIT is decide(timeline, PART, msn=3, part=1)

    timeline.add(Fragment(30_000, independent=True, data=b"x"))
    assert ANSWER is decide(timeline, PART, msn=3, part=1)


def test_a_closed_segment_that_is_forgotten_has_no_parts():
    timeline = line(1, 0)
    timeline.listed[0].forget_parts()

    assert WAIT is decide(timeline, PART, msn=1, part=0)


@pytest.mark.parametrize(("part_seconds", "limit"), [(0.2, 15), (0.334, 9), (0.99, 4), (1.0, 3), (2.0, 3)])
def test_the_advance_part_limit(part_seconds, limit):
    assert limit == advance_part_limit(part_seconds)
