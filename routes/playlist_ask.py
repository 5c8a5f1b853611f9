"""Core: what a player asks for: the delivery directives of low-latency HLS (rfc8216bis §6.2.5), and the hot URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - the signatures are public.
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from media.hls_writer.errors import NotListed
from media.hls_writer.playlist import ResourceName, read_name

_NUMBER = re.compile(r"\A[0-9]{1,12}\Z")  # 12 digits of segments are 30,000 years.

# The URLs of a broadcast's media, as our playlists write them and nothing else: a dot, an encoded slash or another
# letter that means something in a path is not among them.
_TARGET: Final = re.compile(
    rb"/hls/(?:[A-Za-z0-9_-]|%[89A-Fa-f][0-9A-Fa-f])+/([0-9]{1,18})/"
    rb"(?:([A-Za-z0-9-]{1,64})\.m3u8|([a-z0-9_]{1,64}\.(?:mp4|m4s)))(?:\?([A-Za-z0-9_=&-]{0,200}))?",
)
TARGETS_KEPT: Final = 256
"""Targets that are remembered: all who wait at the edge ask for the same few."""


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


@dataclass(frozen=True, slots=True)
class PlaylistTarget:
    """The media playlist of the edge."""

    broadcast_id: int
    rendition: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class ResourceTarget:
    """An init segment, a segment or a part."""

    broadcast_id: int
    name: ResourceName


@lru_cache(TARGETS_KEPT)
def read_target(target: bytes) -> PlaylistTarget | ResourceTarget | None:
    """Read what the target of a GET means, where a player at the edge would write it; None for all else."""
    match = _TARGET.fullmatch(target)
    if match is None:
        return None
    broadcast_id, rendition, name, query = match.groups()
    try:
        if name is not None:
            return ResourceTarget(int(broadcast_id), read_name(name.decode()))
        ask = read_ask(_read_query(query or b""))
        return PlaylistTarget(int(broadcast_id), rendition.decode(), ask)
    except (NotListed, PlaybackError):
        return None


def _read_query(query: bytes) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in query.decode().split("&")] if query else []
    found = {name: value for name, _, value in pairs}
    if len(found) != len(pairs) or not all(separator and name for name, separator, _ in pairs):
        raise DirectiveBad("query")
    return found
