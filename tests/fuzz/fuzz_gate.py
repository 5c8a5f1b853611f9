"""A stranger's frames at the gate, and at a whole connection behind it: by chance, broken, and in any order.

    nice python tests/fuzz/fuzz_gate.py [--frames 1000000] [--seed 1]

The law of the gate: each message gets a verdict; what is allowed and what is written the codec can read; once closed
nothing passes; streams and fragments keep to their limits. The law of a connection: no error but a
documented one, none of them logged as ours; when it has gone, no task, no stream
and no watch is left of it. What breaks the law ends the run and is printed with the seed and the number that bring it
back. Memory must not grow: the resident size is looked at when a tenth is done, and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rsocket.frame import parse_or_ignore  # noqa: E402
from rsocket.helpers import DefaultPublisher, DefaultSubscription  # noqa: E402
from rsocket.payload import Payload  # noqa: E402

from rsocket_server import limits  # noqa: E402
from rsocket_server.connection import Connection  # noqa: E402
from rsocket_server.doors import Door, Entrance, table  # noqa: E402
from rsocket_server.frame_budget import FrameBudget  # noqa: E402
from rsocket_server.gate import Allow, Answer, Ask, Close, Drop, Gate, State  # noqa: E402
from tests.fuzz.fuzz_media import EDGES, resident_kib  # noqa: E402
from tests.rsocket_server import gate_table, script  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROWTH_KIB_MAX = 64 * 1024
CONVERSATION_FRAMES_MAX = 64
# One conversation in so many goes to a whole connection, which costs thirty times what the gate does.
CONNECTION_EVERY = 16
KNOWN = list({message: None for case in gate_table.CASES for message in case.messages if len(message) < 400})
ROUTES = ("now", "late", "broken", "items", "echo", "nothing", "wait")
KINDS = (script.RESPONSE, script.FNF, script.STREAM, script.CHANNEL)


# --- messages ---------------------------------------------------------------------------------------------------------


def conversation(chance: Random) -> Iterator[bytes]:
    """Make a stranger's messages: mostly a good SETUP and then anything."""
    if chance.random() < 0.9:
        yield script.setup(metadata=script.bearer(b"token of nabi") if chance.random() < 0.5 else None)
    for _ in range(chance.randrange(1, CONVERSATION_FRAMES_MAX)):
        match chance.randrange(8):
            case 0:
                yield chance.randbytes(chance.randrange(40))
            case 1:
                yield chance.choice(KNOWN)
            case 2:
                yield broken(chance, chance.choice(KNOWN))
            case 3:
                yield broken(chance, sensible(chance))
            case _:
                yield sensible(chance)


def sensible(chance: Random) -> bytes:
    """Make what a client might say, on one of a few streams so that they meet."""
    stream_id = chance.choice((1, 3, 5, 7, 9, 11, 2, 0))
    flags = script.FOLLOWS if chance.random() < 0.15 else 0
    match chance.randrange(7):
        case 0 | 1 | 2:
            kind, route = chance.choice(KINDS), chance.choice(ROUTES)
            n = chance.choice((1, 2, 5, 1000, 2**31 - 1, 0))
            return script.request(kind, stream_id, route, chance.randbytes(chance.randrange(9)), n=n, flags=flags)
        case 3:
            return script.payload(stream_id, b"p", flags=chance.choice((0, script.NEXT, script.COMPLETE)) | flags)
        case 4:
            return script.request_n(stream_id, chance.choice((1, 3, 2**31 - 1, 2**31, 0)))
        case 5:
            return script.cancel(stream_id)
        case _:
            return chance.choice(
                (script.keepalive(b"k"), script.error(stream_id, chance.choice((0x201, 0x203, 0x777))))
            )


def broken(chance: Random, message: bytes) -> bytes:
    """Flip, cut, double and stretch."""
    data = bytearray(message)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(5):
            case 0 if data:
                data[at] = chance.randrange(256)
            case 1:
                del data[at:]
            case 2:
                size = chance.choice((1, 2, 3, 4))
                data[at : at + size] = (chance.choice(EDGES) & 2 ** (8 * size) - 1).to_bytes(size)
            case 3:
                data[at:at] = data[at : at + chance.randrange(16)]
            case _:
                data += chance.randbytes(chance.randrange(8))
    return bytes(data)


# --- the gate ---------------------------------------------------------------------------------------------------------


