from __future__ import annotations

import asyncio

import pytest

from media.hls_writer import ts_segments as module
from media.hls_writer.classic import Form
from media.hls_writer.errors import NoSuchRendition, NotListed
from media.hls_writer.ts_segments import TsSegments
from media.hls_writer.writer import Writer
from tests.media import films
from tests.media.checker import read


async def played(film, name):
    writer = Writer(7)
    for event in films.events(films.tags(film(name))):
        films.write(writer, event)
    return writer


async def test_old_players_have_what_the_others_have(film, ffmpeg, tmp_path):
    writer = await played(film, "plain")
    writer.end()
    listed = read(await writer.classic_playlist("source", Form.TS, skip=False))
    resources = [await writer.resource(segment.uri) for segment in listed.segments]
    (out := tmp_path / "out.ts").write_bytes(b"".join(each.data for each in resources))

    assert (listed.sequence, listed.ended, {each.media_type for each in resources}) == (1, True, {"video/mp2t"})
    assert b"7/source_ts.m3u8" in await writer.multivariant(Form.TS)
    assert films.md5s(ffmpeg, film("plain"), "v") == films.md5s(ffmpeg, out, "v")


async def test_ffmpeg_plays_the_playlist_across_a_reconnect_without_a_word(film, ffmpeg, tmp_path):
    writer = await played(film, "plain")
    writer.interrupt()
    for event in films.events(films.tags(film("plain"))):
        films.write(writer, event)
    writer.end()
    (index := tmp_path / "index.m3u8").write_bytes(await writer.classic_playlist("source", Form.TS, skip=False))
    for segment in read(index.read_bytes()).segments:
        (tmp_path / segment.uri).write_bytes((await writer.resource(segment.uri)).data)

    assert films.md5s(ffmpeg, film("plain"), "v") * 2 == films.md5s(ffmpeg, index, "v")


@pytest.mark.parametrize("name", ["av1_opus", "hevc"])
async def test_other_codecs_have_no_transport_stream(film, name, monkeypatch):
    monkeypatch.setattr("media.hls_writer.writer.START_SECONDS_MAX", 0.01)
    writer = await played(film, name)

    with pytest.raises(NoSuchRendition):
        await writer.classic_playlist("source", Form.TS, skip=False)
    with pytest.raises(NotListed):
        await writer.resource("source_t1.ts")


async def test_a_segment_is_made_once_for_all_who_ask(film, monkeypatch):
    writer = await played(film, "plain")
    made = []
    real = module._make
    monkeypatch.setattr(module, "_make", lambda init, segment: made.append(1) or real(init, segment))
    resources = await asyncio.gather(*(writer.resource("source_t1.ts") for _ in range(5)))

    assert len(made) == 1
    assert all(each.data is resources[0].data for each in resources)
    with pytest.raises(NotListed):
        await writer.resource("source_t99.ts")


async def test_what_was_made_is_kept_within_a_bound(film, monkeypatch):
    writer = await played(film, "plain")
    init, segments = writer._source.init(1), list(writer._source.timeline.listed)
    shelf = TsSegments()
    size = len(await shelf.get("1", init, segments[0].data()))
    monkeypatch.setattr(module, "KEPT_BYTES_MAX", size * 19 // 10)
    await shelf.get("2", init, segments[1].data())

    assert list(shelf._kept) == ["2"]
    assert shelf._bytes == len(shelf._kept["2"])
    shelf.forget()
    assert (shelf._bytes, list(shelf._kept)) == (0, [])
