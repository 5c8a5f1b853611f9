from __future__ import annotations

import pytest

from media.hls_writer import timeline as module
from media.hls_writer.timeline import (
    PART_FETCH_TARGETS,
    PART_TARGETS,
    WINDOW_SECONDS,
    WINDOW_TARGETS,
    Fragment,
    Opening,
    Timeline,
)

SECOND = 90_000
TARGET = 2


def opening(start=0, *, epoch=1, init=1, independent=True) -> Opening:
    return Opening(start, 1000.0 + start / SECOND, epoch, init, independent)


def fragment(ticks=SECOND, data=b"data", *, independent=False) -> Fragment:
    return Fragment(ticks, independent, data)


def filled(segments: int, *, parts: int = 2, target: int | None = TARGET) -> Timeline:
    """A timeline with that many closed segments of two seconds, and an open one without parts."""
    timeline = Timeline()
    timeline.target_duration = target
    for _ in range(segments):
        timeline.open_segment(opening(timeline.head))
        for index in range(parts):
            timeline.add(fragment(2 * SECOND // parts, independent=index == 0))
    timeline.open_segment(opening(timeline.head))
    return timeline


def test_numbers_begin_at_one_and_rise():
    timeline = filled(3)
    part = timeline.add(fragment())

    assert [1, 2, 3] == [segment.msn for segment in timeline.listed]
    assert part.number == 7
    assert timeline.next_part == 8
    assert timeline.last == (4, 1)


def test_before_the_first_part_there_is_nothing():
    timeline = Timeline()

    assert (timeline.last, timeline.ready, timeline.close_segment()) == ((0, -1), False, None)

    timeline.open_segment(opening())
    timeline.target_duration = TARGET
    assert (timeline.last, timeline.ready) == ((0, -1), False)

    timeline.add(fragment())
    assert (timeline.last, timeline.ready) == ((1, 1), True)


def test_it_is_not_ready_before_its_target_duration_is_known():
    timeline = filled(1, target=None)

    assert not timeline.ready


def test_a_segment_is_the_bytes_of_its_parts_and_always_the_same_object():
    timeline = Timeline()
    timeline.open_segment(opening())
    timeline.add(fragment(data=b"one"))
    timeline.add(fragment(data=b"two"))
    segment = timeline.close_segment()

    assert segment.data() == b"onetwo"
    assert segment.data() is segment.data()
    assert timeline.segment(1) is segment
    assert timeline.segment(2) is None
    assert timeline.part(2).data == b"two"
    assert timeline.part(3) is None


def test_a_segment_without_parts_never_was():
    timeline = filled(1)
    timeline.discontinue()
    timeline.open_segment(opening())
    timeline.discontinue()
    segment = timeline.open_segment(opening())

    assert segment.msn == 2
    assert segment.discontinuity
    assert len(timeline.listed) == 1


def test_nothing_before_the_first_segment_to_be_discontinuous_with():
    timeline = Timeline()
    timeline.discontinue()

    assert not timeline.open_segment(opening()).discontinuity


def test_a_discontinuity_is_on_one_segment():
    timeline = filled(1)
    timeline.discontinue()
    timeline.open_segment(opening())
    timeline.add(fragment())
    timeline.open_segment(opening())

    assert [False, True] == [segment.discontinuity for segment in timeline.listed]
    assert not timeline.open.discontinuity


def test_the_end_closes_what_is_open():
    timeline = filled(1)
    timeline.add(fragment())
    version = timeline.version
    timeline.end()

    assert timeline.ended
    assert timeline.open is None
    assert timeline.last == (2, -1)
    assert timeline.version > version


def test_a_segment_of_gaps_is_a_gap():
    timeline = Timeline()
    timeline.open_segment(opening())
    timeline.add(fragment(data=b""))
    assert timeline.close_segment().gap
    timeline.open_segment(opening())
    timeline.add(fragment(data=b""))
    timeline.add(fragment())
    assert not timeline.close_segment().gap


def test_one_dependent_segment_ends_the_promise_of_independence():
    timeline = filled(1)
    timeline.open_segment(opening(independent=False))
    assert timeline.independent
    timeline.add(fragment())
    assert not timeline.independent
    timeline.open_segment(opening())
    timeline.add(fragment())
    assert not timeline.independent


def test_the_highest_bitrate_of_a_segment_is_kept():
    timeline = Timeline()
    for size in (1000, 4000, 2000):
        timeline.open_segment(opening())
        timeline.add(fragment(data=bytes(size)))
    timeline.close_segment()
    timeline.open_segment(opening())
    timeline.add(fragment(0))
    timeline.close_segment()

    assert timeline.bits_a_second_max == 32_000


@pytest.mark.parametrize(("target", "window"), [(2, WINDOW_SECONDS), (10, 10 * WINDOW_TARGETS)])
def test_the_window_keeps_so_many_seconds(target, window):
    timeline = filled(60, target=target)
    seconds = sum(segment.duration for segment in timeline.listed) / SECOND

    assert window <= seconds < window + 2
    assert timeline.listed[0].msn == 61 - len(timeline.listed)
    assert timeline.listed[-1].msn == 60


def test_what_the_window_left_stays_fetchable_for_its_playlists_duration():
    timeline = filled(60)
    first = timeline.listed[0].msn
    gone = first - 1
    assert timeline.segment(gone)

    fetchable = 0
    while timeline.segment(gone):
        timeline.add(fragment(2 * SECOND))
        timeline.open_segment(opening(timeline.head))
        fetchable += 2

    # Its own duration and the playlist's: 2 + 32 seconds from its removal on.
    assert WINDOW_SECONDS + 2 <= fetchable <= WINDOW_SECONDS + 6
    assert timeline.segment(gone + 1)


def test_parts_are_listed_for_three_targets_and_fetchable_for_six():
    timeline = filled(20)
    listing = [segment.msn for segment in timeline.listed if timeline.lists_parts(segment)]
    fetching = [segment.msn for segment in timeline.listed if segment.parts]

    assert [17, 18, 19, 20] == listing  # of two seconds each: the last ended now, the first six seconds ago
    assert PART_TARGETS * TARGET / 2 + 1 == len(listing)
    assert list(range(20 - PART_FETCH_TARGETS * TARGET // 2, 21)) == fetching
    assert timeline.part(2 * fetching[0] - 1)
    assert timeline.part(2 * fetching[0] - 2) is None
    assert timeline.segment(fetching[0] - 1).data() == b"datadata"


def test_a_joined_segment_and_its_parts_are_in_memory_once():
    timeline = filled(2)
    segment = timeline.listed[-1]
    before = [part.data for part in segment.parts]
    whole = segment.data()

    assert before == [part.data for part in segment.parts] == [b"data", b"data"]
    assert whole == b"".join(before)
    assert all(part.held is whole for part in segment.parts)
    assert whole is segment.data()


def test_bytes_held_are_those_of_what_may_be_fetched():
    timeline = filled(200)
    held = sum(len(timeline.segment(msn).data()) for msn in range(1, 201) if timeline.segment(msn))

    assert held == timeline.bytes_held
    assert held < 200 * 8


@pytest.mark.parametrize("over", [0, 1])
def test_bytes_beyond_the_limit_cost_the_oldest(monkeypatch, over):
    monkeypatch.setattr(module, "RENDITION_BYTES_MAX", 10 * 8 - over)
    timeline = filled(10)

    assert timeline.bytes_held == (10 - over) * 8
    assert bool(timeline.segment(1)) == (not over)
    assert timeline.segment(2)


def test_bytes_beyond_the_limit_cost_what_is_no_longer_listed_first(monkeypatch):
    timeline = filled(30)
    first = timeline.listed[0].msn
    oldest = next(msn for msn in range(1, first) if timeline.segment(msn))
    monkeypatch.setattr(module, "RENDITION_BYTES_MAX", timeline.bytes_held - 1)
    timeline.add(fragment(1))

    assert timeline.segment(oldest) is None
    assert timeline.segment(oldest + 1)
    assert timeline.listed[0].msn == first


def test_a_rendition_of_absurd_bitrate_forgets_what_is_listed_too(monkeypatch):
    monkeypatch.setattr(module, "RENDITION_BYTES_MAX", 20)
    timeline = filled(5)

    assert timeline.bytes_held <= 20
    assert [segment.msn for segment in timeline.listed] == [4, 5]
    assert timeline.segment(3) is None
    assert timeline.part(5) is None

    timeline.add(fragment(data=bytes(30)))  # nothing left to forget but the open segment
    assert timeline.bytes_held == 30
    assert not timeline.listed


def test_removed_discontinuities_are_counted():
    timeline = filled(1)
    timeline.discontinue()
    timeline.open_segment(opening())
    timeline.add(fragment())
    for _ in range(30):
        timeline.open_segment(opening())
        timeline.add(fragment(2 * SECOND))

    assert timeline.discontinuity_sequence == 1
    assert timeline.listed[0].msn > 2


def test_a_follower_takes_the_leaders_number_and_discontinuity():
    leader, follower = filled(2), Timeline()
    leader.discontinue()
    segment = leader.open_segment(opening(4 * SECOND))
    opened = follower.follow(leader, segment, opening(5 * SECOND, init=3))
    follower.add(fragment())

    assert (3, True, 3) == (opened.msn, opened.discontinuity, opened.opening.init)
    assert follower.last == (3, 1)


def test_a_follower_that_missed_segments_lists_gaps_in_their_place():
    leader, follower = filled(1), Timeline()
    follower.follow(leader, leader.listed[0], opening())
    follower.add(fragment())
    leader.add(fragment(2 * SECOND))
    leader.discontinue()
    for _ in range(2):
        leader.open_segment(opening(leader.head))
        leader.add(fragment(2 * SECOND))
    follower.follow(leader, leader.open, opening(leader.head))
    follower.add(fragment())

    assert [(1, False, False), (2, True, False), (3, True, True)] == [
        (segment.msn, segment.gap, segment.discontinuity) for segment in follower.listed
    ]
    assert follower.open.msn == 4
    assert follower.listed[1].duration == 2 * SECOND


def test_a_follower_that_was_away_for_too_long_begins_anew():
    leader, follower = filled(1), Timeline()
    follower.follow(leader, leader.listed[0], opening())
    follower.add(fragment())
    for _ in range(40):
        leader.add(fragment(2 * SECOND))
        leader.discontinue()
        leader.open_segment(opening(leader.head))
    leader.add(fragment())
    follower.follow(leader, leader.open, opening(leader.head))

    assert not follower.listed
    assert follower.open.msn == 42
    assert follower.bytes_held == 0
    assert follower.part(1) is None
    # Every discontinuity of the leader before this segment counts, whether the follower ever listed it or not.
    assert follower.discontinuity_sequence == 40 - leader.open.discontinuity


def test_a_follower_that_forgets_everything_forgets_what_it_had_removed():
    leader, follower = Timeline(), Timeline()
    leader.target_duration = follower.target_duration = TARGET
    for _ in range(30):
        leader.open_segment(opening(leader.head))
        follower.follow(leader, leader.open, opening(leader.head))
        for line in (leader, follower):
            line.add(fragment(2 * SECOND))
    assert follower.segment(follower.listed[0].msn - 1)
    for _ in range(40):
        leader.open_segment(opening(leader.head))
        leader.add(fragment(2 * SECOND))
    follower.follow(leader, leader.open, opening(leader.head))

    assert follower.bytes_held == 0
    assert follower.open.msn == 70
