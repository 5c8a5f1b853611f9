from __future__ import annotations

import pytest

from media.ffmpeg_args import (
    RUNGS_MAX,
    STILL_HEIGHT,
    STILL_WIDTH,
    Rung,
    RungInvalid,
    arguments,
    bits_a_second,
    can_read,
    fallback_rung,
    read_version,
    rung_size,
    rungs,
    still_arguments,
)
from media.flv import Codec


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("ffmpeg version n9.0.2-17-g2a571b6068-20260930 Copyright (c)", (9, 0)),
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)", (5, 1)),
        ("ffmpeg version 7.1 Copyright", (7, 1)),
        ("ffmpeg version N-118193-g5f38c82536 Copyright", (99, 0)),
        ("usage: something else", None),
        ("", None),
    ],
)
def test_the_version_is_read(text, version):
    assert version == read_version(text)


@pytest.mark.parametrize(
    ("version", "codec", "can"),
    [((5, 1), Codec.AVC, True), ((6, 0), Codec.HEVC, False), ((6, 1), Codec.HEVC, True), ((9, 0), Codec.AV1, True)],
)
def test_an_old_ffmpeg_reads_no_enhanced_flv(version, codec, can):
    assert can == can_read(version, codec)


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ((1920, 1080), ["720p", "480p", "160p"]),
        ((1280, 720), ["720p", "480p", "160p"]),
        ((1278, 718), ["480p", "160p"]),  # never upscaled
        ((720, 1280), ["720p", "480p", "160p"]),  # the shorter side is what counts
        ((320, 240), ["160p"]),
        ((64, 48), []),
    ],
)
def test_the_ladder_ends_at_the_source(size, names):
    assert names == [rung.name for rung in rungs(("source", "720p", "480p", "160p"), *size)]


def test_a_ladder_is_bounded():
    ladder = [f"{height}p" for height in range(100, 100 + RUNGS_MAX + 1)]

    assert RUNGS_MAX == len(rungs(ladder, 4000, 4000))
    assert RUNGS_MAX - 1 == len(rungs(ladder[: RUNGS_MAX - 1], 4000, 4000))


@pytest.mark.parametrize("name", ["", "480", "0480p", "p", "48000p", "480p;ls", "-i", "Source"])
def test_what_is_no_rung_is_refused(name):
    with pytest.raises(RungInvalid, match="is no rung; write a height such as 480p") as refused:
        rungs(("source", name), 1920, 1080)

    assert refused.value.name == name


@pytest.mark.parametrize(
    ("height", "bits"),
    [(80, 125_000), (160, 250_000), (480, 1_200_000), (600, 1_850_000), (1080, 4_500_000), (2160, 9_000_000)],
)
def test_a_rung_costs_in_proportion(height, bits):
    assert bits == bits_a_second(height)


LADDER = [Rung("480p", 480, 1_200_000), Rung("160p", 160, 250_000)]


def test_the_command_writes_each_rung_into_its_pipe():
    command = arguments("/bin/ffmpeg", (9, 0), LADDER, [7, 9], width=1280, height=720)

    assert command[0] == "/bin/ffmpeg"
    assert ["pipe:7", "pipe:9"] == [each for each in command if each.startswith("pipe:") and each != "pipe:0"]
    assert ["scale=-2:480:flags=fast_bilinear", "scale=-2:160:flags=fast_bilinear"] == [
        each for each in command if each.startswith("scale")
    ]
    assert command.index("-copyts") < command.index("-i")  # an input option: behind it, it would be none
    assert command.count("demux") == 2


def test_an_upright_picture_is_scaled_by_its_width_and_an_old_ffmpeg_has_its_own_words():
    command = arguments("ffmpeg", (5, 1), LADDER[:1], [3], width=720, height=1280)

    assert "scale=480:-2:flags=fast_bilinear" in command
    assert command[command.index("-enc_time_base") + 1] == "-1"


def test_a_rung_that_has_pictures_already_begins_with_the_one_behind_them():
    command = arguments("ffmpeg", (9, 0), LADDER, [7, 9], width=1280, height=720, seen_ms={"160p": 2033})

    assert ["scale=-2:480:flags=fast_bilinear", "select='gt(t,2033.5/1000)',scale=-2:160:flags=fast_bilinear"] == [
        each for each in command if "scale=" in each
    ]


def test_each_rung_needs_its_pipe():
    with pytest.raises(ValueError, match="zip"):
        arguments("ffmpeg", (9, 0), LADDER, [3], width=1280, height=720)


def test_the_commands_open_nothing_but_pipes_and_hold_nothing_of_a_publishers():
    for command in (
        still_arguments("ffmpeg"),
        arguments("ffmpeg", (9, 0), LADDER, [7, 9], width=1280, height=720),
    ):
        assert command[command.index("-protocol_whitelist") + 1] == "pipe"
        assert command[command.index("-i") - 2 : command.index("-i") + 2] == ["-f", "flv", "-i", "pipe:0"]
        assert "-nostdin" in command


def test_a_still_is_one_picture_and_never_larger_than_its_frame():
    command = still_arguments("ffmpeg")
    filters = command[command.index("-vf") + 1]

    assert command[command.index("-frames:v") + 1] == "1"
    assert "force_original_aspect_ratio=decrease" in filters
    assert filters.endswith(f"pad={STILL_WIDTH}:{STILL_HEIGHT}:(ow-iw)/2:(oh-ih)/2")
    assert command[-2:] == ["mjpeg", "pipe:1"]


@pytest.mark.parametrize(
    ("width", "height", "name", "size"),
    [
        (1920, 1080, "720p", (1280, 720)),
        (1080, 1920, "720p", (720, 1280)),
        (854, 480, "480p", (854, 480)),
        (321, 241, "240p", (320, 240)),
        (720, 720, "720p", (720, 720)),
    ],
)
def test_a_fallback_is_as_large_as_the_source_within_reason_and_even(width, height, name, size):
    rung = fallback_rung(width, height)

    assert (rung.name, rung_size(rung, width, height)) == (name, size)
    assert rung.bits_a_second == bits_a_second(rung.height)
