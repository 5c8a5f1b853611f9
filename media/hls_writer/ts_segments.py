"""Shell: a broadcast's `.ts` segments: made when somebody asks, once for all who ask, in a thread beside the loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from media.hls_writer.samples import read_init, read_segment
from media.hls_writer.ts import can_write, ts_segment

# Who asks for `.ts` plays near the edge: a few segments of an ordinary stream.
KEPT_BYTES_MAX: Final = 16 * 1024 * 1024


class TsSegments:
    """Keeps what was made lately; one is made at a time, so that old players cannot take the machine."""

    def __init__(self) -> None:
        self._making = asyncio.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    async def get(self, name: str, init: bytes, segment: bytes) -> bytes:
        """The segment of that name as a transport stream; it `can` be one."""
        async with self._making:
            made = self._kept.get(name)
            if made is None:
                made = await asyncio.to_thread(_make, init, segment)
                self._keep(name, made)
            return made

    def forget(self) -> None:
        """Give memory back."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, name: str, made: bytes) -> None:
        self._kept[name] = made
        self._bytes += len(made)
        while self._bytes > KEPT_BYTES_MAX:
            _, old = self._kept.popitem(last=False)
            self._bytes -= len(old)


def _make(init: bytes, segment: bytes) -> bytes:
    video, audio = read_init(init)
    assert can_write(video, audio)
    return ts_segment(video, audio, read_segment(segment))
