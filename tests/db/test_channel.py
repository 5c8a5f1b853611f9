"""Core: what may be written on a channel, at the edges of each rule."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.channel import (
    BroadcastEnded,
    CategoryTooLong,
    ChannelError,
    ChannelTextShape,
    ChannelUnknown,
    TagsTooMany,
    TagTooLong,
    TitleTooLong,
    check_category,
    check_tags,
    check_title,
    hash_stream_key,
)


@pytest.mark.parametrize(
    ("text", "title"),
    [("", ""), ("가" * 100, "가" * 100), ("  오늘도\t\n냥 ", "오늘도 냥"), ("😺 <b>", "😺 <b>"), ("e\u0301", "é")],
)
def test_a_title_is_put_in_one_line(text, title):
    assert title == check_title(text)


def test_a_title_of_101_characters_is_refused():
    with pytest.raises(TitleTooLong, match="101 characters, at most 100"):
        check_title("가" * 101)


def test_a_category_has_40_characters():
    assert "x" * 40 == check_category("x" * 40)
    with pytest.raises(CategoryTooLong, match="41 characters, at most 40"):
        check_category("x" * 41)


def test_tags_are_kept_once_in_order():
    assert ("b", "a", "c d") == check_tags(["b", " a", "b", "c  d"])
    assert () == check_tags([])


def test_ten_tags_of_twenty_characters():
    tags = [f"{number:020}" for number in range(10)]
    assert tuple(tags) == check_tags(tags)
    with pytest.raises(TagsTooMany, match="11 tags, at most 10"):
        check_tags([*tags, "x"])
    with pytest.raises(TagTooLong, match="21 characters, at most 20"):
        check_tags(["x" * 21])


@pytest.mark.parametrize("tags", [[""], ["a", " \n"]])
def test_an_empty_tag_is_refused(tags):
    with pytest.raises(ChannelTextShape, match="tags"):
        check_tags(tags)


@pytest.mark.parametrize(("check", "field"), [(check_title, "title"), (check_category, "category")])
@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "a\ud800"])
def test_what_is_no_text_is_refused(check, field, text):
    with pytest.raises(ChannelTextShape, match=field):
        check(text)


@given(st.text(max_size=120))
def test_what_is_taken_can_be_taken_again(text):
    try:
        title = check_title(text)
    except ChannelError:
        return

    assert title == check_title(title)
    assert "\n" not in title
    title.encode()


def test_a_stream_key_is_kept_as_its_hash():
    assert hashlib.sha256(b"live_key").digest() == hash_stream_key("live_key")


@given(st.text(alphabet=st.characters(), max_size=20))
def test_any_stream_key_has_a_hash(text):
    assert 32 == len(hash_stream_key(text))


def test_errors_say_what_they_are_about():
    assert "no such channel: 냥냥" == str(ChannelUnknown("냥냥"))
    assert "broadcast 7 has ended" == str(BroadcastEnded(7))


@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\u2066b", "\ufeffa"])
def test_what_turns_or_hides_a_line_is_no_title_category_or_tag(text):
    for check in (check_title, check_category, lambda text: check_tags([text])):
        with pytest.raises(ChannelTextShape):
            check(text)
    assert check_title("👩\u200d🚀") == "👩\u200d🚀"
