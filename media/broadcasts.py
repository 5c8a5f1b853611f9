"""Shell: every broadcast of this process: who may publish, what becomes of the media, who is told, what is swept.

One at a time a channel. A publishing session's media goes through its own intake into its broadcast's writer and
ladder, as long as it is the broadcast's owner. Whatever the core decides is carried out by `_follow`, in one place and
in order. The store and the listeners of `on_state` may be slow or away: the picture goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from db.channel import BroadcastEnded, ChannelUnknown, hash_stream_key
from db.channels import HEARTBEAT_SECONDS
from db.errors import StoreError
from db.member import nickname_key
from media import recovery
from media.broadcast import GRACE_SECONDS, AlreadyLive, Kicked, State
from media.feed import LATER, Feed
from media.hls_writer import journal
from media.hls_writer.cutter import PART_SECONDS
from media.hls_writer.writer import SOURCE, Writer
from media.ladders import Ladders
from media.machine import usable_bytes
from media.on_air import OnAir
from media.past import Past
from media.rtmp_ingest.errors import Refused
from media.stream_health import Look
from media.thumbnails import Thumbnails

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from db.channel import Channel
    from db.channels import Channels
    from media.hls_writer.recorder import Recorder
    from media.intake import Began, Video
    from media.spool import Spool
    from media.thumbnails import Still, Thumbnail

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25
# What all broadcasts may hold in memory for a new one to begin: half of what the machine, or the container, has. The
# rest is for what the running ones still grow to, for their encoders, and for the database beside them.
MEDIA_BYTES_MAX: Final = usable_bytes() // 2
# After a lease has run out: a broadcast whose process was killed may still go on, if nobody took its place.
RESUME_LATE_SECONDS: Final = 10.0
# For `on_state`: news that takes longer is late anyway, and the publisher waits for it.
TELL_SECONDS_MAX: Final = 5.0
# For `before_end`: an end waits for it, and with that one the ticks of all.
BEFORE_END_SECONDS_MAX: Final = 2.0


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
        before_end: Callable[[int], Awaitable[None]] | None = None,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        spool: Spool | None = None,
        dvr_seconds: float = 0,
        part_seconds: float = PART_SECONDS,
    ) -> None:
        self._channels = channels
        self._root = root
        self._ladders = Ladders(ladder, ffmpeg, root)
        self._on_state = on_state
        self._before_end = before_end
        self._grace_seconds = grace_seconds
        self.now = clock
        self._on_air: dict[int, OnAir] = {}
        self._spool = spool
        self._dvr_seconds = dvr_seconds
        self._part_seconds = part_seconds
        self._past = Past(dvr_seconds)
        self._writers: dict[int, Writer] = {}

    def __len__(self) -> int:
        """How many broadcasts there are that have not ended."""
        return len(self._on_air)

    # --- who asks ----------------------------------------------------------------------------------------------------

    def find(self, nickname: str, *, on_disk: bool = False) -> Writer | None:
        """The writer of a channel's broadcast: live, interrupted, or just ended; or, `on_disk`, what is left of it."""
        key = nickname_key(nickname)
        for on_air in self._on_air.values():
            if on_air.writer and nickname_key(on_air.channel.nickname) == key:
                return on_air.writer
        return self._past.find(nickname, on_disk=on_disk)

    def find_broadcast(self, broadcast_id: int) -> Writer | None:
        """The writer of a broadcast: live, interrupted, or ended while anything is left of it."""
        return self._writers.get(broadcast_id)

    def thumbnail(self, channel_id: int) -> Thumbnail | None:
        """The picture of a channel's broadcast; None when it has none (yet), or has ended."""
        on_air = self._on_air.get(channel_id)
        return on_air.still.thumbnail if on_air else None

    def find_thumbnail(self, nickname: str) -> Thumbnail | None:
        """The same, by the channel's name."""
        key = nickname_key(nickname)
        found = (each for each in self._on_air.values() if nickname_key(each.channel.nickname) == key)
        return next((each.still.thumbnail for each in found), None)

    def on_air(self) -> dict[int, int]:
        """The broadcasts that have begun and not ended, by their channels."""
        return {
            channel_id: on_air.broadcast_id
            for channel_id, on_air in self._on_air.items()
            if on_air.broadcast_id is not None and on_air.broadcast.state is not State.ENDED
        }

    def look(self, channel_id: int) -> Look | None:
        """How a channel's broadcast does; None when there is none."""
        on_air = self._on_air.get(channel_id)
        if on_air is None:
            return None
        state = on_air.broadcast.state
        renditions = on_air.writer.renditions if on_air.writer else ()
        report = on_air.health.report(self.now()) if state is State.LIVE else None
        encoded = renditions not in {(), (SOURCE,)}
        return Look(state=state, renditions=renditions, encoded=encoded, refused=on_air.refused, report=report)

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

    async def recover(self) -> None:
        """Go on with what an earlier process left, or end it; to be done before anybody may publish."""
        if self._spool is None:
            return
        unknown = []
        for folder in self._spool.folders():
            left = await asyncio.to_thread(recovery.read_folder, folder)
            try:
                if left:
                    await self._recover(left, self._spool)
            except (StoreError, OSError) as error:  # It stays for the next process; the others go on now.
                log.warning("not_recovered folder=%s words=%s", folder.name, error)
                unknown.append(folder.name)
        self._spool.sweep(keep=unknown)

    async def _recover(self, left: recovery.Left, spool: Spool) -> None:
        broadcast_id, channel = left.story.began.broadcast_id, None
        if not left.story.ended:
            channel = await self._channels.resume_broadcast(broadcast_id, late_seconds=RESUME_LATE_SECONDS)
        ended = channel is None
        channel = channel or await self._channels.by_id(left.story.began.channel_id)
        if channel is None or (ended and left.age_seconds >= self._dvr_seconds):
            return
        if not ended:
            await asyncio.to_thread(recovery.read_edge, left)
        writer = recovery.resume(left, spool, window_seconds=self._dvr_seconds, ended=ended)
        self._writers[broadcast_id] = writer
        log.info("recovered broadcast=%d ended=%s", broadcast_id, ended)
        if ended:
            self._past.add(channel.nickname, writer, self.now() - left.age_seconds, cool=True)
            return
        on_air = self._on_air[channel.id] = OnAir(channel, self._grace_seconds)
        on_air.broadcast_id, on_air.writer = broadcast_id, writer
        on_air.broadcast.resume(self.now())
        await self._follow(on_air)

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
            tasks.create_task(self._depict_for_ever())
            tasks.create_task(self._ladders.run())

    async def close(self) -> None:
        """End every broadcast, in the store too; nothing is left running."""
        for on_air in list(self._on_air.values()):
            on_air.broadcast.stop()
            if on_air.transcoder:
                await on_air.transcoder.close()
            on_air.cut_owner("the server is closing")
            await self._follow(on_air)
        self._past.clear()
        self._writers.clear()

    async def _depict_for_ever(self) -> None:
        await self._ladders.detect()
        if self._ladders.ffmpeg:
            self._root.mkdir(parents=True, exist_ok=True)
            await Thumbnails(self._ladders.ffmpeg, self._root, self._stills).run()

    def _stills(self) -> list[Still]:
        return [on_air.still for on_air in self._on_air.values()]

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
        for writer in self._past.sweep(now):
            del self._writers[writer.broadcast_id]
            if self._spool:
                self._spool.forget(writer.broadcast_id)

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
            is_new = on_air.writer is None
            if is_new:
                await self._begin_writer(on_air, began)
            assert on_air.writer is not None
            assert on_air.broadcast_id is not None
            if not on_air.broadcast.began(owner, self.now()):
                raise Refused(LATER, "this connection is no longer on air")
            if began.video and not on_air.laddered:
                if not is_new:
                    await self._ladders.detect()
                    on_air.transcoder = self._ladders.catch_up(on_air.writer, began)
                on_air.laddered, on_air.refused = True, self._ladders.lacks(on_air.writer, began)
            on_air.writer.begin(began, date=time.time())
            if on_air.transcoder:
                self._ladders.begin(on_air.transcoder, on_air.writer, began)
        await self._follow(on_air)

    async def _begin_writer(self, on_air: OnAir, began: Began) -> None:
        if sum(writer.bytes_held for writer in self._writers.values()) > MEDIA_BYTES_MAX:
            raise Refused(LATER, "the server is full at the moment: try again later")
        await self._ladders.detect()
        try:
            on_air.broadcast_id = await self._channels.begin_broadcast(on_air.channel.id)
        except (StoreError, ChannelUnknown) as error:
            raise Refused(LATER, "the broadcast cannot be begun at the moment: try again") from error
        on_air.channel = replace(
            on_air.channel, on_air=True, broadcast_id=on_air.broadcast_id, started_at=datetime.now(UTC)
        )
        ladder = self._ladders.admit(on_air.broadcast_id, began)
        rates = {rung.name: rung.bits_a_second for rung in ladder}
        renditions = self._ladders.renditions(ladder)
        recorder = self._record(on_air, tuple(rates), hidden=SOURCE not in renditions)
        on_air.writer = Writer(
            on_air.broadcast_id, renditions, self._part_seconds, bits_a_second=rates, recorder=recorder
        )
        self._writers[on_air.broadcast_id] = on_air.writer
        on_air.transcoder = self._ladders.open(on_air.writer, ladder)

    def _record(self, on_air: OnAir, rungs: tuple[str, ...], *, hidden: bool) -> Recorder | None:
        """Begin to keep a broadcast's past, if any is kept."""
        if self._spool is None or on_air.broadcast_id is None:
            return None
        began = journal.Began(
            journal.VERSION, on_air.channel.id, on_air.broadcast_id, self._part_seconds, (SOURCE, *rungs), hidden
        )
        return self._spool.record(began, window_seconds=self._dvr_seconds)

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
        if self._on_air.get(on_air.channel.id) is on_air:
            del self._on_air[on_air.channel.id]
        if on_air.transcoder:
            await on_air.transcoder.drained()
        if on_air.writer:
            on_air.writer.end()
            self._past.add(on_air.channel.nickname, on_air.writer, self.now())
        if on_air.broadcast_id is not None:
            self._ladders.close(on_air.broadcast_id)
            try:
                if self._before_end:
                    with contextlib.suppress(TimeoutError):  # It ends all the same.
                        async with asyncio.timeout(BEFORE_END_SECONDS_MAX):
                            await self._before_end(on_air.broadcast_id)
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

    def depict(self, on_air: OnAir, began: Began, keyframe: Video) -> None:
        """A keyframe that a picture of the broadcast can be made of."""
        if began.video and self._ladders.reads(began.video.codec):
            on_air.still.offer(began.video_payload, keyframe.payload)

    async def lost(self, on_air: OnAir, owner: int, *, clean: bool) -> None:
        """A publishing session is over."""
        on_air.broadcast.lost(owner, self.now(), clean=clean)
        if owner == on_air.broadcast.owner:
            on_air.cut = None
        await self._follow(on_air)
