"""Shell: one broadcast with everything that belongs to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from media.broadcast import Broadcast, State
from media.stream_health import StreamHealth
from media.thumbnails import Still

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.channel import Channel
    from media.hls_writer.writer import Writer
    from media.transcoder import Transcoder


class OnAir:
    """See media/broadcasts.py, which keeps them; `lock` is held where the state is carried out."""

    def __init__(self, channel: Channel, grace_seconds: float) -> None:
        self.channel = channel
        self.broadcast = Broadcast(grace_seconds)
        self.broadcast_id: int | None = None
        self.writer: Writer | None = None
        self.transcoder: Transcoder | None = None
        self.laddered = False  # whether it was decided what ladder it gets: with its first picture
        self.refused = False  # some of the ladder that was asked for: there was no room
        self.health = StreamHealth()
        self.still = Still()
        self.told = State.ANNOUNCED
        self.cut: Callable[[str], None] | None = None
        self.key_hash = b""
        self.lock = asyncio.Lock()

    def cut_owner(self, reason: str) -> None:
        """Take whoever publishes off the air, in words for the encoder."""
        cut, self.cut = self.cut, None
        if cut:
            cut(reason)
