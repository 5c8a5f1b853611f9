"""The roofs as an operator meets them: real processes, signals, one line on stderr; and one walk through the house."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import uuid
from pathlib import Path

import aiohttp
import pytest

from db.ledger import Ledger
from db.members import Members

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "s" * 64
PASSWORD = "correct horse battery"


class Roof:
    """One process of the house."""

    def __init__(self, module, environment):
        self._module = module
        self._environment = environment
        self.process = None

    async def start(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COMMEOW_")}
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            cwd=ROOT,
            env={**kept, **self._environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self

    async def ready(self):
        async with asyncio.timeout(60):
            line = (await self.process.stdout.readline()).decode()
        if not line:
            raise AssertionError((await self.process.stderr.read()).decode())
        return line

    async def stop(self, number=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()

    async def end(self):
        async with asyncio.timeout(60):
            output, errors = await self.process.communicate()
        return self.process.returncode, output.decode(), errors.decode()


@pytest.fixture
def environment(database_url, redis_url, free_port, tmp_path):
    return {
        "COMMEOW_DATABASE_URL": database_url,
        "COMMEOW_REDIS_URL": redis_url,
        "COMMEOW_SECRET": SECRET,
        "COMMEOW_DATA": str(tmp_path),
        "COMMEOW_HTTP_PORT": str(free_port()),
        "COMMEOW_RSOCKET_PORT": str(free_port()),
        "COMMEOW_RTMP_PORT": str(free_port()),
    }


@pytest.fixture
async def start(environment):
    """Start a roof: `await start("media")`, with other settings where given."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(module, **changes):
            settings = {name: value for name, value in {**environment, **changes}.items() if value is not None}
            roof = await Roof(module, settings).start()
            stack.push_async_callback(_make_sure, roof.process)
            return roof

        yield begin


async def _make_sure(process):
    if process.returncode is None:
        process.kill()
    await process.communicate()


MODULES = ("media", "rsocket_server")


@pytest.mark.parametrize(("module", "number"), [("media", signal.SIGINT), ("rsocket_server", signal.SIGTERM)])
async def test_a_process_says_ready_and_ends_well_on_a_signal(start, module, number):
    roof = await start(module)

    line = await roof.ready()
    code, errors = await roof.stop(number)

    assert line.startswith("ready ")
    assert code == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("module", "changes", "words"),
    [
        ("media", {"COMMEOW_SECRET": None}, ("COMMEOW_SECRET",)),
        ("media", {"COMMEOW_REDIS_URL": "redis://127.0.0.1:1"}, ("Redis", "COMMEOW_REDIS_URL")),
        ("rsocket_server", {"COMMEOW_REDIS_URL": "redis+cluster://127.0.0.1:1"}, ("Redis", "COMMEOW_REDIS_URL")),
        (
            "rsocket_server",
            {"COMMEOW_DATABASE_URL": "postgresql://127.0.0.1:1/none"},
            ("PostgreSQL", "COMMEOW_DATABASE_URL"),
        ),
    ],
)
async def test_a_wrong_setting_is_one_line_that_names_the_remedy(start, module, changes, words):
    roof = await start(module, **changes)

    code, output, errors = await roof.end()

    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 1, errors
    for word in words:
        assert word in errors


async def test_a_schema_that_is_not_this_codes_is_one_line(start, empty_database_url):
    roof = await start("media", COMMEOW_DATABASE_URL=empty_database_url)

    code, _, errors = await roof.end()

    assert code == 1
    assert len(errors.splitlines()) == 1, errors
    assert "./commeow migrate" in errors


@pytest.mark.parametrize(
    ("module", "setting", "workers"),
    [
        ("media", "COMMEOW_HTTP_PORT", "1"),
        ("media", "COMMEOW_RTMP_PORT", "1"),
        ("rsocket_server", "COMMEOW_RSOCKET_PORT", "2"),
    ],
)
async def test_an_occupied_port_is_one_line_that_names_the_setting(start, environment, module, setting, workers):
    with socket.socket() as holder:
        # As a stranger may who asked to share: our workers must not slip in beside it.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", int(environment[setting])))
        holder.listen()
        roof = await start(module, COMMEOW_RSOCKET_WORKERS=workers)
        code, output, errors = await roof.end()

    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 1, errors
    assert setting in errors
    assert environment[setting] in errors


