"""What the visits to a page have in common: wait for the picture, sign up, log in, see one channel alone."""

from __future__ import annotations

import base64
import json

from house import PASSWORD, eventually
from playwright.async_api import expect


async def playing_since(page, second: float) -> float:
    """Wait until the picture has played past `second`; answer where it is."""

    async def look():
        at = await page.evaluate("document.querySelector('video')?.currentTime ?? 0")
        return at if at > second else None

    return await eventually(look, what=f"a picture past {second} s")


def room_of(person) -> int:
    """Read the number of a member's room off their token."""
    claims = person.token.split(".")[1]
    return int(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


async def alone(page, nickname: str) -> None:
    """Let the page hear of one channel only: those of the tests before go off air when they like."""

    async def answer(route):
        response = await route.fetch()
        told = await response.json()
        told["channels"] = [one for one in told["channels"] if one["nickname"] == nickname]
        await route.fulfill(response=response, json=told)

    await page.route("**/api/channels?*", answer)


async def sign_up(page, nickname: str) -> str:
    """Go to the sign-up form and fill it in; answer the login id."""
    await page.goto("/signup")
    return await sign_up_here(page, nickname)


async def sign_up_here(page, nickname: str) -> str:
    """Fill in the sign-up form of this page; answer the login id."""
    login_id = f"u{nickname}"[:20]
    await page.fill("#login_id", login_id)
    await page.fill("#password", PASSWORD)
    await page.fill("#nickname", nickname)
    await page.click("sign-up-form button[type=submit]")
    await expect(page.locator("sign-up-form .welcome")).to_be_visible()
    return login_id


async def log_in(page, login_id: str, password: str = PASSWORD) -> None:
    await page.fill("#login_id", login_id)
    await page.fill("#password", password)
    await page.click("log-in-form button[type=submit]")
