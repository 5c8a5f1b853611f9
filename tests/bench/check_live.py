"""Judge a live stream by the rules of low-latency HLS, as its players see it (rfc8216bis 6.2).

    python tests/bench/check_live.py http://127.0.0.1:8080/hls/NICKNAME/index.m3u8 [--seconds 60]

One player for each playlist of each rendition: at the edge it asks for every part before it exists, whole and as a
delta in turn, has everything that is listed at once, and asks what may not be asked. It looks into the media too: a
part that says INDEPENDENT begins with a keyframe, decoding times go on where the last part ended, parts joined are the
segment. What has left a list is asked for until it may be gone. Prints every broken rule and what was measured; exit
code 1 if there was any. It needs nothing but the URL.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import urljoin

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.media.boxes import read_fragment  # noqa: E402
from tests.media.checker import Checker, Part, Playlist  # noqa: E402

FORMS = ("plain", "dvr", "ts")
# A listed part must be there "at once"; this much for the loopback and a loop that has other things to do.
AT_ONCE_SECONDS = 0.25
# Between the moments at which two parts can be listed: the part target, and the same again for the machine.
PART_SLACK_SECONDS = 0.35
# What is removed is asked for again before it may be gone: by then a player that reads a playlist every target duration
# has another turn.
EARLY_SECONDS = 8.0


class Findings:
    """Each broken rule once, with how often."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.fetches: list[float] = []
        self.part_gaps: list[float] = []
        self.parts = 0

    def add(self, words: str) -> None:
        self.counts[words] += 1


class Player:
    """HTTP, and what it finds."""

    def __init__(self, http: aiohttp.ClientSession, url: str, findings: Findings) -> None:
        self.http = http
        self.url = url
        self.findings = findings
        self.checker = Checker()
        self.tasks: list[asyncio.Task[None]] = []
        self.late: list[tuple[float, str]] = []
        self.looked = 0.0

    async def get(self, url: str) -> tuple[int, bytes]:
        async with self.http.get(url) as answer:
            return answer.status, await answer.read()

    async def see(self, query: str = "") -> Playlist | None:
        status, data = await self.get(self.url + query)
        if status != 200:
            self.findings.add(f"{self.name}: {status} for {query or 'the playlist'}")
            return None
        before, now = self.checker.last, time.monotonic()
        seen = self.checker.see(data)
        for words in self.checker.findings:
            self.findings.add(f"{self.name}: {words}")
        self.checker.findings.clear()
        if before and not seen.skipped:
            length = sum(each.duration for each in before.closed)
            gone = [each for each in before.closed if each.msn < seen.sequence and not each.gap]
            # It was removed after the last look, at the earliest.
            self.late += [(self.looked + each.duration + length, str(each.uri)) for each in gone]
        if not seen.skipped:
            self.looked = now
        return seen

    async def have(self, name: str) -> bytes:
        """Something that is listed; it must be there at once."""
        began = time.monotonic()
        status, data = await self.get(urljoin(self.url, name))
        seconds = time.monotonic() - began
        self.findings.fetches.append(seconds)
        if status != 200:
            self.findings.add(f"{self.name}: {status} for something listed")
        elif seconds > AT_ONCE_SECONDS:
            self.findings.add(f"{self.name}: something listed took more than {AT_ONCE_SECONDS} s")
        return data

    async def have_late(self) -> None:
        """What is no longer listed, shortly before it may be gone."""
        while self.late and self.late[0][0] <= time.monotonic() + EARLY_SECONDS:
            until, name = self.late.pop(0)
            status, _ = await self.get(urljoin(self.url, name))
            if status != 200 and time.monotonic() < until:
                self.findings.add(f"{self.name}: {status} for a segment that was removed too short a time ago")

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


