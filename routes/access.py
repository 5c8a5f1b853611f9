"""Core: who may pass a door: the bearer's header, the page's origin, the owner's channel."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

BEARER = "bearer "


class Who(StrEnum):
    """Whom a door is for. A table of doors names one for each, and the guard holds the door to it."""

    ANYONE = "anyone"
    MEMBER = "member"
    OWNER = "owner"
    COOKIE = "cookie"
    LOOPBACK = "loopback"


class AccessError(Exception):
    """Somebody may not pass here."""


class BearerMissing(AccessError):
    """A door for members, and no access token in `Authorization: Bearer …`."""

    def __str__(self) -> str:
        return "no bearer token"


class NotYours(AccessError):
    """A member at a door that only the channel's owner may pass."""

    def __str__(self) -> str:
        return "not the owner"


class OriginForeign(AccessError):
    """Another site's page tried to use a visitor's cookie (cross-site request forgery)."""

    def __str__(self) -> str:
        return "the request comes from another site's page"


class BadLogin(AccessError):
    """The login id is unknown or the password is wrong; which of the two, nobody is told."""

    def __str__(self) -> str:
        return "login id or password wrong"


class PasswordWrong(AccessError):
    """What cannot be taken back wants the member's password once more, and this was not it.

    Attributes:
        field: of the body that should hold it.
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} is not the member's password"


class LoginCookieInvalid(AccessError):
    """The cookie's refresh token is missing, over, revoked or not ours."""

    def __str__(self) -> str:
        return "no valid login cookie"


def bearer(header: str | None) -> str:
    """Take the token out of an Authorization header. Raises BearerMissing."""
    if header is None or not header.lower().startswith(BEARER):
        raise BearerMissing
    return header[len(BEARER) :].strip()


def check_origin(*, origin: str | None, fetch_site: str | None, host: str, public_url: str | None) -> None:
    """Let only our own pages, or no page at all, use a cookie. Raises OriginForeign.

    A browser says where a request comes from in `Origin` and `Sec-Fetch-Site`; bots and tests say neither and carry
    no stranger's cookie. `host` is the request's Host header, `public_url` the site's address when a proxy stands
    before it.
    """
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        raise OriginForeign
    if origin is None:
        return
    ours = {host.lower()}
    if public_url is not None:
        ours.add(urlsplit(public_url).netloc.lower())
    if urlsplit(origin).netloc.lower() not in ours:
        raise OriginForeign
