from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import aiohttp
import pytest

from rsocket_server import limits
from rsocket_server.doors import Badge, Door
from rsocket_server.gate_errors import TokenRevoked
from rsocket_server.server import PATHS, _listen, serve
from tests.rsocket_server import script
from tests.rsocket_server.script import (
    FNF,
    NABI,
    RESPONSE,
    STREAM,
    UNBOUNDED,
    bearer,
    error,
    keepalive,
    request,
    setup,
)


async def knock(server: Any, path: str = "/rsocket", **headers: str) -> int:
    """Try to upgrade; answer the HTTP status."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(f"http://127.0.0.1:{server.port}{path}", headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


HEAD = (
    b"GET /rsocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ORIGINS = frozenset({"https://commeow.example", ":8080"})


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://commeow.example", 101),
        ("http://127.0.0.1:8080", 101),  # The same host, on the port where pages are.
        ("http://127.0.0.1:8081", 403),
        ("http://127.0.0.1", 403),
        ("http://localhost:8080", 403),  # Another name is another host.
        ("https://evil.example", 403),
        ("https://evil.example:8080", 403),
        ("https://commeow.example.evil.example", 403),
        ("https://commeow.example:444", 403),
        ("http://commeow.example", 403),
        ("null", 403),
        ("", 403),
        ("http://127.0.0.1:port", 403),
        ("http://[", 403),
    ],
)
async def test_pages_of_other_sites_are_not_let_in_not_as_rsocket_py(origin: str, status: int, house: Any) -> None:
    assert status == await knock(await house(origins=ORIGINS), Origin=origin)


async def test_a_page_on_the_default_port_of_the_same_host(house: Any) -> None:
    server = await house(origins=frozenset({":80"}))

    assert await knock(server, Origin="http://127.0.0.1") == 101
    assert await knock(server, Origin="https://127.0.0.1") == 403
    assert await knock(server, Origin="http://myhost", Host="myhost:6565") == 101


async def test_no_browser_needs_no_origin(house: Any) -> None:
    assert await knock(await house(origins=ORIGINS)) == 101


@pytest.mark.parametrize(("path", "status"), [*[(path, 101) for path in PATHS], ("/", 404), ("/rsocket/x", 404)])
async def test_where_it_listens(path: str, status: int, house: Any) -> None:
    assert status == await knock(await house(), path)


async def test_plain_http_is_told_so(house: Any) -> None:
    server = await house()
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}/rsocket") as answer:
        assert answer.status == 400


@pytest.mark.parametrize(("limit", "last"), [(3, 101), (2, 503)])
async def test_connections_at_their_limit(limit: int, last: int, house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_MAX", limit)
    server = await house()
    for _ in range(2):
        client = await connect(server)
        await client.settled()

    assert last == await knock(server)


@pytest.mark.parametrize(("limit", "last"), [(3, 101), (2, 429)])
async def test_connections_of_one_address_at_their_limit(
    limit: int, last: int, house: Any, connect: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "ADDRESS_CONNECTIONS_MAX", limit)
    server = await house(counted_as=lambda peer, said: said or peer)
    clients = [await connect(server) for _ in range(2)]
    for client in clients:
        await client.settled()

    assert last == await knock(server)
    # Of another there is room, and of this one again when somebody has left.
    assert await knock(server, **{"X-Forwarded-For": "192.0.2.1"}) == 101
    await clients[0].end()
    async with asyncio.timeout(60):
        while await knock(server) != 101:
            pass


async def test_an_address_that_is_not_counted_has_no_limit_and_none_is_remembered(
    house: Any, connect: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "ADDRESS_CONNECTIONS_MAX", 0)
    server = await house()
    client = await connect(server)
    await client.settled()

    assert await knock(server) == 101
    assert not server._addresses


@pytest.fixture
def poor(monkeypatch: Any) -> None:
    """Purses and shares that no time fills: what two connections cost to open, less than a third, 350 frames."""
    monkeypatch.setattr(limits, "PURSE_PART_MAX", 1e-9)
    monkeypatch.setattr(limits, "SHARE_PART_MAX", 0.0)
    monkeypatch.setattr(limits, "PURSE_SECONDS_MAX", 2.5 * (limits.CONNECT_COST_SECONDS + limits.SHARE_SECONDS_MAX))


async def test_an_address_that_floods_by_many_connections_is_heard_no_more_and_its_neighbours_are(
    poor: None, house: Any, connect: Any
) -> None:
    server = await house(counted_as=lambda peer, said: said or peer)
    flooding, neighbour = [await connect(server, headers={"X-Forwarded-For": "192.0.2.1"}) for _ in range(2)]
    other = await connect(server, headers={"X-Forwarded-For": "192.0.2.2"})
    await flooding.send(*[keepalive(respond=False)] * 400)

    assert (await flooding.error(0)).data == b"limit.frames"
    assert await flooding.closed() == 1008
    assert await knock(server, **{"X-Forwarded-For": "192.0.2.1"}) == 429
    assert await knock(server, **{"X-Forwarded-For": "192.0.2.2"}) == 101
    for client in (neighbour, other):
        await client.settled()
        assert client.close_code is None
    server._purses.sweep(asyncio.get_running_loop().time() + 1e12)
    assert await knock(server, **{"X-Forwarded-For": "192.0.2.1"}) == 101


async def test_requests_of_many_connections_come_out_of_one_purse(poor: None, house: Any, connect: Any) -> None:
    asked: list[bytes] = []

    async def ask(_caller: Any, data: bytes) -> bytes:
        asked.append(data)
        return data

    server = await house(Door("ask", "response", False, ask), counted_as=lambda peer, _said: peer)
    clients = [await connect(server) for _ in range(2)]
    for client in clients:
        for number in range(40):
            await client.send(request(RESPONSE, 2 * number + 1, "ask"))
            await client.settled()
        assert (await client.error(0)).data == b"limit.frames"

    had = limits.PURSE_SECONDS_MAX - 2 * limits.CONNECT_COST_SECONDS  # and one each that was owed for
    assert len(asked) <= had / limits.REQUEST_COST_SECONDS + 2


async def test_a_member_who_floods_by_many_connections_has_the_shares_of_the_others_left(
    poor: None, house: Any, connect: Any
) -> None:
    server = await house()
    of_nabi = [await connect(server, setup(metadata=bearer(b"token of nabi"))) for _ in range(2)]
    of_mimi = await connect(server, setup(metadata=bearer(b"token of mimi")))
    await of_nabi[0].send(*[keepalive(respond=False)] * 500)

    assert (await of_nabi[0].error(0)).data == b"limit.frames"
    await of_nabi[1].settled()
    assert of_nabi[1].close_code is None
    await of_nabi[1].send(*[keepalive(respond=False)] * 100)
    assert (await of_nabi[1].error(0)).data == b"limit.frames"
    await of_mimi.settled()
    assert of_mimi.close_code is None


async def test_strangers_at_their_limit_make_room_where_most_of_them_come_from(house: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "STRANGERS_MAX", 3)
    server = await house(counted_as=lambda peer, _said: peer)

    async def knocks(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        line = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
        number = line[1].get_extra_info("sockname")[1]
        async with asyncio.timeout(60):
            while not any(each._transport.get_extra_info("peername")[1] == number for each in server._strangers):
                await asyncio.sleep(0)
        return line

    honest = await knocks("127.0.0.2")
    many = [await knocks("127.0.0.3") for _ in range(5)]
    for reader, _ in many[:3]:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    assert server._knocking == {"127.0.0.2": 1, "127.0.0.3": 2}
    for reader, writer in (honest, many[3], many[4]):
        writer.write(HEAD)
        assert b" 101 " in await reader.readline()
        writer.close()

    assert (server._strangers, server._knocking) == ({}, {})


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.005)


async def test_who_never_says_setup_is_closed_not_as_rsocket_py(
    quick: None, house: Any, connect: Any, monkeypatch: Any
) -> None:
    client = await connect(await house(), b"")
    monkeypatch.setattr(limits, "FIRST_FRAME_SECONDS", 0.0)

    assert await client.closed() == 1002
    assert (1, b"setup.missing") == (client.frames[0].code, client.frames[0].data)


async def test_who_connects_and_asks_for_nothing_is_closed(house: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "FIRST_FRAME_SECONDS", 0.05)
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.01)
    server = await house()
    for begun in (b"", b"GET /rsocket HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begun)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_who_falls_silent_is_closed_not_as_rsocket_py(
    quick: None, house: Any, connect: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "LIFETIME_SECONDS_MIN", 0.02)
    client = await connect(await house(), setup(lifetime_ms=1))

    assert await client.closed() == 1008
    assert (0x101, b"protocol.silence") == (client.frames[0].code, client.frames[0].data)


async def test_who_keeps_saying_so_stays(house: Any, connect: Any) -> None:
    server, now = await house(), asyncio.get_running_loop().time
    client = await connect(server, setup(lifetime_ms=60_000))
    await client.settled()
    (connection,) = server._connections
    silent_at = now() + 60
    await client.send(keepalive(respond=False))
    await client.settled()
    connection.tick(silent_at)
    await client.settled()

    assert client.close_code is None
    connection.tick(now() + 60)
    assert await client.closed() == 1008


@pytest.mark.parametrize("seconds", [86_400, -86_400], ids=["forward", "back"])
async def test_a_clock_that_jumps_closes_nobody(seconds: float, house: Any, connect: Any, monkeypatch: Any) -> None:
    server, clock = await house(), time.time
    client = await connect(server, setup(lifetime_ms=10_000))
    await client.settled()
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)
    (connection,) = server._connections
    connection.tick(asyncio.get_running_loop().time())
    await client.settled()

    assert client.close_code is None


# --- start and stop ---------------------------------------------------------------------------------------------------


async def test_an_address_that_is_taken_is_said_at_once(house: Any) -> None:
    server = await house()
    with pytest.raises(OSError, match="in use"):
        await serve(
            doors=[],
            verify=script.verify,
            translate=script.translate,
            origins=frozenset(),
            host="127.0.0.1",
            port=server.port,
        )


async def test_several_processes_may_share_a_port() -> None:
    first = _listen("127.0.0.1", 0, reuse_port=True)
    second = _listen("127.0.0.1", first.getsockname()[1], reuse_port=True)

    for listener in (first, second):
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= limits.SOCKET_SEND_BYTES
        listener.close()


async def test_a_stop_completes_says_why_and_closes(house: Any, connect: Any, watching: Any, fanout: Any) -> None:
    server = await house(Door("watch", "stream", False, watching))
    client = await connect(server)
    await client.send(request(STREAM, 1, "watch", n=UNBOUNDED))
    await client.settled()
    fanout.complete()
    await server.close()

    assert await client.closed() == 1012
    assert [script.frame(1, script.PAYLOAD, script.COMPLETE), error(0, 0x102, b"house.closing")] == [
        script.frame(seen.stream_id, seen.kind, seen.flags, seen.body) for seen in client.frames
    ]
    assert server.connections == 0
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_a_stop_does_not_wait_for_who_does_not_read_or_does_not_end(
    house: Any, connect: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.2)
    stuck = asyncio.Event()

    async def work(_caller: Any, _data: bytes) -> None:
        stuck.set()
        await asyncio.Event().wait()

    server = await house(Door("work", "fire_and_forget", False, work))
    client = await connect(server, read=False)
    await client.send(request(FNF, 1, "work"))
    await stuck.wait()
    silent = await connect(server, read=False)
    silent.websocket._response.connection.transport.pause_reading()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await server.close()

    assert server.connections == 0
    assert loop.time() - began < 60 * limits.CLOSE_SECONDS  # It ended at all.
    silent.websocket._response.connection.transport.abort()


async def test_a_server_is_closed_twice_without_harm(house: Any) -> None:
    server = await house()
    await server.close()
    await server.close()

    assert not server.connections


async def test_a_handler_that_is_cancelled_with_its_connection(house: Any, connect: Any) -> None:
    cancelled = asyncio.Event()

    async def work(_caller: Any, _data: bytes) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return b""

    client = await connect(await house(Door("work", "response", False, work)))
    await client.send(request(RESPONSE, 1, "work"))
    await client.settled()
    await client.end()
    async with asyncio.timeout(60):
        assert await cancelled.wait()


async def test_a_thousand_strangers_come_and_go(house: Any) -> None:
    """Half-made upgrades, garbage and resets leave nothing behind."""
    server = await house()
    for number in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write([b"", b"GET /rsocket HTTP/1.1\r\n", b"\x82\x80\x00\x00", b"\0" * 5000][number % 4])
        if number % 3:
            writer.transport.abort()
        else:
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        del reader

    assert server.connections == 0
    assert await knock(server) == 101


# --- badges -----------------------------------------------------------------------------------------------------------


async def test_a_connection_ends_a_while_after_its_token(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.01)

    def verify(token: bytes) -> Badge:
        seconds = {b"old": -limits.RENEW_SECONDS, b"young": -limits.RENEW_SECONDS + 60.0, b"bot": None}[token]
        return Badge(NABI, seconds=seconds)

    server = await house(verify=verify)
    young, bot = [await connect(server, setup(metadata=bearer(token))) for token in (b"young", b"bot")]
    guest = await connect(server)
    old = await connect(server, setup(metadata=bearer(b"old")))

    refused = await old.error(0)
    assert (refused.code, refused.data) == (0x101, b"auth.token_expired")
    assert await old.closed() == 1008
    for client in (young, bot, guest):
        await client.settled()
        assert client.close_code is None


async def test_a_newer_badge_keeps_a_connection_alive(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 0.01)

    async def renew(caller: Any, _data: bytes) -> bytes:
        caller.admit(Badge(NABI, seconds=600.0), asyncio.get_running_loop().time())
        return b"renewed"

    server = await house(
        Door("renew", "response", True, renew), verify=lambda _token: Badge(NABI, seconds=-limits.RENEW_SECONDS + 60.0)
    )
    client = await connect(server, setup(metadata=bearer(b"x")), request(RESPONSE, 1, "renew"))

    assert await client.got(1, 1) == [b"renewed"]
    (connection,) = server._connections
    connection.tick(asyncio.get_running_loop().time() + 80.0)
    await client.settled()
    assert client.close_code is None


async def test_who_is_meant_is_shown_out_and_nobody_else(house: Any, connect: Any) -> None:
    server = await house()
    nabi, other_nabi, mimi, guest = [
        await connect(server, setup(metadata=bearer(token)) if token else setup())
        for token in (b"token of nabi", b"token of nabi", b"token of mimi", None)
    ]
    for client in (nabi, other_nabi, mimi, guest):
        await client.settled()

    assert server.expel(lambda badge: badge.member is NABI, TokenRevoked()) == 2

    for client in (nabi, other_nabi):
        assert (await client.error(0)).data == b"auth.token_invalid"
        assert await client.closed() == 1008
    for client in (mimi, guest):
        await client.settled()
        assert client.close_code is None
    assert server.expel(lambda badge: badge.member is NABI, TokenRevoked()) == 0


async def test_at_the_end_what_is_under_way_is_answered_and_nothing_new_begun(house: Any, connect: Any) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(_caller: Any, _data: bytes) -> bytes:
        begun.set()
        await go_on.wait()
        return b"done"

    server = await house(Door("work", "response", False, work))
    client = await connect(server, setup(), request(RESPONSE, 1, "work"))
    async with asyncio.timeout(60):
        await begun.wait()
    draining = asyncio.create_task(server.drain())
    await client.settled()
    await client.send(request(RESPONSE, 3, "work"))
    refused = await client.error(3)
    go_on.set()
    await draining
    with pytest.raises(aiohttp.ClientConnectionError):
        await connect(server)

    assert await client.got(1, 1) == [b"done"]
    assert refused.data == b"house.closing"
    await server.close()
    assert (await client.error(0)).data == b"house.closing"


async def test_what_takes_too_long_does_not_hold_the_end(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.01)

    async def work(_caller: Any, _data: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    server = await house(Door("work", "response", False, work))
    client = await connect(server, setup(), request(RESPONSE, 1, "work"))
    await client.settled()
    await server.drain()
    await server.drain()

    assert client.items(1) == []
