from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import psutil
import pytest

from media import transcoder as module
from media.backlog import BACKLOG_MS_MAX
from media.encoder_run import Base, Run
from media.ffmpeg_args import rungs
from media.hls_writer.errors import NoSuchRendition
from media.hls_writer.writer import Writer
from media.intake import Began, Video
from media.restarts import FAILURES_MAX, Restarts
from media.transcoder import Transcoder, detect
from tests.media import films
from tests.media.checker import Checker, read
from tests.media.processes import is_gone, until

LADDER = ("source", "180p")


@pytest.fixture
async def version(ffmpeg):
    return await detect(ffmpeg)


class Studio:
    """A broadcast's writer and ladder, fed with a film."""

    def __init__(self, ffmpeg, version, folder, ladder=LADDER) -> None:
        self.writer = Writer(7, ladder)
        self.transcoder = Transcoder(ffmpeg, version, folder, self.writer)
        self.ladder = ladder

    async def play(self, events, *, pause_seconds=0.0) -> None:
        for event in events:
            films.write(self.writer, event)
            if isinstance(event, Began):
                there = rungs(self.ladder, event.video.width, event.video.height)
                self.transcoder.begin(self.writer.epoch, event, there)
            elif isinstance(event, Video):
                self.transcoder.video(event)
                await asyncio.sleep(pause_seconds)

    async def playlist(self, rendition: str):
        return read(await self.writer.media_playlist(rendition, msn=None, part=None, skip=False))


@pytest.fixture
async def studio(ffmpeg, version, tmp_path, patient):
    studio = Studio(ffmpeg, version, tmp_path)
    yield studio
    await studio.transcoder.close()


@pytest.mark.parametrize("name", ["plain", "bframes", "av1_opus", "hevc", "vertical", "sixty", "odd"])
async def test_every_rung_has_the_sources_parts(film, studio, name, ffmpeg, tmp_path):
    await studio.play(films.events(films.tags(film(name))), pause_seconds=0.002)
    await studio.transcoder.drained()
    studio.writer.end()
    source, rung = await studio.playlist("source"), await studio.playlist("180p")
    checker = Checker()
    checker.see(await studio.writer.media_playlist("180p", msn=None, part=None, skip=False))

    assert [] == checker.findings
    assert [each.msn for each in source.segments] == [each.msn for each in rung.segments]
    assert [each.duration for each in source.segments] == pytest.approx(
        [each.duration for each in rung.segments],
        abs=0.0021,
    )
    assert [each.independent for each in source.parts] == [each.independent for each in rung.parts]
    # FLV rounds a picture's time of decoding and of showing apart: one millisecond where there are B-frames.
    assert [each.duration for each in source.parts] == pytest.approx([each.duration for each in rung.parts], abs=0.0021)
    names = [rung.segments[0].init, *(each.uri for each in rung.closed)]
    out = tmp_path / "out.mp4"
    out.write_bytes(b"".join([(await studio.writer.resource(each)).data for each in names]))
    assert len(films.md5s(ffmpeg, film(name), "v")) == len(films.md5s(ffmpeg, out, "v"))
    if name in {"plain", "bframes", "hevc"}:
        assert films.md5s(ffmpeg, film(name), "a") == films.md5s(ffmpeg, out, "a")


async def test_a_second_epoch_has_a_process_of_its_own(film, studio):
    for _ in range(2):
        await studio.play(films.events(films.tags(film("plain"))), pause_seconds=0.001)
        await studio.transcoder.drained()
        studio.writer.interrupt()
    studio.writer.end()
    source, rung = await studio.playlist("source"), await studio.playlist("180p")

    assert [(each.msn, each.discontinuity) for each in source.segments] == [
        (each.msn, each.discontinuity) for each in rung.segments
    ]
    assert 1 == sum(each.discontinuity for each in rung.segments)


@pytest.mark.parametrize("name", ["plain", "bframes", "long_interval"])
async def test_what_goes_on_for_a_process_that_was_killed_lacks_nothing(
    film, studio, monkeypatch, ffmpeg, tmp_path, name
):
    monkeypatch.setattr("media.restarts.WELL_SECONDS", 0.0)
    events = list(films.events(films.tags(film(name))))
    # Amid an interval, and not before its pictures begin to come out: what is alone between two keyframes of two
    # encoders may be lost to a decoder (both call theirs by the same idr_pic_id).
    half = next(at for at, each in enumerate(events) if isinstance(each, Video) and each.timestamp_ms >= 3000)
    await studio.play(events[:half], pause_seconds=0.002)
    await until(lambda: studio.transcoder._run._last_ms.get("180p", 0) > 2500)
    [first] = studio.transcoder.pids
    os.kill(first, signal.SIGKILL)
    await until(lambda: first not in studio.transcoder.pids)
    await studio.play(events[half:], pause_seconds=0.002)
    await studio.transcoder.drained()
    studio.writer.end()
    source, rung = await studio.playlist("source"), await studio.playlist("180p")
    checker = Checker()
    checker.see(await studio.writer.media_playlist("180p", msn=None, part=None, skip=False))

    assert is_gone(first)
    assert [] == checker.findings
    assert [each.msn for each in source.segments] == [each.msn for each in rung.segments]
    assert [each.duration for each in source.parts] == pytest.approx([each.duration for each in rung.parts], abs=0.0021)
    out = tmp_path / "out.mp4"
    names = [rung.segments[0].init, *(each.uri for each in rung.closed)]
    out.write_bytes(b"".join([(await studio.writer.resource(each)).data for each in names]))
    assert len(films.md5s(ffmpeg, film(name), "v")) == len(films.md5s(ffmpeg, out, "v"))


