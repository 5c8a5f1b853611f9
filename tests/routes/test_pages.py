import asyncio
import base64
import gzip
import hashlib
import html
import json
import re
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.channel import Channel
from routes import bundles, pages, wire
from routes.addresses import Addresses
from routes.cards import Card
from routes.channels import view_of
from routes.pages import EMBED, GZIP_BYTES_MIN, HOUSE, ICON, NO_PICTURE, PAGES, Pages, policy, vendor_root

ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)
IMPORT_MAP = '{"imports":{"lit":"/js/vendor/lit.js"}}'
HTML = (
    '<!doctype html><html lang="{{lang}}"><meta name="commeow-rsocket" content="{{rsocket_url}}">'
    '<meta name="commeow-rtmp" content="{{rtmp_url}}"><meta name="commeow-now" content="{{now}}">'
    '<meta property="og:title" content="{{card_title}}"><meta property="og:image" content="{{card_picture}}">'
    '<img src="{{poster}}"><meta property="og:url" content="{{page_url}}"><link href="{{oembed_url}}">'
    '<body data-on-air="{{on_air}}">'
    f'<script type="importmap">{IMPORT_MAP}</script></html>'
)


@pytest.fixture
def web_root(tmp_path):
    root = tmp_path / "web"
    for folder in ("css", "i18n", "js/core", "secret"):
        (root / folder).mkdir(parents=True)
    for name in PAGES.values():
        (root / name).write_text(HTML)
    (root / "js/core/a.js").write_text("export const a = 1;\n")
    (root / "js/big.js").write_text("// word\n" * GZIP_BYTES_MIN)
    (root / "css/site.css").write_text("body{}")
    (root / "i18n/ko.json").write_text('{"a":"가"}')
    (root / "js/notes.py").write_text("print()")
    (root / "manifest.webmanifest").write_text("{}")
    (root / "secret/key.js").write_text("no")
    (root / "favicon.svg").write_text("<svg/>")
    (tmp_path / "outside.js").write_text("outside")
    (root / "js/dir.js").mkdir()
    return root


@pytest.mark.parametrize(("language", "said"), [("ko", "가 &amp; &lt;나&gt;"), ("en", "")])
async def test_the_words_that_a_page_names_are_in_it_before_any_script(serve, web_root, language, said):
    named = '<meta name="description" data-i18n-content="a"><h1 class="x" data-i18n="a"></h1><p data-i18n="b"></p>'
    (web_root / "index.html").write_text(named)
    (web_root / "i18n/ko.json").write_text('{"a": "가 & <나>", "b": {"other": "여럿"}}')
    client = await serve(Pages(web_root, None, ADDRESSES).doors())
    text = await (await client.get("/", headers={"Accept-Language": language})).text()

    assert f'<h1 class="x" data-i18n="a">{said}</h1><p data-i18n="b"></p>' in text
    assert (f' content="{said}">' in text) == bool(said)


@pytest.fixture
async def client(serve, web_root, tmp_path):
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "lit.js").write_text("// lit")
    return await serve(Pages(web_root, vendor, ADDRESSES).doors())


@pytest.mark.parametrize("path", ["/", "/c/nabi", "/c/%EB%82%98%EB%B9%84", "/login", "/signup", "/studio", "/wallet"])
async def test_a_page_has_its_placeholders_filled_in(client, path):
    answer = await client.get(path, headers={"Host": "live.example:8080", "Accept-Language": "en"})
    text = await answer.text()

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<html lang="en">' in text
    assert 'content="ws://live.example:6565/rsocket"' in text
    assert 'content="rtmp://live.example:1935/live"' in text
    assert "{{" not in text


@pytest.mark.parametrize(("cookie", "side"), [("wide", "wide"), ("narrow", "narrow"), ("<b>", ""), ("", "")])
async def test_a_page_comes_with_its_side_as_it_was_left(serve, web_root, cookie, side):
    (web_root / "index.html").write_text('<body data-rail="{{rail}}">')
    client = await serve(Pages(web_root, None, ADDRESSES).doors())
    answer = await client.get("/", headers={"Cookie": f"rail={cookie}"})

    assert await answer.text() == f'<body data-rail="{side}">'


async def test_a_page_speaks_the_language_of_the_cookie(client):
    answer = await client.get("/", headers={"Cookie": "lang=ko", "Accept-Language": "en"})

    assert '<html lang="ko">' in await answer.text()


