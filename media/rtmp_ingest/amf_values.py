"""Core: what AMF0 and AMF3 share: values without a Python twin, and a reader that bounds what few bytes can become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from media.rtmp_ingest.errors import AmfError

# Objects in objects. Encoders nest three deep; recursion must end long before Python's own does.
DEPTH_MAX: Final = 16
# Values in one message, nested ones too. The longest metadata seen has 40; a key frame index has some thousand.
VALUES_MAX: Final = 4096
# Property and class names, in bytes.
NAME_BYTES_MAX: Final = 1024
# All text of one message, counted again where AMF3 refers to an earlier string: or few bytes become gigabytes.
TEXT_BYTES_MAX: Final = 1024 * 1024


class AmfTruncated(AmfError):
    """A value says that it goes on behind the end of the message."""

    def __init__(self, missing_bytes: int) -> None:
        super().__init__(missing_bytes)
        self.missing_bytes = missing_bytes

    def __str__(self) -> str:
        return f"AMF value ends {self.missing_bytes} bytes early"


class AmfTooDeep(AmfError):
    """Objects are nested deeper than DEPTH_MAX."""

    def __str__(self) -> str:
        return f"AMF values nested deeper than {DEPTH_MAX}"


class AmfTooLarge(AmfError):
    """More values, longer names or more text than one message may hold."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what = what
        self.limit = limit

    def __str__(self) -> str:
        return f"AMF message with more than {self.limit} {self.what}"


class AmfMarkerRefused(AmfError):
    """A marker that is unknown, reserved, or of a kind that no encoder sends (references, byte arrays, vectors)."""

    def __init__(self, version: int, marker: int) -> None:
        super().__init__(version, marker)
        self.version = version
        self.marker = marker

    def __str__(self) -> str:
        return f"AMF{self.version} marker 0x{self.marker:02x} is not taken"


class Undefined(Enum):
    """The type of UNDEFINED, which is not null."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED


class EcmaArray(dict[str, Any]):
    """Names and values under the marker of an array; metadata comes so."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Date:
    """Milliseconds since 1970 in UTC, and a time zone in minutes that the specification reserves."""

    milliseconds: float
    zone_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Xml:
    """The text of an XML document."""

    text: str


@dataclass(frozen=True, slots=True)
class TypedObject:
    """An object that names its class."""

    class_name: str
    values: dict[str, Any]


def checked_name(text: str) -> str:
    """Return `text` if it may be a name. Raises AmfTooLarge."""
    if len(text.encode()) > NAME_BYTES_MAX:
        raise AmfTooLarge("bytes in a name", NAME_BYTES_MAX)
    return text


class AmfReader:
    """Exact reads over one message, with the budgets of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._depth = 0
        self._values = 0
        self._text_bytes = 0

    @property
    def exhausted(self) -> bool:
        """Whether every byte has been read."""
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes. Raises AmfTruncated before anything is allocated."""
        end = self._at + count
        if end > len(self._data):
            raise AmfTruncated(end - len(self._data))
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def skip_if(self, expected: bytes) -> bool:
        """Step over `expected` if it comes next, and say whether it did."""
        if not self._data.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def text(self, count: int) -> str:
        """Return `count` bytes of UTF-8. What is not UTF-8 is replaced: titles come in all sorts of code pages."""
        text = self.take(count).decode("utf-8", "replace")
        self.spend_text(text)
        return text

    def spend_text(self, text: str) -> None:
        """Count text that a value holds. Raises AmfTooLarge."""
        self._text_bytes += len(text.encode())
        if self._text_bytes > TEXT_BYTES_MAX:
            raise AmfTooLarge("bytes of text", TEXT_BYTES_MAX)

    def spend_value(self) -> None:
        """Count one value. Raises AmfTooLarge."""
        self._values += 1
        if self._values > VALUES_MAX:
            raise AmfTooLarge("values", VALUES_MAX)

    def enter(self) -> None:
        """Go one level deeper. Raises AmfTooDeep. `leave` comes back up; after an error nobody need."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise AmfTooDeep

    def leave(self) -> None:
        """Come back up."""
        self._depth -= 1
