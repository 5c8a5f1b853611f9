"""Door: HTTP: what a browser's connection meets first: playback is answered here, all else passed on to aiohttp.

A browser has six connections to an origin and asks any of them for anything, so this is decided for each request, not
for each connection: a head of the plainest form is read (`request_head.py`), and aiohttp gets the bytes of exactly one
request and its body; when it has answered, the next head is looked at. What is not of that form makes the connection
aiohttp's for good.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from enum import Enum
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from media.hls_writer.errors import HlsError
from routes.addresses import counted_as
from routes.request_head import Head, Unread, read_head

if TYPE_CHECKING:
    from media.hls_writer.waiting import Answer
    from routes.quick_playback import Found, QuickPlayback

IDLE_SECONDS_MAX: Final = 30.0
"""Seconds between requests of one browser; longer than the 5 s after which a page polls anything."""

HEAD_SECONDS_MAX: Final = 10.0
"""Seconds for a head to be whole: 8 KiB at 7 kbit/s; slower is an attack or not worth a connection."""

STUCK_SECONDS_MAX: Final = 20.0
"""Seconds without one byte taken of what we send: the other end has gone without a word."""

AHEAD_BYTES_MAX: Final = 64 * 1024
"""Bytes of requests that come while one is answered; after that we read no more until it is."""

LOOK_SECONDS: Final = 5.0
"""Seconds between looks at the time of all connections; what is over is noticed so much later at most."""

CONNECTIONS_MAX: Final = 20_000
"""Connections at once, and never more than half of the files we may open: encoders and recordings need theirs."""

ADDRESS_CONNECTIONS_MAX: Final = 2_000
"""Connections of one address: as many viewers as chat lets in from there (500), at four each."""

ROOM_MADE: Final = 64
"""Idle connections that make room at once where there is none: a look at all of them should serve many newcomers."""

BACKLOG: Final = 1024
"""Connections that wait to be accepted: a popular broadcast begins."""


class State(Enum):
    """Whose turn it is on a connection."""

    FREE = "free"  # Between requests.
    WAITING = "waiting"  # Playback waits for a part.
    PASSED = "passed"  # aiohttp answers one request.
    FOREIGN = "foreign"  # aiohttp has it for good.
    ENDED = "ended"  # Closed by us, when the other side has taken what is left.


class Behind(web.RequestHandler):
    """aiohttp's side of a connection; says when a request has been answered."""

    __slots__ = ("front",)
    front: Front | None

    async def finish_response(self, *arguments: Any) -> tuple[web.StreamResponse, bool]:
        """Write the answer, then say so."""
        response, reset = await super().finish_response(*arguments)
        if self.front is not None:
            self.front.answered(keep=bool(response.keep_alive) and not reset)
        return response, reset

    def keep_time(self) -> None:
        """Look at idleness from now on: nobody else does any more, and `keep_alive` has ended its own clock."""
        loop = asyncio.get_running_loop()
        self._next_keepalive_close_time = loop.time() + IDLE_SECONDS_MAX
        if self._keepalive_handle is None:
            self._keepalive_handle = loop.call_at(self._next_keepalive_close_time, self._process_keepalive)


