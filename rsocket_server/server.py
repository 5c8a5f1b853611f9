"""Shell: the RSocket server of one process: listens, lets in whom the Origin allows, looks for the silent, closes.

One timer for all connections: their gates say when they want to be looked at, and a sweep a second is close enough.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from rsocket_server import limits
from rsocket_server.connection import Connection
from rsocket_server.doors import Entrance, table
from rsocket_server.transport import Socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from rsocket_server.doors import Badge, Door
    from rsocket_server.gate_errors import GateError

PATHS = ("/rsocket", "/rs")  # The second is the original's.
_BACKLOG = 1024  # Everyone comes back at once after a restart.


async def serve(
    *,
    doors: Iterable[Door],
    verify: Callable[[bytes], Badge | Awaitable[Badge]],
    translate: Callable[[BaseException], tuple[int, bytes]],
    origins: frozenset[str],
    host: str,
    port: int,
    reuse_port: bool = False,
) -> Server:
    """Listen for RSocket over WebSocket and answer the running server.

    Args:
        doors: every route there is.
        verify: what a token makes of its connection, or raises; may be a coroutine function.
        translate: RSocket error code and public bytes for any exception.
        origins: pages that may connect, as browsers write an Origin. An entry `:8080` stands for a page on port 8080 of
            the very host that the client connects to, whatever it is called. No Origin at all is no browser: let in.
        host: to listen on.
        port: to listen on; 0 for any.
        reuse_port: whether other processes listen there too.

    Raises:
        OSError: the address is taken.
    """
    server = Server(Entrance(table(doors), verify, translate), origins)
    await server.start(host, port, reuse_port=reuse_port)
    return server


class Server:
    """See `serve`."""

    def __init__(self, entrance: Entrance, origins: frozenset[str]) -> None:
        self._entrance = entrance
        self._origins = origins
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._sweeper: asyncio.Task[None] | None = None
        self._site: web.SockSite | None = None
        app = web.Application()
        for path in PATHS:
            app.router.add_get(path, self._meet)
        # A stuck handler must not hold a stop for aiohttp's default of a minute.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=limits.CLOSE_SECONDS / 4,
            # Also for who connects and never asks, or stops amid his headers: aiohttp would wait for an hour.
            keepalive_timeout=limits.FIRST_FRAME_SECONDS,
        )
        self.port = 0

    @property
    def connections(self) -> int:
        """How many are connected."""
        return len(self._connections)

    async def start(self, host: str, port: int, *, reuse_port: bool) -> None:
        """Begin to listen."""
        listener = _listen(host, port, reuse_port=reuse_port)
        try:
            self.port = listener.getsockname()[1]
            await self._runner.setup()
            self._site = web.SockSite(self._runner, listener, backlog=_BACKLOG)
            await self._site.start()
        except BaseException:
            listener.close()
            raise
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def expel(self, is_meant: Callable[[Badge], bool], error: GateError) -> int:
        """Close the connections of whose badge is meant; answer how many."""
        meant = [each for each in self._connections if each.caller.badge and is_meant(each.caller.badge)]
        for connection in meant:
            connection.expel(error)
        return len(meant)

    async def drain(self) -> None:
        """Stop listening, refuse new requests, and wait for those that are being answered, DRAIN_SECONDS at most."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        answering = set().union(*(connection.refuse_requests() for connection in self._connections))
        if answering:
            await asyncio.wait(answering, timeout=limits.DRAIN_SECONDS)

    async def close(self) -> None:
        """Stop listening, say goodbye to everyone, and wait for at most half of CLOSE_SECONDS before cutting."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        if self._site is not None:
            await self._site.stop()
            self._site = None
        for connection in list(self._connections):
            connection.close_house()
        await self._emptied(limits.CLOSE_SECONDS / 2)
        for connection in list(self._connections):
            connection.abort()
        await self._emptied(limits.CLOSE_SECONDS / 4)
        await self._runner.cleanup()

    async def _emptied(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    # --- one client -------------------------------------------------------------------------------------------------

    async def _meet(self, request: web.Request) -> web.WebSocketResponse:
        if not self._welcome(request):
            raise web.HTTPForbidden
        if len(self._connections) >= limits.CONNECTIONS_MAX:
            raise web.HTTPServiceUnavailable
        websocket = web.WebSocketResponse(
            compress=False,  # 28 us and 150 KB a connection, and a bomb class of its own.
            max_msg_size=limits.MESSAGE_BYTES_MAX + 1,  # aiohttp refuses from this size on.
            autoclose=False,
            timeout=limits.CLOSE_SECONDS,
        )
        await websocket.prepare(request)
        transport = request.transport
        if transport is None:
            return websocket
        clock = asyncio.get_running_loop().time
        link = Socket(transport, websocket)
        connection = Connection(link, self._entrance, clock)
        self._connections.add(connection)
        self._empty.clear()
        try:
            await link.run(connection)
            connection.lost()
            await connection.settle()
        finally:
            connection.lost()
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()
        return websocket

    def _welcome(self, request: web.Request) -> bool:
        """Whether the page that opens this WebSocket may (browsers let every page open one anywhere)."""
        origin = request.headers.get("Origin")
        if origin is None or origin in self._origins:
            return True
        try:
            page, here = urlsplit(origin), urlsplit(f"//{request.headers.get('Host', '')}")
            port = page.port or {"http": 80, "https": 443}.get(page.scheme)
        except ValueError:
            return False
        return page.hostname is not None and page.hostname == here.hostname and f":{port}" in self._origins

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(limits.SWEEP_SECONDS)
            for connection in list(self._connections):
                connection.tick(clock())


def _listen(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Inherited by every connection.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SOCKET_SEND_BYTES)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener
