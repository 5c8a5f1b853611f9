"""Door: HTTP: /api/channels: who is on air, one channel, its owner's edits and key."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from db import channel
from db.conduct import check_rules
from db.errors import StoreError
from media.broadcast import KICK_SECONDS
from routes import events, wire
from routes.access import Who
from routes.announcements import playback_url
from routes.doors import HttpDoor
from routes.members import new_stream_key
from routes.middleware import answer, read_body
from routes.moderation_log import rules_view
from routes.named_channel import named_channel, own_channel
from routes.playlist_ask import ChannelOffAir
from routes.rate_limit import RateLimit
from routes.stream_health import HealthHistoryView, StreamHealthView, history_view, view
from routes.thumbnails import thumbnail_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from db.acts import Acts
    from db.bus import Bus
    from db.channel import Channel
    from db.channels import Channels
    from db.conduct import Rules
    from media.broadcasts import Broadcasts
    from media.health_histories import HealthHistories
    from routes.addresses import Addresses
    from routes.announcements import Announcements
    from routes.notices import Notices
    from routes.wire_conduct import EditRules

CHANNELS_MAX: Final = 200
"""Channels in one list: more than anyone scrolls; the most watched come first."""

EDITS_BURST: Final = 30
EDITS_REFILL_SECONDS: Final = 2.0
"""Edits of one channel: each may be told to the whole room, and takes one of the 512 numbers it remembers."""

KEY_ROTATED: Final = "the stream key was changed"
KICKED: Final = "the channel's owner has cut this stream"


async def views(
    channels: Sequence[Channel], bus: Bus, thumbnail: Callable[[Channel], str | None]
) -> list[wire.ChannelView]:
    """Show channels with their viewers; without Redis the viewers are unknown (0), the list is not.

    `thumbnail` gives the URL of a channel's picture, None where there is none.
    """
    try:
        viewers = await bus.viewers([each.id for each in channels]) if channels else {}
    except StoreError:
        viewers = {}
    return [view_of(each, viewers.get(each.id, 0), thumbnail(each) if each.on_air else None) for each in channels]


def view_of(found: Channel, viewers: int, thumbnail: str | None) -> wire.ChannelView:
    """Show one channel, with the URL of its picture."""
    return wire.ChannelView(
        nickname=found.nickname,
        title=found.title,
        category=found.category,
        tags=list(found.tags),
        on_air=found.on_air,
        viewers=viewers,
        followers=found.followers,
        started_at=found.started_at,
        last_live_at=found.last_live_at,
        thumbnail=thumbnail,
        playback=playback_url(found.nickname) if found.on_air else None,
    )


class ChannelDoors:
    """The doors under /api/channels."""

    def __init__(
        self,
        *,
        channels: Channels,
        acts: Acts,
        bus: Bus,
        broadcasts: Broadcasts,
        histories: HealthHistories,
        announcements: Announcements,
        notices: Notices,
        addresses: Addresses,
    ) -> None:
        self._channels = channels
        self._acts = acts
        self._notices = notices
        self._bus = bus
        self._broadcasts = broadcasts
        self._histories = histories
        self._announcements = announcements
        self._addresses = addresses
        self._edits = RateLimit(burst=EDITS_BURST, refill_seconds=EDITS_REFILL_SECONDS)

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels",
                who=Who.ANYONE,
                handle=self._list,
                words="Who is on air, the most watched first; `sort=recent`, `q` and `category` choose.",
                answer=wire.ChannelList,
            ),
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}",
                who=Who.ANYONE,
                handle=self._one,
                words="One channel, on air or not.",
                answer=wire.ChannelView,
            ),
            HttpDoor(
                method="PATCH",
                path="/api/channels/{nickname}",
                who=Who.OWNER,
                handle=self._edit,
                words="Change title, category, tags or the chat's rules.",
                body=wire.EditChannel,
                answer=wire.ChannelView,
            ),
            HttpDoor(
                method="POST",
                path="/api/channels/{nickname}/stream-key",
                who=Who.OWNER,
                handle=self._rotate_key,
                words="A new stream key, shown this once; the old one dies and its publisher is cut.",
                answer=wire.StreamKey,
                lasting=True,
            ),
            HttpDoor(
                method="POST",
                path="/api/channels/{nickname}/kick",
                who=Who.OWNER,
                handle=self._kick,
                words="Cut the encoder that publishes now; nobody may publish for the seconds that are answered.",
                answer=wire.Kicked,
            ),
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/health",
                who=Who.OWNER,
                handle=self._health,
                words="What the channel's encoder sends, in numbers, and what to do about it, in codes.",
                answer=StreamHealthView,
            ),
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/health/history",
                who=Who.OWNER,
                handle=self._health_history,
                words="How the broadcast has done so far, two hours at most; `cursor`: the first sample wanted.",
                answer=HealthHistoryView,
            ),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("q", "").casefold()
        category = request.query.get("category")
        live = [
            each
            for each in await self._channels.live()
            if (wanted in each.title.casefold() or wanted in each.nickname.casefold())
            and (not category or each.category == category)
        ]
        found = await views(live, self._bus, self._thumbnail)
        if request.query.get("sort") == "recent":
            found.sort(key=lambda view: view.started_at or datetime.min.replace(tzinfo=UTC), reverse=True)
        else:
            found.sort(key=lambda view: (-view.viewers, view.nickname))
        return answer(wire.ChannelList(channels=found[:CHANNELS_MAX]))

    async def _one(self, request: web.Request) -> web.StreamResponse:
        found = await named_channel(self._channels, request)
        return answer(await self._view(found, await self._acts.rules(found.id)))

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, wire.EditChannel)
        own = await own_channel(self._channels, request)
        self._edits.take(str(own.id), time.monotonic())
        rules = await self._edit_rules(own.id, body.rules)
        edited = await self._channels.edit(
            own.id,
            title=None if body.title is UNSET else body.title,
            category=None if body.category is UNSET else body.category,
            tags=None if body.tags is UNSET else body.tags,
        )
        if (edited.title, edited.category, edited.tags) != (own.title, own.category, own.tags):
            await self._announcements.titled(edited)
        return answer(await self._view(edited, rules))

    async def _edit_rules(self, channel_id: int, wanted: EditRules | msgspec.UnsetType) -> Rules:
        """Write what is given of the rules, and tell every worker and the room."""
        if wanted is UNSET:
            return await self._acts.rules(channel_id)
        given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
        if "blocked_words" in given:
            given["blocked_words"] = tuple(given["blocked_words"])
        rules = await self._acts.change_rules(
            channel_id, channel_id, lambda before: check_rules(replace(before, **given))
        )
        await self._notices.changed(channel_id, None)
        await self._notices.show(channel_id, events.rules(rules))
        return rules

    async def _rotate_key(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        key = new_stream_key()
        await self._channels.rotate_stream_key(own.id, channel.hash_stream_key(key))
        await self._broadcasts.cut(own.id, KEY_ROTATED)
        return answer(wire.StreamKey(server=self._addresses.rtmp(request.host), key=key))

    async def _kick(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        if not await self._broadcasts.kick(own.id, KICKED):
            raise ChannelOffAir
        return answer(wire.Kicked(seconds=KICK_SECONDS))

    async def _health(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        return answer(view(self._broadcasts.look(own.id)))

    async def _health_history(self, request: web.Request) -> web.StreamResponse:
        own = await own_channel(self._channels, request)
        number = wire.read_cursor(request.query.get("cursor")) or 0
        return answer(history_view(self._histories.of(own.id), number))

    async def _view(self, found: Channel, rules: Rules) -> wire.ChannelView:
        seen = (await views([found], self._bus, self._thumbnail))[0]
        return msgspec.structs.replace(seen, rules=rules_view(rules, whole=False))

    def _thumbnail(self, found: Channel) -> str | None:
        picture = self._broadcasts.thumbnail(found.id)
        return None if picture is None else thumbnail_url(found.nickname, picture.version)
