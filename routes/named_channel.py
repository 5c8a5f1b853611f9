"""Door: which channel a request's path names, and whether its owner asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.channel import ChannelUnknown
from routes.access import NotYours
from routes.middleware import BEARER

if TYPE_CHECKING:
    from aiohttp import web

    from db.channel import Channel
    from db.channels import Channels


async def named_channel(channels: Channels, request: web.Request) -> Channel:
    """Find the channel in the path. Raises ChannelUnknown, StoreUnavailable."""
    nickname = request.match_info["nickname"]
    found = await channels.by_nickname(nickname)
    if found is None:
        raise ChannelUnknown(nickname)
    return found


async def own_channel(channels: Channels, request: web.Request) -> Channel:
    """Find the channel in the path, which must be the bearer's. Raises ChannelUnknown, NotYours, StoreUnavailable."""
    found = await named_channel(channels, request)
    if found.id != request[BEARER].member_id:
        raise NotYours
    return found
