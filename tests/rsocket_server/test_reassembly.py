from __future__ import annotations

import pytest

from rsocket_server import limits
from rsocket_server.frames import FrameType
from rsocket_server.gate_errors import FrameMalformed
from rsocket_server.reassembly import Fragment, Reassembly
from tests.rsocket_server.script import (
    CHANNEL,
    COMPLETE,
    FNF,
    FOLLOWS,
    METADATA,
    NEXT,
    PAYLOAD,
    STREAM,
    frame,
    long,
    payload,
    request,
    routed,
)


def read(message: bytes, kind: FrameType, fixed: int = 0) -> Fragment:
    return Fragment.read(message, kind, (message[4] & 3) << 8 | message[5], fixed)


def test_a_frame_taken_apart_and_written_is_the_same_frame() -> None:
    for message, kind, fixed in (
        (request(FNF, 1, data=b"data"), FrameType.REQUEST_FNF, 0),
        (request(STREAM, 1, data=b"data", n=7), FrameType.REQUEST_STREAM, 4),
        (request(CHANNEL, 1, n=2**31 - 1, flags=COMPLETE), FrameType.REQUEST_CHANNEL, 4),
        (payload(3, b"x", flags=NEXT | COMPLETE), FrameType.PAYLOAD, 0),
        (frame(3, PAYLOAD, METADATA | NEXT, long(b"")), FrameType.PAYLOAD, 0),
    ):
        stream_id = int.from_bytes(message[:4])
        assert message == read(message, kind, fixed).frame(stream_id)


def test_the_reserved_bit_of_credit_is_cleared() -> None:
    fragment = read(request(STREAM, 1, n=2**31 + 7), FrameType.REQUEST_STREAM, 4)

    assert request(STREAM, 1, n=7) == fragment.frame(1)


@pytest.mark.parametrize(
    ("body", "flags", "fixed"),
    [(b"\0\0\0", 0, 4), (b"\0\0", METADATA, 0), (b"\0\0\x02a", METADATA, 0), (b"\0\0\0\x01", METADATA, 4)],
)
def test_lengths_beyond_the_end_are_refused(body: bytes, flags: int, fixed: int) -> None:
    with pytest.raises(FrameMalformed):
        read(frame(1, STREAM, flags, body), FrameType.REQUEST_STREAM, fixed)


def test_fragments_come_out_whole_and_bytes_go_back_to_zero() -> None:
    box = Reassembly()
    for message in (request(FNF, 1, data=b"a", flags=FOLLOWS), payload(1, b"b", flags=FOLLOWS), payload(1, b"c")):
        kind = FrameType(message[4] >> 2)
        assert box.add(1, read(message, kind))
    assert 1 in box
    assert len(box) == 1
    kind, whole = box.take(1)

    assert kind is FrameType.REQUEST_FNF
    assert request(FNF, 1, data=b"abc", flags=NEXT) == whole
    assert (0, 0) == (len(box), box.bytes)


def test_complete_is_the_last_fragments_word() -> None:
    box = Reassembly()
    box.add(1, read(request(CHANNEL, 1, flags=COMPLETE | FOLLOWS), FrameType.REQUEST_CHANNEL, 4))
    box.add(1, read(payload(1, b"x", flags=0), FrameType.PAYLOAD))

    assert request(CHANNEL, 1, data=b"x") == box.take(1)[1]


@pytest.mark.parametrize(("extra", "fits"), [(-1, True), (0, True), (1, False)])
def test_bytes_at_their_limit_over_all_streams(extra: int, fits: bool) -> None:
    box = Reassembly()
    half = limits.REASSEMBLY_BYTES_MAX // 2
    assert box.add(1, read(payload(1, b"x" * half), FrameType.PAYLOAD))

    assert fits == box.add(3, read(payload(3, b"x" * (half + extra)), FrameType.PAYLOAD))
    assert box.bytes == (limits.REASSEMBLY_BYTES_MAX + extra if fits else half)


def test_dropping_frees_the_bytes() -> None:
    box = Reassembly()
    box.add(1, read(payload(1, b"abc"), FrameType.PAYLOAD))
    box.add(3, read(payload(3, b"abc"), FrameType.PAYLOAD))

    assert box.drop(1)
    assert not box.drop(1)
    assert box.bytes == 3
    box.clear()
    assert (0, 0) == (len(box), box.bytes)


def test_metadata_comes_in_pieces_before_data() -> None:
    box = Reassembly()
    first = request(FNF, 1, flags=FOLLOWS)
    box.add(1, read(first, FrameType.REQUEST_FNF))
    box.add(1, read(frame(1, PAYLOAD, METADATA, long(b"more")), FrameType.PAYLOAD))
    box.add(1, read(payload(1, b"data", flags=0), FrameType.PAYLOAD))
    with pytest.raises(FrameMalformed):
        box.add(1, read(frame(1, PAYLOAD, METADATA, long(b"late")), FrameType.PAYLOAD))

    assert frame(1, FNF, METADATA, long(routed("wait") + b"more") + b"data") == box.take(1)[1]


def test_metadata_may_begin_with_the_second_fragment() -> None:
    box = Reassembly()
    box.add(1, read(frame(1, FNF, FOLLOWS), FrameType.REQUEST_FNF))
    box.add(1, read(frame(1, PAYLOAD, METADATA, long(b"m")), FrameType.PAYLOAD))

    assert frame(1, FNF, METADATA, long(b"m")) == box.take(1)[1]
