"""Door: HTTP: the hot part of /hls: the edge's playlists and media in memory, without a task for each.

What is answered here, `routes/playback.py` answers at the same URL in the same way; a test holds both together. What
has to be refused at once, or fetched from disk, or is asked for in another way than players do, is left to it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE

from media.hls_writer.errors import HlsError
from routes import problems
from routes.middleware import open_to_all, problem_response
from routes.playback import playlist_response, resource_response
from routes.playlist_ask import PlaylistTarget, read_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from media.broadcasts import Broadcasts
    from media.hls_writer.playlist import ResourceName
    from media.hls_writer.waiting import Answer, Ask
    from media.hls_writer.writer import Writer
    from routes.middleware import Guard

FOUND_KEPT: Final = 256
"""Targets whose meaning is remembered: all who wait at the edge ask for the same few."""

_ID_HERE: Final = "0123456789abcdef"
_KEEP: Final = f"Server: {SERVER_SOFTWARE}\r\n\r\n".encode()
_CLOSE: Final = f"Server: {SERVER_SOFTWARE}\r\nConnection: close\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Found:
    """What a request asks for; without a name a playlist."""

    writer: Writer
    ask: Ask
    name: ResourceName | None

    def hold(self, take: Callable[[Answer], object]) -> None:
        """Wait for it."""
        self.writer.hold(self.ask, take)

    def forget(self, take: Callable[[Answer], object]) -> None:
        """Wait no more."""
        self.writer.forget(self.ask, take)


class QuickPlayback:
    """Finds what a target means, and writes the heads of its answers."""

    def __init__(self, broadcasts: Broadcasts, guard: Guard) -> None:
        self._broadcasts = broadcasts
        self._guard = guard
        self._heads: dict[str | None, tuple[bytes, bytes]] = {}
        self._found: dict[bytes, Found] = {}
        # A number of the process and one of the request: a die for each answer costs as much as the rest of its head.
        self._process = secrets.token_hex(4).encode()
        self._count = 0
        self._date = (0, b"")

    def find(self, target: bytes) -> Found | None:
        """Find what is asked for; None: that is for aiohttp."""
        found = self._found.get(target)
        if found is not None and self._broadcasts.find_broadcast(found.writer.broadcast_id) is found.writer:
            return found
        asked = read_target(target)
        writer = self._broadcasts.find_broadcast(asked.broadcast_id) if asked else None
        if asked is None or writer is None:
            return None
        if isinstance(asked, PlaylistTarget):
            ask = asked.ask
            wanted = writer.playlist_ask(asked.rendition, msn=ask.msn, part=ask.part, skip=ask.skip)
            found = Found(writer, wanted, None)
        else:
            found = Found(writer, writer.resource_ask(asked.name), asked.name)
        if len(self._found) >= FOUND_KEPT:
            self._found.clear()
        self._found[target] = found
        return found

    def waits(self) -> None:
        """Somebody begins to wait; `reply` ends it."""
        self._guard.counters.under_way += 1

    def waits_no_more(self) -> None:
        """One who waited has been told, or has gone."""
        self._guard.counters.under_way -= 1

    def reply(self, found: Found, answer: Answer, *, closes: bool) -> tuple[bytes, bytes]:
        """Give head and body."""
        if isinstance(answer, HlsError):
            response = problem_response(problems.problem_of(answer, incident=""))
            assert isinstance(response.body, bytes)
            status, (before, after), body = response.status, self._written(response), response.body
        else:
            status, body = 200, answer
            media_type = found.writer.media_type(found.name) if found.name else None
            head = self._heads.get(media_type)
            if head is None:
                head = self._heads[media_type] = self._written(
                    playlist_response(b"") if media_type is None else resource_response(b"", media_type)
                )
            before, after = head
        self._guard.counters.answers["2xx" if status == 200 else f"{status // 100}xx"] += 1
        self._count += 1
        request_id = b"%b%08x" % (self._process, self._count & 0xFFFFFFFF)
        end = _CLOSE if closes else _KEEP
        return b"%b%b%b%d\r\nDate: %b\r\n%b" % (before, request_id, after, len(body), self._now(), end), body

    def _written(self, response: web.Response) -> tuple[bytes, bytes]:
        """Write a head, around its request's id and up to its length."""
        open_to_all(response)
        self._guard.secure(response, _ID_HERE)
        lines = "".join(
            f"{name}: {value}\r\n" for name, value in response.headers.items() if name != hdrs.CONTENT_LENGTH
        )
        before, _, after = f"HTTP/1.1 {response.status} {response.reason}\r\n{lines}Content-Length: ".partition(
            _ID_HERE
        )
        return before.encode(), after.encode()

    def _now(self) -> bytes:
        """Give the date of this second."""
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]
