"""Core: what a codec's own configuration says: picture size, clock rate, and the CODECS string of a playlist.

Never the metadata of the publisher, which lies. Sources: ISO 14496-15 (avcC, hvcC), H.264 7.3.2.1, H.265 7.3.2.2,
AV1 5.5 and its ISO binding, ISO 14496-3 1.6 (AudioSpecificConfig), RFC 7845 (OpusHead), RFC 6716 3 (Opus packets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media.flv import AudioConfig, Codec, VideoConfig
from media.hls_writer.errors import MediaError

# Twice 8K. A side of 65,535 would still be a legal box, but no player shows it and no ladder scales it.
SIDE_PIXELS_MAX: Final = 16_384

# x265 writes its settings into hvcC, some 2 KiB; nothing else comes near. It is read by the loop that serves everybody,
# and kept with every init segment.
CONFIG_BYTES_MAX: Final = 16 * 1024
# num_ref_frames_in_pic_order_cnt_cycle (H.264 7.4.2.1.1).
PICTURE_ORDER_CYCLE_MAX: Final = 255

# Of AudioSpecificConfig; index 15 writes the rate out.
AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
OPUS_RATE: Final = 48_000

_HIGH_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_CHROMA_444: Final = 3
_SPS_NAL_HEVC: Final = 33
_SEQUENCE_HEADER_OBU: Final = 1
_SBR_TYPES: Final = (5, 29)


class ConfigInvalid(MediaError):
    """A decoder configuration that cannot be read; `why` names the field."""

    def __init__(self, codec: Codec, why: str) -> None:
        super().__init__(codec, why)
        self.codec = codec
        self.why = why

    def __str__(self) -> str:
        return f"the {self.codec} configuration is invalid: {self.why}"


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """One video track; sizes in pixels after cropping; `codecs` as in rfc8216bis CODECS (RFC 6381)."""

    codec: Codec
    config: bytes
    width: int
    height: int
    codecs: str


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """One audio track; `rate` in samples a second is its clock."""

    codec: Codec
    config: bytes
    rate: int
    channels: int
    codecs: str
    samples_a_frame: int

    def samples(self, data: bytes) -> int:
        """How long one packet is, in samples: AAC always the same, Opus by its first bytes."""
        return self.samples_a_frame or opus_samples(data)


def video_track(config: VideoConfig) -> VideoTrack:
    """Read a video configuration. Raises ConfigInvalid."""
    read = {Codec.AVC: _avc, Codec.HEVC: _hevc, Codec.AV1: _av1}[config.codec]
    _bound(config)
    try:
        width, height, codecs = read(config.data)
    except IndexError:
        raise ConfigInvalid(config.codec, "it ends too early") from None
    if not (0 < width <= SIDE_PIXELS_MAX and 0 < height <= SIDE_PIXELS_MAX):
        raise ConfigInvalid(config.codec, f"a picture of {width}x{height}")
    return VideoTrack(config.codec, config.data, width, height, codecs)


def audio_track(config: AudioConfig) -> AudioTrack:
    """Read an audio configuration. Raises ConfigInvalid."""
    _bound(config)
    try:
        return (_aac if config.codec is Codec.AAC else _opus)(config.data)
    except IndexError:
        raise ConfigInvalid(config.codec, "it ends too early") from None


def _bound(config: VideoConfig | AudioConfig) -> None:
    if len(config.data) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(config.codec, f"{len(config.data)} bytes, at most {CONFIG_BYTES_MAX}")


class _Bits:
    """Bits from the most significant one on; IndexError behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int) -> int:
        """The next `count` bits as a number (u(n)); touches their bytes only."""
        begin, end = self._position, self._position + count
        if end > 8 * len(self._data):
            raise IndexError
        self._position = end
        value = int.from_bytes(self._data[begin >> 3 : (end + 7) >> 3], "big")
        return value >> (-end & 7) & (1 << count) - 1

    def golomb(self) -> int:
        """An Exp-Golomb number (ue(v)); longer than 32 bits is an IndexError too."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.read(zeros)

    def signed_golomb(self) -> int:
        """se(v); only its length matters to us."""
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _unescaped(nal: bytes) -> bytes:
    """The raw payload of a NAL unit: without emulation prevention bytes (H.264 7.4.1)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def _avc(config: bytes) -> tuple[int, int, str]:
    if config[0] != 1 or config[5] & 0x1F == 0:
        raise ConfigInvalid(Codec.AVC, "no version 1, or no sequence parameter set")
    size = int.from_bytes(config[6:8], "big")
    bits = _Bits(_unescaped(config[8 : 8 + size])[1:])
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level
    bits.golomb()  # id
    chroma = _avc_chroma(bits) if profile in _HIGH_PROFILES else 1
    bits.golomb()  # frame number
    _skip_picture_order(bits)
    bits.golomb()  # reference frames
    bits.read(1)
    across, down = bits.golomb() + 1, bits.golomb() + 1
    frames_only = bits.read(1)
    if not frames_only:
        bits.read(1)
    bits.read(1)
    left = right = top = bottom = 0
    if bits.read(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
    unit_x = 2 if chroma in {1, 2} else 1
    unit_y = (2 if chroma == 1 else 1) * (2 - frames_only)
    width = across * 16 - (left + right) * unit_x
    height = down * 16 * (2 - frames_only) - (top + bottom) * unit_y
    return width, height, f"avc1.{config[1]:02X}{config[2]:02X}{config[3]:02X}"


def _avc_chroma(bits: _Bits) -> int:
    """ChromaArrayType, past everything that only high profiles write."""
    chroma = bits.golomb()
    separate = chroma == _CHROMA_444 and bits.read(1)
    bits.golomb()  # luma depth
    bits.golomb()  # chroma depth
    bits.read(1)
    if bits.read(1):
        for index in range(12 if chroma == _CHROMA_444 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return 0 if separate else chroma


def _skip_picture_order(bits: _Bits) -> None:
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.read(1)
        for _ in range(2):
            bits.signed_golomb()
        cycle = bits.golomb()
        if cycle > PICTURE_ORDER_CYCLE_MAX:
            raise ConfigInvalid(Codec.AVC, f"a picture order cycle of {cycle}")
        for _ in range(cycle):
            bits.signed_golomb()


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _hevc(config: bytes) -> tuple[int, int, str]:
    for nal in _hvcc_nals(config):
        if nal[0] >> 1 & 0x3F == _SPS_NAL_HEVC:
            width, height = _hevc_size(_Bits(_unescaped(nal)[2:]))
            return width, height, _hevc_codecs(config)
    raise ConfigInvalid(Codec.HEVC, "no sequence parameter set")


def _hvcc_nals(config: bytes) -> list[bytes]:
    nals, position = [], 23
    for _ in range(config[22]):
        count = int.from_bytes(config[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            size = config[position] << 8 | config[position + 1]
            nals.append(config[position + 2 : position + 2 + size])
            position += 2 + size
    return [nal for nal in nals if nal]


def _hevc_size(bits: _Bits) -> tuple[int, int]:
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1 + 88 + 8)
    present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    bits.golomb()
    chroma = bits.golomb()
    if chroma == _CHROMA_444:
        bits.read(1)
    width, height = bits.golomb(), bits.golomb()
    if bits.read(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in {1, 2} else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    return width, height


def _hevc_codecs(config: bytes) -> str:
    """ISO 14496-15 annex E: profile, compatibility flags in reverse bit order, tier and level, constraints."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    flags = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    constraints = config[6:12].rstrip(b"\x00")
    tail = "".join(f".{byte:X}" for byte in constraints)
    return f"hvc1.{space}{config[1] & 0x1F}.{flags:X}.{'H' if config[1] & 0x20 else 'L'}{config[12]}{tail}"


def _av1(config: bytes) -> tuple[int, int, str]:
    profile, level = config[1] >> 5, config[1] & 0x1F
    tier = "H" if config[2] & 0x80 else "M"
    depth = (8, 8, 10, 12)[config[2] >> 5 & 0x03]
    position = 4
    while position < len(config):
        head = config[position]
        position += 2 if head & 0x04 else 1
        size, shift = 0, 0
        while True:  # leb128, at most eight bytes
            byte = config[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift == 56:
                break
        if head >> 3 & 0x0F == _SEQUENCE_HEADER_OBU:
            width, height = _av1_size(_Bits(config[position : position + size]))
            return width, height, f"av01.{profile}.{level:02d}{tier}.{depth:02d}"
        position += size
    raise ConfigInvalid(Codec.AV1, "no sequence header")


def _av1_size(bits: _Bits) -> tuple[int, int]:
    bits.read(3 + 1)
    if bits.read(1):  # reduced still picture header
        bits.read(5)
    else:
        _skip_av1_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_av1_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.read(1):  # timing info
        bits.read(64)
        if bits.read(1):
            bits.golomb()
        if bits.read(1):  # decoder model info
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.read(1):
            bits.read(4)


def _aac(config: bytes) -> AudioTrack:
    bits = _Bits(config)
    object_type = first_type = _object_type(bits)
    rate = _aac_rate(bits)
    channels = bits.read(4)
    if object_type in _SBR_TYPES:
        # Explicit SBR: what follows describes its output; the packets keep the core's clock.
        _aac_rate(bits)
        object_type = _object_type(bits)
    samples = 960 if bits.read(1) else 1024
    channels = 8 if channels == 7 else channels or 2  # 0: described in the bitstream
    return AudioTrack(Codec.AAC, config, rate, channels, f"mp4a.40.{first_type}", samples)


def _object_type(bits: _Bits) -> int:
    object_type = bits.read(5)
    return 32 + bits.read(6) if object_type == 31 else object_type


def _aac_rate(bits: _Bits) -> int:
    index = bits.read(4)
    rate = bits.read(24) if index == 15 else AAC_RATES[index]
    # tkhd and esds write 16 bits of it; 96 kHz is the highest that AAC knows.
    if not AAC_RATES[-1] <= rate <= AAC_RATES[0]:
        raise ConfigInvalid(Codec.AAC, f"a rate of {rate}")
    return rate


def _opus(config: bytes) -> AudioTrack:
    head = config.removeprefix(b"OpusHead")
    if len(head) < 11 or head[1] == 0:
        raise ConfigInvalid(Codec.OPUS, "no OpusHead")
    return AudioTrack(Codec.OPUS, head, OPUS_RATE, head[1], "opus", 0)


def opus_samples(data: bytes) -> int:
    """The length of an Opus packet at 48 kHz (RFC 6716 3.1); a packet without frames counts as one frame."""
    mode = data[0] >> 3
    if mode < 12:
        frame = (480, 960, 1920, 2880)[mode & 3]
    elif mode < 16:
        frame = (480, 960)[mode & 1]
    else:
        frame = (120, 240, 480, 960)[mode & 3]
    count = (1, 2, 2, data[1] & 0x3F if len(data) > 1 else 1)[data[0] & 3]
    return frame * max(count, 1)
