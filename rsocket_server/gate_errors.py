"""Core: what the gate refuses, one class a rule.

Each says its stable `code` (for people and programs), the RSocket `error_code` and the WebSocket `close_code` that go
with it. All are the peer's fault; what is ours is an assertion.
"""

from __future__ import annotations

from typing import ClassVar

from rsocket_server.frames import CloseCode, ErrorCode


class GateError(Exception):
    """A message, or a silence, that the protocol or our limits do not allow.

    Attributes:
        code: stable, public.
        error_code: of the ERROR frame, where one is sent.
        close_code: of the WebSocket, where it is closed.
    """

    code: ClassVar[str] = "protocol.violation"
    error_code: ErrorCode = ErrorCode.CONNECTION_ERROR
    close_code: CloseCode = CloseCode.PROTOCOL_ERROR


class SetupMissing(GateError):
    """Another frame came before SETUP, or none in time (Protocol.md, "Connection Establishment").

    Attributes:
        kind: the type of the frame that came, None if none did.
    """

    code = "setup.missing"
    error_code = ErrorCode.INVALID_SETUP

    def __init__(self, kind: int | None) -> None:
        super().__init__(kind)
        self.kind = kind

    def __str__(self) -> str:
        return "no SETUP in time" if self.kind is None else f"frame type {self.kind} before SETUP"


class SetupMalformed(GateError):
    """A SETUP that breaks its own format.

    Attributes:
        what: the part that is wrong.
    """

    code = "setup.malformed"
    error_code = ErrorCode.INVALID_SETUP

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"SETUP with a wrong {self.what}"


class SetupUnsupported(GateError):
    """A SETUP that is well-formed and asks for what we do not offer.

    Attributes:
        what: version, lease, or metadata type.
    """

    code = "setup.unsupported"
    error_code = ErrorCode.UNSUPPORTED_SETUP
    close_code = CloseCode.POLICY

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"SETUP asks for an unsupported {self.what}"


class ResumeUnsupported(GateError):
    """Resumption is not offered; a client comes back and says from which event on.

    Attributes:
        error_code: REJECTED_SETUP for the flag in SETUP, REJECTED_RESUME for a RESUME frame.
    """

    code = "setup.resume"
    close_code = CloseCode.POLICY

    def __init__(self, error_code: ErrorCode) -> None:
        super().__init__(error_code)
        self.error_code = error_code

    def __str__(self) -> str:
        return "resumption is not offered"


class FrameTooShort(GateError):
    """A message shorter than a frame's header."""

    code = "protocol.short"

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def __str__(self) -> str:
        return f"a message of {self.length} bytes is no frame"


class FrameMalformed(GateError):
    """A frame whose lengths do not add up."""

    code = "protocol.malformed"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"malformed {self.what}"


class FrameUnexpected(GateError):
    """A frame that has no meaning here and now; it is passed over."""

    code = "protocol.unexpected"

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return self.what


class StreamIdWrong(GateError):
    """An id that a client may not use: even, or 0 where it must not be."""

    code = "protocol.stream_id"

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id

    def __str__(self) -> str:
        return f"stream id {self.stream_id} is not a client's"


class StreamIdTaken(GateError):
    """A request on an id whose request has not ended."""

    code = "protocol.stream_id"

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id

    def __str__(self) -> str:
        return f"stream id {self.stream_id} is in use"


class StreamUnknown(GateError):
    """A frame for a stream that is not open, or not of the kind that takes it."""

    code = "protocol.stream_id"

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.stream_id = stream_id

    def __str__(self) -> str:
        return f"nothing on stream {self.stream_id} takes this"


class CreditZero(GateError):
    """Zero items asked for: "Value MUST be > 0"."""

    code = "protocol.credit"
    error_code = ErrorCode.INVALID

    def __str__(self) -> str:
        return "asked for zero items"


class TooManyStreams(GateError):
    """More requests at once than STREAMS_MAX; this one was surely not begun, so it may be sent again."""

    code = "limit.streams"
    error_code = ErrorCode.REJECTED

    def __str__(self) -> str:
        return "too many requests at once"


class ReassemblyTooLarge(GateError):
    """More bytes of unfinished fragments than REASSEMBLY_BYTES_MAX."""

    code = "limit.fragments"
    close_code = CloseCode.POLICY

    def __str__(self) -> str:
        return "too many bytes in unfinished fragments"


class TooManyFrames(GateError):
    """More than FRAMES_BURST_MAX at once, or than FRAMES_SECOND_MAX in the long run."""

    code = "limit.frames"
    close_code = CloseCode.POLICY

    def __str__(self) -> str:
        return "too many frames"


class Silence(GateError):
    """Nothing was heard for the lifetime that the client itself named in SETUP."""

    code = "protocol.silence"
    close_code = CloseCode.POLICY

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"silent for {self.seconds:.0f} s"


class ClientClosed(GateError):
    """The client said on stream 0 that it is done."""

    code = "protocol.closed"
    close_code = CloseCode.NORMAL

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"the client closed with error {self.number:#x}"


class TokenOver(GateError):
    """The access token has ended and no newer one came; come back with one."""

    code = "auth.token_expired"
    close_code = CloseCode.POLICY

    def __str__(self) -> str:
        return "the token has ended"


class TokenRevoked(GateError):
    """The token, its login or its member is not welcome any more."""

    code = "auth.token_invalid"
    close_code = CloseCode.POLICY

    def __str__(self) -> str:
        return "the token was revoked"


class HouseClosing(GateError):
    """This process is about to end; come back, to it or to another."""

    code = "house.closing"
    error_code = ErrorCode.CONNECTION_CLOSE
    close_code = CloseCode.RESTART

    def __str__(self) -> str:
        return "the server is restarting"
