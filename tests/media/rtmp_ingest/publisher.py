"""The other side of the wire, written for tests: chunks of any form, and what an encoder says in which order."""

from __future__ import annotations

from typing import Any

from media.rtmp_ingest import amf0, messages
from media.rtmp_ingest.chunks import ChunkReader, ChunkWriter, Message
from media.rtmp_ingest.handshake import NONCE_BYTES

NONCE = bytes(index * 7 % 251 for index in range(NONCE_BYTES))
C0_C1 = b"\x03" + bytes(8) + bytes(1528)
C2 = bytes(1536)
SERVER_HANDSHAKE_BYTES = 3073


def basic_header(fmt: int, chunk_stream_id: int, form: int | None = None) -> bytes:
    """Return a basic header; `form` 1, 2 or 3 forces its length where an id allows more than one."""
    if form is None:
        form = 1 if chunk_stream_id < 64 else 2 if chunk_stream_id < 320 else 3
    if form == 1:
        return bytes((fmt << 6 | chunk_stream_id,))
    rest = chunk_stream_id - 64
    return bytes((fmt << 6, rest)) if form == 2 else bytes((fmt << 6 | 1, rest & 255, rest >> 8))


def chunk(
    fmt: int,
    chunk_stream_id: int,
    payload: bytes = b"",
    *,
    time: int | None = None,
    length: int | None = None,
    type_id: int = 9,
    stream_id: int = 1,
    form: int | None = None,
    repeat: bytes = b"",
) -> bytes:
    """Return one chunk written out field by field, so that the reader is not only tried on our own writer.

    `time` is the absolute time or the delta, extended by itself; `repeat` is an extended timestamp of form 3.
    """
    data = basic_header(fmt, chunk_stream_id, form)
    if fmt < 3:
        assert time is not None
        data += min(time, 0xFFFFFF).to_bytes(3, "big")
    if fmt < 2:
        data += (len(payload) if length is None else length).to_bytes(3, "big") + bytes((type_id,))
    if fmt == 0:
        data += stream_id.to_bytes(4, "little")
    if fmt < 3 and time is not None and time >= 0xFFFFFF:
        data += time.to_bytes(4, "big")
    return data + repeat + payload


class Client:
    """What an encoder sends. Every method returns bytes; nothing is kept but the chunk size of the writer."""

    def __init__(self) -> None:
        self._writer = ChunkWriter()

    def message(self, type_id: int, payload: bytes, *, stream: int = 0, time: int = 0, chunk_stream: int = 3) -> bytes:
        return self._writer.write(Message(type_id, time, stream, payload), chunk_stream)

    def typed(self, message: messages.Typed, *, stream: int = 0, chunk_stream: int = 2) -> bytes:
        return self.message(*messages.write(message), stream=stream, chunk_stream=chunk_stream)

    def command(self, name: Any, transaction: Any, *values: Any, stream: int = 0) -> bytes:
        return self.message(messages.COMMAND, amf0.encode(name, transaction, *values), stream=stream)

    def chunk_size(self, size: int) -> bytes:
        return self.typed(messages.SetChunkSize(size))

    def connect(self, app: Any = "live", **more: Any) -> bytes:
        asked = {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0", "tcUrl": "rtmp://localhost/live", **more}
        return self.command("connect", 1.0, asked)

    def create_stream(self, transaction: float = 4.0) -> bytes:
        return self.command("createStream", transaction, None)

    def publish(self, name: Any = "demo_key", kind: Any = "live", *, stream: int = 1) -> bytes:
        return self.command("publish", 5.0, None, name, kind, stream=stream)

    def start(self, name: Any = "demo_key") -> bytes:
        """Return all that an encoder says from its first byte to its wish to publish."""
        return (
            C0_C1
            + C2
            + self.connect()
            + self.command("releaseStream", 2.0, None, name)
            + self.command("FCPublish", 3.0, None, name)
            + self.create_stream()
            + self.publish(name)
        )

    def video(self, time: int, payload: bytes = b"\x17\x01\0\0\0frame") -> bytes:
        return self.message(9, payload, stream=1, time=time, chunk_stream=6)

    def audio(self, time: int, payload: bytes = b"\xaf\x01sound") -> bytes:
        return self.message(8, payload, stream=1, time=time, chunk_stream=4)

    def metadata(self, values: dict[str, Any]) -> bytes:
        payload = amf0.encode("@setDataFrame", "onMetaData", values)
        return self.message(messages.DATA, payload, stream=1, chunk_stream=4)

    def stop(self, name: Any = "demo_key") -> bytes:
        return self.command("FCUnpublish", 6.0, None, name) + self.command("deleteStream", 7.0, None, 1.0)


class Heard:
    """What a server said, read back message by message."""

    def __init__(self) -> None:
        self._handshake = b""
        self._reader = ChunkReader()

    def take(self, data: bytes) -> list[messages.Typed]:
        """Return the messages in `data`, the server's next bytes; its handshake is stepped over."""
        missing = SERVER_HANDSHAKE_BYTES - len(self._handshake)
        self._handshake += data[:missing]
        self._reader.receive_data(data[missing:])
        heard = []
        while (message := self._reader.next_message()) is not None:
            heard.append(messages.read(message.type_id, message.payload))
        return heard


def said(heard: list[messages.Typed]) -> list[str]:
    """Put what a server said into words: one line a message, status codes behind the name."""
    lines = []
    for message in heard:
        line = type(message).__name__
        if isinstance(message, messages.Command):
            line = message.name
            for value in message.arguments:
                if isinstance(value, dict) and "code" in value:
                    line += f" {value['code']}"
                elif isinstance(value, float):
                    line += f" {value:g}"
        elif isinstance(message, messages.UserControl):
            line += f" {message.kind} {message.data.hex()}"
        elif isinstance(message, messages.Acknowledgement):
            line += f" {message.bytes_received}"
        lines.append(line)
    return lines
