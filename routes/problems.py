"""Core: the one table that turns an error into public words: a stable code, HTTP, RSocket, and "may I retry".

An error is looked up along its classes (MRO), so a family needs one row and a leaf only where it differs. What has no
row is ours to mend: it becomes `internal` and an incident id that the log knows too. No exception's own text crosses
the wall. RSocket's codes carry the promise: REJECTED means "surely nothing was done", CANCELED means "outcome unknown:
send the same id again" (RSocket Protocol.md, Error Codes).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from routes import access, rate_limit, tokens, wire

REJECTED_SETUP = 0x003
APPLICATION_ERROR = 0x201
REJECTED = 0x202
CANCELED = 0x203
INVALID = 0x204


@dataclass(frozen=True, slots=True)
class Row:
    """What the world is told of one kind of error.

    Attributes:
        code: stable and machine-readable; the browser's catalogue has its words under `error.<code>`.
        status: of HTTP.
        rsocket: the error code of an RSocket ERROR frame.
        retry: whether the same request may succeed later without anybody changing it.
        says: one English sentence without any detail of the request.
    """

    code: str
    status: int
    rsocket: int
    retry: bool
    says: str


INTERNAL = Row("internal", 500, APPLICATION_ERROR, retry=True, says="Something broke on our side.")

TABLE: dict[type[BaseException], Row] = {
    wire.WireError: Row("wire.shape", 400, INVALID, retry=False, says="The request has not the shape this door takes."),
    wire.WireTooLarge: Row("wire.too_large", 413, INVALID, retry=False, says="The request is too large."),
    tokens.TokenInvalid: Row(
        "auth.token_invalid", 401, REJECTED_SETUP, retry=False, says="The access token is not valid."
    ),
    tokens.TokenExpired: Row(
        "auth.token_expired", 401, REJECTED_SETUP, retry=False, says="The access token is over; refresh it."
    ),
    # Only a wrong setting at start can raise it: nobody's request is at fault.
    tokens.TokenError: INTERNAL,
    access.BearerMissing: Row("auth.members_only", 401, REJECTED, retry=False, says="This is for members; log in."),
    access.AccessError: Row("auth.forbidden", 403, REJECTED, retry=False, says="This is not yours to do."),
    access.OriginForeign: Row("auth.origin", 403, REJECTED, retry=False, says="Another site's page may not do this."),
    access.BadLogin: Row("auth.bad_login", 401, APPLICATION_ERROR, retry=False, says="Login id or password is wrong."),
    access.LoginCookieInvalid: Row("auth.token_invalid", 401, REJECTED, retry=False, says="Log in again."),
    rate_limit.LimitError: Row("limit.too_fast", 429, REJECTED, retry=True, says="Too fast; wait a little."),
    rate_limit.Busy: Row("limit.busy", 503, REJECTED, retry=True, says="Too many people at once; try again."),
}

HTTP_ONLY: dict[int, Row] = {
    404: Row("http.not_found", 404, INVALID, retry=False, says="There is nothing here."),
    405: Row("http.method", 405, INVALID, retry=False, says="This door takes another method."),
    413: TABLE[wire.WireTooLarge],
}
"""What the HTTP server itself refuses, by status; any other 4xx of its own is a request it could not read."""


class _Public(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    retry: bool
    field: str | None = None
    retry_after_ms: int | None = None
    incident: str | None = None


class _PublicHttp(_Public, frozen=True, omit_defaults=True, kw_only=True):
    """RFC 9457; the members beyond it are those of RSocket's error data."""

    type: str
    title: str
    status: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as the world may see it."""

    row: Row
    field: str | None = None
    retry_after_ms: int | None = None
    incident: str | None = None

    def as_http(self) -> bytes:
        """Write the body of an application/problem+json answer."""
        return msgspec.json.encode(
            _PublicHttp(
                type=f"urn:commeow:problem:{self.row.code}",
                title=self.row.says,
                status=self.row.status,
                code=self.row.code,
                retry=self.row.retry,
                field=self.field,
                retry_after_ms=self.retry_after_ms,
                incident=self.incident,
            )
        )

    def as_rsocket(self) -> bytes:
        """Write the data of an RSocket ERROR frame."""
        return msgspec.json.encode(
            _Public(
                code=self.row.code,
                retry=self.row.retry,
                field=self.field,
                retry_after_ms=self.retry_after_ms,
                incident=self.incident,
            )
        )


def row_of(kind: type[BaseException]) -> Row | None:
    """Find the row of an error class, its own or the nearest it inherits."""
    for ancestor in kind.__mro__:
        if ancestor in TABLE:
            return TABLE[ancestor]
    return None


def problem_of(error: BaseException, incident: str) -> Problem:
    """Turn an error into a problem. `incident` is a fresh id; it is shown only where we do not know the error."""
    row = row_of(type(error)) or INTERNAL
    if row is INTERNAL:
        return Problem(row, incident=incident)
    # Where an error says which field, or when to come again, it uses these names (house rule).
    return Problem(row, field=getattr(error, "field", None), retry_after_ms=getattr(error, "retry_after_ms", None))


def problem_of_status(status: int) -> Problem:
    """Turn a refusal of the HTTP server itself, which has only a status, into a problem."""
    if status >= 500:
        return Problem(INTERNAL)
    return Problem(HTTP_ONLY.get(status, TABLE[wire.WireError]))


def codes() -> dict[str, Row]:
    """Every code the house can answer with, for PROTOCOL.md, /openapi.json and the browser's catalogue."""
    return {row.code: row for row in (*TABLE.values(), *HTTP_ONLY.values(), INTERNAL)}
