from __future__ import annotations

import pytest

from media.flv import AudioConfig, Codec, VideoConfig, read_audio, read_video
from media.hls_writer.errors import MediaError
from media.hls_writer.tracks import (
    CONFIG_BYTES_MAX,
    PICTURE_ORDER_CYCLE_MAX,
    SIDE_PIXELS_MAX,
    ConfigInvalid,
    audio_track,
    opus_samples,
    video_track,
)
from tests.media import films


class Bits:
    """Writes what a configuration reader reads."""

    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, count: int) -> Bits:
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Bits:
        for value in values:
            text = f"{value + 1:b}"
            self.text += "0" * (len(text) - 1) + text
        return self

    def bytes(self) -> bytes:
        text = self.text + "1" + "0" * 7
        return int(text[: len(text) // 8 * 8], 2).to_bytes(len(text) // 8, "big")


def avcc(sps: bytes, profile: int = 66) -> VideoConfig:
    nal = b"\x67" + sps.replace(b"\x00\x00\x00", b"\x00\x00\x03\x00").replace(b"\x00\x00\x01", b"\x00\x00\x03\x01")
    head = bytes((1, profile, 0, 30, 0xFF, 0xE1)) + len(nal).to_bytes(2, "big")
    return VideoConfig(Codec.AVC, head + nal + b"\x01\x00\x00")


def sps(
    *,
    profile=66,
    chroma=None,
    separate=0,
    scaling=None,
    order=2,
    cycle=(3, 4),
    width=20,
    height=15,
    frames_only=1,
    crop=None,
) -> bytes:
    bits = Bits().put(profile, 8).put(0, 8).put(30, 8).ue(0)
    if chroma is not None:
        bits.ue(chroma)
        if chroma == 3:
            bits.put(separate, 1)
        bits.ue(0, 0).put(0, 1)
        bits.put(1 if scaling is not None else 0, 1)
        if scaling is not None:
            for index in range(12 if chroma == 3 else 8):
                bits.put(1 if index in scaling else 0, 1)
                if index in scaling:
                    # se(v): +1 for a while, then what makes `next` zero.
                    bits.ue(1, 2 * 9)
    bits.ue(0, order)
    if order == 0:
        bits.ue(4)
    elif order == 1:
        bits.put(0, 1).ue(1, 2, len(cycle), *cycle)
    bits.ue(3).put(0, 1).ue(width - 1, height - 1).put(frames_only, 1)
    if not frames_only:
        bits.put(1, 1)
    bits.put(1, 1)
    bits.put(1 if crop else 0, 1)
    if crop:
        bits.ue(*crop)
    return bits.bytes()


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (sps(), (320, 240)),
        (sps(order=0), (320, 240)),
        (sps(order=1), (320, 240)),
        (sps(width=120, height=68, crop=(0, 0, 0, 4)), (1920, 1080)),
        (sps(width=120, height=34, frames_only=0, crop=(0, 0, 0, 2)), (1920, 1080)),
        (sps(crop=(1, 2, 3, 4)), (314, 226)),
        (sps(profile=100, chroma=1), (320, 240)),
        (sps(profile=100, chroma=0, crop=(1, 0, 1, 0)), (319, 239)),
        (sps(profile=122, chroma=2, crop=(1, 0, 1, 0)), (318, 239)),
        (sps(profile=244, chroma=3, crop=(1, 0, 1, 0)), (319, 239)),
        (sps(profile=244, chroma=3, separate=1, crop=(1, 0, 1, 0)), (319, 239)),
    ],
)
def test_the_size_is_read_from_the_sequence_parameter_set(config, size):
    track = video_track(avcc(config))

    assert size == (track.width, track.height)
    assert track.codecs == "avc1.42001E"


@pytest.mark.parametrize(("chroma", "lists"), [(1, {0}), (1, {0, 6}), (3, {2, 7, 11})])
def test_scaling_lists_are_passed_over(chroma, lists):
    # A list: one delta of +1, then one that makes the next scale 0, so the rest is not written.
    track = video_track(avcc(sps(profile=100, chroma=chroma, scaling=lists)))

    assert (320, 240) == (track.width, track.height)


