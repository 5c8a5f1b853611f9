"""Roof: `python -m rsocket_server`: the live conversation, in COMMEOW_RSOCKET_WORKERS processes that share one port."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import signal
import socket
import sys
from typing import TYPE_CHECKING

from db.acts import Acts
from db.alerts import Alerts
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.channels import Channels
from db.ledger import Ledger
from db.members import Members
from db.migrate import missing
from db.pool import open_pool, open_redis
from db.roles import may_rewrite, take_role
from routes import events, process
from routes.addresses import counted_as
from routes.admission import Admission
from routes.chat import ChatDoors, RoomNumbers
from routes.donations import DonationDoors
from routes.live_channels import LiveChannels
from routes.moderation import ModerationDoors
from routes.revocations import Revocations
from routes.talk import TalkDoors
from routes.tokens import Tokens
from rsocket_server.absence import Words
from rsocket_server.alert_relay import AlertRelay
from rsocket_server.laws import Laws
from rsocket_server.notice_board import NoticeBoard
from rsocket_server.rooms import Rooms
from rsocket_server.send_ring import open_ring
from rsocket_server.server import serve

if TYPE_CHECKING:
    import asyncpg

    from routes.settings import Settings, Stores

WORKER = "--worker"
SETTING = "COMMEOW_RSOCKET_PORT"

# A worker that dies is replaced after this; one that dies at once again must not spin.
RESTART_SECONDS = 1.0
# For a worker to say goodbye to its viewers, within the two seconds that the whole process has.
STOP_SECONDS_MAX = 1.5
# Over this time the viewers of a worker that ends come back: 20,000 of them at 2,500 a second.
COME_BACK_MS_MAX = 8_000


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Serve the RSocket port until `stop`: one process's whole work."""
    stores = settings.require_stores()
    async with contextlib.AsyncExitStack() as stack:
        pool, bus = await _open_stores(stores, stack)
        channels, acts = Channels(pool), Acts(pool)
        rooms = _rooms(bus)
        laws = Laws(acts, rooms)
        # With connections of its own: a donation does not wait for one behind the lines of a flood.
        relay = AlertRelay(Alerts(pool), _bus(stores, stack))
        ledger = await stack.enter_async_context(Ledger(pool, on_settled=relay.wake))
        numbers = RoomNumbers(channels)
        stack.push_async_callback(numbers.close)
        live = LiveChannels(channels, bus, rooms)
        members = Members(pool)
        bot_tokens = BotTokens(pool)
        revocations = Revocations(members, bot_tokens, rooms)
        admission = Admission(Tokens(stores.secret), bot_tokens, revocations)
        chat = ChatDoors(rooms, numbers, laws, admission.verify)
        board = NoticeBoard(bus, rooms)
        moderation = ModerationDoors(acts=acts, members=members, board=board, numbers=numbers, laws=laws)
        server = await process.listen(
            serve(
                doors=[
                    *chat.doors(),
                    *TalkDoors(chat).doors(),
                    *DonationDoors(ledger, numbers, laws).doors(),
                    *moderation.doors(),
                    *live.doors(),
                ],
                verify=admission.verify,
                translate=admission.translate,
                origins=process.addresses(settings).origins(),
                host=settings.host,
                port=settings.rsocket_port,
                reuse_port=settings.rsocket_workers > 1,
                counted_as=functools.partial(counted_as, public_url=settings.public_url),
            ),
            host=settings.host,
            port=settings.rsocket_port,
            setting=SETTING,
        )
        stack.push_async_callback(server.close)
        stack.callback(live.close)
        stack.callback(rooms.close, _goodbye)
        # From the last to the first: nothing new, what is under way, the watches, the connections.
        stack.push_async_callback(server.drain)
        process.say_ready(f"rsocket ws://{settings.host}:{settings.rsocket_port}/rsocket")
        await process.own(stop, rooms.run(), relay.run(), live.run(), laws.run(), revocations.run(server))


