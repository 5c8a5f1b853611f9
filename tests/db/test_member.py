"""Core: login ids, nicknames and passwords, at the edges of each rule."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.member import (
    LoginIdShape,
    LoginIdTaken,
    MemberBanned,
    MemberError,
    MemberUnknown,
    NicknameShape,
    NicknameTaken,
    PasswordWeak,
    check_login_id,
    check_nickname,
    check_password,
    nickname_key,
)


@pytest.mark.parametrize("text", ["abcd", "a_1_", "0000", "a" * 20])
def test_a_login_id_is_taken_as_it_is(text):
    assert text == check_login_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "a" * 21,
        "Abcd",
        "abcd ",
        "abcd\n",
        "ab cd",
        "ab-cd",
        "고양이집",
        "abc\u0661",
        "POINT_LOCK_x",
        "../../etc",
    ],
)
def test_another_login_id_is_refused(text):
    with pytest.raises(LoginIdShape, match="4 to 20"):
        check_login_id(text)


@pytest.mark.parametrize("text", ["냥냥", "Nyan", "고양이123", "猫猫", "ねこ", "Ärger", "가" * 20, "ab"])
def test_a_nickname_is_taken_as_it_is(text):
    assert text == check_nickname(text)


def test_a_nickname_typed_on_a_mac_is_the_one_typed_on_windows():
    assert check_nickname("고양이") == check_nickname(unicodedata.normalize("NFD", "고양이"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not 2 to 20"),
        ("냥", "not 2 to 20"),
        ("가" * 21, "not 2 to 20"),
        ("a b", r"U\+0020"),
        ("ab\n", r"U\+000A"),
        ("a/b", r"U\+002F"),
        ("ab\x00", r"U\+0000"),
        ("ab\ud800", r"U\+D800"),
        ("ab\u200b", r"U\+200B"),  # zero width space
        ("a\u202eb", r"U\+202E"),  # right-to-left override
        ("ㅤㅤ", r"U\+3164"),  # Hangul filler: a letter nobody sees
        ("a\u115f", r"U\+115F"),
        ("a\u1160", r"U\+1160"),
        ("a\uffa0", r"U\+FFA0"),
        ("a😺b", r"U\+1F63A"),
        ("ab²", r"U\+00B2"),  # a number, but no decimal digit
        ("x\u0301\u0301y", r"U\+0301"),  # accents that compose with nothing
        ("admin", "of the house"),
        ("\uff21\uff24\uff2d\uff29\uff2e", "of the house"),  # full width
        ("Operator", "of the house"),
        ("운영자", "of the house"),
    ],
)
def test_another_nickname_is_refused(text, reason):
    with pytest.raises(NicknameShape, match=reason):
        check_nickname(text)


@pytest.mark.parametrize(
    ("one", "other"), [("Nyan", "nYAN"), ("\uff4e\uff59\uff41\uff4e", "nyan"), ("straße", "STRASSE"), ("ﬁn", "fin")]
)
def test_names_that_read_the_same_have_one_key(one, other):
    assert nickname_key(one) == nickname_key(other)


@given(st.text(alphabet=st.characters(categories=["L", "Nd", "M", "Cf", "Zs", "Cc"]), max_size=24))
def test_what_is_taken_can_be_taken_again_and_found_by_its_key(text):
    try:
        nickname = check_nickname(text)
    except NicknameShape:
        return

    assert nickname == check_nickname(nickname)
    assert nickname_key(text) == nickname_key(nickname)
    assert nickname_key(nickname) == nickname_key(nickname_key(nickname))
    assert nickname.isprintable()
    assert not set(nickname) & set("/?#%&<>\"' \\")


@pytest.mark.parametrize("text", ["correct horse", "나는고양이다냥냥", "x" * 8 + "y", "Tr0ub4dor", "q" * 127 + "w"])
def test_a_decent_password_is_accepted(text):
    check_password(text, "somebody")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seven77", "fewer than 8"),
        ("q" * 128 + "w", "more than 128"),
        ("somebody", "login id"),
        ("SomeBody", "login id"),
        ("password", "most common"),
        ("PassWord", "most common"),
        ("1q2w3e4r", "most common"),
        ("abcdefg\ud800", "surrogate"),
    ],
)
def test_another_password_is_refused(text, reason):
    with pytest.raises(PasswordWeak, match=reason):
        check_password(text, "somebody")


def test_eight_characters_are_enough_and_128_are_not_too_many():
    check_password("eightchr", "somebody")
    check_password("q" * 127 + "w", "somebody")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LoginIdTaken("nyan"), "login id taken: nyan"),
        (NicknameTaken("냥냥"), "nickname taken: 냥냥"),
        (MemberUnknown(7), "no such member: 7"),
        (MemberBanned("냥냥"), "banned: 냥냥"),
    ],
)
def test_an_error_says_whom_it_is_about(error, text):
    assert isinstance(error, MemberError)
    assert text == str(error)


@pytest.mark.parametrize("text", ["аdmin", "оperator", "Nаbi", "nabι", "Αlpha"])
def test_letters_that_only_look_alike_do_not_mix(text):
    with pytest.raises(NicknameShape, match=" and "):
        check_nickname(text)


@pytest.mark.parametrize("text", ["Анна", "Νίκος", "나비nabi", "ねこcat", "猫2"])
def test_one_alphabet_or_one_with_hangul_or_kana_is_a_name(text):
    assert check_nickname(text) == unicodedata.normalize("NFC", text)
