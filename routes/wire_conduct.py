"""Core: the shapes of moderation on the wire: a channel's rules, an act, the audit trail (see wire.py).

Unknown fields are refused in what changes something: one that is silently dropped would mislead.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from db.act import LINES_MAX, Action

TEXT_CHARS_MAX = 4_000
"""Characters of a text before its own rule speaks, as in wire.py."""

WORDS_MAX = 1_000
"""Blocked words in one edit before their own rule speaks."""

_Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX, pattern=r"\A[^\x00]*\Z")]
_Name = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"\A[^\x00]*\Z")]
_LineId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_-]+\Z")]
_Small = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]  # PostgreSQL's integer.
_Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class RulesView(Struct, frozen=True):
    """What a channel asks of its speakers. `blocked_words` are shown to those who moderate only."""

    slow_seconds: int
    followers_only_minutes: int | None
    members_only: bool
    blocked_links: bool
    pinned: str
    blocked_words: list[str] | UnsetType = UNSET


class EditRules(Struct, frozen=True, forbid_unknown_fields=True):
    """The `rules` of PATCH /api/channels/{nickname}: what is left out stays; null minutes end that rule."""

    slow_seconds: _Small | UnsetType = UNSET
    followers_only_minutes: _Small | UnsetType | None = UNSET
    members_only: bool | UnsetType = UNSET
    blocked_links: bool | UnsetType = UNSET
    blocked_words: Annotated[list[_Text], Meta(max_length=WORDS_MAX)] | UnsetType = UNSET


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """moderation.act. Which fields an action takes: see PROTOCOL.md."""

    channel: _Name
    action: Action
    nickname: _Name | None = None
    ids: Annotated[list[_LineId], Meta(max_length=LINES_MAX)] = []
    seqs: Annotated[list[_Seq], Meta(max_length=LINES_MAX)] = []
    seconds: _Small | None = None
    text: _Text = ""
    reason: _Text = ""


class Acted(Struct, frozen=True):
    """The number of the entry in the audit trail, and the numbers of the lines that were removed."""

    id: int
    seqs: list[int]


class ActView(Struct, frozen=True):
    """One entry of the audit trail. `actor` and `target` are null for somebody who has left."""

    id: int
    at: datetime
    action: str
    actor: str | None
    target: str | None
    until: datetime | None
    seconds: int | None
    seqs: list[int]
    text: str
    reason: str


class ModerationLog(Struct, frozen=True):
    """GET /api/channels/{nickname}/moderation: what holds now, and what was done, newest first."""

    rules: RulesView
    moderators: list[str]
    entries: list[ActView]
    next: str | None = None


class SaidBy(Struct, frozen=True):
    """Who said a line of the history."""

    nickname: str


class PastLine(Struct, frozen=True):
    """A line of the history as a moderator's act reads it: said or donated; any other event has no id."""

    id: str = ""
    from_: SaidBy | None = field(name="from", default=None)
    text: str = ""

    @property
    def nickname(self) -> str:
        """Whose it is; empty for a gift without a name."""
        return self.from_.nickname if self.from_ else ""
