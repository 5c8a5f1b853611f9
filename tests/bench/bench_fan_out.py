"""Server CPU for each line delivered to N watchers: our rsocket_server beside stock rsocket-py, in one run.

    python tests/bench/bench_fan_out.py [--watchers 200] [--seconds 2] [--runs 3] [--loop asyncio|uvloop]

Each server is a process of its own; N raw WebSocket clients of this process watch one stream with unbounded credit, and
one more publishes lines of 150 bytes by fire-and-forget: one in flight (a line is sent when the last watcher has the
one before), then 16. CPU is the server's own user and system time, divided by what arrived; a row is the median of the
runs. The bus is not in it: both servers fan out inside one process. The floor is a bare loop of send() to as many
sockets: what the kernel alone asks for a delivery that is not joined with others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.rsocket_server.script import FNF, STREAM, UNBOUNDED, request, setup  # noqa: E402

LINE_BYTES = 150
IN_FLIGHT = (1, 16)
TICKS_SECOND = os.sysconf("SC_CLK_TCK")


# --- the servers ------------------------------------------------------------------------------------------------------


async def serve_ours() -> int:
    from rsocket_server.doors import Door  # noqa: PLC0415
    from rsocket_server.room import Room  # noqa: PLC0415
    from rsocket_server.server import serve  # noqa: PLC0415
    from rsocket_server.viewer_stream import Fanout, Watch  # noqa: PLC0415

    fanout = Fanout(1, Room(), lambda *_: b"gap")

    async def watch(_caller: Any, _data: bytes) -> Watch:
        return Watch(fanout, None, None, 0)

    async def say(_caller: Any, data: bytes) -> None:
        fanout.room.add(fanout.room.log.head + 1, data)
        fanout.wake()

    server = await serve(
        doors=[Door("watch", "stream", False, watch), Door("say", "fire_and_forget", False, say)],
        verify=lambda _token: None,
        translate=lambda _error: (0x201, b""),
        origins=frozenset(),
        host="127.0.0.1",
        port=0,
    )
    return server.port


async def serve_stock() -> int:
    """Serve as rsocket-py's documentation does: a queue a viewer, StreamFromAsyncGenerator, its aiohttp handler."""
    from aiohttp import web  # noqa: PLC0415
    from rsocket.payload import Payload  # noqa: PLC0415
    from rsocket.routing.request_router import RequestRouter  # noqa: PLC0415
    from rsocket.routing.routing_request_handler import RoutingRequestHandler  # noqa: PLC0415
    from rsocket.streams.stream_from_async_generator import StreamFromAsyncGenerator  # noqa: PLC0415
    from rsocket.transports.aiohttp_websocket import websocket_handler_factory  # noqa: PLC0415

    router, queues = RequestRouter(), set()

    @router.stream("watch")
    async def watch(_payload: Payload, composite_metadata: Any) -> Any:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.add(queue)

        async def lines() -> Any:
            while True:
                yield Payload(await queue.get()), False

        return StreamFromAsyncGenerator(lines)

    @router.fire_and_forget("say")
    async def say(payload: Payload, composite_metadata: Any) -> None:
        data = bytes(payload.data)
        for queue in queues:
            queue.put_nowait(data)

    app = web.Application()
    app.router.add_get("/rsocket", websocket_handler_factory(handler_factory=lambda: RoutingRequestHandler(router)))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


SERVERS = {"ours": serve_ours, "stock": serve_stock}


def run_server(name: str, loop: str) -> None:
    async def main() -> None:
        print(await SERVERS[name](), flush=True)
        await asyncio.Event().wait()

    if loop == "uvloop":
        import uvloop  # noqa: PLC0415

        uvloop.run(main())
    else:
        asyncio.run(main())


# --- the watchers -----------------------------------------------------------------------------------------------------


def masked(message: bytes) -> bytes:
    """A client's WebSocket message, with a mask of zeros."""
    head = bytes([0x82, 0x80 | len(message)]) if len(message) < 126 else b"\x82\xfe" + len(message).to_bytes(2)
    return head + bytes(4) + message


class Watcher(asyncio.Protocol):
    """Counts the PAYLOADs that come, by walking WebSocket headers only."""

    def __init__(self, tally: Tally, first: bytes) -> None:
        self.tally = tally
        self.first = first
        self.buffer = b""
        self.upgraded = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            b"GET /rsocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        if not self.upgraded.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.buffer = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.upgraded.set_result(None)
            self.transport.write(self.first)
        offset, end, items = 0, len(data), 0
        while end - offset >= 2:
            length, start = data[offset + 1], offset + 2
            if length == 126:
                length, start = int.from_bytes(data[offset + 2 : offset + 4]), offset + 4
            if start + length > end or (data[offset + 1] == 126 and end - offset < 4):
                break
            items += data[start + 4] >> 2 == 10
            offset = start + length
        self.buffer = data[offset:]
        if items:
            self.tally.add(items)


