"""Core: what can go wrong between frames and players.

HlsError
AskError               the viewer's fault: the ask is answered with a refusal, nothing else changes
    NoSuchRendition, NotListed, PartWithoutMsn, TooFarAhead
NotYet                 nobody's fault: what was asked for did not come in time
MediaError             the publisher's fault: this stream cannot be packaged
    (leaves stand beside their rules in tracks.py, fmp4.py and media/intake.py)
"""

from __future__ import annotations


class HlsError(Exception):
    """Base of this package's errors."""


class AskError(HlsError):
    """A viewer asked for what is not there or may not be asked for."""


class NoSuchRendition(AskError):
    """No rendition of this broadcast has that name (404)."""

    def __init__(self, rendition: str) -> None:
        super().__init__(rendition)
        self.rendition = rendition

    def __str__(self) -> str:
        return f"no rendition {self.rendition!r}"


class NotListed(AskError):
    """A name that no playlist lists, or listed too long ago (rfc8216bis 6.2.6: 404)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{self.name!r} is not listed"


class PartWithoutMsn(AskError):
    """`_HLS_part` came without `_HLS_msn` (rfc8216bis 6.2.5.2: 400)."""

    def __init__(self, part: int) -> None:
        super().__init__(part)
        self.part = part

    def __str__(self) -> str:
        return f"part {self.part} of which segment?"


class TooFarAhead(AskError):
    """A segment or part beyond what may be waited for (rfc8216bis 6.2.5.2: 400, at once)."""

    def __init__(self, msn: int, part: int | None) -> None:
        super().__init__(msn, part)
        self.msn = msn
        self.part = part

    def __str__(self) -> str:
        return f"segment {self.msn}, part {self.part} is too far ahead"


class NotYet(HlsError):
    """What was asked for may be asked for, but did not come."""


class TimedOut(NotYet):
    """A held ask outlived three target durations, or the start of a broadcast its wait (503)."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"nothing new within {self.seconds:g} s"


class MediaError(HlsError):
    """What the publisher sends cannot be packaged; its text names formats and sizes only, so it may be shown."""
