from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsocket_server import limits
from rsocket_server.frame_budget import FrameBudget
from rsocket_server.websocket import Flood, Kind, Reader, Violation, unmask

FIN, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"


def frame(first: int, payload: bytes = b"", *, mask: bytes = MASK) -> bytes:
    """Write a client's frame, the slow and plain way."""
    length = len(payload)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65_536:
        head = struct.pack(">BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, length)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def message(payload: bytes = b"") -> bytes:
    return frame(FIN | BINARY, payload)


def events(*pieces: bytes) -> list[tuple[Kind, bytes] | int]:
    """What a reader makes of pieces of bytes; a code at the end if they broke the protocol."""
    reader, found = Reader(FrameBudget(0.0)), []
    for piece in pieces:
        reader.receive_data(piece)
        try:
            while (event := reader.next_event()) is not None:
                found.append(event)
        except Violation as broken:
            assert reader.waiting_bytes == 0
            return [*found, int(broken.code)]
    return found


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


CONVERSATIONS: list[tuple[str, bytes, list[Any]]] = [
    ("a message", message(b"hello"), [(Kind.MESSAGE, b"hello")]),
    ("an empty one", message(), [(Kind.MESSAGE, b"")]),
    ("two", message(b"a") + message(b"b"), [(Kind.MESSAGE, b"a"), (Kind.MESSAGE, b"b")]),
    ("of 125 bytes", message(b"x" * 125), [(Kind.MESSAGE, b"x" * 125)]),
    ("of 126 bytes", message(b"x" * 126), [(Kind.MESSAGE, b"x" * 126)]),
    ("in fragments", frame(BINARY, b"a") + frame(0, b"b") + frame(FIN, b"c"), [(Kind.MESSAGE, b"abc")]),
    ("in empty fragments", frame(BINARY) + frame(0) + frame(FIN), [(Kind.MESSAGE, b"")]),
    (
        "a ping between fragments",
        frame(BINARY, b"a") + frame(FIN | PING, b"p") + frame(FIN, b"b"),
        [(Kind.PING, b"p"), (Kind.MESSAGE, b"ab")],
    ),
    ("a pong", frame(FIN | PONG, b"p") + message(b"a"), [(Kind.MESSAGE, b"a")]),
    ("a full ping", frame(FIN | PING, b"x" * 125), [(Kind.PING, b"x" * 125)]),
    ("text", frame(FIN | TEXT, b"hello"), [(Kind.TEXT, b"")]),
    ("the beginning of a text", frame(TEXT, b"hel"), [(Kind.TEXT, b"")]),
    ("a close", frame(FIN | CLOSE), [(Kind.CLOSE, b"")]),
    ("a close with a code", frame(FIN | CLOSE, b"\x03\xe8bye"), [(Kind.CLOSE, b"\x03\xe8")]),
    ("a close with a code of ours", frame(FIN | CLOSE, b"\x0b\xb8"), [(Kind.CLOSE, b"\x0b\xb8")]),
    ("half a close code", frame(FIN | CLOSE, b"\x03"), [1002]),
    *[
        (f"close code {code}", frame(FIN | CLOSE, code.to_bytes(2)), [1002])
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535)
    ],
    ("a reason that is no text", frame(FIN | CLOSE, b"\x03\xe8\xff"), [1007]),
    ("no mask", b"\x82\x00", [1002]),
    *[(f"reserved bit {bit:#x}", frame(FIN | bit | BINARY), [1002]) for bit in (0x40, 0x20, 0x10)],
    *[(f"opcode {code}", frame(FIN | code), [1002]) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("a ping in fragments", frame(PING), [1002]),
    ("a long ping", frame(FIN | PING, b"x" * 126), [1002]),
    ("a continuation of nothing", frame(FIN, b"a"), [1002]),
    ("a message amid another", frame(BINARY, b"a") + message(b"b"), [1002]),
    ("text amid a message", frame(BINARY, b"a") + frame(FIN | TEXT, b"b"), [1002]),
    ("a good one before a broken one", message(b"a") + b"\x82\x00", [(Kind.MESSAGE, b"a"), 1002]),
]


@pytest.mark.parametrize("size", [1, 2, 3, 1000], ids="in pieces of {}".format)
@pytest.mark.parametrize(("data", "expected"), [pytest.param(*rest, id=name) for name, *rest in CONVERSATIONS])
def test_conversations(data: bytes, expected: list[Any], size: int) -> None:
    assert expected == events(*pieces(data, size))


@pytest.mark.parametrize("data", [row[1] for row in CONVERSATIONS if not isinstance(row[2][-1], int)])
def test_what_follows_is_kept(data: bytes) -> None:
    if data != frame(TEXT, b"hel"):
        assert events(data + message(b"next"))[-1] == (Kind.MESSAGE, b"next")


def test_a_message_at_its_limit() -> None:
    most = limits.MESSAGE_BYTES_MAX
    assert events(message(b"x" * most)) == [(Kind.MESSAGE, b"x" * most)]
    assert events(message(b"x" * (most + 1))[:14]) == [1009]  # By its header alone.
    assert events(b"\x82\xff" + b"\xff" * 8) == [1009]


def test_fragments_together_have_the_same_limit() -> None:
    half = limits.MESSAGE_BYTES_MAX // 2
    begun = frame(BINARY, b"x" * half)
    assert events(begun, frame(FIN, b"x" * half)) == [(Kind.MESSAGE, b"x" * 2 * half)]
    assert events(begun, frame(FIN | PING, b"p"), frame(0, b"x" * (half + 1))[:8]) == [(Kind.PING, b"p"), 1009]


@pytest.mark.parametrize("small", [frame(FIN | PING), frame(FIN | PONG), frame(0), message()], ids=repr)
def test_frames_of_any_kind_at_their_limit(small: bytes) -> None:
    """Also those that are no event by themselves: nothing else would ever stop them."""
    reader = Reader(FrameBudget(0.0))
    reader.receive_data(frame(BINARY) if small == frame(0) else small)
    reader.receive_data(small * (limits.FRAMES_BURST_MAX - 1))
    while reader.next_event() is not None:
        pass
    reader.earn(1.0)
    reader.receive_data(small * limits.FRAMES_SECOND_MAX)
    while reader.next_event() is not None:
        pass
    reader.receive_data(small)
    with pytest.raises(Flood) as raised:
        reader.next_event()

    assert int(raised.value.code) == 1008
    assert reader.waiting_bytes == 0


def test_a_reader_holds_no_more_than_what_is_not_read() -> None:
    reader = Reader(FrameBudget(0.0))
    reader.receive_data(message(b"x" * 1000) + message(b"y" * 1000)[:10])
    assert reader.next_event() == (Kind.MESSAGE, b"x" * 1000)
    assert reader.next_event() is None
    assert reader.waiting_bytes == 10
    reader.receive_data(message(b"y" * 1000)[10:])
    assert reader.next_event() == (Kind.MESSAGE, b"y" * 1000)
    assert reader.waiting_bytes == 0


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=300))
def test_a_mask_is_taken_off(mask: bytes, payload: bytes) -> None:
    assert payload == unmask(mask, frame(0, payload, mask=mask)[6 if len(payload) < 126 else 8 :])


@given(
    st.lists(st.tuples(st.sampled_from([BINARY, FIN | BINARY, 0, FIN, FIN | PING]), st.binary(max_size=200))),
    st.binary(max_size=20),
    st.integers(1, 50),
)
def test_any_bytes_come_out_the_same_however_they_come_in(frames: list[Any], noise: bytes, size: int) -> None:
    data = b"".join(frame(first, payload) for first, payload in frames) + noise
    whole = events(data)

    assert whole == events(*pieces(data, size))
    assert all(event in {1002, 1007, 1009} for event in whole if isinstance(event, int))


def test_pieces_of_no_bytes_and_single_bytes_are_not_paid_for_with_copies_of_what_is_held() -> None:
    reader = Reader(FrameBudget(0.0))
    reader.receive_data(frame(BINARY, b"x" * 1000))
    assert reader.next_event() is None
    parts = reader._parts
    for piece in pieces(frame(0) + frame(0, b"y" * 1000), 1):
        reader.receive_data(piece)
        held = reader._data
        assert reader.next_event() is None
        assert reader._data is held or not reader._data

    assert reader._parts is parts
    assert parts == b"x" * 1000 + b"y" * 1000
