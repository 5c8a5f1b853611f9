"""What `./commeow` checks before it makes anything, and how it ends; tests/flows has it whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys

import pytest

from console.children import Child, ChildFailed
from console.embedded_server import is_alive, until
from console.stores import servers_for
from console.up import check_given_stores, check_ports, child_environment, ending_group, keep_server, running_servers
from routes.process import StartError
from routes.settings import SECRET_BYTES_MIN, Settings


@pytest.fixture
def settings(free_port, tmp_path):
    ports = {"http_port": free_port(), "rsocket_port": free_port(), "rtmp_port": free_port()}
    return Settings(data=tmp_path / "data", secret=b"s" * SECRET_BYTES_MIN, **ports)


def test_free_ports_are_fine_and_stay_free(settings):
    check_ports(settings)
    check_ports(settings)


@pytest.mark.parametrize("name", ["http_port", "rsocket_port", "rtmp_port"])
def test_an_occupied_port_is_named_with_its_setting(settings, name):
    port = getattr(settings, name)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StartError) as refused:
        check_ports(settings)

    assert str(port) in str(refused.value)
    assert f"COMMEOW_{name.upper()}" in str(refused.value)


async def test_given_stores_are_asked_first(database_url, redis_url):
    await check_given_stores(Settings(database_url=database_url, redis_url=redis_url))
    await check_given_stores(Settings())


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"database_url": "postgresql://me@127.0.0.1:1/nothing"}, "COMMEOW_DATABASE_URL"),
        ({"redis_url": "redis://127.0.0.1:1"}, "COMMEOW_REDIS_URL"),
        ({"redis_url": "unix:///nowhere/valkey.sock"}, "COMMEOW_REDIS_URL"),
    ],
)
async def test_a_store_that_is_away_is_one_line(given, key):
    with pytest.raises(StartError) as refused:
        await check_given_stores(Settings(**given))

    assert key in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_embedded_servers_run_for_the_block_and_are_restarted(settings, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("console.up.RESTART_SECONDS", 0.0)
    servers = servers_for(Settings(data=tmp_path, database_url="postgresql://h/d"))
    async with running_servers(servers, settings) as found:
        assert servers.valkey.url == found.redis_url
        keeping = asyncio.create_task(keep_server(servers.valkey))
        first = servers.valkey._process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: servers.valkey._process.pid != first and servers.valkey._ready(), 60)
        pid = servers.valkey._process.pid
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

        assert is_alive(pid)

    assert not is_alive(pid)
    assert "Valkey ended (exit code -9): starting it again" in capsys.readouterr().out


async def test_the_first_trouble_in_the_group_comes_out_by_itself():
    async def block() -> None:
        async with ending_group() as group:
            group.create_task(Child("child", lambda: [sys.executable, "-c", ""], dict(os.environ)).run())
            await asyncio.Event().wait()

    with pytest.raises(ChildFailed):
        await block()


async def test_the_group_ends_with_the_block(tmp_path):
    command = [sys.executable, "-c", "print('ready', flush=True)\nimport time\ntime.sleep(600)"]
    child = Child("child", lambda: command, dict(os.environ), says_ready=False)

    async def block() -> None:
        async with ending_group() as group:
            group.create_task(child.run())
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await child.ready.wait()
    pid = child.process.pid
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert not is_alive(pid)


def test_children_are_told_everything_they_need(settings, monkeypatch):
    monkeypatch.setenv("COMMEOW_LADDER", "source,480p")
    whole = Settings(
        data=settings.data,
        database_url="postgresql://h/d",
        redis_url="redis://h",
        secret=b"s" * SECRET_BYTES_MIN,
        ffmpeg="/opt/ffmpeg",
    )
    told = child_environment(whole)

    assert "source,480p" == told["COMMEOW_LADDER"]
    assert ("postgresql://h/d", "redis://h") == (told["COMMEOW_DATABASE_URL"], told["COMMEOW_REDIS_URL"])
    assert ("s" * SECRET_BYTES_MIN, "/opt/ffmpeg") == (told["COMMEOW_SECRET"], told["COMMEOW_FFMPEG"])
