"""A bot that answers `!uptime` and `!points` in one channel, on one request-channel (chat.talk).

COMMEOW_TOKEN=cmb_… python command_bot.py http://localhost:8080 ws://localhost:6565/rsocket CHANNEL

It comes back when the server restarts, and goes on after the last event that it has seen, so that no command is missed
and none is answered twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import uuid
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp
from reactivestreams.publisher import Publisher
from reactivestreams.subscriber import Subscriber
from reactivestreams.subscription import Subscription
from rsocket.exceptions import RSocketTransportError
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.request_handler import BaseRequestHandler
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import TransportAioHttpClient

CREDIT = 64
BACK_OFF_SECONDS = (0.5, 1, 2, 5, 10)


class Up(Publisher, Subscription):
    """Lines up: as many as the server has asked for; the others wait."""

    def __init__(self) -> None:
        self._credit = 0
        self._waiting: deque[bytes] = deque(maxlen=100)
        self._subscriber: Subscriber | None = None

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n: int) -> None:
        self._credit += n
        self._send()

    def cancel(self) -> None:
        self._credit = 0
        self._waiting.clear()

    def say(self, text: str) -> None:
        self._waiting.append(json.dumps({"id": str(uuid.uuid4()), "text": text}).encode())
        self._send()

    def _send(self) -> None:
        while self._credit > 0 and self._waiting:
            self._credit -= 1
            self._subscriber.on_next(Payload(self._waiting.popleft()))


class Bot(Subscriber):
    """Events down, on one connection after another; `seq` is where it goes on."""

    def __init__(self, http: aiohttp.ClientSession, channel: str) -> None:
        self._http = http
        self._channel = channel
        self._given: Counter[str] = Counter()
        self.seq: int | None = None
        self.epoch = ""
        self.come_back_ms = 0

    def begin(self) -> Up:
        """Begin on a new connection; answer what carries lines up."""
        self._up = Up()
        self._read = 0
        self.over = asyncio.Event()
        return self._up

    def on_subscribe(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def on_next(self, value: Payload, is_complete: bool = False) -> None:
        self._read += 1
        if self._read == CREDIT // 2:
            self._read = 0
            self._subscription.request(CREDIT // 2)
        event = json.loads(bytes(value.data))
        self.seq = event.get("seq", self.seq)
        match event:
            case {"kind": "said", "text": text, "from": {"nickname": nickname, "roles": roles}} if "bot" not in roles:
                asyncio.get_running_loop().create_task(self._answer(text.strip(), nickname))
            case {"kind": "donated", "points": points, "from": {"nickname": nickname}}:
                self._given[nickname] += points
            case {"kind": "epoch", "epoch": epoch}:
                if self.epoch not in {"", epoch}:
                    self.seq = 0  # The numbers began anew, and we have seen none of these.
                self.epoch = epoch
            case {"kind": "refused", "code": code}:
                print(f"refused: {code}", file=sys.stderr)
            case {"kind": "drain", "retry_after_ms": milliseconds}:
                self.come_back_ms = milliseconds

    def on_complete(self) -> None:
        self.over.set()

    def on_error(self, exception: Exception) -> None:
        print(f"ended: {exception}", file=sys.stderr)
        self.over.set()

    async def _answer(self, text: str, nickname: str) -> None:
        match text:
            case "!uptime":
                self._up.say(f"@{nickname} {await self._uptime()}")
            case "!points":
                self._up.say(f"@{nickname} has given {self._given[nickname]} points while I was here")

    async def _uptime(self) -> str:
        async with self._http.get(f"/api/channels/{quote(self._channel, safe='')}") as answer:
            started_at = (await answer.json())["started_at"]
        if started_at is None:
            return "nothing is on air"
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(started_at)).total_seconds())
        return f"on air for {timedelta(seconds=seconds)}"


class Transport(TransportAioHttpClient):
    """rsocket-py 0.4.20 does not notice that its server has closed the WebSocket: here it is told."""

    async def handle_incoming_ws_messages(self) -> None:
        await super().handle_incoming_ws_messages()
        self._incoming_frame_queue.put_nowait(RSocketTransportError())


async def talk(bot: Bot, websocket: aiohttp.ClientWebSocketResponse, channel: str, token: str) -> None:
    """Talk on one connection until it ends."""
    up = bot.begin()

    class Ears(BaseRequestHandler):
        async def on_close(self, rsocket, exception=None) -> None:
            bot.over.set()

        async def on_error(self, error_code, payload) -> None:
            print(f"closing: {bytes(payload.data or b'').decode()}", file=sys.stderr)
            bot.over.set()

    client = RSocketClient(
        single_transport_provider(Transport(websocket=websocket)),
        handler_factory=Ears,
        metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
        setup_payload=Payload(b"", composite(authenticate_bearer(token))),
        keep_alive_period=timedelta(seconds=20),
        max_lifetime_period=timedelta(seconds=90),
    )
    async with client:
        place = {"history": 0} if bot.seq is None else {"since": bot.seq}
        first = {"channel": channel, "epoch": bot.epoch, **place}
        request = Payload(json.dumps(first).encode(), composite(route("chat.talk")))
        client.request_channel(request, up).initial_request_n(CREDIT).subscribe(bot)
        print("talking", flush=True)
        await bot.over.wait()


async def main(http_url: str, rsocket_url: str, channel: str) -> None:
    """Talk for ever."""
    failures = 0
    async with aiohttp.ClientSession(http_url) as http, aiohttp.ClientSession() as sockets:
        bot = Bot(http, channel)
        while True:
            seen = bot.seq
            try:
                async with sockets.ws_connect(rsocket_url) as websocket:
                    await talk(bot, websocket, channel, os.environ["COMMEOW_TOKEN"])
            except (OSError, aiohttp.ClientError) as error:
                print(f"no connection: {error}", file=sys.stderr)
            failures = 0 if bot.seq != seen else min(failures + 1, len(BACK_OFF_SECONDS) - 1)
            # `drain` says when; everyone of a room at once would be a storm.
            await asyncio.sleep(bot.come_back_ms / 1000 or BACK_OFF_SECONDS[failures] * random.uniform(0.5, 1.5))
            bot.come_back_ms = 0


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
