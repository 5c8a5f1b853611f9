"""Door: HTTP: /api/members: sign up, log in, stay logged in, log out, who am I."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from db import channel, member
from db.refresh_tokens import IDLE_SECONDS, RefreshError, RefreshInvalid, RefreshReused
from routes import access, problems, revocations, wire
from routes.access import Who
from routes.addresses import household
from routes.devices import device_of
from routes.doors import HttpDoor
from routes.middleware import BEARER, REQUEST_ID, answer, problem_response, read_body
from routes.rate_limit import RateLimit
from routes.tokens import ACCESS_SECONDS, TokenInvalid

if TYPE_CHECKING:
    from db.acts import Acts
    from db.bus import Bus
    from db.follows import Follows
    from db.ledger import Ledger
    from db.member import Member
    from db.members import Members
    from db.refresh_tokens import RefreshTokens
    from routes.addresses import Addresses
    from routes.passwords import Passwords
    from routes.tokens import Tokens

COOKIE: Final = "commeow_refresh"
COOKIE_PATH: Final = "/api/members"

STREAM_KEY_BYTES: Final = 32
"""Random bytes of a stream key: 256 bits, so that a fast hash may keep it (ASVS 6.5.2)."""

TOKEN_ID_BYTES: Final = 16
"""Random bytes of an access token's id."""

SIGN_UP_BURST: Final = 10
SIGN_UP_REFILL_SECONDS: Final = 30.0
"""Sign-ups of one address: a class in a computer room at once, then two a minute."""

LOG_IN_BURST: Final = 30
LOG_IN_REFILL_SECONDS: Final = 2.0
"""Logins of one address, right or wrong: an office coming back after a restart."""

WRONG_WORD_BURST: Final = 5
WRONG_WORD_REFILL_SECONDS: Final = 10.0
"""Wrong passwords for one login id from one address: five, then six a minute; never a lock-out (ASVS 6.1.1)."""


def new_stream_key() -> str:
    """Make a stream key; only its hash is kept."""
    return f"sk_live_{secrets.token_urlsafe(STREAM_KEY_BYTES)}"


def forget(response: web.Response, addresses: Addresses) -> None:
    """Make the browser forget its login."""
    response.del_cookie(COOKIE, path=COOKIE_PATH, secure=addresses.is_https, httponly=True, samesite="Strict")