class Edge(Player):
    """Follows the edge part by part."""

    def __init__(self, http: aiohttp.ClientSession, url: str, findings: Findings) -> None:
        super().__init__(http, url, findings)
        self.had: dict[str, bytes] = {}
        self.ends: dict[int, int] = {}
        self.judged: set[int] = set()

    async def run(self, until: float) -> None:
        seen = await self.see()
        turn, last_part = 0, time.monotonic()
        while seen and not seen.ended and time.monotonic() < until:
            await self.media(seen)
            await self.have_late()
            if turn % 20 == 0:
                await self.ask_amiss(seen)
            msn, part = position(seen)
            hint = asyncio.create_task(self.hinted(seen))
            query = f"?_HLS_msn={msn}&_HLS_part={part}"
            count = len(self.had)
            latest = await self.see(query + ("&_HLS_skip=YES" if turn % 2 else ""))
            await hint
            now = time.monotonic()
            if latest and len(self.had) > count:
                gap = now - last_part
                self.findings.part_gaps.append(gap)
                if gap > seen.part_target + PART_SLACK_SECONDS:
                    self.findings.add(f"{self.name}: a part came late")
                last_part = now
            turn += 1
            seen = latest if latest is None or not latest.skipped else await self.see()

    async def hinted(self, seen: Playlist) -> None:
        """The hinted part is answered when it is whole."""
        if seen.hint:
            status, data = await self.get(urljoin(self.url, seen.hint))
            if status == 200:
                self.had[seen.hint] = data
                self.findings.parts += 1
            else:
                self.findings.add(f"{self.name}: {status} for the hinted part")

    async def media(self, seen: Playlist) -> None:
        for segment in seen.segments:
            for part in segment.parts:
                if not part.gap and part.uri not in self.had:
                    self.had[part.uri] = await self.have(part.uri)
            if segment.uri and not segment.gap and segment.msn not in self.judged:
                self.judged.add(segment.msn)
                data = await self.have(segment.uri)
                if segment.parts:
                    self.judge(segment.parts, data, begins=segment.discontinuity)
        for init in {segment.init for segment in seen.segments if segment.init} - set(self.had):
            self.had[init] = await self.have(init)

    def judge(self, parts: list[Part], whole: bytes, *, begins: bool) -> None:
        """A closed segment's media."""
        if b"".join(self.had[part.uri] for part in parts if not part.gap) != whole:
            self.findings.add(f"{self.name}: parts joined are not the segment")
        if begins:
            self.ends.clear()
        for part in parts:
            if part.gap:
                continue
            for track in read_fragment(self.had[part.uri])[1]:
                if track.number == 1 and track.samples[0][1] != part.independent:
                    self.findings.add(f"{self.name}: INDEPENDENT is not what the first picture is")
                if track.number == 1 and self.ends.get(1, track.start) != track.start:
                    self.findings.add(f"{self.name}: decoding times do not go on")
                self.ends[track.number] = track.end
        for uri in list(self.had)[:-400]:
            del self.had[uri]

    async def ask_amiss(self, seen: Playlist) -> None:
        """What may not be asked, or has long been answered."""
        msn, _ = position(seen)
        limit = -(-3 // seen.part_target) if seen.part_target < 1 else 3
        for query, wanted in (
            ("?_HLS_part=0", 400),
            (f"?_HLS_msn={msn + 30}", 400),
            (f"?_HLS_msn={msn}&_HLS_part={int(limit) + 100}", 400),
            ("?_HLS_msn=1", 200),
            (f"?_HLS_msn={max(1, msn - 1)}&_HLS_part=0", 200),
        ):
            began = time.monotonic()
            status, _ = await self.get(self.url + query)
            if status != wanted:
                self.findings.add(f"{self.name}: {status} for {query.split('=')[0]}…, must be {wanted}")
            if time.monotonic() - began > AT_ONCE_SECONDS:
                self.findings.add(f"{self.name}: a refusal, or what is there already, was waited for")
        status, _ = await self.get(urljoin(self.url, "source_p999999999.m4s"))
        if status != 404:
            self.findings.add(f"{self.name}: {status} for a part that was never listed")


class Classic(Player):
    """Reads a playlist of whole segments every target duration, and its newest segments."""

    async def run(self, until: float) -> None:
        turn = 0
        while time.monotonic() < until:
            seen = await self.see("?_HLS_skip=YES" if turn % 3 == 2 else "")
            if seen is None or seen.ended:
                return
            names = [each.uri for each in seen.closed if not each.gap]
            for name in {names[0], names[len(names) // 2], *names[-2:]}:
                await self.have(str(name))
            await self.have_late()
            turn += 1
            await asyncio.sleep(max(0.0, min(seen.target, until - time.monotonic())))


def position(seen: Playlist) -> tuple[int, int]:
    """The next part after what is listed."""
    last = seen.segments[-1]
    return (last.msn + 1, 0) if last.uri else (last.msn, len(last.parts))


async def check(playback: str, seconds: float) -> Findings:
    findings = Findings()
    until = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as http:
        players: list[Edge | Classic] = []
        for form in ("index", *FORMS):
            url = urljoin(playback, f"{form}.m3u8")
            async with http.get(url) as answer:
                if answer.status != 200:
                    findings.add(f"{answer.status} for {form}.m3u8")
                    continue
                lines = (await answer.text()).splitlines()
            kind = Edge if form == "index" else Classic
            players += [kind(http, urljoin(url, line), findings) for line in lines if line and line[0] != "#"]
        async with asyncio.TaskGroup() as tasks:
            for player in players:
                tasks.create_task(player.run(until))
    return findings


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] if values else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("playback", help="the URL of index.m3u8")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    findings = asyncio.run(check(given.playback, given.seconds))
    for words, count in sorted(findings.counts.items(), key=lambda item: -item[1]):
        print(f"{count:6d} × {words}")
    gaps, fetches = findings.part_gaps, [1000 * seconds for seconds in findings.fetches]
    print(f"{sum(findings.counts.values())} broken rules in {given.seconds:.0f} s")
    print(f"{findings.parts} hinted parts")
    print(f"between parts: p50 {percentile(gaps, 0.5):.3f} s, p95 {percentile(gaps, 0.95):.3f} s")
    print(f"{len(fetches)} fetches: p50 {percentile(fetches, 0.5):.1f} ms, p95 {percentile(fetches, 0.95):.1f} ms")
    return 1 if findings.counts else 0


if __name__ == "__main__":
    sys.exit(main())
