"""Core: fragmented MP4: an init segment from the tracks, one moof a part, written in one pass.

All sizes are known before a byte is written, so nothing is patched and the payloads are joined once. Sources: ISO
14496-12, 14496-14 (esds), 14496-15 (avc1, hvc1), "AV1 in ISOBMFF", "Opus in ISOBMFF", CMAF's brand.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.flv import TAG_BYTES_MAX, Codec
from media.hls_writer.errors import MediaError

if TYPE_CHECKING:
    from media.hls_writer.tracks import AudioTrack, VideoTrack

VIDEO_CLOCK: Final = 90_000  # ticks a second: a multiple of FLV's milliseconds and of all frame rates in use
VIDEO_TRACK: Final = 1
AUDIO_TRACK: Final = 2

# A sample comes out of one tag, so it cannot be larger; what is larger was put together wrongly.
SAMPLE_BYTES_MAX: Final = TAG_BYTES_MAX

_KEY_FLAGS: Final = 0x02000000  # depends on no other
_OTHER_FLAGS: Final = 0x01010000  # depends on others, not a sync sample
_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED: Final = 0x55C4  # ISO 639-2 "und", packed
_SAMPLE_ENTRY: Final = b"\x00" * 6 + b"\x00\x01"  # reserved, data reference 1
_CONFIG_BOX: Final = {Codec.AVC: b"avcC", Codec.HEVC: b"hvcC", Codec.AV1: b"av1C"}


class SampleTooLarge(MediaError):
    """A sample above SAMPLE_BYTES_MAX."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return f"a frame of {self.size} bytes, at most {SAMPLE_BYTES_MAX}"


@dataclass(frozen=True, slots=True)
class Picture:
    """One video sample; times in ticks of VIDEO_CLOCK, composition may be negative."""

    duration: int
    composition: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class VideoRun:
    """Pictures one after another; `start` is the decoding time of the first, in ticks of VIDEO_CLOCK."""

    start: int
    pictures: list[Picture]


@dataclass(frozen=True, slots=True)
class AudioRun:
    """Packets one after another; `start` and `durations` in samples of the track's rate."""

    start: int
    packets: list[bytes]
    durations: list[int]


