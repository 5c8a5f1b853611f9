"""Door: HTTP: /api/channels/{nickname}/emotes and /emotes: small pictures that stand for a code in the chat."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from db.emote import Emote, EmoteUnknown, check_code, hash_picture
from db.errors import StoreError
from routes import emote_image, events, wire
from routes.access import Who
from routes.doors import HttpDoor
from routes.middleware import answer, read_bytes
from routes.named_channel import named_channel, own_channel
from routes.rate_limit import RateLimit
from routes.wire_emotes import EmoteList, EmoteView

if TYPE_CHECKING:
    from db.channel import Channel
    from db.channels import Channels
    from db.emotes import Emotes
    from routes.notices import Notices

HOUSE: Final = ("clap", "cry", "heart", "laugh", "paw", "wow")
"""What every channel has, drawn by us (web/img/emotes)."""

HOUSE_PIXELS: Final = 64

CHANGES_BURST: Final = 100
CHANGES_REFILL_SECONDS: Final = 2.0
"""Changes of one channel: all of its pictures twice over; each is written to the disk and told to the whole room."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""A picture is named by its bytes: other bytes have another name."""

PICTURES_KEPT: Final = 256
"""Pictures held in memory, 8 MB at most: a room that opens asks for the same few, everyone at once."""

KEPT_SECONDS: Final = 60.0
"""Seconds for which one is held: what was taken away, or went with its owner, is gone from here too then."""

_NAME = re.compile(r"([0-9a-f]{64})\.(png|gif|webp)")


class EmoteDoors:
    """The doors of emotes."""

    def __init__(self, channels: Channels, emotes: Emotes, notices: Notices) -> None:
        self._channels = channels
        self._emotes = emotes
        self._notices = notices
        self._changes = RateLimit(burst=CHANGES_BURST, refill_seconds=CHANGES_REFILL_SECONDS)
        self._pictures: OrderedDict[bytes, tuple[float, str, bytes]] = OrderedDict()

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/channels/{nickname}/emotes",
                who=Who.ANYONE,
                handle=self._list,
                words="The pictures that stand for `:code:` in this channel's chat.",
                answer=EmoteList,
            ),
            HttpDoor(
                method="PUT",
                path="/api/channels/{nickname}/emotes/{code}",
                who=Who.OWNER,
                handle=self._put,
                words="Give a code a picture; the body is a PNG, GIF or WebP.",
                answer=EmoteView,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/channels/{nickname}/emotes/{code}",
                who=Who.OWNER,
                handle=self._remove,
                words="Take a code's picture away; lines keep the code.",
                status=204,
            ),
            HttpDoor(
                method="GET",
                path="/emotes/{name}",
                who=Who.ANYONE,
                handle=self._picture,
                words="A picture by its hash; it never changes.",
            ),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        found = await named_channel(self._channels, request)
        own = [emote_view(emote) for emote in await self._emotes.of(found.id)]
        taken = {emote.code for emote in own}
        return answer(EmoteList(emotes=[*own, *(_house(code) for code in HOUSE if code not in taken)]))

    async def _put(self, request: web.Request) -> web.StreamResponse:
        # Any page may send a form; none may send this without asking first (Fetch standard, CORS preflight).
        if not request.content_type.startswith("image/"):
            raise wire.WireShape
        own = await self._own_channel(request)
        code = check_code(request.match_info["code"])
        picture = emote_image.read(await read_bytes(request))
        emote = Emote(
            code=code,
            hash=hash_picture(picture.data),
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
        )
        await self._emotes.put(own.id, emote, picture.data)
        await self._tell(own.id)
        return answer(emote_view(emote))

    async def _remove(self, request: web.Request) -> web.StreamResponse:
        own = await self._own_channel(request)
        await self._emotes.remove(own.id, check_code(request.match_info["code"]))
        await self._tell(own.id)
        return web.Response(status=204)

    async def _tell(self, channel_id: int) -> None:
        with suppress(StoreError):  # It is done; who is in the room already sees it when they come back.
            await self._notices.show(channel_id, wire.write(events.EmotesChanged(at=datetime.now(UTC))))

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        name = _NAME.fullmatch(request.match_info["name"])
        if name is None:
            raise EmoteUnknown
        media_type, data = await self._find(bytes.fromhex(name[1]))
        if media_type != f"image/{name[2]}":
            raise EmoteUnknown
        return web.Response(body=data, content_type=media_type, headers={hdrs.CACHE_CONTROL: IMMUTABLE})

    async def _find(self, picture_hash: bytes) -> tuple[str, bytes]:
        now = asyncio.get_running_loop().time()
        until, media_type, data = self._pictures.get(picture_hash, (0.0, "", b""))
        if until <= now:
            self._pictures.pop(picture_hash, None)
            media_type, data = await self._emotes.picture(picture_hash)
            self._pictures[picture_hash] = (now + KEPT_SECONDS, media_type, data)
            if len(self._pictures) > PICTURES_KEPT:
                self._pictures.popitem(last=False)
        return media_type, data

    async def _own_channel(self, request: web.Request) -> Channel:
        """Find the bearer's own channel, which is about to change. Raises ChannelUnknown, NotYours, TooManyTries."""
        found = await own_channel(self._channels, request)
        self._changes.take(str(found.id), time.monotonic())
        return found


def emote_view(emote: Emote) -> EmoteView:
    """Show a channel's own emote."""
    url = f"/emotes/{emote.hash.hex()}.{emote.media_type.removeprefix('image/')}"
    return EmoteView(code=emote.code, url=url, width=emote.width, height=emote.height, house=False)


def _house(code: str) -> EmoteView:
    url = f"/img/emotes/{code}.svg"
    return EmoteView(code=code, url=url, width=HOUSE_PIXELS, height=HOUSE_PIXELS, house=True)
