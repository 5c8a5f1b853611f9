import pytest

from routes import wire
from routes.wire_bots import AskToken, TalkLine


def test_a_line_up_is_read():
    assert wire.read(TalkLine, b'{"id":"a-1","text":"hi"}') == TalkLine("a-1", "hi")


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (TalkLine, b'{"id":"","text":"hi"}'),
        (TalkLine, b'{"id":"a b","text":"hi"}'),
        (TalkLine, b'{"id":"a","text":"%s"}' % (b"x" * 4_001)),
        (TalkLine, b""),
        (AskToken, b'{"name":"x","scopes":"chat:read"}'),
        (AskToken, b'{"name":"x","scopes":[],"extra":1}'),
    ],
)
def test_what_is_none_is_refused(shape, body):
    with pytest.raises(wire.WireShape):
        wire.read(shape, body)
