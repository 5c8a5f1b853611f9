"""Core: what a stranger's messages may do: pass, be dropped, be answered, or end the connection.

Two rules. Raw messages and `now` come in, one verdict goes out; the gate looks at bytes before the library does,
because rsocket-py 0.4.20 hangs, leaks or lets in on most of what is refused here (Protocol.md is quoted at each
branch). And the gate alone knows the SETUP state: FRESH → ASKED → OPEN → CLOSED, never back.

The caller obeys each verdict before it brings the next message, and tells the gate what it cannot see: `accept` or
`reject` after `Ask`, `finished` when a request has ended, `tick` when `next_deadline` has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from rsocket_server import frames, limits
from rsocket_server.frames import CloseCode, ErrorCode, FrameType
from rsocket_server.gate_errors import (
    ClientClosed,
    CreditZero,
    FrameMalformed,
    FrameTooShort,
    FrameUnexpected,
    GateError,
    ReassemblyTooLarge,
    ResumeUnsupported,
    SetupMalformed,
    SetupMissing,
    Silence,
    StreamIdTaken,
    StreamIdWrong,
    StreamUnknown,
    TooManyStreams,
)
from rsocket_server.reassembly import Fragment, Reassembly
from rsocket_server.setup import Setup, read_setup

if TYPE_CHECKING:
    from collections.abc import Callable


class State(Enum):
    """Where a connection stands."""

    FRESH = auto()  # Opened; only SETUP may come.
    ASKED = auto()  # SETUP is well-formed; whoever asked the gate is finding out who it is.
    OPEN = auto()
    CLOSED = auto()  # Nothing in, nothing out.


@dataclass(frozen=True, slots=True)
class Allow:
    """Hand `frame` to the codec: whole, its lengths checked, its reserved bits cleared."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Do nothing; `error` says why (not to the peer). It is None for a fragment that others follow."""

    error: GateError | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Write `frame` at once, before anything that waits. `error` is None for a keepalive."""

    frame: bytes
    error: GateError | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Find out who sends this SETUP, then call `accept` or `reject`; bring no message before."""

    setup: Setup


@dataclass(frozen=True, slots=True)
class Close:
    """Write `frame` unless it is empty, end the WebSocket with `code`, and bring nothing more."""

    frame: bytes
    code: CloseCode
    error: GateError | None


Verdict = Allow | Drop | Answer | Ask | Close

_WITH_CREDIT = (FrameType.REQUEST_STREAM, FrameType.REQUEST_CHANNEL)


def plain_words(error: GateError) -> bytes:
    """Say an error as its stable code alone."""
    return error.code.encode()


