import pytest

from db.channels import Channels
from routes.announcements import Announcements


async def test_the_list_begins_with_now_and_changes_with_the_news(conversation, new_member, pool):
    streamer = await new_member("streamer")
    channels = Channels(pool)
    guest = await conversation.connect()
    seen = guest.watch("channels.watch", {})

    assert await seen.next() == {"kind": "channels", "channels": []}

    broadcast_id = await channels.begin_broadcast(streamer.id)
    await Announcements(conversation.bus).changed()
    (shown,) = (await seen.next())["channels"]
    await channels.end_broadcast(broadcast_id)
    await Announcements(conversation.bus).changed()

    assert (shown["nickname"], shown["on_air"], shown["playback"]) == ("streamer", True, "/hls/streamer/index.m3u8")
    assert shown["thumbnail"] == "/thumbnails/streamer.jpg"
    assert (await seen.next())["channels"] == []


async def test_a_slow_viewer_gets_the_latest_picture_only(conversation, new_member, pool):
    members = [await new_member(f"nabi{number}") for number in range(3)]
    slow = (await conversation.connect()).watch("channels.watch", {}, credit=1)
    fast = (await conversation.connect()).watch("channels.watch", {})
    await slow.next()
    await fast.next()

    for number, member in enumerate(members, 1):
        await Channels(pool).begin_broadcast(member.id)
        await Announcements(conversation.bus).changed()
        assert len((await fast.next())["channels"]) == number
    assert slow.waiting == 0
    slow.subscription.request(5)

    assert len((await slow.next())["channels"]) == 3
    assert slow.waiting == 0


async def test_nothing_is_kept_when_nobody_watches(conversation):
    talker = await conversation.connect()
    seen = talker.watch("channels.watch", b"")
    await seen.next()
    assert conversation.live._picture is not None

    seen.subscription.cancel()
    # Frames of one connection are handled in order: once hello is answered, the cancellation has arrived.
    await talker.call("session.hello", {})
    await conversation.live._refresh()

    assert conversation.live._picture is None


async def test_an_unreadable_wish_is_refused(conversation):
    seen = (await conversation.connect()).watch("channels.watch", b"[")

    with pytest.raises(Exception, match=r"wire\.shape"):
        await seen.next()
