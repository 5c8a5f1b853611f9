"""Door: HTTP: /overlay/{token}/…: the pages that OBS lays over a broadcast, for whoever has the link.

The link is the one secret that an address may hold: it lets its holder watch one channel, and is revoked in the studio.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from db.bot_token import Scope, hash_bot_token, is_bot_token
from db.bus import HISTORY_LINES_MAX
from db.errors import StoreError
from routes import events, languages, problems
from routes.access import Who
from routes.addresses import household
from routes.doors import HttpDoor
from routes.rate_limit import RateLimit, TooManyTries
from routes.speech import SpeechError

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.bot_token import Bot
    from db.bot_tokens import BotTokens
    from db.bus import Bus
    from routes.pages import Pages
    from routes.speech import Speech

FILE: Final = "overlay.html"

LINK_BURST: Final = 60
LINK_REFILL_SECONDS: Final = 1.0
"""Requests by one link: a dozen scenes of three sources at once, then a reload or a gift read aloud a second."""

GUESS_BURST: Final = 60
GUESS_REFILL_SECONDS: Final = 5.0
"""Links that are none, by one address. A right one counts until it is found to be one: as many as may come at once."""

AGAIN_SECONDS: Final = 5
"""Seconds after which a source asks again that could not be shown: nobody sits at OBS to do it."""

assert GUESS_BURST >= LINK_BURST

# What lies over a broadcast is seen by all who watch: a refusal there has no words.
_NOTHING: Final = "<!doctype html><title>Commeow</title>"

_DONATED: Final = b'{"kind":"donated"'
_REMOVED: Final = b'{"kind":"removed"'

log = logging.getLogger("commeow.overlays")


class OverlayDoors:
    """The doors of overlays. `speech` is None where the machine has no voice; `clock` is monotonic."""

    def __init__(
        self,
        bot_tokens: BotTokens,
        pages: Pages,
        bus: Bus,
        speech: Speech | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bot_tokens = bot_tokens
        self._pages = pages
        self._bus = bus
        self._speech = speech
        self._clock = clock
        self._by_link = RateLimit(burst=LINK_BURST, refill_seconds=LINK_REFILL_SECONDS)
        self._guesses = RateLimit(burst=GUESS_BURST, refill_seconds=GUESS_REFILL_SECONDS)

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
        """Find whose link it is. Raises HTTPNotFound, TooManyTries, StoreUnavailable."""
        token = request.match_info["token"]
        address, now = household(request.remote), self._clock()
        if address is not None:
            self._guesses.take(address, now)
        wrong = False
        try:
            bot = await self._find(token, now)
            wrong = bot is None
        finally:
            if address is not None and not wrong:
                self._guesses.give_back(address)
        if bot is None:
            raise web.HTTPNotFound
        return bot

    async def _find(self, token: str, now: float) -> Bot | None:
        if not is_bot_token(token):
            return None
        token_hash = hash_bot_token(token)
        self._by_link.take(token_hash.hex(), now)
        bot = await self._bot_tokens.find(token_hash)
        return bot if bot is not None and Scope.OVERLAY in bot.scopes else None

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
        try:
            return await self._page(request)
        except (web.HTTPNotFound, TooManyTries, StoreError) as refusal:
            if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
                raise
            return _nothing(refusal)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        bot = await self._bot(request)
        # OBS speaks its own language, the streamer's viewers theirs: the link may say which.
        asked = request.query.get("lang")
        language = asked if asked in languages.LANGUAGES else None
        response = self._pages.render(request, FILE, language=language, channel=bot.member.nickname)
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
        return response


def _nothing(refusal: web.HTTPNotFound | TooManyTries | StoreError) -> web.Response:
    """Show nothing, and ask again later unless the link is over."""
    if isinstance(refusal, web.HTTPNotFound):
        status, again = refusal.status, None
    else:
        problem = problems.problem_of(refusal, incident="")
        status, again = problem.row.status, max(AGAIN_SECONDS, -(-(problem.retry_after_ms or 0) // 1000))
    response = web.Response(status=status, text=_NOTHING, content_type="text/html", charset="utf-8")
    if again is not None:
        response.headers[hdrs.RETRY_AFTER] = response.headers["Refresh"] = str(again)
    return response
