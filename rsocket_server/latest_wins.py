"""Shell: an Observable as a Publisher that keeps one item: a viewer that asks late gets the latest, not the backlog.

rsocket.reactivex's own adapters queue without bound and never dispose of a hot source; this one holds one value and
leaves the source when the viewer does. For counts, lists and states, where only the present matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload

from rsocket_server import frames
from rsocket_server.carrier import carrier_of

if TYPE_CHECKING:
    from reactivex import Observable
    from reactivex.abc import DisposableBase


def latest_wins(observable: Observable[bytes]) -> LatestWins:
    """Answer a Publisher of `observable` for a stream door: request(n) is honoured exactly, one item is kept."""
    return LatestWins(observable)


class LatestWins(DefaultPublisher):  # type: ignore[misc]
    """See `latest_wins`. Each subscriber subscribes to the Observable anew."""

    def __init__(self, observable: Observable[bytes]) -> None:
        self._observable = observable

    def subscribe(self, subscriber: Any) -> None:
        """Begin; nothing is sent before the subscriber requests."""
        latest = _Latest(subscriber)
        subscriber.on_subscribe(latest)
        latest.follow(self._observable)


class _Latest(DefaultSubscription):  # type: ignore[misc]
    """One viewer of an Observable."""

    room_id = None

    def __init__(self, subscriber: Any) -> None:
        self._subscriber = subscriber
        self._credit = 0
        self._item: bytes | None = None
        self._completed = False
        self._dead = False
        self._open = True
        self._source: DisposableBase | None = None
        self._carrier, self._stream_id = carrier_of(subscriber)
        self._write = self._carrier.attach(self).write if self._carrier else None

    def follow(self, observable: Observable[bytes]) -> None:
        source = observable.subscribe(self._on_next, self._on_error, self._on_completed)
        if self._dead:  # It ended, or was cancelled, while it subscribed.
            source.dispose()
        else:
            self._source = source

    def request(self, n: int) -> None:
        if n > 0:
            self._credit += n
            self._flush()

    def cancel(self) -> None:
        self._dead = True
        self._item = None
        if self._carrier:
            self._carrier.detach(self)
        if self._source is not None:
            self._source.dispose()
            self._source = None

    def clog(self) -> None:
        pass  # It writes by the socket's `write` alone.

    def pause(self) -> None:
        self._open = False

    def resume(self) -> None:
        self._open = True
        self._flush()

    def whisper(self, payload: bytes) -> None:
        raise NotImplementedError  # It belongs to no room.

    def _on_next(self, item: bytes) -> None:
        self._item = item
        self._flush()

    def _on_error(self, error: Exception) -> None:
        if not self._dead:
            self.cancel()
            self._subscriber.on_error(error)

    def _on_completed(self) -> None:
        self._completed = True
        self._flush()

    def _flush(self) -> None:
        if self._dead:
            return
        if self._item is not None and self._credit and self._open:
            item, self._item = self._item, None
            self._credit -= 1
            if self._write:
                self._write(frames.items(self._stream_id, [item]))
            else:
                self._subscriber.on_next(Payload(item))
        # The last item is still owed; then the end costs no credit.
        if self._completed and self._item is None:
            self.cancel()
            self._subscriber.on_complete()