def at_the_gate(chance: Random) -> tuple[int, int]:
    """Hold one conversation with a gate; answer how many frames it had and how many passed."""
    now, gate, frames, passed = 0.0, Gate(0.0), 0, 0
    for message in conversation(chance):
        if gate.state is State.CLOSED and chance.random() < 0.5:
            break
        frames += 1
        now += chance.choice((0.0, 0.0, 0.1, 8.0))
        was_closed = gate.state is State.CLOSED
        verdict = gate.receive(message, now)
        match verdict:
            case Allow(frame):
                passed += 1
                parsed = parse_or_ignore(frame)
                assert parsed is not None
                assert parsed.stream_id % 2 == 1
            case Answer(frame):
                assert parse_or_ignore(frame) is not None
            case Close(frame):
                assert not frame or parse_or_ignore(frame) is not None
                assert gate.state is State.CLOSED
            case Ask():
                gate.accept(now) if chance.random() < 0.95 else gate.reject(3, b"no")
            case _:
                assert isinstance(verdict, Drop)
        assert not was_closed or isinstance(verdict, Drop)
        if chance.random() < 0.1:
            gate.finished(chance.choice((1, 3, 5, 7)))
        if chance.random() < 0.05:
            closing = gate.tick(now)
            assert closing is None or gate.state is State.CLOSED
        assert gate.streams <= limits.STREAMS_MAX
        assert gate.reassembly_bytes <= limits.REASSEMBLY_BYTES_MAX
    return frames, passed


# --- a whole connection -----------------------------------------------------------------------------------------------


class Line:
    """A socket of which one end is here: what is written is read back at once, by the library's codec."""

    def __init__(self) -> None:
        self.paused = False
        self.waiting_bytes = 0
        self.items: dict[int, int] = {}
        self.shut = False

    def write(self, message: bytes) -> None:
        assert not self.shut
        at = 0
        while at < len(message):  # WebSocket messages of a server, joined; none is longer than 125 or 65,535 bytes.
            length, head = (
                (message[at + 1], 2) if message[at + 1] < 126 else (int.from_bytes(message[at + 2 : at + 4]), 4)
            )
            frame = script.seen(message[at + head : at + head + length])
            assert parse_or_ignore(message[at + head : at + head + length]) is not None
            if frame.kind == script.PAYLOAD and frame.flags & script.NEXT:
                self.items[frame.stream_id] = self.items.get(frame.stream_id, 0) + 1
            at += head + length

    async def writable(self) -> None:
        return

    def shutdown(self, _code: int) -> None:
        self.shut = True

    def abort(self) -> None:
        self.shut = True


class Items(DefaultPublisher, DefaultSubscription):  # type: ignore[misc]
    """Sends as many as are asked for, up to eight, and counts who still listens."""

    listening = 0

    def __init__(self) -> None:
        self._left = 8
        self._over = True

    def subscribe(self, subscriber: Any) -> None:
        self._subscriber = subscriber
        self._over = False
        Items.listening += 1
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        while n > 0 and self._left and not self._over:
            n -= 1
            self._left -= 1
            self._subscriber.on_next(Payload(b"item"))
        if not self._left:
            self._end()

    def cancel(self) -> None:
        if not self._over:
            self._over = True
            Items.listening -= 1

    def _end(self) -> None:
        if not self._over:
            self.cancel()
            self._subscriber.on_complete()


class Swallow:
    """A channel's inbound side."""

    def on_subscribe(self, subscription: Any) -> None:
        subscription.request(3)

    def on_next(self, _value: Any, is_complete: bool = False) -> None:
        if is_complete:
            self.on_complete()

    def on_complete(self) -> None:
        """Nothing."""

    def on_error(self, _exception: Exception) -> None:
        """Nothing."""


def entrance() -> Entrance:
    """Make doors that answer at once, later, never and with an error of their own."""

    async def now(_caller: Any, data: bytes) -> bytes:
        return data

    async def late(_caller: Any, data: bytes) -> bytes:
        for _ in range(3):
            await asyncio.sleep(0)
        return data

    async def broken(_caller: Any, _data: bytes) -> bytes:
        await asyncio.sleep(0)
        raise RuntimeError(script.SECRET)

    async def items(_caller: Any, _data: bytes) -> Items:
        return Items()

    async def echo(_caller: Any, _data: bytes) -> tuple[Items, Swallow]:
        await asyncio.sleep(0)
        return Items(), Swallow()

    async def wait(_caller: Any, _data: bytes) -> Any:
        await asyncio.Event().wait()

    doors = [Door(name, "response", False, handle) for name, handle in (("now", now), ("late", late), ("wait", wait))]
    doors += [Door(name, kind, False, handle) for name, kind, handle in (("now", "fire_and_forget", now),)]
    doors += [Door("broken", kind, False, broken) for kind in ("response", "stream", "channel", "fire_and_forget")]
    doors += [Door("items", "stream", False, items), Door("echo", "channel", False, echo)]
    doors += [Door("wait", kind, False, wait) for kind in ("stream", "channel")]
    return Entrance(table(doors), script.verify, script.translate)


