from __future__ import annotations

import asyncio
import os
import time

import pytest

from media.ffmpeg_args import RungInvalid
from media.flv import Codec
from media.hls_writer.tracks import VideoTrack
from media.hls_writer.writer import Writer
from media.intake import Began
from media.ladders import Ladders, Running, cpu_seconds_of

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
        assert ladders.open(Writer(1), []) is None
        assert ladders.ffmpeg is None
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
    transcoder = ladders.open(writer, ladders.rungs(began()))
    for size, left in (((640, 480), NAMES), ((320, 240), ("source", "180p")), ((640, 480), ("source", "180p"))):
        writer.begin(began(*size), date=0.0)
        ladders.begin(transcoder, writer, began(*size))
        assert writer.renditions == left
    await transcoder.close()


async def test_a_codec_that_not_every_browser_plays_gets_one_rung_unasked(ffmpeg, tmp_path):
    plain = Ladders(("source",), ffmpeg, tmp_path)
    await plain.detect()

    assert names(plain.rungs(began())) == []
    assert names(plain.rungs(began(1920, 1080, Codec.HEVC))) == ["720p"]
    assert names(plain.rungs(began(480, 853, Codec.AV1))) == ["480p"]
    asked = Ladders(NAMES, ffmpeg, tmp_path)
    await asked.detect()
    assert names(asked.rungs(began(codec=Codec.HEVC))) == ["480p", "180p"]
    assert names(asked.rungs(began(160, 90, Codec.HEVC))) == ["90p"]


async def test_a_full_machine_refuses_in_the_log_and_a_broadcast_that_ended_makes_room(ffmpeg, tmp_path, caplog):
    ladders = Ladders(NAMES, ffmpeg, tmp_path, cores=0.2)
    await ladders.detect()
    first = ladders.admit(1, began())
    transcoder = ladders.open(Writer(1, ladders.renditions(first)), first)

    assert (names(first), names(ladders.admit(2, began()))) == (["480p", "180p"], [])
    assert "ladder_refused broadcast=2 rungs=0 of=2" in caplog.text
    assert ladders.admit(3, began(160, 120)) == []
    ladders.close(1)
    assert names(ladders.admit(2, began())) == ["480p", "180p"]
    await transcoder.close()


class Encoder:
    """In place of a transcoder: this very process."""

    def __init__(self) -> None:
        self.pids = [os.getpid()]
        self.sheds = 0
        self.late = False

    def shed(self) -> None:
        self.sheds += 1


async def test_what_runs_is_measured_and_the_newest_gives_back_what_is_too_much(ladders, monkeypatch, caplog):
    encoders, seconds = {}, {"used": 0.0}
    monkeypatch.setattr("media.ladders.cpu_seconds_of", lambda _: seconds["used"])
    for key in (1, 2):
        ladders.admit(key, began(320, 240))
        ladders._running[key] = Running(Writer(key, NAMES), Encoder())
        encoders[key] = ladders._running[key].transcoder
    for _ in range(3):
        ladders.measure(5.0)
        seconds["used"] += 5 * ladders._budget.cores  # each of the two uses every core
    assert (encoders[1].sheds, encoders[2].sheds) == (0, 1)
    assert "ladder_shed broadcast=2" in caplog.text

    # Another process has another clock: its first reading says nothing.
    used = ladders._budget.used
    for encoder in encoders.values():
        encoder.pids = []
    ladders.measure(5.0)
    assert ladders._budget.used == used
    # Who has no rung left needs no room.
    for running in ladders._running.values():
        for name in NAMES[1:]:
            running.writer.drop(name)
    ladders.measure(5.0)
    assert (ladders._budget.used, ladders._running) == (0, {})


async def test_where_one_is_late_nobody_comes_and_nobody_is_measured(ladders, monkeypatch):
    seconds = {"used": 0.0}
    monkeypatch.setattr("media.ladders.cpu_seconds_of", lambda _: seconds["used"])
    ladders.admit(1, began(320, 240))
    ladders._running[1] = Running(Writer(1, NAMES), Encoder())
    used = ladders._budget.used
    ladders._running[1].transcoder.late = True
    for _ in range(3):
        ladders.measure(5.0)
        seconds["used"] += 0.01
    assert (ladders._budget.used, names(ladders.admit(2, began(320, 240)))) == (used, [])

    ladders._running[1].transcoder.late = False
    ladders.measure(5.0)
    assert ladders._budget.used < used
    assert names(ladders.admit(2, began(320, 240))) == ["180p"]


async def test_measuring_goes_on_by_itself(ladders, monkeypatch):
    monkeypatch.setattr("media.ladders.MEASURE_SECONDS", 0.01)
    measured = asyncio.Queue()
    monkeypatch.setattr(ladders, "measure", measured.put_nowait)
    running = asyncio.create_task(ladders.run())
    seconds = await measured.get()
    running.cancel()

    assert seconds >= 0.01


def test_the_system_says_what_a_process_has_used():
    used = cpu_seconds_of(os.getpid())
    while time.process_time() < used + 0.1:
        pass

    assert cpu_seconds_of(os.getpid()) >= used + 0.05
    assert cpu_seconds_of(2**22 + 1) is None
