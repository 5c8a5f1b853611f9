"""Shell: connections, their settings, and what a driver's failure means."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest
from asyncpg.exceptions import InternalClientError
from redis.asyncio import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from db.errors import StoreUnavailable, StoreUnknown
from db.pool import REDIS_CONNECTIONS, asking, open_pool, open_redis, reading, store_failure, telling, writing


async def test_the_server_holds_our_time_limits(pool):
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit", "application_name"]
    values = [await pool.fetchval("SELECT current_setting($1)", name) for name in names]

    assert ["5s", "3s", "10s", "off", "test"] == values
    assert "UTC" == await pool.fetchval("SELECT current_setting('timezone')")
    assert "read committed" == await pool.fetchval("SELECT current_setting('transaction_isolation')")


async def test_a_server_that_is_not_there_is_unavailable_at_once(free_port, tmp_path):
    with pytest.raises(StoreUnavailable, match="on connect"):
        await open_pool(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")
    with pytest.raises(StoreUnavailable, match="on connect"):
        await open_pool(f"postgresql://postgres@/postgres?host={tmp_path}")


async def test_a_database_that_is_not_there_is_unavailable(postgres_server):
    with pytest.raises(StoreUnavailable, match="InvalidCatalogName"):
        await open_pool(postgres_server.replace("/postgres?", "/nobody?"))


async def test_a_closed_pool_is_unavailable(database_url):
    pool = await open_pool(database_url)
    await pool.close()

    with pytest.raises(StoreUnavailable):
        async with writing(pool):
            pass
    with pytest.raises(StoreUnavailable):
        async with reading(pool):
            pass


async def cut_own_line(connection) -> None:
    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_line_cut_under_a_statement_is_unknown_for_a_change_and_unavailable_for_a_question(pool):
    with pytest.raises(StoreUnknown):
        async with writing(pool) as connection:
            await cut_own_line(connection)
    with pytest.raises(StoreUnavailable):
        async with reading(pool) as connection:
            await cut_own_line(connection)

    async with reading(pool) as connection:  # and the pool has recovered
        assert 1 == await connection.fetchval("SELECT 1")


async def test_an_answer_that_is_known_survives_a_line_cut_afterwards(database_url, pool):
    async with writing(pool) as connection:
        pid = connection.get_server_pid()
        answer = await connection.fetchval("SELECT 7")
        await pool.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)

    assert 7 == answer


async def test_a_statement_that_takes_too_long_was_surely_not_done(pool):
    with pytest.raises(StoreUnavailable, match="QueryCanceled"):
        async with writing(pool) as connection:
            await connection.execute("SET statement_timeout = 50; SELECT pg_sleep(5)")


async def test_a_lock_that_is_not_had_was_surely_not_done(pool, people):
    [member_id] = await people(1)
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("UPDATE account SET version = version WHERE owner_id = $1", member_id)

        with pytest.raises(StoreUnavailable, match="LockNotAvailable"):
            async with writing(pool) as connection:
                await connection.execute(
                    f"SET LOCAL lock_timeout = 50; UPDATE account SET version = version WHERE owner_id = {member_id}"
                )


async def test_what_the_server_says_of_the_statement_passes_through(pool):
    with pytest.raises(asyncpg.CheckViolationError):
        async with writing(pool) as connection:
            await connection.execute("UPDATE account SET min_balance = NULL, kind = 1 WHERE id = 9")
    with pytest.raises(asyncpg.DataError):
        async with writing(pool) as connection:
            await connection.fetchval("SELECT $1::bigint", 2**80)


async def test_an_error_of_the_callers_passes_through(pool):
    with pytest.raises(KeyError):
        async with writing(pool):
            raise KeyError


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (asyncpg.SerializationError(), StoreUnavailable),
        (asyncpg.DeadlockDetectedError(), StoreUnavailable),
        (asyncpg.LockNotAvailableError(), StoreUnavailable),
        (asyncpg.QueryCanceledError(), StoreUnavailable),
        (asyncpg.TooManyConnectionsError(), StoreUnavailable),
        (asyncpg.DiskFullError(), StoreUnavailable),
        (asyncpg.AdminShutdownError(), StoreUnknown),
        (asyncpg.CrashShutdownError(), StoreUnknown),
        (asyncpg.ConnectionDoesNotExistError(), StoreUnknown),
        (asyncpg.InterfaceError("connection is closed"), StoreUnknown),
        (InternalClientError("unexpected state"), StoreUnknown),
        (ConnectionResetError(), StoreUnknown),
        (TimeoutError(), StoreUnknown),
        (asyncpg.UniqueViolationError(), type(None)),
        (asyncpg.CheckViolationError(), type(None)),
        (asyncpg.exceptions._base.DataError("not a number"), type(None)),
    ],
)
def test_each_failure_has_its_meaning(error, meaning):
    assert meaning is type(store_failure(error))


async def test_a_valkey_client_for_each_kind_of_address(redis_url, free_port, tmp_path):
    client = open_redis(redis_url)
    key = uuid.uuid4().hex
    await client.set(key, "냥")
    assert "냥".encode() == await client.get(key)
    await client.aclose()

    for url in (f"redis://127.0.0.1:{free_port()}", f"unix://{tmp_path}/nobody"):
        client = open_redis(url)
        with pytest.raises(StoreUnavailable):
            async with asking():
                await client.get(key)
        with pytest.raises(StoreUnknown):
            async with telling():
                await client.set(key, 1)
        await client.aclose()


@pytest.mark.parametrize(
    ("words", "error", "meaning"),
    [
        (asking, RedisConnectionError(), StoreUnavailable),
        (asking, OutOfMemoryError(), StoreUnavailable),
        (telling, RedisConnectionError(), StoreUnknown),
        (telling, TimeoutError(), StoreUnknown),
        (telling, OutOfMemoryError(), StoreUnavailable),
        (asking, KeyError(7), StoreUnavailable),  # A slot of a cluster without a node.
        (telling, KeyError(7), StoreUnknown),
        (telling, ValueError(), ValueError),
    ],
)
async def test_each_failure_of_valkey_has_its_meaning(words, error, meaning):
    with pytest.raises(meaning):
        async with words():
            raise error


@pytest.mark.parametrize(("words", "meaning"), [(asking, StoreUnavailable), (telling, StoreUnknown)])
async def test_nobody_waits_for_valkey_for_ever(words, meaning, monkeypatch):
    monkeypatch.setattr("db.pool.REDIS_CALL_SECONDS_MAX", 0.01)
    with pytest.raises(meaning, match="TimeoutError"):
        async with words():
            await asyncio.Event().wait()


async def test_a_cluster_is_known_by_each_of_its_nodes():
    client = open_redis("rediss+cluster://me:w%2Cord@h:1,[::1]:2,i/0?ssl_ca_certs=/of/ours")

    assert sorted(node.name for node in client.startup_nodes) == ["::1:2", "h:1", "i:6379"]
    for node in client.startup_nodes:
        assert issubclass(node.connection_class, SSLConnection)
        assert (node.connection_kwargs["username"], node.connection_kwargs["password"]) == ("me", "w,ord")
        assert node.connection_kwargs["ssl_ca_certs"] == "/of/ours"
    await client.aclose()


async def test_a_burst_of_commands_waits_its_turn(redis_url):
    client = open_redis(redis_url)

    assert [b"x"] * 500 == await asyncio.gather(*(client.echo("x") for _ in range(500)))
    assert REDIS_CONNECTIONS >= len(await client.client_list()) - 1
    await client.aclose()


async def test_a_pool_that_is_all_lent_says_so(database_url, monkeypatch):
    pool = await open_pool(database_url, size=1)
    async with writing(pool):
        monkeypatch.setattr("db.pool.ACQUIRE_SECONDS_MAX", 0.05)
        with pytest.raises(StoreUnavailable, match="TimeoutError"):
            async with writing(pool):
                pass
    await asyncio.wait_for(pool.close(), 60)
