from __future__ import annotations

import asyncio
import struct
from typing import Any

import aiohttp
import pytest

from rsocket_server import frames, limits
from rsocket_server.doors import Door
from rsocket_server.transport import Tap
from tests.rsocket_server import script
from tests.rsocket_server.script import FNF, KEEPALIVE, RESPONSE, error, keepalive, payload, request, setup


async def drained(server: Any) -> None:
    async with asyncio.timeout(5):
        while server.connections:
            await asyncio.sleep(0.001)


def takes(served: list[bytes]) -> Door:
    async def take(_caller: Any, data: bytes) -> None:
        served.append(data)

    return Door("take", "fire_and_forget", False, take)


async def test_a_text_message_closes_with_1003_not_as_rsocket_py(house: Any, connect: Any) -> None:
    served: list[bytes] = []
    client = await connect(await house(takes(served)))
    await client.websocket.send_str('{"route":"chat.say"}')
    await client.send(request(FNF, 1, "take", b"no"))

    assert await client.closed() == 1003
    assert served == []


async def test_text_before_setup_closes_too(house: Any, connect: Any) -> None:
    client = await connect(await house(), b"")
    await client.websocket.send_str("hello")

    assert await client.closed() == 1003


@pytest.mark.parametrize(("extra", "taken"), [(-1, True), (0, True), (1, False)])
async def test_a_message_at_its_limit_not_as_rsocket_py(extra: int, taken: bool, house: Any, connect: Any) -> None:
    served: list[bytes] = []
    client = await connect(await house(takes(served)))
    head = request(FNF, 1, "take")
    await client.send(head + b"x" * (limits.MESSAGE_BYTES_MAX - len(head) + extra))
    if taken:
        await client.settled()
        assert len(served) == 1
    else:
        assert await client.closed() == 1009
        assert served == []


async def test_a_message_in_many_websocket_frames_has_the_same_limit(house: Any, connect: Any) -> None:
    served: list[bytes] = []
    server = await house(takes(served))
    client = await connect(server)
    write = client.websocket._writer.send_frame
    assert client.websocket._writer.use_mask
    transport = client.websocket._response.connection.transport

    def piece(first: int, data: bytes) -> bytes:
        return struct.pack(">BBH", first, 0x80 | 126, len(data)) + bytes(4) + data  # A mask of zeros.

    transport.write(piece(0x02, request(FNF, 1, "take") + b"x" * 1000) + piece(0x80, b"y" * 1000))
    await client.settled()
    assert len(served) == 1
    transport.write(piece(0x02, b"x" * 60_000) + piece(0x80, b"y" * 60_000))
    assert await client.closed() == 1009
    assert write


async def test_pings_are_answered(house: Any) -> None:
    server = await house()
    url = f"http://127.0.0.1:{server.port}/rsocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as websocket:
        await websocket.send_bytes(setup())
        await websocket.ping(b"there?")
        message = await websocket.receive()

        assert (aiohttp.WSMsgType.PONG, b"there?") == (message.type, message.data)


async def test_nothing_is_compressed_however_it_is_asked(house: Any) -> None:
    server = await house()
    url = f"http://127.0.0.1:{server.port}/rsocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=15) as websocket:
        assert websocket.compress == 0


async def test_a_socket_fills_and_drains_at_its_marks(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server)
    await client.settled()
    (connection,) = server._connections
    marks = connection._socket._transport.get_write_buffer_limits()

    assert (limits.WRITE_LOW_BYTES, limits.WRITE_HIGH_BYTES) == marks


async def test_the_servers_side_ends_when_the_client_closes(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server)
    await client.settled()
    await client.end()

    assert client.websocket.close_code == 1000
    await drained(server)


async def test_the_server_cuts_a_peer_that_does_not_close(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.02)
    server = await house()
    client = await connect(server, keepalive(), read=False)  # No SETUP, and nobody reads the goodbye.

    await drained(server)
    client.read()
    await client.closed()
    assert [error(0, 1, b"setup.missing")] == [
        script.frame(seen.stream_id, seen.kind, seen.flags, seen.body) for seen in client.frames
    ]


async def test_what_is_sent_after_the_goodbye_is_passed_over(house: Any, connect: Any) -> None:
    served: list[bytes] = []
    client = await connect(await house(takes(served)), read=False)
    await client.send(error(0, 0x102), request(FNF, 1, "take", b"no"), keepalive(b"no"), payload(1, b"no"))
    client.read()

    assert await client.closed() == 1000
    assert (served, client.frames) == ([], [])


async def test_a_reader_that_stops_is_not_asked_for_more_questions_until_it_drains(house: Any, connect: Any) -> None:
    asked = 0

    async def big(_caller: Any, _data: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return b"x" * 30_000

    server = await house(Door("big", "response", False, big))
    client = await connect(server, read=False)
    (connection,) = server._connections
    transport = client.websocket._response.connection.transport
    transport.pause_reading()
    total = 0
    async with asyncio.timeout(5):
        while not connection._socket.paused:
            total += 1
            await client.send(request(RESPONSE, 2 * total + 1, "big"))
            await asyncio.sleep(0.001)
    before = asked
    extra = 20
    for number in range(extra):
        await client.send(request(RESPONSE, 2 * (total + number) + 3, "big"))
        await asyncio.sleep(0)
    assert asked <= before + 2
    transport.resume_reading()
    client.read()
    await client.until(lambda client: len(client.frames) == total + extra)


async def test_a_socket_that_goes_while_its_reader_waits_to_drain(house: Any, connect: Any) -> None:
    async def big(_caller: Any, _data: bytes) -> bytes:
        return b"x" * 60_000

    server = await house(Door("big", "response", False, big))
    client = await connect(server, read=False)
    (connection,) = server._connections
    transport = client.websocket._response.connection.transport
    transport.pause_reading()
    number = 1
    async with asyncio.timeout(5):
        while connection._socket._drained is None:
            await client.send(request(RESPONSE, number, "big"))
            number += 2
            await asyncio.sleep(0.001)
    transport.abort()

    await drained(server)


async def test_closing_as_the_library_does(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server)
    await client.settled()
    (connection,) = server._connections
    await connection._socket.close()
    connection._socket.write(frames.message(keepalive()))  # After the goodbye: nothing.

    assert await client.closed() == 1000
    assert KEEPALIVE not in {seen.kind for seen in client.frames}


async def test_the_tap_passes_everything_on() -> None:
    heard: list[Any] = []

    class Inner(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            heard.append(data)

        def eof_received(self) -> None:
            heard.append("eof")

        def pause_writing(self) -> None:
            heard.append("pause")

        def resume_writing(self) -> None:
            heard.append("resume")

        def connection_lost(self, exc: Exception | None) -> None:
            heard.append("lost")

    class Listener:
        def set_paused(self, paused: bool) -> None:
            heard.append(("paused", paused))

        def set_lost(self) -> None:
            heard.append("told lost")

    tap = Tap(Inner(), Listener())
    tap.data_received(b"x")
    tap.pause_writing()
    tap.resume_writing()
    tap.eof_received()
    tap.connection_lost(None)

    assert [b"x", "pause", ("paused", True), "resume", ("paused", False), "eof", "lost", "told lost"] == heard
