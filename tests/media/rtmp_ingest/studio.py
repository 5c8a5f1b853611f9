"""A house that takes what it is given, and a publisher's socket in a test's hands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.publishers import Limits
from media.rtmp_ingest.server import serve
from tests.media.rtmp_ingest.publisher import Client, Heard, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from media.rtmp_ingest.server import RtmpServer

KEY = "sk_live_0123456789"
CERTIFICATE = Path(__file__).parents[2] / "vectors" / "tls" / "certificate.pem"
SECONDS = 60  # For what should take milliseconds. Nothing below waits for it to pass.


class Recorder:
    """A sink that keeps what it is given."""

    def __init__(self, cut: Callable[[str], None]) -> None:
        self.cut = cut
        self.video_tags: list[tuple[int, bytes]] = []
        self.audio_tags: list[tuple[int, bytes]] = []
        self.metadata_seen: list[dict[str, Any]] = []
        self.ends: list[bool] = []
        self.ended = asyncio.Event()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def video(self, timestamp_ms: int, payload: bytes) -> None:
        self.arrived.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        self.video_tags.append((timestamp_ms, payload))

    async def audio(self, timestamp_ms: int, payload: bytes) -> None:
        self.arrived.set()
        self.audio_tags.append((timestamp_ms, payload))

    async def metadata(self, values: dict[str, Any]) -> None:
        self.metadata_seen.append(values)

    async def end(self, clean: bool) -> None:
        self.ends.append(clean)
        self.ended.set()


@dataclass
class Studio:
    """Decides about publishers: one key is right."""

    sinks: list[Recorder] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    recorder: type[Recorder] = Recorder

    def __post_init__(self) -> None:
        self.answers.set()

    async def publish(self, key: str, app: str, cut: Callable[[str], None]) -> Recorder:
        self.asked.append((key, app))
        await self.answers.wait()
        if self.failure:
            raise self.failure
        if key != KEY:
            raise Refused("NetStream.Publish.BadName", "unknown stream key: make a new one in your studio")
        self.sinks.append(self.recorder(cut))
        return self.sinks[-1]


class Wire:
    """A publisher's socket in the test's hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.client, self._heard = Client(), Heard()
        self.said: list[str] = []

    async def send(self, *data: bytes) -> Wire:
        self.writer.write(b"".join(data))
        await self.writer.drain()
        return self

    async def hears(self, line: str) -> Wire:
        """Read until the server has said `line`."""
        async with asyncio.timeout(SECONDS):
            while line not in self.said:
                data = await self.reader.read(65536)

                assert data, f"closed before {line!r}: {self.said}"
                self.said += said(self._heard.take(data))
        self.said = self.said[self.said.index(line) + 1 :]
        return self

    async def closed(self) -> list[str]:
        """Read to the end and return all that was said on the way."""
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionResetError):
                while data := await self.reader.read(65536):
                    self.said += said(self._heard.take(data))
        self.hang_up()
        return self.said

    async def streams(self, key: str = KEY) -> Wire:
        await self.send(self.client.start(key))
        return await self.hears("onStatus NetStream.Publish.Start")

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.002)


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(SECONDS):
        await event.wait()


@contextlib.asynccontextmanager
async def serving(studio: Studio, **limits: Any) -> AsyncIterator[RtmpServer]:
    server = await serve("127.0.0.1", 0, studio, limits=Limits(**limits))
    try:
        yield server
    finally:
        await server.close()

        assert server.connections == 0


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
    return context


def client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


async def run(*command: str) -> tuple[int, str]:
    """Run a program to its end and return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
