"""Core: may an ask for a playlist be answered now, must it wait, or must it be refused (rfc8216bis 6.2.5.2)?"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Final

from media.hls_writer.errors import PartWithoutMsn, TooFarAhead

if TYPE_CHECKING:
    from media.hls_writer.timeline import Timeline

# "If the _HLS_msn is greater than the Media Sequence Number of the last Media Segment plus two": at once, 400.
MSN_AHEAD_MAX: Final = 2
# An ask that waited longer is answered 503: the publisher has gone, and the player shall look elsewhere or try anew.
HOLD_TARGETS: Final = 3


class Verdict(Enum):
    """What to do with an ask."""

    ANSWER = "answer"
    WAIT = "wait"


def decide(timeline: Timeline, part_target_seconds: float, *, msn: int | None, part: int | None) -> Verdict:
    """Judge an ask for segment `msn` (and its part number `part`, from 0). On WAIT: ask again after each change.

    A segment asked for without a part is there when it is closed. A part behind the last of a closed segment means the
    first part of the next. What is long gone is answered with the playlist as it is. After ENDLIST nothing is waited
    for. Raises PartWithoutMsn, TooFarAhead.
    """
    if msn is None:
        if part is not None:
            raise PartWithoutMsn(part)
        return Verdict.ANSWER
    if timeline.ended:
        return Verdict.ANSWER
    last_msn, open_parts = timeline.last
    if msn > last_msn + MSN_AHEAD_MAX:
        raise TooFarAhead(msn, part)
    if msn < last_msn:
        return Verdict.ANSWER  # Closed, and so is every part of it; a part behind its end is the newer segment's first.
    closed = msn == last_msn and open_parts < 0
    if part is None:
        return Verdict.ANSWER if closed else Verdict.WAIT
    there = 0 if msn > last_msn else _part_count(timeline, msn) if closed else open_parts
    if part - there >= advance_part_limit(part_target_seconds):
        raise TooFarAhead(msn, part)
    return Verdict.ANSWER if part < there else Verdict.WAIT


def advance_part_limit(part_target_seconds: float) -> int:
    """How many parts ahead one may ask: three seconds' worth of short parts, three of long ones."""
    return math.ceil(3 / part_target_seconds) if part_target_seconds < 1 else 3


def _part_count(timeline: Timeline, msn: int) -> int:
    """Parts of a closed segment that is still listed; 0 when nothing of it is known."""
    segment = timeline.segment(msn)
    return len(segment.parts) if segment else 0
