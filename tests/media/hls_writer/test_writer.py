from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress

import pytest

from media.flv import Codec, VideoConfig, VideoFrame, read_video
from media.hls_writer import writer as module
from media.hls_writer.errors import NoSuchRendition, NotListed, PartWithoutMsn, TimedOut, TooFarAhead
from media.hls_writer.fmp4 import VIDEO_TRACK
from media.hls_writer.line import START_MS
from media.hls_writer.waiting import Waiting
from media.hls_writer.writer import Resource, Writer
from media.intake import Began, Intake, Video
from tests.media import films
from tests.media.boxes import read_fragment
from tests.media.checker import Checker, read


async def playlist(writer, rendition="source", **ask):
    return await writer.media_playlist(rendition, msn=ask.get("msn"), part=ask.get("part"), skip=ask.get("skip", False))


async def play(writer, events, checker=None):
    """Write a film; look at the playlist after every event that changed it, as a fast player would."""
    version = -1
    for event in events:
        films.write(writer, event)
        timeline = writer._source.timeline
        if checker and timeline.ready and timeline.version != version:
            version = timeline.version
            checker.see(await playlist(writer))
            seen = checker.see(await playlist(writer, skip=True))
            for name in seen.names:
                assert (await writer.resource(name)).data


async def whole(writer, path, rendition="source"):
    """All that the playlist lists, one epoch's segments behind its init segment; the playlist."""
    listed = read(await playlist(writer, rendition))
    data, init = b"", None
    for segment in listed.closed:
        if segment.init != init:
            init = segment.init
            data += (await writer.resource(init)).data
        data += (await writer.resource(segment.uri)).data
    path.write_bytes(data)
    return listed


@pytest.mark.parametrize(
    "name",
    ["plain", "bframes", "long_interval", "video_only", "audio_only", "av1_opus", "hevc", "five_a_second",
     "eight_a_second"],
)  # fmt: skip
async def test_what_comes_out_is_bit_for_bit_what_went_in(film, ffmpeg, tmp_path, name):
    writer, checker = Writer(7), Checker()
    await play(writer, films.events(films.tags(film(name))), checker)
    writer.end()
    checker.see(await playlist(writer))
    await whole(writer, out := tmp_path / "out.mp4")

    assert [] == checker.findings
    assert [] == checker.hints_came_true({part.uri for each in checker.known.values() for part in each.parts})
    for kind in {"audio_only": "a", "video_only": "v", "eight_a_second": "v"}.get(name, "va"):
        assert films.md5s(ffmpeg, film(name), kind) == films.md5s(ffmpeg, out, kind)


async def test_parts_joined_are_the_segments(film):
    writer = Writer(7)
    await play(writer, films.events(films.tags(film("plain"))))
    listed = read(await playlist(writer))
    for segment in listed.closed:
        parts = [(await writer.resource(part.uri)).data for part in segment.parts]
        assert b"".join(parts) == (await writer.resource(segment.uri)).data


