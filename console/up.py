"""Roof: `./commeow`: the whole house on one machine: stores, both processes, the demo; until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from console import demo
from console.children import READY_SECONDS_MAX, Child, ChildFailed
from console.demo_bot import Bot
from console.say import say
from console.stores import Servers, fill_secret, only_house, servers_for
from db.ledger import Ledger
from db.members import Members
from db.migrate import migrate
from db.pool import open_pool, open_redis, ping
from db.roles import APPLICATION_ROLE
from routes.certificates import rtmps_context
from routes.passwords import Passwords
from routes.process import StartError, addresses, answering, port_trouble
from routes.settings import SettingsError, find_ffmpeg, from_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from console.embedded import PostgreSQL, Valkey
    from routes.addresses import Addresses
    from routes.settings import Settings

PROCESSES = ("rsocket_server", "media")
SERVER_STOP_SECONDS_MAX = 1.0  # Ctrl-C must leave nothing behind after 3 s; both processes may take two of them.
RESTART_SECONDS = 0.5


async def up() -> None:
    """Run the house until cancelled.

    Raises, each as one line: SettingsError, StartError, EmbeddedError, BinaryError, MigrationError, ChildFailed,
    DemoSpoilt. Whatever is checked without making anything is checked first.
    """
    settings = from_environment()
    ffmpeg = find_ffmpeg(settings)
    rtmps_context(settings)
    if ffmpeg is None:
        remedy = "pip install imageio-ffmpeg, or apt-get install ffmpeg, or set COMMEOW_FFMPEG to one"
        raise SettingsError("ffmpeg", "was not found", remedy)
    settings = replace(settings, ffmpeg=ffmpeg, data=settings.data.absolute())
    servers = servers_for(settings)
    check_ports(settings)
    await check_given_stores(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(only_house(settings.data))
        settings = fill_secret(settings)
        settings = await stack.enter_async_context(running_servers(servers, settings))
        await migrated(settings)
        group = await stack.enter_async_context(ending_group())
        for server in (servers.postgresql, servers.valkey):
            if server is not None:
                group.create_task(keep_server(server))
        await start_processes(as_application(settings, servers), group)
        identity = await start_demo(settings, group, stack, embedded=servers.postgresql is not None)
        welcome(settings, identity)
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def ending_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Yield a task group whose tasks end with the block; the first trouble in one comes out by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def check_ports(settings: Settings) -> None:
    """See that nobody listens on our ports. Raises StartError."""
    for setting, port in settings.ports.items():
        try:
            family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
            socket.create_server((settings.host, port), family=family).close()
        except OSError as error:
            raise port_trouble(error, host=settings.host, port=port, setting=setting) from None


async def check_given_stores(settings: Settings) -> None:
    """See that the stores that the settings name answer, before anything is made. Raises StartError."""
    if settings.database_url is not None:
        opening = open_pool(settings.database_url, size=1, application_name="commeow console")
        pool = await answering(opening, store="PostgreSQL", setting="COMMEOW_DATABASE_URL")
        await pool.close()
    if settings.redis_url is not None:
        redis = open_redis(settings.redis_url)
        try:
            await ping(redis)
        except Exception as error:
            reason = f"Redis does not answer ({type(error).__name__})"
            raise StartError(f"{reason}: see that it runs, or set COMMEOW_REDIS_URL") from error
        finally:
            await redis.aclose()


@contextlib.asynccontextmanager
async def running_servers(servers: Servers, settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with the addresses of the embedded servers, which end with the block."""
    mine = [server for server in (servers.postgresql, servers.valkey) if server is not None]
    try:
        for server in mine:
            say(f"starting {server.name} in {server.folder}" + ("" if server.folder.exists() else " (first use)"))
            await server.start(own=True)
        yield servers.fill(settings)
    finally:
        await asyncio.gather(*(server.stop(seconds_max=SERVER_STOP_SECONDS_MAX) for server in mine))


async def keep_server(server: PostgreSQL | Valkey) -> None:
    """Start an embedded server again whenever it ends by itself. Raises EmbeddedError when it does not come back."""
    while True:
        code = await server.wait()
        say(f"{server.name} ended (exit code {code}): starting it again")
        await asyncio.sleep(RESTART_SECONDS)
        await server.restart()


