"""Shell: broadcasts that have ended: a while in memory for who is at their edge, then on disk for who went back.

What is on disk is kept as long after the end as a viewer may be behind it: he can play to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from db.member import nickname_key

if TYPE_CHECKING:
    from media.hls_writer.writer import Writer

# For players to fetch what they have not played yet; the writer's window is as long.
ENDED_RETENTION_SECONDS: Final = 30.0
# Ended broadcasts in memory at once, whatever their age.
ENDED_MAX: Final = 32
# Ended broadcasts on disk at once: what one channel that begins and ends all the time costs in records.
PAST_MAX: Final = 256


@dataclass(slots=True)
class Ended:
    """One broadcast that is over."""

    nickname: str
    writer: Writer
    at: float
    cool: bool = False


class Past:
    """Every ended broadcast that anything is left of. `disk_seconds`: how long those with a recorder stay on disk."""

    def __init__(self, disk_seconds: float) -> None:
        self._disk_seconds = disk_seconds
        self._ended: list[Ended] = []

    def add(self, nickname: str, writer: Writer, now: float, *, cool: bool = False) -> None:
        """A broadcast has ended at `now`; `cool` if nothing of it is in memory."""
        self._ended.append(Ended(nickname, writer, now, cool))

    def find(self, nickname: str, *, on_disk: bool = False) -> Writer | None:
        """The channel's last broadcast that is still in memory; with `on_disk`, or else on disk."""
        key = nickname_key(nickname)
        for ended in reversed(self._ended):
            if nickname_key(ended.nickname) == key and (on_disk or not ended.cool):
                return ended.writer
        return None

    def sweep(self, now: float) -> list[Writer]:
        """Give memory back where the time is over; those of which nothing is left now."""
        warm = [each for each in self._ended if not each.cool and now - each.at < ENDED_RETENTION_SECONDS][-ENDED_MAX:]
        for ended in self._ended:
            if not ended.cool and ended not in warm:
                ended.cool = True
                ended.writer.cool()
        kept = [each for each in self._ended if not each.cool or self._on_disk(each, now)][-PAST_MAX:]
        gone = [each.writer for each in self._ended if each not in kept]
        self._ended = kept
        return gone

    def clear(self) -> None:
        """Forget all; what is on disk stays there."""
        self._ended.clear()

    def _on_disk(self, ended: Ended, now: float) -> bool:
        recorder = ended.writer.recorder
        return recorder is not None and recorder.bytes_held > 0 and now - ended.at < self._disk_seconds
