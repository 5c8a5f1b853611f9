import pytest

from routes import access


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_the_token_is_taken_out_of_the_header(header):
    assert access.bearer(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "Basic abc", "abc", "Bearer"])
def test_without_a_bearer_nobody_passes(header):
    with pytest.raises(access.BearerMissing, match="no bearer"):
        access.bearer(header)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "host", "public_url"),
    [
        (None, None, "h:8080", None),
        ("http://h:8080", "same-origin", "h:8080", None),
        ("http://H:8080", None, "h:8080", None),
        ("https://live.example", "same-origin", "127.0.0.1:8080", "https://live.example"),
        (None, "none", "h:8080", None),
    ],
)
def test_our_own_pages_and_no_page_may_use_the_cookie(origin, fetch_site, host, public_url):
    access.check_origin(origin=origin, fetch_site=fetch_site, host=host, public_url=public_url)


@pytest.mark.parametrize(
    ("origin", "fetch_site"),
    [
        ("https://evil.example", None),
        ("null", None),
        ("", None),
        ("http://h:8080.evil.example", None),
        ("http://h", None),
        ("http://h:8080", "same-site"),
        ("http://h:8080", "cross-site"),
        (None, "cross-site"),
        (None, "nonsense"),
    ],
)
def test_another_sites_page_may_not(origin, fetch_site):
    with pytest.raises(access.OriginForeign, match="another site"):
        access.check_origin(origin=origin, fetch_site=fetch_site, host="h:8080", public_url=None)


@pytest.mark.parametrize("error", [access.NotYours(), access.BadLogin(), access.LoginCookieInvalid()])
def test_refusals_have_words_for_the_log(error):
    assert str(error)
