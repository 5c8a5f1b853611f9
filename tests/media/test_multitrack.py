from __future__ import annotations

import pytest

from media.flv import AudioConfig, AudioFrame, Codec, TagKind, TagTruncated, VideoFrame, read_audio, read_video
from media.multitrack import first_track

V, A = TagKind.VIDEO, TagKind.AUDIO

# What came, and what stays of it.
CASES = [
    # Plain packets stay as they are.
    (V, "", ""),
    (V, "17 01 000000 aabb", "17 01 000000 aabb"),
    (V, "91 68766331 000000 aa", "91 68766331 000000 aa"),
    (V, "97 02 000001 01 61766331 000000 aa", "97 02 000001 01 61766331 000000 aa"),
    (A, "af 01 2100", "af 01 2100"),
    (A, "91 4f707573 fc", "91 4f707573 fc"),
    # One track: its id, and no size.
    (V, "96 01 68766331 00 000021 aabb", "91 68766331 000021 aabb"),
    (V, "96 01 68766331 01 000021 aabb", None),
    (V, "a6 03 61763031 00 aabb", "a3 61763031 aabb"),
    (V, "96 00 61766331 00 0142", "90 61766331 0142"),
    (A, "95 01 4f707573 00 fc", "91 4f707573 fc"),
    (A, "95 00 4f707573 02 01", None),
    # Several of one codec, in any order; none of them the first.
    (V, "96 13 61763031 00 000001 aa 01 000002 bbcc", "93 61763031 aa"),
    (V, "96 13 61763031 01 000002 bbcc 00 000001 aa", "93 61763031 aa"),
    (V, "96 13 61763031 01 000002 bbcc 02 000001 aa", None),
    (A, "95 11 4f707573 05 000000 00 000001 fc", "91 4f707573 fc"),
    # Several codecs.
    (V, "96 21 68766331 01 000004 000000bb 61766331 00 000004 000000aa", "91 61766331 000000aa"),
    (A, "95 21 6d703461 00 000001 aa 4f707573 01 000001 bb", "91 6d703461 aa"),
    # Behind ModEx.
    (V, "97 02 000001 06 01 68766331 00 000021 aa", "91 68766331 000021 aa"),
    # Nothing in it.
    (V, "96 11 61763031", None),
]


@pytest.mark.parametrize(("kind", "payload", "expected"), CASES)
def test_the_first_track_is_found(kind, payload, expected):
    found = first_track(kind, bytes.fromhex(payload))

    assert found == (None if expected is None else bytes.fromhex(expected))


def test_what_is_found_is_read_like_a_plain_packet():
    video = first_track(V, bytes.fromhex("96 11 68766331 01 000004 000000bb 00 000005 00002100aa"))
    config = first_track(A, bytes.fromhex("95 20 4f707573 00 000001 01"))
    frame = first_track(A, bytes.fromhex("95 21 4f707573 00 000001 fc"))

    assert read_video(video) == VideoFrame(key=True, composition_ms=33, data=b"\x00\xaa")
    assert read_audio(config) == AudioConfig(Codec.OPUS, b"\x01")
    assert read_audio(frame) == AudioFrame(b"\xfc")


def test_every_beginning_is_read_or_refused_as_truncated():
    refused = 0
    for kind, payload, _ in CASES:
        whole = bytes.fromhex(payload)
        for size in range(len(whole)):
            try:
                first_track(kind, whole[:size])
            except TagTruncated:
                refused += 1

    assert refused > 100


@pytest.mark.parametrize("payload", ["96 11 61763031 00 ffffff aa", "96 11 61763031 01 000002 bb", "96 21 6176"])
def test_a_size_that_lies_is_refused(payload):
    with pytest.raises(TagTruncated):
        first_track(V, bytes.fromhex(payload))