async def migrated(settings: Settings) -> None:
    """Bring the database up to this code. Raises MigrationError, StartError."""
    database_url = settings.require_stores().database_url
    applied = await answering(migrate(database_url), store="PostgreSQL", setting="COMMEOW_DATABASE_URL")
    if applied:
        say(f"migrated the database ({len(applied)} steps)")


def as_application(settings: Settings, servers: Servers) -> Settings:
    """Return what the processes are to know: on our own server they log in as who may not change the books."""
    if servers.postgresql is None:
        return settings
    return replace(settings, database_url=servers.postgresql.url(user=APPLICATION_ROLE))


def child_environment(settings: Settings) -> dict[str, str]:
    """Return what both processes are to know."""
    stores = settings.require_stores()
    return os.environ | {
        "COMMEOW_DATA": str(settings.data),
        "COMMEOW_DATABASE_URL": stores.database_url,
        "COMMEOW_REDIS_URL": stores.redis_url,
        "COMMEOW_SECRET": stores.secret.decode(),
        "COMMEOW_FFMPEG": settings.ffmpeg or "",
        "PYTHONUNBUFFERED": "1",
    }


async def start_processes(settings: Settings, group: asyncio.TaskGroup) -> None:
    """Start both processes in the group and wait until they listen. Raises ChildFailed."""
    environment = child_environment(settings)
    say("starting the RSocket server and the media sidecar")
    children = [Child(name, partial(list, [sys.executable, "-m", name]), environment) for name in PROCESSES]
    for child in children:
        group.create_task(child.run())
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            for child in children:
                await child.ready.wait()
    except TimeoutError:
        late = ", ".join(child.name for child in children if not child.ready.is_set())
        raise ChildFailed(late, f"{late} did not listen within {READY_SECONDS_MAX:g} s: read its lines above") from None


async def start_demo(
    settings: Settings, group: asyncio.TaskGroup, stack: contextlib.AsyncExitStack, *, embedded: bool
) -> demo.Identity | None:
    """Start the demo in the group if it is wanted; return who it is."""
    stores = settings.require_stores()
    pool = await open_pool(stores.database_url, size=2, application_name="commeow console")
    stack.push_async_callback(closed, pool)
    if not await demo.is_wanted(settings.demo, settings.data, pool, embedded=embedded):
        return None
    say("starting the demo: a test picture through the RTMP port, a bot through the RSocket port")
    passwords = Passwords()
    identity = await demo.ensure(settings.data, pool, passwords)
    passwords.close()
    if await demo.has_its_key(pool, identity):
        assert settings.ffmpeg is not None
        ffmpeg, url = settings.ffmpeg, f"{here(settings).rtmp(None)}/{identity.stream_key}"
        pusher = Child(
            "demo",
            lambda: demo.push_command(ffmpeg, url),
            demo.push_environment(),
            says_ready=False,
            is_loud=False,
        )
        group.create_task(pusher.run())
    else:
        say(f"the stream key of {identity.nickname} was changed: its picture is yours to push", of="demo")
    bot = await Members(pool).by_nickname(identity.bot_nickname)
    if bot is not None:
        talker = Bot(
            identity,
            http_url=site_here(settings),
            rsocket_url=here(settings).rsocket(None),
            ledger=Ledger(pool),
            member_id=bot.id,
        )
        group.create_task(talker.run())
    return identity


async def closed(pool: asyncpg.Pool) -> None:
    """Close a pool at once, whatever its connections do."""
    pool.terminate()


def site_here(settings: Settings) -> str:
    """Return the site's address on this machine, past any proxy."""
    return f"http://{here(settings).name(None)}:{settings.http_port}"


def here(settings: Settings) -> Addresses:
    """Return the house's addresses on this machine, past any proxy and without a certificate for another name."""
    return addresses(replace(settings, public_url=None, rtmps_port=None))


def welcome(settings: Settings, identity: demo.Identity | None) -> None:
    """Tell the operator where everything is."""
    site = settings.public_url or site_here(settings)
    server = addresses(settings).rtmp(None)
    lines = ["", f"Commeow is up:   {site}", f"OBS server:      {server}"]
    if identity is not None:
        lines += [f"Demo channel:    {site}/c/{identity.nickname}", f"Demo stream key: {identity.stream_key}"]
    else:
        lines += [f"OBS stream key:  sign up at {site}/signup, it is shown there"]
    for line in [*lines, "Ctrl-C stops everything.", ""]:
        say(line)
