"""Core: what happens in a room, as its viewers read it.

An event is encoded once, before the room has given it a number; `stamp` puts the number in. `kind` says which it is.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - see above.

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from routes.wire import ChannelView, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.conduct import Rules


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


class Removed(Struct, frozen=True, tag="removed", tag_field="kind"):
    """Lines were taken back: `seqs` are their numbers, `ids` their senders' ids for them.

    Whoever joins later gets, in a removed line's place, this event with that line's number.
    """

    ids: list[str]
    seqs: list[int]
    at: datetime
    nickname: str | UnsetType = UNSET  # Of lines that have no number: whose ids they are.


class Muted(Struct, frozen=True, tag="muted", tag_field="kind"):
    """A member may not speak here until then; null until a moderator says so (a ban)."""

    nickname: str
    until: datetime | None
    at: datetime


class Unmuted(Struct, frozen=True, tag="unmuted", tag_field="kind"):
    """A member may speak here again."""

    nickname: str
    at: datetime


class ChannelRules(Struct, frozen=True, tag="rules", tag_field="kind"):
    """What the channel asks of its speakers from now on, and its notice; without seq as the first event of a watch."""

    slow_seconds: int
    followers_only_minutes: int | None
    members_only: bool
    blocked_links: bool
    pinned: str


class EmotesChanged(Struct, frozen=True, tag="emotes", tag_field="kind"):
    """Other pictures have codes here than before: ask for the list anew."""

    at: datetime


class Titled(Struct, frozen=True, tag="titled", tag_field="kind"):
    """What the channel calls itself from now on."""

    title: str
    category: str
    tags: list[str]
    at: datetime


class Gap(Struct, frozen=True, tag="gap", tag_field="kind"):
    """`skipped` events, `from_seq` to `to_seq`, were not delivered to this viewer."""

    skipped: int
    from_seq: int
    to_seq: int


class Epoch(Struct, frozen=True, tag="epoch", tag_field="kind"):
    """Of which numbers the following events are: of another epoch than before, they began anew from 1."""

    epoch: str


class Refused(Struct, frozen=True, omit_defaults=True, tag="refused", tag_field="kind"):
    """A fire-and-forget line of this very connection was refused; `code` as in problems."""

    id: str
    code: str
    retry_after_ms: int | None = None


class Drain(Struct, frozen=True, tag="drain", tag_field="kind"):
    """This server is about to end, and the watch with it: connect anew after so long, and say since when."""

    retry_after_ms: int


class LiveChannels(Struct, frozen=True, tag="channels", tag_field="kind"):
    """channels.watch: everyone who is on air; each event replaces the one before."""

    channels: list[ChannelView]


class Away(Struct, frozen=True, tag="away", tag_field="kind"):
    """The store is away: what comes from now on without a number is seen at this worker only."""


class Back(Struct, frozen=True, tag="back", tag_field="kind"):
    """The store is back: what was seen here without a number has one by now."""


class _Unsaid(Struct, frozen=True):
    nickname: str
    id: str


class Lapsed(Struct, frozen=True, tag="lapsed", tag_field="kind"):
    """Lines that were seen here only, and will not come to the others: the store was away for too long."""

    lines: list[_Unsaid]


class _Removes(Struct, frozen=True):
    seqs: list[int]
    at: datetime


def takes_back(payload: bytes) -> dict[int, bytes]:
    """Answer what a stamped event puts in earlier events' places: where a removed line stood, that it was removed."""
    # Every event of a room passes here; only a removal's head looks like this.
    _, _, head = payload.partition(b",")
    if not head.startswith(_REMOVED):
        return {}
    removal = msgspec.json.decode(payload, type=_Removes)
    # Each place says its own number only: a whole removal in each would push the room's other lines out of the log.
    return {seq: stamp(seq, write(Removed(ids=[], seqs=[seq], at=removal.at))) for seq in removal.seqs}


_REMOVED = b'"kind":"removed"'
_SAID = b'"kind":"said"'


class _From(Struct, frozen=True):
    nickname: str


class _SaidBy(Struct, frozen=True):
    from_: _From = field(name="from")


_READ_SAID = msgspec.json.Decoder(_SaidBy)


def voice(payload: bytes) -> str | None:
    """Answer who has said a stamped event; None for what is no line."""
    _, _, head = payload.partition(b",")
    if head.startswith(_SAID):
        with suppress(msgspec.MsgspecError):
            return _READ_SAID.decode(payload).from_.nickname
    return None


class _Line(Struct, frozen=True, tag="said", tag_field="kind"):
    from_: _From = field(name="from")
    id: str
    text: str
    at: datetime


_READ_LINE = msgspec.json.Decoder(_Line)


def line(payload: bytes) -> tuple[tuple[str, str, str], float] | None:
    """Answer what a line has in common with itself, sent again, and when it was said, in seconds since 1970.

    The first are its speaker, their id for it, its words.
    """
    with suppress(msgspec.MsgspecError):
        said = _READ_LINE.decode(payload)
        return (said.from_.nickname, said.id, said.text), said.at.timestamp()
    return None


def rules(kept: Rules) -> bytes:
    """Encode what a channel asks; which words are blocked is not for everyone to read."""
    return write(
        ChannelRules(
            slow_seconds=kept.slow_seconds,
            followers_only_minutes=kept.followers_only_minutes,
            members_only=kept.members_only,
            blocked_links=kept.blocked_links,
            pinned=kept.pinned,
        )
    )


def stamp(seq: int, payload: bytes) -> bytes:
    """Put the sequence number the room gave into an event that was encoded before it had one."""
    return b'{"seq":%d,' % seq + payload[1:]


def keep(payload: bytes) -> bool:
    """Tell whether an event is one that no viewer may miss, however slow."""
    return payload.startswith((b'{"kind":"donated"', b'{"kind":"removed"'))


def gap(skipped: int, from_seq: int, to_seq: int) -> bytes:
    """Encode what a slow or returning viewer missed."""
    return write(Gap(skipped=skipped, from_seq=from_seq, to_seq=to_seq))


def epoch(name: str) -> bytes:
    """Encode of which numbers the following events are."""
    return write(Epoch(epoch=name))


AWAY = write(Away())
BACK = write(Back())


def local(payload: bytes) -> bytes:
    """Mark an event that has no number, because the store is away: those at this worker alone see it."""
    return b'{"local":true,' + payload[1:]


def lapsed(names: Sequence[tuple[str, str]]) -> bytes:
    """Encode which lines will not come to the others: their senders, and the ids that these gave them."""
    return write(Lapsed(lines=[_Unsaid(nickname, line_id) for nickname, line_id in names]))


def drain(retry_after_ms: int) -> bytes:
    """Encode goodbye."""
    return write(Drain(retry_after_ms=retry_after_ms))


def count(viewers: int) -> bytes:
    """Encode how many are watching."""
    return write(Viewers(viewers=viewers))
