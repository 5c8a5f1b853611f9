"""Core: what a small picture says of itself: its kind, its size, its frames; and that all of it is there.

It is read by its own bytes, never by what somebody calls it: PNG (APNG), GIF and WebP, block by block as their
specifications lay them out. What is no part of the picture (where a photo was taken, a comment, a second file behind
the first) is left out of what is kept.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_BYTES_MAX: Final = 32 * 1024
"""Bytes of one picture: fifty of them are what a page may load for a chat."""

SIDE_PIXELS_MIN: Final = 16
SIDE_PIXELS_MAX: Final = 128
"""Pixels of a side: a line is some 24 high, four times that is enough for any screen."""

FRAMES_MAX: Final = 60
"""Frames of a moving picture: two seconds of thirty. A viewer's memory holds each of them."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"acTL", b"fcTL", b"fdAT"]
)
_WEBP_KEPT: Final = frozenset([b"VP8 ", b"VP8L", b"ALPH", b"ANIM"])
_WEBP_METADATA: Final = 0x2C  # The flags of VP8X that promise a colour profile, EXIF and XMP.
_LOOPS: Final = b"\x0bNETSCAPE2.0"


class EmoteImage(Exception):
    """Not a picture that we take.

    Attributes:
        why: in our words, for the log.
    """

    field = "image"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"no emote: {self.why}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept and served."""

    media_type: str
    width: int
    height: int
    data: bytes


