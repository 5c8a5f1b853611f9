import base64
import hashlib
import hmac
import json

import jwt
import pytest

from routes.tokens import (
    ACCESS_SECONDS,
    SECRET_BYTES_MIN,
    SKEW_SECONDS,
    TOKEN_BYTES_MAX,
    Bearer,
    SecretTooShort,
    TokenExpired,
    TokenInvalid,
    Tokens,
    derive,
)

SECRET = b"s" * 32
NOW = 1_800_000_000.25
TOKENS = Tokens(SECRET)
KEY = derive(SECRET, "access token")


def _issue(now=NOW):
    return TOKENS.issue(7, "나비", frozenset({"operator"}), token_id="t1", now=now)


GOOD_CLAIMS = {
    "iss": "commeow",
    "aud": "commeow",
    "sub": "7",
    "typ": "access",
    "jti": "t1",
    "iat": int(NOW),
    "exp": int(NOW) + ACCESS_SECONDS,
    "nickname": "나비",
    "roles": ["operator"],
    "login": "",
}


def _segment(data):
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forge(header, claims, key=KEY, *, digest=hashlib.sha256):
    """Write a token by hand, with any header, signed with the right key unless told otherwise."""
    signing = f"{_segment(header)}.{_segment(claims)}"
    signature = hmac.digest(key, signing.encode(), digest) if key is not None else b""
    return f"{signing}.{_segment(signature)}"


HEADER = {"alg": "HS256", "typ": "at+jwt"}
HEADER_SEGMENT, CLAIMS_SEGMENT, SIGNATURE = _issue().split(".")
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"

FORGED = {
    "alg none, no signature": _forge({"alg": "none", "typ": "at+jwt"}, GOOD_CLAIMS, None),
    "alg None": _forge({"alg": "None", "typ": "at+jwt"}, GOOD_CLAIMS, None),
    "alg nOnE": _forge({"alg": "nOnE", "typ": "at+jwt"}, GOOD_CLAIMS, None),
    "alg in look-alike letters": _forge({"alg": "\uff28S256", "typ": "at+jwt"}, GOOD_CLAIMS),
    "alg HS512 with the right key": _forge({"alg": "HS512", "typ": "at+jwt"}, GOOD_CLAIMS, digest=hashlib.sha512),
    "alg missing": _forge({"typ": "at+jwt"}, GOOD_CLAIMS),
    "a public key as HMAC secret": _forge(HEADER, GOOD_CLAIMS, PUBLIC_KEY),
    "an empty key": _forge(HEADER, GOOD_CLAIMS, b"\x00"),
    "the secret itself instead of the derived key": _forge(HEADER, GOOD_CLAIMS, SECRET),
    "the key of another purpose": _forge(HEADER, GOOD_CLAIMS, derive(SECRET, "refresh token")),
    "empty signature": f"{HEADER_SEGMENT}.{CLAIMS_SEGMENT}.",
    "signature cut short": f"{HEADER_SEGMENT}.{CLAIMS_SEGMENT}.{SIGNATURE[:-4]}",
    "signature missing": f"{HEADER_SEGMENT}.{CLAIMS_SEGMENT}",
    "other claims under an old signature": f"{HEADER_SEGMENT}.{_segment({**GOOD_CLAIMS, 'sub': '1'})}.{SIGNATURE}",
    "typ JWT": _forge({"alg": "HS256", "typ": "JWT"}, GOOD_CLAIMS),
    "crit": _forge({"alg": "HS256", "crit": ["x"], "typ": "at+jwt", "x": 1}, GOOD_CLAIMS),
    "b64 false": _forge({"alg": "HS256", "b64": False, "crit": ["b64"], "typ": "at+jwt"}, GOOD_CLAIMS),
    "kid traversal": _forge({"alg": "HS256", "kid": "../../dev/null", "typ": "at+jwt"}, GOOD_CLAIMS),
    "kid SQL": _forge({"alg": "HS256", "kid": "' or 1=1 --", "typ": "at+jwt"}, GOOD_CLAIMS),
    "jwk in the header": _forge({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}, "typ": "at+jwt"}, GOOD_CLAIMS),
    "header names doubled": _forge(b'{"alg":"none","alg":"HS256","typ":"at+jwt"}', GOOD_CLAIMS),
    "another audience": _forge(HEADER, {**GOOD_CLAIMS, "aud": "other"}),
    "audience a list": _forge(HEADER, {**GOOD_CLAIMS, "aud": ["commeow", "other"]}),
    "another issuer": _forge(HEADER, {**GOOD_CLAIMS, "iss": "other"}),
    "a refresh token used as access": _forge(HEADER, {**GOOD_CLAIMS, "typ": "refresh"}),
    "issued in the future": _forge(HEADER, {**GOOD_CLAIMS, "iat": int(NOW) + 60, "exp": int(NOW) + 600}),
    "lives for years": _forge(HEADER, {**GOOD_CLAIMS, "exp": int(NOW) + 10**9}),
    "ends before it begins": _forge(HEADER, {**GOOD_CLAIMS, "exp": int(NOW) - 1}),
    "not before tomorrow": _forge(HEADER, {**GOOD_CLAIMS, "nbf": int(NOW) + 86_400}),
    "exp a string": _forge(HEADER, {**GOOD_CLAIMS, "exp": str(int(NOW) + 60)}),
    "exp infinite": _forge(HEADER, b'{"exp":1e999}'),
    "sub a number": _forge(HEADER, {**GOOD_CLAIMS, "sub": 7}),
    "sub zero": _forge(HEADER, {**GOOD_CLAIMS, "sub": "0"}),
    "sub a nickname": _forge(HEADER, {**GOOD_CLAIMS, "sub": "admin"}),
    "jti empty": _forge(HEADER, {**GOOD_CLAIMS, "jti": ""}),
    "a claim more": _forge(HEADER, {**GOOD_CLAIMS, "admin": True}),
    "claims not an object": _forge(HEADER, b"[]"),
    "claims not JSON": _forge(HEADER, b"\xff\xfe"),
    "claims nested without end": _forge(HEADER, b"[" * 1_500),
    "empty": "",
    "dots": "..",
    "not base64": f"{HEADER_SEGMENT}.!!!.???",
}


