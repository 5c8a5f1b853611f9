"""Core: RTMP chunks to messages and back (RTMP 1.0 §5.3 and §5.4).

A chunk is a header and at most `chunk size` bytes of one message; chunks of several messages interleave, each message
on a chunk stream of its own. Two rules decide the shape of the reader. Payload is consumed as it comes: to wait for a
whole chunk is quadratic with small reads, and a gift to whoever announces a large chunk size; what is held back is at
most one unfinished header. And all state of a message lives in its chunk stream, or interleaved audio and video corrupt
each other.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from media.rtmp_ingest.errors import ChunkError

SET_CHUNK_SIZE: Final = 1
ABORT: Final = 2
AUDIO: Final = 8
VIDEO: Final = 9
AGGREGATE: Final = 22
MEDIA_TYPES: Final = frozenset({AUDIO, VIDEO, AGGREGATE})

CHUNK_BYTES_DEFAULT: Final = 128  # Both directions start with it (§5.4.1).
EXTENDED: Final = 0xFFFFFF  # A 24-bit timestamp of this value says: four more bytes follow, 4 h 39 min and later.
HEADER_BYTES: Final = (11, 7, 3, 0)

# Two megabytes are the largest keyframes seen at 4K; peers take 1 MiB (nginx-rtmp) to 10 MiB (MediaMTX).
MEDIA_MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
# Commands, metadata and control need some kilobytes.
OTHER_MESSAGE_BYTES_MAX: Final = 1024 * 1024
# Bytes of unfinished messages on all chunk streams of one connection: one large message and what interleaves with it.
HELD_BYTES_MAX: Final = 16 * 1024 * 1024
# Encoders use four to six.
CHUNK_STREAMS_MAX: Final = 64
# Pieces below this are gathered in one buffer: a list of one-byte pieces would cost forty times its payload.
SMALL_PIECE_BYTES: Final = 512

assert OTHER_MESSAGE_BYTES_MAX <= MEDIA_MESSAGE_BYTES_MAX < HELD_BYTES_MAX


class UnknownChunkStream(ChunkError):
    """A header leans on an earlier one of its chunk stream, and there was none (§5.3.1.2)."""

    def __init__(self, chunk_stream_id: int, fmt: int) -> None:
        super().__init__(chunk_stream_id, fmt)
        self.chunk_stream_id = chunk_stream_id
        self.fmt = fmt

    def __str__(self) -> str:
        return f"header of form {self.fmt} on chunk stream {self.chunk_stream_id}, which has no earlier header"


class TooManyChunkStreams(ChunkError):
    """One more chunk stream than CHUNK_STREAMS_MAX."""

    def __str__(self) -> str:
        return f"more than {CHUNK_STREAMS_MAX} chunk streams"


class MessageTooLong(ChunkError):
    """A header announces a message over the limit of its type. Nothing was allocated for it."""

    def __init__(self, type_id: int, length: int) -> None:
        super().__init__(type_id, length)
        self.type_id = type_id
        self.length = length

    def __str__(self) -> str:
        return f"message of type {self.type_id} announces {self.length} bytes"


class TooManyHeldBytes(ChunkError):
    """Unfinished messages of this connection exceed HELD_BYTES_MAX."""

    def __str__(self) -> str:
        return f"unfinished messages hold more than {HELD_BYTES_MAX} bytes"


class ChunkSizeInvalid(ChunkError):
    """Set Chunk Size was 0, had its top bit set, or was shorter than four bytes (§5.4.1)."""

    def __str__(self) -> str:
        return "Set Chunk Size must be 1 to 2147483647"


class AbortInvalid(ChunkError):
    """Abort was shorter than four bytes (§5.4.2)."""

    def __str__(self) -> str:
        return "Abort without a chunk stream id"


class Message(NamedTuple):
    """One message as it travels: its type, its 32-bit time in ms, its message stream and its untouched payload."""

    type_id: int
    timestamp: int
    stream_id: int
    payload: bytes


class _ChunkStream:
    """The last header of one chunk stream, and the message that is being put together on it."""

    __slots__ = ("delta", "extended", "length", "need", "parts", "repeat", "stream_id", "timestamp", "type_id")

    def __init__(self, chunk_stream_id: int) -> None:
        self.timestamp = 0
        self.delta = 0
        self.length = 0
        self.type_id = 0
        self.stream_id = 0
        self.extended = b""  # The four bytes of the last header's extended timestamp; empty: it had none.
        self.parts: list[bytes | bytearray] | None = None  # None: no message is under way.
        self.need = 0  # Payload bytes still missing.
        # The whole header of a chunk that goes on, where that is one byte; empty: it never is.
        self.repeat = bytes((0xC0 | chunk_stream_id,)) if chunk_stream_id < 64 else b""


class ChunkReader:
    """Bytes in, messages out. Set Chunk Size and Abort are obeyed here and not handed on.

    Call `receive_data`, then `next_message` until it answers None. After a ChunkError the connection is beyond repair.
    """

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._streams: dict[int, _ChunkStream] = {}
        self._current: _ChunkStream | None = None  # Whose payload comes next; None: a header does.
        self._left = 0  # Payload bytes missing of the current chunk.
        self._size = CHUNK_BYTES_DEFAULT
        self._held_bytes = 0
        self._headers = 0

    @property
    def headers(self) -> int:
        """How many chunk headers were read one by one: what the work of reading grows with."""
        return self._headers

    def receive_data(self, data: bytes) -> None:
        """Add bytes in any split."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next_message(self) -> Message | None:
        """Return the next whole message, or None if more bytes are needed for it. Raises ChunkError."""
        while True:
            stream = self._current
            if stream is None:
                if self._at == len(self._data):
                    return None
                stream = self._read_header()
                if stream is None:
                    return None
                self._current = stream
                self._left = min(stream.need, self._size)
            self._read_payload(stream)
            if self._left:
                return None
            self._current = None
            if not stream.need:
                message = self._finish(stream)
                if message is not None:
                    return message

    def _read_header(self) -> _ChunkStream | None:
        """Read a chunk's header, or return None and stay where it began."""
        data, at = self._data, self._at
        first = data[at]
        fmt, chunk_stream_id = first >> 6, first & 63
        at += 1
        if chunk_stream_id < 2:
            # 0: one more byte, ids 64 to 319. 1: two more, little-endian, ids 64 to 65599 (§5.3.1.1).
            more = data[at : at + chunk_stream_id + 1]
            if len(more) <= chunk_stream_id:
                return None
            at += len(more)
            chunk_stream_id = int.from_bytes(more, "little") + 64
        stream = self._streams.get(chunk_stream_id) or self._new_stream(chunk_stream_id, fmt)
        header = data[at : at + HEADER_BYTES[fmt]]
        at += HEADER_BYTES[fmt]
        if at > len(data):
            return None
        extended = b""
        if stream.extended if fmt == 3 else header.startswith(b"\xff\xff\xff"):
            found = self._extended_timestamp(stream, fmt, at)
            if found is None:
                return None
            extended = found
            at += len(extended)
        self._at = at
        self._headers += 1
        if fmt < 3:
            self._streams[chunk_stream_id] = stream
            self._apply(stream, fmt, header, extended)
        elif stream.parts is None:
            # Form 3 with nothing under way: a message like the last one, one delta later.
            self._begin(stream, (stream.timestamp + stream.delta) & 0xFFFFFFFF)
        return stream

    def _new_stream(self, chunk_stream_id: int, fmt: int) -> _ChunkStream:
        # Form 1 says all but the message stream. librtmp opens its control stream with it when it answers a ping, so
        # on an unknown id it is taken as message stream 0 at time 0; forms 2 and 3 do not even say a length.
        if fmt >= 2:
            raise UnknownChunkStream(chunk_stream_id, fmt)
        if len(self._streams) == CHUNK_STREAMS_MAX:
            raise TooManyChunkStreams
        return _ChunkStream(chunk_stream_id)

    def _extended_timestamp(self, stream: _ChunkStream, fmt: int, at: int) -> bytes | None:
        """Return the four bytes of an extended timestamp, or none; None: too early to say.

        §5.3.1.3 wants the last one repeated behind a form 3 header, and some encoders do not. They are told apart by
        looking: four bytes that equal the last extended timestamp are one.
        """
        seen = self._data[at : at + 4]
        if fmt == 3 and not stream.extended.startswith(seen):
            return b""
        return seen if len(seen) == 4 else None

    def _apply(self, stream: _ChunkStream, fmt: int, header: bytes, extended: bytes) -> None:
        self._drop(stream)  # A new message on this chunk stream ends an unfinished one.
        time = int.from_bytes(extended or header[:3], "big")
        if fmt < 2:
            stream.length = int.from_bytes(header[3:6], "big")
            stream.type_id = header[6]
        if fmt == 0:
            stream.stream_id = int.from_bytes(header[7:11], "little")  # The one little-endian field (§5.3.1.2.1).
            # A form 3 message after form 0 repeats no time. The letter of the specification would add the absolute
            # one again; encoders send it only where both agree.
            stream.delta = 0
        else:
            stream.delta = time
            time = (stream.timestamp + time) & 0xFFFFFFFF
        stream.extended = extended
        self._begin(stream, time)

    def _begin(self, stream: _ChunkStream, timestamp: int) -> None:
        limit = MEDIA_MESSAGE_BYTES_MAX if stream.type_id in MEDIA_TYPES else OTHER_MESSAGE_BYTES_MAX
        if stream.length > limit:
            raise MessageTooLong(stream.type_id, stream.length)
        stream.timestamp = timestamp
        stream.parts = []
        stream.need = stream.length

    def _drop(self, stream: _ChunkStream) -> None:
        if stream.parts is not None:
            self._held_bytes -= stream.length - stream.need
            stream.parts = None

    def _read_payload(self, stream: _ChunkStream) -> None:
        """Take what is here of the current chunk, and of the chunks behind it that go on with the same message."""
        data, at = self._data, self._at
        parts = stream.parts
        assert parts is not None
        take = min(len(data) - at, self._left)
        if take:
            piece = data[at : at + take]
            if take == stream.need or take >= SMALL_PIECE_BYTES:
                # A message that came in one piece is handed on as that slice, without a copy more.
                parts.append(piece)
            elif parts and isinstance(last := parts[-1], bytearray):
                last += piece
            else:
                parts.append(bytearray(piece))
            at += take
            self._left -= take
            stream.need -= take
        if not self._left and stream.need and stream.repeat and not stream.extended:
            run, taken = self._read_run(stream, at)
            if taken:
                parts.append(run)
                at += len(run) + taken
                take += len(run)
                stream.need -= len(run)
        self._at = at
        self._held_bytes += take
        if self._held_bytes > HELD_BYTES_MAX:
            raise TooManyHeldBytes

    def _read_run(self, stream: _ChunkStream, at: int) -> tuple[bytearray, int]:
        """Return the payload of the whole chunks at `at` that only go on with this message, and how many they are.

        Their headers are all the same byte at the same distance, so they are counted and cut out by strides: this is
        what makes chunks of 128 bytes cost little more than chunks of 4096.
        """
        data, stride = self._data, self._size + 1
        fits = min((len(data) - at) // stride, stream.need // self._size)
        headers = data[at : at + fits * stride : stride]
        chunks = fits - len(headers.lstrip(stream.repeat))
        run = bytearray(data[at : at + chunks * stride])
        del run[::stride]
        return run, chunks

    def _finish(self, stream: _ChunkStream) -> Message | None:
        parts = stream.parts
        assert parts is not None
        payload = bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
        self._held_bytes -= stream.length
        stream.parts = None
        if stream.type_id == SET_CHUNK_SIZE:
            # The size is of the next chunk on, also for messages that other chunk streams have under way (§5.4.1).
            size = int.from_bytes(payload[:4], "big")
            if len(payload) < 4 or not 0 < size < 1 << 31:
                raise ChunkSizeInvalid
            self._size = size
            return None
        if stream.type_id == ABORT:
            if len(payload) < 4:
                raise AbortInvalid
            aborted = self._streams.get(int.from_bytes(payload[:4], "big"))
            if aborted is not None:
                self._drop(aborted)
            return None
        return Message(stream.type_id, stream.timestamp, stream.stream_id, payload)


class ChunkWriter:
    """Messages in, bytes out: form 0 for the first chunk of a message, form 3 for the others."""

    def __init__(self) -> None:
        self._size = CHUNK_BYTES_DEFAULT

    def write(self, message: Message, chunk_stream_id: int) -> bytes:
        """Return the message as chunks on `chunk_stream_id` (2 to 65599). A Set Chunk Size is obeyed from here on."""
        assert 2 <= chunk_stream_id < 65600
        payload = message.payload
        extended = message.timestamp.to_bytes(4, "big") if message.timestamp >= EXTENDED else b""
        pieces = [
            _basic_header(0, chunk_stream_id),
            b"\xff\xff\xff" if extended else message.timestamp.to_bytes(3, "big"),
            len(payload).to_bytes(3, "big"),
            bytes((message.type_id,)),
            message.stream_id.to_bytes(4, "little"),
            extended,
            payload[: self._size],
        ]
        again = _basic_header(3, chunk_stream_id) + extended
        for at in range(self._size, len(payload), self._size):
            pieces += (again, payload[at : at + self._size])
        if message.type_id == SET_CHUNK_SIZE:
            self._size = int.from_bytes(payload, "big")
        return b"".join(pieces)


def _basic_header(fmt: int, chunk_stream_id: int) -> bytes:
    if chunk_stream_id < 64:
        return bytes((fmt << 6 | chunk_stream_id,))
    if chunk_stream_id < 320:
        return bytes((fmt << 6, chunk_stream_id - 64))
    return bytes((fmt << 6 | 1,)) + (chunk_stream_id - 64).to_bytes(2, "little")
