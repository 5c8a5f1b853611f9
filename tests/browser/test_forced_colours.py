"""A system with colours of its own (high contrast): what has the focus, and what is on, is still seen."""

from __future__ import annotations

from playwright.async_api import expect
from visits import log_in

# After a key was pressed, focus that comes by script is shown as the keyboard's. One task: nothing is drawn anew.
UNSEEN = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")];
  const found = [];
  for (const one of all.filter((each) => each.checkVisibility() && !each.disabled)) {
    one.focus();
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    const unseen = outlineStyle === "none" || parseFloat(outlineWidth) < 2;
    if (document.activeElement === one && unseen) found.push(one.outerHTML);
  }
  return found;
}"""
EDGELESS = """() => [...document.querySelectorAll("button, .button")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).borderStyle === "none").map((one) => one.outerHTML)"""


async def test_focus_and_state_are_seen_in_a_systems_own_colours(house, new_page, nickname):
    member = await house.sign_up(nickname())
    async with new_page(forced_colors="active") as page:
        await page.goto("/login?next=/account")
        await log_in(page, member.login_id)
        chosen = page.locator("account-desk .choice[aria-pressed=true]")
        other = page.locator("account-desk .choice[aria-pressed=false]")
        await expect(chosen).to_be_visible()
        ground = "(one) => getComputedStyle(one).backgroundColor"
        assert await chosen.evaluate(ground) != await other.evaluate(ground)
        for path, there in (
            ("/account", "account-desk .choice"),
            ("/wallet", "top-up-desk .pack"),
            ("/studio", "studio-desk .encoder"),
            (f"/c/{member.nickname}", "chat-room .composer"),
            (f"/chat/{member.nickname}", "chat-room .composer"),
        ):
            await page.goto(path)
            await expect(page.locator(there).first).to_be_visible()
            await page.keyboard.press("Tab")
            assert await page.evaluate(UNSEEN) == [], path
            assert await page.evaluate(EDGELESS) == [], path
