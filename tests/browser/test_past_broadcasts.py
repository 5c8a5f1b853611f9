"""What a broadcast has come to, once it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from house import PASSWORD
from playwright.async_api import expect
from visits import log_in

BEGAN = datetime(2026, 11, 20, 9, tzinfo=UTC)
EARLIER = """
    WITH began AS (
        INSERT INTO broadcast (channel_id, started_at, lease_until, ended_at)
        SELECT m.id, began, began + interval '62 minutes', began + interval '62 minutes'
        FROM member m, unnest(ARRAY[$2::timestamptz, $2::timestamptz + interval '1 day']) began
        WHERE m.nickname = $1 ORDER BY began
        RETURNING id, started_at
    )
    INSERT INTO broadcast_audience (broadcast_id, at, seconds, viewer_seconds, peak)
    SELECT id, started_at, 3700, 3700 * 1234 + 1850, 2345 FROM began WHERE started_at = $2
"""

OVER = """
    INSERT INTO broadcast (channel_id, started_at, lease_until, ended_at)
    SELECT id, $2, $2::timestamptz + $3::interval, $2::timestamptz + $3::interval FROM member WHERE nickname = $1
"""


def figures(card):
    """Read what a card says, by its words."""
    return card.evaluate(
        """(card) => Object.fromEntries([...card.querySelector("dl").children]
            .map((one) => [one.querySelector("dt").textContent, one.querySelector("dd").textContent]))"""
    )


async def test_what_came_of_a_broadcast_stands_there_when_it_is_over(house, new_page, nickname, axe, shoot):
    streamer, donor = await house.streamer(nickname()), await house.rich_member(nickname(), 1_000)
    async with new_page(locale="en-GB") as page:
        page.forgiven.append("/hls/")  # No encoder: the books take it for live.
        await page.goto("/login?next=/studio")
        await log_in(page, streamer.login_id, PASSWORD)
        past = page.locator("past-broadcasts")
        await expect(page.locator("studio-desk .now[data-live]")).to_be_visible()
        await expect(past).to_have_count(0)
        await house.api("PUT", f"/api/channels/{streamer.nickname}/follow", token=donor.token)
        async with house.connect(donor) as talking:
            await talking.give(streamer.nickname, 250, "")
            await talking.give(streamer.nickname, 50, "")

        await house.end(streamer)
        await expect(past.get_by_role("heading", name="Last broadcast")).to_be_visible()
        said = await figures(past)
        assert said.pop("On air").count(":") == 1
        assert said == {
            "Peak viewers": "Not counted",
            "Average viewers": "Not counted",
            "New followers": "1",
            "Points received": "300",
            "Donations": "2",
        }
        await expect(past.locator("details")).to_have_count(0)

        await house.write(EARLIER, streamer.nickname, BEGAN)
        await page.reload()
        await past.get_by_text("Earlier broadcasts").click()
        await expect(past.locator("li")).to_have_count(2)
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 800})
            await past.scroll_into_view_if_needed()
            await shoot(page, f"past-broadcasts-{width}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        counted = past.locator("li", has_text="1,234.5")
        assert await figures(counted) == {
            "On air": "1:02:00",
            "Peak viewers": "2,345",
            "Average viewers": "1,234.5",
            "New followers": "0",
            "Points received": "0",
            "Donations": "0",
        }
        await page.evaluate(axe)
        found = await past.evaluate("async (here) => (await axe.run(here)).violations.map(({ id }) => id)")
        assert found == []


async def test_before_the_first_broadcast_it_is_said_what_will_stand_there(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page() as page:
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        await expect(page.locator("past-broadcasts")).to_contain_text("첫 방송을 마치면")
        # How to begin stands higher.
        assert await page.evaluate(
            """() => {
                const [steps, past] = [".encoder", "past-broadcasts"].map((one) => document.querySelector(one));
                return steps.compareDocumentPosition(past) & Node.DOCUMENT_POSITION_FOLLOWING;
            }"""
        )


async def test_a_broadcast_that_the_studio_has_not_seen_is_the_last_one_all_the_same(house, new_page, nickname):
    member = await house.sign_up(nickname())
    await house.write(OVER, member.nickname, BEGAN, timedelta(minutes=62))
    async with new_page(locale="en-GB") as page:
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        past = page.locator("past-broadcasts")
        await expect(past).to_contain_text("1:02:00")
        await house.write(OVER, member.nickname, BEGAN + timedelta(days=1), timedelta(minutes=75))
        await expect(past).to_contain_text("1:15:00")
