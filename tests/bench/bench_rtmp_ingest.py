"""Server CPU for each second of a published stream: our RTMP ingest beside a sink that only reads bytes, in one run.

    python tests/bench/bench_rtmp_ingest.py [--streams 20] [--seconds 2] [--rounds 3] [--mbits 5] [--loop uvloop]

N encoders, in a process of their own, publish as a live encoder does: 30 pictures and 47 packets of audio a second,
each written when it is due, not before; every message was put together beforehand. `ours` is media.rtmp_ingest.server
with a sink that counts payloads; `floor` is an asyncio protocol that counts the bytes of the same messages and answers
nothing: what the loop and the kernel ask for being told of them at all. Each server is a process that lives through all
rounds, takes them in turn with the other, and reads its own user and system time; what arrived must be what was sent.
A last pair of rows sends the same without waiting for the time (the cost of a byte when reads are large).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.media.rtmp_ingest.publisher import Client  # noqa: E402

SERVERS = ("floor", "ours")
CHUNK_BYTES = (4096, 128)
PICTURES_SECOND = 30
PICTURES_INTERVAL = 60
PACKETS_SECOND = 48_000 / 1024
PACKET_BYTES = 340  # 128 kbit/s
KEY_TO_OTHER = 6  # How many times larger a keyframe is than another picture.
ARRIVE_SECONDS_MAX = 30


# --- the servers ------------------------------------------------------------------------------------------------------


class Tally:
    count = 0


class CountingSink(Tally):
    """Also the one who decides: everybody may publish."""

    async def publish(self, key: str, app: str, cut: Any) -> CountingSink:
        return self

    async def video(self, timestamp_ms: int, payload: bytes) -> None:
        self.count += len(payload)

    async def audio(self, timestamp_ms: int, payload: bytes) -> None:
        self.count += len(payload)

    async def metadata(self, values: dict[str, Any]) -> None:
        pass

    async def end(self, clean: bool) -> None:
        pass


class ByteSink(asyncio.Protocol):
    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def data_received(self, data: bytes) -> None:
        self._tally.count += len(data)


async def serve(name: str) -> None:
    """Say the port; then answer every line of the standard input with the count and the CPU seconds so far."""
    loop = asyncio.get_running_loop()
    if name == "ours":
        from media.rtmp_ingest.server import serve as listen  # noqa: PLC0415

        tally: Tally = CountingSink()
        port = (await listen("127.0.0.1", 0, tally)).port
    else:
        tally = Tally()
        listener = await loop.create_server(lambda: ByteSink(tally), "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]

    ended = asyncio.Event()

    def answer() -> None:
        if sys.stdin.readline():
            print(tally.count, time.process_time(), flush=True)
        else:
            ended.set()

    loop.add_reader(sys.stdin, answer)
    print(port, flush=True)
    await ended.wait()


# --- the encoders -----------------------------------------------------------------------------------------------------


def film(client: Client, seconds: float, mbits: float) -> list[tuple[float, int, bytes]]:
    """(due, payload bytes, message) of one stream, in the order of time."""
    rng = random.Random(1)
    video_bytes = mbits * 1e6 / 8 - PACKETS_SECOND * PACKET_BYTES
    picture_bytes = video_bytes / PICTURES_SECOND * PICTURES_INTERVAL / (PICTURES_INTERVAL - 1 + KEY_TO_OTHER)
    messages = []
    for index in range(int(seconds * PICTURES_SECOND)):
        due, key = index / PICTURES_SECOND, not index % PICTURES_INTERVAL
        payload = (b"\x17" if key else b"\x27") + b"\x01\0\0\0"
        payload += rng.randbytes(int(picture_bytes * (KEY_TO_OTHER if key else 1)))
        messages.append((due, len(payload), client.video(int(due * 1000), payload)))
    for index in range(int(seconds * PACKETS_SECOND)):
        due = index / PACKETS_SECOND
        payload = b"\xaf\x01" + rng.randbytes(PACKET_BYTES)
        messages.append((due, len(payload), client.audio(int(due * 1000), payload)))
    return sorted(messages)


def join(port: int, hello: bytes, *, answered: bool) -> socket.socket:
    encoder = socket.create_connection(("127.0.0.1", port))
    encoder.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    encoder.sendall(hello)
    heard = b""
    while answered and b"NetStream.Publish.Start" not in heard:
        heard += (more := encoder.recv(65_536))
        assert more, "the server hung up"
    return encoder


def push(options: argparse.Namespace) -> None:
    """Join all encoders, say what will be sent, wait for a line, send it all at its time, say how late that was."""
    client = Client()
    hello = client.start() + client.chunk_size(options.chunk)
    messages = film(client, options.seconds, options.mbits)
    encoders = [join(options.push, hello, answered=options.answered) for _ in range(options.streams)]
    step = 1 / PICTURES_SECOND / options.streams  # Encoders of strangers do not tick together.
    plan = sorted(
        (due + index * step, index, message) for due, _, message in messages for index in range(options.streams)
    )
    sizes = (len(hello), sum(size for _, size, _ in messages), sum(len(message) for *_, message in messages))
    print(*(size * options.streams for size in sizes), flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for due, index, message in plan:
        if not options.at_once and (wait := began + due - time.monotonic()) > 0:
            time.sleep(wait)
        encoders[index].sendall(message)
    print(time.monotonic() - began - plan[-1][0], flush=True)
    sys.stdin.readline()
    for encoder in encoders:
        encoder.close()


# --- the measurement --------------------------------------------------------------------------------------------------


class Child:
    """This file again, in another role; a conversation by lines."""

    def __init__(self, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def hear(self) -> list[str]:
        line = self._process.stdout.readline()
        assert line, "the child has died"
        return line.split()

    def say(self) -> None:
        self._process.stdin.write("\n")
        self._process.stdin.flush()


class Server(Child):
    def __init__(self, name: str, loop: str) -> None:
        super().__init__("--serve", name, "--loop", loop)
        self.name = name
        self.port = int(self.hear()[0])
        self._due = 0

    def cpu_seconds(self, more: int) -> float:
        """CPU seconds so far, when `more` bytes (payload: ours, all: floor) than the last time have been counted."""
        self._due += more
        deadline = time.monotonic() + ARRIVE_SECONDS_MAX
        while True:
            self.say()
            count, cpu = self.hear()
            assert int(count) <= self._due
            if int(count) == self._due:
                return float(cpu)
            assert time.monotonic() < deadline, f"{self.name} has {count} of {self._due} bytes"
            time.sleep(0.02)


def measure(
    server: Server, options: argparse.Namespace, chunk: int, *, at_once: bool = False, seconds: float | None = None
) -> tuple[float, float]:
    """CPU ms of the server for each second of one stream; and how many seconds late the encoders were at the end."""
    seconds = seconds or options.seconds
    arguments: list[object] = ["--push", server.port, "--chunk", chunk, "--streams", options.streams]
    arguments += ["--seconds", seconds, "--mbits", options.mbits]
    arguments += ["--answered"] * (server.name == "ours") + ["--at-once"] * at_once
    with Child(*arguments) as encoders:
        hello, payload, wire = map(int, encoders.hear())
        before = server.cpu_seconds(hello if server.name == "floor" else 0)
        encoders.say()
        late = float(encoders.hear()[0])
        used = server.cpu_seconds(wire if server.name == "floor" else payload) - before
    return 1000 * used / (seconds * options.streams), late


def main(options: argparse.Namespace) -> None:
    print(
        f"{options.streams} streams of {options.mbits:g} Mbit/s, {options.loop},"
        f" median of {options.rounds} rounds of {options.seconds:g} s"
    )
    print(f"{'chunk':>5} {'pace':>9} {'floor ms/s':>11} {'ours ms/s':>10} {'ours / floor':>13} {'streams a core':>15}")
    rows: dict[tuple[int, bool], dict[str, list[float]]] = {
        (chunk, at_once): {name: [] for name in SERVERS} for at_once in (False, True) for chunk in CHUNK_BYTES
    }
    latest = 0.0
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(name, options.loop)) for name in SERVERS]
        for server in servers:  # Warm.
            measure(server, options, CHUNK_BYTES[0], at_once=True, seconds=1)
        for _ in range(options.rounds):  # In turn, so that a noisy minute meets both.
            for (chunk, at_once), row in rows.items():
                for server in servers:
                    cost, late = measure(server, options, chunk, at_once=at_once)
                    row[server.name].append(cost)
                    latest = latest if at_once else max(latest, late)
    for (chunk, at_once), row in rows.items():
        ratio = statistics.median(ours / floor for floor, ours in zip(row["floor"], row["ours"], strict=True))
        floor, ours = (statistics.median(row[name]) for name in SERVERS)
        pace = "at once" if at_once else "real time"
        print(f"{chunk:>5} {pace:>9} {floor:>11.2f} {ours:>10.2f} {ratio:>12.1f}x {1000 / ours:>15.0f}")
    print(f"In real time the encoders ended {1000 * latest:.0f} ms late at most.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mbits", type=float, default=5.0)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="uvloop is what the house runs")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--push", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--chunk", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--answered", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--at-once", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve and given.loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(given.serve))
    elif given.serve:
        asyncio.run(serve(given.serve))
    elif given.push:
        push(given)
    else:
        main(given)
