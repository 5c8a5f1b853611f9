import asyncio
import itertools
import json
import secrets
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer
from reactivestreams.subscriber import Subscriber
from rsocket.exceptions import RSocketProtocolError
from rsocket.extensions.helpers import authenticate_bearer, composite, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import TransportAioHttpClient

from db.acts import Acts
from db.alerts import Alerts
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.channel import hash_stream_key
from db.channels import Channels
from db.ledger import Ledger
from db.members import Members
from db.pool import open_pool
from db.roles import take_role
from media.broadcasts import Broadcasts
from media.flv import TagKind, TagReader
from media.health_histories import HealthHistories
from media.spool import Spool
from routes import events
from routes.addresses import Addresses
from routes.admission import Admission
from routes.announcements import Announcements
from routes.channels import ChannelDoors
from routes.chat import ChatDoors, RoomNumbers
from routes.donations import DonationDoors
from routes.live_channels import LiveChannels
from routes.middleware import Guard
from routes.moderation import ModerationDoors
from routes.notices import Notices
from routes.playback import Playback
from routes.rate_limit import RateLimit
from routes.revocations import Revocations
from routes.talk import TalkDoors
from routes.thumbnails import ThumbnailDoor
from routes.tokens import Tokens
from rsocket_server import limits
from rsocket_server.absence import Words
from rsocket_server.alert_relay import AlertRelay
from rsocket_server.laws import Laws
from rsocket_server.notice_board import NoticeBoard
from rsocket_server.rooms import Rooms
from rsocket_server.server import serve as serve_rsocket
from tests.routes.far_side import Shop

SECRET = b"test secret, 32 bytes at the least"


@pytest.fixture
def time_stands(monkeypatch):
    """For every limit it is always now: what was taken does not grow back while a slow machine takes the rest."""
    take, stands = RateLimit.take, {}
    monkeypatch.setattr(RateLimit, "take", lambda limit, key, now: take(limit, key, stands.setdefault(limit, now)))
    monkeypatch.setattr(limits, "SPEECH_SECONDS", 600.0)


@pytest.fixture(scope="session")
def tokens():
    return Tokens(SECRET)


@pytest.fixture
def bearer(tokens):
    """Give the headers of a member: `bearer(7, "nabi")`."""

    def headers(member_id, nickname, roles=frozenset(), *, age_seconds=0.0):
        token = tokens.issue(
            member_id, nickname, frozenset(roles), token_id=secrets.token_hex(8), now=time.time() - age_seconds
        )
        return {"Authorization": f"Bearer {token}"}

    return headers


async def _always(_member_id, _login):
    return True


@pytest.fixture
async def serve(tokens):
    """Serve a table of doors on a real port: `client = await serve(doors)`."""
    clients = []

    async def start(doors, *, public_url=None, lives=_always):
        guard = Guard(tokens, lives=lives, public_url=public_url, is_https=(public_url or "").startswith("https:"))
        client = TestClient(TestServer(guard.application(doors)), auto_decompress=False)
        await client.start_server()
        client.guard = guard
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


class RefusedError(Exception):
    """A refusal as a client reads it: the RSocket error code and the public data."""

    def __init__(self, number, data):
        super().__init__(number, data)
        self.number = number
        self.data = data
        self.code = data.get("code")


class Events(Subscriber):
    """What a watch brings, with exactly the credit the test gives."""

    def __init__(self):
        self._queue = asyncio.Queue()
        self.subscription = None

    def on_subscribe(self, subscription):
        self.subscription = subscription

    def on_next(self, value, is_complete=False):
        if value is not None and value.data is not None:
            self._queue.put_nowait(json.loads(bytes(value.data)))

    def on_error(self, exception):
        self._queue.put_nowait(exception)

    def on_complete(self):
        self._queue.put_nowait(None)

    async def next(self, kind=None):
        """Await the next event, or the next of one kind; a refusal is raised."""
        async with asyncio.timeout(60):
            while True:
                event = await self._queue.get()
                if isinstance(event, BaseException):
                    raise _refused(event)
                if kind is None or event is None or event["kind"] == kind:
                    return event

    @property
    def waiting(self):
        return self._queue.qsize()


def _refused(error):
    if isinstance(error, RSocketProtocolError):
        return RefusedError(error.error_code.value, json.loads(error.data or "{}"))
    return RefusedError(0x201, json.loads(str(error)))  # rsocket-py's word for APPLICATION_ERROR


