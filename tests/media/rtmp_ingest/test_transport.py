from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from media.rtmp_ingest.pulse import Pulse
from media.rtmp_ingest.transport import LINGER_BYTES_MAX, READ_BYTES, TURN_BYTES, WRITE_BYTES_MAX, Transport
from tests.media.rtmp_ingest.publisher import C0_C1
from tests.media.rtmp_ingest.studio import CERTIFICATE, KEY, SECONDS, Wire, client_tls, happens, run, server_tls, until


@pytest.fixture
async def pair():
    """A transport and the socket of its peer."""
    made: asyncio.Queue[Transport] = asyncio.Queue()
    buffer, pulse = memoryview(bytearray(READ_BYTES)), Pulse()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Transport(buffer, pulse, None, made.put_nowait), "127.0.0.1", 0)
    peer = socket.create_connection(listener.sockets[0].getsockname())
    peer.setblocking(False)
    transport = await made.get()
    yield transport, peer
    transport.abort()
    peer.close()
    listener.close()
    await listener.wait_closed()


async def received(peer: socket.socket) -> bytes:
    """Read what the peer has got until the end of it."""
    async with asyncio.timeout(SECONDS):
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.get_running_loop().sock_recv(peer, 9)
    return b""


async def hears(transport: Transport, size: int) -> bytes:
    heard = b""
    async with asyncio.timeout(SECONDS):
        while len(heard) < size and not transport.at_end:
            transport.pace(None)
            await transport.wait()

            assert len(transport._inbox) < 2 * READ_BYTES
            heard += transport.take()
    return heard


async def test_the_inbox_is_bounded(pair):
    transport, peer = pair
    sent = 0
    for _ in range(3000):
        try:
            sent += peer.send(bytes(READ_BYTES))
        except BlockingIOError:
            await asyncio.sleep(0)

    assert READ_BYTES <= len(transport._inbox) < 2 * READ_BYTES < sent
    # It is read further when there is room and `pace` says who reads.
    assert len(await hears(transport, sent)) == sent


async def test_others_have_their_turn_between_two_pieces_of_an_inbox(pair):
    transport, peer = pair
    peer.send(bytes(3 * TURN_BYTES))
    await until(lambda: len(transport._inbox) == 3 * TURN_BYTES)
    order: list[str] = []
    for number in range(3):
        asyncio.get_running_loop().call_soon(order.append, f"turn {number}")
        await transport.wait()
        order.append(f"piece of {len(transport.take())}")

    assert order == [
        *("turn 0", f"piece of {TURN_BYTES}"),
        *("turn 1", f"piece of {TURN_BYTES}"),
        *("turn 2", f"piece of {TURN_BYTES}"),
    ]


async def test_the_pulse_reads_only_while_somebody_waits(pair):
    transport, peer = pair
    heard: list[bytes] = []
    beats = asyncio.Event()
    transport.pace(heard.append)
    transport._pulse.join(beats.set)
    peer.send(b"one")
    await happens(beats)
    beats.clear()
    await happens(beats)

    assert heard == []
    waiting = asyncio.create_task(transport.wait())
    await until(lambda: heard)

    assert heard == [b"one"]
    transport._pulse.leave(beats.set)
    peer.close()
    await waiting

    assert transport.at_end
    assert transport.take() == b""


async def test_more_than_a_beat_s_worth_does_not_wait_for_the_next(pair):
    transport, peer = pair
    heard: list[bytes] = []
    sent = 0
    while True:
        try:
            sent += peer.send(bytes(READ_BYTES))
        except BlockingIOError:
            break
    transport.pace(heard.append)
    waiting = asyncio.create_task(transport.wait())
    await until(lambda: sum(map(len, heard)) == sent)

    assert sent > 4 * READ_BYTES
    transport.wake()
    await waiting


async def test_reading_is_given_back_to_the_loop(pair):
    transport, peer = pair
    transport.pace([].append)
    transport.pace(None)
    peer.send(b"two")

    assert await hears(transport, 3) == b"two"


