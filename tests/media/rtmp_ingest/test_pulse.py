from __future__ import annotations

import asyncio

import pytest

from media.rtmp_ingest.pulse import PULSE_SECONDS, Pulse


class Heart:
    """Counts its beats; `happens` waits for one of them."""

    def __init__(self) -> None:
        self.beats = 0
        self._due: dict[int, asyncio.Event] = {}

    def __call__(self) -> None:
        self.beats += 1
        if self.beats in self._due:
            self._due[self.beats].set()

    async def happens(self, beat: int) -> None:
        async with asyncio.timeout(60):
            await self._due.setdefault(beat, asyncio.Event()).wait()


@pytest.fixture
async def pulse():
    return Pulse()


async def test_everybody_is_looked_at_in_every_beat_until_it_leaves(pulse):
    one, two = Heart(), Heart()
    pulse.join(one)
    pulse.join(two)
    await one.happens(2)
    pulse.leave(one)
    await two.happens(4)
    pulse.leave(two)

    assert (one.beats, two.beats) == (2, 4)


async def test_who_leaves_in_a_beat_is_not_missed_by_the_others(pulse):
    one, two = Heart(), Heart()

    def leaves() -> None:
        one()
        pulse.leave(leaves)

    pulse.join(leaves)
    pulse.join(two)
    await two.happens(2)
    pulse.leave(two)

    assert one.beats == 1


async def test_nobody_left_is_no_timer_left(pulse):
    heart = Heart()
    pulse.join(heart)
    pulse.join(heart)
    pulse.leave(heart)
    pulse.leave(heart)

    assert pulse._timer is None
    pulse.join(heart)
    await heart.happens(1)
    pulse.leave(heart)

    assert pulse._timer is None


async def test_a_late_beat_is_not_made_up_for(pulse):
    """After a pause of the process beats come one by one again, not all that were missed at once."""
    loop = asyncio.get_running_loop()
    heart = Heart()
    pulse.join(heart)
    pulse._next(loop.time() - 100 * PULSE_SECONDS)
    await heart.happens(1)

    assert pulse._due >= loop.time() - PULSE_SECONDS
    pulse.leave(heart)
