"""Roof: a server in a folder of its own, as a child of this process.

The rule: whoever holds the lock of a server's folder owns the server and ends it; others attach. A server
also ends when its owner dies, however that dies (exec_launcher.py), so the next start may find one that is still
closing its files: it waits for that one, and presses it if need be. Data is made aside and renamed into place:
a start that was cut short never counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, Self

LAUNCHER = Path(__file__).with_name("exec_launcher.py")
SOCKET_PATH_BYTES_MAX = 100  # The kernel takes 107 (macOS 103), and PostgreSQL adds ".lock" beside it.
START_SECONDS_MAX = 60.0  # Recovery after a crash reads the log; initdb took 5.6 s once on a busy machine.
STOP_SECONDS_MAX = 10.0  # A clean end writes everything down; on a busy disk that takes its time.
PRESSED_SECONDS_MAX = 2.0  # How long a server that was pressed may take; after that it is killed, and recovers later.
ORPHAN_SECONDS_MAX = 10.0  # How long an earlier owner's server may take to close before it is pressed.
POLL_SECONDS = 0.01
ATTACH_SECONDS = 0.1  # Who was just killed holds its lock, and its server answers, for a moment longer.
START_TRIES_MAX = 3  # A killed postmaster's children may hold its shared memory for a moment.
ALARMING_WORDS = ("FATAL", "PANIC", "error:", "Fatal", "denied")  # A log line with one says why a start failed.
LOG_BYTES_MAX = 4_000_000  # One older log is kept beside it.


class EmbeddedError(Exception):
    """An embedded server cannot be had; the text is one line and names the remedy."""


class FolderUnusable(EmbeddedError):
    """The data folder cannot be made, read or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the data folder {self.folder} cannot be used ({self.reason}): "
            f"make it readable and writable for this user (chmod u+rwx), or set COMMEOW_DATA to another folder"
        )


class ServerFailed(EmbeddedError):
    """A server would not start."""

    def __init__(self, name: str, last_words: str, log: Path) -> None:
        super().__init__(name, last_words, log)
        self.name = name
        self.last_words = last_words
        self.log = log

    def __str__(self) -> str:
        return f"{self.name} would not start ({self.last_words or 'it said nothing'}): read {self.log}"


def use_folder(folder: Path) -> Path:
    """Make `folder` (0700) if it is not there, make sure that it can be used, and return its full path."""
    try:
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o700 != 0o700:
            raise FolderUnusable(folder, f"its mode is {folder.stat().st_mode & 0o777:04o}")
        os.scandir(folder).close()
    except OSError as error:
        raise FolderUnusable(folder, error.strerror or str(error)) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise FolderUnusable(folder, "it is not ours")
    return folder


def socket_folder(folder: Path, name: str) -> Path:
    """Return where the socket `name` of the server in `folder` is: there, or under the temporary folder if too long."""
    if len(os.fsencode(folder / name)) <= SOCKET_PATH_BYTES_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"commeow-{os.getuid()}-{digest}"


def answers(path: Path) -> bool:
    """Whether someone listens at the unix socket `path`."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
        return True


def is_alive(pid: int) -> bool:
    """Whether `pid` runs; one that ended and only waits for its parent's look does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except (PermissionError, FileNotFoundError):
        return True  # Another user's; or a system without /proc.
    return state not in "ZX"


def runs_in(pid: int, folder: Path) -> bool:
    """Whether the process `pid` works in `folder`; on a system without /proc, whether it runs."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except PermissionError:
        return True
    except OSError:
        return not Path("/proc/self").exists() and is_alive(pid)


def sync(folder: Path) -> None:
    """Make the names in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def until(condition: Callable[[], bool], seconds_max: float) -> bool:
    """Wait until `condition` holds; False if it does not within `seconds_max`."""
    deadline = asyncio.get_running_loop().time() + seconds_max
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


