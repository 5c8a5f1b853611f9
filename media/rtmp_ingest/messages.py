"""Core: RTMP messages as types, from a type number and a payload and back (RTMP 1.0 §5.4, §6.2, §7.1).

    1  SetChunkSize     4  UserControl         15, 18  Data (AMF3, AMF0)         22  aggregate: `split`
    2  Abort            5  WindowAckSize       16, 19  SharedObject: Unknown     other: Unknown
    3  Acknowledgement  6  SetPeerBandwidth    17, 20  Command (AMF3, AMF0)

Audio (8) and video (9) are not read here: their payload is an FLV tag's, and so is that of Enhanced RTMP.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from media.rtmp_ingest import amf0
from media.rtmp_ingest.chunks import Message
from media.rtmp_ingest.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator

USER_CONTROL: Final = 4
DATA_AMF3: Final = 15
COMMAND_AMF3: Final = 17
DATA: Final = 18
COMMAND: Final = 20

# Kinds of user control that a publisher and its server need (§6.2).
STREAM_BEGIN: Final = 0
PING_REQUEST: Final = 6
PING_RESPONSE: Final = 7

# Kinds of Set Peer Bandwidth (§5.4.5).
LIMIT_DYNAMIC: Final = 2

# Commands and metadata. The largest seen from an encoder has 1.2 KB.
AMF_BYTES_MAX: Final = 64 * 1024

# Parts of one aggregate: some seconds of audio and video. Without a bound 8 MiB would be half a million messages.
AGGREGATE_PARTS_MAX: Final = 4096
TAG_HEADER_BYTES: Final = 11
TAG_POINTER_BYTES: Final = 4


class PayloadTooShort(MessageError):
    """A message of a fixed form ends before its fields do."""

    def __init__(self, type_id: int, length: int) -> None:
        super().__init__(type_id, length)
        self.type_id = type_id
        self.length = length

    def __str__(self) -> str:
        return f"message of type {self.type_id} has only {self.length} bytes"


class AmfTooLong(MessageError):
    """A command or data message of more than AMF_BYTES_MAX."""

    def __init__(self, type_id: int, length: int) -> None:
        super().__init__(type_id, length)
        self.type_id = type_id
        self.length = length

    def __str__(self) -> str:
        return f"message of type {self.type_id} has {self.length} bytes, more than {AMF_BYTES_MAX}"


class CommandMalformed(MessageError):
    """A command without a name or without a transaction number."""

    def __str__(self) -> str:
        return "command without a name and a transaction number"


class AggregateMalformed(MessageError):
    """A part of an aggregate goes on behind its end."""

    def __str__(self) -> str:
        return "aggregate message ends inside a part"


class AggregateTooLong(MessageError):
    """An aggregate of more than AGGREGATE_PARTS_MAX parts."""

    def __str__(self) -> str:
        return f"aggregate message of more than {AGGREGATE_PARTS_MAX} parts"


@dataclass(frozen=True, slots=True)
class SetChunkSize:
    """From the next chunk on, chunks carry up to `size` bytes."""

    type_id: ClassVar[int] = 1
    size: int


@dataclass(frozen=True, slots=True)
class Abort:
    """What came of a message on this chunk stream is void."""

    type_id: ClassVar[int] = 2
    chunk_stream_id: int


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Bytes received so far, modulo 2^32."""

    type_id: ClassVar[int] = 3
    bytes_received: int


@dataclass(frozen=True, slots=True)
class UserControl:
    """An event of the stream layer: its kind, and its fields as bytes."""

    type_id: ClassVar[int] = USER_CONTROL
    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class WindowAckSize:
    """The sender wants an acknowledgement at least every `size` bytes."""

    type_id: ClassVar[int] = 5
    size: int


@dataclass(frozen=True, slots=True)
class SetPeerBandwidth:
    """The receiver should not have more than `size` bytes unacknowledged; `limit` is hard, soft or dynamic."""

    type_id: ClassVar[int] = 6
    size: int
    limit: int


