"""Core: one rendition: its init segments, its cutter of the moment, and its timeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.hls_writer.cutter import Cut, Cuts, Cutter, FollowedCuts, OwnCuts, Targets
from media.hls_writer.errors import NotListed
from media.hls_writer.fmp4 import VIDEO_CLOCK, init_segment
from media.hls_writer.playlist import Variant
from media.hls_writer.samples import read_init
from media.hls_writer.timeline import Fragment, Opening, Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from media.hls_writer.playlist import ResourceName
    from media.hls_writer.tracks import AudioTrack, VideoTrack

# An encoder that changes its configuration with every segment keeps what the window lists; older ones are gone. With
# CONFIG_BYTES_MAX a track they are two MiB at the very most.
INITS_KEPT_MAX: Final = 64
# BANDWIDTH is a promise about every segment; before there are many, leave room.
BANDWIDTH_ROOM: Final = 1.1
# A source of which nothing has come yet but gaps.
BANDWIDTH_UNKNOWN: Final = 5_000_000
# An encoder is told the bits of its pictures; the source's sound comes beside them, in OBS at 160 kbit/s.
AUDIO_BITS_A_SECOND: Final = 160_000


@dataclass(frozen=True, slots=True)
class Resumed:
    """What another process left of a rendition: the `inits` that are still there, and the number of the last `init`."""

    timeline: Timeline
    inits: Mapping[int, bytes]
    init: int


class Rendition:
    """Frames in by epoch; `timeline` and `init` are what a player may ask for.

    A follower has a leader: its segments get the leader's numbers and dates. Its encoder keeps its pictures to
    `bits_a_second`; 0 is a source, which keeps to nothing.
    """

    def __init__(self, name: str, targets: Targets, leader: Rendition | None = None, *, bits_a_second: int = 0) -> None:
        self.name = name
        self.bits_a_second = bits_a_second
        self.timeline = Timeline()
        self.video: VideoTrack | None = None
        self.audio: AudioTrack | None = None
        self.epoch = 0
        self._targets = targets
        self._leader = leader
        self._cutter: Cutter | None = None
        self._inits: dict[int, bytes] = {}
        self._init = 0
        self._sequence = 0
        self._zero_date = 0.0
        self._frame_rate: float | None = None

    def begin(self, epoch: int, video: VideoTrack | None, audio: AudioTrack | None, zero_date: float) -> None:
        """A new epoch: what is open closes. `zero_date` is the wall clock at timestamp 0, in seconds."""
        if self._cutter:
            self.discontinue()
        self.epoch, self.video, self.audio, self._zero_date = epoch, video, audio, zero_date
        cuts: Cuts = OwnCuts(self._targets)
        if self._leader:
            cuts = FollowedCuts(self._leader.timeline, epoch, after_msn=self.timeline.next_msn - 1)
        self._cutter = Cutter(self._targets, cuts, video=video is not None, audio=audio, sequence=self._sequence)
        init = init_segment(video, audio)
        if self._inits.get(self._init) != init:
            self._init += 1
            self._inits[self._init] = init
            self._inits.pop(self._init - INITS_KEPT_MAX, None)

    def resume(self, resumed: Resumed) -> None:
        """Go on where another process was."""
        self.timeline = resumed.timeline
        self._sequence = resumed.timeline.next_part  # Each fragment had one number, and one part.
        self._inits = dict(sorted(resumed.inits.items())[-INITS_KEPT_MAX:])
        self._init = resumed.init
        if self._inits:
            self.video, self.audio = read_init(self._inits[max(self._inits)])

    def take_video(self, timestamp_ms: int, composition_ms: int, data: bytes, *, key: bool) -> bool:
        """One picture of the epoch; whether a playlist changed by it."""
        return self._cutter is not None and self._place(
            self._cutter.video(timestamp_ms, composition_ms, data, key=key),
        )

    def take_audio(self, timestamp_ms: int, data: bytes) -> bool:
        """One packet of the epoch; whether a playlist changed by it."""
        return self._cutter is not None and self._place(self._cutter.audio(timestamp_ms, data))

    def hole(self) -> None:
        """Pictures are missing from here to the next keyframe (the encoder was too slow, or died)."""
        if self._cutter:
            self._place(self._cutter.finish())

    def discontinue(self) -> None:
        """The epoch is over: everything held comes out, the segment closes."""
        if self._cutter:
            self.hole()
            self._sequence = self._cutter.sequence
            self._cutter = None
            self.timeline.discontinue()

    def end(self) -> None:
        """The broadcast is over (EXT-X-ENDLIST)."""
        self.discontinue()
        self.timeline.end()

    @property
    def bytes_held(self) -> int:
        """What this rendition costs in memory: its media and its init segments."""
        return self.timeline.bytes_held + sum(map(len, self._inits.values()))

    def init(self, number: int) -> bytes | None:
        """The init segment of that number."""
        return self._inits.get(number)

    def resource(self, asked: ResourceName) -> bytes | None:
        """The media of that name that is in memory; None for the hinted part until it is whole. Raises NotListed."""
        data: bytes | None = None
        if asked.kind == "init":
            data = self.init(asked.number)
        elif asked.kind == "s":
            segment = self.timeline.segment(asked.number)
            data = segment.data() if segment else None
        elif asked.kind == "p":
            part = self.timeline.part(asked.number)
            if part is None and asked.number == self.timeline.next_part and not self.timeline.ended:
                return None
            data = part.data if part else None
        if not data:  # Also a gap: it is listed as such, and nobody is to ask for it.
            raise NotListed(str(asked))
        return data

    @property
    def init_number(self) -> int:
        """The number of the newest init segment; 0 before the first."""
        return self._init

    @property
    def variant(self) -> Variant:
        """This rendition's line of the multivariant playlist, by what has been promised and measured."""
        codecs = ",".join(track.codecs for track in (self.video, self.audio) if track)
        size = (self.video.width, self.video.height) if self.video else None
        return Variant(self.name, self._bandwidth, codecs, size, self.frame_rate)

    @property
    def _bandwidth(self) -> int:
        """Players read it once and for all: what an encoder may come to counts, however quiet its beginning is."""
        promised = self.bits_a_second and self.bits_a_second + (AUDIO_BITS_A_SECOND if self.audio else 0)
        measured = self.timeline.bits_a_second_max
        if not promised and not measured and self.timeline.open:
            measured = self.timeline.open.bits_a_second
        return int(max(promised, measured) * BANDWIDTH_ROOM) or BANDWIDTH_UNKNOWN

    @property
    def frame_rate(self) -> float | None:
        """Pictures a second of this epoch so far, of the last one between epochs."""
        if self._cutter and self._cutter.picture_ticks:
            self._frame_rate = self._cutter.pictures * VIDEO_CLOCK / self._cutter.picture_ticks
        return self._frame_rate if self.video else None

    def _place(self, events: list[Cut | Fragment]) -> bool:
        version = self.timeline.version
        for event in events:
            if isinstance(event, Fragment):
                self.timeline.add(event)
                continue
            self.timeline.target_duration = self._targets.duration
            date = self._zero_date + event.start / VIDEO_CLOCK
            opening = Opening(event.start, date, self.epoch, self._init, event.independent)
            if self._leader and event.leader:
                self.timeline.follow(self._leader.timeline, event.leader, opening)
            else:
                self.timeline.open_segment(opening)
        if self.timeline.target_duration is None and self._targets.duration is not None:
            self.timeline.target_duration = self._targets.duration
            self.timeline.version += 1
        return self.timeline.version != version