def test_a_signed_number_of_either_sign_is_passed_over():
    # order 1: three signed numbers, then a count of two and those two; above they are all of one sign.
    bits = Bits().put(66, 8).put(0, 16).ue(0, 0, 1).put(0, 1).ue(2, 1, 0, 1)
    bits.put(0, 1).ue(1).put(0, 1)
    with pytest.raises(ConfigInvalid):
        video_track(avcc(bits.bytes()))


@pytest.mark.parametrize(
    ("name", "size", "codecs"),
    [
        ("plain", (320, 240), "avc1.42C00D"),
        ("bframes", (320, 240), "avc1.64000D"),
        ("other_size", (426, 240), "avc1.42C015"),
        ("hevc", (320, 240), "hvc1.1.6.L60.90"),
        ("av1_opus", (320, 180), "av01.0.00M.08"),
    ],
)
def test_real_encoders_are_understood(film, name, size, codecs):
    [config] = [read for tag in films.tags(film(name)) if tag.kind == 9 and isinstance(
        read := read_video(tag.payload), VideoConfig)]  # fmt: skip
    track = video_track(config)

    assert (size, codecs) == ((track.width, track.height), track.codecs)


@pytest.mark.parametrize(("name", "rate", "codecs"), [("plain", 44100, "mp4a.40.2"), ("av1_opus", 48000, "opus")])
def test_real_sound_is_understood(film, name, rate, codecs):
    [config] = [read for tag in films.tags(film(name)) if tag.kind == 8 and isinstance(
        read := read_audio(tag.payload), AudioConfig)]  # fmt: skip
    track = audio_track(config)

    assert (rate, 1, codecs) == (track.rate, track.channels, track.codecs)


def hvcc(sps: bytes, *, flags: int = 0x01, empty_first: bool = False) -> VideoConfig:
    head = bytes((1, flags)) + bytes.fromhex("60000000 900000000000") + bytes((93,)) + bytes(9)
    arrays = [(32, b"\x40\x01\x0c")] if not empty_first else [(32, b"")]
    arrays.append((33, b"\x42\x01" + sps))
    body = b"".join(bytes((kind, 0, 1)) + len(nal).to_bytes(2, "big") + nal for kind, nal in arrays)
    return VideoConfig(Codec.HEVC, head + bytes((len(arrays),)) + body)


def hevc_sps(*, sub_layers=0, chroma=1, window=None) -> bytes:
    bits = Bits().put(0, 4).put(sub_layers, 3).put(1, 1)
    # The general profile, level; ones, so that no emulation prevention is needed.
    bits.put(2**96 - 1, 96)
    for index in range(sub_layers):
        bits.put(1 - index % 2, 1).put(1, 1)
    if sub_layers:
        bits.put(0, 2 * (8 - sub_layers))
    for index in range(sub_layers):
        bits.put(2 ** (88 * (1 - index % 2) + 8) - 1, 88 * (1 - index % 2) + 8)
    bits.ue(0, chroma)
    if chroma == 3:
        bits.put(0, 1)
    bits.ue(1920, 1088).put(1 if window else 0, 1)
    if window:
        bits.ue(*window)
    return bits.bytes()


@pytest.mark.parametrize(
    ("sps", "size"),
    [
        (hevc_sps(), (1920, 1088)),
        (hevc_sps(window=(0, 0, 0, 4)), (1920, 1080)),
        (hevc_sps(chroma=2, window=(1, 0, 0, 4)), (1918, 1084)),
        (hevc_sps(chroma=3, window=(1, 0, 0, 4)), (1919, 1084)),
        (hevc_sps(sub_layers=3, window=(0, 0, 0, 4)), (1920, 1080)),
    ],
)
def test_hevc_is_read(sps, size):
    track = video_track(hvcc(sps))

    assert size == (track.width, track.height)
    assert track.codecs == "hvc1.1.6.L93.90"


def test_hevc_with_a_profile_space_and_the_high_tier():
    assert video_track(hvcc(hevc_sps(), flags=0x62, empty_first=True)).codecs == "hvc1.A2.6.H93.90"


def av1c(header: bytes, *, extension: bool = False, before: bytes = b"", flags: int = 0x0C) -> VideoConfig:
    head = bytes((0x0A | extension << 2,)) + (b"\x00" if extension else b"") + bytes((len(header),))
    return VideoConfig(Codec.AV1, bytes((0x81, 0x08, flags, 0)) + before + head + header)


