"""Door: HTTP: /overlay/{token}/…: the pages that OBS lays over a broadcast, for whoever has the link.

The link is the one secret that an address may hold: it lets its holder watch one channel, and is revoked in the studio.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from db.bot_token import Scope, hash_bot_token, is_bot_token
from db.bus import HISTORY_LINES_MAX
from routes import events, languages
from routes.access import Who
from routes.doors import HttpDoor
from routes.speech import SpeechError

if TYPE_CHECKING:
    from db.bot_token import Bot
    from db.bot_tokens import BotTokens
    from db.bus import Bus
    from routes.pages import Pages
    from routes.speech import Speech

FILE: Final = "overlay.html"

_DONATED: Final = b'{"kind":"donated"'
_REMOVED: Final = b'{"kind":"removed"'

log = logging.getLogger("commeow.overlays")


class OverlayDoors:
    """The doors of overlays. `speech` is None where the machine has no voice."""

    def __init__(self, bot_tokens: BotTokens, pages: Pages, bus: Bus, speech: Speech | None) -> None:
        self._bot_tokens = bot_tokens
        self._pages = pages
        self._bus = bus
        self._speech = speech

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/overlay/{token}/{kind:alerts|chat|goal}",
                who=Who.ANYONE,
                handle=self._show,
                words="What OBS lays over a broadcast; 404 once the link is revoked.",
            ),
            HttpDoor(
                method="GET",
                path="/overlay/{token}/speech/{seq:[0-9]{1,15}}",
                who=Who.ANYONE,
                handle=self._speak,
                words="The words of a donation, by its number in the room, read aloud.",
            ),
        ]

    async def _bot(self, request: web.Request) -> Bot:
        """Find whose link it is. Raises HTTPNotFound."""
        token = request.match_info["token"]
        bot = await self._bot_tokens.find(hash_bot_token(token)) if is_bot_token(token) else None
        if bot is None or Scope.OVERLAY not in bot.scopes:
            raise web.HTTPNotFound
        return bot

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        bot = await self._bot(request)
        text = await self._words(bot.member.id, int(request.match_info["seq"])) if self._speech is not None else ""
        if self._speech is None or not text:
            raise web.HTTPNotFound
        try:
            sound = await self._speech.say(text)
        except SpeechError as error:
            log.warning("speech failed=%s", error)
            raise web.HTTPNotFound from error
        return web.Response(body=sound, content_type="audio/wav")

    async def _words(self, room: int, seq: int) -> str:
        """Give what a donation said; "" if the room does not know it, or the words were taken back."""
        text = ""
        for entry in await self._bus.history(room, after=seq - 1, limit=HISTORY_LINES_MAX):
            if entry.seq == seq and entry.payload.startswith(_DONATED):
                text = msgspec.json.decode(entry.payload, type=events.Donated).text
            elif entry.payload.startswith(_REMOVED):
                text = "" if seq in msgspec.json.decode(entry.payload, type=events.Removed).seqs else text
        return text

    async def _show(self, request: web.Request) -> web.StreamResponse:
        bot = await self._bot(request)
        # OBS speaks its own language, the streamer's viewers theirs: the link may say which.
        asked = request.query.get("lang")
        language = asked if asked in languages.LANGUAGES else None
        response = self._pages.render(request, FILE, language=language, channel=bot.member.nickname)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response
