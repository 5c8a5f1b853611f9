"""How soon a newcomer sees a channel: first paint, the poster, the first line of the chat and the first picture that
moves, and how long tasks get.

    python tests/bench/bench_first_picture.py [--visits 7] [--slower 4] [--thin-line]

A whole house with its demo channel on air, as `./commeow` starts it; each visit is a browser profile of its own, so
nothing is in its cache. Medians, and how much the page loaded before the picture moved. `--slower` is Chromium's own
throttle of the processor, `--thin-line` that of the network, at what Lighthouse calls slow 4G. Run it on two commits to
compare them.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import House, eventually  # noqa: E402

PHONE = {"viewport": {"width": 412, "height": 823}, "device_scale_factor": 1.75}
NOTE = """
const seen = (window.seen = { blocked: 0 });
const look = (type, take) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
look("paint", ({ name, startTime }) => (seen[name] = startTime));
look("largest-contentful-paint", ({ startTime }) => (seen.largest = startTime));
look("longtask", ({ duration }) => (seen.blocked += Math.max(0, duration - 50)));
const lines = new MutationObserver(() => {
  if (document.querySelector("chat-list .line") === null) return;
  seen.line = performance.now();
  lines.disconnect();
});
lines.observe(document, { childList: true, subtree: true });
document.addEventListener("loadeddata", () => (seen.picture ??= performance.now()), true);
document.addEventListener("playing", () => (seen.moving ??= performance.now()), true);
"""
REQUESTS = "performance.getEntriesByType('resource').filter(({ responseEnd }) => responseEnd < seen.moving).length"
SECONDS_AFTER = 3  # What blocks right after the picture moves is felt too.


THIN_LINE = {"offline": False, "latency": 150, "downloadThroughput": 204_800, "uploadThroughput": 93_750}


async def visit(browser: Any, url: str, slower: float, *, thin: bool) -> dict[str, float]:
    """One newcomer; all in milliseconds since the address was entered."""
    context = await browser.new_context(**PHONE)
    page = await context.new_page()
    chromium = await context.new_cdp_session(page)
    await chromium.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    if thin:
        await chromium.send("Network.enable")
        await chromium.send("Network.emulateNetworkConditions", THIN_LINE)
    await page.add_init_script(NOTE)
    await page.goto(url)

    async def moving() -> Any:
        return await page.evaluate("seen.moving ?? null")

    await eventually(moving, within=60, what="a picture")
    await asyncio.sleep(SECONDS_AFTER)
    seen = dict(await page.evaluate("seen")) | {"requests": await page.evaluate(REQUESTS)}
    await context.close()
    return seen


async def main(visits: int, slower: float, *, thin: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="commeow-first-picture-"))
    house = await House(folder / "data", COMMEOW_DEMO="auto").start()
    try:
        await house.on_air("demo")

        async def depicted() -> Any:
            return (await house.on_air("demo"))["thumbnail"]

        await eventually(depicted, within=60, what="a thumbnail")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--autoplay-policy=no-user-gesture-required"]
            )
            url = f"{house.url}/c/demo"
            # The house's own first answers are not what a visitor waits for.
            await visit(browser, url, slower, thin=thin)
            all_seen = [await visit(browser, url, slower, thin=thin) for _ in range(visits)]
            await browser.close()
    finally:
        await house.kill()
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("first-contentful-paint", "largest", "line", "picture", "moving", "blocked", "requests"):
        figures = sorted(seen.get(name, float("nan")) for seen in all_seen)
        print(f"{name:<24}{statistics.median(figures):8.0f}   {figures[0]:.0f} … {figures[-1]:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=7)
    parser.add_argument("--slower", type=float, default=1)
    parser.add_argument("--thin-line", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.visits, given.slower, thin=given.thin_line))
