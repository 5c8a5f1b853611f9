"""What playback costs: playlists, parts and segments for each CPU second beside nginx, and viewers at the live edge.

    python tests/bench/bench_playback.py [--viewers 400] [--seconds 20] [--part-ms 200] [--mbits 1.2] [--rounds 3]
        [--nginx /usr/sbin/nginx] [--hinted]

A real house (`./commeow`), into which one encoder of our own sends a film as it is due: 720 lines, 30 pictures and 47
packets of audio a second. First the same playlist, part and segment are asked for again and again over 32 connections
that are kept, of the media sidecar and of nginx, which has them as files: CPU time of the server for each answer; what
the sidecar needs without anybody asking is taken off. Then the real pattern: each viewer has two connections, as
hls.js, and waits on one for the playlist with the next part (a delta, `_HLS_msn`, `_HLS_part`, `_HLS_skip`), to have
that part at once on the other; or asks for the hinted part before it exists (`--hinted`), as Safari. A part's lag is
from the moment at which the encoder sent the picture that ends it, as EXT-X-PROGRAM-DATE-TIME has it, to its last
byte at a viewer's. All viewers are one process, whose CPU is told: near 100 % the figures are its own, not the
server's. nginx: apt-get install nginx-light; without it the peer is not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows"), str(ROOT / "tests" / "bench")]

from bench_rtmp_ingest import film, join, make  # noqa: E402
from house import House, reserve_port  # noqa: E402

from tests.media.rtmp_ingest.publisher import Client  # noqa: E402

CONNECTIONS = 32
WARM_SECONDS = 0.5
BLAST_SECONDS = 2.0
START_SECONDS = 12.0  # Until there is a window worth asking for.
JOIN_SECONDS = 2.0  # Over which the viewers come.
HEADERS = (
    "Host: 127.0.0.1\r\nConnection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36\r\n"
    "Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    "Referer: http://127.0.0.1/c/Clock\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r\n\r\n"
)
NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=16;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


# --- the clients ------------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One kept connection: one request, one answer, and the next when `take` asks for it."""

    def __init__(self, take: Any) -> None:
        self.take = take
        self.transport: Any = None
        self.held: list[bytes] = []
        self.missing = -1
        self.status = 0
        self.wanted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get(self, path: str, *, body: bool) -> None:
        self.wanted = body
        self.transport.write(f"GET {path} HTTP/1.1\r\n{HEADERS}".encode())

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            if self.held:
                data = b"".join([*self.held, data])
                self.held.clear()
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.held.append(data)
                return
            self.status = int(data[9:12])
            length = data.find(b"Content-Length: ", 0, end) + 16
            self.missing = int(data[length : data.index(b"\r\n", length)])
            data = data[end + 4 :]
        self.missing -= len(data)
        if self.wanted:
            self.held.append(data)
        if self.missing <= 0:
            self.missing = -1
            body = b"".join(self.held)
            self.held.clear()
            self.take(self.status, body)

    def connection_lost(self, error: Exception | None) -> None:
        assert STOPPED, "hung up on us"


STOPPED: list[bool] = []


async def blast(port: int, path: str, seconds: float) -> None:
    """Ask for one thing over and over; print how many answers there were."""
    loop = asyncio.get_running_loop()
    count = 0

    def another(connection: Connection) -> Any:
        def take(status: int, _body: bytes) -> None:
            nonlocal count
            assert status == 200, status
            count += 1
            connection.get(path, body=False)

        return take

    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(None), "127.0.0.1", port)
        connection.take = another(connection)
        connection.get(path, body=False)
    await asyncio.sleep(WARM_SECONDS)
    count = 0
    print("warm", flush=True)
    await asyncio.sleep(seconds)
    STOPPED.append(True)
    print(json.dumps({"count": count}), flush=True)


PART = re.compile(r'#EXT-X-PART:DURATION=([0-9.]+),URI="([^"]+)"')


