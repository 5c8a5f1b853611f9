"""Door: RSocket: who comes in with a token, and what anyone is told when something goes wrong."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

from db.member import Member
from routes import problems
from rsocket_server.doors import Badge

if TYPE_CHECKING:
    from routes.revocations import Revocations
    from routes.tokens import Tokens

log = logging.getLogger("commeow.rsocket")


class Admission:
    """What a roof hands the RSocket server beside the doors."""

    def __init__(self, tokens: Tokens, revocations: Revocations) -> None:
        self._tokens = tokens
        self._revocations = revocations

    async def verify(self, token: bytes | str) -> Badge:
        """Say what a token makes of its connection. Raises TokenExpired or TokenInvalid."""
        now = time.time()
        bearer = self._tokens.check(token, now=now)
        member = Member(id=bearer.member_id, nickname=bearer.nickname, roles=bearer.roles)
        return self._revocations.check(Badge(member, key=bearer.login, seconds=bearer.expires_at - now))

    def translate(self, error: BaseException) -> tuple[int, bytes]:
        """Give the error code and data of an ERROR frame; what is unknown goes to the log with its incident id."""
        problem = problems.problem_of(error, secrets.token_hex(8))
        if problem.row is problems.INTERNAL:
            log.error("internal incident=%s", problem.incident, exc_info=error)
        return problem.row.rsocket, problem.as_rsocket()
