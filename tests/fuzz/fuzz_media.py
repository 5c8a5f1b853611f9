"""Broken bytes into every core that a stranger's bytes reach on their way from the RTMP port to the muxer.

    nice python tests/fuzz/fuzz_media.py [--inputs 1000000] [--seed 1]

The law: what is accepted can be written again and is read as the same, and what is refused is refused by a documented
error of its family. Inputs are recordings of real encoders and what was cut out of them, with bytes flipped, lengths
made large, pieces left out, doubled and exchanged; and bytes by chance. Each core gets its share, in turn. What breaks
the law ends the run, and is printed with the seed and the number that bring it back. Memory must not grow: the resident
size is looked at when a tenth is done, and at the end.
"""

from __future__ import annotations

import argparse
import math
import resource
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from media.flv import FlvError, TagKind, TagReader, read_audio, read_video, write_header, write_tag  # noqa: E402
from media.hls_writer.errors import MediaError  # noqa: E402
from media.intake import Audio, Began, Intake, Video  # noqa: E402
from media.multitrack import first_track  # noqa: E402
from media.rtmp_ingest import amf0, messages  # noqa: E402
from media.rtmp_ingest.chunks import ChunkReader, ChunkWriter  # noqa: E402
from media.rtmp_ingest.errors import AmfError, ChunkError, HandshakeError, MessageError  # noqa: E402
from media.rtmp_ingest.events import PublishRequested, SessionClosed  # noqa: E402
from media.rtmp_ingest.handshake import CLIENT_WORDS, Handshake, imprint  # noqa: E402
from media.rtmp_ingest.session import Session  # noqa: E402
from media.rtmp_ingest.states import State  # noqa: E402
from tests.media.rtmp_ingest.feeding import messages_of, randomly  # noqa: E402
from tests.media.rtmp_ingest.publisher import NONCE, Client  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "tests" / "vectors" / "rtmp"
HANDSHAKE_BYTES = 3073
CUT_BYTES = 12_000  # Of a recording: the interesting part is its beginning.
GROWTH_KIB_MAX = 64 * 1024
# Values that lengths, counts and times break at.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True)
class Corpus:
    """What to begin from."""

    recordings: list[bytes]
    chunks: list[bytes]
    messages: list[tuple[int, bytes]]
    amf: list[bytes]
    video: list[bytes]
    audio: list[bytes]
    flv: list[bytes]
    films: list[list[tuple[int, int, bytes]]]


def corpus() -> Corpus:
    recordings = [path.read_bytes()[:CUT_BYTES] for path in sorted(FOLDER.glob("*.bin"))]
    chunks = [recording[HANDSHAKE_BYTES:] for recording in recordings]
    found = [message for part in chunks for message in messages_of(ChunkReader(), [part])]
    media = [message for message in found if message.type_id in (8, 9)]
    films = [
        [(each.type_id, each.timestamp, each.payload) for each in messages_of(ChunkReader(), [part]) if each in media]
        for part in chunks
    ]
    amf = [message.payload for message in found if message.type_id in (15, 17, 18, 20)]
    amf += [b"\x11" + value for value in AMF3] + [amf0.encode(value) for value in AMF0]
    flv = [
        write_header(video=True, audio=True)
        + b"".join(write_tag(message.type_id, message.timestamp, message.payload) for message in media[at : at + 6])
        for at in range(0, len(media), 6)
    ]
    return Corpus(
        recordings,
        chunks,
        [(message.type_id, message.payload) for message in found] + CONTROLS,
        amf,
        [message.payload for message in media if message.type_id == 9] + ENHANCED,
        [message.payload for message in media if message.type_id == 8]
        + [b"\x95\x00Opus\x00", b"\x97\x02\0\0\0\x01Opus"],
        flv,
        films,
    )


AMF0 = ({"a": [1.0, None, True, {"b": "c"}]}, [[[[[]]]]], "x" * 70_000, {"": ""}, math.nan)
AMF3 = (
    b"\x09\x05\x01\x04\x01\x06\x03a",  # [1, "a"]
    b"\x0a\x23\x03X\x03a\x03b\x04\x01\x04\x02",  # an object of class X
    b"\x0a\x0b\x01\x03a\x04\x01\x01",  # a dynamic one
    b"\x08\x01" + struct.pack(">d", 1e12),
    b"\x04\xff\xff\xff\xff",
)
CONTROLS = [
    (1, b"\0\0\1\0"), (2, b"\0\0\0\6"), (3, b"\0\0\0\1"), (4, b"\0\6\0\0\0\1"), (5, b"\0\1\0\0"), (6, b"\0\1\0\0\2"),
    (22, b"\x09\0\0\1\0\0\0\0\0\0\0f\0\0\0\x0c"),
]  # fmt: skip
ENHANCED = [
    b"\x90hvc1" + bytes(30),
    b"\x91av01" + bytes(30),
    b"\x96\x00hvc1\x00\0\0\0frame",
    b"\x96\x11hvc1\x00\0\0\x05frame\x01\0\0\x05other",
    b"\x96\x21hvc1\x00\0\0\x05frameav01\x01\0\0\x05other",
    b"\x97\x02\0\0\x01\x01hvc1\0\0\0frame",
]
ENHANCED_AUDIO = [
    b"\x90Opus" + bytes(20),
    b"\x91Opusframe",
    b"\x95\x01Opus\x00frame",
    b"\x95\x11Opus\x01\0\0\x05other\x00\0\0\x05frame",
    b"\x97\x02\0\0\0\x01Opusframe",
]