async def test_a_second_process_on_one_data_folder_is_one_line_and_touches_nothing(start, environment, free_port):
    first = await start("media")
    await first.ready()
    folder = Path(environment["COMMEOW_DATA"]) / "hls"
    (folder / "1").mkdir()  # of a broadcast that the first one keeps
    second = await start("media", COMMEOW_HTTP_PORT=str(free_port()), COMMEOW_RTMP_PORT=str(free_port()))
    code, output, errors = await second.end()

    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 1, errors
    assert "COMMEOW_DATA" in errors
    assert str(folder) in errors
    assert (folder / "1").is_dir()


async def test_workers_share_the_port_and_end_with_their_parent(start, environment):
    roof = await start("rsocket_server", COMMEOW_RSOCKET_WORKERS="2")

    assert "2 workers" in await roof.ready()
    url = f"http://127.0.0.1:{environment['COMMEOW_RSOCKET_PORT']}/rsocket"
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(url) for _ in range(8)]
        for each in sockets:
            await each.close()
    roof.process.kill()
    await roof.process.wait()

    # The workers' end of the pipe is closed with the parent: the port is free again.
    async with asyncio.timeout(60):
        while not _is_free(int(environment["COMMEOW_RSOCKET_PORT"])):
            await asyncio.sleep(0.05)


async def test_at_the_end_viewers_are_told_to_come_back_and_by_which_number(start, environment, connect, pool):
    streamer = await Members(pool).add(
        login_id="streamer", nickname="streamer", password_hash="-", stream_key_hash=bytes(32)
    )
    roof = await start("rsocket_server")
    await roof.ready()
    guest = await connect(f"ws://127.0.0.1:{environment['COMMEOW_RSOCKET_PORT']}/rsocket")
    seen = guest.watch("chat.watch", {"channel": streamer.nickname})
    await seen.next("count")

    code, errors = await roof.stop(signal.SIGTERM)
    drain = await seen.next("drain")

    assert 0 <= drain["retry_after_ms"] < 8_000
    assert await seen.next() is None
    assert (code, "Traceback" in errors) == (0, False)


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
async def house(start, environment):
    """Both processes, and an HTTP client of them."""
    roofs = [await start(module) for module in MODULES]
    for roof in roofs:
        await roof.ready()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{environment['COMMEOW_HTTP_PORT']}") as http:
        http.rsocket_url = f"ws://127.0.0.1:{environment['COMMEOW_RSOCKET_PORT']}/rsocket"
        yield http
    for roof in roofs:
        code, errors = await roof.stop()
        assert code == 0, errors
        assert "Traceback" not in errors


async def _member(http, nickname):
    login_id = f"u{secrets.token_hex(6)}"
    body = {"login_id": login_id, "password": PASSWORD, "nickname": nickname}
    async with http.post("/api/members", json=body) as answer:
        assert answer.status == 201
    async with http.post("/api/members/login", json={"login_id": login_id, "password": PASSWORD}) as answer:
        assert answer.status == 200
        return (await answer.json())["access_token"]


async def test_a_walk_through_the_house(house, connect, pool):
    token = await _member(house, "나비")
    await _member(house, "streamer")
    members = Members(pool)
    streamer = await members.by_nickname("streamer")
    await pool.execute("INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour')", streamer.id)
    await Ledger(pool).grant((await members.by_nickname("나비")).id, 300, "test")
    nabi, guest = await connect(house.rsocket_url, token), await connect(house.rsocket_url)
    seen = guest.watch("chat.watch", {"channel": "streamer"})

    assert (await nabi.call("session.hello", {}))["nickname"] == "나비"
    assert await nabi.call("chat.say", {"channel": "streamer", "id": "1", "text": "안녕"}) == {"seq": 1}
    gift = {"id": str(uuid.uuid4()), "channel": "streamer", "points": 100, "text": "힘내요"}
    assert (await nabi.call("donation.give", gift))["points_left"] == 200
    assert (await seen.next("said"))["text"] == "안녕"
    assert (await seen.next("donated"))["points"] == 100

    async with house.get("/api/points", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert await answer.json() == {"balance": 200, "earnings": 0}
    assert await Ledger(pool).audit() == []


async def test_the_house_speaks_for_all_its_parts_and_shows_its_pages(house):
    async with asyncio.timeout(60):
        while True:  # On a busy machine a part may be late with its word.
            async with house.get("/readyz") as answer:
                readiness = await answer.json()
            if answer.status == 200:
                break

    assert set(readiness["parts"]) == {"database", "redis", "rsocket_server", "ingest", "disk"}
    assert all(part["ok"] for part in readiness["parts"].values())
    async with house.get("/openapi.json") as answer:
        document = json.loads(await answer.text())
    async with house.get("/c/nabi") as answer:
        page = await answer.text()

    assert document["paths"]["/api/members"]["post"]
    assert house.rsocket_url in page
    assert "{{" not in page
