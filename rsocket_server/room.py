"""Core: one channel's conversation: its log, who watches, who may speak now."""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Hashable  # noqa: TC003 - a NamedTuple's fields are public.
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from rsocket_server import limits
from rsocket_server.graphemes import count, tallest
from rsocket_server.held import Held
from rsocket_server.pace import Pace
from rsocket_server.room_log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from db.conduct import Case

# Direction overrides and marks reorder a neighbour's words; zero-width ones make two equal names of two different
# texts. The zero-width joiners stay: emoji and several scripts are written with them.
_INVISIBLE = frozenset("\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\ufeff") | {
    chr(code) for code in range(0x2066, 0x206A)
}

# Speakers remembered before anyone is forgotten; from there on whenever their number has doubled.
_SPEAKERS_MIN = 64


# Letters and joiners that show nothing by themselves.
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u200c\u200d\u2800\u3164\uffa0")


class RoomError(Exception):
    """A line that is not said."""


class Empty(RoomError):
    """Nothing to say."""

    def __str__(self) -> str:
        return "empty text"


class TooLong(RoomError):
    """More than TEXT_CHARACTERS_MAX characters as a reader counts them, or more code points than those may have.

    Attributes:
        characters: how many there were.
    """

    def __init__(self, characters: int) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        return f"{self.characters} characters, at most {limits.TEXT_CHARACTERS_MAX}"


class Unprintable(RoomError):
    """A text with control or direction characters that nobody took out (see `clean`)."""

    def __str__(self) -> str:
        return "control characters in the text"


class TooTall(RoomError):
    """A character under so many marks that it covers its neighbours' lines."""

    def __str__(self) -> str:
        return f"more than {limits.CLUSTER_CODE_POINTS_MAX} code points in one character"


class TakenBack(RoomError):
    """The same line as one that a moderator took back before it had a number."""

    def __str__(self) -> str:
        return "taken back by a moderator"


class SlowMode(RoomError):
    """The channel lets each member speak only so often.

    Attributes:
        retry_after_ms: when the same line would be let through.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"slow mode, again in {self.retry_after_ms} ms"


class TooFast(RoomError):
    """More than SPEECH_LINES_MAX lines in SPEECH_SECONDS.

    Attributes:
        retry_after_ms: when the same line would be let through.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"too fast, again in {self.retry_after_ms} ms"


class Place(Enum):
    """Where an event with a sequence number stands to the log."""

    NEXT = auto()  # It is in the log now.
    SEEN = auto()  # It was there already.
    ASTRAY = auto()  # Something is missing before it, or the numbers began anew: read the history.


class Seat(NamedTuple):
    """Who watches a room.

    Attributes:
        key: whose watches are one viewer.
        voice: the nickname of a member, whose own lines are never skipped; None for a guest.
        counted: whether among the viewers.
    """

    key: Hashable
    voice: str | None = None
    counted: bool = True


def clean(text: str) -> str:
    """Answer the text in NFC, as one line, without control and direction characters, without space around it."""
    kept = (
        " " if char in "\t\n\r" else char
        for char in unicodedata.normalize("NFC", text)
        if char in "\t\n\r" or (char not in _INVISIBLE and unicodedata.category(char) not in {"Cc", "Cs"})
    )
    return "".join(kept).strip()


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "ZCM" and character not in _BLANK


def _nothing(_payload: bytes) -> Mapping[int, bytes]:
    return {}


def _nobody(_payload: bytes) -> str | None:
    return None


