"""Reads a chat with rsocket-py, a few events at a time, and says one line if it has a token.

python watch_and_say.py ws://localhost:6565/rsocket CHANNEL [TEXT]        (the token in COMMEOW_TOKEN)
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from datetime import timedelta

import aiohttp
from reactivestreams.subscriber import Subscriber
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import TransportAioHttpClient

CREDIT = 32  # The server sends no more than this before we ask again: a slow reader is never buried.


def request(name: str, body: dict) -> Payload:
    return Payload(json.dumps(body).encode(), composite(route(name)))


class Reader(Subscriber):
    """Prints each event, and asks for more when half of what was asked for has been read."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._read = 0

    def on_subscribe(self, subscription) -> None:
        self._subscription = subscription

    def on_next(self, value, is_complete=False) -> None:
        print(bytes(value.data).decode(), flush=True)
        self._read += 1
        if self._read == CREDIT // 2:
            self._read = 0
            self._subscription.request(CREDIT // 2)

    def on_complete(self) -> None:
        self.over.set()

    def on_error(self, exception) -> None:
        print(f"refused: {exception}", file=sys.stderr)
        self.over.set()


async def main(url: str, channel: str, text: str | None) -> None:
    # A session of our own: rsocket-py's forgets to close the one whose connection did not come about.
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as websocket:
        await watch_and_say(websocket, channel, text, os.environ.get("COMMEOW_TOKEN"))


async def watch_and_say(
    websocket: aiohttp.ClientWebSocketResponse, channel: str, text: str | None, token: str | None
) -> None:
    client = RSocketClient(
        single_transport_provider(TransportAioHttpClient(websocket=websocket)),
        metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
        setup_payload=Payload(b"", composite(authenticate_bearer(token))) if token else None,
        keep_alive_period=timedelta(seconds=20),
        max_lifetime_period=timedelta(seconds=90),
    )
    async with client:
        hello = await client.request_response(request("session.hello", {}))
        print(bytes(hello.data).decode(), flush=True)
        reader = Reader()
        client.request_stream(request("chat.watch", {"channel": channel})).initial_request_n(CREDIT).subscribe(reader)
        if text:
            line = {"channel": channel, "id": str(uuid.uuid4()), "text": text}
            answer = await client.request_response(request("chat.say", line))
            print(bytes(answer.data).decode(), flush=True)
        await reader.over.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
