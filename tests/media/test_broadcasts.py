"""Shell: whole broadcasts against a real database; time is moved by hand."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from db.channel import hash_stream_key
from db.channels import Channels
from db.errors import StoreUnavailable
from db.members import Members
from media import broadcasts as module
from media.broadcast import (
    CLEAN_GRACE_SECONDS,
    FIRST_MEDIA_SECONDS_MAX,
    GRACE_SECONDS,
    KICK_SECONDS,
    SILENT_SECONDS_MAX,
    TAKEOVER_QUIET_SECONDS,
    State,
)
from media.broadcasts import Broadcasts
from media.ffmpeg_args import RungInvalid, bits_a_second
from media.flv import TagKind
from media.hls_writer.classic import Form
from media.hls_writer.rendition import AUDIO_BITS_A_SECOND, BANDWIDTH_ROOM
from media.ladders import Ladders
from media.past import ENDED_RETENTION_SECONDS
from media.rtmp_ingest.errors import Refused
from media.spool import Spool
from tests.media import films
from tests.media.checker import read

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk_live_first"
PICTURE_MS = 33
TICK = 0.01


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Stage:
    """One process's broadcasts, its clock, and what it told the rest of the house."""

    def __init__(self, pool, root: Path, **settings) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, State]] = []
        self.cuts: list[str] = []
        self.pool = pool
        given = {"ladder": ("source",), "ffmpeg": None} | settings
        self.broadcasts = Broadcasts(Channels(pool), root=root, on_state=self.on_state, clock=self.clock, **given)

    async def on_state(self, channel, state) -> None:
        self.told.append((channel.nickname, state))

    async def publish(self, key: str = KEY):
        return await self.broadcasts.publish(key, "live", self.cuts.append)

    async def on_air(self, key: str = KEY):
        feed = await self.publish(key)
        await begin(feed)
        return feed

    async def later(self, seconds: float) -> None:
        self.clock.seconds += seconds
        await self.broadcasts.tick()

    @property
    def states(self) -> list[State]:
        return [state for _, state in self.told]

    async def open_broadcasts(self) -> list[int]:
        return [row["id"] for row in await self.pool.fetch("SELECT id FROM broadcast WHERE ended_at IS NULL")]

    async def playlist(self, nickname: str = "Nyan"):
        return read(await self.broadcasts.find(nickname).media_playlist("source", msn=None, part=None, skip=False))


async def begin(feed, start_ms: int = 0) -> None:
    await feed.video(start_ms, films.video_config())
    await feed.audio(start_ms, films.audio_config())
    await play(feed, start_ms)


async def play(feed, start_ms: int, seconds: float = 3) -> None:
    """Pictures, every thirtieth of them a key one, and a packet of sound with each."""
    for index in range(int(seconds * 1000 / PICTURE_MS)):
        timestamp_ms = start_ms + index * PICTURE_MS
        await feed.video(timestamp_ms, films.picture(key=index % 30 == 0))
        await feed.audio(timestamp_ms, films.packet())


@pytest.fixture
async def owner(pool):
    return await member(pool, "Nyan", KEY)


async def member(pool, nickname: str, key: str):
    return await Members(pool).add(
        login_id=nickname.lower(), nickname=nickname, password_hash="x", stream_key_hash=hash_stream_key(key)
    )


@pytest.fixture
async def stage(pool, owner, tmp_path):
    stage = Stage(pool, tmp_path)
    yield stage
    await stage.broadcasts.close()


# --- who may ----------------------------------------------------------------------------------------------------------


async def test_an_unknown_key_registers_nothing(stage):
    with pytest.raises(Refused, match="unknown stream key") as refused:
        await stage.publish("sk_live_other")

    assert refused.value.code == "NetStream.Publish.BadName"
    assert (len(stage.broadcasts), stage.told, await stage.open_broadcasts()) == (0, [], [])
    assert stage.broadcasts.find("Nyan") is None


async def test_a_right_key_without_media_registers_nothing_either(stage):
    await stage.publish()
    await stage.later(FIRST_MEDIA_SECONDS_MAX)

    assert (len(stage.broadcasts), stage.told, await stage.open_broadcasts()) == (0, [], [])
    assert stage.cuts == ["nothing came for too long"]


