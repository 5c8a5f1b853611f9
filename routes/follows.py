"""Door: HTTP: /api/channels/{nickname}/follow: hear of a channel, or no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from db.channel import ChannelUnknown
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER

if TYPE_CHECKING:
    from db.channels import Channels
    from db.follows import Follows


class FollowDoors:
    """The doors of following."""

    def __init__(self, channels: Channels, follows: Follows) -> None:
        self._channels = channels
        self._follows = follows

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="PUT",
                path="/api/channels/{nickname}/follow",
                who=Who.MEMBER,
                handle=self._follow,
                words="Follow a channel; again is harmless.",
                status=204,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/channels/{nickname}/follow",
                who=Who.MEMBER,
                handle=self._unfollow,
                words="Follow it no more; twice is harmless.",
                status=204,
            ),
        ]

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        await self._follows.add(request[BEARER].member_id, await self._channel_id(request))
        return web.Response(status=204)

    async def _unfollow(self, request: web.Request) -> web.StreamResponse:
        await self._follows.remove(request[BEARER].member_id, await self._channel_id(request))
        return web.Response(status=204)

    async def _channel_id(self, request: web.Request) -> int:
        nickname = request.match_info["nickname"]
        found = await self._channels.by_nickname(nickname)
        if found is None:
            raise ChannelUnknown(nickname)
        return found.id