class Talker:
    """One RSocket connection of rsocket-py."""

    def __init__(self, client):
        self._client = client

    @staticmethod
    def _payload(name, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Payload(data, composite(route(name)))

    async def call(self, name, body):
        try:
            async with asyncio.timeout(60):
                answer = await self._client.request_response(self._payload(name, body))
        except (RSocketProtocolError, RuntimeError) as error:
            raise _refused(error) from None
        return json.loads(bytes(answer.data))

    def fire(self, name, body):
        self._client.fire_and_forget(self._payload(name, body))

    def watch(self, name, body, credit=2**31 - 1):
        events = Events()
        self._client.request_stream(self._payload(name, body)).initial_request_n(credit).subscribe(events)
        return events

    def talk(self, first, up, credit=2**31 - 1):
        events = Events()
        channel = self._client.request_channel(self._payload("chat.talk", first), up)
        channel.initial_request_n(credit).subscribe(events)
        return events

    async def close(self):
        await self._client.close()


class Conversation:
    """The RSocket side of the house in this process, as its roof builds it, and clients of it."""

    def __init__(self, server, tokens, connect):
        self.url = f"ws://127.0.0.1:{server.port}/rsocket"
        self._tokens = tokens
        self._connect = connect

    async def connect(self, member=None):
        return await self._connect(self.url, None if member is None else self.token(member))

    async def connect_with(self, token):
        return await self._connect(self.url, token)

    async def log_in(self, member, login):
        return await self._connect(self.url, self.token(member, login=login))

    def token(self, member, *, age_seconds=0.0, login=""):
        return self._tokens.issue(
            member.id,
            member.nickname,
            member.roles,
            token_id=secrets.token_hex(8),
            now=time.time() - age_seconds,
            login=login,
        )


@pytest.fixture
async def connect():
    """Open RSocket connections: `await connect(url, token)`."""
    talkers = []

    async def begin(url, token=None):
        client = RSocketClient(
            single_transport_provider(TransportAioHttpClient(url)),
            metadata_encoding=WellKnownMimeTypes.MESSAGE_RSOCKET_COMPOSITE_METADATA,
            setup_payload=Payload(b"", composite(authenticate_bearer(token))) if token else None,
        )
        await client.connect()
        talkers.append(Talker(client))
        return talkers[-1]

    yield begin
    for talker in talkers:
        await talker.close()


@pytest.fixture
async def new_member(pool):
    """Add members: `await new_member("나비", points=100, key="sk_live_…", live=True)`."""
    numbers = itertools.count(1)

    async def add(nickname, *, points=0, key=None, live=False):
        member = await Members(pool).add(
            login_id=f"member_{next(numbers)}",
            nickname=nickname,
            password_hash="-",
            stream_key_hash=hash_stream_key(key or secrets.token_urlsafe(32)),
        )
        if points:
            await Ledger(pool).grant(member.id, points, "test")
        if live:
            await pool.execute(
                "INSERT INTO broadcast (channel_id, lease_until) VALUES ($1, now() + '1 hour')", member.id
            )
        return member

    return add


@pytest.fixture
async def application(database_url):
    """A pool with the rights that the processes have, and no more."""
    pool = await open_pool(database_url, on_connect=take_role)
    yield pool
    await pool.close()


@asynccontextmanager
async def conversing(pool, redis, tokens, connect, name="one"):
    """Run one worker of the RSocket side."""
    bus = Bus(redis)
    channels = Channels(pool)
    rooms = Rooms(
        bus,
        stamp=events.stamp,
        keep=events.keep,
        gap=events.gap,
        count=events.count,
        node=f"test {name}",
        takes_back=events.takes_back,
        voice=events.voice,
        epoch=events.epoch,
        words=Words(away=events.AWAY, back=events.BACK, local=events.local, lapsed=events.lapsed, line=events.line),
    )
    acts = Acts(pool)
    laws = Laws(acts, rooms)
    relay = AlertRelay(Alerts(pool), bus)
    numbers = RoomNumbers(channels)
    live = LiveChannels(channels, bus, rooms)
    bot_tokens = BotTokens(pool)
    revocations = Revocations(Members(pool), bot_tokens, rooms)
    admission = Admission(tokens, bot_tokens, revocations)
    chat = ChatDoors(rooms, numbers, laws, admission.verify)
    async with Ledger(pool, on_settled=relay.wake) as ledger:
        server = await serve_rsocket(
            doors=[
                *chat.doors(),
                *TalkDoors(chat).doors(),
                *DonationDoors(ledger, numbers, laws).doors(),
                *ModerationDoors(
                    acts=acts, members=Members(pool), board=NoticeBoard(bus, rooms), numbers=numbers, laws=laws
                ).doors(),
                *live.doors(),
            ],
            verify=admission.verify,
            translate=admission.translate,
            origins=frozenset(),
            host="127.0.0.1",
            port=0,
        )
        running = [
            asyncio.create_task(work)
            for work in (rooms.run(), relay.run(), live.run(), laws.run(), revocations.run(server))
        ]
        conversation = Conversation(server, tokens, connect)
        conversation.bus = bus
        conversation.live = live
        conversation.laws = laws
        conversation.admission = admission
        conversation.server = server
        conversation.rooms = rooms
        conversation.redis = redis
        yield conversation
        rooms.close()
        await server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def conversation(application, redis, tokens, connect):
    async with conversing(application, redis, tokens, connect) as one:
        yield one


@pytest.fixture
async def other_worker(application, redis, tokens, connect):
    async with conversing(application, redis, tokens, connect, "other") as other:
        yield other


class OnAir:
    """Broadcasts of this process, and an encoder that speaks to them without a socket."""

    def __init__(self, broadcasts, film, viewers):
        self.broadcasts = broadcasts
        self.histories = HealthHistories(broadcasts, viewers)
        self._film = film
        self.cut = []

    async def publish(self, key, *, seconds=3):
        """Publish the first `seconds` of the film with a channel's key, all at once."""
        feed = await self.broadcasts.publish(key, "live", self.cut.append)
        for tag in self._film:
            if tag.timestamp_ms >= seconds * 1000:
                break
            if tag.kind == TagKind.VIDEO:
                await feed.video(tag.timestamp_ms, tag.payload)
            elif tag.kind == TagKind.AUDIO:
                await feed.audio(tag.timestamp_ms, tag.payload)
        return feed


@pytest.fixture(scope="session")
async def film(ffmpeg):
    """Four seconds of H.264 and AAC as FLV tags, a keyframe each second."""
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin"),
        *("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30:duration=4"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4"),
        *(
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "30",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-f",
            "flv",
            "-",
        ),
        stdout=asyncio.subprocess.PIPE,
    )
    data, _ = await process.communicate()
    assert process.returncode == 0
    return TagReader().receive_data(data)


@pytest.fixture
def on_air_ffmpeg(request, ffmpeg):
    """The encoder of `on_air`: None unless a test asks for it with `indirect`."""
    return ffmpeg if getattr(request, "param", False) else None


@pytest.fixture
async def spool(tmp_path):
    spool = Spool(tmp_path / "hls", quota_bytes=2**30)
    spool.start()
    yield spool
    await spool.close()


@pytest.fixture
async def on_air(pool, redis, film, tmp_path, on_air_ffmpeg, spool):
    broadcasts = Broadcasts(
        Channels(pool),
        root=tmp_path,
        ladder=("source",),
        ffmpeg=on_air_ffmpeg,
        on_state=Announcements(Bus(redis)).on_state,
        spool=spool,
        dvr_seconds=600,
    )
    yield OnAir(broadcasts, film, Bus(redis).viewers)
    await broadcasts.close()


@pytest.fixture
async def channel_client(serve, pool, redis, on_air):
    """The doors of channels and playback, over real broadcasts."""
    bus = Bus(redis)
    doors = ChannelDoors(
        channels=Channels(pool),
        acts=Acts(pool),
        bus=bus,
        broadcasts=on_air.broadcasts,
        histories=on_air.histories,
        announcements=Announcements(bus),
        notices=Notices(bus),
        addresses=Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None),
    )
    playing = [*Playback(on_air.broadcasts).doors(), *ThumbnailDoor(on_air.broadcasts).doors()]
    return await serve([*doors.doors(), *playing])


@pytest.fixture
async def shop(pool, tokens):
    """Orders, and a payment provider on a real port that may be told to fail."""
    shop = await Shop(pool, tokens).open()
    yield shop
    await shop.close()
