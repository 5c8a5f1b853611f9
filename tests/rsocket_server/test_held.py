from __future__ import annotations

from contextlib import suppress

import pytest

from db.errors import StoreUnavailable, StoreUnknown
from rsocket_server import limits
from rsocket_server.held import Held, Name, Word


def word(
    number: int = 0, *, payload: bytes = b"x", held_at: float = 0.0, nickname: str = "nabi", **more: object
) -> Word:
    name = Name(nickname, str(number))
    once = f"act {number}" if "name" in more else f"once {number}" if nickname == "nabi" else f"{nickname} {number}"
    return Word(payload, once, limits.SAID_ONCE_SECONDS, held_at, **{"name": name, **more})  # type: ignore[arg-type]


def held(*words: Word) -> Held:
    made = Held()
    for each in words:
        made.hold(each)
    return made


def test_words_come_out_in_their_order() -> None:
    one, two = word(1), word(2)
    words = held(one, two)

    assert words.first() is one
    words.drop(one)
    assert words.first() is two
    words.drop(two)
    words.drop(two)
    assert (words.first(), len(words), words.bytes) == (None, 0, 0)


def test_the_same_line_is_held_once_and_may_be_published_if_any_try_may_have() -> None:
    line = word(1)
    words = held(line)

    assert not words.hold(word(1, tried_at=5.0))
    assert not words.hold(word(1, tried_at=3.0))
    assert not words.hold(word(1, tried_at=4.0))
    assert not words.hold(word(1))
    assert (line.tried_at, len(words), words.bytes) == (3.0, 1, 1)
    assert words.hold(word(2))


def test_a_try_is_remembered_until_it_is_answered() -> None:
    words = Held()
    for failure in (ValueError(), StoreUnknown("")):
        with suppress(type(failure)), words.trying("once 1", 1.0):
            raise failure
    with suppress(StoreUnavailable), words.trying("once 1", 2.0):
        raise StoreUnavailable("")  # Of this one alone it says that it was not done.
    again, unheard = word(1, held_at=5.0), word(2, held_at=5.0)
    words.hold(again)
    words.hold(unheard)
    assert (again.tried_at, unheard.tried_at) == (1.0, None)

    words = Held()
    with suppress(StoreUnavailable), words.trying("once 1", 2.0):
        raise StoreUnavailable("")
    with words.trying("once 2", 2.0):
        under_way = word(2, held_at=3.0)
        words.hold(under_way)
    again, later = word(1, held_at=3.0), word(2, held_at=4.0)
    words.drop(under_way)
    words.hold(again)
    words.hold(later)
    assert (again.tried_at, under_way.tried_at, later.tried_at) == (None, 2.0, None)


def test_nothing_is_tried_past_what_is_held() -> None:
    words = Held()
    words.away = True
    with pytest.raises(StoreUnavailable), words.trying("once 1", 1.0):
        pytest.fail("tried")


def test_a_try_of_long_ago_was_of_another_line() -> None:
    words = Held()
    with suppress(StoreUnknown), words.trying("once 1", 0.0):
        raise StoreUnknown("")
    line = word(1, held_at=limits.SAID_ONCE_SECONDS)
    words.hold(line)

    assert line.tried_at is None


@pytest.mark.parametrize("over", [0, 1])
def test_tries_are_remembered_within_their_limit(over: int) -> None:
    words = Held()
    for number in range(limits.TRIES_MAX + over):
        with suppress(StoreUnknown), words.trying(f"once {number}", 1.0):
            raise StoreUnknown("")
    oldest, newest = word(0), word(limits.TRIES_MAX - 1)
    words.hold(oldest)
    words.hold(newest)

    assert (oldest.tried_at, newest.tried_at) == (None if over else 1.0, 1.0)


@pytest.mark.parametrize("over", [0, 1])
def test_lines_at_their_limit_and_acts_beside_them(over: int) -> None:
    words = held(*map(word, range(limits.HELD_LINES_MAX - 1 + over)))
    if over:
        with pytest.raises(StoreUnavailable):
            words.hold(word(9_999))
    else:
        words.hold(word(9_999))

    for number in range(limits.HELD_ACTS_MAX):
        words.hold(word(number, name=None))
    with pytest.raises(StoreUnavailable):
        words.hold(word(limits.HELD_ACTS_MAX, name=None))


