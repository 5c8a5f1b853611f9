from __future__ import annotations

from dataclasses import replace

import pytest

from media.flv import Codec
from media.hls_writer.tracks import AudioTrack, VideoTrack
from media.stream_health import Picture, Report, Sound
from media.verdicts import (
    BITS_A_SECOND_MAX,
    DRIFT_MS_MAX,
    KEYFRAME_SECONDS_MAX,
    KEYFRAME_SECONDS_MIN,
    REORDER_MS_MAX,
    SILENCE_SECONDS_MAX,
    SPEED_MIN,
    Code,
    Level,
    Verdict,
    judge,
)

PICTURE = Picture(
    track=VideoTrack(Codec.AVC, b"", 1280, 720, "avc1.64001F"),
    frames_a_second=30.0,
    bits_a_second=4_000_000.0,
    keyframe_seconds=2.0,
    b_frames=False,
    reorder_ms=0,
)
SOUND = Sound(
    track=AudioTrack(Codec.AAC, b"", 48_000, 2, "mp4a.40.2", 1024), bits_a_second=160_000.0, offset_ms=0.0, drift_ms=0.0
)
WELL = Report(
    encoder="OBS",
    seconds=60.0,
    picture=PICTURE,
    sound=SOUND,
    speed=1.0,
    silence_seconds=0.01,
    picture_gaps=0,
    sound_gaps=0,
    stalls=0,
    connections=1,
    extra_tracks=False,
)
GOOD = Verdict(Code.KEYFRAMES_GOOD, Level.GOOD, {"seconds": 2.0})


def picture(**changes) -> Report:
    return replace(WELL, picture=replace(PICTURE, **changes))


def sound(**changes) -> Report:
    return replace(WELL, sound=replace(SOUND, **changes))


def test_a_good_stream_is_told_so():
    assert judge(WELL, encoded=False, refused=False) == [GOOD]


HEVC = replace(PICTURE.track, codec=Codec.HEVC)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (picture(keyframe_seconds=8.333), Verdict(Code.KEYFRAMES_LONG, Level.BAD, {"seconds": 8.3})),
        (picture(keyframe_seconds=0.25), Verdict(Code.KEYFRAMES_SHORT, Level.HINT, {"seconds": 0.2})),
        (replace(WELL, picture=None), Verdict(Code.PICTURE_NONE, Level.HINT)),
        (replace(WELL, picture_gaps=3), Verdict(Code.PICTURE_GAPS, Level.BAD, {"count": 3})),
        (
            picture(b_frames=True, reorder_ms=REORDER_MS_MAX + 1),
            Verdict(Code.PICTURE_B_FRAMES, Level.HINT, {"milliseconds": REORDER_MS_MAX + 1}),
        ),
        (picture(track=HEVC), Verdict(Code.PICTURE_CODEC, Level.BAD)),
        (replace(WELL, sound=None), Verdict(Code.SOUND_NONE, Level.HINT)),
        (replace(WELL, sound_gaps=1), Verdict(Code.SOUND_GAPS, Level.BAD, {"count": 1})),
        (sound(drift_ms=-DRIFT_MS_MAX), Verdict(Code.SOUND_DRIFT, Level.BAD, {"milliseconds": -DRIFT_MS_MAX})),
        (
            replace(WELL, silence_seconds=SILENCE_SECONDS_MAX, speed=0.1),
            Verdict(Code.LINE_SILENT, Level.BAD, {"seconds": SILENCE_SECONDS_MAX}),
        ),
        (replace(WELL, speed=SPEED_MIN - 0.1), Verdict(Code.LINE_SLOW, Level.BAD, {"percent": 80})),
        (replace(WELL, stalls=2), Verdict(Code.LINE_STALLS, Level.BAD, {"count": 2})),
        (
            picture(bits_a_second=BITS_A_SECOND_MAX + 50_000.0),
            Verdict(Code.BITRATE_HIGH, Level.HINT, {"megabits": 10.2}),
        ),
    ],
)
def test_what_is_wrong_is_said_once_with_its_values(report, verdict):
    said = judge(report, encoded=False, refused=False)

    assert verdict in said
    assert 1 == sum(each.level is not Level.GOOD for each in said)
    assert said == sorted(said, key=lambda each: ["bad", "hint", "good"].index(each.level))


@pytest.mark.parametrize(
    "report",
    [
        picture(keyframe_seconds=KEYFRAME_SECONDS_MAX),
        picture(keyframe_seconds=KEYFRAME_SECONDS_MIN),
        picture(b_frames=True, reorder_ms=REORDER_MS_MAX),
        picture(b_frames=False, reorder_ms=1000),
        sound(drift_ms=DRIFT_MS_MAX - 1),
        sound(drift_ms=None),
        replace(WELL, speed=None),
        replace(WELL, speed=SPEED_MIN),
        replace(WELL, silence_seconds=SILENCE_SECONDS_MAX - 0.1),
        picture(bits_a_second=BITS_A_SECOND_MAX - SOUND.bits_a_second),
    ],
)
def test_what_is_within_its_limit_is_good(report):
    assert [verdict.code for verdict in judge(report, encoded=False, refused=False)] == [Code.KEYFRAMES_GOOD]


def test_what_is_not_known_yet_is_not_judged():
    assert judge(picture(keyframe_seconds=None), encoded=False, refused=False) == []


def test_no_room_for_a_ladder_is_said():
    assert judge(WELL, encoded=False, refused=True) == [Verdict(Code.LADDER_REFUSED, Level.HINT), GOOD]


def test_a_rendition_that_every_browser_plays_makes_any_codec_good():
    assert judge(picture(track=HEVC), encoded=True, refused=False) == [GOOD]


def test_tracks_that_nobody_plays_are_told():
    found = judge(replace(WELL, extra_tracks=True), encoded=False, refused=False)

    assert found == [Verdict(Code.TRACKS_EXTRA, Level.HINT), GOOD]
