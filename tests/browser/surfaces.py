"""Every page of the site, and everything that opens on one, as one walk: each step leads to the next.

A new page or dialog gets a line in `SURFACES`; whoever looks at all of them (test_axe) looks at it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.async_api import expect
from visits import log_in, playing_since, sign_up

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from house import House, Person
    from playwright.async_api import Page


@dataclass(frozen=True)
class Walk:
    """One browser on its way; `streamer` is on air and somebody else's, `owner` is on air and will log in here."""

    house: House
    page: Page
    streamer: str
    owner: Person
    newcomer: str

    def find(self, selector: str, **options):
        return self.page.locator(selector, **options)


async def home(walk: Walk) -> None:
    await walk.page.goto("/")
    await expect(walk.find("channel-card").first).to_be_visible()


async def home_without_a_find(walk: Walk) -> None:
    await walk.page.fill("#search", "zzzzz")
    await expect(walk.find("live-now .empty")).to_be_visible()


async def home_while_all_sleep(walk: Walk) -> None:
    await walk.page.route("**/api/channels?*", lambda route: route.fulfill(json={"channels": [], "next": None}))
    await walk.page.goto("/")
    await expect(walk.find("live-now .empty")).to_be_visible()
    await walk.page.unroute("**/api/channels?*")


async def home_unreachable(walk: Walk) -> None:
    await walk.page.route("**/api/channels?*", lambda route: route.abort())
    await walk.page.goto("/")
    await expect(walk.find("live-now [role=alert]")).to_be_visible()
    await walk.page.unroute("**/api/channels?*")


async def no_such_channel(walk: Walk) -> None:
    await walk.page.goto("/c/nobodyofthatname")
    await expect(walk.find("section.missing h1")).to_be_visible()


async def channel_as_a_guest(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.streamer}")
    await playing_since(walk.page, 0)
    await expect(walk.find("chat-list .line .text").first).to_be_visible()
    await walk.find("live-player .stage").hover()


async def chat_alone(walk: Walk) -> None:
    await walk.page.goto(f"/chat/{walk.streamer}")
    await expect(walk.find("chat-list .line .text").first).to_be_visible()


async def no_such_chat(walk: Walk) -> None:
    await walk.page.goto("/chat/nobodyofthatname")
    await expect(walk.find("section.missing h2")).to_be_visible()


async def shared(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.streamer}")
    await walk.page.click("channel-about .share")
    await expect(walk.find("share-dialog copy-field").last).to_be_visible()


async def older_than_the_house(walk: Walk) -> None:
    await walk.page.keyboard.press("Escape")
    await walk.page.evaluate("() => void Promise.reject(new TypeError('Importing a module script failed.'))")
    await expect(walk.find(".reload-hint")).to_be_visible()


async def embedded(walk: Walk) -> None:
    await walk.page.goto(f"/embed/{walk.streamer}")
    await playing_since(walk.page, 0)


async def log_in_refused(walk: Walk) -> None:
    await walk.page.goto("/login")
    await log_in(walk.page, "nobody_at_all", "not the right password")
    await expect(walk.find("log-in-form [role=alert]")).to_be_visible()


async def sign_up_refused(walk: Walk) -> None:
    await walk.page.goto("/signup")
    await walk.page.fill("#login_id", "NO!")
    await walk.page.fill("#password", "short")
    await walk.page.fill("#nickname", "x")
    await walk.page.click("sign-up-form button[type=submit]")
    await expect(walk.find("sign-up-form [aria-invalid=true]").first).to_be_visible()


async def welcome(walk: Walk) -> None:
    await sign_up(walk.page, walk.newcomer)


async def menu(walk: Walk) -> None:
    await walk.page.click("site-header .me")
    await expect(walk.find("#me-menu")).to_be_visible()


async def donate(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.owner.nickname}")
    await walk.page.click("channel-about button.donate")
    await expect(walk.find("donate-dialog .balance")).to_contain_text("100")


async def donate_refused(walk: Walk) -> None:
    await walk.page.fill("donate-dialog input[type=number]", "5000")
    await walk.page.click("donate-dialog button[type=submit]")
    await expect(walk.find("donate-dialog [role=alert]")).to_be_visible()


