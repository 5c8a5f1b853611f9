"""CPU for each second of a stream from FLV to HLS: our intake and writer beside `ffmpeg -c copy -f hls`, in one run.

    python tests/bench/bench_packaging.py [--seconds 60] [--rounds 5] [--mbits 5]

The film (720p, 30 pictures a second, a keyframe every two seconds, AAC) is made once, and both read it from the page
cache as fast as they can. Ours reads it in the pieces a socket gives, cuts parts of a third of a second and segments of
low-latency HLS in memory, and after every part writes the playlist and hands out the part and the closed segment, as
for a player that asks for each. ffmpeg writes plain HLS, a segment a keyframe interval, to files: fragmented MP4, and
MPEG-TS, its default; it has no parts. Each is a process of its own, of which the kernel says the CPU time of all
threads. What a process needs for starting is not in the figures: they are the difference to the same for the film's
first two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.flv import TagKind, TagReader  # noqa: E402
from media.hls_writer.writer import Writer  # noqa: E402
from media.intake import Intake  # noqa: E402
from tests.media import films  # noqa: E402

READ_BYTES = 64 * 1024
LOOP_SECONDS = 10
SHORT_SECONDS = 2
QUIET = ("-y", "-hide_banner", "-nostdin", "-loglevel", "error")
FFMPEG_WAYS = {
    "ffmpeg fMP4": ("-hls_segment_type", "fmp4"),
    "ffmpeg TS": ("-hls_segment_type", "mpegts"),
}


# --- ours -------------------------------------------------------------------------------------------------------------


async def package(path: Path) -> None:
    """Package a film and say how many parts, segments and bytes of parts came out."""
    writer, intake, reader = Writer(1), Intake(), TagReader()
    timeline = writer._source.timeline
    version, part, msn, size = -1, 1, 1, 0

    async def look() -> None:
        nonlocal version, part, msn, size
        if not timeline.ready or timeline.version == version:
            return
        version = timeline.version
        assert await writer.media_playlist("source", msn=None, part=None, skip=False)
        while part < timeline.next_part:
            size += len((await writer.resource(f"source_p{part}.m4s")).data)
            part += 1
        while timeline.segment(msn):
            assert (await writer.resource(f"source_s{msn}.m4s")).data
            msn += 1

    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            for tag in reader.receive_data(data):
                if tag.kind != TagKind.SCRIPT:
                    for event in films.events((tag,), intake):
                        films.write(writer, event)
                        await look()
    writer.end()
    await look()
    print(part - 1, msn - 1, size)


# --- the measurement --------------------------------------------------------------------------------------------------


def run(command: list[str]) -> tuple[float, str]:
    """CPU seconds of a child, and what it said."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_utime + usage.ru_stime, said


def make(ffmpeg: str, folder: Path, seconds: int, mbits: float) -> tuple[Path, Path]:
    """Return a film and its beginning. Ten seconds are encoded, and repeated."""
    loop, long, short = (folder / f"{name}.flv" for name in ("loop", "long", "short"))
    # The noise is what fills the bit rate, as a game does.
    picture = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30,noise=alls=12:allf=t")
    rate = ("-b:v", f"{mbits}M", "-maxrate", f"{mbits}M", "-bufsize", f"{mbits}M", "-pix_fmt", "yuv420p")
    sound = ("-c:a", "aac", "-b:a", "128k")
    whole = ("-t", str(LOOP_SECONDS), *films.X264, "-g", "60", *rate, *sound)
    run([ffmpeg, *QUIET, *picture, *films.AUDIO, *whole, "-f", "flv", str(loop)])
    for path, length in ((long, seconds), (short, SHORT_SECONDS)):
        again = ("-stream_loop", "-1", "-i", str(loop), "-t", str(length))
        run([ffmpeg, *QUIET, *again, "-c", "copy", "-f", "flv", str(path)])
    return long, short


def by_us(film: Path) -> float:
    cpu, said = run([sys.executable, __file__, "--package", str(film)])
    parts, segments, size = map(int, said.split())
    assert parts > segments >= 1
    assert size > 0.98 * film.stat().st_size  # Nothing is left out; there is less in a tag than around it.
    return cpu


def by_ffmpeg(ffmpeg: str, film: Path, way: str) -> float:
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
        playlist = Path(folder, "index.m3u8")
        live = ("-hls_time", "1", "-hls_list_size", "8", "-hls_flags", "delete_segments", *FFMPEG_WAYS[way])
        command = [ffmpeg, *QUIET, "-f", "flv", "-i", str(film), "-c", "copy", "-f", "hls", *live, str(playlist)]
        cpu, _ = run(command)
        assert "#EXT-X-ENDLIST" in playlist.read_text()
    return cpu


def main(options: argparse.Namespace) -> None:
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415

    ffmpeg = get_ffmpeg_exe()
    ways = {"ours": by_us, **{way: lambda film, way=way: by_ffmpeg(ffmpeg, film, way) for way in FFMPEG_WAYS}}
    starts: dict[str, list[float]] = {way: [] for way in ways}
    costs: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
        long, short = make(ffmpeg, Path(folder), options.seconds, options.mbits)
        rate = 8e-6 * long.stat().st_size / options.seconds
        for measure in ways.values():  # Warm.
            measure(short)
        for _ in range(options.rounds):  # In turn, so that a noisy minute meets all.
            for way, measure in ways.items():
                start = measure(short)
                starts[way].append(start)
                costs[way].append(1000 * (measure(long) - start) / (options.seconds - SHORT_SECONDS))
    print(f"{options.seconds} s of {rate:.1f} Mbit/s, median of {options.rounds} rounds")
    print(f"{'':>11} {'CPU ms a second':>16} {'ours / it':>10} {'streams a core':>15} {'start ms':>9}")
    for way, found in costs.items():
        ratio = statistics.median(ours / other for ours, other in zip(costs["ours"], found, strict=True))
        cost, start = statistics.median(found), 1000 * statistics.median(starts[way])
        print(f"{way:>11} {cost:>16.2f} {ratio:>9.2f}x {1000 / cost:>15.0f} {start:>9.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mbits", type=float, default=5.0)
    parser.add_argument("--package", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.package:
        asyncio.run(package(given.package))
    elif given.seconds <= SHORT_SECONDS:
        parser.error(f"--seconds must be more than {SHORT_SECONDS}")
    else:
        main(given)
