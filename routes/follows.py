"""Door: HTTP: /api/channels/{nickname}/follow: hear of a channel, or no more."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from db.errors import StoreError
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import BEARER
from routes.named_channel import named_channel

if TYPE_CHECKING:
    from db.channels import Channels
    from db.follows import Follows
    from routes.notices import Notices


class FollowDoors:
    """The doors of following."""

    def __init__(self, channels: Channels, follows: Follows, notices: Notices) -> None:
        self._channels = channels
        self._follows = follows
        self._notices = notices

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
        member_id, followed = request[BEARER].member_id, await named_channel(self._channels, request)
        await self._follows.add(member_id, followed.id)
        await self._tell(followed.id, member_id)
        return web.Response(status=204)

    async def _unfollow(self, request: web.Request) -> web.StreamResponse:
        member_id, followed = request[BEARER].member_id, await named_channel(self._channels, request)
        await self._follows.remove(member_id, followed.id)
        await self._tell(followed.id, member_id)
        return web.Response(status=204)

    async def _tell(self, channel_id: int, member_id: int) -> None:
        """Let the chat know at once; without Redis it knows within half a minute (`rsocket_server.laws`)."""
        with suppress(StoreError):
            await self._notices.changed(channel_id, member_id)
