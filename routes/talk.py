"""Door: RSocket: chat.talk: a conversation on one channel: events down, lines up, each side at the other's pace."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from db.bot_token import Scope
from routes import events, wire
from routes.chat import member_of
from routes.rate_limit import Busy
from routes.wire_bots import TalkLine
from rsocket_server.doors import Door, Model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from routes.chat import ChatDoors
    from rsocket_server.doors import Caller
    from rsocket_server.watch import Watch

LINES_AHEAD: Final = 8
"""Lines that a talker may send before the first of them is answered for: a bot's burst of replies."""


class TalkDoors:
    """The door of talking."""

    def __init__(self, chat: ChatDoors) -> None:
        self._chat = chat

    def doors(self) -> list[Door]:
        """List the door."""
        return [Door("chat.talk", Model.CHANNEL, members_only=True, handle=self._talk, scope=Scope.WRITE)]

    async def _talk(self, caller: Caller, data: bytes) -> tuple[Watch, Lines]:
        member_of(caller)
        wanted = wire.read(wire.Watch, data)
        number, watch = await self._chat.watch(caller, wanted)

        async def say(line: bytes) -> None:
            try:
                read = wire.read(TalkLine, line)
            except wire.WireError:
                # Nobody knows which line it was, but that one was refused.
                caller.whisper(number, wire.write(events.Refused(id="", code="wire.shape")))
                return
            await self._chat.say_or_refuse(caller, number, wire.Say(wanted.channel, read.id, read.text, wanted.local))

        return watch, Lines(say, caller.spawn)


class Lines:
    """The lines of one talker, a Subscriber: said one after another, as many ahead as were asked for.

    Args:
        say: says one, and sees to it that a refusal is heard.
        spawn: makes a task that the connection owns.
    """

    def __init__(self, say: Callable[[bytes], Awaitable[None]], spawn: Callable[[Any], Any]) -> None:
        self._say = say
        self._spawn = spawn
        self._waiting: deque[bytes] = deque()
        self._is_saying = False
        self._subscription: Any = None

    def on_subscribe(self, subscription: Any) -> None:
        """Ask for the first lines."""
        self._subscription = subscription
        subscription.request(LINES_AHEAD)

    def on_next(self, value: Any, is_complete: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the interface's.
        """Take a line. Raises Busy for more than were asked for, which ends the conversation."""
        if len(self._waiting) >= LINES_AHEAD:
            raise Busy(retry_after_ms=1_000)
        self._waiting.append(bytes(value.data or b""))
        if not self._is_saying:
            self._is_saying = True
            self._spawn(self._work_off())

    def on_complete(self) -> None:
        """Take note that no more lines come; events still go down."""

    def on_error(self, exception: Exception) -> None:
        """Take note that the talker gave up; what it said stays said."""

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                await self._say(self._waiting.popleft())
                self._subscription.request(1)
        finally:
            self._is_saying = False
