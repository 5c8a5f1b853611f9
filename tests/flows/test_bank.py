"""The bank test in small: tests/bench/bank.py is the same with 20,000 donations and 20 kills."""

from __future__ import annotations

import bank


async def test_nothing_acknowledged_is_lost_and_nothing_is_applied_twice(tmp_path):
    outcome = await bank.run(tmp_path, donations=300, kills=["postgres", "node", "backend"], durable=False)

    assert [] == outcome.faults
    assert {"postgres": 1, "node": 1, "backend": 1} == outcome.kills
    assert {"left", "insufficient", "off_air"} == set(outcome.answers)
    assert outcome.audits >= 4
