"""Core: what a session tells its shell. What a stranger wrote, and above all the key, stays out of every repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from media.rtmp_ingest.errors import RtmpError


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """The peer wants to stream. Answer with `accept` or `reject`; until then its bytes wait unread."""

    request_id: int
    app: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the encoder says about its stream; not to be trusted for codecs or size. Told once until it changes."""

    values: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VideoReceived:
    """One FLV video tag's payload, untouched, never empty. `timestamp_ms` has 32 bits and wraps."""

    timestamp_ms: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """One FLV audio tag's payload, untouched, never empty. `timestamp_ms` has 32 bits and wraps."""

    timestamp_ms: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The publisher said that it is done. The connection may live on and publish again."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """Nothing comes after this: send what is left to send, then close. Without PublishEnded before, the end was a loss.

    `reason` is for our log and holds no text of the peer. `cause` is the peer's fault, if it was one.
    """

    reason: str
    cause: RtmpError | None = None


Event = PublishRequested | Metadata | VideoReceived | AudioReceived | PublishEnded | SessionClosed
