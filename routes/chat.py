"""Door: RSocket: chat.watch, chat.say, session.hello, session.renew: the talk of a channel, and who talks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from db.bot_token import Scope
from db.channel import ChannelUnknown
from db.conduct import NO_RULES, Case
from routes import events, problems, wire
from routes.access import NotYours
from rsocket_server import room
from rsocket_server.doors import Door, HandlerTimeout, MembersOnly, Model
from rsocket_server.limits import HANDLER_SECONDS
from rsocket_server.room import Seat
from rsocket_server.watch import Wishes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from db.channel import Channel
    from db.channels import Channels
    from db.conduct import Standing
    from db.member import Member
    from rsocket_server.doors import Badge, Caller
    from rsocket_server.laws import Laws
    from rsocket_server.rooms import Rooms
    from rsocket_server.watch import Watch

ROOMS_KNOWN_MAX: Final = 10_000
"""Nicknames whose room number is remembered: a megabyte, and a line costs no look-up in the database."""

LOOK_UPS_MAX: Final = 4
"""Rooms looked up at once: half of the connections to PostgreSQL (db/pool.py POOL_CONNECTIONS). Whoever asks for ever
new nicknames and goes away must not stand between others and their donations."""

PENANCE_SECONDS: Final = 0.5
"""Seconds for which nothing more is taken from a connection after a line too fast: its flood waits in its own socket,
where it costs nobody anything, and does not stand between others and their donations."""

log = logging.getLogger("commeow.chat")


class _Finding:
    """A look-up that some wait for."""

    __slots__ = ("has_begun", "task", "waiting")

    def __init__(self) -> None:
        self.task: asyncio.Task[Channel | None]
        self.has_begun = False
        self.waiting = 0


class RoomNumbers:
    """Finds a channel's room by nickname and remembers it; a channel keeps its number for ever.

    All who ask for the same one at once, as a crowd that comes back does, wait for one look-up. One that has not begun
    is given up with the last who waits for it.
    """

    def __init__(self, channels: Channels, *, known_max: int = ROOMS_KNOWN_MAX) -> None:
        self._channels = channels
        self._known: OrderedDict[str, int] = OrderedDict()
        self._known_max = known_max
        self._finding: dict[str, _Finding] = {}
        self._turns = asyncio.Semaphore(LOOK_UPS_MAX)

    async def find(self, nickname: str) -> int:
        """Give the room of a channel. Raises ChannelUnknown; strangers' guesses are not remembered."""
        number = self._known.get(nickname)
        if number is None:
            found = await self._look_up(nickname)
            if found is None:
                raise ChannelUnknown(nickname)
            number = self._known[nickname] = found.id
            if len(self._known) > self._known_max:
                self._known.popitem(last=False)
        self._known.move_to_end(nickname)
        return number

    async def close(self) -> None:
        """End all look-ups."""
        tasks = [finding.task for finding in self._finding.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._finding.clear()

    async def _look_up(self, nickname: str) -> Channel | None:
        finding = self._finding.get(nickname)
        if finding is None:
            finding = self._finding[nickname] = _Finding()
            finding.task = asyncio.create_task(self._ask(nickname, finding))
        finding.waiting += 1
        try:
            # Whoever goes away does not end it for the others.
            return await asyncio.shield(finding.task)
        finally:
            finding.waiting -= 1
            # One that has begun is over in a moment: to stop it would cost the database more.
            if not finding.waiting and not finding.has_begun:
                self._forget(nickname, finding)
                finding.task.cancel()

    async def _ask(self, nickname: str, finding: _Finding) -> Channel | None:
        try:
            async with self._turns:
                finding.has_begun = True
                return await self._channels.by_nickname(nickname)
        finally:
            self._forget(nickname, finding)

    def _forget(self, nickname: str, finding: _Finding) -> None:
        if self._finding.get(nickname) is finding:
            del self._finding[nickname]


def author(member: Member, standing: Standing) -> events.Author:
    """Name who speaks, always the connection's identity, and what they are in this channel."""
    return events.Author(nickname=member.nickname, roles=sorted(member.roles | standing.roles))


async def case_of(laws: Laws, number: int, member: Member) -> Case:
    """Gather what is asked of a speaker in a room. Raises StoreUnavailable."""
    rules, standing = await laws.rules(number), await laws.standing(number, member.id)
    return Case(at=datetime.now(UTC), rules=rules, standing=standing)


def member_of(caller: Caller) -> Member:
    """Give the caller's member. Raises MembersOnly; the gate has asked already, a door asks again."""
    if caller.member is None:
        raise MembersOnly
    return caller.member


def seat_of(caller: Caller, number: int) -> Seat:
    """Name who watches a room. A member is counted once however he comes, a guest once a connection.

    Not counted are the owner, who would be his own channel's viewer in the studio, and programs.
    """
    if caller.member is None:
        return Seat(caller.connection_id)
    is_bot = caller.badge is not None and caller.badge.scopes is not None
    return Seat(caller.member.id, voice=caller.member.nickname, counted=not is_bot and caller.member.id != number)


class ChatDoors:
    """The doors of the talk."""

    def __init__(
        self, rooms: Rooms, numbers: RoomNumbers, laws: Laws, verify: Callable[[str], Awaitable[Badge]]
    ) -> None:
        self._rooms = rooms
        self._verify = verify
        self._numbers = numbers
        self._laws = laws

    def doors(self) -> list[Door]:
        """List the doors."""
        return [
            Door("chat.watch", Model.STREAM, members_only=False, handle=self._watch, scope=Scope.READ),
            Door("chat.say", Model.RESPONSE, members_only=True, handle=self._say, scope=Scope.WRITE),
            Door("chat.say", Model.FIRE_AND_FORGET, members_only=True, handle=self._say_and_forget, scope=Scope.WRITE),
            Door("session.hello", Model.RESPONSE, members_only=False, handle=self._hello),
            Door("session.renew", Model.RESPONSE, members_only=True, handle=self._renew),
        ]

    async def watch(self, caller: Caller, wanted: wire.Watch) -> tuple[int, Watch]:
        """Answer a room's number and a watch of it. Raises ChannelUnknown, MembersOnly, NotYours, StoreUnavailable."""
        number = await self._numbers.find(wanted.channel)
        if caller.badge is not None and caller.badge.room not in {None, number}:
            raise NotYours
        while True:
            rules = await self._laws.rules(number)
            if rules.members_only:
                member_of(caller)
            wishes = Wishes(
                since=wanted.since,
                history=wanted.history,
                greeting=None if rules == NO_RULES else events.rules(rules),
                behind=wanted.behind,
                epoch=wanted.epoch,
                local=wanted.local,
            )
            watch = await self._rooms.watch(number, seat_of(caller, number), wishes)
            # From here to the first subscriber nothing is awaited. What changed until now is asked again; what changes
            # later shows out a guest who is in.
            if self._laws.are(number, rules):
                return number, watch

    async def _watch(self, caller: Caller, data: bytes) -> Watch:
        _, watch = await self.watch(caller, wire.read(wire.Watch, data))
        return watch

    async def _say(self, caller: Caller, data: bytes) -> bytes:
        said = wire.read(wire.Say, data)
        number = await self._numbers.find(said.channel)
        seq = await self._speak(member_of(caller), number, said)
        return wire.write(wire.Answered(seq=seq, local=not seq))

    async def _say_and_forget(self, caller: Caller, data: bytes) -> None:
        """Say a line nobody waits for: what is refused comes back on the sender's own watch."""
        said = wire.read(wire.Say, data)
        await self.say_or_refuse(caller, await self._numbers.find(said.channel), said)

    async def say_or_refuse(self, caller: Caller, number: int, said: wire.Say) -> None:
        """Say a line nobody waits for, and whisper why where it is refused; raises nothing."""
        try:
            # Below the time of any handler, so that the sender hears of this end too.
            async with asyncio.timeout(0.8 * HANDLER_SECONDS):
                await self._speak(member_of(caller), number, said)
        except Exception as failure:
            error = HandlerTimeout() if isinstance(failure, TimeoutError) else failure
            problem = problems.problem_of(error, secrets.token_hex(8))
            if problem.row is problems.INTERNAL:
                log.error("internal incident=%s route=chat.say", problem.incident, exc_info=error)  # noqa: TRY400 - it has.
            refused = events.Refused(id=said.id, code=problem.row.code, retry_after_ms=problem.retry_after_ms)
            caller.whisper(number, wire.write(refused))
            if isinstance(failure, room.TooFast):
                await asyncio.sleep(PENANCE_SECONDS)

    async def _speak(self, member: Member, number: int, said: wire.Say) -> int:
        text = room.clean(said.text)
        case = await case_of(self._laws, number, member)
        event = wire.write(events.Said(id=said.id, from_=author(member, case.standing), text=text, at=case.at))
        # The same id and words again are the same line: who heard "outcome unknown" may send it once more.
        words = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        once = f"said:{member.id}:{said.id}:{words}"
        now = asyncio.get_running_loop().time()
        local_id = said.id if said.local else None
        return await self._rooms.say(number, member, text, event, now, once=once, case=case, local_id=local_id)

    async def _hello(self, caller: Caller, data: bytes) -> bytes:
        if data:
            wire.read(wire.Empty, data)
        nickname = caller.member.nickname if caller.member else None
        seconds = caller.badge.seconds if caller.badge else None
        expires_in = None if seconds is None else int(seconds)
        return wire.write(wire.Hello(nickname=nickname, now=datetime.now(UTC), expires_in=expires_in))

    async def _renew(self, caller: Caller, data: bytes) -> bytes:
        """Let a connection live on with a newer token of the same member."""
        badge = await self._verify(wire.read(wire.Renew, data).token)
        if badge.member.id != member_of(caller).id:
            raise NotYours
        caller.admit(badge, asyncio.get_running_loop().time())
        return wire.write(wire.Renewed(expires_in=int(badge.seconds or 0)))
