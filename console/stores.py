"""Roof: the stores of the house as the console's verbs find them: given, running, or started for a moment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.embedded import PostgreSQL, Valkey
from console.embedded_server import EmbeddedError, use_folder
from routes.settings import SECRET_BYTES_MIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from routes.settings import Settings

PATIENCE_SECONDS = 10.0  # A verb that started a server waits this long for another verb that attached to it.


class HouseRuns(EmbeddedError):
    """Another `./commeow` runs on this data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"a house already runs on {self.folder}: stop it first, or set COMMEOW_DATA to another folder"


class SecretSpoilt(EmbeddedError):
    """The kept secret is no secret."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"the secret in {self.path} is too short: remove the file (all are logged out), or set COMMEOW_SECRET"


@dataclass
class Servers:
    """The embedded servers of a data folder; None where the settings name one elsewhere."""

    postgresql: PostgreSQL | None
    valkey: Valkey | None

    def fill(self, settings: Settings) -> Settings:
        """Return the settings with the addresses of what runs here."""
        if self.postgresql is not None:
            settings = replace(settings, database_url=self.postgresql.url())
        if self.valkey is not None:
            settings = replace(settings, redis_url=self.valkey.url)
        return settings


def servers_for(settings: Settings) -> Servers:
    """Return what is to be started for these settings. Raises SettingsError if only a secret is missing."""
    if settings.database_url is not None and settings.redis_url is not None and settings.secret is None:
        settings.require_stores()
    return Servers(
        PostgreSQL(settings.data / "postgres") if settings.database_url is None else None,
        Valkey(settings.data / "valkey") if settings.redis_url is None else None,
    )


def fill_secret(settings: Settings) -> Settings:
    """Return the settings with the secret of the data folder, made there (0600) if there is none."""
    if settings.secret is not None:
        return settings
    path = use_folder(settings.data) / "secret"
    if not path.exists():
        keep(path, secrets.token_hex(SECRET_BYTES_MIN))
    secret = path.read_bytes().strip()
    if len(secret) < SECRET_BYTES_MIN:
        raise SecretSpoilt(path)
    return replace(settings, secret=secret)


def keep(path: Path, text: str) -> None:
    """Write a small file that only we may read, whole or not at all; the first of two at once wins."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(part)
    part.unlink()


@contextlib.contextmanager
def only_house(folder: Path) -> Iterator[None]:
    """Hold the data folder as its one running house. Raises HouseRuns, FolderUnusable."""
    folder = use_folder(folder)
    with (folder / "house").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HouseRuns(folder) from None
        yield


@contextlib.asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Settings]:
    """Yield the settings with all stores: given, attached to a running house, or started for a moment.

    Raises SettingsError, EmbeddedError or BinaryError.
    """
    servers = servers_for(settings)
    started: list[PostgreSQL | Valkey] = []
    try:
        for server in (servers.postgresql, servers.valkey):
            if server is not None:
                await server.start()
                started.append(server)
        yield fill_secret(servers.fill(settings))
    finally:
        for server in started:
            await server.stop(patience_seconds=PATIENCE_SECONDS)
