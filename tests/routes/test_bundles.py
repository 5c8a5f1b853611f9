import hashlib

import msgspec
import pytest

from routes import bundles
from routes.bundles import Bundle, bundle_of, loading, read

SOURCES = {"js/pages/home.js": b"export {};\n", "css/home.css": b"body{}\n"}
BUNDLE = Bundle(
    script="/built/index-A.js",
    needs=("/built/chunk-B.js", "/built/lit-C.js"),
    soon=("/built/hls-F.js",),
    later=("/built/live_peek-D.js",),
    style="/built/index-E.css",
    inputs=tuple(SOURCES),
)
BUILT = bundles.Bundles(
    pages={"index.html": BUNDLE},
    sources={path: hashlib.sha256(data).hexdigest() for path, data in SOURCES.items()},
)
PAGE = """\
  <head>
    <title>Commeow</title>
    <link rel="stylesheet" href="/css/tokens.css">
    <link rel="stylesheet" href="/css/home.css">
    <link rel="preload" as="fetch" href="/i18n/{{lang}}.json" crossorigin="anonymous">
    <script type="module" src="/js/pages/home.js"></script>
  </head>
"""


def test_what_the_build_hook_writes_is_read_back():
    assert read(msgspec.json.encode(BUILT)) == BUILT


def test_a_page_has_its_bundle_while_its_files_are_those_it_was_made_of():
    assert bundle_of(BUILT, "index.html", SOURCES.get) == BUNDLE


@pytest.mark.parametrize("changed", list(SOURCES))
@pytest.mark.parametrize("to", [b"other", None])
def test_a_page_of_which_a_file_was_changed_or_removed_has_none(changed, to):
    assert bundle_of(BUILT, "index.html", (SOURCES | {changed: to}).get) is None


def test_a_page_that_was_not_bundled_has_none():
    assert bundle_of(BUILT, "studio.html", SOURCES.get) is None


def test_a_file_that_the_build_hook_did_not_name_is_no_file_of_its_own():
    nameless = msgspec.structs.replace(BUILT, sources={})

    assert bundle_of(nameless, "index.html", SOURCES.get) is None


def test_a_page_loads_its_bundle_and_nothing_as_it_is_written():
    expected = """\
  <head>
    <title>Commeow</title>
    <link rel="stylesheet" href="/built/index-E.css">
    <link rel="preload" as="fetch" href="/i18n/{{lang}}.json" crossorigin="anonymous">
    <link rel="modulepreload" href="/built/chunk-B.js">
    <link rel="modulepreload" href="/built/lit-C.js">
    <link rel="modulepreload" fetchpriority="low" href="/built/hls-F.js">
    <link rel="later" as="script" href="/built/live_peek-D.js">
    <script type="module" src="/built/index-A.js"></script>
  </head>
"""

    assert loading(PAGE, BUNDLE) == expected


def test_what_may_be_needed_later_stands_in_no_pictures_way():
    without_player = loading(PAGE, msgspec.structs.replace(BUNDLE, soon=()))

    assert '<link rel="prefetch" as="script" href="/built/live_peek-D.js">' in without_player
    assert "prefetch" not in loading(PAGE, BUNDLE)


def test_a_page_without_a_style_keeps_the_rest():
    assert loading("<body></body>\n", BUNDLE) == "<body></body>\n"
