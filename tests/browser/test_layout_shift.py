"""Nothing jumps away from under a reader's eye or finger while a page comes together."""

from __future__ import annotations

from house import PASSWORD, Encoder
from playwright.async_api import expect
from visits import alone, log_in, playing_since

# Of the web's own measure (Cumulative Layout Shift), which calls 0.1 good. A line of text that moves is about 0.01.
SHIFT_MAX = 0.02
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}

WATCH = """() => {
  const told = (node) => (node?.nodeType === 3 ? node.parentElement : node)?.outerHTML?.slice(0, 70) ?? String(node);
  const box = ({ x, y, width, height }) => [x, y, width, height].map(Math.round);
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (hadRecentInput) continue;
      const moved = sources.map((one) => `${told(one.node)} ${box(one.previousRect)} -> ${box(one.currentRect)}`);
      shifts.push({ value, moved });
    }
  }).observe({ type: "layout-shift", buffered: true });
}"""
# What has been drawn by now is told after the frame that follows it.
TOLD = """async () => {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  await new Promise((resolve) => setTimeout(resolve));
  return shifts;
}"""


async def shifted(page, path, *shown):
    """Open a page, wait for all that it shows, and answer what moved meanwhile."""
    await page.goto(path)
    for selector in shown:
        await expect(page.locator(selector).first).to_be_visible()
    if "player-controls .seek" in shown:
        await playing_since(page, 0)
    return await page.evaluate(TOLD)


async def enter(page, person):
    """Log in on the way to the wallet, and answer what moved there."""
    await page.add_init_script(f"({WATCH})()")
    await page.goto("/login?next=/wallet")
    await log_in(page, person.login_id, PASSWORD)
    await expect(page.locator("top-up-desk .pack").first).to_be_visible()
    await expect(page.locator("wallet-desk .books .card")).to_be_visible()
    return await page.evaluate(TOLD)


async def test_nothing_jumps_while_a_page_comes_together(house, new_page, nickname, ffmpeg):
    streamer, sleeper = await house.sign_up(nickname()), await house.sign_up(nickname())
    on, off = f"/c/{streamer.nickname}", f"/c/{sleeper.nickname}"
    chat, settings = "chat-room .composer", "studio-settings goal-form form"
    found = {}
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key), new_page() as page, new_page() as another:
        await house.on_air(streamer.nickname)
        await alone(page, streamer.nickname)
        for one, person, size in ((page, streamer, "desktop"), (another, sleeper, "phone")):
            await one.set_viewport_size(SIZES[size])
            found[size, "wallet"] = await enter(one, person)
        for size, sides in SIZES.items():
            for one in (page, another):
                await one.set_viewport_size(sides)
            rail = ("channel-rail nav",) if size == "desktop" else ()
            found[size, "home"] = await shifted(page, "/", "channel-card", *rail)
            found[size, "off air"] = await shifted(page, off, "channel-about .follow", chat, "also-live li", *rail)
            found[size, "on air"] = await shifted(page, on, "channel-about h1", chat, "player-controls .seek", *rail)
            found[size, "studio"] = await shifted(page, "/studio", "stream-health figure", chat, settings)
            found[size, "studio off air"] = await shifted(another, "/studio", ".encoder", chat, settings)

    sums = {visit: round(sum(one["value"] for one in shifts), 4) for visit, shifts in found.items()}
    print(sums)
    assert {visit: found[visit] for visit, total in sums.items() if total > SHIFT_MAX} == {}
