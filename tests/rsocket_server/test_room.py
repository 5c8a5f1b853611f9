from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from db.conduct import Banned, Case, Rules, Standing, WordsBlocked
from rsocket_server import limits
from rsocket_server.room import (
    Empty,
    Place,
    Room,
    RoomError,
    Seat,
    SlowMode,
    TooFast,
    TooLong,
    TooTall,
    Unprintable,
    clean,
    thinned,
)

# --- places -----------------------------------------------------------------------------------------------------------


def test_events_take_their_places() -> None:
    room = Room()

    assert room.add(1, b"a") is Place.NEXT
    assert room.add(1, b"a") is Place.SEEN
    assert room.add(3, b"c") is Place.ASTRAY
    assert room.add(2, b"b") is Place.NEXT
    assert room.add(0, b"") is Place.ASTRAY
    assert [b"a", b"b"] == room.log.after(0, 2)


def test_a_number_long_gone_is_seen() -> None:
    room = Room()
    room.log.restart(1000)

    assert room.add(5, b"old") is Place.SEEN


def test_a_hole_is_mended_from_the_history() -> None:
    room = Room()
    room.add(1, b"a")
    assert room.add(4, b"d") is Place.ASTRAY
    assert room.history_cursor(4) == 1

    assert not room.refill(4, [(2, b"b", False), (3, b"c", False), (4, b"d", False)])
    assert [b"a", b"b", b"c", b"d"] == room.log.after(0, 4)


def test_what_the_history_no_longer_has_leaves_the_log_beginning_after_it() -> None:
    room = Room()
    room.add(1, b"a")

    assert not room.refill(901, [(1, b"a", False), (900, b"y", False), (901, b"z", False)])
    assert (900, 901) == (room.log.first, room.log.head)


def test_a_history_that_has_expired_leaves_only_the_number() -> None:
    room = Room()

    assert not room.refill(70, [])
    assert (71, 70) == (room.log.first, room.log.head)
    assert room.add(71, b"next") is Place.NEXT


def test_a_history_newer_than_its_head_is_taken_whole() -> None:
    room = Room()
    room.refill(1, [(1, b"a", False), (2, b"b", False)])

    assert room.log.head == 2


def test_numbers_that_begin_anew_are_noticed_by_their_head() -> None:
    room = Room()
    for seq in range(1, 9):
        room.add(seq, b"%d" % seq)
    assert room.history_cursor(2) == 0

    assert room.refill(2, [(1, b"new", False), (2, b"newer", False)])
    assert [b"new", b"newer"] == room.log.after(0, 2)
    assert not room.refill(2, [])


def test_numbers_that_begin_anew_are_noticed_by_their_epoch_however_far_they_came() -> None:
    room = Room()
    assert not room.refill(2, [(1, b"a", False), (2, b"b", False)], "first")
    assert (room.history_cursor(5, "first"), room.history_cursor(5, "second")) == (2, 0)

    assert room.refill(5, [(seq, b"new", False) for seq in range(1, 6)], "second")
    assert [b"new"] * 5 == room.log.after(0, 5)
    assert not room.refill(5, [], "second")


@pytest.mark.parametrize(
    ("since", "epoch", "cursor"),
    [
        (3, None, 3),
        (3, "", 3),
        (3, "second", 3),
        (3, "first", 0),
        (99, "first", 0),
        (None, "first", 2),
        (99, "second", 2),
    ],
)
def test_of_another_epoch_nothing_was_seen(since: int | None, epoch: str | None, cursor: int) -> None:
    room = Room()
    room.refill(5, [(seq, b"new", False) for seq in range(1, 6)], "second")

    assert room.join_cursor(since, 3, epoch) == cursor


def test_a_number_that_is_given_twice_is_of_an_epoch_that_is_over() -> None:
    room = Room()
    room.refill(2, [(1, b"a", False), (2, b"b", False)], "first")
    assert room.seen == 2

    assert room.add(2, b"other") is Place.ASTRAY
    assert room.seen == limits.NUMBER_MAX
    assert room.refill(2, [(1, b"a", False), (2, b"other", False)], "second")
    assert room.seen == 2


