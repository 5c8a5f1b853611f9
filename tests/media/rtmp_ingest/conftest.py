"""Roof: a studio, its RTMP port and its sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.media.rtmp_ingest.studio import Studio, Wire, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from media.rtmp_ingest.server import RtmpServer


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
async def server(studio) -> AsyncIterator[RtmpServer]:
    async with serving(studio) as server:
        yield server


@pytest.fixture
async def dial() -> AsyncIterator[Callable[[RtmpServer], Any]]:
    wires = []

    async def dialled(server: RtmpServer) -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", server.port)))
        return wires[-1]

    yield dialled
    for wire in wires:
        wire.writer.transport.abort()
