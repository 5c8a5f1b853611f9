"""Who the demo is, and what it pushes."""

from __future__ import annotations

import re
import stat

import pytest
from aiohttp import web

from console.demo import (
    HEIGHT,
    WIDTH,
    DemoSpoilt,
    ensure,
    has_its_key,
    is_wanted,
    push_command,
    push_environment,
    read_identity,
)
from console.demo_bot import Bot, BotRefused
from db.channel import hash_stream_key
from db.channels import Channels
from db.ledger import Ledger
from db.members import Members
from routes.passwords import Passwords


@pytest.fixture
def passwords():
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_the_demo_runs_on_a_new_house_and_goes_on_after_a_restart(pool, tmp_path, passwords):
    assert await is_wanted("auto", tmp_path, pool, embedded=True)

    first = await ensure(tmp_path, pool, passwords)

    assert await is_wanted("auto", tmp_path, pool, embedded=True)
    assert first == await ensure(tmp_path, pool, passwords)
    assert 2 == await Members(pool).count()
    assert await has_its_key(pool, first)
    assert 0o600 == stat.S_IMODE((tmp_path / "demo.json").stat().st_mode)


async def test_the_demo_keeps_out_of_a_house_in_use(pool, tmp_path, passwords):
    await ensure(tmp_path, pool, passwords)
    (tmp_path / "demo.json").unlink()

    assert not await is_wanted("auto", tmp_path, pool, embedded=True)
    assert not await is_wanted("auto", tmp_path, pool, embedded=False)
    assert not await is_wanted("0", tmp_path, pool, embedded=True)
    assert await is_wanted("1", tmp_path, pool, embedded=False)


async def test_a_demo_that_was_cut_short_is_finished(pool, tmp_path, passwords):
    identity = await ensure(tmp_path, pool, passwords)
    await pool.execute("update member set nickname = 'gone', nickname_key = 'gone', login_id = 'gone' where id = 2")

    assert identity == await ensure(tmp_path, pool, passwords)
    assert await Members(pool).by_nickname(identity.bot_nickname) is not None


async def test_a_house_that_has_a_demo_of_its_own_keeps_it(pool, tmp_path, passwords):
    first = await ensure(tmp_path, pool, passwords)
    (tmp_path / "demo.json").unlink()
    second = await ensure(tmp_path, pool, passwords)

    assert first.nickname != second.nickname
    assert await has_its_key(pool, first)
    assert await has_its_key(pool, second)


async def test_a_rotated_key_is_seen(pool, tmp_path, passwords):
    identity = await ensure(tmp_path, pool, passwords)
    member = await Members(pool).by_nickname(identity.nickname)
    await Channels(pool).rotate_stream_key(member.id, hash_stream_key("another"))

    assert not await has_its_key(pool, identity)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"nickname": "demo"}', "\xff"])
def test_a_spoilt_identity_is_one_line(tmp_path, text):
    (tmp_path / "demo.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DemoSpoilt) as refused:
        read_identity(tmp_path)

    assert str(tmp_path / "demo.json") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_picture_goes_to_the_given_place_and_our_settings_do_not(monkeypatch):
    monkeypatch.setenv("COMMEOW_SECRET", "secret")
    command = push_command("/opt/ffmpeg", "rtmp://127.0.0.1:1935/live/key")

    assert "/opt/ffmpeg" == command[0]
    assert ["flv", "rtmp://127.0.0.1:1935/live/key"] == command[-2:]
    assert "COMMEOW_SECRET" not in push_environment()
    assert "PATH" in push_environment()


def test_the_clock_lies_where_neither_buttons_nor_badges_cover_it():
    command = push_command("ffmpeg", "rtmp://127.0.0.1:1935/live/key")
    x, y, width, height = map(int, re.search(r"drawbox=(\d+):(\d+):(\d+):(\d+):", " ".join(command)).groups())

    assert abs(x - (WIDTH - x - width)) <= 1
    assert 0.27 * HEIGHT <= y  # "Unmute", on the smallest phone
    assert y + height <= 0.5 * HEIGHT  # the buttons' shade, there


async def test_a_bot_that_is_not_let_in_says_so(pool, tmp_path, passwords, free_port):
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"code": "auth.bad_login"}, status=401)

    identity = await ensure(tmp_path, pool, passwords)
    application = web.Application()
    application.router.add_post("/api/members/login", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    url = f"http://127.0.0.1:{port}"
    bot = Bot(identity, http_url=url, rsocket_url="ws://127.0.0.1:1/rsocket", ledger=Ledger(pool), member_id=2)
    with pytest.raises(BotRefused, match=r"auth\.bad_login"):
        await bot._log_in()
    await runner.cleanup()
