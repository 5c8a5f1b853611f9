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
from tests.routes.forged import HEADER, forge, forgeries, good_claims

SECRET = b"s" * 32
NOW = 1_800_000_000.25
TOKENS = Tokens(SECRET)
KEY = derive(SECRET, "access token")


def _issue(now=NOW):
    return TOKENS.issue(7, "나비", frozenset({"operator"}), token_id="t1", now=now)


GOOD_CLAIMS = good_claims(NOW)
FORGED = forgeries(SECRET, NOW)


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
    assert TOKENS.check(forge(HEADER, GOOD_CLAIMS, KEY), now=NOW).member_id == 7


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_invalid(name):
    with pytest.raises(TokenInvalid) as caught:
        TOKENS.check(FORGED[name], now=NOW)

    assert str(caught.value).startswith("token invalid: ")


@pytest.mark.parametrize("claim", sorted(GOOD_CLAIMS))
def test_every_claim_is_required(claim):
    claims = {name: value for name, value in GOOD_CLAIMS.items() if name != claim}

    with pytest.raises(TokenInvalid):
        TOKENS.check(forge(HEADER, claims, KEY), now=NOW)


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
