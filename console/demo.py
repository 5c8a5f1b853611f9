"""Roof: the demo: a channel that is live at once, pushed through the real RTMP port, and a bot that talks in it.

Who they are is kept in the data folder (0600), so a restart continues them; the file is written first, so a start that
was cut short is finished by the next one.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from console.clock import WIDTH as CLOCK_WIDTH
from console.clock import clock_filters
from console.stores import keep
from db.channel import hash_stream_key
from db.channels import Channels
from db.member import LoginIdTaken, NicknameTaken
from db.members import Members
from routes.members import new_stream_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import asyncpg

    from routes.passwords import Passwords

FILE_NAME = "demo.json"
PASSWORD_BYTES = 18
NAME_TRIES_MAX = 10  # A house that is not new may have its own "demo".
WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 30
KEYFRAME_FRAMES = 2 * FRAMES_PER_SECOND  # Two seconds, as encoders are told to everywhere.
VIDEO_BITS = "900k"
# In the middle of what stays free: the player's buttons lie below it, "unmute" and a card's badges beside and above.
CLOCK_SIZE, CLOCK_TOP = 6, HEIGHT * 3 // 10
TITLE = "Commeow demo"


class DemoSpoilt(Exception):
    """The kept identity of the demo cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} cannot be read: remove it to make a new demo channel, or set COMMEOW_DEMO=0"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the demo is."""

    nickname: str
    login_id: str
    password: str
    stream_key: str
    bot_nickname: str
    bot_login_id: str
    bot_password: str


def read_identity(data: Path) -> Identity | None:
    """Return who the demo of this data folder is; None if it has none yet. Raises DemoSpoilt."""
    path = data / FILE_NAME
    try:
        return Identity(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise DemoSpoilt(path) from error


async def is_wanted(demo: str, data: Path, pool: asyncpg.Pool, *, embedded: bool) -> bool:
    """Whether the demo is to run: `1` yes, `0` no, `auto` where an embedded database began empty."""
    if demo != "auto":
        return demo == "1"
    return embedded and (read_identity(data) is not None or await Members(pool).count() == 0)


async def ensure(data: Path, pool: asyncpg.Pool, passwords: Passwords) -> Identity:
    """Return who the demo is, having made its members if they are not there. Raises DemoSpoilt."""
    identity = read_identity(data)
    if identity is None:
        identity = await _new_identity(pool)
        keep(data / FILE_NAME, json.dumps(asdict(identity), indent=1))
    streamer = (identity.login_id, identity.nickname, identity.password)
    bot = (identity.bot_login_id, identity.bot_nickname, identity.bot_password)
    await _ensure_member(pool, passwords, *streamer, stream_key=identity.stream_key)
    await _ensure_member(pool, passwords, *bot, stream_key=new_stream_key())
    return identity


async def has_its_key(pool: asyncpg.Pool, identity: Identity) -> bool:
    """Whether the demo's key is still its channel's: an operator may have rotated it to publish there himself."""
    return await Channels(pool).by_stream_key_hash(hash_stream_key(identity.stream_key)) is not None


async def _new_identity(pool: asyncpg.Pool) -> Identity:
    members = Members(pool)
    for attempt in range(NAME_TRIES_MAX):
        suffix = secrets.token_hex(2) if attempt else ""
        name, bot = f"demo{suffix}", f"demobot{suffix}"
        if await members.by_nickname(name) is None and await members.by_nickname(bot) is None:
            break
    password, bot_password = (secrets.token_urlsafe(PASSWORD_BYTES) for _ in range(2))
    return Identity(name, name, password, new_stream_key(), bot, bot, bot_password)


async def _ensure_member(
    pool: asyncpg.Pool, passwords: Passwords, login_id: str, nickname: str, password: str, *, stream_key: str
) -> None:
    members = Members(pool)
    if await members.by_nickname(nickname) is not None:
        return
    try:
        member = await members.add(
            login_id=login_id,
            nickname=nickname,
            password_hash=await passwords.hash(password),
            stream_key_hash=hash_stream_key(stream_key),
        )
    except (LoginIdTaken, NicknameTaken):
        return  # Another start of the same demo was faster.
    await Channels(pool).edit(member.id, title=TITLE)


def push_command(ffmpeg: str, url: str) -> Sequence[str]:
    """Return the ffmpeg that publishes the synthetic picture, its clock and a tone to `url`."""
    now = time.time()
    local = time.localtime(now)
    day_seconds = local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + now % 1
    clock = clock_filters(day_seconds, x=(WIDTH - CLOCK_WIDTH * CLOCK_SIZE) // 2, y=CLOCK_TOP, size=CLOCK_SIZE)
    return [
        *(ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin"),
        *("-re", "-f", "lavfi", "-i", f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAMES_PER_SECOND}"),
        *("-re", "-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000"),
        *("-vf", f"format=yuv420p,{clock}", "-af", "volume=0.1"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline"),
        *("-b:v", VIDEO_BITS, "-maxrate", VIDEO_BITS, "-bufsize", VIDEO_BITS),
        *("-g", str(KEYFRAME_FRAMES), "-keyint_min", str(KEYFRAME_FRAMES), "-sc_threshold", "0"),
        *("-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "flv", url),
    ]


def push_environment() -> dict[str, str]:
    """Return what ffmpeg needs of our environment: nothing of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COMMEOW_")}
