"""Core: where a request on a kept connection ends, and whether it is one that playback may answer by itself.

This is no second HTTP server. Only what is beyond doubt is read: a head of the plainest form (RFC 9112), with one
length or none. Of everything else it says so, and aiohttp gets every byte of it and says what is wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

# Bytes of a head. aiohttp takes as much for a single line; whoever sends more is for aiohttp to refuse.
HEAD_BYTES_MAX: Final = 8_190
# Fields of a head; a browser sends about fifteen. aiohttp takes 128.
FIELDS_MAX: Final = 64
# Digits of a Content-Length; nobody may send us more than 64 KiB anyway.
LENGTH_DIGITS_MAX: Final = 9

_LINE: Final = re.compile(rb"(GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n")
_FIELD: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n"
_FIELDS: Final = re.compile(rb"(?:" + _FIELD + rb")*\r\n")
_PAIR: Final = re.compile(rb"([^:]+):([^\r]*)\r\n")
# What a head that is not whole yet may begin with, and what it may not hold: it must not be for us to wait for the
# rest of something that aiohttp refuses at once.
_BEGINNING: Final = re.compile(rb"[A-Z]{1,7}(?: [!-~]*(?: [!-~]*)?)?\r?\Z|[A-Z]{3,7} /[!-~]* HTTP/1\.1\r\n")
_ODD: Final = re.compile(rb"[^\t\r\n -~]|\r(?!\n|\Z)|(?<!\r)\n")
# These say that more follows than a length tells, or that the connection shall become something else; or that the body
# is to be unpacked, and behind one that cannot be aiohttp reads no more requests.
_FOREIGN: Final = frozenset({b"transfer-encoding", b"upgrade", b"expect", b"content-encoding"})


class Unread(Enum):
    """Why there is no Head."""

    NOT_YET = "not yet"
    """It is not whole. Come again with more."""
    FOREIGN = "foreign"
    """Not of the plainest form: this and all that follows is for aiohttp."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What matters of a head's fields."""

    body: int
    closes: bool


@dataclass(slots=True)  # Frozen ones take three times as long to make, and this is made for each request.
class Head:
    """One whole head.

    Attributes:
        method: in capitals.
        target: path and query, as sent.
        fields: what its fields say.
        block: the fields themselves; a browser repeats them to the byte.
        size: of the head, with its empty line; `fields.body` bytes of a body follow.
    """

    method: bytes
    target: bytes
    fields: Fields
    block: bytes
    size: int


def read_head(data: bytes, *, known: Head | None = None) -> Head | Unread:
    """Read the head that `data` begins with; `known` is the last one, whose fields need not be read again."""
    end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4
    if end == 3:
        beginning = len(data) < HEAD_BYTES_MAX and _BEGINNING.match(data) and not _ODD.search(data)
        return Unread.NOT_YET if beginning or not data else Unread.FOREIGN
    line = _LINE.match(data)
    if line is None:
        return Unread.FOREIGN
    block = data[line.end() : end]
    fields = known.fields if known and known.block == block else _read_fields(block)
    if fields is None:
        return Unread.FOREIGN
    return Head(line[1], line[2], fields, block, end)


def _read_fields(block: bytes) -> Fields | None:
    """None: not for us."""
    if not _FIELDS.fullmatch(block):
        return None
    found: dict[bytes, bytes] = {}
    pairs = _PAIR.findall(block)
    for name, value in pairs:
        found[name.lower()] = value.strip(b" \t")
    # One Host, as RFC 9112 wants it. A name that comes twice may mean one thing to us and another to aiohttp.
    if len(found) != len(pairs) or len(pairs) > FIELDS_MAX or not found.get(b"host") or not _FOREIGN.isdisjoint(found):
        return None
    connection = found.get(b"connection", b"keep-alive").lower()
    length = found.get(b"content-length", b"0")
    if connection not in {b"keep-alive", b"close"} or not (length.isdigit() and len(length) <= LENGTH_DIGITS_MAX):
        return None
    return Fields(int(length), connection == b"close")
