"""Roof: the demo's bot: logs in over HTTP, talks over RSocket, and donates now and then, as any member would."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import TransportAioHttpClient

from console.say import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from console.demo import Identity
    from db.ledger import Ledger

LINE_SECONDS = 5.0  # Often enough that a newcomer sees talk at once, seldom enough to read.
LINES_A_DONATION = 9
DONATION_POINTS = (10, 50, 100)
GRANT_POINTS = 1_000  # When the purse is empty; the reason stands in the ledger.
CALL_SECONDS_MAX = 10.0
CONNECTION_SECONDS_MAX = 500.0  # Then it logs in anew: its token lives for ten minutes.
BACK_OFF_SECONDS = (0.2, 1.0, 2.0, 5.0)

LINES = (
    "안녕하세요! 반가워요 🐱",
    "Hello! This line came over RSocket.",
    "화면의 시계가 지금 시각이에요. 얼마나 늦게 보이나요?",
    "Compare the clock in the picture with yours: that is the latency.",
    "저는 데모 봇이에요. 로그인하면 같이 이야기할 수 있어요.",
    "Sign up, open the studio, and point OBS at your own channel.",
    "이 방송은 진짜 RTMP로 들어와서 HLS로 나가요.",
    "Every point given here is in a double-entry ledger.",
)
THANKS = ("잘 보고 있어요!", "Keep it up!", "응원해요 ❤")


class BotRefused(Exception):
    """The house did not let the bot in."""


class Bot:
    """One talker in one channel.

    Args:
        identity: who it is, and whose channel it talks in.
        http_url: the site.
        rsocket_url: the RSocket server.
        ledger: where its points are granted.
        member_id: the bot's own.
        line_seconds: between two lines.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        http_url: str,
        rsocket_url: str,
        ledger: Ledger,
        member_id: int,
        line_seconds: float = LINE_SECONDS,
    ) -> None:
        self._identity = identity
        self._http_url = http_url
        self._rsocket_url = rsocket_url
        self._ledger = ledger
        self._member_id = member_id
        self._line_seconds = line_seconds
        self._turns = itertools.count(1)
        self._lines = itertools.cycle(LINES)

    async def run(self) -> None:
        """Talk until cancelled; whatever goes wrong, come back."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(CONNECTION_SECONDS_MAX):
                    async with self._connection() as client:
                        failures = 0
                        while True:
                            await self._turn(client)
                            await asyncio.sleep(self._line_seconds)
            except TimeoutError:
                pass
            except Exception as error:  # noqa: BLE001 (a demo outlives every trouble of the house it shows)
                if failures == len(BACK_OFF_SECONDS):
                    say(f"the demo's bot cannot talk ({type(error).__name__}: {error})", of="demo")
                failures += 1
            await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[RSocketClient]:
        token = await self._log_in()
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        # A session of our own: the library's transport forgets its own when the connection does not come about.
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.ws_connect(self._rsocket_url, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as websocket,
        ):
            client = RSocketClient(
                single_transport_provider(TransportAioHttpClient(websocket=websocket)),
                metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
                setup_payload=Payload(b"", composite(authenticate_bearer(token))),
                keep_alive_period=timedelta(seconds=20),
            )
            try:
                await client.connect()
                yield client
            finally:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(1.0):
                        await client.close()

    async def _log_in(self) -> str:
        body = {"login_id": self._identity.bot_login_id, "password": self._identity.bot_password}
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{self._http_url}/api/members/login", json=body) as answer,
        ):
            if answer.status != 200:
                raise BotRefused(f"login: {answer.status} {await answer.text()}")
            return str((await answer.json())["access_token"])

    async def _turn(self, client: RSocketClient) -> None:
        if next(self._turns) % LINES_A_DONATION == 0:
            await self._donate(client)
        else:
            line = {"channel": self._identity.nickname, "id": str(uuid.uuid4()), "text": next(self._lines)}
            await self._call(client, "chat.say", line)

    async def _donate(self, client: RSocketClient) -> None:
        points = random.choice(DONATION_POINTS)  # noqa: S311 (a demo's whim)
        if (await self._ledger.balance(self._member_id)).points < points:
            await self._ledger.grant(self._member_id, GRANT_POINTS, "demo")
        text = random.choice(THANKS)  # noqa: S311
        given = {"id": str(uuid.uuid4()), "channel": self._identity.nickname, "points": points, "text": text}
        try:
            await self._call(client, "donation.give", given)
        except RuntimeError as error:  # rsocket-py's word for APPLICATION_ERROR
            if "channel.off_air" not in str(error):  # its picture may come later than its bot, or not at all
                raise

    @staticmethod
    async def _call(client: RSocketClient, name: str, body: dict[str, Any]) -> None:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            await client.request_response(Payload(json.dumps(body).encode(), composite(route(name))))
