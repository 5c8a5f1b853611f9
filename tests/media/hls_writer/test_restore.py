from __future__ import annotations

from media.hls_writer import restore
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.journal import VERSION, Began, Closed, Ended, Opened, Part
from media.hls_writer.restore import LINE_STEP_MS, PART_NUMBERS_LEFT_OUT, replay
from media.hls_writer.timeline import WINDOW_SECONDS, WINDOW_TARGETS

SECOND = VIDEO_CLOCK
BEGAN = Began(VERSION, 3, 7, 0.334, ("source",), hidden=False)


def opened(msn, *, epoch=1, discontinuity=False, before=0):
    return Opened("source", msn, msn * SECOND, 1e9 + msn, epoch, 1, True, discontinuity, before)


def parts(msn, count=3, size=10):
    return [Part("source", 3 * msn + each, SECOND // 3, each == 0, size) for each in range(count)]


def closed(msn, *, size=30, gap=False):
    return Closed("source", msn, SECOND, size, gap, 2, True, 5000)


def told(*records):
    return replay([BEGAN, *records])


def whole(*msns):
    return [record for msn in msns for record in (opened(msn), *parts(msn), closed(msn))]


def test_a_journal_tells_what_was_done():
    story = told(*whole(1, 2), opened(3, epoch=4), *parts(3, 2))
    track = story.tracks["source"]

    assert (story.began, story.epoch, story.ended) == (BEGAN, 4, False)
    assert (track.target, track.bits_a_second_max, track.last_part) == (2, 5000, 10)
    assert [1, 2, 3] == list(track.segments)
    assert [3, 3, 2] == [len(each.parts) for each in track.segments.values()]


def test_a_later_beginning_knows_of_more_renditions():
    story = replay([BEGAN, *whole(1), BEGAN.with_rendition("480p"), Opened("480p", 1, 0, 1e9, 1, 1, True, False, 0)])

    assert story.began.renditions == ("source", "480p")
    assert [[1], [1]] == [list(track.segments) for track in story.tracks.values()]


def test_what_was_told_anew_by_half_was_told_before():
    """A process was killed while it wrote down what another had done."""
    story = told(*whole(1, 2), opened(3), *parts(3), BEGAN, *whole(1), opened(2), *parts(2, 1))
    track = story.tracks["source"]

    assert [3, 3, 3] == [len(each.parts) for each in track.segments.values()]
    assert [True, True, False] == [each.closed is not None for each in track.segments.values()]
    assert (track.next_msn, track.end) == (4, 3 * SECOND + 3 * (SECOND // 3))


def test_numbers_that_were_used_are_known_without_any_file():
    track = told(*whole(1, 2), opened(3, epoch=2, discontinuity=True, before=4), *parts(3)).tracks["source"]
    timeline = restore.timeline(track, [], {}, track.next_msn)

    assert (track.next_msn, track.discontinuities, track.init) == (4, 5, 1)
    assert (timeline.next_msn, timeline.discontinuity_sequence) == (4, 5)
    assert timeline.open_segment(track.last.entry(None).opening).discontinuity


def test_what_is_told_twice_is_told_once():
    story = told(*whole(1, 2, 3), BEGAN, *whole(1, 2))

    assert [3, 3, 3] == [len(each.parts) for each in story.tracks["source"].segments.values()]


def test_the_end_is_told():
    assert told(Ended()).ended


def test_nothing_is_made_of_nothing():
    assert replay([]) is None
    assert replay([opened(1)]) is None
    assert replay([Began(VERSION + 1, 3, 7, 0.334, ("source",), hidden=False)]) is None


def test_records_that_belong_to_nothing_change_nothing():
    other = Part("other", 9, 9, independent=True, size=9)
    story = told(other, *parts(1), closed(1), opened(2))

    assert [2] == list(story.tracks["source"].segments)
    assert story.tracks["source"].segments[2].parts == []


def test_a_whole_file_is_a_segment_and_any_other_a_gap():
    segment = told(*whole(1)).tracks["source"].segments[1]

    assert (segment.entry(30).gap, segment.entry(30).size) == (False, 30)
    for size in (None, 0, 29, 31):
        assert (segment.entry(size).gap, segment.entry(size).size, segment.entry(size).duration) == (True, 0, SECOND)


def test_an_open_segment_is_what_of_its_parts_is_there():
    for size, count in ((None, 0), (9, 0), (10, 1), (29, 2), (30, 3), (99, 3)):
        entry = told(opened(1), *parts(1)).tracks["source"].segments[1].entry(size)
        if count:
            assert (entry.duration, entry.size, entry.gap) == (count * (SECOND // 3), 10 * count, False)
        else:
            assert (entry.duration, entry.size, entry.gap) == (3 * (SECOND // 3), 0, True)
    assert told(opened(1)).tracks["source"].segments[1].entry(30) is None


def test_the_edge_is_the_window_of_a_timeline():
    story = told(*whole(*range(1, 101)))
    track = story.tracks["source"]
    entries = [each.entry(30) for each in track.segments.values()]
    assert restore.edge(track, entries) == entries[-WINDOW_SECONDS:]
    track.target = 10
    assert restore.edge(track, entries) == entries[-10 * WINDOW_TARGETS :]
    assert restore.edge(track, []) == []


def test_the_edge_is_no_larger_than_a_timeline_may_be(monkeypatch):
    monkeypatch.setattr(restore, "RENDITION_BYTES_MAX", 100)
    track = told(*whole(*range(1, 10))).tracks["source"]

    assert [7, 8, 9] == [each.msn for each in restore.edge(track, [each.entry(30) for each in track.segments.values()])]


def test_a_timeline_goes_on_behind_a_discontinuity():
    story = told(*whole(4), opened(5, discontinuity=True, before=2), *parts(5), closed(5))
    track = story.tracks["source"]
    entries = [each.entry(30) for each in track.segments.values()]
    timeline = restore.timeline(track, entries, {4: b"a" * 30, 5: b"b" * 10 + b"c" * 20}, 6)

    assert (timeline.discontinuity_sequence, timeline.next_msn, timeline.bytes_held) == (0, 6, 60)
    assert timeline.next_part == track.last_part + PART_NUMBERS_LEFT_OUT
    assert (timeline.target_duration, timeline.ready, timeline.last) == (2, True, (5, -1))
    assert timeline.segment(5).data() == b"b" * 10 + b"c" * 20
    assert [each.data for each in timeline.segment(5).parts] == [b"b" * 10, b"c" * 10, b"c" * 10]
    assert timeline.part(16).data == b"c" * 10
    assert timeline.open_segment(entries[0].opening).discontinuity


def test_a_timeline_of_nothing_begins_at_the_beginning():
    timeline = restore.timeline(told().tracks["source"], [], {}, 1)
    opening = told(*whole(1)).tracks["source"].segments[1].entry(30).opening

    assert (timeline.ready, timeline.next_msn) == (False, 1)
    assert not timeline.open_segment(opening).discontinuity


def test_the_line_of_time_goes_on_after_all_that_may_have_been_shown():
    assert restore.line_ms(told(*whole(4, 5)).tracks.values()) == 6000 + LINE_STEP_MS
    assert restore.line_ms(told().tracks.values()) == LINE_STEP_MS