def init_segment(video: VideoTrack | None, audio: AudioTrack | None) -> bytes:
    """The init segment (EXT-X-MAP) of at most one video and one audio track."""
    tracks = b"".join(
        ([_video_trak(video)] if video else []) + ([_audio_trak(audio)] if audio else []),
    )
    extends = b"".join(
        _full_box(b"trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0))
        for number, track in ((VIDEO_TRACK, video), (AUDIO_TRACK, audio))
        if track
    )
    header = struct.pack(">4I", 0, 0, 1000, 0) + struct.pack(">IHH", 0x10000, 0x100, 0) + b"\x00" * 8
    movie = _full_box(b"mvhd", 0, 0, header + _MATRIX + b"\x00" * 24 + struct.pack(">I", AUDIO_TRACK + 1))
    return _box(b"ftyp", b"iso6\x00\x00\x00\x01iso6cmfcmp41") + _box(b"moov", movie + tracks + _box(b"mvex", extends))


def fragment(sequence: int, video: VideoRun | None, audio: AudioRun | None) -> bytes:
    """One moof and its mdat: the pictures, then the packets. Raises SampleTooLarge.

    `sequence` rises with every fragment of a rendition (mfhd). At least one run is given and holds a sample.
    """
    video_bytes = sum(len(picture.data) for picture in video.pictures) if video else 0
    sizes = (
        (8 + 16 + 20 + 20 + 16 * len(video.pictures) if video else 0),
        (_audio_traf_bytes(audio) if audio else 0),
    )
    moof_bytes = 8 + 16 + sum(sizes)
    pieces = [
        struct.pack(">I4s", moof_bytes, b"moof"),
        struct.pack(">I4sII", 16, b"mfhd", 0, sequence & 0xFFFFFFFF),
    ]
    payloads: list[bytes] = []
    if video:
        pieces.append(_video_traf(video, sizes[0], moof_bytes + 8))
        payloads += [picture.data for picture in video.pictures]
    if audio:
        pieces.append(_audio_traf(audio, sizes[1], moof_bytes + 8 + video_bytes))
        payloads += audio.packets
    largest = max(map(len, payloads))
    if largest > SAMPLE_BYTES_MAX:
        raise SampleTooLarge(largest)
    pieces.append(struct.pack(">I4s", 8 + sum(map(len, payloads)), b"mdat"))
    return b"".join(pieces + payloads)


def _video_traf(run: VideoRun, size: int, offset: int) -> bytes:
    fields: list[int] = []
    for picture in run.pictures:
        flags = _KEY_FLAGS if picture.key else _OTHER_FLAGS
        fields += (picture.duration, len(picture.data), flags, picture.composition & 0xFFFFFFFF)
    count = len(run.pictures)
    return b"".join(
        (
            struct.pack(">I4s", size, b"traf"),
            struct.pack(">I4sII", 16, b"tfhd", 0x020000, VIDEO_TRACK),  # default-base-is-moof
            struct.pack(">I4sIQ", 20, b"tfdt", 0x01000000, run.start),
            # Version 1: signed composition offsets; per sample duration, size, flags, offset.
            struct.pack(">I4sIII", 20 + 16 * count, b"trun", 0x01000F01, count, offset),
            struct.pack(f">{4 * count}I", *fields),
        ),
    )


def _audio_traf(run: AudioRun, size: int, offset: int) -> bytes:
    count = len(run.packets)
    sizes = [len(packet) for packet in run.packets]
    if _even(run):
        table = struct.pack(">I4sIII", 20 + 4 * count, b"trun", 0x201, count, offset)
        fields = struct.pack(f">{count}I", *sizes)
    else:
        table = struct.pack(">I4sIII", 20 + 8 * count, b"trun", 0x301, count, offset)
        pairs = [number for pair in zip(run.durations, sizes, strict=True) for number in pair]
        fields = struct.pack(f">{2 * count}I", *pairs)
    return b"".join(
        (
            struct.pack(">I4s", size, b"traf"),
            struct.pack(">I4sIII", 20, b"tfhd", 0x020008, AUDIO_TRACK, run.durations[0]),
            struct.pack(">I4sIQ", 20, b"tfdt", 0x01000000, run.start),
            table,
            fields,
        ),
    )


def _audio_traf_bytes(run: AudioRun) -> int:
    return 8 + 20 + 20 + 20 + (4 if _even(run) else 8) * len(run.packets)


def _even(run: AudioRun) -> bool:
    """Whether the default duration says it all: always with AAC, with Opus unless the encoder changes its frames."""
    return run.durations.count(run.durations[0]) == len(run.durations)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _full_box(name: bytes, version: int, flags: int, content: bytes) -> bytes:
    return struct.pack(">I4sI", 12 + len(content), name, version << 24 | flags) + content


def _video_trak(track: VideoTrack) -> bytes:
    entry = (
        _SAMPLE_ENTRY
        + b"\x00" * 16
        + struct.pack(">HHIIIH", track.width, track.height, 0x480000, 0x480000, 0, 1)
        + b"\x00" * 32
        + struct.pack(">Hh", 0x18, -1)
        + _box(_CONFIG_BOX[track.codec], track.config)
    )
    size = struct.pack(">II", track.width << 16, track.height << 16)
    kind = _full_box(b"vmhd", 0, 1, b"\x00" * 8)
    return _trak(VIDEO_TRACK, VIDEO_CLOCK, b"vide", size, kind + _media(_box(track.codec.encode(), entry)), volume=0)


def _audio_trak(track: AudioTrack) -> bytes:
    # The 16.16 rate field ends at 65,535; players take the rate from the decoder configuration.
    entry = _SAMPLE_ENTRY + b"\x00" * 8
    entry += struct.pack(">HHHHI", track.channels, 16, 0, 0, min(track.rate, 0xFFFF) << 16)
    entry += _esds(track.config) if track.codec is Codec.AAC else _dops(track.config)
    kind = _full_box(b"smhd", 0, 0, b"\x00" * 4)
    media = kind + _media(_box(track.codec.encode(), entry))
    return _trak(AUDIO_TRACK, track.rate, b"soun", b"\x00" * 8, media, volume=0x100)


def _trak(number: int, clock: int, handler: bytes, size: bytes, media: bytes, *, volume: int) -> bytes:
    header = struct.pack(">5I", 0, 0, number, 0, 0) + b"\x00" * 8 + struct.pack(">HHHH", 0, 0, volume, 0)
    track_header = _full_box(b"tkhd", 0, 7, header + _MATRIX + size)
    media_header = _full_box(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, clock, 0, _UNDETERMINED, 0))
    handler_box = _full_box(b"hdlr", 0, 0, b"\x00" * 4 + handler + b"\x00" * 13)
    return _box(b"trak", track_header + _box(b"mdia", media_header + handler_box + _box(b"minf", media)))


def _media(entry: bytes) -> bytes:
    """The data reference and a sample table that is empty but for the sample entry."""
    reference = _full_box(b"dref", 0, 0, struct.pack(">I", 1) + _full_box(b"url ", 0, 1, b""))
    description = _full_box(b"stsd", 0, 0, struct.pack(">I", 1) + entry)
    empty = _full_box(b"stts", 0, 0, b"\x00" * 4) + _full_box(b"stsc", 0, 0, b"\x00" * 4)
    empty += _full_box(b"stsz", 0, 0, b"\x00" * 8) + _full_box(b"stco", 0, 0, b"\x00" * 4)
    return _box(b"dinf", reference) + _box(b"stbl", description + empty)


def _esds(config: bytes) -> bytes:
    specific = _descriptor(5, config)
    decoder = _descriptor(4, b"\x40\x15" + b"\x00" * 11 + specific)  # MPEG-4 audio, an audio stream
    return _full_box(b"esds", 0, 0, _descriptor(3, b"\x00\x01\x00" + decoder + _descriptor(6, b"\x02")))


def _descriptor(tag: int, content: bytes) -> bytes:
    """ISO 14496-1 8.3.3: the size in groups of seven bits, all but the last with the top bit set."""
    size = len(content)
    groups = [size & 0x7F]
    while size := size >> 7:
        groups.insert(0, 0x80 | size & 0x7F)
    return bytes((tag, *groups)) + content


def _dops(head: bytes) -> bytes:
    """OpusHead's fields, its little end turned round; version 0 here."""
    _, channels, pre_skip, rate, gain, family = struct.unpack_from("<BBHIhB", head)
    return _box(
        b"dOps", struct.pack(">BBHIhB", 0, channels, pre_skip, rate, gain, family) + (head[11:] if family else b"")
    )
