"""Shell: who waits for a playlist or a part that is not there yet; all who want the same are answered with one look.

Hundreds of players wait for each part. A task and a timer for each would cost more than their answers, so an ask is
held once, with whom to tell, and has one timer, for whoever came first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from media.hls_writer.errors import HlsError, TimedOut

log = logging.getLogger(__name__)

Answer = bytes | HlsError
Take = Callable[[Answer], object]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted of a rendition; asks that want the same have the same `key`.

    `there` gives it, or None as long as it has to be waited for, or raises an HlsError.
    """

    rendition: str
    key: Hashable
    there: Callable[[], bytes | None]

    def now(self) -> Answer | None:
        """Look once: bytes, a refusal, or None: it has to be waited for."""
        try:
            return self.there()
        except HlsError as error:
            return error


class _Held:
    """One ask that several wait for, in the order in which their time is over."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.takers: dict[Take, tuple[float, float]] = {}
        self.timer: asyncio.TimerHandle | None = None


class Waiting:
    """Holds the asks for one rendition until `wake` finds them answered, or their time is over."""

    def __init__(self) -> None:
        self._held: dict[Hashable, _Held] = {}
        self._waking = False

    def hold(self, ask: Ask, take: Take, seconds: float) -> None:
        """Call `take` once, with what comes of the ask, after `seconds` with TimedOut. It may wait for one ask only."""
        loop = asyncio.get_running_loop()
        held = self._held.get(ask.key)
        if held is None:
            held = self._held[ask.key] = _Held(ask)
        held.takers[take] = (loop.time() + seconds, seconds)
        if held.timer is None:
            held.timer = loop.call_later(seconds, self._expire, held)

    def forget(self, ask: Ask, take: Take) -> None:
        """Do not call `take` any more; nothing if it has been called."""
        held = self._held.get(ask.key)
        if held and held.takers.pop(take, None) and not held.takers:
            self._close(held)

    def wake(self) -> None:
        """Something has changed: look again, once however often it changes before the loop's next turn."""
        if self._held and not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._waking = False
        for held in tuple(self._held.values()):
            answer = held.ask.now()
            if answer is not None:
                self._close(held)
                for take in tuple(held.takers):
                    _tell(take, answer)

    def _expire(self, held: _Held) -> None:
        """Refuse those whose time is over; a timer that comes a little early finds the first at least."""
        loop = asyncio.get_running_loop()
        held.timer = None
        over: list[tuple[float, Take]] = []
        for take, (deadline, seconds) in tuple(held.takers.items()):
            if over and deadline > loop.time():
                held.timer = loop.call_at(deadline, self._expire, held)
                break
            del held.takers[take]
            over.append((seconds, take))
        if not held.takers:
            self._close(held)
        for seconds, take in over:
            _tell(take, TimedOut(seconds))

    def _close(self, held: _Held) -> None:
        del self._held[held.ask.key]
        if held.timer:
            held.timer.cancel()
            held.timer = None


def _tell(take: Take, answer: Answer) -> None:
    """Hand over the answer: hundreds more wait for it, and what one does with it must not keep it from them."""
    try:
        take(answer)
    except Exception:
        log.exception("hls_take_failed")
