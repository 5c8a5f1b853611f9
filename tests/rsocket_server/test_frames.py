from __future__ import annotations

import pytest
from rsocket.frame import ErrorFrame, KeepAliveFrame, PayloadFrame, parse_or_ignore

from rsocket_server import frames
from rsocket_server.frames import CloseCode, ErrorCode, FrameType
from tests.rsocket_server import script


def test_an_error_is_what_the_library_reads() -> None:
    read = parse_or_ignore(frames.error(5, ErrorCode.REJECTED, b"busy"))

    assert isinstance(read, ErrorFrame)
    assert (5, 0x202, b"busy") == (read.stream_id, read.error_code, read.data)


@pytest.mark.parametrize("respond", [True, False])
def test_a_keepalive_is_what_the_library_reads(respond: bool) -> None:
    read = parse_or_ignore(frames.keepalive(b"data", respond=respond))

    assert isinstance(read, KeepAliveFrame)
    assert (respond, b"data", 0) == (read.flags_respond, read.data, read.last_received_position)
    assert frames.keepalive(b"data", respond=respond) == script.keepalive(b"data", respond=respond)


def test_a_payload_is_what_the_library_reads() -> None:
    read = parse_or_ignore(frames.payload(2**31 - 1, b"data"))

    assert isinstance(read, PayloadFrame)
    assert (2**31 - 1, True, False, b"data", b"") == (
        read.stream_id,
        read.flags_next,
        read.flags_complete,
        read.data,
        read.metadata,
    )


def test_a_header_is_what_the_test_writes() -> None:
    assert script.cancel(7) == frames.header(7, FrameType.CANCEL)


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
    ],
)
def test_a_message_says_its_length_in_the_shortest_form(length: int, header: bytes) -> None:
    assert header + b"x" * length == frames.message(b"x" * length)


def test_items_are_read_back_one_by_one() -> None:
    first = frames.items(9, [b"ab"])

    assert first == b"\x82\x08" + frames.payload(9, b"ab")
    assert frames.items(9, [b"ab", b"cd"]) == first + frames.items(9, [b"cd"])
    assert frames.items(9, []) == b""


def test_a_close_says_its_code() -> None:
    assert frames.close_message(CloseCode.POLICY) == b"\x88\x02\x03\xf0"
