"""Core: FLV tags, read and written; the payload of an RTMP video or audio message is a tag's payload.

Sources: Adobe FLV 10.1 annex E; Enhanced RTMP v2 (ExVideoTagHeader, ExAudioTagHeader). Errors: the FlvError family.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

# One video tag of 8 MiB is a 64 Mbit keyframe: beyond any encoder for this use, and what RTMP takes as a message.
TAG_BYTES_MAX: Final = 8 * 1024 * 1024

_TAG_HEADER_BYTES: Final = 11
_FILE_HEADER_BYTES: Final = 13  # nine bytes and the first back pointer


class FlvError(Exception):
    """The bytes are not FLV, or not an FLV that we can play. Its text holds no payload."""


class NotFlv(FlvError):
    """The stream does not begin with "FLV"."""

    def __str__(self) -> str:
        return "not an FLV stream"


class TagTooLarge(FlvError):
    """A tag says that it is larger than TAG_BYTES_MAX."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return f"a tag of {self.size} bytes, at most {TAG_BYTES_MAX}"


class TagTruncated(FlvError):
    """A payload ends inside its own header."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return f"a tag of {self.size} bytes ends inside its header"


class UnknownCodec(FlvError):
    """A codec that we do not package; `codec` is its FourCC or FLV number as printable text."""

    def __init__(self, kind: str, codec: str) -> None:
        super().__init__(kind, codec)
        self.kind = kind
        self.codec = codec

    def __str__(self) -> str:
        return f"{self.kind} codec {self.codec} is not supported"


class TagKind(IntEnum):
    """Tag types of FLV, which are RTMP's message types too."""

    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


class Codec(StrEnum):
    """What we package, by the name of its sample entry."""

    AVC = "avc1"
    HEVC = "hvc1"
    AV1 = "av01"
    AAC = "mp4a"
    OPUS = "Opus"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: timestamp in milliseconds, 32 bits as on the wire (see Unwrapper)."""

    kind: int
    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """avcC, hvcC or av1C exactly as received."""

    codec: Codec
    data: bytes


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One coded picture, length-prefixed as in MP4; shown `composition_ms` after its decoding time."""

    key: bool
    composition_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """AudioSpecificConfig or OpusHead exactly as received."""

    codec: Codec
    data: bytes


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """One coded audio packet."""

    data: bytes


_KEY_FRAME: Final = 1
_COMMAND_FRAME: Final = 5  # "video info/command frame": a seek hint, no picture
_AAC_FORMAT: Final = 10
AUDIO_FOURCCS_FORMAT: Final = 9

# 12 is no FLV number but the one that encoders used for HEVC before Enhanced RTMP; its layout is AVC's.
_LEGACY_VIDEO: Final = {7: Codec.AVC, 12: Codec.HEVC}
# Enhanced RTMP's names; all that a publisher is told to be welcome.
VIDEO_FOURCCS: Final = {b"avc1": Codec.AVC, b"hvc1": Codec.HEVC, b"av01": Codec.AV1}
AUDIO_FOURCCS: Final = {b"mp4a": Codec.AAC, b"Opus": Codec.OPUS}

_SEQUENCE_START: Final = 0
_CODED_FRAMES: Final = 1
_CODED_FRAMES_X: Final = 3  # composition offset 0, not written
_MOD_EX: Final = 7
# The packet type of several tracks in one packet (media/multitrack.py).
MULTITRACK: Final = {TagKind.VIDEO: 6, TagKind.AUDIO: 5}


def read_video(payload: bytes) -> VideoConfig | VideoFrame | None:
    """What a video payload carries; None when it is nothing to show (end of sequence, command, metadata).

    A multitrack packet is nothing here either: media/multitrack.py unpacks it. Raises UnknownCodec, TagTruncated.
    """
    if not payload:
        return None
    first = payload[0]
    if first & 0x80:
        return _read_ex_video(payload)
    frame_type, number = first >> 4, first & 0x0F
    if frame_type == _COMMAND_FRAME:
        return None
    codec = _LEGACY_VIDEO.get(number)
    if codec is None:
        raise UnknownCodec("video", str(number))
    _need(payload, 5)
    if payload[1] == 0:
        return VideoConfig(codec, payload[5:])
    if payload[1] != 1 or len(payload) == 5:
        return None
    return VideoFrame(frame_type == _KEY_FRAME, _signed24(payload, 2), payload[5:])


def _read_ex_video(payload: bytes) -> VideoConfig | VideoFrame | None:
    frame_type = payload[0] >> 4 & 0x07
    packet, position = after_mod_ex(payload, payload[0] & 0x0F)
    if frame_type == _COMMAND_FRAME or packet == MULTITRACK[TagKind.VIDEO]:
        return None
    codec = _fourcc("video", payload, position, VIDEO_FOURCCS)
    position += 4
    if packet == _SEQUENCE_START:
        return VideoConfig(codec, payload[position:])
    composition_ms = 0
    if packet == _CODED_FRAMES and codec is not Codec.AV1:
        _need(payload, position + 3)
        composition_ms = _signed24(payload, position)
        position += 3
    if packet not in {_CODED_FRAMES, _CODED_FRAMES_X} or len(payload) == position:
        return None
    return VideoFrame(frame_type == _KEY_FRAME, composition_ms, payload[position:])


