"""Core: what a room of this worker holds back while the store is away: lines without a number, in their order.

A line that is held has been shown to those who watch here, and will be published when the store is back. If nobody
knows whether an earlier try has published it, it goes again only while the store still knows its name (`once`): later
it would be said twice. So every try is remembered until it is answered: the same line may come again meanwhile.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from db.errors import StoreUnavailable
from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator


class Name(NamedTuple):
    """What a line is called before it has a number: whose it is, and that member's own id for it."""

    nickname: str
    id: str


@dataclass(slots=True, eq=False)
class Word:
    """One event that waits for its number.

    Attributes:
        payload: as everyone will get it, less its number; b"" of what was taken back and surely is not in the store.
        once: names it in the store.
        once_seconds: for how long after a try the store knows that name.
        held_at: since when it waits.
        name: of a line; None for an act of a moderator.
        tried_at: when it was first sent without an answer; None: the store surely has not got it.
        place: its number among the room's asides.
        undo: a moderator has taken it back; writes the event that says so, from its number.
    """

    payload: bytes
    once: str
    once_seconds: int
    held_at: float
    name: Name | None = None
    tried_at: float | None = None
    place: int = 0
    undo: Callable[[int], bytes] | None = None

    def is_overdue(self, now: float) -> bool:
        """Whether it is too late to publish it.

        What a moderator has done never is: done twice, it is still true. Nor is a line taken back: if the store has it,
        it must go.
        """
        if self.name is None or self.undo is not None:
            return False
        if self.tried_at is not None and now > self.tried_at + self.once_seconds - limits.HELD_MARGIN_SECONDS:
            return True
        return now > self.held_at + limits.HELD_SECONDS_MAX


class Held:
    """The words of one room that wait for the store, oldest first.

    Attributes:
        away: whether the store is, as far as this room knows; nothing may overtake what is held.
        behind: up to this number the log must have come before all is well; None while the store is not back.
        bytes: of all payloads here.
    """

    __slots__ = ("_tries", "_words", "away", "behind", "bytes")

    def __init__(self) -> None:
        self.away = False
        self.behind: int | None = None
        self.bytes = 0
        self._words: deque[Word] = deque()
        self._tries: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._words)

    @property
    def lines(self) -> list[Word]:
        """The lines that may still be taken back."""
        return [word for word in self._words if word.name is not None and word.undo is None]

    @property
    def has_lines(self) -> bool:
        """Whether a line is here, also one taken back, that the store may have: from here or from another worker."""
        return any(word.name is not None for word in self._words)

    @contextmanager
    def trying(self, once: str, now: float) -> Iterator[None]:
        """Remember, while a line is sent to the store, that it may be there; and after it, if no answer has come.

        Raises StoreUnavailable while the store is away: nothing may overtake what is held.
        """
        if self.away:
            raise StoreUnavailable("away")
        first = self._tries.setdefault(once, now)
        if len(self._tries) > limits.TRIES_MAX:
            del self._tries[next(iter(self._tries))]
        try:
            yield
        except StoreUnavailable:
            if first == now:  # Or an earlier try has not been answered.
                self._tries.pop(once, None)
            raise
        else:
            self._tries.pop(once, None)

    def hold(self, word: Word, *, bytes_left: int = limits.HELD_TOTAL_BYTES_MAX) -> bool:
        """Keep one more, and answer whether it is to be shown; the worker has room for `bytes_left`.

        Not the same line, sent again: it is held already, or was taken back. Raises StoreUnavailable: as much is held
        as may be.
        """
        tried_at = self._tries.get(word.once)
        if tried_at is not None and word.held_at < tried_at + word.once_seconds:
            word.tried_at = _earlier(tried_at, word.tried_at)
        known = next((each for each in self._words if each.once == word.once), None)
        if known is not None:
            known.tried_at = _earlier(known.tried_at, word.tried_at)
            return False
        # A few places more for moderators: a room full of lines is one that may need them.
        most = limits.HELD_LINES_MAX if word.name is not None else limits.HELD_LINES_MAX + limits.HELD_ACTS_MAX
        bytes_left = min(bytes_left, limits.HELD_BYTES_MAX - self.bytes) if word.name is not None else len(word.payload)
        # What was taken back, and is not in the store, is in nobody's way.
        places = sum(each.undo is None or each.tried_at is not None for each in self._words)
        if places >= most or len(word.payload) > bytes_left:
            raise StoreUnavailable("as much is held as may be")
        self._words.append(word)
        self.bytes += len(word.payload)
        return True

    def first(self) -> Word | None:
        """Answer what is to be published next."""
        return self._words[0] if self._words else None

    def drop(self, word: Word) -> None:
        """Forget a word: it is published, or never will be."""
        if word in self._words:
            self._words.remove(word)
            self.bytes -= len(word.payload)

    def lapse(self, now: float) -> list[Word]:
        """Forget what is too late, and answer it."""
        late = [word for word in self._words if word.is_overdue(now)]
        for word in late:
            self.drop(word)
        return late

    def take_back(self, names: Container[Name], undo: Callable[[int], bytes]) -> list[Word]:
        """Take back lines, and answer them.

        Those that the store may have wait to be removed there; of the others the names alone wait to be void, or one
        sent again later would be published. As many of these are kept as lines may be held.
        """
        taken = [word for word in self.lines if word.name in names]
        for word in taken:
            word.undo = undo
            if word.tried_at is None:
                self.bytes -= len(word.payload)
                word.payload = b""
        unsent = [word for word in self._words if word.undo is not None and word.tried_at is None]
        for word in unsent[: -limits.HELD_LINES_MAX]:
            self.drop(word)
        return taken


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((at for at in (one, other) if at is not None), default=None)
