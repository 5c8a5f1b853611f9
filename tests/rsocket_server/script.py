"""What tests of the live conversation write and read on the wire, independent of the code under test."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rsocket_server.doors import Badge, DoorError, MembersOnly
from rsocket_server.gate_errors import GateError

if TYPE_CHECKING:
    import aiohttp

COMPOSITE = b"message/x.rsocket.composite-metadata.v0"
ROUTING = b"message/x.rsocket.routing.v0"
SETUP, LEASE, KEEPALIVE, RESPONSE, FNF, STREAM, CHANNEL, REQUEST_N, CANCEL, PAYLOAD, ERROR, PUSH, RESUME = range(1, 14)
IGNORE, METADATA, FOLLOWS, COMPLETE, NEXT = 0x200, 0x100, 0x80, 0x40, 0x20
UNBOUNDED = 2**31 - 1


@dataclass(frozen=True)
class Person:
    id: int
    nickname: str
    roles: frozenset[str] = frozenset()


NABI = Person(7, "nabi")
MIMI = Person(8, "mimi")
TOKENS = {b"token of nabi": NABI, b"token of mimi": MIMI}
SECRET = "postgres://commeow:hunter2@10.0.0.1/ledger"


class Forged(Exception):
    """A token that nobody gave out."""


def verify(token: bytes) -> Any:
    if token not in TOKENS:
        raise Forged(SECRET)
    return Badge(TOKENS[token], key=token.decode())


def translate(error: BaseException) -> tuple[int, bytes]:
    match error:
        case GateError():
            return error.error_code, error.code.encode()
        case MembersOnly():
            return 0x202, b"auth.members_only"
        case DoorError():
            return 0x204, type(error).__name__.encode()
        case Forged():
            return 0x202, b"auth.token_invalid"
        case _:
            return 0x201, b"internal"


def frame(stream_id: int, kind: int, flags: int = 0, body: bytes = b"") -> bytes:
    return struct.pack(">IH", stream_id, kind << 10 | flags) + body


def setup(
    *,
    stream_id: int = 0,
    version: tuple[int, int] = (1, 0),
    keepalive_ms: int = 20_000,
    lifetime_ms: int = 90_000,
    metadata_mime: bytes = COMPOSITE,
    data_mime: bytes = b"application/json",
    metadata: bytes | None = None,
    data: bytes = b"",
    flags: int = 0,
) -> bytes:
    body = struct.pack(">HHII", *version, keepalive_ms, lifetime_ms)
    body += bytes([len(metadata_mime)]) + metadata_mime + bytes([len(data_mime)]) + data_mime
    if metadata is not None:
        flags |= METADATA
        body += long(metadata)
    return frame(stream_id, SETUP, flags, body + data)


def long(part: bytes) -> bytes:
    return struct.pack(">I", len(part))[1:] + part


def tags(route: str) -> bytes:
    return bytes([len(route.encode())]) + route.encode()


def routed(route: str) -> bytes:
    """Composite metadata with a route."""
    return b"\xfe" + long(tags(route))


def bearer(token: bytes) -> bytes:
    """Composite metadata with a token."""
    return b"\xfc" + long(b"\x81" + token)


def request(kind: int, stream_id: int, route: str = "wait", data: bytes = b"", *, n: int = 1, flags: int = 0) -> bytes:
    body = struct.pack(">I", n) if kind in {STREAM, CHANNEL} else b""
    return frame(stream_id, kind, flags | METADATA, body + long(routed(route)) + data)


def payload(stream_id: int, data: bytes = b"", *, flags: int = NEXT) -> bytes:
    return frame(stream_id, PAYLOAD, flags, data)


def request_n(stream_id: int, n: int) -> bytes:
    return frame(stream_id, REQUEST_N, 0, struct.pack(">I", n))


def cancel(stream_id: int) -> bytes:
    return frame(stream_id, CANCEL)


def keepalive(data: bytes = b"", *, respond: bool = True, stream_id: int = 0) -> bytes:
    return frame(stream_id, KEEPALIVE, FOLLOWS if respond else 0, bytes(8) + data)


def error(stream_id: int, code: int, data: bytes = b"") -> bytes:
    return frame(stream_id, ERROR, 0, struct.pack(">I", code) + data)


@dataclass(frozen=True)
class Seen:
    """A frame that came."""

    stream_id: int
    kind: int
    flags: int
    body: bytes

    @property
    def code(self) -> int:
        return int.from_bytes(self.body[:4])

    @property
    def data(self) -> bytes:
        """What follows the fixed part of an ERROR or a KEEPALIVE, or the whole."""
        return self.body[{ERROR: 4, KEEPALIVE: 8}.get(self.kind, 0) :]


def seen(message: bytes) -> Seen:
    stream_id, word = struct.unpack(">IH", message[:6])
    return Seen(stream_id, word >> 10, word & 0x3FF, message[6:])


@dataclass
class Client:
    """A WebSocket that sends what it is told and keeps what comes."""

    websocket: aiohttp.ClientWebSocketResponse
    frames: list[Seen] = field(default_factory=list)
    close_code: int | None = None
    _reader: asyncio.Task[None] | None = None
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def read(self) -> None:
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.websocket:
            async with self._came:
                self.frames.append(seen(message.data))
                self._came.notify_all()
        async with self._came:
            self.close_code = self.websocket.close_code or 1006
            self._came.notify_all()

    async def send(self, *messages: bytes) -> None:
        for message in messages:
            if not self.websocket.closed:
                await self.websocket.send_bytes(message)

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(60), self._came:
            await self._came.wait_for(lambda: done(self))

    async def closed(self) -> int:
        await self.until(lambda client: client.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    async def settled(self) -> None:
        """Wait until everything sent has been taken in, or the connection has ended."""
        mark = b"mark %d" % len(self.frames)
        await self.send(keepalive(mark))
        await self.until(
            lambda client: (
                client.close_code is not None
                or any(seen.kind == KEEPALIVE and seen.data == mark for seen in client.frames)
            )
        )
        self.frames = [seen for seen in self.frames if not (seen.kind == KEEPALIVE and seen.data == mark)]
        for _ in range(10):  # Handlers begin on the loop's next turns.
            await asyncio.sleep(0)

    def items(self, stream_id: int) -> list[bytes]:
        return [seen.body for seen in self.frames if seen.stream_id == stream_id and seen.kind == PAYLOAD]

    async def got(self, stream_id: int, count: int) -> list[bytes]:
        await self.until(lambda client: len(client.items(stream_id)) >= count)
        return self.items(stream_id)

    async def error(self, stream_id: int) -> Seen:
        def find(client: Client) -> Seen | None:
            return next((seen for seen in client.frames if seen.stream_id == stream_id and seen.kind == ERROR), None)

        await self.until(find)
        found = find(self)
        assert found is not None
        return found

    async def end(self) -> None:
        await self.websocket.close()
        if self._reader is not None:
            await self._reader
