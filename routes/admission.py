"""Door: RSocket: who comes in with a token, and what anyone is told when something goes wrong."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

from db.member import Member
from routes import problems

if TYPE_CHECKING:
    from routes.tokens import Tokens

log = logging.getLogger("commeow.rsocket")


class Admission:
    """What a roof hands the RSocket server beside the doors."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def verify(self, token: bytes) -> Member:
        """Say whose token it is. Raises TokenExpired or TokenInvalid."""
        bearer = self._tokens.check(token, now=time.time())
        return Member(id=bearer.member_id, nickname=bearer.nickname, roles=bearer.roles)

    def translate(self, error: BaseException) -> tuple[int, bytes]:
        """Give the error code and data of an ERROR frame; what is unknown goes to the log with its incident id."""
        problem = problems.problem_of(error, secrets.token_hex(8))
        if problem.row is problems.INTERNAL:
            log.error("internal incident=%s", problem.incident, exc_info=error)
        return problem.row.rsocket, problem.as_rsocket()
