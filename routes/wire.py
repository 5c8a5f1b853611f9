"""Core: the words on the wire: every body and payload as a bounded shape, and how they are read and written.

Strangers' bytes become values here or not at all (`WireShape`). Lengths are bounded twice: a whole body or payload by
`BODY_BYTES_MAX`, each field by its type. Rules with a code of their own (the length of a chat line, the amount of a
donation) are judged below, so the bounds here are wider than those rules and catch only what is absurd.

Unknown fields are ignored, so that clients may be newer than the server, except where a field that is silently dropped
would mislead: money (`Give`) and edits (`EditChannel`). PROTOCOL.md lists all of it.
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when a shape is defined.
from functools import cache
from typing import Annotated, Any, TypeVar
from uuid import UUID  # noqa: TC003 - see above.

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from routes.wire_conduct import EditRules, RulesView  # noqa: TC001 - see above.

BODY_BYTES_MAX = 65_536
"""Bytes of one JSON body or payload; the largest honest one (an edited channel) is below 2 KiB."""

CREDENTIAL_CHARS_MAX = 256
"""Characters of a login id, password or nickname before its own rule speaks: what argon2 may be made to hash."""

LINE_CHARS_MAX = 4_000
"""Characters of a text before its own rule speaks (500 for chat): so that 501 is `chat.too_long`, not `wire.shape`."""

LINE_ID_CHARS_MAX = 64
"""Characters of the id a client gives its chat line: a UUID with room to spare."""

EPOCH_CHARS_MAX = 64
"""Four times what the house gives."""

TOKEN_CHARS_MAX = 4_096
"""Characters of a token, as in routes/tokens.py."""

TAGS_MAX = 20
"""Tags in one edit before the channel's own rule speaks."""

_INT64 = Meta(ge=-(2**63), le=2**63 - 1)  # PostgreSQL's bigint: an integer beyond it cannot be looked up or stored.

# PostgreSQL's text cannot hold NUL, and nobody types it.
Credential = Annotated[str, Meta(max_length=CREDENTIAL_CHARS_MAX, pattern=r"\A[^\x00]*\Z")]
Line = Annotated[str, Meta(max_length=LINE_CHARS_MAX, pattern=r"\A[^\x00]*\Z")]
LineId = Annotated[str, Meta(min_length=1, max_length=LINE_ID_CHARS_MAX, pattern=r"\A[A-Za-z0-9_-]+\Z")]
Integer = Annotated[int, _INT64]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class WireError(Exception):
    """What a stranger sent cannot be read."""


class WireShape(WireError):
    """The bytes are not the JSON of the shape asked for.

    Attributes:
        field: the offending field as far as it is ours to name, e.g. `points` or `rules.slow_seconds`; None when the
            whole body is at fault. Never a piece of what was sent.
    """

    def __init__(self, field: str | None = None) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"field {self.field} has not the shape asked for" if self.field else "not the JSON asked for"


class WireTooLarge(WireError):
    """The body or payload has more than `bytes_max` bytes."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.bytes_max = bytes_max

    def __str__(self) -> str:
        return f"more than {self.bytes_max} bytes"


# --- HTTP bodies, in ---------------------------------------------------------------------------------------------


class SignUp(Struct, frozen=True):
    """POST /api/members."""

    login_id: Credential
    password: Credential
    nickname: Credential


class LogIn(Struct, frozen=True):
    """POST /api/members/login."""

    login_id: Credential
    password: Credential


class EditChannel(Struct, frozen=True, forbid_unknown_fields=True):
    """PATCH /api/channels/{nickname}: what is left out stays as it is."""

    title: Line | UnsetType = UNSET
    category: Line | UnsetType = UNSET
    tags: Annotated[list[Line], Meta(max_length=TAGS_MAX)] | UnsetType = UNSET
    rules: EditRules | UnsetType = UNSET


# --- HTTP bodies, out --------------------------------------------------------------------------------------------


class SignedUp(Struct, frozen=True):
    """The one time a first stream key is shown."""

    nickname: str
    stream_server: str
    stream_key: str


class LoggedIn(Struct, frozen=True):
    """An access token and the seconds it lives; the refresh token travels in a cookie only."""

    access_token: str
    expires_in: int
    nickname: str


class Me(Struct, frozen=True):
    """Who the bearer is, and which channels that member follows and moderates (but their own), the latest first."""

    nickname: str
    roles: list[str]
    points: int
    following: list[str]
    moderates: list[str]


class ChannelView(Struct, frozen=True):
    """A channel as anyone may see it. `playback` is the URL of its multivariant playlist, null while off air.

    `last_live_at` is when its last broadcast ended: null on air, and before the first. `rules` are there where one
    channel is asked for, not in lists.
    """

    nickname: str
    title: str
    category: str
    tags: list[str]
    on_air: bool
    viewers: int
    followers: int
    started_at: datetime | None
    last_live_at: datetime | None
    thumbnail: str | None
    playback: str | None
    rules: RulesView | UnsetType = UNSET


class ChannelList(Struct, frozen=True):
    """GET /api/channels. `next` is the cursor of the following page, null on the last one."""

    channels: list[ChannelView]
    next: str | None = None


class StreamKey(Struct, frozen=True):
    """A fresh stream key, shown this once."""

    server: str
    key: str


class Kicked(Struct, frozen=True):
    """An encoder was cut; for `seconds` nobody may publish on this channel."""

    seconds: float


class Points(Struct, frozen=True):
    """`balance` can be given away, `earnings` came from donations; whole points."""

    balance: int
    earnings: int


class PointsEntry(Struct, frozen=True):
    """One line of a member's books: `points` is negative when they left `account`, `balance` is what it came to.

    `nickname` is who is on the other side, null where that is the house, has left, or gave without a name.
    """

    id: int
    kind: str
    account: str
    points: int
    balance: int
    nickname: str | None
    text: str
    at: datetime


class PointsHistory(Struct, frozen=True):
    """GET /api/points/history, newest first."""

    entries: list[PointsEntry]
    next: str | None = None


class DonationView(Struct, frozen=True):
    """A donation as its streamer sees it. `from` is the donor's nickname, empty if they stayed anonymous or have left.

    `id` is the books' own, `broadcast` the number of the broadcast it was given in.
    """

    id: str
    from_: str = field(name="from")
    points: int
    text: str
    at: datetime
    broadcast: str | None = None
    refunded: bool = False


class DonationList(Struct, frozen=True):
    """GET /api/channels/{nickname}/donations, newest first."""

    donations: list[DonationView]
    next: str | None = None


class RefundDonation(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /api/channels/{nickname}/donations/{id}/refund: `reason` stays on record."""

    reason: Line = ""


