from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from media.rtmp_ingest import messages
from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.server import READ_BYTES, WRITE_BYTES_MAX, Limits, household, serve
from tests.media.rtmp_ingest.publisher import C0_C1, C2, Client, Heard, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from media.rtmp_ingest.server import RtmpServer

KEY = "sk_live_0123456789"
SECONDS = 20  # For what should take milliseconds. Nothing below waits for it to pass.
CAMERA = ("-f", "lavfi", "-i", "testsrc2=size=160x96:rate=15", "-f", "lavfi", "-i", "sine")
ENCODED = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "15", "-c:a", "aac")


# --- the other side of the two protocols -----------------------------------------------------------------------------


class Recorder:
    """A sink that keeps what it is given."""

    def __init__(self, cut: Callable[[str], None]) -> None:
        self.cut = cut
        self.video_tags: list[tuple[int, bytes]] = []
        self.audio_tags: list[tuple[int, bytes]] = []
        self.metadata_seen: list[dict[str, Any]] = []
        self.ends: list[bool] = []
        self.ended = asyncio.Event()
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def video(self, timestamp_ms: int, payload: bytes) -> None:
        self.arrived.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        self.video_tags.append((timestamp_ms, payload))

    async def audio(self, timestamp_ms: int, payload: bytes) -> None:
        self.arrived.set()
        self.audio_tags.append((timestamp_ms, payload))

    async def metadata(self, values: dict[str, Any]) -> None:
        self.metadata_seen.append(values)

    async def end(self, clean: bool) -> None:
        self.ends.append(clean)
        self.ended.set()


@dataclass
class Studio:
    """Decides about publishers: one key is right."""

    sinks: list[Recorder] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.answers.set()

    async def publish(self, key: str, app: str, cut: Callable[[str], None]) -> Recorder:
        self.asked.append((key, app))
        await self.answers.wait()
        if self.failure:
            raise self.failure
        if key != KEY:
            raise Refused("NetStream.Publish.BadName", "unknown stream key: make a new one in your studio")
        self.sinks.append(Recorder(cut))
        return self.sinks[-1]


class Wire:
    """A publisher's socket in the test's hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.client, self._heard = Client(), Heard()
        self.said: list[str] = []

    async def send(self, *data: bytes) -> Wire:
        self.writer.write(b"".join(data))
        await self.writer.drain()
        return self

    async def hears(self, line: str) -> Wire:
        """Read until the server has said `line`."""
        async with asyncio.timeout(SECONDS):
            while line not in self.said:
                data = await self.reader.read(65536)

                assert data, f"closed before {line!r}: {self.said}"
                self.said += said(self._heard.take(data))
        self.said = self.said[self.said.index(line) + 1 :]
        return self

    async def closed(self) -> list[str]:
        """Read to the end and return all that was said on the way."""
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(ConnectionResetError):
                while data := await self.reader.read(65536):
                    self.said += said(self._heard.take(data))
        self.hang_up()
        return self.said

    async def streams(self, key: str = KEY) -> Wire:
        await self.send(self.client.start(key))
        return await self.hears("onStatus NetStream.Publish.Start")

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.002)


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(SECONDS):
        await event.wait()


@pytest.fixture
def studio() -> Studio:
    return Studio()


@contextlib.asynccontextmanager
async def serving(studio: Studio, **limits: Any) -> AsyncIterator[RtmpServer]:
    server = await serve("127.0.0.1", 0, studio, limits=Limits(**limits))
    try:
        yield server
    finally:
        await server.close()

        assert server.connections == 0


@pytest.fixture
async def server(studio) -> AsyncIterator[RtmpServer]:
    async with serving(studio) as server:
        yield server


@pytest.fixture
async def dial() -> AsyncIterator[Callable[[RtmpServer], Any]]:
    wires = []

    async def dialled(server: RtmpServer) -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", server.port)))
        return wires[-1]

    yield dialled
    for wire in wires:
        wire.writer.transport.abort()


async def run(*command: str) -> tuple[int, str]:
    """Run a program to its end and return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


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


# --- one publisher ---------------------------------------------------------------------------------------------------


async def test_a_clean_end_is_told_once(server, studio, dial):
    wire = await (await dial(server)).streams()
    await wire.send(wire.client.video(0, b"one"), wire.client.audio(1, b"two"), wire.client.metadata({"a": 1.0}))
    await (await wire.send(wire.client.stop())).hears("onStatus NetStream.Unpublish.Success")
    wire.hang_up()
    await until(lambda: not server.connections)
    (sink,) = studio.sinks

    assert sink.video_tags == [(0, b"one")]
    assert sink.audio_tags == [(1, b"two")]
    assert sink.metadata_seen == [{"a": 1.0}]
    assert sink.ends == [True]


