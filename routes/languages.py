"""Core: which language a page greets a visitor in."""

from __future__ import annotations

LANGUAGES = ("ko", "en")
"""The catalogues in web/i18n; the first is the house's own and the answer when a visitor names none of them."""

HEADER_CHARS_MAX = 512
"""Characters of Accept-Language that are read: browsers send below 100."""


def choose(cookie: str | None, accept_language: str | None) -> str:
    """Choose by the visitor's own click (cookie), then by his browser (RFC 9110 §12.5.4), then ours."""
    if cookie in LANGUAGES:
        return cookie
    best, best_quality = LANGUAGES[0], 0.0
    for part in (accept_language or "")[:HEADER_CHARS_MAX].split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(parameter)
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
