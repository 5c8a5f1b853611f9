"""Core: whether an encoder that eats gives something back.

One that does not eat is noticed by its backlog. One that takes every picture and writes none looks well from outside:
it runs, its pipe drains, and its viewers wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# A picture takes some 10 ms, the first one 200; on a machine that is busy with everything else perhaps a second.
STALL_SECONDS: Final = 5.0
# What may be inside: a codec holds a few pictures back, and a slide show sends none for long.
STALL_PICTURES: Final = 10


class EncoderWatch:
    """One process with its rungs; times in seconds of a clock that only rises."""

    def __init__(self, rungs: Iterable[str]) -> None:
        self._inside: dict[str, int] = dict.fromkeys(rungs, 0)  # pictures given since the rung's last one came out
        self._since: dict[str, float] = {}  # when the first of them was given

    def given(self, now: float) -> None:
        """The process has been given a picture."""
        for rung in self._inside:
            self._inside[rung] += 1
            self._since.setdefault(rung, now)

    def got(self, rung: str) -> None:
        """A picture of that rung came out."""
        self._inside[rung] = 0
        self._since.pop(rung, None)

    def stalled(self, now: float) -> str | None:
        """A rung that should have given something long ago; None if all is well."""
        for rung, since in self._since.items():
            if now - since >= STALL_SECONDS and self._inside[rung] >= STALL_PICTURES:
                return rung
        return None
