"""Hours of bad encoders, and not one rule of the draft broken for any player (by hand, for longer: check_hours.py)."""

from __future__ import annotations

from media import folder
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.journal import VERSION, Began
from media.hls_writer.writer import Writer
from tests.media.simulation import RUNG, Simulation

BEGAN = Began(VERSION, 3, 7, 0.334, ("source", RUNG), hidden=False)
HOURS = 0.1
WINDOW_SECONDS = 120


def simulation(spool, seed):
    recorder = spool.record(BEGAN, window_seconds=WINDOW_SECONDS)
    return Simulation(Writer(7, BEGAN.renditions, recorder=recorder), spool, seed), recorder


async def test_no_rule_is_broken_through_reconnects_changes_and_jumps(spool):
    simulated, recorder = simulation(spool, 1)
    await simulated.run(HOURS)

    assert simulated.findings == []
    assert simulated.sessions > 1
    assert simulated.looks > 50
    assert sum(entry.duration for entry in recorder.tracks["source"].archive.listed) >= WINDOW_SECONDS * VIDEO_CLOCK


async def test_no_rule_is_broken_on_a_disk_that_is_full_now_and_then(spool, monkeypatch):
    simulated, recorder = simulation(spool, 3)
    real = folder.free_bytes

    def free_bytes(path):
        return 0 if simulated.dice.random() < 0.2 else real(path)

    monkeypatch.setattr(folder, "free_bytes", free_bytes)
    await simulated.run(HOURS)

    assert simulated.findings == []
    assert spool.refused > 0
    assert any(entry.gap for entry in recorder.tracks["source"].archive.listed)