def test_numbers_that_begin_anew_are_noticed_by_other_words() -> None:
    room = Room()
    for seq in range(1, 4):
        room.add(seq, b"%d" % seq)
    assert room.add(1, b"other words") is Place.ASTRAY
    assert room.history_cursor(5) == 0

    assert room.refill(5, [(seq, b"new", False) for seq in range(1, 6)])
    assert [b"new"] * 5 == room.log.after(0, 5)


def test_any_delivery_ends_in_the_same_log() -> None:
    die = random.Random(7)
    everything = [(seq, b"%d" % seq, False) for seq in range(1, 200)]
    for _ in range(50):
        room = Room()
        for seq, payload, _ in everything:
            if die.random() < 0.2:
                continue  # Lost on the way.
            for _ in range(die.randrange(1, 3)):
                if room.add(seq, payload) is Place.ASTRAY:
                    after = room.history_cursor(seq)
                    room.refill(seq, [event for event in everything[:seq] if event[0] > after])
        room.refill(199, everything)

        assert [payload for _, payload, _ in everything] == room.log.after(0, 199)


# --- joining ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "history", "cursor"),
    [
        (None, None, 200 - limits.JOIN_EVENTS_DEFAULT),
        (None, 0, 200),
        (None, 1, 199),
        (None, -5, 200),
        (None, limits.JOIN_EVENTS_MAX, 200 - limits.JOIN_EVENTS_MAX),
        (None, limits.JOIN_EVENTS_MAX + 1, 200 - limits.JOIN_EVENTS_MAX),
        (0, None, 0),
        (150, 3, 150),
        (200, None, 200),
        (201, None, 200 - limits.JOIN_EVENTS_DEFAULT),
        (201, 7, 193),
        (-1, 7, 193),
    ],
)
def test_where_a_watcher_begins(since: int | None, history: int | None, cursor: int) -> None:
    room = Room()
    room.refill(200, [(seq, b"x", False) for seq in range(1, 201)])

    assert cursor == room.join_cursor(since, history)


def test_a_watcher_of_a_young_log_begins_at_its_first_event() -> None:
    room = Room()
    room.refill(1000, [(999, b"a", False), (1000, b"b", False)])

    assert room.join_cursor(None, 50) == 998


# --- viewers ----------------------------------------------------------------------------------------------------------


def test_two_windows_of_one_viewer_are_one_viewer() -> None:
    room = Room()
    for viewer in ("nabi", "nabi", object()):
        room.join(Seat(viewer))
    assert room.viewers == 2
    room.leave(Seat("nabi"))
    assert room.viewers == 2
    room.leave(Seat("nabi"))
    assert room.viewers == 1


def test_who_is_not_counted_is_no_viewer() -> None:
    room = Room()
    owner = Seat(1, voice="owner", counted=False)
    room.join(owner)
    assert room.viewers == 0
    room.leave(owner)
    assert room.viewers == 0


@pytest.mark.parametrize(
    ("viewers", "told"),
    [
        (0, 0),
        (1, 1),
        (999, 999),
        (1000, 1000),
        (1049, 1000),
        (1050, 1050),
        (9999, 9950),
        (10_000, 10_000),
        (10_199, 10_100),
    ],
)
def test_counts_are_thinned_by_their_size(viewers: int, told: int) -> None:
    assert limits.COUNT_STEPS[0] == (10_000, 100)
    assert told == thinned(viewers)


def test_a_count_is_told_when_it_changed_and_once_a_second() -> None:
    room = Room()
    assert room.told is None
    assert room.count_due(10.0) == 0
    assert room.count_due(20.0) is None
    room.join(Seat("a"))
    assert room.count_due(10.0 + limits.COUNT_SECONDS - 0.01) is None
    assert room.count_due(10.0 + limits.COUNT_SECONDS) == 1
    room.total = 7  # Other workers have viewers too.
    assert room.count_due(11.5) is None
    assert room.count_due(12.0) == 7
    assert room.told == 7


