import pytest

from db.act import LINES_MAX
from routes import wire
from routes.wire_conduct import Act, EditRules


@pytest.mark.parametrize(
    "body",
    [
        b'{"channel":"a","action":"ban","nickname":"b","reason":"x"}',
        b'{"channel":"a","action":"remove","ids":["a-1"],"seqs":[1]}',
        b'{"channel":"a","action":"mute","nickname":"b","seconds":60}',
        b'{"channel":"a","action":"pin","text":""}',
    ],
)
def test_an_act_is_read(body):
    assert wire.read(Act, body).channel == "a"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"channel":"a"}', "action"),
        (b'{"channel":"a","action":"crown"}', "action"),
        (b'{"channel":"a","action":"ban","nick":"b"}', None),
        (b'{"channel":"a","action":"ban","nickname":""}', "nickname"),
        (b'{"channel":"a","action":"remove","ids":["no good"]}', "ids"),
        (b'{"channel":"a","action":"remove","seqs":[0]}', "seqs"),
        (b'{"channel":"a","action":"remove","seqs":%s}' % str([1] * (LINES_MAX + 1)).encode(), "seqs"),
        (b'{"channel":"a","action":"mute","seconds":2147483648}', "seconds"),
        (b'{"channel":"a\\u0000","action":"mute"}', "channel"),
    ],
)
def test_what_is_no_act_is_refused_with_its_field(body, field):
    with pytest.raises(wire.WireShape) as refused:
        wire.read(Act, body)

    assert (refused.value.field or "").removesuffix("[...]") == (field or "")


def test_rules_are_edited_one_by_one():
    edit = wire.read(EditRules, b'{"followers_only_minutes":null}')

    assert edit.followers_only_minutes is None
    with pytest.raises(wire.WireShape):
        wire.read(EditRules, b'{"slow_second":5}')