def _goodbye() -> bytes:
    """Say when to come back: not all of a room at once."""
    return events.drain(secrets.randbelow(COME_BACK_MS_MAX))


def _rooms(bus: Bus) -> Rooms:
    return Rooms(
        bus,
        stamp=events.stamp,
        keep=events.keep,
        gap=events.gap,
        count=events.count,
        node=_node(),
        takes_back=events.takes_back,
        voice=events.voice,
        epoch=events.epoch,
        ring=open_ring(),
        words=Words(away=events.AWAY, back=events.BACK, local=events.local, lapsed=events.lapsed, line=events.line),
    )


async def _open_stores(stores: Stores, stack: contextlib.AsyncExitStack) -> tuple[asyncpg.Pool, Bus]:
    pool = await process.answering(
        open_pool(stores.database_url, application_name="commeow rsocket_server", on_connect=take_role),
        store="PostgreSQL",
        setting="COMMEOW_DATABASE_URL",
    )
    stack.push_async_callback(pool.close)
    await process.check_schema(missing(pool))
    await process.check_rights(may_rewrite(pool))
    bus = _bus(stores, stack)
    await process.answering(bus.head(0), store="Redis", setting="COMMEOW_REDIS_URL")
    return pool, bus


def _bus(stores: Stores, stack: contextlib.AsyncExitStack) -> Bus:
    redis = open_redis(stores.redis_url)
    stack.push_async_callback(redis.aclose)
    return Bus(redis)


async def work_for_parent(settings: Settings, stop: asyncio.Event) -> None:
    """Serve as one of several workers: also stop when the parent has gone, whose end of our stdin closes with it."""
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    await work(settings, stop)


async def oversee(settings: Settings, stop: asyncio.Event) -> None:
    """Keep all workers running until `stop`, and say ready when all of them have."""
    _check_free(settings)
    async with contextlib.AsyncExitStack() as stack:
        await _open_stores(settings.require_stores(), stack)
    async with asyncio.TaskGroup() as group:
        ready = [asyncio.Event() for _ in range(settings.rsocket_workers)]
        tasks = [group.create_task(_keep_worker(event)) for event in ready]
        waiting = group.create_task(_say_all_ready(settings, ready))
        await stop.wait()
        for task in (waiting, *tasks):
            task.cancel()


async def _keep_worker(ready: asyncio.Event) -> None:
    while True:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rsocket_server",
            WORKER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert worker.stdout is not None
            async for _line in worker.stdout:
                ready.set()
            await worker.wait()
        finally:
            await _end(worker)
        sys.stderr.write(f"rsocket worker ended code={worker.returncode}\n")
        await asyncio.sleep(RESTART_SECONDS)


async def _end(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is not None:
        return
    worker.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await worker.wait()
    except TimeoutError:
        worker.kill()
        await worker.wait()


async def _say_all_ready(settings: Settings, ready: list[asyncio.Event]) -> None:
    for event in ready:
        await event.wait()
    workers = f"{settings.rsocket_workers} workers"
    process.say_ready(f"rsocket ws://{settings.host}:{settings.rsocket_port}/rsocket {workers}")


def _check_free(settings: Settings) -> None:
    """See that nobody listens yet: workers share their port with whoever asks to, also with a stranger of our name."""
    try:
        with socket.create_server((settings.host, settings.rsocket_port), reuse_port=False):
            pass
    except OSError as error:
        raise process.port_trouble(error, host=settings.host, port=settings.rsocket_port, setting=SETTING) from None


def _node() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def main() -> int:
    """Be one worker, or oversee several."""
    if WORKER in sys.argv[1:]:
        return process.run(work_for_parent)
    return process.run(_choose)


async def _choose(settings: Settings, stop: asyncio.Event) -> None:
    await (work if settings.rsocket_workers == 1 else oversee)(settings, stop)


if __name__ == "__main__":
    sys.exit(main())
