"""A real browser before a real house; and whatever a page complains of fails its test."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from pathlib import Path

import pytest
import pytest_asyncio
from house import ROOT, WAIT_SECONDS, Encoder, House
from playwright.async_api import async_playwright, expect

SHOTS = os.environ.get("COMMEOW_SHOTS")
ARTIFACTS = Path(SHOTS or Path(__file__).parent / "artifacts")
REMEDY = "no Chromium here: apt-get install --no-install-recommends chromium fonts-noto-cjk, or set CHROMIUM to one"
# For whatever a page is waited for, also by `expect`, whose own five seconds a busy machine may need for one page.
WAIT_MILLISECONDS = WAIT_SECONDS * 1000
expect.set_options(timeout=WAIT_MILLISECONDS)
# What the machine's pace and the tests before this one bring about in a house that they share. The pages are made for
# both, and nobody can be told beforehand when they come.
PASSING = (
    # The encoder is late: the player asks anew.
    re.compile(r"status of 503 .*/hls/"),
    # A broadcast of a test before ended between the list and its picture: the cat comes (test_pages looks at that).
    re.compile(r"status of 404 .*/thumbnails/n[0-9a-f]{10}\.jpg"),
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory):
    """One house on an empty database, with its demo channel."""
    house = await House(tmp_path_factory.mktemp("browser") / "data", COMMEOW_DEMO="auto").start()
    yield house
    await house.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    """Debian's Chromium. Its absence is a failure with its remedy, never a skip: a green suite has seen the pages."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
    assert program, REMEDY
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--autoplay-policy=no-user-gesture-required"],
            timeout=WAIT_MILLISECONDS,
        )
        yield browser
        await browser.close()


def is_complaint(line) -> bool:
    """Whether a console line is a fault of the page.

    hls.js revokes its media URL once it is attached; Chromium looks for it again when such a page is left.
    """
    of_nobody = line.location["url"].startswith("blob:") or any(one.search(complaint(line)) for one in PASSING)
    return line.type == "error" and not of_nobody


def complaint(line) -> str:
    """What the console said, and of which address."""
    return f"{line.text} {line.location['url']}"


@pytest.fixture
def new_page(browser, house):
    """Open a page of its own browser profile: `async with new_page(locale="en-GB") as page`.

    At its end nobody may have complained, but with one of the words in `page.forgiven`: what the browser has to say
    comes when it comes, and a list that is emptied on the way misses what comes after.
    """

    @contextlib.asynccontextmanager
    async def open_page(*, locale="ko-KR", **options):
        context = await browser.new_context(
            base_url=house.url,
            locale=locale,
            reduced_motion="reduce",
            **{"viewport": {"width": 1280, "height": 800}, **options},
        )
        context.set_default_timeout(WAIT_MILLISECONDS)
        complaints: list[str] = []
        # Of the page, and of each window that it opens.
        context.on("weberror", lambda fault: complaints.append(f"uncaught: {fault.error}"))
        context.on("console", lambda line: complaints.append(complaint(line)) if is_complaint(line) else None)
        page = await context.new_page()
        page.complaints, page.forgiven = complaints, []
        try:
            yield page
            assert [text for text in complaints if not any(word in text for word in page.forgiven)] == []
        finally:
            # An answer that a test still holds back, or fetches, has nobody to go to.
            await page.unroute_all(behavior="ignoreErrors")
            await context.close()

    return open_page


@pytest.fixture
def shoot():
    """Keep a picture of a page in the git-ignored artifacts folder, or in COMMEOW_SHOTS."""

    async def take(page, name, **options):
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=ARTIFACTS / f"{re.sub('[^a-z0-9-]', '-', name.lower())}.png", **options)

    return take


@pytest.fixture
def shoot_if_asked(shoot):
    """Keep a picture only where COMMEOW_SHOTS names a folder: of everything there is, for somebody who looks."""

    async def take(page, name):
        if SHOTS:
            await shoot(page, name)

    return take


@pytest.fixture
def nickname():
    """Answer a nickname that nobody has."""
    return lambda: f"n{uuid.uuid4().hex[:10]}"


@pytest.fixture
async def live(house, nickname, ffmpeg):
    """A streamer on air in a room of their own, and somebody with a thousand points who may talk there."""
    streamer, donor = await house.sign_up(nickname()), await house.rich_member(nickname(), 1000)
    async with Encoder(ffmpeg, streamer.stream_server, streamer.stream_key), house.connect(donor) as talking:
        await house.on_air(streamer.nickname)
        yield streamer, donor, talking


@pytest.fixture(scope="session")
def axe():
    """axe-core's script, out of node_modules."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    assert path.is_file(), "no axe-core here: npm ci"
    return path.read_text(encoding="utf-8")