@pytest.mark.parametrize("how", ["hang_up", "reset"])
async def test_a_lost_connection_is_told_once(server, studio, dial, how, caplog):
    wire = await (await dial(server)).streams()
    await wire.send(wire.client.video(0, b"one"))
    await happens(studio.sinks[0].arrived)
    getattr(wire, how)()
    await until(lambda: not server.connections)

    assert studio.sinks[0].ends == [False]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_one_connection_publishes_twice(server, studio, dial):
    wire = await (await dial(server)).streams()
    await wire.send(wire.client.video(0, b"one"), wire.client.stop(), wire.client.create_stream())
    await (await wire.hears("_result 2")).send(wire.client.publish(KEY, stream=2))
    await (await wire.hears("onStatus NetStream.Publish.Start")).send(wire.client.video(0, b"two"))
    await until(lambda: len(studio.sinks) == 2 and studio.sinks[1].video_tags)

    assert [sink.video_tags for sink in studio.sinks] == [[(0, b"one")], [(0, b"two")]]
    assert studio.sinks[0].ends == [True]


async def test_cut_off_in_words(server, studio, dial):
    wire = await (await dial(server)).streams()
    studio.sinks[0].cut("the stream key was changed")
    studio.sinks[0].cut("another reason")

    assert await wire.closed() == ["onStatus NetStream.Publish.Denied"]
    await until(lambda: not server.connections)

    assert studio.sinks[0].ends == [False]


async def test_cut_off_while_its_media_is_being_taken(server, studio, dial):
    wire = await (await dial(server)).streams()
    sink = studio.sinks[0]
    sink.gate.clear()
    await wire.send(wire.client.video(0))
    await happens(sink.arrived)
    sink.cut("the stream key was changed")
    sink.gate.set()

    assert await wire.closed() == ["onStatus NetStream.Publish.Denied"]


async def test_a_cut_after_the_end_is_nothing(server, studio, dial):
    wire = await (await dial(server)).streams()
    wire.hang_up()
    await until(lambda: not server.connections)
    studio.sinks[0].cut("too late")

    assert studio.sinks[0].ends == [False]


async def test_a_refusal_by_the_sink_is_shown(server, studio, dial):
    wire = await (await dial(server)).streams()
    studio.sinks[0].failure = Refused("NetStream.Publish.Rejected", "codec not taken")
    await wire.send(wire.client.video(0), wire.client.video(33), wire.client.audio(40))

    assert await wire.closed() == ["onStatus NetStream.Publish.Rejected"]
    assert studio.sinks[0].ends == [False]
    assert studio.sinks[0].audio_tags == []


async def test_a_bug_of_the_sink_costs_its_publisher_only(server, studio, dial, caplog):
    broken, other = await (await dial(server)).streams(), await (await dial(server)).streams()
    studio.sinks[0].failure = RuntimeError("a bug")
    await broken.send(broken.client.video(0))

    assert await broken.closed() == ["onStatus NetStream.Failed"]
    await other.send(other.client.video(5, b"still here"))
    await until(lambda: studio.sinks[1].video_tags)

    assert studio.sinks[1].video_tags == [(5, b"still here")]
    assert studio.sinks[0].ends == [False]
    assert "a bug" in caplog.text


async def test_a_sink_that_fails_at_the_end_is_logged(server, studio, dial, caplog):
    wire = await (await dial(server)).streams()

    async def end(clean: bool) -> None:
        raise RuntimeError(f"end {clean}")

    studio.sinks[0].end = end
    wire.hang_up()
    await until(lambda: not server.connections)

    assert "end False" in caplog.text


async def test_a_garbled_stream_does_not_touch_its_neighbour(server, studio, dial):
    garbled, other = await (await dial(server)).streams(), await (await dial(server)).streams()
    for number in range(20):
        await other.send(other.client.video(number))
        await garbled.send(os.urandom(1000) if number == 7 else b"")
    await until(lambda: len(studio.sinks[1].video_tags) == 20)
    await garbled.closed()

    assert studio.sinks[1].ends == []
    assert studio.sinks[0].ends == [False]


async def test_a_slow_sink_makes_its_publisher_wait(server, studio, dial):
    """Nothing is queued without bound: what TCP and one reader hold, and no more."""
    wire = await (await dial(server)).streams()
    sink = studio.sinks[0]
    sink.gate.clear()
    sock = wire.writer.get_extra_info("socket").dup()
    sock.setblocking(False)
    frames = wire.client.chunk_size(1 << 20) + b"".join(wire.client.video(0, bytes(60_000)) for _ in range(1000))
    sent, stalled = 0, 0
    while stalled < 200 and sent < len(frames):
        try:
            sent += sock.send(frames[sent : sent + 65536])
            stalled = 0
        except BlockingIOError:
            stalled += 1
        await asyncio.sleep(0)
    (connection,) = server._connections

    assert sent < len(frames)
    assert connection._session.bytes_received < 4 * READ_BYTES
    assert sink.video_tags == []
    sink.gate.set()
    while sent < len(frames):
        with contextlib.suppress(BlockingIOError):
            sent += sock.send(frames[sent : sent + 65536])
        await asyncio.sleep(0)
    sock.close()
    await until(lambda: len(sink.video_tags) == 1000)


# --- decisions -------------------------------------------------------------------------------------------------------


