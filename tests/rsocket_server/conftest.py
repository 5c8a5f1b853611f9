from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from rsocket_server.room import Room, Seat
from rsocket_server.server import Server, serve
from rsocket_server.viewer_stream import Fanout
from rsocket_server.watch import Watch, Wishes
from tests.rsocket_server import script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture(autouse=True)
async def no_task_left() -> AsyncIterator[None]:
    """Hold every test to the tasks that it found."""
    before = asyncio.all_tasks()
    yield
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while asyncio.all_tasks() - before - {asyncio.current_task()}:
                await asyncio.sleep(0.01)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}

    assert set() == left


@pytest.fixture
async def house(no_task_left: None) -> AsyncIterator[Callable[..., Any]]:
    """Serve doors on a free port; closed after the test."""
    servers: list[Server] = []

    async def open_house(*doors: Any, **changed: Any) -> Server:
        given = {"verify": script.verify, "translate": script.translate, "origins": frozenset(), "host": "127.0.0.1"}
        server = await serve(doors=doors, port=0, **{**given, **changed})
        servers.append(server)
        return server

    yield open_house
    for server in servers:
        await server.close()


@pytest.fixture
async def connect(no_task_left: None) -> AsyncIterator[Callable[..., Any]]:
    """Connect a raw client to a server; with SETUP unless told otherwise."""
    clients: list[script.Client] = []
    async with aiohttp.ClientSession() as session:

        async def open_client(server: Server, *first: bytes, read: bool = True, **options: Any) -> script.Client:
            websocket = await session.ws_connect(f"http://127.0.0.1:{server.port}/rsocket", **options)
            client = script.Client(websocket)
            clients.append(client)
            if read:
                client.read()
            await client.send(*(first or (script.setup(),)))
            return client

        yield open_client
        for client in clients:
            await client.end()


@pytest.fixture
def fanout() -> Fanout:
    """A room of its own, without a bus."""
    return Fanout(1, Room(), lambda skipped, first, last: b"gap %d %d-%d" % (skipped, first, last))


@pytest.fixture
def tell(fanout: Fanout) -> Callable[..., None]:
    """Say events in that room."""

    def say(*payloads: bytes) -> None:
        for payload in payloads:
            fanout.room.add(fanout.room.log.head + 1, payload)
        fanout.wake()

    return say


@pytest.fixture
def watching(fanout: Fanout) -> Any:
    """A stream door's handler that watches that room from its beginning."""

    async def watch(_caller: Any, _data: bytes) -> Watch:
        return Watch(fanout, Seat(None), Wishes(since=0))

    return watch
