import pytest

from db import bot_token
from db.bot_token import (
    BotTokenShape,
    BotTokensTooMany,
    BotTokenUnknown,
    Scope,
    check_name,
    check_scopes,
    hash_bot_token,
    is_bot_token,
)


def test_a_name_is_one_short_line():
    assert check_name("  my\n bot ") == "my bot"
    assert check_name("x" * bot_token.NAME_CHARACTERS_MAX)
    for name in ("", " ", "x" * (bot_token.NAME_CHARACTERS_MAX + 1), "a\x00", "a\u202eb"):
        with pytest.raises(BotTokenShape, match="name"):
            check_name(name)


def test_scopes_are_ours_and_not_none():
    assert check_scopes(["chat:read", "chat:read"]) == {Scope.READ}
    assert check_scopes(["chat:read", "chat:write", "moderation:act"]) == set(Scope) - {Scope.OVERLAY}
    assert check_scopes(["overlay:watch"]) == {Scope.OVERLAY}
    for scopes in ([], ["points:give"], ["chat:read", ""], ["chat:read", "overlay:watch"]):
        with pytest.raises(BotTokenShape, match="scopes"):
            check_scopes(scopes)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("cmb_" + "a" * 43, True),
        ("cmb_" + "a" * 42, False),
        ("cmb_" + "a" * 44, False),
        ("cmb_" + "a" * 42 + "!", False),
        ("a" * 47, False),
        ("cmb_" + "a" * 43 + "\n", False),
        ("", False),
    ],
)
def test_only_what_has_the_shape_is_looked_up(text, is_one):
    assert is_bot_token(text) is is_one


def test_a_token_is_kept_as_its_hash():
    assert len(hash_bot_token("cmb_x")) == 32
    assert hash_bot_token("cmb_x") != hash_bot_token("cmb_y")
    assert str(BotTokensTooMany()) == "at most 20 tokens"
    assert str(BotTokenUnknown()) == "no such token"