async def test_linger_reads_the_peer_s_last_bytes_but_not_for_ever(pair):
    transport, peer = pair
    closing = asyncio.create_task(transport.close(SECONDS, linger=True))
    sent = 0
    with pytest.raises(OSError):  # noqa: PT012 - it is closed while we send.
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    sent += peer.send(bytes(READ_BYTES))
                except BlockingIOError:
                    await asyncio.sleep(0)
    await closing

    assert sent >= LINGER_BYTES_MAX


async def test_a_closed_transport_is_written_to_in_vain(pair):
    transport, peer = pair
    transport.abort()
    await transport.write(b"x", SECONDS)
    await transport.close(SECONDS, linger=True)

    assert await received(peer) == b""


def test_answers_wait_in_less_than_a_read():
    # One read's worth of pings is answered by about as many bytes: one turn cannot overrun the buffer's limit twice.
    assert WRITE_BYTES_MAX >= 2 * READ_BYTES


# --- with TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def secure(server):
    await server.listen("127.0.0.1", 0, tls=server_tls())
    return server.ports[1]


async def dial(port: int) -> Wire:
    return Wire(*await asyncio.open_connection("127.0.0.1", port, ssl=client_tls(), server_hostname="localhost"))


async def test_a_publisher_by_tls(server, studio, secure):
    wire = await (await dial(secure)).streams()
    await wire.send(wire.client.video(0, bytes(100_000)), wire.client.stop())
    await wire.hears("onStatus NetStream.Unpublish.Success")
    wire.hang_up()
    await until(lambda: not server.connections)

    assert studio.sinks[0].video_tags == [(0, bytes(100_000))]
    assert studio.sinks[0].ends == [True]


async def test_a_refusal_by_tls_is_heard_to_its_end(secure):
    wire = await dial(secure)
    await wire.send(wire.client.start("wrong"))

    assert (await wire.closed())[-1] == "onStatus NetStream.Publish.BadName"


async def test_plain_rtmp_at_the_tls_port(server, secure, caplog):
    caplog.set_level("INFO")
    reader, writer = await asyncio.open_connection("127.0.0.1", secure)
    writer.write(C0_C1)
    async with asyncio.timeout(SECONDS):
        await reader.read()
    writer.close()
    await until(lambda: not server.connections)

    assert "reason='TLS failed'" in caplog.text


async def test_a_record_that_is_garbled_ends_its_publisher_only(server, studio, secure):
    garbled, other = await (await dial(secure)).streams(), await (await dial(secure)).streams()
    raw = garbled.writer.transport.get_extra_info("socket").dup()
    raw.setblocking(True)
    raw.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    raw.close()
    await happens(studio.sinks[0].ended)
    await other.send(other.client.video(0, b"still here"))
    await until(lambda: studio.sinks[1].video_tags)

    assert studio.sinks[0].ends == [False]
    garbled.writer.transport.abort()
    other.writer.transport.abort()
    await until(lambda: not server.connections)


async def test_half_handshakes_of_tls_are_strangers_like_others(server, secure):
    """They are counted and make room, unlike in the event loop's own TLS, where nobody knows of them."""
    waiting = [await asyncio.open_connection("127.0.0.1", secure) for _ in range(40)]
    for _, writer in waiting:
        writer.write(b"\x16\x03\x01")
    await until(lambda: server.connections == 32)
    publisher = await (await dial(secure)).streams()
    for _, writer in waiting:
        writer.transport.abort()
    publisher.writer.transport.abort()
    await until(lambda: not server.connections)

    assert server.connections == 0


async def test_ffmpeg_publishes_by_tls(server, studio, secure, ffmpeg):
    code, output = await run(
        ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=15", "-t", "1",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
        "-ca_file", str(CERTIFICATE), "-f", "flv", f"rtmps://localhost:{secure}/live/{KEY}",
    )  # fmt: skip

    assert (code, output) == (0, "")
    await happens(studio.sinks[0].ended)

    assert len(studio.sinks[0].video_tags) > 10
    assert studio.sinks[0].ends == [True]
