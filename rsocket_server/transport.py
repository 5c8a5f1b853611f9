"""Shell: one WebSocket: messages in, bytes out, and the three things that aiohttp keeps to itself.

Those are when the socket is full and when it has drained (asked of the event loop's transport, whose protocol we stand
in front of), and that it has gone, which reaches the connection however busy the reader is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from aiohttp import WSMsgType, web

from rsocket_server import frames, limits
from rsocket_server.frames import CloseCode

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Listener(Protocol):
    """Who is told what a socket brings: a connection."""

    def receive(self, message: bytes) -> Awaitable[None] | None:
        """Take a binary message; what is answered is awaited before the next."""

    def refuse_text(self) -> None:
        """Take note of a text message."""

    def pause(self) -> None:
        """Take note that the socket is full."""

    def resume(self) -> None:
        """Take note that it has drained."""

    def lost(self) -> None:
        """Take note that it has gone."""


class Tap(asyncio.Protocol):
    """Stands between an event loop's transport and aiohttp's protocol and tells a Socket what passes."""

    def __init__(self, inner: asyncio.Protocol, socket: Socket) -> None:
        self._inner = inner
        self._socket = socket
        # Bytes go straight on: this is the hot way in.
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]

    def pause_writing(self) -> None:
        """Say that the socket is full."""
        self._inner.pause_writing()
        self._socket.set_paused(True)

    def resume_writing(self) -> None:
        """Say that it has drained."""
        self._inner.resume_writing()
        self._socket.set_paused(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it has gone."""
        self._inner.connection_lost(exc)
        self._socket.set_lost()


class Socket:
    """One WebSocket of a client, prepared.

    Args:
        transport: the event loop's, for writing and for its fullness.
        websocket: aiohttp's, for reading.

    Attributes:
        paused: whether it takes no more for now.
    """

    def __init__(self, transport: asyncio.Transport, websocket: web.WebSocketResponse) -> None:
        self._transport = transport
        self._websocket = websocket
        self._connection: Listener | None = None
        self._drained: asyncio.Event | None = None  # Most sockets are never full.
        self._closing = False
        self._cut: asyncio.TimerHandle | None = None
        self.paused = False
        transport.set_write_buffer_limits(limits.WRITE_HIGH_BYTES, limits.WRITE_LOW_BYTES)
        transport.set_protocol(Tap(cast("asyncio.Protocol", transport.get_protocol()), self))

    @property
    def waiting_bytes(self) -> int:
        """Bytes written and not yet taken by the kernel."""
        return self._transport.get_write_buffer_size()

    def write(self, messages: bytes) -> None:
        """Write whole WebSocket messages; nothing after `shutdown`."""
        if not self._closing:
            self._transport.write(messages)

    def shutdown(self, code: CloseCode) -> None:
        """Send a CLOSE; the peer answers with its own, or the line is cut after CLOSE_SECONDS."""
        if not self._closing:
            self._transport.write(frames.close_message(code))
            self._closing = True
            self._cut = asyncio.get_running_loop().call_later(limits.CLOSE_SECONDS, self._transport.abort)

    def abort(self) -> None:
        """Cut the line now."""
        self._closing = True
        self._transport.abort()

    async def close(self) -> None:
        """Close as rsocket-py's transports do."""
        self.shutdown(CloseCode.NORMAL)

    async def run(self, connection: Listener) -> None:
        """Bring each message to the connection until the socket ends."""
        self._connection = connection
        while True:
            try:
                message: Any = await self._websocket.receive()
            except ConnectionError:  # While aiohttp answered a ping.
                return
            if message.type is WSMsgType.BINARY:
                busy = connection.receive(message.data)
                if busy is not None:
                    await busy
                # Who does not read its answers is not asked for more questions.
                if self.paused:
                    await self.writable()
            elif message.type is WSMsgType.TEXT:
                connection.refuse_text()
            else:
                break
        if message.type is WSMsgType.CLOSE:
            # Its CLOSE answers ours, or ours answers its; then the server ends the connection (RFC 6455, §7.1.1).
            self.shutdown(CloseCode.NORMAL)
            self._transport.close()

    def set_paused(self, paused: bool) -> None:  # noqa: FBT001 - one fact, said by the transport.
        """Take note of the socket's fullness."""
        self.paused = paused
        if not paused:
            self._wake()
        if self._connection is not None:
            if paused:
                self._connection.pause()
            else:
                self._connection.resume()

    def set_lost(self) -> None:
        """Take note that the socket has gone."""
        self._closing = True
        self.paused = False
        self._wake()
        if self._cut is not None:
            self._cut.cancel()
        if self._connection is not None:
            self._connection.lost()

    async def writable(self) -> None:
        """Wait until the socket is not full. The caller writes before it awaits anything else."""
        while self.paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    def _wake(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None
