from __future__ import annotations

from media.hls_writer.archive import Archive, Entry
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.timeline import Opening

SECOND = VIDEO_CLOCK


def entry(msn, *, seconds=1, discontinuity=False, before=0, gap=False):
    opening = Opening(msn * SECOND, 1e9 + msn, 1, 1, independent=True)
    return Entry(msn, opening, discontinuity, before, seconds * SECOND, 0 if gap else 10, gap)


def filled(count, window=10):
    archive = Archive(window)
    gone = [each.msn for msn in range(1, count + 1) for each in archive.add(entry(msn))]
    return archive, gone


def test_it_lists_at_least_its_window():
    archive, gone = filled(10)
    assert ([each.msn for each in archive.listed], gone) == (list(range(1, 11)), [])
    archive, gone = filled(13)
    assert [each.msn for each in archive.listed] == list(range(4, 14))
    assert sum(each.duration for each in archive.listed) == 10 * SECOND


def test_what_leaves_the_list_stays_for_its_own_duration_and_that_of_the_longest_list():
    archive, _ = filled(11)
    assert (archive.listed[0].msn, archive.oldest.msn, archive.bytes_unlisted) == (2, 1, 10)
    gone = []
    for msn in range(12, 24):
        assert archive.find(1) or msn > 22
        gone += [each.msn for each in archive.add(entry(msn))]

    # It left when 11 had been added, a list of 11 seconds; 1 + 11 seconds later it goes.
    assert gone == [1]
    assert archive.find(1) is None
    assert archive.find(2)


def test_what_it_holds_is_bounded_by_two_windows():
    archive, gone = filled(1000)

    assert archive.bytes_held == (1000 - len(gone)) * 10
    assert 1000 - len(gone) <= 2 * 10 + 2


def test_a_gap_is_listed_and_cannot_be_had():
    archive, _ = filled(2)
    archive.add(entry(3, gap=True))

    assert [each.gap for each in archive.listed] == [False, False, True]
    assert (archive.find(2).msn, archive.find(3), archive.find(4), archive.find(0)) == (2, None, None, None)


def test_the_discontinuity_sequence_counts_what_left():
    archive = Archive(2)
    assert archive.discontinuity_sequence == 0
    archive.add(entry(1))
    archive.add(entry(2, discontinuity=True))
    archive.add(entry(3, before=1))
    assert archive.discontinuity_sequence == 0
    archive.add(entry(4, before=1))

    assert [each.msn for each in archive.listed] == [3, 4]
    assert archive.discontinuity_sequence == 1


def test_who_was_away_begins_anew_at_the_next_number():
    archive, _ = filled(3)
    archive.add(entry(9, before=2))

    assert [each.msn for each in archive.listed] == [9]
    assert archive.discontinuity_sequence == 2
    assert archive.find(2)  # still to be had by whoever saw it listed


def test_evicting_gives_up_the_oldest_listed_or_not():
    archive, _ = filled(11)
    version = archive.version
    assert archive.evict().msn == 1
    assert archive.version == version
    assert archive.evict().msn == 2
    assert archive.version > version
    assert archive.listed[0].msn == 3
    while archive.evict():
        pass

    assert (archive.bytes_held, list(archive.listed), archive.oldest) == (0, [], None)


def test_the_end_changes_the_playlist():
    archive, _ = filled(1)
    version = archive.version
    archive.end()

    assert (archive.ended, archive.version) == (True, version + 1)
