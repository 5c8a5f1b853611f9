from __future__ import annotations

import random

import pytest
from rsocket.frame import parse_or_ignore

from rsocket_server import frames, limits
from rsocket_server.frames import CloseCode, ErrorCode
from rsocket_server.gate import Allow, Answer, Ask, Close, Drop, Gate, State
from rsocket_server.gate_errors import (
    ClientClosed,
    CreditZero,
    FrameTooShort,
    FrameUnexpected,
    SetupMissing,
    Silence,
    StreamIdTaken,
    StreamIdWrong,
    StreamUnknown,
    TooManyStreams,
)
from tests.rsocket_server import gate_table
from tests.rsocket_server.script import (
    CANCEL,
    CHANNEL,
    COMPLETE,
    ERROR,
    FNF,
    FOLLOWS,
    NEXT,
    PAYLOAD,
    REQUEST_N,
    RESPONSE,
    STREAM,
    bearer,
    cancel,
    error,
    keepalive,
    payload,
    request,
    request_n,
    seen,
    setup,
)


def opened(now: float = 0.0, **changed: object) -> Gate:
    gate = Gate(now)
    assert isinstance(gate.receive(setup(**changed), now), Ask)
    gate.accept(now)
    return gate


class Shell:
    """Obeys a gate as the connection does, for guests, with doors that never answer."""

    def __init__(self) -> None:
        self.gate = Gate(0.0)
        self.written: list[bytes] = []
        self.close: int | None = None
        self.served: list[bytes] = []

    def bring(self, message: bytes) -> None:
        match self.gate.receive(message, 1.0):
            case Ask():
                self.gate.accept(1.0)
            case Answer(frame):
                self.written.append(frame)
            case Close(frame, code):
                self.written += [frame] if frame else []
                self.close = code
            case Allow(frame):
                self._serve(frame)

    def _serve(self, frame: bytes) -> None:
        parsed, what = parse_or_ignore(frame), seen(frame)
        if what.kind == CANCEL:
            self.gate.finished(what.stream_id)
        elif what.kind == ERROR:
            self.served.append(b"error")
        elif what.kind != REQUEST_N:
            if what.kind != PAYLOAD or what.flags & NEXT:
                self.served.append(bytes(parsed.data))
            if what.kind in {PAYLOAD, CHANNEL} and what.flags & COMPLETE:
                self.served.append(b"complete")


@pytest.mark.parametrize("case", gate_table.CASES, ids=lambda case: case.name)
def test_the_table_on_the_pure_gate(case: gate_table.Case) -> None:
    shell = Shell()
    if not case.first:
        shell.bring(setup())
    for message in case.messages:
        shell.bring(message)

    assert list(case.written) == shell.written
    assert case.close == shell.close
    assert list(case.served) == [data for data in shell.served if not data.startswith(b"~")]


def test_the_table_is_as_long_as_promised() -> None:
    assert len(gate_table.CASES) >= 84
    assert len({case.name for case in gate_table.CASES}) == len(gate_table.CASES)


# --- verdicts in full -------------------------------------------------------------------------------------------------


def test_setup_is_asked_about_with_what_it_says() -> None:
    verdict = Gate(0.0).receive(setup(lifetime_ms=90_000, metadata=bearer(b"t")), 1.0)

    assert isinstance(verdict, Ask)
    assert (90.0, gate_table.COMPOSITE, bearer(b"t")) == (
        verdict.setup.lifetime_seconds,
        verdict.setup.metadata_mime,
        verdict.setup.metadata,
    )


def test_nothing_passes_while_setup_is_judged() -> None:
    gate = Gate(0.0)
    gate.receive(setup(), 0.0)

    assert Drop(FrameUnexpected) != gate.receive(request(FNF, 1), 0.0)
    assert isinstance(gate.receive(request(FNF, 1), 0.0), Drop)
    assert isinstance(gate.receive(setup(), 0.0), Drop)
    assert state_is(gate, State.ASKED)


def state_is(gate: Gate, state: State) -> bool:
    return gate.state is state


