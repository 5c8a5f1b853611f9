from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from db.errors import StoreUnknown
from rsocket_server import limits
from rsocket_server.held import Name
from rsocket_server.notice_board import NoticeBoard
from tests.rsocket_server.script import NABI
from tests.rsocket_server.test_absence import UNKNOWN, UNSAID, Switch, rooms, say, switch, watch
from tests.rsocket_server.test_rooms import ROOM
from tests.rsocket_server.test_watch import settle

if TYPE_CHECKING:
    from rsocket_server.rooms import Rooms

__all__ = ["rooms", "switch"]


@pytest.fixture
def board(rooms: Rooms, switch: Switch) -> NoticeBoard:
    return NoticeBoard(switch, rooms)  # type: ignore[arg-type]


async def test_what_is_put_up_is_published(board: NoticeBoard, switch: Switch) -> None:
    assert [await board.publish(ROOM, b"muted"), await board.publish(ROOM, b"muted")] == [1, 2]
    assert [payload for _, payload in switch.said] == [b"muted", b"muted"]


@pytest.mark.parametrize("failure", [UNSAID, UNKNOWN], ids=["unsaid", "unknown"])
async def test_while_the_bus_is_away_it_is_seen_here_and_published_later(
    board: NoticeBoard, rooms: Rooms, switch: Switch, failure: Exception
) -> None:
    reader = watch(rooms)
    switch.failure = failure
    await say(rooms, "one")
    assert await board.publish(ROOM, b"muted") == 0
    await board.announce("conduct", b"7:9")
    await settle(rooms.hall(ROOM).fanout)
    assert reader.items == [b"away", b"local:one", b"local:muted"]
    switch.failure = None
    await rooms.absence.look()

    assert [payload for _, payload in switch.said] == [b"one", b"muted"]
    assert switch.told == [("conduct", b"7:9")]


async def test_the_past_is_what_this_worker_knows_while_the_bus_is_away(
    board: NoticeBoard, rooms: Rooms, switch: Switch
) -> None:
    for number in (1, 2):
        rooms.hall(ROOM).deliver(number, b"line %d" % number, False)
    switch.failure = UNSAID
    await say(rooms, "one")

    assert await board.past(ROOM) == [(1, b"line 1"), (2, b"line 2")]
    assert board.unnumbered(ROOM) == [b"one"]
    assert board.unnumbered(8) == []
    name = Name(NABI.nickname, "one")
    assert board.take_down(ROOM, {name}, b"gone", lambda seq: b"%d" % seq) == {name}
    assert board.unnumbered(ROOM) == []


async def test_an_act_that_cannot_be_shown_is_done_all_the_same(
    board: NoticeBoard, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELD_LINES_MAX", 0)
    monkeypatch.setattr(limits, "HELD_ACTS_MAX", 0)
    switch.failure = UNSAID
    with pytest.raises(StoreUnknown):
        await board.publish(ROOM, b"muted")