class Gate:
    """The gate of one connection.

    Args:
        now: seconds on a clock that never jumps, when the socket opened.
        words: what an ERROR frame says of a gate error; its stable code unless the house speaks otherwise.
    """

    __slots__ = (
        "_asked_at",
        "_heard_at",
        "_lifetime_seconds",
        "_opened_at",
        "_reassembly",
        "_streams",
        "_words",
        "state",
    )

    def __init__(self, now: float, words: Callable[[GateError], bytes] = plain_words) -> None:
        self.state = State.FRESH
        self._words = words
        self._opened_at = now
        self._asked_at = now
        self._heard_at = now
        self._lifetime_seconds = limits.LIFETIME_SECONDS_MAX
        self._streams: dict[int, FrameType] = {}  # Requests that have not ended, by what they are.
        self._reassembly = Reassembly()

    @property
    def streams(self) -> int:
        """How many requests are open."""
        return len(self._streams)

    @property
    def reassembly_bytes(self) -> int:
        """How many bytes of unfinished fragments wait here."""
        return self._reassembly.bytes

    # --- messages ------------------------------------------------------------------------------------------------

    def receive(self, message: bytes, now: float) -> Verdict:
        """Judge one binary WebSocket message, which must be one frame."""
        if self.state is State.CLOSED:
            return Drop(FrameUnexpected("the connection is closed"))
        if len(message) < frames.HEADER_BYTES:
            # An empty message hangs the library's parser for ever. It is no frame, so it is no first frame either.
            return Drop(FrameTooShort(len(message)))
        kind, flags = message[4] >> 2, (message[4] & 3) << 8 | message[5]
        stream_id = int.from_bytes(message[:4]) & frames.STREAM_ID_MASK
        if self.state is State.OPEN:
            self._heard_at = now
            return self._judge(message, stream_id, kind, flags)
        if self.state is State.FRESH:
            return self._first(message, stream_id, kind, now)
        return Drop(FrameUnexpected("SETUP is still being judged"))

    def _first(self, message: bytes, stream_id: int, kind: int, now: float) -> Verdict:
        # "The first frame MUST be SETUP (or RESUME)"; whatever else is refused and the connection closed.
        if kind == FrameType.RESUME:
            return self._refuse(ResumeUnsupported(ErrorCode.REJECTED_RESUME))
        if kind != FrameType.SETUP:
            return self._refuse(SetupMissing(kind))
        if stream_id:
            return self._refuse(SetupMalformed("stream id"))
        try:
            setup = read_setup(message)
        except GateError as error:
            return self._refuse(error)
        self.state = State.ASKED
        self._asked_at = self._heard_at = now
        self._lifetime_seconds = setup.lifetime_seconds
        return Ask(setup)

    def accept(self, now: float) -> None:
        """Open the connection: SETUP was good."""
        assert self.state is State.ASKED, self.state
        self.state = State.OPEN
        self._heard_at = now

    def reject(self, code: int, data: bytes, error: GateError | None = None) -> Close:
        """Refuse SETUP: "the server MUST send ERROR[...SETUP] and close the connection"."""
        assert self.state is State.ASKED, self.state
        self.state = State.CLOSED
        return Close(frames.error(0, code, data), CloseCode.POLICY, error)

    def finished(self, stream_id: int) -> None:
        """Free a stream id: its request has been answered, cancelled or has failed."""
        self._streams.pop(stream_id, None)

    def close(self) -> None:
        """Let nothing through any more: the socket has gone, or the house is closing."""
        self.state = State.CLOSED
        self._streams.clear()
        self._reassembly.clear()

    # --- time ----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` must be called at the latest, None for never."""
        match self.state:
            case State.FRESH:
                return self._opened_at + limits.FIRST_FRAME_SECONDS
            case State.ASKED:
                return self._asked_at + limits.SETUP_SECONDS
            case State.OPEN:
                return self._heard_at + self._lifetime_seconds
            case _:
                return None

    def tick(self, now: float) -> Close | None:
        """Close a connection whose deadline has passed."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return None
        if self.state is State.OPEN:
            return self._refuse(Silence(now - self._heard_at))
        return self._refuse(SetupMissing(None))

    # --- an open connection --------------------------------------------------------------------------------------

    def _judge(self, message: bytes, stream_id: int, kind: int, flags: int) -> Verdict:
        judge = _JUDGES.get(kind)
        if judge is None:
            # A second SETUP must be ignored; leases and resumption were not agreed; metadata pushes, extensions and
            # unknown types mean nothing to us.
            return Drop(FrameUnexpected(f"frame type {kind}"))
        try:
            return judge(self, message, stream_id, flags)
        except FrameMalformed as error:
            # Protocol.md gives the I flag to frames that may be passed over when they are not understood.
            return Drop(error) if flags & frames.FLAG_IGNORE else self._refuse(error)

    def _request(self, message: bytes, stream_id: int, flags: int) -> Verdict:
        kind = FrameType(message[4] >> 2)
        # "Client stream ids are odd", 0 is the connection's, and an id in use "MUST be ignored".
        if stream_id % 2 == 0:
            return Drop(StreamIdWrong(stream_id))
        if stream_id in self._streams or stream_id in self._reassembly:
            return Drop(StreamIdTaken(stream_id))
        fixed = 4 if kind in _WITH_CREDIT else 0
        fragment = Fragment.read(message, kind, flags, fixed)
        if fixed and not _masked(message):
            return self._answer(stream_id, CreditZero())
        if len(self._streams) + len(self._reassembly) >= limits.STREAMS_MAX:
            return self._answer(stream_id, TooManyStreams())
        if flags & frames.FLAG_FOLLOWS:
            return self._gather(stream_id, fragment)
        return self._open(stream_id, kind, _clean(message, stream_id, fixed))

    def _open(self, stream_id: int, kind: FrameType, frame: bytes) -> Verdict:
        if kind is not FrameType.REQUEST_FNF:  # Nothing comes back, so nothing stays open.
            self._streams[stream_id] = kind
        return Allow(frame)

    def _gather(self, stream_id: int, fragment: Fragment) -> Verdict:
        if not self._reassembly.add(stream_id, fragment):
            return self._refuse(ReassemblyTooLarge())
        return Drop(None)

    def _payload(self, message: bytes, stream_id: int, flags: int) -> Verdict:
        if stream_id not in self._reassembly:
            if self._streams.get(stream_id) is not FrameType.REQUEST_CHANNEL:
                return Drop(StreamUnknown(stream_id))
            fragment = Fragment.read(message, FrameType.PAYLOAD, flags, 0)
            if flags & frames.FLAG_FOLLOWS:
                return self._gather(stream_id, fragment)
            return Allow(_clean(message, stream_id, 0))
        gathered = self._gather(stream_id, Fragment.read(message, FrameType.PAYLOAD, flags, 0))
        if flags & frames.FLAG_FOLLOWS or isinstance(gathered, Close):
            return gathered
        kind, frame = self._reassembly.take(stream_id)
        return Allow(frame) if kind is FrameType.PAYLOAD else self._open(stream_id, kind, frame)

    def _credit(self, message: bytes, stream_id: int, _flags: int) -> Verdict:
        if len(message) < frames.HEADER_BYTES + 4:
            raise FrameMalformed("REQUEST_N")
        if stream_id not in self._streams:
            return Drop(StreamUnknown(stream_id))
        # "Value MUST be > 0": asking for nothing changes nothing. The reserved bit is not part of the number.
        if not _masked(message):
            return Drop(CreditZero())
        return Allow(_clean(message, stream_id, 4)[: frames.HEADER_BYTES + 4])

    def _alive(self, message: bytes, stream_id: int, flags: int) -> Verdict:
        if len(message) < frames.HEADER_BYTES + 8:
            raise FrameMalformed("KEEPALIVE")
        if stream_id:
            return Drop(StreamIdWrong(stream_id))
        if not flags & frames.FLAG_RESPOND:
            return Drop(FrameUnexpected("a keepalive that wants no answer"))
        return Answer(frames.keepalive(message[frames.HEADER_BYTES + 8 :]))

    def _cancel(self, _message: bytes, stream_id: int, _flags: int) -> Verdict:
        gathering = self._reassembly.drop(stream_id)
        if stream_id not in self._streams:
            return Drop(FrameUnexpected("cancelled before it began") if gathering else StreamUnknown(stream_id))
        return Allow(frames.header(stream_id, FrameType.CANCEL))

    def _error(self, message: bytes, stream_id: int, _flags: int) -> Verdict:
        if len(message) < frames.HEADER_BYTES + 4:
            raise FrameMalformed("ERROR")
        if not stream_id:
            # Whatever its code: on stream 0 the peer is done with this connection.
            self.close()
            return Close(b"", CloseCode.NORMAL, ClientClosed(int.from_bytes(message[6:10])))
        self._reassembly.drop(stream_id)
        if self._streams.get(stream_id) is not FrameType.REQUEST_CHANNEL:
            return Drop(StreamUnknown(stream_id))
        # The library knows no other codes than those of the specification, and none may be hidden from the door.
        return Allow(frames.error(stream_id, ErrorCode.APPLICATION_ERROR, message[10:]))

    # --- no ------------------------------------------------------------------------------------------------------

    def _answer(self, stream_id: int, error: GateError) -> Answer:
        return Answer(frames.error(stream_id, error.error_code, self._words(error)), error)

    def _refuse(self, error: GateError) -> Close:
        self.close()
        return Close(frames.error(0, error.error_code, self._words(error)), error.close_code, error)


# What an open connection may say, and who judges it.
_JUDGES: dict[int, Callable[[Gate, bytes, int, int], Verdict]] = {
    FrameType.REQUEST_RESPONSE: Gate._request,  # noqa: SLF001 - our own table, below the class so that it can be read.
    FrameType.REQUEST_FNF: Gate._request,  # noqa: SLF001
    FrameType.REQUEST_STREAM: Gate._request,  # noqa: SLF001
    FrameType.REQUEST_CHANNEL: Gate._request,  # noqa: SLF001
    FrameType.REQUEST_N: Gate._credit,  # noqa: SLF001
    FrameType.KEEPALIVE: Gate._alive,  # noqa: SLF001
    FrameType.CANCEL: Gate._cancel,  # noqa: SLF001
    FrameType.PAYLOAD: Gate._payload,  # noqa: SLF001
    FrameType.ERROR: Gate._error,  # noqa: SLF001
}


def _masked(message: bytes) -> int:
    """Read the 31-bit number after the header."""
    return int.from_bytes(message[6:10]) & frames.STREAM_ID_MASK


def _clean(message: bytes, stream_id: int, fixed: int) -> bytes:
    """Clear the reserved bits of the stream id and of the number that follows the header, where there is one."""
    if message[0] < 0x80 and (not fixed or message[6] < 0x80):
        return message
    start = stream_id.to_bytes(4) + message[4:6]
    if fixed:
        return start + _masked(message).to_bytes(4) + message[10:]
    return start + message[6:]
