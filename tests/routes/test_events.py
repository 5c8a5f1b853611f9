import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from db.conduct import Rules
from routes import events, wire

AT = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
DONATION_ID = "7a0e8a52-3c1f-4f7e-9d0a-1d1f0f6f0a01"


def test_a_stamped_event_is_the_event_with_its_number():
    event = events.Said(id="1", from_=events.Author(nickname="나비", roles=[]), text="안녕", at=AT)

    assert json.loads(events.stamp(7, wire.write(event))) == {
        "seq": 7,
        "kind": "said",
        "id": "1",
        "from": {"nickname": "나비", "roles": []},
        "text": "안녕",
        "at": "2026-11-25T01:02:03Z",
    }


@pytest.mark.parametrize(
    ("event", "written"),
    [
        (events.gap(3, 4, 6), {"kind": "gap", "skipped": 3, "from_seq": 4, "to_seq": 6}),
        (events.count(12), {"kind": "count", "viewers": 12}),
        (
            wire.write(events.Refused(id="1", code="limit.too_fast", retry_after_ms=900)),
            {"kind": "refused", "id": "1", "code": "limit.too_fast", "retry_after_ms": 900},
        ),
        (
            wire.write(events.Refused(id="1", code="chat.too_long")),
            {"kind": "refused", "id": "1", "code": "chat.too_long"},
        ),
        (
            wire.write(events.OnAir(at=AT, playback="/hls/a/index.m3u8")),
            {"kind": "on_air", "at": "2026-11-25T01:02:03Z", "playback": "/hls/a/index.m3u8"},
        ),
        (events.AWAY, {"kind": "away"}),
        (events.BACK, {"kind": "back"}),
        (events.local(events.count(12)), {"local": True, "kind": "count", "viewers": 12}),
        (events.lapsed([("나비", "1")]), {"kind": "lapsed", "lines": [{"nickname": "나비", "id": "1"}]}),
        (
            wire.write(events.Removed(ids=["1"], seqs=[], at=AT, nickname="나비")),
            {"kind": "removed", "ids": ["1"], "seqs": [], "at": "2026-11-25T01:02:03Z", "nickname": "나비"},
        ),
        (wire.write(events.Interrupted(at=AT)), {"kind": "interrupted", "at": "2026-11-25T01:02:03Z"}),
        (wire.write(events.OffAir(at=AT)), {"kind": "off_air", "at": "2026-11-25T01:02:03Z"}),
        (
            wire.write(
                events.Donated(id=UUID(DONATION_ID), from_=events.Author("a", ["operator"]), points=1, text="", at=AT)
            ),
            {
                "kind": "donated",
                "id": DONATION_ID,
                "from": {"nickname": "a", "roles": ["operator"]},
                "points": 1,
                "text": "",
                "at": "2026-11-25T01:02:03Z",
            },
        ),
    ],
)
def test_events_are_written_as_the_contract_names_them(event, written):
    assert json.loads(event) == written


def test_donations_are_kept_and_lines_are_not():
    author = events.Author(nickname="a", roles=[])
    gift = events.Donated(id=UUID(DONATION_ID), from_=author, points=1, text="", at=AT)
    line = events.Said(id="1", from_=author, text='{"kind":"donated"', at=AT)

    assert events.keep(wire.write(gift))
    assert events.keep(wire.write(events.Removed(ids=["a"], seqs=[1], at=AT)))
    assert not events.keep(wire.write(line))


def test_a_removal_stands_where_the_removed_lines_stood():
    removed = wire.write(events.Removed(ids=["a", "b"], seqs=[3, 5], at=AT))

    instead = events.takes_back(events.stamp(9, removed))

    assert {seq: json.loads(event) for seq, event in instead.items()} == {
        seq: {"seq": seq, "kind": "removed", "ids": [], "seqs": [seq], "at": "2026-11-25T01:02:03Z"} for seq in (3, 5)
    }


@pytest.mark.parametrize(
    "event",
    [
        wire.write(events.Said(id="1", from_=events.Author("a", []), text='"kind":"removed"', at=AT)),
        wire.write(events.Unmuted(nickname="a", at=AT)),
        events.rules(Rules()),
    ],
)
def test_no_other_event_takes_anything_back(event):
    assert events.takes_back(events.stamp(9, event)) == {}
    assert events.takes_back(b"") == {}


def test_a_line_has_a_voice_and_nothing_else_has():
    author = events.Author(nickname="나비", roles=[])
    said = events.stamp(9, wire.write(events.Said(id="1", from_=author, text="hi", at=AT)))
    gift = wire.write(events.Donated(id=UUID(DONATION_ID), from_=author, points=1, text="", at=AT))

    assert events.voice(said) == "나비"
    assert events.voice(events.stamp(9, gift)) is None
    assert events.voice(said[:40]) is None
    assert events.voice(b"") is None


def test_a_line_is_the_same_with_another_time_and_other_roles_and_with_other_words_is_not():
    def said(**changed):
        author = events.Author(nickname="나비", roles=changed.pop("roles", []))
        return wire.write(events.Said(**{"id": "1", "from_": author, "text": "hi", "at": AT, **changed}))

    gift = events.Donated(id=UUID(DONATION_ID), from_=events.ANONYMOUS, points=1, text="hi", at=AT)
    later = datetime(2030, 1, 1, tzinfo=UTC)
    (same, at), again = events.line(said()), events.line(said(at=later, roles=["owner"]))
    assert at == AT.timestamp()
    assert again == (same, later.timestamp())
    assert len({events.line(said()), events.line(said(id="2")), events.line(said(text="ho"))}) == 3
    assert events.line(wire.write(gift)) is None
    assert events.line(said()[:-1]) is None


def test_blocked_words_are_not_told_to_the_room():
    written = json.loads(events.rules(Rules(slow_seconds=5, blocked_words=("hush",))))

    assert written["slow_seconds"] == 5
    assert "hush" not in str(written)
