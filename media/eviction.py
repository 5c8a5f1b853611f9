"""Core: whose past goes first when the room on disk ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class Held(Protocol):
    """One broadcast's files."""

    @property
    def bytes_held(self) -> int:
        """What lies on disk."""

    @property
    def bytes_unlisted(self) -> int:
        """What of it no playlist lists any more."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""


_HeldT = TypeVar("_HeldT", bound=Held)


def next_victim(broadcasts: Iterable[_HeldT]) -> _HeldT | None:
    """The broadcast whose oldest segment goes; `broadcasts` in the order in which they began. None if all are empty.

    First what nobody can see in a list, then broadcasts that have ended, the first of them first, then the live one
    that has most: one that writes a lot costs itself its past, not the others theirs.
    """
    held = [each for each in broadcasts if each.bytes_held]
    unlisted = max(held, key=lambda each: each.bytes_unlisted, default=None)
    if unlisted is not None and unlisted.bytes_unlisted:
        return unlisted
    ended = next((each for each in held if each.ended), None)
    return ended or max(held, key=lambda each: each.bytes_held, default=None)
