"""Reads the boxes of a fragment back, by the specification and not by our writer."""

from __future__ import annotations

import struct
from dataclasses import dataclass


def walk(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes of a file or of a box's content; they must fill it exactly."""
    boxes, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at
        boxes.append((name.decode("latin-1"), data[at + 8 : at + size]))
        at += size
    return boxes


def find(data: bytes, *path: str) -> bytes:
    for name in path:
        [data] = [content for found, content in walk(data) if found == name]
    return data


@dataclass
class Track:
    number: int
    start: int
    samples: list[tuple[int, bool, int, bytes]]  # duration, key, composition, data

    @property
    def end(self) -> int:
        return self.start + sum(duration for duration, _, _, _ in self.samples)


def read_fragment(data: bytes) -> tuple[int, list[Track]]:
    """Sequence number and tracks of one moof + mdat."""
    (moof_name, moof), (mdat_name, _) = walk(data)
    assert (moof_name, mdat_name) == ("moof", "mdat")
    boxes = walk(moof)
    assert boxes[0][0] == "mfhd"
    [sequence] = struct.unpack_from(">I", boxes[0][1], 4)
    return sequence, [_traf(data, content) for name, content in boxes[1:] if name == "traf"]


def _traf(data: bytes, traf: bytes) -> Track:
    header, time, run = find(traf, "tfhd"), find(traf, "tfdt"), find(traf, "trun")
    flags, number = struct.unpack_from(">II", header)
    assert flags & 0x020000  # offsets from the moof
    default = struct.unpack_from(">I", header, 8)[0] if flags & 0x08 else None
    assert time[0] == 1
    [start] = struct.unpack_from(">Q", time, 4)
    version, flags = run[0], int.from_bytes(run[1:4], "big")
    count, offset = struct.unpack_from(">Ii", run, 4)
    at, samples = 12, []
    for _ in range(count):
        values = {}
        for bit, name in ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "composition")):
            if flags & bit:
                signed = bit == 0x800 and version == 1
                [values[name]] = struct.unpack_from(">i" if signed else ">I", run, at)
                at += 4
        size = values["size"]
        key = not values.get("flags", 0) & 0x00010000
        samples.append(
            (values.get("duration", default), key, values.get("composition", 0), data[offset : offset + size])
        )
        offset += size
    assert at == len(run)
    return Track(number, start, samples)