async def test_the_first_keyframe_goes_on_air(stage, owner):
    feed = await stage.publish()
    await feed.video(0, films.video_config())
    await feed.audio(0, films.audio_config())
    assert (stage.told, await stage.open_broadcasts()) == ([], [])
    await play(feed, 0)

    assert stage.told == [("Nyan", State.LIVE)]
    [broadcast_id] = await stage.open_broadcasts()
    channel = await Channels(stage.pool).by_id(owner.id)
    assert (channel.on_air, channel.broadcast_id) == (True, broadcast_id)
    writer = stage.broadcasts.find("nYAN")
    assert writer is stage.broadcasts.find_broadcast(broadcast_id)
    assert (await stage.playlist()).closed


async def test_a_second_encoder_is_refused_while_the_first_sends(stage):
    feed = await stage.on_air()
    stage.clock.seconds += TAKEOVER_QUIET_SECONDS - TICK
    with pytest.raises(Refused, match="already live") as refused:
        await stage.publish()

    assert refused.value.code == "NetStream.Publish.Denied"
    assert stage.cuts == []
    await play(feed, 3000)
    assert stage.states == [State.LIVE]


async def test_a_second_encoder_takes_over_from_a_silent_one_behind_a_discontinuity(stage):
    first = await stage.on_air()
    broadcast_ids = await stage.open_broadcasts()
    stage.clock.seconds += TAKEOVER_QUIET_SECONDS
    second = await stage.publish()

    assert stage.cuts == ["another encoder has taken over"]
    assert stage.states == [State.LIVE, State.INTERRUPTED]
    with pytest.raises(Refused, match="no longer on air"):
        await play(first, 3000)
    await first.end(clean=True)
    await begin(second)
    await first.end(clean=False)
    assert stage.states == [State.LIVE, State.INTERRUPTED, State.LIVE]
    assert broadcast_ids == await stage.open_broadcasts()
    assert 1 == sum(each.discontinuity for each in (await stage.playlist()).segments)


async def test_two_channels_do_not_meet(stage, pool):
    await member(pool, "Mew", "sk_live_second")
    first = await stage.on_air()
    other = await stage.on_air("sk_live_second")
    await other.end(clean=True)
    stage.clock.seconds += CLEAN_GRACE_SECONDS
    await play(first, 3000)
    await stage.broadcasts.tick()

    assert [("Nyan", State.LIVE), ("Mew", State.LIVE), ("Mew", State.INTERRUPTED), ("Mew", State.ENDED)] == stage.told
    assert 1 == len(stage.broadcasts) == len(await stage.open_broadcasts())


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_lost_encoder_may_come_back_within_the_grace(stage):
    first = await stage.on_air()
    broadcast_ids = await stage.open_broadcasts()
    await first.end(clean=False)
    assert stage.states == [State.LIVE, State.INTERRUPTED]
    await stage.later(GRACE_SECONDS - TICK)
    await stage.on_air()

    assert stage.states == [State.LIVE, State.INTERRUPTED, State.LIVE]
    assert broadcast_ids == await stage.open_broadcasts()
    playlist = await stage.playlist()
    assert not playlist.ended
    assert [False, *(each.discontinuity for each in playlist.segments)].count(True) == 1


@pytest.mark.parametrize(("clean", "seconds"), [(False, GRACE_SECONDS), (True, CLEAN_GRACE_SECONDS)])
async def test_after_the_grace_it_is_over_and_a_moment_later_swept(stage, owner, clean, seconds):
    feed = await stage.on_air()
    writer = stage.broadcasts.find("Nyan")
    [broadcast_id] = await stage.open_broadcasts()
    await feed.end(clean=clean)
    await stage.later(seconds)

    assert stage.states == [State.LIVE, State.INTERRUPTED, State.ENDED]
    assert (len(stage.broadcasts), await stage.open_broadcasts()) == (0, [])
    assert (await stage.playlist()).ended
    assert stage.broadcasts.find_broadcast(broadcast_id) is writer
    assert not (await Channels(stage.pool).by_id(owner.id)).on_air

    await stage.later(ENDED_RETENTION_SECONDS - TICK)
    assert stage.broadcasts.find("Nyan") is writer
    await stage.later(TICK)
    assert (stage.broadcasts.find("Nyan"), stage.broadcasts.find_broadcast(broadcast_id)) == (None, None)


