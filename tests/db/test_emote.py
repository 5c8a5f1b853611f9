import pytest

from db.emote import CODE_CHARACTERS_MAX, EmoteCode, EmotesTooMany, EmoteUnknown, check_code, hash_picture


@pytest.mark.parametrize("code", ["ab", "cat_1", "고양이", "0" * CODE_CHARACTERS_MAX])
def test_codes(code):
    assert check_code(code) == code


@pytest.mark.parametrize(
    "code",
    [
        "",
        "a",
        "0" * (CODE_CHARACTERS_MAX + 1),
        "Cat",
        "a b",
        "a:b",
        "cat\n",
        "고양이".encode().decode("latin-1"),
        "ㄱㄴ",
    ],
)
def test_what_is_no_code(code):
    with pytest.raises(EmoteCode, match="a code has"):
        check_code(code)


def test_the_same_picture_has_the_same_name():
    assert hash_picture(b"x") == hash_picture(b"x") != hash_picture(b"y")
    assert len(hash_picture(b"")) == 32


def test_refusals_have_words():
    assert str(EmoteUnknown())
    assert str(EmotesTooMany())