class Room:
    """One room of this worker.

    Args:
        takes_back: answers what an event puts in earlier events' places: the lines that it removes.
        voice: answers who has said an event.

    Attributes:
        log: recent events.
        aside: what is shown here without a number while the store is away; when it is back empty but for its end, and
            for what is kept of what takes lines away.
        held: what is to have a number when the store is back.
        pace: slow mode, as this worker counts it.
        epoch: of which numbers they are; "" before the first history was read.
        total: viewers over all workers, as far as known; this worker's own where nobody said more.
    """

    def __init__(
        self,
        takes_back: Callable[[bytes], Mapping[int, bytes]] = _nothing,
        voice: Callable[[bytes], str | None] = _nobody,
    ) -> None:
        self.log = Log()
        self.aside = Log()
        self.held = Held()
        self.pace = Pace()
        self.epoch = ""
        self.total = 0
        self._takes_back = takes_back
        self._voice = voice
        self._replaced: set[int] = set()
        self._viewers: dict[Hashable, int] = {}
        self._speech: dict[int, deque[float]] = {}
        self._speech_max = _SPEAKERS_MIN
        self._renumbered = False
        self._told = -1
        self._told_at = float("-inf")

    # --- events --------------------------------------------------------------------------------------------------

    def add(self, seq: int, payload: bytes, *, kept: bool = False) -> Place:
        """Put an event in its place. On ASTRAY call `refill` with the history after `log.head`."""
        log = self.log
        if seq == log.head + 1:
            self._append(payload, kept=kept)
            return Place.NEXT
        if seq > log.head or seq < 1:
            return Place.ASTRAY
        return Place.SEEN if self.agrees(seq, payload) else Place.ASTRAY

    def agrees(self, seq: int, payload: bytes) -> bool:
        """Whether an event may be the one that had its number before; if it is not, the numbers began anew."""
        known = self.log.at(seq)
        if known is None or known == payload or seq in self._replaced:
            return True
        # A number that came before with other words: the store lost its data, or its last moments.
        self._renumbered = True
        return False

    @property
    def seen(self) -> int:
        """The highest number of this epoch that is known; above all once one was given twice, so that it is over."""
        return limits.NUMBER_MAX if self._renumbered else self.log.head

    def history_cursor(self, head: int, epoch: str = "") -> int:
        """Answer after which event to read the history, `head` being the newest that the bus knows, of that epoch."""
        return 0 if self._began_anew(head, epoch) else self.log.head

    def _began_anew(self, head: int, epoch: str) -> bool:
        return self._renumbered or head < self.log.head or self.epoch not in {"", epoch}

    def refill(self, head: int, events: Iterable[tuple[int, bytes, bool]], epoch: str = "") -> bool:
        """Take in the history after `history_cursor(head, epoch)`, ascending: (seq, payload, kept).

        What the history no longer has leaves a hole, and a ring has none: the log then begins after it. True means that
        the numbers began anew, so that no cursor from before means anything.
        """
        log = self.log
        anew = self._began_anew(head, epoch)
        self.epoch = epoch
        if anew:
            log.begin_anew()
            self._replaced.clear()
            self._renumbered = False
        for seq, payload, kept in events:
            if seq <= log.head:
                continue
            if seq > log.head + 1:
                log.restart(seq - 1)
            self._append(payload, kept=kept)
        if head > log.head:
            log.restart(head)
        return anew

    def _append(self, payload: bytes, *, kept: bool) -> None:
        """Add an event, and take back what it takes back: whoever joins later never reads a removed line."""
        self.log.append(payload, kept=kept, voice=self._voice(payload))
        instead = self._takes_back(payload)
        if instead:
            self._replaced.update(self.log.replace(instead))
        if len(self._replaced) > limits.LOG_EVENTS_MAX:
            self._replaced = {seq for seq in self._replaced if seq >= self.log.first}

    def join_cursor(self, since: int | None, history: int | None, epoch: str | None = None) -> int:
        """Answer the cursor of a new watcher: the last event that it does not need.

        `since` is what it has seen; a number that this log never gave is as none, and of the numbers of another `epoch`
        than it says, it has seen none yet. `history` is how many it wants.
        """
        log = self.log
        if since is not None and epoch and epoch != self.epoch:
            since = 0
        if since is not None and 0 <= since <= log.head:
            return since
        wanted = limits.JOIN_EVENTS_DEFAULT if history is None else min(max(history, 0), limits.JOIN_EVENTS_MAX)
        return max(log.head - wanted, log.first - 1)

    def aside_cursor(self) -> int:
        """Answer the last aside that a new watcher does not need: all that were told while the store is away."""
        return self.aside.first - 1 if self.held.away else self.aside.head

    # --- viewers -------------------------------------------------------------------------------------------------

    @property
    def viewers(self) -> int:
        """How many different viewers watch on this worker."""
        return len(self._viewers)

    def join(self, seat: Seat) -> None:
        """Take one more watch in; two windows of one member are one viewer."""
        if seat.voice is not None:
            self.log.listen(seat.voice)
        if seat.counted:
            self._viewers[seat.key] = self._viewers.get(seat.key, 0) + 1

    def leave(self, seat: Seat) -> None:
        """Take back one `join`."""
        if seat.voice is not None:
            self.log.ignore(seat.voice)
        if seat.counted:
            left = self._viewers[seat.key] - 1
            if left:
                self._viewers[seat.key] = left
            else:
                del self._viewers[seat.key]

    def count_due(self, now: float) -> int | None:
        """Answer the count to tell everyone, None if it has not changed enough or was told just now."""
        count = thinned(max(self.total, self.viewers))
        if count == self._told or now - self._told_at < limits.COUNT_SECONDS:
            return None
        self._told = count
        self._told_at = now
        return count

    @property
    def told(self) -> int | None:
        """The count told last, for whoever joins now; None before the first."""
        return None if self._told < 0 else self._told

    # --- speech --------------------------------------------------------------------------------------------------

    def judge(self, member_id: int, text: str, now: float, case: Case | None = None) -> None:
        """Let a member's line through, which must be `clean`, or say why not.

        `case` is what the channel asks of its speakers and how this one stands there; None where nothing is asked.

        Raises:
            Empty, TooLong, TooTall, Unprintable: the text; it does not count against the speaker.
            db.conduct.ConductError: the channel does not want this speaker or this line.
            TooFast: the speaker.
        """
        check_text(text)
        if case is not None:
            case.check_speaker()
        lines = self._speech.setdefault(member_id, deque(maxlen=limits.SPEECH_LINES_MAX))
        if len(lines) == limits.SPEECH_LINES_MAX:
            wait = lines[0] + limits.SPEECH_SECONDS - now
            if wait > 0:
                raise TooFast(max(1, round(wait * 1000)))
        lines.append(now)
        if case is not None:  # The words after the rate, against which this counts: looking for links costs time.
            case.check(text)
        if len(self._speech) > self._speech_max:
            self.forget_speech(now)
            self._speech_max = max(_SPEAKERS_MIN, 2 * len(self._speech))

    def forget_speech(self, now: float) -> None:
        """Drop the memory of speakers whose last line no longer counts; `judge` does so now and then."""
        self._speech = {
            member_id: lines for member_id, lines in self._speech.items() if lines[-1] + limits.SPEECH_SECONDS > now
        }

    @property
    def speakers(self) -> int:
        """How many speakers are remembered."""
        return len(self._speech)


def check_text(text: str) -> None:
    """Let a text through that is `clean` and of a line's size. Raises Empty, TooLong, TooTall, Unprintable."""
    cleaned = clean(text)
    if not any(map(_is_visible, cleaned)):
        raise Empty
    # Nothing is counted of a text that cannot be in bounds. Below the bound no character can make it too long.
    if len(cleaned) > limits.TEXT_CODE_POINTS_MAX:
        raise TooLong(len(cleaned))
    if len(cleaned) > limits.TEXT_CHARACTERS_MAX:
        characters = count(cleaned)
        if characters > limits.TEXT_CHARACTERS_MAX:
            raise TooLong(characters)
    if not cleaned.isascii() and tallest(cleaned) > limits.CLUSTER_CODE_POINTS_MAX:
        raise TooTall
    if cleaned != unicodedata.normalize("NFC", text).strip():
        raise Unprintable


def thinned(viewers: int) -> int:
    """Round a count down to the step of its size: 1 below 1,000, 50 below 10,000, then 100."""
    step = next(step for least, step in limits.COUNT_STEPS if viewers >= least)
    return viewers - viewers % step
