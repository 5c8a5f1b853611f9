"""Door: RSocket: channels.watch: who is on air, the latest picture only, as often as a viewer asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from reactivex.subject import BehaviorSubject

from db.errors import StoreError
from routes import events, wire
from routes.announcements import CHANNELS_TOPIC
from routes.channels import CHANNELS_MAX, views
from routes.thumbnails import thumbnail_url
from rsocket_server.doors import Door, Model
from rsocket_server.latest_wins import LatestWins, latest_wins

if TYPE_CHECKING:
    from db.bus import Bus
    from db.channels import Channels
    from rsocket_server.doors import Caller
    from rsocket_server.rooms import Rooms

LOOK_SECONDS: Final = 5.0
"""Seconds between looks when no news comes: viewer counts change without news, and are reported every few seconds."""

log = logging.getLogger("commeow.channels")


class LiveChannels:
    """One picture of who is on air for all who watch the list of this process; nothing is kept for the slow."""

    def __init__(self, channels: Channels, bus: Bus, rooms: Rooms) -> None:
        self._channels = channels
        self._bus = bus
        self._rooms = rooms
        self._news = asyncio.Event()
        self._picture: BehaviorSubject[bytes] | None = None

    def doors(self) -> list[Door]:
        """List the door."""
        return [Door("channels.watch", Model.STREAM, members_only=False, handle=self._watch)]

    async def _watch(self, _caller: Caller, data: bytes) -> LatestWins:
        if data:
            wire.read(wire.Empty, data)
        if self._picture is None:
            shown = await self._look()
            # Somebody else may have looked meanwhile; his picture is as good.
            self._picture = self._picture or BehaviorSubject(shown)
        return latest_wins(self._picture)

    def close(self) -> None:
        """Complete every watch: this worker is about to end."""
        if self._picture is not None:
            self._picture.on_completed()
            self._picture = None

    async def run(self) -> None:
        """Look again when there is news, and every LOOK_SECONDS, while anybody watches; ends when cancelled."""
        following = False
        while True:
            try:
                if not following:
                    (await self._rooms.follow(CHANNELS_TOPIC)).subscribe(lambda _news: self._news.set())
                    following = True
                await self._refresh()
            except StoreError:
                log.warning("channels looked=no")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            self._news.clear()

    async def _refresh(self) -> None:
        if self._picture is None:
            return
        if not self._picture.observers:
            self._picture = None
            return
        shown = await self._look()
        if shown != self._picture.value:
            self._picture.on_next(shown)

    async def _look(self) -> bytes:
        shown = await views(await self._channels.live(), self._bus, lambda channel: thumbnail_url(channel.nickname))
        shown.sort(key=lambda view: (-view.viewers, view.nickname))
        return wire.write(events.LiveChannels(channels=shown[:CHANNELS_MAX]))
