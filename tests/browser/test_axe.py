"""Nobody is shut out: axe finds nothing on any page, or in what opens there, light and dark, ko and en."""

from __future__ import annotations

import asyncio

import pytest
from house import Encoder
from surfaces import SURFACES, Walk

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What of WCAG changes with the colours; all the rest was looked at in the light.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]

# Many times what the slowest step needs on two busy cores.
STEP_SECONDS_MAX = 90

FIND = """async (only) => {
  // Colours on their way from one scheme to the other are nobody's. To wait for their end is to wait for frames, which
  // need not come; and where one ends, what inherits from it may begin.
  for (let generation = 0; generation < 9; generation += 1) {
    document.getAnimations().forEach((one) => one instanceof CSSTransition && one.finish());
  }
  const { violations } = await axe.run({ runOnly: only, resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
}"""


async def within(step, name):
    """Answer what the step does; if it hangs, say which."""
    try:
        return await asyncio.wait_for(step, STEP_SECONDS_MAX)
    except TimeoutError:
        pytest.fail(f"hung: {name}")


# Forty seconds and more where two cores carry both browsers: every page there is, four times.
@pytest.mark.timeout(400)
async def test_nobody_is_shut_out(house, new_page, nickname, ffmpeg, axe, shoot_if_asked):
    streamer = (await house.on_air("demo"))["nickname"]  # Not one of a test before, whose broadcast is about to end.
    owner = await house.sign_up(nickname())

    async def look(locale):
        found = []
        async with new_page(locale=locale) as page:
            await page.add_init_script(axe)
            walk = Walk(house, page, streamer, owner, nickname())
            for surface in SURFACES:
                await within(surface(walk), surface.__name__)
                for scheme, only in (("dark", COLOUR_RULES), ("light", TAGS)):
                    name = f"{surface.__name__}-{scheme}-{locale[:2]}"
                    await page.emulate_media(color_scheme=scheme)
                    found += [f"{name}: {one}" for one in await within(page.evaluate(FIND, only), name)]
                    await shoot_if_asked(page, name)
            # Refusals were part of the walk: what the browser says of them is no question here.
            page.forgiven.append("")
        return found

    async with Encoder(ffmpeg, owner.stream_server, owner.stream_key, "-g", "150"):
        await house.on_air(owner.nickname)
        findings = [one for found in await asyncio.gather(look("ko-KR"), look("en-GB")) for one in found]

    assert not findings, "\n".join(findings)
