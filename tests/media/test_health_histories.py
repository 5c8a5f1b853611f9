import asyncio

import pytest

from db.errors import StoreUnavailable
from media.broadcast import State
from media.health_histories import HealthHistories
from media.stream_health import Look
from tests.media.test_verdicts import WELL


class Air:
    """What the histories see of the broadcasts."""

    def __init__(self):
        self.going = {}

    def on_air(self):
        return dict(self.going)

    def look(self, channel_id):
        report = WELL if channel_id in self.going else None
        return Look(state=State.LIVE, renditions=("source",), encoded=False, refused=False, report=report)


async def seven(channels):
    return {channel_id: 7 for channel_id in channels if channel_id == 1}


async def test_each_broadcast_has_a_history_while_it_is_on_air():
    air = Air()
    histories = HealthHistories(air, seven)
    await histories.sample()
    assert histories.of(1) is None

    air.going = {1: 100, 2: 200}
    await histories.sample()
    await histories.sample()
    assert histories.of(1).since(0).viewers == (7, 7)
    assert histories.of(2).since(0).viewers == (0, 0)
    assert histories.of(1).since(0).kilobits == (4160, 4160)

    air.going = {1: 101}
    await histories.sample()
    assert histories.of(1).since(0).viewers == (7,)
    assert histories.of(2) is None


async def test_each_count_is_told_by_the_broadcasts_and_what_is_not_known_too():
    air, told = Air(), []
    histories = HealthHistories(air, seven, told.append)
    await histories.sample()
    air.going = {1: 100, 2: 200}
    await histories.sample()
    await HealthHistories(air, away, told.append).sample()

    assert told == [{}, {100: 7, 200: 0}, {100: None, 200: None}]


async def away(_channels):
    raise StoreUnavailable("away")


async def hung(_channels):
    await asyncio.Event().wait()


@pytest.mark.parametrize("count", [away, hung])
async def test_while_nobody_can_count_the_viewers_the_rest_goes_on(monkeypatch, caplog, count):
    monkeypatch.setattr("media.health_histories.VIEWERS_SECONDS_MAX", 0.05)
    air = Air()
    air.going = {1: 100}
    histories = HealthHistories(air, count)
    async with asyncio.timeout(60):
        await histories.sample()

    assert (histories.of(1).since(0).viewers, histories.of(1).since(0).frames) == ((None,), (30,))
    assert "viewers_unknown" in caplog.text
