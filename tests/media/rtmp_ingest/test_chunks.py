from __future__ import annotations

import os
from random import Random

import pytest

from media.rtmp_ingest.chunks import (
    ABORT,
    CHUNK_STREAMS_MAX,
    HELD_BYTES_MAX,
    MEDIA_MESSAGE_BYTES_MAX,
    OTHER_MESSAGE_BYTES_MAX,
    SET_CHUNK_SIZE,
    AbortInvalid,
    ChunkReader,
    ChunkSizeInvalid,
    ChunkWriter,
    Message,
    MessageTooLong,
    TooManyChunkStreams,
    TooManyHeldBytes,
    UnknownChunkStream,
)
from media.rtmp_ingest.errors import ChunkError
from tests.media.rtmp_ingest.feeding import messages_of, randomly, read_chunks
from tests.media.rtmp_ingest.publisher import chunk

# Random conversations of the interleaving test, and random inputs of the fuzz test.
ROUNDS = int(os.environ.get("COMMEOW_FUZZ_ROUNDS", "2000"))
LONG = bytes(range(256)) * 2  # 512 bytes: four chunks of 128.


def set_size(size: int) -> bytes:
    return chunk(0, 2, size.to_bytes(4, "big"), time=0, type_id=SET_CHUNK_SIZE, stream_id=0)


def pieces_of(payload: bytes, size: int) -> list[bytes]:
    return [payload[at : at + size] for at in range(0, len(payload), size)]


