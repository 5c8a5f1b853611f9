"""Core: playlists without low latency: whole segments only, for players that know no parts and for going back.

The plain one and the one of `.ts` segments list the window that is in memory; the DVR one lists what is on disk, half
an hour by default. It is a playlist of its own, because a viewer at the edge reads its playlist three times a second
and shall not carry the past each time. Who goes back reads a delta (CAN-SKIP-UNTIL) every few seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from media.hls_writer.errors import NoSuchRendition
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.hls_writer.playlist import HOLD_BACK_TARGETS, ResourceName, date_text, number_text
from media.hls_writer.timeline import SKIP_TARGETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from media.hls_writer.timeline import Opening

# EXT-X-MAP outside of I-frame playlists, EXT-X-GAP, EXT-X-SKIP, and what floating point durations need (rfc8216bis 8).
MAP_VERSION: Final = 6
GAP_VERSION: Final = 8
SKIP_VERSION: Final = 9
TS_VERSION: Final = 3


class Form(StrEnum):
    """Which of a rendition's playlists; the value is what stands behind the rendition's name."""

    LOW_LATENCY = ""
    PLAIN = "plain"
    TS = "ts"
    DVR = "dvr"


MULTIVARIANT_VERSIONS: Final = {
    Form.LOW_LATENCY: SKIP_VERSION,
    Form.PLAIN: MAP_VERSION,
    Form.TS: TS_VERSION,
    Form.DVR: SKIP_VERSION,
}


class Listed(Protocol):
    """A closed segment, in memory or on disk."""

    @property
    def msn(self) -> int:
        """Its number."""

    @property
    def opening(self) -> Opening:
        """How it begins."""

    @property
    def discontinuity(self) -> bool:
        """Whether EXT-X-DISCONTINUITY stands before it."""

    @property
    def duration(self) -> int:
        """Ticks."""

    @property
    def gap(self) -> bool:
        """Whether there is nothing to fetch."""


def playlist_name(rendition: str, form: Form) -> str:
    """The name of a rendition's playlist, without `.m3u8`."""
    return f"{rendition}_{form}" if form else rendition


def read_playlist_name(name: str) -> tuple[str, Form]:
    """The rendition and the form that a playlist's name means. Raises NoSuchRendition."""
    rendition, separator, form = name.partition("_")
    if not separator:
        return rendition, Form.LOW_LATENCY
    if not form or form not in list(Form):
        raise NoSuchRendition(name)
    return rendition, Form(form)


def classic_playlist(
    rendition: str,
    form: Form,
    segments: Sequence[Listed],
    *,
    target: int,
    discontinuity_sequence: int,
    independent: bool,
    ended: bool,
    skip: bool = False,
) -> bytes:
    """The playlist of `segments` (at least one); with `skip`, a delta if the form has any and it would be shorter."""
    skipped = _skippable(segments, target) if skip and form is Form.DVR and not ended else 0
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{_version(form, segments)}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].msn}",
    ]
    if form is Form.DVR:
        skip_until, hold_back = number_text(SKIP_TARGETS * target), number_text(HOLD_BACK_TARGETS * target)
        lines.append(f"#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={skip_until},HOLD-BACK={hold_back}")
    if discontinuity_sequence:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}")
    if independent:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    init = 0
    for index in range(skipped, len(segments)):
        segment = segments[index]
        if segment.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if form is not Form.TS and segment.opening.init != init and not segment.gap:
            init = segment.opening.init
            lines.append(f'#EXT-X-MAP:URI="{ResourceName(rendition, "init", init)}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_text(segment.opening.date)}")
        if segment.gap:
            lines.append("#EXT-X-GAP")
        lines.append(f"#EXTINF:{segment.duration / VIDEO_CLOCK:.5f},")
        lines.append(str(ResourceName(rendition, "t" if form is Form.TS else "s", segment.msn)))
    if ended:
        lines.append("#EXT-X-ENDLIST")
    lines.append("")
    return "\n".join(lines).encode()


def _version(form: Form, segments: Sequence[Listed]) -> int:
    if form is Form.DVR:
        return SKIP_VERSION
    if any(segment.gap for segment in segments):
        return GAP_VERSION
    return TS_VERSION if form is Form.TS else MAP_VERSION


def _skippable(segments: Sequence[Listed], target: int) -> int:
    """How many of the first segments lie before the skip boundary."""
    left = SKIP_TARGETS * target * VIDEO_CLOCK
    index = len(segments)
    while index and left > 0:
        index -= 1
        left -= segments[index].duration
    return index
