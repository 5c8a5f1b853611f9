"""Core: what the engine and the doors say to each other: a door is a row of a table, a caller is who came through it.

The roof hands the doors in; the engine never looks into their payloads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from db.member import Member


class Model(StrEnum):
    """RSocket's interaction models."""

    RESPONSE = "response"
    STREAM = "stream"
    FIRE_AND_FORGET = "fire_and_forget"
    CHANNEL = "channel"


class DoorError(Exception):
    """A request that no handler gets to see, or that one did not answer."""


class RouteUnknown(DoorError):
    """No door of this model answers to the route.

    Attributes:
        route: as the client wrote it; not for the client's eyes again.
    """

    def __init__(self, route: str) -> None:
        super().__init__(route)
        self.route = route

    def __str__(self) -> str:
        return f"no door {self.route[:80]!r}"


class ScopeMissing(DoorError):
    """A bot's token was not given for this door.

    Attributes:
        scope: what it would take; None where no bot may go.
    """

    def __init__(self, scope: str | None) -> None:
        super().__init__(scope)
        self.scope = scope

    def __str__(self) -> str:
        return f"the token has not the scope {self.scope}" if self.scope else "not for bots"


class MembersOnly(DoorError):
    """A guest tried a door for members."""

    def __str__(self) -> str:
        return "members only"


class HandlerTimeout(DoorError):
    """The handler took longer than HANDLER_SECONDS; whether it took effect is unknown."""

    def __str__(self) -> str:
        return "no answer in time"


@dataclass(frozen=True, slots=True)
class Door:
    """One route in one interaction model. A route may have a response door and a fire-and-forget door.

    Attributes:
        route: as clients name it.
        model: one of `Model`, or its word.
        members_only: guests get MembersOnly instead.
        handle: takes the caller and the request's data. A response door gives bytes, a stream door a Publisher, a
            fire-and-forget door nothing, a channel door (Publisher or None, Subscriber or None). What it raises goes
            through `translate`, except for fire-and-forget, where nobody waits: it tells the caller by `whisper`.
        scope: what a bot's token must have been given; None: where guests may go so may bots, elsewhere none.
    """

    route: str
    model: Model | str
    members_only: bool
    handle: Callable[[Caller, bytes], Awaitable[Any]]
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Badge:
    """What a token makes of a connection.

    Attributes:
        member: whose it is.
        key: names the token, or the login that it came with: revoking that ends the connection.
        seconds: how long it lasts from now; None until it is revoked.
        scopes: what a bot's token was given for; None for a member in person.
        room: the only one it may watch; None: any.
    """

    member: Member
    key: str = ""
    seconds: float | None = None
    scopes: frozenset[str] | None = None
    room: int | None = None


class Caller:
    """Who is on the other end of one connection.

    Attributes:
        badge: None for a guest.
        ends_at: when the badge is over, on the clock of `admit`; None for never.
        connection_id: unlike any other's, for log lines.
    """

    __slots__ = ("_spawn", "_whisper", "badge", "connection_id", "ends_at")

    def __init__(
        self,
        badge: Badge | None,
        connection_id: str,
        whisper: Callable[[int, bytes], None],
        spawn: Callable[[Any], Any] | None = None,
    ) -> None:
        self.badge = badge
        self.ends_at: float | None = None
        self.connection_id = connection_id
        self._whisper = whisper
        self._spawn = spawn

    @property
    def member(self) -> Member | None:
        """Whose connection it is; None for a guest."""
        return None if self.badge is None else self.badge.member

    def admit(self, badge: Badge, now: float) -> None:
        """Take a badge, the first or a newer one."""
        self.badge = badge
        self.ends_at = None if badge.seconds is None else now + badge.seconds

    def check(self, door: Door) -> None:
        """Let the caller through a door. Raises MembersOnly, ScopeMissing."""
        if self.badge is None:
            if door.members_only:
                raise MembersOnly
            return
        scopes = self.badge.scopes
        is_open = door.scope is None and not door.members_only
        if scopes is not None and not is_open and door.scope not in scopes:
            raise ScopeMissing(door.scope)

    def spawn(self, work: Any) -> Any:
        """Set a coroutine to work that this connection waits for when it ends."""
        assert self._spawn is not None, "a caller without a connection"
        return self._spawn(work)

    def whisper(self, room: int, payload: bytes) -> None:
        """Give an event to this connection's own watches of a room, to nobody else; it is in no history."""
        self._whisper(room, payload)


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the roof hands in.

    Attributes:
        doors: by model and route.
        verify: answers what a token makes of its connection, or raises; may be a coroutine function.
        translate: answers the RSocket error code and the public bytes for any exception.
    """

    doors: Mapping[tuple[Model, str], Door]
    verify: Callable[[bytes], Badge | Awaitable[Badge]]
    translate: Callable[[BaseException], tuple[int, bytes]]


def table(doors: Iterable[Door]) -> dict[tuple[Model, str], Door]:
    """Answer the doors by model and route; two of one are our own mistake."""
    found: dict[tuple[Model, str], Door] = {}
    for door in doors:
        key = (Model(door.model), door.route)
        assert key not in found, key
        found[key] = door
    return found
