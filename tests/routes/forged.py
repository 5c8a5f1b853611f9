"""Tokens that nobody gave out, each forged in a way of its own, by the secret of a house and the time."""

import base64
import hashlib
import hmac
import json

from routes.tokens import ACCESS_SECONDS, Tokens, derive

HEADER = {"alg": "HS256", "typ": "at+jwt"}
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"


def segment(data):
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(header, claims, key, *, digest=hashlib.sha256):
    """Write a token by hand, with any header and any key; no key, no signature."""
    signing = f"{segment(header)}.{segment(claims)}"
    signature = hmac.digest(key, signing.encode(), digest) if key is not None else b""
    return f"{signing}.{segment(signature)}"


def good_claims(now):
    return {
        "iss": "commeow",
        "aud": "commeow",
        "sub": "7",
        "typ": "access",
        "jti": "t1",
        "iat": int(now),
        "exp": int(now) + ACCESS_SECONDS,
        "nickname": "나비",
        "roles": ["operator"],
        "login": "",
    }


def forgeries(secret, now):
    """Answer forged tokens by what is wrong with them. Whoever signs with `key` here has the house's own."""
    key, claims = derive(secret, "access token"), good_claims(now)
    real = Tokens(secret).issue(7, "나비", frozenset({"operator"}), token_id="t1", now=now)
    header_segment, claims_segment, signature = real.split(".")

    return {
        "alg none, no signature": forge({"alg": "none", "typ": "at+jwt"}, claims, None),
        "alg None": forge({"alg": "None", "typ": "at+jwt"}, claims, None),
        "alg nOnE": forge({"alg": "nOnE", "typ": "at+jwt"}, claims, None),
        "alg in look-alike letters": forge({"alg": "\uff28S256", "typ": "at+jwt"}, claims, key),
        "alg HS512 with the right key": forge({"alg": "HS512", "typ": "at+jwt"}, claims, key, digest=hashlib.sha512),
        "alg missing": forge({"typ": "at+jwt"}, claims, key),
        "a public key as HMAC secret": forge(HEADER, claims, PUBLIC_KEY),
        "an empty key": forge(HEADER, claims, b"\x00"),
        "the secret itself instead of the derived key": forge(HEADER, claims, secret),
        "the key of another purpose": forge(HEADER, claims, derive(secret, "refresh token")),
        "empty signature": f"{header_segment}.{claims_segment}.",
        "signature cut short": f"{header_segment}.{claims_segment}.{signature[:-4]}",
        "signature missing": f"{header_segment}.{claims_segment}",
        "other claims under an old signature": f"{header_segment}.{segment({**claims, 'sub': '1'})}.{signature}",
        "typ JWT": forge({"alg": "HS256", "typ": "JWT"}, claims, key),
        "crit": forge({"alg": "HS256", "crit": ["x"], "typ": "at+jwt", "x": 1}, claims, key),
        "b64 false": forge({"alg": "HS256", "b64": False, "crit": ["b64"], "typ": "at+jwt"}, claims, key),
        "kid traversal": forge({"alg": "HS256", "kid": "../../dev/null", "typ": "at+jwt"}, claims, key),
        "kid SQL": forge({"alg": "HS256", "kid": "' or 1=1 --", "typ": "at+jwt"}, claims, key),
        "jwk in the header": forge({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}, "typ": "at+jwt"}, claims, key),
        "header names doubled": forge(b'{"alg":"none","alg":"HS256","typ":"at+jwt"}', claims, key),
        "another audience": forge(HEADER, {**claims, "aud": "other"}, key),
        "audience a list": forge(HEADER, {**claims, "aud": ["commeow", "other"]}, key),
        "another issuer": forge(HEADER, {**claims, "iss": "other"}, key),
        "a refresh token used as access": forge(HEADER, {**claims, "typ": "refresh"}, key),
        "issued in the future": forge(HEADER, {**claims, "iat": int(now) + 600, "exp": int(now) + 900}, key),
        "lives for years": forge(HEADER, {**claims, "exp": int(now) + 10**9}, key),
        "ends before it begins": forge(HEADER, {**claims, "exp": int(now) - 1}, key),
        "not before tomorrow": forge(HEADER, {**claims, "nbf": int(now) + 86_400}, key),
        "exp a string": forge(HEADER, {**claims, "exp": str(int(now) + 60)}, key),
        "exp infinite": forge(HEADER, b'{"exp":1e999}', key),
        "sub a number": forge(HEADER, {**claims, "sub": 7}, key),
        "sub zero": forge(HEADER, {**claims, "sub": "0"}, key),
        "sub a nickname": forge(HEADER, {**claims, "sub": "admin"}, key),
        "jti empty": forge(HEADER, {**claims, "jti": ""}, key),
        "a claim more": forge(HEADER, {**claims, "admin": True}, key),
        "claims not an object": forge(HEADER, b"[]", key),
        "claims not JSON": forge(HEADER, b"\xff\xfe", key),
        "claims nested without end": forge(HEADER, b"[" * 1_500, key),
        "empty": "",
        "dots": "..",
        "not base64": f"{header_segment}.!!!.???",
    }
