"""Core: what fmp4.py wrote, read back: tracks out of an init segment, runs of samples out of a segment.

It reads what we wrote ourselves and kept, not what a stranger sent; whatever does not look so is refused.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from media.flv import AudioConfig, Codec, VideoConfig
from media.hls_writer.errors import HlsError
from media.hls_writer.fmp4 import AUDIO_TRACK, VIDEO_TRACK, AudioRun, Picture, VideoRun
from media.hls_writer.tracks import AudioTrack, VideoTrack, audio_track, video_track

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of a sample entry before its configuration box (ISO 14496-12 12.1.3, 12.2.3).
_VIDEO_ENTRY_BYTES = 78
_AUDIO_ENTRY_BYTES = 28
_NOT_KEY = 0x00010000


class NotOurs(HlsError):
    """Bytes that fmp4.py cannot have written: a file was changed, or cut off."""

    def __str__(self) -> str:
        return "a file is not as it was written"


def read_init(data: bytes) -> tuple[VideoTrack | None, AudioTrack | None]:
    """The tracks of an init segment. Raises NotOurs, and what tracks.py raises."""
    try:
        return _tracks(data)
    except (IndexError, ValueError, struct.error):
        raise NotOurs from None


def _tracks(data: bytes) -> tuple[VideoTrack | None, AudioTrack | None]:
    video, audio = None, None
    for name, trak in _boxes(_only(data, b"moov")):
        if name == b"trak":
            [(entry, content)] = _boxes(_only(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:])
            codec = Codec(entry.decode())
            if codec in {Codec.AAC, Codec.OPUS}:
                [(_, box)] = _boxes(content[_AUDIO_ENTRY_BYTES:])
                audio = audio_track(AudioConfig(codec, _esds(box) if codec is Codec.AAC else _opus_head(box)))
            else:
                [(_, box)] = _boxes(content[_VIDEO_ENTRY_BYTES:])
                video = video_track(VideoConfig(codec, box))
    return video, audio


def read_segment(data: bytes) -> Iterator[tuple[VideoRun | None, AudioRun | None]]:
    """The runs of each fragment. Raises NotOurs."""
    position = 0
    while position < len(data):
        moof_bytes = int.from_bytes(data[position : position + 4], "big")
        runs: dict[int, VideoRun | AudioRun] = {}
        for name, traf in _boxes(_only(data[position : position + moof_bytes], b"moof")):
            if name == b"traf":
                number, run = _run(traf, data, position)
                runs[number] = run
        video, audio = runs.get(VIDEO_TRACK), runs.get(AUDIO_TRACK)
        assert not isinstance(video, AudioRun)
        assert not isinstance(audio, VideoRun)
        position += moof_bytes
        mdat_bytes = int.from_bytes(data[position : position + 4], "big")
        position += mdat_bytes
        if mdat_bytes < 8 or position > len(data):
            raise NotOurs
        yield video, audio


def _run(traf: bytes, data: bytes, moof: int) -> tuple[int, VideoRun | AudioRun]:
    header, time, run = _only(traf, b"tfhd"), _only(traf, b"tfdt"), _only(traf, b"trun")
    [number] = struct.unpack_from(">I", header, 4)
    [start] = struct.unpack_from(">Q", time, 4)
    flags = int.from_bytes(run[1:4], "big")
    count, offset = struct.unpack_from(">II", run, 4)
    width = (flags & 0xF00).bit_count()
    fields = struct.unpack_from(f">{width * count}I", run, 12)
    position = moof + offset
    if number == VIDEO_TRACK:
        pictures = []
        for at in range(0, 4 * count, 4):
            duration, size, kind, composition = fields[at : at + 4]
            signed = composition - (composition >> 31 << 32)
            pictures.append(Picture(duration, signed, not kind & _NOT_KEY, data[position : position + size]))
            position += size
        return number, VideoRun(start, pictures)
    [default] = struct.unpack_from(">I", header, 8)
    durations = list(fields[0::2]) if width == 2 else [default] * count
    packets = []
    for size in fields[width - 1 :: width]:
        packets.append(data[position : position + size])
        position += size
    return number, AudioRun(start, packets, durations)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if not 8 <= size <= len(data) - position:
            raise NotOurs
        yield data[position + 4 : position + 8], data[position + 8 : position + size]
        position += size


def _only(data: bytes, *path: bytes) -> bytes:
    """The content of the box at a path."""
    for name in path:
        found = next((content for each, content in _boxes(data) if each == name), None)
        if found is None:
            raise NotOurs
        data = found
    return data


def _esds(box: bytes) -> bytes:
    """The AudioSpecificConfig: descriptor 5 in descriptor 4 in descriptor 3 (ISO 14496-1 7.2.6)."""
    data = _descriptor(box[4:], 3)[3:]
    return _descriptor(_descriptor(data, 4)[13:], 5)


def _descriptor(data: bytes, tag: int) -> bytes:
    if not data or data[0] != tag:
        raise NotOurs
    size, position = 0, 1
    while True:
        byte = data[position]
        size, position = size << 7 | byte & 0x7F, position + 1
        if not byte & 0x80:
            return data[position : position + size]


def _opus_head(box: bytes) -> bytes:
    """OpusHead of what dOps says: its big end turned round."""
    _, *fields = struct.unpack_from(">BBHIhB", box)
    return struct.pack("<BBHIhB", 1, *fields) + box[11:]
