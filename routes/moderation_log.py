"""Door: HTTP: /api/channels/{nickname}/moderation: what was done in a channel's chat, by whom, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from db.act import NotModerator
from routes import wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER, answer
from routes.named_channel import named_channel
from routes.wire_conduct import ActView, ModerationLog, RulesView

if TYPE_CHECKING:
    from aiohttp import web

    from db.act import Done
    from db.acts import Acts
    from db.channels import Channels
    from db.conduct import Rules

ENTRIES: Final = 50
"""Entries of one page."""


def rules_view(rules: Rules, *, whole: bool) -> RulesView:
    """Show a channel's rules; which words are blocked only to those who moderate (`whole`)."""
    return RulesView(
        slow_seconds=rules.slow_seconds,
        followers_only_minutes=rules.followers_only_minutes,
        members_only=rules.members_only,
        blocked_links=rules.blocked_links,
        pinned=rules.pinned,
        blocked_words=list(rules.blocked_words) if whole else UNSET,
    )


class ModerationLogDoors:
    """The door of the audit trail."""

    def __init__(self, channels: Channels, acts: Acts) -> None:
        self._channels = channels
        self._acts = acts

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/moderation",
                who=Who.MEMBER,
                handle=self._log,
                words="For owner and moderators: rules, moderators, what was done; `cursor` for the next page.",
                answer=ModerationLog,
            )
        ]

    async def _log(self, request: web.Request) -> web.StreamResponse:
        before = wire.read_cursor(request.query.get("cursor"))
        found = await named_channel(self._channels, request)
        if not (await self._acts.standing(found.id, request[BEARER].member_id)).moderates:
            raise NotModerator
        done = await self._acts.log(found.id, before=before, limit=ENTRIES)
        return answer(
            ModerationLog(
                rules=rules_view(await self._acts.rules(found.id), whole=True),
                moderators=await self._acts.moderators(found.id),
                entries=[_view(each) for each in done],
                next=str(done[-1].id) if len(done) == ENTRIES else None,
            )
        )


def _view(done: Done) -> ActView:
    return ActView(
        id=done.id,
        at=done.at,
        action=done.action,
        actor=done.actor,
        target=done.target,
        until=done.until,
        seconds=done.seconds,
        seqs=list(done.seqs),
        text=done.words,
        reason=done.reason,
    )
