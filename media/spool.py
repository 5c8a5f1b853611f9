"""Shell: the broadcasts' past on local disk: one thread writes in order, two read, and the room used has a bound.

Nothing here waits on the loop and nothing is ever waited for by a picture: what the thread has not taken yet is bounded
in bytes, and beyond that a segment is simply not kept. Room is made before it ends, by the quota and by what is left
free on the disk, always at the cost of whoever has most (eviction.py).
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import queue
import shutil
import threading
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Final

from media.eviction import next_victim
from media.folder import Folder, free_bytes
from media.hls_writer.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from media.hls_writer.journal import Began

log = logging.getLogger(__name__)

# Bytes that wait for the thread: what a disk that hangs for seconds costs in memory.
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
# Jobs that wait: minutes of ten broadcasts, and some megabytes. A broadcast that would add to them gives its past up.
QUEUE_JOBS_MAX: Final = 50_000
# At the end, for what waits: a disk that takes longer has its process killed.
CLOSE_SECONDS_MAX: Final = 2.0
# Left to the database and the logs of the same disk: a twentieth of it, and no more than this.
RESERVE_BYTES_MAX: Final = 512 * 1024 * 1024
RESERVE_PARTS: Final = 20
# Free beyond the reserve before the next segments come: so many of the largest lately written.
HEADROOM_SEGMENTS: Final = 4
# Segments read from disk and kept for the next who goes back as far.
READ_CACHE_BYTES_MAX: Final = 32 * 1024 * 1024
READERS: Final = 2
# Reads that wait for a reader; beyond it the disk is too slow for more.
READS_WAITING_MAX: Final = 256
# Between two lines of the log about a disk that refuses.
TELL_SECONDS: Final = 60.0


class Spool:
    """Start it, `record` each broadcast, close it at the end: files stay for the next process.

    One at a time for a folder: two would sweep each other's broadcasts away.
    """

    def __init__(self, root: Path, *, quota_bytes: int) -> None:
        self.root = root
        self.refused = 0  # jobs that the disk, or the bound of the queue, did not take
        self._quota_bytes = quota_bytes
        self._reserve_bytes = RESERVE_BYTES_MAX
        self._shelves: dict[int, Shelf] = {}
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._queued = 0
        self._largest = 0
        self._freeing = 0  # evicted, but not yet removed
        self._lock = -1  # descriptor of the folder
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reads: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._reading: dict[Path, asyncio.Future[bytes | None]] = {}
        self._cache: OrderedDict[Path, bytes] = OrderedDict()
        self._cached = 0
        self._tell_again_at = 0.0

    def start(self) -> None:
        """Make the folder and start the threads.

        Raises BlockingIOError if another process has the folder, another OSError if there can be no such folder.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.root)
        self._reserve_bytes = min(RESERVE_BYTES_MAX, disk_bytes(self.root) // RESERVE_PARTS)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()
        for _ in range(READERS):  # Nobody waits for them: a disk that hangs does not keep the process.
            threading.Thread(target=self._read_for_ever, name="spool reader", daemon=True).start()

    async def close(self) -> None:
        """Write what waits, for CLOSE_SECONDS_MAX at most, and stop."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._jobs.put(None)
        for _ in range(READERS):
            self._reads.put(None)
        await asyncio.to_thread(thread.join, CLOSE_SECONDS_MAX)
        if thread.is_alive():  # It may still write: the lock ends with the process.
            log.warning("spool_not_written jobs=%d words=the disk hangs", self._jobs.qsize())
        else:
            os.close(self._lock)

    def record(self, began: Began, *, window_seconds: float, journal: int = 1) -> Recorder:
        """Keep a broadcast's past; `journal` as Recorder has it."""
        shelf = Shelf(self, Folder(self.root / str(began.broadcast_id), self._reserve_bytes))
        shelf.recorder = Recorder(shelf, began, window_seconds=window_seconds, journal=journal)
        self._shelves[began.broadcast_id] = shelf
        return shelf.recorder

    @property
    def bytes_held(self) -> int:
        """What lies on disk, but for what grows."""
        return sum(shelf.bytes_held for shelf in self._shelves.values())

    def folders(self) -> list[Path]:
        """What lies there, by an earlier process or this one."""
        return sorted(path for path in self.root.iterdir() if path.is_dir())

    def sweep(self, keep: Collection[str] = ()) -> None:
        """Remove every folder that is no broadcast's of this process, but for those of the names to `keep`."""
        kept = {*keep, *map(str, self._shelves)}
        for path in self.folders():
            if path.name not in kept:
                self.put(partial(shutil.rmtree, path, ignore_errors=True))

    def forget(self, broadcast_id: int) -> None:
        """A broadcast's folder goes."""
        shelf = self._shelves.pop(broadcast_id, None)
        if shelf:
            self.put(shelf.folder.delete)

    def put(self, job: Callable[[], None], size: int = 0) -> bool:
        """Let the thread do something; False when too many bytes wait already."""
        if size and self._queued + size > QUEUE_BYTES_MAX:
            self.refused += 1
            return False
        self._queued += size
        self._jobs.put(partial(self._do, job, size) if size else job)
        return True

    @property
    def full(self) -> bool:
        """Whether so much waits for the thread that nothing more should."""
        return self._jobs.qsize() >= QUEUE_JOBS_MAX

    def tell(self, words: Callable[[], None]) -> None:
        """From the thread: let the loop do something."""
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(words)

    def _do(self, job: Callable[[], None], size: int) -> None:
        try:
            job()
        finally:
            self.tell(partial(self._done, size))

    def _done(self, size: int) -> None:
        self._queued -= size

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                self.tell(partial(self._failed, error))
            except Exception:
                log.exception("spool_failed")

    def _failed(self, error: OSError) -> None:
        self.refused += 1
        assert self._loop is not None
        if self._loop.time() >= self._tell_again_at:
            self._tell_again_at = self._loop.time() + TELL_SECONDS
            log.warning("spool_refused words=%s", error.strerror)

    # --- room --------------------------------------------------------------------------------------------------------

    def written(self, size: int, free: int) -> None:
        """A segment of that size was written, or not, and so much is free: make room for the next ones."""
        self._largest = max(size, self._largest * 7 // 8)
        headroom = HEADROOM_SEGMENTS * self._largest
        free += self._freeing
        missing = max(self._reserve_bytes + headroom - free, self.bytes_held + headroom - self._quota_bytes)
        shelves = list(self._shelves.values())
        while missing > 0 and (victim := next_victim(shelves)):
            evicted = victim.evict()
            if evicted is None:  # It has no more than the open segment needs.
                shelves.remove(victim)
                continue
            missing -= evicted
            self._freeing += evicted
            self.put(partial(self.tell, partial(self._freed, evicted)))

    def _freed(self, size: int) -> None:
        self._freeing -= size

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read(self, path: Path) -> bytes | None:
        """A file, read once for all who ask; None when it is not there, or the disk is too busy."""
        data = self._cache.get(path)
        if data is not None:
            self._cache.move_to_end(path)
            return data
        reading = self._reading.get(path)
        if reading is None:
            if len(self._reading) >= READS_WAITING_MAX:
                return None
            reading = self._reading[path] = asyncio.get_running_loop().create_future()
            self._reads.put(path)
        return await asyncio.shield(reading)

    def _read_for_ever(self) -> None:
        while (path := self._reads.get()) is not None:
            self.tell(partial(self._has_read, path, _read(path)))

    def _has_read(self, path: Path, data: bytes | None) -> None:
        self._reading.pop(path).set_result(data)
        if data is None or len(data) > READ_CACHE_BYTES_MAX // 2:
            return
        self._cache[path] = data
        self._cached += len(data)
        while self._cached > READ_CACHE_BYTES_MAX:
            _, old = self._cache.popitem(last=False)
            self._cached -= len(old)


class Shelf:
    """One broadcast's place (hls_writer/recorder.py, Store)."""

    def __init__(self, spool: Spool, folder: Folder) -> None:
        self.folder = folder
        self._spool = spool
        self.recorder: Recorder | None = None  # who writes here, and gives up when room is needed
        self._closed = False

    @property
    def bytes_held(self) -> int:
        """What lies on disk."""
        return self.recorder.bytes_held if self.recorder else 0

    @property
    def bytes_unlisted(self) -> int:
        """What of it no playlist lists any more."""
        return self.recorder.bytes_unlisted if self.recorder else 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.recorder is not None and self.recorder.ended

    def evict(self) -> int | None:
        """Give up the oldest segment; its bytes."""
        return self.recorder.evict() if self.recorder else None

    def write(self, name: str, data: bytes) -> None:
        """Keep a small file."""
        if self._takes():
            self._spool.put(partial(self.folder.write, name, data))

    def append(self, name: str, data: bytes) -> None:
        """Let a file grow."""
        if not self._takes():
            return
        if not self._spool.put(partial(self.folder.append, name, data), len(data)):
            self._spool.put(partial(self.folder.refuse, name))

    def finish(self, name: str, parts: Sequence[bytes], done: Callable[[bool], None]) -> None:
        """Give a file its name; `done` is told on the loop, in the order of the calls."""
        if not self._takes():
            return
        size = sum(map(len, parts))
        if not self._spool.put(partial(self._finish, name, parts, size, done), size):
            self._spool.put(partial(self.folder.discard, name))
            self._spool.put(partial(self._spool.tell, partial(self._finished, done, size, None, there=False)))

    def log(self, name: str, data: bytes) -> None:
        """Append to a file under its own name."""
        if self._takes():
            self._spool.put(partial(self.folder.log, name, data))

    def remove(self, names: Sequence[str]) -> None:
        """Forget files."""
        for name in names:
            if self._takes():
                self._spool.put(partial(self.folder.remove, name))

    async def read(self, name: str) -> bytes | None:
        """A file, None when it is not there."""
        return await self._spool.read(self.folder.path / name)

    def _takes(self) -> bool:
        """Whether there is room for one more job; where there is none the broadcast has no past from now on."""
        if not self._closed and self._spool.full:
            self._closed = True
            log.warning("past_given_up folder=%s words=the disk hangs", self.folder.path.name)
            if self.recorder:
                self.recorder.give_up()
            self._spool.put(self.folder.delete)
        return not self._closed

    def _finish(self, name: str, parts: Sequence[bytes], size: int, done: Callable[[bool], None]) -> None:
        there = False
        free = None
        try:
            if parts:
                self.folder.finish(name, parts)
            there = True
        finally:
            try:
                free = free_bytes(self.folder.path)
            finally:
                self._spool.tell(partial(self._finished, done, size, free, there=there))

    def _finished(self, done: Callable[[bool], None], size: int, free: int | None, *, there: bool) -> None:
        done(there)
        if size and free is not None:
            self._spool.written(size, free)


def _lock(folder: Path) -> int:
    """The folder's descriptor, with a lock that ends with this process, however it ends. Raises BlockingIOError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError as error:  # A file system without locks; there one must know oneself.
        log.warning("spool_not_locked words=%s", error.strerror)
    return descriptor


def disk_bytes(path: Path) -> int:
    """How large the disk is."""
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