# Name: (bytes, messages as (time, payload) or (time, payload, type, stream)).
VECTORS = {
    "form 0": (chunk(0, 4, b"abc", time=40), [(40, b"abc")]),
    "form 0 says type and stream": (chunk(0, 4, b"abc", time=40, type_id=8, stream_id=7), [(40, b"abc", 8, 7)]),
    "stream id is little-endian": (chunk(0, 4, b"a", time=0, stream_id=0x04030201), [(0, b"a", 9, 0x04030201)]),
    "form 1 adds a delta and keeps the stream": (
        chunk(0, 4, b"abc", time=40) + chunk(1, 4, b"de", time=23, type_id=8),
        [(40, b"abc"), (63, b"de", 8, 1)],
    ),
    "form 2 keeps length and type": (
        chunk(0, 4, b"abc", time=40) + chunk(2, 4, b"def", time=20),
        [(40, b"abc"), (60, b"def")],
    ),
    "form 3 repeats the delta": (
        chunk(0, 4, b"abc", time=40) + chunk(2, 4, b"def", time=20) + chunk(3, 4, b"ghi") + chunk(3, 4, b"jkl"),
        [(40, b"abc"), (60, b"def"), (80, b"ghi"), (100, b"jkl")],
    ),
    "form 3 after form 0 stands at the same time": (
        chunk(0, 4, b"abc", time=40) + chunk(3, 4, b"def"),
        [(40, b"abc"), (40, b"def")],
    ),
    "form 1 opens an unknown chunk stream (librtmp's ping reply)": (
        chunk(1, 2, b"\0\7\0\0\0\1", time=5, type_id=4),
        [(5, b"\0\7\0\0\0\1", 4, 0)],
    ),
    "an empty message": (chunk(0, 4, b"", time=1, type_id=8) + chunk(0, 4, b"x", time=2), [(1, b"", 8, 1), (2, b"x")]),
    "an empty message of form 3": (
        chunk(0, 4, b"", time=1) + chunk(3, 4) + chunk(0, 4, b"x", time=2),
        [(1, b""), (1, b""), (2, b"x")],
    ),
    "exactly one chunk": (chunk(0, 4, LONG[:128], time=1), [(1, LONG[:128])]),
    "one byte more than a chunk": (
        chunk(0, 4, LONG[:128], time=1, length=129) + chunk(3, 4, LONG[128:129]),
        [(1, LONG[:129])],
    ),
    "four chunks": (
        chunk(0, 4, LONG[:128], time=1, length=512) + b"".join(chunk(3, 4, p) for p in pieces_of(LONG, 128)[1:]),
        [(1, LONG)],
    ),
    "interleaved": (
        chunk(0, 4, LONG[:128], time=1, length=300)
        + chunk(0, 6, LONG[:128], time=2, length=200, type_id=8)
        + chunk(3, 4, LONG[128:256])
        + chunk(3, 6, LONG[128:200])
        + chunk(3, 4, LONG[256:300]),
        [(2, LONG[:200], 8, 1), (1, LONG[:300])],
    ),
    "chunk size 1": (
        set_size(1) + chunk(0, 4, b"a", time=1, length=4) + b"".join(chunk(3, 4, p) for p in (b"b", b"c", b"d")),
        [(1, b"abcd")],
    ),
    "chunk size 2^31 - 1": (set_size(2**31 - 1) + chunk(0, 4, LONG * 9, time=1), [(1, LONG * 9)]),
    "chunk size changes in mid message": (
        chunk(0, 4, LONG[:128], time=1, length=500)
        + set_size(200)
        + chunk(3, 4, LONG[128:328])
        + set_size(300)
        + chunk(3, 4, LONG[328:500]),
        [(1, LONG[:500])],
    ),
    "chunk size falls in mid message": (
        set_size(256)
        + chunk(0, 4, LONG[:256], time=1, length=300)
        + set_size(20)
        + b"".join(chunk(3, 4, p) for p in (LONG[256:276], LONG[276:296], LONG[296:300])),
        [(1, LONG[:300])],
    ),
    "set chunk size with bytes behind its four": (
        chunk(0, 2, (256).to_bytes(4, "big") + b"more", time=0, type_id=SET_CHUNK_SIZE)
        + chunk(0, 4, LONG[:256], time=1),
        [(1, LONG[:256])],
    ),
    "abort in mid message": (
        chunk(0, 4, LONG[:128], time=1, length=500)
        + chunk(0, 2, (4).to_bytes(4, "big"), time=0, type_id=ABORT)
        + chunk(3, 4, LONG[:128])
        + chunk(0, 4, b"new", time=9),
        [(9, b"new")],
    ),
    "abort of nothing": (
        chunk(0, 2, (4).to_bytes(4, "big"), time=0, type_id=ABORT)
        + chunk(0, 4, b"a", time=1)
        + chunk(0, 2, (4).to_bytes(4, "big"), time=0, type_id=ABORT)
        + chunk(3, 4, b"b"),
        [(1, b"a"), (1, b"b")],
    ),
    "a new header ends an unfinished message": (
        chunk(0, 4, LONG[:128], time=1, length=500) + chunk(0, 4, b"new", time=9),
        [(9, b"new")],
    ),
    "chunk stream 2": (chunk(0, 2, b"a", time=0), [(0, b"a")]),
    "chunk stream 63": (chunk(0, 63, b"a", time=0), [(0, b"a")]),
    "chunk stream 64": (chunk(0, 64, b"a", time=0) + chunk(3, 64, b"b"), [(0, b"a"), (0, b"b")]),
    "chunk stream 319": (chunk(0, 319, b"a", time=0), [(0, b"a")]),
    "chunk stream 320": (chunk(0, 320, b"a", time=0) + chunk(3, 320, b"b"), [(0, b"a"), (0, b"b")]),
    "chunk stream 65599": (chunk(0, 65599, b"a", time=0), [(0, b"a")]),
    "one id in two forms is one chunk stream": (
        chunk(0, 64, b"ab", time=3) + chunk(3, 64, b"cd", form=3) + chunk(2, 64, b"ef", time=4, form=2),
        [(3, b"ab"), (3, b"cd"), (7, b"ef")],
    ),
    "two-byte ids take several chunks": (
        chunk(0, 300, LONG[:128], time=1, length=200) + chunk(3, 300, LONG[128:200]),
        [(1, LONG[:200])],
    ),
    "id 448 is not id 259 the wrong way round": (
        chunk(0, 64 + 0x180, b"ab", time=0) + chunk(0, 64 + 0x8001, b"cd", time=1) + chunk(3, 64 + 0x180, b"ef"),
        [(0, b"ab"), (1, b"cd"), (0, b"ef")],
    ),
    "time 16777214 is not extended": (chunk(0, 4, b"a", time=0xFFFFFE), [(0xFFFFFE, b"a")]),
    "time 16777215 is extended: 4 h 39 min": (chunk(0, 4, b"a", time=0xFFFFFF), [(0xFFFFFF, b"a")]),
    "time 2^32 - 1": (chunk(0, 4, b"a", time=0xFFFFFFFF), [(0xFFFFFFFF, b"a")]),
    "time wraps after 49 days": (
        chunk(0, 4, b"ab", time=0xFFFFFFF0) + chunk(2, 4, b"cd", time=0x20),
        [(0xFFFFFFF0, b"ab"), (0x10, b"cd")],
    ),
    "an extended delta": (
        chunk(0, 4, b"ab", time=5) + chunk(1, 4, b"cd", time=0x1000000),
        [(5, b"ab"), (0x1000005, b"cd")],
    ),
    "an extended delta of form 2, then repeated by form 3": (
        chunk(0, 4, b"ab", time=5)
        + chunk(2, 4, b"cd", time=0x1000000)
        + chunk(3, 4, b"ef", repeat=(0x1000000).to_bytes(4, "big")),
        [(5, b"ab"), (0x1000005, b"cd"), (0x2000005, b"ef")],
    ),
    "extended time repeated on form 3, as the specification says": (
        chunk(0, 4, LONG[:128], time=0x01020304, length=200) + chunk(3, 4, LONG[128:200], repeat=b"\1\2\3\4"),
        [(0x01020304, LONG[:200])],
    ),
    "extended time not repeated on form 3, as some do": (
        chunk(0, 4, LONG[:128], time=0x01020304, length=200) + chunk(3, 4, LONG[128:200]),
        [(0x01020304, LONG[:200])],
    ),
    "not repeated, and the payload begins like it": (
        chunk(0, 4, bytes(128), time=0x01020304, length=131) + chunk(3, 4, b"\1\2\5"),
        [(0x01020304, bytes(128) + b"\1\2\5")],
    ),
    "extended in several chunks of an id of two bytes": (
        chunk(0, 99, LONG[:128], time=0x01020304, length=300)
        + chunk(3, 99, LONG[128:256], repeat=b"\1\2\3\4")
        + chunk(3, 99, LONG[256:300], repeat=b"\1\2\3\4"),
        [(0x01020304, LONG[:300])],
    ),
    "a later header without extension ends it": (
        chunk(0, 4, b"ab", time=0x01020304) + chunk(2, 4, b"cd", time=1) + chunk(3, 4, b"\1\2"),
        [(0x01020304, b"ab"), (0x01020305, b"cd"), (0x01020306, b"\1\2")],
    ),
    "time may jump back with form 0": (
        chunk(0, 4, b"a", time=9000) + chunk(0, 4, b"b", time=0),
        [(9000, b"a"), (0, b"b")],
    ),
    "a payload that looks like headers": (
        chunk(0, 4, b"\xc4" * 128, time=1, length=512) + (b"\xc4" + b"\xc4" * 128) * 3,
        [(1, b"\xc4" * 512)],
    ),
}


