from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
from pathlib import Path

import pytest

from media.rtmp_ingest.publishers import Limits
from media.rtmp_ingest.server import serve
from tests.media.rtmp_ingest.publisher import C0_C1, C2
from tests.media.rtmp_ingest.studio import KEY, SECONDS, happens, run, serving, until

CAMERA = ("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=15", "-f", "lavfi", "-i", "sine")
ENCODED = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "15", "-c:a", "aac")


def flv_tags(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return (type, time, payload) of each tag of an FLV file."""
    tags, at = [], 13
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time = int.from_bytes(data[at + 7 : at + 8] + data[at + 4 : at + 7], "big")
        tags.append((data[at], time, data[at + 11 : at + 11 + size]))
        at += 11 + size + 4
    return tags


# --- real ffmpeg -----------------------------------------------------------------------------------------------------


async def test_ffmpeg_streams_bit_for_bit(server, studio, ffmpeg, tmp_path):
    """The same packets into a file and into us: every payload and every time must be equal."""
    file = tmp_path / "same.flv"
    outputs = f"[f=flv]rtmp://127.0.0.1:{server.port}/live/{KEY}|[f=flv]{file}"
    code, output = await run(
        ffmpeg, "-loglevel", "error", *CAMERA, "-t", "2", *ENCODED,
        "-flags", "+global_header", "-map", "0", "-map", "1", "-f", "tee", outputs,
    )  # fmt: skip

    assert (code, output) == (0, "")
    (sink,) = studio.sinks
    await happens(sink.ended)
    tags = flv_tags(file.read_bytes())

    assert studio.asked == [(KEY, "live")]
    assert sink.video_tags == [(time, payload) for kind, time, payload in tags if kind == 9]
    assert sink.audio_tags == [(time, payload) for kind, time, payload in tags if kind == 8]
    assert len(sink.video_tags) > 30
    assert sink.metadata_seen[0]["width"] == 160.0
    assert sink.ends == [True]


async def test_ffmpeg_shows_why_a_wrong_key_is_refused(server, studio, ffmpeg, caplog):
    wrong = "sk_live_wrong_key"
    with caplog.at_level(logging.DEBUG):
        url = f"rtmp://127.0.0.1:{server.port}/live/{wrong}"
        code, output = await run(ffmpeg, "-loglevel", "error", *CAMERA, "-t", "1", *ENCODED, "-f", "flv", url)

    assert code != 0
    assert "unknown stream key: make a new one in your studio" in output
    assert studio.asked == [(wrong, "live")]
    assert studio.sinks == []
    assert wrong not in caplog.text
    assert "NetStream.Publish.BadName" in caplog.text


async def test_ffmpeg_shows_why_an_application_name_is_refused(server, studio, ffmpeg):
    url = f"rtmp://127.0.0.1:{server.port}/li.ve/{KEY}"
    code, output = await run(ffmpeg, "-loglevel", "error", *CAMERA, "-t", "1", *ENCODED, "-f", "flv", url)

    assert code != 0
    assert "application names are made of letters" in output
    assert studio.asked == []


async def test_ffmpeg_as_a_player_verifies_our_digests_and_is_sent_to_the_browser(server, ffmpeg):
    """A player checks S1 and S2; it gets as far as `play` only if both digests are right."""
    code, output = await run(ffmpeg, "-loglevel", "verbose", "-i", f"rtmp://127.0.0.1:{server.port}/live/{KEY}")

    assert code != 0
    assert "this port takes streams in; watch in the browser" in output


async def test_ffmpeg_killed_is_a_loss(server, studio, ffmpeg):
    url = f"rtmp://127.0.0.1:{server.port}/live/{KEY}"
    process = await asyncio.create_subprocess_exec(
        ffmpeg, "-loglevel", "error", "-re", *CAMERA, *ENCODED, "-f", "flv", url,
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    await until(lambda: studio.sinks and studio.sinks[0].video_tags)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await happens(studio.sinks[0].ended)

    assert studio.sinks[0].ends == [False]


# --- strangers -------------------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_port_scan_leaves_nothing_behind(server, studio):
    tasks, files = asyncio.all_tasks(), descriptors()
    for number in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        if number % 4:
            writer.write((b"GET / HTTP/1.1\r\n\r\n", b"\x03", C0_C1 + C2)[number % 4 - 1])
        if number % 5 == 0:
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()
        del reader
    await until(lambda: not server.connections)
    await until(lambda: asyncio.all_tasks() <= tasks and descriptors() <= files)

    assert studio.asked == []


async def test_strangers_of_one_address_make_room_for_the_next(studio, dial):
    async with serving(studio, strangers_by_address_max=4) as server:
        wires = [await dial(server) for _ in range(4)]
        for wire in wires:
            await wire.send(C0_C1)
        for wire in wires:
            await asyncio.wait_for(wire.reader.readexactly(3073), SECONDS)
        publisher = await (await dial(server)).streams()

        # The oldest left, the others are still there.
        assert await wires[0].closed() == []
        await until(lambda: server.connections == 4)
        await publisher.send(publisher.client.video(0))
        await until(lambda: studio.sinks[0].video_tags)


async def test_a_flood_of_half_handshakes_does_not_keep_a_publisher_out(server, studio, dial):
    flood = [await dial(server) for _ in range(300)]
    for wire in flood:
        wire.writer.write(C0_C1[:700])
    publisher = await (await dial(server)).streams()
    flood += [await dial(server) for _ in range(100)]
    await publisher.send(publisher.client.video(0))
    await until(lambda: studio.sinks[0].video_tags)

    assert server.connections <= Limits().strangers_by_address_max + 2
    assert studio.sinks[0].ends == []


async def test_strangers_in_all_make_room_for_the_next(studio, dial):
    async with serving(studio, strangers_by_address_max=3, strangers_max=3) as server:
        # The limit by address comes first; with one address to test from, look at the other one from inside.
        first = await dial(server)
        await until(lambda: server.connections)
        (connection,) = server._connections
        connection.address = "192.0.2.1"
        for _ in range(2):
            await dial(server)
        await until(lambda: server.connections == 3)
        await dial(server)

        assert await first.closed() == []
        await until(lambda: server.connections == 3)


async def test_publishers_fill_the_house_and_the_next_is_turned_away(studio, dial, caplog):
    async with serving(studio, connections_max=2, strangers_max=1, strangers_by_address_max=1) as server:
        one, two = await (await dial(server)).streams(), await (await dial(server)).streams()

        assert await (await dial(server)).closed() == []
        assert "rtmp_full address=127.0.0.1 connections=2" in caplog.text
        await one.send(one.client.video(0))
        await two.send(two.client.video(0))
        await until(lambda: all(sink.video_tags for sink in studio.sinks))


# --- time and the end ------------------------------------------------------------------------------------------------


async def test_the_server_closes_with_publishers_and_strangers(studio, dial):
    server = await serve("127.0.0.1", 0, studio)
    port = server.port
    publisher = await (await dial(server)).streams()
    stranger = await dial(server)
    await stranger.send(C0_C1)
    deciding = await dial(server)
    studio.answers.clear()
    await deciding.send(deciding.client.start(KEY))
    await until(lambda: len(studio.asked) == 2)
    await server.close()

    assert server.connections == 0
    assert studio.sinks[0].ends == [False]
    # Nobody is told that its key is wrong: encoders shall come again.
    for wire in (publisher, stranger, deciding):
        assert not [line for line in await wire.closed() if "Publish" in line and "onFCPublish" not in line]
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_server_does_not_wait_for_a_sink_that_hangs(studio, dial):
    server = await serve("127.0.0.1", 0, studio, limits=Limits(close_seconds_max=0.01))
    wire = await (await dial(server)).streams()
    studio.sinks[0].gate.clear()
    await wire.send(wire.client.video(0))
    await happens(studio.sinks[0].arrived)
    await server.close()

    assert server.connections == 0
    assert studio.sinks[0].ends == [False]


async def test_an_occupied_port_is_told(server, studio):
    with pytest.raises(OSError):
        await serve("127.0.0.1", server.port, studio)
