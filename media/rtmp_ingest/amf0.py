"""Core: AMF0 values from bytes and back (amf0-file-format-specification, December 2007).

    AMF0                      Python
    number                    float (written from int too)
    boolean, null, string     bool, None, str (a long string is a str of more than 65535 bytes)
    object, ECMA array        dict, EcmaArray
    strict array              list
    undefined, unsupported    UNDEFINED
    date, XML document        Date, Xml
    typed object              TypedObject
    AMF3 switch (0x11)        what amf3.py reads; written back as AMF0

What was read can always be written again. References, movie clips and record sets are refused: no encoder sends them,
and a reference makes a small message large.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from media.rtmp_ingest.amf3 import Amf3Reader
from media.rtmp_ingest.amf_values import (
    UNDEFINED,
    AmfMarkerRefused,
    AmfReader,
    Date,
    EcmaArray,
    TypedObject,
    Undefined,
    Xml,
    checked_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# The byte before each value (§2.1).
NUMBER: Final = 0x00
BOOLEAN: Final = 0x01
STRING: Final = 0x02
OBJECT: Final = 0x03
NULL: Final = 0x05
UNDEFINED_MARKER: Final = 0x06
ECMA_ARRAY: Final = 0x08
OBJECT_END: Final = 0x09
STRICT_ARRAY: Final = 0x0A
DATE: Final = 0x0B
LONG_STRING: Final = 0x0C
UNSUPPORTED: Final = 0x0D
XML_DOCUMENT: Final = 0x0F
TYPED_OBJECT: Final = 0x10
AMF3_SWITCH: Final = 0x11

SHORT_TEXT_BYTES_MAX: Final = 0xFFFF  # The length of a string and of a name has 16 bits.
END_OF_PAIRS: Final = bytes((0, 0, OBJECT_END))


def decode(data: bytes) -> list[Any]:
    """Return all values that stand behind each other in `data`. Raises AmfError."""
    reader = AmfReader(data)
    values = _Values(reader)
    found = []
    while not reader.exhausted:
        found.append(values.read())
    return found


def encode(*values: Any) -> bytes:
    """Return the values as bytes, behind each other. Values of other types than the table above are a Misuse."""
    return b"".join(WRITERS[type(value)](value) for value in values)


class _Values:
    """The values of one message."""

    def __init__(self, reader: AmfReader) -> None:
        self._reader = reader
        self._amf3 = Amf3Reader(reader)

    def read(self) -> Any:
        self._reader.spend_value()
        marker = self._reader.take(1)[0]
        if marker in READERS:
            return READERS[marker](self)
        if marker not in NESTING_READERS:
            raise AmfMarkerRefused(0, marker)
        self._reader.enter()
        value = NESTING_READERS[marker](self)
        self._reader.leave()
        return value

    def number(self) -> float:
        (number,) = struct.unpack(">d", self._reader.take(8))
        return float(number)

    def boolean(self) -> bool:
        return self._reader.take(1) != b"\0"

    def text(self) -> str:
        return self._reader.text(self._u16())

    def long_text(self) -> str:
        return self._reader.text(self._u32())

    def null(self) -> None:
        return None

    def undefined(self) -> Undefined:
        return UNDEFINED

    def date(self) -> Date:
        return Date(*struct.unpack(">dh", self._reader.take(10)))

    def xml(self) -> Xml:
        return Xml(self.long_text())

    def amf3(self) -> Any:
        return self._amf3.read()

    def strict_array(self) -> list[Any]:
        # The count is the peer's and may lie: nothing is allocated by it, and the first missing byte ends it.
        return [self.read() for _ in range(self._u32())]

    def typed_object(self) -> TypedObject:
        return TypedObject(checked_name(self.text()), self.pairs())

    def ecma_array(self) -> EcmaArray:
        # The count is a hint (§2.10) and often wrong. Some writers trust it and leave out the end mark.
        return EcmaArray(self.pairs(enough=self._u32()))

    def pairs(self, enough: int | None = None) -> dict[str, Any]:
        """Read names and values up to their end mark; the end of the message will do too, once `enough` were read."""
        pairs: dict[str, Any] = {}
        while not self._reader.skip_if(END_OF_PAIRS):
            if enough is not None and len(pairs) >= enough and self._reader.exhausted:
                break
            name = checked_name(self.text())
            pairs[name] = self.read()
        return pairs

    def _u16(self) -> int:
        return int.from_bytes(self._reader.take(2), "big")

    def _u32(self) -> int:
        return int.from_bytes(self._reader.take(4), "big")


READERS: Final[dict[int, Callable[[_Values], Any]]] = {
    NUMBER: _Values.number,
    BOOLEAN: _Values.boolean,
    STRING: _Values.text,
    NULL: _Values.null,
    UNDEFINED_MARKER: _Values.undefined,
    DATE: _Values.date,
    LONG_STRING: _Values.long_text,
    UNSUPPORTED: _Values.undefined,
    XML_DOCUMENT: _Values.xml,
    AMF3_SWITCH: _Values.amf3,
}
NESTING_READERS: Final[dict[int, Callable[[_Values], Any]]] = {
    OBJECT: _Values.pairs,
    ECMA_ARRAY: _Values.ecma_array,
    STRICT_ARRAY: _Values.strict_array,
    TYPED_OBJECT: _Values.typed_object,
}


def _text_bytes(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > SHORT_TEXT_BYTES_MAX:
        return struct.pack(">BI", LONG_STRING, len(encoded)) + encoded
    return struct.pack(">BH", STRING, len(encoded)) + encoded


def _xml_bytes(xml: Xml) -> bytes:
    encoded = xml.text.encode()
    return struct.pack(">BI", XML_DOCUMENT, len(encoded)) + encoded


def _name_bytes(name: str) -> bytes:
    encoded = checked_name(name).encode()
    return struct.pack(">H", len(encoded)) + encoded


def _pair_bytes(pairs: dict[str, Any]) -> bytes:
    return b"".join(_name_bytes(name) + encode(value) for name, value in pairs.items()) + END_OF_PAIRS


def _number_bytes(number: float) -> bytes:
    return struct.pack(">Bd", NUMBER, number)


WRITERS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: bytes((NULL,)),
    bool: lambda value: bytes((BOOLEAN, value)),
    int: _number_bytes,
    float: _number_bytes,
    str: _text_bytes,
    list: lambda values: struct.pack(">BI", STRICT_ARRAY, len(values)) + encode(*values),
    dict: lambda pairs: bytes((OBJECT,)) + _pair_bytes(pairs),
    EcmaArray: lambda pairs: struct.pack(">BI", ECMA_ARRAY, len(pairs)) + _pair_bytes(pairs),
    TypedObject: lambda typed: bytes((TYPED_OBJECT,)) + _name_bytes(typed.class_name) + _pair_bytes(typed.values),
    Date: lambda date: struct.pack(">Bdh", DATE, date.milliseconds, date.zone_minutes),
    Xml: _xml_bytes,
    Undefined: lambda _: bytes((UNDEFINED_MARKER,)),
}
