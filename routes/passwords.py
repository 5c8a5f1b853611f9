"""Door: argon2id behind a small, bounded queue of threads, so that a wave of logins slows logins and nothing else."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from routes.rate_limit import Busy

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MEMORY_KIB = 19_456
"""KiB of memory one hash fills: OWASP's least for t=2, p=1; 32 ms of one core here."""

PASSES = 2
LANES = 1

WAITING_MAX = 40
"""Passwords hashed or waiting at once: two seconds' work of one thread; more waiters would only time out."""

RETRY_AFTER_MS = 1_000
"""Milliseconds after which half of a full queue has gone."""


class Passwords:
    """Hashes and verifies passwords off the event loop. Raises Busy when WAITING_MAX are already under way."""

    def __init__(self, *, threads: int | None = None, waiting_max: int = WAITING_MAX) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._executor = ThreadPoolExecutor(threads or max(1, (os.cpu_count() or 2) - 1), "argon2")
        self._room = threading.Semaphore(waiting_max)
        # What a stranger's password is compared with, so that an unknown login id costs the same time as a wrong word.
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    async def hash(self, password: str) -> str:
        """Hash a new password with a fresh salt."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether the password is the one; None (nobody has that login id) takes as long and is never right."""

        def work() -> bool:
            try:
                self._hasher.verify(password_hash or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

        return await self._run(work)

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether a hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Take no more work; what is under way ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise Busy(RETRY_AFTER_MS)
        future = self._executor.submit(work)
        # Not in a finally here: when the client hangs up while a thread is at it, the room is still taken.
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)
