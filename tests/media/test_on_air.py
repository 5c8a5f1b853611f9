from __future__ import annotations

from media.broadcast import State
from media.on_air import OnAir


def test_an_owner_is_cut_once_and_in_words():
    on_air, words = OnAir(None, 1.0), []
    on_air.cut_owner("nobody hears it")
    on_air.cut = words.append
    on_air.cut_owner("goodbye")
    on_air.cut_owner("goodbye again")

    assert words == ["goodbye"]


def test_it_begins_announced_with_nothing_that_costs():
    on_air = OnAir(None, 1.0)

    assert on_air.told is on_air.broadcast.state is State.ANNOUNCED
    assert (on_air.writer, on_air.transcoder, on_air.still.thumbnail, on_air.health.report(0.0)) == (None,) * 4
