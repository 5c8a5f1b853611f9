"""A process is killed: what it left is read back, and every player that saw it before sees it go on."""

from __future__ import annotations

import os
import shutil

import pytest

from media import recovery
from media.folder import BEHIND
from media.hls_writer.classic import Form
from media.hls_writer.errors import NoSuchRendition
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.journal import VERSION, Began
from media.hls_writer.writer import Writer
from media.spool import Spool
from tests.media import films
from tests.media.checker import Checker, read
from tests.media.films import settled

BEGAN = Began(VERSION, 3, 7, 0.334, ("source", "240p"), hidden=False)
NAMES = BEGAN.renditions


class Killed:
    """The files as the process left them, taken while it ran; it may write on elsewhere."""

    def __init__(self, spool, root):
        shutil.copytree(spool.root, root)
        self.root = root

    async def go_on(self, *, ended=False, window_seconds=600):
        spool = Spool(self.root, quota_bytes=2**30)
        spool.start()
        found = [left for folder in spool.folders() if (left := recovery.read_folder(folder))]
        if not ended:
            for left in found:
                recovery.read_edge(left)
        writers = [recovery.resume(each, spool, window_seconds=window_seconds, ended=ended) for each in found]
        spool.sweep()
        await settled(spool)
        return spool, writers


class Players:
    """One at each rendition, at the edge and in the past."""

    def __init__(self):
        self.edge = {name: Checker() for name in NAMES}
        self.past = {name: Checker() for name in NAMES}

    async def look(self, writer):
        for name in NAMES:
            if writer._renditions[name].timeline.ready:
                seen = self.edge[name].see(await writer.media_playlist(name, msn=None, part=None, skip=False))
                for resource in seen.names:
                    assert (await writer.resource(resource)).data
            if writer.recorder.lists(name):
                seen = self.past[name].see(await writer.classic_playlist(name, Form.DVR, skip=False))
                for resource in seen.names:
                    assert (await writer.resource(resource)).data

    @property
    def findings(self):
        return [finding for each in (*self.edge.values(), *self.past.values()) for finding in each.findings]


async def play(spool, writer, events, players=None, *, every=60):
    for index, event in enumerate(events):
        films.write(writer, event)
        films.echo(writer, "240p", event)
        if players and index % every == 0:
            await settled(spool)
            await players.look(writer)
    await settled(spool)


@pytest.fixture
def begun(spool):
    return Writer(7, NAMES, recorder=spool.record(BEGAN, window_seconds=600))


async def test_the_sequence_goes_on_unbroken_through_any_number_of_kills(film, spool, begun, tmp_path):
    tags, players, writer = films.tags(film("plain")), Players(), begun
    first_spool = spool
    for index in range(4):
        await play(spool, writer, list(films.events(tags))[: 300 + 37 * index], players)
        await players.look(writer)
        killed = Killed(spool, tmp_path / f"killed{index}")
        if spool is not first_spool:
            await spool.close()
        spool, [writer] = await killed.go_on()
        await players.look(writer)
    await play(spool, writer, films.events(tags), players)
    writer.end()
    await settled(spool)
    await players.look(writer)
    await spool.close()

    assert players.findings == []
    for name in NAMES:
        listed = players.edge[name].last
        past = players.past[name].last
        assert listed.ended
        assert past.ended
        assert past.sequence == 1
        assert [each.msn for each in past.segments] == list(range(1, past.segments[-1].msn + 1))
        assert 4 == sum(each.discontinuity for each in past.segments)
        assert not any(each.gap for each in past.segments)


async def test_what_a_player_saw_of_the_open_segment_is_what_it_becomes(film, ffmpeg, spool, begun, tmp_path):
    events = list(films.events(films.tags(film("plain"))))[:400]
    await play(spool, begun, events)
    before = read(await begun.media_playlist("source", msn=None, part=None, skip=False))
    spool, [writer] = await Killed(spool, tmp_path / "killed").go_on()
    after = read(await writer.media_playlist("source", msn=None, part=None, skip=False))
    data = [(await writer.resource(name)).data for name in ["source_init1.mp4", *(each.uri for each in after.segments)]]
    (out := tmp_path / "out.mp4").write_bytes(b"".join(data))
    await spool.close()

    assert before.segments[-1].uri is None
    assert [each.parts for each in before.segments] == [each.parts for each in after.segments]
    assert after.segments[-1].uri == f"source_s{before.segments[-1].msn}.m4s"
    assert after.hint != before.hint  # nobody may have the next part cached
    frames = films.md5s(ffmpeg, out, "v")
    assert frames == films.md5s(ffmpeg, film("plain"), "v")[: len(frames)]
    assert len(frames) >= 120


@pytest.mark.parametrize("bytes_missing", [1, 1000, 30_000, 10**9])
async def test_what_did_not_reach_the_disk_is_not_listed(film, spool, begun, tmp_path, bytes_missing):
    events = list(films.events(films.tags(film("plain"))))[:400]
    await play(spool, begun, events)
    killed = Killed(spool, tmp_path / "killed")
    [growing] = (killed.root / "7").glob(".source_s*")
    os.truncate(growing, max(0, growing.stat().st_size - bytes_missing))
    spool, [writer] = await killed.go_on()
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    sizes = [len((await writer.resource(each.uri)).data) for each in listed.segments if not each.gap]
    files = {path.name: path.stat().st_size for path in (killed.root / "7").glob("*source_s*")}
    await spool.close()

    assert files == dict(zip([each.uri for each in listed.segments if not each.gap], sizes, strict=True))
    # Players have seen it: where nothing of it is left it is a gap, and its number is not used again.
    assert [each.msn for each in listed.segments if each.gap] == ([3] if bytes_missing == 10**9 else [])