async def test_who_comes_after_the_end_begins_another_broadcast(stage):
    await (await stage.on_air()).end(clean=True)
    [first] = await stage.open_broadcasts()
    await stage.later(CLEAN_GRACE_SECONDS)
    await stage.on_air()
    [second] = await stage.open_broadcasts()

    assert first != second
    assert stage.broadcasts.find("Nyan") is stage.broadcasts.find_broadcast(second)
    assert stage.broadcasts.find_broadcast(first) is not None  # for players that have not played it to its end


async def test_a_silent_encoder_is_cut_off(stage):
    await stage.on_air()
    await stage.later(SILENT_SECONDS_MAX - TICK)
    assert (stage.states, stage.cuts) == ([State.LIVE], [])
    await stage.later(TICK)

    assert (stage.states, stage.cuts) == ([State.LIVE, State.INTERRUPTED], ["nothing came for too long"])


async def test_who_went_back_can_play_to_the_end_after_it(pool, owner, tmp_path, spool):
    stage = Stage(pool, tmp_path, spool=spool, dvr_seconds=600)
    await (await stage.on_air()).end(clean=True)
    [broadcast_id] = await stage.open_broadcasts()
    writer = stage.broadcasts.find("Nyan")
    await stage.later(CLEAN_GRACE_SECONDS)
    await films.settled(spool)
    await stage.later(ENDED_RETENTION_SECONDS)

    assert writer.bytes_held < 10_000  # init segments
    assert stage.broadcasts.find("Nyan") is None
    assert stage.broadcasts.find("Nyan", on_disk=True) is stage.broadcasts.find_broadcast(broadcast_id) is writer
    listed = read(await writer.classic_playlist("source", Form.DVR, skip=False))
    assert listed.ended
    assert [True] * len(listed.names) == [bool((await writer.resource(name)).data) for name in listed.names]

    await stage.later(600 - ENDED_RETENTION_SECONDS - TICK)
    assert stage.broadcasts.find_broadcast(broadcast_id) is writer
    await stage.later(TICK)
    await films.settled(spool)
    assert stage.broadcasts.find("Nyan", on_disk=True) is stage.broadcasts.find_broadcast(broadcast_id) is None
    assert list(spool.root.iterdir()) == []
    await stage.broadcasts.close()


