from __future__ import annotations

from typing import TYPE_CHECKING

from rsocket_server import limits
from rsocket_server.hall import Hall

if TYPE_CHECKING:
    from rsocket_server.viewer_stream import Fanout


def test_events_go_to_their_place_or_ask_for_the_history(fanout: Fanout) -> None:
    hall = Hall(fanout, 0.0)

    assert hall.deliver(1, b"one", False)
    assert hall.deliver(1, b"one", False)
    assert not hall.deliver(3, b"three", False)
    assert hall.room.log.head == 1


def test_what_comes_while_the_history_is_read_waits_within_its_limit(fanout: Fanout) -> None:
    hall = Hall(fanout, 0.0)
    hall.loading = object()  # type: ignore[assignment]
    for seq in range(1, limits.LOG_EVENTS_MAX + 3):
        assert hall.deliver(seq, b"x", False)

    assert len(hall.pending) == limits.LOG_EVENTS_MAX
    assert hall.pending[0] == (3, b"x", False)
    assert hall.room.log.head == 0


def test_asides_are_counted_by_themselves(fanout: Fanout) -> None:
    hall = Hall(fanout, 0.0)

    assert [hall.aside(b"one"), hall.aside(b"two")] == [1, 2]
    assert hall.room.log.head == 0
