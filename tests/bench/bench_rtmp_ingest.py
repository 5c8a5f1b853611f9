"""Server CPU for each second of a published stream: our RTMP ingest beside peers and beside a sink that only reads.

    python tests/bench/bench_rtmp_ingest.py [--streams 10] [--seconds 5] [--rounds 3] [--mbits 5] [--loop uvloop]
        [--node-media-server FOLDER]

N encoders, in a process of their own, publish one real film as a live encoder does: 30 pictures of 720 lines and 47
packets of audio a second, each written when it is due, not before; every message was put together beforehand. The
servers live through all rounds and take them in turn; the kernel says the CPU time of all their threads.

  floor         an asyncio protocol that counts the bytes of the same messages and answers nothing
  ours          media.rtmp_ingest.server with a sink that counts payloads
  ours + HLS    the same, into the intake and the writer, whose playlist is asked for three times a second
  nginx-rtmp    as Debian has it: apt-get install nginx-light libnginx-mod-rtmp
  nginx + HLS   the same with `hls on`: MPEG-TS files of two seconds
  NMS           node-media-server, ingest only: npm install node-media-server, and name the folder

A peer that is not here is said so and left out. What reached ours must be what was sent; of a peer it is only known
that it took all bytes and kept every connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.flv import TagKind, TagReader  # noqa: E402
from tests.media import films  # noqa: E402
from tests.media.rtmp_ingest.publisher import Client  # noqa: E402

OURS = ("floor", "ours", "ours + HLS")
CHUNK_BYTES = (4096, 128)
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
LOOP_SECONDS = 4
PLAYLISTS_SECOND = 3
START_SECONDS_MAX = 20
ARRIVE_SECONDS_MAX = 30
QUIET_SECONDS = 0.1
IDLE_MAX = 0.03  # Of a core, over QUIET_SECONDS: a server that uses less has read all, and looks after its timers.
QUIET = ("-y", "-hide_banner", "-nostdin", "-loglevel", "error")

NGINX = """\
load_module {module};
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 256; }}
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; application live {{ live on; {more} }} }} }}
"""
HLS = "hls on; hls_path {folder}/hls; hls_fragment 2s;"


# --- our servers ------------------------------------------------------------------------------------------------------


class Tally:
    count = 0


class CountingSink(Tally):
    """Also the one who decides: everybody may publish."""

    def __init__(self, *, package: bool) -> None:
        self._package = package
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, key: str, app: str, cut: Any) -> Any:
        return _packager(self) if self._package else self

    def video(self, timestamp_ms: int, payload: bytes) -> Any:
        from media.rtmp_ingest.publishers import TAKEN  # noqa: PLC0415

        self.count += len(payload)
        return TAKEN

    audio = video

    def metadata(self, values: dict[str, Any]) -> Any:
        from media.rtmp_ingest.publishers import TAKEN  # noqa: PLC0415

        return TAKEN

    async def end(self, clean: bool) -> None:
        pass


def _packager(tally: CountingSink) -> Any:
    from media.hls_writer.writer import Writer  # noqa: PLC0415
    from media.intake import Intake  # noqa: PLC0415
    from media.rtmp_ingest.publishers import TAKEN  # noqa: PLC0415

    intake, writer = Intake(), Writer(1)

    async def look() -> None:
        while True:
            await asyncio.sleep(1 / PLAYLISTS_SECOND)
            await writer.media_playlist("source", msn=None, part=None, skip=False)

    class Packager:
        looking: asyncio.Task[None] | None = None

        def video(self, timestamp_ms: int, payload: bytes) -> Any:
            tally.count += len(payload)
            for event in intake.video(timestamp_ms, payload):
                films.write(writer, event)
            return TAKEN

        def audio(self, timestamp_ms: int, payload: bytes) -> Any:
            tally.count += len(payload)
            for event in intake.audio(timestamp_ms, payload):
                films.write(writer, event)
            return TAKEN

        def metadata(self, values: dict[str, Any]) -> Any:
            intake.metadata(values)
            return TAKEN

        async def end(self, clean: bool) -> None:
            self.looking.cancel()

    packager = Packager()
    packager.looking = asyncio.create_task(look())
    return packager


class ByteSink(asyncio.Protocol):
    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def data_received(self, data: bytes) -> None:
        self._tally.count += len(data)


async def serve(name: str) -> None:
    """Say the port; then answer every line of the standard input with the count so far."""
    loop = asyncio.get_running_loop()
    if name == "floor":
        tally = Tally()
        listener = await loop.create_server(lambda: ByteSink(tally), "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
    else:
        from media.rtmp_ingest.server import serve as listen  # noqa: PLC0415

        tally = CountingSink(package=name.endswith("HLS"))
        port = (await listen("127.0.0.1", 0, tally)).port

    ended = asyncio.Event()

    def answer() -> None:
        if sys.stdin.readline():
            print(tally.count, flush=True)
        else:
            ended.set()

    loop.add_reader(sys.stdin, answer)
    print(port, flush=True)
    await ended.wait()


# --- the encoders -----------------------------------------------------------------------------------------------------


def make(folder: Path, mbits: float) -> Path:
    """Return a film of LOOP_SECONDS. The noise is what fills the bit rate, as a game does."""
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415

    path = folder / "film.flv"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=12:allf=t")
    rate = ("-b:v", f"{mbits}M", "-maxrate", f"{mbits}M", "-bufsize", f"{mbits}M", "-pix_fmt", "yuv420p")
    sound = ("-c:a", "aac", "-b:a", "128k")
    whole = ("-t", str(LOOP_SECONDS), *films.X264, "-g", "60", *rate, *sound)
    subprocess.run([get_ffmpeg_exe(), *QUIET, *picture, *films.AUDIO, *whole, "-f", "flv", str(path)], check=True)
    return path


def film(client: Client, path: Path, seconds: float) -> list[tuple[float, int, bytes]]:
    """(due, payload bytes, message) of one stream, in the order of time; the film again and again."""
    tags = [tag for tag in TagReader().receive_data(path.read_bytes()) if tag.kind != TagKind.SCRIPT]
    messages = []
    for turn in range(int(seconds / LOOP_SECONDS) + 1):
        for tag in tags:
            due = turn * LOOP_SECONDS + tag.timestamp_ms / 1000
            if due < seconds:
                write = client.video if tag.kind == TagKind.VIDEO else client.audio
                messages.append((due, len(tag.payload), write(int(due * 1000), tag.payload)))
    return sorted(messages, key=lambda message: message[0])


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
    encoders, plan, sizes = [], [], [0, 0, 0]
    for index in range(options.streams):
        client = Client()
        hello = client.start(f"demo{index}_{options.turn}") + client.chunk_size(options.chunk)
        encoders.append(join(options.push, hello, answered=options.answered))
        messages = film(client, options.film, options.seconds)
        lag = index / 30 / options.streams  # Encoders of strangers do not tick together.
        plan += [(due + lag, index, message) for due, _, message in messages]
        sizes[0] += len(hello)
        sizes[1] += sum(size for _, size, _ in messages)
        sizes[2] += sum(len(message) for *_, message in messages)
    plan.sort(key=lambda each: each[:2])
    print(*sizes, flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for due, index, message in plan:
        if not options.at_once and (wait := began + due - time.monotonic()) > 0:
            time.sleep(wait)
        encoders[index].sendall(message)
    late = time.monotonic() - began - plan[-1][0]
    while any(struct.unpack("i", fcntl.ioctl(encoder, termios.TIOCOUTQ, bytes(4)))[0] for encoder in encoders):
        time.sleep(0.01)
    for encoder in encoders:
        encoder.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                assert encoder.recv(65_536), "the server hung up"
    print(late, flush=True)
    sys.stdin.readline()
    for encoder in encoders:
        encoder.close()


# --- the measurement --------------------------------------------------------------------------------------------------


class Child:
    """A process that says a line when it is spoken to, or none at all."""

    def __init__(self, command: list[str], **more: Any) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(1 if isinstance(self, Server) else 5)
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
    """Any of the servers, and the CPU time of its process."""

    name: str
    port: int

    def cpu_seconds(self) -> float:
        """CPU seconds so far, as soon as it has nothing to do but to wait."""
        clock = ~self._process.pid << 3 | 2  # clock_getcpuclockid(3), which Python does not have.
        deadline = time.monotonic() + ARRIVE_SECONDS_MAX
        last = time.clock_gettime(clock)
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            before, last = last, time.clock_gettime(clock)
            if last - before < IDLE_MAX * QUIET_SECONDS:
                break
        return last

    def check(self, hello: int, payload: int, wire: int) -> None:
        """Hold what arrived against what was sent, where that can be known."""


class OurServer(Server):
    def __init__(self, name: str, loop: str) -> None:
        super().__init__([sys.executable, __file__, "--serve", name, "--loop", loop])
        self.name = name
        self.port = int(self.hear()[0])
        self._due = 0

    def check(self, hello: int, payload: int, wire: int) -> None:
        self._due += hello + wire if self.name == "floor" else payload
        self.say()
        count = int(self.hear()[0])
        assert count == self._due, f"{self.name} has {count} of {self._due} bytes"


class Peer(Server):
    def __init__(self, name: str, command: list[str], port: int, **more: Any) -> None:
        super().__init__(command, stderr=subprocess.STDOUT, **more)
        self.name, self.port = name, port
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert self._process.poll() is None, f"{name} does not start: {self._process.stdout.read()}"
                assert time.monotonic() < deadline, f"{name} does not listen"
                time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def nginx(folder: Path, name: str, more: str) -> Peer:
    home = folder / name.replace(" ", "_")
    home.mkdir()
    port = free_port()
    text = NGINX.format(module=NGINX_MODULE, folder=home, port=port, more=more.format(folder=home))
    (home / "nginx.conf").write_text(text)
    return Peer(name, [shutil.which("nginx") or "", "-p", str(home), "-c", str(home / "nginx.conf")], port)


def node_media_server(folder: Path, place: Path) -> Peer:
    program = place / "node_modules" / "node-media-server" / "bin" / "app.js"
    port = free_port()
    settings = {
        "bind": "127.0.0.1", "store": {"path": str(folder / "nms")}, "rtmp": {"port": port},
        "http": {"port": free_port()}, "auth": {"play": False, "publish": False},
    }  # fmt: skip
    (folder / "nms.json").write_text(json.dumps(settings))
    return Peer("NMS", ["node", str(program), "-c", str(folder / "nms.json"), "--no-admin"], port, cwd=folder)


def servers(stack: contextlib.ExitStack, folder: Path, options: argparse.Namespace) -> list[Server]:
    found: list[Server] = [stack.enter_context(OurServer(name, options.loop)) for name in OURS]
    if shutil.which("nginx") and NGINX_MODULE.exists():
        found.append(stack.enter_context(nginx(folder, "nginx-rtmp", "")))
        found.append(stack.enter_context(nginx(folder, "nginx + HLS", HLS)))
    else:
        print("nginx-rtmp is not here: apt-get install nginx-light libnginx-mod-rtmp")
    if options.node_media_server:
        found.append(stack.enter_context(node_media_server(folder, options.node_media_server)))
    else:
        print("node-media-server is not here: npm install node-media-server, and --node-media-server FOLDER")
    return found


def measure(server: Server, options: argparse.Namespace, chunk: int, turn: int, seconds: float) -> tuple[float, float]:
    """CPU ms of the server for each second of one stream; and how many seconds late the encoders were at the end."""
    arguments: list[object] = ["--push", server.port, "--chunk", chunk, "--streams", options.streams, "--turn", turn]
    arguments += ["--seconds", seconds, "--film", options.film]
    arguments += ["--answered"] * (server.name != "floor") + ["--at-once"] * options.at_once
    with Child([sys.executable, __file__, *map(str, arguments)]) as encoders:
        sizes = tuple(map(int, encoders.hear()))
        before = server.cpu_seconds()
        encoders.say()
        late = float(encoders.hear()[0])
        used = server.cpu_seconds() - before
        server.check(*sizes)
        encoders.say()
    return 1000 * used / (seconds * options.streams), late


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as name, contextlib.ExitStack() as stack:
        options.film = make(Path(name), options.mbits)
        found = servers(stack, Path(name), options)
        costs: dict[int, dict[str, list[float]]] = {chunk: {each.name: [] for each in found} for chunk in CHUNK_BYTES}
        latest, turn = 0.0, 0
        for server in found:  # Warm.
            measure(server, options, CHUNK_BYTES[0], -1, 1)
        for _ in range(options.rounds):  # In turn, so that a noisy minute meets all.
            for chunk, row in costs.items():
                for server in found:
                    turn += 1
                    cost, late = measure(server, options, chunk, turn, options.seconds)
                    row[server.name].append(cost)
                    latest = max(latest, late)
    pace = "at once" if options.at_once else f"in real time, {1000 * latest:.0f} ms late at most"
    rounds = f"median of {options.rounds} rounds of {options.seconds:g} s"
    print(f"{options.streams} streams of {options.mbits:g} Mbit/s {pace}; {options.loop}; {rounds}")
    print(f"{'chunk':>5} {'server':>12} {'CPU ms a second':>16} {'streams a core':>15}   ratio")
    for chunk, row in costs.items():
        for server, cost in row.items():
            middle = statistics.median(cost)
            against = {"ours": "nginx-rtmp", "ours + HLS": "nginx + HLS", "NMS": "ours"}.get(server)
            ratio = ""
            if against in row:
                times = statistics.median(one / other for one, other in zip(cost, row[against], strict=True))
                ratio = f"{times:.2f} x {against}"
            print(f"{chunk:>5} {server:>12} {middle:>16.2f} {1000 / middle:>15.0f}   {ratio}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mbits", type=float, default=5.0)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="uvloop is what the house runs")
    parser.add_argument("--node-media-server", type=Path, help="the folder that it was installed in")
    parser.add_argument("--at-once", action="store_true", help="do not wait for the time: the cost of a byte")
    parser.add_argument("--serve", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--push", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--turn", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--chunk", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--answered", action="store_true", help=argparse.SUPPRESS)
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
