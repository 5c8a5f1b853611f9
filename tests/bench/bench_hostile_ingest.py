"""What strangers can do to those who publish: delay from an encoder's send to our sink, in peace and under each attack.

    python tests/bench/bench_hostile_ingest.py [--seconds 6] [--streams 4] [--loop uvloop]

Encoders send a picture every 33 ms that says when it was sent. Meanwhile, from a process of its own: 500 half
handshakes that are held open and renewed; garbage, a new connection as soon as the last was cut; commands that try
AMF's depth, counts, lengths and references; chunks of two gigabytes in messages of eight megabytes that never end; and
wrong keys. For each: how many connections were tried, the delay of the encoders' pictures (half a beat of 25 ms is the
least it can be on average), the server's CPU and resident size. No encoder may lose its connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.rtmp_ingest.errors import Refused  # noqa: E402
from media.rtmp_ingest.publishers import TAKEN  # noqa: E402
from tests.media.rtmp_ingest.publisher import C0_C1, C2, Client, chunk  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE_SECONDS = 1 / 30
PICTURE_BYTES = 20_000
HALF_HANDSHAKES = 500
ATTACKERS = 32


# --- the server -------------------------------------------------------------------------------------------------------


class House:
    """Who decides: keys that begin with "good" may publish. Also every sink."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.lost = 0

    async def publish(self, key: str, app: str, cut: Any) -> House:
        if not key.startswith("good"):
            raise Refused("NetStream.Publish.BadName", "unknown stream key")
        return self

    def video(self, timestamp_ms: int, payload: bytes) -> Any:
        (sent,) = struct.unpack_from(">d", payload, 5)
        self.delays.append(time.monotonic() - sent)
        return TAKEN

    audio = video

    def metadata(self, values: dict[str, Any]) -> Any:
        return TAKEN

    async def end(self, clean: bool) -> None:
        self.lost += not clean