async def test_a_hostile_host_is_not_echoed(client):
    answer = await client.get("/", headers={"Host": 'x"><script>alert(1)</script>'})

    assert "<script>alert" not in await answer.text()
    assert "alert" not in answer.headers["Content-Security-Policy"]


async def test_a_page_may_load_only_what_is_ours(client):
    answer = await client.get("/", headers={"Host": "live.example:8080"})
    rules = answer.headers["Content-Security-Policy"].split("; ")
    digest = base64.b64encode(hashlib.sha256(IMPORT_MAP.encode()).digest()).decode()

    assert "default-src 'none'" in rules
    assert f"script-src 'self' 'sha256-{digest}'" in rules
    assert "connect-src 'self' ws://live.example:6565" in rules
    assert "frame-ancestors 'none'" in rules
    assert "manifest-src 'self'" in rules
    assert not any("unsafe" in rule or "*" in rule for rule in rules)


async def test_only_the_player_alone_may_stand_in_another_sites_frame(client):
    embed = await client.get("/embed/nabi")

    assert "frame-ancestors *" in embed.headers["Content-Security-Policy"].split("; ")
    for path in PAGES:
        if path != EMBED:
            page = await client.get(path.replace("{nickname}", "nabi"))
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"].split("; ")


async def test_a_link_shows_the_channel_and_the_house_where_there_is_none(serve, web_root):
    title = '낮잠 "자요" {{lang}} </head>'
    now = view_of(Channel(7, "nabi", title, "", (), on_air=True, broadcast_id=1, started_at=datetime.now(UTC)), 0, None)

    async def describe(nickname):
        if nickname == "nabi":
            return Card(title='낮잠 "자요" · nabi', words="", picture="/thumbnails/nabi.jpg", now=now)
        return None

    client = await serve(Pages(web_root, None, ADDRESSES, describe).doors())
    headers = {"Host": "live.example"}
    known = await (await client.get("/c/nabi", headers=headers)).text()
    unknown = await (await client.get("/c/%EB%82%98%EB%B9%84", headers=headers)).text()

    assert 'og:title" content="낮잠 &quot;자요&quot; · nabi"' in known
    assert 'og:image" content="http://live.example/thumbnails/nabi.jpg"' in known
    assert '<img src="/thumbnails/nabi.jpg">' in known
    assert f'<img src="{NO_PICTURE}">' in unknown
    assert 'href="http://live.example/oembed?url=http%3A%2F%2Flive.example%2Fc%2Fnabi"' in known
    assert f'og:title" content="{HOUSE}"' in unknown
    assert f'og:image" content="http://live.example{ICON}"' in unknown
    assert 'og:url" content="http://live.example/c/%EB%82%98%EB%B9%84"' in unknown
    assert '<body data-on-air="yes">' in known
    assert '<body data-on-air="">' in unknown
    begins = re.search('name="commeow-now" content="([^"]*)"', known)[1]
    assert "<" not in begins
    assert wire.write(now).decode() == html.unescape(begins)
    assert 'name="commeow-now" content=""' in unknown


BUNDLE = {
    "script": "/built/index-A.js",
    "needs": [],
    "soon": [],
    "later": [],
    "style": "/built/index-B.css",
    "inputs": ["js/core/a.js"],
}


@pytest.fixture
def built(tmp_path, web_root):
    """A vendor folder with a bundle of the home page."""
    (web_root / "index.html").write_text('<script type="module" src="/js/core/a.js"></script>\n')
    vendor = tmp_path / "vendor"
    (vendor / "built").mkdir(parents=True)
    (vendor / "built/index-A.js").write_text("export const a=1;")
    sources = {"js/core/a.js": hashlib.sha256((web_root / "js/core/a.js").read_bytes()).hexdigest()}
    (vendor / "built.json").write_text(json.dumps({"pages": {"index.html": BUNDLE}, "sources": sources}))
    return vendor


async def test_a_page_loads_its_bundle_which_a_browser_may_keep_for_ever(serve, web_root, built):
    client = await serve(Pages(web_root, built, ADDRESSES).doors())
    text = await (await client.get("/")).text()
    script = await client.get("/built/index-A.js")

    assert '<script type="module" src="/built/index-A.js"></script>' in text
    assert "/js/core/a.js" not in text
    assert (script.status, await script.text()) == (200, "export const a=1;")
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (await client.get("/js/vendor/built.json")).status == 404
    assert (await client.get("/js/vendor/built/index-A.js")).status == 404


