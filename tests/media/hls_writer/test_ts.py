from __future__ import annotations

import re
import subprocess
from itertools import pairwise

import pytest

from media.flv import AudioConfig, Codec, VideoConfig
from media.hls_writer.fmp4 import AudioRun, Picture, VideoRun
from media.hls_writer.samples import read_init, read_segment
from media.hls_writer.tracks import audio_track, video_track
from media.hls_writer.ts import PACKET_BYTES, can_write, ts_segment
from media.hls_writer.writer import Writer
from tests.media import films

VIDEO = video_track(VideoConfig(Codec.AVC, films.AVCC))
AUDIO = audio_track(AudioConfig(Codec.AAC, films.ASC))


def segments(path):
    """A film as its segments, each a transport stream of its own."""
    writer = Writer(7)
    for event in films.events(films.tags(path)):
        films.write(writer, event)
    writer.end()
    tracks = read_init(writer._source.init(1))
    assert can_write(*tracks)
    return [ts_segment(*tracks, read_segment(each.data())) for each in writer._source.timeline.listed]


def packets(stream):
    """(pid, start, counter, adaptation, payload) of each packet."""
    for position in range(0, len(stream), PACKET_BYTES):
        packet = stream[position : position + PACKET_BYTES]
        assert (len(packet), packet[0], packet[1] & 0x80) == (PACKET_BYTES, 0x47, 0)
        adaptation = packet[5 : 5 + packet[4]] if packet[3] & 0x20 else b""
        payload = packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]
        yield (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40), packet[3] & 15, adaptation, payload


def time_of(data):
    """33 bits with a marker behind each piece."""
    middle, low = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
    assert (data[0] & 1, middle & 1, low & 1) == (1, 1, 1)
    return (data[0] >> 1 & 7) << 30 | middle >> 1 << 15 | low >> 1


@pytest.mark.parametrize("name", ["plain", "bframes", "video_only", "audio_only", "long_interval"])
def test_what_is_decoded_is_what_the_encoder_sent(film, ffmpeg, tmp_path, name):
    (out := tmp_path / "out.ts").write_bytes(b"".join(segments(film(name))))

    for kind in {"audio_only": "a", "video_only": "v"}.get(name, "va"):
        assert films.md5s(ffmpeg, film(name), kind) == films.md5s(ffmpeg, out, kind)


def test_each_segment_plays_by_itself(film, ffmpeg, tmp_path):
    frames = []
    for index, segment in enumerate(segments(film("plain"))):
        (out := tmp_path / f"{index}.ts").write_bytes(segment)
        frames += films.md5s(ffmpeg, out, "v")

    assert films.md5s(ffmpeg, film("plain"), "v") == frames


def test_ffmpeg_knows_what_it_is_and_when_it_begins(film, ffmpeg, tmp_path):
    (out := tmp_path / "out.ts").write_bytes(segments(film("plain"))[1])
    words = subprocess.run([ffmpeg, "-hide_banner", "-i", out], check=False, capture_output=True, text=True).stderr

    assert "Input #0, mpegts" in words
    assert re.search(r"Video: h264 .*320x240", words)
    assert re.search(r"Audio: aac \(LC\).* 44100 Hz, mono", words)
    start = float(re.search(r"start: ([0-9.]+)", words)[1])
    assert 2 <= start - 0.7 < 14  # the second segment, from keyframe to keyframe two seconds, on the broadcast's line


def test_counters_go_on_and_the_first_of_each_stream_says_that_it_begins(film):
    for segment in segments(film("plain")):
        seen = {}
        for pid, start, counter, adaptation, payload in packets(segment):
            assert payload
            if pid in seen:
                assert counter == seen[pid] + 1 & 15
            elif pid in {0x100, 0x101}:
                assert start
                assert adaptation[0] & 0x80
            seen[pid] = counter
        assert set(seen) == {0, 0x1000, 0x100, 0x101}


def test_the_clock_is_never_late_and_comes_often(film):
    for segment in segments(film("bframes")):
        clocks = []
        for pid, start, _, adaptation, payload in packets(segment):
            if adaptation and adaptation[0] & 0x10:
                assert pid == 0x100
                clocks.append(int.from_bytes(adaptation[1:7], "big") >> 15)
            if start and pid in {0x100, 0x101}:
                assert time_of(payload[9:14]) > clocks[-1]
        assert all(0 < later - earlier <= 9000 for earlier, later in pairwise(clocks))  # 0.1 s (13818-1 2.7.2)


