"""Broken requests to the port that browsers use: whoever stands in front must change nothing of what aiohttp says.

    nice python tests/fuzz/fuzz_front.py [--inputs 100000] [--seed 1]

The law: whatever comes, in whatever pieces, what goes back is what aiohttp alone sends for the same bytes, but for the
date, the number of the request, and how far aiohttp shows what it did not understand. Inputs are one to four requests
that playback, another door or nobody answers, with bytes flipped, lines doubled, left out and exchanged, lengths made
wrong, and cut off somewhere. aiohttp alone gets them byte by byte: of what comes at once it forgets the good requests
before a bad one. We do not, until a connection is aiohttp's for good: then only byte by byte can be compared. A head
that is still not whole may be told wrong later than there, so then ours is the beginning of theirs. What breaks
the law ends the run, and is printed with the seed and the number that bring it back.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.flv import VideoFrame  # noqa: E402
from media.hls_writer.writer import Writer  # noqa: E402
from media.intake import Audio, Began, Video  # noqa: E402
from routes import wire  # noqa: E402
from routes.access import Who  # noqa: E402
from routes.doors import HttpDoor  # noqa: E402
from routes.front import Behind, Front, Fronts, State  # noqa: E402
from routes.middleware import Guard, answer, read_body  # noqa: E402
from routes.playback import Playback  # noqa: E402
from routes.quick_playback import QuickPlayback  # noqa: E402
from routes.tokens import Tokens  # noqa: E402
from tests.media.hls_writer.test_writer import hand_made  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS_QUIET = 12  # Turns of the loop without a byte, after which nothing more comes.
OF_THE_MOMENT = re.compile(rb"(?:X-Request-Id|Date): [^\r]*\r\n")
# aiohttp shows what it does not understand, as far as it has come.
SHOWN = re.compile(
    rb"(HTTP/1\.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n)Content-Length: .*\Z", re.DOTALL
)
FIELDS = (
    b"Host: x\r\n", b"Host: 127.0.0.1:8080\r\n", b"Connection: keep-alive\r\n", b"Connection: close\r\n",
    b"Accept: */*\r\n", b"Range: bytes=0-1\r\n", b"Content-Length: 0\r\n", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Expect: 100-continue\r\n",
    b"X: \xe9\r\n", b" folded\r\n", b"Cookie: a=b; c=d\r\n", b"Content-Type: application/json\r\n",
    b"Content-Encoding: gzip\r\nContent-Length: 3\r\n",
)  # fmt: skip
TARGETS = (
    b"/hls/nabi/7/source.m3u8", b"/hls/nabi/7/source.m3u8?_HLS_msn=1&_HLS_part=0&_HLS_skip=YES", b"/hls/nabi/7/x.m3u8",
    b"/hls/nabi/7/source_p1.m4s", b"/hls/nabi/7/source_p2.m4s?", b"/hls/%EB%82%98/7/source_init1.mp4",
    b"/hls/nabi/7/source_s1.m4s", b"/hls/nabi/7/source_p999.m4s", b"/hls/nabi/8/source.m3u8", b"/hls/nabi/index.m3u8",
    b"/hls/nabi/7/source.m3u8?_HLS_part=1", b"/hls/nabi/7/..", b"/hls/nabi/7/source_plain.m3u8", b"/echo", b"/nothing",
)  # fmt: skip
BODY = b'{"login_id": "nabi", "password": "123456789"}'


class Transport(asyncio.Transport):
    """What is written to nobody."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.sent.append(bytes(data))

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class One:
    """The only broadcast."""

    def __init__(self) -> None:
        self.writer = Writer(7)
        for event in hand_made():
            if isinstance(event, Began):
                self.writer.begin(event, date=1_700_000_000.0)
            elif isinstance(event, Video):
                assert isinstance(event.frame, VideoFrame)
                self.writer.video(event)
            elif isinstance(event, Audio):
                self.writer.audio(event)
        self.writer.end()  # So that nobody waits.

    def find(self, nickname: str, *, on_disk: bool = False) -> Writer | None:
        return self.writer if nickname == "nabi" else None

    def find_broadcast(self, broadcast_id: int) -> Writer | None:
        return self.writer if broadcast_id == self.writer.broadcast_id else None


async def echo(request: web.Request) -> web.StreamResponse:
    body = await read_body(request, wire.LogIn)
    return answer(wire.Gave(id="7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01", points_left=len(body.password)))


async def nobody_asks(member_id: int, login: str) -> bool:
    raise AssertionError


