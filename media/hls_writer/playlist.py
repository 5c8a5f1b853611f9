"""Core: playlists as text, and the names in them read back.

One media playlist a rendition, whole or as a delta (`_HLS_skip`), and one multivariant playlist a broadcast. Source:
rfc8216bis 4.4; what players need beyond it is said where it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from media.hls_writer.errors import NotListed
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.timeline import SKIP_TARGETS

if TYPE_CHECKING:
    from media.hls_writer.timeline import Part, Segment, Timeline

# Below three part targets players stall (the draft's SHOULD; its MUST is two).
PART_HOLD_BACK_PARTS: Final = 3
# What a player without low latency keeps between itself and the end (the draft's least).
HOLD_BACK_TARGETS: Final = 3

RENDITION_NAME_MAX: Final = 16  # characters; "source", "1080p"
# Ten digits: a part every 20 ms lasts six years.
_NAME: Final = re.compile(
    rf"(?P<rendition>[a-z0-9]{{1,{RENDITION_NAME_MAX}}})_(?P<kind>init|s|p|t)(?P<number>[1-9][0-9]{{0,9}})\.(?P<type>mp4|m4s|ts)",
)

Kind = Literal["init", "s", "p", "t"]
_TYPES: Final[dict[Kind, str]] = {"init": "mp4", "s": "m4s", "p": "m4s", "t": "ts"}


@dataclass(frozen=True, slots=True)
class ResourceName:
    """What a media URL's last part names: an init segment, a segment (fMP4, .ts) by its msn, a part by its number."""

    rendition: str
    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.rendition}_{self.kind}{self.number}.{_TYPES[self.kind]}"


def read_name(name: str) -> ResourceName:
    """Read a name that a playlist may have listed. Raises NotListed for anything else: no path ever comes of it."""
    match = _NAME.fullmatch(name)
    for kind, extension in _TYPES.items():
        if match and (match["kind"], match["type"]) == (kind, extension):
            return ResourceName(match["rendition"], kind, int(match["number"]))
    raise NotListed(name[:64])


@dataclass(frozen=True, slots=True)
class Report:
    """The newest position of a sibling rendition (EXT-X-RENDITION-REPORT); `part` None when its segment is closed."""

    rendition: str
    msn: int
    part: int | None


def report(rendition: str, timeline: Timeline) -> Report:
    """Where `timeline` is; a closed segment without listed parts is reported by its number alone."""
    msn, parts = timeline.last
    if parts > 0:
        return Report(rendition, msn, parts - 1)
    segment = timeline.segment(msn)
    return Report(rendition, msn, len(segment.parts) - 1 if segment and segment.parts else None)


def media_playlist(
    rendition: str,
    timeline: Timeline,
    *,
    part_target_seconds: float,
    siblings: list[Report],
    skip: bool,
) -> bytes:
    """The media playlist as it is now; with `skip`, a delta if there is anything to skip. The timeline is `ready`."""
    lines = _head(timeline, part_target_seconds)
    listed = list(timeline.listed)
    skipped = _skippable(timeline) if skip and not timeline.ended else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
        listed = listed[skipped:]
    init = 0
    for segment in [*listed, *([timeline.open] if timeline.open and timeline.open.parts else [])]:
        init = _segment(lines, rendition, timeline, segment, init)
    if timeline.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        # hls.js makes no use of the hint but goes round in circles without one; native players fetch it.
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{ResourceName(rendition, "p", timeline.next_part)}"')
        for sibling in siblings:
            part = "" if sibling.part is None else f",LAST-PART={sibling.part}"
            lines.append(f'#EXT-X-RENDITION-REPORT:URI="{sibling.rendition}.m3u8",LAST-MSN={sibling.msn}{part}')
    lines.append("")
    return "\n".join(lines).encode()


def _head(timeline: Timeline, part_target_seconds: float) -> list[str]:
    target = timeline.target_duration
    assert target is not None
    control = (
        f"CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={number_text(PART_HOLD_BACK_PARTS * part_target_seconds)},"
        f"HOLD-BACK={number_text(HOLD_BACK_TARGETS * target)},CAN-SKIP-UNTIL={number_text(SKIP_TARGETS * target)}"
    )
    first = timeline.listed[0].msn if timeline.listed else timeline.last[0]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:{control}",
        f"#EXT-X-PART-INF:PART-TARGET={number_text(part_target_seconds)}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
    ]
    if timeline.discontinuity_sequence:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{timeline.discontinuity_sequence}")
    if timeline.independent:
        # True of every segment so far; a keyframe interval beyond the target duration ends it.
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    return lines


def _skippable(timeline: Timeline) -> int:
    """How many of the first segments lie behind the skip boundary."""
    count = 0
    for segment in timeline.listed:
        if segment.end is None or segment.end > timeline.skip_boundary:
            break
        count += 1
    return count


def _segment(lines: list[str], rendition: str, timeline: Timeline, segment: Segment, init: int) -> int:
    """Write one segment; the init segment that is in force after it."""
    if segment.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    # Written again behind a skip: a delta can then be read by itself.
    if segment.opening.init != init and not segment.gap:
        init = segment.opening.init
        lines.append(f'#EXT-X-MAP:URI="{ResourceName(rendition, "init", init)}"')
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_text(segment.opening.date)}")
    closed = segment.end is not None
    if not closed or timeline.lists_parts(segment):
        lines.extend(_part(rendition, part) for part in segment.parts)
    if closed:
        if segment.gap:
            lines.append("#EXT-X-GAP")
        lines.append(f"#EXTINF:{segment.duration / VIDEO_CLOCK:.5f},")
        lines.append(str(ResourceName(rendition, "s", segment.msn)))
    return init


def _part(rendition: str, part: Part) -> str:
    flags = ",INDEPENDENT=YES" if part.independent else ""
    flags += "" if part.size else ",GAP=YES"
    name = ResourceName(rendition, "p", part.number)
    return f'#EXT-X-PART:DURATION={part.duration / VIDEO_CLOCK:.5f},URI="{name}"{flags}'


def date_text(seconds: float) -> str:
    """A moment as EXT-X-PROGRAM-DATE-TIME has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number_text(value: float) -> str:
    """Seconds in an attribute list."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Variant:
    """One line of the multivariant playlist; bits a second; a size and a frame rate only with video."""

    rendition: str
    bandwidth: int
    codecs: str
    size: tuple[int, int] | None
    frame_rate: float | None


def multivariant_playlist(folder: str, variants: list[Variant], *, suffix: str = "", version: int = 9) -> bytes:
    """The multivariant playlist; its URIs are `folder`/`rendition``suffix`.m3u8."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{version}"]
    for variant in variants:
        attributes = f'BANDWIDTH={variant.bandwidth},CODECS="{variant.codecs}"'
        if variant.size:
            attributes += f",RESOLUTION={variant.size[0]}x{variant.size[1]}"
        if variant.frame_rate:
            attributes += f",FRAME-RATE={variant.frame_rate:.3f}"
        lines += [f"#EXT-X-STREAM-INF:{attributes}", f"{folder}/{variant.rendition}{suffix}.m3u8"]
    lines.append("")
    return "\n".join(lines).encode()