def test_a_token_says_who_the_bearer_is():
    expected = Bearer(
        member_id=7,
        nickname="나비",
        roles=frozenset({"operator"}),
        token_id="t1",
        expires_at=float(int(NOW) + ACCESS_SECONDS),
    )

    assert expected == TOKENS.check(_issue(), now=NOW)
    assert expected == TOKENS.check(_issue().encode(), now=NOW)


def test_the_forger_of_these_tests_can_write_a_good_one():
    assert TOKENS.check(_forge(HEADER, GOOD_CLAIMS), now=NOW).member_id == 7


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_invalid(name):
    with pytest.raises(TokenInvalid) as caught:
        TOKENS.check(FORGED[name], now=NOW)

    assert str(caught.value).startswith("token invalid: ")


@pytest.mark.parametrize("claim", sorted(GOOD_CLAIMS))
def test_every_claim_is_required(claim):
    claims = {name: value for name, value in GOOD_CLAIMS.items() if name != claim}

    with pytest.raises(TokenInvalid):
        TOKENS.check(_forge(HEADER, claims), now=NOW)


def test_a_token_ends_to_the_second():
    token = _issue()
    end = int(NOW) + ACCESS_SECONDS

    assert TOKENS.check(token, now=end - 0.001)
    with pytest.raises(TokenExpired, match=f"expired at {end}"):
        TOKENS.check(token, now=end)


def test_a_forged_token_does_not_become_expired_with_age():
    with pytest.raises(TokenInvalid):
        TOKENS.check(FORGED["empty signature"], now=NOW + 10 * ACCESS_SECONDS)


def test_another_clock_may_be_ahead_by_the_skew_and_no_more():
    token = _issue()

    assert TOKENS.check(token, now=int(NOW) - SKEW_SECONDS)
    with pytest.raises(TokenInvalid, match="future"):
        TOKENS.check(token, now=int(NOW) - SKEW_SECONDS - 1)


def test_a_longer_text_is_refused_unread():
    with pytest.raises(TokenInvalid, match="too long"):
        TOKENS.check("x" * (TOKEN_BYTES_MAX + 1), now=NOW)
    with pytest.raises(TokenInvalid, match="not our header"):
        TOKENS.check("x" * TOKEN_BYTES_MAX, now=NOW)


def test_bytes_beyond_ascii_are_refused():
    with pytest.raises(TokenInvalid, match="ASCII"):
        TOKENS.check("나비".encode(), now=NOW)


def test_a_token_of_another_house_is_invalid():
    with pytest.raises(TokenInvalid):
        Tokens(b"x" * 32).check(_issue(), now=NOW)


def test_the_secret_has_a_least_length():
    assert Tokens(b"s" * SECRET_BYTES_MIN)
    with pytest.raises(SecretTooShort, match="32 bytes"):
        Tokens(b"s" * (SECRET_BYTES_MIN - 1))


def test_pyjwt_agrees_about_what_we_issue():
    claims = jwt.decode(
        _issue(),
        KEY,
        algorithms=["HS256"],
        audience="commeow",
        issuer="commeow",
        options={"verify_exp": False, "verify_iat": False},
    )

    assert claims == GOOD_CLAIMS
