"""One connection over a real socket. Every test named "not as rsocket-py" fails on the stock 0.4.20 server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rsocket.awaitable.awaitable_rsocket import AwaitableRSocket
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload
from rsocket.request_handler import Subscriber
from rsocket.transports.aiohttp_websocket import websocket_client

from rsocket_server import limits
from rsocket_server.doors import Door
from rsocket_server.gate import State
from rsocket_server.gate_errors import TokenRevoked
from tests.rsocket_server import gate_table, script
from tests.rsocket_server.script import (
    CHANNEL,
    COMPLETE,
    ERROR,
    FNF,
    KEEPALIVE,
    NABI,
    NEXT,
    PAYLOAD,
    REQUEST_N,
    RESPONSE,
    ROUTING,
    STREAM,
    UNBOUNDED,
    bearer,
    cancel,
    error,
    frame,
    keepalive,
    long,
    payload,
    request,
    request_n,
    setup,
    tags,
)

REJECTED_SETUP = 3


class Records(Subscriber):
    """A channel's inbound side that keeps what comes."""

    def __init__(self, served: list[bytes], credit: int = 100) -> None:
        self.served = served
        self.credit = credit

    def on_subscribe(self, subscription: Any) -> None:
        subscription.request(self.credit)

    def on_next(self, value: Any, is_complete: bool = False) -> None:
        self.served.append(bytes(value.data))
        if is_complete:
            self.on_complete()

    def on_complete(self) -> None:
        self.served.append(b"complete")

    def on_error(self, exception: Exception) -> None:
        self.served.append(b"error")


