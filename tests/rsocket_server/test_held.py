from __future__ import annotations

import pytest

from db.errors import StoreUnavailable
from rsocket_server import limits
from rsocket_server.held import Held, Name, Word


def word(
    number: int = 0, *, payload: bytes = b"x", held_at: float = 0.0, nickname: str = "nabi", **more: object
) -> Word:
    name = Name(nickname, str(number))
    return Word(payload, f"once {number}", limits.SAID_ONCE_SECONDS, held_at, **{"name": name, **more})  # type: ignore[arg-type]


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


def test_the_same_line_is_known() -> None:
    words = held(word(1))

    assert words.has("once 1")
    assert not words.has("once 2")


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
        words.hold(word(name=None))


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


def test_a_line_taken_back_is_gone_or_undone_if_it_may_be_published() -> None:
    sure, doubtful, other = word(1), word(2, tried_at=1.0), word(1, nickname="mimi")
    words = held(sure, doubtful, other)

    taken = words.take_back({Name("nabi", "1"), Name("nabi", "2"), Name("nabi", "3")}, lambda seq: b"%d" % seq)

    assert taken == [sure, doubtful]
    assert words.first() is doubtful
    assert doubtful.undo is not None
    assert doubtful.undo(7) == b"7"
    assert words.lines == [other]
    assert words.take_back({Name("nabi", "2")}, lambda _: b"again") == []
