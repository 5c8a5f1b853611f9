"""Core: which application names and stream keys there can be. Neither is ever a path, a pattern or a line of a log."""

from __future__ import annotations

import re
from typing import Any, Final

# Generous for keys of ours; nothing in it means anything to a file system, a shell, a terminal or a URL.
NAME_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
APP_SEGMENTS_MAX: Final = 8  # OBS puts the whole path of its server address into the application name.


def app_name(text: Any) -> str | None:
    """Return an application name without its query and slashes at its ends, or None if it cannot be one.

    Any name will do (the key alone decides), an empty one too.
    """
    if not isinstance(text, str):
        return None
    app = text.partition("?")[0].strip("/")
    segments = app.split("/") if app else []
    if len(segments) > APP_SEGMENTS_MAX or not all(map(NAME_SHAPE.fullmatch, segments)):
        return None
    return app


def stream_key(name: Any, app: str) -> str | None:
    """Return the key that a publishing name holds, without its query, or None if it cannot be one.

    With an empty name the last part of the application name is meant: some people write server and key into one field.
    """
    if not isinstance(name, str):
        return None
    key = name.partition("?")[0] or app.rpartition("/")[2]
    return key if NAME_SHAPE.fullmatch(key) else None
