"""Door: HTTP: /hls: playlists that wait, parts and segments from memory, the past from disk (rfc8216bis §6.2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from media.hls_writer.classic import Form, read_playlist_name
from routes.access import Who
from routes.doors import HttpDoor
from routes.playlist_ask import ChannelOffAir, read_ask

if TYPE_CHECKING:
    from media.broadcasts import Broadcasts
    from media.hls_writer.writer import Writer

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
PLAYLIST_CACHE: Final = "no-cache"

RESOURCE_CACHE: Final = "public, max-age=31536000, immutable"
"""A resource's name holds its broadcast and its number and is never used again, so whoever has it may keep it."""


FORMS: Final = {
    Form.LOW_LATENCY: "The multivariant playlist of a channel that is on air.",
    Form.PLAIN: "The same segments for players that know no low latency.",
    Form.TS: "The same pictures as MPEG transport streams, made when somebody asks; H.264 and AAC only.",
    Form.DVR: "The same broadcast as far back as it is kept, also after its end.",
}


class Playback:
    """Answers players of every site: no cookie, no token, so any page may read (CORS `*`)."""

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts

    def doors(self) -> list[HttpDoor]:
        """List the doors under /hls."""
        return [
            *(
                HttpDoor(
                    method="GET",
                    path=f"/hls/{{nickname}}/{form or 'index'}.m3u8",
                    who=Who.ANYONE,
                    handle=partial(self._multivariant, form),
                    words=words,
                    cors=True,
                )
                for form, words in FORMS.items()
            ),
            HttpDoor(
                method="GET",
                path=r"/hls/{nickname}/{broadcast_id:[0-9]{1,18}}/{rendition:[A-Za-z0-9_-]{1,64}}.m3u8",
                who=Who.ANYONE,
                handle=self._media,
                words="A media playlist of any form; `_HLS_msn`, `_HLS_part` and `_HLS_skip` as in rfc8216bis §6.2.5.",
                cors=True,
            ),
            HttpDoor(
                method="GET",
                path=r"/hls/{nickname}/{broadcast_id:[0-9]{1,18}}/{name:[A-Za-z0-9_.-]{1,128}}",
                who=Who.ANYONE,
                handle=self._resource,
                words="An initialisation section, a part or a segment.",
                cors=True,
            ),
        ]

    async def _multivariant(self, form: Form, request: web.Request) -> web.StreamResponse:
        writer = self._broadcasts.find(request.match_info["nickname"], on_disk=form is Form.DVR)
        if writer is None:
            raise ChannelOffAir
        return playlist_response(await writer.multivariant(form))

    async def _media(self, request: web.Request) -> web.StreamResponse:
        ask = read_ask(request.query)
        writer = self._writer(request)
        rendition, form = read_playlist_name(request.match_info["rendition"])
        if form is not Form.LOW_LATENCY:
            return playlist_response(await writer.classic_playlist(rendition, form, skip=ask.skip))
        data = await writer.media_playlist(rendition, msn=ask.msn, part=ask.part, skip=ask.skip)
        return playlist_response(data)

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        resource = await self._writer(request).resource(request.match_info["name"])
        return resource_response(resource.data, resource.media_type)

    def _writer(self, request: web.Request) -> Writer:
        writer = self._broadcasts.find_broadcast(int(request.match_info["broadcast_id"]))
        if writer is None:
            raise ChannelOffAir
        return writer


def playlist_response(data: bytes) -> web.Response:
    """Answer with a playlist, which is another one a moment later."""
    return web.Response(body=data, content_type=PLAYLIST_TYPE, headers={hdrs.CACHE_CONTROL: PLAYLIST_CACHE})


def resource_response(data: bytes, media_type: str) -> web.Response:
    """Answer with media, which never change under their name."""
    return web.Response(body=data, content_type=media_type, headers={hdrs.CACHE_CONTROL: RESOURCE_CACHE})
