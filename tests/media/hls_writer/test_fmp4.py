from __future__ import annotations

import struct

import pytest

from media.flv import AudioConfig, Codec, VideoConfig
from media.hls_writer.fmp4 import (
    AUDIO_TRACK,
    SAMPLE_BYTES_MAX,
    VIDEO_CLOCK,
    VIDEO_TRACK,
    AudioRun,
    Picture,
    SampleTooLarge,
    VideoRun,
    fragment,
    init_segment,
)
from media.hls_writer.tracks import CONFIG_BYTES_MAX, audio_track, video_track
from tests.media import films
from tests.media.boxes import find, read_fragment, walk

VIDEO = video_track(VideoConfig(Codec.AVC, films.AVCC))
AUDIO = audio_track(AudioConfig(Codec.AAC, films.ASC))
OPUS_HEAD = bytes.fromhex("0102 3801 80bb0000 0100 00")


def tracks_of(init: bytes) -> list[bytes]:
    return [content for name, content in walk(find(init, "moov")) if name == "trak"]


def test_an_init_segment_of_both_tracks():
    init = init_segment(VIDEO, AUDIO)
    video, audio = tracks_of(init)

    assert ["ftyp", "moov"] == [name for name, _ in walk(init)]
    assert find(init, "ftyp").startswith(b"iso6")
    assert struct.pack(">II", 320 << 16, 240 << 16) == find(video, "tkhd")[-8:]
    assert struct.pack(">I", VIDEO_CLOCK) == find(video, "mdia", "mdhd")[12:16]
    assert struct.pack(">I", 48000) == find(audio, "mdia", "mdhd")[12:16]
    assert b"avcC" + films.AVCC in find(video, "mdia", "minf", "stbl", "stsd")
    assert b"\x05\x02" + films.ASC in find(audio, "mdia", "minf", "stbl", "stsd")
    assert ["trex", "trex"] == [name for name, _ in walk(find(init, "moov", "mvex"))]


@pytest.mark.parametrize(("video", "audio", "handler"), [(VIDEO, None, b"vide"), (None, AUDIO, b"soun")])
def test_an_init_segment_of_one_track(video, audio, handler):
    init = init_segment(video, audio)
    [track] = tracks_of(init)

    assert handler in find(track, "mdia", "hdlr")
    assert len(walk(find(init, "moov", "mvex"))) == 1


def entry_of(init: bytes) -> bytes:
    [track] = tracks_of(init)
    return find(track, "mdia", "minf", "stbl", "stsd")[8:]


@pytest.mark.parametrize("family", [0, 1])
def test_opus_turns_its_head_round(family):
    mapping = b"\x01\x01\x00\x01" if family else b""
    track = audio_track(AudioConfig(Codec.OPUS, OPUS_HEAD[:-1] + bytes((family,)) + mapping))
    [(name, entry)] = walk(entry_of(init_segment(None, track)))

    assert name == "Opus"
    expected = bytes.fromhex("00 02 0138 0000bb80 0001") + bytes((family,)) + mapping
    assert expected == find(entry[28:], "dOps")


@pytest.mark.parametrize(("config", "written"), [("1190", 48000), ("1090", 0xFFFF)])
def test_a_rate_beyond_sixteen_bits_is_left_to_the_decoder_configuration(config, written):
    track = audio_track(AudioConfig(Codec.AAC, bytes.fromhex(config)))
    [(_, entry)] = walk(entry_of(init_segment(None, track)))

    assert struct.pack(">I", written << 16) == entry[24:28]


def test_a_long_configuration_has_its_size_in_two_bytes():
    track = audio_track(AudioConfig(Codec.AAC, films.ASC + bytes(200)))
    [(_, entry)] = walk(entry_of(init_segment(None, track)))
    content = find(entry[28:], "esds")[4:]

    # ES descriptor: 3 + decoder (3 + 13 + specific (3 + 202)) + SL (3), sizes in groups of seven bits.
    assert bytes.fromhex("038163") == content[:3]
    assert bytes.fromhex("04815a") == content[6:9]
    assert bytes.fromhex("0581 4a") + films.ASC in content


def test_the_longest_configuration_has_its_size_in_three_bytes():
    track = audio_track(AudioConfig(Codec.AAC, films.ASC.ljust(CONFIG_BYTES_MAX, b"\0")))
    [(_, entry)] = walk(entry_of(init_segment(None, track)))

    assert b"\x05\x81\x80\x00" + films.ASC in find(entry[28:], "esds")


PICTURES = [Picture(3000, 6000, key=True, data=b"KEY"), Picture(3003, -3000, key=False, data=b"other")]


def test_a_fragment_of_both_tracks_reads_back():
    audio = AudioRun(2**33, [b"a", b"bb", b"ccc"], [1024] * 3)
    data = fragment(7, VideoRun(2**40, PICTURES), audio)
    sequence, [video, sound] = read_fragment(data)

    assert sequence == 7
    assert (VIDEO_TRACK, 2**40) == (video.number, video.start)
    assert [(3000, True, 6000, b"KEY"), (3003, False, -3000, b"other")] == video.samples
    assert (AUDIO_TRACK, 2**33) == (sound.number, sound.start)
    assert [b"a", b"bb", b"ccc"] == [sample[3] for sample in sound.samples]
    assert [1024] * 3 == [sample[0] for sample in sound.samples]


def test_packets_of_different_lengths_say_so_each():
    _, [sound] = read_fragment(fragment(1, None, AudioRun(5, [b"a", b"bb"], [960, 480])))

    assert [(960, b"a"), (480, b"bb")] == [(sample[0], sample[3]) for sample in sound.samples]


def test_pictures_alone():
    sequence, [video] = read_fragment(fragment(2**32 + 3, VideoRun(0, PICTURES), None))

    assert sequence == 3
    assert len(video.samples) == 2


@pytest.mark.parametrize("size", [SAMPLE_BYTES_MAX - 1, SAMPLE_BYTES_MAX])
def test_a_sample_at_the_limit_is_taken(size):
    _, [video] = read_fragment(fragment(1, VideoRun(0, [Picture(1, 0, key=True, data=bytes(size))]), None))

    assert size == len(video.samples[0][3])


def test_a_sample_beyond_the_limit_is_refused():
    size = SAMPLE_BYTES_MAX + 1
    with pytest.raises(SampleTooLarge, match=f"a frame of {size} bytes"):
        fragment(1, VideoRun(0, [Picture(1, 0, key=True, data=bytes(size))]), None)