async def donate_thanks(walk: Walk) -> None:
    await walk.page.fill("donate-dialog input[type=number]", "30")
    await walk.page.fill("donate-dialog textarea", "고양이 간식 🐟 " * 9)  # Long, so that its alert stays long.
    await walk.page.click("donate-dialog button[type=submit]")
    await expect(walk.find("donate-dialog .thanks")).to_be_visible()
    await walk.find("donate-dialog .thanks button").press("Enter")
    await walk.page.fill("#chat-text", "안녕하세요")
    await walk.page.press("#chat-text", "Enter")
    await expect(walk.find("chat-list .line.mine:not(.pending)").first).to_be_visible()


async def packs(walk: Walk) -> None:
    await walk.page.goto("/wallet")
    await expect(walk.find("top-up-desk .pack").first).to_be_visible()


async def order(walk: Walk) -> None:
    await walk.find("top-up-desk .pack").first.click()
    await expect(walk.find("top-up-desk .qr")).to_be_visible()


async def practice_payment(walk: Walk) -> None:
    await walk.find("top-up-desk a.button.main").click()
    await expect(walk.find(".no-money")).to_be_visible()


async def practice_payment_on_a_phone(walk: Walk) -> None:
    await walk.page.goto(str(await walk.find("p > a").first.get_attribute("href")))
    await expect(walk.find("button[value=pay]")).to_be_visible()


async def paid(walk: Walk) -> None:
    await walk.page.click("button[value=pay]")
    await expect(walk.find("top-up-desk .order")).to_have_attribute("data-state", "paid")
    await expect(walk.find("wallet-desk .lines button").first).to_be_visible()


async def refund(walk: Walk) -> None:
    await walk.find("wallet-desk .lines button").first.click()
    await expect(walk.find("wallet-desk dialog")).to_be_visible()


async def studio_off_air(walk: Walk) -> None:
    await walk.page.goto("/studio")
    await expect(walk.find("studio-desk .encoder")).to_be_visible()
    await expect(walk.find("chat-room .composer")).to_be_visible()


async def another_key(walk: Walk) -> None:
    await walk.find("studio-desk .encoder p > button.quiet").click()
    await expect(walk.find("studio-desk .encoder dialog")).to_be_visible()


async def the_key(walk: Walk) -> None:
    await walk.find("studio-desk .encoder dialog button:not(.quiet)").click()
    await expect(walk.find("studio-desk copy-field")).to_have_count(2)


async def own_channel_off_air(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.newcomer}")
    await expect(walk.find("live-player .notice.full p")).to_be_visible()
    await expect(walk.find("channel-about h1")).not_to_be_empty()
    await expect(walk.find("chat-room .composer")).to_be_visible()


async def studio_on_air(walk: Walk) -> None:
    await walk.page.evaluate("() => fetch('/api/members/logout', {method: 'POST'})")
    await walk.page.goto("/login")
    await log_in(walk.page, walk.owner.login_id)
    await walk.page.wait_for_url("/")
    await walk.page.goto("/studio")
    await expect(walk.find("stream-health .connected")).to_be_visible()
    await expect(walk.find("received-donations li").first).to_be_visible()
    await expect(walk.find("aside chat-list .line").first).to_be_visible()


async def cut_off(walk: Walk) -> None:
    await walk.find("stream-health .row button.small").click()
    await expect(walk.find("stream-health dialog")).to_be_visible()


async def give_back(walk: Walk) -> None:
    await walk.page.keyboard.press("Escape")
    await walk.find("received-donations li button").first.click()
    await expect(walk.find("received-donations dialog")).to_be_visible()


async def rules(walk: Walk) -> None:
    await walk.page.keyboard.press("Escape")
    await walk.page.click("chat-room .rule")
    await walk.page.fill("chat-rules [name=pinned]", "오늘은 8시까지 합니다")
    await walk.page.click("chat-rules button[type=submit]")
    await expect(walk.find("chat-room .pinned")).to_be_visible()


