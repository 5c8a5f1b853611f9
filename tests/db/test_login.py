from datetime import UTC, datetime, timedelta

from db.login import FRESH_SECONDS, Login, LoginUnknown

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def _login(age):
    return Login(name="x", device="", began_at=NOW - timedelta(seconds=age), used_at=NOW)


def test_a_login_is_fresh_for_ten_minutes():
    assert _login(FRESH_SECONDS).is_fresh(NOW)
    assert not _login(FRESH_SECONDS + 1).is_fresh(NOW)


def test_the_error_says_what_it_is():
    assert str(LoginUnknown()) == "no such login"
