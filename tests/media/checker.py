"""A player's memory: judges every playlist of a rendition that it sees against the last one (rfc8216bis 6.2).

Each rule that is broken becomes a finding; a test asserts that there are none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


def attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(text)}


@dataclass
class Part:
    uri: str
    duration: float
    independent: bool
    gap: bool


@dataclass
class Segment:
    msn: int
    init: str | None
    date: str | None
    discontinuity: bool
    parts: list[Part] = field(default_factory=list)
    uri: str | None = None
    duration: float = 0.0
    gap: bool = False


@dataclass
class Playlist:
    constants: dict[str, str]
    target: int
    part_target: float
    sequence: int
    discontinuity_sequence: int
    segments: list[Segment]
    hint: str | None
    ended: bool
    skipped: int
    reports: dict[str, dict[str, str]]
    control: dict[str, str]
    all_independent: bool

    @property
    def parts(self) -> list[Part]:
        return [part for segment in self.segments for part in segment.parts]

    @property
    def closed(self) -> list[Segment]:
        return [segment for segment in self.segments if segment.uri]

    @property
    def names(self) -> list[str]:
        """Everything that must be there to be fetched."""
        names = [segment.init for segment in self.segments if segment.init]
        names += [part.uri for part in self.parts if not part.gap]
        names += [segment.uri for segment in self.closed if not segment.gap]
        return list(dict.fromkeys(names))


def read(data: bytes) -> Playlist:
    lines = data.decode().splitlines()
    assert lines[0] == "#EXTM3U"
    assert data.endswith(b"\n")
    tags = {line.partition(":")[0]: line.partition(":")[2] for line in lines if line.startswith("#EXT")}
    sequence, skipped = int(tags["#EXT-X-MEDIA-SEQUENCE"]), 0
    segments: list[Segment] = []
    init: str | None = None
    reports = {}
    waiting: Segment | None = None

    def current() -> Segment:
        nonlocal waiting
        if waiting is None:
            waiting = Segment(sequence + skipped + len(segments), init, None, discontinuity=False)
        return waiting

    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-SKIP":
            skipped = int(attributes(value)["SKIPPED-SEGMENTS"])
        elif tag == "#EXT-X-DISCONTINUITY":
            current().discontinuity = True
        elif tag == "#EXT-X-MAP":
            init = attributes(value)["URI"]
            current().init = init
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            current().date = value
        elif tag == "#EXT-X-PART":
            part = attributes(value)
            current().parts.append(
                Part(part["URI"], float(part["DURATION"]), part.get("INDEPENDENT") == "YES", part.get("GAP") == "YES"),
            )
        elif tag == "#EXT-X-GAP":
            current().gap = True
        elif tag == "#EXTINF":
            current().duration = float(value.rstrip(","))
        elif tag == "#EXT-X-RENDITION-REPORT":
            report = attributes(value)
            reports[report["URI"]] = report
        elif not line.startswith("#"):
            current().uri = line
            segments.append(current())
            waiting = None
    if waiting:
        segments.append(waiting)
    hint = attributes(tags["#EXT-X-PRELOAD-HINT"]) if "#EXT-X-PRELOAD-HINT" in tags else None
    constants = ("#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF")
    return Playlist(
        {tag: tags[tag] for tag in constants if tag in tags},
        int(tags["#EXT-X-TARGETDURATION"]),
        float(attributes(tags.get("#EXT-X-PART-INF", "PART-TARGET=0"))["PART-TARGET"]),
        sequence,
        int(tags.get("#EXT-X-DISCONTINUITY-SEQUENCE", "0")),
        segments,
        hint["URI"] if hint else None,
        "#EXT-X-ENDLIST" in tags,
        skipped,
        reports,
        attributes(tags.get("#EXT-X-SERVER-CONTROL", "")),
        "#EXT-X-INDEPENDENT-SEGMENTS" in tags,
    )


class Checker:
    """Give it every playlist of one rendition in order; `findings` says what was wrong."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self.last: Playlist | None = None
        self.known: dict[int, Segment] = {}  # every segment ever listed, as last seen
        self.hinted: list[str] = []

    def see(self, data: bytes) -> Playlist:
        playlist = read(data)
        self._alone(playlist)
        if self.last:
            self._against(self.last, playlist)
        for segment in playlist.segments:
            self.known[segment.msn] = segment
        if playlist.hint:
            self.hinted.append(playlist.hint)
        if not playlist.skipped:
            self.last = playlist
        return playlist

    def _finding(self, words: str) -> None:
        self.findings.append(words)

    def _alone(self, playlist: Playlist) -> None:
        if playlist.part_target:
            if float(playlist.control["PART-HOLD-BACK"]) < 3 * playlist.part_target - 1e-6:
                self._finding("PART-HOLD-BACK below three part targets")
            if playlist.ended == bool(playlist.hint):
                self._finding("a hint after the end, or none before it")
        elif playlist.parts or playlist.hint:
            self._finding("parts without a part target")
        if float(playlist.control.get("CAN-SKIP-UNTIL", "inf")) < 6 * playlist.target:
            self._finding("CAN-SKIP-UNTIL below six target durations")
        for segment in playlist.segments:
            self._segment(playlist, segment)
        dates = [segment.date for segment in playlist.segments]
        if None in dates:
            self._finding("a segment without PROGRAM-DATE-TIME")

    def _segment(self, playlist: Playlist, segment: Segment) -> None:
        if int(segment.duration + 0.5) > playlist.target:
            self._finding(f"segment {segment.msn}: {segment.duration} s, target {playlist.target}")
        if segment.init is None and not segment.gap and not str(segment.uri).endswith(".ts"):
            self._finding(f"segment {segment.msn} without MAP")
        if segment.parts and segment.uri:
            total = sum(part.duration for part in segment.parts)
            if abs(total - segment.duration) > 1e-4:
                self._finding(f"segment {segment.msn}: parts make {total}, EXTINF {segment.duration}")
        if playlist.all_independent and segment.parts and not segment.parts[0].independent:
            self._finding(f"segment {segment.msn} does not begin with a keyframe")
        for part in segment.parts:
            if part.duration > playlist.part_target + 1e-6:
                self._finding(f"part {part.uri}: {part.duration} s")
        for part in segment.parts[: -1 if segment.uri else None]:
            if part.duration < 0.85 * playlist.part_target:
                self._finding(f"part {part.uri}: {part.duration} s before the end of its segment")

    def _against(self, old: Playlist, new: Playlist) -> None:
        if new.constants != old.constants:
            self._finding(f"constants changed: {old.constants} {new.constants}")
        if new.sequence < old.sequence or new.discontinuity_sequence < old.discontinuity_sequence:
            self._finding("a sequence fell")
        if old.ended and not new.ended:
            self._finding("the end was taken back")
        removed = [segment for segment in self.known.values() if old.sequence <= segment.msn < new.sequence]
        if new.discontinuity_sequence - old.discontinuity_sequence != sum(each.discontinuity for each in removed):
            self._finding("DISCONTINUITY-SEQUENCE does not count what was removed")
        for segment in new.segments:
            before = self.known.get(segment.msn)
            if before is None:
                continue
            if (before.uri and segment.uri != before.uri) or (before.uri and segment.duration != before.duration):
                self._finding(f"segment {segment.msn} changed")
            if before.date != segment.date or before.discontinuity != segment.discontinuity:
                self._finding(f"segment {segment.msn} changed its tags")
            if segment.parts and segment.parts[: len(before.parts)] != before.parts:
                self._finding(f"segment {segment.msn} changed its parts")
        if new.skipped:
            self._delta(new)
        missing = {segment.msn for segment in old.closed} - {segment.msn for segment in new.segments}
        if any(msn >= new.sequence + new.skipped for msn in missing):
            self._finding("a segment vanished from the middle")

    def _delta(self, delta: Playlist) -> None:
        for msn in range(delta.sequence, delta.sequence + delta.skipped):
            if msn not in self.known or not self.known[msn].uri:
                self._finding(f"delta skips segment {msn}, which was never listed")
        end = sum(each.duration or sum(part.duration for part in each.parts) for each in delta.segments)
        if end < float(delta.control["CAN-SKIP-UNTIL"]) - 1e-3:
            self._finding(f"delta lists only {end} s")

    def hints_came_true(self, parts: set[str]) -> list[str]:
        """Hints, but for the last, that never became a part."""
        return [hint for hint in self.hinted if hint not in parts and hint != self.hinted[-1]]
