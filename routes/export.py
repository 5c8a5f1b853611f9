"""Door: HTTP: /api/members/me/export: what the house keeps of a member, as one file."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from db.bus import HISTORY_LINES_MAX
from db.channel import ChannelUnknown
from routes import account_shapes as shapes
from routes import events
from routes.access import Who
from routes.account import login_view
from routes.bot_tokens import token_view
from routes.doors import HttpDoor
from routes.emotes import emote_view
from routes.middleware import BEARER
from routes.moderation_log import rules_view
from routes.rate_limit import RateLimit
from routes.supporters import goal_view

if TYPE_CHECKING:
    from db.acts import Acts
    from db.bot_tokens import BotTokens
    from db.bus import Bus
    from db.channels import Channels
    from db.emotes import Emotes
    from db.follows import Follows
    from db.footprints import Footprints
    from db.ledger import Ledger
    from db.members import Members
    from db.refresh_tokens import RefreshTokens
    from db.supporters import Supporters

EXPORT_BURST: Final = 3
EXPORT_REFILL_SECONDS: Final = 60.0
"""Exports of one member: each reads some hundred rooms."""

_SAID = b'{"kind":"said"'


class ExportDoors:
    """The door of one's own data."""

    def __init__(
        self,
        *,
        members: Members,
        channels: Channels,
        acts: Acts,
        supporters: Supporters,
        emotes: Emotes,
        follows: Follows,
        ledger: Ledger,
        refresh_tokens: RefreshTokens,
        bot_tokens: BotTokens,
        footprints: Footprints,
        bus: Bus,
    ) -> None:
        self._members = members
        self._channels = channels
        self._acts = acts
        self._supporters = supporters
        self._emotes = emotes
        self._follows = follows
        self._ledger = ledger
        self._refresh_tokens = refresh_tokens
        self._bot_tokens = bot_tokens
        self._footprints = footprints
        self._bus = bus
        self._limit = RateLimit(burst=EXPORT_BURST, refill_seconds=EXPORT_REFILL_SECONDS)

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/api/members/me/export",
                who=Who.MEMBER,
                handle=self._export,
                words="What the house keeps of the bearer, as a file.",
                answer=shapes.Export,
                lasting=True,
            )
        ]

    async def _export(self, request: web.Request) -> web.StreamResponse:
        bearer = request[BEARER]
        self._limit.take(str(bearer.member_id), time.monotonic())
        member_id = bearer.member_id
        profile = await self._members.profile(member_id)
        balance = await self._ledger.balance(member_id)
        made = shapes.Export(
            made_at=datetime.now(UTC),
            profile=shapes.ProfileView(
                login_id=profile.login_id,
                nickname=profile.nickname,
                roles=list(profile.roles),
                created_at=profile.created_at,
            ),
            channel=await self._channel(member_id),
            following=await self._follows.following(member_id),
            points=shapes.OwnPoints(
                balance=balance.points,
                earnings=balance.earnings,
                history="/api/points/history.csv",
                orders="/api/points/orders",
            ),
            logins=[login_view(each, bearer.login) for each in await self._refresh_tokens.logins(member_id)],
            tokens=[token_view(each) for each in await self._bot_tokens.list(member_id)],
            lines=await self._lines(member_id, profile.nickname),
        )
        # For a person's eyes too: indented, each field on its line.
        body = msgspec.json.format(msgspec.json.encode(made), indent=2)
        response = web.Response(body=body, content_type="application/json")
        response.headers["Content-Disposition"] = 'attachment; filename="commeow.json"'
        return response

    async def _channel(self, member_id: int) -> shapes.OwnChannel:
        own = await self._channels.by_id(member_id)
        if own is None:
            raise ChannelUnknown(member_id)
        return shapes.OwnChannel(
            title=own.title,
            category=own.category,
            tags=list(own.tags),
            rules=rules_view(await self._acts.rules(member_id), whole=True),
            moderators=await self._acts.moderators(member_id),
            goal=goal_view(await self._supporters.goal(member_id)),
            emotes=[emote_view(emote) for emote in await self._emotes.of(member_id)],
        )

    async def _lines(self, member_id: int, nickname: str) -> list[shapes.OwnLine]:
        found = []
        for room, channel in (await self._footprints.rooms(member_id)).items():
            for entry in await self._bus.history(room, after=0, limit=HISTORY_LINES_MAX):
                if not entry.payload.startswith(_SAID):
                    continue
                said = msgspec.json.decode(entry.payload, type=events.Said)
                if said.from_.nickname == nickname:
                    found.append(shapes.OwnLine(channel=channel, text=said.text, at=said.at))
        return found
