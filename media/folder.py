"""Shell: one broadcast's folder, as the thread that writes sees it: files grow under a dot and get their name whole.

Every method blocks, and raises OSError where the disk refuses. A file that was refused half-way is thrown away at once:
what has a name is whole. Nothing is forced to the platter: a killed process loses nothing by that, a machine without
power its last seconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# A file that grows, and a log that is behind what has happened, are no files yet.
GROWING: Final = "."
BEHIND: Final = ".behind"
# What a log may owe while the disk is full; beyond it the log is not gone on with.
LOG_OWED_BYTES_MAX: Final = 256 * 1024


@dataclass(slots=True)
class _Log:
    name: str
    descriptor: int
    size: int
    behind: bool = False


class Folder:
    """`reserve_bytes` of the disk are left to others; a log may use them, for without it nothing can go on."""

    def __init__(self, path: Path, reserve_bytes: int) -> None:
        self.path = path
        self._reserve_bytes = reserve_bytes
        self._growing: dict[str, tuple[int, int]] = {}  # descriptor and size
        self._refused: set[str] = set()
        self._log: _Log | None = None
        self._owed = b""
        self._abandoned = False

    def write(self, name: str, data: bytes) -> None:
        """A whole file at once."""
        growing = self.path / (GROWING + name)
        try:
            self._make_room(len(data))
            self.path.mkdir(parents=True, exist_ok=True)
            growing.write_bytes(data)
            growing.replace(self.path / name)
        except OSError:
            with contextlib.suppress(OSError):
                growing.unlink(missing_ok=True)
            raise

    def append(self, name: str, data: bytes) -> None:
        """Let a file grow. After a refusal it is none any more and grows no further: a later piece is no head."""
        if name in self._refused:
            return
        descriptor, size = self._growing.get(name, (-1, 0))
        try:
            self._make_room(len(data))
            if descriptor < 0:
                self.path.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self.path / (GROWING + name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            self._growing[name] = descriptor, size
            _write_all(descriptor, data)
            self._growing[name] = descriptor, size + len(data)
        except OSError:
            self.refuse(name)
            raise

    def refuse(self, name: str) -> None:
        """A piece of a file that grows is lost: it is none until it is finished, which writes it anew."""
        self.discard(name)
        self._refused.add(name)

    def finish(self, name: str, parts: Sequence[bytes]) -> None:
        """Give a file its name; written anew from its parts if not all of them have come through."""
        self._refused.discard(name)
        descriptor, size = self._growing.pop(name, (-1, -1))
        if descriptor >= 0:
            os.close(descriptor)
        if size == sum(map(len, parts)):
            (self.path / (GROWING + name)).replace(self.path / name)
        else:
            self.write(name, b"".join(parts))

    def discard(self, name: str) -> None:
        """Forget a file that grows."""
        self._refused.discard(name)
        descriptor, _ = self._growing.pop(name, (-1, 0))
        if descriptor >= 0:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            (self.path / (GROWING + name)).unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Forget a file, whole or growing."""
        self.discard(name)
        with contextlib.suppress(OSError):
            (self.path / name).unlink(missing_ok=True)

    def log(self, name: str, data: bytes) -> None:
        """Append to a log. While the disk refuses, the log is owed what came, and has a name that nobody reads."""
        owed = self._owed + data
        if self._abandoned or len(owed) > LOG_OWED_BYTES_MAX:
            self._abandoned, self._owed = True, b""
            return
        self._owed = owed
        if self._log is None or (self._log.name != name and len(owed) == len(data)):
            self._open_log(name)
        assert self._log is not None
        log = self._log
        try:
            _write_all(log.descriptor, owed)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(log.descriptor, log.size)
                if not log.behind:
                    (self.path / log.name).replace(self.path / (log.name + BEHIND))
                    log.behind = True
            raise
        log.size += len(owed)
        self._owed = b""
        if log.behind:
            (self.path / (log.name + BEHIND)).replace(self.path / log.name)
            log.behind = False

    def _open_log(self, name: str) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if self._log:
            os.close(self._log.descriptor)
        self._log = _Log(name, descriptor, os.fstat(descriptor).st_size)

    def delete(self) -> None:
        """Everything goes."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Close what is open; what grows stays, for another process to go on with."""
        for descriptor, _ in self._growing.values():
            os.close(descriptor)
        self._growing.clear()
        if self._log:
            os.close(self._log.descriptor)
            self._log = None

    def _make_room(self, size: int) -> None:
        if free_bytes(self.path) - size < self._reserve_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_bytes(path: Path) -> int:
    """What is left on the disk of a path that there is, or will be."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