async def test_nothing_streams_before_the_decision(server, studio, dial):
    studio.answers.clear()
    wire = await dial(server)
    await wire.send(wire.client.start(KEY), wire.client.video(0, b"early"))
    await until(lambda: studio.asked)

    assert studio.sinks == []
    studio.answers.set()
    await wire.hears("onStatus NetStream.Publish.Start")
    await until(lambda: studio.sinks[0].video_tags)

    assert studio.sinks[0].video_tags == [(0, b"early")]


async def test_a_refusal_survives_what_the_peer_has_sent_meanwhile(server, dial):
    """Closing a socket with unread bytes would reset it, and the word would be lost on its way."""
    wire = await dial(server)
    frames = b"".join(wire.client.video(number, bytes(5000)) for number in range(120))
    await wire.send(wire.client.start("wrong"), frames)

    assert "onStatus NetStream.Publish.BadName" in await wire.closed()


async def test_a_store_that_fails_is_not_the_streamer_s_fault(server, studio, dial, caplog):
    studio.failure = RuntimeError(f"duplicate key ({KEY})")
    wire = await dial(server)
    await wire.send(wire.client.start(KEY))

    assert (await wire.closed())[-1] == "onStatus NetStream.Failed"
    assert "duplicate key" in caplog.text
    assert KEY not in caplog.text


async def test_a_store_that_does_not_answer_is_not_waited_for(studio, dial):
    async with serving(studio, decision_seconds_max=0.01) as server:
        studio.answers.clear()
        wire = await dial(server)
        await wire.send(wire.client.start(KEY))

        assert (await wire.closed())[-1] == "onStatus NetStream.Failed"
        assert studio.sinks == []


async def test_the_key_is_never_logged(server, studio, dial, caplog):
    with caplog.at_level(logging.DEBUG):
        wire = await (await dial(server)).streams()
        await wire.send(wire.client.video(0), wire.client.stop())
        wire.hang_up()
        await until(lambda: not server.connections)

    assert "rtmp_closed address=127.0.0.1 reason='the peer closed the connection'" in caplog.text
    assert KEY not in caplog.text


# --- strangers -------------------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_port_scan_leaves_nothing_behind(server, studio):
    await asyncio.sleep(0)
    tasks, files = len(asyncio.all_tasks()), descriptors()
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

    assert (len(asyncio.all_tasks()), descriptors()) == (tasks, files)
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
        assert server.connections == 4
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


async def test_who_does_not_read_its_answers_is_left(studio):
    async with serving(studio, write_seconds_max=0.05, linger_seconds_max=0.05) as server:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        wire = await Wire(*await asyncio.open_connection(sock=sock)).streams()
        wire.writer.transport.pause_reading()
        # Small questions with long answers.
        questions = wire.client.command("FCPublish", 3.0) * 500
        with contextlib.suppress(OSError):
            async with asyncio.timeout(SECONDS):
                while server.connections:
                    await wire.send(questions)
        wire.writer.transport.abort()
        await until(lambda: not server.connections)

        assert studio.sinks[0].ends == [False]


def test_limits_keep_their_order():
    with pytest.raises(AssertionError):
        Limits(strangers_by_address_max=9, strangers_max=8)
    with pytest.raises(AssertionError):
        Limits(strangers_max=2000)


def test_answers_wait_in_less_than_a_read():
    # One read's worth of pings is answered by about as many bytes: one turn cannot overrun the buffer's limit twice.
    assert WRITE_BYTES_MAX >= 2 * READ_BYTES


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("-", "-"),
    ],
)
def test_one_customer_of_the_network(host, expected):
    assert household(host) == expected


# --- time and the end ------------------------------------------------------------------------------------------------


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock a test can put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


async def test_the_session_s_deadlines_are_kept():
    """The one timer of each connection is armed: put the clock forward instead of waiting."""

    async def scenario(loop: JumpingLoop) -> list[bool]:
        studio = Studio()
        server = await serve("127.0.0.1", 0, studio)
        silent = Wire(*await asyncio.open_connection("127.0.0.1", server.port))
        await until(lambda: server.connections == 1)
        loop.ahead += 5.1

        assert await silent.closed() == []
        frozen = await Wire(*await asyncio.open_connection("127.0.0.1", server.port)).streams()
        await frozen.send(frozen.client.video(0))
        await happens(studio.sinks[0].arrived)
        loop.ahead += 10.1

        assert await frozen.closed() == []
        await server.close()
        return studio.sinks[0].ends

    def in_its_own_loop() -> list[bool]:
        loop = JumpingLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(scenario(loop))

    assert await asyncio.to_thread(in_its_own_loop) == [False]


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


async def test_a_bug_of_ours_costs_one_connection(server, studio, dial, caplog):
    broken, other = await (await dial(server)).streams(), await (await dial(server)).streams()
    first, _ = server._connections
    first._session._reader = None  # What a bug could leave behind.
    await broken.send(broken.client.typed(messages.UserControl(messages.PING_REQUEST, bytes(4))))
    await happens(studio.sinks[0].ended)
    await other.send(other.client.video(0))
    await until(lambda: studio.sinks[1].video_tags)

    assert "rtmp_failed" in caplog.text
    assert await broken.closed() == []