async def test_what_died_before_it_was_well_is_not_given_the_same_again(film, studio, monkeypatch):
    monkeypatch.setattr("media.restarts.WELL_SECONDS", 60.0)
    monkeypatch.setattr("media.restarts.BACK_OFF_SECONDS_MIN", 0.001)
    events = list(films.events(films.tags(film("plain"))))
    half = next(at for at, each in enumerate(events) if isinstance(each, Video) and each.timestamp_ms >= 3000)
    await studio.play(events[:half], pause_seconds=0.002)
    await until(lambda: studio.writer._renditions["180p"].timeline.next_part > 1)
    [first] = studio.transcoder.pids
    os.kill(first, signal.SIGKILL)
    await until(lambda: not studio.transcoder.pids)
    await studio.play(events[half:], pause_seconds=0.02)
    await studio.transcoder.drained()
    studio.writer.end()
    source, rung = await studio.playlist("source"), await studio.playlist("180p")

    assert source.segments[-1].msn == rung.segments[-1].msn
    assert not rung.segments[-1].gap
    assert sum(each.duration for each in rung.parts) < sum(each.duration for each in source.parts) - 0.5
    checker = Checker()
    checker.see(await studio.writer.media_playlist("180p", msn=None, part=None, skip=False))
    assert [] == checker.findings


