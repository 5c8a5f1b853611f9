from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from media.rtmp_ingest import messages
from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.publishers import TAKEN
from media.rtmp_ingest.server import serve
from media.rtmp_ingest.transport import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.media.rtmp_ingest.publisher import Client
from tests.media.rtmp_ingest.studio import KEY, SECONDS, Recorder, Studio, Wire, happens, serving, until

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


# --- the short way ---------------------------------------------------------------------------------------------------


class Quick(Recorder):
    """Takes at once, but what begins with "slow": that waits for the gate."""

    def video(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        if payload.startswith(b"slow"):
            return super().video(timestamp_ms, payload)
        if payload == b"refused":
            raise Refused("NetStream.Publish.Rejected", "codec not taken")
        self.video_tags.append((timestamp_ms, payload))
        if payload == b"cut":
            self.cut("the stream key was changed")
        return TAKEN

    def audio(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        self.audio_tags.append((timestamp_ms, payload))
        return TAKEN

    def metadata(self, values: dict[str, Any]) -> Awaitable[None]:
        self.metadata_seen.append(values)
        return TAKEN


@pytest.fixture
def quick(studio) -> Studio:
    studio.recorder = Quick
    return studio


def frames(client: Client, *payloads: bytes) -> bytes:
    return b"".join(client.video(number, payload) for number, payload in enumerate(payloads))


async def test_order_is_kept_where_a_quick_sink_is_slow_for_once(server, quick, dial):
    wire = await (await dial(server)).streams()
    sink = quick.sinks[0]
    sink.gate.clear()
    await wire.send(frames(wire.client, b"one", b"slow two", b"three"))
    await happens(sink.arrived)
    await wire.send(wire.client.video(3, b"four"), wire.client.typed(messages.UserControl(6, bytes(4))))

    assert sink.video_tags == [(0, b"one")]
    sink.gate.set()
    await wire.hears("UserControl 7 00000000")

    assert sink.video_tags == [(0, b"one"), (1, b"slow two"), (2, b"three"), (3, b"four")]


async def test_a_quick_sink_hears_everything_without_a_turn_of_the_task(server, quick, dial):
    wire = await (await dial(server)).streams()
    (connection,) = server._connections
    await until(lambda: connection._transport._waiting)
    waiting = connection._transport._waiting
    await wire.send(frames(wire.client, b"one"), wire.client.audio(1, b"two"), wire.client.metadata({"a": 1.0}))
    await until(lambda: quick.sinks[0].metadata_seen)

    assert (quick.sinks[0].video_tags, quick.sinks[0].audio_tags) == ([(0, b"one")], [(1, b"two")])
    assert connection._transport._waiting is waiting
    assert not waiting.done()


@pytest.mark.parametrize(
    ("payload", "code", "taken"),
    [(b"refused", "NetStream.Publish.Rejected", []), (b"cut", "NetStream.Publish.Denied", [(0, b"cut")])],
)
async def test_a_quick_sink_ends_the_stream_in_words(server, quick, dial, payload, code, taken):
    wire = await (await dial(server)).streams()
    await wire.send(frames(wire.client, payload))

    assert await wire.closed() == [f"onStatus {code}"]
    assert quick.sinks[0].video_tags == taken
    assert quick.sinks[0].ends == [False]


async def test_a_quick_sink_hears_of_the_end_once(server, quick, dial):
    wire = await (await dial(server)).streams()
    await wire.send(frames(wire.client, b"one"), wire.client.stop(), frames(wire.client, b"late"))
    await wire.hears("onStatus NetStream.Unpublish.Success")
    wire.hang_up()
    await until(lambda: not server.connections)

    assert quick.sinks[0].video_tags == [(0, b"one")]
    assert quick.sinks[0].ends == [True]


# --- time and limits --------------------------------------------------------------------------------------------------


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
