"""Shell: what each channel asks of its speakers, and how each of them stands there, as this worker knows it.

PostgreSQL has the truth. What was read is kept for a while, so that a line costs no look-up, and dropped at once when
the bus says that it has changed, or that news may have been missed; while the bus is away it is read again soon.
Without PostgreSQL what is known goes on to hold. Whoever's standing is wanted while others' are being read is read
together with all who come meanwhile: hundreds who speak for the first time are a few queries. They wait for a turn, of
which there are a few for all readings of this worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from db.errors import StoreError, StoreUnavailable
from rsocket_server import limits
from rsocket_server.doorway import cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.acts import Acts
    from db.conduct import Rules, Standing
    from rsocket_server.rooms import Rooms

# The bus's topic that says: the rules of a room, or somebody's standing in it, have changed.
TOPIC = "conduct"
# Between two tries to follow the topic while the bus is away.
RETRY_SECONDS = 1.0

_log = logging.getLogger("commeow.laws")
_Key = tuple[int, int]  # (room, member), or (room, _RULES)
_RULES = 0


class _Known:
    __slots__ = ("read_at", "reading", "value")

    def __init__(self) -> None:
        self.reading: asyncio.Task[Any] | None = None
        self.value: Any = None
        self.read_at = float("-inf")


class Laws:
    """See the module.

    Args:
        acts: the truth.
        rooms: of this worker: they bring the news, and show guests out where they may not be.
    """

    def __init__(self, acts: Acts, rooms: Rooms) -> None:
        self._acts = acts
        self._rooms = rooms
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turns = asyncio.Semaphore(limits.LAW_READINGS_MAX)
        self._wanted: dict[_Key, asyncio.Future[Standing]] = {}  # To be read together, when it is their turn.

    async def rules(self, room: int) -> Rules:
        """Give a room's rules. Raises StoreUnavailable."""
        rules: Rules = await self._find((room, _RULES))
        return rules

    def are(self, room: int, rules: Rules) -> bool:
        """Whether these are a room's rules, as far as is known this moment: nothing newer was read or told."""
        known = self._known.get((room, _RULES))
        return known is not None and known.value is rules

    async def standing(self, room: int, member_id: int) -> Standing:
        """Say how a member stands in a room. Raises StoreUnavailable."""
        standing: Standing = await self._find((room, member_id))
        return standing

    def forget(self, room: int, member_id: int | None) -> None:
        """Read again at the next line: a member's standing, or the room's rules (None), have changed."""
        self._known.pop((room, _RULES if member_id is None else member_id), None)
        if member_id is None:
            self._spawn(self._show_out(room))

    async def run(self) -> None:
        """Hear what changes, until cancelled."""
        while not cancelled():
            try:
                (await self._rooms.follow(TOPIC)).subscribe(self._hear)
                break
            except StoreError:
                await asyncio.sleep(RETRY_SECONDS)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            while self._tasks:  # One that ends may have begun another.
                tasks = list(self._tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._tasks.difference_update(tasks)

    def _hear(self, news: bytes) -> None:
        if not news:  # Something may have been missed.
            open_rooms = {room for room, member_id in self._known if member_id == _RULES}
            self._known.clear()
            for room in open_rooms:
                self._spawn(self._show_out(room))
            return
        changed = read_news(news)
        if changed is not None:
            self.forget(*changed)

    async def _find(self, key: _Key) -> Any:
        known = self._known.get(key)
        now = asyncio.get_running_loop().time()
        lasts = limits.LAW_AWAY_SECONDS if self._rooms.is_away(key[0]) else limits.LAW_SECONDS
        if known is not None and known.reading is None and now - known.read_at < lasts:
            return known.value
        if known is None or known.reading is None:
            known = self._read_again(key, known)
        assert known.reading is not None
        # Many may wait for one reading; one who goes away does not end it for the others.
        return await asyncio.shield(known.reading)

    def _read_again(self, key: _Key, known: _Known | None) -> _Known:
        if known is None:
            known = self._known[key] = _Known()
            if len(self._known) > limits.LAWS_MAX:
                self._known.popitem(last=False)
        known.reading = self._spawn(self._read(key, known))
        self._known.move_to_end(key)
        return known

    async def _read(self, key: _Key, known: _Known) -> Any:
        room, member_id = key
        try:
            known.value = await (self._read_rules(room) if member_id == _RULES else self._read_standing(key))
        except StoreError:
            if known.read_at == float("-inf"):
                # Nobody knows: the line is refused rather than let through.
                if self._known.get(key) is known:
                    del self._known[key]
                raise
            _log.warning("law_stale room=%d", key[0])
        finally:
            known.reading = None
        known.read_at = asyncio.get_running_loop().time()
        return known.value

    async def _read_rules(self, room: int) -> Rules:
        async with self._turn():
            return await self._acts.rules(room)

    async def _read_standing(self, key: _Key) -> Standing:
        standing = self._wanted.get(key)
        if standing is None:
            if not self._wanted:
                self._spawn(self._read_wanted())
            standing = self._wanted[key] = asyncio.get_running_loop().create_future()
        return await standing

    async def _read_wanted(self) -> None:
        """Read in one query the standings that are wanted when it is their turn; what is wanted later is the next's."""
        answers: dict[_Key, asyncio.Future[Standing]] = {}
        try:
            async with self._turn():
                answers = self._take_wanted()
                standings = await self._acts.standings(list(answers))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is theirs who wait.
            for answer in (answers or self._take_wanted()).values():
                answer.set_exception(error)
            return
        for answer, standing in zip(answers.values(), standings, strict=True):
            answer.set_result(standing)

    def _take_wanted(self) -> dict[_Key, asyncio.Future[Standing]]:
        taken = dict(islice(self._wanted.items(), limits.STANDINGS_MAX))
        for key in taken:
            del self._wanted[key]
        if self._wanted:
            self._spawn(self._read_wanted())
        return taken

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait to be one of those who read at once. Raises StoreUnavailable when that takes too long."""
        try:
            async with asyncio.timeout(limits.LAW_TURN_SECONDS_MAX):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("too many wait to read") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _show_out(self, room: int) -> None:
        """End the guests' watches of a room that is for members now."""
        with suppress(StoreError):
            if self._rooms.has_guests(room) and (await self.rules(room)).members_only:
                self._rooms.show_out_guests(room)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_seen)
        return task


def write_news(room: int, member_id: int | None) -> bytes:
    """Write what to announce under TOPIC when the rules of a room (None) or a member's standing there have changed."""
    return b"%d:%d" % (room, _RULES if member_id is None else member_id)


def read_news(news: bytes) -> tuple[int, int | None] | None:
    """Read what `write_news` wrote; None if it did not."""
    room, _, member = news.partition(b":")
    if not (room.isdigit() and member.isdigit()):
        return None
    return int(room), int(member) or None


def _seen(task: asyncio.Task[Any]) -> None:
    """Look at a task's error: whoever waited for it has got it."""
    if not task.cancelled():
        task.exception()