def read(data: bytes) -> Picture:
    """Read a picture. Raises EmoteImage, and nothing else."""
    if len(data) > IMAGE_BYTES_MAX:
        raise EmoteImage("too many bytes")
    try:
        if data.startswith(_PNG):
            return _png(data)
        if data[:6] in {b"GIF87a", b"GIF89a"}:
            return _gif(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise EmoteImage("cut off") from None
    raise EmoteImage("neither PNG nor GIF nor WebP")


class _Canvas:
    """Holds a picture and each of its frames to their bounds."""

    def __init__(self, width: int, height: int) -> None:
        if not (SIDE_PIXELS_MIN <= width <= SIDE_PIXELS_MAX and SIDE_PIXELS_MIN <= height <= SIDE_PIXELS_MAX):
            raise EmoteImage("too many or too few pixels")
        self.width = width
        self.height = height
        self.frames = 0

    def frame(self, left: int, top: int, width: int, height: int) -> None:
        """Take one frame more."""
        self.frames += 1
        if self.frames > FRAMES_MAX:
            raise EmoteImage("too many frames")
        # A decoder would make its canvas as large as the frame says.
        if not width or not height or left + width > self.width or top + height > self.height:
            raise EmoteImage("a frame outside the picture")


# --- PNG (W3C Portable Network Graphics, third edition) ---------------------------------------------------------------


def _png(data: bytes) -> Picture:
    canvas: _Canvas | None = None
    kept, kind, has_pixels = [_PNG], b"", False
    for kind, body, whole in _png_chunks(data):
        if canvas is None:
            if kind != b"IHDR" or len(body) != 13:
                raise EmoteImage("no IHDR first")
            canvas = _Canvas(*struct.unpack_from(">II", body))
        elif kind == b"IHDR":
            raise EmoteImage("two sizes")
        elif kind == b"fcTL":
            width, height, left, top = struct.unpack_from(">IIII", body, 4)
            canvas.frame(left, top, width, height)
        has_pixels = has_pixels or kind == b"IDAT"
        if kind in _PNG_KEPT:
            kept.append(whole)
        elif kind[0] & 0x20 == 0:
            raise EmoteImage("a critical chunk that nobody knows")
    if canvas is None or kind != b"IEND" or not has_pixels:
        raise EmoteImage("cut off")
    return Picture("image/png", canvas.width, canvas.height, b"".join(kept))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Give each chunk's kind, body and whole, up to IEND; what follows that is no part of the picture."""
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        whole = data[at : at + 12 + length]
        (crc,) = struct.unpack_from(">I", data, at + 8 + length)
        if crc != zlib.crc32(whole[4:-4]):
            raise EmoteImage("a chunk that is broken")
        yield kind, whole[8:-4], whole
        at += 12 + length


# --- GIF (CompuServe, GIF89a) -----------------------------------------------------------------------------------------


def _gif(data: bytes) -> Picture:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    canvas = _Canvas(width, height)
    at = 13 + _colours(flags)
    kept = [data[:at]]
    while data[at] != 0x3B:
        began = at
        if data[at] == 0x2C:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
            canvas.frame(left, top, width, height)
            at = _blocks_end(data, at + 11 + _colours(flags))
            kept.append(data[began:at])
        elif data[at] == 0x21:
            label, at = data[at + 1], _blocks_end(data, at + 2)
            # How long a frame stands, and how often all of it is shown; comments and plain text are neither.
            if label == 0xF9 or (label == 0xFF and data.startswith(_LOOPS, began + 2)):
                kept.append(data[began:at])
        else:
            raise EmoteImage("a block that nobody knows")
    if not canvas.frames:
        raise EmoteImage("no frame")
    return Picture("image/gif", canvas.width, canvas.height, b"".join([*kept, b"\x3b"]))


def _colours(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    """Answer where a row of sub-blocks ends, each led by its length, the last of length 0."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


# --- WebP (RFC 9649) --------------------------------------------------------------------------------------------------


def _webp(data: bytes) -> Picture:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise EmoteImage("cut off")
    canvas: _Canvas | None = None
    kept = []
    for kind, body in _webp_chunks(data[12 : size + 8]):
        if canvas is None:
            canvas = _Canvas(*_webp_size(kind, body))
        elif kind == b"VP8X":
            raise EmoteImage("two sizes")
        elif kind in {b"VP8 ", b"VP8L"}:
            canvas.frame(0, 0, *_webp_size(kind, body))
        if kind == b"ANMF":
            left, top, width, height = (int.from_bytes(body[index : index + 3], "little") for index in range(0, 12, 3))
            canvas.frame(2 * left, 2 * top, width + 1, height + 1)
            kept.append(_webp_chunk(kind, body[:16] + _webp_frame(body[16:], (width + 1, height + 1))))
        elif kind == b"VP8X":
            kept.append(_webp_chunk(kind, bytes([body[0] & ~_WEBP_METADATA]) + body[1:]))
        elif kind in _WEBP_KEPT:
            kept.append(_webp_chunk(kind, body))
    if canvas is None or (kept[0].startswith(b"VP8X") and not canvas.frames):
        raise EmoteImage("no frame")
    chunks = b"WEBP" + b"".join(kept)
    return Picture("image/webp", canvas.width, canvas.height, b"RIFF" + struct.pack("<I", len(chunks)) + chunks)


def _webp_frame(data: bytes, size: tuple[int, int]) -> bytes:
    """Give what a frame is drawn from, which has a size of its own: a decoder might believe that one."""
    kept = []
    for kind, body in _webp_chunks(data):
        if kind in {b"VP8 ", b"VP8L"} and _webp_size(kind, body) != size:
            raise EmoteImage("a frame outside the picture")
        if kind in {b"VP8 ", b"VP8L", b"ALPH"}:
            kept.append(_webp_chunk(kind, body))
    return b"".join(kept)


def _webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            raise EmoteImage("cut off")
        yield kind, body
        at += 8 + length + length % 2


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    match kind:
        case b"VP8X":
            return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        case b"VP8L":
            signature, bits = struct.unpack_from("<BI", body)
            if signature != 0x2F:
                raise EmoteImage("no VP8L")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            start, width, height = struct.unpack_from("<3sHH", body, 3)
            if start != b"\x9d\x01\x2a":
                raise EmoteImage("no key frame")
            return width & 0x3FFF, height & 0x3FFF
        case _:
            raise EmoteImage("no picture first")
