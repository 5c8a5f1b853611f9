"""A crowd of watchers (crowd.c), and the real RSocket server on real stores for it to watch: for the benches of chat.

The generator is C in a process of its own, so that it is not what is measured; it needs a C compiler (`cc`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from console.embedded import PostgreSQL, Valkey  # noqa: E402
from db.bus import Bus  # noqa: E402
from db.members import Members  # noqa: E402
from db.migrate import migrate  # noqa: E402
from db.pool import open_pool, open_redis  # noqa: E402
from tests.rsocket_server.script import FNF, STREAM, UNBOUNDED, request, request_n, setup  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHANNEL = "bench"
LINE_BYTES = 150
STAMP = "~" + 24 * "0" + "~"
STREAM_ID_AT = 6  # After a short masked WebSocket header.
LATER_ITEMS = 128  # crowd.c's
TOLD_BYTES_MAX = 1 << 24  # Of one line of the server's; asyncio's 64 KiB are some seconds of small rounds.
# Before anything here is kept on some of them: what is asked later is what is left.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
TICKS_SECOND = os.sysconf("SC_CLK_TCK")


def masked(message: bytes, *, text: bool = False) -> bytes:
    """A client's WebSocket message, with a mask of zeros."""
    first = b"\x81" if text else b"\x82"
    length = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + len(message).to_bytes(2)
    return first + length + bytes(4) + message


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; in nanoseconds where the kernel says so."""
    tasks = Path(f"/proc/{pid}/task")
    if (tasks / str(pid) / "schedstat").exists():
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_SECOND


def memory_kb(pid: int) -> int:
    """A process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def kernel_kb() -> int:
    """What all TCP sockets of the machine's queues hold in the kernel."""
    line = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    fields = line.split()
    return int(fields[fields.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def allow_files() -> None:
    """Let this process, and those it starts, have as many sockets as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def pin(pid: int, *, server: bool, crowd: bool = False) -> None:
    """Keep the measured server on a core of its own: a woken watcher would be pulled over to it.

    Where we may, its own is meant: whoever else is at work on this machine waits, and all others of the bench go
    before the crowd, which always has something to read.
    """
    if len(CORES) > 1:
        os.sched_setaffinity(pid, CORES[:1] if server else CORES[1:])
    if hasattr(os, "SCHED_RR"):
        with contextlib.suppress(PermissionError):
            policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(pid, policy, os.sched_param(1 if crowd else 2))


@dataclass(frozen=True)
class Tongue:
    """How one server is spoken to.

    Attributes:
        kind: what counts as a delivery, in crowd.c's words.
        first: what every connection sends first.
        watch: what a watcher sends after it.
        say: a message that says a line with STAMP in it.
        id_at: where in it a stream id stands; -1 for nowhere.
        later: what a watcher sends after each LATER_ITEMS deliveries.
    """

    path: str
    kind: str
    first: bytes
    watch: bytes
    say: bytes
    id_at: int = -1
    later: bytes = b""


def line(count: int = LINE_BYTES) -> bytes:
    """A line of so many bytes, with a place for the stamp."""
    return STAMP.encode() + b"x" * (count - len(STAMP))


def stamped(number: int, count: int = LINE_BYTES) -> bytes:
    """A chat event of so many bytes as a room publishes one, stamped now."""
    stamp = f"~{time.monotonic_ns():016x}{number:08x}~"
    head = f'{{"kind":"said","id":"{number}","from":{{"nickname":"nabi","roles":[]}},"text":"{stamp}'
    return (head + "x" * (count - len(head) - 2) + '"}').encode()


def rsocket(route: str = "watch", data: bytes = b"", *, credit: int = UNBOUNDED, bytes_: int = LINE_BYTES) -> Tongue:
    """Speak RSocket: watch a route, and say lines to `say`."""
    said = masked(request(FNF, 1, "say", line(bytes_)))
    return Tongue(
        "/rsocket",
        "rsocket",
        masked(setup(lifetime_ms=600_000)),
        masked(request(STREAM, 1, route, data, n=credit)),
        said,
        said.index(request(FNF, 1, "say")),
        masked(request_n(1, LATER_ITEMS)) if credit < UNBOUNDED else b"",
    )


def watching(channel: str = CHANNEL, **options: Any) -> Tongue:
    """Watch a channel of the real server."""
    return rsocket("chat.watch", b'{"channel":"%s","history":0}' % channel.encode(), **options)


@dataclass(frozen=True)
class Heard:
    """What a crowd tells of a while: see crowd.c."""

    deliveries: int
    seconds: float
    wrong: int
    last_p50_us: int
    last_p99_us: int
    all_p50_us: int
    all_p99_us: int


class Crowd:
    """One running crowd."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def obey(self, *words: object) -> list[str]:
        """Give an order and answer what is printed when it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        answered = await self._process.stdout.readline()
        assert answered, f"the crowd ended: {await self._process.wait()}"
        return answered.decode().split()

    async def each(self, seconds: float, *, first: int) -> list[int]:
        """Listen so long; answer how many microseconds each line from this number on needed to its last watcher."""
        await self.obey("each", seconds, first)
        assert self._process.stdout is not None
        return [int(word) for word in (await self._process.stdout.readline()).split()]

    async def hear(self, *words: object) -> Heard:
        """Talk, pace, hear or burst, and answer what was heard."""
        deliveries, seconds, *rest = await self.obey(*words)
        return Heard(int(deliveries), float(seconds), *map(int, rest))


@contextlib.contextmanager
def compiled() -> Any:
    """Compile crowd.c for this run."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "crowd"
        subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("crowd.c")], check=True)
        yield program


