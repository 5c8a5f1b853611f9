"""Core: what the port asks of those who own it: who may publish, where media goes, and how much of everything.

Sink and Publishers are forms, filled by media/broadcasts.py and by tests; Limits are the operator's to move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many may come, and how long they may keep us waiting; what a session may take is in session.py."""

    # Connections in all: a file descriptor and some 100 KB each.
    connections_max: int = 1024
    # Connections that do not publish, in all: a handshake is 3 KB and some microseconds.
    strangers_max: int = 256
    # Connections that do not publish, from one address: a studio behind one address has a few.
    strangers_by_address_max: int = 32
    # For the peer to take our answers once WRITE_BYTES_MAX of them wait.
    write_seconds_max: float = 10.0
    # For the question whose key it is. A store that needs longer is as good as away; the encoder comes again.
    decision_seconds_max: float = 10.0
    # For the peer to read our last words and close.
    linger_seconds_max: float = 1.0
    # For connections to end by themselves when the server closes.
    close_seconds_max: float = 1.0

    def __post_init__(self) -> None:
        assert 0 < self.strangers_by_address_max <= self.strangers_max <= self.connections_max


class _Taken:
    """See TAKEN."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


# What a sink's method returns when it is done already: to be awaited like anything else, or recognized and not.
TAKEN: Final = _Taken()


class Sink(Protocol):
    """Where an accepted publisher's media goes.

    What the methods return is awaited before anything more is given: that is back-pressure, and the publisher waits
    too. A sink that is done at once returns TAKEN. `video`, `audio` and `metadata` may raise Refused, at once or when
    awaited: the publisher is cut with these words.
    """

    def video(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        """Take one FLV video tag's payload."""

    def audio(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        """Take one FLV audio tag's payload."""

    def metadata(self, values: dict[str, Any]) -> Awaitable[None]:
        """Take what the encoder says about its stream."""

    async def end(self, clean: bool) -> None:  # noqa: FBT001 - the one fact there is.
        """Take note of the end, exactly once: `clean` if the publisher said so, else its connection was lost."""


class Publishers(Protocol):
    """Who decides about publishers."""

    async def publish(self, key: str, app: str, cut: Callable[[str], None]) -> Sink:
        """Return where this publisher's media goes, or raise Refused. `cut(reason)` takes it off the air later."""
