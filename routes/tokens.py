"""Core: access tokens: who the bearer is, for ten minutes.

A token is a JWT (RFC 7519) with the header of RFC 9068 §2.1 and nothing else: HS256, no key id, no extension. The
header is compared byte for byte before anything is parsed, so none of JWT's header tricks (`none`, `crit`, `jwk`,
`b64`, doubled names) is ever looked at. Time is the caller's `now`, in seconds since the epoch.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec

ACCESS_SECONDS = 600
"""Seconds an access token lives: short, because it cannot be called back."""

SKEW_SECONDS = 30
"""Seconds by which another node's clock may be ahead when it says "issued at"; expiry gets no such grace."""

TOKEN_BYTES_MAX = 4_096
"""Bytes of a token before any work is done on it; ours have some 300."""

SECRET_BYTES_MIN = 32
"""Bytes of the house's secret: RFC 7518 §3.2 wants a key as long as the hash."""

AUDIENCE = "commeow"
ISSUER = "commeow"
HEADER_TYPE = "at+jwt"
CLAIM_TYPE = "access"

_MEMBER_ID = re.compile(r"\A[1-9][0-9]{0,17}\Z")


class TokenError(Exception):
    """A bearer token does not say who the bearer is."""


class TokenExpired(TokenError):
    """The token was ours and its time is over; refresh and come again."""

    def __init__(self, expired_at: float) -> None:
        super().__init__(expired_at)
        self.expired_at = expired_at

    def __str__(self) -> str:
        return f"token expired at {self.expired_at:.0f}"


class TokenInvalid(TokenError):
    """The token is not ours, or not an access token. Why is for the log only.

    Attributes:
        why: what was wrong, in our words; never a piece of the token.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"token invalid: {self.why}"


class SecretTooShort(TokenError):
    """The house's secret has fewer than SECRET_BYTES_MIN bytes (our fault, at start)."""

    def __str__(self) -> str:
        return f"the secret must have at least {SECRET_BYTES_MIN} bytes"


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a token says: its member, its own id (`token_id`, unique) and when it ends (seconds since the epoch).

    `login` names the login that it came with; empty where there was none.
    """

    member_id: int
    nickname: str
    roles: frozenset[str]
    token_id: str
    expires_at: float
    login: str = ""


class _Claims(msgspec.Struct, forbid_unknown_fields=True):
    """The claims of our tokens, all required, nothing beside them."""

    iss: str
    aud: str
    sub: str
    typ: str
    jti: str
    iat: int
    exp: int
    nickname: str
    roles: list[str]
    login: str


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive the 32-byte key for one purpose from the house's secret, so that no two purposes share a key.

    Raises SecretTooShort.
    """
    if len(secret) < SECRET_BYTES_MIN:
        raise SecretTooShort
    return hmac.digest(secret, b"commeow " + purpose.encode(), hashlib.sha256)


class Tokens:
    """Issues and checks access tokens with a key derived from the house's secret. Raises SecretTooShort."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive(secret, "access token")
        self._header = self._encode({}).partition(".")[0]

    def _encode(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, algorithm="HS256", headers={"typ": HEADER_TYPE})

    def issue(
        self, member_id: int, nickname: str, roles: frozenset[str], *, token_id: str, now: float, login: str = ""
    ) -> str:
        """Issue a token for a member; `token_id` is random, 128 bits or more, and unique; `login` is what it is of."""
        issued_at = int(now)
        return self._encode(
            {
                "iss": ISSUER,
                "aud": AUDIENCE,
                "sub": str(member_id),
                "typ": CLAIM_TYPE,
                "jti": token_id,
                "iat": issued_at,
                "exp": issued_at + ACCESS_SECONDS,
                "nickname": nickname,
                "roles": sorted(roles),
                "login": login,
            }
        )

    def check(self, token: bytes | str, *, now: float) -> Bearer:
        """Say who the bearer is. Raises TokenExpired for a token of ours that is over, else TokenInvalid."""
        claims = self._claims(token)
        if claims.iss != ISSUER or claims.aud != AUDIENCE:
            raise TokenInvalid("issued by or for somebody else")
        if claims.typ != CLAIM_TYPE:
            raise TokenInvalid("not an access token")
        if not _MEMBER_ID.match(claims.sub) or not claims.jti:
            raise TokenInvalid("no member or no id")
        if claims.iat > now + SKEW_SECONDS:
            raise TokenInvalid("issued in the future")
        if not claims.iat < claims.exp <= claims.iat + ACCESS_SECONDS:
            raise TokenInvalid("lives longer than any of ours")
        if claims.exp <= now:
            raise TokenExpired(claims.exp)
        return Bearer(
            member_id=int(claims.sub),
            nickname=claims.nickname,
            roles=frozenset(claims.roles),
            token_id=claims.jti,
            expires_at=float(claims.exp),
            login=claims.login,
        )

    def _claims(self, token: bytes | str) -> _Claims:
        if len(token) > TOKEN_BYTES_MAX:
            raise TokenInvalid("too long")
        try:
            text = token if isinstance(token, str) else token.decode("ascii")
        except UnicodeDecodeError:
            raise TokenInvalid("not ASCII") from None
        if text.partition(".")[0] != self._header:
            raise TokenInvalid("not our header")
        try:
            # Only the signature is PyJWT's to judge: it reads the wall clock for the rest, we have `now`.
            raw = jwt.decode_complete(
                text,
                self._key,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
            )["payload"]
            return msgspec.convert(raw, _Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, RecursionError):
            raise TokenInvalid("signature or claims") from None
