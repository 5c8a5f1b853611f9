"""Door: HTTP: /thumbnails: the newest small picture of a channel that is on air."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import hdrs, web

from routes.access import Who
from routes.doors import HttpDoor
from routes.playlist_ask import NoPicture

if TYPE_CHECKING:
    from media.broadcasts import Broadcasts

CACHE: Final = "no-cache"
"""Ask every time, mostly answered by 304: what has ended is gone with the next look."""


def thumbnail_url(nickname: str, version: str | None = None) -> str:
    """Give the URL of a channel's picture, from the site's root. With a version it changes when the picture does."""
    path = f"/thumbnails/{quote(nickname, safe='')}.jpg"
    return path if version is None else f"{path}?v={version}"


class ThumbnailDoor:
    """Gives the bytes that the broadcasts hold."""

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/thumbnails/{nickname}.jpg",
                who=Who.ANYONE,
                handle=self._picture,
                words="The newest small picture of a channel that is on air; `ETag`, 304.",
            )
        ]

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        thumbnail = self._broadcasts.find_thumbnail(request.match_info["nickname"])
        if thumbnail is None:
            raise NoPicture
        headers = {hdrs.CACHE_CONTROL: CACHE, hdrs.ETAG: f'"{thumbnail.version}"'}
        if any(tag.value in {thumbnail.version, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=thumbnail.data, content_type="image/jpeg", headers=headers)
