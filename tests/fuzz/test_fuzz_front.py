"""The fuzzer's law, for a second or two; `fuzz_front.py` itself goes on as long as it is told to."""

from __future__ import annotations

import pytest

from tests.fuzz import fuzz_front
from tests.fuzz.fuzz_front import fuzz


async def test_whoever_stands_in_front_changes_nothing_of_what_aiohttp_says():
    counts = await fuzz(300, seed=1)

    assert {"200", "204", "400", "404", "405"} <= set(counts)


async def test_what_breaks_the_law_is_told_with_its_number(monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(fuzz_front.Behind, "finish_response", fuzz_front.web.RequestHandler.finish_response)
    with pytest.raises(AssertionError):
        await fuzz(300, seed=1, say=told.append)

    assert len(told) == 1
    assert "of seed 1 breaks the law" in told[0]