# --- breaking ---------------------------------------------------------------------------------------------------------


def broken(data: bytes, random: Random, others: list[bytes]) -> bytes:
    """Return `data` with one to six faults."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        random.choice(FAULTS)(out, random, others)
    return bytes(out)


def _flip(out: bytearray, random: Random, _: list[bytes]) -> None:
    for _ in range(random.choice((1, 1, 2, 8))):
        if out:
            out[random.randrange(len(out))] = random.getrandbits(8)


def _edge(out: bytearray, random: Random, _: list[bytes]) -> None:
    size = random.choice((1, 2, 3, 4))
    at = random.randint(0, max(0, len(out) - size))
    out[at : at + size] = (random.choice(EDGES) & ((1 << 8 * size) - 1)).to_bytes(
        size, random.choice(("big", "little"))
    )


def _cut(out: bytearray, random: Random, _: list[bytes]) -> None:
    at = random.randint(0, len(out))
    del out[at : at + random.choice((1, 3, 11, 128, 1 << 20))]


def _double(out: bytearray, random: Random, _: list[bytes]) -> None:
    at = random.randint(0, len(out))
    out[at:at] = out[at : at + random.choice((1, 4, 40))] * random.choice((1, 2, 100))


def _mix(out: bytearray, random: Random, others: list[bytes]) -> None:
    other = random.choice(others)
    at, start = random.randint(0, len(out)), random.randint(0, len(other))
    out[at : at + random.choice((0, 20, 1 << 20))] = other[start : start + random.choice((4, 40, 400))]


def _chance(out: bytearray, random: Random, _: list[bytes]) -> None:
    at = random.randint(0, len(out))
    out[at:at] = random.randbytes(random.choice((1, 5, 60)))


FAULTS = (_flip, _flip, _edge, _edge, _cut, _double, _mix, _chance)


# --- the cores --------------------------------------------------------------------------------------------------------


def handshake(random: Random, known: Corpus) -> bool:
    data = random.choice(known.recordings)[: random.choice((1, 700, 1537, 3073, 4000))]
    if random.random() < 0.3:
        data = b"\x03" + imprint(
            b"\0\0\0\0\x09\0\x7c\x02" + random.randbytes(1528), random.choice((8, 772)), CLIENT_WORDS
        )
    data = broken(data, random, known.recordings)
    shaking, replies, rest = Handshake(NONCE), b"", b""
    try:
        for piece in randomly(data, random):
            progress = shaking.receive_data(piece)
            replies += progress.reply
            if progress.done:
                rest = data[3073:]
                break
    except HandshakeError:
        assert data[:1] != b"\x03"
        return False
    assert len(replies) == (3073 if len(data) >= 1537 else 0)
    assert len(rest) == max(0, len(data) - 3073)
    return bool(replies)


def chunks(random: Random, known: Corpus) -> bool:
    data = broken(random.choice(known.chunks), random, known.chunks)
    try:
        found = messages_of(ChunkReader(), randomly(data, random))
    except ChunkError:
        return False
    writer = ChunkWriter()
    chunk_stream = random.choice((3, 64, 400, 65_599))
    again = b"".join(writer.write(message, chunk_stream) for message in found)
    assert messages_of(ChunkReader(), randomly(again, random)) == found
    return True


def amf(random: Random, known: Corpus) -> bool:
    data = broken(random.choice(known.amf), random, known.amf)
    try:
        values = amf0.decode(data)
    except AmfError:
        return False
    written = amf0.encode(*values)
    # NaN is not equal to itself; its bytes are. What AMF3 said is written as AMF0, and there may be less room in it.
    assert amf0.encode(*amf0.decode(written)) == written
    return True


def typed_messages(random: Random, known: Corpus) -> bool:
    type_id, payload = random.choice(known.messages)
    if random.random() < 0.1:
        type_id = random.getrandbits(8)
    payload = broken(payload, random, known.amf)
    try:
        if type_id == 22:
            parts = list(messages.split(messages.Message(22, 0, 1, payload)))
            assert sum(len(part.payload) for part in parts) <= len(payload)
            return True
        message = messages.read(type_id, payload)
        kind, written = messages.write(message)
        assert messages.write(messages.read(kind, written)) == (kind, written)
    except (MessageError, AmfError):
        return False
    return True


def session(random: Random, known: Corpus) -> bool:
    start = Client().start() if random.random() < 0.5 else b""
    data = start + broken(random.choice(known.chunks), random, known.chunks) if start else b""
    if not start:
        recording = random.choice(known.recordings)
        data = recording[:HANDSHAKE_BYTES] + broken(recording[HANDSHAKE_BYTES:], random, known.chunks)
    talk, now, ends, fed = Session(0.0, NONCE), 0.0, 0, 0
    for piece in (*randomly(data, random), b""):
        now += random.choice((0.0, 0.0, 0.001, 0.1, 6.0)) if random.random() < 0.02 else 0.0
        talk.tick(now)
        talk.receive_data(piece, now)
        fed += len(piece)
        while events := talk.events():
            for event in events:
                if isinstance(event, PublishRequested):
                    if random.random() < 0.9:
                        talk.accept(event.request_id, now)
                    else:
                        talk.reject(event.request_id, "NetStream.Publish.BadName", "no")
                ends += isinstance(event, SessionClosed)
        assert len(talk.data_to_send()) < 8192 + 400 * len(piece)
        deadline = talk.next_deadline()
        assert deadline is None or now < deadline <= now + 10
    assert talk.state is State.CLOSED
    assert ends == 1
    return talk.bytes_received == fed


def tags(random: Random, known: Corpus) -> bool:
    accepted = False
    for kind, payloads, read in ((TagKind.VIDEO, known.video, read_video), (TagKind.AUDIO, known.audio, read_audio)):
        payload = broken(random.choice(payloads)[:2000], random, payloads)
        try:
            plain = first_track(kind, payload)
            accepted |= read(payload if plain is None else plain) is not None
        except FlvError as error:
            assert str(error).isprintable()
    data = broken(random.choice(known.flv), random, known.flv)
    reader, found = TagReader(), []
    try:
        for piece in randomly(data, random):
            found += reader.receive_data(piece)
    except FlvError:
        return accepted
    again = write_header(video=True, audio=True)
    again += b"".join(write_tag(tag.kind, tag.timestamp_ms, tag.payload) for tag in found)
    assert TagReader().receive_data(again) == found
    return accepted


def intake(random: Random, known: Corpus) -> bool:
    """Configurations of codecs too: parameter sets, av1C, AudioSpecificConfig, OpusHead."""
    taking, began, shift_ms = Intake(), False, random.choice((0, 0, 2**32 - 100))
    for kind, time_ms, payload in random.choice(known.films)[: random.randint(1, 40)]:
        payloads = known.video if kind == TagKind.VIDEO else known.audio
        given = broken(payload[:3000], random, payloads) if random.random() < 0.06 else payload
        shift_ms += random.choice((20_000, -2000, 2**31)) if random.random() < 0.02 else 0
        try:
            events = (taking.video if kind == TagKind.VIDEO else taking.audio)((time_ms + shift_ms) % 2**32, given)
        except (FlvError, MediaError) as error:
            assert str(error).isprintable()
            return began
        for event in events:
            assert isinstance(event, Began | Video | Audio)
            began |= isinstance(event, Began)
    return began


CORES: dict[str, Callable[[Random, Corpus], bool]] = {
    "handshake": handshake,
    "chunks": chunks,
    "amf": amf,
    "messages": typed_messages,
    "session": session,
    "tags": tags,
    "intake": intake,
}


def fuzz(inputs: int, seed: int, *, say: Callable[[str], Any] = lambda _: None) -> dict[str, list[int]]:
    """Return for each core how many inputs it accepted and how many it got. Raises what breaks the law."""
    known = corpus()
    counts = {name: [0, 0] for name in CORES}
    names = list(CORES)
    for number in range(inputs):
        name = names[number % len(names)]
        # Each input is made by a number of its own, so that one can be made again without the others.
        random = Random(f"{seed} {number}")
        try:
            counts[name][0] += CORES[name](random, known)
        except BaseException:
            say(f"input {number} of seed {seed} breaks {name}")
            raise
        counts[name][1] += 1
        if inputs >= 10 and number % (inputs // 10) == inputs // 10 - 1:
            say(f"{number + 1} inputs, {resident_kib()} KiB")
    return counts


def resident_kib() -> int:
    """The highest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(options: argparse.Namespace) -> None:
    began, sizes = time.monotonic(), []

    def say(words: str) -> None:
        sizes.append(resident_kib())
        print(words, flush=True)

    if options.only is not None:
        name = list(CORES)[options.only % len(CORES)]
        print(name, CORES[name](Random(f"{options.seed} {options.only}"), corpus()))
        return
    counts = fuzz(options.inputs, options.seed, say=say)
    print(f"{options.inputs} inputs in {time.monotonic() - began:.0f} s, seed {options.seed}")
    for name, (accepted, given) in counts.items():
        print(f"{name:>10} {given:>8} inputs, {100 * accepted / given:.0f} % accepted")
    growth = sizes[-1] - sizes[0]
    print(f"resident size: {sizes[0]} KiB after a tenth, {sizes[-1]} KiB at the end")
    assert growth < GROWTH_KIB_MAX, f"{growth} KiB more at the end"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one input, to see it break again")
    main(parser.parse_args())
