"""Core: RSocket frames and WebSocket headers as bytes: the few that we read or write without the library.

Protocol.md, "Framing Format": a frame is stream id (31 bits), type (6), flags (10), then what its type says.
Everything that goes out on a WebSocket is one frame in one binary message (RFC 6455, §5.2; a server does not mask).
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

HEADER_BYTES = 6
STREAM_ID_MASK = 0x7FFF_FFFF

FLAG_IGNORE = 0x200
FLAG_METADATA = 0x100
FLAG_FOLLOWS = 0x80
FLAG_RESUME = 0x80
FLAG_RESPOND = 0x80
FLAG_COMPLETE = 0x40
FLAG_LEASE = 0x40
FLAG_NEXT = 0x20

_HEADER = Struct(">IH")
_HEADER_NUMBER = Struct(">IHI")
_SHORT_MESSAGE = Struct(">BB")
_MIDDLE_MESSAGE = Struct(">BBH")
_LONG_MESSAGE = Struct(">BBQ")
_CLOSE_MESSAGE = Struct(">BBH")
_POSITION = bytes(8)


class FrameType(IntEnum):
    """Protocol.md, "Frame Types"."""

    SETUP = 1
    LEASE = 2
    KEEPALIVE = 3
    REQUEST_RESPONSE = 4
    REQUEST_FNF = 5
    REQUEST_STREAM = 6
    REQUEST_CHANNEL = 7
    REQUEST_N = 8
    CANCEL = 9
    PAYLOAD = 10
    ERROR = 11
    METADATA_PUSH = 12
    RESUME = 13
    RESUME_OK = 14
    EXT = 0x3F


class ErrorCode(IntEnum):
    """Protocol.md, "Error Codes": below 0x200 they speak of the connection (stream 0)."""

    INVALID_SETUP = 0x001
    UNSUPPORTED_SETUP = 0x002
    REJECTED_SETUP = 0x003
    REJECTED_RESUME = 0x004
    CONNECTION_ERROR = 0x101
    CONNECTION_CLOSE = 0x102
    APPLICATION_ERROR = 0x201
    REJECTED = 0x202
    CANCELED = 0x203
    INVALID = 0x204


class CloseCode(IntEnum):
    """RFC 6455, §7.4.1: how we end a WebSocket."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NOT_UTF8 = 1007
    POLICY = 1008
    TOO_BIG = 1009
    RESTART = 1012


def header(stream_id: int, kind: int, flags: int = 0) -> bytes:
    """Write the six bytes that every frame begins with."""
    return _HEADER.pack(stream_id, kind << 10 | flags)


def error(stream_id: int, code: int, data: bytes) -> bytes:
    """Write an ERROR frame; stream 0 speaks of the connection."""
    return _HEADER_NUMBER.pack(stream_id, FrameType.ERROR << 10, code) + data


def keepalive(data: bytes, *, respond: bool = False) -> bytes:
    """Write a KEEPALIVE. The position is 0: we offer no resumption."""
    return header(0, FrameType.KEEPALIVE, FLAG_RESPOND if respond else 0) + _POSITION + data


def payload(stream_id: int, data: bytes) -> bytes:
    """Write one item of a stream: a PAYLOAD with NEXT and no metadata."""
    return _HEADER.pack(stream_id, FrameType.PAYLOAD << 10 | FLAG_NEXT) + data


def message(frame: bytes) -> bytes:
    """Wrap a frame as one unmasked binary WebSocket message."""
    length = len(frame)
    if length < 126:
        return _SHORT_MESSAGE.pack(0x82, length) + frame
    if length < 65_536:
        return _MIDDLE_MESSAGE.pack(0x82, 126, length) + frame
    return _LONG_MESSAGE.pack(0x82, 127, length) + frame


def items(stream_id: int, payloads: list[bytes]) -> bytes:
    """Write items of a stream as WebSocket messages, joined."""
    return b"".join([message(payload(stream_id, each)) for each in payloads])


def close_message(code: int) -> bytes:
    """Write a WebSocket CLOSE. No reason text: what there is to say went out in an ERROR frame."""
    return _CLOSE_MESSAGE.pack(0x88, 2, code)


def pong_message(data: bytes) -> bytes:
    """Answer a PING, "as soon as is practical", with its own data (at most 125 bytes)."""
    return _SHORT_MESSAGE.pack(0x8A, len(data)) + data
