"""Core: where a connection can stand, what moves it, and how long each stage may take.

    handshaking --handshaken--> opened
    opened --connect--> connected
    connected --publish--> deciding
    deciding --accept--> publishing
    publishing --unpublish--> connected
    (any of them) --close--> closed

The picture is drawn from TRANSITIONS (a test compares them), and TRANSITIONS is what runs.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from media.rtmp_ingest.errors import SessionError


class State(Enum):
    """Where a connection stands."""

    HANDSHAKING = "handshaking"
    OPENED = "opened"
    CONNECTED = "connected"
    DECIDING = "deciding"
    PUBLISHING = "publishing"
    CLOSED = "closed"


class Trigger(Enum):
    """What moves a connection."""

    HANDSHAKEN = "handshaken"
    CONNECT = "connect"
    PUBLISH = "publish"
    ACCEPT = "accept"
    UNPUBLISH = "unpublish"
    CLOSE = "close"


TRANSITIONS: Final[dict[State, dict[Trigger, State]]] = {
    State.HANDSHAKING: {Trigger.HANDSHAKEN: State.OPENED, Trigger.CLOSE: State.CLOSED},
    State.OPENED: {Trigger.CONNECT: State.CONNECTED, Trigger.CLOSE: State.CLOSED},
    State.CONNECTED: {Trigger.PUBLISH: State.DECIDING, Trigger.CLOSE: State.CLOSED},
    State.DECIDING: {Trigger.ACCEPT: State.PUBLISHING, Trigger.CLOSE: State.CLOSED},
    State.PUBLISHING: {Trigger.UNPUBLISH: State.CONNECTED, Trigger.CLOSE: State.CLOSED},
    State.CLOSED: {},
}


class Stage(Enum):
    """What a connection must have done in time, and the seconds it has for it."""

    FIRST_BYTE = ("send its first byte", 5.0)
    HANDSHAKE = ("finish its handshake", 5.0)
    # Encoders on a far continent need five round trips: two seconds.
    PUBLISH = ("publish", 10.0)
    FIRST_MEDIA = ("send its first media", 10.0)
    # OBS gives up a dead connection after 15 s and comes back; longer than 10 s and a frozen broadcast looks alive.
    MEDIA = ("send media", 10.0)

    def __init__(self, words: str, seconds_max: float) -> None:
        self.words = words
        self.seconds_max = seconds_max


class Late(SessionError):
    """The peer let the time of a stage run out."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.stage = stage

    def __str__(self) -> str:
        return f"peer did not {self.stage.words} within {self.stage.seconds_max:g} s"


class OutOfOrder(SessionError):
    """A command came that its state does not allow."""

    def __init__(self, trigger: Trigger | None, state: State) -> None:
        super().__init__(trigger, state)
        self.trigger = trigger
        self.state = state

    def __str__(self) -> str:
        return f"{self.trigger.value if self.trigger else 'command'} while {self.state.value}"
