"""Core: how many frames a client may bring: a burst at once, then so many a second; and what they may cost us.

A frame of six bytes costs as much processor time as one of a thousand, so a few megabytes a second of the smallest
(pings, keepalives that want an answer, credit, cancels) would take a whole worker. Hundreds of connections could do the
same with less than that each, so what a connection costs beyond a share of its own is taken out of the purse of its
address, and out of its member's, wherever that one's connections come from: who shares an address with a flood, or is
the member whose bot has run wild, has that share all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rsocket_server import limits

if TYPE_CHECKING:
    from rsocket_server.purses import Purses


class FrameBudget:
    """What one connection may still bring; it begins with a whole burst, and with its share.

    Args:
        now: seconds on a clock that never jumps.
        purses: where its address and its member have one.
        address: under which it is counted; None: its address has no purse.
    """

    __slots__ = ("_address", "_earned_at", "_left", "_member_id", "_purses", "_share")

    def __init__(self, now: float, purses: Purses | None = None, address: str | None = None) -> None:
        self._left: float = limits.FRAMES_BURST_MAX
        self._share = limits.SHARE_SECONDS_MAX
        self._earned_at = now
        self._purses = purses
        self._address = address
        self._member_id: int | None = None

    def belong_to(self, member_id: int) -> None:
        """Take also out of a member's purse from now on."""
        self._member_id = member_id

    def earn(self, now: float) -> None:
        """Add what the time since the last call has earned, up to a burst and up to a share."""
        passed = now - self._earned_at
        self._left = min(self._left + passed * limits.FRAMES_SECOND_MAX, limits.FRAMES_BURST_MAX)
        self._share = min(self._share + passed * limits.SHARE_PART_MAX, limits.SHARE_SECONDS_MAX)
        self._earned_at = now

    def spend(self, size: int = 0) -> bool:
        """Take one frame of so many bytes out; False if there is none left for it, or nothing that it may cost."""
        if self._left < 1:
            return False
        self._left -= 1
        return self.pay(limits.FRAME_COST_SECONDS + size * limits.BYTE_COST_SECONDS)

    def pay(self, seconds: float) -> bool:
        """Take out what something costs, at once or in advance; False if it was not there, as the next `spend` says."""
        if self._purses is None:
            return True
        own = min(seconds, self._share)
        self._share -= own
        rest, now = seconds - own, self._earned_at
        paid = True
        for owner in (self._address, self._member_id):
            if rest and owner is not None:
                paid = self._purses.take(owner, rest, now) and paid
        return paid
