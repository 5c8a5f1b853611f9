"""Shell: one connection: rsocket-py's server behind our gate, without its queues and without its tasks.

A message is judged, parsed and handled where it arrives, and a frame is written where it arises. An idle connection
has no task here; a request has one, which ends by itself or at its deadline. Fire-and-forget lines are handled one
after another, as they were said. Nothing that is raised anywhere leaves as text: `translate` says what the peer hears.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from typing import TYPE_CHECKING, Any

from rsocket.disposable import Disposable
from rsocket.frame import (
    CancelFrame,
    RequestChannelFrame,
    RequestFireAndForgetFrame,
    RequestResponseFrame,
    RequestStreamFrame,
    parse_or_ignore,
)
from rsocket.frame_fragment_cache import FrameFragmentCache
from rsocket.handlers.request_stream_responder import RequestStreamResponder
from rsocket.lease import NullLease
from rsocket.request_handler import BaseRequestHandler
from rsocket.rsocket_server import RSocketServer
from rsocket.stream_control import StreamControl

from rsocket_server import frames, limits
from rsocket_server.doors import Caller, Model, RouteUnknown
from rsocket_server.doorway import Answering, DeferredChannel, DeferredPublisher, in_time
from rsocket_server.frames import CloseCode, ErrorCode
from rsocket_server.gate import Allow, Answer, Ask, Close, Gate, State
from rsocket_server.gate_errors import HouseClosing, TokenOver, TooManyFrames
from rsocket_server.metadata import MetadataMalformed, read_bearer, read_route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rsocket_server.carrier import Attached
    from rsocket_server.doors import Entrance
    from rsocket_server.frame_budget import FrameBudget
    from rsocket_server.gate import Verdict
    from rsocket_server.gate_errors import GateError
    from rsocket_server.setup import Setup
    from rsocket_server.transport import Socket

_log = logging.getLogger("commeow.rsocket")
_NO_LEASE = NullLease()
_NO_HANDLER = BaseRequestHandler()  # Doors are asked instead.


class Connection(RSocketServer):  # type: ignore[misc]
    """rsocket-py's server side of one connection, hardened (private names of 0.4.20 are relied upon; it is pinned).

    Args:
        socket: where messages are written.
        entrance: the doors and who speaks for them.
        now: a clock in seconds that never jumps.
        budget: how much the client may send.
    """

    # With these beside the library's own, an instance's dictionary would be one that no other shares: 1.5 KB each.
    __slots__ = (
        *("_attached", "_entrance", "_inbox", "_inbox_low", "_lost", "_metadata_mime", "_now", "_opened_at", "_pump"),
        *("_reason", "_refusing", "_socket", "_tasks", "budget", "caller", "gate"),
    )

    def __init__(self, socket: Socket, entrance: Entrance, now: Callable[[], float], budget: FrameBudget) -> None:
        self._socket = socket
        self.budget = budget
        self._entrance = entrance
        self._now = now
        self._opened_at = now()
        self.gate = Gate(self._opened_at, self._words)
        self.caller = Caller(None, secrets.token_hex(6), self._whisper, self.spawn)
        self._metadata_mime = b""
        self._attached: dict[Attached, None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._inbox: list[tuple[bytes, bytes]] = []  # An empty deque takes ten times as much.
        self._pump: asyncio.Task[None] | None = None
        self._inbox_low: asyncio.Future[None] | None = None
        self._lost = self._refusing = False
        self._reason = "the client went"
        super().__init__(socket, handler_factory=lambda: _NO_HANDLER)

    # --- what is different from the library -----------------------------------------------------------------------

    def _reset_internals(self) -> None:
        # No send queue and no request queue: both are unbounded.
        self._frame_fragment_cache = FrameFragmentCache()
        self._requester_lease = self._responder_lease = _NO_LEASE
        self._stream_control = StreamControl(self._get_first_stream_id())
        self._is_closing = False

    def _start_tasks(self) -> None:
        """Start none: the transport calls `receive`, and frames are written through."""

    def send_frame(self, frame: Any) -> None:
        """Write a frame of the library now."""
        self._write(frame.serialize())
        if frame.sent_future is not None and not frame.sent_future.done():
            frame.sent_future.set_result(None)

    send_priority_frame = send_frame

    def send_error(self, stream_id: int, exception: BaseException) -> None:
        """End a stream with what `translate` makes of an exception, never with its text."""
        code, data = self._translate(exception)
        self._write(frames.error(stream_id, code, data))

    def finish_stream(self, stream_id: int) -> None:
        """Forget a stream that has ended."""
        super().finish_stream(stream_id)
        self.gate.finished(stream_id)

    def stop_all_streams(self, error_code: Any = None, data: bytes = b"") -> None:  # noqa: ARG002 - the library's.
        """Dispose of every stream; one that fails does not keep the others alive."""
        streams = self._stream_control._streams  # noqa: SLF001 - the library offers no other way (0.4.20).
        for stream_id, stream in list(streams.items()):
            try:
                if isinstance(stream, Disposable):
                    stream.dispose()
            except Exception:  # noqa: BLE001 - logged, and the next one's turn.
                _log.exception("dispose_failed connection=%s stream=%d", self.caller.connection_id, stream_id)
            self.finish_stream(stream_id)

    # --- what the transport calls -----------------------------------------------------------------------------------

    def receive(self, message: bytes) -> Awaitable[None] | None:
        """Take one binary message. If something is answered, await it before bringing the next."""
        return self._obey(self.gate.receive(message, self._now()))

    def tick(self, now: float) -> None:
        """Take note of the time: a deadline of the gate may have passed."""
        closing = self.gate.tick(now)
        if closing is not None:
            self._close(closing)
        elif self.caller.ends_at is not None and now >= self.caller.ends_at + limits.RENEW_SECONDS:
            self.expel(TokenOver())

    def clog(self) -> None:
        """Let no stream send past what waits in the socket."""
        self._tell(lambda stream: stream.clog())

    def pause(self) -> None:
        """Stop all streams: the socket is full."""
        self._tell(lambda stream: stream.pause())

    def resume(self) -> None:
        """Let streams go on until the socket is full again."""
        self._tell(lambda stream: None if self._socket.paused else stream.resume())

    def lost(self) -> None:
        """End every stream: the socket has gone. What was said before and waits in the inbox is still handled."""
        if not self._lost:
            self._lost = self._is_closing = True
            self.gate.close()
            self.stop_all_streams()
            seconds = self._now() - self._opened_at
            _log.info(
                "connection_closed id=%s seconds=%.1f reason=%s", self.caller.connection_id, seconds, self._reason
            )

    @property
    def is_busy(self) -> bool:
        """Whether something is still being done for this connection."""
        return bool(self._tasks)

    async def settle(self) -> None:
        """Wait until no task of this connection is left. Cancelling this cancels them."""
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    def abort(self) -> None:
        """Cut the line and stop whatever is being done for it."""
        self._socket.abort()
        self._inbox.clear()
        for task in self._tasks:
            task.cancel()

    def close_house(self) -> None:
        """Say goodbye: this process is about to end. The streams have been completed; what was said is still heard."""
        said, self._inbox = self._inbox, []
        self.expel(HouseClosing())
        self._inbox = said

    def expel(self, error: GateError) -> None:
        """Say why and close."""
        if self.gate.state is not State.CLOSED:
            self.gate.close()
            self._close(Close(frames.error(0, error.error_code, self._words(error)), error.close_code, error))

    def refuse_requests(self) -> set[asyncio.Task[Any]]:
        """Begin nothing new: this process is about to end. Answer what is still being done."""
        self._refusing = True
        return set(self._tasks)

    def refuse_text(self) -> None:
        """Close a connection that sent a text message: RSocket is binary."""
        self.gate.close()
        self._close(Close(b"", CloseCode.UNSUPPORTED_DATA, None))

    def refuse_flood(self) -> None:
        """Say that there were too many frames, and close."""
        self.expel(TooManyFrames())

    # --- what streams call ------------------------------------------------------------------------------------------

    def attach(self, stream: Attached) -> Socket:
        """Tell the stream of the socket's fullness; answer what writes WebSocket messages."""
        self._attached[stream] = None
        if self._socket.paused:
            stream.pause()
        return self._socket

    def detach(self, stream: Attached) -> None:
        """Forget the stream."""
        self._attached.pop(stream, None)

    async def writable(self) -> None:
        """Wait until the socket takes more."""
        await self._socket.writable()

    def replace_stream(self, stream_id: int, handler: Any) -> None:
        """Put the real handler of a stream in its place."""
        self._register_stream(stream_id, handler)

    def fail_stream(self, stream_id: int, error: Exception) -> None:
        """End a stream with an error."""
        self.send_error(stream_id, error)
        self.finish_stream(stream_id)

    def _whisper(self, room: int, payload: bytes) -> None:
        for stream in list(self._attached):
            if stream.room_id == room:
                stream.whisper(payload)

    def _tell(self, tell: Callable[[Attached], None]) -> None:
        """Tell every stream; one that fails keeps nothing from the others: they would send past what waits."""
        for stream in list(self._attached):
            try:
                tell(stream)
            except Exception:  # noqa: BLE001 - logged, and the next one's turn.
                _log.exception("stream_failed connection=%s", self.caller.connection_id)

    # --- verdicts ---------------------------------------------------------------------------------------------------

    def _obey(self, verdict: Verdict) -> Awaitable[None] | None:
        match verdict:
            case Allow(frame):
                return self._handle(parse_or_ignore(frame))
            case Answer(frame):
                self._write(frame)
            case Close():
                self._close(verdict)
            case Ask(setup):
                return self._admit(setup)
        return None

    def _close(self, closing: Close) -> None:
        if closing.error is not None:
            self._reason = type(closing.error).__name__
        if closing.frame:
            self._write(closing.frame)
        self._is_closing = True
        self.stop_all_streams()
        self._inbox.clear()
        self._let_in()
        self._socket.shutdown(closing.code)

    async def _admit(self, setup: Setup) -> None:
        """Find out who it is and open the gate, or say why not and close."""
        self._metadata_mime = setup.metadata_mime
        try:
            async with asyncio.timeout(limits.SETUP_SECONDS):
                token = read_bearer(setup.metadata_mime, setup.metadata)
                badge = self._entrance.verify(token) if token is not None else None
                if inspect.isawaitable(badge):
                    badge = await badge
        except Exception as error:  # noqa: BLE001 - translated.
            if self.gate.state is State.ASKED:
                broken = isinstance(error, MetadataMalformed)
                code = ErrorCode.INVALID_SETUP if broken else ErrorCode.REJECTED_SETUP
                self._reason = "setup refused"
                self._close(self.gate.reject(code, self._translate(error)[1]))
            return
        if self.gate.state is State.ASKED:
            if badge is not None:
                self.budget.belong_to(badge.member.id)
                self.caller.admit(badge, self._now())
            self.gate.accept(self._now())

    # --- requests ---------------------------------------------------------------------------------------------------

    def _handle(self, frame: Any) -> Awaitable[None] | None:
        stream_id, data, metadata = frame.stream_id, frame.data, frame.metadata
        if isinstance(frame, RequestFireAndForgetFrame):
            return self._enqueue(data, metadata)
        try:
            if isinstance(frame, RequestResponseFrame):
                door = lambda: self._through(Model.RESPONSE, data, metadata)  # noqa: E731
                self._register_stream(stream_id, Answering(self, stream_id, door, self.spawn))
            elif isinstance(frame, RequestStreamFrame):
                publisher = DeferredPublisher(lambda: self._through(Model.STREAM, data, metadata), self.spawn)
                responder = RequestStreamResponder(self, publisher)
                self._register_stream(stream_id, responder).frame_received(frame)
            elif isinstance(frame, RequestChannelFrame):
                channel = DeferredChannel(self, frame, lambda: self._through(Model.CHANNEL, data, metadata), self.spawn)
                self._register_stream(stream_id, channel)
            else:
                self._stream_control.handle_stream(frame)
        except Exception as error:  # noqa: BLE001 - one stream's trouble ends that stream.
            if isinstance(frame, CancelFrame):
                self.finish_stream(stream_id)  # Cancelled is cancelled: nothing more is said on it.
            else:
                self.fail_stream(stream_id, error)
        return None

    async def _through(self, model: Model, data: bytes, metadata: bytes) -> Any:
        """Find the door and let its handler answer in time."""
        self.budget.pay(limits.REQUEST_COST_SECONDS)
        if self._refusing and model is not Model.FIRE_AND_FORGET:  # Of which nobody would hear that it was refused.
            raise HouseClosing
        route = read_route(self._metadata_mime, metadata)
        door = self._entrance.doors.get((model, route))
        if door is None:
            raise RouteUnknown(route)
        self.caller.check(door)
        return await in_time(door.handle(self.caller, data))

    def _enqueue(self, data: bytes, metadata: bytes) -> Awaitable[None] | None:
        self._inbox.append((data, metadata))
        if self._pump is None:
            self._pump = self.spawn(self._work_off())
        if len(self._inbox) < limits.INBOX_FRAMES_MAX:
            return None
        # A flood waits in the peer's own socket, not here.
        self._inbox_low = asyncio.get_running_loop().create_future()
        return self._inbox_low

    async def _work_off(self) -> None:
        while self._inbox:
            data, metadata = self._inbox.pop(0)
            if len(self._inbox) <= limits.INBOX_FRAMES_MAX // 2:
                self._let_in()
            try:
                await self._through(Model.FIRE_AND_FORGET, data, metadata)
            except Exception as error:  # noqa: BLE001 - nobody waits; it is only recorded.
                self._translate(error)
        self._pump = None

    def _let_in(self) -> None:
        if self._inbox_low is not None and not self._inbox_low.done():
            self._inbox_low.set_result(None)
        self._inbox_low = None

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Set to work what this connection waits for at its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- words ------------------------------------------------------------------------------------------------------

    def _write(self, frame: bytes) -> None:
        if self._is_closing:
            return
        if self._socket.waiting_bytes > limits.OUTBOUND_BYTES_MAX:
            self._reason = "slow"
            self._socket.abort()
            return
        self._socket.write(frames.message(frame))

    def _translate(self, error: BaseException) -> tuple[int, bytes]:
        try:
            return self._entrance.translate(error)
        except Exception:  # noqa: BLE001 - logged; the peer hears nothing of it.
            _log.exception("translate_failed error=%s", type(error).__name__)
            return ErrorCode.APPLICATION_ERROR, b""

    def _words(self, error: GateError) -> bytes:
        return self._translate(error)[1]