@lru_cache(maxsize=16)
def read_list(body: bytes) -> tuple[tuple[int, int], dict[str, float], str]:
    """The next position to ask for, when each part that is listed was over, and the hint. Delta or not."""
    sequence = skipped = closed = parts = 0
    at, over, hint = 0.0, {}, ""
    for line in body.decode().splitlines():
        if line.startswith("#EXT-X-PART:"):
            duration, name = PART.match(line).groups()  # type: ignore[union-attr]
            at += float(duration)
            over[name] = at
            parts += 1
        elif line.startswith("#EXTINF:"):
            closed += 1
            parts = 0
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            at = datetime.fromisoformat(line.partition(":")[2]).timestamp()
        elif line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            sequence = int(line.partition(":")[2])
        elif line.startswith("#EXT-X-SKIP:"):
            skipped = int(line.partition("=")[2])
        elif line.startswith("#EXT-X-PRELOAD-HINT:"):
            hint = line.split('"')[1]
    return (sequence + skipped + closed, parts), over, hint


class Viewer:
    """A player at the live edge."""

    def __init__(self, found: dict[str, Any], url: str, *, hinted: bool) -> None:
        self.found, self.url, self.hinted = found, url, hinted
        self.lists = Connection(self.take_list)
        self.media = Connection(self.take_part)
        self.folder = url.rpartition("/")[0]
        self.asked: list[tuple[str, float]] = []
        self.last = ""
        self.hint = ""

    def begin(self) -> None:
        self.lists.get(self.url, body=True)

    def take_list(self, status: int, body: bytes) -> None:
        self.found["answers"] += 1
        if status != 200:
            self.refused(status, body)
            return
        (msn, part), over, hint = read_list(body)
        self.seen = body
        names = list(over)
        new = names[names.index(self.last) + 1 :] if self.last in over else names[-1:]
        self.last = names[-1]
        self.lists.get(f"{self.url}?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES", body=True)
        if self.hinted:
            self.found["over"].update((name, over[name]) for name in new)
            if not self.hint:
                self.ask(hint, 0)
            return
        idle = not self.asked
        self.asked += [(name, over[name]) for name in new]
        if idle and self.asked:
            self.media.get(f"{self.folder}/{self.asked[0][0]}", body=False)

    def ask(self, name: str, _over: float) -> None:
        self.hint = name
        self.media.get(f"{self.folder}/{name}", body=False)

    def refused(self, status: int, body: bytes) -> None:
        """Say the first: this viewer is out."""
        if not self.found["refused"]:
            print(status, self.asked[:1], self.seen.decode(), file=sys.stderr, flush=True)
        self.found["refused"] += 1

    def take_part(self, status: int, body: bytes) -> None:
        now = time.time()
        self.found["answers"] += 1
        if status != 200:
            self.refused(status, body)
            return
        if self.hinted:
            self.found["at"].append((self.hint, now))
            stem, number = self.hint.removesuffix(".m4s").split("_p")
            self.ask(f"{stem}_p{int(number) + 1}.m4s", 0)
            return
        _, over = self.asked.pop(0)
        self.found["late"].append(now - over)
        if self.asked:
            self.media.get(f"{self.folder}/{self.asked[0][0]}", body=False)


async def watch(port: int, url: str, viewers: int, seconds: float, *, ahead: float, hinted: bool) -> None:
    """Many viewers; print what they saw after all had come."""
    loop = asyncio.get_running_loop()
    found: dict[str, Any] = {"answers": 0, "refused": 0, "late": [], "over": {}, "at": []}
    for number in range(viewers):
        viewer = Viewer(found, url, hinted=hinted)
        for connection in (viewer.lists, viewer.media):
            await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", port)
        loop.call_later(JOIN_SECONDS * number / viewers, viewer.begin)
    await asyncio.sleep(JOIN_SECONDS + 2)
    found["late"].clear()
    found["at"].clear()
    found["answers"] = 0
    used = time.process_time()
    print("warm", flush=True)
    await asyncio.sleep(seconds)
    STOPPED.append(True)
    used = time.process_time() - used
    late = found["late"] or [at - found["over"][name] for name, at in found["at"] if name in found["over"]]
    late = sorted(each + ahead for each in late)
    said = {"answers": found["answers"], "refused": found["refused"], "parts": len(late), "used": used / seconds}
    said |= {f"p{each}": late[int(len(late) * each / 100)] for each in (50, 95, 99)} if late else {}
    print(json.dumps(said), flush=True)


