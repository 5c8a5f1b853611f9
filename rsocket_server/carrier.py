"""Core: what streams and the connection that carries them ask of each other."""

from __future__ import annotations

from typing import Any, Protocol


class Sender(Protocol):
    """What sends to the kernel and nothing else: the operating system's socket."""

    def send(self, data: bytes, /) -> int:
        """Answer how much of it was taken; raises OSError."""

    def fileno(self) -> int:
        """Answer its file number."""


class Writer(Protocol):
    """What takes WebSocket messages: a socket."""

    def write(self, messages: bytes) -> None:
        """Send them now, or as soon as the socket takes them."""

    def direct(self) -> Sender | None:
        """Answer what sends past us, until `Attached.clog`; None while something waits."""

    def hold(self, rest: bytes) -> None:
        """Write what was left over by that."""

    def abort(self) -> None:
        """Cut the line."""


class Carrier(Protocol):
    """What a stream needs of the connection it goes out on."""

    def attach(self, stream: Attached) -> Writer:
        """Tell the stream from now on when the socket is full; answer what writes to it."""

    def detach(self, stream: Attached) -> None:
        """Forget the stream."""


class Attached(Protocol):
    """A stream that a connection tells of its socket, and that may be whispered to."""

    room_id: int | None

    def clog(self) -> None:
        """Write through the writer's `write` alone: something waits in it."""

    def pause(self) -> None:
        """Write nothing: the socket is full."""

    def resume(self) -> None:
        """Go on."""

    def whisper(self, payload: bytes) -> None:
        """Deliver an event to this stream alone."""


def carrier_of(subscriber: Any) -> tuple[Carrier | None, int]:
    """Answer the connection and the stream id behind one of rsocket-py's subscribers; (None, 0) for any other.

    The library keeps both public on a stream's subscriber and private on a channel's (0.4.20, which is pinned).
    """
    socket = getattr(subscriber, "socket", None) or getattr(subscriber, "_socket", None)
    if not hasattr(socket, "attach"):
        return None, 0
    stream_id = getattr(subscriber, "stream_id", None) or getattr(subscriber, "_stream_id", None)
    assert isinstance(stream_id, int), subscriber
    return socket, stream_id
