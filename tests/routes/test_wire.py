import json
from uuid import UUID

import msgspec
import pytest

from routes import wire

GIVE = {"id": "7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01", "channel": "나비", "points": 100, "text": "안녕"}


def _read(kind, value):
    return wire.read(kind, json.dumps(value).encode())


def test_a_body_is_read_into_its_shape():
    assert _read(wire.Give, GIVE) == wire.Give(id=UUID(GIVE["id"]), channel="나비", points=100, text="안녕")


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        (wire.Give, b"", None),
        (wire.Give, b"{", None),
        (wire.Give, b"[]", None),
        (wire.Give, b"null", None),
        (wire.Give, b'{"id":', None),
        (wire.Give, b'{"channel":"\xff"}', None),
        (wire.Say, b'{"channel":"\\ud800"}', None),
        (wire.Say, b'{"channel":"a","id":"1","text":"x"} {}', None),
        (wire.Say, b'{"zz":' + b"[" * 60_000, None),
        (wire.Say, b"{}", "channel"),
        (wire.Say, b'{"channel":7}', "channel"),
        (wire.Say, b'{"channel":"a","id":"","text":"x"}', "id"),
        (wire.Say, b'{"channel":"a","id":"../x","text":"x"}', "id"),
        (wire.Say, b'{"channel":"a","id":"x\\n","text":"x"}', "id"),
        (wire.Say, b'{"channel":"a","id":"x","text":"\\u0000"}', "text"),
        (wire.Say, b'{"channel":"a","id":"x","text":"a\\u0000\\n"}', "text"),
        (wire.Watch, b'{"channel":"a","since":-1}', "since"),
        (wire.Watch, b'{"channel":"a","since":9223372036854775808}', "since"),
        (wire.Watch, b'{"channel":"a","history":1.5}', "history"),
        (wire.EditChannel, b'{"tags":[1]}', "tags"),
        (wire.EditChannel, b'{"titel":"x"}', None),
    ],
)
def test_what_has_not_the_shape_is_refused_and_only_our_own_field_is_named(kind, data, field):
    with pytest.raises(wire.WireShape) as caught:
        wire.read(kind, data)

    assert caught.value.field == field
    assert (field or "JSON") in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"points": True},
        {"points": 1.0},
        {"points": "100"},
        {"points": 2**63},
        {"points": -(2**63) - 1},
        {"points": None},
        {"id": "not-a-uuid"},
        {"donor": "somebody else"},
        {"nickname": "somebody else"},
    ],
)
def test_money_takes_no_other_shape_and_no_field_for_the_donor(change):
    with pytest.raises(wire.WireShape):
        _read(wire.Give, {**GIVE, **change})


def test_the_rules_own_amounts_and_lengths_pass_the_wire():
    assert _read(wire.Give, {**GIVE, "points": 0}).points == 0
    assert _read(wire.Give, {**GIVE, "points": 2**63 - 1}).points == 2**63 - 1
    assert len(_read(wire.Say, {"channel": "a", "id": "1", "text": "가" * 501}).text) == 501


@pytest.mark.parametrize(
    ("kind", "value", "field", "limit"),
    [
        (wire.Say, {"channel": "a", "id": "1", "text": "x"}, "text", wire.LINE_CHARS_MAX),
        (wire.Say, {"channel": "a", "id": "1", "text": "x"}, "id", wire.LINE_ID_CHARS_MAX),
        (wire.Say, {"channel": "a", "id": "1", "text": "x"}, "channel", wire.CREDENTIAL_CHARS_MAX),
        (wire.LogIn, {"login_id": "a", "password": "b"}, "password", wire.CREDENTIAL_CHARS_MAX),
    ],
)
def test_a_field_ends_at_its_limit(kind, value, field, limit):
    assert _read(kind, {**value, field: "x" * limit})
    with pytest.raises(wire.WireShape):
        _read(kind, {**value, field: "x" * (limit + 1)})


def test_tags_end_at_their_limit():
    assert _read(wire.EditChannel, {"tags": ["x"] * wire.TAGS_MAX})
    with pytest.raises(wire.WireShape):
        _read(wire.EditChannel, {"tags": ["x"] * (wire.TAGS_MAX + 1)})


def test_a_body_ends_at_its_limit():
    body = b'{"channel":"a"}'

    assert wire.read(wire.Watch, body + b" " * (wire.BODY_BYTES_MAX - len(body)))
    with pytest.raises(wire.WireTooLarge, match="more than 65536 bytes"):
        wire.read(wire.Watch, body + b" " * (wire.BODY_BYTES_MAX - len(body) + 1))


def test_unknown_fields_are_ignored_where_nothing_is_lost():
    assert _read(wire.Watch, {"channel": "a", "new": 1}) == wire.Watch(channel="a")


def test_an_edit_tells_left_out_from_empty():
    edit = _read(wire.EditChannel, {"title": ""})

    assert edit.title == ""
    assert edit.category is msgspec.UNSET


@pytest.mark.parametrize(("text", "cursor"), [(None, None), ("", None), ("0", 0), ("9" * 18, int("9" * 18))])
def test_a_cursor_is_a_number_we_handed_out(text, cursor):
    assert wire.read_cursor(text) == cursor


@pytest.mark.parametrize("text", ["-1", "x", "9" * 19, "1\n", "٣", " 1"])
def test_another_cursor_is_refused(text):
    with pytest.raises(wire.WireShape, match="cursor"):
        wire.read_cursor(text)


def _bounded(schema):
    if isinstance(schema, list):
        return all(_bounded(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    bound = {"string": "maxLength", "array": "maxItems", "integer": "maximum"}.get(schema.get("type"))
    if bound is not None and bound not in schema and "format" not in schema:
        return False
    return all(_bounded(part) for part in schema.values())


@pytest.mark.parametrize(
    "kind", [wire.SignUp, wire.LogIn, wire.EditChannel, wire.Watch, wire.Say, wire.Give, wire.Empty]
)
def test_everything_a_stranger_sends_is_bounded(kind):
    assert _bounded(msgspec.json.schema_components([kind])[1])
