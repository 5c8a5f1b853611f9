"""Core: one broadcast's life: announced → live ⇄ interrupted → ended, and whose it is.

The table below is the only place where the state changes. A publishing session that was accepted owns the broadcast
until the next one does; what earlier owners still send or say does not count. Times are seconds of a clock that only
rises.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

# On a silent cut OBS comes back after two seconds, and its old connection has been quiet for as long. Less would let
# two encoders with one key cut each other off.
TAKEOVER_QUIET_SECONDS: Final = 1.5
# A publisher that sends nothing any more although its connection is open.
SILENT_SECONDS_MAX: Final = 10.0
# From the accepted key to the first frame.
FIRST_MEDIA_SECONDS_MAX: Final = 10.0
# After a loss: OBS tries again at 2, 5, 9.5 and 16.2 seconds.
GRACE_SECONDS: Final = 20.0
# After a clean stop: for a streamer who changes a setting and starts again.
CLEAN_GRACE_SECONDS: Final = 10.0

# After the owner has cut an encoder. It tries again at 2, 5, 9.5 and 16.2 seconds: whoever the owner starts instead has
# the time between the last two, and the broadcast still goes on.
KICK_SECONDS: Final = 10.0

assert TAKEOVER_QUIET_SECONDS < SILENT_SECONDS_MAX
assert CLEAN_GRACE_SECONDS <= GRACE_SECONDS
assert KICK_SECONDS < GRACE_SECONDS


class BroadcastError(Exception):
    """Base of this module's refusals."""


class AlreadyLive(BroadcastError):
    """Another publisher still sends; `quiet_seconds` is how long ago it last did."""

    def __init__(self, quiet_seconds: float) -> None:
        super().__init__(quiet_seconds)
        self.quiet_seconds = quiet_seconds

    def __str__(self) -> str:
        return "this channel is already live from another encoder; stop that one first"


class Kicked(BroadcastError):
    """The channel's owner has cut the encoder; nobody may publish for `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"the channel's owner has cut this stream: try again in {self.seconds:.0f} s"


class Over(BroadcastError):
    """The broadcast has ended; a publisher begins a new one."""

    def __str__(self) -> str:
        return "the broadcast has ended"


class State(StrEnum):
    """What a broadcast is."""

    ANNOUNCED = "announced"
    LIVE = "live"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Happening(Enum):
    """What can happen to a broadcast."""

    BEGAN = "its first frame, or the first after a loss"
    LOST = "its publisher has gone, or says nothing"
    EXPIRED = "nobody came in time"
    STOPPED = "it was ended on purpose"


TABLE: Final[dict[State, dict[Happening, State]]] = {
    State.ANNOUNCED: {
        Happening.BEGAN: State.LIVE,
        Happening.LOST: State.ENDED,
        Happening.EXPIRED: State.ENDED,
        Happening.STOPPED: State.ENDED,
    },
    State.LIVE: {
        Happening.LOST: State.INTERRUPTED,
        Happening.STOPPED: State.ENDED,
    },
    State.INTERRUPTED: {
        Happening.BEGAN: State.LIVE,
        Happening.EXPIRED: State.ENDED,
        Happening.STOPPED: State.ENDED,
    },
    State.ENDED: {},
}


class Broadcast:
    """Tell it what happens, and `tick` a few times a second; then look at `state`."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.state = State.ANNOUNCED
        self.owner = 0
        self._grace_seconds = grace_seconds
        self._heard_at = 0.0  # when the owner was accepted or last sent media
        self._heard = False  # whether the owner has sent media
        self._lost = True  # whether the owner has gone
        self._ends_at: float | None = None
        self._shut_until = float("-inf")

    def resume(self, now: float) -> None:
        """Another process had it on air and is gone: it waits for its publisher from now on."""
        for happening in (Happening.BEGAN, Happening.LOST):
            self._happen(happening)
        self._ends_at = now + self._grace_seconds

    def publish(self, now: float) -> int:
        """A publisher with the right key came; its number as owner. Raises AlreadyLive, Kicked, Over.

        It takes over from an owner that has been quiet for TAKEOVER_QUIET_SECONDS. An interrupted broadcast stays so
        until the newcomer's first frame.
        """
        if self.state is State.ENDED:
            raise Over
        if not self._lost and now - self._heard_at < TAKEOVER_QUIET_SECONDS:
            raise AlreadyLive(now - self._heard_at)
        if now < self._shut_until:
            raise Kicked(self._shut_until - now)
        if self.state is State.LIVE:
            self._lose(now, self._grace_seconds)
        self.owner += 1
        self._heard_at, self._heard, self._lost = now, False, False
        return self.owner

    def media(self, owner: int, now: float) -> bool:
        """The owner sent media; False when it is not the owner (any longer)."""
        if owner != self.owner or self._lost or self.state is State.ENDED:
            return False
        self._heard_at, self._heard = now, True
        return True

    def began(self, owner: int, now: float) -> bool:
        """The owner's media can be played from here on; False when it is not the owner (any longer)."""
        if not self.media(owner, now):
            return False
        if self.state is not State.LIVE:
            self._happen(Happening.BEGAN)
            self._ends_at = None
        return True

    def lost(self, owner: int, now: float, *, clean: bool) -> None:
        """The owner has gone: said so (`clean`), or its connection was lost."""
        if owner == self.owner and not self._lost:
            self._lose(now, min(CLEAN_GRACE_SECONDS, self._grace_seconds) if clean else self._grace_seconds)

    def kick(self, now: float) -> None:
        """The channel's owner cuts whoever publishes, and keeps the door shut for KICK_SECONDS."""
        self.lost(self.owner, now, clean=False)
        self._shut_until = now + KICK_SECONDS

    def stop(self) -> None:
        """End it now (the key was rotated, the house closes)."""
        if self.state is not State.ENDED:
            self._happen(Happening.STOPPED)
        self._lost = True

    def tick(self, now: float) -> None:
        """Time has passed."""
        if not self._lost and now >= self._silent_at:
            self._lose(now, self._grace_seconds)
        if self._ends_at is not None and now >= self._ends_at and self.state is State.INTERRUPTED:
            self._happen(Happening.EXPIRED)

    @property
    def owned(self) -> bool:
        """Whether somebody publishes, or has been accepted to."""
        return not self._lost

    @property
    def _silent_at(self) -> float:
        return self._heard_at + (SILENT_SECONDS_MAX if self._heard else FIRST_MEDIA_SECONDS_MAX)

    def _lose(self, now: float, grace_seconds: float) -> None:
        self._lost = True
        if self.state is State.INTERRUPTED:
            return  # The newcomer went before its first frame: the grace of the one before runs on.
        self._happen(Happening.LOST)
        self._ends_at = now + grace_seconds

    def _happen(self, happening: Happening) -> None:
        self.state = TABLE[self.state][happening]