async def serve() -> None:
    """Say the port; then answer every line with what has happened since the last one."""
    from media.rtmp_ingest.server import serve as listen  # noqa: PLC0415

    house = House()
    server = await listen("127.0.0.1", 0, house)
    ended, cpu = asyncio.Event(), time.process_time()

    def answer() -> None:
        nonlocal cpu
        if not sys.stdin.readline():
            ended.set()
            return
        now = time.process_time()
        delays, house.delays = house.delays, []
        told = {
            "delays": delays, "cpu": now - cpu, "lost": house.lost, "connections": server.connections,
            "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }  # fmt: skip
        cpu = now
        print(json.dumps(told), flush=True)

    asyncio.get_running_loop().add_reader(sys.stdin, answer)
    print(server.port, flush=True)
    await ended.wait()


# --- those who publish ------------------------------------------------------------------------------------------------


def publish(port: int, streams: int) -> None:
    """Send pictures until the standard input ends."""
    client = Client()
    encoders = []
    for number in range(streams):
        encoder = socket.create_connection(("127.0.0.1", port))
        encoder.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encoder.sendall(client.start(f"good{number}"))
        heard = b""
        while b"NetStream.Publish.Start" not in heard:
            heard += encoder.recv(65_536)
        encoders.append(encoder)
        client = Client()
    clients = [Client() for _ in encoders]
    print("ready", flush=True)
    os.set_blocking(0, False)
    began, number = time.monotonic(), 0
    while sys.stdin.read(1) != "x":
        for encoder, each in zip(encoders, clients, strict=True):
            payload = b"\x27\x01\0\0\0" + struct.pack(">d", time.monotonic()) + bytes(PICTURE_BYTES)
            encoder.sendall(each.video(number * 33, payload))
        number += 1
        time.sleep(max(0.0, began + number * PICTURE_SECONDS - time.monotonic()))


# --- those who attack -------------------------------------------------------------------------------------------------


def hostile_commands() -> list[bytes]:
    client = Client()
    hello = C0_C1 + C2 + client.connect()
    bodies = [
        b"\x03\0\1a" * 5000,  # Depth.
        b"\x0a\xff\xff\xff\xff" + b"\x05" * 60_000,  # Counts.
        b"\x0c\xff\xff\xff\xff",  # Lengths.
        b"\x02\0\1x\0" + bytes(8) + b"\x11\x09\x83\xff\xff\xff\x01" + b"\x0a\x0b\x01" * 2000,  # AMF3.
        b"\x02\0\1x\0" + bytes(8) + b"\x11" + b"\x06\x87\x69" + b"t" * 500 + b"\x06\0" * 4000,  # References.
        b"\x08\0\0\0\0" + b"\0\1a\x05" * 15_000,  # Values.
    ]
    return [hello + client.message(20, body) for body in bodies]


def garbage(number: int) -> bytes:
    return random.Random(number).randbytes(4000) if number % 2 else b"\x03" + random.Random(number).randbytes(9000)


def endless(number: int) -> bytes:
    size = chunk(0, 2, b"\x7f\xff\xff\xff", time=0, type_id=1, stream_id=0)
    return C0_C1 + C2 + size + chunk(0, 6, bytes(900_000), time=0, length=8 * 1024 * 1024 - number % 2)


def wrong_key(number: int) -> bytes:
    return Client().start(f"wrong{number}")


async def attack(name: str, port: int) -> None:
    """Go on until the standard input ends; say how many connections it were."""
    tried, commands = 0, hostile_commands()
    ways: dict[str, Callable[[int], bytes]] = {
        "garbage": garbage,
        "hostile AMF": lambda number: commands[number % len(commands)],
        "endless messages": endless,
        "wrong keys": wrong_key,
        "half handshakes": lambda number: C0_C1[: 1 + number % 1500],
    }
    hold = name == "half handshakes"

    async def one() -> None:
        nonlocal tried
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                tried += 1
                writer.write(ways[name](tried))
                # Until we are cut: at once, or when the server wants the room.
                async with asyncio.timeout(10):
                    while await reader.read(65_536):
                        pass
                writer.transport.abort()
            await asyncio.sleep(0.1 if hold else 0)

    attackers = [asyncio.create_task(one()) for _ in range(HALF_HANDSHAKES if hold else ATTACKERS)]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    print(tried, flush=True)


# --- the measurement --------------------------------------------------------------------------------------------------


def child(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    process.stdin.write("\n")
    return json.loads(process.stdout.readline())


def main(options: argparse.Namespace) -> None:
    server = child("--serve", "--loop", options.loop)
    port = int(server.stdout.readline())
    encoders = child("--publish", port, "--streams", options.streams)
    assert encoders.stdout.readline()
    print(f"{options.streams} encoders, {options.loop}, {options.seconds:g} s each; load {os.getloadavg()[0]:.1f}")
    print(f"{'':>17} {'tried/s':>8} {'p50 ms':>7} {'p95 ms':>7} {'max ms':>7} {'CPU %':>6} {'MiB':>5} {'lost':>5}")
    try:
        for name in ("", "half handshakes", "garbage", "hostile AMF", "endless messages", "wrong keys", ""):
            attackers = child("--attack", name, "--port", port) if name else None
            time.sleep(1)
            ask(server)
            time.sleep(options.seconds)
            told = ask(server)
            tried = 0.0
            if attackers:
                attackers.stdin.close()
                tried = int(attackers.stdout.readline()) / (options.seconds + 1)
                attackers.wait()
            delays = sorted(told["delays"])
            p50, p95 = statistics.median(delays), delays[int(len(delays) * 0.95)]
            cpu = 100 * told["cpu"] / options.seconds
            figures = f"{1000 * p50:>7.1f} {1000 * p95:>7.1f} {1000 * delays[-1]:>7.1f} {cpu:>6.0f}"
            print(f"{name or 'peace':>17} {tried:>8.0f} {figures} {told['kib'] / 1024:>5.0f} {told['lost']:>5}")
            assert told["lost"] == 0, "an encoder has lost its connection"
    finally:
        for process in (encoders, server):
            process.kill()
            process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="uvloop is what the house runs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve and given.loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    elif given.serve:
        asyncio.run(serve())
    elif given.publish:
        publish(given.publish, given.streams)
    elif given.attack:
        asyncio.run(attack(given.attack, given.port))
    else:
        main(given)
