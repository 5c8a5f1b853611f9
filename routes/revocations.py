"""Door: the bus and PostgreSQL: whose connections end before their tokens do.

Bans, leavings and revoked bot tokens are looked for in PostgreSQL every LOOK_SECONDS, so that nobody must remember to
tell; a logout is told over the bus. Whoever comes back with a token that has not ended yet is refused by what was
learnt. Without PostgreSQL nobody is looked for; a person's connection then lasts as long as its token at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from db.errors import StoreError
from routes.tokens import ACCESS_SECONDS, TokenInvalid
from rsocket_server.doorway import cancelled
from rsocket_server.gate_errors import TokenRevoked
from rsocket_server.limits import RENEW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.bot_tokens import BotTokens
    from db.bus import Bus
    from db.members import Members
    from rsocket_server.doors import Badge
    from rsocket_server.rooms import Rooms
    from rsocket_server.server import Server

TOPIC: Final = "revoked"
"""The bus's topic that says: this login is over."""

LOOK_SECONDS: Final = 2.0
"""Seconds between looks: with the query and the sweep, a banned member's connection ends within five."""

REMEMBER_SECONDS: Final = ACCESS_SECONDS + RENEW_SECONDS + 60.0
"""Seconds for which a revocation matters: the longest that a token or a connection outlives it, and clocks' skew."""

KEYS_MAX: Final = 50_000
"""Logins remembered as over: some 10 MB; past it the oldest is forgotten, whose token has a few minutes left."""

log = logging.getLogger("commeow.revocations")


def bot_key(token_id: int) -> str:
    """Name a bot's token as badges do."""
    return f"bot {token_id}"


async def tell(bus: Bus, key: str) -> None:
    """Tell every worker that a login is over; without Redis its connections end with their tokens."""
    with suppress(StoreError):
        await bus.announce(TOPIC, key.encode())


class Revocations:
    """What this worker knows of it. `clock` is monotonic."""

    def __init__(
        self, members: Members, bot_tokens: BotTokens, rooms: Rooms, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._members = members
        self._bot_tokens = bot_tokens
        self._bot_keys: frozenset[str] = frozenset()
        self._rooms = rooms
        self._clock = clock
        self._gone: frozenset[int] = frozenset()
        self._keys: OrderedDict[str, float] = OrderedDict()
        self._looked_at = clock()
        self._server: Server | None = None

    def check(self, badge: Badge) -> Badge:
        """Give the badge back if it was not revoked. Raises TokenInvalid."""
        if self.is_revoked(badge):
            raise TokenInvalid("revoked")
        return badge

    def is_revoked(self, badge: Badge) -> bool:
        """Tell whether a badge's member has gone, or its login or its bot's token is over."""
        return badge.member.id in self._gone or badge.key in self._keys or badge.key in self._bot_keys

    async def run(self, server: Server) -> None:
        """Close what is to be closed, until cancelled."""
        self._server = server
        following = False
        while not cancelled():
            try:
                if not following:
                    (await self._rooms.follow(TOPIC)).subscribe(self._hear)
                    following = True
                await self.look()
            except StoreError:
                log.warning("revocations looked=no")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """See who has been banned or has left, and which bots' tokens were revoked. Raises StoreUnavailable."""
        now = self._clock()
        # Longer ago than usual where PostgreSQL was away.
        seconds = REMEMBER_SECONDS + now - self._looked_at
        self._gone = frozenset(await self._members.gone_within(seconds))
        self._bot_keys = frozenset(map(bot_key, await self._bot_tokens.revoked_within(seconds)))
        self._looked_at = now
        while self._keys and next(iter(self._keys.values())) < now - REMEMBER_SECONDS:
            self._keys.popitem(last=False)
        self._expel(self.is_revoked)

    def _hear(self, news: bytes) -> None:
        if not news:
            return
        key = news.decode(errors="replace")
        self._keys[key] = self._clock()
        self._keys.move_to_end(key)
        if len(self._keys) > KEYS_MAX:
            self._keys.popitem(last=False)
        self._expel(lambda badge: badge.key == key)

    def _expel(self, is_meant: Callable[[Badge], bool]) -> None:
        if self._server is not None:
            count = self._server.expel(is_meant, TokenRevoked())
            if count:
                log.info("connections revoked=%d", count)
