"""Roof: `python -m media`: pictures in by RTMP, out by HLS, and the house's HTTP doors and pages."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from db.acts import Acts
from db.bookkeeper import Bookkeeper
from db.bot_tokens import BotTokens
from db.bus import Bus
from db.channels import Channels
from db.emotes import Emotes
from db.follows import Follows
from db.footprints import Footprints
from db.ledger import Ledger
from db.members import Members
from db.migrate import missing
from db.order_reviews import OrderReviews
from db.orders import Orders
from db.pool import open_pool, open_redis, ping
from db.refresh_tokens import RefreshTokens
from db.roles import may_rewrite, take_role
from db.sandbox_payments import SandboxPayments
from db.summaries import Summaries
from db.supporters import Supporters
from media.audiences import Audiences
from media.broadcasts import Broadcasts
from media.health_histories import HealthHistories
from media.hls_writer.cutter import PART_ROUNDING_SECONDS
from media.rtmp_ingest.server import serve
from media.spool import Spool
from routes import kakaopay, pages, process, wire
from routes.account import AccountDoors
from routes.addresses import reachable
from routes.announcements import Announcements
from routes.bot_tokens import BotTokenDoors
from routes.cards import Cards
from routes.certificates import rtmps_context
from routes.channel_donations import ChannelDonationDoors
from routes.channels import ChannelDoors
from routes.emotes import EmoteDoors
from routes.export import ExportDoors
from routes.follows import FollowDoors
from routes.front import Fronts
from routes.health import Health, check_disk, check_http
from routes.members import MemberDoors
from routes.middleware import Guard
from routes.moderation_log import ModerationLogDoors
from routes.notices import Notices
from routes.order_news import OrderNews
from routes.order_watch import OrderWatch
from routes.orders import OrderDoors
from routes.overlays import OverlayDoors
from routes.pages import Pages
from routes.passwords import Passwords
from routes.playback import Playback
from routes.points import PointDoors
from routes.quick_playback import QuickPlayback
from routes.reviews import Reviews
from routes.sandbox_api import SandboxApi
from routes.sandbox_pay import SandboxPay
from routes.settings import SANDBOX, find_ffmpeg, find_voice
from routes.speech import Speech
from routes.summaries import SummaryDoors
from routes.supporters import SupporterDoors
from routes.thumbnails import ThumbnailDoor
from routes.tokens import Tokens, derive
from routes.top_ups import TopUps

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    import asyncpg

    from db.pool import Client
    from media.rtmp_ingest.server import RtmpServer
    from routes.addresses import Addresses
    from routes.doors import HttpDoor
    from routes.settings import Settings, Stores

WEB = Path(__file__).parent.parent / "web"

# Requests that wait (a blocked playlist) are cut at the end: their players come back by themselves.
SHUTDOWN_SECONDS = 0.5


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Serve HTTP and RTMP until `stop`."""
    stores = settings.require_stores()
    tls = rtmps_context(settings)
    async with contextlib.AsyncExitStack() as stack:
        pool, redis, bus = await _open_stores(stores, stack)
        channels = Channels(pool)
        spool = Spool(settings.data / "hls", quota_bytes=settings.dvr_disk_mb * 1024 * 1024)
        process.claim(spool.start, spool.root)
        stack.push_async_callback(spool.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        provider = kakaopay.of_settings(http, settings, stores)
        await Reviews(Orders(pool), OrderReviews(pool), provider).warn_of_others(settings.practice)
        news = OrderNews(Bus(redis))  # A bus has one listener, and this one has no other.
        top_ups = TopUps(Orders(pool), provider, tell=news.tell)
        audiences = Audiences(Summaries(pool))
        broadcasts = Broadcasts(
            channels,
            root=settings.data / "hls",
            ladder=settings.ladder,
            ffmpeg=find_ffmpeg(settings),
            on_state=Announcements(bus).on_state,
            before_end=audiences.close,
            spool=spool,
            dvr_seconds=settings.dvr_minutes * 60,
            part_seconds=settings.part_ms / 1000 + PART_ROUNDING_SECONDS,
        )
        await broadcasts.recover()
        histories = HealthHistories(broadcasts, bus.viewers, audiences.count)
        rtmp = await process.listen(
            serve(settings.host, settings.rtmp_port, broadcasts),
            host=settings.host,
            port=settings.rtmp_port,
            setting="COMMEOW_RTMP_PORT",
        )
        if settings.rtmps_port is not None:
            await process.listen(
                rtmp.listen(settings.host, settings.rtmps_port, tls=tls),
                host=settings.host,
                port=settings.rtmps_port,
                setting="COMMEOW_RTMPS_PORT",
            )
        doors, guard = _doors(
            settings,
            stores,
            stack,
            pool=pool,
            redis=redis,
            bus=bus,
            channels=channels,
            broadcasts=broadcasts,
            histories=histories,
            rtmp=rtmp,
            top_ups=top_ups,
            news=news,
        )
        await _serve_http(settings, guard.application(doors), QuickPlayback(broadcasts, guard), stack)
        # From the last opened to the first: publishers are told goodbye, then their broadcasts end, then HTTP.
        stack.push_async_callback(broadcasts.close)
        stack.push_async_callback(rtmp.close)
        process.say_ready(
            f"http http://{settings.host}:{settings.http_port} rtmp rtmp://{settings.host}:{settings.rtmp_port}/live"
        )
        await process.own(
            stop,
            *(broadcasts.run(), histories.run(), audiences.run()),
            *(top_ups.run(), news.run(), Bookkeeper(pool).run()),
        )


async def _open_stores(stores: Stores, stack: contextlib.AsyncExitStack) -> tuple[asyncpg.Pool, Client, Bus]:
    pool = await process.answering(
        open_pool(stores.database_url, application_name="commeow media", on_connect=take_role),
        store="PostgreSQL",
        setting="COMMEOW_DATABASE_URL",
    )
    stack.push_async_callback(pool.close)
    await process.check_schema(missing(pool))
    await process.check_rights(may_rewrite(pool))
    redis = open_redis(stores.redis_url)
    stack.push_async_callback(redis.aclose)
    bus = Bus(redis)
    await process.answering(bus.head(0), store="Redis", setting="COMMEOW_REDIS_URL")
    return pool, redis, bus


def _doors(
    settings: Settings,
    stores: Stores,
    stack: contextlib.AsyncExitStack,
    *,
    pool: asyncpg.Pool,
    redis: Client,
    bus: Bus,
    channels: Channels,
    broadcasts: Broadcasts,
    histories: HealthHistories,
    rtmp: RtmpServer,
    top_ups: TopUps,
    news: OrderNews,
) -> tuple[list[HttpDoor], Guard]:
    """Build every HTTP door over the stores, and the guard before them."""
    tokens = Tokens(stores.secret)
    addresses = process.addresses(settings)
    ledger = Ledger(pool)
    follows, acts, notices = Follows(pool), Acts(pool), Notices(bus)
    cards = Cards(channels, addresses, broadcasts.thumbnail)
    voice = find_voice()
    site = Pages(WEB, pages.vendor_root(), addresses, cards.of, speaks=voice is not None)
    passwords = Passwords()
    stack.callback(passwords.close)
    refresh_tokens = RefreshTokens(redis, derive(stores.secret, "refresh token"))
    guard = Guard(tokens, lives=refresh_tokens.lives, public_url=settings.public_url, is_https=addresses.is_https)
    health = Health(
        _checks(settings, pool, redis, rtmp),
        guard.counters,
        live=lambda: len(broadcasts),
        unsettled=OrderReviews(pool).unsettled,
    )
    table = [
        *_member_doors(
            pool=pool, refresh_tokens=refresh_tokens, bus=bus, tokens=tokens, passwords=passwords, addresses=addresses
        ),
        *ChannelDoors(
            channels=channels,
            acts=acts,
            bus=bus,
            broadcasts=broadcasts,
            histories=histories,
            announcements=Announcements(bus),
            notices=notices,
            addresses=addresses,
        ).doors(),
        *BotTokenDoors(BotTokens(pool)).doors(),
        *FollowDoors(channels, follows, notices).doors(),
        *ModerationLogDoors(channels, acts).doors(),
        *EmoteDoors(channels, Emotes(pool), notices).doors(),
        *ChannelDonationDoors(channels, ledger).doors(),
        *SupporterDoors(channels, Supporters(pool)).doors(),
        *SummaryDoors(channels, Summaries(pool)).doors(),
        *PointDoors(ledger).doors(),
        *OrderDoors(top_ups, Orders(pool), addresses, payments=settings.payments).doors(),
        *OrderWatch(top_ups, news).doors(),
        *_sandbox(settings, stores, pool),
        *Playback(broadcasts).doors(),
        *ThumbnailDoor(broadcasts).doors(),
        *health.doors(),
        *cards.doors(),
        *OverlayDoors(BotTokens(pool), site, bus, Speech(voice) if voice else None).doors(),
        *site.doors(),
    ]
    health.describe(table)
    return table, guard


def _member_doors(
    *,
    pool: asyncpg.Pool,
    bus: Bus,
    refresh_tokens: RefreshTokens,
    tokens: Tokens,
    passwords: Passwords,
    addresses: Addresses,
) -> list[HttpDoor]:
    """Build the doors of members and of their own accounts."""
    members, ledger, follows = Members(pool), Ledger(pool), Follows(pool)
    return [
        *MemberDoors(
            members=members,
            ledger=ledger,
            follows=follows,
            acts=Acts(pool),
            bus=bus,
            refresh_tokens=refresh_tokens,
            tokens=tokens,
            passwords=passwords,
            addresses=addresses,
        ).doors(),
        *AccountDoors(
            members=members, refresh_tokens=refresh_tokens, passwords=passwords, bus=bus, addresses=addresses
        ).doors(),
        *ExportDoors(
            members=members,
            channels=Channels(pool),
            acts=Acts(pool),
            supporters=Supporters(pool),
            emotes=Emotes(pool),
            follows=follows,
            ledger=ledger,
            refresh_tokens=refresh_tokens,
            bot_tokens=BotTokens(pool),
            footprints=Footprints(pool),
            bus=bus,
        ).doors(),
    ]


def _sandbox(settings: Settings, stores: Stores, pool: asyncpg.Pool) -> list[HttpDoor]:
    """Give the doors of the sandbox; none at all where anybody's money moves."""
    if settings.payments != SANDBOX:
        return []
    payments = SandboxPayments(pool)
    return [*SandboxApi(payments, kakaopay.sandbox_key(stores)).doors(), *SandboxPay(payments).doors()]


def _checks(
    settings: Settings, pool: asyncpg.Pool, redis: Client, rtmp: RtmpServer
) -> dict[str, Callable[[], Awaitable[wire.Part]]]:
    """Name the parts of the house and how each is asked whether it is well."""

    async def database() -> wire.Part:
        await pool.fetchval("SELECT 1")
        return wire.Part(ok=True, words="answers")

    async def valkey() -> wire.Part:
        await ping(redis)
        return wire.Part(ok=True, words="answers")

    async def rsocket_server() -> wire.Part:
        return await check_http(reachable(settings.host), settings.rsocket_port)

    async def ingest() -> wire.Part:
        return wire.Part(ok=True, words=f"{rtmp.connections} connections")

    async def disk() -> wire.Part:
        return await check_disk(settings.data)

    return {"database": database, "redis": valkey, "rsocket_server": rsocket_server, "ingest": ingest, "disk": disk}


async def _serve_http(
    settings: Settings, application: web.Application, quick: QuickPlayback, stack: contextlib.AsyncExitStack
) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None
    fronts = Fronts(runner.server, quick)
    stack.callback(fronts.close)
    await process.listen(
        fronts.listen(settings.host, settings.http_port),
        host=settings.host,
        port=settings.http_port,
        setting="COMMEOW_HTTP_PORT",
    )


if __name__ == "__main__":
    sys.exit(process.run(work))
