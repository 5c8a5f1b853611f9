from __future__ import annotations

from typing import Any

import pytest
from rsocket.frame import SetupFrame

from rsocket_server import limits
from rsocket_server.gate_errors import GateError, ResumeUnsupported, SetupMalformed, SetupUnsupported
from rsocket_server.setup import Setup, read_setup
from tests.rsocket_server.script import COMPOSITE, ROUTING, setup


def test_what_setup_says() -> None:
    assert Setup(90.0, COMPOSITE, b"m") == read_setup(setup(metadata=b"m", data=b"ignored"))
    assert Setup(90.0, ROUTING, b"") == read_setup(setup(metadata_mime=ROUTING))


def test_setup_as_the_library_writes_it() -> None:
    written = SetupFrame()
    written.keep_alive_milliseconds, written.max_lifetime_milliseconds = 500, 600_000
    written.metadata_encoding, written.data_encoding = COMPOSITE, b"application/json"
    written.metadata, written.data = b"meta", b"data"

    assert Setup(600.0, COMPOSITE, b"meta") == read_setup(written.serialize())


@pytest.mark.parametrize(
    ("lifetime_ms", "seconds"), [(9_999, 10.0), (10_000, 10.0), (10_001, 10.001), (600_000, 600.0), (600_001, 600.0)]
)
def test_a_lifetime_is_believed_within_limits(lifetime_ms: int, seconds: float) -> None:
    assert seconds == read_setup(setup(lifetime_ms=lifetime_ms)).lifetime_seconds
    assert limits.LIFETIME_SECONDS_MIN <= seconds <= limits.LIFETIME_SECONDS_MAX


def test_setup_cut_anywhere_is_refused_and_never_misread() -> None:
    whole = setup(metadata=b"meta")
    for end in range(6, len(whole)):
        with pytest.raises((SetupMalformed, SetupUnsupported)):
            read_setup(whole[:end])


def test_setup_with_any_byte_changed_is_read_or_refused() -> None:
    whole = setup(metadata=b"meta")
    for position in range(6, len(whole)):
        for value in (0, 0x7F, 0x80, 0xFF):
            try:
                read = read_setup(whole[:position] + bytes([value]) + whole[position + 1 :])
            except GateError:
                continue
            assert read.metadata_mime in {COMPOSITE, ROUTING}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"flags": 0x80}, ResumeUnsupported),
        ({"flags": 0x40}, SetupUnsupported),
        ({"version": (2, 0)}, SetupUnsupported),
        ({"keepalive_ms": 0}, SetupMalformed),
        ({"lifetime_ms": 0}, SetupMalformed),
        ({"metadata_mime": b"text/plain"}, SetupUnsupported),
    ],
)
def test_setup_that_is_refused(changed: dict[str, Any], error: type[GateError]) -> None:
    with pytest.raises(error):
        read_setup(setup(**changed))