async def test_a_page_of_which_a_file_was_changed_is_served_as_it_is_written(serve, web_root, built):
    (web_root / "js/core/a.js").write_text("export const a = 2;\n")
    client = await serve(Pages(web_root, built, ADDRESSES).doors())

    assert 'src="/js/core/a.js"' in await (await client.get("/")).text()
    assert "a = 2" in await (await client.get("/js/core/a.js")).text()


async def test_the_houses_own_pages_are_bundled_unless_they_were_changed_since(serve):
    vendor = vendor_root()
    assert vendor is not None
    known = bundles.read((vendor / "built.json").read_bytes())
    web_root = Path(pages.__file__).parent.parent / "web"
    client = await serve(Pages(web_root, vendor, ADDRESSES).doors())
    text = await (await client.get("/")).text()
    files = {
        path: (web_root / path).read_bytes() for path in known.pages["index.html"].inputs if (web_root / path).is_file()
    }
    bundle = bundles.bundle_of(known, "index.html", files.get)

    assert (f'src="{known.pages["index.html"].script}"' in text) == (bundle is not None)


def test_a_policy_without_an_ipv6_literal():
    assert "connect-src 'self' ws:;" in policy("ws://[::1]:6565/rsocket", "")
    assert "connect-src 'self' wss://live.example;" in policy("wss://live.example/rsocket", "")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/js/core/a.js", "text/javascript; charset=utf-8"),
        ("/js/vendor/lit.js", "text/javascript; charset=utf-8"),
        ("/css/site.css", "text/css; charset=utf-8"),
        ("/i18n/ko.json", "application/json"),
        ("/favicon.svg", "image/svg+xml"),
        ("/manifest.webmanifest", "application/manifest+json"),
    ],
)
async def test_what_pages_load_has_its_media_type_and_is_validated(client, path, media_type):
    first = await client.get(path)
    again = await client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    stale = await client.get(path, headers={"If-None-Match": '"other"'})

    assert (first.status, first.headers["Content-Type"]) == (200, media_type)
    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert (again.status, await again.read()) == (304, b"")
    assert stale.status == 200


async def test_a_page_is_validated_too(client):
    first = await client.get("/")
    again = await client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    other = await client.get("/", headers={"If-None-Match": first.headers["ETag"], "Cookie": "lang=en"})

    assert (first.status, again.status, other.status) == (200, 304, 200)


async def test_large_texts_go_out_compressed_to_those_who_can_read_it(client):
    zipped = await client.get("/js/big.js", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/js/big.js", headers={"Accept-Encoding": "identity"})
    small = await client.get("/js/core/a.js", headers={"Accept-Encoding": "gzip"})

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await zipped.read()) == await plain.read()
    assert zipped.headers["ETag"] != plain.headers["ETag"]
    assert "Content-Encoding" not in small.headers


@pytest.mark.parametrize(
    "path",
    [
        "/js/missing.js",
        "/js/notes.py",
        "/js/",
        "/js/dir.js",
        "/js/core",
        "/secret/key.js",
        "/js/../secret/key.js",
        "/js/../../outside.js",
        "/js/%2e%2e/%2e%2e/outside.js",
        "/js/..%2f..%2foutside.js",
        "/js//etc/passwd.js",
        "/js/%00.js",
        "/js/..\\..\\outside.js",
        "//etc/passwd",
        "/index.html",
        "/favicon.ico",
    ],
)
async def test_a_path_that_is_not_in_the_index_leads_nowhere(client, path):
    # A raw socket, because clients tidy such paths before they send them.
    reader = socket.create_connection(("127.0.0.1", client.port))
    try:
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(reader, f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        head = await loop.sock_recv(reader, 65_536)
    finally:
        reader.close()

    assert head.split(b" ", 2)[1] in {b"404", b"400"}


async def test_a_page_that_was_not_built_is_not_found(serve, tmp_path):
    client = await serve(Pages(tmp_path, None, ADDRESSES).doors())

    assert (await client.get("/")).status == 404


def test_the_vendor_folder_is_found_where_it_is_installed(monkeypatch, tmp_path):
    (tmp_path / "commeow_vendor").mkdir()
    monkeypatch.setattr(pages.importlib.util, "find_spec", lambda _name: None)
    assert vendor_root() is None
    monkeypatch.undo()

    monkeypatch.syspath_prepend(tmp_path)
    found = vendor_root()

    assert found is not None
    assert found.name == "commeow_vendor"
