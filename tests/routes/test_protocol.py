"""PROTOCOL.md says what the code does: its tables are compared with the tables that the house runs on."""

import asyncio
import re
from pathlib import Path

import aiohttp
import msgspec

from db.act import Action
from db.order import ENDED_UNPAID, State
from media.verdicts import Code
from routes import events
from routes.account import AccountDoors
from routes.addresses import Addresses
from routes.bot_tokens import BotTokenDoors
from routes.cards import Cards
from routes.channel_donations import ChannelDonationDoors
from routes.channels import ChannelDoors
from routes.chat import ChatDoors
from routes.donations import DonationDoors
from routes.emotes import EmoteDoors
from routes.export import ExportDoors
from routes.follows import FollowDoors
from routes.health import Health
from routes.live_channels import LiveChannels
from routes.members import MemberDoors
from routes.middleware import Counters
from routes.moderation import ModerationDoors
from routes.moderation_log import ModerationLogDoors
from routes.order_watch import OrderWatch
from routes.orders import OrderDoors
from routes.overlays import OverlayDoors
from routes.pages import Pages
from routes.playback import Playback
from routes.points import PointDoors
from routes.problems import codes
from routes.sandbox_api import SandboxApi
from routes.sandbox_pay import SandboxPay
from routes.summaries import SummaryDoors
from routes.supporters import SupporterDoors
from routes.talk import TalkDoors
from routes.thumbnails import ThumbnailDoor
from routes.wire import BODY_BYTES_MAX

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
ADDRESSES = Addresses(host="127.0.0.1", http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=None)


def _rows(section):
    """Read the cells of every table row of a section, without the heads."""
    body = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (found,) = [part for part in body if part.startswith(section)]
    tables = re.findall(r"(?:^\|.*\n)+", found + "\n", flags=re.MULTILINE)
    return [
        [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
        for table in tables
    ]


def _http_doors():
    return [
        *MemberDoors(
            members=None,
            ledger=None,
            follows=None,
            acts=None,
            bus=None,
            refresh_tokens=None,
            tokens=None,
            passwords=None,
            addresses=ADDRESSES,
        ).doors(),
        *AccountDoors(members=None, refresh_tokens=None, passwords=None, bus=None, addresses=ADDRESSES).doors(),
        *ExportDoors(
            members=None,
            channels=None,
            acts=None,
            supporters=None,
            emotes=None,
            follows=None,
            ledger=None,
            refresh_tokens=None,
            bot_tokens=None,
            footprints=None,
            bus=None,
        ).doors(),
        *ChannelDoors(
            channels=None,
            acts=None,
            bus=None,
            broadcasts=None,
            histories=None,
            announcements=None,
            notices=None,
            addresses=ADDRESSES,
        ).doors(),
        *BotTokenDoors(None).doors(),
        *FollowDoors(None, None, None).doors(),
        *ModerationLogDoors(None, None).doors(),
        *EmoteDoors(None, None, None).doors(),
        *ChannelDonationDoors(None, None).doors(),
        *SupporterDoors(None, None).doors(),
        *SummaryDoors(None, None).doors(),
        *OverlayDoors(None, None, None, None).doors(),
        *PointDoors(None).doors(),
        *OrderDoors(None, None, ADDRESSES, payments="sandbox").doors(),
        *OrderWatch(None, None).doors(),
        *Playback(None).doors(),
        *ThumbnailDoor(None).doors(),
        *Health({}, Counters(), lambda: 0, None).doors(),
        *Cards(None, ADDRESSES, None).doors(),
        *Pages(ROOT / "web", None, ADDRESSES).doors(),
    ]


def test_the_http_table_is_the_routers():
    (table,) = _rows("HTTP")

    assert {tuple(row[:3]) for row in table} == {
        (door.method, door.plain_path, door.who.value) for door in _http_doors()
    }


def test_the_state_table_is_the_orders():
    table, _ = _rows("Orders")

    assert [row[0] for row in table] == [state.value for state in State]
    assert {row[0] for row in table if row[2] == "no"} == {
        state.value for state in (*ENDED_UNPAID, State.PAID, State.REFUNDED, State.VOIDED, State.REVIEW)
    }


def test_the_sandbox_table_is_the_sandboxes():
    _, table = _rows("Orders")

    assert {tuple(row[:2]) for row in table} == {
        (door.method, door.plain_path) for door in [*SandboxApi(None, "").doors(), *SandboxPay(None).doors()]
    }


def test_the_rsocket_table_is_the_servers():
    routes, *_ = _rows("RSocket")
    doors = [
        *ChatDoors(None, None, None, None).doors(),
        *TalkDoors(None).doors(),
        *DonationDoors(None, None, None).doors(),
        *ModerationDoors(acts=None, members=None, board=None, numbers=None, laws=None).doors(),
        *LiveChannels(None, None, None).doors(),
    ]

    assert {tuple(row[:3]) for row in routes} == {
        (door.route, str(door.model), "member" if door.members_only else "anyone") for door in doors
    }


def test_the_event_table_is_the_encoders():
    _, table, *_ = _rows("RSocket")
    shapes = [shape for shape in vars(events).values() if isinstance(shape, type) and issubclass(shape, msgspec.Struct)]
    kinds = {shape.__struct_config__.tag for shape in shapes} - {None}

    assert {row[0] for row in table} == kinds


def test_the_table_of_acts_is_the_moderators():
    _, _, table, _ = _rows("RSocket")
    written = {word for row in table for word in re.findall(r"[a-z]+", row[0])}

    assert written == {action.value for action in Action} - {"rules"}


async def test_the_frames_that_are_written_out_are_understood(conversation, new_member):
    await new_member("nabi")
    section = TEXT[TEXT.index("### A client in an afternoon") :]
    frames = [bytes.fromhex(line) for line in section.split("```")[1].strip().splitlines()]
    seen = []
    async with aiohttp.ClientSession() as session, session.ws_connect(conversation.url) as websocket:
        for frame in frames:
            await websocket.send_bytes(frame)
        async with asyncio.timeout(60):
            while len(seen) < 2:
                seen.append((await websocket.receive()).data)

    by_stream = {int.from_bytes(frame[:4]): (frame[4] >> 2, msgspec.json.decode(frame[6:])) for frame in seen}
    assert by_stream[1][1]["nickname"] is None
    assert by_stream[3] == (0x0A, {"kind": "count", "viewers": 1})


def test_the_code_table_is_the_houses():
    (table,) = _rows("Codes")

    assert {tuple(row[:4]) for row in table} == {
        (code, str(row.status), f"0x{row.rsocket:03x}", "yes" if row.retry else "no") for code, row in codes().items()
    }


def test_every_code_has_words_in_both_catalogues():
    for language in ("ko", "en"):
        words = msgspec.json.decode((ROOT / "web" / "i18n" / f"{language}.json").read_bytes())

        assert {code for code in codes() if f"error.{code}" not in words} == set(), language


def test_the_verdict_table_is_the_judges_and_has_words_in_both_catalogues():
    (table,) = _rows("Stream health")

    assert [row[0] for row in table] == [code.value for code in Code]
    for language in ("ko", "en"):
        words = msgspec.json.decode((ROOT / "web" / "i18n" / f"{language}.json").read_bytes())

        assert {code for code in Code if f"health.{code}" not in words} == set(), language


def test_the_limit_is_the_wires():
    assert f"at most {BODY_BYTES_MAX:,} bytes" in TEXT
