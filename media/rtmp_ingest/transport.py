"""Shell: one encoder's socket: bytes in, by the event loop or by the pulse, and bytes out, with TLS or without.

Whoever does not publish is read by the event loop into an inbox of READ_BYTES; is that full, nothing is read and TCP
tells the peer. Whoever publishes is read by the pulse (`pace`), and only while the connection's task waits.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final, cast

from media.rtmp_ingest.tls import Tls, TlsBroken

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from media.rtmp_ingest.pulse import Pulse

READ_BYTES: Final = 64 * 1024
# What the task takes from the inbox in one turn. Strangers' bytes are the dearest: 8 KiB of AMF can take 4 ms.
TURN_BYTES: Final = 8 * 1024
# Who does not take its handful of answers is not listening any more.
WRITE_BYTES_MAX: Final = 256 * 1024
# After our last word the peer's bytes are read and thrown away: unread at close, they would destroy it on its way.
LINGER_BYTES_MAX: Final = 1024 * 1024


class Transport(asyncio.BufferedProtocol):
    """Made by the event loop for every socket; `made` is told once there is one."""

    def __init__(
        self, buffer: memoryview, pulse: Pulse, tls: ssl.SSLContext | None, made: Callable[[Transport], None]
    ) -> None:
        self._buffer = buffer  # Everybody's: what is read is copied out of it before the loop goes on.
        self._pulse = pulse
        self._tls = Tls(tls) if tls else None
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._inbox = b""
        self._paused = False  # Whether the event loop does not read.
        self._publishing: Callable[[bytes], None] | None = None  # Who is told what the pulse reads.
        self._descriptor = -1
        self._waiting: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._lost = self._loop.create_future()
        self.at_end = False
        """Whether nothing comes after the inbox."""
        self.fault: TlsBroken | None = None
        """Why, if the peer broke a rule."""
        self.host = "-"
        """The peer's address."""

    # --- what the event loop says ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        # (host, port) or (host, port, flow, scope); empty if the peer left between accept and here.
        self.host = (transport.get_extra_info("peername") or ("-",))[0]
        self._transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's words.
        """Say where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came, of somebody who does not publish."""
        self._inbox += self._decrypted(bytes(self._buffer[:nbytes]))
        if len(self._inbox) >= READ_BYTES:
            self._pause()
        if self._inbox or self.at_end:
            self.wake()

    def eof_received(self) -> bool:
        """The peer says no more; it may still listen."""
        self.at_end = True
        self.wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was: it is over.
        """The socket is gone."""
        self.at_end = True
        self.pace(None)
        self._lost.set_result(None)
        self.resume_writing()
        self.wake()

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """The peer reads again, or never will."""
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    # --- in ----------------------------------------------------------------------------------------------------------

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody is in `wait`, and nothing has woken it yet."""
        return self._waiting is not None and not self._waiting.done()

    @property
    def has_input(self) -> bool:
        """Whether `wait` would return at once."""
        return bool(self._inbox) or self.at_end

    async def wait(self) -> None:
        """Return when there are bytes in the inbox or their end, or when somebody calls `wake`."""
        if self.has_input:
            await asyncio.sleep(0)  # Others' turn.
            return
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self.is_waited_for:
            assert self._waiting is not None
            self._waiting.set_result(None)

    def take(self) -> bytes:
        """Take out of the inbox what one turn may cost; the rest stays."""
        data, self._inbox = self._inbox[:TURN_BYTES], self._inbox[TURN_BYTES:]
        return data

    def pace(self, publishing: Callable[[bytes], None] | None) -> None:
        """Read by the pulse from now on, and tell `publishing`, whenever the task waits; None: by the event loop."""
        if publishing is None or self._transport.is_closing():
            if self._publishing is not None:
                self._publishing, self._descriptor = None, -1
                self._pulse.leave(self._read)
            if len(self._inbox) < READ_BYTES:
                self._resume()
        elif self._publishing is None and not self._inbox:
            self._pause()
            self._publishing, self._descriptor = publishing, self._transport.get_extra_info("socket").fileno()
            self._pulse.join(self._read)

    def _read(self) -> None:
        """Take what has come since the last beat, unless the task is busy with something earlier."""
        if self._publishing is None or not self.is_waited_for or self._transport.is_closing():
            return
        try:
            size = os.readv(self._descriptor, (self._buffer,))
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            # The end, or a fault: the event loop knows how to tell which, and tells it.
            self.pace(None)
            return
        data = self._decrypted(bytes(self._buffer[:size]))
        if data:
            self._publishing(data)
        if self.at_end:
            self.wake()
        elif size == READ_BYTES:
            # There is more than a beat's worth; but first everybody else's turn.
            self._loop.call_soon(self._read)

    def _decrypted(self, data: bytes) -> bytes:
        if self._tls is None:
            return data
        if self.at_end:
            return b""
        try:
            data = self._tls.receive_data(data)
        except TlsBroken as broken:
            data, self.fault = b"", broken
        self.at_end = self._tls.at_end or self.fault is not None
        self._transport.write(self._tls.data_to_send())
        return data

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._transport.pause_reading()
        self._paused = True

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._transport.resume_reading()
        self._paused = False

    # --- out ---------------------------------------------------------------------------------------------------------

    async def write(self, data: bytes, seconds_max: float) -> None:
        """Send. Raises TimeoutError if the peer takes too long to read what waits already."""
        if self._transport.is_closing() or self.fault:
            return
        self._transport.write(self._tls.encrypt(data) if self._tls else data)
        if self._drained is not None:
            async with asyncio.timeout(seconds_max):
                await asyncio.shield(self._drained)

    def abort(self) -> None:
        """Hang up now."""
        self._transport.abort()

    async def close(self, seconds_max: float, *, linger: bool) -> None:
        """Close; `linger` lets the peer read our last words first."""
        self.pace(None)
        try:
            async with asyncio.timeout(seconds_max):
                if (linger or self.fault) and not self._transport.is_closing():
                    await self._linger()
                self._transport.close()
                await asyncio.shield(self._lost)
        except (TimeoutError, OSError):
            pass
        finally:
            self._transport.abort()

    async def _linger(self) -> None:
        if self._tls:
            self._transport.write(self._tls.close())
        self._transport.write_eof()
        thrown_away = 0
        while not self.at_end and thrown_away < LINGER_BYTES_MAX:
            thrown_away += len(self._inbox)
            self._inbox = b""
            self._resume()
            await self.wait()