def av1_header(*, timing=False, interval=False, model=False, delay=False, level=8, reduced=False) -> bytes:
    bits = Bits().put(0, 3).put(0, 1).put(int(reduced), 1)
    if reduced:
        bits.put(8, 5)
    else:
        bits.put(int(timing), 1)
        if timing:
            bits.put(1, 32).put(30, 32).put(int(interval), 1)
            if interval:
                bits.ue(0)
            bits.put(int(model), 1)
            if model:
                bits.put(3, 5).put(1, 32).put(0, 10)
        bits.put(int(delay), 1).put(1, 5)
        for index in range(2):
            bits.put(0, 12).put(level, 5)
            if level > 7:
                bits.put(0, 1)
            if model:
                bits.put(index, 1)
                if index:
                    bits.put(0, 2 * 4 + 1)
            if delay:
                bits.put(index, 1)
                if index:
                    bits.put(0, 4)
    return bits.put(10, 4).put(10, 4).put(1919, 11).put(1079, 11).bytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reduced": True},
        {"level": 7},
        {"timing": True},
        {"timing": True, "interval": True, "model": True},
        {"timing": True, "model": True, "delay": True},
        {"delay": True},
    ],
)
def test_av1_is_read(options):
    track = video_track(av1c(av1_header(**options)))

    assert (1920, 1080, "av01.0.08M.08") == (track.width, track.height, track.codecs)


def test_av1_behind_another_unit_in_the_high_tier_at_ten_bits():
    delimiter = b"\x12\x80\x00"  # a temporal delimiter, its size 0 written in two bytes
    track = video_track(av1c(av1_header(), extension=True, before=delimiter, flags=0xCC))

    assert track.codecs == "av01.0.08H.10"


SAMPLES = {
    Codec.AVC: avcc(sps(profile=100, chroma=1)),
    Codec.HEVC: hvcc(hevc_sps()),
    Codec.AV1: av1c(av1_header()),
}


@pytest.mark.parametrize("codec", SAMPLES)
def test_every_beginning_of_a_configuration_is_read_or_refused(codec):
    whole = SAMPLES[codec].data
    refused = 0
    for size in range(len(whole)):
        try:
            video_track(VideoConfig(codec, whole[:size]))
        except ConfigInvalid as error:
            assert str(error).startswith(f"the {codec} configuration is invalid: ")
            assert isinstance(error, MediaError)
            refused += 1

    assert refused > len(whole) // 2


def test_a_configuration_without_parameter_sets_is_refused():
    with pytest.raises(ConfigInvalid, match="no version 1"):
        video_track(VideoConfig(Codec.AVC, b"\x01\x42\x00\x1e\xff\xe0\x00"))
    with pytest.raises(ConfigInvalid, match="no sequence parameter set"):
        video_track(VideoConfig(Codec.HEVC, bytes(23)))
    with pytest.raises(ConfigInvalid, match="no sequence header"):
        video_track(VideoConfig(Codec.AV1, b"\x81\x00\x0c\x00"))


def test_a_number_of_too_many_bits_is_refused():
    with pytest.raises(ConfigInvalid, match="too early"):
        video_track(avcc(b"\x42\x00\x1e" + b"\x00\x00\x03\x00" * 20))


@pytest.mark.parametrize("over", [0, 1])
def test_a_picture_order_cycle_is_bounded(over):
    config = avcc(sps(order=1, cycle=(0,) * (PICTURE_ORDER_CYCLE_MAX + over)))
    if over:
        with pytest.raises(ConfigInvalid, match="a picture order cycle of 256"):
            video_track(config)
    else:
        assert video_track(config).width == 320


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("codec", SAMPLES)
def test_a_configuration_is_bounded(codec, over):
    data = SAMPLES[codec].data
    config = VideoConfig(codec, data + bytes(CONFIG_BYTES_MAX + over - len(data)))
    if over:
        with pytest.raises(ConfigInvalid, match=f"{CONFIG_BYTES_MAX + 1} bytes, at most {CONFIG_BYTES_MAX}"):
            video_track(config)
    else:
        assert video_track(config).config == config.data


