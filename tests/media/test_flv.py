from __future__ import annotations

import pytest

from media.flv import (
    TAG_BYTES_MAX,
    AudioConfig,
    AudioFrame,
    Codec,
    NotFlv,
    Tag,
    TagKind,
    TagReader,
    TagTooLarge,
    TagTruncated,
    UnknownCodec,
    Unwrapper,
    VideoConfig,
    VideoFrame,
    read_audio,
    read_video,
    write_header,
    write_tag,
)

# (payload, what it is): one line a form of the two specifications.
VIDEO = [
    ("", None),
    ("17 00 000000 014200", VideoConfig(Codec.AVC, b"\x01\x42\x00")),
    ("17 01 000000 aabb", VideoFrame(key=True, composition_ms=0, data=b"\xaa\xbb")),
    ("27 01 000042 aa", VideoFrame(key=False, composition_ms=66, data=b"\xaa")),
    ("27 01 ffffff aa", VideoFrame(key=False, composition_ms=-1, data=b"\xaa")),
    ("27 01 800000 aa", VideoFrame(key=False, composition_ms=-(2**23), data=b"\xaa")),
    ("17 02 000000", None),  # end of sequence
    ("17 01 000000", None),  # nothing in it
    ("57 00", None),  # a command
    ("1c 00 000000 01", VideoConfig(Codec.HEVC, b"\x01")),
    ("90 61766331 0142", VideoConfig(Codec.AVC, b"\x01\x42")),
    ("91 61766331 000021 aa", VideoFrame(key=True, composition_ms=33, data=b"\xaa")),
    ("a1 68766331 ffffdf aa", VideoFrame(key=False, composition_ms=-33, data=b"\xaa")),
    ("a3 68766331 aa", VideoFrame(key=False, composition_ms=0, data=b"\xaa")),
    ("91 61763031 aa", VideoFrame(key=True, composition_ms=0, data=b"\xaa")),  # AV1 writes no offset
    ("91 61763031", None),
    ("92 61766331", None),  # end of sequence
    ("94 61766331 00", None),  # metadata
    ("95 61763031 00", None),  # MPEG-2 TS start
    ("96 00 61766331", None),  # multitrack: a track beyond the first
    ("d0 00", None),  # a command
    ("97 02 000001 01 61766331 000000 aa", VideoFrame(key=True, composition_ms=0, data=b"\xaa")),
    ("97 00 aa 07 00 bb 03 61766331 aa", VideoFrame(key=True, composition_ms=0, data=b"\xaa")),  # twice
    ("97 ff 0000 cc 03 61766331 aa", VideoFrame(key=True, composition_ms=0, data=b"\xaa")),  # the long size
]
AUDIO = [
    ("", None),
    ("af 00 1190", AudioConfig(Codec.AAC, b"\x11\x90")),
    ("af 01 2100", AudioFrame(b"\x21\x00")),
    ("af 01", None),
    ("90 6d703461 1190", AudioConfig(Codec.AAC, b"\x11\x90")),
    ("90 4f707573 01", AudioConfig(Codec.OPUS, b"\x01")),
    ("91 4f707573 fc", AudioFrame(b"\xfc")),
    ("91 4f707573", None),
    ("92 4f707573", None),  # end of sequence
    ("94 4f707573 00", None),  # channel order
    ("95 00 4f707573", None),  # multitrack
    ("97 00 aa 01 4f707573 fc", AudioFrame(b"\xfc")),
]


@pytest.mark.parametrize(("payload", "expected"), VIDEO)
def test_a_video_payload_is_read(payload, expected):
    assert expected == read_video(bytes.fromhex(payload))


@pytest.mark.parametrize(("payload", "expected"), AUDIO)
def test_an_audio_payload_is_read(payload, expected):
    assert expected == read_audio(bytes.fromhex(payload))


@pytest.mark.parametrize(
    ("read", "payload", "words"),
    [
        (read_video, "12 00", "video codec 2 is not supported"),
        (read_video, "90 76766331", "video codec vvc1 is not supported"),
        (read_video, "90 00ff2722", "video codec \\x00\\xff\\'\" is not supported"),
        (read_audio, "2f ff", "audio codec 2 is not supported"),
        (read_audio, "90 664c6143", "audio codec fLaC is not supported"),
    ],
)
def test_an_unknown_codec_is_refused_in_words(read, payload, words):
    with pytest.raises(UnknownCodec) as refused:
        read(bytes.fromhex(payload))

    assert words == str(refused.value)


