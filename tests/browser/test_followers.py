"""How many follow a channel, for whoever looks at it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from house import PASSWORD
from playwright.async_api import expect
from visits import log_in, sign_up

FOLLOWERS = """
    WITH fan AS (
        INSERT INTO member (login_id, nickname, nickname_key, password_hash)
        SELECT $1 || 'f' || i, $1 || 'f' || i, $1 || 'f' || i, '-' FROM generate_series(1, $2::integer) i RETURNING id
    )
    INSERT INTO follow (member_id, channel_id) SELECT fan.id, m.id FROM fan, member m WHERE m.nickname = $1
"""
# How far the row of facts goes over its end, and how much of the name is seen.
ROOM = """() => {
    const box = (one) => document.querySelector(`channel-about ${one}`).getBoundingClientRect();
    const [facts, name, count] = [box(".facts"), box(".nickname"), box(".followers")];
    return { beyond: count.right - facts.right, name: Math.min(name.right, facts.right) - name.left };
}"""


@pytest.mark.parametrize(
    ("locale", "before", "after"),
    [
        ("ko-KR", ("팔로워 1,249명", "1.2천"), ("팔로워 1,250명", "1.3천")),
        ("en-GB", ("1,249 followers", "1.2K"), ("1,250 followers", "1.3K")),
    ],
)
async def test_who_follows_counts_at_once(house, new_page, nickname, shoot, locale, before, after):
    streamer = await house.streamer(nickname())
    await house.write(FOLLOWERS, streamer.nickname, 1_249)
    async with AsyncExitStack() as afterwards, new_page(locale=locale) as page:
        afterwards.push_async_callback(house.end, streamer)  # It would be on air for the tests after this one.
        page.forgiven.append("/hls/")  # No encoder: the books take it for live.
        await sign_up(page, nickname())
        await page.goto(f"/c/{streamer.nickname}")
        # Nothing was sent yet: no picture, and no sign of a broken one.
        assert (
            await page.locator("img.poster").evaluate("async (poster) => (await poster.decode(), poster.naturalWidth)")
            == 1
        )
        followers = page.locator("channel-about .followers")
        heard, seen, short = (
            followers.locator(".visually-hidden"),
            followers.locator(".long"),
            followers.locator(".short"),
        )
        await expect(heard).to_have_text(before[0])
        await expect(seen).to_contain_text(before[1])
        await expect(seen).to_be_visible()
        await page.locator("channel-about button.follow").click()
        await expect(heard).to_have_text(after[0])
        await expect(seen).to_contain_text(after[1])
        await shoot(page, f"followers-{locale}")

        for width in (390, 320):
            await page.set_viewport_size({"width": width, "height": 740})
            await expect(short).to_be_visible()
            await expect(short).to_have_text(after[1])
            found = await page.evaluate(ROOM)
            assert found["beyond"] < 1, (width, found)
            assert found["name"] >= 48, (width, found)
            await shoot(page, f"followers-{locale}-{width}")


async def test_the_studio_says_how_many_to_the_last_one(house, new_page, nickname, shoot):
    member = await house.sign_up(nickname())
    await house.write(FOLLOWERS, member.nickname, 1_234)
    async with new_page() as page:
        await page.goto("/login?next=/studio")
        await log_in(page, member.login_id, PASSWORD)
        await expect(page.locator("studio-desk .followers")).to_have_text("팔로워 1,234명")
        await shoot(page, "studio-followers")
