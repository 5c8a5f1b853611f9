"""By hand: a whole house whose media sidecar, or its ffmpeg, is killed again and again while an encoder pushes.

    python -m tests.bench.check_kills_media sidecar|ffmpeg [--kills 20] [--retry 0.5] [--interval 2.0]

`./commeow` is started with one encoded rung; an encoder (ffmpeg, a film in real time) that is cut tries again after
`--retry` seconds. At random moments the sidecar, or the rung's ffmpeg, gets SIGKILL. A player reads the playlists 20
times a second and judges each against the last one (tests/media/checker.py). "Playing again" is the longest time after
the kill in which no new part was listed, until the successor has given one: of the source, or of the rung where its
ffmpeg was killed (what it had given just before the kill is listed just after it). Orphans are processes of the
killed sidecar, or the killed ffmpeg's own, that live one second later. Exit code 1 if there was an orphan, a broken
rule, or a 95th percentile above three seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import imageio_ffmpeg
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))

from house import House, Player, eventually

from tests.media import films
from tests.media.checker import Checker

RUNG = "144p"
NAMES = ("source", RUNG)
LOOK_SECONDS = 0.05
# Between "it plays" and the next kill; who dies sooner is given a pause by the console.
PAUSE_SECONDS = {"sidecar": (10.0, 12.0), "ffmpeg": (2.0, 4.0)}
AGAIN_SECONDS_MAX = 30.0
# What is listed so soon after the successor's start is still its predecessor's.
PIPE_SECONDS = 0.1
BAR_SECONDS = 3.0


class Viewer:
    """Reads both renditions' playlists all the time.

    `newest` is the part that was listed last, and when; `moments` are all of these times.
    """

    def __init__(self, http: aiohttp.ClientSession, player: Player) -> None:
        self.checkers = {name: Checker() for name in NAMES}
        self.newest = dict.fromkeys(NAMES, (0, 0.0))
        self.moments: dict[str, list[float]] = {name: [] for name in NAMES}
        self._http = http
        self._urls = {name: player.media_url.replace("source.m3u8", f"{name}.m3u8") for name in NAMES}

    async def watch(self) -> None:
        while True:
            for name, url in self._urls.items():
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with self._http.get(url, timeout=aiohttp.ClientTimeout(total=1.0)) as answer:
                        text = await answer.read()
                    if answer.status == 200:
                        self._see(name, text)
            await asyncio.sleep(LOOK_SECONDS)

    def _see(self, name: str, text: bytes) -> None:
        seen = self.checkers[name].see(text)
        if seen.parts:
            number = int(seen.parts[-1].uri.rpartition("_p")[2].removesuffix(".m4s"))
            if number > self.newest[name][0]:
                self.newest[name] = number, time.monotonic()
                self.moments[name].append(time.monotonic())


class ReconnectingEncoder:
    """ffmpeg, and again `retry` seconds after it was cut."""

    def __init__(self, ffmpeg: str, film: Path, url: str, retry: float) -> None:
        self._words = [ffmpeg, "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(film)]
        self._words += ["-c", "copy", "-f", "flv", url]
        self._retry = retry

    async def run(self) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                *self._words, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.sleep(self._retry)


def sidecar(house: House) -> psutil.Process:
    assert house.process is not None
    children = psutil.Process(house.process.pid).children()
    return next(each for each in children if each.cmdline()[-2:] == ["-m", "media"])


def encoders(house: House) -> list[psutil.Process]:
    """The ladder's ffmpeg; a thumbnail's runs for a moment only and reads another pipe."""
    return [each for each in sidecar(house).children(recursive=True) if "-force_key_frames" in each.cmdline()]


def alive(processes: list[psutil.Process]) -> int:
    """Who of them still runs; a zombie that a container's PID 1 does not reap does not."""
    found = 0
    for each in processes:
        with contextlib.suppress(psutil.Error):
            found += each.is_running() and each.status() != psutil.STATUS_ZOMBIE
    return found