class Front(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        *("_answered", "_behind", "_body", "_fronts", "_full", "_head", "_held", "_paused", "_quiet"),
        *("_state", "_stuck", "_transport", "_unsent", "_wanted", "address"),
    )

    def __init__(self, fronts: Fronts) -> None:
        self._fronts = fronts
        self._transport: asyncio.Transport | None = None
        self.address: str | None = None  # Under which it is counted.
        self._behind: Behind | None = None
        self._state = State.FREE
        self._held = b""
        self._head: Head | None = None
        self._body = 0  # Bytes of the passed request's body that are still to come.
        self._answered = False
        self._paused = False
        self._full = False
        self._wanted: Found | None = None  # While it waits.
        self._quiet = 0.0
        self._stuck = 0.0
        self._unsent = 0

    # --- the transport's side -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class.
        peer = transport.get_extra_info("peername")
        # Of a proxy's visitors each request has its own, so connections from this machine are not counted.
        self.address = counted_as(peer[0], None, public_url=None) if isinstance(peer, tuple) else None
        if not self._fronts.arrived(self):
            self._state = State.ENDED
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever was under way."""
        self._fronts.gone(self)
        self._transport = None
        self._wait_no_more()
        if self._behind is not None:
            self._behind.front = None
            self._behind.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes: of a body that aiohttp reads, or of the next head."""
        if self._state is State.FOREIGN:
            assert self._behind is not None
            self._behind.data_received(data)
            return
        if not self._held:
            self._quiet = 0.0  # Not with every byte: a head has its time.
        self._held = self._held + data if self._held else data
        if self._body:
            self._feed_body()
            self._be_free()
        elif self._state is State.FREE:
            self._go_on()
        if len(self._held) > AHEAD_BYTES_MAX and self._transport is not None:
            self._full = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Let the transport close, as aiohttp does: nobody reads any more."""

    def pause_writing(self) -> None:
        """What was written has not gone yet: answer nothing more."""
        self._paused = True
        self._unsent, self._stuck = 0, 0.0
        if self._behind is not None:
            self._behind.pause_writing()

    def resume_writing(self) -> None:
        """It has gone."""
        self._paused = False
        if self._behind is not None:
            self._behind.resume_writing()
        if self._state is State.FREE:
            self._go_on()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Answer heads that are whole, or pass them on, until one takes its time."""
        while self._held and self._state is State.FREE and not self._paused and self._transport is not None:
            head = read_head(self._held, known=self._head)
            if head is Unread.NOT_YET:
                break
            if isinstance(head, Unread):
                self._pass_for_good()
                return
            self._head = head
            found = self._fronts.quick.find(head.target) if head.method == b"GET" and not head.fields.body else None
            answer = found.ask.now() if found else None
            self._held, data = self._held[head.size :], self._held[: head.size]
            if found is None or isinstance(answer, HlsError):
                self._pass_on(head, data)
            else:
                if self._behind is not None:
                    self._behind.keep_alive(val=True)  # Its own clock of idleness would end us amid this.
                if answer is None:
                    self._wait(found)
                else:
                    self._reply(found, answer)
        self._read_on()

    def _read_on(self) -> None:
        """Read again once no more is ahead than may be."""
        if self._full and self._transport is not None and len(self._held) <= AHEAD_BYTES_MAX:
            self._full = False
            self._transport.resume_reading()

    def _wait(self, found: Found) -> None:
        self._state = State.WAITING
        self._wanted = found
        self._fronts.quick.waits()
        found.hold(self._take)

    def _take(self, answer: Answer) -> None:
        """Answer what was waited for."""
        found, self._wanted = self._wanted, None
        assert found is not None
        self._fronts.quick.waits_no_more()
        self._state = State.FREE
        self._quiet = 0.0
        self._reply(found, answer)
        self._go_on()

    def _wait_no_more(self) -> None:
        if self._wanted is not None:
            self._wanted.forget(self._take)
            self._wanted = None
            self._fronts.quick.waits_no_more()

    def _reply(self, found: Found, answer: Answer) -> None:
        assert self._head is not None
        if self._transport is None:
            return
        closes = self._head.fields.closes
        self._transport.writelines(self._fronts.quick.reply(found, answer, closes=closes))
        if closes:
            self._end()

    def _end(self) -> None:
        """Close when all has gone; what still comes is nobody's."""
        if self._transport is not None:
            self._state = State.ENDED
            self._transport.close()

    # --- aiohttp's side -----------------------------------------------------------------------------------------------

    def _pass_on(self, head: Head, data: bytes) -> None:
        """Give aiohttp one request, and what is here of its body."""
        self._state = State.PASSED
        self._answered = False
        self._body = head.fields.body
        self._get_behind().data_received(data)
        self._feed_body()

    def _feed_body(self) -> None:
        """Pass on what has come of the body."""
        data, self._held = self._held[: self._body], self._held[self._body :]
        self._body -= len(data)
        if data:
            self._get_behind().data_received(data)

    def answered(self, *, keep: bool) -> None:
        """Go on behind a request that aiohttp has answered; without `keep` it closes the connection now."""
        self._answered = keep
        self._be_free()

    def _be_free(self) -> None:
        """Look at the next head once the last request is answered and over."""
        if self._state is State.PASSED and self._answered and not self._body:
            self._state = State.FREE
            self._quiet = 0.0
            self._go_on()

    def _pass_for_good(self) -> None:
        self._state = State.FOREIGN
        data, self._held = self._held, b""
        self._read_on()
        behind = self._get_behind()
        behind.keep_time()
        behind.data_received(data)

    def _get_behind(self) -> Behind:
        if self._behind is None:
            assert self._transport is not None
            self._behind = self._fronts.behind()
            self._behind.front = self
            self._behind.connection_made(self._transport)
        return self._behind

    # --- time ---------------------------------------------------------------------------------------------------------

    def look(self, seconds: float) -> None:
        """Time has passed: end who is idle, too slow with a head, or takes nothing of what is sent."""
        if self._transport is None:
            return
        if self._paused or self._transport.is_closing():
            unsent = self._transport.get_write_buffer_size()
            self._stuck = self._stuck + seconds if unsent >= self._unsent > 0 else 0.0
            self._unsent = unsent
            if self._stuck >= STUCK_SECONDS_MAX:
                self._transport.abort()
        elif self._state is State.FREE:
            self._quiet += seconds
            if self._quiet >= (HEAD_SECONDS_MAX if self._held else IDLE_SECONDS_MAX):
                self._end()

    @property
    def quiet_seconds(self) -> float:
        """For how long it was asked nothing, as far as was looked; 0 where something is under way or still unsent."""
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        return self._quiet if self._state is State.FREE and not unsent else 0.0

    def make_room(self) -> None:
        """End for a newcomer's sake: a browser whose connection was idle asks on another."""
        self._state = State.ENDED
        cast("asyncio.Transport", self._transport).abort()  # Whoever has none any more is not asked.

    def close(self) -> None:
        """The house closes; what aiohttp has under way is for aiohttp to end."""
        if self._state in {State.FREE, State.WAITING}:
            self._wait_no_more()
            self._end()


