"""How a page keeps up with a room that is faster than it: lag, input, and what three hours leave behind.

    python tests/bench/bench_page_chat.py [--rates 500,2000,0] [--slow 4] [--seconds 12] [--hours 3]

A whole house, Debian's Chromium with its processor slowed down `--slow` times (CDP), and lines by the house's own bus:
a member may say one line a second, so two thousand a second are not to be had by the front door. Everything behind
the bus is real: Valkey, RSocket server, WebSocket, page. Each line carries the moment it was made; its lag is taken
when it stands in the list. Meanwhile somebody types in the composer: from the press, as the browser stamped it, to the
first task after the frame that shows the letter, and to its pixels as the browser counts them (Event Timing). Bars: p95
of the lag at most 500 ms, of the input, counted the first way, at most 100 ms. A rate of 0 shows what a key costs here
while nobody says anything.

`--hours` then offers as many lines as a busy room says in so long (ten a second), as fast as they are drawn; after
each tenth the garbage is collected and nodes, listeners and heap are read. Bar: the last not above the second by more
than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import redis.asyncio
from playwright.async_api import async_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import PASSWORD, House  # noqa: E402

from console.embedded import PostgreSQL, Valkey  # noqa: E402
from db.bus import Bus  # noqa: E402

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

LAG_MILLISECONDS_MAX = 500
INPUT_MILLISECONDS_MAX = 100
GROWTH_MAX = 1.1
BEAT_SECONDS = 0.01
TOGETHER = 32
WARM_SECONDS = 3
LINES_A_SECOND_OF_A_BUSY_ROOM = 10
WORDS = "the cat sat on the keyboard and nobody minded at all"

OBSERVE = """() => {
  window.seen = { lags: [], lines: 0, gaps: 0, keys: [], pixels: [], fromMs: 0 };
  new MutationObserver((changes) => {
    const now = Date.now();
    for (const { addedNodes } of changes) {
      for (const row of addedNodes) {
        if (row.classList?.contains("gap")) seen.gaps += 1;
        const made = Number.parseInt(row.querySelector?.(".text")?.textContent ?? "", 10);
        if (Number.isNaN(made)) continue;
        seen.lines += 1;
        if (seen.lags.length < 200000) seen.lags.push(now - made);
      }
    }
  }).observe(document.querySelector("chat-list > div"), { childList: true });
  // From the press, as the browser stamped it, to the first task after the frame that shows the letter.
  document.querySelector("#chat-text").addEventListener("keydown", ({ timeStamp }) => {
    requestAnimationFrame(() => setTimeout(() => seen.keys.push(performance.now() - timeStamp)));
  });
  // To its pixels. Those that take less than 16 ms are not told.
  new PerformanceObserver((told) => {
    for (const { startTime, duration } of told.getEntriesByName("keydown")) {
      if (startTime > seen.fromMs) seen.pixels.push(duration);
    }
  }).observe({ type: "event", durationThreshold: 16 });
}"""

ANEW = "Object.assign(seen, { lags: [], lines: 0, gaps: 0, keys: [], pixels: [], fromMs: performance.now() })"


class Room:
    """A channel of the house, and what is said in it."""

    def __init__(self, bus: Bus, number: int) -> None:
        self.bus = bus
        self.number = number
        self.made = 0

    def line(self) -> bytes:
        self.made += 1
        return json.dumps(
            {
                "kind": "said",
                "id": f"line-{self.made}",
                "from": {"nickname": f"viewer{self.made % 200}", "roles": []},
                "text": f"{time.time() * 1000:.0f} {WORDS}",
                "at": "2026-11-26T00:00:00Z",
            }
        ).encode()

    async def speak(self, rate: float) -> None:
        """Offer `rate` lines a second, whoever listens, until cancelled."""
        began, said = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * rate) - said
            now = min(due, TOGETHER)
            await asyncio.gather(*(self.bus.publish(self.number, self.line()) for _ in range(now)))
            said += now
            await asyncio.sleep(BEAT_SECONDS if now == due else 0)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


async def keep_typing(page: Page) -> None:
    """Type as people do, and never send."""
    while True:
        await page.keyboard.press("a")
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(task: Any) -> Any:
    running = asyncio.create_task(task)
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def measure(page: Page, room: Room, rate: int, slow: float, seconds: float) -> bool:
    """Offer `rate` lines a second for a while; print and judge what the page made of them."""
    cdp = await page.context.new_cdp_session(page)
    await page.reload()
    await page.locator("#chat-text").focus()
    await page.evaluate(OBSERVE)
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": slow})
    async with running(room.speak(rate)), running(keep_typing(page)):
        await asyncio.sleep(WARM_SECONDS)
        await page.evaluate(ANEW)
        made, began = room.made, time.monotonic()
        await asyncio.sleep(seconds)
        seen = await page.evaluate("seen")
        took = time.monotonic() - began
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    await cdp.detach()
    keys, pixels = seen["keys"], seen["pixels"]
    lag, key = percentile(seen["lags"], 0.95), percentile(keys, 0.95)
    print(
        f"{rate:5} lines/s, CPU / {slow:g}: offered {(room.made - made) / took:.0f}/s, "
        f"drawn {seen['lines'] / took:.0f}/s, lag p50 {percentile(seen['lags'], 0.5):.0f} p95 {lag:.0f} ms; "
        f"{len(keys)} keys to paint p50 {percentile(keys, 0.5):.0f} p95 {key:.0f} ms, max {max(keys, default=0):.0f}; "
        f"to pixels p50 {percentile(pixels, 0.5):.0f} p95 {percentile(pixels, 0.95):.0f} ms",
        flush=True,
    )
    return rate == 0 or (lag <= LAG_MILLISECONDS_MAX and key <= INPUT_MILLISECONDS_MAX)


async def weigh(cdp: CDPSession) -> dict[str, float]:
    """Collect the garbage and read what is left."""
    for _ in range(2):
        await cdp.send("HeapProfiler.collectGarbage")
    metrics = (await cdp.send("Performance.getMetrics"))["metrics"]
    by_name = {metric["name"]: metric["value"] for metric in metrics}
    return {name: by_name[name] for name in ("Nodes", "JSEventListeners", "JSHeapUsedSize")}


async def outlast(page: Page, room: Room, hours: float) -> bool:
    """Draw as many lines as a busy room says in `hours`; judge what they leave behind."""
    wanted = int(hours * 3600 * LINES_A_SECOND_OF_A_BUSY_ROOM)
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Performance.enable")
    await page.reload()
    await page.locator("#chat-text").focus()
    await page.evaluate(OBSERVE)
    weights: list[dict[str, float]] = []
    async with running(room.speak(3000)):
        for tenth in range(1, 11):
            while await page.evaluate("seen.lines") < wanted * tenth / 10:
                await asyncio.sleep(0.2)
            await page.evaluate("seen.lags = []; performance.clearMarks()")
            weights.append(await weigh(cdp))
            drawn = await page.evaluate("seen.lines")
            print(
                f"{drawn:7} lines drawn: {weights[-1]['Nodes']:5.0f} nodes, {weights[-1]['JSEventListeners']:4.0f} "
                f"listeners, {weights[-1]['JSHeapUsedSize'] / 2**20:5.2f} MB heap",
                flush=True,
            )
    return all(weights[-1][name] <= GROWTH_MAX * weights[1][name] for name in weights[-1])


async def main(rates: list[int], slow: float, seconds: float, hours: float) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="commeow-page-"))
    house = await House(folder / "data").start()
    chromium = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    try:
        owner = await house.sign_up("owner")
        database = await asyncpg.connect(PostgreSQL(house.data / "postgres").url())
        number = await database.fetchval("SELECT id FROM member WHERE nickname = 'owner'")
        await database.close()
        client = redis.asyncio.Redis.from_url(Valkey(house.data / "valkey").url)
        room = Room(Bus(client), number)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium)
            page = await browser.new_page(base_url=house.url, viewport={"width": 1280, "height": 800})
            await page.goto("/login")
            await page.fill("#login_id", owner.login_id)
            await page.fill("#password", PASSWORD)
            await page.click("log-in-form button[type=submit]")
            await page.locator("site-header .me").wait_for()
            await page.goto("/c/owner")
            good = [await measure(page, room, rate, slow, seconds) for rate in rates]
            if hours:
                good.append(await outlast(page, room, hours))
            await browser.close()
        await client.aclose()
    finally:
        await house.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return all(good)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="500,2000,0")
    parser.add_argument("--slow", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--hours", type=float, default=3)
    given = parser.parse_args()
    rates = [int(rate) for rate in given.rates.split(",") if rate]
    sys.exit(0 if asyncio.run(main(rates, given.slow, given.seconds, given.hours)) else 1)
