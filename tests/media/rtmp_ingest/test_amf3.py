from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from media.rtmp_ingest import amf0
from media.rtmp_ingest.amf3 import Amf3ExternalizableRefused, Amf3Reader, Amf3ReferenceRefused
from media.rtmp_ingest.amf_values import (
    DEPTH_MAX,
    NAME_BYTES_MAX,
    TEXT_BYTES_MAX,
    UNDEFINED,
    VALUES_MAX,
    AmfMarkerRefused,
    AmfReader,
    AmfTooDeep,
    AmfTooLarge,
    AmfTruncated,
    Date,
    EcmaArray,
    TypedObject,
    Xml,
)
from media.rtmp_ingest.errors import AmfError

ROUNDS = int(os.environ.get("COMMEOW_FUZZ_ROUNDS", "2000"))


def decode(data: bytes) -> list[Any]:
    reader = AmfReader(data)
    values, found = Amf3Reader(reader), []
    while not reader.exhausted:
        found.append(values.read())
    return found


# The names and texts below are "a" = 03 61 (length 1, inline), "hi" = 05 6869, "" = 01.
VECTORS: dict[str, tuple[str, Any]] = {
    "undefined": ("00", UNDEFINED),
    "null": ("01", None),
    "false": ("02", False),
    "true": ("03", True),
    "integer 0": ("04 00", 0.0),
    "integer of one byte": ("04 7f", 127.0),
    "integer of two bytes": ("04 8100", 128.0),
    "integer of three bytes": ("04 ffff7f", 2097151.0),
    "integer of four bytes": ("04 bfffffff", float(2**28 - 1)),
    "the smallest integer": ("04 c0808000", float(-(2**28))),
    "integer -1": ("04 ffffffff", -1.0),
    "double": ("05 3ff8000000000000", 1.5),
    "string": ("06 056869", "hi"),
    "empty string": ("06 01", ""),
    "XML document": ("07 09 3c612f3e", Xml("<a/>")),
    "XML": ("0b 09 3c612f3e", Xml("<a/>")),
    "date": ("08 01 4000000000000000", Date(2.0)),
    "empty array": ("09 01 01", []),
    "array": ("09 05 01 03 04 05", [True, 5.0]),
    "array with names": ("09 03 0361 02 01 03", EcmaArray({"a": False, "0": True})),
    "empty object": ("0a 0b 01 01", {}),
    "dynamic object": ("0a 0b 01 0361 06 056869 01", {"a": "hi"}),
    "sealed object": ("0a 23 01 0361 056869 03 02", {"a": True, "hi": False}),
    "typed object": ("0a 13 07436174 0361 03", TypedObject("Cat", {"a": True})),
    "sealed and dynamic": ("0a 1b 01 0361 03 056869 02 01", {"a": True, "hi": False}),
}


@pytest.mark.parametrize(("text", "value"), VECTORS.values(), ids=VECTORS)
def test_reads(text, value):
    data = bytes.fromhex(text)

    assert decode(data) == [value]
    assert type(decode(data)[0]) is type(value)
    # Byte by byte, and with a tail.
    for cut in range(1, len(data)):
        with pytest.raises(AmfTruncated):
            decode(data[:cut])
    assert decode(data + b"\x03") == [value, True]
    # What was read can be written, as AMF0.
    assert amf0.decode(amf0.encode(value)) == [value]


def test_text_refers_to_earlier_text():
    assert decode(bytes.fromhex("06 056869 06 0361 06 00 06 02")) == ["hi", "a", "hi", "a"]


def test_the_empty_string_is_no_earlier_text():
    assert decode(bytes.fromhex("06 01 06 056869 06 00")) == ["", "hi", "hi"]


def test_traits_refer_to_earlier_traits():
    first = "0a 13 07436174 0361 03"

    assert decode(bytes.fromhex(first + "0a 01 02")) == [
        TypedObject("Cat", {"a": True}),
        TypedObject("Cat", {"a": False}),
    ]


