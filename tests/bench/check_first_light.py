"""The first minute and the last: a newcomer's picture and chat, and what is left after Ctrl-C and after kill -9.

    python tests/bench/check_first_light.py [--runs 3]

Each run is a house with an empty data folder, as `./commeow` starts it: how long until it has told its URL, and from
there, in a browser that has never been here, until the picture moves and until a line of chat is read. Then the console
is ended, by Ctrl-C and by kill -9 in turn, and its processes are looked for until none is left. Exit code 1 when a bar
is missed. No test of the suite holds them: what is measured there is the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import House, eventually  # noqa: E402

NEWCOMER_SECONDS_MAX = 30.0  # From the printed URL to a picture that moves and a line of chat.
GONE_SECONDS_MAX = 3.0  # From the signal to a house without processes.
MOVING = "(document.querySelector('video')?.currentTime ?? 0) > 0"


async def newcomer(url: str) -> tuple[float, float]:
    """Visit as somebody who was told the URL; answer the seconds until the picture moved and a line was there."""
    began = time.monotonic()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--autoplay-policy=no-user-gesture-required"]
        )
        page = await browser.new_page()
        page.set_default_timeout(2_000 * NEWCOMER_SECONDS_MAX)
        await page.goto(url)
        await page.click("channel-card a[href='/c/demo']")

        async def moves() -> float:
            await eventually(lambda: page.evaluate(MOVING), what="a picture that moves")
            return time.monotonic() - began

        async def talks() -> float:
            await page.locator("chat-list .line .text").first.wait_for()
            return time.monotonic() - began

        seen = await asyncio.gather(moves(), talks())
        await browser.close()
    return seen[0], seen[1]


async def gone(house: House, number: signal.Signals) -> tuple[float, list[str]]:
    """End the console; answer the seconds until nothing was left, and what was when they should have been over."""
    family: list[Any] = house.family()
    began = time.monotonic()
    await house.signal(number, group=number == signal.SIGINT)
    late: list[str] = []

    def empty() -> bool:
        nonlocal late
        left = house.leftovers(family)
        if time.monotonic() - began > GONE_SECONDS_MAX:
            late = late or left
        return not left

    await eventually(empty, what="an empty house")
    return time.monotonic() - began, late


async def run(number: signal.Signals) -> bool:
    """One house from its first start to its end, whether within the bars."""
    folder = Path(tempfile.mkdtemp(prefix="commeow-first-light-"))
    house = House(folder / "data", COMMEOW_DEMO="auto")
    try:
        began = time.monotonic()
        await house.start()
        told = time.monotonic() - began
        picture, line = await newcomer(house.url)
        over, late = await gone(house, number)
    finally:
        if house.process is not None:
            await house.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"URL after {told:.1f} s; from there a picture after {picture:.1f} s, a line of chat after {line:.1f} s;"
        f" nothing left {over:.2f} s after {number.name}",
        flush=True,
    )
    for words in late:
        print(f"    left after {GONE_SECONDS_MAX:.0f} s: {words}", flush=True)
    return max(picture, line) <= NEWCOMER_SECONDS_MAX and over <= GONE_SECONDS_MAX


async def main(runs: int) -> bool:
    return all([await run(number) for _ in range(runs) for number in (signal.SIGINT, signal.SIGKILL)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    sys.exit(0 if asyncio.run(main(parser.parse_args().runs)) else 1)
