from __future__ import annotations

from media.hls_writer.line import EPOCH_STEP_MS, START_MS, Line


def test_every_broadcast_begins_at_the_same_time():
    for first_ms in (0, 5_000_000, -3):
        line = Line()
        assert START_MS == line.begin(first_ms) == line.place(first_ms)


def test_the_next_epoch_begins_behind_all_that_was():
    line = Line()
    line.begin(0)
    for timestamp_ms in (0, 40, 20):
        line.place(timestamp_ms)

    assert line.begin(7_000) == START_MS + 40 + EPOCH_STEP_MS
    assert line.place(7_010) == START_MS + 40 + EPOCH_STEP_MS + 10
    assert line.shift_ms == START_MS + 40 + EPOCH_STEP_MS - 7_000


def test_another_process_was_there_before():
    line = Line()
    line.resume(60_000)

    assert line.begin(0) == 60_000 + EPOCH_STEP_MS
