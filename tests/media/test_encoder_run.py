from __future__ import annotations

import asyncio
import sys

import pytest

from media.encoder_run import Base, Run
from media.flv import VideoFrame
from media.hls_writer.writer import Writer
from media.intake import Began, Video
from media.restarts import FAILURES_MAX, Restarts
from media.transcoder import detect
from tests.media import films
from tests.media.processes import is_gone, until
from tests.media.test_transcoder import Studio

EATS = "while os.read(0, 65536): pass"


@pytest.fixture
def program(tmp_path, ffmpeg):
    """In place of ffmpeg: lines of Python at its first `times` starts, the real one after."""

    def make(code: str, times: int = 1) -> str:
        path, marks = tmp_path / "not_ffmpeg", tmp_path / "starts"
        marks.mkdir()
        path.write_text(
            f"#!{sys.executable}\nimport os, sys, time\n"
            f"count = len(os.listdir({str(marks)!r}))\n"
            f"open({str(marks)!r} + '/' + str(count), 'w').close()\n"
            f"if count >= {times}: os.execv({ffmpeg!r}, [{ffmpeg!r}, *sys.argv[1:]])\n{code}\n",
            encoding="utf-8",
        )
        path.chmod(0o755)
        return str(path)

    return make


def pictures(film, seconds: float):
    """A film over and over, on one line of time."""
    events = list(films.events(films.tags(film)))
    began, shown = events[0], [event for event in events if isinstance(event, Video)]
    length_ms = shown[-1].timestamp_ms + 33
    yield began
    for index in range(int(seconds * 30)):
        video = shown[index % len(shown)]
        yield Video(video.timestamp_ms + index // len(shown) * length_ms, video.frame, video.payload)


async def play_until(studio: Studio, events, condition) -> None:
    for event in events:
        await studio.play([event], pause_seconds=0 if isinstance(event, Began) else 0.003)
        if condition():
            return
    raise AssertionError("it never came")


def rung_has_parts(studio: Studio) -> bool:
    return studio.writer._renditions["180p"].timeline.ready


async def test_who_eats_and_gives_nothing_is_started_again(
    film, program, ffmpeg, tmp_path, monkeypatch, caplog, patient
):
    monkeypatch.setattr("media.encoder_run.WATCH_SECONDS", 0.02)
    monkeypatch.setattr("media.restarts.BACK_OFF_SECONDS_MIN", 0.01)
    studio = Studio(program(EATS), await detect(ffmpeg), tmp_path)
    events = pictures(film("plain"), 240)
    await play_until(studio, events, lambda: any((tmp_path / "starts").iterdir()))
    monkeypatch.setattr("media.encoder_watch.STALL_SECONDS", 0.1)
    await play_until(studio, events, lambda: "180p: nothing came out" in caplog.text)
    monkeypatch.setattr("media.encoder_watch.STALL_SECONDS", 60.0)  # The next one is ffmpeg, and may take its time.
    await play_until(studio, events, lambda: rung_has_parts(studio))
    await studio.transcoder.close()

    assert "180p: nothing came out" in caplog.text
    assert "rung_given_up" not in caplog.text


def test_a_picture_for_a_process_that_died_a_moment_ago_is_no_failure_of_ours(tmp_path):
    uvloop = pytest.importorskip("uvloop")

    async def feed() -> None:
        run = Run(1, config=b"", rungs=[], command=lambda *_: [], folder=tmp_path, sink=Writer(7), restarts=Restarts())
        process = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE)
        await process.wait()
        await until(process.stdin.transport.is_closing)
        run.offer(Video(0, VideoFrame(key=True, composition_ms=0, data=b"x"), b"x"))
        await run._feed(process, Base())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(feed())


async def test_who_never_gives_anything_is_given_up(film, program, tmp_path, monkeypatch, caplog, patient):
    monkeypatch.setattr("media.encoder_watch.STALL_SECONDS", 0.1)
    monkeypatch.setattr("media.encoder_run.WATCH_SECONDS", 0.02)
    monkeypatch.setattr("media.restarts.BACK_OFF_SECONDS_MIN", 0.001)
    studio = Studio(program(EATS, times=99), (9, 0), tmp_path)
    await play_until(studio, pictures(film("video_only"), 240), lambda: studio.writer.renditions == ("source",))
    await studio.transcoder.close()

    assert caplog.text.count("180p: nothing came out") == FAILURES_MAX + 1


async def test_where_there_is_no_room_the_largest_rung_goes_and_the_others_go_on(
    film, ffmpeg, tmp_path, caplog, patient
):
    studio = Studio(ffmpeg, await detect(ffmpeg), tmp_path, ladder=("source", "180p", "90p"))
    events = pictures(film("plain"), 240)
    studio.transcoder.shed()  # before anything runs: nothing to shed
    await play_until(studio, events, lambda: rung_has_parts(studio))
    [pid] = studio.transcoder.pids
    before = studio.writer._renditions["90p"].timeline.next_part
    studio.transcoder.shed()
    await until(lambda: is_gone(pid))
    await play_until(studio, events, lambda: studio.writer._renditions["90p"].timeline.next_part > before + 10)
    await studio.transcoder.close()

    assert studio.writer.renditions == ("source", "90p")
    assert caplog.text.count("encoder_ended") == 1


async def test_kills_one_after_another_leave_nothing_behind_and_are_played_over(film, ffmpeg, tmp_path, patient):
    """tests/bench/bench_encoder_kills.py does it twenty times, in real time."""
    studio = Studio(ffmpeg, await detect(ffmpeg), tmp_path)
    events, killed = pictures(film("video_only"), 600), []
    timeline = studio.writer._renditions["180p"].timeline

    async def plays() -> None:
        start = timeline.next_part
        await play_until(studio, events, lambda: timeline.next_part > start + 2)

    for _ in range(3):
        await plays()
        [pid] = studio.transcoder.pids
        studio.transcoder._run.process.kill()
        await until(lambda pid=pid: is_gone(pid))
        killed.append(pid)
    await plays()
    await studio.transcoder.close()

    assert len(set(killed)) == 3
    assert "180p" in studio.writer.renditions
