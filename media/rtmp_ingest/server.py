"""Shell: the RTMP port: who may come in, and how many at once.

Nothing of a stranger's is unbounded: connections in all and by address, bytes and time until it publishes (session.py),
bytes waiting to be sent and the time they may wait (transport.py). When strangers fill their room, the oldest of them
makes place, so that a flood of half handshakes cannot keep a publisher out.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from media.household import household
from media.rtmp_ingest.connection import Connection
from media.rtmp_ingest.publishers import Limits
from media.rtmp_ingest.pulse import Pulse
from media.rtmp_ingest.transport import READ_BYTES, Transport

if TYPE_CHECKING:
    import ssl

    from media.rtmp_ingest.publishers import Publishers

log = logging.getLogger(__name__)

# Connections that the kernel holds while we are busy: a burst of strangers should not push out a publisher.
BACKLOG: Final = 512


class RtmpServer:
    """A listening port and its connections. Made by `serve`."""

    def __init__(self, publishers: Publishers, limits: Limits) -> None:
        self._publishers = publishers
        self._limits = limits
        # One for all: what a connection reads it copies out before the loop turns to the next.
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._pulse = Pulse()
        self._connections: dict[Connection, asyncio.Task[None]] = {}  # In the order they came.
        self._listeners: list[asyncio.Server] = []

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Open a port, with `tls` for RTMPS. Raises OSError if it is taken."""
        made = partial(Transport, self._buffer, self._pulse, tls, self._admit)
        listener = await asyncio.get_running_loop().create_server(made, host, port, backlog=BACKLOG)
        self._listeners.append(listener)

    @property
    def port(self) -> int:
        """The first port that was opened, also when 0 was asked for."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """All ports in the order in which they were opened."""
        return [int(listener.sockets[0].getsockname()[1]) for listener in self._listeners]

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def close(self) -> None:
        """Stop listening and end every connection; each sink hears `end(clean=False)`."""
        for listener in self._listeners:
            listener.close()
        for connection in self._connections:
            connection.stop("the server is closing")
        tasks = list(self._connections.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.close_seconds_max)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for listener in self._listeners:
            await listener.wait_closed()

    def _admit(self, transport: Transport) -> None:
        connection = Connection(transport, self._publishers, self._limits, household(transport.host))
        if not self._make_room(connection.address):
            log.warning("rtmp_full address=%s connections=%d", connection.address, len(self._connections))
            transport.abort()
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
