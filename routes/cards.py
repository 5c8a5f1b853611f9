"""Door: HTTP: what other sites show of a channel: the card of a link (Open Graph), and /oembed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from aiohttp import hdrs
from msgspec import Meta, Struct

from db.channel import ChannelUnknown
from db.errors import StoreError
from routes import wire
from routes.access import Who
from routes.channels import view_of
from routes.doors import HttpDoor
from routes.middleware import answer
from routes.thumbnails import thumbnail_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from db.channel import Channel
    from db.channels import Channels
    from media.thumbnails import Thumbnail
    from routes.addresses import Addresses

NAME: Final = "Commeow"

WIDTH: Final = 640
HEIGHT: Final = 360
"""Pixels of a player that the other site gave no bounds for: the size of our pictures."""

SIDE_MIN: Final = 200
"""Pixels below which the player's buttons no longer fit; who offers less room gets this much."""

_Side = Annotated[int, Meta(ge=1, le=10_000)]


class Card(Struct, frozen=True):
    """What a link shows where it is pasted, and a page before its scripts run.

    `picture` is a path, null where there is none. `now` is what a page may begin with, before it has asked: viewers are
    none in it, for no page waits for Redis.
    """

    title: str
    words: str
    picture: str | None
    now: wire.ChannelView


class Embed(Struct, frozen=True):
    """GET /oembed (oembed.com): a frame with the player."""

    version: str
    type: str
    provider_name: str
    provider_url: str
    title: str
    author_name: str
    author_url: str
    width: int
    height: int
    html: str


class Cards:
    """Describes channels to other sites."""

    def __init__(self, channels: Channels, addresses: Addresses, thumbnail: Callable[[int], Thumbnail | None]) -> None:
        """Describe `channels`; `thumbnail` finds the newest picture of one by its id, None where there is none."""
        self._channels = channels
        self._addresses = addresses
        self._thumbnail = thumbnail

    async def of(self, nickname: str) -> Card | None:
        """Describe a channel; None when there is none, or the store cannot say: the page comes all the same."""
        try:
            found = await self._channels.by_nickname(nickname)
        except StoreError:
            return None
        if found is None:
            return None
        words = " \u00b7 ".join(part for part in (found.category, *found.tags) if part)
        picture = self._thumbnail(found.id) if found.on_air else None
        url = thumbnail_url(found.nickname, picture.version) if picture else None
        return Card(_title(found), words, url, view_of(found, 0, url))

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/oembed",
                who=Who.ANYONE,
                handle=self._oembed,
                words="oEmbed: `url` is a channel's page; `maxwidth` and `maxheight` bound the frame.",
                answer=Embed,
            )
        ]

    async def _oembed(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("format", "json") != "json":
            raise wire.WireShape("format")
        path = urlsplit(request.query.get("url", "")).path
        if not path.startswith("/c/"):
            raise wire.WireShape("url")
        nickname = unquote(path.removeprefix("/c/"))
        found = await self._channels.by_nickname(nickname)
        if found is None:
            raise ChannelUnknown(nickname)
        width, height = _size(_side(request, "maxwidth"), _side(request, "maxheight"))
        site = self._addresses.site(request.headers.get(hdrs.HOST))
        source = f"{site}/embed/{quote(found.nickname)}"
        title = escape(_title(found), quote=True)
        return answer(
            Embed(
                version="1.0",
                type="video",
                provider_name=NAME,
                provider_url=site,
                title=_title(found),
                author_name=found.nickname,
                author_url=f"{site}/c/{quote(found.nickname)}",
                width=width,
                height=height,
                html=f'<iframe src="{source}" width="{width}" height="{height}" title="{title}" '
                'frameborder="0" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>',
            )
        )


def _title(channel: Channel) -> str:
    return f"{channel.title} \u00b7 {channel.nickname}" if channel.title else channel.nickname


def _side(request: web.Request, name: str) -> int | None:
    given = request.query.get(name)
    if given is None:
        return None
    try:
        return msgspec.convert(given, _Side, strict=False)
    except msgspec.ValidationError:
        raise wire.WireShape(name) from None


def _size(width_max: int | None, height_max: int | None) -> tuple[int, int]:
    """Fit 16:9 into what the other site offers; into our own size where it says nothing."""
    width = min(width_max or WIDTH, (height_max or HEIGHT) * WIDTH // HEIGHT)
    if width_max is not None and height_max is None:
        width = width_max
    width = max(SIDE_MIN, width)
    return width, width * HEIGHT // WIDTH
