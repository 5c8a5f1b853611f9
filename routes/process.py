"""Door: the operating system: settings in, one line and an exit code out, SIGTERM and Ctrl-C in between."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import importlib
import importlib.util
import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from db.errors import StoreError
from db.migrate import MigrationError
from routes.addresses import Addresses
from routes.settings import SettingsError, from_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from routes.settings import Settings

T = TypeVar("T")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

CANCEL_AGAIN_SECONDS: Final = 0.2
"""Seconds after which a task that was cancelled and goes on is cancelled again; most end within a millisecond."""

GARBAGE_OBJECTS: Final = 20_000
"""New objects after which a collection looks at them; the 700 of Python are two viewers' waits for a part each."""

log = logging.getLogger("commeow.process")


class StartError(Exception):
    """The process cannot start, and an operator can mend it: the text is the one line he reads."""


def run(serve: Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Read the settings, run `serve` until a signal sets its event, and give the exit code.

    What an operator can mend (a wrong setting, an occupied port, a store that is away or of another age) becomes one
    line on stderr and exit code 1; anything else is our own fault and keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = from_environment()
        settings.require_stores()
        raise_file_limit()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signal(serve, settings))
    except (SettingsError, StoreError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def raise_file_limit() -> None:
    """Take as many file descriptors as we are allowed: the usual 1,024 are a few hundred viewers and then a stop."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # Where "unlimited" is no number.
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say_ready(words: str) -> None:
    """Tell whoever started this process that it listens: one line on stdout.

    What is there by now stays, so the garbage collector need not look at it again and again; at hundreds of answers
    to each part it would be a seventh of all work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)
    sys.stdout.write(f"ready {words}\n")
    sys.stdout.flush()


async def listen(opening: Awaitable[T], *, host: str, port: int, setting: str) -> T:
    """Open a port. Raises StartError, naming the setting that moves it, when that cannot be."""
    try:
        return await opening
    except OSError as error:
        raise port_trouble(error, host=host, port=port, setting=setting) from None


def port_trouble(error: OSError, *, host: str, port: int, setting: str) -> StartError:
    """Say in one line why a port cannot be opened."""
    taken = error.errno == errno.EADDRINUSE
    reason = "is taken by another process" if taken else f"cannot be opened ({error.strerror or 'no such address'})"
    return StartError(f"port {port} on {host} {reason}: free it, or set {setting} to another")


def claim(start: Callable[[], None], folder: Path) -> None:
    """Take a folder that only one process may have. Raises StartError."""
    try:
        start()
    except BlockingIOError:
        words = "belongs to another python -m media that runs: end that one, or set COMMEOW_DATA to another folder"
        raise StartError(f"{folder} {words}") from None
    except OSError as error:
        raise StartError(f"{folder} cannot be used ({error.strerror}): see to it, or set COMMEOW_DATA") from None


async def answering(call: Awaitable[T], *, store: str, setting: str) -> T:
    """Await a store's first answer. Raises StartError, naming the setting that says where it is."""
    try:
        return await call
    except StoreError as error:
        raise StartError(f"{store} does not answer ({error}): see that it runs, or set {setting}") from None


async def check_schema(missing: Awaitable[list[str]]) -> None:
    """See that the database is of this code's age. Raises StartError."""
    try:
        names = await missing
    except MigrationError as error:
        raise StartError(str(error)) from None
    if names:
        raise StartError(f"the database lacks {len(names)} migrations, {names[0]} first: run ./commeow migrate")


async def check_rights(may_rewrite: Awaitable[bool]) -> None:
    """Warn if this process could change past transfers: it then relies on the triggers alone."""
    if await may_rewrite:
        log.warning("database_user may_rewrite_the_ledger=true: let its user CREATE ROLE and run ./commeow migrate")


def addresses(settings: Settings) -> Addresses:
    """Give the house's own addresses as these settings have them."""
    return Addresses(
        host=settings.host,
        http_port=settings.http_port,
        rsocket_port=settings.rsocket_port,
        rtmp_port=settings.rtmp_port,
        rtmps_port=settings.rtmps_port,
        public_url=settings.public_url,
    )


async def own(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Run background works until `stop`; one that fails earlier takes the process with it, for a clean restart."""
    tasks = [asyncio.create_task(work) for work in works]
    stopping = asyncio.create_task(stop.wait())
    waiting: set[asyncio.Task[Any]] = {stopping, *tasks}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await _end(waiting)


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended.

    Python 3.11's wait_for, in which redis-py sends, swallows a cancellation that comes when it is done anyway (fixed in
    3.12). Whoever was told and goes on is told again, a task group's children too.
    """
    for task in tasks:
        task.cancel()
    pending = tasks
    while pending:
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if pending and task.cancelling():
                task.cancel()


async def _until_signal(
    serve: Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]], settings: Settings
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    # Faster where it installs, never required (it has no wheel for every platform).
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory
