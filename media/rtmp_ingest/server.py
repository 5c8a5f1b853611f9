"""Shell: the RTMP port: sockets, timers and limits around one Session a connection.

Nothing of a stranger's is unbounded: connections in all and by address, bytes and time until it publishes (session.py),
bytes waiting to be sent and the time they may wait. When strangers fill their room, the oldest of them makes place, so
that a flood of half handshakes cannot keep a publisher out. A publisher that sends faster than its sink takes is not
read from: TCP tells it.

The log has one line a connection, at its end. No key, no application name, no text of the peer is ever in it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.events import (
    AudioReceived,
    Metadata,
    PublishEnded,
    PublishRequested,
    SessionClosed,
    VideoReceived,
)
from media.rtmp_ingest.handshake import NONCE_BYTES
from media.rtmp_ingest.session import Session
from media.rtmp_ingest.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from media.rtmp_ingest.events import Event

log = logging.getLogger(__name__)

READ_BYTES: Final = 64 * 1024
# Who does not take its handful of answers is not listening any more.
WRITE_BYTES_MAX: Final = 256 * 1024
# After our last word the peer's bytes are read and thrown away: unread at close, they would destroy it on its way.
LINGER_BYTES_MAX: Final = 1024 * 1024
# Connections that the kernel holds while we are busy: a burst of strangers should not push out a publisher.
BACKLOG: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many may come, and how long they may keep us waiting; what a session may take is in session.py."""

    # Connections in all: a file descriptor and some 100 KB each.
    connections_max: int = 1024
    # Connections that do not publish, in all: a handshake is 3 KB and some microseconds.
    strangers_max: int = 256
    # Connections that do not publish, from one address: a studio behind one address has a few.
    strangers_by_address_max: int = 32
    # For the peer to take our answers once WRITE_BYTES_MAX of them wait.
    write_seconds_max: float = 10.0
    # For the question whose key it is. A store that needs longer is as good as away; the encoder comes again.
    decision_seconds_max: float = 10.0
    # For the peer to read our last words and close.
    linger_seconds_max: float = 1.0
    # For connections to end by themselves when the server closes.
    close_seconds_max: float = 1.0

    def __post_init__(self) -> None:
        assert 0 < self.strangers_by_address_max <= self.strangers_max <= self.connections_max


class Sink(Protocol):
    """Where an accepted publisher's media goes. Awaiting is back-pressure: the publisher waits too.

    `video`, `audio` and `metadata` may raise Refused: the publisher is cut with these words.
    """

    async def video(self, timestamp_ms: int, payload: bytes) -> None:
        """Take one FLV video tag's payload."""

    async def audio(self, timestamp_ms: int, payload: bytes) -> None:
        """Take one FLV audio tag's payload."""

    async def metadata(self, values: dict[str, Any]) -> None:
        """Take what the encoder says about its stream."""

    async def end(self, clean: bool) -> None:  # noqa: FBT001 - the one fact there is.
        """Take note of the end, exactly once: `clean` if the publisher said so, else its connection was lost."""


class Publishers(Protocol):
    """Who decides about publishers."""

    async def publish(self, key: str, app: str, cut: Callable[[str], None]) -> Sink:
        """Return where this publisher's media goes, or raise Refused. `cut(reason)` takes it off the air later."""


class RtmpServer:
    """A listening port and its connections. Made by `serve`."""

    def __init__(self, publishers: Publishers, limits: Limits) -> None:
        self._publishers = publishers
        self._limits = limits
        self._connections: dict[Connection, asyncio.Task[None]] = {}  # In the order they came.
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        """Open the port. Raises OSError if it is taken."""
        # A connection's own reader limit is twice READ_BYTES before it stops reading from the socket.
        self._listener = await asyncio.start_server(self._accept, host, port, limit=READ_BYTES, backlog=BACKLOG)

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def close(self) -> None:
        """Stop listening and end every connection; each sink hears `end(clean=False)`."""
        assert self._listener is not None
        self._listener.close()
        for connection in self._connections:
            connection.stop("the server is closing")
        tasks = list(self._connections.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.close_seconds_max)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._publishers, self._limits)
        if not self._make_room(connection.address):
            log.warning("rtmp_full address=%s connections=%d", connection.address, len(self._connections))
            writer.transport.abort()
            return
        # The task is owned: kept here until it is done, awaited by close().
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection))

    def _make_room(self, address: str) -> bool:
        """Ask the oldest stranger to leave where strangers fill their room; return whether there is room."""
        strangers = [connection for connection in self._connections if connection.is_stranger]
        neighbours = [connection for connection in strangers if connection.address == address]
        if len(neighbours) >= self._limits.strangers_by_address_max:
            neighbours[0].stop("made room for a newer connection of its address")
        elif len(strangers) >= self._limits.strangers_max:
            strangers[0].stop("made room for a newer connection")
        return len(self._connections) < self._limits.connections_max


async def serve(host: str, port: int, publishers: Publishers, *, limits: Limits | None = None) -> RtmpServer:
    """Listen for encoders on `host`:`port` (0: any free port) until the answer's `close`. Raises OSError."""
    server = RtmpServer(publishers, limits or Limits())
    await server.listen(host, port)
    return server