def read_audio(payload: bytes) -> AudioConfig | AudioFrame | None:
    """What an audio payload carries; None when it is nothing to play (silence, end of sequence, multitrack packet).

    Raises UnknownCodec, TagTruncated.
    """
    if not payload:
        return None
    sound_format = payload[0] >> 4
    if sound_format == _AAC_FORMAT:
        _need(payload, 2)
        if payload[1] == 0:
            return AudioConfig(Codec.AAC, payload[2:])
        return AudioFrame(payload[2:]) if len(payload) > 2 else None
    if sound_format != AUDIO_FOURCCS_FORMAT:
        raise UnknownCodec("audio", str(sound_format))
    packet, position = after_mod_ex(payload, payload[0] & 0x0F)
    if packet == MULTITRACK[TagKind.AUDIO]:
        return None
    codec = _fourcc("audio", payload, position, AUDIO_FOURCCS)
    data = payload[position + 4 :]
    if packet == _SEQUENCE_START:
        return AudioConfig(codec, data)
    return AudioFrame(data) if packet == _CODED_FRAMES and data else None


def after_mod_ex(payload: bytes, packet: int) -> tuple[int, int]:
    """Pass over ModEx prefixes; the real packet type and where what follows begins. Each turn eats three bytes."""
    position = 1
    while packet == _MOD_EX:
        _need(payload, position + 1)
        size = payload[position] + 1
        position += 1
        if size == 256:
            _need(payload, position + 2)
            size = int.from_bytes(payload[position : position + 2], "big") + 1
            position += 2
        position += size
        _need(payload, position + 1)
        packet = payload[position] & 0x0F  # the high nibble says what the modifier means (a nanosecond offset)
        position += 1
    return packet, position


def _fourcc(kind: str, payload: bytes, position: int, known: dict[bytes, Codec]) -> Codec:
    _need(payload, position + 4)
    name = payload[position : position + 4]
    if name not in known:
        raise UnknownCodec(kind, ascii(name.decode("latin-1"))[1:-1])
    return known[name]


def _need(payload: bytes, size: int) -> None:
    if len(payload) < size:
        raise TagTruncated(len(payload))


def _signed24(payload: bytes, position: int) -> int:
    return int.from_bytes(payload[position : position + 3], "big", signed=False) - (
        0x1000000 if payload[position] & 0x80 else 0
    )


class Unwrapper:
    """The one place where wrapping timestamps become a line: serial arithmetic against the last one seen.

    `bits` is 32 on the wire; ffmpeg's FLV muxer writes 31. `near_ms` is where the line is known to run already.
    """

    def __init__(self, bits: int = 32, near_ms: int | None = None) -> None:
        self._span = 1 << bits
        self._last_ms = near_ms

    def unwrap(self, timestamp_ms: int) -> int:
        """The timestamp on the line, nearest to the last one: 2^32 - 1 then 3 gives 2^32 + 3; a step back stays one."""
        if self._last_ms is None:
            self._last_ms = timestamp_ms
        else:
            step = (timestamp_ms - self._last_ms) % self._span
            self._last_ms += step - self._span if step >= self._span // 2 else step
        return self._last_ms


def write_header(*, video: bool, audio: bool) -> bytes:
    """The head of an FLV stream, with the first back pointer."""
    return b"FLV\x01" + bytes((audio << 2 | video,)) + b"\x00\x00\x00\x09\x00\x00\x00\x00"


def write_tag(kind: int, timestamp_ms: int, payload: bytes) -> bytes:
    """One tag with its back pointer; a timestamp beyond 32 bits is wrapped."""
    size, timestamp_ms = len(payload), timestamp_ms & 0xFFFFFFFF
    if size > TAG_BYTES_MAX:
        raise TagTooLarge(size)
    time = (timestamp_ms & 0xFFFFFF).to_bytes(3, "big") + bytes((timestamp_ms >> 24,))
    head = bytes((kind,)) + size.to_bytes(3, "big") + time + b"\x00\x00\x00"
    return b"".join((head, payload, (size + _TAG_HEADER_BYTES).to_bytes(4, "big")))


class TagReader:
    """Bytes of an FLV stream in, whole tags out; holds one unfinished tag at most."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._begun = False

    def receive_data(self, data: bytes) -> list[Tag]:
        """Take bytes in any split; all tags that are whole now. Raises NotFlv, TagTooLarge: then stop reading."""
        self._held += data
        position = 0
        if not self._begun:
            if len(self._held) < _FILE_HEADER_BYTES:
                return []
            if self._held[:3] != b"FLV":
                raise NotFlv
            self._begun, position = True, _FILE_HEADER_BYTES
        tags = []
        while len(self._held) - position >= _TAG_HEADER_BYTES:
            head = self._held[position : position + _TAG_HEADER_BYTES]
            size = int.from_bytes(head[1:4], "big")
            if size > TAG_BYTES_MAX:
                raise TagTooLarge(size)
            end = position + _TAG_HEADER_BYTES + size
            if len(self._held) < end + 4:
                break
            timestamp_ms = int.from_bytes(head[4:7], "big") | head[7] << 24
            # The top three bits are the filter flag and reserved.
            tags.append(Tag(head[0] & 0x1F, timestamp_ms, bytes(self._held[end - size : end])))
            position = end + 4
        del self._held[:position]
        return tags