@pytest.mark.parametrize(("data", "expected"), VECTORS.values(), ids=VECTORS)
def test_reads(data, expected):
    found = [(m.timestamp, m.payload, m.type_id, m.stream_id) for m in read_chunks(data)]

    assert [row if len(row) == 4 else (*row, 9, 1) for row in expected] == found


ENDINGS = {
    "form 2 on an unknown chunk stream": (b"\x84", UnknownChunkStream),
    "form 3 on an unknown chunk stream": (b"\xc4", UnknownChunkStream),
    "form 3 on an unknown chunk stream of three bytes": (b"\xc1\x00\x02", UnknownChunkStream),
    "chunk size 0": (set_size(0), ChunkSizeInvalid),
    "chunk size with its top bit": (set_size(0x80001000), ChunkSizeInvalid),
    "chunk size of three bytes": (chunk(0, 2, b"\0\0\1", time=0, type_id=SET_CHUNK_SIZE), ChunkSizeInvalid),
    "abort of three bytes": (chunk(0, 2, b"\0\0\4", time=0, type_id=ABORT), AbortInvalid),
    "message of 2^24 - 1": (chunk(0, 4, b"", time=0, length=0xFFFFFF), MessageTooLong),
    "command of 2^24 - 1": (chunk(0, 4, b"", time=0, length=0xFFFFFF, type_id=20), MessageTooLong),
}