# --- speech -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("안녕", "안녕"),
        ("\u1112\u1161\u11ab", "한"),
        ("  a  b  ", "a  b"),
        ("a\nb\tc\r", "a b c"),
        ("a\x00\x1b[31mb\x7f\x85", "a[31mb"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("a\u2066b\u2069\u200bc\ufeff\u061c", "abc"),
        ("\ud800", ""),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
def test_a_text_is_cleaned(text: str, cleaned: str) -> None:
    assert cleaned == clean(text)
    Room().judge(1, cleaned or "x", 0.0)


@pytest.mark.parametrize("text", ["", "   ", "\n", "\u200b\u202e"])
def test_nothing_is_not_said(text: str) -> None:
    with pytest.raises(Empty):
        Room().judge(1, text, 0.0)


def expect_said(text: str) -> None:
    """It is one of the lines that a member may say at once: as many of it are let through, and no more."""
    room = Room()
    for _ in range(limits.SPEECH_LINES_MAX):
        room.judge(1, text, 0.0)
    with pytest.raises(TooFast):
        room.judge(1, text, 0.0)


@pytest.mark.parametrize("extra", [-1, 0])
def test_a_text_up_to_its_limit_is_said(extra: int) -> None:
    expect_said("글" * (limits.TEXT_CHARACTERS_MAX + extra))


def test_a_text_beyond_its_limit_is_not_said() -> None:
    with pytest.raises(TooLong) as caught:
        Room().judge(1, "글" * (limits.TEXT_CHARACTERS_MAX + 1), 0.0)

    assert caught.value.characters == limits.TEXT_CHARACTERS_MAX + 1
    assert "501" in str(caught.value)


def test_a_long_text_of_combining_marks_is_measured_as_it_is_kept() -> None:
    expect_said("\u1112\u1161\u11ab" * limits.TEXT_CHARACTERS_MAX)


@pytest.mark.parametrize("text", ["a\x00b", "a\u202eb", "a\tb"])
def test_a_text_that_nobody_cleaned_is_not_said(text: str) -> None:
    with pytest.raises(Unprintable):
        Room().judge(1, text, 0.0)


def test_space_around_a_text_does_no_harm() -> None:
    expect_said(" hello \n")


def test_a_member_may_say_so_many_lines_in_so_many_seconds() -> None:
    room = Room()
    for line in range(limits.SPEECH_LINES_MAX):
        room.judge(1, "hi", 100.0 + line / 10)
    with pytest.raises(TooFast) as caught:
        room.judge(1, "hi", 101.0)

    assert caught.value.retry_after_ms == round((100.0 + limits.SPEECH_SECONDS - 101.0) * 1000)
    room.judge(2, "others may", 101.0)
    with pytest.raises(TooFast):
        room.judge(1, "hi", 100.0 + limits.SPEECH_SECONDS - 0.001)
    room.judge(1, "hi", 100.0 + limits.SPEECH_SECONDS)
    with pytest.raises(TooFast):  # The window slides: the second line is still in it.
        room.judge(1, "hi", 100.0 + limits.SPEECH_SECONDS)


def test_a_refused_text_does_not_count_against_the_speaker() -> None:
    room = Room()
    for _ in range(20):
        with pytest.raises(Empty):
            room.judge(1, "", 0.0)
    for _ in range(limits.SPEECH_LINES_MAX):
        room.judge(1, "hi", 0.0)


def test_speakers_are_forgotten_when_nothing_counts_any_more() -> None:
    room = Room()
    for member_id in range(1000):
        room.judge(member_id, "hi", float(member_id))

    assert room.speakers < 130
    room.forget_speech(2000.0)
    assert room.speakers == 0


def test_speakers_of_one_moment_are_all_remembered() -> None:
    room = Room()
    for member_id in range(1000):
        room.judge(member_id, "hi", 0.0)

    assert room.speakers == 1000


@pytest.mark.parametrize("error", [Empty(), Unprintable(), TooFast(1200), TooLong(501)])
def test_errors_have_words(error: RoomError) -> None:
    assert str(error)


def test_what_is_taken_back_is_not_in_the_log_any_more() -> None:
    room = Room(lambda payload: {1: b"gone", 9: b"never was"} if payload == b"take back 1" else {})
    for seq, payload in enumerate((b"secret", b"two", b"take back 1"), 1):
        assert room.add(seq, payload) is Place.NEXT

    assert room.log.after(0, 3) == [b"gone", b"two", b"take back 1"]
    assert room.log.bytes == len(b"gonetwotake back 1")
    # What came before comes again: it is known, and it stays gone.
    assert room.add(1, b"secret") is Place.SEEN
    assert room.log.at(1) == b"gone"
    assert room.add(2, b"another two") is Place.ASTRAY


def test_a_history_that_is_read_is_taken_back_too() -> None:
    room = Room(lambda payload: {1: b"gone"} if payload == b"take back 1" else {})
    room.refill(2, [(1, b"secret", False), (2, b"take back 1", False)])

    assert room.log.after(0, 2) == [b"gone", b"take back 1"]


def test_what_is_kept_beyond_the_ring_is_taken_back_there_too() -> None:
    room = Room(lambda payload: {1: b"gone"} if payload == b"take back 1" else {})
    room.add(1, b"gift", kept=True)
    for seq in range(2, limits.LOG_EVENTS_MAX + 3):
        room.add(seq, b"x")
    room.add(limits.LOG_EVENTS_MAX + 3, b"take back 1")

    assert room.log.kept_after(0, before=room.log.first) == (1, b"gone")


def test_no_more_is_remembered_of_what_was_taken_back_than_the_log_has() -> None:
    room = Room(lambda payload: {int(payload) - 1: b"gone"} if int(payload) % 2 == 0 else {})
    for seq in range(1, 4 * limits.LOG_EVENTS_MAX):
        room.add(seq, b"%d" % seq)

    assert len(room._replaced) <= limits.LOG_EVENTS_MAX + 1


def test_a_line_is_measured_as_a_reader_does() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    room = Room()
    room.judge(1, family * (limits.TEXT_CODE_POINTS_MAX // 5), 0.0)

    with pytest.raises(TooLong):
        room.judge(1, family * (limits.TEXT_CODE_POINTS_MAX // 5 + 1), 0.0)
    with pytest.raises(TooLong) as long:
        room.judge(1, "e\u0323\u0301" * (limits.TEXT_CHARACTERS_MAX + 1), 0.0)
    assert long.value.characters == limits.TEXT_CHARACTERS_MAX + 1


def test_a_tower_of_marks_is_refused() -> None:
    room = Room()
    room.judge(1, "a" + "\u0489" * (limits.CLUSTER_CODE_POINTS_MAX - 1), 0.0)

    with pytest.raises(TooTall, match="code points"):
        room.judge(1, "a" + "\u0489" * limits.CLUSTER_CODE_POINTS_MAX, 0.0)


def test_whom_the_channel_does_not_want_is_refused_and_not_counted() -> None:
    room = Room()
    banned = Case(at=datetime(2026, 11, 26, tzinfo=UTC), standing=Standing(banned=True))
    for _ in range(2 * limits.SPEECH_LINES_MAX):
        with pytest.raises(Banned):
            room.judge(1, "hi", 0.0, banned)

    assert room.speakers == 0
    assert "1500" in str(SlowMode(1500))


def test_words_that_the_channel_does_not_want_count_as_spoken() -> None:
    room = Room()
    case = Case(at=datetime(2026, 11, 26, tzinfo=UTC), rules=Rules(blocked_links=True))
    for _ in range(limits.SPEECH_LINES_MAX):
        with pytest.raises(WordsBlocked):
            room.judge(1, "www.x", 0.0, case)
    with pytest.raises(TooFast):
        room.judge(1, "www.x", 0.0, case)
