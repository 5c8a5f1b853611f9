"""Core: one AMF3 value from bytes (amf-file-format-spec, January 2013), where a publisher switches to it by 0x11.

Read only: whatever it says is written back as AMF0. Text and traits may refer to earlier ones, as every AMF3 writer
does it; references to objects, byte arrays, vectors, dictionaries and externalizable objects are refused.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from media.rtmp_ingest.amf_values import UNDEFINED, AmfMarkerRefused, Date, EcmaArray, TypedObject, Xml, checked_name
from media.rtmp_ingest.errors import AmfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from media.rtmp_ingest.amf_values import AmfReader

# Markers that are a value by themselves (§3.1).
SIMPLE: Final = {0x00: UNDEFINED, 0x01: None, 0x02: False, 0x03: True}


class Amf3ReferenceRefused(AmfError):
    """A reference to an object, or to text or traits that did not come before."""

    def __str__(self) -> str:
        return "AMF3 reference that is not taken"


class Amf3ExternalizableRefused(AmfError):
    """An object whose form only its class knows."""

    def __str__(self) -> str:
        return "AMF3 externalizable object is not taken"


class _Traits(NamedTuple):
    class_name: str
    names: tuple[str, ...]
    dynamic: bool


class Amf3Reader:
    """Values of one message: the tables of earlier text and traits live as long as the message."""

    def __init__(self, reader: AmfReader) -> None:
        self._reader = reader
        self._texts: list[str] = []
        self._traits: list[_Traits] = []

    def read(self) -> Any:
        """Return the next value. Raises AmfError."""
        self._reader.spend_value()
        marker = self._reader.take(1)[0]
        if marker in SIMPLE:
            return SIMPLE[marker]
        if marker not in READERS:
            raise AmfMarkerRefused(3, marker)
        return READERS[marker](self)

    def integer(self) -> float:
        """Read a signed number of 29 bits (§3.6)."""
        number = self._u29()
        return float(number - (1 << 29) if number >= 1 << 28 else number)  # 29 bits, two's complement (§3.6).

    def double(self) -> float:
        """Read a number of 64 bits (§3.7)."""
        (number,) = struct.unpack(">d", self._reader.take(8))
        return float(number)

    def xml(self) -> Xml:
        """Read a document of either XML kind (§3.9, §3.13)."""
        return Xml(self._reader.text(self._length()))

    def date(self) -> Date:
        """Read milliseconds in UTC (§3.10)."""
        self._length()  # Only its low bit has a meaning (§3.10).
        return Date(self.double())

    def _u29(self) -> int:
        """Read 1 to 4 bytes: 7 bits each while the top bit is set, all 8 of a fourth (§1.3.1)."""
        number = 0
        for _ in range(3):
            byte = self._reader.take(1)[0]
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self._reader.take(1)[0]

    def _length(self) -> int:
        """Read a number whose low bit says "here it is" (1) or "see above" (0)."""
        number = self._u29()
        if not number & 1:
            raise Amf3ReferenceRefused
        return number >> 1

    def text(self) -> str:
        """Read text, or take it from above (§3.8)."""
        number = self._u29()
        if number & 1:
            text = self._reader.text(number >> 1)
            if text:  # The empty string is never entered in the table (§1.3.2).
                self._texts.append(text)
            return text
        if number >> 1 >= len(self._texts):
            raise Amf3ReferenceRefused
        text = self._texts[number >> 1]
        self._reader.spend_text(text)
        return text

    def _name(self) -> str:
        return checked_name(self.text())

    def _pairs(self) -> dict[str, Any]:
        pairs = {}
        while name := self._name():
            pairs[name] = self.read()
        return pairs

    def array(self) -> list[Any] | EcmaArray:
        """Read named values and then dense ones (§3.11)."""
        count = self._length()
        self._reader.enter()
        pairs = self._pairs()
        dense = [self.read() for _ in range(count)]
        self._reader.leave()
        if not pairs:
            return dense
        return EcmaArray(pairs | {str(index): value for index, value in enumerate(dense)})

    def object(self) -> dict[str, Any] | TypedObject:
        """Read the values of an object whose names its traits say (§3.12)."""
        traits = self._read_traits(self._length())
        self._reader.spend_text(traits.class_name)
        self._reader.enter()
        values = {}
        for name in traits.names:
            self._reader.spend_text(name)  # Written as AMF0, each object says its names again.
            values[name] = self.read()
        if traits.dynamic:
            values |= self._pairs()
        self._reader.leave()
        return TypedObject(traits.class_name, values) if traits.class_name else values

    def _read_traits(self, number: int) -> _Traits:
        """Read what the low bits say: earlier traits, or externalizable, dynamic, and how many names (§3.12)."""
        if not number & 1:
            if number >> 1 >= len(self._traits):
                raise Amf3ReferenceRefused
            return self._traits[number >> 1]
        if number & 2:
            raise Amf3ExternalizableRefused
        class_name = self._name()
        names = []
        for _ in range(number >> 3):
            self._reader.spend_value()
            names.append(self._name())
        traits = _Traits(class_name, tuple(names), bool(number & 4))
        self._traits.append(traits)
        return traits


READERS: Final[dict[int, Callable[[Amf3Reader], Any]]] = {
    0x04: Amf3Reader.integer,
    0x05: Amf3Reader.double,
    0x06: Amf3Reader.text,
    0x07: Amf3Reader.xml,
    0x08: Amf3Reader.date,
    0x09: Amf3Reader.array,
    0x0A: Amf3Reader.object,
    0x0B: Amf3Reader.xml,
}
