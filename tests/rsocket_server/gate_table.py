"""What strangers send, and what must come of it: one table, read by the pure gate's tests and by the live socket's.

A case sends `messages` (after a good SETUP unless `first`), and expects the frames that the gate itself writes, the
WebSocket's close code (None: the connection lives), and the data that reaches a door, in order. Data that begins with
`~` may or may not, as its request is cancelled at once. P numbers are of the probes that rsocket-py 0.4.20 failed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from rsocket_server import limits
from tests.rsocket_server.script import (
    CANCEL,
    CHANNEL,
    COMPLETE,
    COMPOSITE,
    ERROR,
    FNF,
    FOLLOWS,
    IGNORE,
    KEEPALIVE,
    LEASE,
    METADATA,
    NEXT,
    PAYLOAD,
    PUSH,
    REQUEST_N,
    RESPONSE,
    RESUME,
    ROUTING,
    STREAM,
    bearer,
    cancel,
    error,
    frame,
    keepalive,
    long,
    payload,
    request,
    request_n,
    routed,
    setup,
    tags,
)

INVALID_SETUP, UNSUPPORTED_SETUP, REJECTED_SETUP, REJECTED_RESUME = 1, 2, 3, 4
CONNECTION_ERROR, REJECTED, INVALID = 0x101, 0x202, 0x204


@dataclass(frozen=True)
class Case:
    name: str
    messages: tuple[bytes, ...]
    written: tuple[bytes, ...] = ()
    close: int | None = None
    served: tuple[bytes, ...] = ()
    first: bool = False


def refused_setup(name: str, message: bytes, code: int, word: bytes, close: int) -> Case:
    return Case(name, (message, request(RESPONSE, 1, data=b"too late")), (error(0, code, word),), close, first=True)


def _broken(position: int, value: bytes, message: bytes) -> bytes:
    return message[:position] + value + message[position + len(value) :]


MALFORMED = (error(0, CONNECTION_ERROR, b"protocol.malformed"),)
BIG = b"x" * (limits.REASSEMBLY_BYTES_MAX // 2)
ROUTE = routed("wait")

SETUPS = [
    Case(
        "P0 an empty message, then SETUP", (b"", setup(), request(FNF, 1, data=b"here")), served=(b"here",), first=True
    ),
    Case("P0 a message of five bytes", (b"\0" * 5, request(FNF, 1, data=b"here")), served=(b"here",)),
    Case("P0 empty messages on an open connection", (b"", b"", b"", request(FNF, 1, data=b"x")), served=(b"x",)),
    *[
        refused_setup(f"P1 first frame of type {kind}", frame(1, kind), INVALID_SETUP, b"setup.missing", 1002)
        for kind in (LEASE, RESPONSE, FNF, STREAM, CHANNEL, REQUEST_N, CANCEL, PAYLOAD, ERROR, PUSH, 0x3F)
    ],
    refused_setup("P1 keepalive first", keepalive(), INVALID_SETUP, b"setup.missing", 1002),
    refused_setup("garbage first", b"GET / HTTP/1.1\r\n\r\n", INVALID_SETUP, b"setup.missing", 1002),
    refused_setup("RESUME first", frame(0, RESUME, 0, bytes(24)), REJECTED_RESUME, b"setup.resume", 1008),
    Case("P2 a second SETUP", (setup(metadata=bearer(b"forged")), request(FNF, 1, data=b"x")), served=(b"x",)),
    refused_setup("P3 SETUP on stream 5", setup(stream_id=5), INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("P4 version 99.0", setup(version=(99, 0)), UNSUPPORTED_SETUP, b"setup.unsupported", 1008),
    refused_setup("version 0.2", setup(version=(0, 2)), UNSUPPORTED_SETUP, b"setup.unsupported", 1008),
    Case("version 1.7 only adds", (setup(version=(1, 7)), request(FNF, 1, data=b"x")), served=(b"x",), first=True),
    refused_setup("P5 no keepalive interval", setup(keepalive_ms=0), INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("P5 no lifetime", setup(lifetime_ms=0), INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup(
        "the reserved bit is no lifetime", setup(lifetime_ms=1 << 31), INVALID_SETUP, b"setup.malformed", 1002
    ),
    refused_setup("P6b resume flag", setup(flags=0x80), REJECTED_SETUP, b"setup.resume", 1008),
    refused_setup("P6c lease flag", setup(flags=0x40), UNSUPPORTED_SETUP, b"setup.unsupported", 1008),
    refused_setup("SETUP cut in its times", setup()[:16], INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("SETUP without mime types", setup()[:18], INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("a mime length beyond the end", setup()[:40], INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("no data mime", setup()[: 19 + len(COMPOSITE)], INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup("an empty metadata mime", setup(metadata_mime=b""), UNSUPPORTED_SETUP, b"setup.unsupported", 1008),
    refused_setup(
        "a mime of 255 bytes", setup(metadata_mime=b"x" * 255), UNSUPPORTED_SETUP, b"setup.unsupported", 1008
    ),
    refused_setup(
        "another metadata mime", setup(metadata_mime=b"text/plain"), UNSUPPORTED_SETUP, b"setup.unsupported", 1008
    ),
    refused_setup("metadata flag without a length", setup(flags=METADATA), INVALID_SETUP, b"setup.malformed", 1002),
    refused_setup(
        "metadata beyond the end",
        setup(flags=METADATA, data=b"\xff\xff\xff" + bearer(b"token of nabi")),
        INVALID_SETUP,
        b"setup.malformed",
        1002,
    ),
    refused_setup(
        "a data mime length beyond the end", setup(data_mime=b"x" * 16)[:-1], INVALID_SETUP, b"setup.malformed", 1002
    ),
    Case("any data type", (setup(data_mime=b""), request(FNF, 1, data=b"x")), served=(b"x",), first=True),
    Case(
        "a data type of 255 bytes",
        (setup(data_mime=b"x" * 255), request(FNF, 1, data=b"x")),
        served=(b"x",),
        first=True,
    ),
    Case(
        "plain routing, and the data that the original sends in SETUP",
        (
            setup(metadata_mime=ROUTING, metadata=tags("setup"), data=b'{"nickname":"nabi"}'),
            frame(1, FNF, METADATA, long(tags("wait")) + b"x"),
        ),
        served=(b"x",),
        first=True,
    ),
]

STREAM_IDS = [
    Case("P8 an even id", (request(RESPONSE, 2, data=b"no"), request(FNF, 4, data=b"no"))),
    Case("P8 id 0", (request(RESPONSE, 0, data=b"no"), request(STREAM, 0, data=b"no"))),
    Case("P7 an id in use", (request(STREAM, 1, data=b"a"), request(STREAM, 1, data=b"b")), served=(b"a",)),
    Case(
        "P7 an id in use by another kind",
        (request(STREAM, 1, data=b"a"), request(RESPONSE, 1, data=b"b")),
        served=(b"a",),
    ),
    Case(
        "an id again after CANCEL",
        (request(STREAM, 1, data=b"~"), cancel(1), request(STREAM, 1, data=b"b")),
        served=(b"b",),
    ),
    Case("ids need not rise", (request(STREAM, 5, data=b"a"), request(STREAM, 3, data=b"b")), served=(b"a", b"b")),
    Case("the highest id", (request(STREAM, 2**31 - 1, data=b"a"),), served=(b"a",)),
    Case(
        "after the highest id the lowest again",
        (request(STREAM, 2**31 - 1, data=b"a"), request(STREAM, 1, data=b"b")),
        served=(b"a", b"b"),
    ),
    Case(
        "the reserved bit is not part of the id",
        (request(STREAM, 2**31 + 1, data=b"a"), request(STREAM, 1, data=b"b")),
        served=(b"a",),
    ),
    Case(
        "one request more than there may be",
        tuple(request(STREAM, 2 * number + 1, data=b"x") for number in range(limits.STREAMS_MAX + 1)),
        (error(2 * limits.STREAMS_MAX + 1, REJECTED, b"limit.streams"),),
        served=(b"x",) * limits.STREAMS_MAX,
    ),
    Case(
        "a place is free again after CANCEL",
        (
            request(STREAM, 1, data=b"~"),
            *[request(STREAM, 2 * number + 1, data=b"x") for number in range(1, limits.STREAMS_MAX)],
            cancel(1),
            request(STREAM, 999, data=b"y"),
        ),
        served=(b"x",) * (limits.STREAMS_MAX - 1) + (b"y",),
    ),
]

LENGTHS = [
    Case("P13 metadata beyond the end", (frame(1, RESPONSE, METADATA, b"\x00\xff\xff" + ROUTE),), MALFORMED, 1002),
    Case("P13 16 MB of metadata", (frame(1, FNF, METADATA, b"\xff\xff\xff"),), MALFORMED, 1002),
    Case("metadata flag without room", (frame(1, RESPONSE, METADATA, b"\x00"),), MALFORMED, 1002),
    Case(
        "metadata flag without room, to be ignored",
        (frame(1, RESPONSE, METADATA | IGNORE, b"\x00"), request(FNF, 3, data=b"x")),
        served=(b"x",),
    ),
    Case("a stream request without credit", (frame(1, STREAM, 0, b"\0\0"),), MALFORMED, 1002),
    Case("a channel request without credit", (frame(1, CHANNEL, 0),), MALFORMED, 1002),
    Case("empty data", (request(FNF, 1),), served=(b"",)),
    Case("metadata of no bytes names no route", (frame(1, FNF, METADATA, long(b"") + b"~"),)),
    Case("no metadata names no route", (frame(1, FNF, 0, b"~"),)),
    Case(
        "REQUEST_N without a number",
        (request(STREAM, 1, data=b"~"), frame(1, REQUEST_N, 0, b"\0")),
        MALFORMED,
        1002,
    ),
    Case("KEEPALIVE without a position", (frame(0, KEEPALIVE, 0x80, b"\0" * 7),), MALFORMED, 1002),
    Case("ERROR without a code", (frame(0, ERROR, 0, b"\0\0\0"),), MALFORMED, 1002),
    Case(
        "a channel's payload with metadata beyond the end",
        (request(CHANNEL, 1, data=b"a"), frame(1, PAYLOAD, NEXT | METADATA, b"\0\0\x09x")),
        MALFORMED,
        1002,
        (b"a",),
    ),
]

FRAGMENTS = [
    Case("two fragments", (request(FNF, 1, data=b"a", flags=FOLLOWS), payload(1, b"b", flags=0)), served=(b"ab",)),
    Case(
        "metadata in two fragments",
        (
            frame(1, FNF, METADATA | FOLLOWS, long(ROUTE[:3])),
            frame(1, PAYLOAD, METADATA | FOLLOWS, long(ROUTE[3:])),
            payload(1, b"whole"),
        ),
        served=(b"whole",),
    ),
    Case(
        "fragments of two streams, interleaved",
        (
            request(FNF, 1, data=b"a", flags=FOLLOWS),
            request(STREAM, 3, data=b"1", flags=FOLLOWS),
            payload(1, b"b"),
            payload(3, b"2"),
        ),
        served=(b"ab", b"12"),
    ),
    Case(
        "P28 a request on an id whose fragments are not whole",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), request(FNF, 1, data=b"no"), payload(1, b"b")),
        served=(b"ab",),
    ),
    Case(
        "CANCEL between fragments",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), cancel(1), payload(1, b"b"), request(FNF, 1, data=b"c")),
        served=(b"c",),
    ),
    Case(
        "ERROR between fragments",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), error(1, 0x203), payload(1, b"b")),
    ),
    Case(
        "REQUEST_N between fragments",
        (request(STREAM, 1, data=b"a", flags=FOLLOWS), request_n(1, 3), payload(1, b"b")),
        served=(b"ab",),
    ),
    Case(
        "metadata after data",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), frame(1, PAYLOAD, METADATA, long(b"m"))),
        MALFORMED,
        1002,
    ),
    Case(
        "a fragment's metadata beyond the end",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), frame(1, PAYLOAD, METADATA, b"\0\0\x09m")),
        MALFORMED,
        1002,
    ),
    Case(
        "empty fragments",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), *[payload(1, flags=FOLLOWS)] * 1000, payload(1, b"b")),
        served=(b"ab",),
    ),
    Case(
        "ten thousand fragments of a byte",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), *[payload(1, b"x", flags=FOLLOWS)] * 10_000, payload(1, b"z")),
        served=(b"a" + b"x" * 10_000 + b"z",),
    ),
    Case(
        "a request of another kind between fragments",
        (request(FNF, 1, data=b"a", flags=FOLLOWS), request(STREAM, 1, data=b"no", flags=FOLLOWS), payload(1, b"b")),
        served=(b"ab",),
    ),
    Case(
        "P14 fragments without end",
        (request(FNF, 1, data=BIG, flags=FOLLOWS), payload(1, BIG, flags=FOLLOWS)),
        (error(0, CONNECTION_ERROR, b"limit.fragments"),),
        1008,
    ),
    Case(
        "P14 fragments of many streams",
        (request(FNF, 1, data=BIG, flags=FOLLOWS), request(FNF, 3, data=BIG, flags=FOLLOWS)),
        (error(0, CONNECTION_ERROR, b"limit.fragments"),),
        1008,
    ),
    Case(
        "P14 as many bytes as there may be",
        (frame(1, FNF, METADATA | FOLLOWS, long(ROUTE) + BIG), payload(1, b"y" * (len(BIG) - len(ROUTE)), flags=0)),
        served=(BIG + b"y" * (len(BIG) - len(ROUTE)),),
    ),
    Case(
        "a last fragment too many",
        (request(FNF, 1, data=BIG, flags=FOLLOWS), payload(1, BIG)),
        (error(0, CONNECTION_ERROR, b"limit.fragments"),),
        1008,
    ),
    Case("a payload nobody began", (payload(1, b"x", flags=FOLLOWS), payload(1, b"x"))),
    Case(
        "a channel's payload in two",
        (request(CHANNEL, 1, data=b"a", n=9), payload(1, b"b", flags=NEXT | FOLLOWS), payload(1, b"c")),
        served=(b"a", b"bc"),
    ),
    Case(
        "the end of a channel is its last fragment's to say",
        (
            request(CHANNEL, 1, data=b"a", n=9),
            payload(1, b"b", flags=NEXT | COMPLETE | FOLLOWS),
            payload(1, b"c", flags=NEXT | COMPLETE),
        ),
        served=(b"a", b"bc", b"complete"),
    ),
    Case(
        "a channel request in two",
        (request(CHANNEL, 1, data=b"a", n=9, flags=FOLLOWS), payload(1, b"b", flags=NEXT | COMPLETE)),
        served=(b"ab", b"complete"),
    ),
]

CREDIT = [
    Case("P10 a stream of no items", (request(STREAM, 1, n=0, data=b"no"),), (error(1, INVALID, b"protocol.credit"),)),
    Case(
        "P10 a channel of no items", (request(CHANNEL, 1, n=0, data=b"no"),), (error(1, INVALID, b"protocol.credit"),)
    ),
    Case(
        "P11 the reserved bit alone asks for nothing",
        (request(STREAM, 1, n=1 << 31, data=b"no"),),
        (error(1, INVALID, b"protocol.credit"),),
    ),
    Case(
        "P11 the reserved bit in REQUEST_N", (request(STREAM, 1, data=b"a"), request_n(1, 1 << 31 | 1)), served=(b"a",)
    ),
    Case("REQUEST_N of minus one", (request(STREAM, 1, data=b"a"), request_n(1, 2**32 - 1)), served=(b"a",)),
    Case("REQUEST_N 0", (request(STREAM, 1, data=b"a"), request_n(1, 0)), served=(b"a",)),
    Case("REQUEST_N overflows", (request(STREAM, 1, data=b"a", n=2**31 - 1), request_n(1, 2**31 - 1)), served=(b"a",)),
    Case("REQUEST_N for nobody", (request_n(1, 5),)),
    Case("REQUEST_N after CANCEL", (request(STREAM, 1, data=b"~"), cancel(1), request_n(1, 5))),
    Case("REQUEST_N with a tail", (request(STREAM, 1, data=b"a"), request_n(1, 5) + b"tail"), served=(b"a",)),
]

CANCELS = [
    Case("P24 CANCEL right after the request", (request(STREAM, 1, data=b"~"), cancel(1))),
    Case("CANCEL of a request in work", (request(RESPONSE, 1, data=b"~"), keepalive(respond=False), cancel(1))),
    Case("CANCEL twice", (request(STREAM, 1, data=b"~"), cancel(1), cancel(1))),
    Case("CANCEL for nobody", (cancel(1), cancel(0), cancel(2))),
    Case("CANCEL with a tail", (request(STREAM, 1, data=b"~"), cancel(1) + b"tail")),
    Case("CANCEL of a channel", (request(CHANNEL, 1, data=b"~"), cancel(1), payload(1, b"b"))),
]

KEEPALIVES = [
    Case(
        "KEEPALIVE is echoed",
        (keepalive(b"a"), keepalive(b"b")),
        (keepalive(b"a", respond=False), keepalive(b"b", respond=False)),
    ),
    Case("KEEPALIVE that wants no answer", (keepalive(b"a", respond=False),)),
    Case("KEEPALIVE on a stream", (keepalive(b"a", stream_id=1),)),
    Case(
        "KEEPALIVE with a position",
        (frame(0, KEEPALIVE, 0x80, b"\0" * 7 + b"\x09data"),),
        (keepalive(b"data", respond=False),),
    ),
    Case("a thousand KEEPALIVEs", tuple([keepalive()] * 1000), tuple([keepalive(respond=False)] * 1000)),
]

OTHERS = [
    Case("LEASE that nobody agreed on", (frame(0, LEASE, 0, struct.pack(">II", 1000, 5)),)),
    Case("METADATA_PUSH", (frame(0, PUSH, METADATA, b"x"), frame(1, PUSH, METADATA, b"x"))),
    Case("RESUME and RESUME_OK", (frame(0, RESUME, 0, bytes(24)), frame(0, 14, 0, bytes(8)))),
    Case("unknown types", (frame(1, 0), frame(1, 15), frame(0, 0x3E), frame(1, 0x3F), frame(1, 0x3F, IGNORE))),
    Case("P26 ERROR[CONNECTION_CLOSE]", (error(0, 0x102, b"bye"), request(FNF, 1, data=b"no")), close=1000),
    Case("ERROR[CONNECTION_ERROR]", (error(0, 0x101),), close=1000),
    Case("a setup error from a client", (error(0, 0x003),), close=1000),
    Case("an unknown error code on stream 0", (error(0, 0xDEAD),), close=1000),
    Case("a stream's error code on stream 0", (error(0, 0x201, b"x"), request(FNF, 1, data=b"no")), close=1000),
    Case(
        "the connection's error codes on a channel end the channel alone",
        (request(CHANNEL, 1, data=b"a"), error(1, 0x101, b"x"), request(FNF, 3, data=b"b")),
        served=(b"a", b"error", b"b"),
    ),
    Case(
        "ERROR on an even id",
        (request(CHANNEL, 1, data=b"a"), error(2, 0x201), error(1, 0x201)),
        served=(b"a", b"error"),
    ),
    Case(
        "ERROR on a stream that takes none",
        (request(STREAM, 1, data=b"a"), error(1, 0x201), request_n(1, 1)),
        served=(b"a",),
    ),
    Case("ERROR for nobody", (error(1, 0x201),)),
    Case(
        "ERROR on a channel, with a code that nobody knows",
        (request(CHANNEL, 1, data=b"a"), error(1, 0x777, b"x")),
        served=(b"a", b"error"),
    ),
    Case("PAYLOAD on a stream that takes none", (request(STREAM, 1, data=b"a"), payload(1, b"b")), served=(b"a",)),
    Case(
        "a channel's payloads",
        (request(CHANNEL, 1, data=b"a", n=5), payload(1, b"b"), payload(1, flags=COMPLETE)),
        served=(b"a", b"b", b"complete"),
    ),
]

# What rsocket-java writes and no case above has: https://github.com/rsocket/rsocket-java, its frame codecs and tests.
JAVA = [
    Case(
        "a channel of one item is over with its request",
        (request(CHANNEL, 1, data=b"a", n=5, flags=COMPLETE),),
        served=(b"a", b"complete"),
    ),
    Case(
        "an item that is the last says so itself",
        (request(CHANNEL, 1, data=b"a", n=5), payload(1, b"b", flags=NEXT | COMPLETE)),
        served=(b"a", b"b", b"complete"),
    ),
    Case(
        "credit goes on for a channel whose own side is over",
        (request(CHANNEL, 1, data=b"a", n=5), payload(1, flags=COMPLETE), request_n(1, 5)),
        served=(b"a", b"complete"),
    ),
    Case(
        "the item of a payload that has metadata of no bytes",
        (request(CHANNEL, 1, data=b"a", n=5), frame(1, PAYLOAD, NEXT | METADATA, long(b"") + b"b")),
        served=(b"a", b"b"),
    ),
    Case(
        "a SETUP payload with a route of its own, as setupRoute of Spring makes it",
        (setup(metadata=routed("connect"), data=b"{}"), request(FNF, 1, data=b"x")),
        served=(b"x",),
        first=True,
    ),
    Case(
        "metadata of a type without a number beside the route, and what the answer may be",
        (
            frame(
                1,
                FNF,
                METADATA,
                long(b"\x0btext/x.trace" + long(b"1") + b"\xfa" + long(b"\x85") + routed("wait")) + b"x",
            ),
        ),
        served=(b"x",),
    ),
    Case(
        "a request whose fragments all say that there is an item",
        (
            request(STREAM, 1, data=b"a", n=5, flags=FOLLOWS),
            payload(1, b"b", flags=NEXT | FOLLOWS),
            payload(1, b"c", flags=NEXT),
        ),
        served=(b"abc",),
    ),
    Case(
        "a request in fragments that is cancelled, and its last fragment",
        (request(STREAM, 1, data=b"a", flags=FOLLOWS), cancel(1), payload(1, b"b", flags=NEXT), cancel(1)),
    ),
    Case(
        "LEASE and KEEPALIVE of a client that asks for neither",
        (frame(0, LEASE, 0, bytes(8)), frame(0, KEEPALIVE, 0, bytes(8))),
    ),
]

CASES = [*SETUPS, *STREAM_IDS, *LENGTHS, *FRAGMENTS, *CREDIT, *CANCELS, *KEEPALIVES, *OTHERS, *JAVA]
