"""A thousand streams that are cancelled at any moment: before the first item, between two, after the last, twice.

One seed, one socket, twenty streams at a time whose frames are shuffled into each other. What must hold whatever comes
first: no more items than were asked for, one end at most, silence after CANCEL, and nothing left behind.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload

from rsocket_server.doors import Door
from tests.rsocket_server.script import (
    COMPLETE,
    ERROR,
    PAYLOAD,
    STREAM,
    Client,
    cancel,
    request,
    request_n,
)

STREAMS = 1_000
AT_ONCE = 20
CREDIT_MAX = 5


class Source(DefaultPublisher, DefaultSubscription):
    """Gives items as they are asked for, each after some turns of the loop, and ends as it was told."""

    def __init__(self, living: set[Source], items: int, end: str, turns: int) -> None:
        self._living = living
        self._items = items
        self._end = end
        self._turns = turns
        self._credit = 0
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, subscriber: Any) -> None:
        self._living.add(self)
        self._subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        self._credit += n
        if self._task is None:
            self._task = asyncio.create_task(self._give())

    def cancel(self) -> None:
        self._living.discard(self)
        if self._task is not None:
            self._task.cancel()

    async def _give(self) -> None:
        while self._items and self._credit:
            for _ in range(self._turns):
                await asyncio.sleep(0)
            self._items -= 1
            self._credit -= 1
            self._subscriber.on_next(Payload(b"item"))
        self._task = None
        if not self._items and self._end != "stays":
            self._living.discard(self)
            if self._end == "completes":
                self._subscriber.on_complete()
            else:
                self._subscriber.on_error(ValueError("our own words"))


def script_of(die: random.Random, stream_id: int) -> tuple[list[bytes], int, bool]:
    """What is sent on one stream, in its order; how many items that asks for; whether it cancels."""
    plan = {
        "waits": die.randrange(4),
        "items": die.randrange(6),
        "end": die.choice(["completes", "fails", "stays"]),
        "turns": die.randrange(3),
    }
    n = die.randint(1, CREDIT_MAX)
    messages = [request(STREAM, stream_id, "race", json.dumps(plan).encode(), n=n)]
    for _ in range(die.randrange(3)):
        more = die.randint(1, CREDIT_MAX)
        messages.append(request_n(stream_id, more))
        n += more
    cancels = die.random() < 0.8
    if cancels:
        place = die.randint(1, len(messages))
        messages[place:place] = [cancel(stream_id)] * die.choice([1, 1, 2])
    return messages, n, cancels


def shuffled(die: random.Random, scripts: list[list[bytes]]) -> list[bytes]:
    """One order of all messages that keeps the order of each script."""
    order = [number for number, script in enumerate(scripts) for _ in script]
    die.shuffle(order)
    waiting = [iter(script) for script in scripts]
    return [next(waiting[number]) for number in order]


async def test_a_thousand_cancels_at_any_moment(house: Any, connect: Any) -> None:
    die = random.Random(20261126)
    living: set[Source] = set()

    async def race(_caller: Any, data: bytes) -> Source:
        plan = json.loads(data)
        for _ in range(plan["waits"]):
            await asyncio.sleep(0)
        return Source(living, plan["items"], plan["end"], plan["turns"])

    server = await house(Door("race", "stream", False, race))
    client: Client = await connect(server)
    for first in range(0, STREAMS, AT_ONCE):
        ids = [2 * number + 1 for number in range(first, first + AT_ONCE)]
        scripts = {stream_id: script_of(die, stream_id) for stream_id in ids}
        for message in shuffled(die, [messages for messages, _, _ in scripts.values()]):
            await client.send(message)
            if die.random() < 0.3:
                await asyncio.sleep(0)
        await client.settled()
        before = len(client.frames)
        await client.send(*(cancel(stream_id) for stream_id, (_, _, cancels) in scripts.items() if not cancels))
        await client.settled()

        for stream_id, (_, credit, _) in scripts.items():
            came = [seen for seen in client.frames if seen.stream_id == stream_id]
            items = [seen for seen in came if seen.kind == PAYLOAD and seen.body]
            ends = [seen for seen in came if seen.kind == ERROR or (seen.kind == PAYLOAD and seen.flags & COMPLETE)]
            assert len(items) <= credit
            assert len(ends) <= 1
            assert ends == came[-1:] or not ends
            assert all(seen.data == b"internal" for seen in came if seen.kind == ERROR)
        late = {seen.stream_id for seen in client.frames[before:]}
        assert late.isdisjoint(stream_id for stream_id, (_, _, cancels) in scripts.items() if cancels)
        assert living == set()
        client.frames.clear()