class Fronts:
    """Listens, keeps the connections, and looks at their time.

    `server` is aiohttp's (`AppRunner.server`); it has no listener of its own.
    """

    def __init__(self, server: web.Server, quick: QuickPlayback) -> None:
        self.quick = quick
        self.connections: set[Front] = set()
        self._server = server
        self._addresses: Counter[str] = Counter()
        self._room = CONNECTIONS_MAX
        self._listener: asyncio.Server | None = None
        self._looking: asyncio.TimerHandle | None = None
        # Of whom (None: of all) nobody was idle: a flood must not make us look at everybody for each newcomer.
        self._busy: set[str | None] = set()

    def behind(self) -> Behind:
        """Make aiohttp's side of a connection."""
        return Behind(
            self._server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # What AppRunner takes, its handler takes too.
            keepalive_timeout=IDLE_SECONDS_MAX,
        )

    async def listen(self, host: str, port: int) -> int:
        """Open the port, and say which it is. Raises OSError."""
        loop = asyncio.get_running_loop()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            self._room = min(self._room, files // 2)
        self._listener = await loop.create_server(lambda: Front(self), host, port, backlog=BACKLOG)
        self._looking = loop.call_later(LOOK_SECONDS, self._look)
        return int(self._listener.sockets[0].getsockname()[1])

    def arrived(self, front: Front) -> bool:
        """Take note of a connection; False if there is no room for it, nor can be made."""
        address = front.address
        if address and self._addresses[address] >= ADDRESS_CONNECTIONS_MAX and not self._make_room(address):
            return False
        if len(self.connections) >= self._room and not self._make_room(None):
            return False
        self.connections.add(front)
        if address:
            self._addresses[address] += 1
        return True

    def _make_room(self, address: str | None) -> bool:
        """End those that were asked nothing for longest, of one address or of all; False if all are busy."""
        if address in self._busy:
            return False
        idle = [each for each in self.connections if each.quiet_seconds and address in {None, each.address}]
        for each in nlargest(ROOM_MADE, idle, key=lambda each: each.quiet_seconds):
            self.gone(each)
            each.make_room()
        if not idle:
            self._busy.add(address)
        return bool(idle)

    def gone(self, front: Front) -> None:
        """Forget a connection, if there was room for it."""
        if front in self.connections:
            self.connections.remove(front)
            if front.address:
                self._addresses[front.address] -= 1
                if not self._addresses[front.address]:
                    del self._addresses[front.address]

    def _look(self) -> None:
        self._busy.clear()
        for each in tuple(self.connections):
            each.look(LOOK_SECONDS)
        self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def close(self) -> None:
        """Accept nobody any more, and end those who wait or are idle."""
        if self._listener is not None:
            self._listener.close()
        if self._looking is not None:
            self._looking.cancel()
        for each in tuple(self.connections):
            each.close()
