"""Core: what a player asks of a playlist: the delivery directives of low-latency HLS (rfc8216bis §6.2.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - the signatures are public.
from dataclasses import dataclass

_NUMBER = re.compile(r"\A[0-9]{1,12}\Z")  # 12 digits of segments are 30,000 years.


class PlaybackError(Exception):
    """A player asked for what there is not."""


class DirectiveBad(PlaybackError):
    """A delivery directive that is no number: answered at once with 400, like one that asks too far ahead.

    Attributes:
        field: the directive's name.
    """

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} is not a number"


class ChannelOffAir(PlaybackError):
    """Nothing is being broadcast under this name (or has just been)."""

    def __str__(self) -> str:
        return "off air"


class NoPicture(PlaybackError):
    """The channel has no thumbnail: it is off air, has just begun, or sends sound only."""

    def __str__(self) -> str:
        return "no picture"


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait until this media sequence number (and part) is there; skip what the player has already."""

    msn: int | None
    part: int | None
    skip: bool


def read_ask(query: Mapping[str, str]) -> Ask:
    """Read the directives of a query; others are ignored, as the specification wants. Raises DirectiveBad."""
    return Ask(
        msn=_number(query, "_HLS_msn"),
        part=_number(query, "_HLS_part"),
        skip=query.get("_HLS_skip") in {"YES", "v2"},
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not _NUMBER.match(text):
        raise DirectiveBad(name)
    return int(text)
