"""By hand: an encoder that is lost and comes back, in every way: how soon a viewer has something new.

    python -m tests.bench.check_reconnects [clean rst silent zero size codec] [--count 20] [--retry 2.0]

`./commeow` is started; an encoder of ours sends a film in real time, is lost after a while, and another connection
with the same key comes `--retry` seconds later, as OBS does: after a clean stop; after a reset; after silence on a
connection that stays open (the newcomer takes over); with a clock that begins at zero again; with another size; with
another codec. A player reads the playlist all the time and judges it (tests/media/checker.py). The figure is from the
server's "NetStream.Publish.Start" to the first part behind the new discontinuity. Exit code 1 if the 95th percentile of
any kind is above three seconds, or a rule was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import socket
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import imageio_ffmpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "flows"))

from house import House, Player, eventually

from media.flv import TagKind
from tests.media import films
from tests.media.checker import Checker
from tests.media.rtmp_ingest.publisher import Client

if TYPE_CHECKING:
    from media.flv import Tag

LOOK_SECONDS = 0.02
PLAY_SECONDS = (0.6, 1.8)  # From the first new part to the next loss.
AGAIN_SECONDS_MAX = 20.0
BAR_SECONDS = 3.0
HOUR_MS = 3_600_000
FILMS = {"plain": "plain", "size": "other_size", "codec": "hevc"}
KINDS = ("clean", "rst", "silent", "zero", "size", "codec")


class Encoder:
    """One publishing connection that sends a film at its own pace."""

    def __init__(self, port: int, key: str, film: list[Tag], start_ms: int) -> None:
        self._port, self._key, self._film, self._start_ms = port, key, film, start_ms
        self.now_ms = start_ms
        self.published_at = 0.0
        self._client = Client()

    async def begin(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(self._client.start(self._key))
        heard = b""
        while b"NetStream.Publish.Start" not in heard:
            data = await self._reader.read(65_536)
            assert data, f"refused: {heard[3073:]!r}"
            heard += data
        self.published_at = time.monotonic()
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        client, began = self._client, time.monotonic()
        for turn in itertools.count():
            length_ms = self._film[-1].timestamp_ms + 33
            for tag in self._film:
                elapsed_ms = turn * length_ms + tag.timestamp_ms
                await asyncio.sleep(began + elapsed_ms / 1000 - time.monotonic())
                self.now_ms = self._start_ms + elapsed_ms
                send = client.video if tag.kind == TagKind.VIDEO else client.audio
                self._writer.write(send(self.now_ms, tag.payload))
                await self._writer.drain()

    async def lose(self, how: str) -> None:
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        if how == "silent":
            return  # It stays open.
        if how == "clean":
            self._writer.write(self._client.stop(self._key))
            await self._writer.drain()
        else:
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def close(self) -> None:
        self._writer.transport.abort()


class Viewer:
    """Reads the source's playlist all the time; `begun_at` has when each epoch's first part was listed."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.checker = Checker()
        self.begun_at: dict[int, float] = {}
        self._http, self._url = http, url

    async def watch(self) -> None:
        while True:
            async with self._http.get(self._url) as answer:
                text = await answer.read()
            if answer.status == 200:
                seen = self.checker.see(text)
                epoch = seen.discontinuity_sequence + sum(each.discontinuity for each in seen.segments)
                self.begun_at.setdefault(epoch, time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def epoch(self) -> int:
        return max(self.begun_at)


async def reconnect(kind: str, count: int, retry: float, house: House, media: dict[str, list[Tag]]) -> list[float]:
    chance = random.Random(kind)
    streamer = await house.sign_up(f"Nyan{kind}")
    encoder = Encoder(house.rtmp_port, streamer.stream_key, media["plain"], HOUR_MS)
    await encoder.begin()
    seconds: list[float] = []
    async with aiohttp.ClientSession() as http:
        channel = await house.on_air(streamer.nickname)
        player = await Player(http, f"{house.url}{channel['playback']}").open()
        viewer = Viewer(http, player.media_url)
        watching = asyncio.create_task(viewer.watch())
        await eventually(lambda: viewer.begun_at, what="the first part")
        for number in range(count):
            await asyncio.sleep(chance.uniform(*PLAY_SECONDS))
            before = viewer.epoch
            await encoder.lose("rst" if kind in {"zero", "size", "codec"} else kind)
            await asyncio.sleep(retry)
            film = media[kind if kind in FILMS and number % 2 == 0 else "plain"]
            start_ms = (0, HOUR_MS)[number % 2] if kind == "zero" else encoder.now_ms + 1000
            last, encoder = encoder, Encoder(house.rtmp_port, streamer.stream_key, film, start_ms)
            await encoder.begin()
            last.close()
            async with asyncio.timeout(AGAIN_SECONDS_MAX):
                while viewer.epoch == before:
                    await asyncio.sleep(0.005)
            seconds.append(viewer.begun_at[viewer.epoch] - encoder.published_at)
        await encoder.lose("clean")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    for words in sorted(set(viewer.checker.findings)):
        print(f"  {kind}: {words}")
    assert not viewer.checker.findings
    return sorted(seconds)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=KINDS)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--retry", type=float, default=2.0)
    given = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        media = {kind: films.tags(films.make(ffmpeg, Path(folder), recipe)) for kind, recipe in FILMS.items()}
        house = House(Path(folder) / "data")
        await house.start()
        try:
            for kind in given.kinds:
                seconds = await reconnect(kind, given.count, given.retry, house, media)
                p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
                worst = max(worst, p95)
                figures = f"p50 {statistics.median(seconds):.2f} s, p95 {p95:.2f} s, max {seconds[-1]:.2f} s"
                print(f"{kind:>8}: {len(seconds)} reconnects, first new part after publish {figures}", flush=True)
        finally:
            await house.stop()
    return 1 if worst > BAR_SECONDS else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
