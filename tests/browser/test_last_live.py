"""A channel that sleeps says since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

BROADCAST = """
    INSERT INTO broadcast (channel_id, started_at, lease_until, ended_at)
    SELECT id, $2::timestamptz - interval '1 hour', $2, $2 FROM member WHERE nickname = $1
"""
# How far anything of the notice lies outside the picture's place.
BEYOND = """() => {
    const stage = document.querySelector("live-player .stage").getBoundingClientRect();
    const shown = document.querySelectorAll("live-player .scene, live-player .words");
    const boxes = [...shown].map((one) => one.getBoundingClientRect());
    return Math.max(...boxes.flatMap((box) =>
        [stage.left - box.left, box.right - stage.right, stage.top - box.top, box.bottom - stage.bottom]));
}"""


@pytest.mark.parametrize(
    ("locale", "words", "page_of"),
    [("ko-KR", "마지막 방송 3시간 전", "c"), ("en-GB", "Last live 3 hours ago", "embed")],
)
async def test_a_channel_that_sleeps_says_since_when(house, new_page, nickname, shoot, locale, words, page_of):
    sleeper = await house.sign_up(nickname())
    ended_at = datetime.now(UTC) - timedelta(hours=3, minutes=20)
    async with new_page(locale=locale) as page:
        await page.goto(f"/{page_of}/{sleeper.nickname}")
        await expect(page.locator("live-player .notice.asleep")).to_be_visible()
        await expect(page.locator("last-live time")).to_have_count(0)  # It never was.

        await house.write(BROADCAST, sleeper.nickname, ended_at)
        await page.reload()
        said = page.locator("last-live time")
        await expect(said).to_have_text(words)
        assert abs(datetime.fromisoformat(await said.get_attribute("datetime")) - ended_at) < timedelta(seconds=1)
        for width, height in ((1280, 800), (568, 320), (320, 640)):
            await page.set_viewport_size({"width": width, "height": height})
            await shoot(page, f"last-live-{page_of}-{width}")
            assert await page.evaluate(BEYOND) < 1, width
