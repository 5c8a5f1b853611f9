"""Small films: real ones made by ffmpeg once a session, and synthetic ones put together by hand."""

from __future__ import annotations

import asyncio
import functools
import subprocess
from typing import TYPE_CHECKING

from media.flv import AudioConfig, Codec, TagKind, TagReader, VideoConfig, read_video
from media.intake import Audio, Began, Intake, Video

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from media.flv import Tag
    from media.hls_writer.writer import Writer
    from media.intake import Event
    from media.spool import Spool

VIDEO = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30")
AUDIO = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-sc_threshold", "0")
AAC = ("-c:a", "aac", "-b:a", "64k")

RECIPES: dict[str, tuple[str, ...]] = {
    "plain": (*VIDEO, *AUDIO, "-t", "7", *X264, "-g", "60", *AAC),
    "bframes": (*VIDEO, *AUDIO, "-t", "7", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60", *AAC),
    "long_interval": (*VIDEO, *AUDIO, "-t", "20", *X264, "-g", "240", *AAC),
    "endless_interval": (*VIDEO, "-t", "16", *X264, "-g", "9999"),
    "video_only": (*VIDEO, "-t", "5", *X264, "-g", "30"),
    "five_a_second": (*VIDEO, *AUDIO, "-t", "9", "-r", "5", *X264, "-g", "10", *AAC),
    "eight_a_second": (*VIDEO, "-t", "9", "-r", "8", *X264, "-g", "16"),
    "audio_only": (*AUDIO, "-t", "7", *AAC),
    "other_size": (
        *("-f", "lavfi", "-i", "testsrc2=size=426x240:rate=30"),
        *AUDIO,
        *("-t", "4", *X264, "-g", "60", *AAC),
    ),
    "sixty": ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=60", "-t", "3", *X264, "-g", "60"),
    # Only 4:4:4 has odd sides.
    "odd": ("-f", "lavfi", "-i", "testsrc2=size=321x241:rate=30", "-t", "3", *X264, "-g", "30", "-pix_fmt", "yuv444p"),
    "vertical": ("-f", "lavfi", "-i", "testsrc2=size=270x480:rate=30", "-t", "3", *X264, "-g", "30"),
    "av1_opus": (
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"),
        *("-t", "3", "-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-svtav1-params", "log-level=0"),
        *("-c:a", "libopus"),
    ),
    # Closed, as broadcasting encoders have it: the pictures of an open one that are shown before its keyframe are
    # decoded after it, so the source's segment would begin a frame before the rung's.
    "hevc": (*VIDEO, *AUDIO, "-t", "3", "-c:v", "libx265", "-preset", "ultrafast", "-g", "30", "-x265-params",
             "log-level=none:open-gop=0", *AAC),
}  # fmt: skip


def make(ffmpeg: str, folder: Path, name: str) -> Path:
    path = folder / f"{name}.flv"
    command = [ffmpeg, "-y", "-hide_banner", "-nostdin", "-loglevel", "error", *RECIPES[name], "-f", "flv", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return path


def tags(path: Path) -> list[Tag]:
    return [tag for tag in TagReader().receive_data(path.read_bytes()) if tag.kind != TagKind.SCRIPT]


def events(film: Iterable[Tag], intake: Intake | None = None, *, shift_ms: int = 0) -> Iterator[Event]:
    """What one publishing session makes of a film; `shift_ms` moves its timestamps, which wrap at 2^32."""
    intake = intake or Intake()
    for tag in film:
        timestamp_ms = (tag.timestamp_ms + shift_ms) % 2**32
        take = intake.video if tag.kind == TagKind.VIDEO else intake.audio
        yield from take(timestamp_ms, tag.payload)


def write(writer: Writer, event: Event, *, date: float = 1_700_000_000.0) -> None:
    if isinstance(event, Began):
        writer.begin(event, date=date)
    elif isinstance(event, Video):
        writer.video(event)
    else:
        assert isinstance(event, Audio)
        writer.audio(event)


def echo(writer: Writer, rung: str, event: Event) -> None:
    """An encoder that gives a rung the source's own pictures back at once."""
    if isinstance(event, Began) and event.video:
        config = read_video(event.video_payload)
        assert isinstance(config, VideoConfig)
        writer.rung_config(rung, writer.epoch, config)
    elif isinstance(event, Video):
        writer.rung_video(rung, writer.epoch, event.timestamp_ms, event.frame)


async def settled(spool: Spool) -> None:
    """All that was put into a spool so far has been done and told, and what was put because of that."""
    for _ in range(2):
        done = asyncio.Event()
        spool.put(functools.partial(spool.tell, done.set))
        await done.wait()


def md5s(ffmpeg: str, path: Path, kind: str) -> list[str]:
    """The MD5 of each decoded frame of a file's first video ("v") or audio ("a") stream."""
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-i", str(path), "-map", f"0:{kind}:0"]
    done = subprocess.run([*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


# --- by hand: 320x240 and 426x240 baseline, 48 kHz -------------------------------------------------------------------

AVCC = bytes.fromhex("0142c00dffe100166742c00dda0507ec0440000003004000000f23c50aa801000468ce0fc8")
OTHER_AVCC = bytes.fromhex("0142c015ffe100176742c015da06c7f93c0440000003004000000f23c58ba801000468ce0fc8")
ASC = bytes.fromhex("1190")
OTHER_ASC = bytes.fromhex("1210")


def read_config(avcc: bytes = AVCC) -> VideoConfig:
    return VideoConfig(Codec.AVC, avcc)


def read_sound_config(asc: bytes = ASC) -> AudioConfig:
    return AudioConfig(Codec.AAC, asc)


def video_config(avcc: bytes = AVCC) -> bytes:
    return b"\x17\x00\x00\x00\x00" + avcc


def picture(*, key: bool = False, composition_ms: int = 0, data: bytes = b"\x00\x00\x00\x01\x65") -> bytes:
    head = bytes((0x17 if key else 0x27, 1))
    return head + (composition_ms & 0xFFFFFF).to_bytes(3, "big") + data


def audio_config(asc: bytes = ASC) -> bytes:
    return b"\xaf\x00" + asc


def packet(data: bytes = b"\x21\x00") -> bytes:
    return b"\xaf\x01" + data
