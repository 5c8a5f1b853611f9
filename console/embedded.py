"""Roof: PostgreSQL and Valkey as children of this process, from the programs that binaries.py finds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from console.binaries import find_postgres, find_valkey, major_in
from console.embedded_server import (
    PRESSED_SECONDS_MAX,
    EmbeddedServer,
    ServerFailed,
    answers,
    end,
    runs_in,
    sync,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.binaries import PostgresBinaries


def removed(folder: Path) -> bool:
    """Remove `folder`; False if someone still wrote into it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


class PostgreSQL(EmbeddedServer):
    """PostgreSQL in `folder`, on a unix socket only.

    Args:
        folder: see EmbeddedServer.
        durable: False does not wait for the disk: for tests only.
        namespace: see EmbeddedServer.
    """

    name = "PostgreSQL"
    socket_name = ".s.PGSQL.5432"

    def __init__(self, folder: Path, *, durable: bool = True, namespace: bool = True) -> None:
        super().__init__(folder, namespace=namespace)
        self._durable = durable
        self._programs = Path()

    @property
    def data(self) -> Path:
        """The database cluster."""
        return self.folder / "pg"

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """Return the address of `database`, as asyncpg takes it."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket_path.parent), safe='/')}"

    def data_major(self) -> int | None:
        """Return the major version that made the data, or None if there is none."""
        for file in (self.data / "PG_VERSION", self.folder / "major"):
            if file.exists() and self.data.exists():
                return major_in(file.read_text(encoding="ascii", errors="replace"))
        return None

    async def _prepare(self) -> None:
        found = await asyncio.to_thread(find_postgres, self.data, self.data_major())
        self._programs = found.folder
        if self.data.exists():
            return
        await self._initialise(found)

    async def _initialise(self, found: PostgresBinaries) -> None:
        """Make the data aside, and rename it into place when it is whole."""
        half = self.folder / "pg.init"
        shutil.rmtree(half, ignore_errors=True)
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if found.major >= 17 else ["--locale=C"]
        durable = [] if self._durable else ["--no-sync"]
        process = await self._spawn(
            *(found.folder / "initdb", "-D", half, "-U", "postgres", "-A", "trust", "-E", "UTF8"), *locale, *durable
        )
        code = None
        try:
            code = await process.wait()
        finally:
            await end(process)
            # Also when it came to a good end after we were told to stop: nobody will rename what it made.
            if code != 0:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # initdb leaves its own child running.
                await until(lambda: removed(half), PRESSED_SECONDS_MAX)
        if code != 0:
            raise ServerFailed("initdb", self._last_words(), self.log)
        (self.folder / "major").write_text(f"{found.major}\n", encoding="ascii")
        half.replace(self.data)
        sync(self.folder)

    def _command(self) -> list[str | Path]:
        settings: Mapping[str, str] = {"listen_addresses": "", "unix_socket_permissions": "0700"}
        if not self._durable:
            settings = {**settings, "fsync": "off", "full_page_writes": "off"}
        pairs = [f"--{key}={value}" for key, value in settings.items()]
        return [self._programs / "postgres", "-D", self.data, "-k", self.socket_path.parent, *pairs]

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _ready(self) -> bool:
        lines = self._pid_lines()  # The eighth says how far it has come; before "ready" it turns clients away.
        return len(lines) >= 8 and lines[7].strip() == "ready" and answers(self.socket_path)

    def _orphan_pid(self) -> int | None:
        lines = self._pid_lines()
        pid = major_in(lines[0]) if lines else 0
        # After a restart of the machine the number may be another's: only one with our folder open is ours.
        return pid if pid and runs_in(pid, self.data) else None


class Valkey(EmbeddedServer):
    """Valkey (or Redis) in `folder`, on a unix socket only, with an append-only file."""

    name = "Valkey"
    socket_name = "valkey.sock"

    @property
    def url(self) -> str:
        """The address as redis-py takes it."""
        return f"unix://{quote(str(self.socket_path), safe='/')}"

    async def _prepare(self) -> None:
        self._program = await asyncio.to_thread(find_valkey)

    def _command(self) -> list[str | Path]:
        return [
            *(self._program, "--port", "0", "--unixsocket", self.socket_path, "--unixsocketperm", "700"),
            *("--dir", self.folder, "--pidfile", self.folder / "pid", "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ]

    def _orphan_pid(self) -> int | None:
        try:
            pid = major_in((self.folder / "pid").read_text(encoding="ascii", errors="replace"))
        except FileNotFoundError:
            return None
        return pid if pid and runs_in(pid, self.folder) else None