@pytest.mark.parametrize(
    "size", [1, 160, 163, 164, 165, 166, 167, 168, 169, 170, 182, 183, 184, 185, 350, 352, 353, 354]
)
def test_a_picture_of_any_size_fills_whole_packets(size):
    data = (size + 1).to_bytes(4, "big") + b"\x65" + b"\xab" * size
    run = VideoRun(0, [Picture(3000, 0, key, data) for key in (True, False, False)])
    stream = ts_segment(VIDEO, None, [(run, None)])
    whole = b"".join(payload for pid, _, _, _, payload in packets(stream) if pid == 0x100)

    assert 3 == whole.count(b"\x00\x00\x00\x01\x65" + b"\xab" * size)
    assert 3 == whole.count(b"\x00\x00\x01\xe0\x00\x00")
    assert whole.endswith(b"\xab")


def test_a_delimiter_of_the_encoders_own_is_not_doubled():
    data = b"\x00\x00\x00\x02\x09\x10" + b"\x00\x00\x00\x02\x65\x88"
    stream = ts_segment(VIDEO, None, [(VideoRun(0, [Picture(3000, 0, key=True, data=data)]), None)])

    assert 1 == stream.count(b"\x00\x00\x00\x01\x09")


def test_times_wrap_at_33_bits():
    run = VideoRun(2**33 - 63_000, [Picture(3000, 0, key=True, data=b"\x00\x00\x00\x02\x65\x88")])
    [payload] = [each[4] for each in packets(ts_segment(VIDEO, None, [(run, None)])) if each[0] == 0x100]

    assert payload[9:14] == b"\x21\x00\x01\x00\x01"


def test_a_picture_shown_before_it_is_decoded_is_decoded_when_it_is_shown():
    run = VideoRun(9000, [Picture(3000, -3000, key=True, data=b"\x00\x00\x00\x02\x65\x88")])
    [payload] = [each[4] for each in packets(ts_segment(VIDEO, None, [(run, None)])) if each[0] == 0x100]

    assert payload[7] == 0x80  # one time for both


def test_sound_keeps_the_times_of_its_samples():
    run = AudioRun(48_000, [b"\x21\x00"] * 9, [1024] * 9)
    starts = [each[4] for each in packets(ts_segment(None, AUDIO, [(None, run)])) if each[0] == 0x101 and each[1]]

    assert [90_000 + 63_000 + each * 4096 * 90_000 // 48_000 for each in range(3)] == [
        time_of(each[9:14]) for each in starts
    ]
    assert b"\xff\xf1\x4c\x80\x01\x3f\xfc\x21\x00" in b"".join(starts)


@pytest.mark.parametrize(
    ("config", "head"),
    [
        ("1190", 0xFFF14C80001FFC),  # LC, 48 kHz, stereo
        ("1208", 0xFFF15040001FFC),  # LC, 44.1 kHz, mono
        ("2b118800", 0xFFF15880001FFC),  # HE-AAC said in words: the core's 24 kHz
    ],
)
def test_adts_says_what_the_configuration_says(config, head):
    audio = audio_track(AudioConfig(Codec.AAC, bytes.fromhex(config)))
    assert can_write(None, audio)
    stream = ts_segment(None, audio, [(None, AudioRun(0, [b"\x00" * 3], [1024]))])

    assert (head | 10 << 13).to_bytes(7, "big") in stream


@pytest.mark.parametrize(
    ("video", "audio"),
    [
        (VideoConfig(Codec.AV1, bytes.fromhex("81040c000a0b00000004 45dfaffb7e2004".replace(" ", ""))), None),
        (None, AudioConfig(Codec.OPUS, b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")),
        (None, AudioConfig(Codec.AAC, bytes.fromhex("1180"))),  # channels in the frames
        (None, AudioConfig(Codec.AAC, bytes.fromhex("f94640"))),  # an object type that ADTS has no number for
    ],
)
def test_what_a_transport_stream_of_ours_cannot_hold_is_said(video, audio):
    assert not can_write(video and video_track(video), audio and audio_track(audio))
