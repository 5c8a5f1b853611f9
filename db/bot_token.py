"""Core: a token for a member's programs: what it may be given for, and how it is told from others."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from db.plain_text import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from db.member import Member

# Programs of one member that live: one list on one page.
TOKENS_MAX = 20
# What the list calls it.
NAME_CHARACTERS_MAX = 40
# Tells a bot's token from a person's at a glance, and from a leaked string of any other house.
PREFIX = "cmb_"

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class Scope(StrEnum):
    """What a token may be given for. Points are nothing that a program may give away."""

    READ = "chat:read"
    WRITE = "chat:write"
    MODERATE = "moderation:act"
    OVERLAY = "overlay:watch"
    """Of a link for OBS, which stands in an address: to watch the member's own channel, and nothing beside it."""


class BotTokenError(Exception):
    """A token that is not given out, or not found."""


class BotTokenShape(BotTokenError):
    """Its name or its scopes are none.

    Attributes:
        field: which.
    """

    def __init__(self, which: str) -> None:
        super().__init__(which)
        self.field = which

    def __str__(self) -> str:
        return f"{self.field} not as asked for"


class BotTokensTooMany(BotTokenError):
    """A member has TOKENS_MAX living tokens."""

    def __str__(self) -> str:
        return f"at most {TOKENS_MAX} tokens"


class BotTokenUnknown(BotTokenError):
    """The member has no such token."""

    def __str__(self) -> str:
        return "no such token"


@dataclass(frozen=True, slots=True)
class BotToken:
    """One token as its owner may see it; the token itself is shown once and kept nowhere."""

    id: int
    name: str
    scopes: frozenset[str]
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bot:
    """Whose program a token lets in. `token_id` is the token's number."""

    token_id: int
    member: Member
    scopes: frozenset[str]


def check_name(text: str) -> str:
    """Return `text` in one line if it may be a token's name. Raises BotTokenShape."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > NAME_CHARACTERS_MAX or not is_plain(name):
        raise BotTokenShape("name")
    return name


def check_scopes(texts: Iterable[str]) -> frozenset[str]:
    """Return the scopes if they are ours and at least one; an overlay's link is nothing else. Raises BotTokenShape."""
    scopes = frozenset(texts)
    if not scopes or not scopes <= set(Scope) or (Scope.OVERLAY in scopes and len(scopes) > 1):
        raise BotTokenShape("scopes")
    return scopes


def is_bot_token(text: str) -> bool:
    """Tell whether this may be a bot's token: nothing else is looked up."""
    return _TOKEN.fullmatch(text) is not None


def hash_bot_token(token: str) -> bytes:
    """Hash a token for keeping and finding; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()