@contextlib.asynccontextmanager
async def crowd(program: Path, port: int, watchers: int, tongue: Tongue, *, sources: int = 1) -> AsyncIterator[Crowd]:
    """Let so many watch a server, from so many addresses."""
    stamp_at = tongue.say.find(STAMP.encode())
    given = (tongue.first.hex(), tongue.watch.hex(), tongue.say.hex(), tongue.id_at, stamp_at, tongue.later.hex())
    process = await asyncio.create_subprocess_exec(
        program,
        *map(str, (port, watchers, sources, tongue.kind, tongue.path, *given)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=TOLD_BYTES_MAX,
    )
    pin(process.pid, server=False, crowd=True)
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).split() == [b"ready"], await process.wait()
        yield Crowd(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@dataclass(frozen=True)
class Served:
    """A real server."""

    pid: int
    port: int
    bus: Bus
    room: int
    valkey_pid: int
    _process: asyncio.subprocess.Process

    async def told(self, number: int) -> str:
        """Send the server a signal and answer the next line that it prints."""
        assert self._process.stdout is not None
        self._process.send_signal(number)
        return (await self._process.stdout.readline()).decode()


async def publish(server: Served, lines: float, seconds: float, count: int = LINE_BYTES, *, first: int = 1) -> None:
    """Say so many lines a second, as another worker would: over the bus."""
    began = time.monotonic()
    for number in range(int(lines * seconds)):
        await asyncio.sleep(max(0.0, began + number / lines - time.monotonic()))
        await server.bus.publish(server.room, stamped(first + number, count))


@contextlib.asynccontextmanager
async def real_server(*command: str) -> AsyncIterator[Served]:
    """Run `python -m rsocket_server` on an embedded PostgreSQL and Valkey with one channel, CHANNEL.

    `command` runs something else in its place, in the same environment.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            postgres = await stack.enter_async_context(PostgreSQL(folder / "postgres", durable=False))
            valkey = await stack.enter_async_context(Valkey(folder / "valkey"))
            await migrate(postgres.url())
            pool = await open_pool(postgres.url())
            stack.push_async_callback(pool.close)
            member = await Members(pool).add(
                login_id=CHANNEL, nickname=CHANNEL, password_hash="-", stream_key_hash=bytes(32)
            )
            redis = open_redis(valkey.url)
            stack.push_async_callback(redis.aclose)
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            kept = {name: value for name, value in os.environ.items() if not name.startswith("COMMEOW_")}
            server = await asyncio.create_subprocess_exec(
                sys.executable,
                *(command or ("-m", "rsocket_server")),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=TOLD_BYTES_MAX,
                env={
                    **kept,
                    "COMMEOW_DATA": str(folder / "data"),
                    "COMMEOW_DATABASE_URL": postgres.url(),
                    "COMMEOW_REDIS_URL": valkey.url,
                    "COMMEOW_RSOCKET_PORT": str(port),
                    "COMMEOW_SECRET": 64 * "0",
                },
            )
            valkey_pid = int((folder / "valkey" / "pid").read_text(encoding="ascii"))
            pin(server.pid, server=True)
            pin(valkey_pid, server=False)
            try:
                assert server.stdout is not None
                assert (await server.stdout.readline()).startswith(b"ready"), await server.wait()
                yield Served(server.pid, port, Bus(redis), member.id, valkey_pid, server)
            finally:
                server.kill()
                await server.wait()