def test_a_rejected_setup_closes_and_serves_nothing() -> None:
    gate = Gate(0.0)
    gate.receive(setup(), 0.0)
    verdict = gate.reject(ErrorCode.REJECTED_SETUP, b"auth.token_invalid")

    assert Close(error(0, 3, b"auth.token_invalid"), CloseCode.POLICY, None) == verdict
    assert isinstance(gate.receive(request(FNF, 1), 0.0), Drop)
    assert gate.next_deadline() is None


@pytest.mark.parametrize("act", [lambda gate: gate.accept(0.0), lambda gate: gate.reject(3, b"")])
def test_only_a_setup_in_question_is_accepted_or_rejected(act: object) -> None:
    for gate in (Gate(0.0), opened()):
        with pytest.raises(AssertionError):
            act(gate)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\0" * 5, FrameTooShort),
        (request(RESPONSE, 2), StreamIdWrong),
        (request(STREAM, 1), StreamIdTaken),
        (request_n(9, 1), StreamUnknown),
        (request_n(1, 0), CreditZero),
        (cancel(9), StreamUnknown),
        (payload(1), StreamUnknown),
        (error(1, 0x201), StreamUnknown),
        (keepalive(stream_id=3), StreamIdWrong),
        (keepalive(respond=False), FrameUnexpected),
        (setup(), FrameUnexpected),
    ],
)
def test_what_is_dropped_says_why(message: bytes, kind: type[Exception]) -> None:
    gate = opened()
    gate.receive(request(STREAM, 1), 0.0)
    verdict = gate.receive(message, 0.0)

    assert isinstance(verdict, Drop)
    assert isinstance(verdict.error, kind)
    assert str(verdict.error)


def test_a_fragment_that_others_follow_is_no_error() -> None:
    assert Drop(None) == opened().receive(request(FNF, 1, flags=FOLLOWS), 0.0)


def test_a_cancelled_half_request_is_told_from_an_unknown_stream() -> None:
    gate = opened()
    gate.receive(request(FNF, 1, flags=FOLLOWS), 0.0)
    verdict = gate.receive(cancel(1), 0.0)

    assert isinstance(verdict, Drop)
    assert isinstance(verdict.error, FrameUnexpected)
    assert gate.reassembly_bytes == 0


def test_reserved_bits_do_not_reach_the_codec() -> None:
    gate = opened()
    first = gate.receive(request(STREAM, 2**31 + 1, n=2**31 + 5), 0.0)
    more = gate.receive(request_n(2**31 + 1, 2**31 + 7) + b"tail", 0.0)
    fnf = gate.receive(request(FNF, 2**31 + 3, data=b"x"), 0.0)

    assert Allow(request(STREAM, 1, n=5)) == first
    assert Allow(request_n(1, 7)) == more
    assert Allow(request(FNF, 3, data=b"x")) == fnf


def test_the_reserved_bit_of_credit_alone_is_cleared() -> None:
    gate = opened()

    assert Allow(request(STREAM, 1, n=5)) == gate.receive(request(STREAM, 1, n=2**31 + 5), 0.0)
    assert Allow(request_n(1, 7)) == gate.receive(request_n(1, 2**31 + 7), 0.0)


def test_an_untouched_frame_is_not_copied() -> None:
    message = request(STREAM, 1)
    verdict = opened().receive(message, 0.0)

    assert isinstance(verdict, Allow)
    assert verdict.frame is message


def test_the_client_closes_with_its_code() -> None:
    gate = opened()
    gate.receive(request(STREAM, 1), 0.0)
    verdict = gate.receive(error(0, 0x102), 0.0)

    assert isinstance(verdict, Close)
    assert isinstance(verdict.error, ClientClosed)
    assert verdict.error.number == 0x102
    assert gate.streams == 0


def test_streams_at_their_limit() -> None:
    gate = opened()
    for number in range(limits.STREAMS_MAX - 1):
        assert isinstance(gate.receive(request(STREAM, 2 * number + 1), 0.0), Allow)
    gate.receive(request(STREAM, 501, flags=FOLLOWS), 0.0)  # A half request takes a place too.
    verdict = gate.receive(request(STREAM, 999), 0.0)

    assert isinstance(verdict, Answer)
    assert isinstance(verdict.error, TooManyStreams)
    gate.finished(1)
    assert isinstance(gate.receive(request(STREAM, 999), 0.0), Allow)