@pytest.mark.parametrize(("data", "error"), ENDINGS.values(), ids=ENDINGS)
def test_refuses(data, error):
    for split in ([data], [bytes((byte,)) for byte in data]):
        with pytest.raises(error) as caught:
            messages_of(ChunkReader(), split)

        assert str(caught.value)


def test_counts_the_headers_that_were_read_one_by_one():
    reader = ChunkReader()
    messages_of(reader, [chunk(0, 4, b"ab", time=0) + chunk(3, 4, b"cd") + chunk(0, 6, b"ef", time=0)[:9]])

    assert reader.headers == 2


@pytest.mark.parametrize(
    ("type_id", "limit"), [(9, MEDIA_MESSAGE_BYTES_MAX), (22, MEDIA_MESSAGE_BYTES_MAX), (20, OTHER_MESSAGE_BYTES_MAX)]
)
def test_message_length_at_its_limit(type_id, limit):
    for length in (limit - 1, limit):
        assert messages_of(ChunkReader(), [chunk(0, 4, b"", time=0, length=length, type_id=type_id)]) == []
    with pytest.raises(MessageTooLong) as caught:
        messages_of(ChunkReader(), [chunk(0, 4, b"", time=0, length=limit + 1, type_id=type_id)])

    assert (caught.value.type_id, caught.value.length) == (type_id, limit + 1)


def test_a_whole_message_of_the_largest_size():
    payload = Random(3).randbytes(MEDIA_MESSAGE_BYTES_MAX)
    writer = ChunkWriter()
    data = writer.write(Message(9, 1, 1, payload), 6)

    (message,) = messages_of(ChunkReader(), [data[at : at + 65536] for at in range(0, len(data), 65536)])

    assert message.payload == payload


def test_chunk_streams_at_their_limit():
    reader = ChunkReader()
    data = b"".join(chunk(0, 2 + number, b"a", time=0) for number in range(CHUNK_STREAMS_MAX))

    assert len(messages_of(reader, [data])) == CHUNK_STREAMS_MAX
    assert len(messages_of(reader, [chunk(0, 2, b"a", time=0)])) == 1  # A known one is no new one.
    with pytest.raises(TooManyChunkStreams, match=f"more than {CHUNK_STREAMS_MAX}"):
        messages_of(reader, [chunk(0, 5000, b"a", time=0)])


def test_bytes_of_unfinished_messages_at_their_limit():
    reader = ChunkReader()
    size = HELD_BYTES_MAX // 4
    messages_of(reader, [set_size(size)])
    for chunk_stream_id in range(3, 7):
        data = chunk(0, chunk_stream_id, bytes(size), time=0, length=size + 1)

        assert messages_of(reader, [data[at : at + 65536] for at in range(0, len(data), 65536)]) == []
    with pytest.raises(TooManyHeldBytes, match=str(HELD_BYTES_MAX)):
        messages_of(reader, [chunk(0, 7, b"x", time=0, length=2)])


