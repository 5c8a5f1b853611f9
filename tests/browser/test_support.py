"""Goal and supporters under the picture."""

from __future__ import annotations

from house import Encoder
from playwright.async_api import expect


async def test_a_channel_shows_its_goal_and_who_gave_most_and_follows_the_room(
    house, new_page, nickname, ffmpeg, shoot
):
    streamer, donor = await house.sign_up(nickname()), await house.sign_up(nickname())
    assert (await house.console("members", "grant", donor.nickname, "1000")).code == 0
    goal = {"title": "새 방석", "points": 1000}
    await house.api("PUT", f"/api/channels/{streamer.nickname}/goal", goal, token=streamer.token)
    async with (
        Encoder(ffmpeg, streamer.stream_server, streamer.stream_key),
        new_page() as page,
        house.connect(donor) as talking,
    ):
        await house.on_air(streamer.nickname)
        await talking.give(streamer.nickname, 200, "")
        await page.goto(f"/c/{streamer.nickname}")
        support = page.locator("channel-support")
        await expect(support.locator("goal-bar")).to_contain_text("200 / 1,000")
        await expect(support.locator("li")).to_contain_text(donor.nickname)
        await expect(support.locator("li")).to_contain_text("200")
        # What the room remembers is not counted again, and what it tells now is counted once.
        await talking.give(streamer.nickname, 300, "조금 더")
        await expect(support.locator("goal-bar")).to_contain_text("500 / 1,000")
        await expect(support.locator("li")).to_contain_text("500")
        await shoot(page, "channel-support")
        await page.set_viewport_size({"width": 390, "height": 844})
        await shoot(page, "channel-support-phone")
        wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert wider <= 0
