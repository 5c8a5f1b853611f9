"""Door: RSocket: who comes in with a token, and what anyone is told when something goes wrong."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from db.bot_token import Scope, hash_bot_token, is_bot_token
from db.member import Member
from routes import problems
from routes.revocations import bot_key
from routes.tokens import TokenInvalid
from rsocket_server.doors import Badge

if TYPE_CHECKING:
    from db.bot_tokens import BotTokens
    from routes.revocations import Revocations
    from routes.tokens import Tokens

BOT: Final = "bot"
"""The role of who comes with a bot's token, beside what the member is."""

log = logging.getLogger("commeow.rsocket")


class Admission:
    """What a roof hands the RSocket server beside the doors."""

    def __init__(self, tokens: Tokens, bot_tokens: BotTokens, revocations: Revocations) -> None:
        self._tokens = tokens
        self._bot_tokens = bot_tokens
        self._revocations = revocations

    async def verify(self, token: bytes | str) -> Badge:
        """Say what a token makes of its connection. Raises TokenExpired, TokenInvalid, StoreUnavailable (a bot's)."""
        text = token if isinstance(token, str) else token.decode("ascii", "replace")
        if is_bot_token(text):
            return await self._verify_bot(text)
        now = time.time()
        bearer = self._tokens.check(token, now=now)
        member = Member(id=bearer.member_id, nickname=bearer.nickname, roles=bearer.roles)
        return self._revocations.check(Badge(member, key=bearer.login, seconds=bearer.expires_at - now))

    async def _verify_bot(self, token: str) -> Badge:
        bot = await self._bot_tokens.find(hash_bot_token(token))
        if bot is None:
            raise TokenInvalid("no such bot token")
        if Scope.OVERLAY in bot.scopes:
            # Whoever reads an address off a screen shall see this channel, and do nothing.
            badge = Badge(bot.member, key=bot_key(bot.token_id), scopes=frozenset({Scope.READ}), room=bot.member.id)
            return self._revocations.check(badge)
        member = replace(bot.member, roles=bot.member.roles | {BOT})
        return self._revocations.check(Badge(member, key=bot_key(bot.token_id), scopes=bot.scopes))

    def translate(self, error: BaseException) -> tuple[int, bytes]:
        """Give the error code and data of an ERROR frame; what is unknown goes to the log with its incident id."""
        problem = problems.problem_of(error, secrets.token_hex(8))
        if problem.row is problems.INTERNAL:
            log.error("internal incident=%s", problem.incident, exc_info=error)
        return problem.row.rsocket, problem.as_rsocket()
