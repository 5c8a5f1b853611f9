from __future__ import annotations

import pytest

from media import intake as module
from media.flv import Codec, UnknownCodec
from media.hls_writer.tracks import ConfigInvalid
from media.intake import (
    HELD_BYTES_MAX,
    HELD_FRAMES_MAX,
    SETTLE_MS_MAX,
    STEP_AHEAD_MS_MAX,
    STEP_BACK_MS_MAX,
    Began,
    Intake,
    TooMuchHeld,
    Video,
)
from tests.media import films

CONFIG, SOUND = films.video_config(), films.audio_config()


def key(data=b"k") -> bytes:
    return films.picture(key=True, data=data)


def told(events) -> list[str]:
    """The story in short: B(egan) with its tracks, V and A with their times."""
    words = []
    for event in events:
        if isinstance(event, Began):
            words.append("B" + "v" * bool(event.video) + "a" * bool(event.audio))
        else:
            words.append(f"{'V' if isinstance(event, Video) else 'A'}{event.timestamp_ms}")
    return words


class Story:
    """Feeds an intake and keeps what came out."""

    def __init__(self) -> None:
        self.intake = Intake()
        self.events = []

    def video(self, timestamp_ms: int, payload: bytes) -> Story:
        self.events += self.intake.video(timestamp_ms, payload)
        return self

    def audio(self, timestamp_ms: int, payload: bytes) -> Story:
        self.events += self.intake.audio(timestamp_ms, payload)
        return self

    def take(self) -> list[str]:
        events, self.events = self.events, []
        return told(events)


def live(*, sound=True, picture=True) -> Story:
    story = Story()
    story.intake.metadata({"videocodecid": 7} if not sound else {"audiocodecid": 10} if not picture else {})
    if picture:
        story.video(0, CONFIG)
    if sound:
        story.audio(0, SOUND)
    if picture:
        story.video(0, key())
    else:
        story.audio(0, films.packet())
    story.take()
    return story


def test_it_begins_with_a_keyframe_when_both_tracks_are_known():
    story = Story().video(0, CONFIG).audio(0, SOUND).audio(5, films.packet()).video(10, films.picture())
    assert [] == story.take()

    story.video(43, key()).video(76, films.picture()).audio(80, films.packet())
    [began, *_] = story.events
    assert began.first_ms == 43
    assert began.video_payload == CONFIG
    assert (began.video.codec, began.audio.codec) == (Codec.AVC, Codec.AAC)
    assert ["Bva", "A5", "V43", "V76", "A80"] == story.take()


def test_the_other_track_is_waited_for_and_then_no_longer():
    story = Story().video(0, CONFIG).video(0, key()).video(SETTLE_MS_MAX - 1, films.picture())
    assert [] == story.take()

    assert ["Bv", "V0", "V999", "V1000"] == story.video(SETTLE_MS_MAX, films.picture()).take()


def test_sound_waits_for_pictures_and_then_no_longer():
    story = Story().audio(0, SOUND).audio(0, films.packet()).audio(SETTLE_MS_MAX - 1, films.packet())
    assert [] == story.take()

    assert ["Ba", "A0", "A999", "A1000"] == story.audio(SETTLE_MS_MAX, films.packet()).take()


def test_metadata_that_promises_one_track_ends_the_wait():
    story = Story()
    story.intake.metadata({"videocodecid": 7.0})
    assert ["Bv", "V0"] == story.video(0, CONFIG).video(0, key()).take()

    story = Story()
    story.intake.metadata({"audiocodecid": 10.0})
    assert ["Ba", "A0"] == story.audio(0, SOUND).audio(0, films.packet()).take()


def test_a_configured_picture_is_waited_for_however_much_sound_comes():
    story = Story().video(0, CONFIG).audio(0, SOUND)
    for timestamp_ms in range(0, STEP_AHEAD_MS_MAX + 3000, 1000):
        story.audio(timestamp_ms, films.packet())
    assert [] == story.take()

    # What had waited too long was dropped with the step; the rest is played with the picture.
    assert ["Bva", "A11000", "A12000", "V12500"] == story.video(12_500, key()).take()


