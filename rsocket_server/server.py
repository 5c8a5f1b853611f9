"""Shell: the RSocket server of one process: listens, lets in whom the Origin allows, looks for the silent, closes.

One timer for all sockets: a sweep a second looks for strangers who ask for nothing and for connections whose gate has
seen its deadline pass. An idle connection has neither a timer nor a task.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from rsocket_server import limits
from rsocket_server.connection import Connection
from rsocket_server.doors import Entrance, table
from rsocket_server.frame_budget import FrameBudget
from rsocket_server.purses import Purses
from rsocket_server.transport import Socket
from rsocket_server.upgrade import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from rsocket_server.doors import Badge, Door
    from rsocket_server.gate_errors import GateError
    from rsocket_server.transport import Listener
    from rsocket_server.upgrade import Upgrade

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
    counted_as: Callable[[str | None, str | None], str | None] = lambda _peer, _forwarded_for: None,
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
        counted_as: under which address a connection is counted, by its peer's and what a proxy says; None: not at all.

    Raises:
        OSError: the address is taken.
    """
    server = Server(Entrance(table(doors), verify, translate), origins, counted_as)
    await server.start(host, port, reuse_port=reuse_port)
    return server


class Server:
    """See `serve`."""

    def __init__(
        self,
        entrance: Entrance,
        origins: frozenset[str],
        counted_as: Callable[[str | None, str | None], str | None],
    ) -> None:
        self._entrance = entrance
        self._origins = origins
        self._counted_as = counted_as
        self._connections: dict[Connection, str | None] = {}  # And the address that each is counted under.
        self._addresses: Counter[str] = Counter()
        self._purses = Purses()
        self._empty = asyncio.Event()
        self._empty.set()
        self._strangers: dict[Socket, tuple[str | None, float]] = {}  # Of which address, and since when.
        self._knocking: Counter[str | None] = Counter()  # How many strangers of each address.
        self._settling: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._listening: asyncio.Server | None = None
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
            self._listening = await asyncio.get_running_loop().create_server(
                lambda: Socket(self), sock=listener, backlog=_BACKLOG
            )
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
        self._stop_listening()
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
        self._stop_listening()
        for socket_ in list(self._strangers):
            socket_.abort()
        for connection in list(self._connections):
            connection.close_house()
        await self._emptied(limits.CLOSE_SECONDS / 2)
        for connection in list(self._connections):
            connection.abort()
        await self._emptied(limits.CLOSE_SECONDS / 4)
        for task in self._settling:
            task.cancel()
        if self._settling:
            await asyncio.wait(self._settling)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _emptied(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    # --- one client -------------------------------------------------------------------------------------------------

    def arrived(self, stranger: Socket) -> None:
        """Take note of a socket; if too many wait to say what they want, of whom most do the oldest makes room."""
        if len(self._strangers) >= limits.STRANGERS_MAX:
            busiest = max(self._knocking, key=self._knocking.__getitem__)
            oldest = next(each for each, (address, _) in self._strangers.items() if address == busiest)
            self._known(oldest)
            oldest.abort()
        address = self._counted_as(stranger.peer, None)
        self._strangers[stranger] = (address, asyncio.get_running_loop().time())
        self._knocking[address] += 1

    def _known(self, stranger: Socket) -> None:
        """Count a socket among the strangers no more: it has said what it wants, or has gone."""
        if stranger in self._strangers:
            address, _ = self._strangers.pop(stranger)
            self._knocking[address] -= 1
            if not self._knocking[address]:
                del self._knocking[address]

    def meet(self, asked: Upgrade, stranger: Socket) -> Listener:
        """Let in who may come in. Raises Refused."""
        if asked.path not in PATHS:
            raise Refused(HTTPStatus.NOT_FOUND)
        if not self._welcome(asked):
            raise Refused(HTTPStatus.FORBIDDEN)
        if len(self._connections) >= limits.CONNECTIONS_MAX:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        address = self._counted_as(stranger.peer, asked.forwarded_for)
        clock = asyncio.get_running_loop().time
        now = clock()
        if address is not None:
            # The share that a connection begins with is paid for with it: coming anew is no way to another one.
            cost = limits.CONNECT_COST_SECONDS + limits.SHARE_SECONDS_MAX
            full = self._addresses[address] >= limits.ADDRESS_CONNECTIONS_MAX
            if full or not self._purses.holds(address, cost, now):
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS)
            self._addresses[address] += 1
            self._purses.take(address, cost, now)
        self._known(stranger)
        connection = Connection(stranger, self._entrance, clock, FrameBudget(now, self._purses, address))
        self._connections[connection] = address
        self._empty.clear()
        return connection

    def gone(self, socket_: Socket, connection: Listener | None) -> None:
        """Forget a socket; its connection when nothing is being done for it any more."""
        self._known(socket_)
        if connection is not None:
            ended = cast("Connection", connection)
            if ended.is_busy:
                task = asyncio.get_running_loop().create_task(self._settle(ended))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
            else:
                self._forget(ended)

    async def _settle(self, connection: Connection) -> None:
        try:
            await connection.settle()
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        address = self._connections.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        if not self._connections:
            self._empty.set()

    def _welcome(self, asked: Upgrade) -> bool:
        """Whether the page that opens this WebSocket may (browsers let every page open one anywhere)."""
        origin = asked.origin
        if origin is None or origin in self._origins:
            return True
        try:
            page, here = urlsplit(origin), urlsplit(f"//{asked.host}")
            port = page.port or {"http": 80, "https": 443}.get(page.scheme)
        except ValueError:
            return False
        return page.hostname is not None and page.hostname == here.hostname and f":{port}" in self._origins

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(limits.SWEEP_SECONDS)
            now = clock()
            for stranger, (_, since) in list(self._strangers.items()):
                if now >= since + limits.FIRST_FRAME_SECONDS:
                    stranger.abort()
            for connection in list(self._connections):
                connection.tick(now)
            self._purses.sweep(now)


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
