"""Members talk and give; every kind of client sees it, and a guest can only read."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from house import NodeClient, RefusedError, eventually


async def test_a_line_and_a_donation_reach_every_client(house, nickname, node_modules):
    streamer = await house.streamer(nickname())
    donor = await house.rich_member(nickname(), 500)
    async with (
        house.connect(donor) as talking,
        house.connect() as guest,
        NodeClient(house, None, streamer.nickname) as node,
    ):
        watch = guest.watch(streamer.nickname)
        own = talking.watch(streamer.nickname)
        await node.until(lambda event: "ready" in event)
        said = await talking.say(streamer.nickname, "hello, room")
        gave = await talking.give(streamer.nickname, 200, "for the fish")

        for seen in (watch, own):
            line = await seen.said("hello, room")
            gift = await seen.until(lambda event: event["kind"] == "donated")
            assert line["seq"] == said["seq"]
            assert line["from"]["nickname"] == donor.nickname
            assert (gift["points"], gift["text"]) == (200, "for the fish")
            assert gift["from"]["nickname"] == donor.nickname
            assert gift["seq"] > line["seq"]
        line = await node.until(lambda event: event.get("text") == "hello, room")
        gift = await node.until(lambda event: event.get("kind") == "donated")

        assert (line["seq"], gift["points"]) == (said["seq"], 200)
        assert gave["points_left"] == 300

    assert await house.api("GET", "/api/points", token=donor.token) == {"balance": 300, "earnings": 0}
    assert await house.api("GET", "/api/points", token=streamer.token) == {"balance": 0, "earnings": 200}


async def test_a_member_talks_with_rsocket_js(house, nickname, node_modules):
    streamer, talker = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with house.connect() as guest:
        watch = guest.watch(streamer.nickname)
        async with NodeClient(house, talker.token, streamer.nickname, "from a bot") as node:
            ready = await node.until(lambda event: "ready" in event)
            answer = await node.until(lambda event: "answer" in event)
            line = await watch.said("from a bot")

    assert ready["ready"]["nickname"] == talker.nickname
    assert answer["answer"]["seq"] == line["seq"]


async def test_a_late_viewer_reads_what_was_said(house, nickname):
    streamer, talker = await house.sign_up(nickname()), await house.sign_up(nickname())
    async with house.connect(talker) as talking:
        first = await talking.say(streamer.nickname, "one")
        await talking.say(streamer.nickname, "two")
        await talking.say(streamer.nickname, "three")
    async with house.connect() as guest:
        whole = guest.watch(streamer.nickname)
        await whole.said("three")
        rest = guest.watch(streamer.nickname, since=first["seq"])
        await rest.said("three")

    assert [event["text"] for event in whole.events if event["kind"] == "said"] == ["one", "two", "three"]
    assert [event["text"] for event in rest.events if event["kind"] == "said"] == ["two", "three"]


async def test_a_guest_reads_and_cannot_write(house, nickname, node_modules):
    streamer = await house.sign_up(nickname())
    async with house.connect() as guest:
        watch = guest.watch(streamer.nickname)
        for attempt in (guest.say(streamer.nickname, "let me in"), guest.give(streamer.nickname, 100, "")):
            with pytest.raises(RefusedError) as refused:
                await attempt
            assert refused.value.code == "auth.members_only"
        async with NodeClient(house, None, streamer.nickname, "me too") as node:
            error = await node.until(lambda event: "error" in event)
        async with house.connect(streamer) as owner:
            await owner.say(streamer.nickname, "the end")
        await watch.said("the end")

    assert "auth.members_only" in error["error"]["message"]
    assert [event["text"] for event in watch.events if event["kind"] == "said"] == ["the end"]


async def test_the_rsocket_js_that_npm_calls_latest_reads_a_few_at_a_time_says_and_gives(house, nickname, node_modules):
    """0.0.27: composite metadata as a member; plain, in which there is no place for a token, as a guest."""
    streamer, member = await house.streamer(nickname()), await house.rich_member(nickname(), 100)
    old = {"program": "node_client_0.mjs"}
    async with (
        house.connect(streamer) as owner,
        NodeClient(house, member.token, streamer.nickname, "composite", **old) as node,
        NodeClient(house, None, streamer.nickname, "plain", **old) as guest,
    ):
        watch = owner.watch(streamer.nickname)
        ready = await node.until(lambda event: "ready" in event)
        gave = await node.until(lambda event: "gave" in event)
        await watch.said("by fire and forget")
        await watch.until(lambda event: event["kind"] == "donated")
        for number in range(5):
            await owner.say(streamer.nickname, f"line {number}")
        for reader in (node, guest):
            await reader.until(lambda event: event.get("text") == "line 4")
            await reader.until(lambda event: event.get("kind") == "donated")
        refused = await guest.until(lambda event: "gave" in event)

    assert ready["ready"]["nickname"] == member.nickname
    assert gave["gave"]["points_left"] == 70
    assert refused["gave"] == {"code": "auth.members_only"}
    for reader in (node, guest):
        lines = [event["text"] for event in reader.events if event.get("kind") == "said"]
        assert lines == ["by request", "by fire and forget", *(f"line {number}" for number in range(5))]
        assert not [event for event in reader.events if "error" in event]


async def test_a_wrong_token_is_refused_and_hung_up_on(house, nickname):
    impostor = await house.sign_up(nickname())
    impostor.token = impostor.token[:-4] + "AAAA"
    async with house.connect(impostor) as connection:
        async with asyncio.timeout(60):
            refused = await connection.hearing.refused
        await eventually(lambda: connection.is_closed, what="the end of the connection")

    assert (refused.code, refused.status) == ("auth.token_invalid", 0x3)  # REJECTED_SETUP


async def test_nobody_gives_what_they_do_not_have(house, nickname):
    streamer = await house.streamer(nickname())
    donor = await house.rich_member(nickname(), 100)
    async with house.connect(donor) as talking:
        same = uuid.uuid4()
        first = await talking.give(streamer.nickname, 60, "", donation=same)
        again = await talking.give(streamer.nickname, 60, "", donation=same)
        with pytest.raises(RefusedError) as poor:
            await talking.give(streamer.nickname, 60, "")
        with pytest.raises(RefusedError) as reused:
            await talking.give(streamer.nickname, 40, "", donation=same)

    assert first == again
    assert poor.value.code == "points.insufficient"
    assert reused.value.code == "transfer.id_reused"


async def test_the_books_balance(house):
    ran = await house.console("ledger", "audit")

    assert ran.code == 0, ran
    assert "balance" in ran.printed