def several(packet: int, *tracks: tuple[int, bytes]) -> bytes:
    """A multitrack packet of Enhanced RTMP, all tracks H.264."""
    bodies = b"".join(bytes((number,)) + len(data).to_bytes(3, "big") + data for number, data in tracks)
    return bytes((0x96, 0x10 | packet)) + b"avc1" + bodies


def test_the_first_track_of_a_multitrack_packet_plays_like_a_plain_one():
    plain = Story().video(0, CONFIG).audio(0, SOUND).video(0, key()).video(33, films.picture())
    config, picture = CONFIG[5:], films.picture()[2:]
    packed = Story().video(0, several(0, (1, b"other"), (0, config))).audio(0, SOUND)
    packed.video(0, several(1, (0, key()[2:]), (1, picture)))
    packed.video(20, several(1, (1, picture))).video(33, films.picture())

    assert [event.frame for event in packed.events[1:]] == [event.frame for event in plain.events[1:]]
    # What an encoder of ours is given holds one track.
    assert packed.events[1].payload == b"\x91avc1" + key()[2:]
    assert packed.events[0].video_payload == b"\x90avc1" + config
    assert packed.take() == ["Bva", "V0", "V33"]
    assert (packed.intake.extra_tracks, plain.intake.extra_tracks) == (True, False)


def test_frames_without_a_configuration_are_nothing():
    assert [] == Story().video(0, key()).audio(0, films.packet()).video(0, b"").audio(0, b"").take()


def test_the_same_configuration_again_is_nothing_new():
    story = live().video(33, CONFIG).audio(33, SOUND).video(66, key())

    assert ["V66"] == story.take()


def test_another_picture_configuration_begins_anew_at_the_next_keyframe():
    story = live().video(33, films.video_config(films.OTHER_AVCC)).video(33, films.picture()).audio(40, films.packet())
    assert ["A40"] == story.take()

    story.video(66, key())
    assert story.events[0].video.width == 426
    assert ["Bva", "V66"] == story.take()


def test_another_sound_configuration_begins_anew_at_the_next_keyframe():
    story = live().audio(33, films.audio_config(films.OTHER_ASC)).audio(40, films.packet()).video(40, films.picture())
    assert ["V40"] == story.take()
    assert ["Bva", "V66", "A70"] == story.video(66, key()).audio(70, films.packet()).take()


def test_sound_that_comes_late_begins_anew_with_both():
    story = live(sound=False).audio(100, SOUND).audio(100, films.packet()).video(133, films.picture())
    assert ["V133"] == story.take()
    assert ["Bva", "V166"] == story.video(166, key()).take()


def test_a_picture_that_comes_late_begins_anew_with_both():
    story = live(picture=False).video(100, CONFIG).audio(121, films.packet()).video(130, films.picture())
    assert ["A121"] == story.take()
    assert ["Bva", "V166"] == story.video(166, key()).take()


def test_sound_alone_with_another_configuration_begins_anew_at_once():
    story = live(picture=False).audio(21, films.audio_config(films.OTHER_ASC)).audio(21, films.packet())

    assert ["Ba", "A21"] == story.take()


def test_sound_alone_that_changes_when_pictures_are_coming_waits_for_them():
    story = live(picture=False).video(10, CONFIG).audio(21, films.audio_config(films.OTHER_ASC))

    assert ["Bva", "V50"] == story.audio(21, films.packet()).video(50, key()).take()