@pytest.fixture
def fake(tmp_path):
    """A program in place of ffmpeg that does what a line of Python says."""

    def make(code: str) -> str:
        path = tmp_path / "not_ffmpeg"
        path.write_text(f"#!{sys.executable}\nimport os, sys, time, signal\n{code}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


async def test_what_dies_at_once_is_given_up_and_the_source_goes_on(film, fake, tmp_path, monkeypatch, caplog, patient):
    monkeypatch.setattr("media.restarts.BACK_OFF_SECONDS_MIN", 0.001)
    studio = Studio(fake("sys.stderr.write('no luck\\n'); sys.exit(1)"), (9, 0), tmp_path)
    # One keyframe interval after another: each start needs a keyframe.
    for _ in range(100):
        await studio.play(films.events(films.tags(film("video_only"))), pause_seconds=0.003)
        if "180p" not in studio.writer.renditions:
            break
    tries = caplog.text.count("encoder_ended")
    await studio.transcoder.close()

    assert ("source",) == studio.writer.renditions
    assert tries == FAILURES_MAX + 1
    assert "no luck" in caplog.text
    assert (await studio.playlist("source")).closed
    with pytest.raises(NoSuchRendition):
        await studio.playlist("180p")


async def test_what_hangs_costs_bounded_memory_and_then_its_rung(film, fake, tmp_path, caplog):
    studio = Studio(fake("time.sleep(60)"), (9, 0), tmp_path)
    events = list(films.events(films.tags(film("long_interval"))))
    await studio.play(events[:1], pause_seconds=0)
    started = time.monotonic()
    held = 0
    keys = [event for event in events if isinstance(event, Video)]
    for index, event in enumerate(keys):
        # Every picture a keyframe, so that what was dropped goes on at once: three times two seconds of backlog.
        frame = type(event.frame)(key=True, composition_ms=0, data=event.frame.data)
        studio.transcoder.video(Video(index * 33, frame, event.payload))
        held = max(held, studio.transcoder._run._backlog.bytes_held if studio.transcoder._run else 0)
        await asyncio.sleep(0.001 if index < 50 else 0)
        if "180p" not in studio.writer.renditions:
            break
    await until(lambda: "180p" not in studio.writer.renditions)
    await studio.transcoder.close()

    assert held < sum(len(event.payload) for event in keys)
    assert BACKLOG_MS_MAX == 2000
    assert "rung_given_up" in caplog.text
    assert time.monotonic() - started < 30  # it did not wait for the program


async def test_what_comes_while_no_process_runs_makes_none_too_slow(film, fake, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("media.restarts.BACK_OFF_SECONDS_MIN", 0.1)
    # It dies at once the first time, and reads ever after.
    code = "first = not os.path.exists('ran'); open('ran', 'w'); sys.exit(1) if first else sys.stdin.read()"
    studio = Studio(fake(code), (9, 0), tmp_path)
    began, *events = films.events(films.tags(film("plain")))
    key = next(event for event in events if isinstance(event, Video))
    await studio.play([began, key])
    await until(lambda: "encoder_ended" in caplog.text)
    for timestamp_ms in range(1000, 60_000, 1000):
        studio.transcoder.video(Video(timestamp_ms, key.frame, key.payload))
    assert studio.transcoder._run._backlog.overwhelmed
    while not studio.transcoder.pids:
        timestamp_ms += 33
        studio.transcoder.video(Video(timestamp_ms, key.frame, key.payload))
        await asyncio.sleep(0.01)
    [pid] = studio.transcoder.pids
    studio.transcoder.video(Video(timestamp_ms + 33, key.frame, key.payload))

    assert not studio.transcoder._run._backlog.overwhelmed
    assert "180p" in studio.writer.renditions
    assert not is_gone(pid)
    await studio.transcoder.close()


async def test_garbage_from_the_encoder_ends_the_process_and_nothing_else(film, fake, tmp_path, caplog):
    code = "fd = int(sys.argv[-1].split(':')[1]); os.write(fd, b'GIF89a' * 10); time.sleep(60)"
    studio = Studio(fake(code), (9, 0), tmp_path)
    events = list(films.events(films.tags(film("plain"))))
    await studio.play(events[:40], pause_seconds=0.001)
    await until(lambda: "not an FLV stream" in caplog.text)
    await studio.transcoder.close()

    assert "source" in studio.writer.renditions


async def test_a_program_that_is_not_there_is_given_up(film, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("media.restarts.FAILURES_MAX", 0)
    studio = Studio(str(tmp_path / "nothing"), (9, 0), tmp_path)
    await studio.play(list(films.events(films.tags(film("plain"))))[:20], pause_seconds=0.001)
    await until(lambda: "180p" not in studio.writer.renditions)
    await studio.transcoder.close()

    assert "No such file" in caplog.text


async def test_closing_leaves_no_process(film, studio):
    await studio.play(list(films.events(films.tags(film("plain"))))[:60], pause_seconds=0.001)
    await until(lambda: studio.transcoder.pids)
    [pid] = studio.transcoder.pids
    await studio.transcoder.close()

    assert is_gone(pid)


async def test_a_process_that_does_not_end_is_ended(film, fake, tmp_path, monkeypatch):
    monkeypatch.setattr("media.encoder_run.DRAIN_SECONDS_MAX", 0.05)
    studio = Studio(fake("time.sleep(60)"), (9, 0), tmp_path)
    await studio.play(list(films.events(films.tags(film("plain"))))[:20], pause_seconds=0.001)
    await until(lambda: studio.transcoder.pids)
    [pid] = studio.transcoder.pids
    await studio.transcoder.drained()

    assert is_gone(pid)


async def test_an_epoch_that_ends_before_its_first_picture_starts_nothing(film, studio):
    [began, *_] = films.events(films.tags(film("plain")))
    await studio.play([began])
    assert [] == studio.transcoder.pids
    await studio.transcoder.drained()
    assert not studio.transcoder._tasks


async def test_a_failure_of_ours_is_in_the_log(film, studio, caplog, monkeypatch):
    monkeypatch.setattr(studio.writer, "rung_config", None)
    await studio.play(list(films.events(films.tags(film("plain"))))[:40], pause_seconds=0.002)
    await until(lambda: not studio.transcoder._tasks)

    assert "transcoder_failed" in caplog.text
    assert ("source",) == studio.writer.renditions


async def test_garbage_from_a_process_that_is_gone_is_no_failure_of_ours(tmp_path):
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    run = Run(1, config=b"", rungs=[], command=lambda *_: [], folder=tmp_path, sink=Writer(7), restarts=Restarts())
    run.process, run._holes = process, {"180p": deque()}
    reader = asyncio.StreamReader()
    reader.feed_data(b"GIF89a" * 10)
    with pytest.raises(ProcessLookupError):
        process.kill()

    await run._read("180p", reader, Base())
    assert ["180p: not an FLV stream"] == list(run._words)


async def test_a_killed_parent_takes_its_encoder_along(film, ffmpeg, tmp_path):
    code = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(module.__file__).parent.parent)!r})
from pathlib import Path
from tests.media import films
from tests.media.processes import until
from tests.media.test_transcoder import Studio, detect
async def main():
    studio = Studio({ffmpeg!r}, await detect({ffmpeg!r}), Path({str(tmp_path)!r}))
    await studio.play(list(films.events(films.tags(Path({str(film("plain"))!r}))))[:60], pause_seconds=0.001)
    await until(lambda: studio.transcoder.pids)
    print(studio.transcoder.pids[0], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    assert not is_gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    await until(lambda: is_gone(pid))


async def test_what_is_no_ffmpeg_is_none(fake, tmp_path, monkeypatch):
    assert await detect(str(tmp_path / "nothing")) is None
    assert await detect(fake("print('hello')")) is None


async def test_what_hangs_instead_of_saying_its_version_is_ended(fake, monkeypatch):
    monkeypatch.setattr(module, "VERSION_SECONDS_MAX", 0.1)
    assert await detect(fake("time.sleep(60)")) is None

    monkeypatch.undo()
    before = set(psutil.Process().children())
    detecting = asyncio.create_task(detect(fake("time.sleep(60)")))
    await until(lambda: set(psutil.Process().children()) - before)
    [process] = set(psutil.Process().children()) - before
    detecting.cancel()
    await asyncio.gather(detecting, return_exceptions=True)
    assert is_gone(process.pid)
