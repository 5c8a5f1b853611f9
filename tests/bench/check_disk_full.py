"""By hand, as root: two broadcasts on a disk of 64 MB that somebody else fills, and empties again.

    python -m tests.bench.check_disk_full [--rounds 3] [--seconds 15]

`./commeow` is started with its segments on a tmpfs; a large and a small broadcast run, and a member talks once a
second. Each round a stranger's file takes whatever is free, and what is given up for the next segment too, for
`--seconds`, then goes. All the while players read both broadcasts' edge and DVR playlists and judge them
(tests/media/checker.py), and have every segment that the DVR list shows: it must be whole boxes from its first byte to
its last. Prints how long the edge and the chat ever waited, and how soon after the file was gone a whole segment was
listed again. Exit code 1 if anything was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))

from house import House, Person, Player, eventually

from tests.bench.check_kills_media import ReconnectingEncoder
from tests.media import films
from tests.media.checker import Checker

DISK_MB = 64
KEYFRAMES = 60  # two seconds
FILMS = {
    "large": (*("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30,noise=alls=60:allf=t"), *films.AUDIO, "-t", "20",
              *films.X264, "-b:v", "12M", "-maxrate", "12M", "-bufsize", "12M", "-g", str(KEYFRAMES), *films.AAC),
    "small": (*films.VIDEO, *films.AUDIO, "-t", "20", *films.X264, "-g", str(KEYFRAMES), *films.AAC),
}  # fmt: skip


def whole_boxes(data: bytes) -> bool:
    """Whether it is boxes to the last byte, the first one of a fragment."""
    at = 0
    while at + 8 <= len(data):
        at += int.from_bytes(data[at : at + 4], "big") or len(data)
    return at == len(data) and data[4:8] == b"moof"


class Viewer:
    """One at the edge and one in the past of one broadcast."""

    def __init__(self, http: aiohttp.ClientSession, player: Player) -> None:
        self.edge, self.past = Checker(), Checker()
        self.findings: set[str] = set()
        self.waits: list[float] = []
        self.whole_at: dict[int, float] = {}
        self.gaps = 0
        self._http, self._url = http, player.media_url

    async def watch(self) -> None:
        last, at = "", time.monotonic()
        while True:
            seen = self.edge.see(await self._get(self._url))
            if seen.parts and seen.parts[-1].uri != last:
                self.waits.append(time.monotonic() - at)
                last, at = seen.parts[-1].uri, time.monotonic()
            past = self.past.see(await self._get(self._url.replace(".m3u8", "_dvr.m3u8")))
            self.gaps = sum(each.gap for each in past.segments)
            for each in past.segments:
                if not each.gap and each.msn not in self.whole_at:
                    self.whole_at[each.msn] = time.monotonic()
                    if not whole_boxes(await self._get(Player.beside(self._url, str(each.uri)))):
                        self.findings.add(f"segment {each.msn} is listed and not whole")
            await asyncio.sleep(0.05)

    async def _get(self, url: str) -> bytes:
        async with self._http.get(url) as answer:
            if answer.status != 200:
                self.findings.add(f"{answer.status} for {url.rpartition('/')[2]}")
            return await answer.read()


async def talk(house: House, streamer: Person, speaker: Person, waits: list[float]) -> None:
    async with house.connect(speaker) as connection:
        for number in range(10**6):
            at = time.monotonic()
            await connection.say(streamer.nickname, f"line {number}")
            waits.append(time.monotonic() - at)
            await asyncio.sleep(1.1)


def fill(path: Path) -> None:
    """Take all there is now, to the last byte."""
    with path.open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


async def measure(house: House, given: argparse.Namespace, folder: Path, disk: Path) -> int:
    ffmpeg, viewers, chat = imageio_ffmpeg.get_ffmpeg_exe(), {}, []
    films.RECIPES.update(FILMS)
    streamers = {name: await house.sign_up(name) for name in FILMS}
    speaker = await house.sign_up("Speaker")
    recoveries: list[float] = []
    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as tasks:
        works = []
        for name, streamer in streamers.items():
            url = f"{house.rtmp_url}/{streamer.stream_key}"
            encoder = ReconnectingEncoder(ffmpeg, films.make(ffmpeg, folder, name), url, 0.5)
            works.append(tasks.create_task(encoder.run()))
            channel = await house.on_air(name)
            viewers[name] = Viewer(http, await Player(http, f"{house.url}{channel['playback']}").open())
        await asyncio.sleep(6.0)  # Until the past has something.
        works += [tasks.create_task(each.watch()) for each in viewers.values()]
        works.append(tasks.create_task(talk(house, streamers["small"], speaker, chat)))
        for _ in range(given.rounds):
            await asyncio.sleep(10.0)
            until = time.monotonic() + given.seconds
            while time.monotonic() < until:
                await asyncio.to_thread(fill, disk / "stranger")
                await asyncio.sleep(0.02)
            (disk / "stranger").unlink()
            at = time.monotonic()
            for each in viewers.values():
                before = len(each.whole_at)
                await eventually(lambda each=each, before=before: len(each.whole_at) > before, what="a whole segment")
                recoveries.append(max(each.whole_at.values()) - at)
        used = shutil.disk_usage(disk)
        for work in works:
            work.cancel()
    findings = {f"{name}: {words}" for name, each in viewers.items()
                for words in (*each.findings, *each.edge.findings, *each.past.findings)}  # fmt: skip
    print(f"disk at the end      {used.used / 2**20:.0f} of {used.total / 2**20:.0f} MB used")
    for name, each in viewers.items():
        waits = sorted(each.waits)
        edge = f"a part every {waits[len(waits) // 2]:.2f} s (p50), {waits[int(len(waits) * 0.99)]:.2f} s (p99)"
        print(f"{name:<20} {edge}, {waits[-1]:.2f} s at most; {len(each.whole_at)} segments whole, {each.gaps} gaps")
    print(f"chat                 {len(chat)} lines, the slowest {max(chat):.2f} s")
    print(f"whole again after    {', '.join(f'{seconds:.1f}' for seconds in recoveries)} s")
    print(f"broken rules         {len(findings)}")
    for words in sorted(findings):
        print(f"  {words}")
    return 1 if findings else 0


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "data" / "hls"
        disk.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(disk)], check=True)
        house = House(Path(folder) / "data")
        try:
            await house.start()
            return await measure(house, given, Path(folder), disk)
        finally:
            if house.process and house.process.returncode is None:
                await house.stop()
            subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
