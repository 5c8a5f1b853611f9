"""Core: an emote: a small picture that stands for a code in a channel's chat."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

# Of one channel: what a picker shows without a search.
EMOTES_MAX = 50
# Between the colons; a letter alone would turn "a :b: c" into pictures by accident.
CODE_CHARACTERS_MIN = 2
CODE_CHARACTERS_MAX = 20

_CODE = re.compile(rf"[a-z0-9_가-힣]{{{CODE_CHARACTERS_MIN},{CODE_CHARACTERS_MAX}}}")


class EmoteError(Exception):
    """Something about emotes that cannot be."""


class EmoteCode(EmoteError):
    """Not what may stand between two colons."""

    field = "code"

    def __str__(self) -> str:
        return f"a code has {CODE_CHARACTERS_MIN} to {CODE_CHARACTERS_MAX} of a-z, 0-9, _ and Hangul"


class EmoteUnknown(EmoteError):
    """The channel has none by this code, or nobody has this picture."""

    def __str__(self) -> str:
        return "no such emote"


class EmotesTooMany(EmoteError):
    """The channel has EMOTES_MAX of them."""

    def __str__(self) -> str:
        return f"at most {EMOTES_MAX} emotes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emote:
    """One emote, without its bytes.

    Attributes:
        code: without the colons.
        hash: of the bytes, by which they are served.
        media_type: what the bytes are.
        width: in pixels, as is height.
    """

    code: str
    hash: bytes
    media_type: str
    width: int
    height: int


def check_code(code: str) -> str:
    """Return a code, or raise EmoteCode."""
    if not _CODE.fullmatch(code):
        raise EmoteCode
    return code


def hash_picture(data: bytes) -> bytes:
    """Name a picture by its bytes."""
    return hashlib.sha256(data).digest()
