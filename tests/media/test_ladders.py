from __future__ import annotations

import pytest

from media.ffmpeg_args import RungInvalid
from media.flv import Codec
from media.hls_writer.tracks import VideoTrack
from media.hls_writer.writer import Writer
from media.intake import Began
from media.ladders import Ladders

NAMES = ("source", "480p", "180p")


def began(width: int = 640, height: int = 480, codec: Codec = Codec.AVC) -> Began:
    return Began(VideoTrack(codec, b"", width, height, "avc1.64001F"), None, b"", 0)


@pytest.fixture
async def ladders(ffmpeg, tmp_path):
    ladders = Ladders(NAMES, ffmpeg, tmp_path / "made")
    await ladders.detect()
    return ladders


def names(rungs) -> list[str]:
    return [rung.name for rung in rungs]


def test_a_wrong_rung_stops_the_start(tmp_path):
    with pytest.raises(RungInvalid):
        Ladders(("source", "4K"), None, tmp_path)


async def test_a_source_gets_the_rungs_that_are_no_larger(ladders):
    assert names(ladders.rungs(began())) == ["480p", "180p"]
    assert names(ladders.rungs(began(320, 240))) == ["180p"]
    assert names(ladders.rungs(began(270, 480))) == ["180p"]  # upright: the shorter side counts
    assert names(ladders.rungs(began(160, 120))) == []
    assert names(ladders.rungs(Began(None, None, b"", 0))) == []


async def test_without_an_encoder_there_are_none(tmp_path, caplog):
    for ffmpeg in (None, str(tmp_path / "nothing")):
        ladders = Ladders(NAMES, ffmpeg, tmp_path)
        for _ in range(2):
            await ladders.detect()
        assert ladders.rungs(began()) == []
        assert ladders.transcoder([], Writer(1)) is None
    assert caplog.text.count("no_ladder") == 1


async def test_an_old_encoder_gets_no_codec_that_it_cannot_read(ladders):
    ladders._version = (5, 1)

    assert names(ladders.rungs(began(codec=Codec.HEVC))) == []
    assert names(ladders.rungs(began())) == ["480p", "180p"]


async def test_the_source_is_shown_if_it_was_asked_for_or_is_all(ffmpeg, tmp_path, ladders):
    rungs = ladders.rungs(began())
    hidden = Ladders(NAMES[1:], ffmpeg, tmp_path)

    assert ladders.renditions(rungs) == NAMES
    assert hidden.renditions(rungs) == NAMES[1:]
    assert hidden.renditions([]) == ("source",)


async def test_a_rung_that_would_be_upscaled_now_goes_and_does_not_come_back(ladders):
    writer = Writer(1, NAMES)
    transcoder = ladders.transcoder(ladders.rungs(began()), writer)
    for size, left in (((640, 480), NAMES), ((320, 240), ("source", "180p")), ((640, 480), ("source", "180p"))):
        writer.begin(began(*size), date=0.0)
        ladders.begin(transcoder, writer, began(*size))
        assert writer.renditions == left
    await transcoder.close()
