"""Shell: viewers at one place in a room's log: one loop of send() gives all of them the same bytes.

What everybody in it has in common, the place, is kept once: nothing is looked up or counted for each delivery. A
viewer's own cursor and credit stay as they were when it joined, and are brought up to date when it leaves, or asks.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsocket_server.outbox import Outbox


class Member(Protocol):
    """Who may be in a group."""

    outbox: Outbox
    group: Group | None


class Group:
    """Viewers who have all had the events up to `cursor` and nothing else that is theirs alone.

    Attributes:
        stream_id: of their streams.
        cursor: sequence number of the last event that they were given.
        least: up to here the credit of each of them reaches, at the least.
    """

    __slots__ = ("_sends", "cursor", "least", "stream_id")

    def __init__(self, stream_id: int, cursor: int) -> None:
        self.stream_id = stream_id
        self.cursor = cursor
        self.least: float = inf
        self._sends: dict[Member, Callable[[bytes], int]] = {}

    def __len__(self) -> int:
        return len(self._sends)

    def join(self, member: Member, send: Callable[[bytes], int]) -> None:
        """Take in a member whose cursor is ours; `send` is its socket's own and raises OSError."""
        assert member.outbox.cursor == self.cursor, (member.outbox.cursor, self.cursor)
        self._sends[member] = send
        self.least = min(self.least, member.outbox.reach)
        member.group = self

    def leave(self, member: Member) -> None:
        """Let a member go, with the place that it has come to."""
        del self._sends[member]
        member.group = None
        member.outbox.keep_up(self.cursor)

    def absorb(self, other: Group) -> None:
        """Take over everybody of a group that has come to the same place."""
        for member in other._sends:
            member.group = self
        self._sends |= other._sends
        self.least = min(self.least, other.least)
        other._sends = {}

    def dismiss(self, target: int) -> list[Member]:
        """Let those go whose credit does not reach `target`, and answer them."""
        if target <= self.least:
            return []
        short = [member for member in self._sends if member.outbox.reach < target]
        for member in short:
            self.leave(member)
        self.least = min((member.outbox.reach for member in self._sends), default=inf)
        return short

    def disband(self) -> list[Member]:
        """Let everybody go, and answer them."""
        everybody = list(self._sends)
        for member in everybody:
            self.leave(member)
        return everybody

    def send_aside(self, data: bytes) -> list[tuple[Member, int]]:
        """Send everybody what is no event of the log, for a credit that each must have; answers what `send` does."""
        assert self.least > self.cursor, (self.least, self.cursor)
        for member in self._sends:
            member.outbox.credit -= 1
        self.least -= 1
        return self.send(data, self.cursor)

    def send(self, data: bytes, target: int) -> list[tuple[Member, int]]:
        """Send everybody the events up to `target`; answer who could not be sent all of it, and how much they were.

        They have left the group then. -1 stands for a socket that is broken.
        """
        size, stuck = len(data), []
        sends = iter(self._sends.values())
        while True:
            try:
                # A delivery costs what send() costs, and this line.
                for send in sends:
                    if (sent := send(data)) != size:
                        stuck.append((send, sent))
            except BlockingIOError:
                stuck.append((send, 0))
            except OSError:
                stuck.append((send, -1))
            else:
                break
        self.cursor = target
        if not stuck:
            return []
        members = {id(send): member for member, send in self._sends.items()}
        found = [(members[id(send)], sent) for send, sent in stuck]
        for member, _ in found:
            self.leave(member)
        return found
