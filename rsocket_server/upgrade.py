"""Core: the HTTP request that a WebSocket begins with, and what it is answered (RFC 6455, §4.2; RFC 9112).

This is no web server: one request a connection, nothing but GET, no body, and whatever is not exactly that is refused
with a status and the end of the connection. Nothing of the request is repeated in the answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus

from rsocket_server import limits

# "the server MUST … concatenate" it with the key (RFC 6455, §1.3).
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_END = b"\r\n\r\n"

_REQUEST = re.compile(rb"GET (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
# Two of these would mean two things to two readers.
_ONCE = frozenset({"host", "origin", "sec-websocket-key", "sec-websocket-version", "upgrade"})


class Refused(Exception):
    """A request that opens no WebSocket.

    Attributes:
        status: what the client is told.
    """

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"{self.status.value} {self.status.phrase}"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request to open a WebSocket, good by itself.

    Attributes:
        path: without the query.
        host: as the client wrote it.
        origin: of the page that opens it; None for no browser.
        accept: the proof that we understood.
        forwarded_for: for whom a proxy says that it asks; anybody may say so.
    """

    path: str
    host: str
    origin: str | None
    accept: bytes
    forwarded_for: str | None = None


def split(data: bytes | bytearray) -> tuple[bytes, bytes] | None:
    """Answer a request's head and what follows it, or None: more must come first.

    Raises:
        Refused: the head is longer than HEAD_BYTES_MAX.
    """
    end = data.find(_END, 0, limits.HEAD_BYTES_MAX)
    if end >= 0:
        return bytes(data[:end]), bytes(data[end + len(_END) :])
    if len(data) >= limits.HEAD_BYTES_MAX:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return None


def read(head: bytes) -> Upgrade:
    """Read a request's head, without the blank line.

    Raises:
        Refused: it asks for something else, or not as the specifications say.
    """
    first, *lines = head.split(b"\r\n")
    asked = _REQUEST.fullmatch(first)
    if asked is None:
        is_other = re.fullmatch(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]", first) and not first.startswith(b"GET ")
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED if is_other else HTTPStatus.BAD_REQUEST)
    fields = _fields(lines)
    if "host" not in fields or "transfer-encoding" in fields or fields.get("content-length", "0") != "0":
        raise Refused(HTTPStatus.BAD_REQUEST)
    if "websocket" not in _words(fields, "upgrade") or "upgrade" not in _words(fields, "connection"):
        raise Refused(HTTPStatus.BAD_REQUEST)
    # "the server MUST abort … and instead send an appropriate HTTP error code (such as 426 Upgrade Required)".
    if fields.get("sec-websocket-version") != "13":
        raise Refused(HTTPStatus.UPGRADE_REQUIRED)
    return Upgrade(
        path=asked[1].decode("ascii").partition("?")[0],
        host=fields["host"],
        origin=fields.get("origin"),
        accept=_accept(fields.get("sec-websocket-key", "")),
        forwarded_for=fields.get("x-forwarded-for"),
    )


def welcome(upgrade: Upgrade) -> bytes:
    """Write the answer that opens the WebSocket: no extension and no subprotocol, whatever was offered."""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + upgrade.accept
        + _END
    )


def refusal(status: HTTPStatus) -> bytes:
    """Write the answer that opens nothing and ends the connection."""
    words = f"{status.value} {status.phrase}"
    # "MUST include a |Sec-WebSocket-Version| header field": which versions we speak (§4.2.2).
    version = "Sec-WebSocket-Version: 13\r\n" if status is HTTPStatus.UPGRADE_REQUIRED else ""
    allow = "Allow: GET\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    return (
        f"HTTP/1.1 {words}\r\n{version}{allow}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(words)}\r\nConnection: close\r\n\r\n{words}"
    ).encode("ascii")


def _fields(lines: list[bytes]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Refused(HTTPStatus.BAD_REQUEST)
        name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1").strip(" \t")
        if name in fields:
            if name in _ONCE:
                raise Refused(HTTPStatus.BAD_REQUEST)
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


def _words(fields: dict[str, str], name: str) -> list[str]:
    return [word.strip(" \t").lower() for word in fields.get(name, "").split(",")]


def _accept(key: str) -> bytes:
    # "a base64-encoded value that, when decoded, is 16 bytes in length".
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest())