class Pair:
    """Both ways to the same application."""

    async def open(self) -> Pair:
        one: Any = One()
        tokens = Tokens(b"a secret of at least 32 bytes, for a test")
        guard = Guard(tokens, lives=nobody_asks, public_url=None, is_https=False)
        doors = [*Playback(one).doors(), HttpDoor(method="POST", path="/echo", who=Who.ANYONE, handle=echo, words="")]
        self._runner = web.AppRunner(guard.application(doors), access_log=None)
        await self._runner.setup()
        assert self._runner.server is not None
        self._fronts = Fronts(self._runner.server, QuickPlayback(one, guard))
        return self

    async def close(self) -> None:
        await self._runner.cleanup()

    async def ours(self, pieces: list[bytes]) -> tuple[bytes, bool, State, bool]:
        """What we send, whether we close, whose it is at the end, and whether a head is still not whole."""
        front = Front(self._fronts)
        sent, closed = await self._feed(front, pieces)
        state, unfinished = front._state, front._state is State.FREE and bool(front._held)
        front.connection_lost(None)
        return sent, closed, state, unfinished

    async def theirs(self, data: bytes) -> tuple[bytes, bool]:
        behind = self._fronts.behind()
        behind.front = None
        found = await self._feed(behind, [data[at : at + 1] for at in range(len(data))])
        behind.connection_lost(None)
        return found

    async def _feed(self, protocol: Front | Behind, pieces: list[bytes]) -> tuple[bytes, bool]:
        transport = Transport()
        protocol.connection_made(transport)
        for piece in pieces:
            if transport.closed:
                break
            protocol.data_received(piece)
            if len(piece) > 1 or piece == b"\n":
                await asyncio.sleep(0)
        quiet = count = 0
        while quiet < TURNS_QUIET:
            await asyncio.sleep(0)
            quiet, count = (quiet + 1, count) if len(transport.sent) == count else (0, len(transport.sent))
        return SHOWN.sub(rb"\1", OF_THE_MOMENT.sub(b"", b"".join(transport.sent))), transport.closed


def request(random: Random) -> bytes:
    method = random.choice((b"GET",) * 6 + (b"HEAD", b"OPTIONS", b"POST", b"PUT", b"get", b"BREW"))
    target = random.choice(TARGETS)
    fields = [FIELDS[0], *random.sample(FIELDS[2:6], random.randrange(3))]
    body = b""
    if target == b"/echo" or random.random() < 0.05:
        method = random.choice((b"POST", method))
        body = BODY
        fields += [b"Content-Type: application/json\r\n", b"Content-Length: %d\r\n" % (len(BODY) + odd(random))]
    if random.random() < 0.1:
        fields.append(random.choice(FIELDS))
    version = random.choice((b"1.1",) * 20 + (b"1.0", b"2.0", b"1.2", b"9"))
    return method + b" " + target + b" HTTP/" + version + b"\r\n" + b"".join(fields) + b"\r\n" + body


def odd(random: Random) -> int:
    """A length is mostly right."""
    return random.choice((0,) * 8 + (-1, 1, 40))


def flip(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] = random.choice(
        (0, 9, 10, 13, 32, 35, 37, 46, 47, 58, 63, 127, 233, random.randrange(256))
    )


def leave_out(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.choice((1, 2, 2, 9, 60))]


def put_in(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice((b"\r\n", b"\n", b"\r", b" ", b":", b"\x00", b"%2e", b"#", *FIELDS))


def double(random: Random, data: bytearray) -> None:
    lines = bytes(data).split(b"\r\n")
    lines.insert(random.randrange(len(lines)), random.choice(lines))
    data[:] = b"\r\n".join(lines)


def cut_off(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


CHANGES: tuple[Callable[[Random, bytearray], None], ...] = (flip, flip, leave_out, put_in, double, cut_off)


def make(random: Random) -> tuple[bytes, list[bytes]]:
    """An input, and the pieces in which it comes."""
    data = bytearray(b"".join(request(random) for _ in range(random.randrange(1, 5))))
    for _ in range(random.choice((0, 0, 1, 1, 1, 2, 4))):
        if data:
            random.choice(CHANGES)(random, data)
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 1, 3, 20))))
    pieces = [bytes(data[start:end]) for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return bytes(data), [piece for piece in pieces if piece]


async def fuzz(inputs: int, seed: int, say: Callable[[str], object] = print) -> dict[str, int]:
    """How many inputs had an answer of ours, of each status."""
    pair = await Pair().open()
    counts: dict[str, int] = {}
    try:
        for number in range(inputs):
            data, pieces = make(Random(f"{seed} {number}"))
            theirs, closes = await pair.theirs(data)
            for way in (pieces, [data[at : at + 1] for at in range(len(data))]):
                ours, closed, state, unfinished = await pair.ours(way)
                same = theirs.startswith(ours) if unfinished else (ours, closed) == (theirs, closes)
                if not same and not (state is State.FOREIGN and way is pieces):
                    say(f"input {number} of seed {seed} breaks the law")
                    raise AssertionError(way, ours, theirs, closed, closes)
            for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3})", ours):
                counts[status.decode()] = counts.get(status.decode(), 0) + 1
    finally:
        await pair.close()
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    print(asyncio.run(fuzz(given.inputs, given.seed)), f"in {time.monotonic() - began:.0f} s")
