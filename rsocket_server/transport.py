"""Shell: one WebSocket on an event loop's transport: the request that opens it, messages in, bytes out.

There is no library and no task in between: what the socket brings is read by `upgrade` and `websocket` in the call that
brings it, and what is written goes to the kernel in the call that writes it. Only what the kernel does not take waits
in the event loop's transport. A client is not read while its last message is still being dealt with, nor while it does
not read its answers.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Protocol, cast

from rsocket_server import frames, limits, upgrade
from rsocket_server.frames import CloseCode
from rsocket_server.upgrade import Refused
from rsocket_server.websocket import Flood, Kind, Reader, Violation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from rsocket_server.frame_budget import FrameBudget
    from rsocket_server.upgrade import Upgrade


class Listener(Protocol):
    """Who is told what a socket brings: a connection.

    Attributes:
        budget: how much it may bring.
    """

    budget: FrameBudget

    def receive(self, message: bytes) -> Awaitable[None] | None:
        """Take a binary message; what is answered is awaited before the next."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> object:
        """Set to work what ends with the connection."""

    def refuse_text(self) -> None:
        """Take note of a text message."""

    def refuse_flood(self) -> None:
        """Take note of too many frames, and close."""

    def clog(self) -> None:
        """Take note that what is written now waits: nothing may go to the kernel past `Socket.write`."""

    def pause(self) -> None:
        """Take note that the socket is full."""

    def resume(self) -> None:
        """Take note that it has drained."""

    def lost(self) -> None:
        """Take note that it has gone."""


class Host(Protocol):
    """Who sockets come to: a server."""

    def arrived(self, socket: Socket) -> None:
        """Take note of a socket that has said nothing yet."""

    def meet(self, asked: Upgrade, socket: Socket) -> Listener:
        """Let in who asks for a WebSocket, or raise Refused."""

    def gone(self, socket: Socket, connection: Listener | None) -> None:
        """Take note that a socket has gone, after its connection, if it has one, has been told."""


