"""By hand: more broadcasts with a ladder than the machine has room for: who gets what, and does anybody starve.

    python -m tests.bench.bench_encoder_budget [--broadcasts 6] [--seconds 40] [--unlimited]

Every three seconds one more 720p30 film is published in real time with three rungs below it. Printed are what each was
given and kept, how late the publisher's pictures were taken (the source's own cadence), and how many parts each rung
was behind its source. `--unlimited` admits everybody, for comparison: what the budget is for.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

from media.hls_writer.writer import SOURCE, Writer
from media.intake import Began, Video
from media.ladders import Ladders
from media.machine import usable_cores
from tests.media import films

LADDER = (SOURCE, "480p", "360p", "160p")
JOIN_SECONDS = 3.0
LOOK_SECONDS = 0.25


class Publisher:
    """One broadcast, fed with a film over and over at its own pace."""

    def __init__(self, number: int, ladders: Ladders, events: list) -> None:
        began = events[0]
        assert isinstance(began, Began)
        self._ladders, self._began = ladders, began
        self._shown = [event for event in events if isinstance(event, Video)]
        ladder = ladders.admit(number, began)
        self.given = [rung.name for rung in ladder]
        self.writer = Writer(number, ladders.renditions(ladder))
        self.transcoder = ladders.open(self.writer, ladder)
        self.late: list[float] = []
        self.behind: list[int] = []

    async def publish(self) -> None:
        self.writer.begin(self._began, date=time.time())
        if self.transcoder:
            self._ladders.begin(self.transcoder, self.writer, self._began)
        started, length_ms = time.monotonic(), self._shown[-1].timestamp_ms + 33
        for index in range(10**9):
            video = self._shown[index % len(self._shown)]
            video = Video(video.timestamp_ms + index // len(self._shown) * length_ms, video.frame, video.payload)
            due = started + video.timestamp_ms / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late.append(time.monotonic() - due)
            self.writer.video(video)
            if self.transcoder:
                self.transcoder.video(video)

    def look(self) -> None:
        source = self.writer._renditions[SOURCE].timeline.next_part
        for name in self.writer.renditions:
            timeline = self.writer._renditions[name].timeline
            if name != SOURCE and timeline.ready:
                self.behind.append(source - timeline.next_part)


def p95(values: list) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else 0.0


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broadcasts", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--unlimited", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("media.encoder_run").setLevel(logging.ERROR)
    films.RECIPES["bench"] = (
        *("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=8:allf=t", "-t", "8"),
        *(*films.X264, "-g", "60", "-b:v", "4M"),
    )
    ffmpeg, publishers, tasks = imageio_ffmpeg.get_ffmpeg_exe(), [], []
    with tempfile.TemporaryDirectory() as folder:
        events = list(films.events(films.tags(films.make(ffmpeg, Path(folder), "bench"))))
        ladders = Ladders(LADDER, ffmpeg, Path(folder), cores=1e6 if given.unlimited else None)
        await ladders.detect()
        tasks.append(asyncio.create_task(ladders.run()))
        ends_at = time.monotonic() + given.seconds
        while (now := time.monotonic()) < ends_at:
            if len(publishers) < given.broadcasts and now >= ends_at - given.seconds + JOIN_SECONDS * len(publishers):
                publishers.append(Publisher(len(publishers) + 1, ladders, events))
                tasks.append(asyncio.create_task(publishers[-1].publish()))
            await asyncio.sleep(LOOK_SECONDS)
            for each in publishers:
                each.look()
        used = ladders._budget.used
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in publishers:
            if each.transcoder:
                await each.transcoder.close()
    print(f"cores {usable_cores():.1f}, used by encoders at the end {used:.2f}")
    for number, each in enumerate(publishers, 1):
        kept = ", ".join(name for name in each.writer.renditions if name != SOURCE) or "-"
        print(
            f"{number}: given {', '.join(each.given) or '-'}; kept {kept}; "
            f"source late p95 {p95(each.late) * 1000:.0f} ms; rungs behind p95 {p95(each.behind):.0f} parts"
        )


if __name__ == "__main__":
    asyncio.run(main())
