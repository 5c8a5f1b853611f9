"""Core: what a page loads: its scripts and styles as they are written, or as the build hook bundled them.

A bundle stands for the files that it was made of, and for no others: whoever changes one of them in a checkout is
served that page as it is written, until the bundles are built again.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

_STYLE = re.compile(r'[ \t]*<link rel="stylesheet" href="[^"]+">\n')
_SCRIPT = re.compile(r'[ \t]*<script type="module" src="[^"]+"></script>\n')


class Bundle(Struct, frozen=True):
    """One page's bundle. Everything but `inputs` is an address."""

    script: str
    needs: tuple[str, ...]
    """Modules that the script waits for."""
    soon: tuple[str, ...]
    """Modules that it loads itself as soon as it knows that there is a picture."""
    later: tuple[str, ...]
    """Modules that it loads when somebody wants what they do."""
    style: str
    inputs: tuple[str, ...]
    """The files that it was made of, from the folder of the pages."""


class Bundles(Struct, frozen=True):
    """What tools/site.mjs wrote: the pages' bundles, and the SHA-256 of every file that went into any."""

    pages: dict[str, Bundle]
    sources: dict[str, str]


def read(data: bytes) -> Bundles:
    """Read what the build hook wrote."""
    return msgspec.json.decode(data, type=Bundles)


def bundle_of(bundles: Bundles, page: str, look: Callable[[str], bytes | None]) -> Bundle | None:
    """Find the bundle of a page; None when there is none, or `look` finds a file that it was not made of."""
    bundle = bundles.pages.get(page)
    if bundle is None:
        return None
    for path in bundle.inputs:
        data = look(path)
        if data is None or hashlib.sha256(data).hexdigest() != bundles.sources.get(path):
            return None
    return bundle


def loading(text: str, bundle: Bundle) -> str:
    """Let a page load its bundle.

    What its script needs is asked for along with it, and behind that what it will want soon. What it may load later
    comes when the line is idle: then it is there at once, and there also when the house has been renewed meanwhile and
    no longer has it. No line is idle before a picture moves on it: there the page says when (web/js/net/later.js).
    """
    first = _STYLE.search(text)
    if first is not None:
        rest = _STYLE.sub("", text[first.end() :])
        text = f'{text[: first.start()]}    <link rel="stylesheet" href="{bundle.style}">\n{rest}'
    ahead = "later" if bundle.soon else "prefetch"
    lines = [
        *(f'<link rel="modulepreload" href="{address}">' for address in bundle.needs),
        *(f'<link rel="modulepreload" fetchpriority="low" href="{address}">' for address in bundle.soon),
        *(f'<link rel="{ahead}" as="script" href="{address}">' for address in bundle.later),
        f'<script type="module" src="{bundle.script}"></script>',
    ]
    return _SCRIPT.sub("".join(f"    {line}\n" for line in lines), text)
