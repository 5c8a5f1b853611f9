"""Hold home and channel to Lighthouse: performance, accessibility, best practices and SEO, at least 95 each.

    npm i --prefix FOLDER lighthouse@12.8.2
    python tests/bench/check_lighthouse.py --lighthouse FOLDER/node_modules/.bin/lighthouse [--desktop] [--runs 3]

A whole house with its demo channel on air, as `./commeow` starts it; Lighthouse's own slow phone (or `--desktop`), the
median of the runs. What cost points is printed. Lighthouse is no dependency of ours: it is 50 MB for one question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "flows")]

from house import House, eventually  # noqa: E402

SCORE_MIN = 95
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


async def judged(program: str, url: str, options: list[str], folder: Path) -> dict[str, Any]:
    """Let Lighthouse look at a page; answer its report."""
    report = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        *(program, url, "--quiet", "--output=json", f"--output-path={report}"),
        *(f"--only-categories={','.join(CATEGORIES)}", "--chrome-flags=--headless=new --no-sandbox"),
        *options,
        env={**os.environ, "CHROME_PATH": shutil.which("chromium") or ""},
    )
    assert await process.wait() == 0
    return dict(json.loads(report.read_text(encoding="utf-8")))


def costs(report: dict[str, Any]) -> list[str]:
    """Name what took points away, with what Lighthouse says of it."""
    found = []
    for category in report["categories"].values():
        for part in category["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 1:
                nodes = [item.get("node", {}).get("snippet", "") for item in audit.get("details", {}).get("items", [])]
                found.append(f"{category['id']}: {part['id']} {audit.get('displayValue', '')} {' '.join(nodes)[:200]}")
    return found


async def main(program: str, runs: int, options: list[str]) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="commeow-lighthouse-"))
    house = await House(folder / "data", COMMEOW_DEMO="auto").start()
    good = True
    try:
        await house.on_air("demo")

        async def depicted() -> Any:
            return (await house.on_air("demo"))["thumbnail"]

        await eventually(depicted, within=30, what="a thumbnail")
        for path in ("/", "/c/demo"):
            reports = [await judged(program, f"{house.url}{path}", options, folder) for _ in range(runs)]
            scores = {
                name: statistics.median(100 * report["categories"][name]["score"] for report in reports)
                for name in CATEGORIES
            }
            print(path, *(f"{name} {score:.0f}" for name, score in scores.items()), flush=True)
            if min(scores.values()) < SCORE_MIN:
                good = False
            for words in sorted({words for report in reports for words in costs(report)}):
                print("   ", words, flush=True)
    finally:
        await house.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lighthouse", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--desktop", action="store_true")
    given = parser.parse_args()
    chosen = ["--preset=desktop"] if given.desktop else []
    sys.exit(0 if asyncio.run(main(given.lighthouse, given.runs, chosen)) else 1)
