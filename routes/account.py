"""Door: HTTP: /api/members/me: one's logins, one's password, and leaving for good."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiohttp import web

from db import member
from routes import revocations
from routes.access import PasswordWrong, Who
from routes.account_shapes import ChangePassword, Leave, LoginList, LoginView
from routes.doors import HttpDoor
from routes.members import forget
from routes.middleware import BEARER, answer, read_body, read_bytes
from routes.rate_limit import RateLimit

if TYPE_CHECKING:
    from db.bus import Bus
    from db.login import Login
    from db.members import Members
    from db.refresh_tokens import RefreshTokens
    from routes.addresses import Addresses
    from routes.passwords import Passwords
    from routes.tokens import Bearer

WRONG_BURST: Final = 5
WRONG_REFILL_SECONDS: Final = 10.0
"""Wrong passwords of one member who is logged in: somebody at a screen that was left open guesses no faster."""


def login_view(login: Login, current: str) -> LoginView:
    """Show a login to its member; `current` names the one that asks."""
    browser, _, system = login.device.partition("/")
    return LoginView(
        id=login.name,
        browser=browser,
        system=system,
        began_at=login.began_at,
        used_at=login.used_at,
        current=login.name == current,
    )


class AccountDoors:
    """The doors of an account."""

    def __init__(
        self,
        *,
        members: Members,
        refresh_tokens: RefreshTokens,
        passwords: Passwords,
        bus: Bus,
        addresses: Addresses,
    ) -> None:
        self._members = members
        self._refresh_tokens = refresh_tokens
        self._passwords = passwords
        self._bus = bus
        self._addresses = addresses
        self._wrong_words = RateLimit(burst=WRONG_BURST, refill_seconds=WRONG_REFILL_SECONDS)

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="GET",
                path="/api/members/me/logins",
                who=Who.MEMBER,
                handle=self._list,
                words="The devices that stay logged in.",
                answer=LoginList,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/members/me/logins",
                who=Who.MEMBER,
                handle=self._end_others,
                words="End all logins but this one; their chat closes.",
                status=204,
                lasting=True,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/members/me/logins/{id}",
                who=Who.MEMBER,
                handle=self._end,
                words="End one login; its chat closes.",
                status=204,
                lasting=True,
            ),
            HttpDoor(
                method="PUT",
                path="/api/members/me/password",
                who=Who.MEMBER,
                handle=self._change_password,
                words="Change the password; all other logins end, and all tokens unless they are kept.",
                body=ChangePassword,
                status=204,
                lasting=True,
            ),
            HttpDoor(
                method="DELETE",
                path="/api/members/me",
                who=Who.MEMBER,
                handle=self._leave,
                words="Leave for good: names and words go, the books keep what they need.",
                status=204,
                lasting=True,
            ),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        bearer = request[BEARER]
        found = await self._refresh_tokens.logins(bearer.member_id)
        return answer(LoginList(logins=[login_view(each, bearer.login) for each in found]))

    async def _end(self, request: web.Request) -> web.StreamResponse:
        bearer = request[BEARER]
        name = request.match_info["id"]
        await self._refresh_tokens.end(bearer.member_id, name)
        await revocations.tell(self._bus, name)
        return web.Response(status=204)

    async def _end_others(self, request: web.Request) -> web.StreamResponse:
        await self._end_all_but(request[BEARER])
        return web.Response(status=204)

    async def _change_password(self, request: web.Request) -> web.StreamResponse:
        bearer = request[BEARER]
        body = await read_body(request, ChangePassword)
        profile = await self._members.profile(bearer.member_id)
        await self._ask(bearer.member_id, body.old_password, "old_password")
        member.check_password(body.password, profile.login_id)
        password_hash = await self._passwords.hash(body.password)
        await self._members.set_password_hash(bearer.member_id, password_hash, revoke_tokens=not body.keep_tokens)
        # Whoever knew the old one and is still logged in by it shall not stay so.
        await self._end_all_but(bearer)
        return web.Response(status=204)

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        bearer = request[BEARER]
        if await read_bytes(request):
            await self._ask(bearer.member_id, (await read_body(request, Leave)).password, "password")
        elif not await self._may_leave_unasked(bearer):
            raise PasswordWrong("password")
        await self._members.erase(bearer.member_id)
        for name in await self._refresh_tokens.revoke_all(bearer.member_id):
            await revocations.tell(self._bus, name)
        response = web.Response(status=204)
        forget(response, self._addresses)
        return response

    async def _may_leave_unasked(self, bearer: Bearer) -> bool:
        """Tell whether the password was typed just now: a screen that was left open ends nobody's account."""
        now = datetime.now(UTC)
        logins = await self._refresh_tokens.logins(bearer.member_id)
        return any(login.name == bearer.login and login.is_fresh(now) for login in logins)

    async def _end_all_but(self, bearer: Bearer) -> None:
        for name in await self._refresh_tokens.revoke_all(bearer.member_id, keep=bearer.login):
            await revocations.tell(self._bus, name)

    async def _ask(self, member_id: int, password: str, field: str) -> None:
        """Judge a member's own password. Raises PasswordWrong, TooManyTries, Busy."""
        key = str(member_id)
        # Spent before the answer is known, as at the log-in.
        self._wrong_words.take(key, time.monotonic())
        wrong = False
        try:
            wrong = not await self._passwords.verify(await self._members.password_hash(member_id), password)
        finally:
            if not wrong:
                self._wrong_words.give_back(key)
        if wrong:
            raise PasswordWrong(field)
