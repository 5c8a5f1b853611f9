"""Door: HTTP: the pages and their scripts, styles and words, from an index made once at start.

What is not in the index does not exist, so a path can lead nowhere else (no traversal, no symbolic link, no directory).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import hdrs, web

from routes import bundles, languages, wire
from routes.access import Who
from routes.doors import HttpDoor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from routes.addresses import Addresses
    from routes.cards import Card

EMBED: Final = "/embed/{nickname}"
"""The one page that other sites may show in a frame: it can do nothing in a member's name."""

PAGES: Final = {
    "/": "index.html",
    "/c/{nickname}": "channel.html",
    "/c/{nickname}/moderation": "moderation.html",
    "/chat/{nickname}": "chat.html",
    EMBED: "embed.html",
    "/account": "account.html",
    "/login": "login.html",
    "/signup": "signup.html",
    "/studio": "studio.html",
    "/wallet": "wallet.html",
}

BEHIND_DOORS: Final = ("overlay.html",)
"""Pages that another door shows, by `Pages.render`: what OBS lays over a broadcast."""

FOLDERS: Final = ("css", "fonts", "i18n", "img", "js")

BUILT: Final = "built"
"""Folder of the pages' own bundles, and their place. Each is named by its content, so it never changes."""

BUILT_INDEX: Final = "built.json"
"""Which page has which, and what they were made of."""

BUILT_CACHE_CONTROL: Final = "public, max-age=31536000, immutable"

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".map": "application/json",
}
_TEXT: Final = frozenset({".css", ".js", ".json", ".svg", ".txt", ".webmanifest"})

RAILS: Final = ("narrow", "wide")
"""What a visitor may have chosen for the side of the page: it comes so, or it would jump."""

HOUSE: Final = "Commeow"
ICON: Final = "/img/icon-512.png"
"""What a link shows where there is no channel, and no picture of one."""

