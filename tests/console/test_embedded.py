"""PostgreSQL and Valkey as they meet kill -9, each other, and spoilt folders."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from console.binaries import MajorMissing
from console.embedded import PostgreSQL, Valkey
from console.embedded_server import FolderUnusable, ServerFailed, is_alive, until

OWNER = """
import asyncio, sys
from pathlib import Path
from console.embedded import PostgreSQL, Valkey

async def main():
    folder = Path(sys.argv[1])
    async with PostgreSQL(folder / "postgres", durable=False) as postgresql, Valkey(folder / "valkey") as valkey:
        print(postgresql._process.pid, valkey._process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory):
    """A data folder that was used once, to be copied: initdb takes a second."""
    folder = tmp_path_factory.mktemp("cluster")
    async with PostgreSQL(folder / "postgres", durable=False) as server:
        await query(server, "create table kept (word text)")
        await query(server, "insert into kept values ('hello')")
    return folder / "postgres"


@pytest.fixture
def folder(cluster, tmp_path):
    shutil.copytree(cluster, tmp_path / "postgres", symlinks=True)
    return tmp_path


async def query(server: PostgreSQL, text: str):
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetch(text)
    finally:
        await connection.close()


async def words(server: PostgreSQL) -> list[str]:
    return [row["word"] for row in await query(server, "select word from kept")]


