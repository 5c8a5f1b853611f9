"""Shell: a request on its way through a door: the answer is still being made while the client already says more.

rsocket-py wants a Publisher at once. These stand in for one until the handler has made it: they bank credit, take a
cancellation, and step aside.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rsocket.disposable import Disposable
from rsocket.frame import CancelFrame, RequestNFrame
from rsocket.handlers.request_cahnnel_responder import RequestChannelResponder
from rsocket.helpers import DefaultPublisher, DefaultSubscription
from rsocket.payload import Payload

from rsocket_server import limits
from rsocket_server.doors import HandlerTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rsocket.frame import RequestChannelFrame


async def in_time(answer: Awaitable[Any]) -> Any:
    """Await a handler for HANDLER_SECONDS at most.

    Raises:
        HandlerTimeout: it took longer and was cancelled, or something that it awaited was.
    """
    try:
        async with asyncio.timeout(limits.HANDLER_SECONDS) as deadline:
            return await answer
    except TimeoutError:
        if deadline.expired():
            raise HandlerTimeout from None
        raise
    except asyncio.CancelledError:
        if cancelled():
            raise  # The client took the request back, or has gone.
        raise HandlerTimeout from None


def cancelled() -> bool:
    """Whether this task has been told to end; a loop asks, since a driver may swallow the telling.

    Python 3.11's wait_for, in which redis-py sends, answers a cancellation with its result when it has one already.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Answering(Disposable):  # type: ignore[misc]
    """A request-response in work: one task that makes the answer, waits until the socket takes it, and writes it.

    The library's own responder writes from a callback, so that any number of answers may pile up on a slow socket.
    """

    def __init__(
        self,
        connection: Any,
        stream_id: int,
        answer: Callable[[], Awaitable[bytes]],
        spawn: Callable[[Any], asyncio.Task[None]],
    ) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self._dead = False
        self._task = spawn(self._respond(answer))

    def frame_received(self, frame: Any) -> None:
        """Stop when the client takes the request back."""
        if isinstance(frame, CancelFrame):
            self.dispose()
            self._connection.finish_stream(self.stream_id)

    def dispose(self) -> None:
        """Stop: nobody waits for the answer, even if the handler makes one after all."""
        self._dead = True
        self._task.cancel()

    async def _respond(self, answer: Callable[[], Awaitable[bytes]]) -> None:
        try:
            payload = Payload(await answer())
            await self._connection.writable()
        except Exception as error:  # noqa: BLE001 - translated on its way out.
            if not self._dead:
                self._connection.fail_stream(self.stream_id, error)
            return
        if not self._dead:
            self._connection.send_payload(self.stream_id, payload, complete=True)
            self._connection.finish_stream(self.stream_id)


class DeferredPublisher(DefaultPublisher, DefaultSubscription):  # type: ignore[misc]
    """A Publisher to be: what the handler gives takes over the subscriber with the credit banked so far.

    Args:
        answer: sets the handler to work.
        spawn: makes a task that its connection owns.
    """

    def __init__(self, answer: Callable[[], Awaitable[Any]], spawn: Callable[[Any], asyncio.Task[None]]) -> None:
        self._answer = answer
        self._spawn = spawn
        self._credit = 0
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, subscriber: Any) -> None:
        """Begin to wait for the handler."""
        subscriber.on_subscribe(self)
        self._task = self._spawn(self._resolve(subscriber))

    def request(self, n: int) -> None:
        """Bank credit."""
        self._credit = min(self._credit + n, limits.CREDIT_UNBOUNDED)

    def cancel(self) -> None:
        """Stop the handler: nobody waits for it."""
        if self._task is not None:
            self._task.cancel()

    async def _resolve(self, subscriber: Any) -> None:
        try:
            publisher = await self._answer()
            if cancelled():
                return
            publisher.subscribe(subscriber)
            # From here on the library speaks to the real subscription.
            if subscriber.subscription is not self and self._credit:
                subscriber.subscription.request(self._credit)
        except Exception as error:  # noqa: BLE001 - translated on its way out.
            subscriber.on_error(error)


class DeferredChannel(Disposable):  # type: ignore[misc]
    """A channel to be, in the library's table of streams under its id until the handler has answered.

    The client has no credit before that, so nothing but the first payload can have come.
    """

    def __init__(
        self,
        connection: Any,
        frame: RequestChannelFrame,
        answer: Callable[[], Awaitable[Any]],
        spawn: Callable[[Any], asyncio.Task[None]],
    ) -> None:
        self._connection = connection
        self._frame = frame
        self.stream_id = frame.stream_id
        self._task = spawn(self._resolve(answer))

    def frame_received(self, frame: Any) -> None:
        """Bank credit, or stop."""
        if isinstance(frame, RequestNFrame):
            credit = self._frame.initial_request_n + frame.request_n
            self._frame.initial_request_n = min(credit, limits.CREDIT_UNBOUNDED)
        elif isinstance(frame, CancelFrame):
            self._task.cancel()
            self._connection.finish_stream(self.stream_id)

    def dispose(self) -> None:
        """Stop the handler: the connection has gone."""
        self._task.cancel()

    async def _resolve(self, answer: Callable[[], Awaitable[Any]]) -> None:
        try:
            publisher, subscriber = await answer()
            if cancelled():
                return
            responder = RequestChannelResponder(self._connection, publisher)
            self._connection.replace_stream(self.stream_id, responder)
            responder.subscribe(subscriber)
            responder.frame_received(self._frame)
        except Exception as error:  # noqa: BLE001 - translated on its way out.
            self._connection.fail_stream(self.stream_id, error)
