"""Core: what happens in a room, as its viewers read it.

An event is encoded once, before the room has given it a number; `stamp` puts the number in. `kind` says which it is.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from uuid import UUID  # noqa: TC003 - see above.

from msgspec import Struct, field

from routes.wire import ChannelView, write


class Author(Struct, frozen=True):
    """Who said it, from the connection's identity."""

    nickname: str
    roles: list[str]


ANONYMOUS = Author(nickname="", roles=[])
"""Who gave without a name: no member has an empty nickname."""


class Said(Struct, frozen=True, tag="said", tag_field="kind"):
    """A chat line. `seq` is put in when the room has given the number (`stamp`)."""

    id: str
    from_: Author = field(name="from")
    text: str
    at: datetime


class Donated(Struct, frozen=True, tag="donated", tag_field="kind"):
    """A donation that is in the books; from ANONYMOUS if its donor wished so."""

    id: UUID
    from_: Author = field(name="from")
    points: int
    text: str
    at: datetime


class Viewers(Struct, frozen=True, tag="count", tag_field="kind"):
    """How many watch the room now, over all nodes; the latest wins."""

    viewers: int


class OnAir(Struct, frozen=True, tag="on_air", tag_field="kind"):
    """The broadcast is live (again). `playback` is the URL to play."""

    at: datetime
    playback: str


class Interrupted(Struct, frozen=True, tag="interrupted", tag_field="kind"):
    """The encoder is gone for the moment; the broadcast waits for it."""

    at: datetime


class OffAir(Struct, frozen=True, tag="off_air", tag_field="kind"):
    """The broadcast has ended."""

    at: datetime


class Gap(Struct, frozen=True, tag="gap", tag_field="kind"):
    """`skipped` events, `from_seq` to `to_seq`, were not delivered to this viewer."""

    skipped: int
    from_seq: int
    to_seq: int


class Refused(Struct, frozen=True, omit_defaults=True, tag="refused", tag_field="kind"):
    """A fire-and-forget line of this very connection was refused; `code` as in problems."""

    id: str
    code: str
    retry_after_ms: int | None = None


class LiveChannels(Struct, frozen=True, tag="channels", tag_field="kind"):
    """channels.watch: everyone who is on air; each event replaces the one before."""

    channels: list[ChannelView]


def stamp(seq: int, payload: bytes) -> bytes:
    """Put the sequence number the room gave into an event that was encoded before it had one."""
    return b'{"seq":%d,' % seq + payload[1:]


def keep(payload: bytes) -> bool:
    """Tell whether an event is one that no viewer may miss, however slow."""
    return payload.startswith(b'{"kind":"donated"')


def gap(skipped: int, from_seq: int, to_seq: int) -> bytes:
    """Encode what a slow or returning viewer missed."""
    return write(Gap(skipped=skipped, from_seq=from_seq, to_seq=to_seq))


def count(viewers: int) -> bytes:
    """Encode how many are watching."""
    return write(Viewers(viewers=viewers))
