"""Bots by the hundred for benches and checks: raw RSocket on an asyncio protocol, and a house that they come to."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import House  # noqa: E402

from db.ledger import Ledger  # noqa: E402
from db.members import Members  # noqa: E402
from db.pool import open_pool  # noqa: E402
from routes.tokens import Tokens  # noqa: E402
from tests.rsocket_server import script  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.member import Member

SECRET = secrets.token_urlsafe(32)
CONNECT_SECONDS_MAX = 10.0


class Gone(Exception):
    """The connection ended before the answer came."""


class Refused(Exception):
    """An ERROR frame, with its code."""


class Bot(asyncio.Protocol):
    """One connection. `on_event` is told of every event of its watches, and when it came."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.is_full = False
        self.lost = asyncio.get_running_loop().create_future()
        self.local_port = 0
        self._opened = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._stream_id = -1
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._watches: dict[int, Any] = {}
        self._is_shaken = False
        self.transport: Any = None

    async def open(self, port: int) -> Bot:
        """Connect, say who it is, and wait until that was accepted. Raises Gone, OSError, TimeoutError."""
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            loop = asyncio.get_running_loop()
            self.transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
            self.local_port = self.transport.get_extra_info("sockname")[1]
            self.transport.write(
                b"GET /rsocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await self._opened
            metadata = script.bearer(self.token.encode()) if self.token else None
            self.send(script.setup(metadata=metadata, keepalive_ms=60_000, lifetime_ms=600_000))
            await self.call("session.hello", {})
        return self

    def send(self, message: bytes) -> None:
        """Write a client's WebSocket message, with a mask of zeros."""
        length = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + len(message).to_bytes(2)
        self.transport.write(b"\x82" + length + bytes(4) + message)

    async def call(self, route: str, body: object) -> Any:
        """Ask and await the answer. Raises Gone, Refused."""
        if self.lost.done():
            raise Gone
        stream_id = self._next_id()
        answer = self._answers[stream_id] = asyncio.get_running_loop().create_future()
        self.send(script.request(script.RESPONSE, stream_id, route, json.dumps(body).encode()))
        return await answer

    def fire(self, route: str, body: object) -> None:
        """Say and forget."""
        self.send(script.request(script.FNF, self._next_id(), route, json.dumps(body).encode()))

    def watch(self, body: object, on_event: Any, *, n: int = script.UNBOUNDED) -> int:
        """Watch a room; answer the stream's id."""
        stream_id = self._next_id()
        self._watches[stream_id] = on_event
        self.send(script.request(script.STREAM, stream_id, "chat.watch", json.dumps(body).encode(), n=n))
        return stream_id

    def abort(self) -> None:
        """Cut the line."""
        self.transport.abort()

    def _next_id(self) -> int:
        self._stream_id += 2
        return self._stream_id

    # --- asyncio's side -----------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_shaken:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            status = bytes(self._buffer[:12])
            del self._buffer[: end + 4]
            self._is_shaken = True
            if status != b"HTTP/1.1 101":
                self._opened.set_exception(Gone(status))
                return
            self._opened.set_result(None)
        self._read()

    def _read(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1] & 0x7F, 2
            if length >= 126:
                head = 4 if length == 126 else 10
                if len(buffer) - at < head:
                    break
                length = int.from_bytes(buffer[at + 2 : at + head])
            if len(buffer) - at < head + length:
                break
            if buffer[at] & 0xF == 2:
                self._frame(bytes(buffer[at + head : at + head + length]))
            at += head + length
        del buffer[:at]

    def _frame(self, message: bytes) -> None:
        stream_id, kind = int.from_bytes(message[:4]), message[4] >> 2
        if kind == script.PAYLOAD:
            if stream_id in self._watches:
                if len(message) > 6:
                    self._watches[stream_id](message[6:])
            elif (answer := self._answers.pop(stream_id, None)) is not None and not answer.done():
                answer.set_result(json.loads(message[6:]))
        elif kind == script.ERROR:
            answer = self._answers.pop(stream_id, None)
            if answer is not None and not answer.done():
                answer.set_exception(Refused(json.loads(message[10:])["code"]))

    def connection_lost(self, _exc: Exception | None) -> None:
        for waiting in (self._opened, *self._answers.values()):
            if not waiting.done():
                waiting.set_exception(Gone())
        self._opened.cancelled() or self._opened.exception()
        if not self.lost.done():
            self.lost.set_result(None)


class People:
    """Members of a running house, as sign-up leaves them, without a password hash each."""

    def __init__(self, house: House, environment: dict[str, str]) -> None:
        self.house = house
        self.environment = environment
        self._tokens = Tokens(SECRET.encode())

    async def make(self, count: int, *, points: int = 0, live: bool = False) -> list[tuple[Member, str]]:
        """Make members, each with an access token."""
        pool = await open_pool(self.environment["COMMEOW_DATABASE_URL"])
        made = []
        async with Ledger(pool) as ledger:
            for _ in range(count):
                name = f"n{uuid.uuid4().hex[:10]}"
                member = await Members(pool).add(
                    login_id=name, nickname=name, password_hash="-", stream_key_hash=uuid.uuid4().bytes * 2
                )
                if points:
                    await ledger.grant(member.id, points, "bots")
                if live:
                    await pool.execute(
                        "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour')", member.id
                    )
                token = self._tokens.issue(member.id, name, member.roles, token_id=uuid.uuid4().hex, now=time.time())
                made.append((member, token))
        await pool.close()
        return made


@asynccontextmanager
async def open_house(**settings: str) -> AsyncIterator[People]:
    """Start a whole house in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="commeow-bots-") as folder:
        house = House(Path(folder) / "data", COMMEOW_SECRET=SECRET, **settings)
        try:
            await house.start()
            yield People(house, rsocket_processes(house)[0].environ())
        finally:
            await house.kill()


def rsocket_processes(house: House) -> list[psutil.Process]:
    """Find the processes that serve the RSocket port: the workers where there are several."""
    found = []
    for process in house.family():
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if "rsocket_server" in words and (
            house.environment.get("COMMEOW_RSOCKET_WORKERS", "1") == "1" or "--worker" in words
        ):
            found.append(process)
    return found


def percentile(values: list[float], share: float) -> float:
    """Answer the value below which `share` of them lie, in milliseconds, if they are seconds."""
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]
