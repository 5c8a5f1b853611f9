"""Shell: every broadcast of this process: who may publish, what becomes of the media, who is told, what is swept.

One at a time a channel. A publishing session's media goes through its own intake into its broadcast's writer and
ladder, as long as it is the broadcast's owner. Whatever the core decides is carried out by `_follow`, in one place and
in order. The store and the listeners of `on_state` may be slow or away: the picture goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from db.channel import BroadcastEnded, ChannelUnknown, hash_stream_key
from db.channels import HEARTBEAT_SECONDS
from db.errors import StoreError
from db.member import nickname_key
from media.broadcast import GRACE_SECONDS, AlreadyLive, Broadcast, Kicked, State
from media.flv import FlvError
from media.hls_writer.errors import MediaError
from media.hls_writer.writer import SOURCE, Writer
from media.intake import Audio, Began, Intake
from media.ladders import Ladders
from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.publishers import TAKEN
from media.stream_health import Look, StreamHealth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from db.channel import Channel
    from db.channels import Channels
    from media.intake import Event
    from media.transcoder import Transcoder

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
# For players to fetch what they have not played yet; the writer's window is as long.
ENDED_RETENTION_SECONDS: Final = 30.0
# Ended broadcasts in memory at once, whatever their age.
ENDED_MAX: Final = 32
# For `on_state`: news that takes longer is late anyway, and the publisher waits for it.
TELL_SECONDS_MAX: Final = 5.0
# RTMP's word for "not now": encoders try again. (BadName, Denied and Rejected make OBS stop.)
LATER: Final = "NetStream.Failed"


class OnAir:
    """One broadcast with everything that belongs to it."""

    def __init__(self, channel: Channel, grace_seconds: float) -> None:
        self.channel = channel
        self.broadcast = Broadcast(grace_seconds)
        self.broadcast_id: int | None = None
        self.writer: Writer | None = None
        self.transcoder: Transcoder | None = None
        self.health = StreamHealth()
        self.told = State.ANNOUNCED
        self.cut: Callable[[str], None] | None = None
        self.key_hash = b""
        self.lock = asyncio.Lock()
        self.ended_at: float | None = None

    def cut_owner(self, reason: str) -> None:
        """Take whoever publishes off the air, in words for the encoder."""
        cut, self.cut = self.cut, None
        if cut:
            cut(reason)


class Broadcasts:
    """See media/rtmp_ingest/publishers.py, Publishers. `run` it, and `close` it at the end."""

    def __init__(
        self,
        channels: Channels,
        *,
        root: Path,
        ladder: tuple[str, ...],
        ffmpeg: str | None,
        on_state: Callable[[Channel, State], Awaitable[None]],
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._ladders = Ladders(ladder, ffmpeg, root)
        self._on_state = on_state
        self._grace_seconds = grace_seconds
        self.now = clock
        self._on_air: dict[int, OnAir] = {}
        self._ended: list[OnAir] = []
        self._writers: dict[int, Writer] = {}

    def __len__(self) -> int:
        """How many broadcasts there are that have not ended."""
        return len(self._on_air)

    # --- who asks ----------------------------------------------------------------------------------------------------

    def find(self, nickname: str) -> Writer | None:
        """The writer of a channel's broadcast: live, interrupted, or just ended."""
        key = nickname_key(nickname)
        for on_air in (*self._on_air.values(), *reversed(self._ended)):
            if on_air.writer and nickname_key(on_air.channel.nickname) == key:
                return on_air.writer
        return None

    def find_broadcast(self, broadcast_id: int) -> Writer | None:
        """The writer of a broadcast: live, interrupted, or just ended."""
        return self._writers.get(broadcast_id)

    def look(self, channel_id: int) -> Look | None:
        """How a channel's broadcast does; None when there is none."""
        on_air = self._on_air.get(channel_id)
        if on_air is None:
            return None
        state = on_air.broadcast.state
        renditions = on_air.writer.renditions if on_air.writer else ()
        report = on_air.health.report(self.now()) if state is State.LIVE else None
        encoded = renditions not in {(), (SOURCE,)}
        return Look(state=state, renditions=renditions, encoded=encoded, report=report)

    async def publish(self, key: str, app: str, cut: Callable[[str], None]) -> Feed:
        """Whether a publisher with this key may stream, and where to. Any application name is taken. Raises Refused."""
        _ = app
        key_hash = hash_stream_key(key)
        try:
            channel = await self._channels.by_stream_key_hash(key_hash)
        except StoreError as error:
            raise Refused(LATER, "the keys cannot be looked up at the moment: try again") from error
        if channel is None:
            raise Refused("NetStream.Publish.BadName", "unknown stream key: copy it again from the studio")
        on_air = self._on_air.get(channel.id)
        if on_air is None or on_air.broadcast.state is State.ENDED:
            on_air = self._on_air[channel.id] = OnAir(channel, self._grace_seconds)
        try:
            owner = on_air.broadcast.publish(self.now())
        except AlreadyLive as refused:
            raise Refused("NetStream.Publish.Denied", str(refused)) from refused
        except Kicked as refused:
            raise Refused(LATER, str(refused)) from refused
        on_air.cut_owner("another encoder has taken over")
        on_air.cut, on_air.channel, on_air.key_hash = cut, channel, key_hash
        await self._follow(on_air)
        return Feed(self, on_air, owner)

    async def cut(self, channel_id: int, reason: str) -> None:
        """Take a channel's publisher off the air (its key was rotated); a new one may come within the grace."""
        on_air = self._on_air.get(channel_id)
        if on_air:
            on_air.broadcast.lost(on_air.broadcast.owner, self.now(), clean=False)
            on_air.cut_owner(reason)
            await self._follow(on_air)

    async def kick(self, channel_id: int, reason: str) -> bool:
        """Cut a channel's publisher because its owner says so (see Broadcast.kick); False when nobody publishes."""
        on_air = self._on_air.get(channel_id)
        if on_air is None or not on_air.broadcast.owned:
            return False
        on_air.broadcast.kick(self.now())
        on_air.cut_owner(reason)
        await self._follow(on_air)
        return True

    # --- time --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """End orphans of an earlier process, then tick, renew leases and sweep until cancelled."""
        try:
            orphans = await self._channels.end_orphans()
            log.info("orphans_ended count=%d", orphans)
        except StoreError as error:
            log.warning("orphans_not_ended words=%s", error)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_for_ever())
            tasks.create_task(self._renew_for_ever())

    async def close(self) -> None:
        """End every broadcast, in the store too; nothing is left running."""
        for on_air in list(self._on_air.values()):
            on_air.broadcast.stop()
            if on_air.transcoder:
                await on_air.transcoder.close()
            on_air.cut_owner("the server is closing")
            await self._follow(on_air)
        self._ended.clear()
        self._writers.clear()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """Time has passed: look at every broadcast once, and sweep."""
        now = self.now()
        for on_air in list(self._on_air.values()):
            owned = on_air.broadcast.owned
            on_air.broadcast.tick(now)
            if owned and not on_air.broadcast.owned:
                on_air.cut_owner("nothing came for too long")
        changed = [each for each in self._on_air.values() if each.told is not each.broadcast.state]
        await asyncio.gather(*map(self._follow, changed))
        kept = [each for each in self._ended if now - (each.ended_at or now) < ENDED_RETENTION_SECONDS][-ENDED_MAX:]
        for on_air in self._ended:
            if on_air not in kept and on_air.broadcast_id is not None:
                del self._writers[on_air.broadcast_id]
        self._ended = kept

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for on_air in list(self._on_air.values()):
                await self._renew(on_air)

    async def _renew(self, on_air: OnAir) -> None:
        if on_air.broadcast_id is None or on_air.broadcast.state is State.ENDED:
            return
        try:
            await self._channels.renew_lease(on_air.broadcast_id)
            # The operator's desk rotates keys and bans in the database; here is where a running broadcast learns of it.
            if on_air.broadcast.owned and await self._channels.by_stream_key_hash(on_air.key_hash) is None:
                await self.cut(on_air.channel.id, "this stream key is no longer valid")
        except BroadcastEnded:
            on_air.broadcast.stop()
            on_air.cut_owner("the channel went on air from elsewhere")
            await self._follow(on_air)
        except StoreError as error:
            log.warning("lease_not_renewed broadcast=%d words=%s", on_air.broadcast_id, error)

    # --- what follows ------------------------------------------------------------------------------------------------

    async def begin(self, on_air: OnAir, owner: int, began: Began) -> None:
        """The owner's media can be played from here on: go on air, or go on. Raises Refused."""
        async with on_air.lock:
            if on_air.writer is None:
                await self._begin_writer(on_air, began)
            assert on_air.writer is not None
            if not on_air.broadcast.began(owner, self.now()):
                raise Refused(LATER, "this connection is no longer on air")
            on_air.writer.begin(began, date=time.time())
            if on_air.transcoder:
                self._ladders.begin(on_air.transcoder, on_air.writer, began)
        await self._follow(on_air)

    async def _begin_writer(self, on_air: OnAir, began: Began) -> None:
        await self._ladders.detect()
        try:
            on_air.broadcast_id = await self._channels.begin_broadcast(on_air.channel.id)
        except (StoreError, ChannelUnknown) as error:
            raise Refused(LATER, "the broadcast cannot be begun at the moment: try again") from error
        on_air.channel = replace(
            on_air.channel, on_air=True, broadcast_id=on_air.broadcast_id, started_at=datetime.now(UTC)
        )
        ladder = self._ladders.rungs(began)
        rates = {rung.name: rung.bits_a_second for rung in ladder}
        on_air.writer = Writer(on_air.broadcast_id, self._ladders.renditions(ladder), bits_a_second=rates)
        self._writers[on_air.broadcast_id] = on_air.writer
        on_air.transcoder = self._ladders.transcoder(ladder, on_air.writer)

    async def _follow(self, on_air: OnAir) -> None:
        """Carry out what the core has decided since the last time, and tell it."""
        async with on_air.lock:
            while on_air.told is not on_air.broadcast.state:
                on_air.told = on_air.broadcast.state
                if on_air.writer and on_air.told is State.INTERRUPTED:
                    if on_air.transcoder:
                        on_air.transcoder.finish()
                    on_air.writer.interrupt()
                if on_air.told is State.ENDED:
                    await self._end(on_air)
                if on_air.broadcast_id is not None:
                    await self._tell(on_air)

    async def _end(self, on_air: OnAir) -> None:
        on_air.ended_at = self.now()
        if self._on_air.get(on_air.channel.id) is on_air:
            del self._on_air[on_air.channel.id]
        if on_air.transcoder:
            await on_air.transcoder.drained()
        if on_air.writer:
            on_air.writer.end()
            self._ended.append(on_air)
        if on_air.broadcast_id is not None:
            try:
                await self._channels.end_broadcast(on_air.broadcast_id)
            except StoreError as error:  # Its lease runs out by itself.
                log.warning("broadcast_not_ended broadcast=%d words=%s", on_air.broadcast_id, error)
            on_air.channel = replace(on_air.channel, on_air=False)

    async def _tell(self, on_air: OnAir) -> None:
        try:
            async with asyncio.timeout(TELL_SECONDS_MAX):
                await self._on_state(on_air.channel, on_air.told)
        except Exception:
            # Whoever listens may fail as it likes: the broadcast does not end by it.
            log.exception("state_not_told broadcast=%s state=%s", on_air.broadcast_id, on_air.told)

    async def lost(self, on_air: OnAir, owner: int, *, clean: bool) -> None:
        """A publishing session is over."""
        on_air.broadcast.lost(owner, self.now(), clean=clean)
        if owner == on_air.broadcast.owner:
            on_air.cut = None
        await self._follow(on_air)


class Feed:
    """One publishing session's media (rtmp_ingest/publishers.py, Sink)."""

    def __init__(self, broadcasts: Broadcasts, on_air: OnAir, owner: int) -> None:
        self._broadcasts = broadcasts
        self._on_air = on_air
        self._owner = owner
        self._intake = Intake()

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
        await self._broadcasts.lost(self._on_air, self._owner, clean=clean)

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
                    await self._broadcasts.begin(self._on_air, self._owner, event)
                    self._on_air.health.take(event, self._broadcasts.now())
                elif self._owns():  # Another owner may have come while this one waited for the store.
                    self._write(event)
        except (FlvError, MediaError) as error:
            raise Refused("NetStream.Publish.Rejected", str(error)) from error

    def _owns(self) -> bool:
        return self._on_air.broadcast.media(self._owner, self._broadcasts.now())

    def _write(self, event: Event) -> None:
        assert not isinstance(event, Began)
        self._on_air.health.take(event, self._broadcasts.now())
        assert self._on_air.writer is not None
        if isinstance(event, Audio):
            self._on_air.writer.audio(event)
            return
        self._on_air.writer.video(event)
        if self._on_air.transcoder:
            self._on_air.transcoder.video(event)
