from __future__ import annotations

import math
import os
from random import Random
from typing import Any

import pytest

from media.rtmp_ingest import amf0
from media.rtmp_ingest.amf_values import (
    DEPTH_MAX,
    NAME_BYTES_MAX,
    UNDEFINED,
    VALUES_MAX,
    AmfMarkerRefused,
    AmfTooDeep,
    AmfTooLarge,
    AmfTruncated,
    Date,
    EcmaArray,
    TypedObject,
    Xml,
)
from media.rtmp_ingest.errors import AmfError

ROUNDS = int(os.environ.get("COMMEOW_FUZZ_ROUNDS", "3000"))

# Read in both directions.
VECTORS: dict[str, tuple[list[Any], str]] = {
    "number": ([1.5], "00 3ff8000000000000"),
    "number zero": ([0.0], "00 0000000000000000"),
    "negative zero": ([-0.0], "00 8000000000000000"),
    "infinity": ([math.inf], "00 7ff0000000000000"),
    "true": ([True], "01 01"),
    "false": ([False], "01 00"),
    "string": (["live"], "02 0004 6c697665"),
    "empty string": ([""], "02 0000"),
    "hangul": (["\uac00"], "02 0003 eab080"),
    "longest string": (["x" * 65535], "02 ffff" + "78" * 65535),
    "shortest long string": (["x" * 65536], "0c 00010000" + "78" * 65536),
    "null": ([None], "05"),
    "undefined": ([UNDEFINED], "06"),
    "empty object": ([{}], "03 000009"),
    "object": ([{"app": "live", "fpad": False}], "03 0003617070 02 0004 6c697665 000466706164 01 00 000009"),
    "object in object": ([{"a": {"b": 1.0}}], "03 000161 03 000162 00 3ff0000000000000 000009 000009"),
    "an empty name": ([{"": None}], "03 0000 05 000009"),
    "empty ECMA array": ([EcmaArray()], "08 00000000 000009"),
    "ECMA array": ([EcmaArray(width=1.0)], "08 00000001 0005 7769647468 00 3ff0000000000000 000009"),
    "empty strict array": ([[]], "0a 00000000"),
    "strict array": ([[None, "a", [True]]], "0a 00000003 05 02 0001 61 0a 00000001 01 01"),
    "date": ([Date(0.0, 0)], "0b 0000000000000000 0000"),
    "date before noon": ([Date(-1.0, -540)], "0b bff0000000000000 fde4"),
    "XML": ([Xml("<a/>")], "0f 00000004 3c612f3e"),
    "typed object": ([TypedObject("Cat", {"a": None})], "10 0003 436174 0001 61 05 000009"),
    "several": (
        ["onMetaData", None, 0.0],
        "02 000a 6f6e4d65746144617461 05 00 0000000000000000",
    ),
    "nothing": ([], ""),
}


@pytest.mark.parametrize(("values", "text"), VECTORS.values(), ids=VECTORS)
def test_reads_and_writes(values, text):
    data = bytes.fromhex(text)
    found = amf0.decode(data)

    assert values == found
    assert [type(value) for value in values] == [type(value) for value in found]
    assert data == amf0.encode(*values)


@pytest.mark.parametrize(("values", "text"), VECTORS.values(), ids=VECTORS)
def test_every_cut_is_told(values, text):
    """Byte by byte: no beginning of one value is that value, and a tail survives as a value of its own."""
    data = bytes.fromhex(text)
    if len(values) == 1:
        # An ECMA array that has all it counts may leave out its end mark.
        full = len(data) - 3 if data[0] == amf0.ECMA_ARRAY else 0
        for cut in {*range(1, min(len(data), 40)), len(data) - 1} - {0, full}:
            with pytest.raises(AmfTruncated):
                amf0.decode(data[:cut])

    assert [*values, True] == amf0.decode(data + b"\x01\x01")


# Read in one direction: what encoders send and we write otherwise.
LENIENT: dict[str, tuple[str, list[Any]]] = {
    "any byte is true": ("01 7f", [True]),
    "unsupported": ("0d", [UNDEFINED]),
    "ECMA array counts too few": ("08 00000000 000161 05 000162 05 000009", [EcmaArray(a=None, b=None)]),
    "ECMA array counts too many": ("08 ffffffff 000161 05 000009", [EcmaArray(a=None)]),
    "ECMA array without an end, full": ("08 00000001 000161 05", [EcmaArray(a=None)]),
    "ECMA array without an end, empty": ("08 00000000", [EcmaArray()]),
    "a name twice: the last one counts": ("03 000161 05 000161 01 01 000009", [{"a": True}]),
    "a long string that is short": ("0c 00000001 61", ["a"]),
    "latin-1": ("02 0004 636166e9", ["caf\ufffd"]),
    "AMF3 switch": ("11 03 11 04 05 05", [True, 5.0, None]),
    "AMF3 text, referred to by a later value": ("11 06 05 6869 11 06 00", ["hi", "hi"]),
}


@pytest.mark.parametrize(("text", "values"), LENIENT.values(), ids=LENIENT)
def test_reads_what_encoders_send(text, values):
    found = amf0.decode(bytes.fromhex(text))

    assert values == found
    assert values == amf0.decode(amf0.encode(*found))


