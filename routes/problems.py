"""Core: the one table that turns an error into public words: a stable code, HTTP, RSocket, and "may I retry".

An error is looked up along its classes (MRO), so a family needs one row and a leaf only where it differs. What has no
row is ours to mend: it becomes `internal` and an incident id that the log knows too. No exception's own text crosses
the wall. RSocket's codes carry the promise: REJECTED means "surely nothing was done", CANCELED means "outcome unknown:
send the same id again" (RSocket Protocol.md, Error Codes).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from db import (
    act,
    bot_token,
    channel,
    conduct,
    emote,
    errors,
    follow,
    login,
    member,
    order_errors,
    payout,
    product,
    transfer,
)
from media import broadcast, ffmpeg_args, flv
from media.hls_writer import errors as hls_errors
from media.rtmp_ingest import errors as rtmp_errors
from routes import access, emote_image, playlist_ask, rate_limit, tokens, wire
from rsocket_server import doors, gate_errors, metadata, room

INVALID_SETUP = 0x001
UNSUPPORTED_SETUP = 0x002
REJECTED_SETUP = 0x003
APPLICATION_ERROR = 0x201
REJECTED = 0x202
CANCELED = 0x203
INVALID = 0x204


@dataclass(frozen=True, slots=True)
class Row:
    """What the world is told of one kind of error.

    Attributes:
        code: stable and machine-readable; the browser's catalogue has its words under `error.<code>`.
        status: of HTTP.
        rsocket: the error code of an RSocket ERROR frame.
        retry: whether the same request may succeed later without anybody changing it.
        says: one English sentence without any detail of the request.
    """

    code: str
    status: int
    rsocket: int
    retry: bool
    says: str


INTERNAL = Row("internal", 500, APPLICATION_ERROR, retry=True, says="Something broke on our side.")

_SHAPE = Row("wire.shape", 400, INVALID, retry=False, says="The request has not the shape this door takes.")
_TOO_LARGE = Row("wire.too_large", 413, INVALID, retry=False, says="The request is too large.")
_MEMBERS_ONLY = Row("auth.members_only", 401, REJECTED, retry=False, says="This is for members; log in.")
_TOKEN_INVALID = Row("auth.token_invalid", 401, REJECTED, retry=False, says="Log in again; the token is not valid.")
_TOKEN_EXPIRED = Row("auth.token_expired", 401, REJECTED, retry=False, says="The token is over; refresh it.")
_TOO_FAST = Row("limit.too_fast", 429, REJECTED, retry=True, says="Too fast; wait a little.")
_UNKNOWN = Row("store.unknown", 503, CANCELED, retry=True, says="It may be done; send the same id again.")
_UNAVAILABLE = Row("store.unavailable", 503, REJECTED, retry=True, says="Nothing was done; try again shortly.")
_PROTOCOL = Row("protocol.violation", 400, INVALID, retry=False, says="Not what the protocol allows here.")
_TAKEN = Row("member.taken", 409, APPLICATION_ERROR, retry=False, says="Somebody has that name already.")
_FORBIDDEN = Row("auth.forbidden", 403, REJECTED, retry=False, says="This is not yours to do.")
_HLS_NONE = Row("hls.not_listed", 404, INVALID, retry=False, says="No playlist lists this.")
# Not "by itself": somebody must go on air first, and a donation that was refused needs a new id.
_OFF_AIR = Row("channel.off_air", 404, APPLICATION_ERROR, retry=False, says="Nothing is on air.")
_CHANNEL_UNKNOWN = Row("channel.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such channel.")
_TEXT = Row("chat.empty", 400, APPLICATION_ERROR, retry=False, says="There is nothing to read in this line.")

_ROUTES: dict[type[BaseException], Row] = {
    wire.WireError: _SHAPE,
    wire.WireTooLarge: _TOO_LARGE,
    tokens.TokenInvalid: _TOKEN_INVALID,
    tokens.TokenExpired: _TOKEN_EXPIRED,
    # Only a wrong setting at start can raise it: nobody's request is at fault.
    tokens.TokenError: INTERNAL,
    access.AccessError: _FORBIDDEN,
    access.BearerMissing: _MEMBERS_ONLY,
    access.LoginCookieInvalid: _TOKEN_INVALID,
    access.OriginForeign: Row("auth.origin", 403, REJECTED, retry=False, says="Another site's page may not do this."),
    access.BadLogin: Row("auth.bad_login", 401, APPLICATION_ERROR, retry=False, says="Login id or password is wrong."),
    access.PasswordWrong: Row(
        "auth.wrong_password", 403, APPLICATION_ERROR, retry=False, says="This wants your password, and this is not it."
    ),
    emote_image.EmoteImage: Row(
        "emote.image",
        400,
        INVALID,
        retry=False,
        says="A PNG, GIF or WebP of 16 to 128 pixels a side and at most 32 KiB.",
    ),
    rate_limit.LimitError: _TOO_FAST,
    rate_limit.Busy: Row("limit.busy", 503, REJECTED, retry=True, says="Too many people at once; try again."),
    playlist_ask.DirectiveBad: Row("hls.directive", 400, INVALID, retry=False, says="A directive is no number."),
    playlist_ask.NoPicture: Row(
        "channel.no_picture", 404, APPLICATION_ERROR, retry=False, says="There is no picture of this channel."
    ),
    playlist_ask.PlaybackError: _OFF_AIR,
}

_RSOCKET_SERVER: dict[type[BaseException], Row] = {
    gate_errors.GateError: _PROTOCOL,
    gate_errors.SetupMissing: Row("setup.missing", 400, INVALID_SETUP, retry=False, says="SETUP must come first."),
    gate_errors.SetupMalformed: Row("setup.malformed", 400, INVALID_SETUP, retry=False, says="SETUP is malformed."),
    gate_errors.SetupUnsupported: Row(
        "setup.unsupported", 400, UNSUPPORTED_SETUP, retry=False, says="SETUP asks for what is not offered."
    ),
    gate_errors.ResumeUnsupported: Row(
        "setup.resume", 400, REJECTED_SETUP, retry=False, says="No resumption: connect anew and say since when."
    ),
    gate_errors.TooManyStreams: _TOO_FAST,
    gate_errors.TooManyFrames: Row("limit.frames", 429, REJECTED, retry=True, says="Too many frames; send fewer."),
    gate_errors.TokenOver: _TOKEN_EXPIRED,
    gate_errors.TokenRevoked: _TOKEN_INVALID,
    gate_errors.HouseClosing: Row("house.closing", 503, REJECTED, retry=True, says="Closing; come back in a moment."),
    metadata.MetadataError: _PROTOCOL,
    metadata.AuthenticationUnsupported: _TOKEN_INVALID,
    doors.DoorError: Row("route.unknown", 404, INVALID, retry=False, says="There is no such route."),
    metadata.RouteMissing: Row("route.unknown", 404, INVALID, retry=False, says="There is no such route."),
    doors.MembersOnly: _MEMBERS_ONLY,
    doors.ScopeMissing: _FORBIDDEN,
    doors.HandlerTimeout: _UNKNOWN,
    room.RoomError: _TEXT,
    room.TooLong: Row("chat.too_long", 400, APPLICATION_ERROR, retry=False, says="The line is too long."),
    room.TooFast: _TOO_FAST,
    room.TakenBack: Row("chat.taken_back", 409, APPLICATION_ERROR, retry=False, says="A moderator took it back."),
    room.SlowMode: Row("chat.slow", 429, REJECTED, retry=True, says="Slow mode: wait a little between two lines."),
}

_MEDIA: dict[type[BaseException], Row] = {
    hls_errors.HlsError: _HLS_NONE,
    hls_errors.NoSuchRendition: Row("hls.no_such_rendition", 404, INVALID, retry=False, says="No such rendition."),
    hls_errors.PartWithoutMsn: Row(
        "hls.part_without_msn", 400, INVALID, retry=False, says="_HLS_part without _HLS_msn."
    ),
    hls_errors.TooFarAhead: Row("hls.too_far_ahead", 400, INVALID, retry=False, says="That is too far ahead."),
    hls_errors.NotYet: Row("hls.timed_out", 503, REJECTED, retry=True, says="It did not come in time."),
    # What an encoder is told, it is told in RTMP's own words (rtmp_ingest/session.py); at a door it would be our bug.
    hls_errors.MediaError: INTERNAL,
    rtmp_errors.RtmpError: INTERNAL,
    rtmp_errors.Refused: INTERNAL,
    rtmp_errors.Misuse: INTERNAL,
    flv.FlvError: INTERNAL,
    broadcast.BroadcastError: INTERNAL,
    ffmpeg_args.FfmpegError: INTERNAL,
}

_DB: dict[type[BaseException], Row] = {
    errors.StoreError: _UNAVAILABLE,
    errors.StoreUnknown: _UNKNOWN,
    member.MemberError: Row("member.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such member."),
    member.LoginIdTaken: _TAKEN,
    member.NicknameTaken: _TAKEN,
    member.LoginIdShape: Row(
        "member.login_id_shape", 400, APPLICATION_ERROR, retry=False, says="4 to 20 of a-z, 0-9 and _."
    ),
    member.NicknameShape: Row(
        "member.nickname_shape", 400, APPLICATION_ERROR, retry=False, says="2 to 20 letters or digits, not reserved."
    ),
    member.PasswordWeak: Row(
        "member.weak_password", 400, APPLICATION_ERROR, retry=False, says="8 to 128 characters, nothing common."
    ),
    member.MemberBanned: Row("member.banned", 403, APPLICATION_ERROR, retry=False, says="This account is closed."),
    # Categories, tags and odd characters: the shape of a text, said with its field.
    channel.ChannelError: _SHAPE,
    channel.ChannelUnknown: _CHANNEL_UNKNOWN,
    channel.TitleTooLong: Row(
        "channel.title_too_long", 400, APPLICATION_ERROR, retry=False, says="A title has at most 100 characters."
    ),
    # Only the heartbeat of a broadcast can hear it.
    channel.BroadcastEnded: INTERNAL,
    act.ActError: _SHAPE,
    act.NotModerator: _FORBIDDEN,
    act.Untouchable: _FORBIDDEN,
    act.LinesUnknown: Row(
        "moderation.no_lines", 404, APPLICATION_ERROR, retry=False, says="The history has no such lines any more."
    ),
    act.ModeratorsTooMany: Row(
        "moderation.too_many", 409, APPLICATION_ERROR, retry=False, says="A channel has at most 100 moderators."
    ),
    emote.EmoteError: Row("emote.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such emote."),
    emote.EmoteCode: Row(
        "emote.code", 400, INVALID, retry=False, says="2 to 20 of a-z, 0-9, _ and Hangul between the colons."
    ),
    emote.EmotesTooMany: Row("emote.too_many", 409, APPLICATION_ERROR, retry=False, says="At most 50 emotes."),
    bot_token.BotTokenError: _SHAPE,
    bot_token.BotTokensTooMany: Row("token.too_many", 409, APPLICATION_ERROR, retry=False, says="At most 20 tokens."),
    bot_token.BotTokenUnknown: Row("token.unknown", 404, APPLICATION_ERROR, retry=False, says="No such token."),
    conduct.ConductError: _SHAPE,
    conduct.Banned: Row("chat.banned", 403, REJECTED, retry=False, says="You may not write in this channel."),
    conduct.Muted: Row("chat.muted", 403, REJECTED, retry=False, says="You may not write here for a while."),
    conduct.FollowersOnly: Row("chat.followers_only", 403, REJECTED, retry=False, says="Only followers may write now."),
    conduct.WordsBlocked: Row(
        "chat.blocked", 400, APPLICATION_ERROR, retry=False, says="This channel does not want these words or links."
    ),
    follow.FollowError: Row("follow.too_many", 409, APPLICATION_ERROR, retry=False, says="At most 1,000 channels."),
    follow.FollowSelf: Row(
        "follow.self", 409, APPLICATION_ERROR, retry=False, says="One's own channel is not to be followed."
    ),
    login.LoginError: Row("login.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such login."),
    transfer.TransferError: _SHAPE,
    transfer.AmountOutOfRange: Row("points.amount", 400, APPLICATION_ERROR, retry=False, says="1 to 1,000,000 points."),
    transfer.DonationToSelf: Row("points.self", 409, APPLICATION_ERROR, retry=False, says="Not to yourself."),
    transfer.InsufficientPoints: Row(
        "points.insufficient", 409, APPLICATION_ERROR, retry=False, says="Not so many points; the id is spent."
    ),
    transfer.IdReused: Row(
        "transfer.id_reused", 409, APPLICATION_ERROR, retry=False, says="The id was used for another donation."
    ),
    transfer.MessageTooLong: Row(
        "transfer.text_too_long", 400, APPLICATION_ERROR, retry=False, says="A message has at most 200 characters."
    ),
    transfer.StreamerUnknown: _CHANNEL_UNKNOWN,
    transfer.ChannelOffAir: _OFF_AIR,
    transfer.DonationUnknown: Row(
        "transfer.unknown", 404, APPLICATION_ERROR, retry=False, says="This channel was given no such donation."
    ),
    transfer.DonorGone: Row(
        "transfer.donor_gone", 409, APPLICATION_ERROR, retry=False, says="Whoever gave this has left."
    ),
    transfer.EarningsShort: Row(
        "transfer.earnings_short", 409, APPLICATION_ERROR, retry=False, says="The earnings hold less than that by now."
    ),
    product.ProductUnknown: Row(
        "order.product", 400, APPLICATION_ERROR, retry=False, says="Nothing of that name is for sale."
    ),
    order_errors.OrderError: Row(
        "order.state", 409, APPLICATION_ERROR, retry=False, says="The order is not in a state for that."
    ),
    order_errors.OrderUnknown: Row(
        "order.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such order."
    ),
    order_errors.OrderIdReused: Row(
        "order.id_reused", 409, APPLICATION_ERROR, retry=False, says="The id was used for another order."
    ),
    order_errors.OrderExpired: Row(
        "order.expired", 409, APPLICATION_ERROR, retry=False, says="The order was not paid in time."
    ),
    order_errors.TokenRefused: Row(
        "order.token", 409, APPLICATION_ERROR, retry=False, says="The payment was not agreed to; nothing was paid."
    ),
    order_errors.RefundLate: Row(
        "order.refund_late", 409, APPLICATION_ERROR, retry=False, says="An order can be taken back for seven days."
    ),
    order_errors.RefundShort: Row(
        "order.refund_short", 409, APPLICATION_ERROR, retry=False, says="The wallet no longer holds the order's points."
    ),
    order_errors.RefundDeclined: Row(
        "order.refund_declined",
        409,
        APPLICATION_ERROR,
        retry=False,
        says="The provider gave no money back; the points are back.",
    ),
    # What a provider began unheard can never be paid, for nobody has its links.
    order_errors.ProviderError: Row(
        "order.provider_away",
        503,
        REJECTED,
        retry=True,
        says="The payment provider does not answer; send the same order again.",
    ),
    order_errors.ProviderDeclined: Row(
        "order.declined", 409, APPLICATION_ERROR, retry=False, says="The payment provider does not take this order."
    ),
    order_errors.ProviderOther: Row(
        "order.elsewhere", 409, APPLICATION_ERROR, retry=False, says="The order was made with another payment provider."
    ),
    # Only the operator's desk can hear the others.
    payout.PayoutError: INTERNAL,
    payout.PayoutPending: Row(
        "payout.pending", 409, APPLICATION_ERROR, retry=False, says="A payout to you is under way; leave after it."
    ),
    transfer.WalletUnknown: Row("member.unknown", 404, APPLICATION_ERROR, retry=False, says="There is no such member."),
}

FIELDS: dict[type[BaseException], str] = {
    member.LoginIdTaken: "login_id",
    member.LoginIdShape: "login_id",
    member.NicknameTaken: "nickname",
    member.NicknameShape: "nickname",
    member.PasswordWeak: "password",
    conduct.WordsBlocked: "text",
    channel.TitleTooLong: "title",
    channel.CategoryTooLong: "category",
    channel.TagsTooMany: "tags",
    channel.TagTooLong: "tags",
    product.ProductUnknown: "product",
    transfer.AmountOutOfRange: "points",
    transfer.InsufficientPoints: "points",
    transfer.MessageShape: "text",
    transfer.MessageTooLong: "text",
}
"""Which field of a body such an error is about, where the rule below the wall does not know the wire's names."""