class MemberDoors:
    """The doors under /api/members, over the stores they speak for."""

    def __init__(
        self,
        *,
        members: Members,
        ledger: Ledger,
        follows: Follows,
        acts: Acts,
        bus: Bus,
        refresh_tokens: RefreshTokens,
        tokens: Tokens,
        passwords: Passwords,
        addresses: Addresses,
    ) -> None:
        self._members = members
        self._ledger = ledger
        self._follows = follows
        self._acts = acts
        self._bus = bus
        self._refresh_tokens = refresh_tokens
        self._tokens = tokens
        self._passwords = passwords
        self._addresses = addresses
        self._sign_ups = RateLimit(burst=SIGN_UP_BURST, refill_seconds=SIGN_UP_REFILL_SECONDS)
        self._log_ins = RateLimit(burst=LOG_IN_BURST, refill_seconds=LOG_IN_REFILL_SECONDS)
        self._wrong_words = RateLimit(burst=WRONG_WORD_BURST, refill_seconds=WRONG_WORD_REFILL_SECONDS)

    def doors(self) -> list[HttpDoor]:
        """List the doors."""
        return [
            HttpDoor(
                method="POST",
                path="/api/members",
                who=Who.ANYONE,
                handle=self._sign_up,
                words="Sign up; the stream key is shown this once.",
                body=wire.SignUp,
                answer=wire.SignedUp,
                status=201,
            ),
            HttpDoor(
                method="POST",
                path="/api/members/login",
                who=Who.ANYONE,
                handle=self._log_in,
                words="Log in: an access token, and the refresh token in a cookie.",
                body=wire.LogIn,
                answer=wire.LoggedIn,
            ),
            HttpDoor(
                method="POST",
                path="/api/members/refresh",
                who=Who.COOKIE,
                handle=self._refresh,
                words="A new access token for a living cookie; the cookie changes too.",
                answer=wire.LoggedIn,
            ),
            HttpDoor(
                method="POST",
                path="/api/members/logout",
                who=Who.COOKIE,
                handle=self._log_out,
                words="Log out this device; also without a cookie.",
                status=204,
            ),
            HttpDoor(
                method="GET",
                path="/api/members/me",
                who=Who.MEMBER,
                handle=self._me,
                words="Who the bearer is.",
                answer=wire.Me,
            ),
        ]

    async def _sign_up(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, wire.SignUp)
        self._take(self._sign_ups, request)
        login_id = member.check_login_id(body.login_id)
        nickname = member.check_nickname(body.nickname)
        member.check_password(body.password, login_id)
        password_hash = await self._passwords.hash(body.password)
        key = new_stream_key()
        added = await self._members.add(
            login_id=login_id,
            nickname=nickname,
            password_hash=password_hash,
            stream_key_hash=channel.hash_stream_key(key),
        )
        server = self._addresses.rtmp(request.host)
        return answer(wire.SignedUp(nickname=added.nickname, stream_server=server, stream_key=key), status=201)

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request, wire.LogIn)
        self._take(self._log_ins, request)
        # Spent before the answer is known, or a hundred tries at once would all find the bucket full.
        wrong_words_key = f"{household(request.remote)} {body.login_id}"
        self._wrong_words.take(wrong_words_key, time.monotonic())
        wrong = False
        try:
            found = await self._members.credentials(body.login_id)
            wrong = not await self._passwords.verify(found.password_hash if found else None, body.password)
        finally:
            if not wrong:  # Right, or never judged: a store that is away is not the visitor's guess.
                self._wrong_words.give_back(wrong_words_key)
        if wrong or found is None:
            raise access.BadLogin
        if found.banned:
            raise member.MemberBanned(found.member.nickname)
        if self._passwords.is_outdated(found.password_hash):
            await self._members.set_password_hash(found.member.id, await self._passwords.hash(body.password))
        device = device_of(request.headers.get(hdrs.USER_AGENT, ""))
        return self._logged_in(found.member, await self._refresh_tokens.issue(found.member.id, device))

    async def _refresh(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._refreshed(request.cookies.get(COOKIE))
        except (RefreshError, access.LoginCookieInvalid):
            # Invalid, reused, over, gone or banned: the browser need not know which, and forgets it.
            response = problem_response(problems.problem_of(access.LoginCookieInvalid(), request[REQUEST_ID]))
            forget(response, self._addresses)
            return response

    async def _refreshed(self, token: str | None) -> web.Response:
        if not token:
            raise access.LoginCookieInvalid
        # Rotated last: were the database away between the two, the browser would be left with a token that was used.
        member_id = await self._refresh_tokens.member_of(token)
        found = await self._members.by_id(member_id)
        if found is None or await self._members.is_banned(member_id):
            await self._refresh_tokens.revoke(token)
            raise access.LoginCookieInvalid
        try:
            _, successor = await self._refresh_tokens.rotate(token)
        except RefreshReused:
            # Thief or owner: neither shall go on talking with what the login gave out.
            await self._end_connections(token)
            raise
        return self._logged_in(found, successor)

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        token = request.cookies.get(COOKIE)
        if token:
            await self._refresh_tokens.revoke(token)
            await self._end_connections(token)
        response = web.Response(status=204)
        forget(response, self._addresses)
        return response

    async def _end_connections(self, token: str) -> None:
        """Close the chat of a login that is over; of a token that is none there is nothing to close."""
        with suppress(RefreshInvalid):
            await revocations.tell(self._bus, self._refresh_tokens.login_of(token))

    async def _me(self, request: web.Request) -> web.StreamResponse:
        found = await self._members.by_id(request[BEARER].member_id)
        if found is None:
            raise TokenInvalid("its member is gone")
        balance = await self._ledger.balance(found.id)
        following = await self._follows.following(found.id)
        moderates = await self._acts.moderates(found.id)
        return answer(
            wire.Me(
                nickname=found.nickname,
                roles=sorted(found.roles),
                points=balance.points,
                following=following,
                moderates=moderates,
            )
        )

    def _take(self, limit: RateLimit, request: web.Request) -> None:
        """Spend one try of the visitor's address."""
        address = household(request.remote)
        if address is not None:
            limit.take(address, time.monotonic())

    def _logged_in(self, found: Member, refresh_token: str) -> web.Response:
        token = self._tokens.issue(
            found.id,
            found.nickname,
            found.roles,
            token_id=secrets.token_urlsafe(TOKEN_ID_BYTES),
            now=time.time(),
            login=self._refresh_tokens.login_of(refresh_token),
        )
        response = answer(wire.LoggedIn(access_token=token, expires_in=ACCESS_SECONDS, nickname=found.nickname))
        response.set_cookie(
            COOKIE,
            refresh_token,
            max_age=IDLE_SECONDS,
            path=COOKIE_PATH,
            secure=self._addresses.is_https,
            httponly=True,
            samesite="Strict",
        )
        return response