@pytest.mark.parametrize("kills", [1, 3])
@pytest.mark.parametrize("gone", ["*_s*", "*_init*", "*.m*"])
async def test_no_number_falls_where_every_file_is_gone(film, spool, begun, tmp_path, gone, kills):
    """Somebody has made room by hand; the journal still tells how far the players are."""
    tags, players, writer = films.tags(film("plain")), Players(), begun
    await play(spool, writer, films.events(tags), players)
    await play(spool, writer, list(films.events(tags))[:300], players)
    before = {
        name: (each.last.segments[-1].msn, each.last.discontinuity_sequence) for name, each in players.edge.items()
    }
    first_part = int(players.edge["source"].last.hint.removeprefix("source_p").removesuffix(".m4s"))
    for index in range(kills):
        killed = Killed(spool, tmp_path / f"killed{index}")
        if index:
            await spool.close()
        for path in [*(killed.root / "7").glob(gone), *(killed.root / "7").glob("." + gone)]:
            path.unlink()
        spool, [writer] = await killed.go_on()
    await play(spool, writer, films.events(tags))
    after = {name: read(await writer.media_playlist(name, msn=None, part=None, skip=False)) for name in NAMES}
    seen = [(await writer.resource(name)).data for each in after.values() for name in each.names]
    starts = [each.opening.start for each in writer._source.timeline.listed]
    await spool.close()

    for name, playlist in after.items():
        msn, discontinuities = before[name]
        assert playlist.sequence == playlist.segments[0].msn == msn + 1
        assert playlist.discontinuity_sequence == discontinuities + 1
        assert playlist.segments[0].discontinuity
        assert playlist.segments[0].init == f"{name}_init{1 if gone == '*_s*' else 2}.mp4"
    assert int(after["source"].parts[0].uri.removeprefix("source_p").removesuffix(".m4s")) > first_part
    assert all(seen)
    assert starts[0] > 14 * VIDEO_CLOCK  # two films have been before


async def test_a_whole_segment_that_was_cut_off_is_a_gap(film, spool, begun, tmp_path):
    await play(spool, begun, films.events(films.tags(film("plain"))))
    killed = Killed(spool, tmp_path / "killed")
    os.truncate(killed.root / "7" / "source_s2.m4s", 100)
    spool, [writer] = await killed.go_on()
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    edge = read(await writer.media_playlist("source", msn=None, part=None, skip=False))
    await spool.close()

    for playlist in (listed, edge):
        assert [False, True, False, False] == [each.gap for each in playlist.segments]
    assert not (killed.root / "7" / "source_s2.m4s").exists()


async def test_what_the_quota_has_taken_is_no_gap(film, spool, begun, tmp_path):
    await play(spool, begun, films.events(films.tags(film("plain"))))
    begun.recorder.evict()
    begun.recorder.evict()
    await settled(spool)
    spool, [writer] = await Killed(spool, tmp_path / "killed").go_on()
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    await spool.close()

    assert (listed.sequence, any(each.gap for each in listed.segments)) == (2, False)


async def test_a_broadcast_that_nobody_goes_on_with_keeps_its_past(film, ffmpeg, spool, begun, tmp_path):
    await play(spool, begun, films.events(films.tags(film("plain"))))
    begun.end()
    await settled(spool)
    spool, [writer] = await Killed(spool, tmp_path / "killed").go_on(ended=True)
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    data = [
        (await writer.resource(name)).data for name in ["source_init1.mp4", *(each.uri for each in listed.segments)]
    ]
    (out := tmp_path / "out.mp4").write_bytes(b"".join(data))
    multivariant = (await writer.multivariant(Form.DVR)).decode()
    with pytest.raises(NoSuchRendition):
        await writer.media_playlist("source", msn=None, part=None, skip=False)
    await spool.close()

    assert listed.ended
    assert writer.bytes_held < 10_000
    assert "RESOLUTION=320x240" in multivariant
    assert "7/240p_dvr.m3u8" in multivariant
    assert films.md5s(ffmpeg, film("plain"), "v") == films.md5s(ffmpeg, out, "v")


async def test_the_window_and_the_sweep_go_on_too(film, spool, begun, tmp_path):
    tags = films.tags(film("plain"))
    for _ in range(3):
        await play(spool, begun, films.events(tags))
        begun.interrupt()
        await settled(spool)
    spool, [writer] = await Killed(spool, tmp_path / "killed").go_on(window_seconds=7)
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    for _ in range(3):
        await play(spool, writer, films.events(tags))
        writer.interrupt()
    await settled(spool)
    files = list((spool.root / "7").glob("source_s*"))
    journals = list((spool.root / "7").glob("journal_*"))
    await spool.close()

    assert 7 <= sum(each.duration for each in listed.segments) < 9
    assert len(files) <= 12
    assert len(journals) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "journal_1").unlink(),
        lambda folder: (folder / "journal_1").write_bytes(b"nonsense"),
        lambda folder: (folder / "journal_1").rename(folder / ("journal_1" + BEHIND)),
        lambda folder: folder.rename(folder.parent / "8"),
        lambda folder: (folder / "source_init1.mp4").write_bytes(b"nonsense!"),
    ],
)
async def test_what_cannot_be_read_back_is_swept_and_never_shown(film, spool, begun, tmp_path, spoil):
    await play(spool, begun, films.events(films.tags(film("plain"))))
    killed = Killed(spool, tmp_path / "killed")
    spoil(killed.root / "7")
    spool = Spool(killed.root, quota_bytes=2**30)
    spool.start()
    assert [recovery.read_folder(folder) for folder in spool.folders()] == [None]
    spool.sweep()
    await spool.close()

    assert list(killed.root.iterdir()) == []
