"""Shell: the outbox: what was committed with the money waits until its room has it."""

from __future__ import annotations

import pytest

from db import alerts as alerts_module
from db.alerts import Alert, Alerts
from db.transfer import InsufficientPoints


async def test_an_accepted_donations_alert_waits_until_it_is_published(pool, people, ledger, gift):
    alerts = Alerts(pool)
    donor, streamer = await people(2, 300)
    for number in range(3):
        await ledger.give(gift(donor, streamer), b"alert %d" % number)
    with pytest.raises(InsufficientPoints):
        await ledger.give(gift(donor, streamer), b"never")
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM donation WHERE status = 1 ORDER BY id")]

    waiting = await alerts.pending()
    assert [Alert(ids[n], streamer, b"alert %d" % n) for n in range(3)] == waiting
    assert waiting == await alerts.pending()  # asking does not take
    assert waiting[:2] == await alerts.pending(2)

    await alerts.published(ids[:2])
    await alerts.published(ids[:2])
    assert waiting[2:] == await alerts.pending()
    await alerts.published([])
    await alerts.published(ids[2:])
    assert [] == await alerts.pending()


async def test_a_retry_makes_no_second_alert(pool, people, ledger, gift):
    alerts = Alerts(pool)
    donor, streamer = await people(2, 300)
    given = gift(donor, streamer)
    await ledger.give(given, b"first")
    await ledger.give(given, b"second")
    assert [b"first"] == [alert.payload for alert in await alerts.pending()]

    await alerts.published([alert.donation_id for alert in await alerts.pending()])
    await ledger.give(given, b"third")
    assert [] == await alerts.pending()


async def test_a_round_has_a_largest_size(pool, people, ledger, gift, monkeypatch):
    monkeypatch.setattr(alerts_module, "ALERTS_MAX", 2)
    donor, streamer = await people(2, 300)
    for _ in range(3):
        await ledger.give(gift(donor, streamer), b"{}")

    assert 2 == len(await Alerts(pool).pending(100))
