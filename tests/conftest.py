"""Roof: what every test may ask for: real PostgreSQL, real Valkey, real ffmpeg, free ports."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import asyncpg
import pytest
import redis.asyncio
from hypothesis import HealthCheck, settings

from console.embedded import PostgreSQL, Valkey
from tests.ports import reserve_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TEMPLATE = "template_commeow"
numbers = itertools.count(1)

# The suite judges a change: what it draws must be the same every time, and a slow machine is no fault. Looking for
# what nobody has thought of is a job of its own: `pytest --hypothesis-profile explore`.
slow_is_well = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", derandomize=True, print_blob=True, **slow_is_well)
settings.register_profile("explore", max_examples=5_000, print_blob=True, **slow_is_well)
# By night, long random walks: `pytest --hypothesis-profile nightly tests/db/test_ledger_machine.py
# tests/routes/test_top_up_machine.py`.
settings.register_profile("nightly", max_examples=1_000, stateful_step_count=50, print_blob=True, **slow_is_well)
settings.load_profile("suite")


@pytest.fixture(scope="session")
async def postgresql(tmp_path_factory) -> AsyncIterator[PostgreSQL]:
    async with PostgreSQL(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
async def valkey(tmp_path_factory) -> AsyncIterator[Valkey]:
    async with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
async def postgres_server(postgresql) -> str:
    """The address of an embedded PostgreSQL with the empty database `postgres`."""
    return postgresql.url()


@pytest.fixture(scope="session")
async def database_template(postgresql) -> str:
    """The name of a migrated database that nobody is connected to."""
    from db.migrate import migrate  # noqa: PLC0415 (only the tests that need a database need the code)

    await run(postgresql.url(), f"create database {TEMPLATE}")
    await migrate(postgresql.url(TEMPLATE))
    return TEMPLATE


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def empty_database_url(postgresql) -> AsyncIterator[str]:
    """The address of a database of the test's own in which nothing is: for tests of migrations."""
    name = f"empty_{next(numbers)}"
    await run(postgresql.url(), f"create database {name}")
    yield postgresql.url(name)
    await run(postgresql.url(), f"drop database {name} with (force)")


@pytest.fixture
async def database_url(postgresql, database_template) -> AsyncIterator[str]:
    """The address of a migrated database of the test's own; afterwards its books must balance."""
    name = f"test_{next(numbers)}"
    url = postgresql.url(name)
    await run(postgresql.url(), f"create database {name} template {database_template}")
    yield url
    findings = await audit(url)
    await run(postgresql.url(), f"drop database {name} with (force)")

    assert [] == findings


async def audit(url: str) -> list[str]:
    from db.ledger import Ledger  # noqa: PLC0415
    from db.pool import open_pool  # noqa: PLC0415

    pool = await open_pool(url, size=1, application_name="audit")
    try:
        return await Ledger(pool).audit()
    finally:
        await pool.close()


@pytest.fixture
async def pool(database_url) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a migrated database of the test's own."""
    from db.pool import open_pool  # noqa: PLC0415

    pool = await open_pool(database_url, application_name="test")
    yield pool
    await pool.close()


@pytest.fixture
def walks() -> Callable[[int, int], settings]:
    """A function: the settings of a state machine. A few short walks in the suite, else what the profile asks for."""

    def choose(examples: int, steps: int) -> settings:
        few = {"max_examples": examples, "stateful_step_count": steps}
        in_the_suite = settings.get_current_profile_name() == "suite"
        return settings(
            **(few if in_the_suite else {}), suppress_health_check=list(HealthCheck), database=None, deadline=None
        )

    return choose


@pytest.fixture
async def redis_url(valkey) -> str:
    """The address of an emptied Valkey."""
    client = redis.asyncio.Redis.from_url(valkey.url)
    await client.flushall()
    await client.aclose()
    return valkey.url


@pytest.fixture(name="redis")
async def redis_client(redis_url) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of an emptied Valkey."""
    client = redis.asyncio.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that returns a TCP port of 127.0.0.1 that nobody listens on."""
    return reserve_port


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The path of the ffmpeg to use."""
    import imageio_ffmpeg  # noqa: PLC0415

    return os.environ.get("COMMEOW_FFMPEG") or imageio_ffmpeg.get_ffmpeg_exe()
