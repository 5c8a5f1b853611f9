"""The fuzzer's law of the gate, for a second or two; `fuzz_gate.py` itself goes on as long as it is told to."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.fuzz import fuzz_gate

FRAMES = 20_000


async def test_no_conversation_breaks_the_law_and_both_are_reached():
    counts = await fuzz_gate.fuzz(FRAMES, seed=1)

    assert all(0 < passed for _, passed in counts.values())
    assert counts["connection"][0] > 500


async def test_a_thousand_races_between_an_answer_and_what_overtakes_it():
    house, complaints = fuzz_gate.entrance(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    items = 0
    for number in range(1_000):
        items += (await fuzz_gate.at_a_connection(Random(number), house, fuzz_gate.race))[1]

    assert complaints == []
    assert items > 500


async def test_what_breaks_the_law_is_told_with_its_number(monkeypatch):
    told: list[str] = []

    def breaks(chance):
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz_gate, "at_the_gate", breaks)
    with pytest.raises(ZeroDivisionError):
        await fuzz_gate.fuzz(FRAMES, seed=5, say=told.append)

    assert told == ["conversation 1 of seed 5 breaks the gate"]
