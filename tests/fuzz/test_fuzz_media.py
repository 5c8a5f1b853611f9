"""The fuzzer's law, for a second or two; `fuzz_media.py` itself goes on as long as it is told to."""

from __future__ import annotations

import pytest

from tests.fuzz.fuzz_media import CORES, corpus, fuzz

INPUTS = 300 * len(CORES)


def test_no_core_breaks_the_law_and_each_is_reached():
    counts = fuzz(INPUTS, seed=1)

    assert {name for name, (accepted, given) in counts.items() if 0 < accepted < given} == set(CORES)


def test_a_number_brings_its_input_back():
    assert fuzz(20 * len(CORES), seed=2) == fuzz(20 * len(CORES), seed=2)


def test_what_breaks_the_law_is_told_with_its_number(monkeypatch):
    told: list[str] = []

    def breaks(random, known):
        raise ZeroDivisionError

    monkeypatch.setitem(CORES, "amf", breaks)
    with pytest.raises(ZeroDivisionError):
        fuzz(INPUTS, seed=5, say=told.append)

    assert told == [f"input {list(CORES).index('amf')} of seed 5 breaks amf"]


def test_there_is_something_to_begin_from():
    known = corpus()

    assert len(known.recordings) >= 7
    assert min(map(len, (known.chunks, known.amf, known.video, known.audio, known.flv, known.films))) >= 7
