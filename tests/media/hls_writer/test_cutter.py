from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest

from media.flv import AudioConfig, Codec
from media.hls_writer.cutter import (
    AUDIO_DRIFT_SECONDS_MAX,
    AUDIO_PACKETS_HELD_MAX,
    INTERVAL_SECONDS_MAX,
    LONG_TARGET_SECONDS,
    PART_ROUNDING_SECONDS,
    PART_SHARE_MIN,
    TARGET_SECONDS,
    Cut,
    Cutter,
    FollowedCuts,
    OwnCuts,
    Targets,
)
from media.hls_writer.fmp4 import AUDIO_TRACK, VIDEO_CLOCK, VIDEO_TRACK
from media.hls_writer.timeline import Fragment, Opening, Timeline
from media.hls_writer.tracks import audio_track
from tests.media import films
from tests.media.boxes import read_fragment

AAC = audio_track(AudioConfig(Codec.AAC, films.ASC))  # 48 kHz
MS = 90


def cutter(targets=None, *, video=True, audio=None, cuts=None) -> Cutter:
    targets = targets or Targets()
    return Cutter(targets, cuts or OwnCuts(targets), video=video, audio=audio)


def times(fps=30, *, begin=0, count=300) -> list[int]:
    return [begin + index * 1000 // fps for index in range(count)]


def play(line: Cutter, moments: list[int], *, keys=60, composition=0, finish=True) -> list[Cut | Fragment]:
    """Pictures at these moments; each `keys`-th is a keyframe."""
    events: list[Cut | Fragment] = []
    for index, moment in enumerate(moments):
        events += line.video(moment, composition, b"%d" % moment, key=index % keys == 0)
    return events + (line.finish() if finish else [])


def shape(events: list[Cut | Fragment]) -> list[list[int]]:
    """The parts of each segment, in milliseconds."""
    segments: list[list[int]] = []
    for event in events:
        if isinstance(event, Cut):
            segments.append([])
        else:
            segments[-1].append(event.duration // MS)
    return segments


def samples(events: list[Cut | Fragment], track: int = VIDEO_TRACK) -> list[bytes]:
    found = []
    for event in events:
        if isinstance(event, Fragment) and event.data:
            found += [each[3] for run in read_fragment(event.data)[1] if run.number == track for each in run.samples]
    return found


def test_ten_frames_at_thirty_make_a_part_and_an_interval_a_segment():
    segments = shape(play(cutter(), times(count=121)))

    assert [[333, 333, 334] * 2] * 2 == segments[:2]


@pytest.mark.parametrize("fps", [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 15, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("part_seconds", [0.2, 0.334, 0.5])
def test_no_part_exceeds_the_target_nor_falls_far_below_it(fps, part_seconds):
    moments = times(fps, count=fps * 8 + 1)
    events = play(cutter(Targets(part_seconds)), moments, keys=fps * 2)
    segments = shape(events)

    assert [2000] * 3 == [sum(segment) for segment in segments[:3]]
    assert [b"%d" % moment for moment in moments] == samples(events)
    for segment in segments[:4]:
        assert max(segment) <= part_seconds * 1000
        assert min(segment[:-1]) >= PART_SHARE_MIN * part_seconds * 1000


@pytest.mark.parametrize("fps", [5, 7, 10, 12, 15, 20, 23.976, 24, 25, 29, 29.97, 30, 48, 50, 59.94, 60])
@pytest.mark.parametrize("part_ms", [200, 334, 500])
@pytest.mark.parametrize("keys_seconds", [2, 10**6])
def test_pictures_alone_leave_no_part_without_one(fps, part_ms, keys_seconds):
    targets = Targets(part_ms / 1000 + PART_ROUNDING_SECONDS, duration=TARGET_SECONDS)
    for begin in range(0, 200, 17):  # Milliseconds are cut off in another way at each.
        moments = [begin + int(index * 1000 / fps) for index in range(round(fps * 12) + 1)]
        events = play(cutter(targets), moments, keys=round(fps * keys_seconds))

        assert all(event.data for event in events if isinstance(event, Fragment))
        assert [b"%d" % moment for moment in moments] == samples(events)
        for segment in shape(events):
            assert max(segment) * MS <= targets.part_ticks
            assert all(part * MS >= targets.part_ticks_min - MS for part in segment[:-1])


@pytest.mark.parametrize("fps", [24, 29, 48])
def test_what_is_left_over_before_a_keyframe_has_sound_rather_than_nothing(fps):
    line = cutter(Targets(0.2), audio=AAC)
    events: list[Cut | Fragment] = []
    for index, moment in enumerate(times(fps, count=fps * 20)):
        while line._next_sample is None or line._next_sample < moment * 48 + 2048:
            events += line.audio((line._next_sample or 0) // 48, b"s")
        events += line.video(moment, 0, b"p", key=index % (fps * 2) == 0)

    assert all(event.data for event in events if isinstance(event, Fragment))
    heard = [run for event in events if isinstance(event, Fragment) for run in read_fragment(event.data)[1]]
    sound = [run for run in heard if run.number == AUDIO_TRACK]
    assert [run.end for run in sound[:-1]] == [run.start for run in sound[1:]]


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_long_enough_however_pictures_come(seed):
    random = Random(seed)
    moments = list(itertools.accumulate(random.choice([16, 33, 91, 200, 700, 2500]) for _ in range(200)))
    targets = Targets(duration=5)
    events = play(cutter(targets), moments, keys=random.randrange(2, 60))

    assert moments[-1] - moments[0] <= sum(map(sum, shape(events)))
    assert [b"%d" % moment for moment in moments] == samples(events)
    for segment in itertools.groupby((each for each in events), key=lambda each: isinstance(each, Fragment)):
        if segment[0]:
            *parts, last = [each.duration for each in segment[1]]
            assert all(targets.part_ticks_min <= part <= targets.part_ticks for part in parts)
            assert last <= targets.part_ticks


def test_a_frame_is_emitted_when_the_next_one_arrives_and_each_exactly_once():
    line = cutter()
    moments = times(count=40)
    early = play(line, moments, finish=False)
    late = line.finish()

    assert [b"%d" % moment for moment in moments] == samples(early + late)
    assert b"%d" % moments[-1] in samples(late)


def test_everything_before_the_first_keyframe_is_dropped():
    line = cutter()
    events = line.video(0, 0, b"no", key=False) + line.video(33, 0, b"key", key=True) + line.finish()

    assert [b"key"] == samples(events)


def test_a_first_frame_alone_lasts_a_tenth_of_a_part():
    _, fragment = play(cutter(), [0])

    assert fragment.duration == Targets().part_ticks // 10


def test_the_last_frame_lasts_as_long_as_the_one_before_it():
    events = play(cutter(), [0, 40, 80])

    assert [[120]] == shape(events)


def test_parts_are_independent_when_they_begin_with_a_keyframe():
    events = play(cutter(), times(count=121), keys=30)  # a keyframe every second, which is also a segment
    fragments = [event for event in events if isinstance(event, Fragment)]

    first_keys = [read_fragment(each.data)[1][0].samples[0][1] for each in fragments]
    assert first_keys == [each.independent for each in fragments]
    assert 5 == first_keys.count(True)


def test_a_keyframe_within_the_least_segment_cuts_nothing():
    events = play(cutter(), times(count=181), keys=15)

    assert [1000] * 5 == [sum(segment) for segment in shape(events)[:5]]


@pytest.mark.parametrize(
    ("interval_seconds", "target"),
    [(0.5, TARGET_SECONDS), (1, TARGET_SECONDS), (1.6, TARGET_SECONDS), (2, TARGET_SECONDS), (4, TARGET_SECONDS),
     (4.1, LONG_TARGET_SECONDS), (5, LONG_TARGET_SECONDS), (9, LONG_TARGET_SECONDS)],
)  # fmt: skip
def test_the_target_duration_comes_from_the_interval(interval_seconds, target):
    targets = Targets()
    keys = round(interval_seconds * 30)
    events = play(cutter(targets), times(count=30 * 30), keys=keys)

    assert target == targets.duration
    assert all(event.independent for event in events if isinstance(event, Cut))
    assert all(int(sum(segment) / 1000 + 0.5) <= target for segment in shape(events))


@pytest.mark.parametrize(("fps", "keys"), [(30000 / 1001, 59), (60000 / 1001, 119), (24000 / 1001, 95), (50, 100)])
def test_whole_seconds_are_known_at_once_however_frames_fall(fps, keys):
    targets = Targets()
    moments = [int(index * 1000 / fps) for index in range(keys + 2)]
    play(cutter(targets), moments, keys=keys, finish=False)

    assert targets.duration == TARGET_SECONDS


@pytest.mark.parametrize("interval_seconds", [2, 4, 250 / 30])
@pytest.mark.parametrize("first_frame", [1, 25, 26, 40, 100])
def test_an_early_scene_cut_is_not_taken_for_the_interval(interval_seconds, first_frame):
    # An encoder counts its interval anew from a scene cut on.
    targets = Targets()
    line = cutter(targets)
    events = play(line, times(count=first_frame), keys=10**6, finish=False)
    rest = times(begin=first_frame * 1000 // 30, count=30 * 60)
    events += play(line, rest, keys=round(interval_seconds * 30))
    segments = shape(events)

    assert all(event.independent for event in events if isinstance(event, Cut))
    assert all(int(sum(segment) / 1000 + 0.5) <= targets.duration for segment in segments)


def test_the_target_duration_is_known_when_the_first_interval_takes_too_long():
    targets = Targets()
    line = cutter(targets)
    moments = times(count=int(INTERVAL_SECONDS_MAX * 30) + 3)
    play(line, moments[:-2], keys=1000, finish=False)
    assert targets.duration is None

    for moment in moments[-2:]:
        line.video(moment, 0, b"v", key=False)
    assert targets.duration == LONG_TARGET_SECONDS


def test_irregular_keyframes_are_not_waited_for():
    targets = Targets()
    line = cutter(targets)
    for moment in times(count=int(INTERVAL_SECONDS_MAX * 30) + 2):
        line.video(moment, 0, b"v", key=moment in {0, 700, 1500, 2166, 3300})

    assert targets.duration == LONG_TARGET_SECONDS


def test_an_interval_beyond_the_target_is_cut_inside():
    targets = Targets()
    line = cutter(targets)
    events = play(line, times(count=60), keys=60, finish=False)
    events += play(line, times(begin=2000, count=30 * 30), keys=10**6)
    cuts = [event for event in events if isinstance(event, Cut)]

    assert targets.duration == TARGET_SECONDS
    assert [True, True] == [cut.independent for cut in cuts[:2]]
    assert not any(cut.independent for cut in cuts[2:])
    assert all(int(sum(segment) / 1000 + 0.5) <= TARGET_SECONDS for segment in shape(events))
    assert len(cuts) >= 7


def test_a_picture_that_lasts_longer_than_a_part_is_followed_by_parts_without_pictures():
    line = cutter(audio=AAC)
    for moment in range(0, 4000, 20):
        line.audio(moment, b"a%d" % moment)
    events = play(line, [0, 33, 66, 1100, 1133, 1166])
    parts = shape(events)[0]

    assert max(parts) <= 334
    assert sum(parts) == 1166 + 33
    assert [b"0", b"33", b"66", b"1100", b"1133", b"1166"] == samples(events)
    assert all(event.data for event in events if isinstance(event, Fragment))  # sound goes on


def test_without_sound_such_parts_are_gaps():
    events = play(cutter(), [0, 2000, 2033])
    fragments = [event for event in events if isinstance(event, Fragment)]

    assert any(not each.data for each in fragments)
    assert not any(each.independent for each in fragments if not each.data)
    assert sum(shape(events)[0]) == 2033 + 33


def test_a_hole_as_long_as_the_target_is_cut_too():
    targets = Targets(duration=2)
    events = play(cutter(targets), [0, 33, 9000, 9033])

    assert all(sum(segment) <= 2490 for segment in shape(events))


@pytest.mark.parametrize("step", [0, -20])
def test_a_time_that_does_not_rise_is_moved_and_still_shown_when_it_said(step):
    line = cutter()
    line.video(0, 0, b"a", key=True)
    events = line.video(100, 10, b"b", key=False)
    events += line.video(100 + step, 10, b"c", key=False) + line.finish()
    [run] = read_fragment(next(each.data for each in events if isinstance(each, Fragment)))[1]

    assert [(100 * MS, 0), (1 * MS, 10 * MS), (1 * MS, (step + 10 - 1) * MS)] == [
        (each[0], each[2]) for each in run.samples
    ]


def sound(events):
    return [
        (run.start, run.end, len(run.samples))
        for event in events
        if isinstance(event, Fragment) and event.data
        for run in read_fragment(event.data)[1]
        if run.number == AUDIO_TRACK
    ]


def test_sound_is_counted_and_not_stamped():
    line = cutter(audio=AAC)
    events = []
    stamps = [index * 64 // 3 for index in range(320)]
    for index, moment in enumerate(times(count=200)):
        while stamps[0] <= moment:
            line.audio(stamps.pop(0) + (-1) ** index, b"s")
        events += line.video(moment, 0, b"v", key=index % 60 == 0)
    runs = sound(events)

    assert runs[0][0] in {-48, 0, 48}
    assert all(before[1] == after[0] for before, after in itertools.pairwise(runs))


def test_a_part_takes_the_sound_that_begins_before_its_pictures_end():
    line = cutter(audio=AAC)
    for index in range(100):
        line.audio(index * 1024 * 1000 // 48000, b"s")
    events = play(line, times(count=61), composition=66)

    # Shown from 66 ms on: what is over before that is dropped, then up to 333 + 66 ms.
    start, end, _ = sound(events)[0]
    assert 0 < start + 1024 <= 66 * 48 + 1024
    assert end - 1024 < (333 + 66) * 48 <= end


@pytest.mark.parametrize(("drift_ms", "resync"), [(99, False), (100, False), (101, True), (-101, True)])
def test_sound_that_drifts_too_far_is_set_anew_in_a_fragment_of_its_own(drift_ms, resync):
    assert AUDIO_DRIFT_SECONDS_MAX == 0.1
    line = cutter(audio=AAC)
    line.video(500, 0, b"v", key=True)
    for index in range(10):
        line.audio(500 + index * 64 // 3 + (drift_ms if index >= 5 else 0), b"s")
    events = []
    for moment in range(533, 1600, 33):
        events += line.video(moment, 0, b"v", key=False)
    runs = sound(events)

    assert resync == (len(runs) > 1)
    assert 10 == sum(count for _, _, count in runs)


@pytest.mark.parametrize("video", [True, False])
def test_sound_that_walks_back_behind_the_beginning_is_dropped(video):
    line = cutter(video=video, audio=AAC)
    line.video(1000, 0, b"v", key=True)
    events = []
    for moment in range(1000, -3000, -500):
        events += line.audio(moment, b"%d" % moment)
    for moment in range(1033, 3000, 33):
        events += line.video(moment, 0, b"v", key=False)
    events += line.finish()

    assert [b"1000", b"500", b"0"] == samples(events, AUDIO_TRACK)


def test_sound_without_a_track_is_nothing():
    assert [] == cutter().audio(0, b"s")


@pytest.mark.parametrize("over", [0, 1])
def test_sound_that_waits_for_pictures_is_bounded(over):
    line = cutter(audio=AAC)
    line.video(0, 0, b"v", key=True)
    for index in range(AUDIO_PACKETS_HELD_MAX + over):
        line.audio(index * 64 // 3, b"%d" % index)

    assert b"%d" % over == line._packets[0][2]


def test_sound_alone_makes_parts_and_segments_of_its_own():
    targets = Targets()
    line = cutter(targets, video=False, audio=AAC)
    events = []
    for index in range(500):
        events += line.audio(index * 64 // 3, b"%d" % index)
    events += line.finish()
    segments = shape(events)

    assert targets.duration == TARGET_SECONDS
    assert [b"%d" % index for index in range(500)] == samples(events, AUDIO_TRACK)
    assert all(320 == part for segment in segments[:-1] for part in segment)
    assert all(sum(segment) == 2240 for segment in segments[:-1])
    assert all(each.independent for each in events if isinstance(each, Fragment))


@pytest.mark.parametrize("rate", [7350, 8000, 11_025, 12_000, 16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("part_seconds", [0.2, 0.334, 0.5])
def test_sound_alone_of_any_rate_keeps_to_the_part_target(rate, part_seconds):
    """A packet of 1024 samples is as long as 139 ms; of those no two and no three make 85 % of a part."""
    targets, count = Targets(part_seconds), 40 * rate // 1024
    line = cutter(targets, video=False, audio=replace(AAC, rate=rate))
    events = []
    for index in range(count):
        events += line.audio(index * 1024 * 1000 // rate, b"%d" % index)
    events += line.finish()
    fragments = [[]]
    for event in events:
        fragments.append([]) if isinstance(event, Cut) else fragments[-1].append(event)
    parts = [[each.duration for each in segment] for segment in fragments[1:]]

    assert all(part <= targets.part_ticks for segment in parts for part in segment)
    assert all(part >= targets.part_ticks_min for segment in parts for part in segment[:-1])
    assert all(each.data for segment in fragments for each in segment)
    assert all(1.7 <= sum(segment) / VIDEO_CLOCK <= 2.5 for segment in parts[:-1])
    assert [b"%d" % index for index in range(count)] == samples(events, AUDIO_TRACK)
    # Each segment begins with a packet.
    starts = [each.start for each in events if isinstance(each, Cut)]
    assert set(starts) <= {index * 1024 * VIDEO_CLOCK // rate for index in range(count)}


def test_sound_alone_with_a_hole_begins_a_part_behind_it():
    line = cutter(video=False, audio=AAC)
    events = []
    for index in range(20):
        events += line.audio(index * 64 // 3 + (500 if index >= 10 else 0), b"s")
    events += line.finish()
    begin = (10 * 64 // 3 + 500) * 48

    assert [(0, 10 * 1024, 10), (begin, begin + 10 * 1024, 10)] == sound(events)


def test_sound_alone_after_a_finish_goes_on():
    line = cutter(video=False, audio=AAC)
    line.audio(0, b"a")
    assert [b"a"] == samples(line.finish(), AUDIO_TRACK)
    assert [] == line.finish()
    line.audio(21, b"b")
    assert [b"b"] == samples(line.finish(), AUDIO_TRACK)


# --- followers -------------------------------------------------------------------------------------------------------


def leading(*starts_ms: int, independent=True, epoch=1) -> Timeline:
    """A leader whose segments begin at these times; the last is open."""
    timeline = Timeline()
    timeline.target_duration = 3
    for start in starts_ms:
        timeline.open_segment(Opening(start * MS, 0.0, epoch, 1, independent))
        timeline.add(Fragment(2000 * MS, independent, b"x"))
    return timeline


def follow(leader: Timeline, moments, keys, *, after_msn=0, epoch=1) -> list[Cut | Fragment]:
    line = cutter(cuts=FollowedCuts(leader, epoch, after_msn))
    events = []
    for moment in moments:
        events += line.video(moment, 0, b"%d" % moment, key=moment in keys)
    return events + line.finish()


def cuts_of(events) -> list[tuple[int, int]]:
    return [(event.start // MS, event.leader.msn) for event in events if isinstance(event, Cut)]


def test_a_follower_cuts_where_the_leader_does():
    moments = times(count=180)
    events = follow(leading(0, 2000, 4000), moments, {0, 1000, 2000, 3000, 4000})

    assert [(0, 1), (2000, 2), (4000, 3)] == cuts_of(events)
    assert [b"%d" % moment for moment in moments] == samples(events)


def test_a_follower_tolerates_two_milliseconds():
    assert [(0, 1), (1998, 2)] == cuts_of(follow(leading(0, 2000), [0, 1000, 1998, 2031], {0, 1998}))
    assert [(0, 1)] == cuts_of(follow(leading(0, 2000), [0, 1000, 1997, 2031], {0, 1997}))


def test_a_follower_waits_for_a_keyframe_unless_the_leader_was_cut_inside():
    moments = [0, 1000, 2000, 2033, 2066]
    assert [(0, 1), (2033, 2)] == cuts_of(follow(leading(0, 2000), moments, {0, 2033}))

    leader = leading(0)
    leader.open_segment(Opening(2000 * MS, 0.0, 1, 1, independent=False))
    leader.add(Fragment(MS, independent=False, data=b"x"))
    assert [(0, 1), (2000, 2)] == cuts_of(follow(leader, moments, {0}))


def test_a_follower_that_missed_a_cut_takes_the_next_one():
    assert [(0, 1), (4000, 3)] == cuts_of(follow(leading(0, 2000, 4000), [0, 33, 4000, 4033], {0, 4000}))


def test_a_follower_of_another_epoch_has_nothing_to_follow():
    assert [] == follow(leading(0, 2000), [0, 33, 66], {0}, epoch=2)


def test_a_follower_that_begins_again_waits_for_a_segment_that_it_has_not_had():
    events = follow(leading(0, 2000), [500, 1000, 2000, 2033], {500, 2000}, after_msn=1)

    assert [(2000, 2)] == cuts_of(events)
    assert [b"2000", b"2033"] == samples(events)


def test_a_follower_before_the_leaders_first_segment_waits():
    assert [] == follow(leading(5000), [0, 33, 66], {0})


def test_a_hole_begins_anew_at_a_keyframe():
    line = cutter(cuts=FollowedCuts(leading(0, 2000), 1, 0))
    events = play(line, times(count=20), finish=False) + line.finish()
    events += line.video(900, 0, b"dropped", key=False)
    events += play(line, times(begin=2000, count=10))

    assert [(0, 1), (2000, 2)] == cuts_of(events)
    assert b"dropped" not in samples(events)
    assert 20 + 10 == len(samples(events))
