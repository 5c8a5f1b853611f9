"""Real encoders against the RTMP port, by hand: what each sent, what came of it, and a recording of its bytes.

    python tests/bench/try_encoders.py [--ffmpeg PATH ...] [--record FOLDER]

ffmpeg is the one of the wheel; older ones by `--ffmpeg` (imageio-ffmpeg 0.4.2 has 4.2.2). GStreamer's `rtmp2sink` and
`rtmpsink`, which is librtmp, run where `gst-launch-1.0` is: apt-get install gstreamer1.0-tools
gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav. OBS has a test: tests/flows/test_obs.py.
A recording is what stood between C0 and the end; tests/vectors/rtmp was made so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.intake import Began, Intake  # noqa: E402
from media.rtmp_ingest.publishers import TAKEN  # noqa: E402
from media.rtmp_ingest.server import serve  # noqa: E402

SECONDS_MAX = 30
KEY = "demo_key"
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=15")
SOUND = ("-f", "lavfi", "-i", "sine=sample_rate=44100")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "15", "-crf", "40")
AAC = ("-c:a", "aac", "-b:a", "32k")
GST = (
    "videotestsrc num-buffers=15 ! video/x-raw,width=96,height=64,framerate=15/1"
    " ! x264enc tune=zerolatency key-int-max=15 ! h264parse ! flvmux streamable=true name=mux"
    " audiotestsrc num-buffers=44 ! audio/x-raw,rate=44100 ! avenc_aac ! aacparse ! mux. mux."
)


class Taker:
    """Who decides, and the sink: everybody may publish, one after another."""

    def __init__(self) -> None:
        self.video_count = self.audio_count = 0
        self.began: list[str] = []
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._intake = Intake()

    async def publish(self, key: str, app: str, cut: Any) -> Taker:
        assert key == KEY
        return self

    def video(self, timestamp_ms: int, payload: bytes) -> Any:
        self.video_count += 1
        return self._look(self._intake.video(timestamp_ms, payload))

    def audio(self, timestamp_ms: int, payload: bytes) -> Any:
        self.audio_count += 1
        return self._look(self._intake.audio(timestamp_ms, payload))

    def metadata(self, values: dict[str, Any]) -> Any:
        self._intake.metadata(values)
        return TAKEN

    async def end(self, clean: bool) -> None:
        self.ended.set_result(clean)

    def _look(self, events: list[Any]) -> Any:
        for event in events:
            if isinstance(event, Began):
                picture = event.video and f"{event.video.codec} {event.video.width}x{event.video.height}"
                self.began.append(f"{picture} {event.audio and event.audio.codec}")
        return TAKEN


def encoders(paths: list[str]) -> dict[str, list[str]]:
    """The command line of each, without the address, which comes last."""
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415

    found = {}
    for path in (get_ffmpeg_exe(), *paths):
        run = [path, "-v", "error", *PICTURE, *SOUND, "-t", "1", *X264]
        found[f"{path} H.264, AAC"] = [*run, *AAC, "-f", "flv"]
    new = [get_ffmpeg_exe(), "-v", "error", *PICTURE, *SOUND, "-t", "1"]
    hevc = ("-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "libopus")
    av1 = ("-an", "-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "log-level=0")
    two = (*PICTURE, *PICTURE, "-t", "1", "-map", "0", "-map", "1", *X264)
    found["ffmpeg HEVC, Opus"] = [*new, *hevc, "-f", "flv"]
    found["ffmpeg AV1"] = [*new, *av1, "-f", "flv"]
    found["ffmpeg two tracks"] = [*new[:3], *two, "-f", "flv"]
    gst = shutil.which("gst-launch-1.0")
    if gst:
        for sink in ("rtmp2sink", "rtmpsink"):
            found[f"GStreamer {sink}"] = [gst, "-q", *GST.split(), "!", sink]
    else:
        print("GStreamer is not here")
    return found


async def attempt(name: str, command: list[str]) -> bytes:
    """Let one encoder publish, through a pair of ears, and say what came of it."""
    taker, heard = Taker(), bytearray()
    server = await serve("127.0.0.1", 0, taker)

    async def overhear(encoder: asyncio.StreamReader, to_encoder: asyncio.StreamWriter) -> None:
        answers, to_server = await asyncio.open_connection("127.0.0.1", server.port)

        async def up() -> None:
            while data := await encoder.read(65_536):
                heard.extend(data)
                to_server.write(data)
            to_server.close()

        async def down() -> None:
            while data := await answers.read(65_536):
                to_encoder.write(data)
            to_encoder.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(up(), down())

    ears = await asyncio.start_server(overhear, "127.0.0.1", 0)
    address = f"rtmp://127.0.0.1:{ears.sockets[0].getsockname()[1]}/live/{KEY}"
    last = f"location={address}" if "GStreamer" in name else address
    process = await asyncio.create_subprocess_exec(
        *command, last, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            words, _ = await process.communicate()
            clean = await taker.ended
        end = "a clean end" if clean else "a LOSS"
    except TimeoutError:
        process.kill()
        words, clean, end = b"", False, "NO END"
    print(f"{name}: exit {process.returncode}, {taker.video_count} pictures, {taker.audio_count} packets, {end}")
    print(f"    {taker.began or 'NOTHING PLAYS'}")
    if process.returncode or not clean:
        print(words.decode(errors="replace"))
    ears.close()
    await server.close()
    return bytes(heard)


async def main(options: argparse.Namespace) -> None:
    for name, command in encoders(options.ffmpeg).items():
        heard = await attempt(name, command)
        if options.record:
            options.record.mkdir(parents=True, exist_ok=True)
            (options.record / f"{re.sub('[^A-Za-z0-9]+', '_', name)}.bin").write_bytes(heard)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ffmpeg", action="append", default=[], help="another ffmpeg to try")
    parser.add_argument("--record", type=Path, help="a folder for what each sent")
    asyncio.run(main(parser.parse_args()))
