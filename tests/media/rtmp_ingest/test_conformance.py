"""What peers get wrong, case by case (RTMP 1.0, Enhanced RTMP v2, AMF0): bytes in, and what must come of them.

Every case is played whole, byte by byte and in random pieces; a case that ends on the air is also played with a tail,
one more frame, that must arrive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from media.rtmp_ingest import amf0, chunks, messages
from media.rtmp_ingest.amf_values import (
    AmfMarkerRefused,
    AmfTooDeep,
    AmfTruncated,
    EcmaArray,
    TypedObject,
)
from media.rtmp_ingest.events import (
    AudioReceived,
    Metadata,
    PublishEnded,
    PublishRequested,
    SessionClosed,
    VideoReceived,
)
from media.rtmp_ingest.handshake import CLIENT_WORDS, UnknownVersion, imprint
from media.rtmp_ingest.session import Session
from media.rtmp_ingest.states import OutOfOrder, State
from tests.media.rtmp_ingest.feeding import byte_by_byte, randomly, whole
from tests.media.rtmp_ingest.publisher import C0_C1, C2, NONCE, Client, Heard, chunk, said

if TYPE_CHECKING:
    from media.rtmp_ingest.errors import RtmpError


@dataclass
class Outcome:
    """What came of a conversation in which every wish to publish was granted at once."""

    state: State = State.PUBLISHING
    keys: list[str] = field(default_factory=lambda: ["demo_key"])
    # ("v", time, payload) and ("a", time, payload), "end", and metadata as dicts.
    media: list[Any] = field(default_factory=list)
    cause: type[RtmpError] | None = None
    # Lines that must be among those said.
    said: list[str] = field(default_factory=list)


def play(pieces: list[bytes]) -> tuple[Outcome, list[str]]:
    session, heard, outcome = Session(0.0, NONCE), Heard(), Outcome(keys=[])
    lines: list[str] = []
    for piece in pieces:
        session.receive_data(piece, 0.0)
        while events := session.events():
            for event in events:
                match event:
                    case PublishRequested(request_id=request_id, key=key):
                        outcome.keys.append(key)
                        session.accept(request_id, 0.0)
                    case VideoReceived(timestamp_ms=time, payload=payload):
                        outcome.media.append(("v", time, payload))
                    case AudioReceived(timestamp_ms=time, payload=payload):
                        outcome.media.append(("a", time, payload))
                    case Metadata(values=values):
                        outcome.media.append(values)
                    case PublishEnded():
                        outcome.media.append("end")
                    case SessionClosed(cause=cause):
                        outcome.cause = type(cause) if cause else None
        lines += said(heard.take(session.data_to_send()))
    outcome.state = session.state
    return outcome, lines


client = Client()
START = client.start()
HELLO = C0_C1 + C2
CONNECTED = HELLO + client.connect()
READY = CONNECTED + client.create_stream()
LARGE = bytes(range(256)) * 20

ON_AIR = Outcome()
CLOSED = State.CLOSED


def refused(code: str, keys: list[str] | None = None) -> Outcome:
    return Outcome(CLOSED, keys or [], said=[f"onStatus {code}"])


def broken(cause: type[RtmpError], keys: list[str] | None = None, media: list[Any] | None = None) -> Outcome:
    return Outcome(CLOSED, ["demo_key"] if keys is None else keys, media or [], cause)


def on_air(*media: Any, said: list[str] | None = None) -> Outcome:
    return Outcome(media=list(media), said=said or [])


def set_size(size: int) -> bytes:
    return chunk(0, 2, size.to_bytes(4, "big"), time=0, type_id=1, stream_id=0)


def command_payload(payload: bytes) -> bytes:
    return client.message(messages.COMMAND, payload)


def tag(type_id: int, time: int, payload: bytes) -> bytes:
    header = bytes((type_id,)) + len(payload).to_bytes(3, "big") + time.to_bytes(3, "big") + b"\0\0\0\0"
    return header + payload + (len(payload) + 11).to_bytes(4, "big")


def enhanced(first: int, rest: bytes = b"") -> bytes:
    return client.video(7, bytes((first,)) + rest)


DIGEST_C1 = imprint(bytes((0, 0, 0, 0, 9, 0, 124, 2)) + Random(9).randbytes(1528), 772, CLIENT_WORDS)
HOUR_4_39 = 0xFFFFFF
DAYS_49 = 2**32 - 1

CASES: dict[str, tuple[bytes, Outcome]] = {
    # --- handshake
    "01 C0 of version 6 (RTMPE)": (b"\x06" + START[1:], broken(UnknownVersion, [])),
    "02 C0 is TLS": (b"\x16\x03\x01" + START, broken(UnknownVersion, [])),
    "03 C0 is HTTP": (b"GET / HTTP/1.1\r\n\r\n", broken(UnknownVersion, [])),
    "04 the simple handshake": (START, ON_AIR),
    "05 the digest handshake": (b"\x03" + DIGEST_C1 + C2 + START[3073:], ON_AIR),
    "06 C2 that echoes nothing": (C0_C1 + Random(1).randbytes(1536) + START[3073:], ON_AIR),
    "07 half a handshake": (C0_C1 + C2[:-1], Outcome(State.HANDSHAKING, [])),
    # --- chunk headers
    "08 video on chunk stream 63": (START + chunk(0, 63, b"f", time=1), on_air(("v", 1, b"f"))),
    "09 video on chunk stream 64": (START + chunk(0, 64, b"f", time=1), on_air(("v", 1, b"f"))),
    "10 video on chunk stream 319": (START + chunk(0, 319, b"f", time=1), on_air(("v", 1, b"f"))),
    "11 video on chunk stream 320": (START + chunk(0, 320, b"f", time=1), on_air(("v", 1, b"f"))),
    "12 video on chunk stream 65599": (START + chunk(0, 65599, b"f", time=1), on_air(("v", 1, b"f"))),
    "13 form 2 without a header before": (START + chunk(2, 9, b"f", time=1), broken(chunks.UnknownChunkStream)),
    "14 form 3 without a header before": (START + chunk(3, 9, b"f"), broken(chunks.UnknownChunkStream)),
    "15 form 1 without a header before": (
        START + chunk(1, 9, messages.write(messages.UserControl(7, bytes(4)))[1], time=0, type_id=4),
        ON_AIR,
    ),
    "16 form 3 begins a message": (
        START + chunk(0, 6, b"f", time=10) + chunk(2, 6, b"g", time=33) + chunk(3, 6, b"h"),
        on_air(("v", 10, b"f"), ("v", 43, b"g"), ("v", 76, b"h")),
    ),
    "17 form 3 goes on with a message, another between": (
        START
        + chunk(0, 6, LARGE[:128], time=10, length=200)
        + chunk(0, 4, b"s", time=11, type_id=8)
        + chunk(3, 6, LARGE[128:200]),
        on_air(("a", 11, b"s"), ("v", 10, LARGE[:200])),
    ),
    "18 extended time, repeated on form 3": (
        START
        + chunk(0, 6, LARGE[:128], time=HOUR_4_39 + 1, length=200)
        + chunk(3, 6, LARGE[128:200], repeat=b"\1\0\0\0"),
        on_air(("v", HOUR_4_39 + 1, LARGE[:200])),
    ),
    "19 extended time, not repeated on form 3": (
        START + chunk(0, 6, LARGE[:128], time=HOUR_4_39 + 1, length=200) + chunk(3, 6, LARGE[128:200]),
        on_air(("v", HOUR_4_39 + 1, LARGE[:200])),
    ),
    "20 a 65th chunk stream": (
        START + b"".join(chunk(0, 100 + number, b"", time=0, type_id=8) for number in range(65)),
        broken(chunks.TooManyChunkStreams),
    ),
    # --- time
    "21 one ms before 4 h 39 min": (START + client.video(HOUR_4_39 - 1, b"f"), on_air(("v", HOUR_4_39 - 1, b"f"))),
    "22 at 4 h 39 min": (START + client.video(HOUR_4_39, b"f"), on_air(("v", HOUR_4_39, b"f"))),
    "23 across 4 h 39 min by a delta": (
        START + chunk(0, 6, b"f", time=HOUR_4_39 - 1) + chunk(2, 6, b"g", time=40),
        on_air(("v", HOUR_4_39 - 1, b"f"), ("v", HOUR_4_39 + 39, b"g")),
    ),
    "24 the last ms of 49 days": (START + client.video(DAYS_49, b"f"), on_air(("v", DAYS_49, b"f"))),
    "25 across 49 days by a delta": (
        START + chunk(0, 6, b"f", time=DAYS_49) + chunk(2, 6, b"g", time=40),
        on_air(("v", DAYS_49, b"f"), ("v", 39, b"g")),
    ),
    "26 back to 0 by form 0": (
        START + client.video(5000, b"f") + client.video(0, b"g"),
        on_air(("v", 5000, b"f"), ("v", 0, b"g")),
    ),
    # --- chunk size
    "27 chunk size 0": (START + set_size(0), broken(chunks.ChunkSizeInvalid)),
    "28 chunk size with its top bit": (START + set_size(1 << 31), broken(chunks.ChunkSizeInvalid)),
    "29 chunk size 2^31 - 1": (
        START + set_size((1 << 31) - 1) + chunk(0, 6, LARGE, time=1) + set_size(128),
        on_air(("v", 1, LARGE)),
    ),
    "30 chunk size 1": (
        START
        + set_size(1)
        + chunk(0, 6, b"a", time=1, length=3)
        + chunk(3, 6, b"b")
        + chunk(3, 6, b"c")
        + chunk(0, 2, b"\0", time=0, length=4, type_id=1)
        + b"".join(chunk(3, 2, bytes((byte,))) for byte in (0, 0, 128)),
        on_air(("v", 1, b"abc")),
    ),
    "31 chunk size changes in mid message": (
        START
        + chunk(0, 6, LARGE[:128], time=1, length=400)
        + set_size(272)
        + chunk(3, 6, LARGE[128:400])
        + set_size(128),
        on_air(("v", 1, LARGE[:400])),
    ),
    # --- lengths
    "32 a message of 2^24 - 1": (START + chunk(0, 6, b"", time=0, length=0xFFFFFF), broken(chunks.MessageTooLong)),
    "33 a command of 2 MiB": (
        START + chunk(0, 3, b"", time=0, length=2 << 20, type_id=20),
        broken(chunks.MessageTooLong),
    ),
    "34 a command of 65 KiB": (
        START + set_size(1 << 20) + chunk(0, 3, bytes(65 << 10), time=0, type_id=20),
        broken(messages.AmfTooLong),
    ),
    "35 an empty audio message is silence": (START + client.audio(20, b""), ON_AIR),
    "36 an empty video message is nothing": (START + client.video(20, b""), ON_AIR),
    # --- control
    "37 abort in mid message": (
        START
        + chunk(0, 6, LARGE[:128], time=1, length=400)
        + client.typed(messages.Abort(6))
        + chunk(0, 6, b"new", time=2),
        on_air(("v", 2, b"new")),
    ),
    "38 an acknowledgement of the peer's": (START + client.typed(messages.Acknowledgement(2**32 - 1)), ON_AIR),
    "39 a window of 0": (START + client.typed(messages.WindowAckSize(0)), ON_AIR),
    "40 a window of three bytes": (
        START + client.message(5, bytes(3), chunk_stream=2),
        broken(messages.PayloadTooShort),
    ),
    "41 peer bandwidth, hard": (START + client.typed(messages.SetPeerBandwidth(1, 0)), ON_AIR),
    "42 peer bandwidth, soft": (START + client.typed(messages.SetPeerBandwidth(1, 1)), ON_AIR),
    "43 peer bandwidth, dynamic": (START + client.typed(messages.SetPeerBandwidth(1, 2)), ON_AIR),
    "44 a ping is answered with its time": (
        START + client.typed(messages.UserControl(6, b"\0\0\x12\x34")),
        on_air(said=["UserControl 7 00001234"]),
    ),
    "45 unknown user control": (START + client.typed(messages.UserControl(31, b"\0\0\0\1")), ON_AIR),
    "46 control on another chunk and message stream": (
        START + client.message(4, b"\0\6\0\0\0\1", stream=1, chunk_stream=5),
        on_air(said=["UserControl 7 00000001"]),
    ),
    "47 an aggregate": (
        START + client.message(22, tag(8, 100, b"a") + tag(9, 123, b"f"), stream=1, time=5000, chunk_stream=6),
        on_air(("a", 5000, b"a"), ("v", 5023, b"f")),
    ),
    "48 an aggregate in an aggregate is nothing": (
        START + client.message(22, tag(22, 0, tag(9, 0, b"f")) + tag(9, 1, b"g"), stream=1, chunk_stream=6),
        on_air(("v", 1, b"g")),
    ),
    "49 a broken aggregate": (
        START + client.message(22, tag(9, 0, b"frame")[:13], stream=1, chunk_stream=6),
        broken(messages.AggregateMalformed),
    ),
    "50 an unknown type": (START + client.message(99, b"what"), ON_AIR),
    "51 a shared object": (START + client.message(19, b"what"), ON_AIR),
    # --- AMF0
    "52 depth bomb": (START + command_payload(b"\x03\0\1a" * 300), broken(AmfTooDeep)),
    "53 strict array of 2^32": (START + command_payload(b"\x0a\xff\xff\xff\xff"), broken(AmfTruncated)),
    "54 ECMA array that lies, in connect": (
        HELLO
        + command_payload(amf0.encode("connect", 1.0) + b"\x08\xff\xff\xff\xff" + amf0.encode({"app": "live"})[1:])
        + START[3073 + len(client.connect()) :],
        ON_AIR,
    ),
    "55 long string of 4 GiB": (START + command_payload(b"\x0c\xff\xff\xff\xff"), broken(AmfTruncated)),
    "56 reference": (START + command_payload(b"\x07\0\0"), broken(AmfMarkerRefused)),
    "57 transaction NaN wants no answer": (START + client.command("releaseStream", math.nan, None, "demo_key"), ON_AIR),
    "58 transaction infinity": (START + client.command("createStream", math.inf, None), on_air(said=["_result 2"])),
    "59 a boolean for a stream name": (READY + client.publish(name=True), refused("NetStream.Publish.BadName")),
    "60 an object for a stream name": (READY + client.publish(name={}), refused("NetStream.Publish.BadName")),
    "61 a number for a command name": (START + client.command(1.0, 1.0), broken(messages.CommandMalformed)),
    "62 a string for a transaction": (START + client.command("createStream", "1"), broken(messages.CommandMalformed)),
    "63 connect with a number for an application": (
        HELLO + client.connect(app=1.0),
        refused("NetConnection.Connect.InvalidApp"),
    ),
    "64 connect without an object": (HELLO + client.command("connect", 1.0, None), Outcome(State.CONNECTED, [])),
    "65 connect with a typed object": (
        HELLO + client.command("connect", 1.0, TypedObject("x", {"app": "live"})),
        Outcome(State.CONNECTED, []),
    ),
    "66 a command of AMF3's type": (
        CONNECTED + client.message(17, b"\0" + amf0.encode("createStream", 4.0, None)) + client.publish(),
        ON_AIR,
    ),
    "67 a key that switches to AMF3": (
        READY + client.message(17, b"\0" + amf0.encode("publish", 5.0, None) + b"\x11\x06\x11demo_key", stream=1),
        ON_AIR,
    ),
    "68 deleteStream of NaN": (START + client.command("deleteStream", 0.0, None, math.nan), ON_AIR),
    "69 deleteStream of 10^300": (START + client.command("deleteStream", 0.0, None, 1e300), ON_AIR),
    # --- commands in and out of order
    "70 publish before connect": (HELLO + client.publish(), broken(OutOfOrder, [])),
    "71 createStream before connect": (HELLO + client.create_stream(), broken(OutOfOrder, [])),
    "72 connect twice": (CONNECTED + client.connect(), broken(OutOfOrder, [])),
    "73 connect while on the air": (START + client.connect(), broken(OutOfOrder)),
    "74 publish before createStream": (CONNECTED + client.publish(), refused("NetStream.Publish.Rejected")),
    "75 publish on message stream 0": (READY + client.publish(stream=0), refused("NetStream.Publish.Rejected")),
    "76 publish on a deleted stream": (
        READY + client.command("deleteStream", 0.0, None, 1.0) + client.publish(),
        refused("NetStream.Publish.Rejected"),
    ),
    "77 publish twice": (START + client.publish(), on_air(said=["onStatus NetStream.Publish.Denied"])),
    "78 deleteStream of another": (START + client.command("deleteStream", 0.0, None, 2.0), ON_AIR),
    "79 deleteStream without a number": (START + client.command("deleteStream", 0.0), ON_AIR),
    "80 closeStream of another": (START + client.command("closeStream", 0.0, None, stream=3), ON_AIR),
    "81 closeStream": (
        START + client.command("closeStream", 0.0, None, stream=1),
        Outcome(State.CONNECTED, media=["end"]),
    ),
    "82 deleteStream": (
        START + client.command("deleteStream", 0.0, None, 1.0),
        Outcome(State.CONNECTED, media=["end"], said=["onStatus NetStream.Unpublish.Success"]),
    ),
    "83 FCUnpublish of another name": (START + client.command("FCUnpublish", 6.0, None, "other"), ON_AIR),
    "84 FCUnpublish": (
        START + client.command("FCUnpublish", 6.0, None, "demo_key"),
        Outcome(State.CONNECTED, media=["end"]),
    ),
    "85 FCPublish and releaseStream of anything": (
        CONNECTED
        + client.command("releaseStream", 2.0, None, "../..")
        + client.command("FCPublish", 3.0, None, None)
        + client.create_stream()
        + client.publish(),
        on_air(said=["onFCPublish NetStream.Publish.Start"]),
    ),
    "86 record": (READY + client.publish(kind="record"), ON_AIR),
    "87 append": (READY + client.publish(kind="append"), ON_AIR),
    "88 no kind": (READY + client.command("publish", 5.0, None, "demo_key", stream=1), ON_AIR),
    "89 a kind that is none": (READY + client.publish(kind=[1.0]), ON_AIR),
    "90 no name": (READY + client.command("publish", 5.0, None, stream=1), refused("NetStream.Publish.BadName")),
    "91 a name of 2 KB": (READY + client.publish("k" * 2048), refused("NetStream.Publish.BadName")),
    "92 a name that climbs": (READY + client.publish("../../etc/passwd"), refused("NetStream.Publish.BadName")),
    "93 a name of control characters": (READY + client.publish("a\r\nb\x1b[2J"), refused("NetStream.Publish.BadName")),
    "94 a name with a query": (READY + client.publish("demo_key?a=../b"), ON_AIR),
    "95 a command that nobody knows is answered": (
        START + client.command("_checkbw", 9.0, None),
        on_air(said=["_result"]),
    ),
    "96 an answer is not answered": (
        START + client.command("_result", 9.0, None) + client.command("_error", 9.0),
        ON_AIR,
    ),
    "97 media before publish is nothing": (READY + client.video(0, b"f") + client.publish(), ON_AIR),
    "98 media after the end is nothing": (
        START + client.stop() + client.video(0, b"f"),
        Outcome(State.CONNECTED, media=["end"]),
    ),
    "99 media on another message stream is the publisher's": (
        START + client.message(9, b"f", stream=5, chunk_stream=6),
        on_air(("v", 0, b"f")),
    ),
    # --- data
    "100 metadata with a wrong count": (
        START
        + client.message(
            18,
            amf0.encode("@setDataFrame", "onMetaData") + b"\x08\0\0\0\x63" + amf0.encode({"a": 1.0})[1:],
            chunk_stream=4,
        ),
        on_air({"a": 1.0}),
    ),
    "101 bare metadata": (START + client.message(18, amf0.encode("onMetaData", EcmaArray(a=1.0))), on_air({"a": 1.0})),
    "102 metadata of AMF3's type": (
        START + client.message(15, b"\0" + amf0.encode("onMetaData", {"a": 1.0})),
        on_air({"a": 1.0}),
    ),
    "103 broken metadata costs nothing": (START + client.message(18, b"\x02\xff\xff"), ON_AIR),
    "104 metadata that is none": (START + client.message(18, amf0.encode("onMetaData", 1.0)), ON_AIR),
    "105 metadata of 65 KiB": (
        START + set_size(1 << 20) + chunk(0, 4, bytes(65 << 10), time=0, type_id=18) + set_size(128),
        ON_AIR,
    ),
    "106 other data": (START + client.message(18, amf0.encode("onTextData", {"text": "hi"})), ON_AIR),
    "107 metadata before publish": (READY + client.metadata({"a": 1.0}) + client.publish(), ON_AIR),
    # --- Enhanced RTMP: what it says of media is the muxer's to read; here it passes untouched
    "108 an unknown FourCC": (START + enhanced(0x91, b"xxxx"), on_air(("v", 7, b"\x91xxxx"))),
    "109 an unknown packet type": (START + enhanced(0x9F, b"hvc1"), on_air(("v", 7, b"\x9fhvc1"))),
    "110 ModEx whose size loops": (START + enhanced(0x97, b"\xff\xff\xff"), on_air(("v", 7, b"\x97\xff\xff\xff"))),
    "111 multitrack": (START + enhanced(0x96, b"\x01hvc1\0"), on_air(("v", 7, b"\x96\x01hvc1\0"))),
    "112 a metadata frame": (START + enhanced(0x94, b"hvc1\2"), on_air(("v", 7, b"\x94hvc1\2"))),
    "113 connect with enhanced keys": (
        HELLO
        + client.connect(fourCcList=["av01"], capsEx=15.0, videoFourCcInfoMap={"*": 1.0})
        + START[3073 + len(client.connect()) :],
        ON_AIR,
    ),
}


def test_the_suite_is_large_enough():
    assert len(CASES) >= 46 * 2


@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_case(data, expected):
    random = Random(len(data))
    for pieces in (whole(data), byte_by_byte(data), randomly(data, random), randomly(data, random)):
        check(expected, *play(pieces))


def check(expected: Outcome, outcome: Outcome, lines: list[str]) -> None:
    assert expected.state is outcome.state
    assert expected.cause is outcome.cause
    assert expected.keys == outcome.keys
    assert expected.media == outcome.media
    for line in expected.said:
        assert line in lines


@pytest.mark.parametrize(
    ("data", "expected"),
    [(data, outcome) for data, outcome in CASES.values() if outcome.state is State.PUBLISHING],
    ids=[name for name, (_, outcome) in CASES.items() if outcome.state is State.PUBLISHING],
)
def test_the_tail_survives(data, expected):
    tail = chunk(0, 50, b"tail", time=9999)
    outcome, _ = play([data + tail])

    assert outcome.media == [*expected.media, ("v", 9999, b"tail")]


@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_the_publisher_that_vanishes_leaves_a_closed_session(data, expected):
    outcome, _ = play([data, b""])

    assert outcome.state is State.CLOSED
