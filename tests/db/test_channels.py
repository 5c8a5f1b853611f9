"""Shell: channels in a real PostgreSQL: what is written on them, and who is on air."""

from __future__ import annotations

import asyncio

import pytest

from db.channel import BroadcastEnded, ChannelUnknown, TagTooLong, TitleTooLong, hash_stream_key
from db.channels import LEASE_SECONDS, Channels
from db.members import Members


@pytest.fixture
async def owner(pool):
    return await Members(pool).add(
        login_id="nyang", nickname="Nyan", password_hash="x", stream_key_hash=hash_stream_key("key")
    )


@pytest.fixture
def channels(pool) -> Channels:
    return Channels(pool)


async def lapse(pool, broadcast_id: int, seconds: float = LEASE_SECONDS) -> None:
    """Let `seconds` pass for a broadcast's lease, without waiting for them."""
    await pool.execute(
        "UPDATE broadcast SET lease_until = lease_until - make_interval(secs => $2) WHERE id = $1",
        broadcast_id,
        float(seconds),
    )


async def test_a_channel_is_found_by_name_id_and_key(owner, channels):
    channel = await channels.by_nickname("nYAN")

    assert channel is not None
    assert (owner.id, "Nyan", "", "", (), False, None, None) == (
        channel.id,
        channel.nickname,
        channel.title,
        channel.category,
        channel.tags,
        channel.on_air,
        channel.broadcast_id,
        channel.started_at,
    )
    assert channel == await channels.by_id(owner.id)
    assert channel == await channels.by_stream_key_hash(hash_stream_key("key"))


async def test_what_is_not_there_is_not_found(owner, channels):
    assert await channels.by_nickname("other") is None
    assert await channels.by_id(owner.id + 1) is None
    assert await channels.by_stream_key_hash(hash_stream_key("other")) is None


async def test_a_banned_owners_key_opens_nothing(pool, owner, channels):
    await Members(pool).ban("Nyan")

    assert await channels.by_stream_key_hash(hash_stream_key("key")) is None
    assert await channels.by_nickname("Nyan") is not None


async def test_an_edit_writes_what_is_given_and_leaves_the_rest(owner, channels):
    await channels.edit(owner.id, title=" 오늘도  냥 ", category="game", tags=["a", "b", "a"])
    channel = await channels.edit(owner.id, tags=[])

    assert ("오늘도 냥", "game", ()) == (channel.title, channel.category, channel.tags)
    assert channel == await channels.by_id(owner.id)


async def test_a_refused_edit_writes_nothing(owner, channels):
    before = await channels.edit(owner.id, title="before")

    with pytest.raises(TagTooLong):
        await channels.edit(owner.id, title="after", tags=["x" * 21])
    with pytest.raises(TitleTooLong):
        await channels.edit(owner.id, title="x" * 101)
    assert before == await channels.by_id(owner.id)
    with pytest.raises(ChannelUnknown):
        await channels.edit(owner.id + 1, title="x")


async def test_a_rotated_key_dies_at_once(owner, channels):
    await channels.rotate_stream_key(owner.id, hash_stream_key("new"))

    assert await channels.by_stream_key_hash(hash_stream_key("key")) is None
    found = await channels.by_stream_key_hash(hash_stream_key("new"))
    assert found is not None
    assert owner.id == found.id
    with pytest.raises(ChannelUnknown):
        await channels.rotate_stream_key(owner.id + 1, hash_stream_key("other"))


async def test_on_air_and_off_air(owner, channels):
    assert [] == await channels.live()

    broadcast_id = await channels.begin_broadcast(owner.id)
    [channel] = await channels.live()
    assert (owner.id, True, broadcast_id) == (channel.id, channel.on_air, channel.broadcast_id)
    assert channel.started_at is not None

    await channels.end_broadcast(broadcast_id)
    await channels.end_broadcast(broadcast_id)
    assert [] == await channels.live()
    with pytest.raises(BroadcastEnded, match=str(broadcast_id)):
        await channels.renew_lease(broadcast_id)


async def test_the_latest_on_air_is_listed_first(pool, people, channels):
    ids = await people(3)
    for channel_id in ids:
        await channels.begin_broadcast(channel_id)

    assert list(reversed(ids)) == [channel.id for channel in await channels.live()]


