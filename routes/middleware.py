"""Door: HTTP: what stands before every other door: the guard, the limits, the headers, and the words of a refusal."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs

import msgspec
from aiohttp import hdrs, web

from routes import access, problems, wire
from routes.access import Who
from routes.addresses import is_loopback, visitor
from routes.tokens import Bearer, TokenInvalid, Tokens

if TYPE_CHECKING:
    from routes.doors import HttpDoor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T", bound=msgspec.Struct)

BODY_SECONDS_MAX = 10.0
"""Seconds a body may take to arrive: 64 KiB at 52 kbit/s; slower is an attack or not worth a connection."""

FORM_FIELDS_MAX = 16
"""Fields of a form; ours have one each."""

BEARER: web.RequestKey[Bearer] = web.RequestKey("bearer", Bearer)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

log = logging.getLogger("commeow.http")


@dataclass(slots=True)
class Counters:
    """What /metrics tells of HTTP: answers by status class, and requests under way."""

    answers: Counter[str] = field(default_factory=Counter)
    under_way: int = 0


class Guard:
    """Holds each door to whom it is for, and turns whatever goes wrong behind it into a problem."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        lives: Callable[[int, str], Awaitable[bool]],
        public_url: str | None,
        is_https: bool,
    ) -> None:
        """Hold on to what is asked: `lives` tells whether a member's login is not over."""
        self._tokens = tokens
        self._lives = lives
        self._public_url = public_url
        self._is_https = is_https
        self.counters = Counters()

    def application(self, doors: Iterable[HttpDoor]) -> web.Application:
        """Build the aiohttp application of a table of doors."""
        application = web.Application(middlewares=[self._answer], client_max_size=wire.BODY_BYTES_MAX)
        for door in doors:
            handle = self._guarded(door)
            application.router.add_route(door.method, door.path, handle)
            if door.method == "GET":
                application.router.add_route("HEAD", door.path, handle)
            if door.cors:
                application.router.add_route("OPTIONS", door.path, _preflight)
        return application

    def _guarded(self, door: HttpDoor) -> Handler:
        async def pass_through(request: web.Request) -> web.StreamResponse:
            await self._admit(door, request)
            response: web.StreamResponse = await door.handle(request)
            return response

        async def handle(request: web.Request) -> web.StreamResponse:
            response = await self._attempt(request, pass_through)
            if door.cors:
                open_to_all(response)
            return response

        return handle

    async def _admit(self, door: HttpDoor, request: web.Request) -> None:
        if door.who in {Who.MEMBER, Who.OWNER}:
            token = access.bearer(request.headers.get(hdrs.AUTHORIZATION))
            bearer = request[BEARER] = self._tokens.check(token, now=time.time())
            if door.lasting:
                # First, and kept by aiohttp: the login may end in the ten seconds that a body may take.
                await read_bytes(request)
                if not await self._lives(bearer.member_id, bearer.login):
                    raise TokenInvalid("its login is over")
        elif door.who is Who.COOKIE:
            access.check_origin(
                origin=request.headers.get(hdrs.ORIGIN),
                fetch_site=request.headers.get("Sec-Fetch-Site"),
                host=request.host,
                public_url=self._public_url,
            )
        elif door.who is Who.LOOPBACK and not is_loopback(request.remote):
            raise web.HTTPNotFound

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        address = visitor(request.remote, request.headers.get("X-Forwarded-For"), public_url=self._public_url)
        if address is not None and address != request.remote:
            request = request.clone(remote=address)
        request[REQUEST_ID] = secrets.token_hex(8)
        self.counters.under_way += 1
        try:
            response = await self._attempt(request, handler)
        finally:
            self.counters.under_way -= 1
        self.counters.answers[f"{response.status // 100}xx"] += 1
        if not response.prepared:
            self.secure(response, request[REQUEST_ID])
        return response

    async def _attempt(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            if refusal.status < 400:
                return web.Response(status=refusal.status, headers=refusal.headers)
            response = problem_response(problems.problem_of_status(refusal.status))
            if hdrs.ALLOW in refusal.headers:
                response.headers[hdrs.ALLOW] = refusal.headers[hdrs.ALLOW]
            return response
        except Exception as error:  # noqa: BLE001 - the one place where an unknown error of a door ends.
            return problem_response(self._problem(error, request))

    def _problem(self, error: Exception, request: web.Request) -> problems.Problem:
        problem = problems.problem_of(error, incident=request[REQUEST_ID])
        if problem.row is problems.INTERNAL:
            # The door, not the address: that of an overlay is a secret.
            resource = request.match_info.route.resource
            door = "" if resource is None else resource.canonical
            log.error("internal incident=%s method=%s door=%s", problem.incident, request.method, door, exc_info=error)
        return problem

    def secure(self, response: web.StreamResponse, request_id: str) -> None:
        """Put on an answer what every answer has."""
        headers = response.headers
        headers["X-Request-Id"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Nothing an API answer holds may ever be run or framed; pages bring their own, wider policy.
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
        if self._is_https:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"


async def _preflight(_request: web.Request) -> web.StreamResponse:
    """Say what another site's page may send to a door that is open to all (Fetch standard, CORS preflight)."""
    response = web.Response(status=204)
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, HEAD, OPTIONS"
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Range, If-None-Match"
    response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = "86400"
    open_to_all(response)
    return response


def open_to_all(response: web.StreamResponse) -> None:
    """Let any site's page read an answer."""
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def problem_response(problem: problems.Problem) -> web.Response:
    """Answer with a problem (RFC 9457)."""
    response = web.Response(body=problem.as_http(), status=problem.row.status, content_type="application/problem+json")
    if problem.retry_after_ms is not None:
        response.headers[hdrs.RETRY_AFTER] = str(-(-problem.retry_after_ms // 1000))
    if problem.row.status == web.HTTPUnauthorized.status_code:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


def answer(shape: msgspec.Struct, status: int = 200) -> web.Response:
    """Answer with a shape as JSON."""
    return web.Response(body=wire.write(shape), status=status, content_type="application/json")


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body of the shape `kind`.

    Raises WireShape, also for another content type (so that another site's form can never pass for one of ours).
    """
    if request.content_type != "application/json":
        raise wire.WireShape
    return wire.read(kind, await read_bytes(request))


async def read_form(request: web.Request) -> dict[str, str]:
    """Read the fields of a plain form, the first of each name. Raises WireShape, as `read_body` does."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise wire.WireShape
    try:
        fields = parse_qs((await read_bytes(request)).decode(errors="replace"), max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise wire.WireShape from None
    return {name: values[0] for name, values in fields.items()}


async def read_bytes(request: web.Request) -> bytes:
    """Read a body; aiohttp itself refuses more than BODY_BYTES_MAX with 413.

    Raises WireShape when it takes longer than BODY_SECONDS_MAX, is packed wrongly, or its sender has gone: these are no
    incidents of ours, and anybody could fill the log with them.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await request.read()
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        raise wire.WireShape from None
