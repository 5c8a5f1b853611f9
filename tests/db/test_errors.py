"""Core: the two failures of a store say what became of the request."""

from __future__ import annotations

import pytest

from db.errors import StoreError, StoreUnavailable, StoreUnknown


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StoreUnavailable("refused"), "store unavailable: refused"),
        (StoreUnknown("cut"), "outcome unknown: cut"),
    ],
)
def test_a_store_failure_carries_its_reason(error, text):
    assert isinstance(error, StoreError)
    assert text == str(error)
    assert text.endswith(error.reason)


def test_done_and_perhaps_done_are_never_caught_together_by_accident():
    assert not issubclass(StoreUnavailable, StoreUnknown)
    assert not issubclass(StoreUnknown, StoreUnavailable)
