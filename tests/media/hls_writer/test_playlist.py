from __future__ import annotations

import pytest

from media.hls_writer.errors import NotListed
from media.hls_writer.playlist import (
    PART_HOLD_BACK_PARTS,
    RENDITION_NAME_MAX,
    Report,
    ResourceName,
    Variant,
    media_playlist,
    multivariant_playlist,
    read_name,
    report,
)
from media.hls_writer.timeline import Fragment, Opening, Timeline
from tests.media.checker import Checker, read

SECOND = 90_000
PART = 0.334


def line(segments: int, *, target=2) -> Timeline:
    timeline = Timeline()
    timeline.target_duration = target
    for _ in range(segments):
        add_segment(timeline)
    return timeline


def add_segment(timeline: Timeline, *, init=1, parts=6, data=b"data", independent=True) -> None:
    timeline.open_segment(Opening(timeline.head, 1_700_000_000.25 + timeline.head / SECOND, 1, init, independent))
    for index in range(parts):
        timeline.add(Fragment(SECOND // 3, independent=independent and index == 0, data=data))


def render(timeline: Timeline, *, skip=False, siblings=()) -> bytes:
    return media_playlist("source", timeline, part_target_seconds=PART, siblings=list(siblings), skip=skip)


def test_a_playlist_is_exactly_this():
    timeline = line(1)
    timeline.discontinue()
    add_segment(timeline, init=2, parts=2)

    assert render(timeline, siblings=[Report("480p", 2, 0), Report("360p", 1, None)]).decode().splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.002,HOLD-BACK=6,CAN-SKIP-UNTIL=12",
        "#EXT-X-PART-INF:PART-TARGET=0.334",
        "#EXT-X-MEDIA-SEQUENCE:1",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="source_init1.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.250Z",
        '#EXT-X-PART:DURATION=0.33333,URI="source_p1.m4s",INDEPENDENT=YES',
        *(f'#EXT-X-PART:DURATION=0.33333,URI="source_p{number}.m4s"' for number in range(2, 7)),
        "#EXTINF:2.00000,",
        "source_s1.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="source_init2.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.250Z",
        '#EXT-X-PART:DURATION=0.33333,URI="source_p7.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.33333,URI="source_p8.m4s"',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="source_p9.m4s"',
        '#EXT-X-RENDITION-REPORT:URI="480p.m3u8",LAST-MSN=2,LAST-PART=0',
        '#EXT-X-RENDITION-REPORT:URI="360p.m3u8",LAST-MSN=1',
    ]


def test_every_playlist_of_a_long_life_keeps_the_rules():
    timeline, checker = line(0), Checker()
    for index in range(60):
        if index % 25 == 24:
            timeline.discontinue()
        timeline.open_segment(Opening(timeline.head, timeline.head / SECOND, 1, 1 + index // 25, independent=True))
        for part in range(6):
            timeline.add(Fragment(SECOND // 3, independent=part == 0, data=b"x"))
            checker.see(render(timeline))
            checker.see(render(timeline, skip=True))
    timeline.end()
    checker.see(render(timeline))

    assert [] == checker.findings
    assert checker.last.discontinuity_sequence == 1
    assert checker.last.ended


def test_a_delta_with_what_is_known_makes_the_whole():
    timeline = line(20)
    whole, delta = read(render(timeline)), read(render(timeline, skip=True))

    assert delta.skipped > 0
    assert whole.segments[delta.skipped :] == [
        segment for segment in delta.segments if not setattr(segment, "init", _inherited(whole, segment.msn))
    ]
    assert len(render(timeline, skip=True)) < len(render(timeline))


def _inherited(whole, msn):
    return next(segment.init for segment in whole.segments if segment.msn == msn)


def test_there_is_no_delta_when_nothing_can_be_skipped_or_all_is_over():
    short = line(3)
    assert render(short) == render(short, skip=True)

    ended = line(20)
    ended.end()
    assert render(ended) == render(ended, skip=True)


def test_before_the_first_whole_segment_there_are_parts():
    timeline = line(1)
    playlist = read(render(timeline))

    assert playlist.sequence == 1
    assert [] == playlist.closed
    assert len(playlist.parts) == 6


def test_a_rendition_that_begins_later_begins_its_sequence_there():
    leader, follower = line(7), Timeline()
    follower.target_duration = 2
    follower.follow(leader, leader.open, leader.open.opening)
    follower.add(Fragment(SECOND // 3, independent=True, data=b"x"))

    assert read(render(follower)).sequence == 7


def test_an_open_segment_without_parts_is_not_listed():
    timeline = line(2)
    timeline.open_segment(Opening(0, 0.0, 1, 1, independent=True))

    assert [1, 2] == [segment.msn for segment in read(render(timeline)).segments]


def test_gaps_are_said():
    timeline = line(1)
    add_segment(timeline, data=b"")
    add_segment(timeline)
    playlist = read(render(timeline))

    assert [False, True, False] == [segment.gap for segment in playlist.segments]
    assert all(part.gap for part in playlist.segments[1].parts)


def test_the_promise_of_independence_is_not_made_when_it_is_not_kept():
    timeline = line(1)
    add_segment(timeline, independent=False)

    assert b"INDEPENDENT-SEGMENTS" not in render(timeline)


def test_only_the_last_segments_list_their_parts():
    playlist = read(render(line(12)))

    assert [bool(segment.parts) for segment in playlist.segments] == [False] * 8 + [True] * 4


def test_after_the_end_there_is_no_hint():
    timeline = line(2)
    timeline.end()
    playlist = read(render(timeline, siblings=[Report("480p", 1, 0)]))

    assert playlist.ended
    assert playlist.hint is None
    assert {} == playlist.reports


def test_the_hold_back_is_three_parts():
    assert PART_HOLD_BACK_PARTS == 3
    assert float(read(render(line(1))).control["PART-HOLD-BACK"]) == pytest.approx(3 * PART)


def test_reports_say_the_newest_position():
    timeline = line(2)
    assert Report("480p", 2, 5) == report("480p", timeline)
    timeline.close_segment()
    assert Report("480p", 2, 5) == report("480p", timeline)
    timeline.listed[-1].forget_parts()
    assert Report("480p", 2, None) == report("480p", timeline)
    assert Report("480p", 0, None) == report("480p", Timeline())


@pytest.mark.parametrize(
    "name",
    [
        ResourceName("source", "init", 1),
        ResourceName("480p", "s", 12),
        ResourceName("1080p", "p", 9_999_999_999),
        ResourceName("a" * RENDITION_NAME_MAX, "p", 1),
    ],
)
def test_names_are_written_and_read(name):
    assert name == read_name(str(name))


@pytest.mark.parametrize(
    "name",
    [
        *("", "source", "source.m3u8", "source_p0.m4s", "source_p01.m4s", "source_p1.mp4", "source_init1.m4s"),
        *("source_init1.mp4\n", "../source_p1.m4s", "source_p1.m4s/..", "Source_p1.m4s", "source_x1.m4s"),
        *("source_p10000000000.m4s", "source_p-1.m4s", "source_p１.m4s", "a" * (RENDITION_NAME_MAX + 1) + "_p1.m4s"),
        "_p1.m4s",
    ],
)
def test_other_names_are_not_listed(name):
    with pytest.raises(NotListed):
        read_name(name)


def test_the_multivariant_playlist_is_exactly_this():
    variants = [
        Variant("source", 5_500_000, "avc1.64001F,mp4a.40.2", (1280, 720), 29.97),
        Variant("sound", 128_000, "mp4a.40.2", None, None),
    ]

    assert multivariant_playlist("12", variants).decode().splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        '#EXT-X-STREAM-INF:BANDWIDTH=5500000,CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970',
        "12/source.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2"',
        "12/sound.m3u8",
    ]
