"""Core: H.264 and AAC as an MPEG transport stream, a segment at a time, for players that know nothing newer.

Each segment stands by itself: it begins with its tables, and the first packet of each stream says that its counter does
not go on from the segment before (discontinuity_indicator), because segments are made only when somebody asks. Sources:
ISO 13818-1 2.4, ISO 14496-10 annex B, ISO 14496-3 1.A.2 (ADTS).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from media.flv import Codec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from media.hls_writer.fmp4 import AudioRun, VideoRun
    from media.hls_writer.tracks import AudioTrack, VideoTrack

PACKET_BYTES: Final = 188
_PAYLOAD_BYTES: Final = PACKET_BYTES - 4
_PMT_PID: Final = 0x1000
_VIDEO_PID: Final = 0x100
_AUDIO_PID: Final = 0x101
_VIDEO_STREAM: Final = 0x1B
_AUDIO_STREAM: Final = 0x0F

# Times begin here, so that neither the clock nor a picture that is decoded before it is shown is below zero.
OFFSET_TICKS: Final = 63_000
# The clock runs this far ahead of decoding: what a decoder may buffer.
CLOCK_LEAD_TICKS: Final = 45_000
# AAC frames in one packet of the elementary stream: fewer headers, and 85 ms of delay that nobody notices here.
AUDIO_FRAMES_A_PES: Final = 4

_DISCONTINUITY: Final = 0x80
_RANDOM_ACCESS: Final = 0x40
_HAS_CLOCK: Final = 0x10
_START_CODE: Final = b"\x00\x00\x00\x01"
_ACCESS_UNIT: Final = b"\x00\x00\x00\x01\x09\xf0"
_ACCESS_UNIT_NAL: Final = 9
_SBR_TYPES: Final = {5, 29}
_ADTS_TYPES: Final = range(1, 5)


def can_write(video: VideoTrack | None, audio: AudioTrack | None) -> bool:
    """Whether a transport stream of ours can hold these tracks."""
    if video is not None and video.codec is not Codec.AVC:
        return False
    return audio is None or (audio.codec is Codec.AAC and _adts_of(audio.config) is not None)


def ts_segment(
    video: VideoTrack | None, audio: AudioTrack | None, runs: Iterable[tuple[VideoRun | None, AudioRun | None]]
) -> bytes:
    """One segment; `can_write` said so."""
    units: list[_Unit] = []
    for pictures, packets in runs:
        if pictures and video:
            units += _video_units(video, pictures)
        if packets and audio:
            units += _audio_units(audio, packets)
    units.sort(key=lambda unit: unit.time)
    stream = _Stream(_VIDEO_PID if video else _AUDIO_PID)
    tables = _tables(video is not None, audio is not None)
    for index, unit in enumerate(units):
        if not index or (unit.key and unit.pid == _VIDEO_PID):
            stream.tables(tables)
        stream.unit(unit)
    return b"".join(stream.packets)


@dataclass(frozen=True, slots=True)
class _Unit:
    """One packet of an elementary stream, to be decoded at `time` (ticks)."""

    pid: int
    time: int
    key: bool
    data: bytes


@dataclass(slots=True)
class _Stream:
    clock_pid: int
    packets: list[bytes] = field(default_factory=list)
    counters: dict[int, int] = field(default_factory=dict)

    def tables(self, tables: list[tuple[int, bytes]]) -> None:
        for pid, section in tables:
            padding = b"\xff" * (_PAYLOAD_BYTES - len(section))
            self.packets.append(self._head(pid, start=True, adaptation=False) + section + padding)

    def unit(self, unit: _Unit) -> None:
        """Spread a unit over packets; the last one is filled up by its adaptation field."""
        flags = 0 if unit.pid in self.counters else _DISCONTINUITY
        clock = b""
        if unit.pid == self.clock_pid:
            flags |= _HAS_CLOCK
            clock = ((unit.time - CLOCK_LEAD_TICKS) % 2**33 << 15 | 0x3F << 9).to_bytes(6, "big")
        if unit.key:
            flags |= _RANDOM_ACCESS
        data, position = unit.data, 0
        if flags or len(data) < _PAYLOAD_BYTES:
            content = bytes((flags,)) + clock
            adaptation = _adaptation(content, max(0, _PAYLOAD_BYTES - 1 - len(content) - len(data)))
            position = _PAYLOAD_BYTES - len(adaptation)
            self.packets += (self._head(unit.pid, start=True, adaptation=True), adaptation, data[:position])
        start = not position
        counter = self.counters.get(unit.pid, 0)
        heads = _HEADS[unit.pid]
        add = self.packets.append
        while len(data) - position >= _PAYLOAD_BYTES:
            add(_START_HEADS[unit.pid][counter] if start else heads[counter])
            add(data[position : position + _PAYLOAD_BYTES])
            position += _PAYLOAD_BYTES
            counter = counter + 1 & 15
            start = False
        self.counters[unit.pid] = counter
        if position < len(data):
            rest = data[position:]
            self.packets.append(self._head(unit.pid, start=False, adaptation=True))
            self.packets.append(_filling(_PAYLOAD_BYTES - len(rest)) + rest)

    def _head(self, pid: int, *, start: bool, adaptation: bool) -> bytes:
        counter = self.counters.get(pid, 0)
        self.counters[pid] = counter + 1 & 15
        return _head(pid, counter, start=start, adaptation=adaptation)


def _head(pid: int, counter: int, *, start: bool, adaptation: bool) -> bytes:
    return bytes((0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, (0x30 if adaptation else 0x10) | counter))


# Almost every packet has one of these.
_HEADS: Final = {
    pid: [_head(pid, counter, start=False, adaptation=False) for counter in range(16)]
    for pid in (_VIDEO_PID, _AUDIO_PID)
}
_START_HEADS: Final = {
    pid: [_head(pid, counter, start=True, adaptation=False) for counter in range(16)]
    for pid in (_VIDEO_PID, _AUDIO_PID)
}


def _adaptation(content: bytes, stuffing: int) -> bytes:
    return bytes((len(content) + stuffing,)) + content + b"\xff" * stuffing


def _filling(size: int) -> bytes:
    """An adaptation field of that many bytes that says nothing."""
    return b"\x00" if size == 1 else _adaptation(b"\x00", size - 2)


def _video_units(track: VideoTrack, run: VideoRun) -> list[_Unit]:
    sets, size_bytes = _parameter_sets(track.config)
    units, time = [], run.start
    for picture in run.pictures:
        shown = time + picture.composition
        head = _pes(0xE0, b"", shown, min(time, shown))
        data = head + _ACCESS_UNIT + (sets if picture.key else b"") + _annex_b(picture.data, size_bytes)
        units.append(_Unit(_VIDEO_PID, OFFSET_TICKS + time, picture.key, data))
        time += picture.duration
    return units


def _audio_units(track: AudioTrack, run: AudioRun) -> list[_Unit]:
    adts = _adts_of(track.config)
    assert adts is not None
    units, sample = [], run.start
    for index in range(0, len(run.packets), AUDIO_FRAMES_A_PES):
        frames = [
            (adts | (len(packet) + 7) << 13 | 0x1FFC).to_bytes(7, "big") + packet
            for packet in run.packets[index : index + AUDIO_FRAMES_A_PES]
        ]
        time = sample * 90_000 // track.rate
        payload = b"".join(frames)
        units.append(_Unit(_AUDIO_PID, OFFSET_TICKS + time, key=False, data=_pes(0xC0, payload, time, time)))
        sample += sum(run.durations[index : index + AUDIO_FRAMES_A_PES])
    return units


def _pes(stream_id: int, payload: bytes, shown: int, decoded: int) -> bytes:
    """The head of a packet of the elementary stream, and its payload; without one its length stays open."""
    times = b"\x80\x05" + _time(0x20, shown)
    if shown != decoded:
        times = b"\xc0\x0a" + _time(0x30, shown) + _time(0x10, decoded)
    size = 1 + len(times) + len(payload) if payload else 0
    return b"\x00\x00\x01" + bytes((stream_id,)) + size.to_bytes(2, "big") + b"\x80" + times + payload


def _time(mark: int, ticks: int) -> bytes:
    """33 bits with a marker bit behind each piece."""
    ticks = (ticks + OFFSET_TICKS) % 2**33
    low, middle = (ticks & 0x7FFF) << 1 | 1, (ticks >> 15 & 0x7FFF) << 1 | 1
    return bytes((mark | ticks >> 29 & 0x0E | 1, middle >> 8, middle & 0xFF, low >> 8, low & 0xFF))


def _parameter_sets(config: bytes) -> tuple[bytes, int]:
    """SPS and PPS of an avcC with start codes, and the bytes of a NAL's length."""
    sets, position = b"", 5
    for mask in (0x1F, 0xFF):
        count = config[position] & mask
        position += 1
        for _ in range(count):
            size = int.from_bytes(config[position : position + 2], "big")
            sets += _START_CODE + config[position + 2 : position + 2 + size]
            position += 2 + size
    return sets, (config[4] & 3) + 1


