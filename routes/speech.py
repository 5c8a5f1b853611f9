"""Door: a program that speaks: the words of a gift as sound, for an overlay, whose browser in OBS has no voice.

The program is the machine's own espeak-ng, where it has one. Text goes in by stdin, never by argument, and no shell is
near it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict
from typing import Final

from routes.rate_limit import Busy

AT_ONCE: Final = 2
"""Programs that speak at once: ten milliseconds of a core each."""

WAITING_MAX: Final = 20
"""Gifts that wait for them; more are not said aloud."""

SECONDS_MAX: Final = 5.0
"""Seconds one may take; an honest one takes a hundredth."""

SOUND_BYTES_MAX: Final = 44 + 40 * 44_100
"""Bytes of one sound: forty seconds, or one gift keeps all others waiting: 200 signs with long names take 82."""

KEPT_MAX: Final = 16
"""Spoken texts kept, 200 kB each as a rule and 28 MB at most: two scenes of one streamer ask for the same."""

RETRY_AFTER_MS: Final = 1_000
WORDS_A_MINUTE: Final = 160

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


class SpeechError(Exception):
    """The program did not speak."""


class Speech:
    """Speaks short texts. `program` is espeak-ng's path."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def say(self, text: str) -> bytes:
        """Give the sound of a text as a WAV file. Raises Busy, SpeechError."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        if self._waiting >= WAITING_MAX:
            raise Busy(RETRY_AFTER_MS)
        self._waiting += 1
        try:
            async with self._room:
                sound = await self._run(text)
        finally:
            self._waiting -= 1
        self._kept[text] = sound
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return sound

    async def _run(self, text: str) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *("--stdin", "--stdout", "-v", voice_of(text), "-s", str(WORDS_A_MINUTE)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise SpeechError(type(error).__name__) from error
        try:
            async with asyncio.timeout(SECONDS_MAX):
                sound, _ = await process.communicate(text.encode())
        except TimeoutError as error:
            raise SpeechError("too slow") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0 or not sound.startswith(b"RIFF"):
            raise SpeechError(f"exit {process.returncode}")
        return sound[:SOUND_BYTES_MAX]


def voice_of(text: str) -> str:
    """Choose a voice: Korean reads Latin letters too, English no Hangul."""
    return "ko" if _HANGUL.search(text) else "en"
