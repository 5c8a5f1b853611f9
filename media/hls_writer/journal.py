"""Core: what is written down of a broadcast while it runs, so that another process can go on with it.

Records in a row, each with its length and checksum: what a killed process wrote last may be cut off, and reading ends
there. A part is written down after its bytes. Nothing is ever taken back: what the disk no longer has is gone, whatever
is written here.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import msgspec

# Rises when records change their meaning; what another version wrote is not gone on with.
VERSION: Final = 1
# A record is some fifty bytes; a larger one is no record.
RECORD_BYTES_MAX: Final = 4096

_FRAME: Final = struct.Struct(">II")


class Began(msgspec.Struct, frozen=True, tag="began"):
    """The first record of each file: whose broadcast it is. Again where renditions come; nothing else ever changes."""

    version: int
    channel_id: int
    broadcast_id: int
    part_seconds: float
    renditions: tuple[str, ...]
    hidden: bool  # the source is packaged, but in no multivariant playlist

    def with_rendition(self, name: str) -> Began:
        """The same broadcast with one rendition more."""
        return msgspec.structs.replace(self, renditions=(*self.renditions, name))


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """A segment has its first part; see timeline.Opening."""

    rendition: str
    msn: int
    start: int
    date: float
    epoch: int
    init: int
    independent: bool
    discontinuity: bool
    discontinuities: int  # before its own


class Part(msgspec.Struct, frozen=True, tag="part"):
    """A part of the segment that was opened last."""

    rendition: str
    number: int
    duration: int
    independent: bool
    size: int


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The segment is whole, and what is known of the rendition by then."""

    rendition: str
    msn: int
    duration: int
    size: int
    gap: bool
    target: int
    all_independent: bool
    bits_a_second_max: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Every playlist has its ENDLIST."""


Record = Began | Opened | Part | Closed | Ended

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Record)


def write_record(record: Record) -> bytes:
    """One record as it stands in the file."""
    data = _ENCODER.encode(record)
    return _FRAME.pack(len(data), zlib.crc32(data)) + data


def read_records(data: bytes) -> list[Record]:
    """Every whole record up to the first that is not."""
    records: list[Record] = []
    position = 0
    while len(data) - position >= _FRAME.size:
        size, checksum = _FRAME.unpack_from(data, position)
        position += _FRAME.size
        record = data[position : position + size]
        if size > RECORD_BYTES_MAX or len(record) < size or zlib.crc32(record) != checksum:
            break
        try:
            records.append(_DECODER.decode(record))
        except msgspec.DecodeError:
            break
        position += size
    return records
