from __future__ import annotations

import pytest

from rsocket_server import gate_errors
from rsocket_server.frames import CloseCode, ErrorCode
from rsocket_server.gate_errors import GateError

EXAMPLES = [
    (gate_errors.SetupMissing(None), "no SETUP in time"),
    (gate_errors.SetupMissing(4), "frame type 4 before SETUP"),
    (gate_errors.SetupMalformed("lifetime"), "SETUP with a wrong lifetime"),
    (gate_errors.SetupUnsupported("lease"), "SETUP asks for an unsupported lease"),
    (gate_errors.ResumeUnsupported(ErrorCode.REJECTED_SETUP), "resumption is not offered"),
    (gate_errors.FrameTooShort(3), "a message of 3 bytes is no frame"),
    (gate_errors.FrameMalformed("ERROR"), "malformed ERROR"),
    (gate_errors.FrameUnexpected("a thing"), "a thing"),
    (gate_errors.StreamIdWrong(2), "stream id 2 is not a client's"),
    (gate_errors.StreamIdTaken(1), "stream id 1 is in use"),
    (gate_errors.StreamUnknown(1), "nothing on stream 1 takes this"),
    (gate_errors.CreditZero(), "asked for zero items"),
    (gate_errors.TooManyStreams(), "too many requests at once"),
    (gate_errors.ReassemblyTooLarge(), "too many bytes in unfinished fragments"),
    (gate_errors.TooManyFrames(), "too many frames"),
    (gate_errors.Silence(12.4), "silent for 12 s"),
    (gate_errors.ClientClosed(0x102), "the client closed with error 0x102"),
    (gate_errors.TokenOver(), "the token has ended"),
    (gate_errors.TokenRevoked(), "the token was revoked"),
    (gate_errors.HouseClosing(), "the server is restarting"),
]


@pytest.mark.parametrize(("error", "text"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_every_error_has_words_and_codes(error: GateError, text: str) -> None:
    assert text == str(error)
    assert isinstance(error.error_code, ErrorCode)
    assert isinstance(error.close_code, CloseCode)
    assert "." in error.code


def test_every_error_is_among_the_examples() -> None:
    assert set(GateError.__subclasses__()) == {type(error) for error, _ in EXAMPLES}


def test_setup_errors_are_sent_with_setup_codes() -> None:
    for error, _ in EXAMPLES:
        if error.code.startswith("setup."):
            assert error.error_code < 0x100
