from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from media import folder as folder_module
from media.hls_writer import recorder as module
from media.hls_writer.classic import Form
from media.hls_writer.errors import NoSuchRendition, NotListed, TimedOut
from media.hls_writer.journal import VERSION, Began, Closed, Ended, Opened, Part, read_records
from media.hls_writer.playlist import ResourceName
from media.hls_writer.recorder import journal_name
from media.hls_writer.writer import Writer
from media.intake import Began as Epoch
from media.intake import Intake
from tests.media import films
from tests.media.checker import Segment, read
from tests.media.films import settled

BEGAN = Began(VERSION, 3, 7, 0.334, ("source",), hidden=False)


def recorded(spool, *, window_seconds=60, began=BEGAN):
    recorder = spool.record(began, window_seconds=window_seconds)
    return Writer(7, began.renditions, recorder=recorder), recorder


async def dvr(writer, *, skip=False, rendition="source"):
    return read(await writer.classic_playlist(rendition, Form.DVR, skip=skip))


def play(writer, events):
    for event in events:
        films.write(writer, event)


async def whole(writer, segments: list[Segment], path):
    data, init = b"", None
    for segment in segments:
        if segment.init != init:
            init = segment.init
            data += (await writer.resource(init)).data
        data += (await writer.resource(segment.uri)).data
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["plain", "audio_only"])
async def test_what_comes_from_disk_is_bit_for_bit_what_went_in(film, ffmpeg, tmp_path, spool, name):
    writer, _ = recorded(spool)
    play(writer, films.events(films.tags(film(name))))
    writer.end()
    await settled(spool)
    writer.cool()
    listed = await dvr(writer)
    await whole(writer, listed.segments, out := tmp_path / "out.mp4")

    assert listed.ended
    assert 0 == writer._source.timeline.bytes_held
    for kind in {"audio_only": "a"}.get(name, "va"):
        assert films.md5s(ffmpeg, film(name), kind) == films.md5s(ffmpeg, out, kind)


async def test_the_past_is_listed_when_the_memory_has_long_forgotten_it(film, spool):
    writer, recorder = recorded(spool, window_seconds=80)
    tags = films.tags(film("plain"))
    for index in range(14):
        play(writer, films.events(tags))
        writer.interrupt()
        await settled(spool)
        listed = await dvr(writer)
        assert listed.segments[-1].msn == writer._source.timeline.next_msn - 1
        for segment in listed.segments:
            assert (await writer.resource(segment.uri)).data, index
    edge, plain = writer._source.timeline, read(await writer.classic_playlist("source", Form.PLAIN, skip=False))

    assert [each.msn for each in plain.segments] == [each.msn for each in edge.listed]
    assert edge.segment(listed.segments[0].msn) is None
    assert 80 <= sum(each.duration for each in listed.segments) < 83
    assert listed.sequence > 1  # 98 seconds, 80 of them listed
    assert listed.discontinuity_sequence + sum(each.discontinuity for each in listed.segments) == 13
    assert [each.msn for each in listed.segments[-len(plain.segments) :]] == [each.msn for each in plain.segments]
    delta = await dvr(writer, skip=True)
    assert delta.sequence == listed.sequence
    assert [each.uri for each in delta.segments] == [each.uri for each in listed.segments[delta.skipped :]]
    assert delta.skipped > 20
    assert recorder.bytes_held == sum(path.stat().st_size for path in spool.root.rglob("source_*"))


async def test_what_nobody_may_ask_for_is_swept(film, spool):
    writer, recorder = recorded(spool, window_seconds=5)
    tags = films.tags(film("plain"))
    for _ in range(6):
        play(writer, films.events(tags))
        writer.interrupt()
        await settled(spool)
    files = {path.name for path in (spool.root / "7").glob("source_s*")}

    assert recorder.bytes_held == sum(path.stat().st_size for path in (spool.root / "7").glob("source_*"))
    assert len(files) <= 8
    assert await recorder.read(ResourceName("source", "s", 1)) is None


