"""The relations between limits; each limit's edge is tried where it is kept."""

from __future__ import annotations

import re
from pathlib import Path

from db.pool import REDIS_CALL_SECONDS_MAX
from rsocket_server import limits

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name in vars(limits) if name.isupper()]


def test_every_limit_is_kept_somewhere_and_tried_somewhere() -> None:
    code = "".join(path.read_text() for path in (ROOT / "rsocket_server").glob("*.py") if path.name != "limits.py")
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "rsocket_server").glob("*.py"))

    assert [] == [name for name in NAMES if f"limits.{name}" not in code]
    assert [] == [name for name in NAMES if not re.search(rf"\b{name}\b", tests)]


def test_a_limit_says_its_unit() -> None:
    units = (
        "BYTES_MAX",
        "_BYTES",
        "_SECONDS",
        "_SECONDS_MIN",
        "_SECONDS_MAX",
        "_MIN",
        "_MAX",
        "_WATCHERS",
        "_DEFAULT",
        "_STEPS",
    )

    assert [] == [name for name in NAMES if not name.endswith((*units, "_UNBOUNDED"))]


def test_limits_fit_each_other() -> None:
    # A keepalive's echo, which is as long as it was, may follow a full buffer and a batch without cutting the line.
    assert limits.WRITE_HIGH_BYTES + limits.BATCH_BYTES_MAX + limits.MESSAGE_BYTES_MAX < limits.OUTBOUND_BYTES_MAX
    # Whoever resumes within a log's length loses nothing, and whoever joins gets no gap.
    assert limits.JOIN_EVENTS_MAX < limits.LOG_EVENTS_MAX
    # The house can say goodbye within the two seconds that a roof has.
    assert limits.CLOSE_SECONDS <= 2
    # A handler hears that the store hangs; one whose sender hears refusals by a watch has 0.8 of the time.
    assert REDIS_CALL_SECONDS_MAX < 0.8 * limits.HANDLER_SECONDS
    # A speaker forgotten with an idle room had nothing left to answer for.
    assert limits.ROOM_IDLE_SECONDS > limits.SPEECH_SECONDS
    assert limits.COUNT_STEPS[-1] == (0, 1)
