"""What a newcomer sees: a channel that is live and talks, made by nothing but the first start."""

from __future__ import annotations

import re


async def test_the_first_start_says_where_to_go(demo_house):
    printed = "\n".join(demo_house.lines)

    assert demo_house.url in printed
    assert demo_house.rtmp_url in printed


async def test_the_demo_channel_is_live_and_its_playlist_advances(demo_house, player):
    playing = await player(demo_house, await demo_house.on_air("demo"))
    first = await playing.playlist()
    later = await playing.playlist(msn=first.next_sequence + 1)

    assert later.next_sequence > first.next_sequence
    assert not later.ended
    assert await playing.resource(later.segments[-1])


async def test_the_demo_channel_talks(demo_house):
    nickname = (await demo_house.on_air("demo"))["nickname"]
    async with demo_house.connect() as guest:
        watch = guest.watch(nickname)
        one = await watch.until(lambda event: event["kind"] == "said")
        two = await watch.until(lambda event: event["kind"] == "said" and event["seq"] > one["seq"])

    assert one["text"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", two["at"])


async def test_the_demo_leaves_nothing_to_do_by_hand(demo_house):
    await demo_house.well()
    ran = await demo_house.console("ledger", "audit")

    assert ran.code == 0, ran