async def test_a_full_disk_lists_a_gap_and_the_edge_goes_on(film, spool, monkeypatch):
    writer, recorder = recorded(spool)
    tags = films.tags(film("plain"))
    left = [None]
    real = folder_module.free_bytes
    monkeypatch.setattr(folder_module, "free_bytes", lambda path: real(path) if left[0] is None else left[0])
    play(writer, films.events(tags))
    await settled(spool)
    left[0] = 0
    writer.interrupt()
    play(writer, films.events(tags))
    await settled(spool)
    assert {path.name for path in (spool.root / "7").glob(".*")} == set()
    left[0] = None
    writer.interrupt()
    play(writer, films.events(tags))
    writer.end()
    await settled(spool)
    listed = await dvr(writer)

    gaps = [segment.msn for segment in listed.segments if segment.gap]
    assert gaps == list(range(gaps[0], gaps[0] + len(gaps)))
    assert 2 <= len(gaps) <= 4
    assert listed.segments[gaps[-1]].msn == gaps[-1] + 1  # the very next one is whole again
    for segment in listed.segments:
        if not segment.gap:
            path = spool.root / "7" / segment.uri
            assert path.read_bytes() == writer._source.timeline.segment(segment.msn).data()
    assert not any(segment.gap for segment in writer._source.timeline.listed)
    assert spool.refused > 0
    assert recorder.bytes_held == sum(path.stat().st_size for path in (spool.root / "7").glob("source_*"))


async def test_an_encoder_that_is_cut_before_the_target_is_known_costs_nothing(film, spool):
    writer, recorder = recorded(spool)
    events = list(films.events(films.tags(film("plain"))))
    play(writer, events[:30])
    writer.interrupt()
    await settled(spool)
    assert not recorder.lists("source")
    play(writer, films.events(films.tags(film("plain"))))
    await settled(spool)

    assert [each.msn for each in (await dvr(writer)).segments] == [1, 2, 3, 4]


async def test_a_rendition_that_goes_takes_its_past_along(film, spool):
    began = Began(VERSION, 3, 7, 0.334, ("source", "480p"), hidden=False)
    writer, recorder = recorded(spool, began=began)
    play(writer, films.events(films.tags(film("plain"))))
    writer.drop("480p")
    writer.end()
    await settled(spool)

    assert set(recorder.tracks) == {"source"}
    with pytest.raises(NoSuchRendition):
        await dvr(writer, rendition="480p")
    assert b"source_dvr.m3u8" in await writer.multivariant(Form.DVR)


async def test_a_rendition_that_goes_leaves_no_file(film, spool):
    began = Began(VERSION, 3, 7, 0.334, ("source", "240p"), hidden=False)
    writer, _ = recorded(spool, began=began)
    for event in list(films.events(films.tags(film("plain"))))[:400]:
        films.write(writer, event)
        films.echo(writer, "240p", event)
    await settled(spool)
    growing = {path.name for path in (spool.root / "7").glob(".240p_s*")}
    writer.drop("240p")
    await settled(spool)

    assert growing == {".240p_s3.m4s"}
    assert list((spool.root / "7").glob("*240p*")) == []


def changing(film, count):
    """An encoder whose every session has another configuration."""
    tags = films.tags(film("plain"))
    for index in range(count):
        intake = Intake()
        for event in films.events(tags, intake):
            if isinstance(event, Epoch):
                video = replace(event.video, width=320 + 2 * index)
                event = replace(event, video=video)  # noqa: PLW2901 - as another encoder would have sent it.
            yield event


async def test_init_segments_count_and_go_with_the_last_segment_that_needs_them(film, spool):
    writer, recorder = recorded(spool, window_seconds=10)
    held = []
    for event in changing(film, 8):
        films.write(writer, event)
        if isinstance(event, Epoch):
            await settled(spool)
            held.append(recorder.bytes_held)
    await settled(spool)
    inits = sorted(int(path.stem.removeprefix("source_init")) for path in (spool.root / "7").glob("source_init*"))
    needed = {each.init for each in (await dvr(writer)).segments}

    assert writer._source.init_number == 8
    assert inits == list(range(inits[0], 9))
    assert inits[0] > 1
    assert {f"source_init{number}.mp4" for number in inits} >= needed
    assert recorder.bytes_held == sum(path.stat().st_size for path in (spool.root / "7").glob("source_*[0-9].m*"))
    while recorder.evict():
        pass
    writer.end()
    await settled(spool)
    while recorder.evict():
        pass
    await settled(spool)
    assert (recorder.bytes_held, list((spool.root / "7").glob("source_*"))) == (0, [])


