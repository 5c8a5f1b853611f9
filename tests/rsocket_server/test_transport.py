from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from typing import Any

import aiohttp
import pytest

from rsocket_server import frames, limits
from rsocket_server.doors import Door
from rsocket_server.gate import Gate, State
from tests.rsocket_server import script
from tests.rsocket_server.script import FNF, KEEPALIVE, RESPONSE, error, keepalive, payload, request, setup


async def expect_drained(server: Any) -> None:
    async with asyncio.timeout(60):
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
    await expect_drained(server)


async def test_the_server_cuts_a_peer_that_does_not_close(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.02)
    server = await house()
    client = await connect(server, keepalive(), read=False)  # No SETUP, and nobody reads the goodbye.

    await expect_drained(server)
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
    async with asyncio.timeout(60):
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


async def test_a_socket_that_goes_while_it_is_full(house: Any, connect: Any) -> None:
    async def big(_caller: Any, _data: bytes) -> bytes:
        return b"x" * 60_000

    server = await house(Door("big", "response", False, big))
    client = await connect(server, read=False)
    (connection,) = server._connections
    transport = client.websocket._response.connection.transport
    transport.pause_reading()
    number = 1
    async with asyncio.timeout(60):
        while not connection._socket.paused:
            await client.send(request(RESPONSE, number, "big"))
            number += 2
            await asyncio.sleep(0.001)
    transport.abort()

    await expect_drained(server)


async def test_a_write_to_a_peer_that_has_just_gone_ends_the_connection(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server)
    await client.settled()
    (connection,) = server._connections
    link = client.websocket._response.connection.transport
    link.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
    link.abort()
    async with asyncio.timeout(60):
        while not connection._socket._closing:
            connection._socket.write(frames.message(keepalive()))
            await asyncio.sleep(0)
    connection._socket.write(frames.message(keepalive()))

    await expect_drained(server)


async def test_closing_as_the_library_does(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server)
    await client.settled()
    (connection,) = server._connections
    await connection._socket.close()
    connection._socket.write(frames.message(keepalive()))  # After the goodbye: nothing.

    assert await client.closed() == 1000
    assert KEEPALIVE not in {seen.kind for seen in client.frames}


# --- bytes by hand ----------------------------------------------------------------------------------------------------

HEAD = (
    b"GET /rsocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE_1000 = b"\x88\x82\0\0\0\0\x03\xe8"


async def said(server: Any, *pieces: bytes) -> bytes:
    """Say bytes in pieces; answer all that comes until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        heard = await reader.read()
    writer.close()
    return heard


def masked(message: bytes) -> bytes:
    return bytes([0x82, 0x80 | len(message)]) + bytes(4) + message


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_whole_visit_in_pieces_of_any_size(size: int, house: Any) -> None:
    """Also all in one: who does not wait for our 101 is heard from the first byte."""
    server = await house()
    visit = HEAD + masked(setup()) + masked(keepalive(b"x")) + CLOSE_1000
    heard = await said(server, *(visit[start : start + size] for start in range(0, len(visit), size)))

    head, _, rest = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert rest == frames.message(keepalive(b"x", respond=False)) + frames.close_message(1000)
    await expect_drained(server)


@pytest.mark.parametrize(
    ("broken", "code"),
    [(b"\x82\x00", 1002), (b"\xf2\x80", 1002), (b"\x89\xfe", 1002), (b"\x82\xff" + bytes(4) + b"\xff" * 4, 1009)],
)
async def test_a_broken_frame_closes_and_nothing_after_it_is_read(
    broken: bytes, code: int, house: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.3)
    served: list[bytes] = []
    server = await house(takes(served))
    heard = await said(server, HEAD + masked(setup()) + broken, masked(request(FNF, 1, "take")) + CLOSE_1000, b"")

    assert heard.endswith(frames.close_message(code))
    assert served == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"POST /rsocket HTTP/1.1\r\n\r\n", 405),
        (HEAD.replace(b"13", b"8"), 426),
        (HEAD.replace(b"/rsocket", b"/"), 404),
        (HEAD[:-2] + b"X: " + b"x" * limits.HEAD_BYTES_MAX, 431),
    ],
)
async def test_what_asks_for_no_websocket_is_told_so_and_shown_out(head: bytes, status: int, house: Any) -> None:
    server = await house()
    heard = await said(server, head, b"more that nobody reads")

    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert server.connections == 0


async def test_a_ping_between_the_fragments_of_a_message(house: Any) -> None:
    served: list[bytes] = []
    server = await house(takes(served))
    line = request(FNF, 1, "take", b"whole")
    first, rest = line[:9], line[9:]
    heard = await said(
        server,
        HEAD + masked(setup()),
        b"\x02" + masked(first)[1:] + b"\x89\x81\0\0\0\0p" + b"\x80" + masked(rest)[1:] + CLOSE_1000,
    )

    assert heard.endswith(b"\x8a\x01p" + frames.close_message(1000))
    assert served == [b"whole"]


@pytest.mark.parametrize(
    "small",
    [b"\x89\x80" + bytes(4), masked(keepalive()), masked(script.request_n(1, 1)), masked(script.cancel(3))],
    ids=["ping", "keepalive", "credit", "cancel"],
)
async def test_a_flood_of_the_smallest_frames_ends_with_a_word(small: bytes, house: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "FRAMES_SECOND_MAX", 0)  # However slow this machine is.
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 60.0)
    server = await house()
    allowed = small * (limits.FRAMES_BURST_MAX - 2)  # After SETUP, before the CLOSE.
    kept = await said(server, HEAD + masked(setup()), allowed, CLOSE_1000)
    assert kept.endswith(frames.close_message(1000))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HEAD + masked(setup()) + allowed + small + small)
    async with asyncio.timeout(60):
        heard = await reader.readuntil(frames.close_message(1008))
    assert heard.endswith(frames.message(frames.error(0, 0x101, b"limit.frames")) + frames.close_message(1008))
    (connection,) = server._connections
    for other in (connection._socket.resume_writing, connection._socket._read_on):  # Nothing makes it read again.
        other()
        assert not connection._socket._transport.is_reading()
    connection._socket.abort()  # As after CLOSE_SECONDS.
    await expect_drained(server)
    writer.close()


class Broken(Exception):
    """With words that nobody else may see."""


@pytest.mark.parametrize("together", [False, True])
async def test_a_fault_of_our_own_ends_the_connection_and_is_told_once(
    together: bool, house: Any, monkeypatch: Any
) -> None:
    """Also in what came while something else was done, which no call of the event loop brings."""
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    receive = Gate.receive

    def fail(gate: Gate, message: bytes, now: float) -> Any:
        if gate.state is State.OPEN:
            raise Broken("s3cret")
        return receive(gate, message, now)

    monkeypatch.setattr(Gate, "receive", fail)
    server = await house()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HEAD + masked(setup()) + (masked(keepalive()) if together else b""))
    if not together:
        async with asyncio.timeout(60):
            while not any(each.gate.state is State.OPEN for each in server._connections):
                await asyncio.sleep(0)
        writer.write(masked(keepalive()))
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionError):
            assert b"s3cret" not in await reader.read()
    await expect_drained(server)
    writer.close()
    gc.collect()
    loop.set_exception_handler(before)

    assert [type(each) for each in told] == [Broken]
