from __future__ import annotations

import pytest

from media.flv import VideoFrame
from media.hls_writer.tracks import audio_track, video_track
from media.intake import Audio, Began, Video
from media.stream_health import (
    INTERVALS_KEPT,
    NAME_CHARACTERS_MAX,
    PICTURE_GAP_MS,
    RECENT_SECONDS,
    SOUND_GAP_MS,
    STALL_SECONDS,
    WINDOW_SECONDS,
    StreamHealth,
)
from media.verdicts import Code, judge
from tests.media import films
from tests.media.films import ASC, AVCC

VIDEO_TRACK = video_track(films.read_config(AVCC))
AUDIO_TRACK = audio_track(films.read_sound_config(ASC))
FRAME_MS = 40  # 25 a second, in whole milliseconds
PACKET_MS = 20


class Stream:
    """An encoder whose clock is the test's: each `play` sends that many seconds in real time."""

    def __init__(self, *, picture: bool = True, sound: bool = True, interval_ms: int = 2000) -> None:
        self.health = StreamHealth()
        self.now = 1000.0
        self.at_ms = 0
        self.sound_ms = 0.0
        self.interval_ms = interval_ms
        self.composition_ms = (0,)
        self.picture, self.sound = picture, sound
        self.begin()

    def begin(self) -> None:
        self.at_ms, self.sound_ms = 0, 0.0
        began = Began(VIDEO_TRACK if self.picture else None, AUDIO_TRACK if self.sound else None, b"", 0)
        self.health.take(began, self.now)

    def play(self, seconds: float, *, speed: float = 1.0, picture_bytes: int = 1000, sound_rate: float = 1.0) -> None:
        for index in range(round(seconds * 1000 / FRAME_MS)):
            if self.picture:
                composition_ms = self.composition_ms[index % len(self.composition_ms)]
                frame = VideoFrame(self.at_ms % self.interval_ms == 0, composition_ms, b"")
                self.health.take(Video(self.at_ms, frame, bytes(picture_bytes)), self.now)
            if self.sound:
                for _ in range(FRAME_MS // PACKET_MS):
                    self.health.take(Audio(round(self.sound_ms), bytes(40)), self.now)
                    self.sound_ms += PACKET_MS * sound_rate
            self.at_ms += FRAME_MS
            self.now += FRAME_MS / 1000 / speed

    def report(self):
        return self.health.report(self.now)

    def said(self, *, encoded: bool = False) -> set[Code]:
        return {verdict.code for verdict in judge(self.report(), encoded=encoded, refused=False)}


def test_before_anything_began_there_is_nothing_to_say():
    assert StreamHealth().report(1.0) is None


def test_a_steady_stream_in_numbers():
    stream = Stream()
    stream.play(20)
    report = stream.report()

    assert (report.picture.track, report.sound.track) == (VIDEO_TRACK, AUDIO_TRACK)
    assert report.picture.frames_a_second == pytest.approx(25, abs=0.5)
    assert report.picture.bits_a_second == pytest.approx(25 * 1000 * 8, rel=0.05)
    assert report.sound.bits_a_second == pytest.approx(50 * 40 * 8, rel=0.05)
    assert report.picture.keyframe_seconds == 2.0
    assert report.speed == pytest.approx(1.0, abs=0.02)
    assert report.sound.drift_ms == pytest.approx(0, abs=1)
    assert (report.picture.b_frames, report.picture.reorder_ms) == (False, 0)
    assert (report.picture_gaps, report.sound_gaps, report.stalls, report.connections) == (0, 0, 0, 1)
    assert report.seconds == pytest.approx(20)
    assert {Code.KEYFRAMES_GOOD} == stream.said()


def test_what_is_not_known_yet_is_none():
    stream = Stream()
    stream.health.take(Video(0, VideoFrame(key=True, composition_ms=0, data=b""), b"x"), stream.now)
    report = stream.report()

    assert report.picture.frames_a_second is None
    assert report.picture.keyframe_seconds is None
    assert (report.sound.offset_ms, report.sound.drift_ms, report.speed) == (None, None, None)
    assert set() == stream.said()


@pytest.mark.parametrize(("interval_ms", "code"), [(8320, Code.KEYFRAMES_LONG), (200, Code.KEYFRAMES_SHORT)])
def test_a_keyframe_interval_is_the_longest_of_the_last_few(interval_ms, code):
    stream = Stream(interval_ms=interval_ms)
    stream.play(3 * interval_ms / 1000)

    assert stream.report().picture.keyframe_seconds == interval_ms / 1000
    assert code in stream.said()
    stream.interval_ms = 2000
    stream.play(2 * INTERVALS_KEPT + 2)
    assert stream.report().picture.keyframe_seconds == 2.0


def test_an_interval_that_is_still_running_counts_when_it_is_longer_than_the_window():
    stream = Stream(interval_ms=10**9)
    stream.play(WINDOW_SECONDS - 1)
    assert stream.report().picture.keyframe_seconds is None
    stream.play(3)

    assert stream.report().picture.keyframe_seconds == pytest.approx(WINDOW_SECONDS + 2, abs=0.1)


def test_b_frames_are_told_by_how_long_pictures_wait():
    stream = Stream()
    stream.composition_ms = (120, 0, 40)
    stream.play(3)

    assert (stream.report().picture.b_frames, stream.report().picture.reorder_ms) == (True, 120)
    assert Code.PICTURE_B_FRAMES in stream.said()


def test_the_same_wait_for_all_is_no_b_frame():
    stream = Stream()
    stream.composition_ms = (120,)
    stream.play(3)

    assert not stream.report().picture.b_frames


def test_gaps_are_counted_and_forgotten_after_a_minute():
    stream = Stream()
    stream.play(5)
    stream.at_ms += PICTURE_GAP_MS - FRAME_MS
    stream.sound_ms += SOUND_GAP_MS + 2  # A packet is 21.3 ms long, not 20.
    stream.play(5)
    report = stream.report()
    assert (report.picture_gaps, report.sound_gaps, report.stalls) == (1, 1, 0)
    assert {Code.PICTURE_GAPS, Code.SOUND_GAPS} <= stream.said()
    stream.play(RECENT_SECONDS)

    assert (stream.report().picture_gaps, stream.report().sound_gaps) == (0, 0)


def test_a_stall_of_the_line_is_no_gap_of_the_picture():
    stream = Stream()
    stream.play(5)
    stream.now += STALL_SECONDS + 1.5
    report = stream.report()
    assert report.silence_seconds == pytest.approx(STALL_SECONDS + 1.5, abs=0.05)
    assert Code.LINE_SILENT in stream.said()
    stream.play(3)

    assert (stream.report().stalls, stream.report().picture_gaps) == (1, 0)
    assert Code.LINE_STALLS in stream.said()


def test_a_line_that_is_too_slow():
    stream = Stream()
    stream.play(10, speed=0.8)

    assert stream.report().speed == pytest.approx(0.8, abs=0.03)
    assert Code.LINE_SLOW in stream.said()


def test_sound_whose_clock_runs_away_drifts():
    stream = Stream()
    stream.play(100, sound_rate=1.002)
    report = stream.report()

    assert report.sound.drift_ms == pytest.approx(180, abs=15)
    assert report.sound.offset_ms > report.sound.drift_ms - 60
    assert Code.SOUND_DRIFT in stream.said()
    assert report.sound_gaps == 0


def test_sound_alone_has_a_speed_and_no_offset():
    stream = Stream(picture=False)
    stream.play(10)
    report = stream.report()

    assert report.picture is None
    assert report.speed == pytest.approx(1.0, abs=0.03)
    assert report.sound.offset_ms is None
    assert {Code.PICTURE_NONE} == stream.said()


def test_a_picture_alone():
    stream = Stream(sound=False)
    stream.play(10)

    assert stream.report().sound is None
    assert Code.SOUND_NONE in stream.said()


def test_a_new_epoch_measures_anew_and_remembers_that_it_stuttered():
    stream = Stream(interval_ms=8000)
    stream.play(20)
    stream.now += 2
    stream.play(1)
    stream.interval_ms = 1000
    stream.begin()
    stream.play(4)
    report = stream.report()

    assert report.connections == 2
    assert report.picture.keyframe_seconds == 1.0
    assert report.picture.frames_a_second == pytest.approx(25, abs=0.5)
    assert report.seconds == pytest.approx(4)
    assert report.stalls == 1


def test_only_the_encoders_name_is_believed_and_only_if_it_is_one():
    health = StreamHealth()
    health.take(Began(VIDEO_TRACK, None, b"", 0), 0.0)
    for value in (7, "two\nlines", ""):
        health.metadata({"encoder": value, "width": 1})
        assert health.report(0.0).encoder is None
    health.metadata({"encoder": "x" * 1000})
    assert health.report(0.0).encoder == "x" * NAME_CHARACTERS_MAX
    health.metadata({})
    assert health.report(0.0).encoder == "x" * NAME_CHARACTERS_MAX


def test_whatever_comes_it_keeps_a_line_a_second():
    stream = Stream(interval_ms=FRAME_MS)
    stream.play(3 * RECENT_SECONDS)

    assert len(stream.health._seconds) == RECENT_SECONDS
    assert len(stream.health._intervals) == INTERVALS_KEPT


@pytest.mark.parametrize("name", ["plain", "bframes", "long_interval", "video_only", "audio_only", "av1_opus"])
def test_real_films(film, name):
    health, now = StreamHealth(), 0.0
    first = None
    for event in films.events(films.tags(film(name))):
        if not isinstance(event, Began):
            first = event.timestamp_ms if first is None else first
            now = (event.timestamp_ms - first) / 1000
        health.take(event, max(now, 0.0))
    report = health.report(now)

    assert (report.picture is None, report.sound is None) == (name == "audio_only", name == "video_only")
    assert (report.picture_gaps, report.sound_gaps, report.stalls) == (0, 0, 0)
    if report.picture:
        expected = {"plain": 2.0, "bframes": 2.0, "long_interval": 8.0}.get(name, 1.0)
        assert report.picture.frames_a_second == pytest.approx(30, abs=0.5)
        assert report.picture.keyframe_seconds == pytest.approx(expected, abs=0.002)
        assert report.picture.b_frames == (name == "bframes")