REFUSED: dict[str, tuple[bytes, type[AmfError]]] = {
    "movie clip": (b"\x04", AmfMarkerRefused),
    "reference": (b"\x07\0\0", AmfMarkerRefused),
    "a reference to the object it stands in": (b"\x03\0\x01a\x07\0\0\0\0\x09", AmfMarkerRefused),
    "an end without a beginning": (b"\x09", AmfMarkerRefused),
    "record set": (b"\x0e", AmfMarkerRefused),
    "marker 0x12": (b"\x12", AmfMarkerRefused),
    "marker 0xff": (b"\xff", AmfMarkerRefused),
    "strict array of 2^32": (b"\x0a\xff\xff\xff\xff", AmfTruncated),
    "long string of 4 GiB": (b"\x0c\xff\xff\xff\xffabc", AmfTruncated),
    "XML of 4 GiB": (b"\x0f\xff\xff\xff\xffabc", AmfTruncated),
    "a string of 64 KiB that is not there": (b"\x02\xff\xff", AmfTruncated),
    "object without an end": (b"\x03\0\x01a\x05", AmfTruncated),
    "ECMA array without an end, not full": (b"\x08\0\0\0\x02\0\x01a\x05", AmfTruncated),
    "ECMA array that ends in a name": (b"\x08\0\0\0\0\0\x05a", AmfTruncated),
    "depth bomb of objects": (b"\x03\0\x01a" * 5000, AmfTooDeep),
    "depth bomb of arrays": (b"\x0a\0\0\0\x01" * 5000, AmfTooDeep),
    "depth bomb of ECMA arrays": (b"\x08\0\0\0\x01\0\0" * 5000, AmfTooDeep),
    "depth bomb of typed objects": (b"\x10\0\0\0\0" * 5000, AmfTooDeep),
    "a long name": (b"\x03" + (NAME_BYTES_MAX + 1).to_bytes(2, "big") + b"x" * (NAME_BYTES_MAX + 1), AmfTooLarge),
    "a long class name": (b"\x10" + (NAME_BYTES_MAX + 1).to_bytes(2, "big") + b"x" * (NAME_BYTES_MAX + 1), AmfTooLarge),
    "too many values": (b"\x05" * (VALUES_MAX + 1), AmfTooLarge),
    "too many values in an array": (b"\x0a\xff\xff\xff\xff" + b"\x05" * VALUES_MAX, AmfTooLarge),
    "AMF3 byte array": (b"\x11\x0c\x01", AmfMarkerRefused),
    "AMF3 of nothing": (b"\x11", AmfTruncated),
}


@pytest.mark.parametrize(("data", "error"), REFUSED.values(), ids=REFUSED)
def test_refuses(data, error):
    with pytest.raises(error) as caught:
        amf0.decode(data)

    assert str(caught.value)


def test_depth_at_its_limit():
    def nested(depth: int) -> bytes:
        return b"\x0a\0\0\0\x01" * (depth - 1) + b"\x0a\0\0\0\0"

    assert amf0.encode(*amf0.decode(nested(DEPTH_MAX))) == nested(DEPTH_MAX)
    with pytest.raises(AmfTooDeep):
        amf0.decode(nested(DEPTH_MAX + 1))


def test_values_at_their_limit():
    assert len(amf0.decode(b"\x05" * VALUES_MAX)) == VALUES_MAX


def test_siblings_are_not_depth():
    assert amf0.decode(b"\x0a\0\0\0\0" * (DEPTH_MAX * 3)) == [[]] * (DEPTH_MAX * 3)


def test_nan_survives():
    (found,) = amf0.decode(amf0.encode(math.nan))

    assert math.isnan(found)


def test_integers_are_written_as_numbers():
    assert amf0.decode(amf0.encode(7, True)) == [7.0, True]


def test_other_types_are_our_own_fault():
    with pytest.raises(KeyError):
        amf0.encode(b"bytes")


def test_fuzz_accepted_can_be_written_again_and_refused_is_documented():
    random = Random(5)
    seeds = [bytes.fromhex(text) for values, text in VECTORS.values() if len(text) < 1000]
    seeds += [bytes.fromhex(text) for text, _ in LENIENT.values()]
    seeds += [data[:100] for data, _ in REFUSED.values()]
    seeds += [
        b"\x11\x0a\x0b\x01\x03a\x06\x05hi\x01",
        b"\x11\x09\x05\x01\x04\x01\x04\x02",
        b"\x11\x0a\x23\x03C\x03x\x02",
    ]
    accepted = refused = 0
    for _ in range(ROUNDS):
        data = bytearray(b"".join(random.choice(seeds) for _ in range(random.randint(1, 4))))
        for _ in range(random.randint(0, 4)):
            if data:
                data[random.randrange(len(data))] = random.choice((random.getrandbits(8), random.randrange(0x12)))
        try:
            values = amf0.decode(bytes(data))
        except AmfError as error:
            assert str(error)
            refused += 1
        else:
            written = amf0.encode(*values)

            assert amf0.encode(*amf0.decode(written)) == written
            accepted += 1
    assert accepted > ROUNDS / 20
    assert refused > ROUNDS / 20
