"""Core: a client's WebSocket frames into messages (RFC 6455, §5), every rule of the specification kept.

Bytes in by `receive_data`, the time by `earn`, then `next_event` until it answers None. No extension is negotiated, so
no reserved bit may be set and nothing is ever decompressed; a message larger than MESSAGE_BYTES_MAX is refused at the
header that says so.
What a server sends is written in `frames`: it needs no state.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from rsocket_server import limits
from rsocket_server.frames import CloseCode

if TYPE_CHECKING:
    from rsocket_server.frame_budget import FrameBudget

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN = 0x80
_RESERVED = 0x70
_CONTROL = 0x08
_MASKED = 0x80
_CONTROL_BYTES_MAX = 125
_MASK_BYTES = 4


class Violation(Exception):
    """A client broke the protocol, or sent what this server does not take.

    Attributes:
        code: how the connection is to be closed.
    """

    def __init__(self, code: CloseCode, what: str) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} ({self.code.value})"


class Flood(Violation):
    """More frames than a client may send; see FrameBudget."""

    def __init__(self) -> None:
        super().__init__(CloseCode.POLICY, "too many frames")


class Kind(Enum):
    """What came."""

    MESSAGE = auto()  # A whole binary message.
    TEXT = auto()  # A text message begins; its content is not looked at.
    PING = auto()
    CLOSE = auto()


class Reader:
    """The receiving half of one WebSocket.

    Args:
        budget: how much the client may send.
    """

    __slots__ = ("_at", "_budget", "_data", "_parts")

    def __init__(self, budget: FrameBudget) -> None:
        self._budget = budget
        self._data: bytes | bytearray = b""  # Most of the time nothing.
        self._at = 0  # What is before this has been read: a frame's end must not cost a copy of all that follows.
        self._parts: bytearray | None = None  # Of a message in several frames.

    @property
    def waiting_bytes(self) -> int:
        """How many bytes are held: of frames not yet read, and of a message that is not whole."""
        return len(self._data) - self._at + len(self._parts or b"")

    def receive_data(self, data: bytes) -> None:
        """Take what the socket brought."""
        if self._at == len(self._data):
            self._data, self._at = data, 0
        elif isinstance(self._data, bytearray):
            self._data += data
        else:
            self._data = bytearray(self._data) + data

    def earn(self, now: float) -> None:
        """Take note of the time; call it before each run of `next_event`."""
        self._budget.earn(now)

    def next_event(self) -> tuple[Kind, bytes] | None:
        """Answer the next thing that came whole, or None: more bytes are needed.

        Raises:
            Violation: the connection must be closed; what was received is forgotten. A Flood where nothing is wrong
                but the number of frames.
        """
        try:
            while (frame := self._next_frame()) is not None:
                event = self._take(*frame)
                if event is not None:
                    return event
        except Violation:
            self.forget()
            raise
        return None

    def forget(self) -> None:
        """Forget what was received: nothing more will be read."""
        self._data, self._at = b"", 0
        self._parts = None

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Answer the first byte and the unmasked payload of a frame that is whole."""
        data, at = self._data, self._at
        if len(data) - at < 2:
            self._keep()
            return None
        first, length, start = data[at], data[at + 1] & 0x7F, at + 2
        self._check(first, data[at + 1], length)
        if length >= 126:
            start += 2 if length == 126 else 8
            if len(data) < start:
                self._keep()
                return None
            length = int.from_bytes(data[at + 2 : start])
        if length + len(self._parts or b"") > limits.MESSAGE_BYTES_MAX and not first & _CONTROL:
            raise Violation(CloseCode.TOO_BIG, f"{length} bytes")
        end = start + _MASK_BYTES + length
        if len(data) < end:
            self._keep()
            return None
        self._at = end
        if not self._budget.spend(length):
            raise Flood
        return first, unmask(bytes(data[start : start + _MASK_BYTES]), bytes(data[start + _MASK_BYTES : end]))

    def _keep(self) -> None:
        """Hold on to no more than what is not read yet; a message that comes byte by byte is not copied each time."""
        if self._at:
            self._data, self._at = self._data[self._at :], 0

    def _check(self, first: int, second: int, length: int) -> None:
        # "MUST be 0 unless an extension is negotiated".
        if first & _RESERVED:
            raise Violation(CloseCode.PROTOCOL_ERROR, "reserved bits")
        # "The server MUST close the connection upon receiving a frame that is not masked" (§5.1).
        if not second & _MASKED:
            raise Violation(CloseCode.PROTOCOL_ERROR, "not masked")
        opcode = first & 0x0F
        if opcode & _CONTROL:
            # "MUST have a payload length of 125 bytes or less and MUST NOT be fragmented" (§5.5).
            if length > _CONTROL_BYTES_MAX or not first & _FIN:
                raise Violation(CloseCode.PROTOCOL_ERROR, "control frame")
            if opcode > _PONG:
                raise Violation(CloseCode.PROTOCOL_ERROR, "opcode")
        elif opcode > _BINARY:
            raise Violation(CloseCode.PROTOCOL_ERROR, "opcode")
        # Frames of one message must not be interleaved with those of another (§5.4).
        elif (opcode == _CONTINUATION) is (self._parts is None):
            raise Violation(CloseCode.PROTOCOL_ERROR, "fragments")

    def _take(self, first: int, payload: bytes) -> tuple[Kind, bytes] | None:
        opcode = first & 0x0F
        if opcode & _CONTROL:
            if opcode == _CLOSE:
                return Kind.CLOSE, _close_code(payload)
            # We never ping, so "a response to an unsolicited Pong frame is not expected".
            return (Kind.PING, payload) if opcode == _PING else None
        if opcode == _TEXT:
            return Kind.TEXT, b""
        if first & _FIN and self._parts is None:
            return Kind.MESSAGE, payload
        if self._parts is None:
            self._parts = bytearray()
        self._parts += payload  # In place: pieces of no bytes may come for ever.
        if not first & _FIN:
            return None
        whole, self._parts = bytes(self._parts), None
        return Kind.MESSAGE, whole


def unmask(mask: bytes, payload: bytes) -> bytes:
    """Take the client's mask off (§5.3): one XOR of two large numbers, the one way that is fast in Python."""
    count = len(payload)
    keys = (mask * (count // _MASK_BYTES + 1))[:count]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(count, "little")


def _close_code(payload: bytes) -> bytes:
    """Check a CLOSE and answer the two bytes of its code, if it has one (§5.5.1, §7.4)."""
    if not payload:
        return b""
    if len(payload) == 1:
        raise Violation(CloseCode.PROTOCOL_ERROR, "half a close code")
    code = int.from_bytes(payload[:2])
    if not (3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in {1004, 1005, 1006})):
        raise Violation(CloseCode.PROTOCOL_ERROR, f"close code {code}")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(CloseCode.NOT_UTF8, "close reason") from None
    return payload[:2]