@pytest.mark.parametrize(
    ("step_ms", "jumps"),
    [
        (STEP_AHEAD_MS_MAX, False),
        (STEP_AHEAD_MS_MAX + 1, True),
        (-STEP_BACK_MS_MAX, False),
        (-STEP_BACK_MS_MAX - 1, True),
    ],
)
def test_a_jump_of_the_timestamps_begins_anew(step_ms, jumps):
    story = live().video(5000, films.picture())
    story.take()
    at = 5000 + step_ms
    expected = ["Bva", f"V{at}"] if jumps else [f"V{at}"]

    assert expected == story.video(at, key()).take()


def test_after_a_jump_nothing_is_played_before_the_keyframe():
    story = live().video(60_000, films.picture()).audio(60_000, films.packet()).video(60_033, films.picture())
    assert [] == story.take()
    assert ["Bva", "V60066", "A60070"] == story.video(60_066, key()).audio(60_070, films.packet()).take()


def test_sound_alone_that_jumps_begins_anew_at_once():
    assert ["Ba", "A60000"] == live(picture=False).audio(60_000, films.packet()).take()


def test_timestamps_of_both_tracks_wrap_on_one_line():
    story = Story().video(2**32 - 40, CONFIG).audio(2**32 - 40, SOUND).video(2**32 - 40, key())
    story.audio(2**32 - 10, films.packet()).video(5, films.picture()).audio(3, films.packet())

    assert [f"V{2**32 - 40}", f"A{2**32 - 10}", f"V{2**32 + 5}", f"A{2**32 + 3}"] == story.take()[1:]


@pytest.mark.parametrize("begin_ms", [3_000_000_000, 2**32 - 50])
def test_a_configuration_says_nothing_about_the_time(begin_ms):
    story = Story().video(0, CONFIG).audio(0, SOUND).video(begin_ms, key()).video(0, CONFIG)
    story.audio(0, SOUND).video(begin_ms + 33, films.picture())

    assert ["Bva", f"V{begin_ms}", f"V{begin_ms + 33}"] == story.take()


def test_what_is_held_of_an_old_configuration_is_dropped():
    story = Story().video(0, CONFIG).video(0, key(b"old")).video(10, films.video_config(films.OTHER_AVCC))
    story.video(10, key(b"new")).audio(10, SOUND).audio(11, films.packet())
    assert [b"new"] == [event.frame.data for event in story.events if isinstance(event, Video)]

    story = Story().audio(0, SOUND).audio(0, films.packet()).audio(10, films.audio_config(films.OTHER_ASC))
    story.video(10, CONFIG).video(20, key())
    assert ["Bva", "V20"] == story.take()


def test_a_jump_while_nothing_has_begun_drops_what_is_held():
    story = Story().video(0, CONFIG).video(0, key()).video(60_000, films.picture())
    assert [] == story.take()

    story.video(60_033, key()).audio(60_033, SOUND).audio(60_040, films.packet())
    assert ["Bva", "V60033", "A60040"] == story.take()


@pytest.mark.parametrize("over", [0, 1])
def test_the_bytes_held_are_bounded(over):
    story = Story().video(0, CONFIG).audio(0, SOUND)
    story.audio(0, films.packet(bytes(HELD_BYTES_MAX - 1)))
    if over:
        with pytest.raises(TooMuchHeld, match="too much media before the first keyframe"):
            story.audio(1, films.packet(b"ab"))
    else:
        story.audio(1, films.packet(b"a"))


@pytest.mark.parametrize("over", [0, 1])
def test_the_frames_held_are_bounded(monkeypatch, over):
    monkeypatch.setattr(module, "HELD_FRAMES_MAX", 10)
    assert HELD_FRAMES_MAX > 1000
    story = Story().video(0, CONFIG).audio(0, SOUND)
    for index in range(10):
        story.audio(index, films.packet())
    if over:
        with pytest.raises(TooMuchHeld):
            story.audio(10, films.packet())


def test_what_cannot_be_played_is_refused_in_words():
    with pytest.raises(UnknownCodec):
        Story().video(0, b"\x12\x00")
    with pytest.raises(ConfigInvalid):
        Story().video(0, b"\x17\x00\x00\x00\x00\x01")
