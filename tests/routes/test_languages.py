import pytest

from routes.languages import HEADER_CHARS_MAX, choose


@pytest.mark.parametrize(
    ("cookie", "accept_language", "language"),
    [
        (None, None, "ko"),
        (None, "", "ko"),
        (None, "fr, de;q=0.9", "ko"),
        (None, "en-US,en;q=0.9", "en"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "fr, en;q=0.4, ko;q=0.6", "ko"),
        (None, "fr, en;q=0.6, ko;q=0.4", "en"),
        (None, "en;q=0", "ko"),
        (None, "en;q=nonsense", "ko"),
        (None, "en;q=nan", "ko"),
        (None, "en;q=7", "ko"),
        (None, "EN ; Q=0.5", "en"),
        (None, "en;level=1", "en"),
        ("en", "ko", "en"),
        ("ko", "en", "ko"),
        ("xx", "en", "en"),
    ],
)
def test_the_click_wins_then_the_browser_then_the_house(cookie, accept_language, language):
    assert choose(cookie, accept_language) == language


def test_only_the_head_of_a_long_header_is_read():
    assert choose(None, "x" * (HEADER_CHARS_MAX - 3) + ",en") == "en"
    assert choose(None, "x" * (HEADER_CHARS_MAX - 2) + ",en") == "ko"