TABLE: dict[type[BaseException], Row] = {**_ROUTES, **_RSOCKET_SERVER, **_MEDIA, **_DB}

HTTP_ONLY: dict[int, Row] = {
    404: Row("http.not_found", 404, INVALID, retry=False, says="There is nothing here."),
    405: Row("http.method", 405, INVALID, retry=False, says="This door takes another method."),
    413: _TOO_LARGE,
}
"""What the HTTP server itself refuses, by status; any other 4xx of its own is a request it could not read."""


class _Public(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    retry: bool
    field: str | None = None
    retry_after_ms: int | None = None
    incident: str | None = None


class _PublicHttp(_Public, frozen=True, omit_defaults=True, kw_only=True):
    """RFC 9457; the members beyond it are those of RSocket's error data."""

    type: str
    title: str
    status: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as the world may see it."""

    row: Row
    field: str | None = None
    retry_after_ms: int | None = None
    incident: str | None = None

    def as_http(self) -> bytes:
        """Write the body of an application/problem+json answer."""
        return msgspec.json.encode(
            _PublicHttp(
                type=f"urn:commeow:problem:{self.row.code}",
                title=self.row.says,
                status=self.row.status,
                code=self.row.code,
                retry=self.row.retry,
                field=self.field,
                retry_after_ms=self.retry_after_ms,
                incident=self.incident,
            )
        )

    def as_rsocket(self) -> bytes:
        """Write the data of an RSocket ERROR frame."""
        return msgspec.json.encode(
            _Public(
                code=self.row.code,
                retry=self.row.retry,
                field=self.field,
                retry_after_ms=self.retry_after_ms,
                incident=self.incident,
            )
        )


def row_of(kind: type[BaseException]) -> Row | None:
    """Find the row of an error class, its own or the nearest it inherits."""
    for ancestor in kind.__mro__:
        if ancestor in TABLE:
            return TABLE[ancestor]
    return None


def problem_of(error: BaseException, incident: str) -> Problem:
    """Turn an error into a problem. `incident` is a fresh id; it is shown only where we do not know the error."""
    row = row_of(type(error)) or INTERNAL
    if row is INTERNAL:
        return Problem(row, incident=incident)
    # Where an error says which field, or when to come again, it uses these names (house rule).
    field = getattr(error, "field", None) or FIELDS.get(type(error))
    return Problem(row, field=field, retry_after_ms=getattr(error, "retry_after_ms", None))


def problem_of_status(status: int) -> Problem:
    """Turn a refusal of the HTTP server itself, which has only a status, into a problem."""
    if status >= 500:
        return Problem(INTERNAL)
    return Problem(HTTP_ONLY.get(status, _SHAPE))


def codes() -> dict[str, Row]:
    """Every code the house can answer with, for PROTOCOL.md, /openapi.json and the browser's catalogue."""
    return {row.code: row for row in (*TABLE.values(), *HTTP_ONLY.values(), INTERNAL)}
