"""Core: the shapes of bots on the wire: their tokens over HTTP, their lines in chat.talk (see wire.py)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import Annotated

from msgspec import Meta, Struct

SCOPES_MAX = 20
"""Scopes in one request before their own rule speaks."""

_Text = Annotated[str, Meta(max_length=256, pattern=r"\A[^\x00]*\Z")]
_Line = Annotated[str, Meta(max_length=4_000, pattern=r"\A[^\x00]*\Z")]
_LineId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_-]+\Z")]


class AskToken(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/members/me/tokens."""

    name: _Text
    scopes: Annotated[list[_Text], Meta(max_length=SCOPES_MAX)]


class NewToken(Struct, frozen=True):
    """The one time a bot's token is shown."""

    id: int
    name: str
    scopes: list[str]
    token: str


class TokenView(Struct, frozen=True):
    """A bot's token as its owner may see it: everything but the token."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    used_at: datetime | None


class TokenList(Struct, frozen=True):
    """GET /api/members/me/tokens."""

    tokens: list[TokenView]


class TalkLine(Struct, frozen=True):
    """One line up in chat.talk, after the first payload, which is that of chat.watch."""

    id: _LineId
    text: _Line