REFUSED: dict[str, tuple[str, type[AmfError]]] = {
    "byte array": ("0c 01", AmfMarkerRefused),
    "vector of int": ("0d 01 00", AmfMarkerRefused),
    "dictionary": ("11 01 00", AmfMarkerRefused),
    "marker 0xff": ("ff", AmfMarkerRefused),
    "reference to an object": ("0a 00", Amf3ReferenceRefused),
    "reference to an array": ("09 00", Amf3ReferenceRefused),
    "reference to a date": ("08 00", Amf3ReferenceRefused),
    "reference to XML": ("07 00", Amf3ReferenceRefused),
    "reference to text that never came": ("06 00", Amf3ReferenceRefused),
    "reference to traits that never came": ("0a 01", Amf3ReferenceRefused),
    "externalizable": ("0a 07 01", Amf3ExternalizableRefused),
    "array of 2^28": ("09 ffffffff 01", AmfTruncated),
    "text of 2^28": ("06 ffffffff 61", AmfTruncated),
    "2^25 names": ("0a fffffff3", AmfTruncated),
    "depth bomb of arrays": ("09 03 01" * 1000, AmfTooDeep),
    "depth bomb of objects": ("0a 0b 01 0361" * 1000, AmfTooDeep),
    "too many values": ("03" * (VALUES_MAX + 1), AmfTooLarge),
    "too many empty names": ("0a fffffff3 01" + "01" * VALUES_MAX, AmfTooLarge),
}


@pytest.mark.parametrize(("text", "error"), REFUSED.values(), ids=REFUSED)
def test_refuses(text, error):
    with pytest.raises(error) as caught:
        decode(bytes.fromhex(text))

    assert str(caught.value)


def test_depth_at_its_limit():
    def nested(depth: int) -> bytes:
        return b"\x09\x03\x01" * (depth - 1) + b"\x09\x01\x01"

    assert len(decode(nested(DEPTH_MAX))) == 1
    with pytest.raises(AmfTooDeep):
        decode(nested(DEPTH_MAX + 1))


def test_references_cannot_make_few_bytes_large():
    text = b"\x06" + _u29(60_000 << 1 | 1) + b"x" * 60_000
    fits = TEXT_BYTES_MAX // 60_000 - 1

    assert len(decode(text + b"\x06\x00" * fits)) == fits + 1
    with pytest.raises(AmfTooLarge):
        decode(text + b"\x06\x00" * (fits + 1))


def test_traits_cannot_make_few_bytes_large():
    name = _u29(NAME_BYTES_MAX << 1 | 1) + b"x" * NAME_BYTES_MAX
    first = b"\x0a\x13\x01" + name + b"\x03"
    with pytest.raises(AmfTooLarge):
        decode(first + b"\x0a\x01\x03" * 1100)


def test_a_name_by_reference_has_the_limit_of_a_name():
    text = b"\x06" + _u29(NAME_BYTES_MAX + 1 << 1 | 1) + b"x" * (NAME_BYTES_MAX + 1)
    with pytest.raises(AmfTooLarge):
        decode(text + b"\x0a\x0b\x01\x00\x03\x01")


def test_fuzz_accepted_can_be_written_again_and_refused_is_documented():
    random = Random(6)
    seeds = [bytes.fromhex(text) for text, _ in VECTORS.values()]
    seeds += [bytes.fromhex(text)[:60] for text, _ in REFUSED.values()]
    accepted = 0
    for _ in range(ROUNDS):
        data = bytearray(b"".join(random.choice(seeds) for _ in range(random.randint(1, 4))))
        for _ in range(random.randint(0, 3)):
            data[random.randrange(len(data))] = random.choice((random.getrandbits(8), random.randrange(12)))
        try:
            values = decode(bytes(data))
        except AmfError as error:
            assert str(error)
        else:
            written = amf0.encode(*values)

            assert amf0.encode(*amf0.decode(written)) == written
            accepted += 1
    assert accepted > ROUNDS / 10


def _u29(number: int) -> bytes:
    assert number < 1 << 21
    data = bytes((number & 0x7F,))
    while number := number >> 7:
        data = bytes((number & 0x7F | 0x80,)) + data
    return data