@pytest.mark.parametrize("over", [0, 1])
def test_bytes_at_their_limit(over: int) -> None:
    words = held(word(1, payload=b"x" * 1_000))
    line = word(2, payload=b"x" * (limits.HELD_BYTES_MAX - 1_000 + over))
    if over:
        with pytest.raises(StoreUnavailable):
            words.hold(line)
    else:
        words.hold(line)
    words.hold(word(3, name=None, payload=b"x" * 2_000))


def test_a_worker_holds_no_more_than_it_may() -> None:
    words = Held()
    with pytest.raises(StoreUnavailable):
        words.hold(word(payload=b"xx"), bytes_left=1)
    words.hold(word(payload=b"x"), bytes_left=1)
    assert limits.HELD_TOTAL_BYTES_MAX > limits.HELD_BYTES_MAX


def test_a_line_that_is_too_old_lapses() -> None:
    old, new, act = word(1, held_at=0.0), word(2, held_at=1.0), word(3, held_at=0.0, name=None)
    words = held(old, new, act)

    assert words.lapse(limits.HELD_SECONDS_MAX) == []
    assert words.lapse(limits.HELD_SECONDS_MAX + 0.5) == [old]
    assert (len(words), words.bytes) == (2, 2)


def test_a_line_that_may_be_published_lapses_before_the_store_forgets_its_name() -> None:
    line, act = word(1, tried_at=5.0), word(2, tried_at=5.0, name=None)
    last = 5.0 + limits.SAID_ONCE_SECONDS - limits.HELD_MARGIN_SECONDS
    words = held(line, act)

    assert words.lapse(last) == []
    assert words.lapse(last + 0.5) == [line]
    assert words.first() is act


def test_a_line_taken_back_never_lapses_while_the_store_may_have_it() -> None:
    line = word(1, tried_at=5.0)
    words = held(line)
    words.take_back({Name("nabi", "1")}, lambda seq: b"%d" % seq)

    assert words.lapse(10 * limits.HELD_SECONDS_MAX) == []
    assert words.first() is line


def test_lines_may_be_in_the_store_already_and_acts_are_no_lines() -> None:
    line = word(1)
    words = held(line, word(2, name=None))

    assert words.has_lines
    words.take_back({Name("nabi", "1")}, lambda seq: b"%d" % seq)
    assert words.has_lines
    words.drop(line)
    assert not words.has_lines


def test_a_line_taken_back_comes_no_more() -> None:
    words = held(word(1, held_at=1.0))
    words.take_back({Name("nabi", "1")}, lambda seq: b"%d" % seq)

    assert not words.hold(word(1, held_at=2.0))
    assert words.lapse(10 * limits.HELD_SECONDS_MAX) == []


def test_lines_taken_back_are_in_nobodys_way() -> None:
    words = held(*map(word, range(limits.HELD_LINES_MAX)))
    words.take_back({Name("nabi", str(number)) for number in range(limits.HELD_LINES_MAX)}, lambda seq: b"%d" % seq)

    assert words.bytes == 0
    for number in range(limits.HELD_LINES_MAX):
        assert words.hold(word(number, nickname="mimi"))
    with pytest.raises(StoreUnavailable):
        words.hold(word(9_999))


def test_lines_taken_back_are_remembered_within_their_limit() -> None:
    words = Held()
    for number in range(limits.HELD_LINES_MAX + 1):
        words.hold(word(number))
        words.take_back({Name("nabi", str(number))}, lambda seq: b"%d" % seq)

    assert not words.hold(word(1))
    assert words.hold(word(0))


def test_a_line_taken_back_is_gone_or_undone_if_it_may_be_published() -> None:
    sure, doubtful, other = word(1), word(2, tried_at=1.0), word(1, nickname="mimi")
    words = held(sure, doubtful, other)

    taken = words.take_back({Name("nabi", "1"), Name("nabi", "2"), Name("nabi", "3")}, lambda seq: b"%d" % seq)

    assert taken == [sure, doubtful]
    assert words.first() is sure
    assert (sure.payload, doubtful.payload, words.bytes) == (b"", b"x", 2)
    assert doubtful.undo is not None
    assert doubtful.undo(7) == b"7"
    assert words.lines == [other]
    assert words.take_back({Name("nabi", "2")}, lambda _: b"again") == []