async def kill_once(house: House, viewer: Viewer, what: str) -> tuple[float, int]:
    """Seconds until it plays again, and how many processes are too many after one second."""
    name = "source" if what == "sidecar" else RUNG
    process = sidecar(house)
    if what == "sidecar":
        family = [process, *process.children(recursive=True)]
    else:
        family = await eventually(lambda: encoders(house), what="an encoder")
        [process] = family
    process.kill()
    killed_at = time.monotonic()
    succeeding = asyncio.create_task(successor_at(house, what, process.pid))
    await asyncio.sleep(1.0)
    orphans = alive(family)
    async with asyncio.timeout_at(asyncio.get_running_loop().time() + AGAIN_SECONDS_MAX):
        begins_at = await succeeding
        while viewer.newest[name][1] <= begins_at + PIPE_SECONDS:
            await asyncio.sleep(0.01)
    after = [killed_at, *(moment for moment in viewer.moments[name] if moment > killed_at)]
    return max(end - begin for begin, end in itertools.pairwise(after)), orphans


async def successor_at(house: House, what: str, pid: int) -> float:
    """When the process that follows the killed one was there."""
    while True:
        with contextlib.suppress(psutil.Error, StopIteration):
            there = [sidecar(house)] if what == "sidecar" else encoders(house)
            if any(each.pid != pid for each in there):
                return time.monotonic()
        await asyncio.sleep(0.01)


async def measure(house: House, given: argparse.Namespace, folder: Path) -> int:
    ffmpeg, chance = imageio_ffmpeg.get_ffmpeg_exe(), random.Random(given.seed)
    films.RECIPES["kills"] = (*films.VIDEO, *films.AUDIO, "-t", "60", *films.X264,
                              *("-g", str(round(given.interval * 30))), *films.AAC)  # fmt: skip
    film = films.make(ffmpeg, folder, "kills")
    streamer = await house.sign_up("Nyan")
    encoder = ReconnectingEncoder(ffmpeg, film, f"{house.rtmp_url}/{streamer.stream_key}", given.retry)
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        pushing = tasks.create_task(encoder.run())
        channel = await house.on_air("Nyan")
        player = await Player(http, f"{house.url}{channel['playback']}").open()
        viewer = Viewer(http, player)
        watching = tasks.create_task(viewer.watch())
        await eventually(lambda: all(number > 2 for number, _ in viewer.newest.values()), what="both renditions")
        results = []
        for _ in range(given.kills):
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS[given.what]))
            results.append(await kill_once(house, viewer, given.what))
            print(f"  {results[-1][0]:.2f} s", flush=True)
        pushing.cancel()
        watching.cancel()
    return tell(given, viewer, results)


def tell(given: argparse.Namespace, viewer: Viewer, results: list[tuple[float, int]]) -> int:
    seconds = sorted(again for again, _ in results)
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    orphans = sum(count for _, count in results)
    findings = {f"{name}: {words}" for name, each in viewer.checkers.items() for words in each.findings}
    print(f"kills of the {given.what}   {len(results)}, keyframes every {given.interval} s, retry {given.retry} s")
    print(f"orphans after 1 s    {orphans}")
    print(f"playing again        p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s, max {seconds[-1]:.2f} s")
    print(f"broken rules         {len(findings)}")
    for words in sorted(findings):
        print(f"  {words}")
    last = viewer.checkers["source"].last
    assert last is not None
    msn = last.segments[-1].msn
    discontinuities = last.discontinuity_sequence + sum(each.discontinuity for each in last.segments)
    print(f"source at the end    segment {msn}, {discontinuities} discontinuities")
    return 1 if orphans or findings or p95 > BAR_SECONDS else 0


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sidecar", "ffmpeg"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--retry", type=float, default=0.5, help="seconds after which the encoder connects again")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between the encoder's keyframes")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "data", COMMEOW_LADDER=f"source,{RUNG}")
        await house.start()
        try:
            return await measure(house, given, Path(folder))
        finally:
            if house.process and house.process.returncode is None:
                await house.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
