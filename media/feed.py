"""Shell: one publishing session's media on its way into its broadcast, as long as it is the broadcast's owner."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from media.flv import FlvError
from media.hls_writer.errors import MediaError
from media.intake import Audio, Began, Intake
from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.publishers import TAKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from media.intake import Event, Video
    from media.on_air import OnAir

log = logging.getLogger(__name__)

# RTMP's word for "not now": encoders try again. (BadName, Denied and Rejected make OBS stop.)
LATER: Final = "NetStream.Failed"


class Air(Protocol):
    """What a feed needs of the broadcasts (media/broadcasts.py)."""

    def now(self) -> float:
        """Seconds of a clock that only rises."""

    async def begin(self, on_air: OnAir, owner: int, began: Began) -> None:
        """The owner's media can be played from here on. Raises Refused."""

    def depict(self, on_air: OnAir, began: Began, keyframe: Video) -> None:
        """A keyframe that a picture of the broadcast can be made of."""

    async def lost(self, on_air: OnAir, owner: int, *, clean: bool) -> None:
        """The session is over."""


class Feed:
    """One publishing session's media (rtmp_ingest/publishers.py, Sink)."""

    def __init__(self, air: Air, on_air: OnAir, owner: int) -> None:
        self._air = air
        self._on_air = on_air
        self._owner = owner
        self._intake = Intake()
        self._began: Began | None = None

    def video(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        """One video tag's payload. Raises Refused."""
        return self._take(self._intake.video, timestamp_ms, payload)

    def audio(self, timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        """One audio tag's payload. Raises Refused."""
        return self._take(self._intake.audio, timestamp_ms, payload)

    def metadata(self, values: dict[str, Any]) -> Awaitable[None]:
        """What the encoder says about its stream."""
        self._intake.metadata(values)
        if self._owner == self._on_air.broadcast.owner:
            self._on_air.health.metadata(values)
        return TAKEN

    async def end(self, clean: bool) -> None:  # noqa: FBT001 - as the protocol has it
        """The session is over."""
        if self._intake.extra_tracks:
            log.info("extra_tracks_ignored broadcast=%s", self._on_air.broadcast_id)
        await self._air.lost(self._on_air, self._owner, clean=clean)

    def _take(self, read: Callable[[int, bytes], list[Event]], timestamp_ms: int, payload: bytes) -> Awaitable[None]:
        """Take media at once; only where an epoch begins the publisher waits for the store."""
        if not self._owns():
            raise Refused(LATER, "this connection is no longer on air")
        try:
            events = read(timestamp_ms, payload)
            if events and isinstance(events[0], Began):
                return self._begin(events)
            for event in events:
                self._write(event)
        except (FlvError, MediaError) as error:
            raise Refused("NetStream.Publish.Rejected", str(error)) from error
        return TAKEN

    async def _begin(self, events: list[Event]) -> None:
        try:
            for event in events:
                if isinstance(event, Began):
                    await self._air.begin(self._on_air, self._owner, event)
                    self._began = event
                    self._on_air.health.take(event, self._air.now())
                elif self._owns():  # Another owner may have come while this one waited for the store.
                    self._write(event)
        except (FlvError, MediaError) as error:
            raise Refused("NetStream.Publish.Rejected", str(error)) from error

    def _owns(self) -> bool:
        return self._on_air.broadcast.media(self._owner, self._air.now())

    def _write(self, event: Event) -> None:
        assert not isinstance(event, Began)
        self._on_air.health.take(event, self._air.now())
        if self._intake.extra_tracks:
            self._on_air.health.extra_tracks = True
        assert self._on_air.writer is not None
        if isinstance(event, Audio):
            self._on_air.writer.audio(event)
            return
        self._on_air.writer.video(event)
        if event.frame.key and self._began:
            self._air.depict(self._on_air, self._began, event)
        if self._on_air.transcoder:
            self._on_air.transcoder.video(event)
