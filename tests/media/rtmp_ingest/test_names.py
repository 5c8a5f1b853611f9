from __future__ import annotations

import pytest

from media.rtmp_ingest.names import APP_SEGMENTS_MAX, app_name, stream_key

APPS = {
    "live": "live",
    "live/": "live",
    "/live": "live",
    "live/room": "live/room",
    "live?token=x&y=/../": "live",
    "": "",
    "/": "",
    "a" * 64: "a" * 64,
    "a/" * (APP_SEGMENTS_MAX - 1) + "a": "a/" * (APP_SEGMENTS_MAX - 1) + "a",
}
# Each of these has opened a path, a shell, a log or a page somewhere.
BAD_NAMES = [
    "..",
    "../etc",
    "a/../b",
    "a//b",
    ".",
    "a.b",
    "a b",
    "a\nb",
    "a\r",
    "a\0",
    "a%2e%2e",
    "a\\b",
    "a;b",
    "$(id)",
    "`id`",
    "<script>",
    "a'",
    'a"',
    "a|b",
    "a&b",
    "-i\ta",
    "\uac00\ub098",
    "\uff41",  # A letter, but of another width.
    "a\u200b",
    "a" * 65,
    "x" * 2048,
]
NOT_TEXT = [None, True, 1.0, ["live"], {"a": 1}, b"live"]


@pytest.mark.parametrize(("text", "expected"), APPS.items())
def test_any_application_name_will_do(text, expected):
    assert app_name(text) == expected


@pytest.mark.parametrize("text", [*BAD_NAMES, "a/" * APP_SEGMENTS_MAX + "a", *NOT_TEXT])
def test_no_application_name(text):
    assert app_name(text) is None


@pytest.mark.parametrize(
    ("name", "app", "expected"),
    [
        ("demo_key", "live", "demo_key"),
        ("sk-Live_09", "", "sk-Live_09"),
        ("demo_key?token=x", "live", "demo_key"),
        ("k" * 64, "live", "k" * 64),
        ("", "live/demo_key", "demo_key"),
        ("?a=b", "live/demo_key", "demo_key"),
        ("", "demo_key", "demo_key"),
    ],
)
def test_the_key_in_a_publishing_name(name, app, expected):
    assert stream_key(name, app) == expected


@pytest.mark.parametrize("name", [*BAD_NAMES, "a/b", *NOT_TEXT])
def test_no_stream_key(name):
    assert stream_key(name, "live/app") is None


def test_an_empty_name_needs_an_application_name():
    assert stream_key("", "") is None
