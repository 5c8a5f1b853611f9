"""Many fresh players of our page, some of which lose their network for a while: none may stay frozen.

    python tests/bench/check_players.py [--players 30] [--at-once 3] [--seconds 36] [--part-ms 200] [--cut-seconds 8]

Each player is a page of a browser profile of its own, in headless Chromium, and watches a live channel whose picture
changes all the time. They come in batches, as many at once as the machine can decode: three on two cores. Every third
loses its network after ten seconds, for --cut-seconds, and must play again by itself. A player is frozen when its
picture stood still for more than five seconds with its network whole, or has not moved again fifteen seconds after it
came back. Prints a line a batch and what froze; exit code 1 if any did.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows"), str(ROOT / "tests" / "bench")]

from bench_latency import film  # noqa: E402
from house import House  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402

LOOK_SECONDS = 0.25
BEGIN_SECONDS_MAX = 60.0  # A machine that is busy with decoding begins late; that is not frozen.
CUT_AFTER_SECONDS = 10.0
STILL_SECONDS_MAX = 5.0
BACK_SECONDS_MAX = 15.0
EACH_CUT = 3


@dataclass
class Seen:
    """What one player did."""

    began: float | None = None
    still: float = 0.0  # The longest standstill with the network whole.
    stalls: int = 0  # Standstills of half a second and more.
    back: float | None = None  # From the network's return to a picture that moves.
    cut: bool = False
    moments: list[tuple[float, float]] = field(default_factory=list)

    @property
    def frozen(self) -> bool:
        """Whether it stayed so."""
        lost = self.cut and (self.back is None or self.back > BACK_SECONDS_MAX)
        return self.began is None or self.still > STILL_SECONDS_MAX or lost


async def play(browser: Any, address: str, options: argparse.Namespace, *, cut: bool) -> Seen:
    """Watch with one player; cut off its network if it shall be."""
    seen = Seen(cut=cut)
    context = await browser.new_context(viewport={"width": 640, "height": 480})
    try:
        page = await context.new_page()
        began = time.monotonic()
        await page.goto(address)
        while (await at(page)) <= 0 and time.monotonic() - began < BEGIN_SECONDS_MAX:
            await asyncio.sleep(LOOK_SECONDS)
        if await at(page) <= 0:
            return seen
        started = time.monotonic()
        seen.began = started - began
        moved, last, away, returned = started, await at(page), False, 0.0
        while (passed := time.monotonic() - started) < options.seconds:
            if cut and not returned and passed >= CUT_AFTER_SECONDS:
                if not away:
                    await context.set_offline(True)
                    away = True
                elif passed >= CUT_AFTER_SECONDS + options.cut_seconds:
                    await context.set_offline(False)
                    away, returned = False, time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            now, there = time.monotonic(), await at(page)
            if there != last:
                if returned and seen.back is None:
                    seen.back = now - returned
                elif not away and now - moved >= 2 * LOOK_SECONDS + 0.1:
                    seen.stalls += 1
                moved, last = now, there
            elif not away and (not returned or seen.back is not None):
                seen.still = max(seen.still, now - moved)
    finally:
        await context.close()
    return seen


async def at(page: Any) -> float:
    return float(await page.evaluate("document.querySelector('video')?.currentTime ?? 0"))


async def main(options: argparse.Namespace) -> int:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
    many = f"{options.players} players, {options.at_once} at once"
    print(f"{many}, {options.part_ms} ms parts; load {os.getloadavg()[0]:.1f}")
    everybody: list[Seen] = []
    with tempfile.TemporaryDirectory(prefix="commeow-bench-") as folder:
        house = await House(Path(folder) / "data", COMMEOW_PART_MS=str(options.part_ms)).start()
        try:
            person = await house.sign_up("Clock")
            async with film(f"{person.stream_server}/{person.stream_key}", None), async_playwright() as playwright:
                await house.on_air("Clock")
                browser = await playwright.chromium.launch(
                    executable_path=program, args=["--autoplay-policy=no-user-gesture-required", "--mute-audio"]
                )
                while len(everybody) < options.players:
                    first = len(everybody)
                    some = range(first, min(first + options.at_once, options.players))
                    batch = await asyncio.gather(
                        *(play(browser, f"{house.url}/c/Clock", options, cut=index % EACH_CUT == 2) for index in some)
                    )
                    everybody += batch
                    say(first, batch)
                await browser.close()
        finally:
            await house.stop()
    frozen = [index for index, seen in enumerate(everybody) if seen.frozen]
    cut = [seen.back for seen in everybody if seen.cut and seen.back is not None]
    print(f"{len(everybody)} players, {len(frozen)} frozen {frozen or ''}")
    print(f"longest standstill {max(seen.still for seen in everybody):.1f} s", end="")
    print(f", {sum(seen.stalls for seen in everybody)} stalls" + (f", back within {max(cut):.1f} s" if cut else ""))
    return 1 if frozen else 0


def say(first: int, batch: list[Seen]) -> None:
    begins = " ".join("never" if seen.began is None else f"{seen.began:.1f}" for seen in batch)
    backs = " ".join("never" if seen.back is None else f"{seen.back:.1f}" for seen in batch if seen.cut)
    still = max(seen.still for seen in batch)
    print(
        f"  from {first:>2}: began after {begins} s; back after {backs or '-'} s; longest standstill {still:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=36)
    parser.add_argument("--part-ms", type=int, default=200)
    parser.add_argument("--cut-seconds", type=float, default=8)
    sys.exit(asyncio.run(main(parser.parse_args())))