def race(chance: Random) -> Iterator[bytes]:
    """Make requests and everything that may overtake their answers, in any order."""
    yield script.setup()
    for stream_id in (1, 3):
        kind = chance.choice((script.RESPONSE, script.STREAM, script.CHANNEL))
        yield script.request(kind, stream_id, chance.choice(ROUTES), n=chance.choice((1, 3, 2**31 - 1)))
        said = [script.cancel(stream_id), script.cancel(stream_id), script.request_n(stream_id, 2)]
        said += [script.payload(stream_id, flags=script.COMPLETE), script.error(stream_id, 0x201)]
        yield from chance.sample(said, chance.randrange(1, len(said)))


async def at_a_connection(
    chance: Random, house: Entrance, talk: Callable[[Random], Iterator[bytes]] = conversation
) -> tuple[int, int]:
    """Hold one conversation with a connection, lose it in the middle of something, and see that nothing is left."""
    line, before = Line(), asyncio.all_tasks()
    now = asyncio.get_running_loop().time
    connection = Connection(line, house, now, FrameBudget(now()))
    frames = 0
    for message in talk(chance):
        frames += 1
        answering = connection.receive(message)
        if answering is not None:
            await answering
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        if line.shut:
            break
    served = sum(line.items.values())
    if chance.random() < 0.3:
        connection.close_house()
    connection.lost()
    for task in connection._tasks:
        task.cancel()
    await connection.settle()
    await asyncio.sleep(0)
    assert connection.gate.streams == 0
    assert not connection._attached
    assert not connection._stream_control._streams
    assert Items.listening == 0, Items.listening
    left = asyncio.all_tasks() - before
    assert not left, left
    return frames, served


class Complaints(logging.Handler):
    """What is logged as our own fault breaks the law."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


# --- the run ----------------------------------------------------------------------------------------------------------


async def fuzz(frames: int, seed: int, *, say: Callable[[str], Any] = lambda _: None) -> dict[str, list[int]]:
    """Answer for gate and connection how many frames each got and how many had an effect."""
    complaints, loop = Complaints(), asyncio.get_running_loop()
    logging.getLogger().addHandler(complaints)
    loop.set_exception_handler(lambda _loop, context: complaints.heard.append(str(context)))
    house, done, number = entrance(), 0, 0
    counts = {"gate": [0, 0], "connection": [0, 0]}
    tenth = max(1, frames // 10)
    try:
        while done < frames:
            number += 1
            name = "gate" if number % CONNECTION_EVERY else "connection"
            # Each conversation is made by a number of its own, so that one can be had again without the others.
            chance = Random(f"{seed} {number}")
            try:
                had, passed = at_the_gate(chance) if name == "gate" else await at_a_connection(chance, house)
                assert not complaints.heard, complaints.heard
            except BaseException:
                say(f"conversation {number} of seed {seed} breaks the {name}")
                raise
            counts[name][0] += had
            counts[name][1] += passed
            if (done + had) // tenth > done // tenth:
                say(f"{done + had} frames, {resident_kib()} KiB")
            done += had
    finally:
        logging.getLogger().removeHandler(complaints)
        loop.set_exception_handler(None)
    return counts


async def main(options: argparse.Namespace) -> None:
    began, sizes = time.monotonic(), []

    def say(words: str) -> None:
        sizes.append(resident_kib())
        print(words, flush=True)

    if options.only is not None:
        chance = Random(f"{options.seed} {options.only}")
        print(
            await at_a_connection(chance, entrance()) if options.only % CONNECTION_EVERY == 0 else at_the_gate(chance)
        )
        return
    counts = await fuzz(options.frames, options.seed, say=say)
    for name, (had, passed) in counts.items():
        print(f"{name:>10} {had:>8} frames, {passed} {'passed' if name == 'gate' else 'items sent'}")
    print(f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    growth = sizes[-1] - sizes[0]
    print(f"resident size: {sizes[0]} KiB after a tenth, {sizes[-1]} KiB at the end")
    assert growth < GROWTH_KIB_MAX, f"{growth} KiB more at the end"


if __name__ == "__main__":
    logging.getLogger("commeow").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one conversation, to see it break again")
    asyncio.run(main(parser.parse_args()))
