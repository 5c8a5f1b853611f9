"""Core: how ffmpeg is asked for a ladder: which rungs, and the exact argument list.

Video-only FLV on stdin, video-only FLV per rung on a pipe of its own. Each option below was measured; the reasons stand
beside it, because most of the obvious ones are wrong here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from media.flv import Codec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Since 6.1 ffmpeg reads Enhanced RTMP's FLV (HEVC, AV1).
ENHANCED_FLV_VERSION: Final = (6, 1)
# Since 9 "-1" is an error there.
ENCODER_TIME_BASE_VERSION: Final = (9, 0)
# A build from ffmpeg's master names no version: newer than all we know.
NEWEST_VERSION: Final = (99, 0)

# One process decodes once and encodes each rung; more rungs than this are no ladder but a render farm.
RUNGS_MAX: Final = 6
# H.264 beside a HEVC or AV1 source: 720 lines cost half a core, 1080 a whole one, and most players take the source.
FALLBACK_HEIGHT_MAX: Final = 720
# Longer than any keyframe interval in use: keyframes come where the source has them.
KEYFRAME_INTERVAL_FRAMES: Final = 600

# Bits a second by height: between what the large houses recommend for 30 and for 60 frames.
_BITS_A_SECOND: Final = (
    (160, 250_000),
    (240, 400_000),
    (360, 800_000),
    (480, 1_200_000),
    (720, 2_500_000),
    (1080, 4_500_000),
)
# A card on the home page, on a dense screen.
STILL_WIDTH: Final = 640
STILL_HEIGHT: Final = 360
# Of JPEG, 2 to 31: 20 to 50 KB.
STILL_QUALITY: Final = 5

_RUNG_NAME: Final = re.compile(r"([1-9][0-9]{1,3})p")
_VERSION: Final = re.compile(r"^ffmpeg version n?(\d+)\.(\d+)")

Version = tuple[int, int]


class FfmpegError(Exception):
    """Base of this module's refusals."""


class RungInvalid(FfmpegError):
    """A rung of the ladder that is neither `source` nor a height such as `480p`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name!r} is no rung; write a height such as 480p"


@dataclass(frozen=True, slots=True)
class Rung:
    """One encoded rendition; `height` is the shorter side of the picture in pixels."""

    name: str
    height: int
    bits_a_second: int


def read_version(text: str) -> Version | None:
    """The version in the first line of `ffmpeg -version`; None when that was no ffmpeg."""
    match = _VERSION.match(text)
    if match:
        return int(match[1]), int(match[2])
    return NEWEST_VERSION if text.startswith("ffmpeg version ") else None


def can_read(version: Version, codec: Codec) -> bool:
    """Whether this ffmpeg reads that codec out of FLV."""
    return codec is Codec.AVC or version >= ENHANCED_FLV_VERSION


def rungs(ladder: Sequence[str], width: int, height: int) -> list[Rung]:
    """The encoded rungs of a ladder for a source of that size: never upscaled. Raises RungInvalid."""
    found = []
    for name in ladder:
        if name == "source":
            continue
        match = _RUNG_NAME.fullmatch(name)
        if match is None:
            raise RungInvalid(name)
        rung_height = int(match[1])
        if rung_height <= min(width, height):
            found.append(Rung(name, rung_height, bits_a_second(rung_height)))
    return found[:RUNGS_MAX]


def fallback_rung(width: int, height: int) -> Rung:
    """One rung for a source in a codec that not every browser plays: as large as the source, within reason."""
    side = min(width, height, FALLBACK_HEIGHT_MAX) // 2 * 2
    return Rung(f"{side}p", side, bits_a_second(side))


def bits_a_second(height: int) -> int:
    """What a rung of that height may cost: the table's, in proportion between its lines and beyond them."""
    below = max((line for line in _BITS_A_SECOND if line[0] <= height), default=_BITS_A_SECOND[0])
    above = min((line for line in _BITS_A_SECOND if line[0] >= height), default=_BITS_A_SECOND[-1])
    if below[0] >= above[0]:
        return below[1] * height // below[0]
    return below[1] + (above[1] - below[1]) * (height - below[0]) // (above[0] - below[0])