class Tally:
    """How many deliveries have come in all, and who waits for how many."""

    def __init__(self) -> None:
        self.count = 0
        self.goal = 0
        self.reached = asyncio.Event()

    def add(self, items: int) -> None:
        self.count += items
        if self.count >= self.goal:
            self.reached.set()

    async def wait_for(self, goal: int) -> None:
        self.goal = goal
        self.reached.clear()
        if self.count < goal:
            await self.reached.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; in nanoseconds where the kernel says so."""
    schedstat = Path(f"/proc/{pid}/schedstat")
    if schedstat.exists():
        return (
            sum(int(Path(task, "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
            / 1e9
        )
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_SECOND


async def measure(name: str, *, watchers: int, in_flight: int, seconds: float, loop: str) -> tuple[float, float]:
    """Microseconds of server CPU a delivery, and deliveries a second."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", name, "--loop", loop], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        running, tally = asyncio.get_running_loop(), Tally()

        async def connect(first: bytes, tally: Tally) -> Watcher:
            _, watcher = await running.create_connection(lambda: Watcher(tally, first), "127.0.0.1", port)
            await watcher.upgraded
            return watcher

        hello = masked(setup(lifetime_ms=600_000))
        joined = [
            await connect(hello + masked(request(STREAM, 1, "watch", n=UNBOUNDED)), tally) for _ in range(watchers)
        ]
        speaker = await connect(hello, Tally())
        sent = 0

        def say() -> None:
            nonlocal sent
            sent += 1
            speaker.transport.write(masked(request(FNF, 2 * sent + 1, "say", b"%06d" % sent + b"x" * (LINE_BYTES - 6))))

        await asyncio.sleep(0.5)  # Every watch has begun.

        async def talk(until: float) -> None:
            while time.monotonic() < until:
                while sent - tally.count // watchers < in_flight:
                    say()
                await tally.wait_for((sent - in_flight + 1) * watchers)
            await tally.wait_for(sent * watchers)

        await talk(time.monotonic() + seconds / 4)  # Warm.
        count, cpu, began = tally.count, cpu_seconds(server.pid), time.monotonic()
        await talk(time.monotonic() + seconds)
        took, used, came = time.monotonic() - began, cpu_seconds(server.pid) - cpu, tally.count - count
        for watcher in (*joined, speaker):
            watcher.transport.abort()
        return used / came * 1e6, came / took
    finally:
        server.kill()
        server.wait()


def floor(watchers: int, rounds: int = 100) -> float:
    """Microseconds of CPU a send() of one line's bytes, to `watchers` sockets that a forked child reads."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=watchers)
    child = os.fork()
    if not child:
        selector = selectors.DefaultSelector()
        for _ in range(watchers):
            selector.register(socket.create_connection(listener.getsockname()), selectors.EVENT_READ)
        while all(key.fileobj.recv(65_536) for key, _ in selector.select()):  # type: ignore[union-attr]
            pass
        os._exit(0)
    sockets = [listener.accept()[0] for _ in range(watchers)]
    began = time.process_time()
    for _ in range(rounds):
        for receiver in sockets:
            receiver.send(b"x" * (LINE_BYTES + 10))  # With both headers.
        time.sleep(0.005)  # The child reads and falls asleep again, as a watcher does.
    used = time.process_time() - began
    for receiver in (*sockets, listener):
        receiver.close()
    os.waitpid(child, 0)
    return used / (rounds * watchers) * 1e6


async def main(options: argparse.Namespace) -> None:
    print(f"{options.watchers} watchers, lines of {LINE_BYTES} bytes, {options.loop}, median of {options.runs} runs")
    print(f"{'in flight':>9} {'server':>7} {'µs CPU a delivery':>18} {'deliveries/s':>13}")
    for in_flight in IN_FLIGHT:
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in SERVERS}
        for _ in range(options.runs):  # In turn, so that a noisy minute meets both.
            for name in SERVERS:
                rows[name].append(
                    await measure(
                        name,
                        watchers=options.watchers,
                        in_flight=in_flight,
                        seconds=options.seconds,
                        loop=options.loop,
                    )
                )
        medians = {name: statistics.median(cost for cost, _ in found) for name, found in rows.items()}
        for name, found in rows.items():
            rate = statistics.median(rate for _, rate in found)
            print(f"{in_flight:>9} {name:>7} {medians[name]:>18.2f} {rate:>13,.0f}")
        print(f"{'':>9} stock costs {medians['stock'] / medians['ours']:.1f} x ours")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--serve", choices=tuple(SERVERS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run_server(given.serve, given.loop)
    else:
        bare = statistics.median(floor(given.watchers) for _ in range(given.runs))
        print(f"floor: {bare:.2f} µs CPU a bare send()")
        asyncio.run(main(given))
