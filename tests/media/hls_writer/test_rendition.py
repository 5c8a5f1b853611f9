from __future__ import annotations

import pytest

from media.flv import AudioConfig, Codec, VideoConfig
from media.hls_writer.cutter import Targets
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.rendition import (
    AUDIO_BITS_A_SECOND,
    BANDWIDTH_ROOM,
    BANDWIDTH_UNKNOWN,
    INITS_KEPT_MAX,
    Rendition,
)
from media.hls_writer.tracks import audio_track, video_track
from tests.media import films

VIDEO = video_track(VideoConfig(Codec.AVC, films.AVCC))
OTHER = video_track(VideoConfig(Codec.AVC, films.OTHER_AVCC))
AUDIO = audio_track(AudioConfig(Codec.AAC, films.ASC))


def begun(name="source", leader=None, targets=None) -> Rendition:
    rendition = Rendition(name, targets or Targets(), leader)
    rendition.begin(1, VIDEO, AUDIO, 1000.0)
    return rendition


def play(rendition: Rendition, begin=0, count=181, keys=60) -> list[bool]:
    return [rendition.take_video(begin + index * 1000 // 30, 0, b"v", key=index % keys == 0) for index in range(count)]


def test_frames_become_segments_with_dates():
    rendition = begun()
    changed = play(rendition)

    assert [1000.0, 1002.0] == [segment.opening.date for segment in rendition.timeline.listed][:2]
    assert rendition.timeline.ready
    assert 18 <= sum(changed) <= 24  # once a part, and at each cut
    assert rendition.init(1).startswith(b"\x00\x00\x00")
    assert rendition.init(2) is None


def test_before_the_first_interval_is_over_no_playlist_can_be_written():
    rendition = begun()
    play(rendition, count=59)
    assert not rendition.timeline.ready

    play(rendition, begin=2000, count=2)
    assert rendition.timeline.ready


def test_nothing_is_taken_before_it_has_begun():
    rendition = Rendition("source", Targets())

    assert not rendition.take_video(0, 0, b"v", key=True)
    assert not rendition.take_audio(0, b"a")
    rendition.hole()
    rendition.discontinue()
    rendition.end()
    assert rendition.timeline.ended
    assert not rendition.timeline.listed


def test_a_new_epoch_with_the_same_tracks_keeps_the_init_segment():
    rendition = begun()
    play(rendition, count=70)
    rendition.begin(2, VIDEO, AUDIO, 2000.0)
    play(rendition, count=70)
    rendition.end()
    segments = list(rendition.timeline.listed)

    assert [False, False, True, False] == [segment.discontinuity for segment in segments]
    assert {1} == {segment.opening.init for segment in segments}
    assert segments[2].opening.date == 2000.0


def test_a_new_epoch_with_other_tracks_has_a_new_init_segment():
    rendition = begun()
    play(rendition, count=70)
    rendition.begin(2, OTHER, None, 2000.0)
    play(rendition, count=70)
    rendition.end()

    assert [1, 1, 2, 2] == [segment.opening.init for segment in rendition.timeline.listed]
    assert rendition.init(1) != rendition.init(2)
    assert rendition.variant.size == (426, 240)


def test_old_init_segments_are_forgotten():
    rendition = begun()
    for epoch in range(2, INITS_KEPT_MAX + 2):
        rendition.begin(epoch, OTHER if epoch % 2 == 0 else VIDEO, AUDIO, 0.0)

    assert rendition.init(1) is None
    assert rendition.init(2)
    assert rendition.init(INITS_KEPT_MAX + 1)


def test_init_segments_are_part_of_what_it_costs():
    rendition = begun()
    rendition.begin(2, OTHER, AUDIO, 0.0)
    assert rendition.bytes_held == len(rendition.init(1)) + len(rendition.init(2))

    play(rendition, count=30)
    assert rendition.bytes_held == rendition.timeline.bytes_held + len(rendition.init(1)) + len(rendition.init(2))


def test_its_line_in_the_multivariant_playlist_is_measured():
    rendition = begun()
    assert rendition.variant.bandwidth == BANDWIDTH_UNKNOWN
    assert rendition.frame_rate is None

    play(rendition)
    variant = rendition.variant
    assert variant.bandwidth == int(rendition.timeline.bits_a_second_max * BANDWIDTH_ROOM)
    assert variant.codecs == "avc1.42C00D,mp4a.40.2"
    assert variant.size == (320, 240)
    assert abs(variant.frame_rate - 30) < 0.1

    rendition.discontinue()
    assert abs(rendition.frame_rate - 30) < 0.1


def test_a_source_is_measured_by_its_open_segment_until_one_has_closed():
    rendition = begun(targets=Targets(duration=3))
    play(rendition, count=40)
    assert not rendition.timeline.listed
    rate = rendition.timeline.open.size * 8 / (rendition.timeline.open.duration / VIDEO_CLOCK)

    assert rendition.variant.bandwidth == pytest.approx(rate * BANDWIDTH_ROOM, abs=2)


@pytest.mark.parametrize("audio", [AUDIO, None])
@pytest.mark.parametrize("count", [40, 181])
def test_a_rung_is_worth_at_least_what_its_encoder_may_come_to(audio, count):
    targets = Targets(duration=3)
    leader = begun(targets=targets)
    rung = Rendition("480p", targets, leader, bits_a_second=1_200_000)
    rung.begin(1, VIDEO, audio, 1000.0)
    play(leader, count=count)
    play(rung, count=count)

    assert rung.variant.bandwidth == int((1_200_000 + AUDIO_BITS_A_SECOND * bool(audio)) * BANDWIDTH_ROOM)


def test_a_rung_that_costs_more_than_was_promised_says_so():
    targets = Targets(duration=3)
    leader = begun(targets=targets)
    rung = Rendition("160p", targets, leader, bits_a_second=1)
    rung.begin(1, VIDEO, None, 1000.0)
    play(leader)
    play(rung)

    assert rung.variant.bandwidth == int(rung.timeline.bits_a_second_max * BANDWIDTH_ROOM)


def test_sound_alone_has_no_size():
    rendition = Rendition("source", Targets())
    rendition.begin(1, None, AUDIO, 0.0)
    for index in range(200):
        rendition.take_audio(index * 64 // 3, b"a")

    assert rendition.timeline.ready
    assert (rendition.variant.size, rendition.variant.frame_rate) == (None, None)


def test_a_follower_has_the_leaders_numbers_dates_and_constants():
    targets = Targets()
    leader = begun(targets=targets)
    follower = begun("360p", leader, targets)
    play(leader, count=200)
    play(follower, count=200)

    assert [(each.msn, each.opening.date) for each in leader.timeline.listed] == [
        (each.msn, each.opening.date) for each in follower.timeline.listed
    ]
    assert leader.timeline.target_duration == follower.timeline.target_duration


def test_a_hole_in_a_follower_is_a_gap():
    targets = Targets()
    leader = begun(targets=targets)
    follower = begun("360p", leader, targets)
    play(leader, count=300)
    play(follower, count=60)
    follower.hole()
    play(follower, begin=6000, count=60)
    follower.discontinue()

    assert [(1, False), (2, True), (3, True), (4, False)] == [(each.msn, each.gap) for each in follower.timeline.listed]