class Socket(asyncio.Protocol):
    """One client's socket.

    Attributes:
        paused: whether it takes no more for now.
    """

    __slots__ = (
        "_busy",
        "_closing",
        "_connection",
        "_cut",
        "_drained",
        "_host",
        "_reader",
        "_request",
        "_sender",
        "_sends",
        "_transport",
        "paused",
    )

    def __init__(self, host: Host) -> None:
        self._host = host
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # Until the event loop gives it.
        self._sender: socket.socket = None  # type: ignore[assignment]
        self._sends = False  # Whether the kernel has taken all that was written, as far as we know.
        self._request: bytearray | None = bytearray()  # None once the WebSocket is open.
        self._reader: Reader | None = None  # Before that, and when nothing that comes matters any more.
        self._connection: Listener | None = None
        self._drained: asyncio.Event | None = None  # Most sockets are never full.
        self._busy = False
        self._closing = False
        self._cut: asyncio.TimerHandle | None = None
        self.paused = False

    # --- what the event loop says -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(limits.WRITE_HIGH_BYTES, limits.WRITE_LOW_BYTES)
        # The transport's own descriptor, let go before the transport closes it; whichever family, it only sends.
        number = self._transport.get_extra_info("socket").fileno()
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, number)
        self._sender.settimeout(0)
        self._host.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._reader is not None:
            self._reader.receive_data(data)
            self._read()
        elif self._request is not None:
            self._request += data
            self._knock(self._request)

    def eof_received(self) -> None:
        """Close: nobody speaks any more. What is still to be written has CLOSE_SECONDS."""
        self._cut_later()

    def pause_writing(self) -> None:
        """Take note that the socket is full."""
        self.paused = True
        self._stop_reading()
        if self._connection is not None:
            self._connection.pause()

    def resume_writing(self) -> None:
        """Take note that it has drained."""
        self.paused = False
        self._wake()
        if self._connection is not None:
            self._connection.resume()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop's signature.
        """Take note that the socket has gone, why ever."""
        self._end()
        self._sender.detach()
        self.paused = False
        self._reader = None
        self._wake()
        if self._cut is not None:
            self._cut.cancel()
        if self._connection is not None:
            self._connection.lost()
        self._host.gone(self, self._connection)

    # --- what a connection asks -------------------------------------------------------------------------------------

    @property
    def peer(self) -> str | None:
        """The address at the other end; None where there is none."""
        name = self._transport.get_extra_info("peername")
        return name[0] if isinstance(name, tuple) else None

    @property
    def waiting_bytes(self) -> int:
        """Bytes written and not yet taken by the kernel."""
        return self._transport.get_write_buffer_size()

    def write(self, messages: bytes) -> None:
        """Write whole WebSocket messages; nothing after `shutdown`."""
        if not self._sends:
            if self._closing:
                return
            if self._transport.get_write_buffer_size():
                self._transport.write(messages)
                return
            self._sends = True
        # A tenth less than by the event loop's transport, which must be ready for everything.
        try:
            sent = self._sender.send(messages)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return
        if sent < len(messages):
            self.hold(messages[sent:])

    def direct(self) -> socket.socket | None:
        """Answer what sends to the kernel at once, until `Listener.clog` is told; None while something waits.

        Whoever sends by it gives what is left to `hold`.
        """
        if not self._sends:
            if self._closing or self._transport.get_write_buffer_size():
                return None
            self._sends = True
        return self._sender

    def hold(self, rest: bytes) -> None:
        """Let the event loop's transport write what the kernel did not take."""
        self._clog()
        self._transport.write(rest)

    def shutdown(self, code: CloseCode) -> None:
        """Send a CLOSE; the peer answers with its own, or the line is cut after CLOSE_SECONDS."""
        if not self._closing:
            self._transport.write(frames.close_message(code))
            self._end()
            self._cut_later()

    def abort(self) -> None:
        """Cut the line now."""
        self._end()
        self._transport.abort()

    async def close(self) -> None:
        """Close as rsocket-py's transports do."""
        self.shutdown(CloseCode.NORMAL)

    async def writable(self) -> None:
        """Wait until the socket is not full. The caller writes before it awaits anything else."""
        while self.paused:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    # --- the request ------------------------------------------------------------------------------------------------

    def _knock(self, request: bytearray) -> None:
        try:
            parts = upgrade.split(request)
            if parts is None:
                return
            head, rest = parts
            asked = upgrade.read(head)
            connection = self._host.meet(asked, self)
        except Refused as refused:
            self._request = None
            self._transport.write(upgrade.refusal(refused.status))
            self._end()
            # Whoever still speaks is read and not heard: closing at once would throw the answer away with his words.
            self._transport.write_eof()
            self._cut_later()
            return
        self._request = None
        self._connection = connection
        self._reader = Reader(connection.budget)
        self._transport.write(upgrade.welcome(asked))
        if rest:
            self.data_received(rest)

    # --- messages ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Bring what is there to the connection, one message after another."""
        assert self._connection is not None
        assert self._reader is not None
        self._reader.earn(asyncio.get_running_loop().time())
        while self._reader is not None and not self._busy and not self.paused:
            try:
                event = self._reader.next_event()
            except Flood:
                self._reader = None
                self._connection.refuse_flood()
                # Not even his CLOSE is read: until he is cut he could send as fast as we throw away.
                self._busy = True
                self._stop_reading()
                return
            except Violation as broken:
                self._reader = None
                self.shutdown(broken.code)
                return
            if event is None:
                return
            kind, data = event
            if kind is Kind.MESSAGE:
                busy = self._connection.receive(data)
                if busy is not None:
                    self._busy = True
                    self._stop_reading()
                    self._connection.spawn(self._read_after(busy))
            elif kind is Kind.PING:
                self.write(frames.pong_message(data))
            elif kind is Kind.TEXT:
                self._connection.refuse_text()
            else:
                # Its CLOSE answers ours, or ours answers its; then the server ends the connection (RFC 6455, §7.1.1).
                self._reader = None
                self.shutdown(CloseCode.NORMAL)
                self._close()

    async def _read_after(self, busy: Awaitable[None]) -> None:
        try:
            await busy
        finally:
            self._busy = False
        try:
            self._read_on()
        except BaseException:
            self.abort()  # As the event loop does with what fails in a call of its own.
            raise

    def _read_on(self) -> None:
        if self._reader is not None:
            self._read()
        if not self._busy and not self.paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def _stop_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Write nothing more."""
        self._closing = True
        self._clog()

    def _clog(self) -> None:
        """Send nothing past what waits."""
        self._sends = False
        if self._connection is not None:
            self._connection.clog()

    def _close(self) -> None:
        """Close when all has been written, or when CLOSE_SECONDS are over."""
        self._transport.close()
        self._cut_later()

    def _cut_later(self) -> None:
        if self._cut is None:
            self._cut = asyncio.get_running_loop().call_later(limits.CLOSE_SECONDS, self._transport.abort)

    def _wake(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None
