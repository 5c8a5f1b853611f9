"""Core: what may be done to keep a channel's chat in order, by whom, and to whom."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from db.conduct import Standing

# Two weeks; for longer there is the ban.
MUTE_SECONDS_MAX = 14 * 24 * 3600
MUTE_SECONDS_DEFAULT = 600
# Why, in a sentence or two.
REASON_CHARACTERS_MAX = 200
# Lines taken back at once: as many as a room's history has (db/bus.py HISTORY_LINES_MAX).
LINES_MAX = 512
# Of what removed lines said, in the audit trail: enough to judge by, bounded, because a flood may be removed at once.
WORDS_CHARACTERS_MAX = 4_000
# A channel's moderators: a list that one reads.
MODERATORS_MAX = 100


class Action(StrEnum):
    """What is done."""

    REMOVE = "remove"
    MUTE = "mute"
    UNMUTE = "unmute"
    BAN = "ban"
    UNBAN = "unban"
    SLOW = "slow"
    PIN = "pin"
    GRANT = "grant"
    REVOKE = "revoke"
    RULES = "rules"


# Who moderates is the owner's to say, and so are the channel's rules as a whole.
OWNERS_ONLY = frozenset({Action.GRANT, Action.REVOKE, Action.RULES})
TO_SOMEBODY = frozenset({Action.MUTE, Action.UNMUTE, Action.BAN, Action.UNBAN, Action.GRANT, Action.REVOKE})


class ActError(Exception):
    """Something that is not done."""


class NotModerator(ActError):
    """It takes the owner, or one of the moderators."""

    def __str__(self) -> str:
        return "not a moderator here"


class Untouchable(ActError):
    """Moderators do not act on the owner or on each other, and nobody on themselves."""

    def __str__(self) -> str:
        return "not to be done to this member"


class TargetMissing(ActError):
    """It must be done to somebody."""

    field = "nickname"

    def __str__(self) -> str:
        return "to whom?"


class LinesUnknown(ActError):
    """None of these lines is in the room's history any more."""

    def __str__(self) -> str:
        return "no such lines"


class ModeratorsTooMany(ActError):
    """A channel has at most MODERATORS_MAX moderators."""

    def __str__(self) -> str:
        return f"at most {MODERATORS_MAX} moderators"


class ActShape(ActError):
    """A part of it is out of its bounds.

    Attributes:
        field: which.
    """

    def __init__(self, which: str) -> None:
        super().__init__(which)
        self.field = which

    def __str__(self) -> str:
        return f"{self.field} out of bounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One entry to be: `actor_id` does `action` in a channel, to `target_id` where it is to somebody.

    Attributes:
        until: when a mute ends.
        seconds: of slow mode.
        seqs: numbers of removed lines.
        words: what they said, or what is pinned.
        reason: for the audit trail.
    """

    channel_id: int
    actor_id: int
    action: Action
    target_id: int | None = None
    until: datetime | None = None
    seconds: int | None = None
    seqs: tuple[int, ...] = ()
    words: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One entry of the audit trail, with names; None is somebody who has left, or nobody."""

    id: int
    actor: str | None
    action: str
    target: str | None
    until: datetime | None
    seconds: int | None
    seqs: tuple[int, ...]
    words: str
    reason: str
    at: datetime


def permit(action: Action, *, actor_id: int, actor: Standing, target_id: int | None, target: Standing | None) -> None:
    """Let somebody act. Raises NotModerator, TargetMissing, Untouchable."""
    if not actor.moderates or (action in OWNERS_ONLY and not actor.owner):
        raise NotModerator
    if action in TO_SOMEBODY:
        if target is None:
            raise TargetMissing
        if target_id == actor_id:
            raise Untouchable
    if target is not None and not actor.owner and target_id != actor_id and (target.owner or target.moderator):
        raise Untouchable


def check_reason(text: str) -> str:
    """Return `text` in one line, or raise ActShape. It may be empty."""
    reason = " ".join(unicodedata.normalize("NFC", text).split())
    if len(reason) > REASON_CHARACTERS_MAX or any(unicodedata.category(char) in {"Cc", "Cs"} for char in reason):
        raise ActShape("reason")
    return reason


def check_mute(seconds: int | None) -> int:
    """Return how long to mute, or raise ActShape."""
    if seconds is None:
        return MUTE_SECONDS_DEFAULT
    if not 1 <= seconds <= MUTE_SECONDS_MAX:
        raise ActShape("seconds")
    return seconds
