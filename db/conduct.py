"""Core: what a channel asks of those who speak in it, and whether one of them may say this now."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# An hour between two lines is as good as closing the chat.
SLOW_SECONDS_MAX = 3600
# Ninety days: longer, and a channel keeps out everybody new.
FOLLOWERS_MINUTES_MAX = 90 * 24 * 60
# One expression is made of all of them and run over each line.
BLOCKED_WORDS_MAX = 200
BLOCKED_WORD_CHARACTERS_MAX = 50
# A notice that stands above the chat: as long as a line.
PINNED_CHARACTERS_MAX = 500
# Rules of so many channels are kept compiled: some 10 MB.
_PATTERNS_MAX = 256

# An address as people write one: with a scheme, with www., or a name under one of the domains that links are made of.
_LINK = re.compile(
    r"[a-z]://\S|\bwww\.\S|"
    # From a label on, not from each dot again: what is looked at twice must not grow with the line.
    r"(?<![a-z0-9-])[a-z0-9-]{1,63}\."
    r"(?:app|biz|cc|com|dev|gg|info|io|kr|link|ly|me|net|org|shop|site|tv|xyz|jp|cn|ru|uk|to)\b"
)


class ConductError(Exception):
    """A line that a channel does not want, or a rule that cannot be one."""


class Banned(ConductError):
    """The channel's owner or moderators have closed its chat to this member."""

    def __str__(self) -> str:
        return "banned from this channel"


class Muted(ConductError):
    """The member may not speak here for a while.

    Attributes:
        retry_after_ms: how long it still lasts.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"muted for {self.retry_after_ms} ms"


class FollowersOnly(ConductError):
    """Only followers may speak now, and only after some minutes.

    Attributes:
        retry_after_ms: when this member may, if it follows already; None if it does not.
    """

    def __init__(self, retry_after_ms: int | None) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return "followers only"


class WordsBlocked(ConductError):
    """The line has a word or a link in it that this channel does not want."""

    def __str__(self) -> str:
        return "blocked words or a link"


class RuleShape(ConductError):
    """A rule out of its bounds.

    Attributes:
        field: which.
    """

    def __init__(self, which: str) -> None:
        super().__init__(which)
        self.field = which

    def __str__(self) -> str:
        return f"rule {self.field} out of bounds"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a channel asks of everyone but its owner and moderators.

    Attributes:
        slow_seconds: between two lines of one member; 0 for no such rule.
        followers_only_minutes: for how long one must have followed; None for no such rule.
        members_only: whether guests may not even read.
        blocked_links: whether lines may have no links.
        blocked_words: none of which a line may have.
        pinned: the notice above the chat; empty for none.
    """

    slow_seconds: int = 0
    followers_only_minutes: int | None = None
    members_only: bool = False
    blocked_links: bool = False
    blocked_words: tuple[str, ...] = ()
    pinned: str = ""


NO_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Standing:
    """How one member stands in one channel.

    Attributes:
        owner: whether it is theirs.
        moderator: whether the owner has made them one.
        follows_since: None for who does not follow.
        muted_until: None for who never was; may have passed.
        banned: whether they are.
    """

    owner: bool = False
    moderator: bool = False
    follows_since: datetime | None = None
    muted_until: datetime | None = None
    banned: bool = False

    @property
    def moderates(self) -> bool:
        """Whether the rules are theirs to keep, not to obey."""
        return self.owner or (self.moderator and not self.banned)

    @property
    def roles(self) -> frozenset[str]:
        """What a viewer may read beside the name."""
        named = {"owner": self.owner, "moderator": self.moderator, "follower": self.follows_since is not None}
        return frozenset(name for name, is_so in named.items() if is_so)


@dataclass(frozen=True, slots=True)
class Case:
    """All that is to be known of a speaker. `at` is the time of day now."""

    at: datetime
    rules: Rules = NO_RULES
    standing: Standing = field(default_factory=Standing)

    def check(self, text: str) -> None:
        """Let a line through. Raises Banned, Muted, FollowersOnly, WordsBlocked."""
        self.check_speaker()
        self._check_words(text)

    def check_speaker(self) -> None:
        """Let somebody speak at all, whatever they say. Raises Banned, Muted, FollowersOnly."""
        self._check_standing()
        if self.rules.followers_only_minutes is not None and not self.standing.moderates:
            self._check_follower(self.rules.followers_only_minutes)

    def check_gift(self, text: str) -> None:
        """Let the words of a donation through: followers or not may give. Raises Banned, Muted, WordsBlocked."""
        self._check_standing()
        self._check_words(text)

    def _check_standing(self) -> None:
        if self.standing.banned:
            raise Banned
        if self.standing.muted_until is not None and self.standing.muted_until > self.at:
            raise Muted(_milliseconds(self.standing.muted_until, self.at))

    def _check_words(self, text: str) -> None:
        rules = self.rules
        if self.standing.moderates or not (rules.blocked_links or rules.blocked_words):
            return
        plain = fold(text)
        if rules.blocked_links and _LINK.search(plain):
            raise WordsBlocked
        if rules.blocked_words and _pattern(rules.blocked_words).search(plain):
            raise WordsBlocked

    @property
    def slow_seconds(self) -> int:
        """How long this speaker must wait between two lines."""
        return 0 if self.standing.moderates else self.rules.slow_seconds

    def _check_follower(self, minutes: int) -> None:
        since = self.standing.follows_since
        if since is None:
            raise FollowersOnly(None)
        followed_ms = (self.at - since).total_seconds() * 1000
        if followed_ms < minutes * 60_000:
            raise FollowersOnly(max(1, round(minutes * 60_000 - followed_ms)))


def check_rules(rules: Rules) -> Rules:
    """Return rules with their texts cleaned, or raise RuleShape."""
    if not 0 <= rules.slow_seconds <= SLOW_SECONDS_MAX:
        raise RuleShape("slow_seconds")
    minutes = rules.followers_only_minutes
    if minutes is not None and not 0 <= minutes <= FOLLOWERS_MINUTES_MAX:
        raise RuleShape("followers_only_minutes")
    return Rules(
        slow_seconds=rules.slow_seconds,
        followers_only_minutes=minutes,
        members_only=rules.members_only,
        blocked_links=rules.blocked_links,
        blocked_words=_check_words(rules.blocked_words),
        pinned=rules.pinned,
    )


def fold(text: str) -> str:
    """Fold a text so that spellings which read the same are the same, and nothing invisible divides a word."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if unicodedata.category(char) not in {"Cf", "Mn", "Me"})


def _check_words(words: Iterable[str]) -> tuple[str, ...]:
    folded = dict.fromkeys(" ".join(fold(word).split()) for word in words)
    folded.pop("", None)
    if len(folded) > BLOCKED_WORDS_MAX or any(len(word) > BLOCKED_WORD_CHARACTERS_MAX for word in folded):
        raise RuleShape("blocked_words")
    return tuple(folded)


@lru_cache(maxsize=_PATTERNS_MAX)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Match any of the words: as a word of its own where it is Latin letters, anywhere in scripts without spaces."""
    return re.compile("|".join(rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in words))


def _milliseconds(until: datetime, at: datetime) -> int:
    return max(1, round((until - at).total_seconds() * 1000))