class Silent(DefaultPublisher, DefaultSubscription):
    """A stream that never says anything, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.requested: list[int] = []
        self.cancelled = asyncio.Event()

    def subscribe(self, subscriber: Any) -> None:
        self.subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        self.requested.append(n)

    def cancel(self) -> None:
        self.cancelled.set()


def waiting_doors(served: list[bytes]) -> list[Door]:
    """Doors that record what comes in and never answer."""

    async def never(_caller: Any, data: bytes) -> bytes:
        served.append(data)
        await asyncio.Event().wait()
        return b""

    async def stream(_caller: Any, data: bytes) -> Silent:
        served.append(data)
        return Silent()

    async def forget(_caller: Any, data: bytes) -> None:
        served.append(data)

    async def channel(_caller: Any, data: bytes) -> Any:
        served.append(data)
        return None, Records(served)

    return [
        Door("wait", "response", False, never),
        Door("wait", "stream", False, stream),
        Door("wait", "fire_and_forget", False, forget),
        Door("wait", "channel", False, channel),
    ]


# --- the table, on a live socket --------------------------------------------------------------------------------------


def rewritten(frames: list[script.Seen]) -> list[bytes]:
    """What the gate itself writes, as bytes again."""
    return [
        frame(seen.stream_id, seen.kind, seen.flags, seen.body) for seen in frames if seen.kind in {ERROR, KEEPALIVE}
    ]


@pytest.mark.parametrize("case", gate_table.CASES, ids=lambda case: case.name)
async def test_the_table_on_a_live_socket(case: gate_table.Case, house: Any, connect: Any, monkeypatch: Any) -> None:
    # Of frames that would be let pass by their kind, some cases have more than one connection may bring.
    monkeypatch.setattr(limits, "FRAMES_BURST_MAX", 20_000)
    served: list[bytes] = []
    server = await house(*waiting_doors(served))
    client = await connect(server, *([] if case.first else [setup()]), *case.messages[:1])
    for message in case.messages[:1]:
        if message[4:5] and message[4] >> 2 == CHANNEL:
            await client.settled()
    for message in case.messages[1:]:
        await client.send(message)
        if len(message) > 4 and message[4] >> 2 in {CHANNEL, PAYLOAD} and len(case.messages) < 10:
            await client.settled()  # A channel's client waits for credit.
    if case.close is None:
        await client.settled()
    else:
        assert case.close == await client.closed()

    assert list(case.written) == rewritten(client.frames)
    assert list(case.served) == [data for data in served if not data.startswith(b"~")]


# --- SETUP and identity -----------------------------------------------------------------------------------------------


async def who(caller: Any, _data: bytes) -> bytes:
    return caller.member.nickname.encode() if caller.member else b"guest"


WHO = Door("who", "response", False, who)
MEMBERS = Door("members", "response", True, who)


async def test_a_bearer_token_makes_the_connection_that_members(house: Any, connect: Any) -> None:
    client = await connect(await house(WHO, MEMBERS), setup(metadata=script.routed("x") + bearer(b"token of nabi")))
    await client.send(request(RESPONSE, 1, "who"), request(RESPONSE, 3, "members"))

    assert [b"nabi"] == await client.got(1, 1)
    assert [b"nabi"] == await client.got(3, 1)


async def test_no_token_makes_a_guest_who_is_not_let_through_members_doors(house: Any, connect: Any) -> None:
    client = await connect(await house(WHO, MEMBERS))
    await client.send(request(RESPONSE, 1, "who"), request(RESPONSE, 3, "members"))

    assert [b"guest"] == await client.got(1, 1)
    refused = await client.error(3)
    assert (0x202, b"auth.members_only") == (refused.code, refused.data)


async def test_a_wrong_token_is_rejected_and_closed_not_as_rsocket_py(house: Any, connect: Any) -> None:
    served: list[bytes] = []
    client = await connect(
        await house(*waiting_doors(served)), setup(metadata=bearer(b"forged")), request(FNF, 1, data=b"x")
    )

    assert await client.closed() == 1008
    assert rewritten(client.frames) == [error(0, REJECTED_SETUP, b"auth.token_invalid")]
    assert served == []


@pytest.mark.parametrize(
    ("metadata", "code", "word"),
    [
        (b"\xfc\0\0\x05\x81", 1, b"internal"),  # An entry cut short; the test's translate has no word for it.
        (b"\xfc" + long(b"\x80\0\x01ab"), REJECTED_SETUP, b"internal"),  # simple authentication
        (bearer(b""), REJECTED_SETUP, b"auth.token_invalid"),
    ],
)
async def test_credentials_that_are_none(metadata: bytes, code: int, word: bytes, house: Any, connect: Any) -> None:
    client = await connect(await house(), setup(metadata=metadata))

    assert await client.closed() == 1008
    assert rewritten(client.frames) == [error(0, code, word)]


async def test_plain_routing_is_a_guest_whatever_its_setup_data_says(house: Any, connect: Any) -> None:
    client = await connect(await house(WHO), setup(metadata_mime=ROUTING, data=b'{"nickname":"nabi"}'))
    await client.send(frame(1, RESPONSE, script.METADATA, long(tags("who"))))

    assert [b"guest"] == await client.got(1, 1)


async def test_verify_may_take_its_time_and_what_follows_waits(house: Any, connect: Any) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def verify(token: bytes) -> Any:
        asked.set()
        await answer.wait()
        return script.verify(token)

    client = await connect(
        await house(WHO, verify=verify), setup(metadata=bearer(b"token of nabi")), request(RESPONSE, 1, "who")
    )
    await asked.wait()
    assert client.frames == []
    answer.set()

    assert [b"nabi"] == await client.got(1, 1)


async def test_verify_that_takes_too_long_is_a_rejection(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "SETUP_SECONDS", 0.01)
    monkeypatch.setattr(limits, "SWEEP_SECONDS", 600.0)  # Whose look may come first, and has another word for it.

    async def verify(_token: bytes) -> None:
        await asyncio.Event().wait()

    client = await connect(await house(verify=verify), setup(metadata=bearer(b"token of nabi")))

    assert await client.closed() == 1008
    assert client.frames[0].code == REJECTED_SETUP


async def test_a_connection_that_goes_while_its_token_is_verified(house: Any, connect: Any) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def verify(token: bytes) -> Any:
        asked.set()
        await answer.wait()
        return script.verify(token)

    server = await house(verify=verify)
    for token in (b"token of nabi", b"forged"):
        asked.clear()
        answer.clear()
        client = await connect(server, setup(metadata=bearer(token)), read=False)
        await asked.wait()
        client.websocket._response.connection.transport.abort()
        answer.set()
        await expect_drained(server)


async def test_connections_have_names_of_their_own(house: Any, connect: Any) -> None:
    async def name(caller: Any, _data: bytes) -> bytes:
        return caller.connection_id.encode()

    server = await house(Door("name", "response", False, name))
    names = set()
    for _ in range(3):
        client = await connect(server)
        await client.send(request(RESPONSE, 1, "name"))
        names.add((await client.got(1, 1))[0])

    assert len(names) == 3


# --- requests ---------------------------------------------------------------------------------------------------------


async def test_errors_say_what_translate_says_and_nothing_else_not_as_rsocket_py(house: Any, connect: Any) -> None:
    async def fail(_caller: Any, _data: bytes) -> None:
        raise RuntimeError(script.SECRET)

    class Failing(Silent):
        def request(self, n: int) -> None:
            raise RuntimeError(script.SECRET)

    async def failing(_caller: Any, _data: bytes) -> Silent:
        return Failing()

    async def refused(_caller: Any, _data: bytes) -> Any:
        publisher = Silent()
        asyncio.get_running_loop().call_soon(lambda: publisher.subscriber.on_error(RuntimeError(script.SECRET)))
        return publisher

    async def no_publisher(_caller: Any, _data: bytes) -> bytes:
        return script.SECRET.encode()

    doors = [Door("fail", model, False, fail) for model in ("response", "stream", "fire_and_forget", "channel")]
    streams = [
        Door(name, "stream", False, door) for name, door in (("a", failing), ("b", refused), ("c", no_publisher))
    ]
    server = await house(*doors, *streams, Door("c", "channel", False, no_publisher))
    client = await connect(server)
    await client.send(
        request(RESPONSE, 1, "fail"),
        request(STREAM, 3, "fail"),
        request(FNF, 5, "fail"),
        request(CHANNEL, 7, "fail"),
        request(STREAM, 9, "a"),
        request(STREAM, 11, "b"),
        request(STREAM, 13, "c"),
        request(CHANNEL, 15, "c"),
        request(RESPONSE, 17, script.SECRET[:50]),
        frame(19, RESPONSE, 0, b"no route"),
        frame(21, RESPONSE, script.METADATA, long(b"\xfe\0\0\x09x")),
    )
    for stream_id in (1, 3, 7, 9, 11, 13, 15):
        failed = await client.error(stream_id)
        assert (0x201, b"internal") == (failed.code, failed.data)
    unknown = await client.error(17)
    assert (0x204, b"RouteUnknown") == (unknown.code, unknown.data)
    await client.error(19)
    await client.error(21)

    assert not any(b"hunter2" in seen.body for seen in client.frames)
    assert not any(seen.stream_id == 5 for seen in client.frames)


async def test_translate_that_fails_says_nothing(house: Any, connect: Any) -> None:
    def translate(_error: BaseException) -> Any:
        raise RuntimeError(script.SECRET)

    client = await connect(await house(translate=translate))
    await client.send(request(RESPONSE, 1, "nowhere"))
    failed = await client.error(1)

    assert (0x201, b"") == (failed.code, failed.data)


async def test_a_slow_handler_delays_nobody_not_as_rsocket_py(house: Any, connect: Any) -> None:
    async def echo(_caller: Any, data: bytes) -> bytes:
        return data

    client = await connect(await house(*waiting_doors([]), Door("echo", "response", False, echo)))
    await client.send(
        request(RESPONSE, 1), request(STREAM, 3), keepalive(b"are you there"), request(RESPONSE, 5, "echo", b"x")
    )

    assert [b"x"] == await client.got(5, 1)
    assert [b"are you there"] == [seen.data for seen in client.frames if seen.kind == KEEPALIVE]
    assert client.items(1) == []


async def test_a_handler_has_a_deadline(house: Any, connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "HANDLER_SECONDS", 0.01)
    client = await connect(await house(*waiting_doors([])))
    await client.send(request(RESPONSE, 1))
    late = await client.error(1)

    assert b"HandlerTimeout" == late.data


async def test_a_handler_that_is_cancelled_from_within_is_an_answer_too(house: Any, connect: Any) -> None:
    async def cancelled(_caller: Any, _data: bytes) -> bytes:
        raise asyncio.CancelledError

    async def timed_out(_caller: Any, _data: bytes) -> bytes:
        raise TimeoutError

    doors = [Door("a", "response", False, cancelled), Door("b", "response", False, timed_out)]
    client = await connect(await house(*doors))
    await client.send(request(RESPONSE, 1, "a"), request(RESPONSE, 3, "b"))

    assert (await client.error(1)).data == b"HandlerTimeout"
    assert (await client.error(3)).data == b"internal"


async def test_cancel_stops_the_handler_and_is_silent(house: Any, connect: Any) -> None:
    begun, stopped = asyncio.Event(), []

    async def work(_caller: Any, _data: bytes) -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(1)
        return b""

    client = await connect(
        await house(*[Door("work", model, False, work) for model in ("response", "stream", "channel")])
    )
    for number, kind in enumerate((RESPONSE, STREAM, CHANNEL)):
        begun.clear()
        await client.send(request(kind, 2 * number + 1, "work"))
        await begun.wait()
        await client.send(cancel(2 * number + 1))
        await client.settled()

    assert client.frames == []
    assert stopped == [1, 1, 1]


async def test_what_comes_after_the_answer_is_for_nobody_and_the_id_is_free(house: Any, connect: Any) -> None:
    async def echo(_caller: Any, data: bytes) -> bytes:
        return data

    server = await house(Door("echo", "response", False, echo))
    client = await connect(server)
    await client.send(request(RESPONSE, 1, "echo", b"first"))
    assert await client.got(1, 1) == [b"first"]
    await client.send(request_n(1, 5), cancel(1), cancel(1), payload(1, b"x"), error(1, 0x201))
    await client.send(request(RESPONSE, 1, "echo", b"second"))

    assert await client.got(1, 2) == [b"first", b"second"]
    assert not [seen for seen in client.frames if seen.kind == ERROR]


async def test_credit_given_before_the_stream_exists_is_not_lost(house: Any, connect: Any) -> None:
    ready, stream = asyncio.Event(), Silent()

    async def slow(_caller: Any, _data: bytes) -> Silent:
        await ready.wait()
        return stream

    client = await connect(await house(Door("slow", "stream", False, slow)))
    await client.send(request(STREAM, 1, "slow", n=3), request_n(1, 4), request_n(1, 2**31 + 5))
    await client.settled()
    ready.set()
    await client.settled()
    await client.send(request_n(1, 2))
    await client.settled()

    assert stream.requested == [12, 2]


async def test_credit_given_before_the_channel_exists_is_not_lost(house: Any, connect: Any) -> None:
    ready, stream = asyncio.Event(), Silent()
    served: list[bytes] = []

    async def slow(_caller: Any, _data: bytes) -> Any:
        await ready.wait()
        return stream, Records(served, 7)

    client = await connect(await house(Door("slow", "channel", False, slow)))
    await client.send(request(CHANNEL, 1, "slow", n=3), request_n(1, 4), payload(1, b"too early"))
    await client.settled()
    ready.set()
    await client.settled()

    assert stream.requested == [7]
    assert [7] == [seen.code for seen in client.frames if seen.kind == REQUEST_N]
    await client.send(payload(1, b"in time", flags=NEXT | COMPLETE))
    await client.settled()
    assert served == [b"in time", b"complete"]
    stream.subscriber.on_next(Payload(b"down"))
    stream.subscriber.on_complete()
    assert [b"down", b""] == await client.got(1, 2)


async def test_fire_and_forget_keeps_the_order_in_which_it_was_said(house: Any, connect: Any) -> None:
    served: list[bytes] = []

    async def uneven(_caller: Any, data: bytes) -> None:
        for _ in range(int(data) % 3):
            await asyncio.sleep(0)
        served.append(data)

    client = await connect(await house(Door("say", "fire_and_forget", False, uneven)))
    await client.send(*[request(FNF, 2 * number + 1, "say", b"%d" % number) for number in range(200)])
    await client.settled()
    async with asyncio.timeout(60):
        while len(served) < 200:
            await asyncio.sleep(0)

    assert [b"%d" % number for number in range(200)] == served


async def test_a_flood_waits_in_its_own_socket_not_here_not_as_rsocket_py(house: Any, connect: Any) -> None:
    gate, begun = asyncio.Event(), 0

    async def slow(_caller: Any, _data: bytes) -> None:
        nonlocal begun
        begun += 1
        await gate.wait()

    server = await house(Door("say", "fire_and_forget", False, slow))
    client = await connect(server)
    flood = asyncio.create_task(
        client.send(*[request(FNF, 2 * number + 1, "say", b"x" * 1000) for number in range(2000)])
    )
    (connection,) = server._connections
    async with asyncio.timeout(60):
        while connection._inbox_low is None:
            await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)

    assert begun == 1
    assert limits.INBOX_FRAMES_MAX - 1 <= len(connection._inbox) <= limits.INBOX_FRAMES_MAX
    gate.set()
    await flood
    async with asyncio.timeout(60):
        while begun < 2000:
            await asyncio.sleep(0)


async def test_what_was_said_before_the_client_went_is_still_handled(house: Any, connect: Any) -> None:
    gate, served = asyncio.Event(), []

    async def slow(_caller: Any, data: bytes) -> None:
        await gate.wait()
        served.append(data)

    server = await house(Door("say", "fire_and_forget", False, slow))
    client = await connect(server)
    await client.send(*[request(FNF, 2 * number + 1, "say", b"%d" % number) for number in range(3)])
    await client.settled()
    await client.end()
    gate.set()
    await expect_drained(server)

    assert served == [b"0", b"1", b"2"]


async def test_what_a_closed_connection_had_said_is_dropped_and_its_reader_let_go(house: Any, connect: Any) -> None:
    gate, begun, served = asyncio.Event(), asyncio.Event(), []

    async def slow(_caller: Any, data: bytes) -> None:
        begun.set()
        await gate.wait()
        served.append(data)

    server = await house(Door("say", "fire_and_forget", False, slow))
    client = await connect(server)
    flood = [request(FNF, 2 * number + 1, "say", b"%d" % number) for number in range(limits.INBOX_FRAMES_MAX + 1)]
    await client.send(*flood)
    (connection,) = server._connections
    async with asyncio.timeout(60):
        while connection._inbox_low is None:
            await asyncio.sleep(0)
    await begun.wait()
    connection.expel(TokenRevoked())

    assert await client.closed() == 1008
    gate.set()
    await expect_drained(server)
    assert served == [b"0"]


async def test_what_was_said_before_the_house_closes_is_still_heard(house: Any, connect: Any) -> None:
    gate, begun, served = asyncio.Event(), asyncio.Event(), []

    async def slow(_caller: Any, data: bytes) -> None:
        begun.set()
        await gate.wait()
        served.append(data)

    server = await house(Door("say", "fire_and_forget", False, slow))
    client = await connect(server)
    await client.send(*[request(FNF, 2 * number + 1, "say", b"%d" % number) for number in range(4)])
    await client.settled()
    await begun.wait()
    draining = asyncio.create_task(server.drain())
    await client.send(request(FNF, 9, "say", b"4"))
    await client.settled()
    (connection,) = server._connections
    connection.close_house()
    gate.set()

    assert await client.closed() == 1012
    await draining
    await expect_drained(server)
    assert served == [b"0", b"1", b"2", b"3", b"4"]


# --- whispers ---------------------------------------------------------------------------------------------------------


async def test_a_whisper_reaches_the_callers_own_watches_of_that_room_only(
    house: Any, connect: Any, watching: Any
) -> None:
    async def refuse(caller: Any, data: bytes) -> None:
        caller.whisper(1, b"only you: " + data)
        caller.whisper(2, b"no such room")

    server = await house(Door("watch", "stream", False, watching), Door("say", "fire_and_forget", False, refuse))
    sender, other = await connect(server), await connect(server)
    for client in (sender, other):
        await client.send(request(STREAM, 1, "watch", n=UNBOUNDED))
        await client.settled()
    await sender.send(request(FNF, 3, "say", b"too fast"))

    assert [b"only you: too fast"] == await sender.got(1, 1)
    await other.settled()
    assert other.items(1) == []


# --- the end ----------------------------------------------------------------------------------------------------------


async def expect_drained(server: Any) -> None:
    async with asyncio.timeout(60):
        while server.connections:
            await asyncio.sleep(0.001)


def open_files() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_hundred_clients_leave_nothing_behind_not_as_rsocket_py(
    abruptly: bool, house: Any, connect: Any, fanout: Any, watching: Any, tell: Any
) -> None:
    stream = Silent()

    async def silent(_caller: Any, _data: bytes) -> Silent:
        return stream

    server = await house(
        Door("watch", "stream", False, watching), Door("s", "stream", False, silent), *waiting_doors([])
    )
    tasks, files = len(asyncio.all_tasks()), open_files()
    clients = [await connect(server) for _ in range(100)]
    for client in clients:
        await client.send(
            request(STREAM, 1, "watch", n=5), request(STREAM, 3, "s"), request(RESPONSE, 5), request(CHANNEL, 7)
        )
        await client.settled()
    tell(b"hello")
    assert len(fanout.viewers) == 100
    for client in clients:
        if abruptly:
            connection = client.websocket._response.connection
            connection.transport.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: RST
            connection.transport.abort()
        await client.end()
    await expect_drained(server)

    assert len(fanout.viewers) == 0
    assert stream.cancelled.is_set()
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > tasks or open_files() > files:
            await asyncio.sleep(0.001)


async def test_an_idle_connection_has_no_task_not_as_rsocket_py(house: Any, connect: Any) -> None:
    server = await house()
    before, clients = asyncio.all_tasks(), []
    for _ in range(10):
        clients.append(await connect(server))
        await clients[-1].settled()

    readers = {client._reader for client in clients}
    async with asyncio.timeout(60):
        while asyncio.all_tasks() - before != readers:  # What opened a connection may be about to end.
            await asyncio.sleep(0)

    assert asyncio.all_tasks() - before == readers


async def test_one_stream_that_cannot_be_disposed_of_does_not_keep_the_others(house: Any, connect: Any) -> None:
    class Clinging(Silent):
        def cancel(self) -> None:
            raise RuntimeError(script.SECRET)

    streams = [Clinging(), Silent()]

    async def give(_caller: Any, data: bytes) -> Silent:
        return streams[int(data)]

    server = await house(Door("s", "stream", False, give))
    client = await connect(server)
    await client.send(request(STREAM, 1, "s", b"0"), request(STREAM, 3, "s", b"1"))
    await client.settled()
    await client.end()
    await expect_drained(server)

    assert streams[1].cancelled.is_set()


async def test_a_cancel_that_fails_inside_stays_silent(house: Any, connect: Any) -> None:
    class Clinging(Silent):
        def cancel(self) -> None:
            raise RuntimeError(script.SECRET)

    async def give(_caller: Any, _data: bytes) -> Silent:
        return Clinging()

    client = await connect(await house(Door("s", "stream", False, give)))
    await client.send(request(STREAM, 1, "s"))
    await client.settled()
    await client.send(cancel(1), request(STREAM, 1, "s"))
    await client.settled()

    assert client.frames == []


async def test_who_does_not_read_answers_is_not_read_either_not_as_rsocket_py(house: Any, connect: Any) -> None:
    async def big(_caller: Any, _data: bytes) -> bytes:
        return b"x" * 60_000

    server = await house(Door("big", "response", False, big))
    client = await connect(server, read=False)
    (connection,) = server._connections
    transport = client.websocket._response.connection.transport
    transport.pause_reading()
    for number in range(500):
        await client.send(request(RESPONSE, 2 * number + 1, "big"))
        await asyncio.sleep(0)
        assert connection._socket.waiting_bytes <= limits.WRITE_HIGH_BYTES + 2 * 60_010
    assert connection._socket.paused
    assert connection.gate.streams <= limits.STREAMS_MAX
    transport.abort()
    await expect_drained(server)


async def test_who_makes_us_write_and_does_not_read_is_cut_off_not_as_rsocket_py(house: Any, connect: Any) -> None:
    server = await house()
    client = await connect(server, read=False)
    await server_settled(server)
    (connection,) = server._connections
    client.websocket._response.connection.transport.pause_reading()
    echo, most = keepalive(b"x" * 60_000), 0
    for _ in range(100_000):
        connection.receive(echo)  # As fast as a socket could bring it, and faster than it is read.
        most = max(most, connection._socket.waiting_bytes)
        if connection._reason == "slow":
            break
    await expect_drained(server)
    client.websocket._response.connection.transport.abort()

    assert most <= limits.OUTBOUND_BYTES_MAX + 61_000


async def server_settled(server: Any) -> None:
    async with asyncio.timeout(60):
        while (
            not all(connection.gate.state is State.OPEN for connection in server._connections) or not server.connections
        ):
            await asyncio.sleep(0)


async def test_one_answer_larger_than_any_buffer_arrives(house: Any, connect: Any) -> None:
    async def huge(_caller: Any, _data: bytes) -> bytes:
        return b"x" * 4_000_000

    client = await connect(await house(Door("huge", "response", False, huge)), max_msg_size=0)
    await client.send(*[request(RESPONSE, number, "huge") for number in (1, 3, 5)])

    assert [b"x" * 4_000_000] == await client.got(5, 1)
    assert len(client.frames) == 3


@pytest.mark.parametrize("late", [b"too late", RuntimeError(script.SECRET)])
async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(late: Any, house: Any, connect: Any) -> None:
    stubborn = asyncio.Event()

    async def slow(_caller: Any, _data: bytes) -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stubborn.set()
            if isinstance(late, Exception):
                raise late from None
        return late

    client = await connect(await house(Door("slow", "response", False, slow)))
    await client.send(request(RESPONSE, 1, "slow"))
    await client.settled()
    await client.send(cancel(1))
    async with asyncio.timeout(60):
        await stubborn.wait()
    await client.settled()

    assert client.frames == []


# --- the library's own client -----------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def library_client(server: Any, token: str | None = None) -> Any:
    metadata = composite(authenticate_bearer(token)) if token else composite(route("x"))
    async with websocket_client(
        f"http://127.0.0.1:{server.port}/rsocket",
        metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
        setup_payload=Payload(b"", metadata),
        keep_alive_period=timedelta(milliseconds=50),
        fragment_size_bytes=64,
    ) as client:
        yield client


async def test_rsocket_py_speaks_with_us_both_ways(house: Any, watching: Any, fanout: Any) -> None:
    async def echo(caller: Any, data: bytes) -> bytes:
        return caller.member.nickname.encode() + b": " + data

    async def say(_caller: Any, data: bytes) -> None:
        fanout.room.add(fanout.room.log.head + 1, data)
        fanout.wake()

    async def shout(_caller: Any, data: bytes) -> Any:
        served.append(data)
        return Silent(), Records(served)

    served: list[bytes] = []
    server = await house(
        Door("echo", "response", True, echo),
        Door("say", "fire_and_forget", True, say),
        Door("watch", "stream", False, watching),
        Door("shout", "channel", False, shout),
    )
    async with library_client(server, "token of nabi") as client:
        # 300 bytes in fragments of 64, as the library cuts them.
        answer = await client.request_response(Payload(b"x" * 300, composite(route("echo"))))
        assert NABI.nickname.encode() + b": " + b"x" * 300 == bytes(answer.data)
        for number in range(10):
            await client.fire_and_forget(Payload(b"line %d" % number, composite(route("say"))))
        lines: list[bytes] = []
        enough = asyncio.Event()

        class Viewer(Records):
            def on_subscribe(self, subscription: Any) -> None:
                self.subscription = subscription

            def on_next(self, value: Any, is_complete: bool = False) -> None:
                super().on_next(value, is_complete)
                if len(lines) == 7:
                    enough.set()

        viewer = Viewer(lines)
        client.request_stream(Payload(b"", composite(route("watch")))).initial_request_n(3).subscribe(viewer)
        viewer.subscription.request(4)
        async with asyncio.timeout(60):
            await enough.wait()
        await asyncio.sleep(0.06)  # A keepalive or two pass, and no eighth line.
        assert [b"line %d" % number for number in range(7)] == lines
        with pytest.raises(Exception, match="RouteUnknown"):
            await AwaitableRSocket(client).request_response(Payload(b"", composite(route("nowhere"))))


async def test_the_librarys_client_talks_on_a_channel(house: Any) -> None:
    served: list[bytes] = []
    done = asyncio.Event()

    class Hears(Records):
        def on_complete(self) -> None:
            super().on_complete()
            done.set()

    async def talk(_caller: Any, data: bytes) -> Any:
        served.append(data)
        return None, Hears(served)

    class Says(DefaultPublisher, DefaultSubscription):
        def subscribe(self, subscriber: Any) -> None:
            self.subscriber = subscriber
            subscriber.on_subscribe(self)

        def request(self, n: int) -> None:
            self.subscriber.on_next(Payload(b"%d asked" % n))
            self.subscriber.on_complete()

    server = await house(Door("talk", "channel", False, talk))
    async with library_client(server) as client:
        client.request_channel(Payload(b"first", composite(route("talk"))), Says()).subscribe(Records([]))
        async with asyncio.timeout(60):
            await done.wait()

    assert served == [b"first", b"100 asked", b"complete"]


async def test_a_stream_that_fails_keeps_nothing_from_the_others(house: Any, connect: Any) -> None:
    class Stream:
        def __init__(self, *, fails: bool) -> None:
            self.fails = fails
            self.told: list[str] = []

        def tell(self, what: str) -> None:
            self.told.append(what)
            if self.fails:
                raise ValueError

        def clog(self) -> None:
            self.tell("clog")

        def pause(self) -> None:
            self.tell("pause")

        def resume(self) -> None:
            self.tell("resume")

    server = await house()
    await connect(server)
    (connection,) = server._connections
    streams = [Stream(fails=True), Stream(fails=False)]
    for stream in streams:
        connection.attach(stream)
    connection.clog()
    connection.pause()
    connection.resume()
    for stream in streams:
        connection.detach(stream)

    assert [stream.told for stream in streams] == [["clog", "pause", "resume"]] * 2
