"""Door: the bus: what a broadcast's new state means to the room it belongs to and to the list of channels."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from db.errors import StoreError
from media.broadcast import State
from routes import events, wire

if TYPE_CHECKING:
    from db.bus import Bus
    from db.channel import Channel

CHANNELS_TOPIC: Final = "channels"
"""The bus's topic that says: who is on air, or a title, has changed; look again."""

TELL_SECONDS_MAX: Final = 3.0
"""Seconds for which a title waits to be told, to the room and the lists together: its owner waits with it, their
browser for 15, and it is written already."""

log = logging.getLogger("commeow.channels")


def playback_url(nickname: str) -> str:
    """Give the URL of a channel's multivariant playlist, from the site's root."""
    return f"/hls/{quote(nickname, safe='')}/index.m3u8"


class Announcements:
    """Tells the news. The picture never waits for the chat: when the bus is away, the news is only in the database."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def on_state(self, channel: Channel, state: State) -> None:
        """Tell a channel's room that its broadcast is live, interrupted or ended, and the list that it changed."""
        event = _event(channel, state)
        if event is None:
            return
        told = True
        try:
            await self._bus.publish(channel.id, event)
        except StoreError:
            told = False
        log.info("broadcast channel=%d state=%s told=%s", channel.id, state, told)
        await self.changed()

    async def titled(self, channel: Channel) -> None:
        """Tell a channel's room what it is called now, and the lists to look again."""
        event = events.Titled(
            title=channel.title, category=channel.category, tags=list(channel.tags), at=datetime.now(UTC)
        )
        try:
            async with asyncio.timeout(TELL_SECONDS_MAX):
                with suppress(StoreError):  # It is written; who is in the room sees it when they come back.
                    await self._bus.publish(channel.id, wire.write(event))
                await self.changed()
        except TimeoutError:
            log.warning("titled channel=%d told=False", channel.id)

    async def changed(self) -> None:
        """Tell the lists of channels to look again."""
        try:
            await self._bus.announce(CHANNELS_TOPIC, b"")
        except StoreError:
            log.warning("channels told=False")


def _event(channel: Channel, state: State) -> bytes | None:
    at = datetime.now(UTC)
    if state is State.LIVE:
        return wire.write(events.OnAir(at=at, playback=playback_url(channel.nickname)))
    if state is State.INTERRUPTED:
        return wire.write(events.Interrupted(at=at))
    if state is State.ENDED:
        return wire.write(events.OffAir(at=at))
    return None  # Announced: there is nothing to see yet.