@pytest.mark.parametrize(
    "ending",
    [chunk(0, 4, b"new", time=0), chunk(0, 2, (4).to_bytes(4, "big"), time=0, type_id=ABORT)],
    ids=["new header", "abort"],
)
def test_dropped_messages_no_longer_count(ending):
    reader = ChunkReader()
    size = HELD_BYTES_MAX // 2 - 9
    messages_of(reader, [set_size(size)])
    for _ in range(3):
        messages_of(reader, [chunk(0, 4, bytes(size), time=0, length=size + 1)])
        messages_of(reader, [ending])
    found = messages_of(reader, [chunk(0, 5, b"still", time=0)])

    assert [message.payload for message in found] == [b"still"]


def test_nothing_is_allocated_for_an_announced_length():
    reader = ChunkReader()
    messages_of(reader, [chunk(0, 3, (1).to_bytes(4, "big"), time=0, type_id=SET_CHUNK_SIZE)])
    for number in range(CHUNK_STREAMS_MAX):
        messages_of(reader, [chunk(0, 3 + number, b"x", time=0, length=MEDIA_MESSAGE_BYTES_MAX)])

    assert reader._held_bytes == CHUNK_STREAMS_MAX


def test_small_pieces_are_gathered():
    reader = ChunkReader()
    messages_of(reader, [set_size(60_000), chunk(0, 4, b"", time=0, length=50_000)])
    for _ in range(40_000):
        reader.receive_data(b"x")
        assert reader.next_message() is None
    stream = reader._streams[4]

    assert sum(map(len, stream.parts)) == 40_000
    assert len(stream.parts) == 1
    assert messages_of(reader, [bytes(10_000)])[0].payload == b"x" * 40_000 + bytes(10_000)


def test_bytes_that_were_not_asked_for_are_kept():
    reader = ChunkReader()
    reader.receive_data(chunk(0, 4, b"a", time=0) + chunk(0, 4, b"b", time=0)[:5])
    reader.receive_data(chunk(0, 4, b"b", time=0)[5:])

    assert [reader.next_message().payload, reader.next_message().payload] == [b"a", b"b"]
    assert reader.next_message() is None


