"""Core: what a channel shows of itself, and what its owner may write there."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.plain_text import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# Two lines on a card; the original's 30 cut sentences short.
TITLE_CHARACTERS_MAX = 100
# One word or two: it stands beside the title.
CATEGORY_CHARACTERS_MAX = 40
# A card shows no more, and a channel with every tag is found by none.
TAGS_MAX = 10
TAG_CHARACTERS_MAX = 20


class ChannelError(Exception):
    """Base of what is wrong with a channel or what is written on it."""


class ChannelUnknown(ChannelError):
    """No channel of this id or nickname."""

    def __init__(self, which: int | str) -> None:
        super().__init__(which)
        self.which = which

    def __str__(self) -> str:
        return f"no such channel: {self.which}"


class ChannelTextShape(ChannelError):
    """A title, category or tag holds a character that is not text, or a tag is empty."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: not plain text"


class TitleTooLong(ChannelError):
    """A title is at most 100 characters."""

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return f"title of {self.characters} characters, at most {TITLE_CHARACTERS_MAX}"


class CategoryTooLong(ChannelError):
    """A category is at most 40 characters."""

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return f"category of {self.characters} characters, at most {CATEGORY_CHARACTERS_MAX}"


class TagsTooMany(ChannelError):
    """A channel has at most 10 tags."""

    def __init__(self, tags: int) -> None:
        super().__init__(tags)
        self.tags = tags

    def __str__(self) -> str:
        return f"{self.tags} tags, at most {TAGS_MAX}"


class TagTooLong(ChannelError):
    """A tag is at most 20 characters."""

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return f"tag of {self.characters} characters, at most {TAG_CHARACTERS_MAX}"


class BroadcastEnded(ChannelError):
    """A broadcast's lease cannot be renewed: it was ended, or another process has begun the channel's next one."""

    def __init__(self, broadcast_id: int) -> None:
        super().__init__(broadcast_id)
        self.broadcast_id = broadcast_id

    def __str__(self) -> str:
        return f"broadcast {self.broadcast_id} has ended"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as everybody sees it. `id` is its owner's member id.

    `last_live_at` is when its last broadcast ended: None while it is on air, and before its first.
    """

    id: int
    nickname: str
    title: str
    category: str
    tags: tuple[str, ...]
    on_air: bool
    broadcast_id: int | None
    started_at: datetime | None
    last_live_at: datetime | None = None
    followers: int = 0


def check_title(text: str) -> str:
    """Return `text` in one line, or raise TitleTooLong or ChannelTextShape. It may be empty."""
    title = _one_line(text, "title")
    if len(title) > TITLE_CHARACTERS_MAX:
        raise TitleTooLong(len(title))
    return title


def check_category(text: str) -> str:
    """Return `text` in one line, or raise CategoryTooLong or ChannelTextShape. It may be empty."""
    category = _one_line(text, "category")
    if len(category) > CATEGORY_CHARACTERS_MAX:
        raise CategoryTooLong(len(category))
    return category


def check_tags(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each tag once, in the order given, or raise TagsTooMany, TagTooLong or ChannelTextShape."""
    tags = tuple(dict.fromkeys(_one_line(text, "tags") for text in texts))
    if len(tags) > TAGS_MAX:
        raise TagsTooMany(len(tags))
    for tag in tags:
        if not tag:
            raise ChannelTextShape("tags")
        if len(tag) > TAG_CHARACTERS_MAX:
            raise TagTooLong(len(tag))
    return tags


def hash_stream_key(key: str) -> bytes:
    """Hash a stream key for keeping and finding. Keys are 128 random bits and more: plain SHA-256 is enough."""
    # An encoder may send anything as its key; half a surrogate pair is a wrong key, not an error.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _one_line(text: str, field: str) -> str:
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if not is_plain(line):
        raise ChannelTextShape(field)
    return line