@pytest.mark.parametrize("read_and_forms", [(read_video, VIDEO), (read_audio, AUDIO)], ids=["video", "audio"])
def test_every_beginning_of_a_payload_is_read_or_refused_as_truncated(read_and_forms):
    read, forms = read_and_forms
    refused = 0
    for payload, _ in forms:
        whole = bytes.fromhex(payload)
        for size in range(len(whole)):
            try:
                read(whole[:size])
            except TagTruncated as error:
                assert f"a tag of {size} bytes ends inside its header" == str(error)
                refused += 1

    assert refused > len(forms)


def test_mod_ex_that_never_ends_is_truncated():
    with pytest.raises(TagTruncated):
        read_video(b"\x97" + b"\x00\x00\x07" * 1000)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([5, 3], [5, 3]),  # a small step back is one
        ([2**24 - 1, 2**24, 2**24 + 1], [2**24 - 1, 2**24, 2**24 + 1]),
        ([2**32 - 10, 23, 2**32 - 5, 60], [2**32 - 10, 2**32 + 23, 2**32 - 5, 2**32 + 60]),
        ([10, 2**32 - 10], [10, -10]),  # just before the beginning, not 49 days later
        ([0, 2**31 - 1, 2**32 - 2, 10], [0, 2**31 - 1, 2**32 - 2, 2**32 + 10]),
    ],
)
def test_timestamps_become_a_line(seen, expected):
    line = Unwrapper()

    assert expected == [line.unwrap(timestamp_ms) for timestamp_ms in seen]


def test_a_line_of_31_bits_near_a_known_place():
    line = Unwrapper(bits=31, near_ms=2**31 - 2)

    assert [2**31 - 1, 2**31 + 5] == [line.unwrap(2**31 - 1), line.unwrap(5)]


TAGS = [
    Tag(TagKind.VIDEO, 0, b"\x17\x01"),
    Tag(TagKind.AUDIO, 0xFFFFFF, b""),
    Tag(TagKind.VIDEO, 0x1000000, b"\x00" * 300),
    Tag(TagKind.SCRIPT, 0xFFFFFFFF, b"\x02"),
]
STREAM = write_header(video=True, audio=True) + b"".join(
    write_tag(tag.kind, tag.timestamp_ms, tag.payload) for tag in TAGS
)


@pytest.mark.parametrize("size", [1, 7, 13, 4096])
def test_what_is_written_is_read_again_in_any_split(size):
    reader, found = TagReader(), []
    for at in range(0, len(STREAM), size):
        found += reader.receive_data(STREAM[at : at + size])

    assert found == TAGS


def test_an_unfinished_tag_waits():
    reader = TagReader()

    assert TAGS[:-1] == reader.receive_data(STREAM[:-1])
    assert TAGS[-1:] == reader.receive_data(STREAM[-1:])


def test_headers_are_those_of_the_specification():
    assert bytes.fromhex("464c5601 01 00000009 00000000") == write_header(video=True, audio=False)
    assert bytes.fromhex("09 000001 000010 80 000000 aa 0000000c") == write_tag(9, 0x80000010 + 2**32, b"\xaa")


def test_other_bytes_are_not_flv():
    with pytest.raises(NotFlv, match="not an FLV stream"):
        TagReader().receive_data(b"GIF89a is not what we asked for")


@pytest.mark.parametrize("size", [TAG_BYTES_MAX - 1, TAG_BYTES_MAX])
def test_a_tag_at_the_limit_is_written_and_read(size):
    payload = bytes(size)
    [tag] = TagReader().receive_data(write_header(video=True, audio=False) + write_tag(9, 0, payload))

    assert payload == tag.payload


def test_a_tag_beyond_the_limit_is_refused_before_it_is_held():
    size = TAG_BYTES_MAX + 1
    head = b"\x09" + size.to_bytes(3, "big") + bytes(7)
    with pytest.raises(TagTooLarge, match=f"a tag of {size} bytes, at most {TAG_BYTES_MAX}"):
        TagReader().receive_data(write_header(video=True, audio=False) + head)
    with pytest.raises(TagTooLarge):
        write_tag(9, 0, bytes(size))
