"""Core: the shapes of emotes on the wire (see wire.py)."""

from __future__ import annotations

from msgspec import Struct


class EmoteView(Struct, frozen=True):
    """One emote: in a line's text its `code` stands between two colons. `house`: every channel has it."""

    code: str
    url: str
    width: int
    height: int
    house: bool


class EmoteList(Struct, frozen=True):
    """GET /api/channels/{nickname}/emotes: the channel's own by their codes, then the house's."""

    emotes: list[EmoteView]
