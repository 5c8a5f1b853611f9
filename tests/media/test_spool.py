from __future__ import annotations

import asyncio
import errno
import threading

import pytest

from media import spool as module
from media.hls_writer.classic import Form
from media.hls_writer.errors import NoSuchRendition
from media.hls_writer.journal import VERSION, Began
from media.hls_writer.writer import Writer
from media.spool import RESERVE_PARTS, Spool, disk_bytes
from tests.media import films
from tests.media.films import settled


def broadcast(spool, number, *, window_seconds=600):
    began = Began(VERSION, number, number, 0.334, ("source",), hidden=False)
    recorder = spool.record(began, window_seconds=window_seconds)
    return Writer(number, recorder=recorder), recorder


async def play(spool, writer, tags):
    for event in films.events(tags):
        films.write(writer, event)
    writer.interrupt()
    await settled(spool)


def on_disk(spool, number):
    return sorted(int(path.stem.removeprefix("source_s")) for path in (spool.root / str(number)).glob("source_s*"))


async def test_the_quota_takes_from_whoever_has_most_and_never_from_the_edge(film, tmp_path):
    tags = films.tags(film("plain"))
    one_film = sum(len(tag.payload) for tag in tags)
    spool = Spool(tmp_path / "hls", quota_bytes=4 * one_film)
    spool.start()
    large, small = broadcast(spool, 1), broadcast(spool, 2)
    await play(spool, small[0], tags)
    for _ in range(6):
        await play(spool, large[0], tags)
    assert spool.bytes_held <= 4 * one_film
    assert on_disk(spool, 2) == [1, 2, 3, 4]
    newest = large[0]._source.timeline.next_msn - 1
    assert on_disk(spool, 1)[-1] == newest
    assert on_disk(spool, 1)[0] > 1
    assert large[1].tracks["source"].archive.listed[0].msn == on_disk(spool, 1)[0]

    small[0].end()  # now it is the one that has ended
    for _ in range(2):
        await play(spool, large[0], tags)
    assert len(on_disk(spool, 2)) < 4
    await spool.close()


async def test_room_is_made_before_the_disk_is_full(film, tmp_path, monkeypatch):
    """A disk of which others have left us a little."""
    tags = films.tags(film("plain"))
    left = 2 * sum(len(tag.payload) for tag in tags)
    root = tmp_path / "hls"
    monkeypatch.setattr(module, "disk_bytes", lambda _: 0)

    def free_bytes(_):
        return left - sum(path.stat().st_size for path in root.rglob("*source_s*"))

    for each in (module, module.Folder.__init__.__globals__):
        monkeypatch.setitem(each if isinstance(each, dict) else vars(each), "free_bytes", free_bytes)
    spool = Spool(root, quota_bytes=2**40)
    spool.start()
    writer, recorder = broadcast(spool, 1)
    for _ in range(8):
        await play(spool, writer, tags)

    assert spool.refused == 0  # it never came to a refusal
    assert not any(entry.gap for entry in recorder.tracks["source"].archive.listed)
    assert 1 < on_disk(spool, 1)[0] < on_disk(spool, 1)[-1] == writer._source.timeline.next_msn - 1
    await spool.close()


async def test_a_thread_that_hangs_costs_a_bounded_number_of_bytes(film, spool, monkeypatch):
    go_on = threading.Event()
    spool.put(lambda: go_on.wait(10) and None)
    monkeypatch.setattr(module, "QUEUE_BYTES_MAX", 500_000)
    writer, recorder = broadcast(spool, 1)
    for event in films.events(films.tags(film("plain"))):
        films.write(writer, event)
        assert spool._queued <= 500_000
    go_on.set()
    await settled(spool)

    assert spool.refused > 0
    assert spool._queued == 0
    assert [entry.gap for entry in recorder.tracks["source"].archive.listed][-1]
    monkeypatch.setattr(module, "QUEUE_BYTES_MAX", 2**26)
    await play(spool, writer, films.tags(film("plain")))
    assert not recorder.tracks["source"].archive.listed[-1].gap


async def test_a_disk_that_hangs_costs_a_bounded_number_of_jobs_and_then_the_past(film, spool, monkeypatch, caplog):
    go_on = threading.Event()
    spool.put(lambda: go_on.wait(10) and None)
    monkeypatch.setattr(module, "QUEUE_JOBS_MAX", 40)
    hung, recorder = broadcast(spool, 1)
    for event in films.events(films.tags(film("plain"))):
        films.write(hung, event)
        assert spool._jobs.qsize() <= 40 + 1
    assert "past_given_up folder=1" in caplog.text
    go_on.set()
    await settled(spool)

    assert (recorder.tracks, recorder.bytes_held, list(spool.root.iterdir())) == ({}, 0, [])
    with pytest.raises(NoSuchRendition):
        await hung.classic_playlist("source", Form.DVR, skip=False)
    assert len(hung._source.timeline.listed) == 3  # the edge knows nothing of it
    hung.end()
    monkeypatch.setattr(module, "QUEUE_JOBS_MAX", 50_000)
    after, _ = broadcast(spool, 2)
    await play(spool, after, films.tags(film("plain")))
    assert on_disk(spool, 2) == [1, 2, 3, 4]


async def test_a_disk_that_hangs_is_not_waited_for_at_the_end(spool, monkeypatch, caplog):
    monkeypatch.setattr(module, "CLOSE_SECONDS_MAX", 0.01)
    go_on = threading.Event()
    spool.put(lambda: go_on.wait(10) and None)
    await spool.close()

    assert "spool_not_written" in caplog.text
    go_on.set()