@pytest.mark.parametrize("size", [1, 2, 127, 128, 129, 4096, 65536])
@pytest.mark.parametrize("timestamp", [0, 0xFFFFFE, 0xFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("chunk_stream_id", [2, 63, 64, 319, 320, 65599])
def test_what_is_written_is_read(size, timestamp, chunk_stream_id):
    writer = ChunkWriter()
    data = writer.write(Message(SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big")), 2)
    messages = [Message(9, timestamp, 1, LONG[:length]) for length in (0, 1, 127, 128, 129, 512)]
    data += b"".join(writer.write(message, chunk_stream_id) for message in messages)

    assert messages_of(ChunkReader(), [data]) == messages
    assert messages_of(ChunkReader(), pieces_of(data, 5)) == messages


def test_the_writer_repeats_extended_timestamps():
    data = ChunkWriter().write(Message(9, 0x01020304, 1, bytes(200)), 6)

    assert data[12:16] == b"\1\2\3\4"
    assert data[144:149] == b"\xc6\1\2\3\4"


class Sender:
    """One chunk stream of a random sender: any allowed header form, and what the reader must make of it."""

    def __init__(self, random: Random, chunk_stream_id: int) -> None:
        self.random = random
        self.id = chunk_stream_id
        self.known = False
        self.time = self.delta = self.length = 0
        self.type_id, self.stream_id = 9, 1
        self.extended = b""
        self.repeats = random.random() < 0.5  # Whether this encoder repeats extended timestamps.
        self.rest = b""

    def begin(self, payload_bytes: int) -> tuple[bytes, Message]:
        """Return the header of a new message (its payload waits in `rest`) and the message itself."""
        random = self.random
        forms = [0, 0, 1, 1, 2, 3] if self.known else [0]
        fmt = random.choice(forms)
        if fmt >= 2:
            payload_bytes = self.length
        value = random.choice((0, 1, 20, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF, random.getrandbits(32)))
        # The first byte is never that of an extended timestamp here: that ambiguity is the encoder's own doing.
        payload = b"\xee" * min(payload_bytes, 4) + random.randbytes(max(payload_bytes - 4, 0))
        repeat = b""
        if fmt == 0:
            self.time, self.delta = value, 0
            self.type_id, self.stream_id = random.choice((8, 9)), random.getrandbits(32)
        elif fmt < 3:
            self.time, self.delta = (self.time + value) % 2**32, value
            if fmt == 1:
                self.type_id = random.choice((8, 9))
        else:
            self.time = (self.time + self.delta) % 2**32
            repeat = self.extended if self.repeats else b""
        if fmt < 3:
            self.extended = value.to_bytes(4, "big") if value >= 0xFFFFFF else b""
        self.known, self.length, self.rest = True, payload_bytes, payload
        header = chunk(
            fmt,
            self.id,
            time=value if fmt < 3 else None,
            length=payload_bytes,
            type_id=self.type_id,
            stream_id=self.stream_id,
            repeat=repeat,
        )
        return header, Message(self.type_id, self.time, self.stream_id, payload)

    def go_on(self) -> bytes:
        return chunk(3, self.id, repeat=self.extended if self.repeats else b"")

    def take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken


def random_conversation(seed: int) -> tuple[bytes, list[Message]]:
    """Return interleaved chunks of several senders with changing sizes, and the messages in the order they end."""
    random = Random(seed)
    ids = random.sample((2, 3, 4, 5, 6, 63, 64, 300, 319, 320, 5000, 65599), random.randint(1, 6))
    senders = [Sender(random, chunk_stream_id) for chunk_stream_id in ids]
    data, size, under_way, messages = b"", 128, {}, []
    for _ in range(random.randint(5, 60)):
        if random.random() < 0.08:
            new_size = random.choice((1, 2, 100, 128, 129, 1000, 4096, 65536))
            first, *others = pieces_of(new_size.to_bytes(4, "big"), size)
            data += chunk(0, 7, first, time=0, length=4, type_id=SET_CHUNK_SIZE, stream_id=0)
            data += b"".join(chunk(3, 7, other) for other in others)
            size = new_size
            continue
        sender = random.choice(senders)
        if sender in under_way:
            data += sender.go_on()
        else:
            header, under_way[sender] = sender.begin(random.choice((0, 1, 5, 100, 128, 129, 700, 3000)))
            data += header
        data += sender.take(size)
        if not sender.rest:
            messages.append(under_way.pop(sender))
    for sender, message in under_way.items():
        while sender.rest:
            data += sender.go_on() + sender.take(size)
        messages.append(message)
    return data, messages


@pytest.mark.parametrize("block", range(10))
def test_random_conversations_in_random_splits(block):
    """420 conversations, each whole, byte by byte, and in two random splits."""
    for seed in range(block * 42, block * 42 + 42):
        data, messages = random_conversation(seed)
        for pieces in ([data], pieces_of(data, 1), randomly(data, Random(seed)), randomly(data, Random(~seed))):
            assert messages_of(ChunkReader(), pieces) == messages, seed


def test_fuzz_accepted_can_be_written_again_and_refused_is_documented():
    random = Random(4)
    corpus = [data for data, _ in VECTORS.values()] + [data for data, _ in ENDINGS.values()]
    refused = accepted = 0
    for _ in range(ROUNDS):
        data = bytearray(random.choice(corpus) + random.choice(corpus))
        for _ in range(random.randint(0, 8)):
            data[random.randrange(len(data))] = random.getrandbits(8)
        reader, found = ChunkReader(), []
        try:
            for piece in randomly(bytes(data), random):
                reader.receive_data(piece)
                while (message := reader.next_message()) is not None:
                    found.append(message)
        except ChunkError as error:
            assert str(error)
            refused += 1
        writer = ChunkWriter()
        written = b"".join(writer.write(message, 3) for message in found)

        assert messages_of(ChunkReader(), [written]) == found
        accepted += len(found)
    assert refused > ROUNDS / 20
    assert accepted > ROUNDS / 2