class EmbeddedServer:
    """One server in one folder: `async with` it, or `start()` and `stop()` it.

    Args:
        folder: the server's own folder; its data, socket, lock and log are in it.
        namespace: False takes the way of a container that forbids user namespaces.
    """

    name: str
    socket_name: str

    def __init__(self, folder: Path, *, namespace: bool = True) -> None:
        self.folder = folder
        self.owns = False
        self._namespace = namespace
        self._process: asyncio.subprocess.Process | None = None
        self._lock: BinaryIO | None = None
        self._users: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def log(self) -> Path:
        """The server's own words."""
        return self.folder / "log"

    @property
    def socket_path(self) -> Path:
        """Where the server listens."""
        return socket_folder(self.folder, self.socket_name) / self.socket_name

    async def start(self, *, own: bool = False) -> None:
        """Own the server and start it, or attach to the one that another process owns.

        Args:
            own: never attach; wait until the other process has let go of it.

        Raises EmbeddedError or BinaryError, each one line with its remedy; then nothing of ours is left running.
        """
        self.folder = use_folder(self.folder)
        try:
            self._lock = (self.folder / "lock").open("ab")
            self._users = (self.folder / "users").open("ab")
            await self._own_or_attach(own=own)
        except OSError as error:
            await self.stop()
            raise FolderUnusable(self.folder, error.strerror or str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self, *, patience_seconds: float = 0.0, seconds_max: float = STOP_SECONDS_MAX) -> None:
        """End the server if it is ours, else let go of it.

        Args:
            patience_seconds: how long to wait first for those who attached to it.
            seconds_max: how long it may take to end cleanly.
        """
        process, self._process = self._process, None
        if process is not None:
            if patience_seconds and self._users is not None:
                await until(lambda: self._take(self._users, fcntl.LOCK_EX), patience_seconds)
            await end(process, seconds_max)
        for file in (self._users, self._lock):
            if file is not None:
                file.close()
        self._users = self._lock = None
        self.owns = False

    async def wait(self) -> int:
        """Wait until our server ends by itself; return its exit code. Call `restart()` or `stop()` next."""
        assert self._process is not None, "attached, not ours"
        return await self._process.wait()

    async def restart(self) -> None:
        """Start our server again after it ended by itself."""
        assert self.owns
        await self._run()

    async def _own_or_attach(self, *, own: bool) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS_MAX
        attach_at = asyncio.get_running_loop().time() + ATTACH_SECONDS
        while not self._take(self._lock, fcntl.LOCK_EX):
            is_patient = own or asyncio.get_running_loop().time() < attach_at
            # Not taken while the owner is ending: then it is ours to own in a moment, not to attach to.
            if not is_patient and self._ready() and self._take(self._users, fcntl.LOCK_SH):
                return
            if asyncio.get_running_loop().time() >= deadline:
                raise ServerFailed(self.name, "another process holds it", self.log)
            await asyncio.sleep(POLL_SECONDS)
        self.owns = True
        await self._end_orphan()
        self._prepare_sockets()
        await self._prepare()
        await self._run()

    @staticmethod
    def _take(file: BinaryIO | None, kind: int) -> bool:
        assert file is not None
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _prepare_sockets(self) -> None:
        folder = self.socket_path.parent
        if folder == self.folder:
            return
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if folder.is_symlink() or found.st_mode & 0o077 or (os.getuid() and found.st_uid != os.getuid()):
            raise FolderUnusable(folder, "someone else made it")

    async def _end_orphan(self) -> None:
        """Wait for the server of an owner that died; press it if it takes too long."""
        pid = self._orphan_pid()
        for number in (None, signal.SIGINT, signal.SIGKILL):
            if pid is None or not is_alive(pid):
                return
            if number is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            await until(lambda: not is_alive(pid), ORPHAN_SECONDS_MAX if number is None else PRESSED_SECONDS_MAX)

    async def _run(self) -> None:
        for tries_left in reversed(range(START_TRIES_MAX)):
            self._process = process = await self._spawn(*self._command())
            await until(lambda: process.returncode is not None or self._ready(), START_SECONDS_MAX)  # noqa: B023
            if process.returncode is None and self._ready():
                return
            await end(process)
            self._process = None
            if not tries_left:
                raise ServerFailed(self.name, self._last_words(), self.log)
            await asyncio.sleep(POLL_SECONDS * 50)

    async def _spawn(self, *command: str | Path) -> asyncio.subprocess.Process:
        """Start `command` through the exec launcher; its words go to the log."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                self.log.replace(self.log.with_name("log.1"))
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                LAUNCHER,
                f"--parent={os.getpid()}",
                f"--signal={signal.SIGINT.value}",
                "--unprivileged",
                *([] if self._namespace else ["--no-namespace"]),
                *(f"--own={path}" for path in {self.folder, self.socket_path.parent}),
                "--",
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()[-30:] if line.strip()]
        fatal = [line for line in lines if any(word in line for word in ALARMING_WORDS)]
        return (fatal or lines or [""])[-1]

    def _command(self) -> list[str | Path]:
        raise NotImplementedError

    async def _prepare(self) -> None:
        """Make the data if there is none."""

    def _ready(self) -> bool:
        return answers(self.socket_path)

    def _orphan_pid(self) -> int | None:
        raise NotImplementedError


async def end(
    process: asyncio.subprocess.Process,
    seconds_max: float = PRESSED_SECONDS_MAX,
    *,
    polite: signal.Signals = signal.SIGINT,
) -> None:
    """End a child and its group: by asking, then by force. SIGINT is the fast clean shutdown of both servers."""
    for number in (polite, signal.SIGKILL):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds_max):
                    await process.wait()