async def test_a_rendition_that_comes_later_is_written_down(film, spool):
    writer, recorder = recorded(spool)
    events = list(films.events(films.tags(film("plain"))))
    play(writer, events)
    writer.interrupt()
    writer.add("240p", 1000)
    for event in events:
        films.write(writer, event)
        films.echo(writer, "240p", event)
    writer.end()
    await settled(spool)
    records = read_records((spool.root / "7" / journal_name(1)).read_bytes())
    source, rung = await dvr(writer), await dvr(writer, rendition="240p")

    assert ("source", "240p") == recorder.began.renditions
    assert [BEGAN, recorder.began] == [each for each in records if isinstance(each, Began)]
    assert [each.msn for each in source.segments[4:]] == [each.msn for each in rung.segments]
    assert [each.date for each in source.segments[4:]] == [each.date for each in rung.segments]


async def test_a_rendition_with_a_leader_keeps_its_numbers(film, ffmpeg, spool):
    """As test_writer has it, by frames that come back as they went in."""
    began = Began(VERSION, 3, 7, 0.334, ("source", "240p"), hidden=False)
    writer, _ = recorded(spool, began=began)
    for event in films.events(films.tags(film("plain"))):
        films.write(writer, event)
        films.echo(writer, "240p", event)
    writer.end()
    await settled(spool)
    source, rung = await dvr(writer), await dvr(writer, rendition="240p")

    assert [(each.msn, each.duration, each.date) for each in source.segments] == [
        (each.msn, each.duration, each.date) for each in rung.segments
    ]
    assert rung.segments[0].uri == "240p_s1.m4s"


async def test_nothing_listed_is_waited_for_and_then_refused(spool, monkeypatch):
    monkeypatch.setattr(module, "FIRST_SECONDS_MAX", 0.01)
    writer, _ = recorded(spool)
    with pytest.raises(TimedOut):
        await dvr(writer)
    writer.end()
    for rendition in ("source", "other"):
        with pytest.raises(NoSuchRendition):
            await dvr(writer, rendition=rendition)
    with pytest.raises(NotListed):
        await writer.resource("source_init1.mp4")


async def test_the_journal_tells_it_all(film, spool):
    writer, _ = recorded(spool)
    play(writer, films.events(films.tags(film("plain"))))
    writer.end()
    await settled(spool)
    records = read_records((spool.root / "7" / journal_name(1)).read_bytes())

    assert (records[0], records[-1]) == (BEGAN, Ended())
    timeline = writer._source.timeline
    closed = [each for each in records if isinstance(each, Closed)]
    opened = [each for each in records if isinstance(each, Opened)]
    parts = [each for each in records if isinstance(each, Part)]
    assert [(each.msn, each.duration, each.size) for each in closed] == [
        (each.msn, each.duration, each.size) for each in timeline.listed
    ]
    assert [(each.msn, each.start, each.date) for each in opened] == [
        (each.msn, each.opening.start, each.opening.date) for each in timeline.listed
    ]
    assert [each.number for each in parts] == list(range(1, timeline.next_part))


async def test_a_file_of_the_journal_goes_with_what_it_tells_of(film, spool, monkeypatch):
    monkeypatch.setattr(module, "JOURNAL_RECORDS_MAX", 20)
    writer, _ = recorded(spool, window_seconds=5)
    tags = films.tags(film("plain"))
    for _ in range(6):
        play(writer, films.events(tags))
        writer.interrupt()
        await settled(spool)
    files = sorted(int(path.name.removeprefix("journal_")) for path in (spool.root / "7").glob("journal_*"))
    records = [
        each for number in files for each in read_records((spool.root / "7" / journal_name(number)).read_bytes())
    ]
    told = {each.msn for each in records if isinstance(each, Closed)}

    assert files[0] > 1
    assert files == list(range(files[0], files[-1] + 1))
    assert told >= {int(path.stem.removeprefix("source_s")) for path in (spool.root / "7").glob("source_s*")}


async def test_a_queue_that_is_full_costs_a_segment_and_not_the_picture(film, spool, monkeypatch):
    monkeypatch.setattr("media.spool.QUEUE_BYTES_MAX", 1)
    writer, _ = recorded(spool)
    play(writer, films.events(films.tags(film("plain"))))
    await settled(spool)

    assert all(segment.gap for segment in (await dvr(writer)).segments)
    assert len(writer._source.timeline.listed) == 3
    assert list((spool.root / "7").glob("*source_s*")) == []


async def test_a_disk_that_fails_at_the_last_moment_lists_a_gap(film, spool, monkeypatch):
    def fail(self, name, parts):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(folder_module.Folder, "finish", fail)
    writer, _ = recorded(spool)
    play(writer, films.events(films.tags(film("plain"))))
    await settled(spool)

    assert all(segment.gap for segment in (await dvr(writer)).segments)
