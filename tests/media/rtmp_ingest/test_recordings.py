"""Recordings of real encoders (tests/vectors/rtmp), in every split."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from media.rtmp_ingest.states import State
from tests.media.rtmp_ingest.feeding import byte_by_byte, randomly, whole
from tests.media.rtmp_ingest.publisher import chunk
from tests.media.rtmp_ingest.test_conformance import play

FOLDER = Path(__file__).parents[2] / "vectors" / "rtmp"

# Name: state, video and audio messages, bytes of both, first bytes of the first of each, last video time.
RECORDINGS = {
    "ffmpeg4_avc_aac": (State.CONNECTED, 17, 46, 9555, "1700", "af00", 956),
    "ffmpeg9_two_tracks": (State.CONNECTED, 22, 0, 4410, "1700", "", 533),
    "ffmpeg9_avc_aac": (State.CONNECTED, 12, 46, 5021, "1700", "af00", 923),
    "ffmpeg9_hevc": (State.CONNECTED, 7, 0, 267, "9068766331", "", 400),
    "ffmpeg9_av1_opus": (State.CONNECTED, 7, 28, 1588, "9061763031", "904f707573", 407),
    "ffmpeg9_extended_timestamps": (State.CONNECTED, 8, 0, 16937, "1700", "", 17_000_500),
    "gstreamer122_avc_aac": (State.CONNECTED, 8, 22, 3241, "1700", "af00", 500),
    "librtmp_avc_aac_ping": (State.CONNECTED, 8, 22, 3241, "1700", "af00", 500),
    "obs29_avc_aac_start": (State.PUBLISHING, 3, 5, 15273, "1700", "af00", 33),
}


def test_every_recording_has_its_row():
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(RECORDINGS)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recording(name):
    state, videos, audios, size, first_video, first_audio, last_time = RECORDINGS[name]
    data = (FOLDER / f"{name}.bin").read_bytes()
    outcome, lines = play(whole(data))
    video = [media for media in outcome.media if isinstance(media, tuple) and media[0] == "v"]
    audio = [media for media in outcome.media if isinstance(media, tuple) and media[0] == "a"]

    assert outcome.cause is None
    assert outcome.state is state
    assert outcome.keys == ["demo_key"]
    assert "onStatus NetStream.Publish.Start" in lines
    assert (len(video), len(audio)) == (videos, audios)
    assert sum(len(payload) for _, _, payload in video + audio) == size
    assert video[0][2].hex().startswith(first_video)
    assert not audio or audio[0][2].hex().startswith(first_audio)
    assert video[-1][1] == last_time
    assert ("end" in outcome.media) == (state is State.CONNECTED)
    assert any(isinstance(media, dict) for media in outcome.media)

    for pieces in (byte_by_byte(data), *(randomly(data, Random(seed)) for seed in range(5))):
        assert play(pieces)[0] == outcome


@pytest.mark.parametrize("name", RECORDINGS)
def test_recording_with_a_tail(name):
    data = (FOLDER / f"{name}.bin").read_bytes()
    if RECORDINGS[name][0] is not State.PUBLISHING:
        outcome, lines = play([data + chunk(0, 60, b"\0\6\0\0\0\x2a", time=0, type_id=4)])

        assert outcome.cause is None
        assert "UserControl 7 0000002a" in lines


@pytest.mark.parametrize("name", RECORDINGS)
def test_recording_cut_anywhere(name):
    """Whatever part of it came before the encoder died, the session ends, and only once."""
    data = (FOLDER / f"{name}.bin").read_bytes()
    for cut in range(1, len(data), 211):
        outcome, _ = play([data[:cut], b""])

        assert outcome.state is State.CLOSED
        assert outcome.cause is None


def test_recordings_with_broken_bytes_end_in_a_documented_error_or_not_at_all():
    random = Random(11)
    recordings = [path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))]
    ended = 0
    for _ in range(150):
        data = bytearray(random.choice(recordings))
        for _ in range(random.randint(1, 20)):
            # The handshake's filler means nothing.
            data[random.randrange(3073, len(data))] = random.getrandbits(8)
        outcome, _ = play(randomly(bytes(data), random))
        ended += outcome.cause is not None
    assert ended > 10
