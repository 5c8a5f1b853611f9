"""Roof: `doctor`: what this machine has of what the house needs; one line each, and the command that mends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.binaries import BinaryError, find_postgres, find_valkey
from console.embedded import PostgreSQL
from console.embedded_server import EmbeddedError
from console.up import check_given_stores, check_ports
from routes.process import StartError
from routes.settings import SettingsError, find_ffmpeg, find_voice

if TYPE_CHECKING:
    from routes.settings import Settings

DISK_BYTES_MIN = 1_000_000_000  # Twenty minutes of one broadcast at 6 Mbit/s.
ENCODERS = ("libx264", "aac")
FFMPEG_SECONDS_MAX = 20.0
CHROMIUM_NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` None: only the tests need it."""

    name: str
    ok: bool | None
    words: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything, and make nothing."""
    return [
        ports(settings),
        *await asyncio.to_thread(ffmpeg, settings),
        await asyncio.to_thread(database, settings),
        await asyncio.to_thread(valkey, settings),
        *await given(settings),
        clock(),
        disk(settings),
        voice(),
        chromium(),
    ]


def ports(settings: Settings) -> Finding:
    """See that our ports are free, or that it is our own house that listens there."""
    numbers = " ".join(map(str, settings.ports.values()))
    try:
        check_ports(settings)
    except StartError as error:
        if (settings.data / "house").exists() and not is_house_free(settings.data):
            return Finding("ports", ok=True, words=f"{numbers}: the house of this data folder runs")
        return Finding("ports", ok=False, words=str(error))
    return Finding("ports", ok=True, words=f"{numbers} are free")


def is_house_free(data: Path) -> bool:
    """Whether no house runs on this data folder."""
    from console.stores import HouseRuns, only_house  # noqa: PLC0415

    try:
        with only_house(data):
            return True
    except (HouseRuns, EmbeddedError):
        return False


def ffmpeg(settings: Settings) -> list[Finding]:
    """See that there is an ffmpeg, and that it encodes what the demo and the ladder need."""
    try:
        program = find_ffmpeg(settings)
    except SettingsError as error:
        return [Finding("ffmpeg", ok=False, words=str(error))]
    if program is None:
        return [Finding("ffmpeg", ok=False, words="none found: pip install imageio-ffmpeg, or apt-get install ffmpeg")]
    try:
        listed = subprocess.run(  # noqa: S603 (the operator's own ffmpeg)
            [program, "-hide_banner", "-encoders"],
            capture_output=True,
            text=True,
            check=True,
            timeout=FFMPEG_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        words = f"{program} does not run ({type(error).__name__}): set COMMEOW_FFMPEG to another"
        return [Finding("ffmpeg", ok=False, words=words)]
    absent = [name for name in ENCODERS if f" {name} " not in listed]
    if absent:
        words = f"{program} lacks {', '.join(absent)}: leave COMMEOW_FFMPEG out to use the wheel's"
        return [Finding("ffmpeg", ok=False, words=words)]
    return [Finding("ffmpeg", ok=True, words=f"{program} has {', '.join(ENCODERS)}")]


def voice() -> Finding:
    """See whether overlays can read gifts aloud; nobody needs it."""
    found = find_voice()
    return Finding("voice", ok=True, words=found or "none: apt-get install espeak-ng, and overlays read gifts aloud")


def database(settings: Settings) -> Finding:
    """See which PostgreSQL would be used."""
    if settings.database_url is not None:
        return Finding("database", ok=True, words="PostgreSQL by COMMEOW_DATABASE_URL")
    server = PostgreSQL(settings.data / "postgres")
    try:
        found = find_postgres(server.data, server.data_major())
    except (BinaryError, OSError) as error:
        return Finding("database", ok=False, words=str(error))
    return Finding("database", ok=True, words=f"PostgreSQL {found.major} in {found.folder}")


def valkey(settings: Settings) -> Finding:
    """See which Valkey would be used."""
    if settings.redis_url is not None:
        return Finding("redis", ok=True, words="by COMMEOW_REDIS_URL")
    try:
        return Finding("redis", ok=True, words=f"{find_valkey()}")
    except BinaryError as error:
        return Finding("redis", ok=False, words=str(error))


async def given(settings: Settings) -> list[Finding]:
    """See that the stores that the settings name answer."""
    if settings.database_url is None and settings.redis_url is None:
        return []
    try:
        await check_given_stores(settings)
    except StartError as error:
        return [Finding("stores", ok=False, words=str(error))]
    return [Finding("stores", ok=True, words="what the settings name answers")]


def clock() -> Finding:
    """See that the clock is not before this very file: tokens and playlists live by it."""
    if time.time() < Path(__file__).stat().st_mtime:
        return Finding("clock", ok=False, words="it is before our own files: set it (timedatectl set-ntp true)")
    return Finding("clock", ok=True, words=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def disk(settings: Settings) -> Finding:
    """See that there is room for segments."""
    folder = settings.data.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK) or not folder.is_dir():
        words = f"{folder} cannot be used: make it readable and writable (chmod u+rwx), or set COMMEOW_DATA"
        return Finding("disk", ok=False, words=words)
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free at {folder}"
    if free < DISK_BYTES_MIN:
        return Finding("disk", ok=False, words=f"{words}: make room, or set COMMEOW_DATA to another disk")
    return Finding("disk", ok=True, words=words)


def chromium() -> Finding:
    """See whether the browser tests could run."""
    for name in (os.environ.get("CHROMIUM", ""), *CHROMIUM_NAMES):
        found = shutil.which(name) if name else None
        if found:
            return Finding("chromium", ok=True, words=found)
    return Finding("chromium", ok=None, words="none, only the tests need it: apt-get install chromium fonts-noto-cjk")
