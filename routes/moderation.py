"""Door: RSocket: moderation.act: the owner and the moderators keep a channel's chat in order.

First PostgreSQL, with the entry of the audit trail; then every worker is told; then everyone in the room. Whoever hears
`store.unknown` asks again: what was done once may be done twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from db import act as acts_core
from db.act import Action, LinesUnknown, TargetMissing, Untouchable, check_mute, check_reason, permit
from db.bot_token import Scope
from db.conduct import PINNED_CHARACTERS_MAX, SLOW_SECONDS_MAX
from db.member import MemberUnknown
from routes import events, wire
from routes.chat import member_of
from routes.notices import Notices
from routes.rate_limit import RateLimit
from routes.wire_conduct import Act, Acted, PastLine
from rsocket_server import room
from rsocket_server.doors import Door, Model, ScopeMissing
from rsocket_server.held import Name

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.acts import Acts
    from db.member import Member
    from db.members import Members
    from routes.chat import RoomNumbers
    from rsocket_server.doors import Caller
    from rsocket_server.laws import Laws
    from rsocket_server.notice_board import NoticeBoard

ACTS_BURST: Final = 30
ACTS_REFILL_SECONDS: Final = 0.2
"""Acts of one member: a raid is met as fast as one can click, and the audit trail stays readable."""

_LINE: Final = msgspec.json.Decoder(PastLine)


class ModerationDoors:
    """The door of order."""

    def __init__(self, *, acts: Acts, members: Members, board: NoticeBoard, numbers: RoomNumbers, laws: Laws) -> None:
        self._acts = acts
        self._members = members
        self._board = board
        self._numbers = numbers
        self._laws = laws
        self._notices = Notices(board)
        self._pace = RateLimit(burst=ACTS_BURST, refill_seconds=ACTS_REFILL_SECONDS)

    def doors(self) -> list[Door]:
        """List the door."""
        return [Door("moderation.act", Model.RESPONSE, members_only=True, handle=self._act, scope=Scope.MODERATE)]

    async def _act(self, caller: Caller, data: bytes) -> bytes:
        wanted = wire.read(Act, data)
        actor = member_of(caller)
        if wanted.action in acts_core.OWNERS_ONLY and caller.badge is not None and caller.badge.scopes is not None:
            raise ScopeMissing(None)  # A program's token that leaks must not leave moderators behind.
        self._pace.take(str(actor.id), asyncio.get_running_loop().time())
        number = await self._numbers.find(wanted.channel)
        target = await self._target(wanted)
        # Not what this worker remembers: who was a moderator until just now is none.
        permit(
            wanted.action,
            actor_id=actor.id,
            actor=await self._acts.standing(number, actor.id),
            target_id=target.id if target else None,
            target=await self._acts.standing(number, target.id) if target else None,
        )
        if wanted.action is Action.REMOVE:
            return await self._remove(number, actor, target, wanted)
        planned = self._plan(number, actor, target, wanted)
        entry = await self._acts.do(planned)
        await self._tell(number, target if wanted.action in acts_core.TO_SOMEBODY else None, wanted.action)
        return wire.write(Acted(id=entry, seqs=[]))

    async def _target(self, wanted: Act) -> Member | None:
        if wanted.nickname is None:
            return None
        found = await self._members.by_nickname(wanted.nickname)
        if found is None:
            raise MemberUnknown(wanted.nickname)
        return found

    def _plan(self, number: int, actor: Member, target: Member | None, wanted: Act) -> acts_core.Act:
        until, seconds, words = None, None, ""
        match wanted.action:
            case Action.MUTE:
                seconds = check_mute(wanted.seconds)
                until = datetime.now(UTC) + timedelta(seconds=seconds)
            case Action.SLOW:
                seconds = wanted.seconds
                if seconds is None or not 0 <= seconds <= SLOW_SECONDS_MAX:
                    raise acts_core.ActShape("seconds")
            case Action.PIN:
                words = room.clean(wanted.text)
                if len(words) > PINNED_CHARACTERS_MAX:
                    raise acts_core.ActShape("text")
            case Action.RULES:
                raise acts_core.ActShape("action")  # Rules as a whole are edited over HTTP.
            case _:
                pass
        return acts_core.Act(
            channel_id=number,
            actor_id=actor.id,
            action=wanted.action,
            target_id=target.id if target else None,
            until=until,
            seconds=seconds,
            words=words,
            reason=check_reason(wanted.reason),
        )

    async def _tell(self, number: int, target: Member | None, action: Action) -> None:
        member_id = target.id if target else None
        self._laws.forget(number, member_id)
        await self._notices.changed(number, member_id)
        event = await self._event(number, target, action)
        if event is not None:
            await self._notices.show(number, event)

    async def _event(self, number: int, target: Member | None, action: Action) -> bytes | None:
        """Say how things stand now, not what was done: done twice, or by two at once, it is still true."""
        if action in {Action.SLOW, Action.PIN}:
            return events.rules(await self._acts.rules(number))
        if target is None or action in {Action.GRANT, Action.REVOKE}:
            return None
        standing, at = await self._acts.standing(number, target.id), datetime.now(UTC)
        if standing.banned:
            return wire.write(events.Muted(nickname=target.nickname, until=None, at=at))
        if standing.muted_until is not None and standing.muted_until > at:
            return wire.write(events.Muted(nickname=target.nickname, until=standing.muted_until, at=at))
        return wire.write(events.Unmuted(nickname=target.nickname, at=at))

    # --- lines ----------------------------------------------------------------------------------------------------

    async def _remove(self, number: int, actor: Member, target: Member | None, wanted: Act) -> bytes:
        """Take lines back: those of these numbers, or of one member: of these ids, or all that there are.

        Also those that have no number yet, because the store is away.
        """
        found = await self._lines(number, target, wanted)
        unnumbered = self._unnumbered(number, target, wanted)
        if not found and not unnumbered:
            raise LinesUnknown
        by_author: dict[str, tuple[list[int], list[str]]] = {}
        for seq, line in [*found.items(), *((0, line) for line in unnumbered)]:
            seqs, texts = by_author.setdefault(line.nickname, ([], []))
            seqs += [seq] if seq else []
            texts.append(line.text)
        authors = await self._members.by_nicknames(by_author)
        if actor.id != number:
            # What they are now, not what they were when they said it.
            above = await self._acts.above(number)
            if any(author.id in above and author.id != actor.id for author in authors.values()):
                raise Untouchable
        reason = check_reason(wanted.reason)
        entries = await self._acts.write_down(
            acts_core.Act(
                channel_id=number,
                actor_id=actor.id,
                action=Action.REMOVE,
                target_id=author.id if author else None,
                seqs=tuple(seqs),
                # An entry keeps one member's words, which go when that member leaves; of who gave without a name or has
                # left, nobody could take them away any more.
                words="\n".join(texts) if author else "",
                reason=reason,
            )
            for author, (seqs, texts) in ((authors.get(nickname), lines) for nickname, lines in by_author.items())
        )
        found |= await self._take_down(number, unnumbered)
        if found:
            await self._show_removed(number, found)
        return wire.write(Acted(id=entries[0], seqs=list(found)))

    async def _show_removed(self, number: int, found: dict[int, PastLine]) -> None:
        ids = [line.id for line in found.values()]
        await self._notices.show(number, _removed(list(found), ids=ids))

    async def _take_down(self, number: int, lines: list[PastLine]) -> dict[int, PastLine]:
        """Take back lines of one member that had no number, and answer those that have got one meanwhile."""
        if not lines:
            return {}
        names = {Name(line.nickname, line.id) for line in lines}
        event = _removed([], ids=[line.id for line in lines], nickname=lines[0].nickname)
        names -= self._board.take_down(number, names, event, lambda seq: _removed([seq]))
        return await self._past(number, lambda _, line: Name(line.nickname, line.id) in names) if names else {}

    def _unnumbered(self, number: int, target: Member | None, wanted: Act) -> list[PastLine]:
        if target is None or (wanted.seqs and not wanted.ids):
            return []
        lines = [line for line in map(_read_line, self._board.unnumbered(number)) if line is not None]
        return [
            line for line in lines if line.nickname == target.nickname and (not wanted.ids or line.id in wanted.ids)
        ]

    async def _lines(self, number: int, target: Member | None, wanted: Act) -> dict[int, PastLine]:
        seqs, ids = set(wanted.seqs), set(wanted.ids)
        if ids and target is None:
            raise TargetMissing  # An id is its sender's own choice, and may be another's too.
        everything = target is not None and not seqs and not ids
        return await self._past(
            number,
            lambda seq, line: (
                (target is None or line.nickname == target.nickname) and (everything or seq in seqs or line.id in ids)
            ),
        )

    async def _past(self, number: int, wanted: Callable[[int, PastLine], bool]) -> dict[int, PastLine]:
        lines = ((seq, _read_line(payload)) for seq, payload in await self._board.past(number))
        return {seq: line for seq, line in lines if line is not None and line.from_ is not None and wanted(seq, line)}


def _removed(seqs: list[int], *, ids: list[str] | None = None, nickname: str | UnsetType = UNSET) -> bytes:
    return wire.write(events.Removed(ids=ids or [], seqs=seqs, at=datetime.now(UTC), nickname=nickname))


def _read_line(payload: bytes) -> PastLine | None:
    with suppress(msgspec.MsgspecError):
        return _LINE.decode(payload)
    return None
