"""Core: a link as a QR code, an SVG that a camera reads from any screen, in the dark too."""

from __future__ import annotations

import io
from functools import lru_cache

import segno

QR_KEPT_MAX = 256
"""Codes kept: those of orders that are open now, some 3 KB each; making one costs a few milliseconds."""

QUIET_MODULES = 4
"""Modules of white around the code, as ISO/IEC 18004 wants them: without it no reader finds the corners."""


@lru_cache(QR_KEPT_MAX)
def svg(link: str) -> str:
    """Draw `link`, black on white whatever the page's colours are; without a size, so that its place gives it one."""
    drawn = io.BytesIO()
    # Level M survives a reflection on the glass; a denser level would be a finer code for the same link.
    code = segno.make(link, error="m", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, nl=False, omitsize=True, light="#fff", border=QUIET_MODULES)
    return drawn.getvalue().decode()
