import msgspec
import pytest

from routes import wire
from routes.account_shapes import ChangePassword, Leave


def test_a_password_is_text_of_a_bounded_length():
    assert wire.read(Leave, b'{"password": "x"}') == Leave(password="x")
    for value in (b"1", b"null", b'"\\u0000"', msgspec.json.encode("x" * 257)):
        with pytest.raises(wire.WireShape):
            wire.read(Leave, b'{"password": %s}' % value)


def test_both_passwords_are_asked_for():
    with pytest.raises(wire.WireShape) as caught:
        wire.read(ChangePassword, b'{"password": "x"}')

    assert caught.value.field == "old_password"
