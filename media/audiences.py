"""Shell: takes down how many watch each broadcast of this process, a minute or so at a time.

What is not written yet when the process is killed is lost: a minute of a broadcast, which goes on in the next process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from db.bus import VIEWERS_SECONDS
from db.errors import StoreError
from media.audience import APART_SECONDS_MIN, HELD_SAMPLES, SAMPLE_SECONDS, Audience
from media.health_history import SAMPLE_SECONDS as HISTORY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.summaries import Summaries
    from db.summary import Stretch

assert SAMPLE_SECONDS == HISTORY_SECONDS
# One late, and still longer than the word of a server of the chat is believed.
assert (HELD_SAMPLES - 2) * SAMPLE_SECONDS + APART_SECONDS_MIN > VIEWERS_SECONDS

WRITE_SECONDS: Final = 60.0
"""Seconds between two rows of a broadcast: 1 MB a week of a channel that is always on air, a third of it their key."""

UNWRITTEN_MAX: Final = 1_000
"""Rows kept while the database is away; then the oldest are given up, and nothing is said of their viewers."""

LAST_SECONDS_MAX: Final = 2.0
"""For the last write of this process: who stops it waits for that."""

log = logging.getLogger(__name__)


class Audiences:
    """One audience a broadcast."""

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries
        self._audiences: dict[int, Audience] = {}
        self._unwritten: deque[tuple[int, datetime, Stretch]] = deque(maxlen=UNWRITTEN_MAX)
        self._writing = asyncio.Lock()

    def count(self, viewers: Mapping[int, int | None]) -> None:
        """So many watch each broadcast on air now, by their numbers; None: nobody knows. Others are over."""
        now = asyncio.get_running_loop().time()
        for broadcast_id in self._audiences.keys() - viewers.keys():
            self._end(broadcast_id)
        for broadcast_id, watching in viewers.items():
            self._audiences.setdefault(broadcast_id, Audience()).add(watching, now)

    async def close(self, broadcast_id: int) -> None:
        """A broadcast is about to end: what was counted of it is written before that is."""
        if broadcast_id in self._audiences:  # Or a count has found it over already, and it waits to be written.
            self._end(broadcast_id)
        await self._write()

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                await self.write()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS_MAX):
                    await self.write()

    async def write(self) -> None:
        """Write what has come together of every broadcast."""
        for broadcast_id, audience in self._audiences.items():
            self._take(broadcast_id, audience)
        await self._write()

    def _end(self, broadcast_id: int) -> None:
        audience = self._audiences.pop(broadcast_id)
        audience.pause()
        self._take(broadcast_id, audience)

    def _take(self, broadcast_id: int, audience: Audience) -> None:
        taken = audience.take()
        if taken is not None:
            self._unwritten.append((broadcast_id, datetime.now(UTC), taken))

    async def _write(self) -> None:
        """Write in the order of counting; what cannot be written now is written the next time, under the same key."""
        async with self._writing:
            try:
                while self._unwritten:
                    rows = tuple(self._unwritten)
                    await self._summaries.add(rows)
                    for row in rows:
                        if self._unwritten and self._unwritten[0] is row:  # Not given up meanwhile.
                            self._unwritten.popleft()
            except StoreError as error:
                log.warning("audience_not_written rows=%d words=%s", len(self._unwritten), error)