async def owner(folder: Path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, folder, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    pids = [int(word) for word in (await process.stdout.readline()).split()]
    return process, pids


async def test_a_restart_finds_the_data(cluster, folder):
    async with PostgreSQL(folder / "postgres", durable=False) as server:
        assert ["hello"] == await words(server)


async def test_the_data_is_for_its_owner_only(cluster):
    assert 0o700 == stat.S_IMODE((cluster / "pg").stat().st_mode)
    assert os.getuid() == (cluster / "pg" / "PG_VERSION").stat().st_uid


async def test_the_server_never_runs_as_root(folder):
    async with PostgreSQL(folder / "postgres", durable=False) as server:
        rows = await query(server, "select pg_backend_pid() as pid")
        inside = Path(f"/proc/{server._process.pid}/uid_map").read_text(encoding="ascii").split()

        assert rows
        assert os.getuid() != 0 or inside[0] != "0"


async def test_valkey_keeps_what_it_was_told(tmp_path):
    async with Valkey(tmp_path / "valkey") as server:
        client = redis.asyncio.Redis.from_url(server.url)
        await client.set("word", "hello")
        await client.aclose()
    async with Valkey(tmp_path / "valkey") as server:
        client = redis.asyncio.Redis.from_url(server.url)

        assert b"hello" == await client.get("word")

        await client.aclose()


async def test_servers_end_when_their_owner_is_killed_and_the_next_start_has_all(folder):
    process, pids = await owner(folder)
    async with PostgreSQL(folder / "postgres") as attached:
        await query(attached, "insert into kept values ('again')")
    process.kill()
    await process.wait()

    assert await until(lambda: not any(is_alive(pid) for pid in pids), 60)

    async with PostgreSQL(folder / "postgres", durable=False) as server:
        assert server.owns
        assert ["hello", "again"] == await words(server)


async def test_a_start_right_after_the_owner_was_killed_waits_for_the_old_servers(folder):
    process, pids = await owner(folder)
    process.kill()
    async with PostgreSQL(folder / "postgres", durable=False) as server, Valkey(folder / "valkey"):
        assert ["hello"] == await words(server)
        assert not any(is_alive(pid) for pid in pids)
    await process.wait()


async def test_a_killed_postmaster_is_recovered(folder):
    async with PostgreSQL(folder / "postgres", durable=False) as server:
        await query(server, "insert into kept values ('again')")
        os.kill(server._process.pid, signal.SIGKILL)

        assert -signal.SIGKILL == await server.wait()

        await server.restart()

        assert ["hello", "again"] == await words(server)


async def test_a_hanging_server_of_a_dead_owner_is_pressed(folder, monkeypatch):
    monkeypatch.setattr("console.embedded_server.ORPHAN_SECONDS_MAX", 0.05)
    process, pids = await owner(folder)
    os.kill(pids[1], signal.SIGSTOP)
    process.kill()
    await process.wait()
    async with Valkey(folder / "valkey") as server:
        assert server.owns
        assert not is_alive(pids[1])


async def test_who_comes_while_the_owner_is_ending_waits_and_owns(folder, monkeypatch):
    monkeypatch.setattr("console.embedded_server.ATTACH_SECONDS", 0.0)
    owner, late = Valkey(folder / "valkey"), Valkey(folder / "valkey")
    await owner.start()
    assert owner._take(owner._users, fcntl.LOCK_EX)  # As `stop` does when all who attached have gone.
    coming = asyncio.create_task(late.start())
    tries = 0

    def count(call=late._ready):
        nonlocal tries
        tries += 1
        return call()

    monkeypatch.setattr(late, "_ready", count)
    await until(lambda: tries >= 2, 60)
    await owner.stop()
    await coming

    assert late.owns
    await late.stop()


async def test_the_second_attaches_and_leaves_it_running(folder):
    async with PostgreSQL(folder / "postgres", durable=False) as first:
        async with PostgreSQL(folder / "postgres") as second:
            assert (True, False) == (first.owns, second.owns)
            assert ["hello"] == await words(second)

        assert ["hello"] == await words(first)


async def test_two_at_once_are_one_owner_and_one_guest(folder):
    servers = [Valkey(folder / "valkey"), Valkey(folder / "valkey")]
    await asyncio.gather(*(server.start() for server in servers))

    assert [False, True] == sorted(server.owns for server in servers)

    await asyncio.gather(*(server.stop() for server in servers))


async def test_a_patient_owner_waits_for_its_guests(folder):
    first, second = Valkey(folder / "valkey"), Valkey(folder / "valkey")
    await first.start()
    await second.start()
    stopping = asyncio.create_task(first.stop(patience_seconds=60))
    client = redis.asyncio.Redis.from_url(second.url)

    assert await client.ping()
    assert not stopping.done()

    await client.aclose()
    await second.stop()
    await stopping


async def test_a_half_made_cluster_never_counts(tmp_path):
    half = tmp_path / "postgres" / "pg.init"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with PostgreSQL(tmp_path / "postgres", durable=False) as server:
        assert not half.exists()
        assert await query(server, "select 1")


async def test_a_cancelled_first_start_leaves_no_half(tmp_path):
    server = PostgreSQL(tmp_path / "postgres", durable=False)
    task = asyncio.create_task(server.start())
    await until((tmp_path / "postgres" / "pg.init").exists, 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [] == [path for path in (tmp_path / "postgres").iterdir() if path.name.startswith("pg")]


async def test_data_of_another_major_is_refused_and_left_alone(folder):
    (folder / "postgres" / "pg" / "PG_VERSION").write_text("9\n")
    with pytest.raises(MajorMissing) as refused:
        await PostgreSQL(folder / "postgres").start()

    assert "PostgreSQL 9" in str(refused.value)
    assert "COMMEOW_DATABASE_URL" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (folder / "postgres" / "pg" / "base").is_dir()


async def test_a_spoilt_cluster_is_one_line_with_the_last_words(folder, monkeypatch):
    monkeypatch.setattr("console.embedded_server.START_TRIES_MAX", 1)
    shutil.rmtree(folder / "postgres" / "pg" / "global")
    with pytest.raises(ServerFailed) as failed:
        await PostgreSQL(folder / "postgres").start()

    assert "\n" not in str(failed.value)
    assert str(folder / "postgres" / "log") in str(failed.value)
    assert failed.value.last_words


@pytest.mark.parametrize("spoil", ["file", "mode", "parent"])
async def test_an_unusable_folder_is_one_line(tmp_path, spoil):
    path = tmp_path / "data"
    if spoil == "file":
        path.write_text("")
    elif spoil == "parent":
        path.write_text("")
        path = path / "below"
    else:
        path.mkdir(mode=0o300)
    with pytest.raises(FolderUnusable) as refused:
        await PostgreSQL(path).start()

    assert str(path) in str(refused.value)
    assert "COMMEOW_DATA" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_long_path_gets_a_socket_elsewhere(tmp_path):
    long = tmp_path / ("deep" * 25)
    async with Valkey(long) as server, Valkey(long) as second:
        assert server.socket_path.parent != server.folder
        assert server.socket_path == second.socket_path
        assert 0o700 == stat.S_IMODE(server.socket_path.parent.stat().st_mode)
        client = redis.asyncio.Redis.from_url(second.url)
        assert await client.ping()
        await client.aclose()
    shutil.rmtree(server.socket_path.parent)


async def test_a_socket_folder_of_someone_else_is_refused(tmp_path):
    server = Valkey((tmp_path / ("deep" * 25)).resolve())
    server.socket_path.parent.mkdir(mode=0o755)
    with pytest.raises(FolderUnusable):
        await server.start()
    server.socket_path.parent.rmdir()


async def test_without_user_namespaces_root_becomes_nobody():
    """As in a container; for anyone but root the option changes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with PostgreSQL(folder / "postgres", durable=False, namespace=False) as server:
            assert await query(server, "select 1")
            if os.getuid() == 0:
                assert 0 != (server.data / "PG_VERSION").stat().st_uid
        async with PostgreSQL(folder / "postgres", durable=False) as server:
            assert await query(server, "select 1")
            assert os.getuid() == (server.data / "PG_VERSION").stat().st_uid
