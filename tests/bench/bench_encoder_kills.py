"""By hand: an encoder that is killed again and again: what is left behind, and how soon its rendition plays on.

    python -m tests.bench.bench_encoder_kills [--kills 20] [--interval 2.0]

A film is published in real time into a broadcast with one encoded rung; at random moments its ffmpeg gets SIGKILL.
Orphans are processes of ours that live one second later beside the one that was started anew. "Playing again" is from
the kill to the rung's next part. The keyframe interval is most of it: an encoder begins at a keyframe.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

from media.ffmpeg_args import rungs
from media.hls_writer.writer import Writer
from media.intake import Began, Video
from media.transcoder import Transcoder, detect
from tests.media import films

LADDER = ("source", "240p")
FRAME_SECONDS = 1 / 30
# Between "it plays" and the next kill.
PAUSE_SECONDS = (0.5, 2.5)
AGAIN_SECONDS_MAX = 20.0
SEED = 3


def film(ffmpeg: str, folder: Path, interval: float) -> Path:
    films.RECIPES["bench"] = (
        *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-t", "12"),
        *(*films.X264, "-g", str(round(interval * 30))),
    )
    return films.make(ffmpeg, folder, "bench")


def children() -> set[int]:
    """The processes that live below this one."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (each / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(each.name))
    return found


async def publish(path: Path, writer: Writer, transcoder: Transcoder) -> None:
    """The film over and over, at its own pace."""
    events = list(films.events(films.tags(path)))
    began, shown = events[0], [event for event in events if isinstance(event, Video)]
    assert isinstance(began, Began)
    writer.begin(began, date=time.time())
    transcoder.begin(writer.epoch, began, rungs(LADDER, began.video.width, began.video.height))
    started, length_ms = time.monotonic(), shown[-1].timestamp_ms + 33
    for index in range(10**9):
        video = shown[index % len(shown)]
        video = Video(video.timestamp_ms + index // len(shown) * length_ms, video.frame, video.payload)
        await asyncio.sleep(max(0.0, started + video.timestamp_ms / 1000 - time.monotonic()))
        writer.video(video)
        transcoder.video(video)


async def kill_once(transcoder: Transcoder, timeline) -> tuple[float, int]:
    """Seconds until it plays again, and how many processes are too many after one second."""
    [pid] = transcoder.pids
    before, killed_at = timeline.next_part, time.monotonic()
    os.kill(pid, signal.SIGKILL)
    again, orphans = None, None
    while again is None or orphans is None:
        await asyncio.sleep(0.005)
        now = time.monotonic()
        assert now - killed_at < AGAIN_SECONDS_MAX, "it does not play again"
        if again is None and timeline.next_part > before:
            again = now - killed_at
        if orphans is None and now - killed_at >= 1.0:
            orphans = len(children() - set(transcoder.pids))
    return again, orphans


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between the publisher's keyframes")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    ffmpeg, chance = imageio_ffmpeg.get_ffmpeg_exe(), random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path, version = film(ffmpeg, Path(folder), given.interval), await detect(ffmpeg)
        assert version
        writer = Writer(1, LADDER)
        transcoder = Transcoder(ffmpeg, version, Path(folder), writer)
        publishing = asyncio.create_task(publish(path, writer, transcoder))
        timeline, results = writer._renditions[LADDER[1]].timeline, []
        while timeline.next_part < 3:
            await asyncio.sleep(0.05)
        for _ in range(given.kills):
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))
            results.append(await kill_once(transcoder, timeline))
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await transcoder.close()
        left = len(children())
    seconds = sorted(again for again, _ in results)
    print(f"kills                {len(results)}, a keyframe every {given.interval} s")
    print(f"orphans after 1 s    {sum(orphans for _, orphans in results)}")
    print(f"playing again        p50 {statistics.median(seconds):.2f} s, max {seconds[-1]:.2f} s")
    print(f"renditions at end    {', '.join(writer.renditions)}")
    print(f"processes at end     {left}")


if __name__ == "__main__":
    asyncio.run(main())