def push(port: int, key: str, path: Path) -> None:
    """Send a film as it is due, until we are ended."""
    client = Client()
    encoder = join(port, client.start(key) + client.chunk_size(4096), answered=True)
    began = time.monotonic()
    print("live", time.time(), flush=True)
    for due, _, message in film(client, path, 600):
        if (wait := began + due - time.monotonic()) > 0:
            time.sleep(wait)
        encoder.sendall(message)


# --- the measurement --------------------------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python does not have.


class Child:
    """This file in another process."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )

    async def hear(self) -> str:
        line = await asyncio.to_thread(self.process.stdout.readline)  # type: ignore[union-attr]
        assert line, "the child has died"
        return str(line.strip())


async def load(pid: int, *arguments: object) -> tuple[float, float, dict[str, Any]]:
    """CPU seconds of a server while a child asks, how long that was, and what the child says."""
    child = Child(*arguments)
    assert await child.hear() == "warm"
    used, began = cpu_seconds(pid), time.monotonic()
    said = json.loads(await child.hear())
    used, seconds = cpu_seconds(pid) - used, time.monotonic() - began
    child.process.wait()
    return used, seconds, said


async def idle(pid: int, seconds: float) -> float:
    """What a server needs of a core when nobody asks."""
    used = cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return (cpu_seconds(pid) - used) / seconds


@contextlib.asynccontextmanager
async def nginx(program: str, folder: Path, files: dict[str, bytes]) -> Any:
    (folder / "www").mkdir(parents=True)
    for name, data in files.items():
        (folder / "www" / name).write_bytes(data)
    port = reserve_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        await asyncio.sleep(0.05)
    try:
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()


async def statics(house: House, pid: int, url: str, folder: Path, options: argparse.Namespace) -> None:
    """One playlist, part and segment, of us and of nginx."""
    async with house.http.get(url) as answer:
        text = await answer.text()
    part = re.findall(PART, text)[-1][1]
    program = options.nginx or shutil.which("nginx") or "/usr/sbin/nginx"
    peer = program if Path(program).exists() else None
    print(f"{'':>10} {'bytes':>8} {'ours µs':>9} {'nginx µs':>9} {'ours/CPU s':>11} {'nginx/CPU s':>12}   ratio")
    for name in ("playlist", "part", "segment"):
        costs: dict[str, list[float]] = {"ours": [], "nginx": []}
        size = 0
        for turn in range(options.rounds):
            async with house.http.get(url) as answer:  # The film goes on: what is asked for must still be there.
                text = await answer.text()
            segment = [line for line in text.splitlines() if line.endswith(".m4s")][-1]
            part = PART.findall(text)[-1][1]
            path = {"playlist": url, "part": urljoin(url, part), "segment": urljoin(url, segment)}[name]
            async with house.http.get(path) as answer:
                data = await answer.read()
            size = len(data)
            rest = await idle(pid, 1)
            used, seconds, said = await load(pid, "--blast", path, "--port", house.http_port)
            costs["ours"].append(1e6 * (used - rest * seconds) / said["count"])
            if peer:
                file = {"playlist": "x.m3u8"}.get(name, "x.m4s")
                async with nginx(peer, folder / f"nginx-{name}-{turn}", {file: data}) as (other, port):
                    used, _, said = await load(other, "--blast", f"/{file}", "--port", port)
                costs["nginx"].append(1e6 * used / said["count"])
        ours = statistics.median(costs["ours"])
        words = f"{name:>10} {size:>8} {ours:>9.1f}"
        if peer:
            theirs = statistics.median(costs["nginx"])
            words += f" {theirs:>9.1f} {1e6 / ours:>11.0f} {1e6 / theirs:>12.0f}   {ours / theirs:.2f} x nginx"
        else:
            words += f" {'':>9} {1e6 / ours:>11.0f}   nginx not measured: apt-get install nginx-light"
        print(words, flush=True)


async def ahead(house: House, url: str, began: float) -> float:
    """How many seconds after it was sent the house saw the first picture: its dates are so much ahead."""
    async with house.http.get(url) as answer:
        text = await answer.text()
    assert "#EXT-X-MEDIA-SEQUENCE:1\n" in text
    return datetime.fromisoformat(re.findall("DATE-TIME:(.+)", text)[0]).timestamp() - began


async def edge(house: House, pid: int, url: str, options: argparse.Namespace) -> None:
    rest = await idle(pid, 3)
    arguments = ["--watch", url, "--port", house.http_port, "--viewers", options.viewers, "--seconds", options.seconds]
    arguments += ["--ahead", options.ahead]
    used, seconds, said = await load(pid, *arguments, *(["--hinted"] if options.hinted else []))
    share = used / seconds
    way = "hinted parts" if options.hinted else "listed parts"
    print(f"{options.viewers} viewers, {way}, {options.part_ms} ms: {said['answers'] / seconds:.0f} answers a second")
    print(f"  {100 * share:.1f} % of a core ({100 * rest:.1f} % of it without viewers), ", end="")
    each = 1e6 * (share - rest) * seconds / said["answers"]
    print(f"{each:.1f} µs an answer; the viewers' own {100 * said['used']:.0f} %")
    print(f"  lag p50 {1000 * said['p50']:.0f} p95 {1000 * said['p95']:.0f} p99 {1000 * said['p99']:.0f} ms, ", end="")
    print(f"{said['parts']} parts, {said['refused']} refused")


async def main(options: argparse.Namespace) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as name:
        folder = Path(name)
        path = make(folder, options.mbits)
        house = await House(folder / "data", COMMEOW_PART_MS=str(options.part_ms), COMMEOW_LADDER="source").start()
        try:
            person = await house.sign_up("Clock")
            encoder = Child("--push", house.rtmp_port, "--key", person.stream_key, "--film", path)
            options.began = float((await encoder.hear()).split()[1])
            await house.on_air("Clock")
            await asyncio.sleep(START_SECONDS)
            async with house.http.get(f"/hls/{quote('Clock')}/index.m3u8") as answer:
                lines = (await answer.text()).splitlines()
            url = f"/hls/Clock/{next(line for line in lines if line and line[0] != '#')}"
            options.ahead = await ahead(house, url, options.began)
            pid = next(each.pid for each in house.family() if each.cmdline()[-2:] == ["-m", "media"])
            if not options.no_statics:
                await statics(house, pid, url, folder, options)
            await edge(house, pid, url, options)
            encoder.process.kill()
            encoder.process.wait()
        finally:
            await house.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--part-ms", type=int, default=200)
    parser.add_argument("--mbits", type=float, default=1.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nginx", help="the program; else the one on the path")
    parser.add_argument("--hinted", action="store_true", help="ask for parts before they exist, as Safari does")
    parser.add_argument("--no-statics", action="store_true", help="the viewers only")
    parser.add_argument("--blast", help=argparse.SUPPRESS)
    parser.add_argument("--watch", help=argparse.SUPPRESS)
    parser.add_argument("--push", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ahead", type=float, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--key", help=argparse.SUPPRESS)
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.push:
        push(given.push, given.key, given.film)
    elif given.blast or given.watch:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if given.blast:
                runner.run(blast(given.port, given.blast, BLAST_SECONDS))
            else:
                watching = watch(
                    given.port, given.watch, given.viewers, given.seconds, ahead=given.ahead, hinted=given.hinted
                )
                runner.run(watching)
    else:
        asyncio.run(main(given))
