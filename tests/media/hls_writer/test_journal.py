from __future__ import annotations

import struct
import zlib

import pytest

from media.hls_writer.journal import (
    RECORD_BYTES_MAX,
    VERSION,
    Began,
    Closed,
    Ended,
    Opened,
    Part,
    read_records,
    write_record,
)

RECORDS = [
    Began(VERSION, 3, 7, 0.334, ("source", "480p"), hidden=True),
    Opened("source", 1, 900_000, 1.7e9, 1, 1, independent=True, discontinuity=False, discontinuities=0),
    Part("source", 1, 30_000, independent=True, size=60_000),
    Closed("source", 1, 90_000, 180_000, gap=False, target=2, all_independent=True, bits_a_second_max=5_000_000),
    Ended(),
]
DATA = b"".join(map(write_record, RECORDS))


def test_what_is_written_can_be_read():
    assert RECORDS == read_records(DATA)


def test_reading_ends_where_writing_was_cut_off():
    ends = [sum(len(write_record(each)) for each in RECORDS[:count]) for count in range(len(RECORDS) + 1)]
    for size in range(len(DATA)):
        count = sum(end <= size for end in ends) - 1
        assert RECORDS[:count] == read_records(DATA[:size])


def test_reading_ends_where_a_bit_has_turned():
    for position in range(0, len(DATA), 7):
        spoilt = bytearray(DATA)
        spoilt[position] ^= 0x10
        read = read_records(bytes(spoilt))
        assert read == RECORDS[: len(read)]
        assert len(read) < len(RECORDS)


@pytest.mark.parametrize("data", [b"\x81\xa4type\xa5other", b"\xff", b"\x00" * (RECORD_BYTES_MAX + 1)])
def test_what_is_no_record_ends_it_too(data):
    assert RECORDS == read_records(DATA + struct.pack(">II", len(data), zlib.crc32(data)) + data + DATA)


def test_a_record_is_small():
    assert max(len(write_record(each)) for each in RECORDS) < 200
