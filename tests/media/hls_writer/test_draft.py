"""One life of a broadcast, as bad as they are, and each rule of rfc8216bis that its playlists must keep, by name.

Every rule is tried twice: no look at the life breaks it, and it finds the fault that is planted for it. What is asked
for and answered (6.2.5, 6.2.6) is in test_reload.py, test_writer.py and tests/routes/test_playback.py.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from media.hls_writer.fmp4 import VIDEO_TRACK
from media.hls_writer.writer import Writer
from media.intake import Intake
from tests.media import films
from tests.media.boxes import read_fragment
from tests.media.checker import Playlist, attributes, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILMS = ("plain", "other_size", "hevc", "audio_only", "plain")
LONG_SECONDS = 60


@dataclass
class Life:
    """What a player saw: every whole playlist and every delta beside it, in order, and what it fetched."""

    wholes: list[bytes] = field(default_factory=list)
    deltas: list[bytes] = field(default_factory=list)
    fetched: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def read(self) -> list[Playlist]:
        return [read(each) for each in self.wholes]

    def spoilt(self, old: str, new: str, at: int = -1) -> Life:
        """The same with one playlist written differently."""
        wholes = list(self.wholes)
        text = wholes[at].decode()
        assert re.search(old, text, re.MULTILINE), f"{old} is not in it"
        wholes[at] = re.sub(old, new, text, count=1, flags=re.MULTILINE).encode()
        return Life(wholes, self.deltas, self.fetched, self.missing)


def sessions(film: Callable) -> Iterator[list]:
    """What one encoder after another sends: other sizes, other codecs, sound alone, a clock that jumps."""
    for name in FILMS:
        yield list(films.events(films.tags(film(name))))
    intake = Intake()
    intake.metadata({"videocodecid": 7})
    events = intake.video(0, films.video_config())
    for index in range(LONG_SECONDS * 30):
        at = index * 1000 // 30 + (40_000 if index > 15 * 30 else 0)
        events += intake.video(at, films.picture(key=index % 60 == 0))
    yield events


@pytest.fixture(scope="module")
async def life(film) -> Life:
    seen, writer = Life(), Writer(7)
    timeline = writer._source.timeline

    async def look() -> None:
        for skip, looks in ((False, seen.wholes), (True, seen.deltas)):
            looks.append(await writer.media_playlist("source", msn=None, part=None, skip=skip))
        for name in read(seen.wholes[-1]).names:
            if name not in seen.fetched:
                seen.fetched[name] = (await writer.resource(name)).data

    for events in sessions(film):
        version = timeline.version
        for event in events:
            films.write(writer, event)
            if timeline.ready and timeline.version != version:
                version = timeline.version
                await look()
        writer.interrupt()
        await look()
    writer.end()
    await look()
    return seen


def durations(life: Life) -> Iterator[str]:
    """6.2.1: EXTINF, rounded, is at most the target duration."""
    for each in life.read():
        yield from (f"segment {one.msn}" for one in each.closed if int(one.duration + 0.5) > each.target)


def constants(life: Life) -> Iterator[str]:
    """6.2.1: target duration, server control and part target never change."""
    for old, new in itertools.pairwise(life.read()):
        if old.constants != new.constants:
            yield f"{old.constants} {new.constants}"


def edits(life: Life) -> Iterator[str]:
    """6.2.1: only additions at the end and removals at the beginning."""
    for old, new in itertools.pairwise(life.read()):
        there = {each.msn: each for each in new.segments}
        for each in old.closed:
            now = there.get(each.msn)
            if each.msn >= new.sequence and (now is None or (now.uri, now.duration) != (each.uri, each.duration)):
                yield f"segment {each.msn} was edited"
        for each in old.segments:
            if each.msn in there and there[each.msn].parts[: len(each.parts)] != each.parts and there[each.msn].parts:
                yield f"parts of segment {each.msn} were edited"


def discontinuities(life: Life) -> Iterator[str]:
    """6.2.1: another encoding, or another line of time, comes behind a discontinuity."""
    for each in life.read():
        for before, after in itertools.pairwise(each.segments):
            if before.init != after.init and not after.discontinuity:
                yield f"segment {after.msn} has another init segment and no discontinuity"


def sequence(life: Life) -> Iterator[str]:
    """6.2.2: MEDIA-SEQUENCE begins at 1 (hls.js), rises by one for each that goes, and never falls."""
    playlists = life.read()
    if playlists[0].sequence != 1:
        yield "it does not begin at 1"
    for old, new in itertools.pairwise(playlists):
        kept = [each.uri for each in new.closed]
        gone = sum(each.uri not in kept for each in old.closed)
        if new.sequence != old.sequence + gone:
            yield f"{gone} went, MEDIA-SEQUENCE {old.sequence} became {new.sequence}"


def discontinuity_sequence(life: Life) -> Iterator[str]:
    """6.2.2: DISCONTINUITY-SEQUENCE counts those that went."""
    for old, new in itertools.pairwise(life.read()):
        gone = sum(each.discontinuity for each in old.segments if each.msn < new.sequence)
        if new.discontinuity_sequence != old.discontinuity_sequence + gone:
            yield f"{gone} went, {old.discontinuity_sequence} became {new.discontinuity_sequence}"


def length(life: Life) -> Iterator[str]:
    """6.2.2: what was shortened is at least three target durations long."""
    for each in life.read():
        seconds = sum(one.duration for one in each.closed)
        if each.sequence > 1 and seconds < 3 * each.target:
            yield f"{seconds} s"


def playlist_type(life: Life) -> Iterator[str]:
    """6.2.2: a playlist that loses segments has no type."""
    yield from ("a type" for each in life.wholes if b"#EXT-X-PLAYLIST-TYPE" in each)


def end(life: Life) -> Iterator[str]:
    """6.2.1: ENDLIST is in the last, and in no other."""
    ended = [each.ended for each in life.read()]
    if ended != [False] * (len(ended) - 1) + [True]:
        yield "it ends early, or never"


def hints(life: Life) -> Iterator[str]:
    """6.2.6: one hint of a type, of a part that then comes under that name; none after the end."""
    parts = {part.uri for each in life.read() for part in each.parts}
    for each in life.wholes:
        found = [attributes(line) for line in each.decode().splitlines() if line.startswith("#EXT-X-PRELOAD-HINT")]
        if len(found) != (b"#EXT-X-ENDLIST" not in each):
            yield f"{len(found)} hints"
        if each is not life.wholes[-2]:  # The last one: the end came instead.
            yield from (f"{one['URI']} never came" for one in found if one["URI"] not in parts)


def parts(life: Life) -> Iterator[str]:
    """4.4.4.9: no part above the target, none below 85 % of it but the last of a segment; they are the segment."""
    for each in life.read():
        for segment in each.segments:
            lengths = [part.duration for part in segment.parts]
            if any(one > each.part_target + 1e-6 for one in lengths):
                yield f"segment {segment.msn}: a part is too long"
            if any(one < 0.85 * each.part_target for one in lengths[: -1 if segment.uri else None]):
                yield f"segment {segment.msn}: a part is too short"
            if segment.uri and lengths and abs(sum(lengths) - segment.duration) > 1e-4:
                yield f"segment {segment.msn} is not its parts"


def control(life: Life) -> Iterator[str]:
    """4.4.3.8: PART-HOLD-BACK of three part targets, HOLD-BACK of three and CAN-SKIP-UNTIL of six target durations."""
    for each in life.read():
        least = (3 * each.part_target, 3 * each.target, 6 * each.target)
        names = ("PART-HOLD-BACK", "HOLD-BACK", "CAN-SKIP-UNTIL")
        yield from (name for name, one in zip(names, least, strict=True) if float(each.control[name]) < one - 1e-6)


def independence(life: Life) -> Iterator[str]:
    """4.4.4.9: INDEPENDENT is said of a part that begins with a keyframe, or has no pictures to begin with."""
    for part in {part.uri: part for each in life.read() for part in each.parts if not part.gap}.values():
        tracks = read_fragment(life.fetched[part.uri])[1]
        pictures = [track.samples for track in tracks if track.number == VIDEO_TRACK]
        if pictures and part.independent != pictures[0][0][1]:
            yield f"{part.uri}: {part.independent}"


def dates(life: Life) -> Iterator[str]:
    """4.4.4.6: every segment has a date."""
    for each in life.read():
        yield from (f"segment {one.msn} has none" for one in each.segments if one.date is None)


def there(life: Life) -> Iterator[str]:
    """6.2.1: what is listed can be had (the look of this life would have failed otherwise), and is a whole part."""
    for each in life.read():
        yield from (f"{name} was not there" for name in each.names if not life.fetched.get(name))


def deltas(life: Life) -> Iterator[str]:
    """6.2.5.1: a delta leaves out what is older than CAN-SKIP-UNTIL and nothing else, and there is none at the end."""
    for whole, delta in zip(life.read(), map(read, life.deltas), strict=True):
        kept = [(each.msn, each.uri, each.parts) for each in delta.segments]
        if kept != [(each.msn, each.uri, each.parts) for each in whole.segments][delta.skipped :]:
            yield "something else is left out"
        seconds = sum(each.duration or sum(part.duration for part in each.parts) for each in delta.segments)
        if delta.skipped and (whole.ended or seconds < float(whole.control["CAN-SKIP-UNTIL"])):
            yield f"it leaves {seconds} s"


FAULTS: dict[Callable, tuple[str, str]] = {
    durations: (r"#EXTINF:2\.0", "#EXTINF:12.0"),
    constants: (r"TARGETDURATION:\d+", "TARGETDURATION:6"),
    edits: (r"#EXTINF:2\.00000,", "#EXTINF:2.00100,"),
    discontinuities: (r"#EXT-X-DISCONTINUITY\n#EXT-X-MAP", "#EXT-X-MAP"),
    sequence: (r"MEDIA-SEQUENCE:\d+", "MEDIA-SEQUENCE:3"),
    discontinuity_sequence: (r"DISCONTINUITY-SEQUENCE:\d+", "DISCONTINUITY-SEQUENCE:1"),
    length: (r"TARGETDURATION:\d+", "TARGETDURATION:30"),
    playlist_type: ("#EXT-X-VERSION:9", "#EXT-X-PLAYLIST-TYPE:EVENT"),
    end: ("#EXT-X-ENDLIST\n", ""),
    hints: (r"(#EXT-X-PRELOAD-HINT.*)", r"\1\n\1"),
    parts: (r"#EXT-X-PART:DURATION=0.33\d*", "#EXT-X-PART:DURATION=0.33500"),
    control: (r"PART-HOLD-BACK=1.002", "PART-HOLD-BACK=0.668"),
    independence: (r'm4s",INDEPENDENT=YES', 'm4s"'),
    dates: (r"#EXT-X-PROGRAM-DATE-TIME.*\n", ""),
    there: (r"source_p(\d+).m4s", r"source_p9\1.m4s"),
    deltas: (r"source_s\d+.m4s", "source_s1.m4s"),
}
# Which look is spoilt: the last but for what is not in it any more.
EARLIER = {hints: -20, discontinuities: 60, length: -20}


@pytest.mark.parametrize("rule", FAULTS, ids=lambda rule: rule.__name__)
async def test_a_rule_is_kept_and_would_be_missed(life, rule):
    assert [] == list(rule(life))
    assert list(rule(life.spoilt(*FAULTS[rule], at=EARLIER.get(rule, -1))))


async def test_that_life_had_what_the_rules_are_about(life):
    last = life.read()[-1]

    assert last.sequence > 1
    assert last.discontinuity_sequence >= len(FILMS) - 1
    assert any(read(each).skipped for each in life.deltas)
    assert len({each.init for look in life.read() for each in look.segments}) >= 4