async def test_ffmpegs_own_player_reads_it_across_a_reconnect(film, ffmpeg, tmp_path):
    writer = Writer(7)
    for _ in range(2):
        await play(writer, films.events(films.tags(film("plain"))))
        writer.interrupt()
    writer.end()
    (tmp_path / "7").mkdir()
    (tmp_path / "index.m3u8").write_bytes(await writer.multivariant())
    (tmp_path / "7" / "source.m3u8").write_bytes(await playlist(writer))
    for name in read(await playlist(writer)).names:
        (tmp_path / "7" / name).write_bytes((await writer.resource(name)).data)
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-live_start_index", "0", "-i", str(tmp_path / "index.m3u8")]
    done = subprocess.run(
        [*command, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        check=True,
        capture_output=True,
        text=True,
    )
    frames = [line.rpartition(",")[2].strip() for line in done.stdout.splitlines() if not line.startswith("#")]

    assert films.md5s(ffmpeg, film("plain"), "v") * 2 == frames


async def test_another_size_after_a_reconnect_has_an_init_segment_of_its_own(film, ffmpeg, tmp_path):
    writer, checker = Writer(7), Checker()
    for name in ("plain", "other_size"):
        await play(writer, films.events(films.tags(film(name))), checker)
        writer.interrupt()
    writer.end()
    listed = checker.see(await playlist(writer))

    assert [] == checker.findings
    assert [1, 5] == [each.msn for each in listed.segments if each.discontinuity or each.msn == 1]
    for init, name in (("source_init1.mp4", "plain"), ("source_init2.mp4", "other_size")):
        path = tmp_path / init
        names = [init, *(each.uri for each in listed.segments if each.init == init)]
        path.write_bytes(b"".join([(await writer.resource(each)).data for each in names]))
        assert films.md5s(ffmpeg, film(name), "v") == films.md5s(ffmpeg, path, "v")


async def test_a_reconnect_with_timestamps_from_zero_goes_on(film):
    writer, checker = Writer(7), Checker()
    for _ in range(4):
        await play(writer, films.events(films.tags(film("plain"))), checker)
        writer.interrupt()
        checker.see(await playlist(writer))
    writer.end()
    listed = checker.see(await playlist(writer))

    assert [] == checker.findings
    assert listed.ended
    assert {"source_init1.mp4"} == {segment.init for segment in listed.segments}  # the same configuration
    assert 3 == sum(segment.discontinuity for segment in listed.segments) + listed.discontinuity_sequence


@pytest.mark.parametrize("first_ms", [-1_300_000_000, -50, 0, 3_000_000_000])
async def test_every_broadcast_begins_at_the_same_time(film, first_ms):
    writer, checker = Writer(7), Checker()
    await play(writer, films.events(films.tags(film("plain")), shift_ms=first_ms), checker)
    writer.end()
    listed = checker.see(await playlist(writer))
    first = (await writer.resource(listed.parts[0].uri)).data
    starts = {run.number: run.start for run in read_fragment(first)[1]}

    assert [] == checker.findings
    assert starts[VIDEO_TRACK] == START_MS * 90
    assert listed.segments[0].date == "2023-11-14T22:13:20.000Z"


async def test_a_jump_of_the_timestamps_is_a_discontinuity(film):
    writer, checker, intake = Writer(7), Checker(), Intake()
    tags = films.tags(film("plain"))
    await play(writer, films.events(tags, intake), checker)
    await play(writer, films.events(tags, intake, shift_ms=40_000_000), checker)
    await play(writer, films.events(tags, intake, shift_ms=3_000), checker)

    assert [] == checker.findings
    assert [False] * 4 + [True] + [False] * 3 + [True] + [False] * 3 == [
        each.discontinuity for each in checker.last.segments
    ]
    assert writer.epoch == 3


@pytest.mark.parametrize("at_ms", [2**24, 2**32, 2**31])
async def test_timestamps_wrap_without_a_seam(film, ffmpeg, tmp_path, at_ms):
    writer, checker = Writer(7), Checker()
    await play(writer, films.events(films.tags(film("plain")), shift_ms=at_ms - 3000), checker)
    writer.end()
    listed = await whole(writer, out := tmp_path / "out.mp4")

    assert [] == checker.findings
    assert not any(segment.discontinuity for segment in listed.segments)
    assert writer.epoch == 1
    assert films.md5s(ffmpeg, film("plain"), "v") == films.md5s(ffmpeg, out, "v")


async def test_an_interval_of_eight_seconds_is_listed_by_its_parts_and_stays_whole(film):
    writer, checker = Writer(7), Checker()
    await play(writer, films.events(films.tags(film("long_interval"))), checker)

    assert [] == checker.findings
    assert checker.last.target == 10
    assert [8.0, 8.0] == [pytest.approx(segment.duration, abs=0.01) for segment in checker.last.closed]


async def test_an_interval_without_end_is_cut_inside(film):
    writer, checker = Writer(7), Checker()
    await play(writer, films.events(films.tags(film("endless_interval"))), checker)

    assert [] == checker.findings
    assert not checker.last.all_independent
    assert checker.last.closed[0].duration <= 10.49


# --- waiting ---------------------------------------------------------------------------------------------------------


def hand_made(*, count=121, begin=0, keys=60, config=films.AVCC, intake=None):
    """The events of a film of pictures made by hand, two seconds a keyframe."""
    intake = intake or Intake()
    intake.metadata({"videocodecid": 7})
    events = intake.video(begin, films.video_config(config))
    for index in range(count):
        events += intake.video(begin + index * 1000 // 30, films.picture(key=index % keys == 0))
    return events


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_blocked_reload_is_answered_with_the_part_it_asked_for():
    writer = Writer(7)
    events = hand_made(count=200)
    await play(writer, events[:123])
    before = read(await playlist(writer))
    msn, part = before.segments[-1].msn, len(before.segments[-1].parts)
    waiting = [asyncio.ensure_future(playlist(writer, msn=msn, part=part)) for _ in range(3)]
    hinted = [asyncio.ensure_future(writer.resource(before.hint)) for _ in range(3)]
    await settle()
    assert not any(each.done() for each in (*waiting, *hinted))

    await play(writer, events[123:135])
    answers = await asyncio.gather(*waiting)
    media = await asyncio.gather(*hinted)

    assert before.hint in {each.uri for each in read(answers[0]).parts}
    assert all(answer is answers[0] for answer in answers)
    assert all(each.data is media[0].data for each in media)
    assert media[0].media_type == "video/mp4"


async def test_asks_that_may_not_be_are_refused():
    writer = Writer(7)
    await play(writer, hand_made())

    with pytest.raises(NoSuchRendition):
        await playlist(writer, "999p")
    with pytest.raises(PartWithoutMsn):
        await playlist(writer, part=0)
    with pytest.raises(TooFarAhead):
        await playlist(writer, msn=99)
    for name in ("nonsense", "999p_p1.m4s", "source_p999.m4s", "source_s99.m4s", "source_init9.mp4"):
        with pytest.raises(NotListed):
            await writer.resource(name)


async def test_a_part_of_no_segment_is_refused_before_anything_is_there():
    with pytest.raises(PartWithoutMsn):
        await playlist(Writer(7), part=0)


@pytest.fixture
def quick(monkeypatch):
    """Waits of this writer end at once."""
    monkeypatch.setattr(module, "HOLD_TARGETS", 0.001)
    monkeypatch.setattr(module, "START_SECONDS_MAX", 0.01)


async def test_a_wait_that_is_too_long_ends(quick):
    writer = Writer(7)
    await play(writer, hand_made())
    listed = read(await playlist(writer))

    with pytest.raises(TimedOut):
        await playlist(writer, msn=listed.segments[-1].msn + 1)
    with pytest.raises(TimedOut):
        await writer.resource(listed.hint)


async def test_a_wait_may_last_three_target_durations(monkeypatch):
    writer, held = Writer(7), []
    await play(writer, hand_made())
    listed = read(await playlist(writer))
    monkeypatch.setattr(Waiting, "hold", lambda _waiting, _ask, _take, seconds: held.append(seconds))
    writer.hold(writer.playlist_ask("source", msn=listed.segments[-1].msn + 1, part=None, skip=False), held.append)

    assert held == [3 * listed.target]


async def test_a_broadcast_that_has_nothing_yet_ends_the_wait_too(quick):
    writer = Writer(7)
    with pytest.raises(TimedOut):
        await writer.multivariant()
    with pytest.raises(TimedOut):
        await playlist(writer)


async def test_the_first_playlist_is_waited_for():
    writer = Writer(7)
    waiting = asyncio.ensure_future(playlist(writer))
    all_of_them = asyncio.ensure_future(writer.multivariant())
    await settle()
    await play(writer, hand_made())

    assert read(await waiting).sequence == 1
    assert b"7/source.m3u8" in await all_of_them


async def test_the_end_answers_whoever_waits():
    writer = Writer(7)
    await play(writer, hand_made())
    listed = read(await playlist(writer))
    reload = asyncio.ensure_future(playlist(writer, msn=listed.segments[-1].msn + 1))
    hint = asyncio.ensure_future(writer.resource(listed.hint))
    beyond = asyncio.ensure_future(writer.resource(f"source_p{int(listed.hint[8:-4]) + 1}.m4s"))
    await settle()
    writer.end()

    assert read(await reload).ended
    assert (await hint).data  # the end closed the part that was open
    with pytest.raises(NotListed):
        await beyond


async def test_a_broadcast_that_ended_before_its_first_playlist():
    writer = Writer(7)
    writer.end()

    with pytest.raises(NoSuchRendition):
        await playlist(writer)
    with pytest.raises(TimedOut):
        await writer.multivariant()


async def test_a_short_broadcast_has_a_playlist_all_the_same():
    writer = Writer(7)
    await play(writer, hand_made(count=20))
    writer.end()
    listed = read(await playlist(writer))

    assert listed.ended
    assert len(listed.closed) == 1


async def test_nothing_is_written_twice_for_the_same_version():
    writer = Writer(7)
    await play(writer, hand_made())

    assert await playlist(writer) is await playlist(writer)
    assert await playlist(writer, skip=True) is await playlist(writer, skip=True)


async def test_sound_alone_says_so():
    writer, intake = Writer(7), Intake()
    intake.metadata({"audiocodecid": 10})
    events = intake.audio(0, films.audio_config())
    for index in range(200):
        events += intake.audio(index * 64 // 3, films.packet())
    await play(writer, events)

    assert (await writer.resource("source_p1.m4s")).media_type == "audio/mp4"
    assert isinstance(await writer.resource("source_init1.mp4"), Resource)


# --- rungs -----------------------------------------------------------------------------------------------------------


def echo(writer, event, name="360p"):
    """An encoder that gives back what it gets, at once."""
    if isinstance(event, Began):
        writer.rung_config(name, writer.epoch, VideoConfig(Codec.AVC, films.OTHER_AVCC))
    elif isinstance(event, Video):
        writer.rung_video(name, writer.epoch, event.timestamp_ms, event.frame)


async def test_all_renditions_have_the_same_parts_at_the_same_times(film):
    writer, checkers = Writer(7, ("source", "360p")), {"source": Checker(), "360p": Checker()}
    for event in films.events(films.tags(film("plain"))):
        films.write(writer, event)
        echo(writer, event)
        for name, checker in checkers.items():
            with suppress(TimedOut):
                if writer._renditions[name].timeline.ready:
                    checker.see(await playlist(writer, name))
    source, rung = (checker.last for checker in checkers.values())

    assert [] == checkers["source"].findings + checkers["360p"].findings
    assert [(each.msn, each.date, each.duration, len(each.parts)) for each in source.segments] == [
        (each.msn, each.date, each.duration, len(each.parts)) for each in rung.segments
    ]
    assert [each.duration for each in source.parts] == [each.duration for each in rung.parts]
    assert rung.reports["source.m3u8"]["LAST-MSN"] == "4"
    assert source.reports["360p.m3u8"]["LAST-MSN"] == "4"
    multivariant = (await writer.multivariant()).decode()
    assert "7/source.m3u8" in multivariant
    assert "RESOLUTION=426x240" in multivariant


async def test_sound_that_came_while_the_encoder_started_is_not_lost(film):
    writer = Writer(7, ("source", "360p"))
    events = list(films.events(films.tags(film("plain"))))
    for event in events[:200]:
        films.write(writer, event)
    for event in events[:200]:
        echo(writer, event)
    first = [(await writer.resource(f"{name}_p1.m4s")).data for name in ("source", "360p")]

    assert abs(len(first[0]) - len(first[1])) < 400  # the same pictures, and the same sound but for a packet or two


async def test_a_rung_that_died_goes_on_behind_gaps():
    writer, checker = Writer(7, ("source", "360p")), Checker()
    for index, event in enumerate(hand_made(count=400)):
        films.write(writer, event)
        if isinstance(event, Began) or not 100 < index < 241:
            echo(writer, event)
        elif index == 240:
            writer.rung_hole("360p", 1)
            writer.rung_config("360p", 1, VideoConfig(Codec.AVC, films.OTHER_AVCC))
        if writer._renditions["360p"].timeline.ready:
            checker.see(await playlist(writer, "360p"))

    assert [] == checker.findings
    assert [(each.msn, each.gap) for each in checker.last.closed] == [
        (1, False), (2, False), (3, True), (4, True), (5, False), (6, False),
    ]  # fmt: skip


async def test_a_rung_that_another_encoder_goes_on_with_has_no_seam():
    writer, checker = Writer(7, ("source", "360p")), Checker()
    for index, event in enumerate(hand_made(count=200)):
        films.write(writer, event)
        echo(writer, event)
        if index == 70:
            writer.rung_config("360p", 1, VideoConfig(Codec.AVC, films.OTHER_AVCC))
        if writer._renditions["360p"].timeline.ready:
            checker.see(await playlist(writer, "360p"))

    assert [] == checker.findings
    assert [each.duration for each in read(await playlist(writer)).parts] == [
        each.duration for each in checker.last.parts
    ]


async def test_a_rung_with_a_hole_goes_on_at_its_next_keyframe():
    writer = Writer(7, ("source", "360p"))
    for index, event in enumerate(hand_made(count=200)):
        films.write(writer, event)
        if index == 70:
            writer.rung_hole("360p", 1)
        elif not 70 < index < 121:
            echo(writer, event)

    assert [1, 2, 3, 4] == [each.msn for each in read(await playlist(writer, "360p")).segments]


async def test_what_comes_late_is_not_taken():
    writer = Writer(7, ("source", "360p"))
    await play(writer, hand_made())
    writer.rung_config("360p", 99, VideoConfig(Codec.AVC, films.OTHER_AVCC))
    writer.rung_video("360p", 99, 0, VideoFrame(key=True, composition_ms=0, data=b"x"))
    writer.rung_hole("360p", 99)
    writer.rung_hole("999p", 1)

    assert not writer._renditions["360p"].timeline.listed


async def test_a_rung_that_goes_is_nowhere_any_more():
    writer = Writer(7, ("source", "360p"))
    for event in hand_made(count=200):
        films.write(writer, event)
        echo(writer, event)
    listed = read(await playlist(writer, "360p"))
    waiting = asyncio.ensure_future(playlist(writer, "360p", msn=listed.segments[-1].msn + 1))
    hint = asyncio.ensure_future(writer.resource(listed.hint))
    await settle()
    writer.drop("360p")
    writer.drop("360p")
    writer.drop("source")

    with pytest.raises(NoSuchRendition):
        await waiting
    with pytest.raises(NotListed):
        await hint
    assert b"360p" not in await writer.multivariant()
    assert b"360p" not in await playlist(writer)
    assert ("source",) == writer.renditions
    assert writer.bytes_held == writer._source.bytes_held


async def test_a_ladder_without_the_source_hides_it(quick):
    writer = Writer(7, ("360p",))
    for event in hand_made():
        films.write(writer, event)
    assert b"source" in await writer.multivariant()  # nothing else is there yet

    for event in hand_made():
        echo(writer, event)
    writer.rung_video("360p", 1, 4040, read_video(films.picture(key=False)))
    assert b"source" not in await writer.multivariant()
    assert b"source" not in await playlist(writer, "360p")