def test_fire_and_forget_opens_no_stream() -> None:
    gate = opened()
    gate.receive(request(FNF, 1), 0.0)

    assert gate.streams == 0


@pytest.mark.parametrize(("extra", "kept"), [(-1, True), (0, True), (1, False)])
def test_reassembly_at_its_limit(extra: int, kept: bool) -> None:
    gate = opened()
    whole = request(FNF, 1, flags=FOLLOWS)
    overhead = len(whole) - frames.HEADER_BYTES - 3  # The route.
    verdict = gate.receive(whole + b"x" * (limits.REASSEMBLY_BYTES_MAX - overhead + extra), 0.0)

    assert kept == isinstance(verdict, Drop)
    assert (limits.REASSEMBLY_BYTES_MAX + extra if kept else 0) == gate.reassembly_bytes


# --- time -------------------------------------------------------------------------------------------------------------


def test_setup_must_come_in_time_whatever_else_comes() -> None:
    gate = Gate(100.0)
    gate.receive(b"", 104.0)

    assert gate.next_deadline() == 100.0 + limits.FIRST_FRAME_SECONDS
    assert gate.tick(104.999) is None
    verdict = gate.tick(105.0)
    assert isinstance(verdict, Close)
    assert isinstance(verdict.error, SetupMissing)
    assert verdict.frame == error(0, 1, b"setup.missing")
    assert gate.tick(106.0) is None


def test_setup_must_be_judged_in_time() -> None:
    gate = Gate(100.0)
    gate.receive(setup(), 104.0)

    assert gate.next_deadline() == 104.0 + limits.SETUP_SECONDS
    assert isinstance(gate.tick(109.0), Close)


@pytest.mark.parametrize(
    ("lifetime_ms", "seconds"),
    [
        (1, limits.LIFETIME_SECONDS_MIN),
        (10_000, 10.0),
        (90_000, 90.0),
        (599_999, 599.999),
        (2**31 - 1, limits.LIFETIME_SECONDS_MAX),
    ],
)
def test_silence_is_measured_by_what_the_client_said(lifetime_ms: int, seconds: float) -> None:
    gate = opened(50.0, lifetime_ms=lifetime_ms)

    assert gate.next_deadline() == 50.0 + seconds
    gate.receive(keepalive(), 53.0)
    assert gate.tick(53.0 + seconds - 0.001) is None
    verdict = gate.tick(53.0 + seconds)
    assert isinstance(verdict, Close)
    assert isinstance(verdict.error, Silence)
    assert seconds == pytest.approx(verdict.error.seconds)


def test_words_may_be_the_houses_own() -> None:
    gate = Gate(0.0, lambda error: b'{"code":"%s"}' % error.code.encode())
    verdict = gate.receive(request(FNF, 1), 0.0)

    assert isinstance(verdict, Close)
    assert error(0, 1, b'{"code":"setup.missing"}') == verdict.frame


# --- any bytes at all -------------------------------------------------------------------------------------------------


def test_any_bytes_get_a_verdict_and_what_is_allowed_can_be_parsed() -> None:
    die = random.Random(20261125)
    seeds = list({message: None for case in gate_table.CASES for message in case.messages if len(message) < 400})
    allowed = 0
    for _ in range(300):
        gate = opened()
        for _ in range(40):
            message = bytearray(die.choice(seeds) if die.random() < 0.8 else die.randbytes(die.randrange(40)))
            for _ in range(die.randrange(3)):
                if message:
                    message[die.randrange(len(message))] = die.randrange(256)
            verdict = gate.receive(bytes(message[: die.randrange(1, 400)]), 0.0)
            if isinstance(verdict, Allow):
                allowed += 1
                parsed = parse_or_ignore(verdict.frame)
                assert parsed is not None
                assert parsed.stream_id % 2 == 1
            assert gate.streams <= limits.STREAMS_MAX
            assert gate.reassembly_bytes <= limits.REASSEMBLY_BYTES_MAX

    assert allowed > 200  # Not everything was refused at once.