@pytest.mark.parametrize("over", [0, 1])
def test_a_configuration_of_sound_is_bounded(over):
    config = AudioConfig(Codec.AAC, films.ASC + bytes(CONFIG_BYTES_MAX + over - len(films.ASC)))
    if over:
        with pytest.raises(ConfigInvalid, match="at most"):
            audio_track(config)
    else:
        assert audio_track(config).config == config.data


@pytest.mark.parametrize("side", [SIDE_PIXELS_MAX // 16 - 1, SIDE_PIXELS_MAX // 16])
def test_a_side_at_the_limit_is_taken(side):
    assert video_track(avcc(sps(width=side))).width == side * 16
    assert video_track(avcc(sps(height=side))).height == side * 16


@pytest.mark.parametrize("size", [{"width": SIDE_PIXELS_MAX // 16 + 1}, {"height": SIDE_PIXELS_MAX // 16 + 1},
                                  {"width": 1, "crop": (8, 0, 0, 0)}])  # fmt: skip
def test_an_absurd_size_is_refused(size):
    with pytest.raises(ConfigInvalid, match="a picture of"):
        video_track(avcc(sps(**size)))


def asc(object_type: int, rate: int, channels: int, *, written: int | None = None, tail: str = "0") -> AudioConfig:
    bits = Bits()
    if object_type >= 32:
        bits.put(31, 5).put(object_type - 32, 6)
    else:
        bits.put(object_type, 5)
    bits.put(rate, 4)
    if written is not None:
        bits.put(written, 24)
    bits.put(channels, 4)
    bits.text += tail
    return AudioConfig(Codec.AAC, bits.bytes())


@pytest.mark.parametrize(
    ("config", "rate", "channels", "samples", "codecs"),
    [
        (asc(2, 3, 2), 48000, 2, 1024, "mp4a.40.2"),
        (asc(2, 4, 1, tail="1"), 44100, 1, 960, "mp4a.40.2"),
        (asc(2, 3, 7), 48000, 8, 1024, "mp4a.40.2"),
        (asc(2, 3, 0), 48000, 2, 1024, "mp4a.40.2"),
        (asc(2, 15, 2, written=22050), 22050, 2, 1024, "mp4a.40.2"),
        (asc(42, 3, 2), 48000, 2, 1024, "mp4a.40.42"),
        (asc(5, 6, 2, tail=f"{3:04b}{2:05b}0"), 24000, 2, 1024, "mp4a.40.5"),  # its packets keep the core's clock
        (asc(29, 6, 1, tail=f"{3:04b}{2:05b}0"), 24000, 1, 1024, "mp4a.40.29"),
    ],
)
def test_aac_is_read(config, rate, channels, samples, codecs):
    track = audio_track(config)

    assert (rate, channels, samples, codecs) == (track.rate, track.channels, track.samples(b"\x21"), track.codecs)


@pytest.mark.parametrize(
    "config",
    [
        asc(2, 13, 2),
        asc(2, 15, 2, written=7349),
        asc(2, 15, 2, written=96001),
        AudioConfig(Codec.AAC, b""),
        AudioConfig(Codec.OPUS, b"OpusHead\x01\x02"),
    ],
)
def test_sound_that_cannot_be_is_refused(config):
    with pytest.raises(ConfigInvalid):
        audio_track(config)


def test_opus_is_read_with_and_without_its_magic():
    head = bytes.fromhex("0102 3801 80bb0000 0000 00")
    with_magic = audio_track(AudioConfig(Codec.OPUS, b"OpusHead" + head))

    assert audio_track(AudioConfig(Codec.OPUS, head)) == with_magic
    assert (48000, 2, "opus") == (with_magic.rate, with_magic.channels, with_magic.codecs)
    assert with_magic.samples(b"\xfc") == 960


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        ("00", 480),  # SILK 10 ms
        ("18", 2880),  # SILK 60 ms
        ("68", 960),  # hybrid 20 ms
        ("80", 120),  # CELT 2.5 ms
        ("fc", 960),  # CELT 20 ms
        ("fd", 1920),  # two of them
        ("fe", 1920),
        ("ff 03", 2880),  # three of them
        ("ff", 960),  # a count that is not there
        ("ff 00", 960),
    ],
)
def test_an_opus_packet_says_how_long_it_is(packet, samples):
    assert samples == opus_samples(bytes.fromhex(packet))
