import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

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
    assert not events.keep(wire.write(line))
