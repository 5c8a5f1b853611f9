"""Glass to glass: a clock drawn in the picture, read back in Chromium from our page; beside ffmpeg's HLS behind nginx.

    python tests/bench/bench_latency.py [--seconds 30] [--part-ms 333 200] [--no-ladder]

Each picture holds the milliseconds of the day at which it was drawn, as 40 black and white blocks. One ffmpeg (x264,
zerolatency, a keyframe every two seconds) sends the same packets to our RTMP port and, as people run it, into its own
HLS muxer (segments of two seconds), whose files nginx serves. Headless Chromium plays the channel's page, a phone's
narrow page, for which our player takes the 240p that x264 made of it, and a page with hls.js as it comes for the peer.
Every picture that is presented is read from the screen; the first third of each run does not count. One machine, one
clock; what a camera, a line and a screen add is not in it. nginx: apt-get install nginx-light. Without it only ours.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import House, reserve_port  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WIDTH, HEIGHT, RATE = 640, 360, 30
BITS = 40
BAR_LINES = 96
NOISE_PICTURES = 8
MS_MAX = 1 << BITS
START_SECONDS = 8
PLAY_SECONDS_MAX = 40
NGINX = """\
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on;
  types {{ text/html html; text/javascript js; application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
PAGE = """<!doctype html><video muted autoplay playsinline width=640></video><script src=hls.js></script>
<script>const h = new Hls(); h.loadSource("index.m3u8"); h.attachMedia(document.querySelector("video"));</script>"""

# Reads the blocks of each presented picture; answers [when it was read, what was read].
READ = """(bits) => {
  const video = document.querySelector("live-player video, video");
  const canvas = new OffscreenCanvas(640, 16);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  window.seen = [];
  const look = () => {
    const lines = video.videoHeight / 360 * 48;
    pen.drawImage(video, 0, lines, video.videoWidth, 16, 0, 0, 640, 16);
    const row = pen.getImageData(0, 8, 640, 1).data;
    let value = 0;
    for (let bit = 0; bit < bits; bit++) {
      value = value * 2 + (row[Math.floor((bit + 0.5) * 640 / bits) * 4] > 128 ? 1 : 0);
    }
    window.seen.push([Date.now(), value]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}"""


def draw(pipe: int, ended: list[bool]) -> None:
    """Write pictures to a pipe, each when it is due; in a thread of its own."""
    chance = random.Random(1)
    size = WIDTH * HEIGHT * 3 // 2
    bodies = []
    for _ in range(NOISE_PICTURES):
        picture = bytearray(b"\x80" * size)
        for line in range(BAR_LINES, HEIGHT, 4):
            picture[line * WIDTH : (line + 1) * WIDTH] = chance.randbytes(WIDTH)
        bodies.append(picture)
    began = time.monotonic()
    for number in range(1 << 30):
        if ended:
            break
        wait = began + number / RATE - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        picture = bodies[number % NOISE_PICTURES]
        now = int(time.time() * 1000) % MS_MAX
        line = b"".join((b"\xeb" if now >> bit & 1 else b"\x10") * (WIDTH // BITS) for bit in range(BITS - 1, -1, -1))
        picture[: BAR_LINES * WIDTH] = line * BAR_LINES
        try:
            rest = memoryview(picture)
            while rest:
                rest = rest[os.write(pipe, rest) :]
        except BrokenPipeError:
            break
    os.close(pipe)


@contextlib.asynccontextmanager
async def film(address: str, hls: Path | None) -> AsyncIterator[None]:
    """One encoder for both."""
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415

    outputs = f"[f=flv:flvflags=no_duration_filesize:onfail=ignore]{address}"
    if hls:
        outputs += f"|[f=hls:hls_time=2:hls_list_size=5:hls_flags=delete_segments]{hls}/index.m3u8"
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-fpsprobesize", "0", "-probesize", "32",
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "pipe:0",
        "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-map", "0:v", "-map", "1:a",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(2 * RATE), "-sc_threshold", "0",
        "-b:v", "1500k", "-maxrate", "1500k", "-bufsize", "750k", "-c:a", "aac", "-flags", "+global_header",
        "-flush_packets", "1", "-f", "tee", outputs,
        stdin=ours,
    )  # fmt: skip
    os.close(ours)
    ended: list[bool] = []
    drawing = asyncio.create_task(asyncio.to_thread(draw, theirs, ended))
    try:
        yield
    finally:
        ended.append(True)
        await drawing
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[tuple[str, Path] | None]:
    """The peer's address, and where its files belong; None without nginx."""
    program = shutil.which("nginx")
    if program is None:
        print("nginx is not here: apt-get install nginx-light")
        yield None
        return
    www = folder / "www"
    www.mkdir(parents=True)
    port = reserve_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    (www / "index.html").write_text(PAGE)
    shutil.copy(ROOT / "node_modules" / "hls.js" / "dist" / "hls.light.min.js", www / "hls.js")
    process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        yield f"http://127.0.0.1:{port}/index.html", www
    finally:
        process.terminate()
        await process.wait()


async def watch(browser: Any, address: str, width: int, seconds: float) -> dict[str, Any]:
    """Play a page and read the clock in it."""
    page = await browser.new_page(viewport={"width": width, "height": 640})
    try:
        await page.goto(address)
        # Not wait_for_function, which our Content Security Policy forbids.
        async with asyncio.timeout(PLAY_SECONDS_MAX):
            while not await page.evaluate("(document.querySelector('video')?.currentTime ?? 0) > 0"):
                await asyncio.sleep(0.1)
        await page.evaluate(READ, BITS)
        await asyncio.sleep(seconds)
        seen = await page.evaluate("window.seen")
        height = await page.evaluate("document.querySelector('video').videoHeight")
    finally:
        await page.close()
    late = [(read - drawn) % MS_MAX for read, drawn in seen[len(seen) // 3 :]]
    right = [each for each in late if each < 60_000]  # A block that was smeared by a change of picture.
    return {"late": sorted(right), "height": height, "unread": len(late) - len(right)}


def row(name: str, found: dict[str, Any] | BaseException) -> None:
    if isinstance(found, BaseException):
        print(f"{name:>24}   did not play: {str(found).splitlines()[0]}")
        return
    late = found["late"]
    if len(late) < 30:
        print(f"{name:>24}   only {len(late)} pictures")
        return
    p50, p95 = statistics.median(late) / 1000, late[int(len(late) * 0.95)] / 1000
    print(f"{name:>24} {p50:>8.2f} {p95:>8.2f} {len(late):>9} {found['height']:>6}")


async def measure(browser: Any, folder: Path, part_ms: int, options: argparse.Namespace) -> None:
    ladder = {} if options.no_ladder else {"COMMEOW_LADDER": "source,240p"}
    house = await House(folder / "data", COMMEOW_PART_MS=str(part_ms), **ladder).start()
    try:
        person = await house.sign_up("Clock")
        async with contextlib.AsyncExitStack() as stack:
            peer = await stack.enter_async_context(nginx(folder / "nginx"))
            address = f"{person.stream_server}/{person.stream_key}"
            await stack.enter_async_context(film(address, peer[1] if peer else None))
            await house.on_air("Clock")
            await asyncio.sleep(START_SECONDS)
            url = f"{house.url}/c/Clock"
            views = {f"ours, source, {part_ms} ms": (url, 1280)}
            if not options.no_ladder:
                views[f"ours, x264, {part_ms} ms"] = (url, 340)
            if peer:
                views["ffmpeg's HLS, nginx"] = (peer[0], 1280)
            # One after another: a second decoder would be in the first one's way.
            for name, (address, width) in views.items():
                try:
                    found = await watch(browser, address, width, options.seconds)
                except Exception as error:  # noqa: BLE001 - the row says it.
                    row(name, error)
                else:
                    row(name, found)
    finally:
        await house.stop()


async def main(options: argparse.Namespace) -> None:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
    print(f"{'':>24} {'p50 s':>8} {'p95 s':>8} {'pictures':>9} {'lines':>6}   load {os.getloadavg()[0]:.1f}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--autoplay-policy=no-user-gesture-required", "--mute-audio"]
        )
        for part_ms in options.part_ms:
            with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
                await measure(browser, Path(folder), part_ms, options)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--part-ms", type=int, nargs="+", default=[333, 200])
    parser.add_argument("--no-ladder", action="store_true", help="the source alone")
    asyncio.run(main(parser.parse_args()))