async def acts(walk: Walk) -> None:
    await walk.find("chat-rules button.quiet").click()
    await walk.find("chat-list .line .name", has_text=walk.newcomer).last.click()
    await walk.find("chat-acts .row button").nth(2).press("Enter")
    await expect(walk.find("chat-acts .said button")).to_be_visible()


async def emotes(walk: Walk) -> None:
    await walk.page.click("chat-room button.pick")
    await expect(walk.find("emote-picker img").first).to_be_visible()


async def overlay_links(walk: Walk) -> None:
    await walk.page.click("overlay-links section > .row button")
    await expect(walk.find("overlay-links copy-field").first).to_be_visible()


async def unlink(walk: Walk) -> None:
    await walk.find("overlay-links li button").last.click()
    await expect(walk.find("overlay-links dialog")).to_be_visible()


async def overlay_chat(walk: Walk) -> None:
    await walk.page.goto(await walk.find("overlay-links copy-field input").nth(1).input_value())
    await expect(walk.find("chat-list .line").first).to_be_visible()
    # A picture of middling dark lies under it; axe does not count the shadow of the letters.
    await walk.page.evaluate("document.documentElement.style.background = '#444'")


async def overlay_goal(walk: Walk) -> None:
    asked = {"title": "새 방석", "points": 1000}
    await walk.house.api("PUT", f"/api/channels/{walk.owner.nickname}/goal", asked, token=walk.owner.token)
    await walk.page.goto(walk.page.url.replace("/chat?", "/goal?"))
    await expect(walk.find("goal-bar")).to_be_visible()


async def overlay_alert(walk: Walk) -> None:
    # As of a scene that comes back: what was given before it is shown.
    await walk.page.evaluate(
        "(key) => localStorage.setItem(key, JSON.stringify({ seq: 0, ids: [], at: Date.now() }))",
        f"commeow.alerts.{walk.owner.nickname}",
    )
    await walk.page.goto(walk.page.url.replace("/goal?", "/alerts?"))
    await expect(walk.find("overlay-alerts .alert")).to_be_visible()


async def channel_support(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.owner.nickname}")
    await expect(walk.find("channel-support goal-bar")).to_be_visible()
    await expect(walk.find("channel-support li").first).to_be_visible()


async def moderation_log(walk: Walk) -> None:
    await walk.page.goto(f"/c/{walk.owner.nickname}/moderation")
    await expect(walk.find("moderation-log li").first).to_be_visible()


async def account(walk: Walk) -> None:
    await walk.page.goto("/account")
    await expect(walk.find("login-list li").first).to_be_visible()


async def a_bots_token(walk: Walk) -> None:
    await walk.page.fill("bot-tokens input[name=name]", "봇")
    await walk.page.click("bot-tokens form button")
    await expect(walk.find("bot-tokens copy-field")).to_be_visible()


async def revoking(walk: Walk) -> None:
    await walk.find("bot-tokens li button").last.click()
    await expect(walk.find("bot-tokens dialog")).to_be_visible()


async def leaving_refused(walk: Walk) -> None:
    await walk.page.keyboard.press("Escape")
    await walk.page.click("leave-form section > .row button")
    await walk.page.fill("#leave_nickname", "somebody")
    await walk.page.click("leave-form button[type=submit]")
    await expect(walk.find("#leave_nickname-below.problem")).to_be_visible()


SURFACES: tuple[Callable[[Walk], Awaitable[None]], ...] = (
    home,
    home_without_a_find,
    home_while_all_sleep,
    home_unreachable,
    no_such_channel,
    channel_as_a_guest,
    chat_alone,
    no_such_chat,
    shared,
    older_than_the_house,
    embedded,
    log_in_refused,
    sign_up_refused,
    welcome,
    menu,
    packs,
    order,
    practice_payment,
    practice_payment_on_a_phone,
    paid,
    refund,
    donate,
    donate_refused,
    donate_thanks,
    studio_off_air,
    another_key,
    the_key,
    own_channel_off_air,
    studio_on_air,
    cut_off,
    give_back,
    rules,
    acts,
    emotes,
    overlay_links,
    unlink,
    overlay_chat,
    overlay_goal,
    overlay_alert,
    channel_support,
    moderation_log,
    account,
    a_bots_token,
    revoking,
    leaving_refused,
)
