"""Shell: what an earlier process left on disk, read back so that a broadcast goes on as if nothing had been.

A process that was killed says nothing: its segments, its journal and the lease of its broadcasts speak for it. Whoever
asks decides by the lease whether a broadcast goes on or has ended; both keep their past.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from media.ffmpeg_args import bits_a_second
from media.folder import BEHIND, GROWING
from media.hls_writer import restore
from media.hls_writer.errors import HlsError
from media.hls_writer.journal import read_records
from media.hls_writer.playlist import ResourceName, read_name
from media.hls_writer.recorder import JOURNAL
from media.hls_writer.rendition import Resumed
from media.hls_writer.samples import read_init
from media.hls_writer.writer import SOURCE, Writer

if TYPE_CHECKING:
    from pathlib import Path

    from media.hls_writer.archive import Entry
    from media.hls_writer.restore import Story
    from media.spool import Spool

log = logging.getLogger(__name__)

SEGMENT: Final = ".m4s"
_JOURNAL_NAME: Final = re.compile(JOURNAL + r"[0-9]{1,9}")


@dataclass(slots=True)
class Left:
    """One broadcast that was left: what lies on disk. `read_edge` takes into memory what players are at."""

    folder: Path
    story: Story
    journals: list[int]
    age_seconds: float  # since anything was written
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    inits: dict[str, dict[int, bytes]] = field(default_factory=dict)
    edges: dict[str, list[Entry]] = field(default_factory=dict)
    data: dict[str, dict[int, bytes]] = field(default_factory=dict)


def read_folder(folder: Path) -> Left | None:
    """One broadcast, None if it cannot be read back; blocks. What the folder has beyond it is removed."""
    try:
        return _read_folder(folder)
    except (OSError, HlsError) as error:
        log.warning("not_recovered folder=%s words=%s", folder.name, error)
        return None


def _read_folder(folder: Path) -> Left | None:
    """None if its journal tells nothing or was behind what had happened. Raises OSError, HlsError."""
    stats = {path.name: path.stat() for path in folder.iterdir()}
    sizes = {name: stat.st_size for name, stat in stats.items()}
    journals = sorted(int(name.removeprefix(JOURNAL)) for name in sizes if _JOURNAL_NAME.fullmatch(name))
    records = [each for number in journals for each in read_records((folder / f"{JOURNAL}{number}").read_bytes())]
    story = restore.replay(records)
    if story is None or str(story.began.broadcast_id) != folder.name or any(name.endswith(BEHIND) for name in sizes):
        return None
    newest = max((stat.st_mtime for name, stat in stats.items() if name.endswith(SEGMENT)), default=0.0)
    left = Left(folder, story, journals, max(0.0, time.time() - newest))
    for name in story.tracks:
        _read_track(folder, name, left, sizes)
    kept = {
        str(ResourceName(name, "s", each.msn)) for name in story.tracks for each in left.entries[name] if not each.gap
    }
    for path in folder.iterdir():
        if path.name.endswith(SEGMENT) and path.name not in kept:
            path.unlink()
    return left


def read_edge(left: Left) -> None:
    """Take the newest segments of a broadcast that goes on into memory; blocks. Raises OSError."""
    for name, track in left.story.tracks.items():
        edge = left.edges[name] = restore.edge(track, left.entries[name])
        left.data[name] = {
            each.msn: (left.folder / str(ResourceName(name, "s", each.msn))).read_bytes()
            for each in edge
            if not each.gap
        }


def _read_track(folder: Path, name: str, left: Left, sizes: dict[str, int]) -> None:
    track = left.story.tracks[name]
    inits = left.inits[name] = _read_inits(folder, name, sizes)
    entries: list[Entry] = []
    for msn, told in sorted(track.segments.items()):
        file = str(ResourceName(name, "s", msn))
        entry = told.entry(sizes.get(file, sizes.get(GROWING + file)))
        if entry and entry.opening.init not in inits:
            entry = replace(entry, size=0, gap=True)  # Nobody could play it.
        # What the window or the quota has taken is gone from the beginning; a hole behind it was always one.
        if entry is None or (entry.gap and not entries):
            continue
        if file not in sizes and not entry.gap:
            with (folder / (GROWING + file)).open("r+b") as growing:
                growing.truncate(entry.size)
            (folder / (GROWING + file)).replace(folder / file)
        entries.append(entry)
    left.entries[name] = entries


def _read_inits(folder: Path, name: str, sizes: dict[str, int]) -> dict[int, bytes]:
    inits = {}
    for file in sizes:
        if file.startswith(f"{name}_init"):
            data = inits[read_name(file).number] = (folder / file).read_bytes()
            read_init(data)  # What cannot be read is not gone on with.
    return inits


def resume(left: Left, spool: Spool, *, window_seconds: float, ended: bool) -> Writer:
    """The broadcast's writer, with its recorder; where it has `ended`, only what is on disk, and no edge is needed."""
    story = left.story
    began = story.began
    recorder = spool.record(began, window_seconds=window_seconds, journal=max(left.journals) + 1)
    names = tuple(name for name in began.renditions if name != SOURCE or not began.hidden)
    bits = {name: bits_a_second(int(name.removesuffix("p"))) for name in began.renditions if name != SOURCE}
    writer = Writer(began.broadcast_id, names, began.part_seconds, bits_a_second=bits, recorder=recorder)
    resumed = {}
    for name, told in story.tracks.items():
        entries, inits = left.entries[name], left.inits[name]
        next_msn = entries[-1].msn + 1 if entries else told.next_msn
        edge, data = left.edges.get(name, []), left.data.get(name, {})
        timeline = restore.timeline(told, edge, data, next_msn)
        init = max(told.init, *inits, 0)
        resumed[name] = Resumed(timeline, inits, init)
        sizes = {number: len(data) for number, data in inits.items()}
        recorder.resume(name, told, entries, edge=data, inits=sizes, init=init, next_part=timeline.next_part)
    recorder.forget_journals(left.journals)
    writer.resume(resumed, epoch=story.epoch, line_ms=restore.line_ms(story.tracks.values()))
    if ended:
        writer.end()
        writer.cool()
    return writer