async def test_a_folder_belongs_to_one_process(film, spool):
    writer, _ = broadcast(spool, 1)
    await play(spool, writer, films.tags(film("plain")))
    other = Spool(spool.root, quota_bytes=2**30)
    with pytest.raises(BlockingIOError):
        other.start()
    await other.close()
    assert on_disk(spool, 1) == [1, 2, 3, 4]
    await spool.close()
    other.start()
    await other.close()


async def test_a_disk_without_locks_is_used_and_said(tmp_path, monkeypatch, caplog):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", none)
    spool = Spool(tmp_path / "hls", quota_bytes=1)
    spool.start()
    await spool.close()

    assert "spool_not_locked words=No locks available" in caplog.text


async def test_gaps_are_not_given_up_for_room(film, spool, monkeypatch):
    """A stranger takes whatever is freed: the list of what is missing makes no room."""
    writer, recorder = broadcast(spool, 1)
    await play(spool, writer, films.tags(film("plain")))
    for each in (module, module.Folder.__init__.__globals__):
        monkeypatch.setitem(each if isinstance(each, dict) else vars(each), "free_bytes", lambda _: 0)
    for _ in range(2):
        await play(spool, writer, films.tags(film("plain")))

    assert on_disk(spool, 1) == []
    listed = recorder.tracks["source"].archive.listed
    assert [True] * 8 == [entry.gap for entry in listed]
    assert listed[-1].msn == writer._source.timeline.next_msn - 1


async def test_whoever_has_nothing_to_give_does_not_keep_others_from_giving(film, tmp_path):
    tags = films.tags(film("plain"))
    spool = Spool(tmp_path / "hls", quota_bytes=sum(len(tag.payload) for tag in tags))
    spool.start()
    first, small = broadcast(spool, 1)
    await play(spool, first, tags)
    while small.evict():
        pass
    small.tracks["source"].inits[1] = 10**9  # more than all the others, and needed
    writer, recorder = broadcast(spool, 2)
    for _ in range(2):
        await play(spool, writer, tags)

    assert on_disk(spool, 2) == []
    assert recorder.bytes_held < 2000  # an init segment
    await spool.close()


async def test_a_disk_that_refuses_is_told_once_in_a_while(spool, caplog):
    def refuse():
        raise OSError(28, "No space left on device")

    for _ in range(5):
        spool.put(refuse)
    await settled(spool)

    assert spool.refused == 5
    assert 1 == caplog.text.count("spool_refused words=No space left on device")


async def test_a_job_that_breaks_is_told_and_the_next_one_is_done(spool, caplog):
    def broken():
        raise ValueError("a bug")

    spool.put(broken)
    await settled(spool)

    assert "spool_failed" in caplog.text


async def test_a_file_is_read_once_for_all_who_ask(spool, monkeypatch):
    reads = []
    real = module._read
    monkeypatch.setattr(module, "_read", lambda path: reads.append(path) or real(path))
    (path := spool.root / "file").write_bytes(b"data")

    assert [b"data"] * 5 == await asyncio.gather(*(spool.read(path) for _ in range(5)))
    assert await spool.read(path) == b"data"
    assert reads == [path]
    assert await spool.read(spool.root / "other") is None


async def test_what_was_read_is_kept_within_a_bound(spool, monkeypatch):
    monkeypatch.setattr(module, "READ_CACHE_BYTES_MAX", 10)
    for name, size in (("a", 4), ("b", 4), ("large", 6), ("c", 4)):
        (spool.root / name).write_bytes(b"x" * size)
        assert await spool.read(spool.root / name) == b"x" * size

    assert [path.name for path in spool._cache] == ["b", "c"]
    assert spool._cached == 8


async def test_too_many_reads_are_not_waited_for(spool, monkeypatch):
    monkeypatch.setattr(module, "READS_WAITING_MAX", 1)
    for name in ("a", "b"):
        (spool.root / name).write_bytes(b"data")

    assert [b"data", None] == await asyncio.gather(*(spool.read(spool.root / name) for name in ("a", "b")))


async def test_a_broadcast_can_be_forgotten(film, spool):
    writer, _ = broadcast(spool, 1)
    await play(spool, writer, films.tags(film("plain")))
    assert spool.bytes_held > 0
    spool.forget(1)
    spool.forget(1)
    await settled(spool)

    assert list(spool.root.iterdir()) == []
    assert spool.bytes_held == 0


async def test_what_an_earlier_process_left_is_swept(film, spool):
    for name in ("1", "2", "strange"):
        (spool.root / name).mkdir()
        (spool.root / name / ".source_s1.m4s").touch()
    (spool.root / "file").touch()
    writer, _ = broadcast(spool, 2)
    await play(spool, writer, films.tags(film("plain")))
    spool.sweep(keep=["1"])
    await settled(spool)
    assert sorted(path.name for path in spool.root.iterdir()) == ["1", "2", "file"]
    spool.sweep()
    await settled(spool)
    assert sorted(path.name for path in spool.root.iterdir()) == ["2", "file"]


async def test_closing_writes_what_waits_and_leaves_it_there(film, tmp_path):
    spool = Spool(tmp_path / "hls", quota_bytes=2**30)
    spool.start()
    writer, _ = broadcast(spool, 1)
    for event in films.events(films.tags(film("plain"))):
        films.write(writer, event)
    await spool.close()
    await spool.close()

    assert on_disk(spool, 1) == [1, 2, 3]
    assert [path.name for path in (spool.root / "1").glob(".*")] == [".source_s4.m4s"]  # it was still growing


def test_a_disk_has_a_size(tmp_path):
    assert disk_bytes(tmp_path) > 0
    assert RESERVE_PARTS > 1


async def test_a_folder_that_cannot_be_stops_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        Spool(tmp_path / "file" / "hls", quota_bytes=1).start()
