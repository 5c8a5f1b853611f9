"""Shell: one broadcast's playlists and media in memory: takes frames, wakes whoever waits, answers.

A part that is asked for before it exists (the hint) is answered when it is whole, with the same bytes object to all.
What is kept, and for how long, is timeline.py's to say. Every method that takes media is quick and never waits: it may
be called from the loop that reads the publisher.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from media.hls_writer.classic import MULTIVARIANT_VERSIONS, Form, classic_playlist, playlist_name
from media.hls_writer.cutter import LONG_TARGET_SECONDS, PART_SECONDS, Targets
from media.hls_writer.errors import HlsError, NoSuchRendition, NotListed, PartWithoutMsn, TimedOut
from media.hls_writer.line import Line
from media.hls_writer.playlist import media_playlist, multivariant_playlist, read_name, report
from media.hls_writer.reload import HOLD_TARGETS, Verdict, decide
from media.hls_writer.rendition import Rendition
from media.hls_writer.samples import read_init
from media.hls_writer.tracks import video_track
from media.hls_writer.ts import can_write
from media.hls_writer.ts_segments import TsSegments
from media.hls_writer.waiting import Ask, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from media.flv import VideoConfig, VideoFrame
    from media.hls_writer.playlist import ResourceName
    from media.hls_writer.recorder import Recorder
    from media.hls_writer.rendition import Resumed
    from media.hls_writer.tracks import AudioTrack
    from media.hls_writer.waiting import Answer, Take
    from media.intake import Audio, Began, Video

SOURCE: Final = "source"

# From the first frame to the first playlist: the longest first keyframe interval that is waited for, and a little.
START_SECONDS_MAX: Final = 5.0

# Audio that came while an encoder was starting: ten seconds of AAC at 48 kHz.
RECENT_PACKETS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Resource:
    """An init segment, segment or part."""

    data: bytes
    media_type: str


class Writer:
    """One broadcast. `ladder` names its renditions ("source", "480p", …); the source is packaged in any case.

    `bits_a_second` is what an encoder keeps the pictures of a rendition to.
    `recorder` keeps its past on disk; without one there is none.
    """

    def __init__(
        self,
        broadcast_id: int,
        ladder: tuple[str, ...] = (SOURCE,),
        part_seconds: float = PART_SECONDS,
        *,
        bits_a_second: Mapping[str, int] = MappingProxyType({}),
        recorder: Recorder | None = None,
    ) -> None:
        self.broadcast_id = broadcast_id
        self.recorder = recorder
        self.epoch = 0
        self._targets = Targets(part_seconds)
        self._source = Rendition(SOURCE, self._targets)
        self._renditions = {SOURCE: self._source}
        self._hidden = SOURCE not in ladder
        for name in ladder:
            if name != SOURCE:
                bits = bits_a_second.get(name, 0)
                self._renditions[name] = Rendition(name, self._targets, self._source, bits_a_second=bits)
        self._waiting = {name: Waiting() for name in self._renditions}
        self._rendered: dict[tuple[str, bool], tuple[int, bytes]] = {}
        self._ended = False
        self._audio: AudioTrack | None = None
        self._zero_date = 0.0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT_PACKETS_MAX)
        self._ts = TsSegments()
        self._line = Line()

    def resume(self, renditions: Mapping[str, Resumed], *, epoch: int, line_ms: int) -> None:
        """Go on where another process was (recovery.py)."""
        self.epoch = epoch
        self._line.resume(line_ms)
        for name, resumed in renditions.items():
            self._renditions[name].resume(resumed)
            self._targets.duration = self._targets.duration or resumed.timeline.target_duration

    def add(self, name: str, bits_a_second: int) -> None:
        """One more rendition, from the next epoch on: pictures have come to a broadcast that began with sound."""
        self._renditions[name] = Rendition(name, self._targets, self._source, bits_a_second=bits_a_second)
        self._waiting[name] = Waiting()
        if self.recorder:
            self.recorder.add(name)

    # --- media in ----------------------------------------------------------------------------------------------------

    def begin(self, began: Began, *, date: float) -> int:
        """A new epoch of the source, whose first frame was taken at `date` (seconds of the wall clock); its number."""
        self.epoch += 1
        zero_date = date - self._line.begin(began.first_ms) / 1000
        for rendition in self._renditions.values():
            rendition.discontinue()
        self._source.begin(self.epoch, began.video, began.audio, zero_date)
        self._audio, self._zero_date = began.audio, zero_date
        self._recent.clear()
        return self.epoch

    def video(self, video: Video) -> None:
        """One picture of the source."""
        frame = video.frame
        if self._source.take_video(
            self._line.place(video.timestamp_ms), frame.composition_ms, frame.data, key=frame.key
        ):
            self._wake(SOURCE)

    def audio(self, audio: Audio) -> None:
        """One packet of the source's audio, for all renditions."""
        timestamp_ms = self._line.place(audio.timestamp_ms)
        self._recent.append((timestamp_ms, audio.data))
        for name, rendition in self._renditions.items():
            if rendition.take_audio(timestamp_ms, audio.data):
                self._wake(name)

    def rung_config(self, name: str, epoch: int, config: VideoConfig) -> None:
        """An encoder has begun a rendition of `epoch`; another that writes the same goes on where that one was."""
        rendition = self._rung(name, epoch)
        if rendition is None:
            return
        track = video_track(config)
        if rendition.epoch == epoch and rendition.video == track:
            return
        rendition.begin(epoch, track, self._audio, self._zero_date)
        for timestamp_ms, data in self._recent:
            rendition.take_audio(timestamp_ms, data)
        self._wake(name)

    def rung_video(self, name: str, epoch: int, timestamp_ms: int, frame: VideoFrame) -> None:
        """One picture of a transcoded rendition; those of an epoch that is over are too late."""
        rendition = self._rung(name, epoch)
        timestamp_ms += self._line.shift_ms
        if rendition and rendition.take_video(timestamp_ms, frame.composition_ms, frame.data, key=frame.key):
            self._wake(name)

    def rung_hole(self, name: str, epoch: int) -> None:
        """Pictures of a transcoded rendition are missing up to its next keyframe."""
        rendition = self._rung(name, epoch)
        if rendition:
            rendition.hole()
            self._wake(name)

    def drop(self, name: str) -> None:
        """A rendition goes: it is in no playlist from now on, and whoever waits for it is told so."""
        if name != SOURCE and name in self._renditions:
            del self._renditions[name]
            if self.recorder:
                self.recorder.drop(name)
            self._wake(name)

    def interrupt(self) -> None:
        """The publisher has gone: what is held comes out; the next epoch is a discontinuity."""
        self._source.discontinue()
        self._wake(SOURCE)

    def end(self) -> None:
        """The broadcast is over: every playlist gets its ENDLIST."""
        self._ended = True
        if self._targets.duration is None:
            self._targets.duration = LONG_TARGET_SECONDS
        for name, rendition in self._renditions.items():
            rendition.timeline.target_duration = self._targets.duration
            rendition.end()
            self._wake(name)

    def cool(self) -> None:
        """The end is long enough ago: memory is given back, and only what the recorder has can still be asked for."""
        for rendition in self._renditions.values():
            rendition.timeline.forget()
        self._rendered.clear()
        self._recent.clear()
        self._ts.forget()

    def _rung(self, name: str, epoch: int) -> Rendition | None:
        return self._renditions.get(name) if epoch == self.epoch and not self._ended else None

    def _wake(self, name: str) -> None:
        if name in self._renditions and self.recorder:
            self.recorder.look(self._renditions[name])
        self._waiting[name].wake()

    # --- players -----------------------------------------------------------------------------------------------------

    @property
    def renditions(self) -> tuple[str, ...]:
        """The names of the renditions that there are, the source first."""
        return tuple(self._renditions)

    @property
    def bytes_held(self) -> int:
        """What this broadcast costs in memory."""
        return sum(rendition.bytes_held for rendition in self._renditions.values())

    async def multivariant(self, form: Form = Form.LOW_LATENCY) -> bytes:
        """The multivariant playlist, as soon as every rendition has something, or after START_SECONDS_MAX.

        Its URIs are "{broadcast_id}/{name}.m3u8" (classic.playlist_name). Raises TimedOut when there is nothing at all.
        """
        deadline = asyncio.get_running_loop().time() + START_SECONDS_MAX
        for name in tuple(self._renditions):

            def there(name: str = name) -> bytes | None:
                gone = self._ended or name not in self._renditions
                return b"" if gone or self._shows(name, form) else None

            # A key of its own: those who want the same began at different times, so their time is over in any order.
            with contextlib.suppress(TimedOut):
                await self._hold(Ask(name, object(), there), deadline - asyncio.get_running_loop().time())
        shown = [each for name, each in self._renditions.items() if self._shows(name, form)]
        if self._hidden:
            # A source that no ladder names is for browsers only if nothing else is there.
            shown = [each for each in shown if each is not self._source] or shown
        if not shown:
            raise TimedOut(START_SECONDS_MAX)
        suffix, version = playlist_name("", form), MULTIVARIANT_VERSIONS[form]
        return multivariant_playlist(
            str(self.broadcast_id), [each.variant for each in shown], suffix=suffix, version=version
        )

    def _shows(self, name: str, form: Form) -> bool:
        """Whether a rendition's playlist of that form has something to list."""
        if form is Form.DVR:
            return self.recorder is not None and self.recorder.lists(name)
        rendition = self._renditions[name]
        if form is Form.TS and not can_write(rendition.video, rendition.audio):
            return False
        return rendition.timeline.ready if form is Form.LOW_LATENCY else bool(rendition.timeline.listed)

    async def classic_playlist(self, rendition: str, form: Form, *, skip: bool) -> bytes:
        """A rendition's playlist of whole segments; waits for the first. Raises NoSuchRendition, TimedOut."""
        if form is Form.DVR:
            if self.recorder is None:
                raise NoSuchRendition(playlist_name(rendition, form))
            return await self.recorder.playlist(rendition, skip=skip)

        def there() -> bytes | None:
            named = self._named(rendition)
            if form is Form.TS and not can_write(named.video, named.audio):
                raise NoSuchRendition(playlist_name(rendition, form))
            timeline = named.timeline
            if not timeline.listed or timeline.target_duration is None:
                return None
            return classic_playlist(
                rendition,
                form,
                tuple(timeline.listed),
                target=timeline.target_duration,
                discontinuity_sequence=timeline.discontinuity_sequence,
                independent=timeline.independent,
                ended=timeline.ended,
            )

        return await self._hold(Ask(rendition, ("classic", form), there))

    async def media_playlist(self, rendition: str, *, msn: int | None, part: int | None, skip: bool) -> bytes:
        """A rendition's playlist; waits for `msn` and `part`, or for a beginning.

        Raises NoSuchRendition, TooFarAhead, PartWithoutMsn, TimedOut.
        """
        return await self._hold(self.playlist_ask(rendition, msn=msn, part=part, skip=skip))

    def playlist_ask(self, rendition: str, *, msn: int | None, part: int | None, skip: bool) -> Ask:
        """What `media_playlist` waits for, for whoever waits in another way."""

        def there() -> bytes | None:
            if msn is None and part is not None:
                raise PartWithoutMsn(part)
            timeline = self._named(rendition).timeline
            if not timeline.ready:
                return None
            verdict = decide(timeline, self._targets.part_seconds, msn=msn, part=part)
            return self._render(rendition, skip=skip) if verdict is Verdict.ANSWER else None

        return Ask(rendition, ("list", msn, part, skip), there)

    async def resource(self, name: str) -> Resource:
        """What a playlist lists by `name`; waits for the hinted part until it is whole. Raises NotListed, TimedOut."""
        asked = read_name(name)
        past = await self._past(asked)
        if past is not None:
            return Resource(past, self.media_type(asked))
        if asked.kind == "t":
            return await self._ts_segment(asked)
        return Resource(await self._hold(self.resource_ask(asked)), self.media_type(asked))

    def resource_ask(self, asked: ResourceName) -> Ask:
        """What is in memory of `asked`, or will be; nothing of the past on disk, and no transport stream."""

        def there() -> bytes | None:
            found = self._renditions.get(asked.rendition)
            if found is None:
                raise NotListed(str(asked))
            return found.resource(asked)

        return Ask(asked.rendition, asked, there)

    def hold(self, ask: Ask, take: Take, seconds: float | None = None) -> None:
        """Tell `take` what comes of an ask that has no answer now, TimedOut at last (waiting.py)."""
        if seconds is None:
            seconds = HOLD_TARGETS * (self._targets.duration or LONG_TARGET_SECONDS)
        self._waiting[ask.rendition].hold(ask, take, seconds)

    def forget(self, ask: Ask, take: Take) -> None:
        """Whoever waited has gone."""
        self._waiting[ask.rendition].forget(ask, take)

    async def _past(self, asked: ResourceName) -> bytes | None:
        """What is not in memory any more, but on disk."""
        found = self._renditions.get(asked.rendition)
        if self.recorder is None or found is None:
            return None
        if asked.kind == "init":
            return None if found.init(asked.number) else await self.recorder.read(asked)
        if asked.kind != "s" or found.timeline.segment(asked.number):
            return None
        return await self.recorder.read(asked)

    async def _ts_segment(self, asked: ResourceName) -> Resource:
        """A segment that is in memory, as a transport stream."""
        found = self._renditions.get(asked.rendition)
        segment = found.timeline.segment(asked.number) if found else None
        init = found.init(segment.opening.init) if found and segment else None
        if segment is None or segment.gap or init is None or not can_write(*read_init(init)):
            raise NotListed(str(asked))
        return Resource(await self._ts.get(str(asked), init, segment.data()), "video/mp2t")

    def media_type(self, asked: ResourceName) -> str:
        """The type of what is in fragmented MP4; of a rendition that went meanwhile, that of a picture."""
        found = self._renditions.get(asked.rendition)
        return "audio/mp4" if found and found.video is None else "video/mp4"

    def _named(self, rendition: str) -> Rendition:
        found = self._renditions.get(rendition)
        if found is None or (found.timeline.ended and not found.timeline.ready):
            raise NoSuchRendition(rendition)
        return found

    async def _hold(self, ask: Ask, seconds: float | None = None) -> bytes:
        """Ask again after each change until there is an answer; raises what was refused."""
        answer = ask.now()
        if answer is None:
            coming: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

            def take(told: Answer) -> None:
                if not coming.done():
                    coming.set_result(told)

            self.hold(ask, take, seconds)
            try:
                answer = await coming
            finally:
                self.forget(ask, take)
        if isinstance(answer, HlsError):
            raise answer
        return answer

    def _render(self, name: str, *, skip: bool) -> bytes:
        """The playlist of this version, written once for all who ask."""
        timeline = self._renditions[name].timeline
        version, rendered = self._rendered.get((name, skip), (-1, b""))
        if version != timeline.version:
            siblings = [
                report(other, each.timeline)
                for other, each in self._renditions.items()
                if other != name and each.timeline.ready and not (self._hidden and each is self._source)
            ]
            rendered = media_playlist(
                name,
                timeline,
                part_target_seconds=self._targets.part_seconds,
                siblings=siblings,
                skip=skip,
            )
            self._rendered[name, skip] = timeline.version, rendered
        return rendered