def _annex_b(data: bytes, size_bytes: int) -> bytes:
    """Lengths become start codes; delimiters of the encoder's own go, for ours is there already."""
    pieces: list[bytes] = []
    position = 0
    while position + size_bytes < len(data):
        size = int.from_bytes(data[position : position + size_bytes], "big")
        position += size_bytes
        if data[position] & 0x1F != _ACCESS_UNIT_NAL:
            pieces += (_START_CODE, data[position : position + size])
        position += size
    return b"".join(pieces)


def _adts_of(config: bytes) -> int | None:
    """An ADTS head without its length as a number of 56 bits; None when ADTS cannot say what the config says.

    Explicit SBR is left out: decoders find it in the frames, as they do in broadcasts.
    """
    bits = int.from_bytes(config[:8].ljust(8, b"\x00"), "big")
    object_type, rate, channels = bits >> 59, bits >> 55 & 15, bits >> 51 & 15
    if object_type in _SBR_TYPES and bits >> 47 & 15 != 15:
        object_type = bits >> 42 & 31
    if object_type not in _ADTS_TYPES or rate == 15 or not 1 <= channels <= 7:
        return None
    return 0xFFF1 << 40 | (object_type - 1) << 38 | rate << 34 | channels << 30


def _tables(video: bool, audio: bool) -> list[tuple[int, bytes]]:  # noqa: FBT001 - the two facts there are.
    streams = ([(_VIDEO_STREAM, _VIDEO_PID)] if video else []) + ([(_AUDIO_STREAM, _AUDIO_PID)] if audio else [])
    listed = b"".join(bytes((kind, 0xE0 | pid >> 8, pid & 0xFF, 0xF0, 0)) for kind, pid in streams)
    clock = streams[0][1]
    programme = bytes((0xE0 | clock >> 8, clock & 0xFF, 0xF0, 0)) + listed
    return [
        (0, _section(0, b"\x00\x01" + bytes((0xE0 | _PMT_PID >> 8, _PMT_PID & 0xFF)))),
        (_PMT_PID, _section(2, programme)),
    ]


def _section(table: int, content: bytes) -> bytes:
    """A whole section, behind its pointer; programme 1, version 0."""
    size = 5 + len(content) + 4
    section = bytes((table, 0xB0 | size >> 8, size & 0xFF, 0, 1, 0xC1, 0, 0)) + content
    return b"\x00" + section + _crc(section).to_bytes(4, "big")


def _crc(data: bytes) -> int:
    """CRC-32/MPEG-2."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc
