from __future__ import annotations

from types import SimpleNamespace

import pytest

from media import past as module
from media.past import ENDED_MAX, ENDED_RETENTION_SECONDS, PAST_MAX, Past

DISK_SECONDS = 1800


class Writer:
    """What Past touches of a writer."""

    def __init__(self, *, on_disk):
        self.recorder = SimpleNamespace(bytes_held=10) if on_disk else None
        self.cooled = 0

    def cool(self):
        self.cooled += 1


@pytest.fixture
def past():
    return Past(DISK_SECONDS)


def test_without_a_recorder_nothing_is_left_after_a_moment(past):
    past.add("Nyan", writer := Writer(on_disk=False), 100)
    assert past.find("nYAN") is writer
    assert past.sweep(100 + ENDED_RETENTION_SECONDS - 1) == []
    assert past.sweep(100 + ENDED_RETENTION_SECONDS) == [writer]

    assert past.find("Nyan", on_disk=True) is None


def test_what_is_on_disk_is_left_for_who_went_back(past):
    past.add("Nyan", writer := Writer(on_disk=True), 100)
    assert past.sweep(100 + ENDED_RETENTION_SECONDS) == []
    assert (past.find("Nyan"), past.find("Nyan", on_disk=True), writer.cooled) == (None, writer, 1)
    assert past.sweep(100 + DISK_SECONDS - 1) == []
    assert past.sweep(100 + DISK_SECONDS) == [writer]
    assert writer.cooled == 1


def test_what_the_quota_has_taken_is_gone(past):
    past.add("Nyan", writer := Writer(on_disk=True), 100, cool=True)
    writer.recorder.bytes_held = 0

    assert past.sweep(101) == [writer]


def test_the_last_one_is_found(past):
    writers = [Writer(on_disk=True) for _ in range(2)]
    for writer in writers:
        past.add("Nyan", writer, 100)

    assert past.find("Nyan") is writers[1]
    past.clear()
    assert past.find("Nyan", on_disk=True) is None


def test_both_numbers_have_a_bound(past, monkeypatch):
    monkeypatch.setattr(module, "ENDED_MAX", 2)
    monkeypatch.setattr(module, "PAST_MAX", 3)
    writers = [Writer(on_disk=True) for _ in range(4)]
    for writer in writers:
        past.add("Nyan", writer, 100)

    assert past.sweep(101) == writers[:1]
    assert [1, 1, 0, 0] == [each.cooled for each in writers]
    assert ENDED_MAX < PAST_MAX