@dataclass(frozen=True, slots=True)
class Data:
    """Named values beside the media: metadata, cue points, captions."""

    type_id: ClassVar[int] = DATA
    values: list[Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A call, or the answer to one: `transaction` pairs them, 0 wants no answer."""

    type_id: ClassVar[int] = COMMAND
    name: str
    transaction: float
    object: Any
    arguments: list[Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type that this server has no use for. Ignored, never an error."""

    type_id: int
    payload: bytes


Typed = (
    SetChunkSize | Abort | Acknowledgement | UserControl | WindowAckSize | SetPeerBandwidth | Data | Command | Unknown
)

# Messages of one form: struct format and class. Longer payloads are taken, their rest is not looked at.
FIXED: Final[dict[int, tuple[struct.Struct, type[Any]]]] = {
    SetChunkSize.type_id: (struct.Struct(">I"), SetChunkSize),
    Abort.type_id: (struct.Struct(">I"), Abort),
    Acknowledgement.type_id: (struct.Struct(">I"), Acknowledgement),
    WindowAckSize.type_id: (struct.Struct(">I"), WindowAckSize),
    SetPeerBandwidth.type_id: (struct.Struct(">IB"), SetPeerBandwidth),
}


def read(type_id: int, payload: bytes) -> Typed:
    """Return the message that `payload` is as type `type_id`. Raises MessageError or AmfError."""
    if type_id in FIXED:
        form, fixed = FIXED[type_id]
        if len(payload) < form.size:
            raise PayloadTooShort(type_id, len(payload))
        message: Typed = fixed(*form.unpack_from(payload))
    elif type_id == USER_CONTROL:
        if len(payload) < 2:
            raise PayloadTooShort(type_id, len(payload))
        message = UserControl(int.from_bytes(payload[:2], "big"), payload[2:])
    elif type_id in {DATA, DATA_AMF3}:
        message = Data(_values(type_id, payload))
    elif type_id in {COMMAND, COMMAND_AMF3}:
        message = _command(_values(type_id, payload))
    else:
        message = Unknown(type_id, payload)
    return message


def write(message: Typed) -> tuple[int, bytes]:
    """Return the type number and payload of `message`; AMF values are written as AMF0."""
    type_id = message.type_id
    if isinstance(message, Unknown):
        payload = message.payload
    elif isinstance(message, UserControl):
        payload = struct.pack(">H", message.kind) + message.data
    elif isinstance(message, Data):
        payload = amf0.encode(*message.values)
    elif isinstance(message, Command):
        payload = amf0.encode(message.name, message.transaction, message.object, *message.arguments)
    else:
        form, fixed = FIXED[type_id]
        payload = form.pack(*(getattr(message, name) for name in fixed.__slots__))
    return type_id, payload


def split(aggregate: Message) -> Iterator[Message]:
    """Yield the messages of an aggregate (§7.1.6). Raises MessageError.

    Each part is an FLV tag with its back pointer. Its time counts from the first part's, which stands at the time of
    the aggregate itself; its stream is the aggregate's, whatever it says.
    """
    payload, at, parts = aggregate.payload, 0, 0
    first: int | None = None
    while at < len(payload):
        parts += 1
        if parts > AGGREGATE_PARTS_MAX:
            raise AggregateTooLong
        start = at + TAG_HEADER_BYTES
        header = payload[at:start]
        size = int.from_bytes(header[1:4], "big")
        at = start + size + TAG_POINTER_BYTES
        # The last back pointer is left out by some writers.
        if len(header) < TAG_HEADER_BYTES or at - TAG_POINTER_BYTES > len(payload):
            raise AggregateMalformed
        time = int.from_bytes(header[7:8] + header[4:7], "big")
        first = time if first is None else first
        timestamp = (aggregate.timestamp + time - first) & 0xFFFFFFFF
        yield Message(header[0], timestamp, aggregate.stream_id, payload[start : start + size])


def _values(type_id: int, payload: bytes) -> list[Any]:
    if len(payload) > AMF_BYTES_MAX:
        raise AmfTooLong(type_id, len(payload))
    if type_id in {DATA_AMF3, COMMAND_AMF3} and payload[:1] == b"\0":
        payload = payload[1:]  # The format byte: AMF0 follows, in which 0x11 switches one value to AMF3.
    return amf0.decode(payload)


def _command(values: list[Any]) -> Command:
    match values:
        case [str(name), float(transaction), *rest]:
            return Command(name, transaction, rest[0] if rest else None, rest[1:])
    raise CommandMalformed
