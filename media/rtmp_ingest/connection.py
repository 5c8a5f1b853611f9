"""Shell: one encoder's connection: its session, its one timer, its sink.

Media is the hot path: what the pulse reads goes through the session into the sink in one go, without waking a task, as
long as the sink takes at once what it is given. Everything that takes time (the decision about a key, a slow sink,
answers, the end) is done by the connection's one task; meanwhile the socket is not read from.

The log has one line a connection, at its end. No key, no application name, no text of the peer is ever in it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import traceback
from collections import deque
from typing import TYPE_CHECKING

from media.rtmp_ingest.errors import Refused
from media.rtmp_ingest.events import (
    AudioReceived,
    Metadata,
    PublishEnded,
    PublishRequested,
    SessionClosed,
    VideoReceived,
)
from media.rtmp_ingest.handshake import NONCE_BYTES
from media.rtmp_ingest.publishers import TAKEN
from media.rtmp_ingest.session import Session
from media.rtmp_ingest.states import State

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from media.rtmp_ingest.events import Event
    from media.rtmp_ingest.publishers import Limits, Publishers, Sink
    from media.rtmp_ingest.transport import Transport

log = logging.getLogger(__name__)


class Connection:
    """One publisher, from its first byte to its end. `run` it."""

    def __init__(self, transport: Transport, publishers: Publishers, limits: Limits, address: str) -> None:
        self.address = address
        self._transport = transport
        self._publishers = publishers
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._began = self._now()
        self._session = Session(self._began, secrets.token_bytes(NONCE_BYTES))
        self._sink: Sink | None = None
        self._events: deque[Event] = deque()
        self._unsettled: Awaitable[None] | None = None  # What the sink was given last and has not taken yet.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._deciding: asyncio.Timeout | None = None
        self._stopped: str | None = None  # Why to close without a word.
        self._cut: str | None = None  # Why to take the publisher off the air, in words for it.
        self._said_last = False  # Whether the last turn sent something that the peer should live to read.
        self._reason = "unknown"

    @property
    def is_stranger(self) -> bool:
        """Whether this connection may be asked to make room: it neither publishes nor waits for our word."""
        return self._stopped is None and self._session.state not in {State.DECIDING, State.PUBLISHING}

    def stop(self, reason: str) -> None:
        """Close soon, without a word."""
        self._stopped = self._stopped or reason
        self._interrupt()

    def cut(self, reason: str) -> None:
        """Take the publisher off the air soon; its encoder shows the reason."""
        self._cut = self._cut or reason
        self._interrupt()

    # --- the short way -----------------------------------------------------------------------------------------------

    def _pass_at_once(self, data: bytes) -> None:
        """One input, drain; what cannot be done here and now is left to the task, which is woken for it."""
        session = self._session
        try:
            session.receive_data(data, self._now())
            events = session.events()
            for index, event in enumerate(events):
                slow = self._offer(event)
                if slow is not TAKEN:
                    self._unsettled = slow
                    self._events.extend(events[index + (slow is not None) :])
                    self._transport.wake()
                    return
        except Exception:
            # A bug of ours may cost this publisher its connection, and nobody else anything.
            log.exception("rtmp_failed address=%s", self.address)
            self._session.close("internal error")
        if session.has_data_to_send or session.state is State.CLOSED:
            self._transport.wake()

    def _offer(self, event: Event) -> Awaitable[None] | None:
        """Give media to the sink and return what it returns; None: the event is no media, or nobody takes it."""
        sink = self._sink
        if sink is None:
            return None
        try:
            if isinstance(event, VideoReceived):
                return sink.video(event.timestamp_ms, event.payload)
            if isinstance(event, AudioReceived):
                return sink.audio(event.timestamp_ms, event.payload)
            if isinstance(event, Metadata):
                return sink.metadata(event.values)
        except Exception as error:  # noqa: BLE001 - whoever awaits it deals with it.
            return _raising(error)
        return None

    # --- the task ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            while self._session.state is not State.CLOSED:
                await self._receive()
                await self._deliver()
                await self._send()
        except Exception:
            # A bug of ours may cost this publisher its connection, and nobody else anything.
            log.exception("rtmp_failed address=%s", self.address)
            self._session.close("internal error")
        finally:
            await self._finish()

    def _interrupt(self) -> None:
        self._transport.wake()
        if self._deciding is not None and not self._deciding.expired():
            self._deciding.reschedule(self._now())

    async def _receive(self) -> None:
        """Wait for one input and give it to the session: bytes, their end, time, or our own wish to stop."""
        if self._obey():
            return
        self._transport.pace(self._pass_at_once if self._sink else None)
        self._watch()
        await self._transport.wait()
        # Closed by the short way, it still has to be delivered.
        if self._session.state is State.CLOSED or self._obey():
            return
        if data := self._transport.take():
            self._session.receive_data(data, self._now())
        elif self._transport.fault:
            self._session.close(str(self._transport.fault))
        elif self._transport.at_end:
            self._session.receive_data(b"", self._now())
        else:
            self._session.tick(self._now())

    def _watch(self) -> None:
        """See that the task is woken when the session's time runs out. Later deadlines find their timer set."""
        deadline = self._session.next_deadline()
        if deadline is not None and (self._timer is None or deadline < self._timer_due):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = deadline
            self._timer = self._loop.call_at(deadline, self._time_has_passed)

    def _time_has_passed(self) -> None:
        self._timer = None
        deadline = self._session.next_deadline()
        if deadline is not None and self._now() < deadline:
            self._watch()  # Media has come meanwhile.
        else:
            self._transport.wake()

    def _obey(self) -> bool:
        if self._stopped is not None:
            self._session.close(self._stopped)
        elif self._cut is not None:
            self._session.cut("NetStream.Publish.Denied", self._cut)
        return self._session.state is State.CLOSED

    async def _deliver(self) -> None:
        if self._unsettled is not None:
            unsettled, self._unsettled = self._unsettled, None
            await self._settle(unsettled)
        while True:
            if not self._events:
                self._events.extend(self._session.events())
                if not self._events:
                    return
            await self._take(self._events.popleft())

    async def _take(self, event: Event) -> None:
        if isinstance(event, VideoReceived | AudioReceived | Metadata):
            slow = self._offer(event)
            # None: this very batch of events brought the end.
            if slow is not None:
                await self._settle(slow)
        elif isinstance(event, PublishRequested):
            await self._decide(event)
        elif isinstance(event, PublishEnded):
            await self._end_sink(clean=True)
        elif isinstance(event, SessionClosed):
            self._reason = event.reason

    async def _settle(self, slow: Awaitable[None]) -> None:
        """Wait until the sink has taken what it was given."""
        try:
            await slow
        except Refused as refused:
            self._session.cut(refused.code, refused.description)
            await self._end_sink(clean=False)
        except Exception:
            log.exception("rtmp_sink_failed address=%s", self.address)
            self._session.cut("NetStream.Failed", "the server cannot go on with this stream")
            await self._end_sink(clean=False)

    async def _decide(self, event: PublishRequested) -> None:
        """Ask whose key it is. Nothing is registered anywhere before the answer."""
        try:
            async with asyncio.timeout(self._limits.decision_seconds_max) as self._deciding:
                self._sink = await self._publishers.publish(event.key, event.app, self.cut)
        except Refused as refused:
            self._session.reject(event.request_id, refused.code, refused.description)
        except Exception:  # noqa: BLE001 - it is logged, below.
            if not self._obey():
                # Whoever looked the key up may have put it into its error.
                told = traceback.format_exc().replace(event.key, "[key]")
                log.error("rtmp_decision_failed address=%s\n%s", self.address, told)  # noqa: TRY400 - see above.
                words = "the server cannot take a stream at the moment: try again"
                self._session.reject(event.request_id, "NetStream.Failed", words)
        else:
            self._session.accept(event.request_id, self._now())
        finally:
            self._deciding = None

    async def _end_sink(self, *, clean: bool) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            await sink.end(clean)
        except Exception:
            log.exception("rtmp_sink_failed address=%s", self.address)

    async def _send(self) -> None:
        data = self._session.data_to_send()
        self._said_last = bool(data)
        if not data:
            return
        try:
            await self._transport.write(data, self._limits.write_seconds_max)
        except TimeoutError:
            self._session.close("the peer does not read its answers")

    async def _finish(self) -> None:
        """Close, letting the peer read our last words first, and write the one line of the log."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._deliver()
            await self._end_sink(clean=False)
            await self._transport.close(self._limits.linger_seconds_max, linger=self._said_last)
        finally:
            self._transport.abort()
            log.info(
                "rtmp_closed address=%s reason=%r bytes=%d seconds=%.1f",
                self.address,
                self._reason,
                self._session.bytes_received,
                self._now() - self._began,
            )


async def _raising(error: Exception) -> None:
    raise error