async def test_a_channel_whose_process_died_leaves_the_list_by_itself(pool, owner, channels):
    broadcast_id = await channels.begin_broadcast(owner.id)
    await lapse(pool, broadcast_id, LEASE_SECONDS - 1)
    assert 1 == len(await channels.live())
    assert 0 == await channels.end_orphans()

    await lapse(pool, broadcast_id, 1)

    assert [] == await channels.live()
    assert 1 == await channels.end_orphans()
    assert 0 == await channels.end_orphans()
    with pytest.raises(BroadcastEnded):
        await channels.renew_lease(broadcast_id)


async def test_a_channel_says_when_it_was_last_on_air(pool, owner, channels):
    assert (await channels.by_id(owner.id)).last_live_at is None

    first = await channels.begin_broadcast(owner.id)
    assert (await channels.by_id(owner.id)).last_live_at is None
    await channels.end_broadcast(first)
    ended_at = await pool.fetchval("SELECT ended_at FROM broadcast WHERE id = $1", first)
    assert ended_at == (await channels.by_id(owner.id)).last_live_at

    second = await channels.begin_broadcast(owner.id)
    [channel] = await channels.live()
    assert channel.last_live_at is None
    await lapse(pool, second, LEASE_SECONDS + 60)  # Its process died, and nobody has written its end yet.
    lease_until = await pool.fetchval("SELECT lease_until FROM broadcast WHERE id = $1", second)
    assert lease_until == (await channels.by_id(owner.id)).last_live_at
    await channels.end_orphans()
    assert lease_until == (await channels.by_id(owner.id)).last_live_at


async def test_a_heartbeat_renews_the_lease_even_a_late_one(pool, owner, channels):
    broadcast_id = await channels.begin_broadcast(owner.id)
    await lapse(pool, broadcast_id, LEASE_SECONDS + 1)

    await channels.renew_lease(broadcast_id)

    assert 1 == len(await channels.live())
    await lapse(pool, broadcast_id, LEASE_SECONDS - 1)
    assert 1 == len(await channels.live())


async def test_whoever_begins_next_takes_the_channel_over(owner, channels):
    first = await channels.begin_broadcast(owner.id)
    second = await channels.begin_broadcast(owner.id)

    [channel] = await channels.live()
    assert second == channel.broadcast_id
    with pytest.raises(BroadcastEnded):
        await channels.renew_lease(first)
    await channels.end_broadcast(first)
    assert 1 == len(await channels.live())


async def test_of_ten_who_begin_at_once_one_is_on_air(pool, owner, channels):
    began = await asyncio.gather(*(channels.begin_broadcast(owner.id) for _ in range(10)))

    assert 10 == len(set(began))
    [channel] = await channels.live()
    assert channel.broadcast_id in began
    assert 1 == await pool.fetchval("SELECT count(*) FROM broadcast WHERE ended_at IS NULL")


async def test_a_broadcast_needs_a_channel(owner, channels):
    with pytest.raises(ChannelUnknown):
        await channels.begin_broadcast(owner.id + 1)


async def test_what_no_nickname_can_be_is_not_asked_for(channels, pool):
    for text in ("a\0b", "x" * 41):
        assert await channels.by_nickname(text) is None
        assert await Members(pool).by_nickname(text) is None
    assert await Members(pool).credentials("a\0b") is None


async def test_a_broadcast_whose_process_is_gone_can_be_taken_over(pool, owner):
    channels = Channels(pool)
    broadcast_id = await channels.begin_broadcast(owner.id)
    await pool.execute("UPDATE broadcast SET lease_until = now() - interval '5 s'")
    assert not (await channels.by_id(owner.id)).on_air

    assert await channels.resume_broadcast(broadcast_id, late_seconds=4) is None
    channel = await channels.resume_broadcast(broadcast_id, late_seconds=6)
    assert (channel.id, channel.on_air, channel.broadcast_id) == (owner.id, True, broadcast_id)
    assert await pool.fetchval("SELECT lease_until > now() + interval '10 s' FROM broadcast")
    assert await channels.resume_broadcast(broadcast_id, late_seconds=0)

    await channels.begin_broadcast(owner.id)  # by somebody else, meanwhile
    assert await channels.resume_broadcast(broadcast_id, late_seconds=60) is None
    assert await channels.resume_broadcast(999, late_seconds=60) is None
