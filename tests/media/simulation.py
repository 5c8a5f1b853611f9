"""Hours of broadcasting in seconds: one encoder after another, as bad as encoders are, with players at every playlist.

The frames are a few bytes, everything between them and the playlists is real: intake, writer, recorder, spool, disk.
Players judge what they see against the rules of rfc8216bis (checker.py), and try to have what was listed for as long as
it must be there.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from typing import TYPE_CHECKING

from media.hls_writer.classic import Form
from media.hls_writer.errors import HlsError
from media.hls_writer.fmp4 import VIDEO_CLOCK
from media.intake import Intake
from tests.media import films
from tests.media.checker import Checker

if TYPE_CHECKING:
    from media.hls_writer.writer import Writer
    from media.spool import Spool
    from tests.media.checker import Playlist

RUNG = "240p"
FORMS = tuple(Form)
LOOKS_A_MINUTE = 10
# Of what must still be there, so many are asked for at each look: the oldest, which go first.
OLDEST_FETCHED = 2


class Viewer:
    """Reads one playlist of one rendition from time to time; `removed` must still be there for a while."""

    def __init__(self, name: str, form: Form) -> None:
        self.name = name
        self.form = form
        self.checker = Checker()
        self.head = 0.0  # seconds of media at the last look at all of it
        self.looked = 0.0  # … and at the last look of any kind
        self.removed: deque[tuple[float, str]] = deque()

    async def look(self, writer: Writer, head: float, *, skip: bool) -> Playlist:
        before = self.checker.last
        # rfc8216bis 6.3.7: no delta for a player whose playlist is older than half of the skip boundary.
        boundary = float(before.control.get("CAN-SKIP-UNTIL", 0)) if before else 0.0
        skip = skip and head - self.looked <= boundary / 2
        self.looked = head
        if self.form is Form.LOW_LATENCY:
            data = await writer.media_playlist(self.name, msn=None, part=None, skip=skip)
        else:
            data = await writer.classic_playlist(self.name, self.form, skip=skip)
        seen = self.checker.see(data)
        if before and not seen.skipped:
            length = sum(each.duration for each in before.closed)
            gone = (each for each in before.closed if each.msn < seen.sequence and not each.gap)
            # It was removed after the last look, at the earliest.
            self.removed += ((self.head + each.duration + length, str(each.uri)) for each in gone)
        if not seen.skipped:
            self.head = head
        return seen

    async def fetch(self, writer: Writer, seen: Playlist, head: float, dice: random.Random) -> list[str]:
        """Something listed and everything that must still be there; what was not."""
        while self.removed and self.removed[0][0] <= head:
            self.removed.popleft()
        names = [dice.choice(seen.names)] if seen.names else []
        names += [name for _, name in itertools.islice(self.removed, OLDEST_FETCHED)]
        missing = []
        for name in names:
            try:
                await writer.resource(name)
            except HlsError:
                missing.append(f"{self.form or 'edge'}: {name} is not there")
        return missing


class Simulation:
    """`run` it; `findings` is what any player found."""

    def __init__(self, writer: Writer, spool: Spool, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seconds = 0.0
        self.sessions = 0
        self.looks = 0
        self.missing: list[str] = []
        self._writer = writer
        self._spool = spool
        self._rung = RUNG in writer.renditions
        names = writer.renditions
        self._viewers = [Viewer(name, form) for name in names for form in FORMS]

    @property
    def findings(self) -> list[str]:
        rules = [f"{each.name} {each.form or 'edge'}: {one}" for each in self._viewers for one in each.checker.findings]
        return self.missing + rules

    async def run(self, hours: float) -> None:
        while self.seconds < hours * 3600:
            await self.session()
            if self.dice.random() < 0.7:
                self._writer.interrupt()

    async def session(self) -> None:
        """One encoder from its connection to its end, which may be no more than the beginning of the next."""
        self.sessions += 1
        dice, intake = self.dice, Intake()
        fps, interval = dice.choice((5, 10, 15)), dice.choice((1, 2, 2, 2, 4, 8.3, 14))
        sound, config = dice.random() < 0.8, dice.choice((films.AVCC, films.OTHER_AVCC))
        start_ms = dice.choice((0, 0, 2**24 - 20_000, 2**32 - 20_000))
        self._take(intake.video(start_ms, films.video_config(config)))
        if sound:
            self._take(intake.audio(start_ms, films.audio_config()))
        length = int(dice.choice((0.4, 5, 40, 200, 900)) * fps * dice.uniform(0.5, 1.5))
        since_key, at_ms = 1e9, float(start_ms)
        for index in range(length):
            step_ms = 1000 / fps * (dice.uniform(0.5, 1.5) if index % 50 == 0 else 1)
            if dice.random() < 0.0005:
                at_ms += dice.choice((700, 5000, 40_000, -30_000))  # a hole, a slide, a jump of the clock, back again
            at_ms = max(at_ms, 0)
            key = since_key >= interval * 1000
            since_key = step_ms if key else since_key + step_ms
            self._take(intake.video(int(at_ms) % 2**32, films.picture(key=key)))
            if sound:
                for _ in range(max(1, int(step_ms * 48 // 1024))):
                    self._take(intake.audio(int(at_ms) % 2**32, films.packet()))
            at_ms += step_ms
            self.seconds += step_ms / 1000
            if dice.random() < LOOKS_A_MINUTE / 60 / fps:
                await self.look()
            if dice.random() < 0.0002:
                config = films.OTHER_AVCC if config == films.AVCC else films.AVCC
                self._take(intake.video(int(at_ms) % 2**32, films.video_config(config)))
        await self.look()

    async def look(self) -> None:
        self.looks += 1
        await films.settled(self._spool)
        skip = self.dice.random() < 0.3
        for viewer in self._viewers:
            timeline = self._writer._renditions[viewer.name].timeline
            if timeline.target_duration is None or not self._writer._shows(viewer.name, viewer.form):
                continue
            head = timeline.head / VIDEO_CLOCK
            seen = await viewer.look(self._writer, head, skip=skip)
            self.missing += await viewer.fetch(self._writer, seen, head, self.dice)

    def _take(self, events: list) -> None:
        for event in events:
            films.write(self._writer, event)
            if self._rung:
                films.echo(self._writer, RUNG, event)