NO_PICTURE: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""What a player shows before its first frame where there is no picture of the channel: one clear pixel."""

GZIP_BYTES_MIN: Final = 1_024
"""Bytes below which compressing saves less than a packet."""

_WORDS_BETWEEN = re.compile(r'(<[^<>]*\sdata-i18n="([^"]+)"[^<>]*>)(?=</)')
_WORDS_IN_TAG = re.compile(r'\sdata-i18n-(aria-label|content)="([^"]+)"')
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `zipped` is None where that saves nothing."""

    media_type: str
    data: bytes
    zipped: bytes | None
    etag: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page in each language before its placeholders are filled in, and what its policy needs to know."""

    texts: dict[str, str]
    script_hashes: str
    is_framed: bool
    is_restyled: bool


def vendor_root() -> Path | None:
    """Find the browser bundles that the build hook made, None when they were not built (an API-only server)."""
    spec = importlib.util.find_spec("commeow_vendor")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


class Pages:
    """Serves the folder `web/` and the built bundles under /js/vendor/."""

    def __init__(
        self,
        web_root: Path,
        vendor: Path | None,
        addresses: Addresses,
        describe: Callable[[str], Awaitable[Card | None]] | None = None,
        *,
        speaks: bool = False,
    ) -> None:
        """Index the files; `speaks`: overlays can read gifts aloud here."""
        self._speaks = speaks
        self._addresses = addresses
        self._describe = describe
        catalogues = {name: _catalogue(web_root / "i18n" / f"{name}.json") for name in languages.LANGUAGES}
        built = _bundles(web_root, vendor)
        self._pages = {
            name: _page(web_root / name, catalogues, built.get(name))
            for name in (*PAGES.values(), *BEHIND_DOORS)
            if (web_root / name).is_file()
        }
        self._assets: dict[str, Asset] = {}
        for folder in FOLDERS:
            self._index(web_root / folder, f"/{folder}/")
        if vendor is not None:
            self._index(vendor, "/js/vendor/", besides=(BUILT, BUILT_INDEX))
        if vendor is not None and built:
            self._index(vendor / BUILT, f"/{BUILT}/")
        for path in (*web_root.glob("favicon.*"), *web_root.glob("manifest.webmanifest")):
            if path.suffix in MEDIA_TYPES:
                self._assets[f"/{path.name}"] = _asset(path)

    def _index(self, root: Path, prefix: str, *, besides: tuple[str, ...] = ()) -> None:
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            within = path.relative_to(root)
            if path.is_file() and path.suffix in MEDIA_TYPES and within.parts[0] not in besides:
                self._assets[prefix + within.as_posix()] = _asset(path)

    def doors(self) -> list[HttpDoor]:
        """List the doors: a page each, and one for everything the pages load."""
        pages = [
            HttpDoor(method="GET", path=path, who=Who.ANYONE, handle=self._page, words=f"The page {name}.")
            for path, name in PAGES.items()
        ]
        return [
            *pages,
            HttpDoor(
                method="GET",
                path=r"/{folder:built|css|fonts|i18n|img|js}/{name:.+}",
                who=Who.ANYONE,
                handle=self._asset,
                words="Scripts, styles, pictures and words of the pages.",
            ),
            HttpDoor(
                method="GET",
                path=r"/{name:favicon\.[a-z]+|manifest\.webmanifest}",
                who=Who.ANYONE,
                handle=self._asset,
                words="The icon of the site, and how it is installed.",
            ),
        ]

    async def _page(self, request: web.Request) -> web.StreamResponse:
        resource = request.match_info.route.resource
        assert resource is not None
        page = self._pages.get(PAGES[resource.canonical])
        if page is None:
            raise web.HTTPNotFound
        card = await self._card(request, page)
        return self._fill(request, page, card, language=None)

    def render(self, request: web.Request, file: str, *, language: str | None, **values: str) -> web.Response:
        """Answer a page that another door stands before, with what its placeholders shall say. Raises HTTPNotFound.

        `language` is the visitor's own unless given.
        """
        page = self._pages.get(file)
        if page is None:
            raise web.HTTPNotFound
        return self._fill(request, page, values, language=language)

    def _fill(self, request: web.Request, page: Page, values: dict[str, str], *, language: str | None) -> web.Response:
        if language is None:
            language = languages.choose(request.cookies.get("lang"), request.headers.get(hdrs.ACCEPT_LANGUAGE))
        rail = request.cookies.get("rail", "")
        rsocket_url = self._addresses.rsocket(request.headers.get(hdrs.HOST))
        values = {
            "lang": language,
            "rail": rail if rail in RAILS else "",
            "rsocket_url": rsocket_url,
            "rtmp_url": self._addresses.rtmp(request.headers.get(hdrs.HOST)),
            "speaks": "1" if self._speaks else "",
            **values,
        }
        # In one go: what a stranger wrote may look like a placeholder, and is none.
        data = _PLACEHOLDER.sub(
            lambda found: html.escape(values.get(found[1], found[0])), page.texts[language]
        ).encode()
        response = _validated(request, data, _etag(data))
        response.content_type = "text/html"
        response.charset = "utf-8"
        response.headers["Content-Security-Policy"] = policy(
            rsocket_url, page.script_hashes, framed=page.is_framed, restyled=page.is_restyled
        )
        response.headers[hdrs.VARY] = "Accept-Language, Cookie, Host"
        response.headers[hdrs.CACHE_CONTROL] = "no-cache"
        return response

    async def _card(self, request: web.Request, page: Page) -> dict[str, str]:
        """Say what a link to this page shows where it is pasted: the channel if it names one, else the house."""
        site = self._addresses.site(request.headers.get(hdrs.HOST))
        nickname = request.match_info.get("nickname", "")
        # Only a page that shows it asks for it.
        text = page.texts[languages.LANGUAGES[0]]
        asked = self._describe is not None and ("{{card_title}}" in text or "{{poster}}" in text)
        card = await self._describe(nickname) if self._describe is not None and asked else None
        return {
            "card_title": card.title if card else HOUSE,
            "card_words": card.words if card else "",
            "card_picture": f"{site}{card.picture if card and card.picture else ICON}",
            "poster": card.picture if card and card.picture else NO_PICTURE,
            "on_air": ("yes" if card.now.on_air else "no") if card else "",
            "now": wire.write(card.now).decode() if card else "",
            "page_url": f"{site}/c/{quote(nickname)}",
            "oembed_url": f"{site}/oembed?url={quote(f'{site}/c/{quote(nickname)}', safe='')}",
        }

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.get(request.path)
        if asset is None:
            raise web.HTTPNotFound
        zipped = asset.zipped if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "") else None
        if zipped is not None:
            response = _validated(request, zipped, f"{asset.etag}-gz")
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        else:
            response = _validated(request, asset.data, asset.etag)
        response.content_type = asset.media_type
        if asset.media_type.startswith("text/"):
            response.charset = "utf-8"
        response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
        # Without a fingerprint in the name a browser asks each time whether it changed; mostly it gets 304.
        built = request.match_info.get("folder") == BUILT
        response.headers[hdrs.CACHE_CONTROL] = BUILT_CACHE_CONTROL if built else "no-cache"
        return response


def policy(rsocket_url: str, script_hashes: str, *, framed: bool = False, restyled: bool = False) -> str:
    """Write the Content-Security-Policy of a page: our own files, our RSocket server, no more.

    `framed`: other sites may show it. `restyled`: whoever shows it may put styles of his own in, as OBS does with what
    a streamer wrote under "Custom CSS"; a stranger cannot, for nothing he writes becomes markup.
    """
    scheme_host = rsocket_url.removesuffix("/rsocket")
    # CSP's grammar knows no IPv6 literal: then the scheme alone has to do.
    socket_source = f"{scheme_host.partition(':')[0]}:" if "[" in scheme_host else scheme_host
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{script_hashes}",
            "style-src 'self' 'unsafe-inline'" if restyled else "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {socket_source}",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "font-src 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'self'",
            "manifest-src 'self'",
            "frame-ancestors *" if framed else "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _catalogue(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _spoken(text: str, words: dict[str, object]) -> str:
    """Put in the words that the page names by key: they are there before any script is, and for who runs none."""

    def between(found: re.Match[str]) -> str:
        phrase = words.get(found[2])
        return found[1] + html.escape(phrase) if isinstance(phrase, str) else found[1]

    def in_tag(found: re.Match[str]) -> str:
        phrase = words.get(found[2])
        return f'{found[0]} {found[1]}="{html.escape(phrase)}"' if isinstance(phrase, str) else found[0]

    return _WORDS_IN_TAG.sub(in_tag, _WORDS_BETWEEN.sub(between, text))


def _bundles(web_root: Path, vendor: Path | None) -> dict[str, bundles.Bundle]:
    """Find the bundles of the pages whose files are those that the build hook saw."""
    index = vendor / BUILT_INDEX if vendor is not None else None
    if index is None or not index.is_file():
        return {}
    found = bundles.read(index.read_bytes())

    @cache
    def look(name: str) -> bytes | None:
        path = web_root / name
        return path.read_bytes() if path.is_file() else None

    pages = {page: bundles.bundle_of(found, page, look) for page in found.pages}
    return {page: bundle for page, bundle in pages.items() if bundle is not None}


def _page(path: Path, catalogues: dict[str, dict[str, object]], bundle: bundles.Bundle | None) -> Page:
    text = path.read_text(encoding="utf-8")
    if bundle is not None:
        text = bundles.loading(text, bundle)
    hashes = (
        f" 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
        for body in _IMPORT_MAP.findall(text)
    )
    return Page(
        {language: _spoken(text, words) for language, words in catalogues.items()},
        "".join(hashes),
        is_framed=path.name == PAGES[EMBED],
        is_restyled=path.name in BEHIND_DOORS,
    )


def _asset(path: Path) -> Asset:
    data = path.read_bytes()
    zipped = gzip.compress(data, 9, mtime=0) if path.suffix in _TEXT and len(data) >= GZIP_BYTES_MIN else None
    return Asset(MEDIA_TYPES[path.suffix], data, zipped, _etag(data))


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:20]


def _validated(request: web.Request, data: bytes, etag: str) -> web.Response:
    """Answer 304 when the browser has it already (RFC 9110 §13.1.2), else 200 with the bytes."""
    known = request.if_none_match or ()
    has_it = any(tag.value in {etag, "*"} for tag in known)
    response = web.Response(status=304) if has_it else web.Response(body=data)
    response.etag = etag
    return response
