"""Door: HTTP: /overlay/{token}/…: the pages that OBS lays over a broadcast, for whoever has the link.

The link is the one secret that an address may hold: it lets its holder watch one channel, and is revoked in the studio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from db.bot_token import Scope, hash_bot_token, is_bot_token
from routes import languages
from routes.access import Who
from routes.doors import HttpDoor

if TYPE_CHECKING:
    from db.bot_tokens import BotTokens
    from routes.pages import Pages

FILE: Final = "overlay.html"


class OverlayDoors:
    """The doors of overlays."""

    def __init__(self, bot_tokens: BotTokens, pages: Pages) -> None:
        self._bot_tokens = bot_tokens
        self._pages = pages

    def doors(self) -> list[HttpDoor]:
        """List the door."""
        return [
            HttpDoor(
                method="GET",
                path="/overlay/{token}/{kind:alerts|chat|goal}",
                who=Who.ANYONE,
                handle=self._show,
                words="What OBS lays over a broadcast; 404 once the link is revoked.",
            )
        ]

    async def _show(self, request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        bot = await self._bot_tokens.find(hash_bot_token(token)) if is_bot_token(token) else None
        if bot is None or Scope.OVERLAY not in bot.scopes:
            raise web.HTTPNotFound
        # OBS speaks its own language, the streamer's viewers theirs: the link may say which.
        asked = request.query.get("lang")
        language = asked if asked in languages.LANGUAGES else None
        response = self._pages.render(request, FILE, language=language, channel=bot.member.nickname)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response