async def test_the_lease_is_renewed_while_it_runs(stage, pool, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    await stage.on_air()
    [broadcast_id] = await stage.open_broadcasts()
    await pool.execute("UPDATE broadcast SET lease_until = now()")
    running = asyncio.create_task(stage.broadcasts._renew_for_ever())
    async with asyncio.timeout(60):
        while not await pool.fetchval("SELECT lease_until > now() + interval '5 s' FROM broadcast"):
            await asyncio.sleep(0.01)
    running.cancel()

    assert [broadcast_id] == await stage.open_broadcasts()


async def test_a_channel_that_went_on_air_elsewhere_is_cut_off_here(stage, owner, pool):
    await stage.on_air()
    elsewhere = await Channels(pool).begin_broadcast(owner.id)
    await stage.broadcasts._renew(stage.broadcasts._on_air[owner.id])

    assert stage.cuts == ["the channel went on air from elsewhere"]
    assert stage.states == [State.LIVE, State.ENDED]
    assert [elsewhere] == await stage.open_broadcasts()


async def test_what_an_earlier_process_left_is_ended_at_the_start(stage, owner, pool):
    orphan = await Channels(pool).begin_broadcast(owner.id)
    await pool.execute("UPDATE broadcast SET lease_until = now() - interval '1 s'")
    running = asyncio.create_task(stage.broadcasts.run())
    async with asyncio.timeout(60):
        while await pool.fetchval("SELECT ended_at FROM broadcast WHERE id = $1", orphan) is None:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# --- ends -------------------------------------------------------------------------------------------------------------


async def test_a_rotated_key_cuts_its_encoder_and_the_new_one_goes_on(stage, owner, pool):
    await stage.on_air()
    await Channels(pool).rotate_stream_key(owner.id, hash_stream_key("sk_live_new"))
    await stage.broadcasts.cut(owner.id, "the key was rotated")
    await stage.broadcasts.cut(owner.id + 1, "nobody is there")

    assert (stage.cuts, stage.states) == (["the key was rotated"], [State.LIVE, State.INTERRUPTED])
    with pytest.raises(Refused):
        await stage.publish()
    await stage.on_air("sk_live_new")
    assert stage.states[-1] is State.LIVE


async def test_an_owner_kicks_an_encoder_and_whoever_comes_after_it_goes_on(stage, owner):
    assert not await stage.broadcasts.kick(owner.id, "kicked")
    await stage.on_air()
    broadcast_ids = await stage.open_broadcasts()
    assert await stage.broadcasts.kick(owner.id, "kicked")
    assert (stage.cuts, stage.states) == (["kicked"], [State.LIVE, State.INTERRUPTED])
    with pytest.raises(Refused, match="owner has cut this stream") as refused:
        await stage.publish()
    assert not await stage.broadcasts.kick(owner.id, "nobody is there")
    await stage.later(KICK_SECONDS)
    await stage.on_air()

    assert refused.value.code == "NetStream.Failed"
    assert broadcast_ids == await stage.open_broadcasts()


@pytest.mark.parametrize("what", ["rotated", "banned"])
async def test_a_key_that_the_operator_took_away_is_noticed_at_the_next_heartbeat(stage, owner, pool, what):
    await stage.on_air()
    [on_air] = stage.broadcasts._on_air.values()
    await stage.broadcasts._renew(on_air)
    assert stage.cuts == []
    if what == "rotated":
        await Channels(pool).rotate_stream_key(owner.id, hash_stream_key("sk_live_new"))
    else:
        await Members(pool).ban("Nyan")
    await stage.broadcasts._renew(on_air)
    await stage.broadcasts._renew(on_air)

    assert stage.cuts == ["this stream key is no longer valid"]
    assert stage.states == [State.LIVE, State.INTERRUPTED]


async def test_before_a_broadcasts_end_is_written_what_was_counted_of_it_is(pool, owner, tmp_path):
    seen = []

    async def before_end(broadcast_id):
        seen.append((broadcast_id, await stage.open_broadcasts()))

    stage = Stage(pool, tmp_path / "hls", before_end=before_end)
    feed = await stage.on_air()
    [broadcast_id] = await stage.open_broadcasts()
    await feed.end(clean=True)
    await stage.later(1)
    assert seen == []  # Its encoder may come again: it is one broadcast.

    await stage.later(CLEAN_GRACE_SECONDS)
    assert seen == [(broadcast_id, [broadcast_id])]
    assert await stage.open_broadcasts() == []


async def test_who_has_something_to_do_before_an_end_does_not_keep_it_waiting(pool, owner, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEFORE_END_SECONDS_MAX", 0.01)

    async def before_end(_):
        await asyncio.Event().wait()

    stage = Stage(pool, tmp_path / "hls", before_end=before_end)
    feed = await stage.on_air()
    await feed.end(clean=True)
    await stage.later(CLEAN_GRACE_SECONDS)

    assert await stage.open_broadcasts() == []
    assert stage.states[-1] is State.ENDED


async def test_closing_ends_all_and_tells_it(stage):
    await stage.on_air()
    await stage.broadcasts.close()

    assert stage.cuts == ["the server is closing"]
    assert stage.states == [State.LIVE, State.ENDED]
    assert (len(stage.broadcasts), await stage.open_broadcasts()) == (0, [])


# --- another process -------------------------------------------------------------------------------------------------


class Killed:
    """A process that leaves its files and its lease, and nothing else."""

    def __init__(self, pool, spool, root):
        self.pool = pool
        self.spool = Spool(root, quota_bytes=2**30)
        shutil.copytree(spool.root, root)

    async def next_stage(self, tmp_path, **settings):
        self.spool.start()
        stage = Stage(self.pool, tmp_path, spool=self.spool, dvr_seconds=600, **settings)
        await stage.broadcasts.recover()
        await films.settled(self.spool)
        return stage

    async def close(self, stage):
        await stage.broadcasts.close()
        await self.spool.close()


async def killed(pool, spool, tmp_path):
    stage = Stage(pool, tmp_path, spool=spool, dvr_seconds=600)
    feed = await stage.on_air()
    await play(feed, 3000)
    await films.settled(spool)
    return stage, Killed(pool, spool, tmp_path / "killed")


async def test_the_same_key_continues_what_a_killed_process_had_on_air(pool, owner, tmp_path, spool):
    first, left = await killed(pool, spool, tmp_path)
    [broadcast_id] = await first.open_broadcasts()
    before = await first.playlist()
    stage = await left.next_stage(tmp_path)
    assert (stage.told, len(stage.broadcasts)) == ([("Nyan", State.INTERRUPTED)], 1)
    assert stage.broadcasts.find("Nyan") is stage.broadcasts.find_broadcast(broadcast_id)
    await stage.later(GRACE_SECONDS - TICK)
    await stage.on_air()

    assert stage.states == [State.INTERRUPTED, State.LIVE]
    assert [broadcast_id] == await stage.open_broadcasts()
    after = await stage.playlist()
    assert (after.sequence, after.segments[0].msn) == (before.sequence, before.segments[0].msn)
    assert after.segments[-1].msn > before.segments[-1].msn
    assert [before.segments[-1].msn + 1] == [each.msn for each in after.segments if each.discontinuity]
    await left.close(stage)


async def test_a_killed_broadcast_that_nobody_continues_ends_after_the_grace(pool, owner, tmp_path, spool):
    _, left = await killed(pool, spool, tmp_path)
    stage = await left.next_stage(tmp_path)
    await stage.later(GRACE_SECONDS)

    assert stage.states == [State.INTERRUPTED, State.ENDED]
    assert await stage.open_broadcasts() == []
    assert (await stage.playlist()).ended
    await left.close(stage)


@pytest.mark.parametrize("how", ["the lease is over", "another has begun"])
async def test_what_cannot_go_on_keeps_its_past(pool, owner, tmp_path, spool, how):
    first, left = await killed(pool, spool, tmp_path)
    [broadcast_id] = await first.open_broadcasts()
    if how == "the lease is over":
        await pool.execute("UPDATE broadcast SET lease_until = now() - interval '60 s'")
    else:
        await Channels(pool).begin_broadcast(owner.id)
    stage = await left.next_stage(tmp_path)

    assert (stage.told, len(stage.broadcasts), stage.broadcasts.find("Nyan")) == ([], 0, None)
    writer = stage.broadcasts.find("Nyan", on_disk=True)
    assert writer is stage.broadcasts.find_broadcast(broadcast_id)
    assert read(await writer.classic_playlist("source", Form.DVR, skip=False)).ended
    await stage.later(600)
    await films.settled(left.spool)
    assert list(left.spool.root.iterdir()) == []
    await left.close(stage)


async def test_what_is_too_old_is_swept(pool, owner, tmp_path, spool):
    _, left = await killed(pool, spool, tmp_path)
    await pool.execute("UPDATE broadcast SET lease_until = now() - interval '60 s'")
    for path in (left.spool.root).rglob("*.m4s"):
        os.utime(path, (0, 0))
    stage = await left.next_stage(tmp_path)

    assert stage.broadcasts.find("Nyan", on_disk=True) is None
    assert list(left.spool.root.iterdir()) == []
    await left.close(stage)


async def test_a_database_that_is_away_at_the_start_costs_no_file(pool, owner, tmp_path, spool, monkeypatch, caplog):
    async def away(*_, **__):
        raise StoreUnavailable("gone")

    _, left = await killed(pool, spool, tmp_path)
    monkeypatch.setattr(Channels, "resume_broadcast", away)
    stage = await left.next_stage(tmp_path)

    assert "not_recovered" in caplog.text
    assert len(stage.broadcasts) == 0
    assert list(left.spool.root.iterdir())
    await left.close(stage)


async def test_what_one_broadcast_lacks_the_others_do_not_wait_for(pool, owner, tmp_path, spool, monkeypatch, caplog):
    other = await member(pool, "Mew", "sk_live_second")
    settings = {"spool": spool, "dvr_seconds": 600}
    first = Stage(pool, tmp_path, **settings)
    await first.on_air()
    await first.on_air("sk_live_second")
    await films.settled(spool)
    left = Killed(pool, spool, tmp_path / "killed")
    real = Channels.resume_broadcast
    away_id, back_id = sorted(await first.open_broadcasts())

    async def away(self, broadcast_id, **given):
        if broadcast_id == away_id:
            raise StoreUnavailable("gone")
        return await real(self, broadcast_id, **given)

    monkeypatch.setattr(Channels, "resume_broadcast", away)
    stage = await left.next_stage(tmp_path)

    assert f"not_recovered folder={away_id}" in caplog.text
    assert stage.broadcasts.find("Mew").broadcast_id == back_id
    assert other.nickname == "Mew"
    assert {str(away_id), str(back_id)} == {path.name for path in left.spool.root.iterdir()}
    await left.close(stage)


async def test_rungs_of_a_killed_process_get_an_encoder_again_or_end(pool, owner, tmp_path, spool, ffmpeg):
    settings = {"ladder": ("source", "180p"), "spool": spool, "dvr_seconds": 600}
    first = Stage(pool, tmp_path, ffmpeg=ffmpeg, **settings)
    await first.on_air()
    await films.settled(spool)
    left = [Killed(pool, spool, tmp_path / f"killed{index}") for index in range(2)]
    [on_air] = first.broadcasts._on_air.values()
    await on_air.transcoder.close()
    for each, program in zip(left, (ffmpeg, None), strict=True):
        stage = await each.next_stage(tmp_path, ladder=("source", "180p"), ffmpeg=program)
        assert stage.broadcasts.find("Nyan").renditions == ("source", "180p")
        await stage.on_air()
        [resumed] = stage.broadcasts._on_air.values()
        assert (resumed.transcoder is not None) is (program is not None)
        assert resumed.writer.renditions == (("source", "180p") if program else ("source",))
        if resumed.transcoder:
            await resumed.transcoder.close()
        await each.spool.close()


# --- what fails -------------------------------------------------------------------------------------------------------


async def test_media_that_cannot_be_read_is_refused_in_words(stage):
    feed = await stage.publish()
    with pytest.raises(Refused) as refused:
        await feed.video(0, films.video_config(b"\x01\x02"))

    assert refused.value.code == "NetStream.Publish.Rejected"


async def test_a_database_that_is_away_refuses_in_words_and_registers_nothing(stage, monkeypatch):
    async def away(*_):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(Channels, "by_stream_key_hash", away)
        with pytest.raises(Refused, match="try again") as refused:
            await stage.publish()
    assert (refused.value.code, len(stage.broadcasts)) == ("NetStream.Failed", 0)

    monkeypatch.setattr(Channels, "begin_broadcast", away)
    feed = await stage.publish()
    with pytest.raises(Refused, match="cannot be begun") as refused:
        await begin(feed)
    assert refused.value.code == "NetStream.Failed"
    await feed.end(clean=False)
    assert (stage.told, len(stage.broadcasts)) == ([], 0)


async def test_a_database_that_goes_away_takes_no_picture_along(stage, monkeypatch, caplog):
    feed = await stage.on_air()

    async def away(*_):
        raise StoreUnavailable("gone")

    for method in ("renew_lease", "end_broadcast", "end_orphans"):
        monkeypatch.setattr(Channels, method, away)
    [on_air] = stage.broadcasts._on_air.values()
    await stage.broadcasts._renew(on_air)
    await play(feed, 3000)
    assert (await stage.playlist()).segments[-1].msn > 1
    await stage.broadcasts.close()
    running = asyncio.create_task(stage.broadcasts.run())
    async with asyncio.timeout(60):
        while "orphans_not_ended" not in caplog.text:
            await asyncio.sleep(0.01)
    running.cancel()

    assert [1, 1, 1] == [
        Counter(record.msg.split()[0] for record in caplog.records)[words]
        for words in ("lease_not_renewed", "broadcast_not_ended", "orphans_not_ended")
    ]


async def test_a_listener_that_fails_or_hangs_ends_no_broadcast(stage, monkeypatch, caplog):
    monkeypatch.setattr(module, "TELL_SECONDS_MAX", 0.01)
    answers = [asyncio.sleep(60), asyncio.sleep(0)]

    async def on_state(channel, state):
        await answers.pop(0)
        raise ValueError(state)

    stage.broadcasts._on_state = on_state
    feed = await stage.on_air()
    await feed.end(clean=False)
    answers.append(asyncio.sleep(0))
    await stage.on_air()

    assert "state_not_told" in caplog.text
    assert await stage.open_broadcasts()


async def test_an_owner_that_is_replaced_while_the_store_is_slow_begins_nothing(stage, monkeypatch):
    started, go_on = asyncio.Event(), asyncio.Event()
    really = Channels.begin_broadcast

    async def slow(self, channel_id):
        started.set()
        await go_on.wait()
        return await really(self, channel_id)

    monkeypatch.setattr(Channels, "begin_broadcast", slow)
    feed = await stage.publish()
    beginning = asyncio.create_task(begin(feed))
    await started.wait()
    stage.clock.seconds += TAKEOVER_QUIET_SECONDS
    publishing = asyncio.create_task(stage.publish())
    async with asyncio.timeout(60):
        while not stage.cuts:
            await asyncio.sleep(0.001)
    go_on.set()
    with pytest.raises(Refused, match="no longer on air"):
        await beginning
    await begin(await publishing)

    assert stage.states == [State.LIVE]
    assert 1 == len(await stage.open_broadcasts())


async def test_a_broadcast_that_would_fill_the_memory_is_refused_and_a_running_one_goes_on(pool, stage, monkeypatch):
    await member(pool, "Mew", "sk_live_second")
    feed = await stage.on_air()
    held = stage.broadcasts.find("Nyan").bytes_held
    monkeypatch.setattr(module, "MEDIA_BYTES_MAX", held - 1)
    other = await stage.publish("sk_live_second")
    with pytest.raises(Refused, match="full") as refused:
        await begin(other)
    await other.end(clean=False)
    await feed.end(clean=False)
    again = await stage.publish()
    await begin(again)

    assert refused.value.code == "NetStream.Failed"
    assert [stage.broadcasts.find("Nyan").broadcast_id] == await stage.open_broadcasts()
    assert held > 0

    monkeypatch.setattr(module, "MEDIA_BYTES_MAX", stage.broadcasts.find("Nyan").bytes_held)
    await stage.on_air("sk_live_second")
    assert 2 == len(await stage.open_broadcasts())


# --- the ladder -------------------------------------------------------------------------------------------------------


def test_a_wrong_rung_stops_the_start(tmp_path):
    with pytest.raises(RungInvalid):
        Stage(None, tmp_path, ladder=("source", "4K"))


async def test_a_ladder_whose_ffmpeg_cannot_be_run_leaves_the_source(pool, owner, tmp_path, caplog):
    stage = Stage(pool, tmp_path, ladder=("source", "180p"), ffmpeg=str(tmp_path / "nothing"))
    await stage.on_air()

    assert stage.broadcasts.find("Nyan").renditions == ("source",)
    assert "no_ladder" in caplog.text
    await stage.broadcasts.close()


async def test_parts_are_as_long_as_the_house_wants_them(pool, owner, tmp_path):
    stage = Stage(pool, tmp_path, part_seconds=0.2)
    await stage.on_air()
    text = (await stage.broadcasts.find("Nyan").media_playlist("source", msn=None, part=None, skip=False)).decode()

    assert "#EXT-X-PART-INF:PART-TARGET=0.2\n" in text
    assert "PART-HOLD-BACK=0.6" in text
    await stage.broadcasts.close()


async def test_no_rung_is_larger_than_the_source(pool, owner, tmp_path, ffmpeg):
    stage = Stage(pool, tmp_path / "made", ladder=("source", "360p", "180p"), ffmpeg=ffmpeg)
    feed = await stage.publish()
    await begin(feed)
    writer = stage.broadcasts.find("Nyan")
    renditions = writer.renditions
    [on_air] = stage.broadcasts._on_air.values()
    await stage.broadcasts.close()

    assert renditions == ("source", "180p")  # the film is 240 high
    assert on_air.transcoder.pids == []
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize(("ladder", "shown"), [("180p", "180p"), ("480p", "source")])
async def test_a_source_that_no_ladder_names_is_shown_only_when_nothing_else_is_there(
    pool, tmp_path, ffmpeg, film, patient, ladder, shown
):
    await member(pool, "Nyan", KEY)
    stage = Stage(pool, tmp_path, ladder=(ladder,), ffmpeg=ffmpeg)
    feed = await stage.publish()
    for tag in films.tags(film("plain")):
        take = feed.video if tag.kind == TagKind.VIDEO else feed.audio
        await take(tag.timestamp_ms, tag.payload)
    writer = stage.broadcasts.find("Nyan")
    lines = (await writer.multivariant()).decode().splitlines()
    await stage.broadcasts.close()

    assert [f"{writer.broadcast_id}/{shown}.m3u8"] == [line for line in lines if line and not line.startswith("#")]
    if shown == ladder:  # The encoder was told how much it may write, and the players are.
        bits = (bits_a_second(180) + AUDIO_BITS_A_SECOND) * BANDWIDTH_ROOM
        assert any(f"BANDWIDTH={int(bits)}," in line for line in lines)


async def test_a_codec_that_not_every_browser_plays_goes_out_in_h264_too(pool, owner, tmp_path, ffmpeg, film, patient):
    stage = Stage(pool, tmp_path, ffmpeg=ffmpeg)
    feed = await stage.publish()
    for tag in films.tags(film("hevc")):
        take = feed.video if tag.kind == TagKind.VIDEO else feed.audio
        await take(tag.timestamp_ms, tag.payload)
    writer = stage.broadcasts.find("Nyan")
    look = stage.broadcasts.look(owner.id)
    listed = (await writer.multivariant()).decode()
    await stage.broadcasts.close()

    assert (look.renditions, look.encoded, look.refused) == (("source", "240p"), True, False)
    assert [codec for codec in ("hvc1", "avc1") if f'CODECS="{codec}' in listed] == ["hvc1", "avc1"]


async def test_pictures_that_come_to_sound_alone_get_their_ladder(pool, owner, tmp_path, spool, ffmpeg, film, patient):
    settings = {"ladder": ("source", "180p"), "ffmpeg": ffmpeg, "spool": spool, "dvr_seconds": 600}
    stage = Stage(pool, tmp_path, **settings)
    feed = await stage.publish()
    for tag in films.tags(film("audio_only")):
        await feed.audio(tag.timestamp_ms, tag.payload)
    before = (stage.broadcasts.find("Nyan").renditions, stage.broadcasts.look(owner.id).refused)
    await feed.end(clean=False)
    stage.clock.seconds += 2
    feed = await stage.publish()
    for tag in films.tags(film("plain")):
        take = feed.video if tag.kind == TagKind.VIDEO else feed.audio
        await take(tag.timestamp_ms, tag.payload)
    writer = stage.broadcasts.find("Nyan")
    await feed.end(clean=True)
    await stage.later(CLEAN_GRACE_SECONDS)
    source, rung = [
        read(await writer.media_playlist(name, msn=None, part=None, skip=False)) for name in ("source", "180p")
    ]

    assert before == (("source",), False)
    assert writer.renditions == ("source", "180p")
    assert writer.recorder.began.renditions == ("source", "180p")
    # A keyframe every two seconds: each begins a segment, also where sound began the broadcast.
    assert [2, 2, 2, 1] == [round(each.duration) for each in source.segments[-4:]]
    assert [each.msn for each in source.segments[-4:]] == [each.msn for each in rung.segments[-4:]]
    assert source.all_independent
    await stage.broadcasts.close()


async def test_a_machine_without_room_sends_the_source_and_says_so(pool, owner, tmp_path, ffmpeg):
    stage = Stage(pool, tmp_path, ladder=("source", "180p"), ffmpeg=ffmpeg)
    stage.broadcasts._ladders = Ladders(("source", "180p"), ffmpeg, tmp_path, cores=0.001)
    await stage.on_air()
    look = stage.broadcasts.look(owner.id)
    await stage.broadcasts.close()

    assert (look.renditions, look.encoded, look.refused) == (("source",), False, True)