class Connection:
    """One publisher's socket."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, publishers: Publishers, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._publishers = publishers
        self._limits = limits
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._session = Session(self._began, secrets.token_bytes(NONCE_BYTES))
        self._sink: Sink | None = None
        self._stopped: str | None = None  # Why to close without a word.
        self._cut: str | None = None  # Why to take the publisher off the air, in words for it.
        self._waiting: asyncio.Timeout | None = None
        self._said_last = False  # Whether the last turn sent something that the peer should live to read.
        self._reason = "unknown"
        # (host, port) or (host, port, flow, scope); empty if the peer left between accept and here.
        self.address = household((writer.get_extra_info("peername") or ("-",))[0])
        writer.transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def is_stranger(self) -> bool:
        """Whether this connection may be asked to make room: it neither publishes nor waits for our word."""
        return self._stopped is None and self._session.state not in {State.DECIDING, State.PUBLISHING}

    def stop(self, reason: str) -> None:
        """Close soon, without a word."""
        self._stopped = self._stopped or reason
        self._wake()

    def cut(self, reason: str) -> None:
        """Take the publisher off the air soon; its encoder shows the reason."""
        self._cut = self._cut or reason
        self._wake()

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            while self._session.state is not State.CLOSED:
                await self._receive()
                await self._deliver()
                await self._send()
        except Exception:
            # A bug of ours may cost this publisher its connection, and nobody else anything.
            log.exception("rtmp_failed address=%s", self.address)
            self._session.close("internal error")
        finally:
            await self._finish()

    def _wake(self) -> None:
        # Time is an input like bytes: the wait for it ends now.
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(self._now())

    async def _receive(self) -> None:
        """Wait for one input and give it to the session: bytes, their end, time, or our own wish to stop."""
        if self._obey():
            return
        try:
            async with asyncio.timeout_at(self._session.next_deadline()) as self._waiting:
                data = await self._reader.read(READ_BYTES)
        except TimeoutError:
            if not self._obey():
                self._session.tick(self._now())
        except OSError:
            self._session.receive_data(b"", self._now())
        else:
            self._session.receive_data(data, self._now())
        finally:
            self._waiting = None

    def _obey(self) -> bool:
        if self._stopped is not None:
            self._session.close(self._stopped)
        elif self._cut is not None:
            self._session.cut("NetStream.Publish.Denied", self._cut)
        return self._session.state is State.CLOSED

    async def _deliver(self) -> None:
        while events := self._session.events():
            for event in events:
                await self._take(event)

    async def _take(self, event: Event) -> None:
        if isinstance(event, VideoReceived | AudioReceived | Metadata):
            # None: this very batch of events brought the end.
            if self._sink is not None:
                await self._pass_on(self._sink, event)
        elif isinstance(event, PublishRequested):
            await self._decide(event)
        elif isinstance(event, PublishEnded):
            await self._end_sink(clean=True)
        elif isinstance(event, SessionClosed):
            self._reason = event.reason

    async def _pass_on(self, sink: Sink, event: VideoReceived | AudioReceived | Metadata) -> None:
        try:
            if isinstance(event, VideoReceived):
                await sink.video(event.timestamp_ms, event.payload)
            elif isinstance(event, AudioReceived):
                await sink.audio(event.timestamp_ms, event.payload)
            else:
                await sink.metadata(event.values)
        except Refused as refused:
            self._session.cut(refused.code, refused.description)
            await self._end_sink(clean=False)
        except Exception:
            log.exception("rtmp_sink_failed address=%s", self.address)
            self._session.cut("NetStream.Failed", "the server cannot go on with this stream")
            await self._end_sink(clean=False)

    async def _decide(self, event: PublishRequested) -> None:
        """Ask whose key it is. Nothing is registered anywhere before the answer."""
        try:
            async with asyncio.timeout(self._limits.decision_seconds_max) as self._waiting:
                self._sink = await self._publishers.publish(event.key, event.app, self.cut)
        except Refused as refused:
            self._session.reject(event.request_id, refused.code, refused.description)
        except Exception:  # noqa: BLE001 - it is logged, below.
            if not self._obey():
                # Whoever looked the key up may have put it into its error.
                told = traceback.format_exc().replace(event.key, "[key]")
                log.error("rtmp_decision_failed address=%s\n%s", self.address, told)  # noqa: TRY400 - see above.
                words = "the server cannot take a stream at the moment: try again"
                self._session.reject(event.request_id, "NetStream.Failed", words)
        else:
            self._session.accept(event.request_id, self._now())
        finally:
            self._waiting = None

    async def _end_sink(self, *, clean: bool) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            await sink.end(clean)
        except Exception:
            log.exception("rtmp_sink_failed address=%s", self.address)

    async def _send(self) -> None:
        data = self._session.data_to_send()
        self._said_last = bool(data)
        if not data:
            return
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._limits.write_seconds_max):
                await self._writer.drain()
        except TimeoutError:
            self._session.close("the peer does not read its answers")
        except OSError:
            self._session.receive_data(b"", self._now())

    async def _finish(self) -> None:
        """Close, letting the peer read our last words first, and write the one line of the log."""
        await self._deliver()
        await self._end_sink(clean=False)
        try:
            async with asyncio.timeout(self._limits.linger_seconds_max):
                if self._said_last:
                    await self._linger()
                self._writer.close()
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            pass
        finally:
            self._writer.transport.abort()
            log.info(
                "rtmp_closed address=%s reason=%r bytes=%d seconds=%.1f",
                self.address,
                self._reason,
                self._session.bytes_received,
                self._now() - self._began,
            )

    async def _linger(self) -> None:
        self._writer.write_eof()
        for _ in range(LINGER_BYTES_MAX // READ_BYTES):
            if not await self._reader.read(READ_BYTES):
                return


def household(host: str) -> str:
    """Return what stands for one customer of the network: an IPv4 address, or the first half of an IPv6 one."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