class DonationRefunded(Struct, frozen=True):
    """What the streamer's earnings were right after it; asked again, the same."""

    earnings: int


class Part(Struct, frozen=True):
    """One part of the house as /readyz sees it: `words` say what is wrong, or what is right."""

    ok: bool
    words: str


class Readiness(Struct, frozen=True):
    """GET /readyz: ready is true when every part is ok."""

    ready: bool
    parts: dict[str, Part]


# --- RSocket payloads, in ----------------------------------------------------------------------------------------


class Watch(Struct, frozen=True):
    """chat.watch: `since` replays what came after that sequence number, `history` the last lines.

    Who says `behind` is never so many events late: the older ones become a gap. Who says `epoch`, of which numbers
    `since` is (or "" where that is not known), is told whenever they are others. Who says `local` is shown what this
    worker's people say while the store is away.
    """

    channel: Credential
    since: Count | None = None
    history: Count | None = None
    behind: Count | None = None
    epoch: Annotated[str, Meta(max_length=EPOCH_CHARS_MAX)] | None = None
    local: bool = False


class Say(Struct, frozen=True):
    """chat.say: `id` is the sender's own, so that he knows his line when it comes back.

    Who says `local` takes it that the line has no number while the store is away.
    """

    channel: Credential
    id: LineId
    text: Line
    local: bool = False


class Give(Struct, frozen=True, forbid_unknown_fields=True):
    """donation.give: the donor is whoever the connection is; there is no field for it, and one is refused.

    `anonymous` keeps the donor's name from the room and the streamer.
    """

    id: UUID
    channel: Credential
    points: Integer
    text: Line = ""
    anonymous: bool = False


class Renew(Struct, frozen=True):
    """session.renew: a newer access token of the connection's own member."""

    token: Annotated[str, Meta(max_length=TOKEN_CHARS_MAX)]


class Empty(Struct, frozen=True):
    """A request without wishes: session.hello, channels.watch."""


# --- RSocket payloads, out ---------------------------------------------------------------------------------------


class Answered(Struct, frozen=True, omit_defaults=True):
    """chat.say as request-response: the sequence number the line got, or that those at this worker alone see it yet."""

    seq: int = 0
    local: bool = False


class Gave(Struct, frozen=True):
    """donation.give: the same id again gives the same answer."""

    id: UUID
    points_left: int


class Hello(Struct, frozen=True):
    """session.hello: who the connection is (null for a guest), the server's time, and the seconds of its token.

    `expires_in` counts from when the token was shown; null where it does not end.
    """

    nickname: str | None
    now: datetime
    expires_in: int | None = None


class Renewed(Struct, frozen=True):
    """session.renew: the seconds that the new token lasts."""

    expires_in: int


# --- reading and writing -----------------------------------------------------------------------------------------

T = TypeVar("T", bound=Struct)
_ENCODER = msgspec.json.Encoder()
_PLACE = re.compile(r" - at `\$\.([a-z_.]+)")
_MISSING = re.compile(r"\AObject missing required field `([a-z_]+)`")
_CURSOR = re.compile(r"\A[0-9]{1,18}\Z")  # 18 digits always fit a bigint.


@cache
def _decoder(kind: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def read(kind: type[T], data: bytes) -> T:
    """Read one body or payload of the shape `kind`.

    Raises WireTooLarge beyond BODY_BYTES_MAX and WireShape for anything else that is not it; never another error.
    """
    if len(data) > BODY_BYTES_MAX:
        raise WireTooLarge(BODY_BYTES_MAX)
    try:
        shape: T = _decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        raise WireShape(_field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireShape from None
    return shape


def _field(text: str) -> str | None:
    missing = _MISSING.search(text)
    place = _PLACE.search(text)
    parts = [match.group(1) for match in (place, missing) if match]
    return ".".join(parts) or None


def write(shape: Struct) -> bytes:
    """Write one body, payload or event as JSON (times in UTC with a Z)."""
    return _ENCODER.encode(shape)


def read_cursor(text: str | None) -> int | None:
    """Read the cursor a page handed out: None at the start. Raises WireShape."""
    if text is None or text == "":
        return None
    if not _CURSOR.match(text):
        raise WireShape("cursor")
    return int(text)
