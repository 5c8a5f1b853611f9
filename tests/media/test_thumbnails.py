from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys

import pytest

from media import thumbnails as module
from media.ffmpeg_args import STILL_HEIGHT, STILL_WIDTH
from media.intake import Began, Video
from media.thumbnails import JPEG_BYTES_MAX, JPEG_START, REFRESH_SECONDS, Still, Thumbnails
from tests.media import films
from tests.media.processes import is_gone, until


def still_of(path, number: int = 0) -> Still:
    """One that was offered a film's keyframe of that number."""
    still, config = Still(), b""
    keys = []
    for event in films.events(films.tags(path)):
        if isinstance(event, Began):
            config = event.video_payload
        elif isinstance(event, Video) and event.frame.key:
            keys.append(event.payload)
    still.offer(config, keys[number])
    return still


@pytest.fixture
def thumbnails(ffmpeg, tmp_path):
    return Thumbnails(ffmpeg, tmp_path, list)


def size_of(ffmpeg: str, data: bytes) -> str:
    done = subprocess.run([ffmpeg, "-hide_banner", "-i", "-"], input=data, capture_output=True, check=False)
    return re.search(rb"Video: mjpeg.*?, (\d+x\d+)", done.stderr)[1].decode()


@pytest.mark.parametrize("name", ["plain", "bframes", "hevc", "av1_opus", "vertical"])
async def test_every_source_gives_a_picture_of_one_size(film, ffmpeg, thumbnails, name):
    still = still_of(film(name))
    await thumbnails.make(still)

    assert still.thumbnail.data.startswith(JPEG_START)
    assert f"{STILL_WIDTH}x{STILL_HEIGHT}" == size_of(ffmpeg, still.thumbnail.data)
    assert len(still.thumbnail.data) < JPEG_BYTES_MAX / 4


async def test_another_picture_has_another_version_and_the_same_one_has_the_same(film, thumbnails):
    stills = [still_of(film("plain"), number) for number in (0, 0, 1)]
    for still in stills:
        await thumbnails.make(still)
    first, same, other = (still.thumbnail for still in stills)

    assert first == same
    assert first.version != other.version
    assert re.fullmatch("[0-9a-f]{16}", first.version)


def test_a_picture_is_due_when_there_is_a_keyframe_and_the_last_try_is_long_ago():
    still = Still()
    assert not still.is_due(0.0)
    still.offer(b"\x17\x00", b"\x17\x01")
    assert still.is_due(0.0)
    assert still.take(10.0).startswith(b"FLV")
    assert not still.is_due(10.0 + 2 * REFRESH_SECONDS)  # nothing new has come
    still.offer(b"\x17\x00", b"\x17\x01")
    assert not still.is_due(10.0 + REFRESH_SECONDS - 0.1)
    assert still.is_due(10.0 + REFRESH_SECONDS)


@pytest.fixture
def fake(tmp_path):
    """A program in place of ffmpeg that does what a line of Python says."""

    def make(code: str) -> Thumbnails:
        path = tmp_path / "not_ffmpeg"
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{code}\n", encoding="utf-8")
        path.chmod(0o755)
        return Thumbnails(str(path), tmp_path, list)

    return make


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(1)",
        "sys.stdout.write('GIF89a')",
        f"sys.stdout.buffer.write(b'\\xff\\xd8' + bytes({3 * JPEG_BYTES_MAX}))",
        "sys.stdin.close(); time.sleep(60)",
    ],
    ids=["nothing", "no JPEG", "too much", "hangs"],
)
async def test_what_gives_no_picture_leaves_the_one_before(fake, monkeypatch, caplog, code):
    monkeypatch.setattr(module, "RUN_SECONDS_MAX", 0.3 if "sleep" in code else 5)
    still = Still()
    still.thumbnail = before = module.Thumbnail(b"before", "0")
    still.offer(b"\x17\x00", b"\x17\x01" + bytes(1_000_000))  # more than a pipe holds
    await fake(code).make(still)

    assert still.thumbnail is before
    assert "no_thumbnail" in caplog.text


async def test_a_program_that_is_not_there_is_no_failure_of_ours(tmp_path, caplog):
    still = Still()
    still.offer(b"", b"")
    await Thumbnails(str(tmp_path / "nothing"), tmp_path, list).make(still)

    assert "made no picture" in caplog.text
    assert still.thumbnail is None


async def test_no_program_outlives_a_cancelled_run(fake, tmp_path):
    told = tmp_path / "pid"
    os.mkfifo(told)
    still = Still()
    still.offer(b"\x17\x00", b"\x17\x01")
    running = asyncio.create_task(
        fake(f"os.write(os.open({str(told)!r}, os.O_WRONLY), str(os.getpid()).encode()); time.sleep(60)").make(still)
    )
    pid = int(await asyncio.to_thread(told.read_text))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    await until(lambda: is_gone(pid))

    assert is_gone(pid)


async def test_while_it_runs_each_broadcast_gets_its_picture_and_newcomers_come_first(film, ffmpeg, tmp_path):
    stills = [still_of(film("plain")) for _ in range(2)]
    made: list[Still] = []
    done = asyncio.Event()

    class Watched(Thumbnails):
        async def make(self, still: Still) -> None:
            await super().make(still)
            made.append(still)
            if len(made) == 1:  # Overdue, but somebody else has none at all.
                still._tried_at -= REFRESH_SECONDS
                still.offer(b"", b"")
            if len(made) == 3:
                done.set()

    running = asyncio.create_task(Watched(ffmpeg, tmp_path, lambda: stills).run())
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()

    assert made == [stills[0], stills[1], stills[0]]
    assert all(still.thumbnail for still in stills)
