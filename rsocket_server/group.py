"""Shell: viewers at one place in a room's log: all of them are sent the same bytes in one go.

What everybody in it has in common, the place, is kept once: nothing is looked up or counted for each delivery. A
viewer's own cursor and credit stay as they were when it joined, and are brought up to date when it leaves, or asks.
"""

from __future__ import annotations

from array import array
from math import inf
from typing import TYPE_CHECKING, Protocol

from rsocket_server import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rsocket_server.carrier import Sender
    from rsocket_server.outbox import Outbox
    from rsocket_server.send_ring import SendRing


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

    __slots__ = ("_files", "_ring", "_senders", "cursor", "least", "stream_id")

    def __init__(self, stream_id: int, cursor: int, ring: SendRing | None = None) -> None:
        self.stream_id = stream_id
        self.cursor = cursor
        self.least: float = inf
        self._senders: dict[Member, Sender] = {}
        self._files: array[int] | None = None  # Theirs, once they are asked for.
        self._ring = ring

    def __len__(self) -> int:
        return len(self._senders)

    def join(self, member: Member, sender: Sender) -> None:
        """Take in a member whose cursor is ours, and who is sent to by that."""
        assert member.outbox.cursor == self.cursor, (member.outbox.cursor, self.cursor)
        self._senders[member] = sender
        self._files = None
        self.least = min(self.least, member.outbox.reach)
        member.group = self

    def leave(self, member: Member) -> None:
        """Let a member go, with the place that it has come to."""
        del self._senders[member]
        self._files = None
        member.group = None
        member.outbox.keep_up(self.cursor)

    def absorb(self, other: Group) -> None:
        """Take over everybody of a group that has come to the same place."""
        for member in other._senders:
            member.group = self
        self._senders |= other._senders
        self._files = None
        self.least = min(self.least, other.least)
        other._senders = {}

    def dismiss(self, target: int) -> list[Member]:
        """Let those go whose credit does not reach `target`, and answer them."""
        if target <= self.least:
            return []
        short = [member for member in self._senders if member.outbox.reach < target]
        for member in short:
            self.leave(member)
        self.least = min((member.outbox.reach for member in self._senders), default=inf)
        return short

    def disband(self) -> list[Member]:
        """Let everybody go, and answer them."""
        everybody = list(self._senders)
        for member in everybody:
            self.leave(member)
        return everybody

    def send_aside(self, data: bytes) -> list[tuple[Member, int]]:
        """Send everybody what is no event of the log, for a credit that each must have; answers what `send` does."""
        assert self.least > self.cursor, (self.least, self.cursor)
        for member in self._senders:
            member.outbox.credit -= 1
        self.least -= 1
        return self.send(data, self.cursor)

    def send(self, data: bytes, target: int) -> list[tuple[Member, int]]:
        """Send everybody the events up to `target`; answer who could not be sent all of it, and how much they were.

        They have left the group then. -1 stands for a socket that is broken.
        """
        if self._ring and len(self._senders) >= limits.RING_SENDS_MIN and self._ring.takes(len(data)):
            if self._files is None:
                self._files = array("i", [sender.fileno() for sender in self._senders.values()])
            short = self._ring.send(self._files, data)
        else:
            short = send_each(self._senders.values(), data)
        self.cursor = target
        if not short:
            return []
        members = list(self._senders)
        found = [(members[index], sent) for index, sent in short]
        for member, _ in found:
            self.leave(member)
        return found


def send_each(senders: Iterable[Sender], data: bytes) -> list[tuple[int, int]]:
    """Send data to each; answer what `SendRing.send` does."""
    size, short, index = len(data), [], -1
    turns = enumerate(senders)
    while True:
        try:
            for index, sender in turns:
                if (sent := sender.send(data)) != size:
                    short.append((index, sent))
        except BlockingIOError:
            short.append((index, 0))
        except OSError:
            short.append((index, -1))
        else:
            return short
