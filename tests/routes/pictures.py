"""Small pictures, drawn block by block."""

import struct
import zlib


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width=28, height=28, *, before=b"", frames=(), pixels=True, after=b""):
    rows = b"".join(b"\0" + b"\xf0\xa3\x5e\xff" * width for _ in range(height)) if width * height < 10**5 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
        + before
        + b"".join(chunk(b"fcTL", struct.pack(">IIIII", 0, *frame) + bytes(6)) for frame in frames)
        + (chunk(b"IDAT", zlib.compress(rows)) if pixels else b"")
        + chunk(b"IEND", b"")
        + after
    )


def gif(width=28, height=28, *, frames=((0, 0, 28, 28),), blocks=b"", colours=0x80):
    table = bytes(3 * 2 ** ((colours & 7) + 1)) if colours & 0x80 else b""
    images = b"".join(
        b"\x2c" + struct.pack("<HHHHB", left, top, w, h, 0) + b"\x02\x02\x4c\x01\x00" for left, top, w, h in frames
    )
    return b"GIF89a" + struct.pack("<HHBBB", width, height, colours, 0, 0) + table + blocks + images + b"\x3b"


def riff(*chunks):
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8(width=28, height=28):
    return b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(9)


def vp8l(width=28, height=28):
    return b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(7)


def vp8x(width=28, height=28, flags=0):
    return b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def anmf(left, top, width, height, *drawn):
    numbers = (left // 2, top // 2, width - 1, height - 1)
    return b"ANMF", b"".join(number.to_bytes(3, "little") for number in numbers) + bytes(4) + riff(*drawn)[12:]