def rung_size(rung: Rung, width: int, height: int) -> tuple[int, int]:
    """A rung's picture, of a source of that size: the other side in proportion, and even."""
    other = round(max(width, height) * rung.height / min(width, height) / 2) * 2
    return (other, rung.height) if width >= height else (rung.height, other)


def arguments(
    ffmpeg: str,
    version: Version,
    ladder: Sequence[Rung],
    pipes: Sequence[int],
    *,
    width: int,
    height: int,
    seen_ms: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    """The whole command: rung by rung into the file descriptors `pipes`. Nothing in it comes from a publisher.

    A rung in `seen_ms` begins with the first picture after that time of the input: it has the ones before.
    """
    command = [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "warning"]
    # It opens nothing but the pipes it is given.
    command += ["-protocol_whitelist", "pipe"]
    # The header and the first frame are enough; an estimate of the frame rate is not waited for. (`-fflags nobuffer`
    # would throw away what was probed: the first keyframe interval.)
    command += ["-fpsprobesize", "0", "-probesize", "5000"]
    # Frame threads of the decoder hold frames back: 73 ms against 11.
    command += ["-threads", "1"]
    # Otherwise the first timestamp becomes 0, and the source's audio no longer fits.
    command += ["-copyts", "-f", "flv", "-i", "pipe:0"]
    time_base = "demux" if version >= ENCODER_TIME_BASE_VERSION else "-1"
    for rung, pipe in zip(ladder, pipes, strict=True):
        bits = str(rung.bits_a_second)
        # -2: the other side in proportion, and even. The shorter side is what a rung is named by.
        scale = f"-2:{rung.height}" if width >= height else f"{rung.height}:-2"
        # Before the scaler and the encoder: to decode costs little. Between two milliseconds, for t is no integer.
        unseen = f"select='gt(t,{seen_ms[rung.name]}.5/1000)'," if rung.name in seen_ms else ""
        command += ["-map", "0:v:0", "-an", "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency"]
        # 8-bit 4:2:0 whatever comes in (screen capture is 4:4:4): browsers decode nothing else.
        command += ["-pix_fmt", "yuv420p", "-vf", f"{unseen}scale={scale}:flags=fast_bilinear"]
        # A buffer of one second: BANDWIDTH holds.
        command += ["-b:v", bits, "-maxrate", bits, "-bufsize", bits]
        # A keyframe where the source has one and nowhere else.
        command += ["-force_key_frames", "source", "-g", str(KEYFRAME_INTERVAL_FRAMES), "-sc_threshold", "0"]
        # No regridding: timestamps come back as they went in, to the millisecond.
        command += ["-fps_mode", "passthrough", "-enc_time_base", time_base]
        command += ["-f", "flv", "-flvflags", "no_duration_filesize", "-flush_packets", "1", f"pipe:{pipe}"]
    return command


def still_arguments(ffmpeg: str) -> list[str]:
    """The command for one JPEG of the first picture: FLV on stdin, the file on stdout; one size for all sources."""
    size = f"{STILL_WIDTH}:{STILL_HEIGHT}"
    # Inside the frame, never around it: what is added are bars, and a picture of one line does not become 132 million.
    filters = f"scale={size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=fast_bilinear"
    filters += f",pad={size}:(ow-iw)/2:(oh-ih)/2"
    command = [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-protocol_whitelist", "pipe"]
    command += ["-threads", "1", "-f", "flv", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-vf", filters]
    return [*command, "-pix_fmt", "yuvj420p", "-q:v", str(STILL_QUALITY), "-f", "mjpeg", "pipe:1"]
